"""What Prometheus reads: the text format, version 0.0.4. Pure.

Written by hand because it is these few lines:
https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

MEDIA: Final = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Sample:
    """One value. suffix: what follows the family's name (`_bucket`, `_sum`, `_count`)."""

    value: float
    labels: Mapping[str, str]
    suffix: str = ""


@dataclass(frozen=True, slots=True)
class Family:
    """One metric with all its samples. kind: counter, gauge or histogram."""

    name: str
    kind: str
    help: str
    samples: tuple[Sample, ...]


def expose(families: Iterable[Family]) -> str:
    """All families, each under its help and its type; one without samples is left out."""
    return "".join(_family(one) for one in families if one.samples)


def _family(one: Family) -> str:
    told = one.help.replace("\\", "\\\\").replace("\n", "\\n")
    head = f"# HELP {one.name} {told}\n# TYPE {one.name} {one.kind}\n"
    return head + "".join(f"{one.name}{_sample(sample)}\n" for sample in one.samples)


def _sample(one: Sample) -> str:
    labels = ",".join(f'{name}="{_escaped(value)}"' for name, value in one.labels.items())
    return f"{one.suffix}{f'{{{labels}}}' if labels else ''} {one.value!r}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
