"""The public page: how many complaints were found true, where and of which class, from the log.

Without signing in, the same for everybody, and the same all month long: only what was recorded
before the month that still runs is used. The same can be written to files (`shaoji public`).
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from io import StringIO
from pathlib import Path
from typing import Any, Final

import orjson
from flask import Blueprint, Flask, Response, current_app, render_template
from sqlalchemy import Connection

from audit import log
from audit.encoding import timestamp
from audit.publication import Change, Period, Publication, changes, publication
from engine.definition_sets import categories
from engine.directory import Directory
from engine.people import directory
from web.complaints import PROCESS
from web.quantities import ZONE
from web.texts import either, language, say
from web.visit import at, reads

pages = Blueprint("publication", __name__)

FILES: Final = ("index.html", "public.csv", "public.json")


@dataclass(frozen=True, slots=True)
class Position:
    """Up to where the log was read: complaints, their records, and one fingerprint of all ends.

    sha256: over a line `<stream> <number of records> <hash of the last>` LF each, sorted.
    """

    until: datetime
    complaints: int
    records: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Row:
    """A figure as it is told. share: of the largest figure on the page, in percent."""

    units: str
    merged: bool
    categories: str
    count: int
    share: int


@dataclass(frozen=True, slots=True)
class Told:
    """A period as it is told. corrections: month and number, in words."""

    months: str
    total: int
    rows: tuple[Row, ...]
    corrections: tuple[str, ...]
    left: int


@dataclass(frozen=True, slots=True)
class Figures:
    """All that is published, with the words for it; street: whose page it is."""

    street: str
    publication: Publication
    position: Position
    units: Mapping[str, str]
    categories: Mapping[str, tuple[str, str]]


@pages.get("/public")
def page() -> str:
    """The page."""
    with reads() as conn:
        found = figures(conn, at())
    return render_template("publication.html", **told(found))


@pages.get("/public.csv")
def table() -> Response:
    """The figures as a table."""
    with reads() as conn:
        return Response(as_csv(figures(conn, at())), mimetype="text/csv")


@pages.get("/public.json")
def data() -> Response:
    """The figures as data, with the position in the log they were computed from."""
    with reads() as conn:
        return Response(as_json(figures(conn, at())), mimetype="application/json")


def write_files(app: Flask, folder: Path, now: datetime) -> list[Path]:
    """Write page, table and data into a folder, to be put on any web server; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    with app.test_request_context("/public"), reads() as conn:
        found = figures(conn, now)
        style = (Path(str(current_app.static_folder)) / "shaoji.css").read_text(encoding="utf-8")
        page_ = render_template("publication_file.html", style=style, **told(found))
        written = (page_.encode(), as_csv(found).encode(), as_json(found))
    for name, content in zip(FILES, written, strict=True):
        (folder / name).write_bytes(content)
    return [folder / name for name in FILES]


# --- from the log ---------------------------------------------------------------------------------


def figures(conn: Connection, now: datetime) -> Figures:
    """What is published now."""
    people = directory(conn)
    until = now.astimezone(ZONE).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    origin, complaints = log.origin(conn), log.lengths(conn, f"{PROCESS}-")
    folded = [_folded(conn, (origin, name, length, until)) for name, length in complaints.items()]
    known = [one for one in folded if one.records]
    lines = sorted(f"{one.stream} {one.records} {one.hash}\n" for one in known)
    return Figures(
        street=next((u.name for u in people.units.values() if u.kind == "street"), ""),
        publication=publication(
            [change for one in known for change in one.changes],
            until=until, zone=ZONE, unit_of=lambda unit: _told_under(people, unit),
        ),
        position=Position(
            until, len(known), sum(one.records for one in known),
            sha256("".join(lines).encode()).hexdigest(),
        ),
        units={unit.id: unit.name for unit in people.units.values()},
        categories=categories(conn, PROCESS),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Folded:
    stream: str
    records: int
    hash: str
    changes: tuple[Change, ...]


# Complaints folded before: what a record of a log says does not change.
_MOST_KEPT: Final = 10_000
_kept: dict[tuple[str, str, int, datetime], _Folded] = {}


def _folded(conn: Connection, place: tuple[str, str, int, datetime]) -> _Folded:
    if place not in _kept:
        _, stream, _, until = place
        if len(_kept) >= _MOST_KEPT:
            _kept.clear()
        entries = [entry for entry in log.read(conn, stream) if entry.at < until]
        last = entries[-1].hash.hex() if entries else ""
        _kept[place] = _Folded(stream, len(entries), last, tuple(changes(entries)))
    return _kept[place]


def _told_under(people: Directory, unit: str) -> str:
    """The community of a unit; a department or company stands for itself."""
    if unit not in people.units:
        return unit
    path = people.path(unit)
    return next((one for one in path if people.unit(one).kind == "community"), unit)


# --- in words -------------------------------------------------------------------------------------


def told(found: Figures) -> dict[str, Any]:
    """What the page says."""
    periods = found.publication.periods
    largest = max((cell.count for one in periods for cell in one.cells), default=1)
    return {
        "street": found.street,
        "periods": [_period(found, one, largest) for one in reversed(periods)],
        "waiting": found.publication.waiting,
        "threshold": found.publication.threshold,
        "position": found.position,
    }


def _period(found: Figures, period: Period, largest: int) -> Told:
    rows = [
        Row(
            units=say("、").join(found.units.get(unit, unit) for unit in cell.units),
            merged=len(cell.units) > 1,
            categories=say("；").join(_category(found, one) for one in cell.categories),
            count=cell.count,
            share=round(100 * cell.count / largest),
        )
        for cell in period.cells
    ]
    taken_back = sum(count for _, count in period.corrections)
    corrections = tuple(
        say("{month}更正 {count} 件", month=_month(month), count=count)
        for month, count in period.corrections
    )
    months = _months(period.first, period.last)
    return Told(months, period.total, tuple(rows), corrections, period.total - taken_back)


def _category(found: Figures, category: str) -> str:
    return either(*found.categories.get(category, (category, category)))


def _months(first: str, last: str) -> str:
    if first == last:
        return _month(first)
    return say("{first}至{last}", first=_month(first), last=_month(last))


def _month(month: str) -> str:
    year, number = month.split("-")
    return f"{year}年{int(number)}月" if language() == "zh" else month


def as_csv(found: Figures) -> str:
    """One line a figure; several units or classes merged in one figure are joined by `+`."""
    out = StringIO()
    lines = csv.writer(out, lineterminator="\n")
    lines.writerow(["first_month", "last_month", "units", "classes", "substantiated"])
    for one in found.publication.periods:
        for cell in one.cells:
            units = "+".join(found.units.get(unit, unit) for unit in cell.units)
            lines.writerow([one.first, one.last, units, "+".join(cell.categories), cell.count])
        for month, count in one.corrections:
            lines.writerow([one.first, one.last, "", f"corrected {month}", -count])
    return out.getvalue()


def as_json(found: Figures) -> bytes:
    """All figures, the threshold, and the position in the log they were computed from."""
    position = found.position
    return orjson.dumps(
        {
            "threshold": found.publication.threshold,
            "position": {
                "until": timestamp(position.until),
                "complaints": position.complaints,
                "records": position.records,
                "sha256": position.sha256,
            },
            "units": {unit: found.units[unit] for unit in _units(found) if unit in found.units},
            "waiting": found.publication.waiting,
            "periods": found.publication.periods,
        },
        option=orjson.OPT_INDENT_2,
    )


def _units(found: Figures) -> list[str]:
    cells = (cell for one in found.publication.periods for cell in one.cells)
    return sorted({unit for cell in cells for unit in cell.units})
