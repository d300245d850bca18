"""What kind of file the bytes are, whatever its name says, and which kinds are sent back."""

import unicodedata
from pathlib import PurePosixPath

from engine.errors import BadInput

JPEG, PNG, WEBP, PDF = "image/jpeg", "image/png", "image/webp", "application/pdf"
PHOTOS = (JPEG, PNG, WEBP)

_MB = 1024 * 1024
LIMITS = {JPEG: 15 * _MB, PNG: 15 * _MB, WEBP: 15 * _MB, PDF: 25 * _MB}
LARGEST = max(LIMITS.values())

_TITLES = {JPEG: "JPEG", PNG: "PNG", WEBP: "WebP", PDF: "PDF"}
_EXTENSIONS = {
    ".jpg": JPEG, ".jpeg": JPEG, ".jpe": JPEG, ".jfif": JPEG,
    ".png": PNG, ".webp": WEBP, ".pdf": PDF,
}  # fmt: skip
_ALIASES = {"image/jpg": JPEG, "image/pjpeg": JPEG, "image/x-png": PNG, "application/x-pdf": PDF}
_UNDECLARED = {"", "application/octet-stream", "binary/octet-stream"}
# ISO/IEC 23008-12 and the AV1 image brands: what phones write instead of JPEG.
_HEIF_BRANDS = {
    b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs",
    b"mif1", b"msf1", b"heif", b"avif", b"avis",
}  # fmt: skip


class UnfitFile(BadInput):
    """This file is not kept as evidence; the sentence says what to send instead."""


class EmptyFile(UnfitFile):
    """Nothing arrived."""


class FileTooLarge(UnfitFile):
    """More bytes than its kind may have."""


class HeicPhoto(UnfitFile):
    """A phone's HEIC or AVIF photo, which most office computers cannot show."""


class UnknownFormat(UnfitFile):
    """Neither a photo nor a PDF."""


class Mislabelled(UnfitFile):
    """The name or the sender says one format, the bytes are another."""


class ActiveContent(UnfitFile):
    """The file can run something, open something or carry another file."""


def plain_name(name: str) -> str:
    """The last part of `name` without folders, control and direction-changing characters.

    NFC, at most 100 characters; the extension survives shortening. May be empty.
    """
    last = PurePosixPath(name.replace("\\", "/")).name
    # Category C covers controls, bidirectional overrides ("gpj.exe") and lone surrogates.
    kept = "".join(c for c in last if unicodedata.category(c)[0] != "C")
    stem, suffix = _split(unicodedata.normalize("NFC", kept).strip())
    return stem[: 100 - len(suffix)] + suffix


def media_of(data: bytes, *, name: str) -> str:
    """The media type the content shows: one of `LIMITS`.

    Only the signature is read; whether the rest is whole is for `photos` and `documents`.
    Raises EmptyFile, HeicPhoto, ActiveContent, UnknownFormat.
    """
    if not data:
        raise EmptyFile(
            f"“{name}”是空文件，请重新选择后再发送。", f'"{name}" is empty; choose it again.'
        )
    media = _signature(data)
    if media is None:
        raise _unknown(data, name)
    return media


def refuse_too_large(size: int, media: str, *, name: str) -> None:
    """Raise FileTooLarge when `size` bytes are more than a file of type `media` may have."""
    if size > LIMITS[media]:
        raise FileTooLarge(
            f"“{name}”超过 {LIMITS[media] // _MB} MB，请压缩或分成几个文件后再发送。",
            f'"{name}" is larger than {LIMITS[media] // _MB} MB; compress or split it.',
        )


def refuse_mislabelled(media: str, *, name: str, declared_type: str | None) -> None:
    """Raise Mislabelled when the extension of `name` or `declared_type` is not `media`.

    A missing extension and an undeclared type (None, octet-stream) say nothing and pass.
    """
    suffix = _split(name)[1].lower()
    declared = (declared_type or "").split(";")[0].strip().lower()
    said = _ALIASES.get(declared, declared)
    wrong_name = bool(suffix) and _EXTENSIONS.get(suffix) != media
    wrong_type = said not in _UNDECLARED and said != media
    if wrong_name or wrong_type:
        title, label = _TITLES[media], suffix if wrong_name else said
        raise Mislabelled(
            f"“{name}”标明是 {label}，内容却是 {title}。请不要改名，直接发送原来的文件。",
            f'"{name}" is labelled {label} but contains {title}; send the file as it was made.',
        )


def refuse_second_face(data: bytes, *, name: str) -> None:
    """Raise ActiveContent when a photo or PDF is at the same time a page, a script or an archive.

    Bytes after the end of a picture are not refused as such: phones append depth maps, moving
    pictures and their own records. What is looked for is what another program would open.
    """
    head, tail = data[:1024], data[-65_557:]  # where HTML and PDF, where ZIP readers look
    lower = data.lower()
    page = any(mark in head.lower() for mark in (b"<html", b"<svg", b"<?php", b"<body"))
    if page or b"<script" in lower or b"<!doctype html" in lower:
        raise _active(name, "网页代码", "web page code")
    if b"PK\x05\x06" in tail:
        raise _active(name, "压缩包", "an archive")
    if b"%PDF-" in head[1:]:
        raise _active(name, "另一份 PDF", "a second PDF")


def _split(name: str) -> tuple[str, str]:
    path = PurePosixPath(name)
    return path.stem, path.suffix[:10]


def _signature(data: bytes) -> str | None:
    if data.startswith(b"\xff\xd8\xff"):
        return JPEG
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return PNG
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return WEBP
    # Readers accept the header anywhere in the first kilobyte; that is how a PDF hides in
    # another format, so here it stands first or it is none.
    return PDF if data.startswith((b"%PDF-1.", b"%PDF-2.")) else None


def _unknown(data: bytes, name: str) -> UnfitFile:
    if data[4:8] == b"ftyp" and data[8:12] in _HEIF_BRANDS:
        return HeicPhoto(
            f"“{name}”是 HEIC 格式。请在手机相机设置中选择“兼容性最佳”（JPEG）后重拍，"
            "或用微信、相册把它另存为 JPEG 再发送。",
            f'"{name}" is HEIC. Set the camera to "Most Compatible" (JPEG), or save it as JPEG.',
        )
    if data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        return _active(name, "网页代码", "web page code")
    if data.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        return UnknownFormat(
            f"“{name}”是办公文档或压缩包，请另存为 PDF 再发送。",
            f'"{name}" is an office document or an archive; save it as PDF.',
        )
    return UnknownFormat(
        f"“{name}”不是能识别的照片或 PDF。照片请发 JPEG、PNG 或 WebP，文件请发 PDF。",
        f'"{name}" is no photo or PDF known here. Send JPEG, PNG, WebP or PDF.',
    )


def _active(name: str, what: str, english: str) -> ActiveContent:
    return ActiveContent(
        f"“{name}”里夹带了{what}，不能作为证据保存。请发送相机或扫描仪直接生成的文件。",
        f'"{name}" carries {english}; send what the camera or the scanner made.',
    )
