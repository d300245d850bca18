"""Checks of folders and files: written to, room left, fonts whole."""

import hashlib
import os
import shutil
import tempfile
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from engine.checkup import Finding, Words, fails, holds, look

MEGABYTE: Final = 1024 * 1024
# A full day of a street's photos fits into the first; the second is the last moment to act.
SCARCE: Final = 5_000
TOO_LITTLE: Final = 500
SCARCE_FILES: Final = 50_000
TOO_FEW_FILES: Final = 5_000


@dataclass(frozen=True, slots=True)
class Room:
    """What is free where a folder lies: megabytes, and files where the file system counts them."""

    megabytes: int
    files: int | None


@dataclass(frozen=True, slots=True)
class Least:
    """How much room there has to be: below the first somebody should look, below the second act."""

    megabytes: tuple[int, int] = (SCARCE, TOO_LITTLE)
    files: tuple[int, int] = (SCARCE_FILES, TOO_FEW_FILES)


@dataclass(frozen=True, slots=True)
class Font:
    """A font of the manifest, and what lies there: its SHA-256, "" for no file."""

    name: str
    wanted: str
    found: str


def read_room(folder: Path) -> Room:
    """What is free where this folder is, or will be made; raises OSError."""
    there = nearest(folder)
    free = shutil.disk_usage(there).free // MEGABYTE
    if not hasattr(os, "statvfs"):
        return Room(free, None)
    told = os.statvfs(there)
    return Room(free, told.f_favail if told.f_files else None)


def nearest(folder: Path) -> Path:
    """The folder itself, or the nearest one above it that is there."""
    folder = folder.absolute()
    while not folder.exists():
        folder = folder.parent
    return folder


def write_probe(folder: Path) -> str:
    """Really write a file there and remove it; returns why it could not be, "" where it could."""
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".shaoji-doctor-") as file:
            file.write(b"\0" * 4096)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return error.strerror or type(error).__name__
    return ""


def read_fonts(folder: Path) -> list[Font]:
    """The fonts the manifest names, and what lies there; raises OSError without a manifest."""
    manifest = tomllib.loads((folder / "MANIFEST.toml").read_text(encoding="utf-8"))
    return [
        Font(one["path"], one["sha256"], _digest(folder / one["path"])) for one in manifest["file"]
    ]


def check_room(check: str, folder: Path, room: Room, least: Least) -> Finding:
    """Whether there is room for what is still to come."""
    files = (
        ("", "") if room.files is None else (f"、{room.files} 个文件", f" and {room.files} files")
    )
    told = (
        f"{folder} 还能放 {room.megabytes} MB{files[0]}",
        f"{folder} has room for {room.megabytes} MB{files[1]}",
    )
    left = ((room.megabytes, least.megabytes), (room.files, least.files))
    if any(free is not None and free < few[1] for free, few in left):
        return fails(
            check,
            told,
            (
                f"少于 {least.megabytes[1]} MB 或 {least.files[1]} 个文件，请马上腾出空间。",
                f"Less than {least.megabytes[1]} MB or {least.files[1]} files: make room now.",
            ),
        )
    if any(free is not None and free < few[0] for free, few in left):
        return look(
            check,
            told,
            (
                f"少于 {least.megabytes[0]} MB 或 {least.files[0]} 个文件：请安排扩容。",
                f"Less than {least.megabytes[0]} MB or {least.files[0]} files: plan for more.",
            ),
        )
    return holds(check, told)


def check_written(check: str, folder: Path, *, there: bool, why: str) -> Finding:
    """Whether a folder takes files. there: it is one; why: what kept a file from being written."""
    if why:
        return fails(
            check,
            (f"{folder} 写不进（{why}）", f"{folder} cannot be written to ({why})"),
            (
                f"请检查 {folder} 是不是目录、属于运行服务的用户、磁盘没有变成只读。",
                f"Is {folder} a folder, the server's user's own, on a disk that is not read-only?",
            ),
        )
    if not there:
        return holds(check, (f"{folder} 还没有，用到时会建", f"{folder} is made when it is needed"))
    return holds(check, (f"{folder} 写得进", f"{folder} can be written to"))


def check_fonts(fonts: Sequence[Font]) -> Finding:
    """Whether the fonts reports are set in are whole."""
    broken = [one.name for one in fonts if one.found != one.wanted]
    if not fonts or broken:
        names: Words = ("、".join(broken) or "清单是空的", ", ".join(broken) or "an empty manifest")
        return fails(
            "fonts",
            (f"字体缺失或已损坏：{names[0]}", f"fonts missing or damaged: {names[1]}"),
            (
                "报告会缺字，请重新安装本程序。",
                "Reports would lack characters: install the program anew.",
            ),
        )
    return holds("fonts", (f"{len(fonts)} 个字体文件完好", f"{len(fonts)} font files are whole"))


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
