"""Tables from and for offices: CSV as Excel saves it in China, and XLSX, read as text only.

What comes in is a stranger's file: nothing in it is run, fetched or unpacked beyond a limit. What
goes out is text, too: no cell of ours is ever a formula.
"""

import csv
import io
import re
import unicodedata
import warnings
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any, Final

from openpyxl import Workbook, load_workbook
from openpyxl.cell import Cell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.styles import Alignment

from engine.errors import BadInput

LARGEST_FILE: Final = 2 * 1024 * 1024
LARGEST_UNPACKED: Final = 20 * 1024 * 1024
MOST_PARTS: Final = 200
MOST_SHEETS: Final = 10
MOST_COLUMNS: Final = 40
LAST_LINE: Final = 1_048_576  # of an Excel sheet; a file may claim any number
# Excel takes no more in a cell, and columns wider than a screen are read by nobody.
LONGEST_CELL: Final = 32_767
NARROWEST, WIDEST = 8, 72
_TOP: Final = Alignment(wrap_text=True, vertical="top")
FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


class BadSheet(BadInput):
    """The file is no table that could be read, or one that would do harm."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line that is not empty: its number in the file from 1, and its cells as text."""

    number: int
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet of a file; a CSV file has one, without a name."""

    name: str
    lines: tuple[Line, ...]


def read_sheets(data: bytes, *, most_lines: int) -> list[Sheet]:
    """Read a CSV (UTF-8 with or without BOM, GB18030, UTF-16) or XLSX file.

    most_lines: how many lines may have content, over all sheets. Raises BadSheet.
    """
    if len(data) > LARGEST_FILE:
        raise BadSheet(
            "文件超过 2 MB，没有收下。请分成几个文件，分次导入。",
            "The file is larger than 2 MB; nothing was taken. Send it in parts.",
        )
    if data.startswith(b"PK"):
        sheets = _read_xlsx(data, most_lines)
    elif data.startswith(b"\xd0\xcf\x11\xe0"):
        raise BadSheet(
            "这是旧式的 .xls，或设了打开密码的 Excel。请去掉密码，另存为 .xlsx 或 CSV 再上传。",
            "This is an old .xls or an Excel file with a password. Save it as .xlsx or CSV.",
        )
    else:
        sheets = [Sheet("", tuple(_some(_csv_lines(_decoded(data)), most_lines)))]
    if not any(sheet.lines for sheet in sheets):
        raise BadSheet("表里没有内容，请核对文件。", "There is nothing in the file.")
    return sheets


# --- CSV ----------------------------------------------------------------------------------------


def _decoded(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        encodings = ["utf-16"]
    else:
        encodings = ["utf-8-sig", "gb18030"]
    for encoding in encodings:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if not _has_controls(text):
            return text
    raise BadSheet(
        "这不是 CSV 或 Excel 表格，或编码无法识别。请在 Excel 里另存为 .xlsx 或“CSV UTF-8”再上传。",
        "This is neither CSV nor Excel, or in an unknown encoding. Save it as .xlsx or CSV UTF-8.",
    )


def _has_controls(text: str) -> bool:
    return any(unicodedata.category(one) == "Cc" and one not in "\t\r\n\v\f" for one in set(text))


def _csv_lines(text: str) -> Iterator[Line]:
    first = text.lstrip("\r\n").partition("\n")[0]
    delimiter = max(",\t;", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    while True:
        number = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            raise BadSheet(
                f"第 {number} 行起读不下去，多半是引号不成对。请核对这一行后再上传。",
                f"From line {number} on the file cannot be read: a stray quote? Mend that line.",
            ) from None
        yield Line(number, _trimmed(cells))


# --- XLSX ---------------------------------------------------------------------------------------


def _read_xlsx(data: bytes, most_lines: int) -> list[Sheet]:
    _check_parts(data)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about styles and extensions we have no use for
            return _sheets(data, most_lines)
    except BadSheet:
        raise
    except Exception as error:  # a broken file makes openpyxl trip over anything
        raise _broken() from error


def _check_parts(data: bytes) -> None:
    """Refuse bombs and entities before anything is parsed: sizes first, then the parts' texts."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            parts = packed.infolist()
            if len(parts) > MOST_PARTS or sum(one.file_size for one in parts) > LARGEST_UNPACKED:
                raise BadSheet(
                    "这个文件解开后大得不合常理，没有打开。请只留要导入的表，另存后再上传。",
                    "Unpacked this file would be unreasonably large; it was not opened.",
                )
            if "xl/workbook.xml" not in packed.namelist():
                raise _broken()
            for part in parts:
                # zipfile reads no more of a part than its directory says.
                if part.filename.endswith((".xml", ".rels")):
                    _check_xml(packed.read(part))
    except (zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, EOFError) as error:
        raise _broken() from error


def _check_xml(content: bytes) -> None:
    # Excel writes UTF-8 and no DTD; another encoding could hide one from this look.
    if b"\0" in content or b"<!DOCTYPE" in content or b"<!ENTITY" in content:
        raise BadSheet(
            "这个文件里有外部实体一类的声明，不是正常的 Excel 表，没有打开。",
            "This file declares entities, which no Excel sheet does; it was not opened.",
        )


def _broken() -> BadSheet:
    return BadSheet(
        "这不是能读的 Excel 表（.xlsx），或已损坏。请在 Excel 里打开后另存为 .xlsx 或 CSV 再上传。",
        "This is no readable Excel file (.xlsx), or it is damaged. Save it anew as .xlsx or CSV.",
    )


def _sheets(data: bytes, most_lines: int) -> list[Sheet]:
    # Formulas come as they are written, starting with "=", and are never worked out.
    book = load_workbook(io.BytesIO(data), read_only=True, data_only=False, keep_links=False)
    try:
        sheets = [one for one in book.worksheets if one.sheet_state == "visible"][:MOST_SHEETS]
        if not sheets:
            raise BadSheet("这个 Excel 文件里没有工作表。", "This Excel file has no sheet.")
        read, left = [], most_lines
        for one in sheets:
            rows = one.iter_rows(max_row=LAST_LINE, max_col=MOST_COLUMNS, values_only=True)
            lines = tuple(_some(_xlsx_lines(rows), left))
            left -= len(lines)
            read.append(Sheet(one.title, lines))
        return read
    finally:
        book.close()


def _xlsx_lines(rows: Iterable[Sequence[Any]]) -> Iterator[Line]:
    for number, cells in enumerate(rows, 1):
        yield Line(number, _trimmed([_text(cell) for cell in cells]))


def _text(cell: Any) -> str:
    if cell is None:
        return ""
    if isinstance(cell, datetime):
        return f"{cell:%Y-%m-%d}" if cell.time() == time() else f"{cell:%Y-%m-%d %H:%M}"
    if isinstance(cell, date):
        return cell.isoformat()
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell)


# --- both ---------------------------------------------------------------------------------------


def _trimmed(cells: Sequence[str]) -> tuple[str, ...]:
    told = [unicodedata.normalize("NFC", cell).strip() for cell in cells[:MOST_COLUMNS]]
    while told and not told[-1]:
        told.pop()
    return tuple(told)


def _some(lines: Iterable[Line], most: int) -> Iterator[Line]:
    count = 0
    for line in lines:
        if not line.cells:
            continue
        count += 1
        if count > most:
            raise BadSheet(
                "行数太多，没有导入。请分成几个文件，分次导入。",
                "There are too many lines; nothing was imported. Send the file in parts.",
            )
        yield line


# --- writing ------------------------------------------------------------------------------------


def harmless(cell: str) -> str:
    """Text that a spreadsheet takes for text: no formula, no bytes it cannot write."""
    text = cell.encode("utf-8", "backslashreplace").decode()
    return f"'{text}" if text.startswith(FORMULA) else text


def write_csv(rows: Iterable[Sequence[str]]) -> bytes:
    """A CSV file that Excel opens as UTF-8 text; what looks like a formula gets an apostrophe."""
    out = io.StringIO(newline="")
    csv.writer(out).writerows([harmless(cell) for cell in row] for row in rows)
    return out.getvalue().encode("utf-8-sig")


def write_xlsx(sheets: Iterable[tuple[str, Iterable[Sequence[str | int]]]]) -> bytes:
    """An XLSX file of these (name, rows); cells are text, whatever they begin with, or whole
    numbers."""
    book = Workbook()
    del book[book.sheetnames[0]]
    for name, rows in sheets:
        sheet = book.create_sheet(re.sub(r"[\\/*?:\[\]]", " ", name)[:31])
        widest: dict[str, int] = {}
        for number, row in enumerate(rows, 1):
            for column, told in enumerate(row, 1):
                cell = sheet.cell(number, column)
                if isinstance(told, int):
                    cell.value = told
                else:
                    _write_text(cell, told)
                letter = cell.column_letter
                widest[letter] = max(widest.get(letter, NARROWEST), _width(str(told)))
        for letter, width in widest.items():
            sheet.column_dimensions[letter].width = min(width, WIDEST)
        sheet.freeze_panes = "A2"
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _write_text(cell: Cell, text: str) -> None:
    cell.value = ILLEGAL_CHARACTERS_RE.sub("", text)[:LONGEST_CELL]
    cell.data_type = "s"
    # Text it is anyway; with this mark it stays text when somebody edits the cell.
    cell.quotePrefix = text.startswith(FORMULA)
    cell.alignment = _TOP


def _width(text: str) -> int:
    """Columns of a line of text and some room; of several lines the longest."""
    lines = text.splitlines() or [""]
    return 2 + max(sum(1 + (not sign.isascii()) for sign in line) for line in lines)
