"""What a case contributes to a figure: counted with or without success, or excluded and why."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, TypeGuard, TypeVar

from audit.metrics.facts import CaseFacts, as_of
from audit.metrics.formulas import Formulas, Roles
from audit.metrics.places import Places

MINUTE: Final = timedelta(minutes=1)
# Every case begins with the entry that opens it.
OPENING: Final = 1
Shared = TypeVar("Shared")


@dataclass(frozen=True, slots=True)
class Period:
    """The half-open time from `since` up to, not including, `until`; both aware."""

    since: datetime
    until: datetime

    def has(self, at: datetime | None) -> TypeGuard[datetime]:
        """Whether an instant lies in it."""
        return at is not None and self.since <= at < self.until


@dataclass(frozen=True, slots=True)
class Mark:
    """One contribution. at: the instant by which it belongs to the period; unit: whose it is.

    hits of `of` are counted; of = 0: excluded for `reason`. apart: told beside, by this name.
    minutes: of a duration that has ended; one without is censored. path: its place, where that is
    not the case's own. entry: which entry of the case decided it; 0 of confidential cases.
    allowed: the minutes there were for it, of a duration with a limit.
    """

    case: CaseFacts
    at: datetime
    unit: str
    hits: int = 0
    of: int = 0
    reason: str = ""
    apart: str = ""
    minutes: int | None = None
    path: tuple[str, ...] = ()
    entry: int = 0
    allowed: int | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """All cases as they stood at the end of a period, by process.

    named: all of them by id and by number.
    """

    formulas: Formulas
    places: Places
    period: Period
    cases: Mapping[str, Sequence[CaseFacts]]
    named: Mapping[str, CaseFacts]
    _told: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    def once(self, name: str, compute: Callable[[], Shared]) -> Shared:
        """What several metrics make of these cases, computed for the first that asks for it."""
        if name not in self._told:
            self._told[name] = compute()
        told: Shared = self._told[name]
        return told

    def of(self, process: str) -> Sequence[CaseFacts]:
        """The cases of one process."""
        return self.cases.get(process, ())

    def roles(self, process: str) -> Roles:
        """The roles of a process."""
        return self.formulas.of(process)


def seen(cases: Iterable[CaseFacts], formulas: Formulas, places: Places, period: Period) -> Seen:
    """These cases as they stood at the end of a period; later ones are left out."""
    by_process, named = dict[str, list[CaseFacts]](), dict[str, CaseFacts]()
    for case in sorted(cases, key=lambda one: one.case):
        told = as_of(case, period.until)
        if told is not None:
            by_process.setdefault(told.process, []).append(told)
            named[told.case] = named[told.number] = told
    return Seen(formulas, places, period, by_process, named)


Marks = Callable[[Seen], Iterable[Mark]]


def counted(
    case: CaseFacts, at: datetime, unit: str, hit: bool, apart: str = "", entry: int = 0
) -> Mark:
    """One more in the denominator, and in the numerator if it is a hit."""
    return Mark(case, at, unit, int(hit), 1, apart=apart, entry=entry)


def excluded(case: CaseFacts, at: datetime, unit: str, reason: str, entry: int = 0) -> Mark:
    """One that is not in the denominator, and why."""
    return Mark(case, at, unit, reason=reason, entry=entry)


def ended_otherwise(seen: Seen, process: str) -> Sequence[Mark]:
    """The cases that ended in the period without anything having to be done, or were merged."""
    return seen.once(f"ended otherwise {process}", lambda: list(_ended_otherwise(seen, process)))


def _ended_otherwise(seen: Seen, process: str) -> Iterator[Mark]:
    roles = seen.roles(process)
    for case in seen.of(process):
        for reason in ("void", "merged"):
            end = case.first_passed(roles[reason])
            if end is not None and seen.period.has(end.at):
                yield excluded(case, end.at, case.path[0], reason, end.seq)


def minutes(since: datetime, until: datetime) -> int:
    """Whole minutes of natural time that have passed."""
    return (until - since) // MINUTE
