"""Evidence files, kept under the hash of their bytes and never changed."""

import contextlib
import errno
import hashlib
import os
import re
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, Literal

from audit.vocabulary import PURPOSES
from engine import documents, photos
from engine.errors import BadInput, NotFound, Refusal
from engine.photos import Declared
from engine.uploads import (
    LARGEST,
    PDF,
    media_of,
    plain_name,
    refuse_mislabelled,
    refuse_second_face,
    refuse_too_large,
)

THUMBNAIL, VIEW = 320, 1600
# Photos of which a worker is to make copies, each as an empty file of its name.
FRESH = "fresh"

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class UnknownPurpose(BadInput):
    """Evidence must say what it is for."""


class UnknownWidth(BadInput):
    """Copies are made in two sizes only, so that nobody can fill the disk with others."""


class StorageFull(Refusal):
    """The disk is full; nothing was kept and nothing was lost."""


class EvidenceMissing(NotFound):
    """No file with this hash is kept here."""


class EvidenceDamaged(Refusal):
    """The kept bytes no longer have the hash they are kept under."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """A file that is on disk under `sha256` (lower-case hex), and what was said about it.

    bytes: its size. name: as sent, cleaned. declared: what a photo says of itself, not proven.
    at: when it was received.
    """

    sha256: str
    bytes: int
    media: str
    purpose: str
    name: str
    declared: Declared
    at: datetime

    def item(self) -> dict[str, Any]:
        """The entry's evidence item (docs/audit-format.md): keys without a value are left out.

        The name of a photo stays out: it says nothing the picture does not, and people put
        persons' names into file names, which could never leave the log again.
        """
        said = {
            "name": self.name if self.media == PDF else None,
            "taken_at": self.declared.taken_at,
            "gps": list(self.declared.gps) if self.declared.gps else None,
            "device": self.declared.device,
        }
        return {
            "sha256": self.sha256,
            "bytes": self.bytes,
            "media": self.media,
            "purpose": self.purpose,
            "declared": True,
        } | {key: value for key, value in said.items() if value}


@dataclass(frozen=True, slots=True)
class Served:
    """Bytes to show in a browser and their media type."""

    data: bytes
    media: str


@dataclass(frozen=True, slots=True)
class Problem:
    """A file that the log names and the store cannot give back as it was."""

    sha256: str
    fault: Literal["missing", "damaged", "unreadable"]


def keep(
    root: Path,
    stream: BinaryIO | bytes,
    *,
    name: str,
    purpose: str,
    declared_type: str | None,
    at: datetime,
) -> Evidence:
    """Examine the file, write it durably below `root`, and say what it is.

    Call it BEFORE the event that names the file is written. A crash in between leaves a file
    that no event names, which is harmless; the other order would leave an event whose file
    never existed. Keeping equal content again changes nothing.

    `name` and `declared_type` (a media type or None) are the sender's words and are checked
    against the content; `at` is aware. Raises UnknownPurpose, StorageFull and the kinds of
    `uploads.UnfitFile`.
    """
    if at.tzinfo is None:
        raise ValueError("at must be an aware datetime")
    if purpose not in PURPOSES:
        raise UnknownPurpose(
            f"证据用途“{purpose}”无效，请重新选择。", f'"{purpose}" is no purpose of evidence.'
        )
    data, name = _read(stream), plain_name(name) or "文件"
    media = media_of(data, name=name)
    refuse_too_large(len(data), media, name=name)
    refuse_mislabelled(media, name=name, declared_type=declared_type)
    refuse_second_face(data, name=name)
    declared = _examine(data, media, name)
    sha256 = hashlib.sha256(data).hexdigest()
    _store(root, data, sha256)
    if media != PDF:
        _note(root, sha256)
    return Evidence(sha256, len(data), media, purpose, name, declared, at)


def keep_whole(root: Path, data: bytes) -> str:
    """Write bytes durably below `root` as they are, unexamined; returns their SHA-256 (hex).

    For files that are never served. Raises StorageFull.
    """
    sha256 = hashlib.sha256(data).hexdigest()
    _store(root, data, sha256)
    return sha256


def original(root: Path, sha256: str) -> bytes:
    """The bytes as they were sent, hashed again while reading.

    Raises EvidenceMissing, EvidenceDamaged.
    """
    path = _path(root, sha256)
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise _missing(sha256) from None
    if hashlib.sha256(data).hexdigest() != sha256:
        raise EvidenceDamaged(
            f"证据文件 {sha256[:12]} 与登记的指纹不一致，已停止提供。请联系管理员从备份恢复。",
            f"Evidence {sha256[:12]} does not match its recorded hash; restore it from a backup.",
        )
    return data


def is_there(root: Path, sha256: str) -> bool:
    """Whether there is a file for this hash, whatever is in it now."""
    try:
        return _path(root, sha256).exists()
    except EvidenceMissing:
        return False


def served_copy(root: Path, sha256: str, *, width: int) -> Served:
    """What a browser may show: a photo upright and stripped of EXIF, a PDF as it is.

    A photo fits into a square of `width` pixels (THUMBNAIL or VIEW); it is made once, by a worker
    or whoever looks first, and kept in `root/served`, which can be deleted at any time. It is for
    looking: whoever has to prove something takes `original`, because nothing in the log vouches
    for the copy.

    Raises UnknownWidth, EvidenceMissing, EvidenceDamaged.
    """
    if width not in (THUMBNAIL, VIEW):
        raise UnknownWidth("没有这种尺寸的图片。", "There is no copy of this size.")
    copy = _path(root / "served", sha256).with_name(f"{sha256}-{width}.jpg")
    with contextlib.suppress(FileNotFoundError):
        return Served(copy.read_bytes(), "image/jpeg")
    data = original(root, sha256)
    media = media_of(data, name=sha256)
    if media == PDF:
        return Served(data, PDF)
    small = photos.upright_copy(data, media, side=width)
    # A full disk must not keep anybody from looking at what is there.
    with contextlib.suppress(StorageFull):
        _write(copy, small)
    return Served(small, "image/jpeg")


def check(root: Path, sha256s: Iterable[str]) -> list[Problem]:
    """Every file of `sha256s` that is missing or no longer has its hash. Reads all of them."""
    found = ((sha256, _fault(root, sha256)) for sha256 in sha256s)
    return [Problem(sha256, fault) for sha256, fault in found if fault is not None]


def _fault(root: Path, sha256: str) -> Literal["missing", "damaged", "unreadable"] | None:
    try:
        return None if _digest(_path(root, sha256)) == sha256 else "damaged"
    except (FileNotFoundError, EvidenceMissing):
        return "missing"
    except OSError:
        return "unreadable"


def _read(stream: BinaryIO | bytes) -> bytes:
    if isinstance(stream, bytes):
        return stream
    # One byte more than anything may have: enough to know that it is too large.
    parts, room = [], LARGEST + 1
    while room > 0 and (part := stream.read(min(room, 1 << 20))):
        parts.append(part)
        room -= len(part)
    return b"".join(parts)


def _examine(data: bytes, media: str, name: str) -> Declared:
    if media == PDF:
        documents.refuse_unfit(data, name=name)
        return Declared()
    return photos.examine(data, media, name=name)


def _path(root: Path, sha256: str) -> Path:
    # The hash often comes from an address line; nothing but a hash may become a path.
    if not re.fullmatch(r"[0-9a-f]{64}", sha256):
        raise _missing(sha256)
    return root / sha256[:2] / sha256[2:4] / sha256


def _missing(sha256: str) -> EvidenceMissing:
    return EvidenceMissing(
        f"找不到证据文件 {sha256[:12]}。请核对链接，或联系管理员从备份恢复。",
        f"There is no evidence {sha256[:12]} here; check the link or restore it from a backup.",
    )


def _store(root: Path, data: bytes, sha256: str) -> None:
    path = _path(root, sha256)
    if path.exists() and _digest(path) == sha256:
        # Whoever wrote it may not have got as far as the folder yet; our event must not come first.
        _sync_folders(root, path.parent)
        return
    _write(path, data)
    _sync_folders(root, path.parent)


def _note(root: Path, sha256: str) -> None:
    """For `photo_copies`. Not synced, and left out where it fails: nothing rests on it."""
    with contextlib.suppress(OSError):
        (root / FRESH).mkdir(mode=0o750, exist_ok=True)
        (root / FRESH / sha256).touch(mode=0o640)


def _write(path: Path, data: bytes) -> None:
    """Put `data` at `path` in one step: whoever looks sees all of it or nothing.

    Written and synced under another name in the same folder, then renamed. Two writers of the
    same content end with the same file. Raises StorageFull; the half-written file is removed.
    """
    try:
        for folder in (path.parents[2], path.parents[1], path.parent):
            folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        handle, half = tempfile.mkstemp(prefix=".new-", dir=path.parent)
        try:
            _fill(handle, data)
            # Nobody writes to it again; the group may read it for the backup.
            Path(half).chmod(0o440)
            Path(half).replace(path)
        except BaseException:
            Path(half).unlink(missing_ok=True)
            raise
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise StorageFull(
            "服务器存储空间已满，文件没有保存，其他内容未受影响。请联系管理员清理空间后重新发送。",
            "The server's disk is full; this file was not kept, nothing else was lost.",
        ) from error


def _fill(handle: int, data: bytes) -> None:
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(handle, rest) :]
        os.fsync(handle)
    finally:
        os.close(handle)


def _sync_folders(root: Path, folder: Path) -> None:
    """Make the new names durable, from the file's folder up to `root`."""
    if os.name == "nt":
        return  # folders cannot be opened there; NTFS journals names by itself
    for place in (folder, *folder.parents):
        handle = os.open(place, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
        if place == root:
            return


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
