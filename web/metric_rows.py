"""Figures of a month as rows: the name, the rate, its counts and interval, what stands beside."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Final

from audit.metrics.catalogue import COMPOSITE, METRICS
from audit.publication import THRESHOLD
from web.formulas import formulas
from web.metric_words import COUNTS, NO_GROUP, NOTES, PARTS, SECTIONS
from web.quantities import bare_duration
from web.texts import either, language, say

TENTH: Final = Decimal("0.1")
# metric, group (None: the whole), part -> the address of the list behind a number.
Addressed = Callable[[str, str | None, str], str]


@dataclass(frozen=True, slots=True)
class Number:
    """A count with its word, and the list behind it; address "": it is not listed."""

    words: str
    count: int
    address: str


@dataclass(frozen=True, slots=True)
class Interval:
    """The Wilson interval, in per cent from the left edge: ends, width, and where the rate is."""

    low: str
    high: str
    width: str
    at: str


@dataclass(frozen=True, slots=True)
class FigureRow:
    """One figure. big: the rate, duration or count; small: the same where too few stand behind it.

    of: how many it is of. numbers: what it is made of; notes: what is excluded or told apart.
    """

    name: str
    big: str
    small: str
    of: int | None
    numbers: tuple[Number, ...]
    interval: Interval | None
    more: tuple[str, ...]
    notes: tuple[Number, ...]
    beside: str


@dataclass(frozen=True, slots=True)
class MetricRow:
    """One metric: what it counts, its whole figure, and those of its groups."""

    id: str
    name: str
    counts: str
    source: str
    whole: FigureRow | None
    groups: tuple[FigureRow, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """Metrics under one heading."""

    title: str
    rows: tuple[MetricRow, ...]


@dataclass(frozen=True, slots=True)
class Telling:
    """How figures are told: by what they are grouped, names of groups, and where lists are."""

    by: str
    names: Mapping[str, str]
    address: Addressed


def sections(
    whole: Sequence[Mapping[str, Any]], grouped: Sequence[Mapping[str, Any]], telling: Telling
) -> list[Section]:
    """All metrics, those without any figure too (figures as in audit.metrics.plain)."""
    alone, parts = _by_metric(whole), _by_metric(grouped)
    return [
        Section(
            say(title),
            tuple(_metric(id_, alone.get(id_, ()), parts.get(id_, ()), telling) for id_ in ids),
        )
        for title, ids in SECTIONS
    ]


def _by_metric(told: Iterable[Mapping[str, Any]]) -> Mapping[str, list[Mapping[str, Any]]]:
    found: dict[str, list[Mapping[str, Any]]] = {}
    for one in told:
        found.setdefault(one["metric"], []).append(one)
    return found


def _metric(
    id_: str,
    whole: Sequence[Mapping[str, Any]],
    groups: Sequence[Mapping[str, Any]],
    telling: Telling,
) -> MetricRow:
    rows = sorted(
        (_figure(id_, one, telling, grouped=True) for one in groups), key=lambda row: row.name
    )
    return MetricRow(
        id_,
        metric_name(id_),
        metric_counts(id_),
        "S" if id_ == COMPOSITE else METRICS[id_].source,
        next((_figure(id_, one, telling, grouped=False) for one in whole), None),
        tuple(rows),
    )


def metric_name(id_: str) -> str:
    """How a metric is called."""
    if id_ == COMPOSITE:
        return say("三率综合")
    english = METRICS[id_].name_en
    return either(METRICS[id_].name, english[0].upper() + english[1:])


def metric_counts(id_: str) -> str:
    """What a metric counts, in a sentence."""
    return say(COUNTS[id_], days=formulas().numbers["repeat_days"])


def _figure(id_: str, told: Mapping[str, Any], telling: Telling, *, grouped: bool) -> FigureRow:
    groups = told["groups"]
    name = say("、").join(group_name(one, telling.by, telling.names) for one in groups)
    if "withheld" in told:
        words = say("不足 {count} 件的数不单列", count=THRESHOLD)
        return FigureRow(name if grouped else "", "", words, None, (), None, (), (), "")
    listed = id_ != COMPOSITE and not formulas().of(METRICS[id_].process).confidential

    def number(part: str, words: str, count: int) -> Number:
        at = telling.address(id_, groups[0] if grouped else None, part) if listed and count else ""
        return Number(words, count, at)

    kind = "composite" if id_ == COMPOSITE else METRICS[id_].kind
    made = _KINDS[kind](told, number)
    notes = {**told.get("excluded", {}), **told.get("apart", {})}
    excluded = told.get("excluded", {})
    return FigureRow(
        name=name if grouped else "",
        big=made.big,
        small=made.small,
        of=made.of,
        numbers=made.numbers,
        interval=_interval(told) if made.big and kind == "rate" else None,
        more=made.more,
        notes=tuple(
            number(one, say(NOTES[one]), count)
            if one in excluded or kind == "count"
            else Number(say(NOTES[one]), count, "")
            for one, count in notes.items()
        ),
        beside=_beside(told.get("beside")),
    )


def group_name(group: str, by: str, names: Mapping[str, str]) -> str:
    """How a group is called; what belongs to none has a name of its own."""
    if not group:
        return say(NO_GROUP[by]) if by else ""
    return names.get(group, group)


@dataclass(frozen=True, slots=True)
class _Made:
    big: str
    small: str
    of: int | None
    numbers: tuple[Number, ...]
    more: tuple[str, ...] = ()


_Numbered = Callable[[str, str, int], Number]


def _rate(told: Mapping[str, Any], number: _Numbered) -> _Made:
    hits, of = told["numerator"], told["denominator"]
    counts = (
        number("hits", say(PARTS["hits"]), hits),
        number("others", say(PARTS["others"]), of - hits),
    )
    more = tuple(_more_of_rate(told))
    if told["enough"]:
        return _Made(share(hits, of), "", of, counts, more)
    return _Made("", say("样本不足"), of, counts, more)


def _more_of_rate(told: Mapping[str, Any]) -> Iterator[str]:
    if told["enough"] and told["wilson"]:
        low, high = (f"{_percent(end)}%" for end in told["wilson"])
        yield say("95% 区间 {low} 到 {high}", low=low, high=high)
    lower = told["lower"]
    if lower and lower["enough"] and lower["denominator"] != told["denominator"]:
        least = share(lower["numerator"], lower["denominator"])
        yield say("连没有回答的也算，至少 {share}", share=least)


def _duration(told: Mapping[str, Any], number: _Numbered) -> _Made:
    n, open_ = told["n"], told["censored"]
    counts = (
        number("ended", say(PARTS["ended"]), n - open_),
        number("censored", say(PARTS["censored"]), open_),
    )
    if not told["enough"]:
        return _Made("", say("样本不足"), n, counts)
    half, most = told["median_minutes"], told["p90_minutes"]
    if half is None:
        return _Made("", say("一半以上还没有完成"), n, counts)
    if most is None:
        words = say("一半不超过这么久；一成以上还没有完成，九成是多久还说不出")
    else:
        took = bare_duration(most, None, language())
        words = say("一半不超过这么久，九成不超过 {took}", took=took)
    return _Made(bare_duration(half, None, language()), "", n, counts, (words,))


def _count(told: Mapping[str, Any], number: _Numbered) -> _Made:
    count, sum_ = told["count"], told["sum"]
    more = (say("合计 {sum}", sum=sum_),) if sum_ != count else ()
    return _Made(str(count), "", None, (number("counted", say(PARTS["counted"]), count),), more)


def _composite(told: Mapping[str, Any], number: _Numbered) -> _Made:
    parts = tuple(
        f"{metric_name(name)} " + (say("样本不足") if part is None else f"{_percent(part)}%")
        for name, part in told["parts"].items()
    )
    if told["value"] is None:
        return _Made("", say("样本不足"), None, (), parts)
    return _Made(f"{_percent(told['value'])}%", "", None, (), parts)


_KINDS: Final[Mapping[str, Callable[[Mapping[str, Any], _Numbered], _Made]]] = {
    "rate": _rate, "duration": _duration, "count": _count, "composite": _composite,
}  # fmt: skip


def share(hits: int, of: int) -> str:
    """A share in per cent with one decimal place, a half to the even digit."""
    return f"{(Decimal(100 * hits) / of).quantize(TENTH, ROUND_HALF_EVEN)}%"


def _percent(places: str) -> str:
    return str((Decimal(places) * 100).quantize(TENTH, ROUND_HALF_EVEN))


def _interval(told: Mapping[str, Any]) -> Interval:
    low, high = (Decimal(end) * 100 for end in told["wilson"])
    at = Decimal(told["value"]) * 100
    return Interval(*(f"{one:.1f}" for one in (low, high, high - low, at)))


def _beside(told: Mapping[str, int] | None) -> str:
    if told is None:
        return ""
    had = [f"{say(NOTES[one])} {told[one]}" for one in ("paused", "extended", "merged", "void")]
    return say("看过 {cases} 件，其中{had}", cases=told["cases"], had=say("、").join(had))
