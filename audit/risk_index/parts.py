"""The parts an index is the sum of: each with its counts, its value and how sure it is. Exact."""

import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Final

from audit.metrics.proportion import FEWEST, wilson
from audit.risk_index.weights import HUNDRED

# How sure: lower and upper end of the 95 % interval of a value.
Interval = tuple[Decimal, Decimal]
THOUSAND: Final = 1000
ONE: Final = Fraction(1)


@dataclass(frozen=True, slots=True)
class Share:
    """How much of how many; both 0 where there was nothing to do."""

    good: int
    of: int

    @property
    def value(self) -> Fraction | None:
        """The share, None of nothing."""
        return Fraction(self.good, self.of) if self.of else None


NOTHING: Final = Share(0, 0)


@dataclass(frozen=True, slots=True)
class Part:
    """One part of an index. value: from 0 to 1; interval: of the value.

    counts: what it is made of, by name: `good`, `of` of a share; `of` and `percent` (nine tenths
    came within so much of their limit) of arrivals; `amount`, `households` of an amount.
    prior: towards what a share, or the percent of arrivals, is drawn; None of an amount.
    """

    name: str
    weight: int
    value: Fraction
    interval: Interval
    counts: Mapping[str, int]
    prior: Fraction | None = None

    @property
    def enough(self) -> bool:
        """Whether it rests on an amount, or on ten cases of the unit's own or more."""
        return self.prior is None or self.counts["of"] >= FEWEST


def share_part(name: str, weight: int, share: Share, prior: Fraction, shrinkage: int) -> Part:
    """A part that is a share: drawn, and as sure as its cases and the supposed ones make it."""
    value, n = drawn(share, prior, shrinkage), share.of + shrinkage
    interval = wilson(value * n, n) or (Decimal(0), Decimal(1))
    return Part(name, weight, value, interval, {"good": share.good, "of": share.of}, prior)


def amount_part(name: str, weight: int, amount: int, households: int, most: int) -> Part:
    """A part that is counted: `1 - min(1, amount for each 1,000 households / most)`."""
    value = ONE - min(ONE, Fraction(amount * THOUSAND, households * most))
    sure = exact(value)
    counts = {"amount": amount, "households": households}
    return Part(name, weight, value, (sure, sure), counts)


def drawn(share: Share, prior: Fraction, shrinkage: int) -> Fraction:
    """`(good + shrinkage x prior) / (of + shrinkage)`."""
    return (share.good + shrinkage * prior) / (share.of + shrinkage)


def median(values: Iterable[Fraction]) -> Fraction | None:
    """The middle value, of an even number the mean of the middle two; None of none."""
    told = list(values)
    return statistics.median(told) if told else None


def usual(percent: int) -> Fraction:
    """What is taken where the stratum did nothing in the period before."""
    return Fraction(percent, HUNDRED)


def exact(value: Fraction) -> Decimal:
    """A fraction as a decimal of 28 digits."""
    return Decimal(value.numerator) / value.denominator
