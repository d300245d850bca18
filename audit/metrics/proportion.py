"""A proportion with its counts, its uncertainty and what was left out of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, localcontext
from fractions import Fraction

FEWEST = 10
Z = Decimal("1.959963984540054")


@dataclass(frozen=True, slots=True)
class Proportion:
    """How many of how many, and how many were excluded for which reason."""

    numerator: int
    denominator: int
    excluded: Mapping[str, int]

    def __post_init__(self) -> None:
        if not 0 <= self.numerator <= self.denominator:
            raise ValueError(f"{self.numerator} of {self.denominator} is no proportion")
        if any(count < 0 for count in self.excluded.values()):
            raise ValueError("an exclusion cannot count below zero")

    @property
    def value(self) -> Fraction | None:
        return Fraction(self.numerator, self.denominator) if self.denominator else None

    @property
    def enough(self) -> bool:
        return self.denominator >= FEWEST


def wilson(k: int | Fraction, n: int) -> tuple[Decimal, Decimal] | None:
    """The 95 % score interval (k + z²/2 ± z·√(k(n−k)/n + z²/4)) / (n + z²), none when n is 0.

    k may be a fraction, where cases that were only supposed are among them.

    Source: Wilson, "Probable Inference", JASA 22 (1927), without continuity correction.
    """
    if n == 0:
        return None
    with localcontext(prec=28):
        hits = Decimal(k.numerator) / k.denominator
        half = Z * (hits * (n - hits) / n + Z * Z / 4).sqrt()
        middle, whole = hits + Z * Z / 2, n + Z * Z
        low = (middle - half) / whole if k else Decimal(0)
        high = (middle + half) / whole if k < n else Decimal(1)
        return low, high
