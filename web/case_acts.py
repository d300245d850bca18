"""What a person may do about a case as a whole. Nothing is offered that would be refused."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from engine.casework import Desk
from engine.deadline_classes import DeadlineClass
from engine.definitions import Message
from engine.errors import NotAllowed
from engine.exports import exporter
from engine.holding import REASSIGNING, fit_for, overseer
from engine.openers import opener
from engine.oversight import URGING, may_answer
from engine.parties import may_convene, open_groups
from engine.people import By
from engine.rights import DISCIPLINE, SUPERVISION
from engine.risk_reports import HAZARD
from web.desk import child_definition, parties_of, person_groups
from web.forms import Advised, Groups, suggested_first
from web.texts import either


@dataclass(frozen=True, slots=True)
class CaseActs:
    """What is offered on a case.

    orders: numbers of the open 督办 this person may answer. steps: open steps with a clock an order
    may set anew, key and name; classes: the deadline classes for it. recall: the case may be taken
    back. site_code: a code may be shown to whoever comes. whistle: one may be blown about it.
    parties: the groups of those asked that may be added to, with whom one may choose. reassign:
    open steps, key and name, that may be given to somebody else, with whom one may choose; who_can:
    the names of those who may do that, where this person may press the case and not reassign.
    trace: a risk report may be had of it.
    """

    urge: bool
    supervise: bool
    orders: tuple[str, ...]
    reopen: bool
    dispute: bool
    export: bool
    steps: tuple[tuple[str, str], ...]
    classes: tuple[DeadlineClass, ...]
    recall: bool
    site_code: bool
    whistle: bool
    parties: tuple[tuple[str, Groups], ...]
    reassign: tuple[tuple[str, str, Groups], ...]
    who_can: tuple[str, ...]
    trace: bool

    @property
    def any(self) -> bool:
        """Whether there is anything to show."""
        return any(
            (self.urge, self.supervise, self.orders, self.reopen, self.dispute, self.export,
             self.recall, self.site_code, self.whistle, self.parties, self.reassign,
             self.trace)
        )  # fmt: skip


def case_acts(desk: Desk, by: By) -> CaseActs:
    """What this person may do about this case now."""
    opens = _opened(desk, by)
    is_open = desk.case.ended is None
    supervises = _oversees(desk, by, ("supervise",))
    urges, reassigns = (_oversees(desk, by, duties) for duties in (URGING, REASSIGNING))
    return CaseActs(
        urge=is_open and urges,
        supervise=is_open and supervises,
        orders=tuple(desk.case.orders) if may_answer(desk, by) else (),
        reopen=waiting_message(desk, "reopen") is not None
        and _oversees(desk, by, ("supervise", "approve")),
        dispute=waiting_message(desk, "dispute") is not None and _reported(desk, by),
        export=_exports(desk, by),
        steps=tuple(_steps(desk)) if supervises else (),
        classes=tuple(desk.context.definition.classes.values()) if supervises else (),
        recall=opens and waiting_message(desk, "recall") is not None,
        site_code=opens and is_open and any(_awaits_a_code(desk)),
        whistle=is_open and desk.case.process == "hazard" and _whistles(desk, by),
        parties=tuple(_parties(desk, by)),
        reassign=tuple(_reassignable(desk)) if reassigns else (),
        who_can=_reassigners(desk) if is_open and urges and not reassigns else (),
        trace=desk.case.process == HAZARD and _oversees(desk, by, (SUPERVISION, DISCIPLINE)),
    )


def with_suggestions(acts: CaseActs, advised: Mapping[str, Sequence[Advised]]) -> CaseActs:
    """The same acts, with those suggested for each step before all others."""
    told = ((key, words, suggested_first(groups, advised[key]))
            for key, words, groups in acts.reassign)  # fmt: skip
    return replace(acts, reassign=tuple(told))


def _opened(desk: Desk, by: By) -> bool:
    try:
        opener(desk, by)
    except NotAllowed:
        return False
    return True


def _awaits_a_code(desk: Desk) -> Iterator[bool]:
    """For each party still at work, whether its process has a step done with a code."""
    sends = desk.context.definition.sends
    for child in desk.case.children.values():
        if child.open:
            asked = child_definition(sends[child.group].to.removeprefix("opens:"))
            yield asked is not None and any(task.proof for task in asked.tasks.values())


def _whistles(desk: Desk, by: By) -> bool:
    return desk.directory.authority(by.person, "whistle", None, desk.at) is not None


def _parties(desk: Desk, by: By) -> Iterator[tuple[str, Groups]]:
    """The groups this person may add to, each with those who are not asked yet."""
    for group in open_groups(desk):
        if may_convene(desk, group, by):
            asked = {c.party for c in desk.case.children.values() if c.open and c.group == group}
            yield (
                group,
                [
                    (heading, [one for one in members if one[0] not in asked])
                    for heading, members in parties_of(desk, group)
                ],
            )


def waiting_message(desk: Desk, name: str) -> Message | None:
    """The drawn message of this name the case waits for now, or None."""
    drawn = desk.context.definition.messages
    waiting = (drawn[element] for element in desk.case.messages.values())
    return next((message for message in waiting if message.message == name), None)


def _steps(desk: Desk) -> Iterator[tuple[str, str]]:
    for key, task in desk.case.tasks.items():
        drawn = desk.context.definition.tasks[task.element]
        yield key, either(drawn.name, drawn.name_en)


def _reassignable(desk: Desk) -> Iterator[tuple[str, str, Groups]]:
    """The open steps somebody else could do, with who that is."""
    for key, words in _steps(desk):
        others = person_groups(desk.directory, fit_for(desk, desk.case.tasks[key]))
        if others:
            yield key, words, others


def _reassigners(desk: Desk) -> tuple[str, ...]:
    people, place = desk.directory, desk.case.place
    over = people.offices_over(place)
    held = (one for duty in REASSIGNING for one in people.holders(duty, over, desk.at))
    return tuple(dict.fromkeys(people.name(one.person) for one in held))


def _oversees(desk: Desk, by: By, duties: tuple[str, ...]) -> bool:
    try:
        overseer(desk, by, duties)
    except NotAllowed:
        return False
    return True


def _reported(desk: Desk, by: By) -> bool:
    return any(doer.person == by.person for doer in desk.case.doers.get("report", ()))


def _exports(desk: Desk, by: By) -> bool:
    try:
        exporter(desk, by)
    except NotAllowed:
        return False
    return True
