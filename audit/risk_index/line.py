"""管控指数（条）: the index of each department that is called, with every part of it. Pure, exact.

The same sum, bands and strata as for communities. Arrivals are no share: what nine tenths of the
calls were answered within, in per cent of the limit, is drawn by as many supposed calls as stand
beside a share, each answered as the stratum's were in the period before.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from fractions import Fraction
from typing import Final

from audit.metrics.contributions import Contribution
from audit.metrics.proportion import wilson
from audit.risk_index.index import Index, summed
from audit.risk_index.parts import (
    NOTHING,
    ONE,
    Part,
    Share,
    exact,
    median,
    share_part,
    usual,
)
from audit.risk_index.told import Told, anyhow, by_unit, hits, rest, shares
from audit.risk_index.weights import HUNDRED, Weights

NINE_TENTHS: Final = Fraction(9, 10)


@dataclass(frozen=True, slots=True)
class Done:
    """Of one department in a period. shares: by part.

    arrivals: of each call that counts, in how many per cent of its limit it was answered, rising;
    at most what the file says, which is also that of a call never answered.
    """

    shares: Mapping[str, Share]
    arrivals: Sequence[Fraction]


def line_indices(now: Told, before: Told, weights: Weights) -> list[Index]:
    """The index of every department of the file, by id; never in the order of its value.

    before: the period before, as it stood at its own end.
    """
    told, earlier = (_done(one, weights) for one in (now, before))
    strata = set(weights.departments.values())
    priors = {stratum: _priors(earlier, weights, stratum) for stratum in strata}
    return [
        summed(
            unit, stratum, _parts(told[unit], *priors[stratum], weights), weights.bands
        )
        for unit, stratum in sorted(weights.departments.items())
    ]  # fmt: skip


# --- what each did --------------------------------------------------------------------------------


def _done(told: Told, weights: Weights) -> dict[str, Done]:
    rows = told.rows
    rates = {
        "on_time": shares(rows["arrived_in_time"], anyhow, by_unit, hits),
        "not_dodged": shares(rows["dodged"], anyhow, by_unit, rest),
        "in_time": shares(rows["in_time"], anyhow, by_unit, hits),
        "evaluated": shares(rows["evaluated"], anyhow, by_unit, hits),
        "closings_true": shares(rows["refuted"], anyhow, by_unit, rest),
    }
    came = _arrivals(rows, weights.numbers["arrival_percent"])
    return {
        unit: Done(
            {part: found.get(unit, NOTHING) for part, found in rates.items()},
            sorted(came.get(unit, ())),
        )
        for unit in weights.departments
    }


def _arrivals(
    rows: Mapping[str, Iterable[Contribution]], most: int
) -> Mapping[str, Sequence[Fraction]]:
    """The calls that count in 准时报到率, by department: who was released is in neither."""
    took = {one.case: one for one in rows["until_arrival"] if one.of}
    found = defaultdict[str, list[Fraction]](list)
    for call in rows["arrived_in_time"]:
        if call.of and call.case in took:
            found[call.unit].append(_percent(took[call.case], most))
    return found


def _percent(one: Contribution, most: int) -> Fraction:
    """Whole per cent of the limit, rounded up; the most of a call that was never answered."""
    if one.minutes is None:
        return Fraction(most)
    allowed = one.minutes if one.allowed is None else one.allowed
    return Fraction(min(most, -(-one.minutes * HUNDRED // max(allowed, 1))))


# --- the sum --------------------------------------------------------------------------------------


def _priors(
    earlier: Mapping[str, Done], weights: Weights, stratum: str
) -> tuple[Mapping[str, Fraction], Fraction]:
    """Of the stratum's members in the period before: the median share of each part, and percent."""
    numbers = weights.numbers
    else_ = usual(numbers["prior_percent"])
    members = [earlier[unit] for unit, of in weights.departments.items() if of == stratum]
    found = {
        part: median(value for one in members if (value := one.shares[part].value) is not None)
        for part in members[0].shares
    }
    came = [nine_tenths(one.arrivals) for one in members if one.arrivals]
    percent = median(came)
    if percent is None:
        percent = numbers["arrival_percent"] - else_ * (numbers["arrival_percent"] - HUNDRED)
    return {part: else_ if value is None else value for part, value in found.items()}, percent


def _parts(
    told: Done, priors: Mapping[str, Fraction], percent: Fraction, weights: Weights
) -> Iterator[Part]:
    shrinkage = weights.numbers["shrinkage"]
    for name, weight in weights.line.items():
        if name == "arrival":
            yield _arrival(weight, told.arrivals, percent, weights.numbers)
        else:
            yield share_part(name, weight, told.shares[name], priors[name], shrinkage)


def _arrival(
    weight: int, arrivals: Sequence[Fraction], prior: Fraction, numbers: Mapping[str, int]
) -> Part:
    all_ = sorted([*arrivals, *[prior] * numbers["shrinkage"]])
    most = numbers["arrival_percent"]
    late, early = (_value(all_[rank], most) for rank in _ranks(len(all_)))
    counts = {"of": len(arrivals)}
    if arrivals:
        counts["percent"] = int(nine_tenths(arrivals))
    value = _value(nine_tenths(all_), most)
    return Part("arrival", weight, value, (exact(late), exact(early)), counts, prior)


def _value(percent: Fraction, most: int) -> Fraction:
    """All within the limit, nothing at `most` per cent of it, evenly in between."""
    return ONE - min(ONE, max(Fraction(0), percent - HUNDRED) / (most - HUNDRED))


def _ranks(n: int) -> tuple[int, int]:
    """Between which ranks, from 0, nine tenths of n lie: those of the interval of nine tenths."""
    low, high = wilson(NINE_TENTHS * n, n) or (Decimal(0), Decimal(1))
    return tuple(_rank(end * n) for end in (high, low))  # type: ignore[return-value]


def _rank(place: Decimal) -> int:
    return max(0, int(place.to_integral_value(ROUND_CEILING)) - 1)


def nine_tenths(rising: Sequence[Fraction]) -> Fraction:
    """What nine tenths of these do not exceed, by nearest rank; one of them."""
    return rising[max(0, -(-len(rising) * 9 // 10) - 1)]
