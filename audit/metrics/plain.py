"""Results as JSON: counts as they are, fractions as decimals of four places."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from fractions import Fraction
from typing import Any, Final

from audit.metrics.catalogue import COMPOSITE, METRICS
from audit.metrics.figures import Beside, Composite, Count, Figure, Rate, Spread, Withheld
from audit.metrics.places import Places
from audit.metrics.proportion import Proportion, wilson
from audit.metrics.results import Results, Told

PLACES: Final = Decimal("0.0001")


def decimal(value: Fraction | Decimal | None) -> str | None:
    """A share as four decimal places, a half to the even digit; None stays None."""
    if value is None:
        return None
    with localcontext(prec=60):
        exact = (
            Decimal(value.numerator) / value.denominator if isinstance(value, Fraction) else value
        )
        return str(exact.quantize(PLACES, ROUND_HALF_EVEN))


def metrics_json(told: Results, places: Places) -> list[dict[str, Any]]:
    """One object a metric, with its figures by group; a metric without any has none."""
    return listed(figures_json(told.told), places.names)


def figures_json(told: Iterable[Told]) -> list[dict[str, Any]]:
    """One object a figure: of which metric and which groups, and what stands in it."""
    return [
        {"metric": one.metric, "groups": list(one.groups), **figure_json(one.figure)}
        for one in told
    ]


def listed(told: Iterable[Mapping[str, Any]], names: Mapping[str, str]) -> list[dict[str, Any]]:
    """One object a metric, with those of its figures; names: by id of a group."""
    by_metric = defaultdict[str, list[dict[str, Any]]](list)
    for one in told:
        by_metric[one["metric"]].append(_group(one, names))
    return [
        {
            "id": metric.id,
            "kind": metric.kind,
            "name": metric.name,
            "name_en": metric.name_en,
            "process": metric.process,
            "source": metric.source,
            "figures": by_metric[metric.id],
        }
        for metric in METRICS.values()
    ] + [_three_rates(by_metric[COMPOSITE])]


def _three_rates(figures: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "id": COMPOSITE, "kind": "composite", "name": "三率综合", "name_en": "three rates in one",
        "process": "", "source": "S", "figures": figures,
    }  # fmt: skip


def _group(one: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    figure = {name: value for name, value in one.items() if name != "metric"}
    return {**figure, "names": [names.get(group, group) for group in one["groups"]]}


def figure_json(figure: Figure) -> dict[str, Any]:
    """What stands in a figure, whichever kind it is."""
    if isinstance(figure, Rate):
        lower = None if figure.lower is None else _proportion(figure.lower)
        return _proportion(figure.proportion) | {
            "lower": lower, "apart": figure.apart, "beside": _beside(figure.beside),
        }  # fmt: skip
    if isinstance(figure, Spread):
        return {
            "n": figure.n, "censored": figure.censored, "enough": figure.enough,
            "median_minutes": figure.median, "p90_minutes": figure.p90,
            "excluded": figure.excluded, "beside": _beside(figure.beside),
        }  # fmt: skip
    if isinstance(figure, Count):
        return {
            "count": figure.count, "sum": figure.sum, "apart": figure.apart,
            "beside": _beside(figure.beside),
        }  # fmt: skip
    return {"withheld": True} if isinstance(figure, Withheld) else _composite(figure)


def _composite(figure: Composite) -> dict[str, Any]:
    parts = {name: decimal(value) for name, value in figure.parts.items()}
    return {"value": decimal(figure.value), "parts": parts}


def _proportion(one: Proportion) -> dict[str, Any]:
    interval = wilson(one.numerator, one.denominator)
    return {
        "numerator": one.numerator,
        "denominator": one.denominator,
        "excluded": dict(one.excluded),
        "value": decimal(one.value),
        "enough": one.enough,
        "wilson": None if interval is None else [decimal(end) for end in interval],
    }


def _beside(one: Beside | None) -> dict[str, int] | None:
    return None if one is None else {
        "cases": one.cases, "paused": one.paused, "extended": one.extended, "merged": one.merged,
        "void": one.void,
    }  # fmt: skip
