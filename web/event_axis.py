"""时间轴: the events of a case on one line, a mark for each instant, each leading to that instant.

Pure. Marks stand where their time falls, pushed apart so that each can be met with a finger; of a
very long story neighbours share a mark.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby, pairwise
from typing import Final, Literal

from audit.reports.facts import TimelineRow
from web.quantities import ZONE

Shape = Literal["act", "late", "machine"]

WIDTH: Final = 960
EDGE: Final = 14
APART: Final = 24
MOST: Final = (WIDTH - 2 * EDGE) // APART
LABEL_APART: Final = 90


@dataclass(frozen=True, slots=True)
class Mark:
    """What was recorded at one instant, or at a few that stand too close: the last number of it."""

    x: float
    seq: int
    at: datetime
    shape: Shape
    count: int


@dataclass(frozen=True, slots=True)
class DayLabel:
    """Where a day begins on the line; at: an instant of it."""

    x: float
    at: datetime


@dataclass(frozen=True, slots=True)
class EventAxis:
    """The line: its marks, its days, and where the reader stands."""

    marks: tuple[Mark, ...]
    labels: tuple[DayLabel, ...]
    here: float


def event_axis(timeline: Sequence[TimelineRow], shown: int | None) -> EventAxis:
    """The axis of all entries of a case; shown: the number the page stops at, None for now."""
    groups = _groups(timeline)
    places = _places([group[-1].at for group in groups])
    marks = tuple(_mark(group, x) for group, x in zip(groups, places, strict=True))
    here = next((mark.x for mark in marks if shown is not None and mark.seq >= shown), WIDTH - 4)
    return EventAxis(marks, tuple(_labels(marks)), here)


def _groups(timeline: Sequence[TimelineRow]) -> list[list[TimelineRow]]:
    """Entries of one instant together: what a machine computed belongs to what caused it."""
    groups = [list(rows) for _, rows in groupby(timeline, key=lambda row: row.at)]
    size = -(-len(groups) // MOST)
    parts = [groups[start : start + size] for start in range(0, len(groups), size)]
    return [[row for group in part for row in group] for part in parts]


def _places(instants: Sequence[datetime]) -> list[float]:
    """By their time between both ends, none nearer than APART to the next."""
    first, whole = instants[0], (instants[-1] - instants[0]).total_seconds() or 1.0
    room = WIDTH - 2 * EDGE
    places = [EDGE + room * (at - first).total_seconds() / whole for at in instants]
    for index in range(1, len(places)):
        places[index] = max(places[index], places[index - 1] + APART)
    last: float = WIDTH - EDGE
    for index in range(len(places) - 1, -1, -1):
        places[index] = min(places[index], last)
        last = places[index] - APART
    return [round(x, 1) for x in places]


def _mark(rows: Sequence[TimelineRow], x: float) -> Mark:
    kinds = {row.kind for row in rows}
    shape: Shape = "late" if "late" in kinds else "act" if kinds & {"act", "turn"} else "machine"
    return Mark(x, rows[-1].seq, rows[-1].at, shape, len(rows))


def _labels(marks: Sequence[Mark]) -> Iterator[DayLabel]:
    last = -LABEL_APART * 1.0
    days = [mark.at.astimezone(ZONE).date() for mark in marks]
    begins = [True, *(before != after for before, after in pairwise(days))]
    for mark, begin in zip(marks, begins, strict=True):
        if begin and mark.x - last >= LABEL_APART and mark.x <= WIDTH - LABEL_APART:
            last = mark.x
            yield DayLabel(mark.x, mark.at)
