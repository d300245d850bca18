"""Who may see a case. One rule, used by pages, exports and evidence files alike.

Seeing needs a part in the case (reported it, holds a step, did one), a post whose duty an open step
is waiting for, or a duty post over the place: in the case's unit or in one above it. Whoever
administers accounts and units sees no case by that: `administer` opens nothing here.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final, Literal

from engine.directory import Authority, Directory
from engine.errors import NotAllowed
from engine.exclusion import answering_units, is_excluded
from engine.people import By
from engine.state import CaseState

# Duties that open no case by themselves.
BLIND: Final = frozenset({"administer"})
# Duties that open only the cases they have a part in or are waited for in.
OWN_ONLY: Final = frozenset(
    {"intake", "custody", "investigate", "verify", "revisit", "publish", "receive"}
)
# What a street does by its offices; a department that only rectifies looks over its own alone.
STREET_DUTIES: Final = frozenset(
    {
        *("review", "dispatch", "accept", "close", "approve"),
        *("supervise", "command", "direct", "discipline"),
    }
)
# Duties that watch over all the work of their places.
OVERSEEING: Final = frozenset({"supervise", "approve"})
# Duties that may ask who held a post on a day.
WATCHING: Final = frozenset({"supervise", "administer"})


Sight = Literal["nothing", "own", "street", "place"]


def sight(duty: str) -> Sight:
    """How far a post with this duty sees, as the rules below go by.

    own: only cases it has a part in or is waited for in. place: those of its unit and of all below.
    street: the same, and all of its street where its unit is an office of it.
    """
    if duty in BLIND:
        return "nothing"
    if duty in OWN_ONLY:
        return "own"
    return "street" if duty in STREET_DUTIES else "place"


class NotYoursToSee(NotAllowed):
    """This person has neither a part in the case nor a duty over its place."""

    def __init__(self) -> None:
        super().__init__(
            "这件案子不在您的职责范围内，您也没有经办过，不能查看。需要查看的，请找该社区或街道督查岗位。",
            "This case is outside your duties and you had no part in it. Ask the community or the "
            "street's supervisor.",
        )


def may_see(case: CaseState, people: Directory, by: By, at: datetime) -> bool:
    """Whether this person may see the case at this instant, in person or as a substitute.

    A confidential case is seen by those named on it and those whose duty it waits for; nobody sees
    what they are kept out of.
    """
    if is_excluded(case, people, by.person, at):
        return False
    if by.person in participants(case):
        return True
    return any(_opens(case, people, held, at) for held in _seeing(people, by, at))


def seen_as(case: CaseState, people: Directory, by: By, at: datetime) -> Authority | None:
    """The post by which somebody who may see the case sees it; None for one who holds none now."""
    part = by.person in participants(case)
    seeing = _seeing(people, by, at)
    own = (held for held in seeing if part and held.on_behalf_of is None)
    opening = (held for held in _seeing(people, by, at) if _opens(case, people, held, at))
    return next(own, None) or next(opening, None)


def may_see_looks(case: CaseState, people: Directory, by: By, at: datetime) -> bool:
    """Whether this person may see who has looked at a case, and which reports of it left the house.

    That is for whoever has a part in it, and for whoever answers for discipline on its street, who
    need not see a confidential case for that; of any other case, also for those who supervise its
    place. Nobody sees anything of what they are kept out of.
    """
    if is_excluded(case, people, by.person, at):
        return False
    held = people.capacities(by.person, at)
    if by.person in participants(case):
        return True
    if any(_is_for_discipline(case, people, one) for one in held):
        return True
    overseeing = (one for one in held if one.duty == SUPERVISION)
    return not case.confidential and any(_is_over(case, people, one) for one in overseeing)


# Who decides a request for more time or for a stop of the clock. Of a confidential case nobody with
# these duties sees anything: there it is for whoever answers for discipline.
DECIDING: Final = {"extension": "approve", "pause": "dispatch"}
DISCIPLINE: Final = "discipline"
SUPERVISION: Final = "supervise"
ALL_DECIDING: Final = frozenset({*DECIDING.values(), DISCIPLINE})


def deciding_duty(kind: str, *, confidential: bool) -> str:
    """The duty by which a request of this kind (extension, pause) is decided."""
    return DISCIPLINE if confidential else DECIDING[kind]


class NotYoursToAudit(NotAllowed):
    """Who looked at a case is told to those with a part in it, to discipline and to supervision."""

    def __init__(self) -> None:
        super().__init__(
            "只有本案经办人、本街道纪检岗位和督查岗位可以看查阅记录。需要查的，请找纪检岗位。",
            "Who looked at a case is told to those with a part in it, and to the discipline and "
            "supervising posts of its street. Ask one of them.",
        )


class NotYoursToAsk(NotAllowed):
    """Who held a post is told to supervisors and administrators."""

    def __init__(self) -> None:
        super().__init__(
            "只有督查岗位和管理员可以查谁在哪天任什么岗位。需要查的，请找督查岗位。",
            "Only supervisors and administrators may look up who held a post; ask one of them.",
        )


def check_may_see(case: CaseState, people: Directory, by: By, at: datetime) -> None:
    """Raise NotYoursToSee unless this person may see the case."""
    if not may_see(case, people, by, at):
        raise NotYoursToSee


def check_may_see_looks(case: CaseState, people: Directory, by: By, at: datetime) -> None:
    """Raise NotYoursToAudit unless this person may see who has looked at the case."""
    if not may_see_looks(case, people, by, at):
        raise NotYoursToAudit


def participants(case: CaseState) -> frozenset[str]:
    """Everybody with a part in the case: reporter, holders, doers, and whom they acted for.

    Whoever objected or disputed has one too, though no step was completed by that.
    """
    doers = [doer for group in case.doers.values() for doer in group]
    named = {name for doer in doers for name in (doer.person, doer.on_behalf_of)}
    holders = {task.holder for task in case.tasks.values()}
    said = {values.get("by") for values in case.variables.values()}
    return frozenset(str(name) for name in named | holders | said if name)


def places_seen(people: Directory, by: By, at: datetime) -> frozenset[str]:
    """All units whose cases this person may see by a post: those of the posts, and below them."""
    seeing = (held for held in _seeing(people, by, at) if held.duty not in OWN_ONLY)
    return places_overlooked(people, seeing)


def places_watched(people: Directory, by: By, at: datetime) -> frozenset[str]:
    """Of those the units this person watches over: by a supervising or an approving post."""
    held = people.capacities(by.person, at)
    return places_overlooked(people, (one for one in held if one.duty in OVERSEEING))


def places_reported(people: Directory, by: By, at: datetime) -> frozenset[str]:
    """The units whose work and people this person may have reports made of.

    Below a supervising post; on the street whose discipline office it is.
    """
    held = people.capacities(by.person, at)
    over = {_overlooked(people, one) for one in held if one.duty in (SUPERVISION, DISCIPLINE)}
    return frozenset(below for unit in over for below in people.subtree(unit))


def places_measured(people: Directory, by: By, at: datetime) -> list[str]:
    """The units of whose work this person may see metrics, each with all below it.

    What a supervising or disciplining post looks over; none of them lies below another.
    """
    held = people.capacities(by.person, at)
    over = {_overlooked(people, one) for one in held if one.duty in (SUPERVISION, DISCIPLINE)}
    return sorted(unit for unit in over if not over & set(people.ancestors(unit)))


def measures_everything(people: Directory, by: By, at: datetime) -> bool:
    """Whether this person may see the metrics of every street there is."""
    over = set(places_measured(people, by, at))
    streets = [unit.id for unit in people.units.values() if unit.kind == "street"]
    return bool(over) and all(over & {one, *people.ancestors(one)} for one in streets)


def may_answer_for(people: Directory, by: By, unit: str, at: datetime) -> Authority | None:
    """A supervising or disciplining post of this person that looks over a unit; None if none does.

    The unit may have ended since.
    """
    above, asked = {unit, *people.ancestors(unit)}, (SUPERVISION, DISCIPLINE)
    held = (one for one in people.capacities(by.person, at) if one.duty in asked)
    return next((one for one in held if _overlooked(people, one) in above), None)


def may_report_on(
    people: Directory, by: By, person: str, since: datetime, until: datetime, at: datetime
) -> bool:
    """Whether this person may have a report made of what somebody did in a period.

    Of oneself everybody may; of others, who may report on a unit in which they held a post then.
    """
    if person == by.person:
        return True
    places = places_reported(people, by, at)
    return any(
        post.unit in places and post.since < until and (post.until is None or post.until > since)
        for post in people.posts_ever(person)
    )


class NotYoursToReport(NotAllowed):
    """Reports on people and units are for supervision and discipline; on oneself, for everybody."""

    def __init__(self) -> None:
        super().__init__(
            "履责报告只能由本街道纪检岗位、上级督查岗位出具；本人可以出具自己的。需要的，请找他们。",
            "Reports on people and units are made by the discipline office of the street and by "
            "supervisors above; everybody may have one made of themselves. Ask one of them.",
        )


def watches(people: Directory, by: By, at: datetime) -> bool:
    """Whether this person may look up who held which post on which day."""
    return any(held.duty in WATCHING for held in people.capacities(by.person, at))


def _seeing(people: Directory, by: By, at: datetime) -> Iterator[Authority]:
    return (held for held in people.capacities(by.person, at) if held.duty not in BLIND)


def _opens(case: CaseState, people: Directory, held: Authority, at: datetime) -> bool:
    """Whether a post opens the case to whoever holds it."""
    if _is_part_of(case, held) or _is_wanted(case, people, held, at):
        return True
    if case.confidential:
        return _is_to_decide(case, people, held)
    return _is_over(case, people, held) or _is_asked(case, held)


def _is_for_discipline(case: CaseState, people: Directory, held: Authority) -> bool:
    street = case.place[-1]
    over = people.offices((street, *people.ancestors(street)))
    return held.duty == DISCIPLINE and held.unit in over


def _is_part_of(case: CaseState, held: Authority) -> bool:
    """Whoever stands in for a participant sees what they see."""
    return held.on_behalf_of in participants(case)


def _is_asked(case: CaseState, held: Authority) -> bool:
    """The case has called this unit or this person: they see what for, until they are taken off."""
    asked = {child.party for child in case.children.values() if child.party and not child.removed}
    return bool({held.unit, held.person, held.on_behalf_of} & asked)


def _is_over(case: CaseState, people: Directory, held: Authority) -> bool:
    """A duty in the case's unit or above it, or in an office by which the street acts."""
    if held.duty in OWN_ONLY:
        return False
    street = case.place[-1]
    if held.unit in case.place or held.unit in people.ancestors(street):
        return True
    return held.duty in STREET_DUTIES and held.unit in people.offices((street,))


def places_overlooked(people: Directory, held: Iterable[Authority]) -> frozenset[str]:
    """What these posts look over, with all below it: their units, or the street they act for."""
    units = {_overlooked(people, one) for one in held}
    return frozenset(below for unit in units for below in people.subtree(unit))


def _overlooked(people: Directory, held: Authority) -> str:
    """What a post looks over: its unit, or the street as whose office it acts."""
    unit = people.unit(held.unit)
    above = people.unit(unit.parent) if unit.parent else unit
    acts = held.duty in STREET_DUTIES and unit.kind == "department" and above.kind == "street"
    return above.id if acts else unit.id


def _is_to_decide(case: CaseState, people: Directory, held: Authority) -> bool:
    """A request for time in a confidential case waits for somebody who has to see it to decide."""
    asked = any(task.request for task in case.tasks.values())
    return asked and _is_for_discipline(case, people, held)


def _is_wanted(case: CaseState, people: Directory, held: Authority, at: datetime) -> bool:
    """An open step waits for this duty in this unit: how could one claim what one cannot see?"""
    return any(
        held.duty == task.duty and held.unit in answering_units(case, people, task, at)
        for task in case.tasks.values()
        if task.holder is None or not case.confidential
    )
