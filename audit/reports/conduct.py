"""What the log says of a person or a unit in a period: what was done in time, then what was late.

A fold over the records of cases as they stood at the end of the period, so anybody with their
entries gets the same. A limit counts where the step was when it passed: what waited in others'
hands is told as theirs, and is not late here. What somebody else did in one's name is not counted
as one's own.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

from audit.encoding import canonical, instant
from audit.reports.case import NOTED, plain
from audit.reports.facts import Actor, CaseRecord, Hand, Responsibility, TimelineRow

# To be raised whenever a fold of the same entries gives another digest than before.
CONDUCT_VERSION: Final = 1
FORMAT: Final = "shaoji-conduct/1"
ATTACHMENT: Final = "conduct.json"
# What somebody typed for a colleague whose act it was, among the acts that are counted.
TYPED: Final = "proxy.entered"
_STEPS: Final = {"task.completed", "task.returned", "task.withdrawn", "objection.raised"}
_SAID: Final = {*_STEPS, "case.opened", *NOTED}


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom it is about. id: of the person, or of the unit; kind: person or unit.

    groups: of a unit, it and every unit below it -> the unit directly below it that this one
    belongs to (itself, for its own posts).
    """

    kind: Literal["person", "unit"]
    id: str
    groups: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CaseRef:
    """A case it rests on: its entries up to the end of the period, and the hash of the last."""

    case: str
    number: str
    title: str
    count: int
    head: str


@dataclass(frozen=True, slots=True)
class Done:
    """A step the subject did, or has in hand. since: when it came into these hands."""

    case: str
    line: Responsibility
    since: datetime


@dataclass(frozen=True, slots=True)
class Late:
    """A limit that passed. holder: in whose hands, None = nobody had taken the step yet.

    since, until: how long it was there, None = still. seq, recorded: of `overdue.opened`, by whose
    time a limit belongs to a period. note: the holder's own explanation, from completing the step.
    done_by: who has done it in the end.
    """

    case: str
    line: Responsibility
    due: datetime
    seq: int
    recorded: datetime
    holder: str | None
    since: datetime
    until: datetime | None
    note: str | None
    done_by: Actor | None


@dataclass(frozen=True, slots=True)
class StepCount:
    """How often a step was done in time, without a limit, or was late, by process and element."""

    process: str
    element: str
    kept: int
    untimed: int
    late: int


@dataclass(frozen=True, slots=True)
class UnitCount:
    """The same for a unit directly below; open_late: steps still open there past their limit."""

    unit: str
    kept: int
    untimed: int
    late: int
    open_late: int


@dataclass(frozen=True, slots=True)
class Conduct:
    """The record of a subject from `since` up to, not including, `until`.

    kept: steps done in time. untimed: done without a limit. late: limits that passed in the
    subject's hands. finished: steps done whose limit had passed, in these hands, before the period.
    elsewhere: steps the subject did whose limit had passed in others' hands. open: in
    hand at the end. lent: steps others did in a person's name. acts: what else was done, type of
    entry -> how often, and `proxy.entered` = what was typed for colleagues whose act it was.
    """

    log: str
    subject: Subject
    since: datetime
    until: datetime
    cases: tuple[CaseRef, ...]
    kept: tuple[Done, ...]
    untimed: tuple[Done, ...]
    late: tuple[Late, ...]
    finished: tuple[Late, ...]
    elsewhere: tuple[Late, ...]
    open: tuple[Done, ...]
    lent: int
    acts: Mapping[str, int]
    steps: tuple[StepCount, ...]
    units: tuple[UnitCount, ...]


def conduct(
    log: str, records: Iterable[CaseRecord], subject: Subject, since: datetime, until: datetime
) -> Conduct:
    """Fold the records of cases, each as it stood at `until`, into what they say of the subject.

    Cases in which the subject neither did nor held anything in the period leave no trace in it.
    """
    fold = _Fold(subject, since, until)
    for record in sorted(records, key=lambda one: (one.opened, one.case)):
        fold.take(record)
    return fold.told(log)


def conduct_digest(told: Conduct) -> str:
    """SHA-256 (hex) over `conduct_data`."""
    return hashlib.sha256(conduct_data(told)).hexdigest()


def conduct_data(told: Conduct) -> bytes:
    """The whole content as canonical JSON: what is attached to a report, and hashed."""
    return canonical({"format": FORMAT, **plain(told)})


@dataclass(slots=True)
class _Fold:
    subject: Subject
    since: datetime
    until: datetime
    cases: list[CaseRef] = field(default_factory=list)
    kept: list[Done] = field(default_factory=list)
    untimed: list[Done] = field(default_factory=list)
    late: list[Late] = field(default_factory=list)
    finished: list[Late] = field(default_factory=list)
    elsewhere: list[Late] = field(default_factory=list)
    open: list[Done] = field(default_factory=list)
    lent: int = 0
    acts: Counter[str] = field(default_factory=Counter)
    processes: dict[str, str] = field(default_factory=dict)

    def take(self, record: CaseRecord) -> None:
        before = self._size()
        for line in record.responsibility:
            self._take(record, line)
        for row in record.timeline:
            self._take_act(row)
        if self._size() != before:
            self.processes[record.case] = record.process
            self.cases.append(
                CaseRef(record.case, record.number, record.title, record.count, record.head)
            )

    def _take_act(self, row: TimelineRow) -> None:
        if not self._in(row.at):
            return
        if row.type not in _SAID and self._is_by(row.actor.doer):
            self.acts[row.type] += 1
        if row.actor.informant and row.type != "task.claimed" and self._is_by(row.actor):
            self.acts[TYPED] += 1

    def _size(self) -> int:
        lists = (
            self.kept, self.untimed, self.late, self.finished, self.elsewhere, self.open,
        )  # fmt: skip
        return sum(len(one) for one in lists) + self.lent + self.acts.total()

    def _in(self, at: datetime | None) -> bool:
        return at is not None and self.since <= at < self.until

    def _take(self, record: CaseRecord, line: Responsibility) -> None:
        passed = list(_passed(record, line))
        own = [one for one in passed if self._is_ours(record, one)]
        self.late += [one for one in own if self._in(one.recorded)]
        if line.how == "open":
            if self._has(record, line):
                self.open.append(_done(record, line))
        elif line.how != "cancelled" and self._in(line.closed) and line.who is not None:
            self._take_done(record, line, line.who.doer, passed, own)

    def _take_done(
        self,
        record: CaseRecord,
        line: Responsibility,
        who: Actor,
        passed: list[Late],
        own: list[Late],
    ) -> None:
        if not self._is_by(who):
            self.lent += who.on_behalf_of == self.subject.id
        elif line.timing.state == "in_time":
            self.kept.append(_done(record, line))
        elif line.timing.state == "none":
            self.untimed.append(_done(record, line))
        elif not own:
            self.elsewhere += passed[-1:]
        elif not any(self._in(one.recorded) for one in own):
            self.finished += own[-1:]

    def _is_by(self, who: Actor) -> bool:
        if self.subject.kind == "person":
            return who.person == self.subject.id
        return who.person is not None and who.unit in self.subject.groups

    def _is_ours(self, record: CaseRecord, late: Late) -> bool:
        if self.subject.kind == "person":
            return late.holder == self.subject.id
        return bool(self._at(record, late.line, late.holder))

    def _has(self, record: CaseRecord, line: Responsibility) -> bool:
        holder = line.hands[-1].person if line.hands else None
        if self.subject.kind == "person":
            return holder == self.subject.id
        return bool(self._at(record, line, holder))

    def _at(self, record: CaseRecord, line: Responsibility, holder: str | None) -> str | None:
        """The unit of the subject a step was in: its holder's, who acted there, else the step's."""
        acted = unit_of_holder(record, line, holder) if holder else None
        units = (acted,) if acted else line.units
        return next((unit for unit in units if unit in self.subject.groups), None)

    # --- told -------------------------------------------------------------------------------

    def told(self, log: str) -> Conduct:
        return Conduct(
            log, self.subject, self.since, self.until, tuple(self.cases), tuple(self.kept),
            tuple(self.untimed), tuple(sorted(self.late, key=lambda one: (one.due, one.case))),
            tuple(self.finished), tuple(self.elsewhere), tuple(self.open), self.lent,
            dict(sorted(self.acts.items())), tuple(self._steps()), tuple(self._units()),
        )  # fmt: skip

    def _steps(self) -> Iterator[StepCount]:
        kept, untimed = self._counted(self.kept), self._counted(self.untimed)
        late = self._counted(self.late)
        for key in sorted({*kept, *untimed, *late}):
            yield StepCount(*key, kept[key], untimed[key], late[key])

    def _counted(self, lines: Iterable[Done | Late]) -> Counter[tuple[str, str]]:
        return Counter((self.processes[one.case], one.line.element) for one in lines)

    def _units(self) -> Iterator[UnitCount]:
        if self.subject.kind == "person":
            return
        kept, untimed = (Counter(map(self._group, lines)) for lines in (self.kept, self.untimed))
        late = Counter(self._group_of_late(one) for one in self.late)
        overdue = (one for one in self.open if one.line.timing.state == "overdue")
        open_late = Counter(map(self._group, overdue))
        for unit in sorted({*kept, *untimed, *late, *open_late}):
            yield UnitCount(unit, kept[unit], untimed[unit], late[unit], open_late[unit])

    def _group(self, done: Done) -> str:
        who = done.line.who.doer if done.line.who else None
        units = (who.unit,) if who and who.unit else done.line.units
        return self._grouped(units)

    def _group_of_late(self, late: Late) -> str:
        who = late.line.who.doer if late.line.who else None
        units = (who.unit,) if who and who.unit and who.person == late.holder else late.line.units
        return self._grouped(units)

    def _grouped(self, units: Iterable[str | None]) -> str:
        groups = self.subject.groups
        return next((groups[unit] for unit in units if unit and unit in groups), self.subject.id)


def _done(record: CaseRecord, line: Responsibility) -> Done:
    return Done(record.case, line, line.hands[-1].since if line.hands else line.opened)


def _passed(record: CaseRecord, line: Responsibility) -> Iterator[Late]:
    """Every limit of a step that passed, with the hands it was in then."""
    clock = next((one for one in record.clocks if one.task == line.task), None)
    for seq in clock.overdue if clock else ():
        due = _due(record.timeline[seq - 1])
        hand = _hand(line.hands, due)
        done = line.who if line.how != "open" and line.seq else None
        own = hand is not None and done is not None and done.doer.person == hand.person
        yield Late(
            record.case, line, due, seq, record.timeline[seq - 1].at, hand.person if hand else None,
            hand.since if hand else line.opened, hand.until if hand else line.closed,
            line.note if own else None, done,
        )  # fmt: skip


def _due(row: TimelineRow) -> datetime:
    return instant(row.data["due"])


def _hand(hands: Iterable[Hand], at: datetime) -> Hand | None:
    held = (one for one in hands if one.since <= at and (one.until is None or at < one.until))
    return next(held, None)


def unit_of_holder(record: CaseRecord, line: Responsibility, holder: str) -> str | None:
    """The unit in which somebody held a step: where they acted on it; None if they did not."""
    if line.who and line.who.doer.person == holder and line.who.doer.unit:
        return line.who.doer.unit
    claims = (one.seq for one in line.hands if one.person == holder and one.how == "claimed")
    rows = (record.timeline[seq - 1] for seq in claims)
    return next((row.actor.doer.unit for row in rows), None)
