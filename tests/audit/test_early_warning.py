"""Lines of early warning: which figures cross them, told exactly, and which files are refused."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from audit.early_warning.crossed import Contributed, crossed
from audit.early_warning.thresholds import BadThresholds, Thresholds, read_thresholds
from audit.metrics.contributions import Contribution
from audit.metrics.formulas import read_formulas
from audit.metrics.places import Places
from tests.conftest import ROOT

FORMULAS = read_formulas((ROOT / "workflows" / "metrics" / "formulas.toml").read_bytes())
SHIPPED = (ROOT / "workflows" / "early_warning" / "thresholds.toml").read_bytes()
UNITS = Places(
    {"s": "street", "c": "community", "d": "community"},
    {"s": "街", "c": "社区", "d": "另一社区"},
    {"c": "s", "d": "s"},
)
MARCH = datetime(2026, 3, 15, tzinfo=UTC)


def line(**told: Any) -> Thresholds:
    """One line, with words of its own."""
    words = {"name": "线", "name_en": "line", "asks": "为什么？", "asks_en": "Why?"}
    rows = "\n".join(f"{name} = {value!r}" for name, value in (words | told).items())
    return read_thresholds(f"version = 1\n[rules.one]\n{rows}".encode(), FORMULAS)


def rows(metric: str, hits: int, of: int, unit: str = "c", **more: Any) -> Contributed:
    """So many cases of a unit contributing to a metric, so many of them hits."""
    return {
        metric: [
            Contribution(f"{unit}{n}", (unit, "s"), "fire", (), MARCH, unit, int(n < hits), 1, "",
                         "", more.get("minutes"), 1)
            for n in range(of)
        ]
    }  # fmt: skip


def found(lines: Thresholds, now: Contributed, before: Contributed | None = None) -> list[Any]:
    told = crossed(now, before or {}, lines, FORMULAS, UNITS)
    return [(one.group, dict(one.numbers)) for one in told]


@pytest.mark.parametrize(
    ("test", "limit", "hits", "is_crossed"),
    [
        ("below", 75, 14, True), ("below", 75, 15, False), ("below", 75, 16, False),
        ("above", 75, 14, False), ("above", 75, 15, False), ("above", 75, 16, True),
    ],
)  # fmt: skip
def test_a_rate_on_the_line_has_not_crossed_it(
    test: str, limit: int, hits: int, is_crossed: bool
) -> None:
    lines = line(metric="in_time", by="community", **{test: limit})
    told = found(lines, rows("in_time", hits, 20))
    assert told == ([("c", {"numerator": hits, "denominator": 20})] if is_crossed else [])


def test_fewer_than_ten_cross_nothing() -> None:
    lines = line(metric="in_time", by="community", below=75)
    assert found(lines, rows("in_time", 0, 9)) == []
    assert found(lines, rows("in_time", 0, 10)) == [("c", {"numerator": 0, "denominator": 10})]


def test_each_unit_is_held_to_the_line_by_itself_and_a_street_with_all_below_it() -> None:
    now = {
        "in_time": [*rows("in_time", 5, 10)["in_time"], *rows("in_time", 10, 10, "d")["in_time"]]
    }
    assert [unit for unit, _ in found(line(metric="in_time", by="community", below=60), now)] == [
        "c"
    ]
    lines = line(metric="in_time", by="street", below=76)
    assert found(lines, now) == [("s", {"numerator": 15, "denominator": 20})]


@pytest.mark.parametrize(("hits", "is_crossed"), [(15, False), (14, True)])
def test_a_fall_is_told_against_the_month_before_in_points(hits: int, is_crossed: bool) -> None:
    lines = line(metric="in_time", by="community", fell=30)
    told = found(lines, rows("in_time", hits, 20), rows("in_time", 10, 10))
    numbers = {"numerator": hits, "denominator": 20, "before_numerator": 10}
    assert told == ([("c", numbers | {"before_denominator": 10})] if is_crossed else [])
    assert found(lines, rows("in_time", hits, 20)) == []
    assert found(lines, rows("in_time", hits, 20), rows("in_time", 9, 9)) == []


def test_a_rise_is_a_rise_and_no_fall() -> None:
    lines = line(metric="extended", by="community", rose=20)
    told = found(lines, rows("extended", 6, 10), rows("extended", 4, 10))
    assert [unit for unit, _ in told] == ["c"]
    assert found(lines, rows("extended", 4, 10), rows("extended", 6, 10)) == []


@pytest.mark.parametrize(("minutes", "is_crossed"), [(600, False), (601, True)])
def test_a_duration_is_held_to_hours(minutes: int, is_crossed: bool) -> None:
    now = rows("until_accepted", 10, 10, minutes=minutes)
    for test in ("median_above", "p90_above"):
        lines = line(metric="until_accepted", by="community", **{test: 10})
        assert found(lines, now) == ([("c", {"n": 10, "minutes": minutes})] if is_crossed else [])


def test_a_duration_that_is_not_over_crosses_nothing() -> None:
    lines = line(metric="until_accepted", by="community", p90_above=10)
    assert found(lines, rows("until_accepted", 10, 10, minutes=None)) == []


def test_a_count_needs_no_ten() -> None:
    assert found(line(metric="overdue", by="community", count_above=3), rows("overdue", 4, 4)) == [
        ("c", {"count": 4})
    ]
    assert found(line(metric="overdue", by="community", sum_above=4), rows("overdue", 4, 4)) == []


def test_what_is_withheld_crosses_nothing() -> None:
    """Two of ten complaints: a number below three is not told, and warns of nothing."""
    lines = line(metric="solved", by="street", below=99)
    assert found(lines, rows("solved", 8, 10)) == []
    assert found(lines, rows("solved", 7, 10)) == [("s", {"numerator": 7, "denominator": 10})]


@pytest.mark.parametrize(
    ("told", "fault"),
    [
        ({"metric": "in_time", "by": "community"}, "one of below, above, fell, rose"),
        ({"metric": "in_time", "by": "community", "below": 1, "above": 2}, "one of below"),
        ({"metric": "overdue", "by": "community", "below": 1}, "one of count_above, sum_above"),
        ({"metric": "in_time", "by": "person", "below": 1}, "by is one of street"),
        ({"metric": "solved", "by": "community", "below": 1}, "confidential"),
        ({"metric": "three_rates", "by": "street", "below": 1}, "three_rates"),
        ({"metric": "in_time", "by": "street", "below": 1.5}, "no whole number"),
        ({"metric": "in_time", "by": "street", "below": 1, "asks": " "}, "asks says nothing"),
    ],
)
def test_a_file_that_asks_for_what_cannot_be_told_is_refused(
    told: Mapping[str, Any], fault: str
) -> None:
    with pytest.raises(BadThresholds, match=fault):
        line(**told)


@pytest.mark.parametrize("file", [b"version = 1", b"\xff", b"version = 1\nrules = 3", b"nonsense"])
def test_a_file_that_is_none_is_refused(file: bytes) -> None:
    with pytest.raises(BadThresholds, match="the file of early warning is wrong"):
        read_thresholds(file, FORMULAS)


def test_the_shipped_file_is_one() -> None:
    lines = read_thresholds(SHIPPED, FORMULAS)
    assert lines.version == 1
    assert {one.test for one in lines.rules.values()} <= {
        "below", "above", "fell", "rose", "median_above", "p90_above", "count_above", "sum_above",
    }  # fmt: skip
