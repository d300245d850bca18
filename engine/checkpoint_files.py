"""A checkpoint of each day as a file, in a folder that belongs to somebody else.

Whoever holds the files can show later what the log was on that day. They are only ever added to:
another day's file is never touched, and today's gives way to nothing but a larger tree that begins
with the one it holds. Where it does not, the log is not what it was, and that is said.
"""

import re
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Final

from audit.checkpoint import Checkpoint, open_checkpoint
from audit.note import NotANote, Note
from engine.errors import Refusal
from engine.key_files import write_over

SUFFIX: Final = ".checkpoint"
MODE: Final = 0o644
_DAY: Final = r"\d{4}-\d\d-\d\d"
_LONGEST: Final = 100


class NotKept(Refusal):
    """The file was not written; nothing that is there was changed."""


class Contradicted(NotKept):
    """A file holds what this log cannot have been: it was restored, rewritten, or the file was."""


class Larger(Contradicted):
    """A file holds a larger tree than our checkpoint; size: how many leaves."""

    def __init__(self, path: Path, size: int, ours: int) -> None:
        super().__init__(
            f"{path} 里有 {size} 条，本库的检查点只有 {ours} 条：本库是不是从备份恢复的？",
            f"{path} holds {size} leaves, our checkpoint only {ours}: was the database restored "
            "from a backup?",
        )
        self.size = size


def file_name(origin: str, day: date) -> str:
    """The file of a log and a day: `log.example_street-2026-03-02.checkpoint`."""
    return f"{_plain(origin)}-{day.isoformat()}{SUFFIX}"


def files(folder: Path, origin: str) -> list[Path]:
    """The files of a log, the oldest day first."""
    wanted = re.compile(f"{re.escape(_plain(origin))}-{_DAY}{re.escape(SUFFIX)}")
    there = folder.iterdir() if folder.is_dir() else ()
    return sorted(path for path in there if wanted.fullmatch(path.name))


def keep_daily(
    folder: Path,
    note: Note,
    checkpoint: Checkpoint,
    root_of: Callable[[int], bytes],
    *,
    day: date,
) -> Path | None:
    """Write the checkpoint as the file of this day; None if it is there already.

    root_of: the root of our tree at a smaller size. The folder is made, those above it are not: a
    disk that is not mounted must not be mistaken for an empty one. Raises NotKept, Contradicted,
    and Larger for a file that is ahead of us.
    """
    target = folder / file_name(checkpoint.origin, day)
    try:
        folder.mkdir(exist_ok=True)
        there = files(folder, checkpoint.origin)
        if there and there[-1].name > target.name:
            raise _later(there[-1])
        told = _merged(there[-1], note, checkpoint, root_of) if there else note
        if target.exists() and target.read_bytes() == told.data:
            return None
        write_over(target, told.data, MODE)
    except OSError as error:
        raise NotKept(
            f"写不了每日检查点文件 {target}：{error.strerror}。请核对目录和权限。",
            f"The daily checkpoint {target} cannot be written: {error.strerror}.",
        ) from None
    return target


def _merged(path: Path, note: Note, ours: Checkpoint, root_of: Callable[[int], bytes]) -> Note:
    """What to write after this file; of the same tree, the signatures of both."""
    try:
        held_note, held = open_checkpoint(path.read_bytes())
    except NotANote:
        raise Contradicted(
            f"{path} 不是检查点文件，或已损坏，没有动它。请问文件的保管人。",
            f"{path} is no checkpoint, or damaged; it was left alone. Ask whoever keeps it.",
        ) from None
    if held.origin != ours.origin:
        raise NotKept(
            f"{path} 是另一个日志 {held.origin} 的，没有动它。请各用各的目录。",
            f"{path} is of another log, {held.origin}; it was left alone. Use a folder each.",
        )
    if held.size > ours.size:
        raise Larger(path, held.size, ours.size)
    if root_of(held.size) != held.root:
        raise Contradicted(
            f"{path} 里的前 {held.size} 条与本库不是同一段历史：本库被改写，或文件被换过。",
            f"The first {held.size} leaves of {path} are not those of this database: it was "
            "rewritten, or the file exchanged.",
        )
    return held_note.signed(*note.signatures) if held_note.text == note.text else note


def _later(path: Path) -> NotKept:
    return NotKept(
        f"目录里已有更晚一天的 {path.name}，没有往回写。请核对服务器时钟。",
        f"There is the file of a later day, {path.name}; nothing was written before it. Check the "
        "clock of the server.",
    )


def _plain(origin: str) -> str:
    """An origin as part of a file name: whatever might mean something to a file system is _."""
    return re.sub(r"[^\w.-]", "_", origin).lstrip(".")[:_LONGEST]
