"""Ranks, where a street has them told: within a stratum, and not where chance may have made them.

Ties share a rank. Whose interval overlaps that of a unit with another index has no rank, nor has a
unit of which mostly its stratum speaks; the band says what can be said.
"""

from collections.abc import Sequence
from typing import Final

from audit.risk_index.index import Index

# Of the hundred, so much has to rest on enough cases of the unit's own.
ENOUGH: Final = 50


def ranks(told: Sequence[Index]) -> dict[str, int]:
    """The rank of each unit of which one can be told, from 1 within its stratum."""
    return {
        one.unit: 1 + sum(other.value > one.value for other in _alike(one, told))
        for one in told
        if one.backed >= ENOUGH
        and not any(_overlap(one, other) for other in _alike(one, told) if other.value != one.value)
    }


def _alike(one: Index, told: Sequence[Index]) -> list[Index]:
    return [other for other in told if other.stratum == one.stratum and other.unit != one.unit]


def _overlap(one: Index, other: Index) -> bool:
    (low, high), (from_, to) = one.interval, other.interval
    return low <= to and from_ <= high
