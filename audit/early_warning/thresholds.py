"""The file of early warning: which metric, of which groups, crosses which line."""

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from audit.metrics.catalogue import METRICS
from audit.metrics.formulas import Formulas
from audit.whole_numbers import whole

STREET: Final = "street"
BY: Final = (STREET, "community", "grid", "unit")
# Which tests there are of which kind of metric.
TESTS: Final[Mapping[str, tuple[str, ...]]] = {
    "rate": ("below", "above", "fell", "rose"),
    "duration": ("median_above", "p90_above"),
    "count": ("count_above", "sum_above"),
}
# Those that compare with the month before.
COMPARING: Final = ("fell", "rose")
_WORDS: Final = ("name", "name_en", "asks", "asks_en")


class BadThresholds(ValueError):
    """The file of early warning cannot be read, or asks for what cannot be told."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """One line. by: one of BY. test: one of TESTS; limit: per cent, points, hours, or a count.

    asks: what whoever gets the warning is asked.
    """

    id: str
    name: str
    name_en: str
    metric: str
    by: str
    test: str
    limit: int
    asks: str
    asks_en: str


@dataclass(frozen=True, slots=True)
class Thresholds:
    """All lines of one version, by id. sha256: of the file, hex."""

    version: int
    sha256: str
    rules: Mapping[str, Threshold]


def read_thresholds(toml: bytes, formulas: Formulas) -> Thresholds:
    """Read the file; workflows/early_warning/thresholds.toml shows the format.

    formulas: they say which processes are confidential. Raises BadThresholds.
    """
    try:
        told = tomllib.loads(toml.decode())
        return Thresholds(
            whole(told, "version"),
            hashlib.sha256(toml).hexdigest(),
            {id_: _threshold(id_, one, formulas) for id_, one in told["rules"].items()},
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadThresholds(f"the file of early warning is wrong: {error}") from None


def _threshold(id_: str, told: Mapping[str, Any], formulas: Formulas) -> Threshold:
    metric = METRICS[told["metric"]]
    tests = [name for name in told if name not in (*_WORDS, "metric", "by")]
    if len(tests) != 1 or tests[0] not in TESTS[metric.kind]:
        raise ValueError(f"{id_}: one of {', '.join(TESTS[metric.kind])}, not {tests}")
    if told["by"] not in BY:
        raise ValueError(f"{id_}: by is one of {', '.join(BY)}")
    if formulas.of(metric.process).confidential and told["by"] != STREET:
        raise ValueError(f"{id_}: {metric.id} is confidential, and told of a street alone")
    return Threshold(
        id=id_, metric=metric.id, by=told["by"], test=tests[0], limit=whole(told, tests[0]),
        **{name: _words(id_, told, name) for name in _WORDS},
    )  # fmt: skip


def _words(id_: str, told: Mapping[str, Any], name: str) -> str:
    words = told[name]
    if type(words) is not str or not words.strip():
        raise ValueError(f"{id_}: {name} says nothing")
    return words
