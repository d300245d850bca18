"""Stretches of time: what lies in both, what lies in any, how long that is. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

# From an instant up to, not including, another.
Span = tuple[datetime, datetime]
_MINUTE: Final = timedelta(minutes=1)


def union(spans: Iterable[Span]) -> list[Span]:
    """The time that lies in any of these, in order, without overlap."""
    told: list[Span] = []
    for since, until in sorted(span for span in spans if span[0] < span[1]):
        if told and since <= told[-1][1]:
            told[-1] = (told[-1][0], max(until, told[-1][1]))
        else:
            told.append((since, until))
    return told


def both(some: Sequence[Span], others: Sequence[Span]) -> list[Span]:
    """The time that lies in one of these and in one of those."""
    found = (
        (max(since, from_), min(until, to)) for since, until in some for from_, to in others
    )  # fmt: skip
    return union(found)


def without(some: Sequence[Span], others: Iterable[Span]) -> list[Span]:
    """The time that lies in one of these and in none of those."""
    left = union(some)
    for from_, to in union(others):
        left = list(_cut(left, from_, to))
    return left


def _cut(spans: Iterable[Span], from_: datetime, to: datetime) -> Iterator[Span]:
    for since, until in spans:
        if since < min(until, from_):
            yield since, min(until, from_)
        if max(since, to) < until:
            yield max(since, to), until


def minutes(spans: Iterable[Span]) -> int:
    """Whole minutes of what lies in any of these."""
    return sum((until - since for since, until in union(spans)), timedelta()) // _MINUTE
