"""Event logs of other systems: kept whole in an area of their own, read anew by their map.

That one was imported is an entry of our log, with the digests of file and map. What it says is
not: no case, no register, no figure of ours has anything of it.
"""

import gzip
import io
import re
import zlib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection

from audit import log
from audit.entries import Draft, Entry
from audit.foreign.happenings import REPORT
from engine.definition_sets import latest
from engine.definitions import Definition
from engine.errors import BadInput, Conflict, NotFound
from engine.evidence import EvidenceDamaged, EvidenceMissing, keep_whole, original
from engine.exports import LOG
from engine.foreign_maps import ForeignMap, Word, read_foreign_map
from engine.foreign_rows import Read, read_log
from engine.people import By, administrator

IMPORTED: Final = "foreign.imported"
LARGEST_FILE: Final = 64 * 1024 * 1024
LARGEST_UNPACKED: Final = 256 * 1024 * 1024
NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,39}", re.ASCII)


class BadName(BadInput):
    """An imported log is called by small letters, digits and hyphens."""


class NameTaken(Conflict):
    """Another log was imported under this name; it stays what it is."""


class TooLarge(BadInput):
    """The file, or what is packed in it, is larger than what is read."""


class DamagedPacking(BadInput):
    """The packed file is cut off or damaged."""


class NothingRead(BadInput):
    """By this map the file gives no case."""


class UnknownStep(BadInput):
    """The map names a step that the process has not."""


class UnknownForeign(NotFound):
    """No log was imported under this name."""


class ForeignGone(NotFound):
    """The file or the map of an imported log is no longer what was imported."""


@dataclass(frozen=True, slots=True)
class Imported:
    """A log as it was imported, by the entry that says so. Counts as in engine.foreign_rows."""

    name: str
    at: datetime
    file_sha256: str
    map_sha256: str
    bytes: int
    rows: int
    rejected: int
    cases: int
    left_out: int
    events: int
    unmapped: int


@dataclass(frozen=True, slots=True)
class Examined:
    """A log and its map as they came, and what the one gives by the other."""

    file: bytes
    map_: bytes
    read: Read


def examine(conn: Connection, *, file: bytes, map_: bytes, at: datetime) -> Examined:
    """Read a log by its map, before anything is kept. file: as it came, gzipped or not.

    Raises TooLarge, DamagedPacking, BadForeignMap, UnknownDefinition, UnknownStep, NothingRead,
    and what engine.foreign_rows.read_log raises.
    """
    by = read_foreign_map(map_)
    _check_steps(conn, by)
    read = read_log(by, io.BytesIO(unpacked(file)), at=at)
    if not read.cases:
        raise _nothing(read)
    return Examined(file, map_, read)


def _nothing(read: Read) -> NothingRead:
    first = read.rejected[0] if read.rejected else None
    why = f"第 {first.row.line} 行：{first.chinese}" if first else "没有一行对得上。"
    why_en = f"line {first.row.line}: {first.english}" if first else "no row fits."
    return NothingRead(
        f"按这个映射一件案子也读不出来（退回 {len(read.rejected)} 行），没有导入。请核对映射。"
        f"{why}",
        f"By this map the file gives no case ({len(read.rejected)} rows rejected); nothing was"
        f" imported. Look at the map: {why_en}",
    )


def import_foreign(
    conn: Connection, root: Path, told: Examined, *, name: str, by: By | None, at: datetime
) -> Imported:
    """Keep a log and its map whole below `root`, and record that; by an administrator.

    at: as of when it was examined. Raises NotAdministrator, BadName, NameTaken, StorageFull.
    """
    who = administrator(conn, by, at)
    if not NAME.fullmatch(name):
        raise BadName(
            f"“{name}”不能作名字。请用 --as 取一个，小写字母、数字和连字符，比如 old-system-2025。",
            f"{name} is no name: give one (--as) of small letters, digits and hyphens, like"
            " old-system-2025.",
        )
    head = log.take(conn, LOG)
    if any(one.name == name for one in imported(conn)):
        raise NameTaken(
            f"已有名为 {name} 的外来日志，不会改动它。请用 --as 另取一个名字。",
            f"A log called {name} was imported already and stays as it is; name this one otherwise"
            " (--as).",
        )
    # Both are on disk before the entry names them, see engine.evidence.keep.
    kept = keep_whole(root, told.file), keep_whole(root, told.map_)
    draft = Draft(IMPORTED, _counts(name, kept, told), who, at)
    (entry,), _ = log.append(conn, head, [draft])
    return _imported(entry)


def _counts(name: str, kept: tuple[str, str], told: Examined) -> dict[str, Any]:
    read = told.read
    return {
        "name": name,
        "file_sha256": kept[0],
        "map_sha256": kept[1],
        "bytes": len(told.file),
        "rows": read.rows,
        "rejected": len(read.rejected),
        "cases": len(read.cases),
        "left_out": read.left_out,
        "events": read.happenings,
        "unmapped": sum(read.unmapped.values()),
    }


def _imported(entry: Entry) -> Imported:
    return Imported(at=entry.at, **entry.data)


def imported(conn: Connection) -> list[Imported]:
    """Every log that was imported, oldest first."""
    return [_imported(entry) for entry in log.of_types(conn, [IMPORTED])]


def opened(conn: Connection, root: Path, name: str) -> tuple[Imported, Read]:
    """Read an imported log anew, as of its import; raises UnknownForeign, ForeignGone."""
    found = next((one for one in imported(conn) if one.name == name), None)
    if found is None:
        there = "、".join(one.name for one in imported(conn)) or "还没有"
        raise UnknownForeign(
            f"没有名为 {name} 的外来日志。已导入的：{there}。",
            f"No log called {name} was imported (see shaoji foreign list).",
        )
    map_ = read_foreign_map(_kept(root, found.map_sha256))
    file = unpacked(_kept(root, found.file_sha256))
    return found, read_log(map_, io.BytesIO(file), at=found.at)


def _kept(root: Path, sha256: str) -> bytes:
    try:
        return original(root, sha256)
    except (EvidenceMissing, EvidenceDamaged) as error:
        raise ForeignGone(
            f"外来日志的文件 {sha256[:12]} 不在了，或者不是当时那一份，没有计算。请从备份恢复。",
            f"File {sha256[:12]} of the foreign log is gone, or not what was imported; nothing was"
            " computed. Restore it from a backup.",
        ) from error


def unpacked(file: bytes) -> bytes:
    """The bytes of a log, out of their gzip packing where they have one; raises TooLarge.

    At most LARGEST_FILE packed, LARGEST_UNPACKED unpacked, and packed once.
    """
    if len(file) > LARGEST_FILE:
        raise TooLarge(
            "文件超过 64 MB，没有导入。请按年份分成几个文件。",
            "The file is larger than 64 MB; nothing was imported. Send it in parts.",
        )
    if not file.startswith(_GZIP):
        return file
    try:
        with gzip.open(io.BytesIO(file)) as packed:
            data = packed.read(LARGEST_UNPACKED + 1)
    except (EOFError, OSError, zlib.error) as error:
        raise DamagedPacking(
            "压缩文件不完整或已损坏，没有导入。请重新取得文件。",
            "The packed file is cut off or damaged; nothing was imported. Fetch it again.",
        ) from error
    if len(data) > LARGEST_UNPACKED or data.startswith(_GZIP):
        raise TooLarge(
            "压缩文件解开后大得不合常理，或者压了不止一层，没有导入。",
            "Unpacked the file would be unreasonably large, or it is packed twice; nothing was"
            " imported.",
        )
    return data


_GZIP: Final = b"\x1f\x8b"


# --- what the map names ---------------------------------------------------------------------------


def _check_steps(conn: Connection, map_: ForeignMap) -> None:
    """Every step the map names itself is one of the processes it names itself."""
    known = {REPORT}
    if not map_.process.words:
        return
    for key in map_.process.words:
        known |= _elements(latest(conn, key))
    for word in (map_.case.end, *(rule.step for rule in map_.events)):
        _check_word(word, known)


def _elements(definition: Definition) -> set[str]:
    ends = {one.id for one in definition.elements.values() if one.kind == "endEvent"}
    return ends | set(definition.tasks)


def _check_word(word: Word, known: set[str]) -> None:
    for step in word.words:
        if step not in known:
            raise UnknownStep(
                f"映射里的“{step}”不是这个流程的环节。可用的：{'、'.join(sorted(known))}。",
                f"{step} is no step of the process; there are {', '.join(sorted(known))}.",
            )
