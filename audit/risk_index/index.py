"""The index of one unit: the sum of its parts less deductions, its interval and its band. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from fractions import Fraction
from typing import Final

from audit.risk_index.parts import Interval, Part, exact
from audit.risk_index.weights import HUNDRED, Bands

_CENT: Final = Decimal("0.01")
_ZERO: Final = Decimal(0)


@dataclass(frozen=True, slots=True)
class Index:
    """The index of one unit in a period. off: points off for `suppressed` hazards and `accidents`.

    accidents: those it was found to be answerable for; None where nothing is taken off for any.
    interval: about 95 %, in hundredths of a point.
    """

    unit: str
    stratum: str
    parts: tuple[Part, ...]
    suppressed: int
    accidents: int | None
    off: int
    value: Fraction
    interval: Interval
    band: str

    @property
    def backed(self) -> int:
        """Of the hundred, the weight of what rests on amounts or on ten cases of its own or more.

        For the rest mostly the stratum speaks.
        """
        return sum(part.weight for part in self.parts if part.enough)


def summed(
    unit: str,
    stratum: str,
    parts: Iterable[Part],
    bands: Bands,
    *,
    suppressed: int = 0,
    accidents: int | None = None,
    off: int = 0,
) -> Index:
    """`sum of weight x part - off`, 0 at least."""
    told = tuple(parts)
    whole = sum((one.weight * one.value for one in told), Fraction(0)) - off
    value = max(Fraction(0), whole)
    return Index(
        unit, stratum, told, suppressed, accidents, off, value, _interval(told, whole),
        band(value, bands),
    )  # fmt: skip


def _interval(parts: Sequence[Part], whole: Fraction) -> Interval:
    """The interval of a sum from those of its terms, which are told apart by other cases.

    Lower end: sum - root of the sum of (weight x (value - lower end of the part)) squared; upper
    end alike. Source: Zou and Donner, Statistics in Medicine 27 (2008), 1693-1702 (MOVER).
    """
    with localcontext(prec=28):
        below = sum((_squared(one, one.interval[0]) for one in parts), _ZERO).sqrt()
        above = sum((_squared(one, one.interval[1]) for one in parts), _ZERO).sqrt()
        middle = exact(whole)
        return _kept(middle - below), _kept(middle + above)


def _squared(part: Part, end: Decimal) -> Decimal:
    return (part.weight * (exact(part.value) - end)) ** 2


def _kept(end: Decimal) -> Decimal:
    return min(max(end, _ZERO), Decimal(HUNDRED)).quantize(_CENT, ROUND_HALF_EVEN)


def band(value: Fraction, bands: Bands) -> str:
    """Blue, yellow, orange or red; a boundary belongs to the yellow or orange it begins or ends."""
    if value > bands.blue_above:
        return "blue"
    if value >= bands.yellow_from:
        return "yellow"
    return "orange" if value >= bands.orange_from else "red"


def points(value: Fraction) -> str:
    """Points with two decimal places, a half to the even digit."""
    hundredths = round(value * HUNDRED)
    return f"{hundredths // HUNDRED}.{hundredths % HUNDRED:02}"
