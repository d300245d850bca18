"""Another system's rows, read one by one: each a case to import or a rejection that says why."""

import csv
import gzip
import hashlib
import io
import unicodedata
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from audit.encoding import canonical, timestamp
from engine.errors import BadInput
from engine.import_maps import Dates, ImportMap

# Half of what one event may hold (audit.entries), so that the form fits beside it.
LARGEST_ROW = 16 * 1024

Seekable = io.BufferedReader | io.BytesIO


class WrongFile(BadInput):
    """The file as a whole is not what the map describes; no row of it is read further."""


class BadRow(BadInput):
    """This row cannot become a case."""


@dataclass(frozen=True, slots=True)
class Row:
    """One record as it stands in the file, from `line` to `last`; the header is line 1."""

    line: int
    last: int
    columns: tuple[str, ...]
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that was not imported, and why, in two languages."""

    row: Row
    chinese: str
    english: str


@dataclass(frozen=True, slots=True)
class ImportedCase:
    """What another system says about one case. Its word, never our record.

    form: the opening form. unit: where the map puts it, or None. opened, closed: a day
    (`2023-01-31`) where the other system kept no time, else a timestamp in UTC. concluded: the
    other system had finished with it. original: its columns and cells in their order, as they
    are but for Unicode normalisation (NFC), without the columns that the map leaves out.
    row_sha256: over the canonical JSON of `original`. file_sha256: over the file as given.
    """

    row: Row
    process: str
    unit: str | None
    form: Mapping[str, str]
    system: str
    id: str
    opened: str
    closed: str | None
    status: str | None
    concluded: bool
    original: tuple[tuple[str, str], ...]
    row_sha256: str
    file_sha256: str

    def record(self) -> dict[str, Any]:
        """The `imported` part of the case.opened event."""
        told = {
            "system": self.system,
            "id": self.id,
            "line": self.row.line,
            "row_sha256": self.row_sha256,
            "file_sha256": self.file_sha256,
            "opened": self.opened,
            "concluded": self.concluded,
            "original": [list(pair) for pair in self.original],
        }
        optional = {"closed": self.closed, "status": self.status}
        return told | {key: value for key, value in optional.items() if value}


def rows(map_: ImportMap, file: Seekable, *, at: datetime) -> Iterator[ImportedCase | Rejected]:
    """Read a CSV file, gzipped or not, row by row. Blank lines are passed over.

    file: seekable; it is hashed first, then read again from its start, and left open.
    at: now; dates after it are impossible. Raises WrongFile.
    """
    file_sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    for row in records(file, encoding=map_.encoding, needed=map_.columns):
        if isinstance(row, Rejected):
            yield row
            continue
        try:
            yield _case(map_, row, file_sha256, at)
        except BadRow as bad:
            yield rejected(row, bad)


def rejected(row: Row, bad: BadRow) -> Rejected:
    """The row with the reason; one that ran over several lines says so."""
    if row.last == row.line:
        return Rejected(row, bad.chinese, bad.english)
    # A stray quote swallows the lines after it; they must not vanish unmentioned.
    return Rejected(
        row,
        f"第 {row.line} 至 {row.last} 行连成了一条（引号可能不成对）：{bad.chinese}",
        f"Lines {row.line} to {row.last} became one row (a stray quote?): {bad.english}",
    )


def records(file: Seekable, *, encoding: str, needed: frozenset[str]) -> Iterator[Row | Rejected]:
    """The rows of a CSV file, gzipped or not, behind a first line that has the needed columns.

    Raises WrongFile.
    """
    # Undecodable bytes come through as lone surrogates, so that they spoil one row only.
    text: io.TextIOWrapper[Any] = io.TextIOWrapper(
        _unzipped(file), encoding=encoding, errors="surrogateescape", newline=""
    )
    try:
        reader = csv.reader(text)
        columns = _header(needed, next(reader, []))
        yield from _read(reader, columns)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise WrongFile(
            "压缩文件不完整或已损坏，请重新取得文件后再导入；已导入的不会重复。",
            "The compressed file is cut off or damaged; fetch it again. Nothing is imported twice.",
        ) from error
    finally:
        text.detach()  # closing it would close the caller's file


def _read(reader: Any, columns: tuple[str, ...]) -> Iterator[Row | Rejected]:
    while True:
        line = reader.line_num + 1
        try:
            cells = tuple(next(reader))
        except StopIteration:
            return
        except csv.Error:
            bad = BadRow("单元格过长，读不出来。", "A cell is too long to be read.")
            yield rejected(Row(line, reader.line_num, columns, ()), bad)
            continue
        if cells:
            yield Row(line, reader.line_num, columns, cells)


def _unzipped(file: Seekable) -> Seekable | gzip.GzipFile:
    file.seek(0)
    zipped = file.read(2) == b"\x1f\x8b"
    file.seek(0)
    return gzip.open(file) if zipped else file


def _header(needed: frozenset[str], cells: Sequence[str]) -> tuple[str, ...]:
    columns = tuple(unicodedata.normalize("NFC", cell.strip()) for cell in cells)
    if any(_undecoded(column) for column in columns):
        raise WrongFile("文件编码与映射不符，请核对。", "The encoding is not what the map says.")
    missing = sorted(needed - set(columns))
    if missing:
        raise WrongFile(
            f"文件第一行缺少列：{'、'.join(missing)}。请核对文件与映射是否对应。",
            f"The first line lacks the columns {', '.join(missing)}; is this the right map?",
        )
    if len(set(columns)) < len(columns):
        raise WrongFile("文件第一行有重名的列。", "Two columns of the first line have one name.")
    return columns


def _case(map_: ImportMap, row: Row, file_sha256: str, at: datetime) -> ImportedCase:
    check_cells(row)
    cells = {
        c: unicodedata.normalize("NFC", v) for c, v in zip(row.columns, row.cells, strict=True)
    }
    original = tuple((c, v) for c, v in cells.items() if c not in map_.leave_out)
    kept = canonical(original)
    if len(kept) > LARGEST_ROW:
        raise BadRow("这一行内容过长，放不进一条记录。", "The row is too long for one record.")
    _check_required(map_, cells)
    opened, closed = _dates(map_.dates, cells, at)
    status = cells[map_.status_column].strip() if map_.status_column else None
    return ImportedCase(
        row=row,
        process=map_.process,
        unit=_unit(map_, cells),
        form=_form(map_, cells),
        system=map_.system,
        id=cells[map_.id].strip(),
        opened=opened,
        closed=closed,
        status=status,
        concluded=_concluded(map_, status, closed),
        original=original,
        row_sha256=hashlib.sha256(kept).hexdigest(),
        file_sha256=file_sha256,
    )


def check_cells(row: Row) -> None:
    """Raises BadRow for a row with more or fewer cells than columns, or with what is no text."""
    if len(row.cells) != len(row.columns):
        raise BadRow(
            f"有 {len(row.cells)} 列，应有 {len(row.columns)} 列。",
            f"{len(row.cells)} columns instead of {len(row.columns)}.",
        )
    for column, cell in zip(row.columns, row.cells, strict=True):
        if _undecoded(cell):
            raise BadRow(
                f"“{column}”里有无法识别的字节，编码可能不对。",
                f"{column} has bytes that are no text; the encoding may be wrong.",
            )
        if any(unicodedata.category(c) == "Cc" and c not in "\t\r\n" for c in cell):
            raise BadRow(f"“{column}”里有控制字符。", f"{column} has control characters.")


def _undecoded(text: str) -> bool:
    return any("\udc80" <= character <= "\udcff" for character in text)


def _check_required(map_: ImportMap, cells: Mapping[str, str]) -> None:
    for column in (map_.id, *map_.required):
        if not cells[column].strip():
            raise BadRow(f"“{column}”是空的。", f"{column} is empty.")


def _unit(map_: ImportMap, cells: Mapping[str, str]) -> str | None:
    cell = cells[map_.unit_column].strip() if map_.unit_column else ""
    return map_.units.get(cell, map_.unit)


def _form(map_: ImportMap, cells: Mapping[str, str]) -> dict[str, str]:
    filled = {name: template.fill(cells) for name, template in map_.form.items()}
    category = next((rule.category for rule in map_.rules if rule.fits(cells)), map_.category)
    return {name: text for name, text in filled.items() if text} | {"category": category}


def _concluded(map_: ImportMap, status: str | None, closed: str | None) -> bool:
    if status is None:
        return closed is not None
    if closed and status not in map_.concluded:
        raise BadRow(
            f"状态是“{status}”，却有办结日期。", f"It is {status}, but has a closing date."
        )
    return status in map_.concluded


def _dates(dates: Dates, cells: Mapping[str, str], at: datetime) -> tuple[str, str | None]:
    opened = _moment(dates, dates.opened, cells, at)
    if not dates.closed or not cells[dates.closed].strip():
        return _written(opened), None
    closed = _moment(dates, dates.closed, cells, at)
    # Where one of the two has no time of day, only the days can be compared.
    exact = isinstance(opened, datetime) and isinstance(closed, datetime)
    if closed < opened if exact else _day(closed, dates) < _day(opened, dates):
        raise BadRow(
            f"办结时间 {cells[dates.closed].strip()} 早于立案时间 {cells[dates.opened].strip()}。",
            f"Closed {cells[dates.closed].strip()}, before it was opened.",
        )
    return _written(opened), _written(closed)


def _moment(dates: Dates, column: str, cells: Mapping[str, str], at: datetime) -> date:
    """The day, or the instant (a datetime, UTC) where the format has a time of day."""
    text = cells[column].strip()
    found = next((m for f in dates.formats if (m := _parsed(text, f, dates)) is not None), None)
    if found is None:
        raise BadRow(f"“{column}”的日期“{text}”读不出来。", f"{column}: {text} is not a date.")
    if not dates.earliest <= _day(found, dates) <= at.astimezone(dates.zone).date():
        raise BadRow(
            f"“{column}”的日期 {text} 不可能：太早，或在将来。",
            f"{column}: {text} cannot be, too early or in the future.",
        )
    return found


def _parsed(text: str, written: str, dates: Dates) -> date | None:
    try:
        local = datetime.strptime(text, written)  # noqa: DTZ007 - the zone follows below
    except ValueError:
        return None
    if "%H" not in written and "%I" not in written:
        return local.date()
    # A local time that occurs twice in autumn is taken as the first of the two.
    aware = local if local.tzinfo else local.replace(tzinfo=dates.zone)
    try:
        return aware.astimezone(UTC)
    except OverflowError:  # year 1 or 9999
        return None


def _day(moment: date, dates: Dates) -> date:
    return moment.astimezone(dates.zone).date() if isinstance(moment, datetime) else moment


def _written(moment: date) -> str:
    return timestamp(moment) if isinstance(moment, datetime) else moment.isoformat()
