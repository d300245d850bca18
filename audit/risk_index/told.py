"""What was contributed to the metrics of a period that the index is made of. Pure."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Final

from audit.metrics.contributions import Contribution, contributions
from audit.metrics.formulas import Formulas
from audit.metrics.marks import Seen
from audit.metrics.places import Places
from audit.risk_index.parts import Share

# All that the index needs of the catalogue of metrics.
NEEDED: Final = (
    "walked", "found_by_others", "in_time", "refuted", "overdue", "suppressed", "solved",
    "found_true", "arrived_in_time", "until_arrival", "dodged", "evaluated", "accidents",
)  # fmt: skip
Fits = Callable[[Contribution], bool]
Group = Callable[[Contribution], str]


@dataclass(frozen=True, slots=True)
class Told:
    """rows: by metric, those of NEEDED. zone: of the months of the street."""

    rows: Mapping[str, Sequence[Contribution]]
    formulas: Formulas
    places: Places
    zone: tzinfo


def told_of(seen: Seen, zone: tzinfo) -> Told:
    """What a period saw, as the index needs it."""
    return Told(contributions(seen, NEEDED), seen.formulas, seen.places, zone)


def anyhow(_: Contribution) -> bool:
    """Every contribution counts."""
    return True


def own(told: Told) -> Fits:
    """Only what the place's own people had to do: a community does not answer for a department."""
    return lambda one: one.unit in told.places.block(one.path)


def by_community(told: Told) -> Group:
    """Of which community a contribution is."""
    return lambda one: told.places.community(one.path)


def by_unit(one: Contribution) -> str:
    """Of which unit a contribution is."""
    return one.unit


def hits(one: Contribution) -> int:
    """What was a success is good."""
    return one.hits


def rest(one: Contribution) -> int:
    """Of what others found, was refuted or dodged, the rest is good."""
    return one.of - one.hits


def shares(
    rows: Iterable[Contribution], fits: Fits, group: Group, good: Callable[[Contribution], int]
) -> dict[str, Share]:
    """How much of how many, by group."""
    counts = defaultdict[str, list[int]](lambda: [0, 0])
    for one in rows:
        if fits(one):
            cell = counts[group(one)]
            cell[0] += good(one)
            cell[1] += one.of
    return {name: Share(*cell) for name, cell in counts.items()}


def sums(rows: Iterable[Contribution], fits: Fits, group: Group) -> dict[str, int]:
    """What they add up to, by group."""
    counts = defaultdict[str, int](int)
    for one in rows:
        if fits(one):
            counts[group(one)] += one.of
    return dict(counts)
