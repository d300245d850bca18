"""Rates, durations and counts of contributions, with what has to stand beside them. Exact."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from audit.metrics.contributions import Contribution
from audit.metrics.proportion import FEWEST, Proportion
from audit.ranks import nearest_rank


@dataclass(frozen=True, slots=True)
class Beside:
    """Of all cases a figure looked at, the excluded ones too: how many had what could hide work."""

    cases: int
    paused: int
    extended: int
    merged: int
    void: int


@dataclass(frozen=True, slots=True)
class Rate:
    """How many of how many. lower: the same if everybody not reached had said no; else None.

    apart: what is told beside the numerator, by name.
    """

    proportion: Proportion
    lower: Proportion | None
    apart: Mapping[str, int]
    beside: Beside | None


@dataclass(frozen=True, slots=True)
class Spread:
    """Durations in whole minutes; one that is censored counts as longer than every other.

    median, p90: None where the rank falls on a censored one, or there is nothing.
    """

    n: int
    censored: int
    median: int | None
    p90: int | None
    excluded: Mapping[str, int]
    beside: Beside | None

    @property
    def enough(self) -> bool:
        """Whether ten or more stand behind it."""
        return self.n >= FEWEST


@dataclass(frozen=True, slots=True)
class Count:
    """How many, and what they add up to, where that is another number (risk days)."""

    count: int
    sum: int
    apart: Mapping[str, int]
    beside: Beside | None


@dataclass(frozen=True, slots=True)
class Composite:
    """A weighted sum of rates; None where one of them has too few. parts: by id of the rate."""

    value: Fraction | None
    parts: Mapping[str, Fraction | None]


@dataclass(frozen=True, slots=True)
class Withheld:
    """A figure of confidential cases in which some number would be small: it is not told."""


Figure = Rate | Spread | Count | Composite | Withheld


def parts(marks: Sequence[Contribution]) -> list[int]:
    """The numbers that share nothing, which every figure of these marks is a sum of."""
    hits, of = sum(one.hits for one in marks), sum(one.of for one in marks)
    apart, out = _apart(marks), _excluded(marks)
    rest = of - hits - sum(count for name, count in apart.items() if name in _AMONG)
    return [hits, rest, *apart.values(), *out.values()]


# What is told apart of those that count and are no hits.
_AMONG: Final = ("partly", "mostly")


def rate(marks: Sequence[Contribution], lower: frozenset[str]) -> Rate:
    """The rate of these marks. lower: reasons of exclusion that count in its lower bound."""
    out = _excluded(marks)
    hits, of = sum(one.hits for one in marks), sum(one.of for one in marks)
    missed = sum(count for reason, count in out.items() if reason in lower)
    rest = {reason: count for reason, count in out.items() if reason not in lower}
    return Rate(
        Proportion(hits, of, out),
        Proportion(hits, of + missed, rest) if lower else None,
        _apart(marks),
        beside(marks),
    )


def spread(marks: Sequence[Contribution]) -> Spread:
    """The durations of these marks."""
    told = [one for one in marks if one.of]
    ended = sorted(one.minutes for one in told if one.minutes is not None)
    return Spread(
        len(told), len(told) - len(ended), _rank(ended, len(told), 50), _rank(ended, len(told), 90),
        _excluded(marks), beside(marks),
    )  # fmt: skip


def _rank(ended: Sequence[int], n: int, percent: int) -> int | None:
    if not n:
        return None
    beyond = ended[-1] + 1 if ended else 0
    found = nearest_rank([*ended, *[beyond] * (n - len(ended))], percent)
    return None if found == beyond and n > len(ended) else found


def count(marks: Sequence[Contribution]) -> Count:
    """How many of these marks count, and their sum."""
    hits = sum(one.hits for one in marks)
    return Count(hits, sum(one.of for one in marks), _apart(marks), beside(marks))


def _excluded(marks: Iterable[Contribution]) -> dict[str, int]:
    return dict(sorted(Counter(one.reason for one in marks if one.reason).items()))


def _apart(marks: Iterable[Contribution]) -> dict[str, int]:
    return dict(sorted(Counter(one.apart for one in marks if one.apart).items()))


def beside(marks: Iterable[Contribution]) -> Beside:
    """The shares that stand beside a figure: each case counts once."""
    cases = {one.case: one.had for one in marks}.values()
    had = Counter(name for one in cases for name in one)
    return Beside(len(cases), had["paused"], had["extended"], had["merged"], had["void"])
