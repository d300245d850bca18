"""All metrics of a street for a period, by what they are grouped: from facts to figures. Pure."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Final

from audit.metrics.catalogue import METRICS, Metric
from audit.metrics.facts import CaseFacts
from audit.metrics.figures import Figure, count, rate, spread
from audit.metrics.formulas import Formulas, Roles
from audit.metrics.marks import Mark, Period, Seen, seen
from audit.metrics.places import Places

WHOLE: Final = ("",)
BY: Final = ("unit", "community", "grid", "class", "month")


@dataclass(frozen=True, slots=True)
class Told:
    """One figure: of which metric, of which groups (several where they are told together)."""

    metric: str
    groups: tuple[str, ...]
    figure: Figure


@dataclass(frozen=True, slots=True)
class Results:
    """Everything computed of one period. by: one of BY, or "" for the whole street."""

    period: Period
    by: str
    cases: int
    told: tuple[Told, ...]


def results(
    cases: Iterable[CaseFacts],
    formulas: Formulas,
    places: Places,
    period: Period,
    *,
    by: str = "",
    zone: tzinfo,
) -> Results:
    """Every metric of these cases, by group; the months of `by` are those of `zone`."""
    all_ = seen(cases, formulas, places, period)
    group = _grouping(by, all_, zone)
    told = [one for metric in METRICS.values() for one in _figures(metric, all_, group)]
    return Results(period, by, sum(map(len, all_.cases.values())), tuple(told))


def _grouping(by: str, all_: Seen, zone: tzinfo) -> Callable[[Mark], str]:
    places = all_.places
    return {
        "": lambda mark: "",
        "unit": lambda mark: mark.unit,
        "community": lambda mark: places.community(mark.case.path),
        "grid": lambda mark: places.grid(mark.case.path),
        "class": lambda mark: mark.case.category,
        "month": lambda mark: f"{mark.at.astimezone(zone):%Y-%m}",
    }[by]


def _figures(metric: Metric, all_: Seen, group: Callable[[Mark], str]) -> Iterable[Told]:
    roles = all_.roles(metric.process)
    groups = defaultdict[str, list[Mark]](list)
    for mark in metric.marks(all_):
        groups[group(mark)].append(mark)
    for name in sorted(groups):
        yield Told(metric.id, (name,), _figure(metric, groups[name], roles))


def _figure(metric: Metric, marks: Sequence[Mark], roles: Roles) -> Figure:
    if metric.kind == "rate":
        return rate(marks, roles, metric.lower)
    return spread(marks, roles) if metric.kind == "duration" else count(marks, roles)


def of(told: Results, metric: str) -> Mapping[tuple[str, ...], Figure]:
    """The figures of one metric, by group."""
    return {one.groups: one.figure for one in told.told if one.metric == metric}
