"""All metrics of a street for a period, by what they are grouped: from facts to figures. Pure."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import tzinfo
from fractions import Fraction
from typing import Final

from audit.metrics.catalogue import COMPOSITE, METRICS, Metric
from audit.metrics.contributions import Contribution, contributions
from audit.metrics.facts import CaseFacts
from audit.metrics.figures import (
    Composite,
    Count,
    Figure,
    Rate,
    Spread,
    Withheld,
    count,
    parts,
    rate,
    spread,
)
from audit.metrics.formulas import Formulas, Roles
from audit.metrics.marks import Period, seen
from audit.metrics.places import Places
from audit.publication import THRESHOLD
from audit.together import together

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
    told = figures(contributions(all_), formulas, places, by=by, zone=zone)
    return Results(period, by, sum(map(len, all_.cases.values())), told)


def figures(
    told: Mapping[str, Sequence[Contribution]],
    formulas: Formulas,
    places: Places,
    *,
    by: str = "",
    zone: tzinfo,
) -> tuple[Told, ...]:
    """The figures of what was contributed to each metric, by group; `by` and `zone` as above."""
    found = [
        one
        for metric in METRICS
        for one in metric_figures(metric, told[metric], formulas, places, by=by, zone=zone)
    ]
    return (*found, *_composites(found, formulas.weights))


def metric_figures(
    metric: str,
    told: Iterable[Contribution],
    formulas: Formulas,
    places: Places,
    *,
    by: str = "",
    zone: tzinfo,
) -> Iterable[Told]:
    """The figures of one metric, by group."""
    row = METRICS[metric]
    return _figures(row, told, grouping(by, places, zone), formulas.of(row.process))


def grouping(by: str, places: Places, zone: tzinfo) -> Callable[[Contribution], str]:
    """To which group of one of BY a contribution belongs; to "" for the whole."""
    return {
        "": lambda one: "",
        "unit": lambda one: one.unit,
        "community": lambda one: places.community(one.path),
        "grid": lambda one: places.grid(one.path),
        "class": lambda one: one.category,
        "month": lambda one: f"{one.at.astimezone(zone):%Y-%m}",
    }[by]


def _figures(
    metric: Metric,
    told: Iterable[Contribution],
    group: Callable[[Contribution], str],
    roles: Roles,
) -> Iterable[Told]:
    groups = defaultdict[str, list[Contribution]](list)
    for one in told:
        groups[group(one)].append(one)
    if roles.confidential:
        yield from _careful(metric, groups)
        return
    for name in sorted(groups):
        yield Told(metric.id, (name,), _figure(metric, groups[name]))


def _careful(metric: Metric, groups: Mapping[str, Sequence[Contribution]]) -> Iterable[Told]:
    """Of confidential cases: groups told together until no number is small, else nothing."""
    for names, told in together(groups, _is_large):
        if _is_large(told):
            figure = replace(_figure(metric, told), beside=None)
            yield Told(metric.id, names, figure)
        else:
            yield Told(metric.id, names, Withheld())


def _is_large(told: Sequence[Contribution]) -> bool:
    return all(count == 0 or count >= THRESHOLD for count in parts(told))


def _figure(metric: Metric, told: Sequence[Contribution]) -> Rate | Spread | Count:
    if metric.kind == "rate":
        return rate(told, metric.lower)
    return spread(told) if metric.kind == "duration" else count(told)


def _composites(told: Sequence[Told], weights: Mapping[str, int]) -> Iterable[Told]:
    """三率综合 of every group of which all its rates are told."""
    rates = {(one.metric, one.groups): one.figure for one in told}
    for groups in sorted({one.groups for one in told if one.metric in weights}):
        found = {name: rates.get((name, groups)) for name in weights}
        yield Told(COMPOSITE, groups, _composite(found, weights))


def _composite(found: Mapping[str, Figure | None], weights: Mapping[str, int]) -> Composite:
    parts_ = {
        name: one.proportion.value if isinstance(one, Rate) and one.proportion.enough else None
        for name, one in found.items()
    }
    known = {name: value for name, value in parts_.items() if value is not None}
    if len(known) < len(weights):
        return Composite(None, parts_)
    whole = sum(value * weights[name] for name, value in known.items())
    return Composite(Fraction(whole, sum(weights.values())), parts_)


def of(told: Results, metric: str) -> Mapping[tuple[str, ...], Figure]:
    """The figures of one metric, by group."""
    return {one.groups: one.figure for one in told.told if one.metric == metric}
