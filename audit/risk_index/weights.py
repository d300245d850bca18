"""The file of the index: weights, numbers, bands, households and strata, under one version."""

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from audit.metrics.accidents import LEVELS
from audit.whole_numbers import whole, wholes

BLOCK: Final = (
    "patrols", "self_found", "in_time", "overdue", "closings_true", "solved", "found_true",
)  # fmt: skip
LINE: Final = ("on_time", "arrival", "not_dodged", "in_time", "evaluated", "closings_true")
NUMBERS: Final = (
    "shrinkage", "prior_percent", "overdue_days", "complaints", "arrival_percent", "suppressed",
    "objection_days",
)  # fmt: skip
# The longest that objections may be waited for.
MOST_DAYS: Final = 60
HUNDRED: Final = 100


class BadWeights(ValueError):
    """The file of the index cannot be read, lacks something, or does not add up."""


@dataclass(frozen=True, slots=True)
class Community:
    """How many households live in a community, and with which it is compared."""

    households: int
    stratum: str


@dataclass(frozen=True, slots=True)
class Bands:
    """Blue above one boundary, yellow from another on, orange from a third on, red below."""

    blue_above: int
    yellow_from: int
    orange_from: int


@dataclass(frozen=True, slots=True)
class Weights:
    """All of one version. sha256: of the file, hex.

    block, line: weights of the parts in parts of a hundred, by name. departments: their strata.
    ranking: whether ranks are told. accidents: points off by level; empty in a file that is older
    than accidents are recorded, or takes nothing off for them.
    """

    version: int
    sha256: str
    ranking: bool
    block: Mapping[str, int]
    line: Mapping[str, int]
    numbers: Mapping[str, int]
    bands: Bands
    communities: Mapping[str, Community]
    departments: Mapping[str, str]
    accidents: Mapping[str, int]


def read_weights(toml: bytes) -> Weights:
    """Read the file (workflows/risk_index/weights.toml shows the format). Raises BadWeights."""
    try:
        told = tomllib.loads(toml.decode())
        return Weights(
            whole(told, "version"),
            hashlib.sha256(toml).hexdigest(),
            _ranking(told["ranking"]),
            _parts(_exactly(told["block"], BLOCK)),
            _parts(_exactly(told["line"], LINE)),
            _numbers(_exactly(told["numbers"], NUMBERS)),
            _bands(told["bands"]),
            {unit: _community(one) for unit, one in told["communities"].items()},
            {unit: _stratum(one) for unit, one in told["departments"].items()},
            _exactly(told["accidents"], LEVELS) if "accidents" in told else {},
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BadWeights(f"the file of the index is wrong: {error}") from None


def _ranking(told: Any) -> bool:
    if type(told) is not bool:
        raise ValueError("ranking is true or false")
    return told


def _exactly(told: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, int]:
    if set(told) != set(names):
        raise ValueError(f"{sorted(set(told) ^ set(names))} missing or unknown")
    return wholes(told)


def _parts(told: dict[str, int]) -> dict[str, int]:
    if sum(told.values()) != HUNDRED:
        raise ValueError(f"the weights add up to {sum(told.values())}, not to {HUNDRED}")
    return told


def _numbers(told: dict[str, int]) -> dict[str, int]:
    nothing = [name for name in ("shrinkage", "overdue_days", "complaints") if not told[name]]
    if nothing:
        raise ValueError(f"{nothing} must not be 0")
    if told["prior_percent"] > HUNDRED:
        raise ValueError("prior_percent is more than 100")
    if told["arrival_percent"] <= HUNDRED:
        raise ValueError("arrival_percent is not more than 100")
    if not 0 < told["objection_days"] <= MOST_DAYS:
        raise ValueError(f"objection_days is not from 1 to {MOST_DAYS}")
    return told


def _bands(told: Mapping[str, Any]) -> Bands:
    found = Bands(*(whole(told, name) for name in Bands.__slots__))
    if not found.orange_from <= found.yellow_from <= found.blue_above <= HUNDRED:
        raise ValueError("the bands do not follow each other")
    return found


def _community(told: Mapping[str, Any]) -> Community:
    households, stratum = whole(told, "households"), _stratum(told)
    if not households:
        raise ValueError(f"{dict(told)} lacks households")
    return Community(households, stratum)


def _stratum(told: Mapping[str, Any]) -> str:
    stratum = told["stratum"]
    if type(stratum) is not str or not stratum:
        raise ValueError(f"{dict(told)} lacks a stratum")
    return stratum
