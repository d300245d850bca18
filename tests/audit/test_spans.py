"""Stretches of time, against whole minutes counted one by one."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from audit.reports.spans import Span, both, minutes, union, without

START = datetime(2026, 3, 1, tzinfo=UTC)
SPANS = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=6)


def spans(pairs: list[tuple[int, int]]) -> list[Span]:
    return [(START + timedelta(minutes=a), START + timedelta(minutes=b)) for a, b in pairs]


def ticks(pairs: list[tuple[int, int]]) -> set[int]:
    return {n for a, b in pairs for n in range(a, b)}


def told(found: list[Span]) -> set[int]:
    pairs = [((a - START) // timedelta(minutes=1), (b - START) // timedelta(minutes=1))
             for a, b in found]  # fmt: skip
    for (_, end), (begin, _) in pairwise(pairs):
        assert end < begin
    return ticks(pairs)


@given(SPANS, SPANS)
def test_what_lies_in_any_in_both_and_in_none_is_what_counting_minutes_gives(
    some: list[tuple[int, int]], others: list[tuple[int, int]]
) -> None:
    assert told(union(spans(some))) == ticks(some)
    assert told(both(spans(some), spans(others))) == ticks(some) & ticks(others)
    assert told(without(spans(some), spans(others))) == ticks(some) - ticks(others)
    assert minutes(spans(some)) == len(ticks(some))
