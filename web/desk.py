"""A case on the desk of whoever looks: its state, its definition, who is who. Reading only."""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from itertools import groupby
from typing import Final

from sqlalchemy import Connection

from engine.assignment import nameable
from engine.cases import may_do, on_word_of, open_task
from engine.casework import Desk, desk_for, look
from engine.definition_sets import UnknownDefinition, latest
from engine.definitions import Definition, UserTask
from engine.directory import ANY_POST, KINDS, Authority, Directory, each_once, valid
from engine.exclusion import SUPERIOR, is_excluded
from engine.forms import Field
from engine.inbox import InboxRow, open_steps
from engine.rights import check_may_see
from engine.state import OpenTask
from web.forms import Choosing, Groups
from web.seeing import read_before
from web.texts import either, say
from web.visit import at, by, reads

UNIT_WIDGETS: Final = ("unit", "units")


def desk_of(conn: Connection, case_id: str) -> Desk:
    """A case as this person may see it now; raises UnknownCase, NotYoursToSee."""
    seen = read_before(conn, case_id)
    desk = desk_for(conn, seen, at()) if seen else look(conn, case_id, at())
    check_may_see(desk.case, desk.directory, by(), at())
    return desk


def to_do(case_id: str, task: str, informant: str | None = None) -> tuple[Desk, OpenTask]:
    """A step this person may do now, asked before a file is kept for it.

    So nobody fills the disk through somebody else's step. informant: the colleague for whom they
    type it. Raises UnknownCase, NotYoursToSee, StepNotOpen, NotYourTask, Separated, and the
    refusals of engine.informants.
    """
    with reads() as conn:
        desk = desk_of(conn, case_id)
        found = open_task(desk, task)
        if informant is None:
            may_do(desk, found, by())
        else:
            on_word_of(desk, found, by(), informant)
    return desk, found


def inbox_row(conn: Connection, case_id: str, task: str) -> InboxRow | None:
    """The open step as the inbox knows it."""
    return next((row for row in open_steps(conn, [case_id]) if row.task == task), None)


def choosing(desk: Desk, element: str) -> Choosing:
    """The persons and units a form of this element may name.

    A person who will hold a later step is chosen among those with its duty who are not barred from
    it; a unit that will do one, among the units with such posts. So it is with steps of the cases
    that this one opens for them.
    """

    def offered(field: Field) -> Groups:
        if field.widget in UNIT_WIDGETS:
            return unit_groups(desk.directory, units_named(desk, element, field.name))
        return person_groups(desk.directory, persons_named(desk, element, field.name))

    return offered


def choosing_first(definition: Definition, people: Directory, now: datetime) -> Choosing:
    """The persons and units the form may name by which a case is opened: there is no desk yet."""

    def offered(field: Field) -> Groups:
        duties = asked_of(definition, ("case", field.name), child_definition)
        if field.widget in UNIT_WIDGETS:
            return unit_groups(people, units_with(people, duties, now))
        return person_groups(people, _holding(people, duties, now))

    return offered


def parties_of(desk: Desk, group: str) -> Groups:
    """Whom a send may ask: units or persons with the duty that the case opened for them needs."""
    send = desk.context.definition.sends[group]
    opened = child_definition(send.to.removeprefix("opens:"))
    if opened is None:
        return []
    duties = asked_of(opened, ("case", "party"), child_definition)
    if any(lane.unit and ("case", "party") in lane.unit.paths for lane in opened.lanes.values()):
        return unit_groups(desk.directory, units_with(desk.directory, duties, desk.at))
    held = _holding(desk.directory, duties, desk.at)
    return person_groups(desk.directory, [one for one in held if not _is_out(desk, one)])


def child_definition(process: str) -> Definition | None:
    """The process of a case to be opened, as it stands now; None if there is none."""
    try:
        with reads() as conn:
            return latest(conn, process)
    except UnknownDefinition:
        return None


def asked_of(
    definition: Definition, path: tuple[str, ...], child: Callable[[str], Definition | None]
) -> frozenset[str]:
    """The duties whoever is named at a path will need: of this process, and of those it opens.

    The duty of a superior counts only where no other is asked: they are not who comes. Empty where
    any post will do.
    """
    found = frozenset(_asked_of(definition, path, child, set())) - {ANY_POST}
    return found - {SUPERIOR} or found


def _asked_of(
    definition: Definition,
    path: tuple[str, ...],
    child: Callable[[str], Definition | None],
    met: set[tuple[str, tuple[str, ...]]],
) -> Iterator[str]:
    if (definition.key, path) in met:
        return
    met.add((definition.key, path))
    for lane in definition.lanes.values():
        if lane.unit is not None and path in lane.unit.paths:
            yield lane.duty
    for task in definition.tasks.values():
        if task.holder is not None and path in task.holder.paths:
            yield definition.lanes[task.lane].duty
    for send in definition.sends.values():
        process = send.to.removeprefix("opens:")
        opened = child(process) if process != send.to else None
        if opened is None:
            continue
        told = [name for name, given in send.payload.items() if path in given.paths]
        told += ["party"] if send.each is not None and path in send.each.paths else []
        for name in told:
            yield from _asked_of(opened, ("case", name), child, met)


def person_groups(people: Directory, held: Iterable[Authority]) -> Groups:
    """Persons to choose from, by unit: 林演示（验收岗）."""
    ordered = sorted(held, key=lambda one: (_path(people, one.unit), people.name(one.person)))
    return [
        (unit_name(people, unit), [(one.person, _person(people, one)) for one in group])
        for unit, group in groupby(ordered, key=lambda one: one.unit)
    ]


def unit_groups(people: Directory, units: Iterable[str]) -> Groups:
    """Units to choose from, by kind."""
    kinds = list(KINDS)
    found = [people.unit(unit) for unit in units]
    found.sort(key=lambda unit: (kinds.index(unit.kind), _path(people, unit.id), unit.id))
    return [
        (either(*KINDS[kind][:2]), [(unit.id, unit_name(people, unit.id)) for unit in group])
        for kind, group in groupby(found, key=lambda unit: unit.kind)
    ]


def unit_name(people: Directory, unit: str) -> str:
    """听涛社区·第一网格: a unit below a community with its community."""
    told = people.unit(unit)
    above = [people.unit(one) for one in people.ancestors(unit)]
    community = next((one for one in above if one.kind == "community"), None)
    return f"{community.name}·{told.name}" if community else told.name


def _person(people: Directory, held: Authority) -> str:
    name = people.name(held.person)
    if held.on_behalf_of:
        absent = people.name(held.on_behalf_of)
        return say("{name}（代{absent}）", name=name, absent=absent)
    return say("{name}（{title}）", name=name, title=held.title)


def _path(people: Directory, unit: str) -> tuple[str, ...]:
    return tuple(people.unit(one).name for one in reversed((unit, *people.ancestors(unit))))


def persons_named(desk: Desk, element: str, field: str) -> list[Authority]:
    """Who may be named by a field of this element's form."""
    steps = steps_named(desk, element, field)
    if not steps:
        duties = asked_of(desk.context.definition, (element, field), child_definition)
        held = _holding(desk.directory, duties, desk.at)
        return [one for one in held if not _is_out(desk, one)]
    fitting = [nameable(desk, step) for step in steps]
    kept = set.intersection(*({held.person for held in group} for group in fitting))
    return [held for held in fitting[0] if held.person in kept]


def steps_named(desk: Desk, element: str, field: str) -> list[UserTask]:
    """The later steps that will be held by whom this field names."""
    return [
        step
        for step in desk.context.definition.tasks.values()
        if step.holder is not None and (element, field) in step.holder.paths
    ]


def _is_out(desk: Desk, held: Authority) -> bool:
    return is_excluded(desk.case, desk.directory, held.person, desk.at)


def _holding(people: Directory, duties: frozenset[str], now: datetime) -> list[Authority]:
    """Who holds a post with one of these duties; with any, if none is asked."""
    known = people.posts_with(duties) if duties else people.posts.values()
    fitting = (post for post in known if valid(post, now))
    told = (Authority(post.person, post.id, post.unit, post.title, "") for post in fitting)
    return each_once(told)


def units_named(desk: Desk, element: str, field: str) -> list[str]:
    """Which units may be named by a field of this element's form."""
    definition = desk.context.definition
    duties = lane_duties(definition, element, field)
    duties = duties or asked_of(definition, (element, field), child_definition)
    return units_with(desk.directory, duties, desk.at)


def units_with(people: Directory, duties: frozenset[str], now: datetime) -> list[str]:
    """The units with a post of one of these duties; whatever does work, if none is asked."""
    if not duties:
        kinds = ("community", "department", "company")
        return [u.id for u in people.units.values() if u.kind in kinds and valid(u, now)]
    return sorted({post.unit for post in people.posts_with(duties) if valid(post, now)})


def lane_duties(definition: Definition, element: str, field: str) -> frozenset[str]:
    """The duties of the lanes whose unit this field of this element decides."""
    return frozenset(
        lane.duty
        for lane in definition.lanes.values()
        if lane.unit is not None and (element, field) in lane.unit.paths
    )
