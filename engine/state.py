"""What is known of a case after its last event: small, bounded, and a pure function of the log.

Everything a decision needs is here (who holds what, which clock runs, who has acted as what);
nothing grows with the number of rounds. The forms themselves stay in the events.
"""

from dataclasses import dataclass, field, replace
from typing import Any, Literal

import orjson

from engine.process import Marking


@dataclass(frozen=True, slots=True)
class Clock:
    """A running deadline: `seq` = its deadline.set; `rung` = how many of its marks are recorded.

    The marks in order: its warnings, the limit, the limit plus grace.
    allowed, used: minutes of this clock (`used` before `start`); times are recorded strings.
    """

    seq: int
    deadline_class: str
    kind: Literal["natural", "working"]
    allowed: int
    used: int
    start: str
    due: str
    warn: tuple[str, ...]
    escalate: str
    rung: int = 0
    extended: int = 0


@dataclass(frozen=True, slots=True)
class Pause:
    """A stopped clock: since when, for whom, until when at the latest; `clock` as it stood."""

    seq: int
    since: str
    resume_by: str
    counterparty: str
    used: int


@dataclass(frozen=True, slots=True)
class Request:
    """An open request for more time (extension) or for a stop (pause)."""

    seq: int
    kind: str
    person: str
    days: int
    resume_by: str
    counterparty: str


@dataclass(frozen=True, slots=True)
class OpenTask:
    """A step that waits for a person. `units`: where a post must sit for its duty to count here."""

    key: str
    element: str
    duty: str
    capacity: str
    units: tuple[str, ...]
    holder: str | None
    opened: str
    seq: int
    clock: Clock | None = None
    pause: Pause | None = None
    request: Request | None = None
    standing: bool = False


@dataclass(frozen=True, slots=True)
class OpenTimer:
    """A clock drawn in the process; `due` None means it follows the clock of `attached`."""

    key: str
    element: str
    attached: str | None
    due: str | None


@dataclass(frozen=True, slots=True)
class Doer:
    """Who completed an element, and for whom."""

    person: str
    on_behalf_of: str | None
    unit: str | None


@dataclass(frozen=True, slots=True)
class Child:
    """A case this one opened: by which send, for whom, whether it still runs, and how it came out.

    removed: a person took the party off (减签); it counts until its own case has ended.
    """

    group: str
    party: str | None
    open: bool = True
    removed: bool = False
    outcome: str | None = None


@dataclass(frozen=True, slots=True)
class CaseState:
    """A case as its log leaves it; `seq`, `at` = its last event.

    children: by the number of the `message.sent` that opened them. joins: open message -> the send
    whose children it waits for. kept_out: units and persons the case is about. orders: number of an
    unanswered order -> who gave it, or the word `case` where another case did.
    """

    case: str
    seq: int
    at: str
    process: str
    number: str
    title: str
    definition: str
    opened: dict[str, Any]
    marking: Marking
    variables: dict[str, dict[str, Any]]
    tasks: dict[str, OpenTask] = field(default_factory=dict)
    timers: dict[str, OpenTimer] = field(default_factory=dict)
    messages: dict[str, str] = field(default_factory=dict)
    doers: dict[str, tuple[Doer, ...]] = field(default_factory=dict)
    last: dict[str, Doer] = field(default_factory=dict)
    orders: dict[str, str] = field(default_factory=dict)
    children: dict[str, Child] = field(default_factory=dict)
    joins: dict[str, str] = field(default_factory=dict)
    kept_out: tuple[str, ...] = ()
    outcome: str | None = None
    ended: str | None = None
    ended_at: str | None = None

    @property
    def place(self) -> tuple[str, ...]:
        """The case's place: its unit and the units above it up to the street."""
        return tuple(self.opened["place"]["path"])

    @property
    def confidential(self) -> bool:
        """Whether only those named on the case see it."""
        return bool(self.opened.get("confidential"))


def with_task(case: CaseState, task: OpenTask) -> CaseState:
    """The case with this open task put in place of the one with its key."""
    return replace(case, tasks={**case.tasks, task.key: task})


def with_doer(case: CaseState, element: str, doer: Doer) -> CaseState:
    """The case remembering that `doer` completed `element`; the same person is kept once."""
    known = case.doers.get(element, ())
    doers = known if doer in known else (*known, doer)
    return replace(case, doers={**case.doers, element: doers}, last={**case.last, element: doer})


def to_json(case: CaseState) -> bytes:
    """Write a case state for the snapshot table; equal states give equal bytes."""
    return orjson.dumps(case, option=orjson.OPT_SORT_KEYS)


def from_json(data: bytes) -> CaseState:
    """Read what `to_json` wrote."""
    raw = orjson.loads(data)
    raw["marking"] = Marking(**raw["marking"])
    raw["tasks"] = {key: _task(task) for key, task in raw["tasks"].items()}
    raw["timers"] = {key: OpenTimer(**timer) for key, timer in raw["timers"].items()}
    raw["doers"] = {
        element: tuple(Doer(**doer) for doer in doers) for element, doers in raw["doers"].items()
    }
    raw["kept_out"] = tuple(raw.get("kept_out", ()))
    raw["children"] = {seq: Child(**child) for seq, child in raw.get("children", {}).items()}
    raw["last"] = {element: Doer(**doer) for element, doer in raw["last"].items()}
    return CaseState(**raw)


def _task(raw: dict[str, Any]) -> OpenTask:
    raw["units"] = tuple(raw["units"])
    if raw["clock"] is not None:
        raw["clock"]["warn"] = tuple(raw["clock"]["warn"])
        raw["clock"] = Clock(**raw["clock"])
    if raw["pause"] is not None:
        raw["pause"] = Pause(**raw["pause"])
    if raw["request"] is not None:
        raw["request"] = Request(**raw["request"])
    return OpenTask(**raw)
