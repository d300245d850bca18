"""Makes a history: cases as a release wrote them, to be replayed by every later one.

    python tests/golden/histories/make.py DATABASE RELEASE       (from the root of the checkout)

DATABASE: the address of one written by that release, best the one of `bin/demo --small`. RELEASE:
its version, before the first one with the number of its tables (0.1.0-0024). Taken are the fewest
cases that have every event of every process, with the definitions and calendars they were pinned
to, and how each stood. A history is never made anew by a later release; it would only say what that
release does.
"""

import sys
import zipfile
from pathlib import Path

import orjson
from sqlalchemy import Connection, select

from audit import log
from audit.bundle import write_bundle
from audit.entries import Entry
from engine.calendar_versions import calendar_file, calendar_table
from engine.database import open_database, reading
from engine.definition_sets import files_of
from engine.replay import library, replay

HERE = Path(__file__).parent
# Always the same bytes.
LONG_AGO = (1980, 1, 1, 0, 0, 0)


def make(url: str, release: str) -> Path:
    """Write the history of a release; returns its file."""
    target = HERE / f"{release}.zip"
    database = open_database(url)
    with reading(database).begin() as conn, zipfile.ZipFile(target, "x") as out:
        for name, data in sorted(_contents(conn).items()):
            info = zipfile.ZipInfo(name, LONG_AGO)
            out.writestr(info, data, zipfile.ZIP_DEFLATED, 9)
    database.dispose()
    return target


def _contents(conn: Connection) -> dict[str, bytes]:
    books, files, stood = library(conn), _calendars(conn), dict[str, dict[str, object]]()
    for case, entries in _fewest(conn).items():
        state = replay(entries, books)
        stood[case] = {"tasks": sorted(state.tasks), "ended": state.ended}
        bodies = [entry.body for entry in entries]
        files[f"cases/{case}.json"] = write_bundle(log.origin(conn), case, bodies)
        files |= _pinned(conn, entries[0])
    files["expected.json"] = orjson.dumps(stood, option=orjson.OPT_INDENT_2)
    return files


def _fewest(conn: Connection) -> dict[str, list[Entry]]:
    """Cases that together have every event of every process, few and short."""
    cases = {one: log.read(conn, one) for one in log.streams(conn) if not one.startswith("@")}
    has = {
        case: {(entry.type, entries[0].data["definition"]["key"]) for entry in entries}
        for case, entries in cases.items()
    }
    left, taken = set[tuple[str, str]]().union(*has.values()), dict[str, list[Entry]]()
    while left:
        best = max(cases, key=lambda case: (len(has[case] & left), -len(cases[case]), case))
        taken[best] = cases[best]
        left -= has[best]
    return taken


def _pinned(conn: Connection, opened: Entry) -> dict[str, bytes]:
    digest = opened.data["definition"]["sha256"]
    return {f"definitions/{digest}/{name}": data for name, data in files_of(conn, digest).items()}


def _calendars(conn: Connection) -> dict[str, bytes]:
    versions = conn.execute(select(calendar_table.c.version)).scalars()
    return {f"calendars/{one}.toml": calendar_file(conn, one) for one in versions}


if __name__ == "__main__":
    print(make(*sys.argv[1:]))
