"""How many complaints were found true: folded from their entries alone, and merged for safety.

A complaint counts once its time for corrections has passed (`published`); overturned later, it is
corrected in the open, and the figure that was published stays. Small figures would point at single
people: they are merged with others until none is below the threshold. They are not left blank,
because a blank can be found again by subtracting. Only months that are over are told, so that
nobody can watch a figure rise on the day somebody's complaint was decided.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any, Final

from audit.entries import Entry

THRESHOLD: Final = 3
PUBLISHED, CORRECTED = "published", "corrected"
# Steps that say whose matter a complaint was; the last one done is right.
NAMING: Final = frozenset({"verify", "final_review", "check_figures"})
CLASSING: Final = "accept"


@dataclass(frozen=True, slots=True)
class Change:
    """A complaint begins to count under a unit and a class, or (corrected) counts no more.

    since: when it began to count, for a correction.
    """

    at: datetime
    unit: str
    category: str
    corrected: bool = False
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Cell:
    """A published figure: complaints about these units, of these classes."""

    units: tuple[str, ...]
    categories: tuple[str, ...]
    count: int


@dataclass(frozen=True, slots=True)
class Period:
    """One or more months (`2026-09`) published together; cells add up to total.

    corrections: month of a correction -> how many of this period were taken back in it.
    """

    first: str
    last: str
    cells: tuple[Cell, ...]
    total: int
    corrections: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Publication:
    """All that is published, oldest period first.

    waiting: whether the last months hold fewer than the threshold, to be told with a later one.
    """

    periods: tuple[Period, ...]
    waiting: bool
    threshold: int


def changes(entries: Iterable[Entry]) -> Iterator[Change]:
    """When one complaint began to count and when it ceased to, from its entries in order."""
    unit = category = ""
    counted: Change | None = None
    for entry in entries:
        data = entry.data
        if entry.type == "case.opened":
            unit, category = data["place"]["unit"], data["category"]
        elif entry.type == "task.completed":
            unit, category = _named(data, unit, category)
        elif entry.type == "case.advanced":
            for passed in data["path"]:
                now = Change(entry.at, unit, category) if passed == PUBLISHED else None
                if passed not in (PUBLISHED, CORRECTED) or _same(counted, now):
                    continue
                if counted is not None:
                    yield Change(entry.at, counted.unit, counted.category, True, counted.at)
                if now is not None:
                    yield now
                counted = now


def _named(data: Mapping[str, Any], unit: str, category: str) -> tuple[str, str]:
    element, form = data["task"].partition("#")[0], data["form"]
    if element in NAMING:
        unit = form.get("unit") or unit
    if element == CLASSING:
        category = form.get("category") or category
    return unit, category


def _same(counted: Change | None, now: Change | None) -> bool:
    if counted is None or now is None:
        return counted is now
    return (counted.unit, counted.category) == (now.unit, now.category)


# --- publishing -----------------------------------------------------------------------------------


def publication(
    told: Iterable[Change],
    *,
    until: datetime,
    zone: tzinfo,
    unit_of: Callable[[str], str],
    threshold: int = THRESHOLD,
) -> Publication:
    """What is published of these changes, of all complaints, by an instant.

    until: the beginning of the month that still runs. unit_of: under which unit another's figures
    are told (its community, say).
    """
    known = [one for one in told if one.at < until]
    counts: defaultdict[str, Counter[tuple[str, str]]] = defaultdict(Counter)
    taken_back: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for one in known:
        if one.corrected and one.since is not None:
            taken_back[_month(one.since, zone)][_month(one.at, zone)] += 1
        else:
            counts[_month(one.at, zone)][unit_of(one.unit), one.category] += 1
    groups, left = _filled(counts, threshold)
    periods = (_period(months, counts, taken_back, threshold) for months in groups)
    return Publication(tuple(periods), bool(left), threshold)


def _month(at: datetime, zone: tzinfo) -> str:
    return f"{at.astimezone(zone):%Y-%m}"


def _filled(
    counts: Mapping[str, Counter[tuple[str, str]]], threshold: int
) -> tuple[list[list[str]], list[str]]:
    """The months in groups that reach the threshold, and the last ones that do not yet."""
    groups, open_ = [], list[str]()
    for month in sorted(counts):
        open_.append(month)
        if sum(counts[one].total() for one in open_) >= threshold:
            groups.append(open_)
            open_ = []
    return groups, open_


def _period(
    months: Sequence[str],
    counts: Mapping[str, Counter[tuple[str, str]]],
    taken_back: Mapping[str, Counter[str]],
    threshold: int,
) -> Period:
    whole: Counter[tuple[str, str]] = Counter()
    corrections: Counter[str] = Counter()
    for month in months:
        whole += counts[month]
        corrections += taken_back.get(month, Counter())
    cells = merged(whole, threshold)
    return Period(months[0], months[-1], cells, whole.total(), tuple(sorted(corrections.items())))


def merged(counts: Mapping[tuple[str, str], int], threshold: int) -> tuple[Cell, ...]:
    """Figures by unit and class, merged until none is below the threshold.

    First the small classes of a unit with each other, then small units with each other. counts: in
    all at least the threshold. Returns cells that share nothing and leave nothing out.
    """
    by_unit: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for (unit, category), count in counts.items():
        by_unit[unit][category] = count
    totals = {unit: sum(classes.values()) for unit, classes in by_unit.items()}
    pool = {unit: total for unit, total in totals.items() if total < threshold}
    if pool and sum(pool.values()) < threshold:
        # Too few even together: the smallest of the others is told with them, as one.
        least = min((u for u in totals if u not in pool), key=lambda u: (totals[u], u))
        pool[least] = totals[least]
    cells = [_cell(units, by_unit) for units in _groups(pool, threshold)]
    for unit in by_unit.keys() - pool.keys():
        for classes in _groups(by_unit[unit], threshold):
            count = sum(by_unit[unit][one] for one in classes)
            cells.append(Cell((unit,), tuple(sorted(classes)), count))
    return tuple(sorted(cells, key=lambda cell: (cell.units, cell.categories)))


def _cell(units: Sequence[str], by_unit: Mapping[str, Mapping[str, int]]) -> Cell:
    classes = {category for unit in units for category in by_unit[unit]}
    count = sum(sum(by_unit[unit].values()) for unit in units)
    return Cell(tuple(sorted(units)), tuple(sorted(classes)), count)


def _groups(counts: Mapping[str, int], threshold: int) -> list[list[str]]:
    """The keys in groups that reach the threshold, small ones together."""
    groups, open_ = [], list[str]()
    for key in sorted(counts, key=lambda one: (counts[one], one)):
        open_.append(key)
        if sum(counts[one] for one in open_) >= threshold:
            groups.append(open_)
            open_ = []
    if open_:
        groups[-1] += open_
    return groups
