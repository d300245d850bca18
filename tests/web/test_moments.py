"""Times and spans in words, and back."""

from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

import pytest

from web.moments import day, moment, read_day, read_moment, read_time, span

SHANGHAI = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 1, 5, 2, 0, tzinfo=UTC)


def test_a_moment_of_this_year_is_told_without_its_year() -> None:
    at = datetime(2026, 11, 24, 1, 2, tzinfo=UTC)
    assert moment(at, SHANGHAI, NOW) == "11月24日 09:02"
    assert moment(at, SHANGHAI, NOW, "en") == "24 Nov 09:02"


def test_a_moment_of_another_year_is_told_with_it() -> None:
    at = datetime(2025, 12, 31, 15, 59, tzinfo=UTC)
    assert moment(at, SHANGHAI, NOW) == "2025年12月31日 23:59"
    assert moment(at, SHANGHAI, NOW, "en") == "31 Dec 2025 23:59"


def test_the_year_is_that_of_the_street_and_not_of_greenwich() -> None:
    at = datetime(2025, 12, 31, 16, 1, tzinfo=UTC)
    assert moment(at, SHANGHAI, NOW) == "1月1日 00:01"


def test_a_day_has_its_weekday() -> None:
    assert day(date(2026, 11, 20), NOW, SHANGHAI) == "11月20日 星期五"
    assert day(date(2026, 11, 22), NOW, SHANGHAI, "en") == "Sunday 22 Nov"


@pytest.mark.parametrize(
    ("minutes", "told"),
    [
        (0, "不到 1 分钟"),
        (22, "22 分钟"),
        (78, "1 小时 18 分钟"),
        (120, "2 小时"),
        (26 * 60, "1 天 2 小时"),
        (24 * 60 + 9, "1 天"),
        (5 * 1440 + 22 * 60 + 59, "5 天 22 小时"),
        (-5, "不到 1 分钟"),
    ],
)
def test_natural_spans_use_the_two_largest_units_rounded_down(minutes: int, told: str) -> None:
    assert span(minutes) == told


@pytest.mark.parametrize(
    ("minutes", "told"),
    [
        (480, "1 个工作日"),
        (558, "9 小时 18 分钟"),
        (960, "2 个工作日"),
        (1080, "2 个工作日 2 小时"),
        (80, "1 小时 20 分钟"),
    ],
)
def test_office_time_is_told_in_hours_up_to_two_days(minutes: int, told: str) -> None:
    assert span(minutes, working_day=480) == told


def test_spans_in_english() -> None:
    assert span(78, language="en") == "1 h 18 min"
    assert span(480, working_day=480, language="en") == "1 working day"
    assert span(2 * 1440, language="en") == "2 days"


@pytest.mark.parametrize(
    "text", ["11月24日", "11-24", "11/24", "11.24", "2025-11-24", "2025年11月24日", "１１月２４日"]
)
def test_a_day_may_be_written_in_the_usual_ways(text: str) -> None:
    assert read_day(text, date(2025, 11, 26)) == date(2025, 11, 24)


def test_a_day_without_year_is_the_nearest_one() -> None:
    assert read_day("12月30日", date(2026, 1, 5)) == date(2025, 12, 30)
    assert read_day("1月2日", date(2025, 12, 30)) == date(2026, 1, 2)
    assert read_day("2月29日", date(2025, 3, 1)) == date(2024, 2, 29)


def test_today_and_yesterday_are_days() -> None:
    assert read_day("今天", date(2026, 1, 1)) == date(2026, 1, 1)
    assert read_day("昨天", date(2026, 1, 1)) == date(2025, 12, 31)


@pytest.mark.parametrize("text", ["", "明年", "13月1日", "2月30日", "24", "2025-1", "昨天上午"])
def test_what_is_no_day_is_none(text: str) -> None:
    assert read_day(text, date(2025, 11, 26)) is None


@pytest.mark.parametrize("text", ["15:40", "15：40", "15点40分", "1540", "15 点 40", "15.40"])
def test_a_time_may_be_written_in_the_usual_ways(text: str) -> None:
    assert read_time(text) == time(15, 40)


@pytest.mark.parametrize("text", ["", "25:00", "12:60", "下午", "1", "15:40:00"])
def test_what_is_no_time_is_none(text: str) -> None:
    assert read_time(text) is None


def test_a_written_moment_is_of_the_zone() -> None:
    found = read_moment("1月4日", "9点", SHANGHAI, NOW)
    assert found == datetime(2026, 1, 4, 1, 0, tzinfo=UTC)
    assert read_moment("1月4日", "", SHANGHAI, NOW) is None
