"""What a rule has found, and what one case tells the rules that look at many cases."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Signal:
    """A rule met by entries of a case. events: their numbers, the telling one first.

    others: entries of other cases that belong to it, as (case, number).
    """

    rule: str
    case: str
    events: tuple[int, ...]
    others: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Deed:
    """One act among many: its number, when, by whom, for which unit."""

    seq: int
    at: datetime
    person: str
    unit: str


@dataclass(frozen=True, slots=True)
class Photo:
    """A file named by an act. role: what was done with it.

    taken: who handed it in, and the device and the second it says. A photo names a model of
    telephone, and many people have one: only in one hand is it one telephone.
    """

    sha256: str
    seq: int
    role: str
    taken: tuple[str, str, str] | None


@dataclass(frozen=True, slots=True)
class Acceptance:
    """An accepted rectification: who had done it, and who accepted."""

    seq: int
    done: Deed
    accepted: Deed


@dataclass(frozen=True, slots=True)
class Merge:
    """The act that called a case a duplicate, and the number of the case it was said to repeat."""

    seq: int
    at: datetime
    of: str


@dataclass(frozen=True, slots=True)
class Judged:
    """What a person found of a signal: `confirmed` or `dismissed`; entry: its first."""

    rule: str
    entry: int
    state: str


@dataclass(frozen=True, slots=True)
class Begun:
    """When a case was opened, from which case (None: from none), and when it ended.

    by_staff: opened by somebody of the street, not by a resident.
    """

    at: datetime
    parent: str | None
    by_staff: bool
    ended: datetime | None


@dataclass(frozen=True, slots=True)
class Handled:
    """One thing a person did in the file of a complaint; look: they only looked into it."""

    seq: int
    look: bool
    unit: str
    post: str


@dataclass(frozen=True, slots=True)
class Complaint:
    """Of a complaint: the units it was said to be about, by whom when, and who handled it since.

    units: (number of the entry, unit). linked: cases it is about, by id or number. closed: numbers
    and instants of its closings.
    """

    units: tuple[tuple[int, str], ...]
    handled: tuple[Handled, ...]
    linked: tuple[str, ...]
    closed: tuple[tuple[int, datetime], ...]


@dataclass(frozen=True, slots=True)
class Whistle:
    """A whistle: of which unit, of which kind, and the numbers of entries that sent it back."""

    unit: str
    kind: str
    returned: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """A mark by which two calls may prove to be one: of a telephone, or of a recording."""

    seq: int
    of: str
    mark: str


@dataclass(frozen=True, slots=True)
class Brief:
    """What is left of one case for the rules among cases; changes only when the case does.

    thing: unit, category and address: where it is and of what kind. title: what it is, as whoever
    reported it wrote. alone: signals of the case by itself.
    refuted: numbers and instants of what showed that a closing did not hold. plans: whether it is
    a plan to go somewhere.
    """

    case: str
    number: str
    process: str
    thing: tuple[str, str, str]
    title: str
    alone: tuple[Signal, ...]
    confirmed: tuple[Deed, ...]
    dismissed: tuple[Deed, ...]
    accepted: tuple[Deed, ...]
    closed: tuple[Deed, ...]
    refuted: tuple[tuple[int, datetime], ...]
    pairs: tuple[Acceptance, ...]
    photos: tuple[Photo, ...]
    merge: Merge | None
    judged: tuple[Judged, ...]
    begun: Begun
    plans: bool
    complaint: Complaint | None
    whistle: Whistle | None
    calls: tuple[Call, ...]
