"""The table of the index as rows: value, interval and band of a unit, its parts and counts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

from flask import url_for

from audit.risk_index.differences import Difference
from audit.risk_index.index import points
from audit.risk_index.weights import Bands
from web.index_words import BANDS, BLOCK_PARTS, FIELDS, LINE_PARTS, METRIC_OF, STRATA
from web.texts import say

KINDS: Final = ("communities", "departments")
# What a community's own people had to do, alone.
_OWN: Final = frozenset({"in_time", "overdue"})


@dataclass(frozen=True, slots=True)
class PartRow:
    """One part. bar: its share of the weight, in per cent; said: its counts in words.

    address: where the cases behind them are, "" for none; few: fewer than ten.
    """

    name: str
    points: str
    weight: int
    bar: str
    said: str
    prior: str
    address: str
    few: bool


@dataclass(frozen=True, slots=True)
class UnitRow:
    """The index of one unit. at, low, high, width: on a scale of a hundred, for the bar."""

    unit: str
    name: str
    stratum: str
    value: str
    at: str
    low: str
    high: str
    width: str
    band: str
    band_name: str
    backed: int
    rank: int | None
    suppressed: int
    off: int
    suppressed_address: str
    accidents: int
    accidents_address: str
    parts: tuple[PartRow, ...]


@dataclass(frozen=True, slots=True)
class Telling:
    """How a table is told. month: of the lists behind numbers; "": whoever looks gets no lists."""

    names: Mapping[str, str]
    month: str


def unit_rows(table: Mapping[str, Any], kind: str, telling: Telling) -> list[UnitRow]:
    """The units of one kind, by name."""
    rows = [_unit(one, kind, telling) for one in table[kind]]
    return sorted(rows, key=lambda one: (one.name, one.unit))


def _unit(one: Mapping[str, Any], kind: str, telling: Telling) -> UnitRow:
    low, high = one["interval"]
    unit = one["unit"]
    return UnitRow(
        unit=unit,
        name=telling.names.get(unit, unit),
        stratum=stratum_name(one["stratum"]),
        value=one["value"],
        at=one["value"],
        low=low,
        high=high,
        width=str(Decimal(high) - Decimal(low)),
        band=one["band"],
        band_name=say(BANDS[one["band"]]),
        backed=one["backed"],
        rank=one.get("rank"),
        suppressed=one["suppressed"],
        off=one["off"],
        suppressed_address=_listed("suppressed", kind, unit, telling, own=True),
        accidents=one.get("accidents", 0),
        accidents_address=_listed("accidents", kind, unit, telling, own=False),
        parts=tuple(_part(part, kind, unit, telling) for part in one["parts"]),
    )


def stratum_name(stratum: str) -> str:
    """How a stratum is called: those of the shipped file in both languages, others as they are."""
    return say(STRATA[stratum]) if stratum in STRATA else stratum


def part_name(kind: str, part: str) -> str:
    """How a part is called."""
    return say((BLOCK_PARTS if kind == "communities" else LINE_PARTS)[part])


def _part(part: Mapping[str, Any], kind: str, unit: str, telling: Telling) -> PartRow:
    name, metric = part["name"], METRIC_OF[part["name"]]
    own = kind == "communities" and name in _OWN
    address = "" if name in ("solved", "found_true") else _listed(
        metric, kind, unit, telling, own=own
    )  # fmt: skip
    return PartRow(
        name=part_name(kind, name),
        points=part["points"],
        weight=part["weight"],
        bar=points(Fraction(part["value"]) * 100),
        said=_said(part),
        prior=_prior(part),
        address=address,
        few="of" in part and part["of"] < 10,
    )


def _listed(metric: str, kind: str, unit: str, telling: Telling, *, own: bool) -> str:
    if not telling.month:
        return ""
    by = "community" if kind == "communities" else "unit"
    more: dict[str, Any] = {"own": "1"} if own and kind == "communities" else {}
    return url_for("metrics.listed", metric=metric, period=telling.month, by=by, group=unit, **more)


def _said(part: Mapping[str, Any]) -> str:
    if "good" in part:
        return say("{good} / {of}", good=part["good"], of=part["of"])
    if "amount" in part:
        words = say("{amount} 天，{households} 户") if part["name"] == "overdue" else say(
            "{amount} 件，{households} 户"
        )  # fmt: skip
        return words.format(amount=part["amount"], households=part["households"])
    if "percent" in part:
        return say("{of} 次，九成不超过时限的 {percent}%", of=part["of"], percent=part["percent"])
    return say("{of} 次", of=part["of"])


def _prior(part: Mapping[str, Any]) -> str:
    if "prior" not in part:
        return ""
    prior = Fraction(part["prior"])
    percent = prior if part["name"] == "arrival" else prior * 100
    return say("上月同档 {percent}%", percent=points(Fraction(percent)).removesuffix(".00"))


# --- differences ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DifferenceRow:
    """What one unit has otherwise than in the edition before."""

    name: str
    said: tuple[str, ...]


def difference_rows(found: Sequence[Difference], names: Mapping[str, str]) -> list[DifferenceRow]:
    """By unit, in the order of the table."""
    told: dict[str, list[str]] = {}
    for one in found:
        told.setdefault(one.unit, []).append(_difference(one))
    return [DifferenceRow(names.get(unit, unit), tuple(said)) for unit, said in told.items()]


def _difference(one: Difference) -> str:
    part = part_name(one.kind, one.part) if one.part else say("指数")
    return say(
        "{part}·{field}：{old} → {new}",
        part=part, field=say(FIELDS[one.field]), old=_value(one, one.old), new=_value(one, one.new),
    )  # fmt: skip


def _value(one: Difference, value: Any) -> str:
    if value is None:
        return say("没有")
    if one.field == "band":
        return say(BANDS[value])
    if one.field == "interval":
        return f"{value[0]}–{value[1]}"
    if one.field == "stratum":
        return stratum_name(value)
    return str(value)


def band_marks(bands: Bands) -> str:
    """The boundaries of the bands as strokes on a scale of a hundred."""
    return "".join(
        f"M{at} 0v12" for at in (bands.orange_from, bands.yellow_from, bands.blue_above)
    )  # fmt: skip
