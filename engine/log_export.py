"""A log leaves the house whole, or a unit's cases: in a folder that audit.exported reads.

Everything is read in one transaction and written beside the place where it is to be; the folder
takes its name when all of it is on disk. A run that is cut short leaves a folder whose name ends in
`.partial`, which the next run throws away.
"""

import shutil
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from sqlalchemy import Connection, select

from audit import log, sequence
from audit.entries import Entry, unseal
from audit.evidence_file import write_evidence
from audit.exported import CALENDARS, CHECKPOINT, CHECKPOINTS, DEFINITIONS, ENTRIES, TIMESTAMPS
from audit.log import event_table
from audit.policy import Policy
from audit.sequence import leaf_table
from audit.tiles import WIDTH, tile_path, tiles_of, write_entries
from engine.calendar_versions import calendar_table
from engine.case_evidence import case_evidence
from engine.definition_sets import file_table
from engine.errors import BadInput, Conflict
from engine.register import register_table

CASES: Final = "cases"


class NothingToExport(Conflict):
    """There is no checkpoint yet, or no case."""


class PlaceTaken(BadInput):
    """The folder to export into has something in it."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What left: how many cases and events, and the size and root (hex) of the tree it rests on."""

    cases: int
    events: int
    size: int
    root: str


def export_log(conn: Connection, folder: Path, *, seen: Callable[[int], None]) -> Exported:
    """Write the whole log as of its last checkpoint; `seen` is told the number of events written.

    Raises NothingToExport, PlaceTaken.
    """
    last = _last(conn)
    size = last.checkpoint.size
    with _Place(folder) as place:
        _write_checkpoints(conn, place, size)
        for level, number, width in tiles_of(size):
            place.write(tile_path(level, number, width), sequence.tile(conn, level, number, width))
            if level == 0:
                bodies = _bodies(conn, number * WIDTH, width)
                place.write(tile_path(ENTRIES, number, width), write_entries(bodies))
                seen(width)
        _write_pinned(conn, place, size)
    streams = _count_cases(conn, size)
    return Exported(streams, size, size, last.checkpoint.root.hex())


def export_cases(
    conn: Connection,
    folder: Path,
    cases: Sequence[str],
    policy: Policy,
    *,
    seen: Callable[[int], None],
) -> Exported:
    """Write the evidence files of these cases; `seen` is told the number of events written.

    Raises NothingToExport, PlaceTaken, UnknownCase.
    """
    last, events = _last(conn), 0
    if not cases:
        raise NothingToExport("没有可以导出的案件。", "There is no case to export.")
    with _Place(folder) as place:
        for case in cases:
            evidence = case_evidence(conn, case, policy)
            place.write(f"{CASES}/{case}.json", write_evidence(evidence))
            events += len(evidence.bodies)
            seen(len(evidence.bodies))
    return Exported(len(cases), events, last.checkpoint.size, last.checkpoint.root.hex())


def cases_of(conn: Connection, units: Collection[str], *, confidential: bool) -> list[str]:
    """The cases in these units, in order; confidential ones only where that is asked for."""
    file = register_table.c
    query = select(file.case).where(file.unit.in_(units)).order_by(file.case)
    if not confidential:
        query = query.where(file.confidential == 0)
    return list(conn.execute(query).scalars())


def _last(conn: Connection) -> sequence.Stored:
    last = sequence.latest(conn)
    if last is None:
        raise NothingToExport(
            "还没有检查点，导出了也没有凭据。请先运行 shaoji worker 或 shaoji sequence。",
            "There is no checkpoint yet to rest an export on. Run shaoji worker or shaoji sequence "
            "first.",
        )
    return last


def _write_checkpoints(conn: Connection, place: "_Place", last: int) -> None:
    # The sequencer may have signed since: PostgreSQL shows that within this transaction.
    stored = [one for one in sequence.checkpoints(conn) if one.checkpoint.size <= last]
    place.write(CHECKPOINT, stored[-1].note.data)
    for one in stored:
        size = one.checkpoint.size
        place.write(f"{CHECKPOINTS}/{size}", one.note.data)
        for n, token in enumerate(sequence.timestamps(conn, size).values(), 1):
            place.write(f"{TIMESTAMPS}/{size}.{n}", token)


def _write_pinned(conn: Connection, place: "_Place", size: int) -> None:
    """The files that the entries of this tree brought; later ones are not part of the export."""
    entries = list(_of_types(conn, ("definition.deployed", "calendar.published"), size))
    calendars = {one.data["sha256"] for one in entries if one.type == "calendar.published"}
    files = {
        file["sha256"]
        for one in entries
        if one.type == "definition.deployed"
        for file in one.data["files"]
    }
    for row in conn.execute(select(file_table).where(file_table.c.sha256.in_(files))):
        place.write(f"{DEFINITIONS}/{row.sha256}", bytes(row.bytes))
    for row in conn.execute(select(calendar_table).where(calendar_table.c.sha256.in_(calendars))):
        place.write(f"{CALENDARS}/{row.sha256}", bytes(row.bytes))


def _of_types(conn: Connection, types: Sequence[str], size: int) -> Iterator[Entry]:
    query = (
        select(event_table.c.body)
        .join(leaf_table, leaf_table.c.hash == event_table.c.hash)
        .where(event_table.c.type.in_(types), leaf_table.c.leaf_index < size)
    )
    return (unseal(bytes(body)) for body in conn.execute(query).scalars())


def _bodies(conn: Connection, start: int, width: int) -> list[bytes]:
    both, event = log.named_by(conn, leaf_table, leaf_table.c.month)
    query = (
        select(event.body)
        .select_from(both)
        .where(leaf_table.c.leaf_index >= start, leaf_table.c.leaf_index < start + width)
        .order_by(leaf_table.c.leaf_index)
    )
    return [bytes(body) for body in conn.execute(query).scalars()]


def _count_cases(conn: Connection, size: int) -> int:
    query = (
        select(event_table.c.stream)
        .join(leaf_table, leaf_table.c.hash == event_table.c.hash)
        .where(event_table.c.seq == 1, leaf_table.c.leaf_index < size)
    )
    return sum(not stream.startswith("@") for stream in conn.execute(query).scalars())


class _Place:
    """A folder that appears under its name when everything is in it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._partial = folder.with_name(f"{folder.name}.partial")

    def __enter__(self) -> Self:
        if self._folder.exists() and (not self._folder.is_dir() or any(self._folder.iterdir())):
            raise PlaceTaken(
                f"{self._folder} 已有内容，没有导出。请换一个空的或不存在的目录。",
                f"{self._folder} has something in it; nothing was exported. Name an empty folder.",
            )
        shutil.rmtree(self._partial, ignore_errors=True)
        self._partial.mkdir(parents=True)
        return self

    def write(self, path: str, data: bytes) -> None:
        """Write one file below the folder."""
        file = self._partial / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is not None:
            shutil.rmtree(self._partial, ignore_errors=True)
            return
        if self._folder.exists():
            self._folder.rmdir()
        self._partial.replace(self._folder)
