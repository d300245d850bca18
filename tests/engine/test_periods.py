"""Months, quarters and years: where each begins and ends, and which there are between two times."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.periods import KINDS, Kind, begin_of, between, end_of, key_at, kind_of

ZONE = ZoneInfo("Asia/Shanghai")
TIMES = st.datetimes(datetime(2001, 1, 1), datetime(2099, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 – of UTC by `timezones`


def day(year: int, month: int) -> datetime:
    return datetime(year, month, 1, tzinfo=ZONE)


@pytest.mark.parametrize(
    ("key", "kind", "begin", "end"),
    [
        ("2026-03", "month", day(2026, 3), day(2026, 4)),
        ("2026-12", "month", day(2026, 12), day(2027, 1)),
        ("2026-Q1", "quarter", day(2026, 1), day(2026, 4)),
        ("2026-Q4", "quarter", day(2026, 10), day(2027, 1)),
        ("2026", "year", day(2026, 1), day(2027, 1)),
    ],
)
def test_a_key_says_of_which_kind_a_period_is_when_it_begins_and_when_it_ends(
    key: str, kind: Kind, begin: datetime, end: datetime
) -> None:
    assert (kind_of(key), begin_of(key, ZONE), end_of(key, ZONE)) == (kind, begin, end)
    assert key_at(kind, begin, ZONE) == key
    assert key_at(kind, end, ZONE) != key


@given(TIMES)
def test_every_instant_lies_in_one_period_of_each_kind(at: datetime) -> None:
    for kind in KINDS:
        key = key_at(kind, at, ZONE)
        assert kind_of(key) == kind
        assert begin_of(key, ZONE) <= at < end_of(key, ZONE)


@given(TIMES, st.timedeltas(timedelta(0), timedelta(900)))
def test_the_periods_between_two_instants_follow_each_other_up_to_the_last(
    first: datetime, more: timedelta
) -> None:
    last = first + more
    found = between(first, last, ZONE)
    for kind in KINDS:
        keys = [key for key in found if kind_of(key) == kind]
        assert keys == sorted(keys)
        assert found[keys[0]].since <= first
        assert found[keys[-1]].until == min(last, end_of(keys[-1], ZONE))
        for one, after in pairwise(keys):
            assert found[one].until == end_of(one, ZONE) == found[after].since
        # None but the first begins when all is over.
        assert all(found[key].since < last for key in keys[1:])
