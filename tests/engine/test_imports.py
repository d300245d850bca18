import csv
import io
import os
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from audit import log
from engine import imports
from engine.cases import Place, Report, open_case
from engine.errors import Conflict
from engine.import_maps import read_map
from engine.import_rows import ImportedCase, Rejected, Row, rows
from engine.imports import Counts, bring, reject_file

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests/golden/import"
NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
MAP = read_map((GOLDEN / "old-system.toml").read_bytes())
FILE = (GOLDEN / "old-system.csv").read_bytes()
GOOD = b"".join(line for number, line in enumerate(FILE.splitlines(True)) if number < 5)


def sample(data: bytes = FILE) -> Iterator[ImportedCase | Rejected]:
    return rows(MAP, io.BytesIO(data), at=NOW)


class Desk:
    """Somebody importing into the test street, and what they saw of it.

    The workshop process asks for a description only; title and place are the report's own.
    """

    def __init__(self, street: Any) -> None:
        self.street = street
        self.rejected: list[Rejected] = []
        self.seen: list[Counts] = []

    def open(self, conn: Connection, row: ImportedCase) -> str:
        form = {"description": row.form["description"]}
        place = Place(row.unit or "u-tingtao", row.form["address"])
        report = Report(
            row.process, row.form["category"], row.form["title"], place, form,
            source="import", imported=row.record(),
        )  # fmt: skip
        return open_case(conn, report, by=self.street.by("grid"), at=self.street.at).case

    def bring(self, found: Iterator[ImportedCase | Rejected], **more: Any) -> Counts:
        given = {"open_case": self.open, "reject": self.rejected.append} | more
        return bring(self.street.database.begin, found, progress=self.seen.append, **given)

    def cases(self) -> list[Any]:
        with self.street.database.begin() as conn:
            names = [name for name in log.streams(conn) if not name.startswith("@")]
            return [log.read(conn, name)[0] for name in names]


@pytest.fixture
def desk(street: Any) -> Desk:
    return Desk(street)


def test_every_good_row_becomes_a_case_marked_as_imported(desk: Desk) -> None:
    assert desk.bring(sample()) == Counts(imported=3, rejected=12, skipped=1)
    opened = desk.cases()
    assert [entry.data["imported"]["id"] for entry in opened] == ["A-1", "A-2", "A-3"]
    for entry in opened:
        assert entry.data["source"] == "import"
        assert entry.data["imported"]["system"] == "old-system"
        assert entry.at == desk.street.at
        assert entry.claimed_at is None
    desk.street.check()


def test_a_second_run_imports_nothing_twice(desk: Desk) -> None:
    desk.bring(sample())
    assert desk.bring(sample()) == Counts(imported=0, rejected=12, skipped=4)
    assert len(desk.cases()) == 3


def test_the_same_id_with_other_content_names_the_case_that_has_it(desk: Desk) -> None:
    desk.bring(sample(GOOD))
    case = desk.cases()[0].stream
    changed = GOOD.replace("楼道里有旧家具".encode(), "楼道里有新家具".encode())
    assert desk.bring(sample(changed)) == Counts(rejected=1, skipped=2)
    (rejected,) = desk.rejected
    assert "A-1" in rejected.chinese
    assert case in rejected.chinese
    assert case in rejected.english


def test_the_same_id_of_another_system_is_another_case(desk: Desk) -> None:
    other = read_map(
        (GOLDEN / "old-system.toml").read_bytes().replace(b'"old-system"', b'"new-system"')
    )
    desk.bring(sample(GOOD))
    desk.bring(rows(other, io.BytesIO(GOOD), at=NOW))
    assert len(desk.cases()) == 6


def test_a_row_the_process_refuses_is_rejected_alone_with_its_sentence(desk: Desk) -> None:
    spoilt = GOOD.replace("“从 4 楼拉线充电”".encode(), b"x")  # too short for the form
    assert desk.bring(sample(spoilt)) == Counts(imported=2, rejected=1)
    assert desk.rejected[0].row.line == 3
    assert desk.rejected[0].chinese
    assert len(desk.cases()) == 2
    desk.street.check()


@pytest.mark.parametrize("batch", [1, 2, 3, 200])
def test_a_run_killed_at_any_row_is_finished_by_the_next(desk: Desk, batch: int) -> None:
    class Killed(BaseException):
        pass

    for deadly in range(1, 4):
        opened = 0

        def dying(conn: Connection, row: ImportedCase, deadly: int = deadly) -> str:
            nonlocal opened
            opened += 1
            case = desk.open(conn, row)
            if opened == deadly:
                raise Killed
            return case

        with pytest.raises(Killed):
            desk.bring(sample(many(9, first=deadly * 10)), open_case=dying, batch=batch)
        whole = (deadly - 1) // batch * batch
        left = Counts(imported=9 - whole, skipped=whole)
        assert desk.bring(sample(many(9, first=deadly * 10)), batch=batch) == left
    ids = Counter(entry.data["imported"]["id"] for entry in desk.cases())
    assert ids == {f"C-{first + n}": 1 for first in (10, 20, 30) for n in range(9)}
    desk.street.check()


def many(count: int, *, first: int = 0) -> bytes:
    head = FILE.decode(errors="surrogateescape").splitlines()[0].lstrip("\ufeff")
    line = "C-{},堆物,听涛苑 {} 幢,楼道里有旧家具,2025/3/4,,办理中,,"
    lines = [line.format(first + n, n) for n in range(count)]
    return "\n".join([head, *lines]).encode()


def test_progress_is_told_after_every_batch(desk: Desk) -> None:
    desk.bring(sample(many(5)), batch=2)
    assert desk.seen == [Counts(2), Counts(4), Counts(5)]


def test_two_imports_that_meet_do_not_both_bring_the_row(desk: Desk) -> None:
    def rival(conn: Connection, row: ImportedCase) -> str:
        # As on PostgreSQL, where the other run commits between our look and our insert.
        values = {"system": row.system, "id": row.id, "row_sha256": row.row_sha256, "case": "x-1"}
        conn.execute(imports.imported_table.insert(), values)
        return desk.open(conn, row)

    with pytest.raises(imports.ImportRunning) as refused:
        desk.bring(sample(GOOD), open_case=rival)
    assert isinstance(refused.value, Conflict)
    assert desk.cases() == []


def test_the_reject_file_holds_line_reason_and_the_row_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "rejected.csv"
    with reject_file(path) as reject:
        for row in sample():
            if isinstance(row, Rejected):
                reject(row)
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    with path.open(encoding="utf-8-sig", newline="") as file:
        header, *lines = list(csv.reader(file))
    assert header[:5] == ["行", "原因", "reason", "编号", "类型"]
    assert lines[0][:4] == ["7", "“编号”是空的。", "编号 is empty.", ""]
    assert [line[0] for line in lines] == [str(n) for n in (*range(7, 16), 18, 19)]
    assert lines[-2][4] == "\\udcff\\udcfe"


def test_no_cell_of_the_reject_file_is_a_formula(tmp_path: Path) -> None:
    cells = ("=1+1", "+1", "-1", "@x", "\t=1", "\r=1", "plain", "")
    row = Row(2, 2, tuple("abcdefgh"), cells)
    with reject_file(tmp_path / "r.csv") as reject:
        reject(Rejected(row, "坏", "bad"))
    with (tmp_path / "r.csv").open(encoding="utf-8-sig", newline="") as file:
        (_, line) = csv.reader(file)
    assert line[3:] == ["'=1+1", "'+1", "'-1", "'@x", "'\t=1", "'\r=1", "plain", ""]


def test_nothing_rejected_leaves_an_empty_reject_file(tmp_path: Path) -> None:
    with reject_file(tmp_path / "r.csv"):
        pass
    assert (tmp_path / "r.csv").read_bytes() == b""


@pytest.fixture(scope="session")
def council_cases() -> Path:
    """Real cases of another city; not part of the project (SHAOJI_DATA, or ../shared/data)."""
    folder = Path(os.environ.get("SHAOJI_DATA") or ROOT.parent / "shared" / "data")
    path = folder / "nyc-council-cases-2023-2025.csv.gz"
    if not path.exists():
        missing = f"REAL IMPORT DATA ABSENT: no {path.name}; set SHAOJI_DATA to its folder"
        pytest.fail(missing) if os.environ.get("CI") else pytest.skip(missing)
    return path


def test_all_real_cases_of_another_city_are_understood(council_cases: Path) -> None:
    map_ = read_map((ROOT / "workflows/imports/nyc-council.toml").read_bytes())
    with council_cases.open("rb") as file:
        found = list(rows(map_, file, at=NOW))
    assert Counter(type(row) for row in found) == {ImportedCase: 20_221}
    cases = [row for row in found if isinstance(row, ImportedCase)]
    assert sum(row.concluded for row in cases) == 20_221 - 3_559
    assert len({row.id for row in cases}) == 20_221
    assert all(row.form["address"].startswith("纽约") for row in cases)
    assert {row.form["category"] for row in cases} > {"other", "gas", "electricity", "road"}
