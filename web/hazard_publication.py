"""The public page of hazards: by community how many were reported, confirmed, put right, in time.

Without signing in, the same for everybody and the same all month long: of the twelve months before
the one that runs, as the log stood when it began (engine.published_hazards). The same as a table
and as data.
"""

import csv
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from io import StringIO
from threading import Lock
from typing import Any, Final

import orjson
from flask import Blueprint, Response, render_template
from sqlalchemy import Connection, Engine

from audit import log
from audit.encoding import timestamp
from audit.hazard_publication import FULL, Row
from engine import published_hazards
from engine.definition_sets import UnknownDefinition, latest
from engine.people import directory
from engine.published_hazards import HAZARD, Figures, Position
from web.frame import street
from web.quantities import ZONE
from web.texts import either, language, later, say
from web.visit import at, reads

pages = Blueprint("hazard_publication", __name__)

HEADS: Final = {
    "reported": later("上报"),
    "confirmed": later("是隐患"),
    "rectified": later("改好"),
    "in_time": later("全程按时"),
    "median_days": later("一半不超过"),
    "open": later("还在办"),
    "overdue": later("已逾期"),
}


@dataclass(frozen=True, slots=True)
class Line:
    """One row as it is told: whose, whether of several together, figures as (head, words)."""

    units: str
    merged: bool
    figures: tuple[tuple[str, str], ...]
    categories: tuple[tuple[str, int], ...]


@pages.get("/public/hazards")
def page() -> str:
    """The page."""
    with reads() as conn:
        found, name = figures(conn, at()), street(directory(conn))
    return render_template(
        "hazard_publication.html",
        street=name,
        heads=[say(HEADS[name]) for name in found.hazards.columns],
        lines=lines(found),
        whole=whole(found),
        total=sum(row.reported for row in found.hazards.rows),
        whistles=[
            (_units(found, cell.units), len(cell.units) > 1, cell.count) for cell in found.whistles
        ],
        position=found.position,
        months=months(found.position),
        threshold=found.hazards.threshold,
    )


@pages.get("/public/hazards.csv")
def table() -> Response:
    """The figures as a table."""
    with reads() as conn:
        return Response(as_csv(figures(conn, at())), mimetype="text/csv")


@pages.get("/public/hazards.json")
def data() -> Response:
    """The figures as data, with the position in the log they were computed from."""
    with reads() as conn:
        return Response(as_json(figures(conn, at())), mimetype="application/json")


# --- from the log ---------------------------------------------------------------------------------


# What was last worked out where no worker has kept anything, by the database, the month and the
# words it was told in.
_told: dict[tuple[Any, ...], Figures] = {}
_working = Lock()


def figures(conn: Connection, now: datetime) -> Figures:
    """What is published now: as the worker kept it, else, in a street of few cases, worked out.

    Raises NotWorkedOut where no worker has been yet.
    """
    until = _begun(now)
    kept = published_hazards.kept(conn, until)
    return _worked_out(conn, until, now) if kept is None else kept


def keep(engine: Engine, now: datetime, stopped: Callable[[], bool] = lambda: False) -> bool:
    """Keep the month's figures, once all that belongs to them is there; whether it was done now."""
    return published_hazards.keep(engine, _begun(now), at=now, stopped=stopped)


def _begun(now: datetime) -> datetime:
    return now.astimezone(ZONE).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def _worked_out(conn: Connection, until: datetime, now: datetime) -> Figures:
    """Once a month and process, while others wait for it."""
    heads = log.register_heads(conn).get("@units", b"")
    place = conn.engine.url, log.origin(conn), until, heads, _digest(conn)
    with _working:
        found = _told.get(place) or published_hazards.work_out(conn, until)
        if published_hazards.is_settled(until, now):
            _told.clear()
            _told[place] = found
    return found


def _digest(conn: Connection) -> str:
    """The definition whose words are told; "" for none."""
    try:
        return latest(conn, HAZARD).digest
    except UnknownDefinition:
        return ""


# --- in words -------------------------------------------------------------------------------------


def lines(found: Figures) -> list[Line]:
    """The rows as they are told, in the order of the communities' names: nobody is ranked."""
    told = [_line(found, row) for row in found.hazards.rows]
    return sorted(told, key=lambda line: line.units)


def whole(found: Figures) -> list[tuple[str, str]]:
    """The figures of the whole street: head and words, those that are large enough to be told."""
    row = found.hazards.whole
    named = [name for name in FULL if row is not None and getattr(row, name) is not None]
    return [(say(HEADS[name]), _figure(row, name)) for name in named if row is not None]


def _line(found: Figures, row: Row) -> Line:
    cells = [cell for cell in found.hazards.categories if cell.units == row.units]
    return Line(
        units=_units(found, row.units),
        merged=len(row.units) > 1,
        figures=tuple((say(HEADS[n]), _figure(row, n)) for n in found.hazards.columns),
        categories=tuple(
            (say("、").join(_category(found, one) for one in cell.categories), cell.count)
            for cell in sorted(cells, key=lambda cell: -cell.count)
        ),
    )


def _figure(row: Row, name: str) -> str:
    value = getattr(row, name)
    if name != "median_days":
        return str(value)
    return "–" if value is None else say("{count} 天", count=value)


def _units(found: Figures, units: Sequence[str]) -> str:
    return say("、").join(found.units.get(unit, unit) for unit in units)


def _category(found: Figures, category: str) -> str:
    return either(*found.categories.get(category, (category, category)))


def as_csv(found: Figures) -> str:
    """One line a row and one a category in it; units merged in one figure are joined by `+`."""
    out = StringIO()
    written = csv.writer(out, lineterminator="\n")
    written.writerow(["what", "units", "classes", *FULL])
    street_ = [found.hazards.whole] if found.hazards.whole else []
    for row in (*street_, *found.hazards.rows):
        told = ["" if getattr(row, name) is None else getattr(row, name) for name in FULL]
        written.writerow(["hazards", _plain(found, row.units), "", *told])
    for cell in found.hazards.categories:
        classes = "+".join(cell.categories)
        written.writerow(["hazards", _plain(found, cell.units), classes, cell.count])
    for cell in found.whistles:
        written.writerow(["whistles", _plain(found, cell.units), "", cell.count])
    return out.getvalue()


def _plain(found: Figures, units: Sequence[str]) -> str:
    return "+".join(found.units.get(unit, unit) for unit in units)


def as_json(found: Figures) -> bytes:
    """All figures, the threshold, and the position in the log they were computed from."""
    position = asdict(found.position)
    position |= {name: timestamp(position[name]) for name in ("since", "until")}
    told = {
        "threshold": found.hazards.threshold,
        "position": position,
        "hazards": found.hazards,
        "whistles": found.whistles,
        "units": {unit: found.units[unit] for unit in sorted(_named(found)) if unit in found.units},
    }
    return orjson.dumps(told, option=orjson.OPT_INDENT_2)


def _named(found: Figures) -> set[str]:
    rows = [unit for row in found.hazards.rows for unit in row.units]
    return {*rows, *(unit for cell in found.whistles for unit in cell.units)}


def months(position: Position) -> str:
    """The months told, in words: 2025年11月至2026年10月."""
    first, until = (one.astimezone(ZONE) for one in (position.since, position.until))
    last = until.replace(year=until.year - (until.month == 1))
    month = 12 if until.month == 1 else until.month - 1
    if language() == "zh":
        return f"{first.year}年{first.month}月至{last.year}年{month}月"
    return f"{first:%Y-%m} to {last.year}-{month:02}"
