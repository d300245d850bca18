"""Brings another system's cases in: a file and a map become cases of one street."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, select

from engine.cases import Place, Report, open_case
from engine.errors import BadInput
from engine.import_maps import read_map
from engine.import_rows import ImportedCase, rows
from engine.imports import Counts, bring, reject_file
from engine.people import By
from engine.roster import unit_table

Progress = Callable[[int], AbstractContextManager[Callable[[int], None]]]


class NoUnit(BadInput):
    """Neither the map, nor the command says where the cases belong."""


def import_file(
    engine: Engine,
    file: Path,
    map_file: Path,
    rejects: Path,
    *,
    unit: str | None,
    by: By | None,
    now: Callable[[], datetime],
    progress: Progress,
) -> dict[str, int]:
    """Import every row that has no case yet; returns {imported, rejected, skipped}.

    unit: where cases belong whose row the map gives no unit; None = the one street there is.
    by: None stands for whoever operates the server. Raises BadMap, WrongFile, NoUnit.
    """
    map_ = read_map(map_file.read_bytes())
    with engine.begin() as conn:
        fallback = unit or _only_street(conn)

    def open_row(conn: Connection, row: ImportedCase) -> str:
        return open_case(conn, _report(row, fallback), by=by, at=now()).case

    with progress(_lines(file)) as step, file.open("rb") as stream, reject_file(rejects) as reject:
        told = _Told(step)
        counts = bring(engine.begin, rows(map_, stream, at=now()), open_row, reject, told)
    return {
        "imported": counts.imported,
        "rejected": counts.rejected,
        "skipped": counts.skipped,
    }


class _Told:
    """Turns running totals into steps of a progress bar."""

    def __init__(self, step: Callable[[int], None]) -> None:
        self._step, self._done = step, 0

    def __call__(self, counts: Counts) -> None:
        done = counts.imported + counts.rejected + counts.skipped
        self._step(done - self._done)
        self._done = done


def _report(row: ImportedCase, fallback: str) -> Report:
    form = dict(row.form)
    return Report(
        process=row.process,
        category=form["category"],
        title=form["title"],
        place=Place(row.unit or fallback, form["address"]),
        form=form,
        source="import",
        imported=row.record(),
    )


def _only_street(conn: Connection) -> str:
    query = select(unit_table.c.id).where(unit_table.c.kind == "street")
    streets: list[Any] = list(conn.execute(query).scalars())
    if len(streets) != 1:
        raise NoUnit(
            "请用 --unit 指明这些案件属于哪个单位。", "Say with --unit where the cases belong."
        )
    return str(streets[0])


def _lines(file: Path) -> int:
    """Roughly how many rows there are, for the progress bar only."""
    import gzip

    with file.open("rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
    with gzip.open(file, "rb") if packed else file.open("rb") as stream:
        return sum(1 for _ in stream)
