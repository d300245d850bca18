"""The file of the index: weights, numbers, bands, households and strata, under one version."""

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from audit.whole_numbers import whole, wholes

PARTS: Final = (
    "patrols", "self_found", "in_time", "overdue", "closings_true", "solved", "found_true",
)  # fmt: skip
NUMBERS: Final = ("shrinkage", "prior_percent", "overdue_days", "complaints", "suppressed")
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
    """All of one version. sha256: of the file, hex. parts: in parts of a hundred, by name."""

    version: int
    sha256: str
    parts: Mapping[str, int]
    numbers: Mapping[str, int]
    bands: Bands
    communities: Mapping[str, Community]


def read_weights(toml: bytes) -> Weights:
    """Read the file (workflows/risk_index/weights.toml shows the format). Raises BadWeights."""
    try:
        told = tomllib.loads(toml.decode())
        return Weights(
            whole(told, "version"),
            hashlib.sha256(toml).hexdigest(),
            _parts(_exactly(told["weights"], PARTS)),
            _numbers(_exactly(told["numbers"], NUMBERS)),
            _bands(told["bands"]),
            {unit: _community(one) for unit, one in told["communities"].items()},
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadWeights(f"the file of the index is wrong: {error}") from None


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
    return told


def _bands(told: Mapping[str, Any]) -> Bands:
    found = Bands(*(whole(told, name) for name in Bands.__slots__))
    if not found.orange_from <= found.yellow_from <= found.blue_above <= HUNDRED:
        raise ValueError("the bands do not follow each other")
    return found


def _community(told: Mapping[str, Any]) -> Community:
    households, stratum = whole(told, "households"), told["stratum"]
    if not households or type(stratum) is not str or not stratum:
        raise ValueError(f"{dict(told)} lacks households or a stratum")
    return Community(households, stratum)
