"""The facts a case report is made of. Instants are aware (UTC), durations whole minutes.

A `task` is an activation key `<element>#<n>`; `round` is its n. Ids of persons, posts and units are
the pseudonymous ones of the log; who prints them looks the names up.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, Literal

FIVE_DUTIES: Final = ("report", "confirm", "assign", "rectify", "accept")

# none: no clock. running, paused, overdue: the step is open. in_time, late: it is closed.
State = Literal["none", "running", "paused", "overdue", "in_time", "late"]
Kind = Literal["act", "machine", "late", "turn"]
How = Literal[
    "reported", "completed", "returned", "withdrawn", "objected", "cancelled", "open"
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class FieldFacts:
    """One field of an element's form as its definition words it.

    kind: text (a line), prose, choice, choices, person, persons, unit, units, case, number, date,
    moment (RFC 3339 with offset) or check.
    choices: value -> (zh, en).
    """

    title: str
    title_en: str
    kind: str
    choices: Mapping[str, tuple[str, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ElementFacts:
    """What the pinned definition says of an element; `duty5` = which of the five duties, or None.

    fields: of its form, in the order in which they are asked.
    """

    duty5: str | None
    name: str
    name_en: str
    verb: str
    verb_en: str
    capacity: str
    fields: Mapping[str, FieldFacts] = field(default_factory=dict)


# Of a field that was added later: it is told only where it says something, so that what was
# computed before it was there stays the same.
LATER: Final = MappingProxyType({"later": True})


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did it; person None = the machine (a clock, the process).

    informant: the colleague whose act it was and who said so, where this person typed it (代录).
    """

    person: str | None = None
    post: str | None = None
    unit: str | None = None
    capacity: str | None = None
    on_behalf_of: str | None = None
    channel: str | None = None
    informant: "Actor | None" = field(default=None, metadata=LATER)

    @property
    def doer(self) -> "Actor":
        """Whose act it was, whoever typed it."""
        return self.informant or self


@dataclass(frozen=True, slots=True)
class Timing:
    """How long a step took against how long it might; minutes of its own clock.

    clock: natural, working, or None without a limit. used: None while the step is open. late:
    minutes beyond the limit in force at the end; 0 with state `late` = an earlier limit was missed.
    """

    state: State = "none"
    clock: str | None = None
    deadline_class: str | None = None
    allowed: int | None = None
    used: int | None = None
    due: datetime | None = None
    late: int = 0


@dataclass(frozen=True, slots=True)
class Hand:
    """Somebody held a step from one instant to another; person None = nobody in particular did.

    how: opened, claimed, released, reassigned or delegated; until None = still so.
    """

    person: str | None
    since: datetime
    until: datetime | None
    how: str
    seq: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """A file named by an entry; what it says of itself (`taken_at`) is declared, not proven."""

    seq: int
    at: datetime
    who: Actor
    task: str | None
    purpose: str
    sha256: str
    bytes: int
    media: str
    name: str | None
    taken_at: str | None


@dataclass(frozen=True, slots=True)
class Responsibility:
    """One line of the responsibility table: one act on one step in one round.

    who: whoever closed it, or holds it while it is open (None: nobody yet). outcome: the answers as
    recorded, to the form of element `asked` (the step, or the turn that closed it). seq: the entry
    of the act, None while open. rounds: activations so far. was_late: some limit of this step was
    missed, whichever it was.
    """

    duty5: str | None
    element: str
    task: str
    round: int
    rounds: int
    how: How
    who: Actor | None
    units: tuple[str, ...]
    opened: datetime
    opened_seq: int
    closed: datetime | None
    seq: int | None
    outcome: Mapping[str, Any]
    asked: str
    reason: str | None
    note: str | None
    timing: Timing
    was_late: bool
    hands: tuple[Hand, ...]
    evidence: int


@dataclass(frozen=True, slots=True)
class FiveDuty:
    """One cell of 五责格."""

    duty5: str
    state: Literal["done", "now", "todo"]
    was_late: bool


@dataclass(frozen=True, slots=True)
class DeadlineSet:
    """One deadline as recorded; why: opened, extended, resumed, supervised or standing."""

    seq: int
    at: datetime
    why: str
    deadline_class: str
    clock: str
    allowed: int
    used: int
    start: datetime
    due: datetime
    calendar: int
    unpublished: bool
    predecessor: int | None
    approver: str | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class Decided:
    """How a request was decided: `granted` or `refused`, by whom, when, why."""

    outcome: str
    seq: int
    at: datetime
    who: Actor
    reason: str


@dataclass(frozen=True, slots=True)
class Extension:
    """A request for more days of the step's own clock, and its decision."""

    seq: int
    at: datetime
    who: Actor
    days: int
    reason: str
    interim: str
    decided: Decided | None


@dataclass(frozen=True, slots=True)
class Pause:
    """A request to stop a clock, its decision, and when it ran on (resumed_by None = by date)."""

    seq: int
    at: datetime
    who: Actor
    counterparty: str
    resume_by: datetime
    reason: str
    evidence: int
    decided: Decided | None
    resumed_seq: int | None
    resumed_at: datetime | None
    resumed_by: Actor | None


@dataclass(frozen=True, slots=True)
class ClockHistory:
    """Everything that happened to the clock of one step; settings: first = original, last = lawful.

    warned, overdue, escalated: numbers of the entries.
    """

    task: str
    element: str
    round: int
    settings: tuple[DeadlineSet, ...]
    extensions: tuple[Extension, ...]
    pauses: tuple[Pause, ...]
    warned: tuple[int, ...]
    overdue: tuple[int, ...]
    escalated: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Missed:
    """A limit that was missed: the line of the table, the clock's history, the entries it rests on.

    The person's own explanation is `row.note`.
    """

    row: Responsibility
    clock: ClockHistory
    records: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to an order."""

    seq: int
    at: datetime
    who: Actor
    text: str


@dataclass(frozen=True, slots=True)
class Order:
    """督办: an order on the case, and its answer once there is one."""

    seq: int
    at: datetime
    who: Actor
    text: str
    legal_basis: str | None
    task: str | None
    deadline_class: str | None
    answer: Answer | None


@dataclass(frozen=True, slots=True)
class TimelineRow:
    """One entry, with what is needed to say it in a sentence.

    data: as recorded. refers: data of the entry it answers, replaces or follows from. timing: of
    the step it closes, or of the clock it is about.
    """

    seq: int
    at: datetime
    kind: Kind
    type: str
    actor: Actor
    element: str | None
    task: str | None
    round: int
    rounds: int
    data: Mapping[str, Any]
    refers: Mapping[str, Any] | None
    timing: Timing | None
    holder: str | None
    units: tuple[str, ...]
    evidence: tuple[Evidence, ...]
    cause: int | None
    claimed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A timer of the process that a case without open steps rests on, and when it runs out."""

    timer: str
    element: str
    due: datetime


@dataclass(frozen=True, slots=True)
class Separation:
    """Whether different people did the five duties.

    same_person: (duty, other duty, person). same_unit: units that both rectified and accepted.
    """

    persons: int
    same_person: tuple[tuple[str, str, str], ...]
    same_unit: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RiskSpan:
    """From the first report to the acceptance after which nothing was rectified again."""

    start: datetime
    end: datetime | None
    minutes: int | None


@dataclass(frozen=True, slots=True)
class CaseRecord:
    """What the log says of one case as of its last entry here.

    ended: id of the end event reached, None while open; ended_seq: number of that entry. now: the
    open lines of `responsibility`. tally: how often each kind of turn or change happened (entry
    type -> count), `substitute` = acts for somebody absent, `claimed_earlier` = acts said to have
    happened before they were recorded.
    """

    log: str
    case: str
    process: str
    kernel: str | None
    definition: Mapping[str, Any]
    number: str
    title: str
    category: str
    level: str | None
    unit: str
    path: tuple[str, ...]
    address: str
    source: str
    spoken_by: str | None
    reporter: Actor
    receipt: str | None
    opened: datetime
    last: datetime
    ended: str | None
    ended_seq: int | None
    ended_at: datetime | None
    responsibility: tuple[Responsibility, ...]
    now: tuple[Responsibility, ...]
    waiting: tuple[Waiting, ...]
    five: tuple[FiveDuty, ...]
    kept: tuple[Responsibility, ...]
    missed: tuple[Missed, ...]
    clocks: tuple[ClockHistory, ...]
    orders: tuple[Order, ...]
    evidence: tuple[Evidence, ...]
    timeline: tuple[TimelineRow, ...]
    separation: Separation
    tally: Mapping[str, int]
    risk: RiskSpan
    count: int
    head: str
    elements: Mapping[str, ElementFacts]
