"""All metrics of a street for a period, by what they are grouped: from facts to figures. Pure."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import tzinfo
from fractions import Fraction
from typing import Final

from audit.metrics.catalogue import COMPOSITE, METRICS, Metric
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
from audit.metrics.marks import Mark, Period, Seen, seen
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
    group = _grouping(by, all_, zone)
    told = [one for metric in METRICS.values() for one in _figures(metric, all_, group)]
    composed = _composites(told, formulas.weights)
    return Results(period, by, sum(map(len, all_.cases.values())), (*told, *composed))


def _grouping(by: str, all_: Seen, zone: tzinfo) -> Callable[[Mark], str]:
    places = all_.places
    return {
        "": lambda mark: "",
        "unit": lambda mark: mark.unit,
        "community": lambda mark: places.community(mark.path or mark.case.path),
        "grid": lambda mark: places.grid(mark.path or mark.case.path),
        "class": lambda mark: mark.case.category,
        "month": lambda mark: f"{mark.at.astimezone(zone):%Y-%m}",
    }[by]


def _figures(metric: Metric, all_: Seen, group: Callable[[Mark], str]) -> Iterable[Told]:
    roles = all_.roles(metric.process)
    groups = defaultdict[str, list[Mark]](list)
    for mark in metric.marks(all_):
        groups[group(mark)].append(mark)
    if roles.confidential:
        yield from _careful(metric, groups, roles)
        return
    for name in sorted(groups):
        yield Told(metric.id, (name,), _figure(metric, groups[name], roles))


def _careful(metric: Metric, groups: Mapping[str, Sequence[Mark]], roles: Roles) -> Iterable[Told]:
    """Of confidential cases: groups told together until no number is small, else nothing."""
    for names, marks in together(groups, _is_large):
        if _is_large(marks):
            figure = replace(_figure(metric, marks, roles), beside=None)
            yield Told(metric.id, names, figure)
        else:
            yield Told(metric.id, names, Withheld())


def _is_large(marks: Sequence[Mark]) -> bool:
    return all(count == 0 or count >= THRESHOLD for count in parts(marks))


def _figure(metric: Metric, marks: Sequence[Mark], roles: Roles) -> Rate | Spread | Count:
    if metric.kind == "rate":
        return rate(marks, roles, metric.lower)
    return spread(marks, roles) if metric.kind == "duration" else count(marks, roles)


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
