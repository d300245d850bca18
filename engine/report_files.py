"""Reports that were made, kept under the hash of their bytes until they are old."""

import errno
import hashlib
import os
import re
import tempfile
from collections.abc import Collection
from datetime import datetime
from pathlib import Path

from engine.errors import NotFound
from engine.evidence import StorageFull

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_NAME = re.compile(r"[0-9a-f]{64}")


class ReportGone(NotFound):
    """The file was kept long enough, or is damaged; the record of the export stays."""

    def __init__(self) -> None:
        super().__init__(
            "这份报告的文件已过保存期或已损坏。导出的记录还在，需要时请重新申请。",
            "The file of this report was kept long enough, or is damaged. The record of the export "
            "stays; ask for a new report if you need one.",
        )


def keep_report(folder: Path, data: bytes) -> str:
    """Write a report durably; returns its SHA-256 (hex). Raises StorageFull.

    Call it before the export is recorded: a crash in between leaves a file that nobody is offered,
    the other order a record of a file that never was.
    """
    sha256 = hashlib.sha256(data).hexdigest()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, half = tempfile.mkstemp(prefix=".new-", dir=folder)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            Path(half).replace(folder / sha256)
        except BaseException:
            Path(half).unlink(missing_ok=True)
            raise
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise StorageFull(
            "服务器存储空间已满，报告没有导出。请联系管理员清理空间后重新申请。",
            "The server's disk is full; no report was exported. Ask the administrator for room.",
        ) from error
    _sync(folder)
    return sha256


def read_report(folder: Path, sha256: str) -> bytes:
    """The report with this hash, hashed again while reading. Raises ReportGone."""
    try:
        data = (folder / sha256).read_bytes() if _NAME.fullmatch(sha256) else b""
    except FileNotFoundError:
        raise ReportGone from None
    if hashlib.sha256(data).hexdigest() != sha256:
        raise ReportGone
    return data


def drop_old(folder: Path, offered: Collection[str], *, before: datetime) -> int:
    """Delete reports that are offered no longer and were written before; returns how many.

    Half-written files and reports that were never recorded, of a worker that died, go with them.
    """
    gone = 0
    for path in folder.iterdir() if folder.is_dir() else ():
        if (
            path.name not in offered
            and path.is_file()
            and path.stat().st_mtime < before.timestamp()
        ):
            path.unlink(missing_ok=True)
            gone += 1
    return gone


def _sync(folder: Path) -> None:
    """Make the new name durable."""
    if os.name == "nt":
        return  # folders cannot be opened there; NTFS journals names by itself
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
