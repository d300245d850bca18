"""Cases brought over from another system: each row once, whatever crashes in between."""

import csv
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from sqlalchemy import Column, Connection, Table, Text, bindparam, insert, select
from sqlalchemy.exc import IntegrityError

from audit.log import metadata
from engine.errors import Conflict, Refusal
from engine.import_rows import ImportedCase, Rejected
from engine.spreadsheets import harmless

# Which row of which system became which case. A projection: case.opened says the same.
imported_table = Table(
    "imported",
    metadata,
    Column("system", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("row_sha256", Text, nullable=False),
    Column("case", Text, nullable=False),
)

_KNOWN = select(imported_table.c.row_sha256, imported_table.c.case).where(
    imported_table.c.system == bindparam("s"), imported_table.c.id == bindparam("i")
)

OpenCase = Callable[[Connection, ImportedCase], str]


class ImportRunning(Conflict):
    """Two imports of the same rows met."""


@dataclass(frozen=True, slots=True)
class Counts:
    """How many rows became cases, were refused, and had become cases in an earlier run."""

    imported: int = 0
    rejected: int = 0
    skipped: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            self.imported + other.imported,
            self.rejected + other.rejected,
            self.skipped + other.skipped,
        )


def bring(
    open_transaction: Callable[[], AbstractContextManager[Connection]],
    rows: Iterable[ImportedCase | Rejected],
    open_case: OpenCase,
    reject: Callable[[Rejected], None],
    progress: Callable[[Counts], None],
    *,
    batch: int = 200,
) -> Counts:
    """Open a case for every row that has none yet, `batch` rows in one transaction.

    open_case: opens it and returns its id; a Refusal rejects this row alone. A row seen before
    with equal content is skipped; the same id with other content is rejected, naming its case.
    Raises ImportRunning, and whatever `rows` raises; batches before that stay.

    A case and the memory of its row are committed together, so a crash loses one batch of work
    and repeats none: run it again with the same file. Rejections are written after the commit;
    the next run finds the same ones again.
    """
    total, pending = Counts(), iter(rows)
    while chunk := list(islice(pending, batch)):
        with open_transaction() as conn:
            outcomes = [_bring_one(conn, row, open_case) for row in chunk]
        for outcome in outcomes:
            if isinstance(outcome, Rejected):
                reject(outcome)
        total += _counted(outcomes)
        progress(total)
    return total


@contextmanager
def reject_file(path: Path) -> Iterator[Callable[[Rejected], None]]:
    r"""A CSV for Excel of what was not imported: line, reasons, then the row's own cells.

    Cells that a spreadsheet would run as a formula get an apostrophe in front; bytes that were no
    text appear as \udc80 to \udcff.
    """
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)

        def write(rejected: Rejected) -> None:
            if not file.tell():
                writer.writerow(["行", "原因", "reason", *map(harmless, rejected.row.columns)])
            row = rejected.row
            cells = (rejected.chinese, rejected.english, *row.cells)
            writer.writerow([row.line, *map(harmless, cells)])

        yield write


def _bring_one(
    conn: Connection, row: ImportedCase | Rejected, open_case: OpenCase
) -> str | Rejected | None:
    """The id of the new case, the rejection, or None for a row that has its case already."""
    if isinstance(row, Rejected):
        return row
    known = conn.execute(_KNOWN, {"s": row.system, "i": row.id}).first()
    if known:
        return None if known.row_sha256 == row.row_sha256 else _changed(row, known.case)
    try:
        with conn.begin_nested():  # a refused row leaves nothing, the others of its batch stay
            case = open_case(conn, row)
            _remember(conn, row, case)
    except ImportRunning:
        raise
    except Refusal as refusal:
        return Rejected(row.row, refusal.chinese, refusal.english)
    return case


def _remember(conn: Connection, row: ImportedCase, case: str) -> None:
    values = {"system": row.system, "id": row.id, "row_sha256": row.row_sha256, "case": case}
    try:
        conn.execute(insert(imported_table), values)
    except IntegrityError as error:
        raise ImportRunning(
            "另一个导入正在处理同一批数据，请等它结束后重新运行；已导入的不会重复。",
            "Another import is working on the same rows. Wait for its end, then run this again.",
        ) from error


def _changed(row: ImportedCase, case: str) -> Rejected:
    return Rejected(
        row.row,
        f"编号 {row.id} 已导入为案件 {case}，这一行与当时内容不同。请到该案件中补记，勿再导入。",
        f"Id {row.id} is case {case} already, with other content. Add what is new to that case.",
    )


def _counted(outcomes: list[str | Rejected | None]) -> Counts:
    rejected = sum(isinstance(outcome, Rejected) for outcome in outcomes)
    skipped = sum(outcome is None for outcome in outcomes)
    return Counts(len(outcomes) - rejected - skipped, rejected, skipped)
