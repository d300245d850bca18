"""A process as somebody sends it, a ZIP or the files of a folder: unpacked within limits, no more.

Whether it may run is for `engine.lint` to say; here only its wrapping is judged.
"""

import io
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Final

from engine.errors import BadInput

LARGEST: Final = 5 * 1024 * 1024
MOST_FILES: Final = 100
# What archives and folders carry along without being asked.
PASSED: Final = ("__MACOSX/", ".DS_Store", "Thumbs.db", "desktop.ini")
PARTS: Final = (".bpmn", ".dmn", ".json", ".toml")


class BadPackage(BadInput):
    """What was sent is no folder of a process."""


def unpack(sent: Sequence[tuple[str, bytes]]) -> dict[str, bytes]:
    """File name -> bytes of the one ZIP, or of the files, that were sent; raises BadPackage.

    A folder around all of them is taken off, and .json files alone are put under forms/. Files that
    are no part of a process (README.md) are left out.
    """
    if len(sent) == 1 and sent[0][0].lower().endswith(".zip"):
        sent = _unzip(sent[0][1])
    named = [(_path(name), data) for name, data in sent if not _is_passed(name)]
    if len(named) > MOST_FILES or sum(len(data) for _, data in named) > LARGEST:
        raise _too_large()
    parts = [(path, data) for path, data in named if path.suffix in PARTS]
    if not parts:
        raise BadPackage(
            "没有找到流程文件。请上传一个流程的 ZIP，或选它文件夹里的全部文件。",
            "No file of a process was found. Send its ZIP, or all files of its folder.",
        )
    return _placed(parts)


def _unzip(data: bytes) -> list[tuple[str, bytes]]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            infos = [one for one in packed.infolist() if not one.is_dir()]
            # zipfile reads no more of a part than its directory says.
            if len(infos) > MOST_FILES or sum(one.file_size for one in infos) > LARGEST:
                raise _too_large()
            return [(one.filename, packed.read(one)) for one in infos]
    except (zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, EOFError) as error:
        raise BadPackage(
            "ZIP 打不开：已损坏，或设了密码。", "The ZIP cannot be opened: damaged, or encrypted."
        ) from error


def _too_large() -> BadPackage:
    return BadPackage(
        f"解开后超过 {LARGEST // 1024 // 1024} MB 或 {MOST_FILES} 个文件，不像一个流程，没有收下。",
        "Unpacked it is larger than a process can be; nothing was taken.",
    )


def _is_passed(name: str) -> bool:
    return any(mark in name for mark in PASSED)


def _path(name: str) -> PurePosixPath:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name or "\0" in name:
        raise BadPackage(
            f"文件名“{name[:80]}”指向文件夹以外，没有收下。",
            f"The file name {name[:80]} points outside its folder; nothing was taken.",
        )
    return path


def _placed(parts: Sequence[tuple[PurePosixPath, bytes]]) -> dict[str, bytes]:
    root = next((p.parent for p, _ in parts if p.suffix == ".bpmn"), PurePosixPath())
    files: dict[str, bytes] = {}
    for path, data in parts:
        inner = path.relative_to(root) if path.is_relative_to(root) else path
        name = f"forms/{inner}" if inner.suffix == ".json" and len(inner.parts) == 1 else str(inner)
        if name in files:
            raise BadPackage(f"文件 {name} 有两份。", f"The file {name} comes twice.")
        files[name] = data
    return files


def pack(files: Mapping[str, bytes]) -> bytes:
    """The files as one ZIP, in the order of their names; `unpack` is its inverse."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in sorted(files.items()):
            packed.writestr(name, data)
    return out.getvalue()
