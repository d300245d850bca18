"""What each community did of what it controls, as counts: the raw material of the index. Pure."""

import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import tzinfo
from fractions import Fraction
from typing import Final

from audit.metrics import hazards, inspections
from audit.metrics.complaints import HOTLINE
from audit.metrics.figures import Count, Rate
from audit.metrics.marks import Mark, Marks, Seen
from audit.metrics.results import Results, of, results
from audit.risk_index.weights import Community

SUPPRESSED: Final = "B7"
_NONE: Final = Fraction(0)


@dataclass(frozen=True, slots=True)
class Share:
    """How much of how many; both 0 where there was nothing to do."""

    good: int
    of: int

    @property
    def value(self) -> Fraction | None:
        """The share, None of nothing."""
        return Fraction(self.good, self.of) if self.of else None


NOTHING: Final = Share(0, 0)


@dataclass(frozen=True, slots=True)
class Done:
    """Of one community in a period. shares: by part of the index.

    overdue_days: weighted days at its end. found_true: complaints, of all `households` with which
    they are told together. suppressed: hazards said to be none, where that signal was found to
    hold.
    """

    shares: Mapping[str, Share]
    overdue_days: int
    found_true: int
    households: int
    suppressed: int


def done(seen: Seen, communities: Mapping[str, Community], zone: tzinfo) -> dict[str, Done]:
    """What each of these communities did, as far as the period saw it."""
    rates = {part: _rates(seen, *how) for part, how in _RATES.items()}
    complaints = seen.of(HOTLINE)
    told = results(complaints, seen.formulas, seen.places, seen.period, by="community", zone=zone)
    days = _summed(seen, hazards.overdue, _own_rectifier)
    suppressed = _suppressed(seen)
    return {
        unit: Done(
            {part: found.get(unit, NOTHING) for part, found in rates.items()}
            | {"solved": _solved(told, unit)},
            days.get(unit, 0),
            *_found_true(told, unit, communities),
            suppressed.get(unit, 0),
        )
        for unit in communities
    }


# --- rates ----------------------------------------------------------------------------------------

Fits = Callable[[Seen, Mark], bool]


def _any(_seen: Seen, _mark: Mark) -> bool:
    return True


def _own_rectifier(seen: Seen, mark: Mark) -> bool:
    """A community is judged by what its own people put right, not by what a department did."""
    return mark.unit in seen.places.block(mark.case.path)


def _hits(mark: Mark) -> int:
    return mark.hits


def _rest(mark: Mark) -> int:
    """Of what others found, or refuted, the rest is good."""
    return mark.of - mark.hits


_RATES: Final[Mapping[str, tuple[Marks, Fits, Callable[[Mark], int]]]] = {
    "patrols": (inspections.walked, _any, _hits),
    "self_found": (hazards.found_by_others, _any, _rest),
    "in_time": (hazards.in_time, _own_rectifier, _hits),
    "closings_true": (hazards.refuted, _any, _rest),
}


def _rates(seen: Seen, marks: Marks, fits: Fits, good: Callable[[Mark], int]) -> dict[str, Share]:
    counts = defaultdict[str, list[int]](lambda: [0, 0])
    for mark in marks(seen):
        if fits(seen, mark):
            cell = counts[_community(seen, mark)]
            cell[0] += good(mark)
            cell[1] += mark.of
    return {unit: Share(*cell) for unit, cell in counts.items()}


def _community(seen: Seen, mark: Mark) -> str:
    return seen.places.community(mark.path or mark.case.path)


def _summed(seen: Seen, marks: Marks, fits: Fits) -> dict[str, int]:
    told = defaultdict[str, int](int)
    for mark in marks(seen):
        if fits(seen, mark):
            told[_community(seen, mark)] += mark.of
    return told


# --- complaints: told together where they are few -------------------------------------------------


def _solved(told: Results, unit: str) -> Share:
    """The lower bound: who could not be reached counts as not solved."""
    for groups, figure in of(told, "solved").items():
        if unit in groups and isinstance(figure, Rate) and figure.lower is not None:
            return Share(figure.lower.numerator, figure.lower.denominator)
    return NOTHING


def _found_true(told: Results, unit: str, known: Mapping[str, Community]) -> tuple[int, int]:
    for groups, figure in of(told, "found_true").items():
        if unit in groups and isinstance(figure, Count):
            return figure.count, sum(known[one].households for one in groups if one in known)
    return 0, known[unit].households


# --- what was said to be no hazard ----------------------------------------------------------------


def _suppressed(seen: Seen) -> dict[str, int]:
    """By community: hazards its own people said were none, where B7 was found to hold."""
    told = defaultdict[str, int](int)
    for case in seen.of(hazards.HAZARD):
        found = {
            act.of for act in case.acted("signal.confirmed")
            if act.said == SUPPRESSED and seen.period.has(act.at)
        }  # fmt: skip
        units = (step.unit for step in case.steps if step.closed_seq in found)
        if any(unit in seen.places.block(case.path) for unit in units):
            told[seen.places.community(case.path)] += 1
    return told


def median(values: Iterable[Fraction]) -> Fraction | None:
    """The middle value, of an even number the mean of the middle two; None of none."""
    told = list(values)
    return statistics.median(told) if told else None
