"""Which figures of a month cross which lines: contributions and lines in, crossings out. Exact."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from fractions import Fraction
from typing import Final

from audit.early_warning.thresholds import COMPARING, STREET, Threshold, Thresholds
from audit.metrics.catalogue import METRICS
from audit.metrics.contributions import Contribution, within
from audit.metrics.figures import Count, Figure, Rate, Spread
from audit.metrics.formulas import Formulas
from audit.metrics.places import Places
from audit.metrics.results import figures

HOUR: Final = 60
HUNDRED: Final = 100
# What was contributed to each metric in a month.
Contributed = Mapping[str, Sequence[Contribution]]
Figures = Mapping[tuple[str, str], Figure]


@dataclass(frozen=True, slots=True)
class Crossed:
    """A line that the figure of a unit crosses. numbers: that figure, in whole numbers, by name.

    Of a rate `numerator` and `denominator`, and `before_numerator` and `before_denominator` where
    it is compared; of a duration `n` and `minutes`; of a count `count` or `sum`.
    """

    rule: Threshold
    group: str
    numbers: Mapping[str, int]


def crossed(
    told: Contributed,
    before: Contributed,
    thresholds: Thresholds,
    formulas: Formulas,
    places: Places,
) -> list[Crossed]:
    """The lines crossed in a month, in the order of the file and of the ids of units.

    before: of the month before; empty where there was none. What belongs to no unit, or may only
    be told together with others, crosses nothing.
    """
    rules = thresholds.rules.values()
    now, then = (_figures(one, thresholds, formulas, places) for one in (told, before))
    return [
        Crossed(rule, group, numbers)
        for rule in rules
        for group, figure in _of(rule, now)
        if (numbers := _crossing(rule, figure, _same(rule, group, then))) is not None
    ]


def _figures(
    told: Contributed, thresholds: Thresholds, formulas: Formulas, places: Places
) -> dict[str, Figures]:
    """By what they are grouped: the figure of each metric and unit that some line is about."""
    return {
        by: _grouped(told, by, thresholds, formulas, places)
        for by in {rule.by for rule in thresholds.rules.values()}
    }


def _grouped(
    told: Contributed, by: str, thresholds: Thresholds, formulas: Formulas, places: Places
) -> Figures:
    wanted = {rule.metric for rule in thresholds.rules.values() if rule.by == by}
    rows = {metric: told.get(metric, ()) if metric in wanted else () for metric in METRICS}
    if by == STREET:
        streets = [unit for unit, kind in places.kinds.items() if kind == STREET]
        return {
            (one.metric, street): one.figure
            for street in streets
            for one in figures(within(rows, street), formulas, places, zone=UTC)
        }
    return {
        (one.metric, one.groups[0]): one.figure
        for one in figures(rows, formulas, places, by=by, zone=UTC)
        if len(one.groups) == 1 and one.groups[0]
    }


def _of(rule: Threshold, told: Mapping[str, Figures]) -> Iterator[tuple[str, Figure]]:
    for (metric, group), figure in sorted(told[rule.by].items(), key=lambda one: one[0]):
        if metric == rule.metric:
            yield group, figure


def _same(rule: Threshold, group: str, then: Mapping[str, Figures]) -> Figure | None:
    return then[rule.by].get((rule.metric, group)) if rule.test in COMPARING else None


def _crossing(rule: Threshold, now: Figure, then: Figure | None) -> dict[str, int] | None:
    """The numbers of a figure that crosses the line; None if it does not, or is of too few."""
    if isinstance(now, Rate):
        return _compared(rule, now, then) if rule.test in COMPARING else _rate(rule, now)
    if isinstance(now, Spread):
        minutes = now.median if rule.test == "median_above" else now.p90
        if not now.enough or minutes is None or minutes <= rule.limit * HOUR:
            return None
        return {"n": now.n, "minutes": minutes}
    if isinstance(now, Count):
        name, value = ("sum", now.sum) if rule.test == "sum_above" else ("count", now.count)
        return {name: value} if value > rule.limit else None
    return None


def _rate(rule: Threshold, now: Rate) -> dict[str, int] | None:
    value, line = _value(now), Fraction(rule.limit, HUNDRED)
    beyond = value is not None and (value < line if rule.test == "below" else value > line)
    return _counts(now) if beyond else None


def _compared(rule: Threshold, now: Rate, then: Figure | None) -> dict[str, int] | None:
    if not isinstance(then, Rate):
        return None
    value, before = _value(now), _value(then)
    if value is None or before is None:
        return None
    change = before - value if rule.test == "fell" else value - before
    earlier = {f"before_{name}": count for name, count in _counts(then).items()}
    return _counts(now) | earlier if change >= Fraction(rule.limit, HUNDRED) else None


def _value(figure: Rate) -> Fraction | None:
    return figure.proportion.value if figure.proportion.enough else None


def _counts(figure: Rate) -> dict[str, int]:
    return {
        "numerator": figure.proportion.numerator,
        "denominator": figure.proportion.denominator,
    }
