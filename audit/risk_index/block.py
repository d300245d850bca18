"""管控指数（块）: the index of each community, with every part it is the sum of. Pure and exact.

Formula: `I = sum of weight x part - deductions`, 0 at least, 100 at most. A part that is a
proportion is drawn towards the median of the stratum in the period before, by so many cases as the
file says: few cases make neither a hero nor a culprit. No weight is given from one part to another.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from fractions import Fraction
from typing import Final

from audit.metrics.marks import Seen
from audit.metrics.proportion import FEWEST
from audit.risk_index.shares import Done, Share, done, median
from audit.risk_index.weights import HUNDRED, PARTS, Bands, Weights

_THOUSAND: Final = 1000
_ONE: Final = Fraction(1)


@dataclass(frozen=True, slots=True)
class Part:
    """One part of an index. value: from 0 to 1.

    share: the counts of a proportion, with `prior`, towards which it is drawn; both None of a part
    that is an amount: then amount (days, complaints) of households.
    """

    name: str
    weight: int
    value: Fraction
    share: Share | None = None
    prior: Fraction | None = None
    amount: int | None = None
    households: int | None = None


@dataclass(frozen=True, slots=True)
class Index:
    """The index of one community in a period. suppressed: for how many points were taken off."""

    unit: str
    stratum: str
    parts: tuple[Part, ...]
    suppressed: int
    value: Fraction
    band: str

    @property
    def backed(self) -> int:
        """Of the hundred, the weight of what rests on amounts or on ten cases of its own or more.

        For the rest mostly the stratum speaks.
        """
        return sum(p.weight for p in self.parts if p.share is None or p.share.of >= FEWEST)


def block_indices(now: Seen, before: Seen, weights: Weights, zone: tzinfo) -> list[Index]:
    """The index of every community of the file, by id; never in the order of its value.

    before: the period before, as it stood at its own end.
    """
    told, earlier = (done(one, weights.communities, zone) for one in (now, before))
    priors = {
        stratum: _priors(earlier, weights, stratum)
        for stratum in {one.stratum for one in weights.communities.values()}
    }
    return [
        _index(unit, told[unit], priors[weights.communities[unit].stratum], weights)
        for unit in sorted(weights.communities)
    ]


def _priors(earlier: Mapping[str, Done], weights: Weights, stratum: str) -> Mapping[str, Fraction]:
    usual = Fraction(weights.numbers["prior_percent"], HUNDRED)
    members = [earlier[u] for u, one in weights.communities.items() if one.stratum == stratum]
    found = {
        part: median(value for one in members if (value := one.shares[part].value) is not None)
        for part in members[0].shares
    }
    return {part: usual if value is None else value for part, value in found.items()}


def _index(unit: str, told: Done, priors: Mapping[str, Fraction], weights: Weights) -> Index:
    parts = tuple(_part(name, told, unit, priors, weights) for name in PARTS)
    off = told.suppressed * weights.numbers["suppressed"]
    value = max(Fraction(0), sum((one.weight * one.value for one in parts), Fraction(0)) - off)
    stratum = weights.communities[unit].stratum
    return Index(unit, stratum, parts, told.suppressed, value, band(value, weights.bands))


def _part(
    name: str, told: Done, unit: str, priors: Mapping[str, Fraction], weights: Weights
) -> Part:
    weight, numbers = weights.parts[name], weights.numbers
    if name == "overdue":
        own = weights.communities[unit].households
        value = _left(told.overdue_days, own, numbers["overdue_days"])
        return Part(name, weight, value, amount=told.overdue_days, households=own)
    if name == "found_true":
        value = _left(told.found_true, told.households, numbers["complaints"])
        return Part(name, weight, value, amount=told.found_true, households=told.households)
    share, prior = told.shares[name], priors[name]
    return Part(name, weight, drawn(share, prior, numbers["shrinkage"]), share, prior)


def drawn(share: Share, prior: Fraction, shrinkage: int) -> Fraction:
    """`(good + shrinkage x prior) / (of + shrinkage)`."""
    return (share.good + shrinkage * prior) / (share.of + shrinkage)


def _left(amount: int, households: int, most: int) -> Fraction:
    """`1 - min(1, amount for each 1,000 households / most)`."""
    return _ONE - min(_ONE, Fraction(amount * _THOUSAND, households * most))


def band(value: Fraction, bands: Bands) -> str:
    """Blue, yellow, orange or red; a boundary belongs to the yellow or orange it begins or ends."""
    if value > bands.blue_above:
        return "blue"
    if value >= bands.yellow_from:
        return "yellow"
    return "orange" if value >= bands.orange_from else "red"


def plain(indices: Sequence[Index]) -> list[dict[str, object]]:
    """The indices as JSON tells them: exact fractions as text beside two decimal places."""
    return [
        {
            "unit": one.unit,
            "stratum": one.stratum,
            "value": points(one.value),
            "exact": str(one.value),
            "band": one.band,
            "backed": one.backed,
            "suppressed": one.suppressed,
            "parts": [_plain(part) for part in one.parts],
        }
        for one in indices
    ]


def _plain(part: Part) -> dict[str, object]:
    told: dict[str, object] = {
        "name": part.name, "weight": part.weight, "value": str(part.value),
        "points": points(part.weight * part.value),
    }  # fmt: skip
    if part.share is not None:
        return told | {
            "good": part.share.good, "of": part.share.of, "prior": str(part.prior),
        }  # fmt: skip
    return told | {"amount": part.amount, "households": part.households}


def points(value: Fraction) -> str:
    """Points with two decimal places, a half to the even digit."""
    hundredths = round(value * HUNDRED)
    return f"{hundredths // HUNDRED}.{hundredths % HUNDRED:02}"
