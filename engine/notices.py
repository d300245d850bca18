"""Who is to be told what: entries of a case folded into notices to persons. Pure.

Nobody is told of a case they may not see, of their own act, or of a step that is done meanwhile.
A notice says which entry brought it about and nothing of what that entry holds.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from audit.entries import Entry
from engine.casework import Desk
from engine.directory import Authority, valid
from engine.exclusion import answering_units, is_excluded
from engine.fitness import kept_apart
from engine.people import By
from engine.rights import deciding_duty, may_see
from engine.state import OpenTask
from engine.telling import ORDERED

# A clock of natural time this short runs at night, too: 应急哨, first measures in danger.
URGENT_MINUTES: Final = 60
# About a step: no news any more once it is done, or in other hands.
OF_STEPS: Final = frozenset({
    "handed", "claimable", "returned", "warned", "overdue", "escalated", "urged", "ordered",
    "request",
})  # fmt: skip
# Of these the latest says it all: whose a step is, and how its clock stands.
_OVERTAKEN: Final = {
    "handed": "hands", "claimable": "hands", "returned": "hands",
    "warned": "clock", "overdue": "clock", "escalated": "clock",
}  # fmt: skip

Wants = Callable[[str, str], bool]


@dataclass(frozen=True, slots=True)
class Notice:
    """What one person is to be told. kind: handed, claimable, returned, warned, overdue, …

    task: key of the step, "" where it is about the whole case. seq, at: the entry it comes from.
    percent: share of the time used, of `warned` alone. urgent: told at night, too.
    """

    person: str
    kind: str
    case: str
    task: str
    seq: int
    at: datetime
    percent: int = 0
    urgent: bool = False

    @property
    def id(self) -> str:
        """The same whenever it is worked out anew, so that it can stand in the table once."""
        told = f"{self.case} {self.seq} {self.kind} {self.task} {self.person}"
        return hashlib.sha256(told.encode()).hexdigest()[:24]


@dataclass(frozen=True, slots=True)
class StepNews:
    """What a unit's group may be told of: a step, without any person."""

    kind: str
    case: str
    task: str
    seq: int
    at: datetime
    units: frozenset[str]
    percent: int = 0
    urgent: bool = False


@dataclass(frozen=True, slots=True)
class _Reading:
    """A case with its whole record. wants: whether a person wants claimable steps of a post."""

    desk: Desk
    record: Sequence[Entry]
    wants: Wants


def told(desk: Desk, record: Sequence[Entry], since: int, wants: Wants) -> list[Notice]:
    """The notices that the entries of a case from number `since` on give, each once.

    desk: the case as it stands now. record: all its entries. wants: (person, post) -> whether they
    want to hear of steps that this post may claim.
    """
    reading = _Reading(desk, record, wants)
    found: dict[str, Notice] = {}
    for entry in record[since - 1 :]:
        for notice in _of(reading, entry):
            found[notice.id] = notice
    return [one for one in _latest(found.values()) if _may_hear(desk, one.person)]


def told_units(desk: Desk, record: Sequence[Entry], since: int) -> list[StepNews]:
    """The same news for groups of units, a step once; nothing of confidential cases."""
    if desk.case.confidential:
        return []
    found = {}
    for one in told(desk, record, since, lambda person, post: True):
        task = desk.case.tasks.get(one.task)
        if one.kind in OF_STEPS and task:
            units = answering_units(desk.case, desk.directory, task, desk.at).union(task.units)
            found[one.kind, one.task, one.seq] = StepNews(
                one.kind, one.case, one.task, one.seq, one.at, units, one.percent, one.urgent
            )
    return list(found.values())


def still_matters(desk: Desk, notice: Notice) -> bool:
    """Whether a notice that has waited is still news to its person: the step open, and theirs."""
    if not _may_hear(desk, notice.person):
        return False
    if notice.kind not in OF_STEPS:
        return True
    task = desk.case.tasks.get(notice.task)
    if task is None or (notice.kind == "request" and task.request is None):
        return False
    if notice.kind in ("escalated", "request"):
        return True
    return notice.person in (_holders(desk, task) if task.holder else _answering(desk, task))


def _may_hear(desk: Desk, person: str) -> bool:
    return may_see(desk.case, desk.directory, By(person), desk.at)


def _latest(notices: Iterable[Notice]) -> list[Notice]:
    """Without those that a later one to the same person about the same step has overtaken."""
    last: dict[tuple[str, str, str], Notice] = {}
    for one in notices:
        last[one.person, one.task, _OVERTAKEN.get(one.kind, one.id)] = one
    return list(last.values())


def _of(reading: _Reading, entry: Entry) -> Iterator[Notice]:
    handler = _HANDLERS.get(entry.type)
    own = entry if entry.cause is None else reading.record[entry.cause - 1]
    for notice in handler(reading, entry) if handler else ():
        if notice.person != own.actor.get("person"):
            yield notice


# --- the process moved ----------------------------------------------------------------------------


def _advanced(reading: _Reading, entry: Entry) -> Iterator[Notice]:
    cause = reading.record[(entry.cause or 1) - 1]
    if "imported" not in cause.data:
        kind = "returned" if cause.type == "task.returned" else "handed"
        for row in entry.data.get("opened", ()):
            yield from _opened(reading, entry, row["task"], kind)
    yield from _ruled(reading, entry)
    if "ended" in entry.data:
        for doer in reading.desk.case.doers.get("report", ()):
            yield _about_case(doer.person, "closed", entry)


def _opened(reading: _Reading, entry: Entry, key: str, kind: str) -> Iterator[Notice]:
    task = reading.desk.case.tasks.get(key)
    if task is None:
        return
    if task.holder is not None:
        yield from _step(entry, task, kind, _holders(reading.desk, task))
        return
    back = reading.desk.case.last.get(task.element) if kind == "returned" else None
    persons = _claimers(reading, task)
    if back is not None:
        yield from _step(entry, task, kind, [back.person])
        persons = [person for person in persons if person != back.person]
    yield from _step(entry, task, "claimable", persons)


def _ruled(reading: _Reading, entry: Entry) -> Iterator[Notice]:
    """Whoever objected hears that it is ruled: the step their objection opened was completed."""
    done = {row["task"] for row in entry.data.get("closed", ()) if row["how"] == "completed"}
    if not done:
        return
    objections = {e.seq: e for e in reading.record[: entry.seq] if e.type == "objection.raised"}
    for fact in reading.record[: entry.seq]:
        raised = objections.get(fact.cause or 0)
        opened = {row["task"] for row in fact.data.get("opened", ())}
        if raised is not None and fact.type == "case.advanced" and opened & done:
            yield _about_case(raised.actor["person"], "ruled", entry)


# --- hands, clocks, pressing ----------------------------------------------------------------------


def _handed(reading: _Reading, entry: Entry) -> Iterator[Notice]:
    task = reading.desk.case.tasks.get(entry.data["task"])
    if task is not None and task.holder == entry.data["to"]:
        yield from _step(entry, task, "handed", _holders(reading.desk, task))


def _released(reading: _Reading, entry: Entry) -> Iterator[Notice]:
    task = reading.desk.case.tasks.get(entry.data["task"])
    if task is not None and task.holder is None:
        yield from _step(entry, task, "claimable", _claimers(reading, task))


def _warned(reading: _Reading, entry: Entry) -> Iterator[Notice]:
    task = reading.desk.case.tasks.get(entry.data["task"])
    if task is not None:
        persons = _holders(reading.desk, task) if task.holder else _claimers(reading, task)
        yield from _step(entry, task, "warned", persons, entry.data["percent"])


def _overdue(reading: _Reading, entry: Entry) -> Iterator[Notice]:
    task = reading.desk.case.tasks.get(entry.data["task"])
    if task is not None:
        yield from _step(entry, task, "overdue", _in_hand(reading.desk, task))


def _escalated(reading: _Reading, entry: Entry) -> Iterator[Notice]:
    task = reading.desk.case.tasks.get(entry.data["task"])
    if task is not None:
        people = reading.desk.directory
        over = people.offices((entry.data["unit"],))
        held = people.holders(entry.data["duty"], over, reading.desk.at)
        yield from _step(entry, task, "escalated", [one.person for one in held])


def _pressed(reading: _Reading, entry: Entry) -> Iterator[Notice]:
    """催办 and 督办 reach whoever has a step of the case in hand, or the one step that is named."""
    if entry.type == "message.received" and entry.data["message"] != ORDERED:
        return
    kind = "urged" if entry.type == "case.urged" else "ordered"
    named = entry.data.get("task")
    for task in reading.desk.case.tasks.values():
        if named in (None, task.key):
            yield from _step(entry, task, kind, _in_hand(reading.desk, task))


# --- asked and answered ---------------------------------------------------------------------------


def _asked(reading: _Reading, entry: Entry) -> Iterator[Notice]:
    desk = reading.desk
    task = desk.case.tasks.get(entry.data["task"])
    if task is None or task.request is None or task.request.seq != entry.seq:
        return
    street = desk.case.place[-1]
    over = desk.directory.offices((*desk.case.place, *desk.directory.ancestors(street)))
    duty = deciding_duty(task.request.kind, confidential=desk.case.confidential)
    deciders = [one.person for one in desk.directory.holders(duty, over, desk.at)]
    yield from _step(entry, task, "request", [p for p in deciders if p != task.holder])


def _decided(reading: _Reading, entry: Entry) -> Iterator[Notice]:
    asked = reading.record[entry.data["request"] - 1]
    kind = "granted" if entry.type.endswith("granted") else "refused"
    yield _about_case(asked.actor["person"], kind, entry, entry.data["task"])


def _answered(reading: _Reading, entry: Entry) -> Iterator[Notice]:
    ordered = reading.record[entry.data["order"] - 1]
    if "person" in ordered.actor:
        yield _about_case(ordered.actor["person"], "answered", entry)


# --- typed for somebody ---------------------------------------------------------------------------


def _typed(reading: _Reading, entry: Entry) -> Iterator[Notice]:
    """Whoever said it hears what was typed as their word."""
    informant = entry.actor.get("informant")
    if informant is not None:
        yield _about_case(informant["person"], "typed", entry)


def _disavowed(reading: _Reading, entry: Entry) -> Iterator[Notice]:
    typed = reading.record[entry.data["entry"] - 1]
    yield _about_case(typed.actor["person"], "disavowed", entry)


_HANDLERS: Final[dict[str, Callable[[_Reading, Entry], Iterator[Notice]]]] = {
    "case.opened": _typed,
    "task.completed": _typed,
    "word.disavowed": _disavowed,
    "case.advanced": _advanced,
    "task.reassigned": _handed,
    "task.delegated": _handed,
    "task.released": _released,
    "deadline.warned": _warned,
    "overdue.opened": _overdue,
    "deadline.escalated": _escalated,
    "case.urged": _pressed,
    "case.supervised": _pressed,
    "message.received": _pressed,
    "supervision.answered": _answered,
    "extension.requested": _asked,
    "pause.requested": _asked,
    "extension.granted": _decided,
    "extension.refused": _decided,
    "pause.granted": _decided,
    "pause.refused": _decided,
}


# --- to whom --------------------------------------------------------------------------------------


def _step(
    entry: Entry, task: OpenTask, kind: str, persons: Iterable[str], percent: int = 0
) -> Iterator[Notice]:
    for person in dict.fromkeys(persons):
        yield Notice(
            person, kind, entry.stream, task.key, entry.seq, entry.at, percent, is_urgent(task)
        )


def _about_case(person: str, kind: str, entry: Entry, task: str = "") -> Notice:
    return Notice(person, kind, entry.stream, task, entry.seq, entry.at)


def is_urgent(task: OpenTask) -> bool:
    """Whether a step's deadline class is one for emergencies: natural time, an hour at most."""
    clock = task.clock
    return clock is not None and clock.kind == "natural" and clock.allowed <= URGENT_MINUTES


def _holders(desk: Desk, task: OpenTask) -> list[str]:
    """The holder, and whoever stands in for them now."""
    holder = str(task.holder)
    lent = [
        sub.substitute
        for sub in desk.directory.substitutions
        if sub.absent == holder and valid(sub, desk.at)
    ]
    return [holder, *lent]


def _in_hand(desk: Desk, task: OpenTask) -> list[str]:
    """Whoever holds the step, and where nobody does everybody whose it may become."""
    return _holders(desk, task) if task.holder else _answering(desk, task)


def _answering(desk: Desk, task: OpenTask) -> list[str]:
    return [one.person for one in _able(desk, task)]


def _claimers(reading: _Reading, task: OpenTask) -> list[str]:
    """Who may claim the step and wants to hear of it; in an emergency all who may."""
    able = _able(reading.desk, task)
    urgent = is_urgent(task)
    return [one.person for one in able if urgent or reading.wants(one.person, one.post)]


def _able(desk: Desk, task: OpenTask) -> list[Authority]:
    """The posts that may claim a free step, without those kept out or apart from it."""
    units = answering_units(desk.case, desk.directory, task, desk.at)
    drawn = desk.context.definition.tasks[task.element]
    return [
        held
        for held in desk.directory.holders(task.duty, units, desk.at)
        if not is_excluded(desk.case, desk.directory, held.person, desk.at)
        and not kept_apart(desk, drawn, held.person, held.on_behalf_of)
    ]
