"""Working time against the published days of 2024 to 2026, and as arithmetic that must hold."""

import re
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.calendar import (
    BadCalendar,
    Calendar,
    Clock,
    add_natural,
    add_working,
    due,
    is_workday,
    natural_between,
    read_calendar,
    used,
    working_between,
    working_minutes_per_day,
)

TOML = Path(__file__).parents[2].joinpath("workflows/calendar/cn.toml").read_bytes()
CN = read_calendar(TOML)
OFFICE = "office = [{ from = 08:30:00, to = 12:00:00 }]\n"
ZONE = 'zone = "Asia/Shanghai"\n'

# 2023 and 2027 are not in the file: the properties hold in unpublished years too.
BEGIN = datetime(2023, 11, 1)  # noqa: DTZ001 the strategy adds the zone itself
END = datetime(2027, 3, 1)  # noqa: DTZ001 as above
instants = st.datetimes(BEGIN, END, timezones=st.just(UTC))
minutes = st.integers(0, 480 * 40)
clocks = st.sampled_from(["natural", "working"])


def local(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}+08:00")


def test_one_working_day_is_480_office_minutes() -> None:
    assert working_minutes_per_day(CN) == 480


def test_the_file_covers_2024_to_2026() -> None:
    assert CN.published == {2024, 2025, 2026}


def test_a_working_day_runs_to_the_same_hour_of_the_next_day() -> None:
    assert add_working(CN, local("2026-03-10T10:00"), 480) == local("2026-03-11T10:00")


def test_lunch_does_not_count() -> None:
    assert add_working(CN, local("2026-03-10T11:30"), 60) == local("2026-03-10T14:00")


def test_time_ending_with_the_day_is_used_up_at_closing_not_at_the_next_opening() -> None:
    assert add_working(CN, local("2026-03-10T17:00"), 60) == local("2026-03-10T18:00")


@pytest.mark.parametrize(
    ("start", "at"),
    [
        ("2026-03-10T06:00", "2026-03-10T09:30"),
        ("2026-03-10T12:30", "2026-03-10T14:30"),
        ("2026-03-10T21:00", "2026-03-11T09:30"),
        ("2026-03-13T18:00", "2026-03-16T09:30"),  # Friday evening to Monday
    ],
)
def test_a_start_outside_office_hours_begins_at_the_next_opening(start: str, at: str) -> None:
    assert add_working(CN, local(start), 60) == local(at)


def test_spring_festival_2026_is_skipped_and_its_make_up_saturdays_are_worked() -> None:
    # 14 February (Saturday) is worked, 15 to 23 February are off, 28 February (Saturday) is worked.
    assert add_working(CN, local("2026-02-13T18:00"), 480) == local("2026-02-14T18:00")
    assert add_working(CN, local("2026-02-14T18:00"), 480) == local("2026-02-24T18:00")
    assert add_working(CN, local("2026-02-27T18:00"), 480) == local("2026-02-28T18:00")


def test_every_published_day_is_as_in_the_package_it_was_taken_from() -> None:
    packaged = pytest.importorskip("chinese_calendar")
    first = date(2024, 1, 1)
    days = [first + timedelta(n) for n in range((date(2027, 1, 1) - first).days)]
    assert [d for d in days if is_workday(CN, d) != packaged.is_workday(d)] == []


def test_working_days_of_each_published_year_are_251_and_248_and_248() -> None:
    # weekdays - holidays on weekdays + make-up days: 262-19+8, 261-18+5, 261-19+6
    counted = {
        year: sum(
            is_workday(CN, date(year, 1, 1) + timedelta(days))
            for days in range((date(year + 1, 1, 1) - date(year, 1, 1)).days)
        )
        for year in (2024, 2025, 2026)
    }
    assert counted == {2024: 251, 2025: 248, 2026: 248}


def test_a_deadline_in_2031_works_and_is_flagged() -> None:
    far = due(CN, "working", local("2031-10-01T09:00"), 480)
    assert far.at == local("2031-10-02T09:00")
    assert far.unpublished


def test_a_deadline_crossing_into_an_unpublished_year_is_flagged() -> None:
    assert due(CN, "working", local("2026-12-31T17:00"), 480).unpublished
    assert not due(CN, "working", local("2026-12-30T17:00"), 480).unpublished


def test_natural_time_needs_no_published_year() -> None:
    far = due(CN, "natural", local("2031-10-01T09:00"), 20)
    assert far.at == local("2031-10-01T09:20")
    assert not far.unpublished


def test_seconds_are_kept_in_the_due_instant_and_rounded_down_in_used_minutes() -> None:
    start = local("2026-03-10T10:00:30.500")
    assert add_working(CN, start, 1) == local("2026-03-10T10:01:30.500")
    assert working_between(CN, start, local("2026-03-10T10:02:30.499")) == 1


def test_an_end_before_the_start_uses_nothing() -> None:
    assert working_between(CN, local("2026-03-10T10:00"), local("2026-03-09T10:00")) == 0
    assert natural_between(local("2026-03-10T10:00"), local("2026-03-09T10:00")) == 0


def test_a_time_without_a_zone_is_refused() -> None:
    naive = datetime(2026, 3, 10, 10)  # noqa: DTZ001 that is the point
    for act in (
        lambda: add_working(CN, naive, 1),
        lambda: add_natural(naive, 1),
        lambda: working_between(CN, naive, local("2026-03-10T10:00")),
        lambda: natural_between(local("2026-03-10T10:00"), naive),
    ):
        with pytest.raises(ValueError, match="without a zone"):
            act()


def test_negative_minutes_are_refused() -> None:
    for act in (lambda: add_working(CN, local("2026-03-10T10:00"), -1),
                lambda: add_natural(local("2026-03-10T10:00"), -1)):  # fmt: skip
        with pytest.raises(ValueError, match="cannot be used up"):
            act()


@given(clocks, instants, minutes)
def test_what_is_allowed_is_what_has_been_used_when_it_is_due(
    clock: Clock, start: datetime, allowed: int
) -> None:
    at = due(CN, clock, start, allowed).at
    assert used(CN, clock, start, at) == allowed


@given(clocks, instants, st.integers(1, 480 * 40))
def test_a_moment_before_it_is_due_the_last_minute_is_not_used(
    clock: Clock, start: datetime, allowed: int
) -> None:
    at = due(CN, clock, start, allowed).at
    assert used(CN, clock, start, at - timedelta(microseconds=1)) == allowed - 1


@given(clocks, instants, instants, minutes)
def test_a_later_start_is_never_due_earlier(
    clock: Clock, one: datetime, other: datetime, allowed: int
) -> None:
    first, later = sorted((one, other))
    assert due(CN, clock, first, allowed).at <= due(CN, clock, later, allowed).at


@given(clocks, instants, minutes, minutes)
def test_more_time_is_never_due_earlier(clock: Clock, start: datetime, one: int, two: int) -> None:
    less, more = sorted((one, two))
    assert due(CN, clock, start, less).at <= due(CN, clock, start, more).at


@given(instants, minutes, minutes)
def test_time_given_in_two_parts_ends_when_it_would_have_ended_in_one(
    start: datetime, one: int, two: int
) -> None:
    assert add_working(CN, add_working(CN, start, one), two) == add_working(CN, start, one + two)


@given(instants, st.lists(st.integers(0, 3000), min_size=1, max_size=3))
def test_counting_minute_by_minute_gives_the_same(start: datetime, steps: list[int]) -> None:
    begin = start.replace(second=0, microsecond=0)
    end = begin + timedelta(minutes=sum(steps))
    slow = sum(_open(begin + timedelta(minutes=m)) for m in range(sum(steps)))
    assert working_between(CN, begin, end) == slow


def _open(at: datetime) -> bool:
    """Whether the minute beginning at this instant is an office minute, the plainest way."""
    there = at.astimezone(local("2026-01-01T00:00").tzinfo)
    hours = ((time(8, 30), time(12)), (time(13, 30), time(18)))
    return is_workday(CN, there.date()) and any(a <= there.time() < b for a, b in hours)


def test_the_flag_holds_for_every_day_of_the_way() -> None:
    days = [due(CN, "working", local("2026-12-01T09:00"), 480 * n) for n in range(60)]
    assert all(a.unpublished <= b.unpublished for a, b in pairwise(days))


def test_another_zone_counts_by_its_own_clock() -> None:
    urumqi: Calendar = read_calendar(b'zone = "Asia/Urumqi"\n' + OFFICE.encode() + b"[years]\n")
    at = add_working(urumqi, datetime(2026, 3, 10, 0, tzinfo=UTC), 60)
    assert at == datetime(2026, 3, 10, 3, 30, tzinfo=UTC)  # 09:30 at +06:00


@pytest.mark.parametrize(
    ("toml", "fault"),
    [
        ("zone = ", "not TOML"),
        (OFFICE + "[years]", "no time zone None"),
        ('zone = "Mars/Olympus"\n' + OFFICE + "[years]", "no time zone 'Mars/Olympus'"),
        ('zone = "../secret"\n' + OFFICE + "[years]", "no time zone"),
        (ZONE + "[years]", "office must"),
        (ZONE + "office = []\n[years]", "office must"),
        (ZONE + "office = [{ from = 12:00:00, to = 08:30:00 }]\n[years]", "in order"),
        (ZONE + "office = [{ from = 08:30:30, to = 12:00:00 }]\n[years]", "whole minutes"),
        (ZONE + 'office = [{ from = "8", to = "12" }]\n[years]', "office must"),
        (ZONE + "office = 8\n[years]", "office must"),
        (ZONE + OFFICE, r"\[years\] is missing"),
        (ZONE + OFFICE + "[years]\n2026 = 3", r"\[years\.2026\] is missing"),
        (ZONE + OFFICE + "[years.2026]\noff = [2025-01-01]", "2025-01-01 is not a day of 2026"),
        (ZONE + OFFICE + '[years.2026]\noff = ["2026-01-01"]', "not a day of 2026"),
        (ZONE + OFFICE + "[years.soon]", "'soon' is not a year"),
        (ZONE + OFFICE + "[years.2026]\noff = [2026-01-01]\nwork = [2026-01-01]", "listed twice"),
    ],
)
def test_a_wrong_file_is_refused_saying_what_is_wrong(toml: str, fault: str) -> None:
    with pytest.raises(BadCalendar) as refusal:
        read_calendar(toml.encode())
    assert re.search(fault, refusal.value.english)
    assert refusal.value.chinese.startswith("工作日历有误")
