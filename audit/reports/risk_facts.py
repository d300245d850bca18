"""The facts a risk report is made of. Instants are aware (UTC), durations whole natural minutes."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from audit.reports.conduct import CaseRef
from audit.reports.facts import Actor

# held: a step was open in somebody's or some unit's hands. resting: a case was open, and no step.
# dismissed: no case was open after it was said to be no hazard, merged or otherwise ended.
# accepted: no case was open after an acceptance, until it was reported or assigned again.
Standing = Literal["held", "resting", "dismissed", "accepted"]


@dataclass(frozen=True, slots=True)
class Place:
    """Whose cases were laid together: the case asked about, its unit, category and address."""

    case: str
    unit: str
    category: str
    address: str


@dataclass(frozen=True, slots=True)
class FirstKnown:
    """The first record of it. claimed_at: when it is said to have been found, if it is."""

    case: str
    seq: int
    at: datetime
    who: Actor
    claimed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Holding:
    """A step in one hand. person: None while nobody in particular had it; unit: where it was then.

    until: None while it is so. minutes: of it while the risk was there; over: of these beyond the
    limit in force, pauses off.
    """

    case: str
    task: str
    element: str
    unit: str
    person: str | None
    how: str
    seq: int
    since: datetime
    until: datetime | None
    minutes: int
    over: int


@dataclass(frozen=True, slots=True)
class Kept:
    """A step that was done in time: the entry by which it was, and who did it."""

    case: str
    task: str
    seq: int
    at: datetime
    who: Actor


@dataclass(frozen=True, slots=True)
class Stood:
    """How it stood for a while; case, seq: the entry since which it did."""

    standing: Standing
    since: datetime
    until: datetime
    minutes: int
    case: str
    seq: int


@dataclass(frozen=True, slots=True)
class Share:
    """How long it was in a unit's or in one person's hands, steps at the same time counted once."""

    unit: str
    person: str | None
    minutes: int
    over: int


@dataclass(frozen=True, slots=True)
class StepShare:
    """How long steps of an element were open, those at the same time counted once."""

    element: str
    times: int
    minutes: int
    over: int


@dataclass(frozen=True, slots=True)
class Mark:
    """An entry that changed whose it was, how long it might take, or what was said of it.

    kind: said (no hazard, merged, moved on), again (reopened, disputed), moved (sent back,
    objected, handed on) or limit (paused, extended, ordered, urged).
    """

    kind: Literal["said", "again", "moved", "limit"]
    case: str
    seq: int
    at: datetime


@dataclass(frozen=True, slots=True)
class NilReport:
    """A patrol that went there meanwhile and found nothing: the entry that says so."""

    case: str
    number: str
    seq: int
    at: datetime
    who: Actor


@dataclass(frozen=True, slots=True)
class Risk:
    """One risk from its first record to its end, or to `until`.

    end: when the last case ceased to hold it, None while one does; end_by: accepted or dismissed.
    minutes: from the first record to there. left_out: cases at this place whoever asked may not
    see.
    """

    log: str
    place: Place
    until: datetime
    cases: tuple[CaseRef, ...]
    left_out: int
    first: FirstKnown
    end: datetime | None
    end_by: Standing | None
    minutes: int
    kept: tuple[Kept, ...]
    stood: tuple[Stood, ...]
    held: tuple[Holding, ...]
    units: tuple[Share, ...]
    persons: tuple[Share, ...]
    steps: tuple[StepShare, ...]
    marks: tuple[Mark, ...]
    nil: tuple[NilReport, ...]

    def spent(self, standing: Standing) -> int:
        """Minutes in which it stood so."""
        return sum(one.minutes for one in self.stood if one.standing == standing)
