"""What cases contribute to each metric in a period: all that the figures of it rest on."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from audit.metrics.catalogue import METRICS, Metric
from audit.metrics.formulas import Roles
from audit.metrics.marks import Mark, Seen

# What a case can have had that could hide work, and the act by which it had it.
_BY_ACT: Final = {"paused": "pause.granted", "extended": "extension.granted"}
_BY_END: Final = ("merged", "void")


@dataclass(frozen=True, slots=True)
class Contribution:
    """A mark without its case. had: of paused, extended, merged, void what the case had been.

    path: the place that counts, from the smallest unit up. category: the class of the case.
    Everything else is as in `Mark`.
    """

    case: str
    path: tuple[str, ...]
    category: str
    had: tuple[str, ...]
    at: datetime
    unit: str
    hits: int
    of: int
    reason: str
    apart: str
    minutes: int | None
    entry: int
    allowed: int | None = None


def contributions(
    all_: Seen, metrics: Iterable[str] = tuple(METRICS)
) -> dict[str, list[Contribution]]:
    """Of every metric, or of these, what the cases contribute, by its id."""
    return {name: _contributed(METRICS[name], all_) for name in metrics}


def _contributed(metric: Metric, all_: Seen) -> list[Contribution]:
    roles = all_.roles(metric.process)
    return [_told(mark, roles) for mark in metric.marks(all_)]


def _told(mark: Mark, roles: Roles) -> Contribution:
    case = mark.case
    acts = {act.type for act in case.acts}
    had = [name for name, act in _BY_ACT.items() if act in acts]
    had += [name for name in _BY_END if case.first_passed(roles[name])]
    return Contribution(
        case.case, mark.path or case.path, case.category, tuple(had), mark.at, mark.unit,
        mark.hits, mark.of, mark.reason, mark.apart, mark.minutes, mark.entry,
        mark.allowed,
    )  # fmt: skip


def within(
    told: Mapping[str, Sequence[Contribution]], place: str
) -> dict[str, Sequence[Contribution]]:
    """Of these only what happened in a unit or below it; "" for everywhere."""
    return {metric: _in(rows, place) for metric, rows in told.items()}


def _in(rows: Iterable[Contribution], place: str) -> Sequence[Contribution]:
    return [one for one in rows if not place or place in one.path]
