"""Hazards and whistles of a street by community, as anybody may read them: counts, from the log.

Nobody is ranked, and no figure is small: communities are told together until every figure of a row,
and everything that subtracting its figures gives, is nothing or at least the threshold. Nothing is
left blank, because a blank can be found again. Where the whole street has too few of something
(overdue, say), that something is not told apart at all.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from statistics import median
from typing import Final

from audit.entries import Entry
from audit.publication import THRESHOLD, Cell, merged
from audit.together import together

# Elements of the hazard process: what is assigned is a hazard; what is closed was put right.
ASSIGNED, CLOSING = "assign", "close"
# The columns, from all of them to the least that can be told.
FULL: Final = ("reported", "confirmed", "rectified", "in_time", "median_days", "open", "overdue")
_LEFT_OUT: Final = (
    (), ("overdue",), ("confirmed",), ("confirmed", "overdue"), ("confirmed", "in_time", "overdue"),
    ("confirmed", "open", "overdue"), ("confirmed", "in_time", "open", "overdue"), FULL[1:],
)  # fmt: skip
COLUMNS: Final = tuple(tuple(n for n in FULL if n not in out) for out in _LEFT_OUT)


@dataclass(frozen=True, slots=True)
class Fate:
    """How far one case had come. late: some step of it missed its limit; overdue: one does now.

    days: from report to closing, None while it is not closed or was reopened. ended: it is over.
    """

    opened: datetime
    unit: str
    category: str
    imported: bool
    confirmed: bool
    days: float | None
    late: bool
    overdue: bool
    ended: bool


@dataclass(frozen=True, slots=True)
class Row:
    """Figures of one community, or of several told together; what is not told apart is None.

    median_days: half of those put right took no longer, in whole days begun.
    """

    units: tuple[str, ...]
    reported: int
    confirmed: int | None = None
    rectified: int | None = None
    in_time: int | None = None
    median_days: int | None = None
    open: int | None = None
    overdue: int | None = None


@dataclass(frozen=True, slots=True)
class Published:
    """What is published. columns: which figures every row has, the same for all.

    whole: the street in one row, with all figures large enough for it; None where it has fewer
    hazards than the threshold, and then there are no rows. categories: reported hazards by row and
    category, adding up to the rows.
    """

    columns: tuple[str, ...]
    whole: Row | None
    rows: tuple[Row, ...]
    categories: tuple[Cell, ...]
    threshold: int


# Units told together, and their cases.
_Group = tuple[tuple[str, ...], list[Fate]]


# --- one case -------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Open:
    steps: set[str] = field(default_factory=set)
    overdue: set[str] = field(default_factory=set)


def fate(entries: Sequence[Entry]) -> Fate:
    """How far a case had come by the last of these entries of it."""
    first = entries[0]
    closed: datetime | None = None
    confirmed = late = ended = False
    now = _Open()
    for entry in entries:
        if entry.type == "overdue.opened":
            now.overdue.add(entry.data["task"])
            late = True
        elif entry.type == "task.completed" and _element(entry.data["task"]) == CLOSING:
            closed = entry.at
        elif entry.type == "case.advanced":
            assigned = _moved(now, entry)
            confirmed = confirmed or assigned
            closed = None if assigned else closed
            ended = ended or "ended" in entry.data
    return Fate(
        opened=first.at,
        unit=first.data["place"]["unit"],
        category=first.data["category"],
        imported="imported" in first.data,
        confirmed=confirmed,
        days=None if closed is None else (closed - first.at).total_seconds() / 86_400,
        late=late,
        overdue=bool(now.overdue & now.steps),
        ended=ended,
    )


def _moved(now: _Open, entry: Entry) -> bool:
    """Keep which steps are open; whether this move opened the assigning of the hazard."""
    now.steps -= {row["task"] for row in entry.data.get("closed", ())}
    opened = [row["task"] for row in entry.data.get("opened", ())]
    now.steps |= set(opened)
    return ASSIGNED in map(_element, opened)


def _element(task: str) -> str:
    return task.partition("#")[0]


# --- many -----------------------------------------------------------------------------------------


def hazards(
    fates: Iterable[Fate],
    *,
    since: datetime,
    until: datetime,
    unit_of: Callable[[str], str],
    threshold: int = THRESHOLD,
) -> Published:
    """What is published of hazards reported in this half-open interval.

    unit_of: under which unit another's figures are told (its community). Imported ones are left
    out: how they were handled stands in the other system.
    """
    by_unit: dict[str, list[Fate]] = {}
    for one in fates:
        if since <= one.opened < until and not one.imported:
            by_unit.setdefault(unit_of(one.unit), []).append(one)
    everything = [one for group in by_unit.values() for one in group]
    fitting = [one for one in COLUMNS if everything and _fit(everything, one, threshold)]
    if not fitting:
        return Published(COLUMNS[-1], None, (), (), threshold)
    columns, groups = _telling(by_unit, fitting, threshold)
    rows = [_row(units, cases, columns) for units, cases in groups]
    counted = Counter((_joined(units), one.category) for units, cases in groups for one in cases)
    cells = [
        Cell(tuple(cell.units[0].split("+")), cell.categories, cell.count)
        for cell in merged(counted, threshold)
    ]
    whole = _row(tuple(sorted(by_unit)), everything, fitting[0])
    return Published(columns, whole, tuple(rows), tuple(cells), threshold)


def _telling(
    by_unit: Mapping[str, list[Fate]], fitting: Sequence[tuple[str, ...]], threshold: int
) -> tuple[tuple[str, ...], list[_Group]]:
    """As many figures as leave half of the communities apart, else as few as there are."""
    for columns in fitting:
        groups = _together(by_unit, columns, threshold)
        if 2 * len(groups) >= len(by_unit):
            return columns, groups
    return fitting[-1], _together(by_unit, fitting[-1], threshold)


def _together(
    by_unit: Mapping[str, list[Fate]], columns: tuple[str, ...], threshold: int
) -> list[_Group]:
    """The units in groups of which every figure is large enough, small ones with small ones."""
    return together(by_unit, lambda cases: _fit(cases, columns, threshold))


def _fit(cases: Sequence[Fate], columns: tuple[str, ...], threshold: int) -> bool:
    return not any(0 < count < threshold for count in _parts(cases, columns))


def _parts(cases: Sequence[Fate], columns: tuple[str, ...]) -> list[int]:
    """The figures that share nothing, which everything told is a sum of."""
    row = _counted(cases)
    if "rectified" not in columns:
        return [row["reported"]]
    parts, rest = [row["rectified"]], row["reported"] - row["rectified"]
    if "open" in columns:
        going = row["confirmed"] - row["rectified"] if "confirmed" in columns else 0
        parts += [going, row["open"] - going]
        rest -= row["open"]
    parts.append(rest)
    if "in_time" in columns:
        parts += [row["in_time"], row["rectified"] - row["in_time"]]
    if "overdue" in columns:
        parts += [row["overdue"], row["open"] - row["overdue"]]
    return parts


def _counted(cases: Sequence[Fate]) -> dict[str, int]:
    done = [one for one in cases if one.days is not None]
    # A hazard put right is no longer counted as open, though it may still be watched over.
    open_ = [one for one in cases if one.days is None and not one.ended]
    confirmed = [one for one in cases if one.days is not None or (one.confirmed and not one.ended)]
    return {
        "reported": len(cases),
        "confirmed": len(confirmed),
        "rectified": len(done),
        "in_time": sum(not one.late for one in done),
        "open": len(open_),
        "overdue": sum(one.overdue for one in open_),
    }


def _row(units: tuple[str, ...], cases: Sequence[Fate], columns: tuple[str, ...]) -> Row:
    counted: dict[str, int | None] = {**_counted(cases)}
    days = [one.days for one in cases if one.days is not None]
    counted["median_days"] = max(1, math.ceil(median(days))) if days else None
    told = {name: value for name, value in counted.items() if name in columns}
    return Row(units, **told)  # type: ignore[arg-type]  # `reported` is always among the columns


def _joined(units: Sequence[str]) -> str:
    return "+".join(units)


# --- whistles -------------------------------------------------------------------------------------


def whistles(
    fates: Iterable[Fate],
    *,
    since: datetime,
    until: datetime,
    unit_of: Callable[[str], str],
    threshold: int = THRESHOLD,
) -> tuple[Cell, ...]:
    """How many whistles were blown in each community in this interval; () where there are few."""
    told = [one for one in fates if since <= one.opened < until and not one.imported]
    if len(told) < threshold:
        return ()
    return merged(Counter((unit_of(one.unit), "") for one in told), threshold)
