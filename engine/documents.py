"""Which PDFs are kept: whole, readable without a password, and unable to do anything."""

import re
import zlib
from collections.abc import Iterator

from engine.uploads import ActiveContent, UnfitFile

MAX_INFLATED = 64 * 1024 * 1024

# ISO 32000-1: actions 12.6.4, attached files 7.11, rich media 13, XFA 12.7.8, encryption 7.6.
# The short key /JS is not looked for: an action runs only with /S /JavaScript beside it.
_FORBIDDEN = {
    b"JavaScript": ("脚本", "a script"),
    b"Launch": ("启动其他程序的指令", "an order to start a program"),
    b"SubmitForm": ("自动外发数据的指令", "an order to send data away"),
    b"ImportData": ("导入外部数据的指令", "an order to load foreign data"),
    b"EmbeddedFile": ("内嵌附件", "an attached file"),
    b"EmbeddedFiles": ("内嵌附件", "an attached file"),
    b"Filespec": ("内嵌附件或外部文件", "an attached or foreign file"),
    b"RichMedia": ("音视频插件", "rich media"),
    b"Encrypt": ("密码保护", "a password"),
}
_NAME = re.compile(rb"/(" + b"|".join(_FORBIDDEN) + rb")(?![\w.#-])")
# Three letters turn up by chance in megabytes of picture data; with a value after them, hardly.
_FORM = re.compile(rb"/XFA\s*[\[\d]")
# A place to scroll to is harmless, and LibreOffice writes one into every file.
_OPENING = re.compile(rb"/OpenAction(?!\s*(?:\[|<<[^<>]*/S\s*/GoTo\b[^<>]*>>))")
_HEX = re.compile(rb"#([0-9A-Fa-f]{2})")
_STREAM = re.compile(rb"(?<![A-Za-z])stream\r?\n")


class BrokenPdf(UnfitFile):
    """The PDF ends too early or is built so that it cannot be looked into."""


def refuse_unfit(data: bytes, *, name: str) -> None:
    """Raise BrokenPdf or ActiveContent unless `data` is a whole PDF that only shows pages.

    A scan, not a parser: the raw bytes and every object stream are searched for the names of
    what a PDF can do. Where it cannot see (passwords, unusual filters) it refuses.
    """
    if b"%%EOF" not in data[-1024:] or b"startxref" not in data[-2048:]:
        raise _broken(name, "不完整，可能没有传完", "is cut off")
    _refuse_deeds(data, name)
    for objects in _object_streams(data, name):
        _refuse_deeds(objects, name)


def _refuse_deeds(data: bytes, name: str) -> None:
    plain = _unescaped(data)
    found = _NAME.search(plain)
    if found:
        raise _active(name, *_FORBIDDEN[found[1]])
    if _FORM.search(plain):
        raise _active(name, "动态表单", "a dynamic form")
    if _OPENING.search(plain):
        raise _active(name, "打开时自动执行的动作", "an action that runs on opening")


def _unescaped(data: bytes) -> bytes:
    return _HEX.sub(lambda match: bytes([int(match[1], 16)]), data)  # /J#61vaScript is a name too


def _object_streams(data: bytes, name: str) -> Iterator[bytes]:
    """Contents of all streams of type ObjStm (ISO 32000-1, 7.5.7), inflated within bounds.

    Everything between two "stream" keywords counts as the dictionary of the second: no comment
    or string that imitates syntax can cut a real dictionary away.
    """
    budget, at = MAX_INFLATED, 0
    for match in _STREAM.finditer(data):
        head, at = data[at : match.start()], match.end()
        if b"/ObjStm" in _unescaped(head):
            objects = _inflated(_unescaped(head), data, at, budget, name)
            budget -= len(objects)
            yield objects


def _inflated(head: bytes, data: bytes, start: int, budget: int, name: str) -> bytes:
    filters = re.findall(rb"/\w*Decode\b", head)
    if not filters and not re.search(rb"/Filter\s*[\[\d]", head):
        return b""  # plain text, read with the raw bytes already
    if filters != [b"/FlateDecode"] or b"/DecodeParms" in head:
        raise _broken(name, "使用了无法检查的编码", "uses an encoding that cannot be looked into")
    inflater = zlib.decompressobj()
    body = memoryview(data)[start : data.find(b"endstream", start)]
    try:
        objects = inflater.decompress(body, budget)
    except zlib.error as error:
        raise _broken(name, "内容已损坏", "is damaged") from error
    # Not at its end: more than the budget, or an "endstream" planted inside to hide the rest.
    if not inflater.eof:
        raise _broken(name, "解压后过大或已损坏", "is damaged or too large when unpacked")
    return objects


def _broken(name: str, chinese: str, english: str) -> BrokenPdf:
    return BrokenPdf(
        f"“{name}”{chinese}，请用“打印为 PDF”或扫描重新生成后再发送。",
        f'"{name}" {english}; print it to PDF or scan it again.',
    )


def _active(name: str, chinese: str, english: str) -> ActiveContent:
    return ActiveContent(
        f"“{name}”里有{chinese}，不能作为证据保存。请用“打印为 PDF”生成一份普通 PDF 再发送。",
        f'"{name}" contains {english}; print it to a plain PDF and send that.',
    )
