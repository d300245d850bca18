"""What the log says of one case: who did what, when, in what time; what was kept, what was missed.

A fold over the case's entries and nothing else, so anybody with the entries and the pinned
definition gets the same record. Give it the first n entries for the case as it stood then.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from datetime import datetime
from itertools import combinations
from typing import Any, Final

from audit.encoding import canonical, instant, timestamp
from audit.entries import Entry
from audit.reports.facts import (
    FIVE_DUTIES,
    LATER,
    Actor,
    Answer,
    CaseRecord,
    ClockHistory,
    DeadlineSet,
    Decided,
    ElementFacts,
    Evidence,
    Extension,
    FiveDuty,
    Hand,
    How,
    Kind,
    Missed,
    Order,
    Pause,
    Responsibility,
    RiskSpan,
    Separation,
    State,
    TimelineRow,
    Timing,
    Waiting,
)

# Told with every content digest. To be raised whenever a fold of the same entries gives another
# digest than before, so that a later release does not take its own change for somebody's.
DIGEST_VERSION: Final = 1
REPORT: Final = "report"
TURNS: Final[Mapping[str, How]] = {
    "task.returned": "returned",
    "task.withdrawn": "withdrawn",
    "objection.raised": "objected",
}
_TURNS: Final = {*TURNS, "result.disputed", "case.reopened", "word.disavowed"}
# What the server notes of somebody, who does nothing to the case by it.
NOTED: Final = {"file.viewed"}
_LATE: Final = {"overdue.opened", "deadline.escalated"}
_TALLIED: Final = (
    *("task.returned", "task.withdrawn", "objection.raised", "result.disputed", "case.reopened"),
    *("task.released", "task.reassigned", "task.delegated", "extension.granted"),
    *("extension.refused", "pause.granted", "pause.refused", "standing.listed", "case.urged"),
    *("case.supervised", "report.exported"),
)


def case_record(entries: Sequence[Entry], elements: Mapping[str, ElementFacts]) -> CaseRecord:
    """Fold the entries of one case, in order from its case.opened, into what they say.

    elements: by element id; `report` stands for the opening itself. Elements that are missing keep
    their id as name. Raises ValueError for entries that do not begin with a case.opened.
    """
    if not entries or entries[0].type != "case.opened":
        raise ValueError("the entries of a case begin with case.opened")
    fold = _Fold(elements)
    for entry in entries:
        fold.take(entry)
    return fold.record()


def content_digest(record: CaseRecord) -> str:
    """SHA-256 (hex) over the canonical JSON of a record without its words (`elements`)."""
    told = {f.name: getattr(record, f.name) for f in fields(record) if f.name != "elements"}
    return hashlib.sha256(canonical(plain(told))).hexdigest()


def plain(value: Any) -> Any:
    """Facts as JSON: instants as text, records as objects."""
    if isinstance(value, datetime):
        return timestamp(value)
    if is_dataclass(value) and not isinstance(value, type):
        told = ((f, getattr(value, f.name)) for f in fields(value))
        return {f.name: plain(one) for f, one in told if one is not None or f.metadata != LATER}
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    return value


@dataclass(slots=True)
class _Step:
    """A step while the entries go by."""

    task: str
    element: str
    units: tuple[str, ...]
    opened: datetime
    opened_seq: int
    hands: list[Hand]
    how: How = "open"
    who: Actor | None = None
    closed: datetime | None = None
    seq: int | None = None
    outcome: Mapping[str, Any] = field(default_factory=dict)
    turn: str | None = None
    reason: str | None = None
    note: str | None = None
    evidence: int = 0
    measured: Mapping[str, Any] | None = None

    @property
    def holder(self) -> str | None:
        return self.hands[-1].person if self.hands else None

    def hand(self, person: str | None, how: str, entry: Entry) -> None:
        if self.hands:
            self.hands[-1] = replace(self.hands[-1], until=entry.at)
        self.hands.append(Hand(person, entry.at, None, how, entry.seq))


@dataclass(slots=True)
class _Clock:
    """The clock of a step while the entries go by."""

    settings: list[DeadlineSet] = field(default_factory=list)
    extensions: dict[int, Extension] = field(default_factory=dict)
    pauses: dict[int, Pause] = field(default_factory=dict)
    marks: dict[str, list[int]] = field(default_factory=dict)
    paused: bool = False

    def missed(self) -> bool:
        return "overdue.opened" in self.marks

    def overdue(self) -> bool:
        """Whether the limit in force now is past: it was missed after it was set."""
        missed = self.marks.get("overdue.opened", [])
        return bool(missed) and missed[-1] > self.settings[-1].seq


@dataclass(slots=True)
class _Fold:
    elements: Mapping[str, ElementFacts]
    entries: list[Entry] = field(default_factory=list)
    steps: dict[str, _Step] = field(default_factory=dict)
    clocks: dict[str, _Clock] = field(default_factory=dict)
    orders: dict[int, Order] = field(default_factory=dict)
    evidence: dict[int, tuple[Evidence, ...]] = field(default_factory=dict)
    timings: dict[int, Timing] = field(default_factory=dict)
    holders: dict[int, str] = field(default_factory=dict)
    timers: set[str] = field(default_factory=set)
    level: str | None = None
    receipt: str | None = None
    ended: Entry | None = None

    def take(self, entry: Entry) -> None:
        self.entries.append(entry)
        if entry.evidence:
            self._take_evidence(entry)
        handler = _HANDLERS.get(entry.type)
        if handler:
            handler(self, entry)
        step = self.steps.get(entry.data.get("task", ""))
        if step is not None:
            if step.holder:
                self.holders[entry.seq] = step.holder
            if entry.type.startswith(("deadline.", "overdue.", "extension.", "pause.", "clock.")):
                self.timings[entry.seq] = self._running(step.task)

    def _take_evidence(self, entry: Entry) -> None:
        who, task = actor_of(entry), entry.data.get("task")
        self.evidence[entry.seq] = tuple(
            Evidence(
                entry.seq, entry.at, who, task, item["purpose"], item["sha256"],
                item["bytes"], item["media"], item.get("name"), item.get("taken_at"),
            )
            for item in entry.evidence
        )  # fmt: skip

    # --- steps ------------------------------------------------------------------------------

    def opened(self, entry: Entry) -> None:
        step = _Step("", REPORT, (entry.data["place"]["unit"],), entry.at, entry.seq, [])
        step.how, step.who, step.closed, step.seq = "reported", actor_of(entry), entry.at, entry.seq
        step.outcome, step.evidence = entry.data["form"], len(entry.evidence)
        self.steps[""] = step

    def moved(self, entry: Entry) -> None:
        for row in entry.data.get("closed", ()):
            self._close(row, entry)
        for row in entry.data.get("opened", ()):
            self._open(row, entry)
        for rule in entry.data.get("rules", ()):
            self.level = rule["outputs"].get("level", self.level)
        self.timers |= {row["timer"] for row in entry.data.get("timers", ())}
        self.ended = entry if "ended" in entry.data else None

    def _open(self, row: Mapping[str, Any], entry: Entry) -> None:
        step = _Step(row["task"], row["element"], tuple(row["units"]), entry.at, entry.seq, [])
        step.hand(row.get("holder"), "opened", entry)
        self.steps[row["task"]] = step

    def _close(self, row: Mapping[str, Any], entry: Entry) -> None:
        step = self.steps[row["task"]]
        step.closed, step.measured = entry.at, row
        step.hands[-1] = replace(step.hands[-1], until=entry.at)
        cause = self.entries[(entry.cause or 1) - 1]
        if row["how"] == "completed":
            step.how = "completed"
        elif cause.data.get("task") == step.task and cause.type in TURNS:
            step.how, step.reason = TURNS[cause.type], cause.data.get("reason")
            step.outcome, step.evidence = cause.data.get("form", {}), len(cause.evidence)
            step.turn = cause.data["message"].partition("#")[0]
        else:
            step.how = "cancelled"
            return
        step.who, step.seq = actor_of(cause), cause.seq
        self.timings[cause.seq] = self._timing(step)

    def completed(self, entry: Entry) -> None:
        step = self.steps[entry.data["task"]]
        step.outcome, step.note = entry.data["form"], entry.data.get("note")
        step.evidence += len(entry.evidence)
        self.level = entry.data["form"].get("level", self.level)

    def handed(self, entry: Entry) -> None:
        how = entry.type.removeprefix("task.")
        person = {"claimed": actor_of(entry).doer.person, "released": None}
        step = self.steps[entry.data["task"]]
        step.hand(person[how] if how in person else entry.data["to"], how, entry)
        step.who = actor_of(entry) if how == "claimed" else None

    # --- clocks -----------------------------------------------------------------------------

    def set(self, entry: Entry) -> None:
        data = entry.data
        why = self.entries[entry.cause - 1].type if entry.cause else ""
        clock = self.clocks.setdefault(data["task"], _Clock())
        clock.paused = False
        setting = DeadlineSet(
            entry.seq, entry.at, _WHY.get(why, "opened"), data["class"], data["clock"],
            data["allowed"], data["used"], instant(data["start"]), instant(data["due"]),
            data["calendar"]["version"], data["unpublished"], data.get("predecessor"),
            data.get("approver"), data.get("reason"),
        )  # fmt: skip
        clock.settings.append(setting)

    def marked(self, entry: Entry) -> None:
        clock = self.clocks[entry.data["task"]]
        clock.marks.setdefault(entry.type, []).append(entry.seq)

    def asked_more(self, entry: Entry) -> None:
        data = entry.data
        self._clock(entry).extensions[entry.seq] = Extension(
            entry.seq, entry.at, actor_of(entry), data["days"], data["reason"],
            data["interim"], None,
        )  # fmt: skip

    def asked_stop(self, entry: Entry) -> None:
        data = entry.data
        self._clock(entry).pauses[entry.seq] = Pause(
            entry.seq, entry.at, actor_of(entry), data["counterparty"],
            instant(data["resume_by"]), data["reason"], len(entry.evidence), None, None, None, None,
        )  # fmt: skip

    def decided(self, entry: Entry) -> None:
        kind, outcome = entry.type.split(".")
        clock, request = self._clock(entry), entry.data["request"]
        decision = Decided(outcome, entry.seq, entry.at, actor_of(entry), entry.data["reason"])
        if kind == "extension":
            clock.extensions[request] = replace(clock.extensions[request], decided=decision)
        else:
            clock.pauses[request] = replace(clock.pauses[request], decided=decision)
            clock.paused = outcome == "granted"

    def resumed(self, entry: Entry) -> None:
        clock = self._clock(entry)
        seq = max(seq for seq, pause in clock.pauses.items() if pause.decided)
        by = actor_of(entry) if "person" in entry.actor else None
        clock.pauses[seq] = replace(
            clock.pauses[seq], resumed_seq=entry.seq, resumed_at=entry.at, resumed_by=by
        )
        clock.paused = False

    def _clock(self, entry: Entry) -> _Clock:
        return self.clocks.setdefault(entry.data["task"], _Clock())

    # --- orders and the rest ----------------------------------------------------------------

    def ordered(self, entry: Entry) -> None:
        data = entry.data
        self.orders[entry.seq] = Order(
            entry.seq, entry.at, actor_of(entry), data["text"], data.get("legal_basis"),
            data.get("task"), data.get("deadline_class"), None,
        )  # fmt: skip

    def answered(self, entry: Entry) -> None:
        answer = Answer(entry.seq, entry.at, actor_of(entry), entry.data["text"])
        order = entry.data["order"]
        self.orders[order] = replace(self.orders[order], answer=answer)

    def fired(self, entry: Entry) -> None:
        self.timers.discard(entry.data["timer"])

    def receipted(self, entry: Entry) -> None:
        self.receipt = entry.data["receipt"]

    # --- how long ---------------------------------------------------------------------------

    def _timing(self, step: _Step) -> Timing:
        if step.closed is None:
            return self._running(step.task)
        row, clock = step.measured, self.clocks.get(step.task)
        if row is None or "clock" not in row or clock is None:
            return Timing()
        state: State = "in_time" if row["in_time"] and not clock.missed() else "late"
        return Timing(
            state, row["clock"], row["class"], row["allowed"], row["used"], instant(row["due"]),
            row["late"],
        )  # fmt: skip

    def _running(self, task: str) -> Timing:
        clock = self.clocks.get(task)
        if clock is None or not clock.settings:
            return Timing()
        last = clock.settings[-1]
        state: State = "paused" if clock.paused else "overdue" if clock.overdue() else "running"
        return Timing(state, last.clock, last.deadline_class, last.allowed, None, last.due)

    # --- the record -------------------------------------------------------------------------

    def record(self) -> CaseRecord:
        first, last = self.entries[0], self.entries[-1]
        data = first.data
        rounds = Counter(step.element for step in self.steps.values())
        lines = tuple(self._table(rounds))
        return CaseRecord(
            log=first.log,
            case=first.stream,
            process=data["process"],
            kernel=data.get("kernel"),
            definition=data["definition"],
            number=data["number"],
            title=data["title"],
            category=data["category"],
            level=self.level,
            unit=data["place"]["unit"],
            path=tuple(data["place"].get("path", (data["place"]["unit"],))),
            address=data["place"].get("address", ""),
            source=data["source"],
            spoken_by=data.get("spoken_by"),
            reporter=actor_of(first),
            receipt=self.receipt,
            opened=first.at,
            last=last.at,
            ended=self.ended.data["ended"] if self.ended else None,
            ended_seq=self.ended.seq if self.ended else None,
            ended_at=self.ended.at if self.ended else None,
            responsibility=lines,
            now=tuple(line for line in lines if line.how == "open"),
            waiting=tuple(self._waiting()),
            five=tuple(_five(lines)),
            kept=tuple(sorted(filter(_is_kept, lines), key=lambda line: line.seq or 0)),
            missed=tuple(self._missed(lines)),
            clocks=tuple(self._history(task) for task in self.clocks),
            orders=tuple(self.orders.values()),
            evidence=tuple(one for found in self.evidence.values() for one in found),
            timeline=tuple(self._said(entry, rounds) for entry in self.entries),
            separation=_separation(lines),
            tally=_tally(self.entries),
            risk=_risk(first.at, lines),
            count=len(self.entries),
            head=last.hash.hex(),
            elements=self.elements,
        )

    def _waiting(self) -> Iterator[Waiting]:
        """The timers with a clock of their own, while no step is open: until then it rests."""
        if self.ended or any(step.how == "open" for step in self.steps.values()):
            return
        for timer in sorted(self.timers & self.clocks.keys()):
            due = self.clocks[timer].settings[-1].due
            yield Waiting(timer, timer.partition("#")[0], due)

    def _table(self, rounds: Mapping[str, int]) -> Iterator[Responsibility]:
        """Lines by duty, in the order of the five; a step of none of them stands after the last
        duty that had begun when it first opened."""
        began: dict[str, int] = {}
        for step in self.steps.values():
            began.setdefault(self._duty5(step) or step.element, step.opened_seq)

        def place(step: _Step) -> tuple[int, int, str, int]:
            duty = self._duty5(step)
            if duty is not None:
                return FIVE_DUTIES.index(duty), 0, "", step.opened_seq
            first = began[step.element]
            before = [i for i, d in enumerate(FIVE_DUTIES) if began.get(d, first) < first]
            return max(before, default=0), first, step.element, step.opened_seq

        ordered = sorted(self.steps.values(), key=place)
        return (self._line(step, rounds[step.element]) for step in ordered)

    def _line(self, step: _Step, rounds: int) -> Responsibility:
        who = step.who
        if who is None and step.holder:
            who = Actor(person=step.holder)
        clock = self.clocks.get(step.task)
        timing = self._timing(step)
        late = timing.state in ("late", "overdue") or (clock is not None and clock.missed())
        return Responsibility(
            self._duty5(step), step.element, step.task, _round(step.task),
            rounds, step.how, who, step.units, step.opened, step.opened_seq,
            step.closed, step.seq, step.outcome, step.turn or step.element, step.reason, step.note,
            timing, late, tuple(step.hands), step.evidence,
        )  # fmt: skip

    def _duty5(self, step: _Step) -> str | None:
        known = self.elements.get(step.element)
        if step.element == REPORT and known is None:
            return REPORT
        return known.duty5 if known and known.duty5 in FIVE_DUTIES else None

    def _missed(self, lines: Sequence[Responsibility]) -> Iterator[Missed]:
        for line in sorted(filter(lambda line: line.was_late, lines), key=lambda x: x.opened_seq):
            clock = self._history(line.task)
            asked: tuple[Extension | Pause, ...] = (*clock.extensions, *clock.pauses)
            records = {
                line.opened_seq,
                *(setting.seq for setting in clock.settings),
                *clock.warned, *clock.overdue, *clock.escalated,
                *(request.seq for request in asked),
                *(request.decided.seq for request in asked if request.decided),
                *((line.seq,) if line.seq else ()),
            }  # fmt: skip
            yield Missed(line, clock, tuple(sorted(records)))

    def _history(self, task: str) -> ClockHistory:
        clock = self.clocks[task]
        step = self.steps.get(task)
        marks = clock.marks
        return ClockHistory(
            task, step.element if step else task.partition("#")[0], _round(task),
            tuple(clock.settings), tuple(clock.extensions.values()), tuple(clock.pauses.values()),
            tuple(marks.get("deadline.warned", ())), tuple(marks.get("overdue.opened", ())),
            tuple(marks.get("deadline.escalated", ())),
        )  # fmt: skip

    def _said(self, entry: Entry, rounds: Mapping[str, int]) -> TimelineRow:
        key = entry.data.get("task") or entry.data.get("timer") or entry.data.get("message")
        element = REPORT if entry.type == "case.opened" else key and key.partition("#")[0]
        timing = self.timings.get(entry.seq)
        step = self.steps.get(key) if key else None
        return TimelineRow(
            entry.seq, entry.at, _kind(entry, timing), entry.type, actor_of(entry), element, key,
            _round(key or ""), rounds.get(element or "", 0), entry.data, self._refers(entry),
            timing, self.holders.get(entry.seq), step.units if step else (),
            self.evidence.get(entry.seq, ()), entry.cause, entry.claimed_at,
        )  # fmt: skip

    def _refers(self, entry: Entry) -> Mapping[str, Any] | None:
        data = entry.data
        seq = data.get("request") or data.get("order") or data.get("predecessor") or entry.cause
        return self.entries[seq - 1].data if seq else None


def actor_of(entry: Entry) -> Actor:
    """Who an entry says did it."""
    get = entry.actor.get
    told = get("informant")
    informant = Actor(**told, capacity=entry.actor["capacity"]) if told else None
    return Actor(
        get("person"), get("post"), get("unit"), get("capacity"), get("on_behalf_of"),
        get("channel"), informant,
    )  # fmt: skip


def _round(task: str) -> int:
    number = task.rpartition("#")[2] if task else ""
    return int(number) if number.isdigit() else 1


def _kind(entry: Entry, timing: Timing | None) -> Kind:
    if entry.type in _TURNS:
        return "turn"
    if entry.type in _LATE:
        return "late"
    if "person" not in entry.actor or entry.type in NOTED:
        return "machine"
    return "late" if timing and timing.state == "late" else "act"


def _is_kept(line: Responsibility) -> bool:
    return line.how == "completed" and line.timing.state == "in_time"


def _five(lines: Sequence[Responsibility]) -> Iterator[FiveDuty]:
    """Work that goes back to an earlier duty makes the later ones stand to come again."""
    now = {line.duty5 for line in lines if line.how == "open"}
    again = False
    for duty in FIVE_DUTIES:
        mine = [line for line in lines if line.duty5 == duty]
        done = any(line.how in ("completed", "reported") for line in mine)
        late = any(line.was_late for line in mine)
        yield FiveDuty(
            duty, "now" if duty in now else "done" if done and not again else "todo", late
        )
        again = again or duty in now


def _separation(lines: Sequence[Responsibility]) -> Separation:
    did = {duty: _persons(lines, duty) for duty in FIVE_DUTIES}
    same = [
        (one, other, person)
        for one, other in combinations(FIVE_DUTIES, 2)
        for person in sorted(did[one] & did[other])
    ]
    units = _units(lines, "rectify") & _units(lines, "accept")
    return Separation(len(set().union(*did.values())), tuple(same), tuple(sorted(units)))


def _done(lines: Sequence[Responsibility], duty: str) -> Iterator[Actor]:
    closed = (line for line in lines if line.how in ("completed", "reported"))
    return (line.who for line in closed if line.duty5 == duty and line.who is not None)


def _persons(lines: Sequence[Responsibility], duty: str) -> set[str]:
    done = list(_done(lines, duty))
    told = ((who.person, who.on_behalf_of, who.doer.person) for who in done)
    return {person for persons in told for person in persons if person is not None}


def _units(lines: Sequence[Responsibility], duty: str) -> set[str]:
    done = _done(lines, duty)
    return {unit for who in done for unit in (who.unit, who.doer.unit) if unit}


def _tally(entries: Sequence[Entry]) -> dict[str, int]:
    counted = Counter(entry.type for entry in entries if entry.type in _TALLIED)
    counted["substitute"] = sum(1 for entry in entries if "on_behalf_of" in entry.actor)
    counted["claimed_earlier"] = sum(
        1 for entry in entries if entry.claimed_at is not None and entry.claimed_at < entry.at
    )
    return {name: counted[name] for name in (*_TALLIED, "substitute", "claimed_earlier")}


def _risk(start: datetime, lines: Sequence[Responsibility]) -> RiskSpan:
    """Natural minutes from the first record to the last acceptance that sent nothing back."""
    before = FIVE_DUTIES[:-1]
    again = max((x.opened_seq for x in lines if x.duty5 in before), default=0)
    accepts = [line for line in lines if line.duty5 == "accept"]
    done = [x for x in accepts if x.how == "completed" and x.seq and x.seq > again]
    if not done or any(line.how == "open" for line in accepts):
        return RiskSpan(start, None, None)
    end = max(line.closed for line in done if line.closed)
    return RiskSpan(start, end, int((end - start).total_seconds() // 60))


_WHY: Final = {
    "extension.granted": "extended",
    "clock.resumed": "resumed",
    "case.supervised": "supervised",
    "standing.listed": "standing",
}

_HANDLERS: Final[Mapping[str, Callable[[_Fold, Entry], None]]] = {
    "case.opened": _Fold.opened,
    "case.advanced": _Fold.moved,
    "receipt.issued": _Fold.receipted,
    "timer.fired": _Fold.fired,
    "deadline.set": _Fold.set,
    "task.completed": _Fold.completed,
    "task.claimed": _Fold.handed,
    "task.released": _Fold.handed,
    "task.reassigned": _Fold.handed,
    "task.delegated": _Fold.handed,
    "extension.requested": _Fold.asked_more,
    "extension.granted": _Fold.decided,
    "extension.refused": _Fold.decided,
    "pause.requested": _Fold.asked_stop,
    "pause.granted": _Fold.decided,
    "pause.refused": _Fold.decided,
    "clock.resumed": _Fold.resumed,
    "case.supervised": _Fold.ordered,
    "supervision.answered": _Fold.answered,
    "deadline.warned": _Fold.marked,
    "overdue.opened": _Fold.marked,
    "deadline.escalated": _Fold.marked,
}
