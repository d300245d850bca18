"""Files into a backup and back: hashed on the way, synced, never over a file that is another."""

import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from errno import EDQUOT, ENOSPC
from pathlib import Path
from typing import Final

from engine.errors import Conflict, Refusal
from engine.evidence import FRESH
from engine.key_files import PRIVATE, sync
from engine.nodes import MARKS

PRIVATE_FOLDER: Final = 0o700
# Copies of photos made for looking can be made again, and which processes are at work is no
# business of a backup; what begins so is half written.
LEFT_OUT: Final = ("served", FRESH, MARKS)
HALF_WRITTEN: Final = ".new-"
_PIECE: Final = 1 << 20
_FULL: Final = (ENOSPC, EDQUOT)


class NoRoom(Refusal):
    """The disk did not take all of it."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"磁盘写满了，停在 {path}。没有写完的不算备份；腾出空间，换一个新文件夹再来。",
            f"The disk is full at {path}. What is there is no backup; make room, and begin anew in "
            "another folder.",
        )


class AnotherFile(Conflict):
    """There is a file of that name, and it holds something else."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path} 已经有别的内容，没有覆盖。恢复只写进空的地方；请先移开，再来一次。",
            f"{path} holds something else; nothing was put over it. A backup is put back into "
            "empty places only: move it away, and begin again.",
        )


class FileDamaged(Refusal):
    """A file is not what its name or the list of the backup says."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path} 的内容和登记的不一样。请换一份完好的备份或文件再来。",
            f"{path} is not what it was; take a whole one, and begin again.",
        )


@dataclass(frozen=True, slots=True)
class Kept:
    """One file of a backup. path: below its folder, with slashes; sha256: hex."""

    path: str
    bytes: int
    sha256: str


def files_below(root: Path) -> Iterator[Path]:
    """What belongs into a backup of a folder, in order; nothing where there is none."""
    for path in sorted(root.rglob("*")):
        inside = path.relative_to(root).parts
        if inside[0] not in LEFT_OUT and not path.name.startswith(HALF_WRITTEN) and path.is_file():
            yield path


def save(
    source: Path, folder: Path, name: str, known: Mapping[str, Kept], previous: Path | None
) -> Kept:
    """Copy a file into a backup; one of the previous backup that is the same is linked to.

    known: what the previous backup holds, by path. Only files named by their SHA-256 are linked,
    as those never change. Raises FileDamaged for a file that is not what its name says, NoRoom.
    """
    before, target = known.get(name), folder / name
    target.parent.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
    if previous and before and before.sha256 == source.name:
        try:
            os.link(previous / name, target)
        except OSError:
            pass  # Another disk, or gone: copied.
        else:
            return before
    kept = _copy(source, target, name)
    if _is_digest(source.name) and source.name != kept.sha256:
        target.unlink()
        raise FileDamaged(source)
    return kept


def put_back(folder: Path, kept: Kept, target: Path, *, mode: int = PRIVATE) -> None:
    """Copy a file of a backup to where it is used; one that is there already may be the same.

    So that putting back can be begun again after a crash. Raises AnotherFile, FileDamaged, NoRoom.
    """
    if target.exists():
        if digest(target) != kept.sha256:
            raise AnotherFile(target)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    half = target.with_name(f"{HALF_WRITTEN}{target.name}")
    half.unlink(missing_ok=True)
    if _copy(folder / kept.path, half, kept.path).sha256 != kept.sha256:
        half.unlink()
        raise FileDamaged(folder / kept.path)
    half.chmod(mode)
    half.replace(target)
    sync(target.parent)


def check(folder: Path, kept: Iterable[Kept]) -> None:
    """Read every file of a backup; raises FileDamaged for the first that is missing or another."""
    for one in kept:
        path = folder / one.path
        try:
            if digest(path) != one.sha256:
                raise FileDamaged(path)
        except OSError:
            raise FileDamaged(path) from None


def digest(path: Path) -> str:
    """The SHA-256 (hex) of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def described(folder: Path, name: str) -> Kept:
    """A file that was written into a backup by something else."""
    path = folder / name
    return Kept(name, path.stat().st_size, digest(path))


def _copy(source: Path, target: Path, name: str) -> Kept:
    try:
        with source.open("rb") as read, target.open("xb") as written:
            target.chmod(PRIVATE)
            shutil.copyfileobj(read, written, _PIECE)
            written.flush()
            os.fsync(written.fileno())
            size = written.tell()
        return Kept(name, size, digest(target))
    except OSError as error:
        if error.errno in _FULL:
            raise NoRoom(target) from error
        raise


def _is_digest(name: str) -> bool:
    return len(name) == hashlib.sha256().digest_size * 2 and set(name) <= set("0123456789abcdef")
