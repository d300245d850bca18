import gzip
import hashlib
import io
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.encoding import canonical
from engine.import_maps import ImportMap, read_map
from engine.import_rows import ImportedCase, Rejected, WrongFile, rows

GOLDEN = Path(__file__).parents[1] / "golden" / "import"
NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
MAP = read_map((GOLDEN / "old-system.toml").read_bytes())
FILE = (GOLDEN / "old-system.csv").read_bytes()
HEADER = "编号,类型,地点,说明,受理时间,办结时间,状态,网格,联系电话"


def read(data: bytes, map_: ImportMap = MAP) -> list[ImportedCase | Rejected]:
    return list(rows(map_, io.BytesIO(data), at=NOW))


def cases(data: bytes, map_: ImportMap = MAP) -> list[ImportedCase]:
    return [row for row in read(data, map_) if isinstance(row, ImportedCase)]


def one(cells: str, map_: ImportMap = MAP) -> ImportedCase | Rejected:
    (row,) = read(f"{HEADER}\n{cells}\n".encode(), map_)
    return row


def reason(cells: str) -> str:
    row = one(cells)
    assert isinstance(row, Rejected)
    assert row.english
    return row.chinese


def test_a_good_row_becomes_a_case_in_the_words_of_the_other_system() -> None:
    first = cases(FILE)[0]
    assert first.form == {
        "title": "堆物（听涛苑 3 幢）",
        "address": "听涛苑 3 幢",
        "description": "楼道里有旧家具",
        "category": "clutter",
    }
    assert (first.process, first.unit, first.system, first.id) == (
        "workshop", "u-micro-1", "old-system", "A-1",
    )  # fmt: skip
    assert first.record() == {
        "system": "old-system",
        "id": "A-1",
        "line": 2,
        "row_sha256": hashlib.sha256(canonical(first.original)).hexdigest(),
        "file_sha256": hashlib.sha256(FILE).hexdigest(),
        "opened": "2025-03-01T00:30:00.000Z",
        "closed": "2025-03-05T09:00:00.000Z",
        "status": "已办结",
        "concluded": True,
        "original": [
            ["编号", "A-1"], ["类型", "堆物"], ["地点", "听涛苑 3 幢"], ["说明", "楼道里有旧家具"],
            ["受理时间", "2025-03-01 08:30"], ["办结时间", "2025-03-05 17:00"],
            ["状态", "已办结"], ["网格", "第一微网格"],
        ],
    }  # fmt: skip
    canonical(first.record())


def test_a_column_left_out_never_leaves_the_file() -> None:
    for row in cases(FILE):
        told = canonical(row.record()) + canonical(dict(row.form))
        assert b"0000000000" not in told
        assert "联系电话".encode() not in told


def test_the_phone_number_left_out_does_not_show_in_the_hash() -> None:
    line = "A,堆物,x,说明,2025-03-01 08:30,,办理中,,"
    first, second = one(line + "1"), one(line + "2")
    assert isinstance(first, ImportedCase)
    assert isinstance(second, ImportedCase)
    assert first.row_sha256 == second.row_sha256


def test_what_is_empty_takes_the_default() -> None:
    second = cases(FILE)[1]
    assert second.form["address"] == "原系统未写地点"
    assert second.form["title"] == "飞线"
    assert second.form["category"] == "wiring"
    assert second.unit == "u-tingtao"
    assert (second.closed, second.status, second.concluded) == (None, "办理中", False)


def test_a_date_without_time_stays_a_day() -> None:
    third = cases(FILE)[2]
    assert (third.opened, third.closed) == ("2025-03-04", "2025-03-04")


def test_a_line_break_within_quotes_does_not_shift_the_line_numbers() -> None:
    found = read(FILE)
    assert [row.row.line for row in found] == [2, 3, 4, *range(7, 20)]
    third = found[2]
    assert isinstance(third, ImportedCase)
    assert third.form["address"] == "听涛苑 5 幢 2 单元"
    assert ("地点", "听涛苑 5 幢\n2 单元") in third.original


def test_every_bad_row_is_rejected_with_its_own_reason() -> None:
    expected = {
        7: "“编号”是空的",
        8: "“类型”是空的",
        9: "2025-02-30 08:30”读不出来",
        10: "早于立案时间",
        11: "2999-01-01 00:00 不可能",
        12: "1900/1/1 不可能",
        13: "有 4 列，应有 9 列",
        14: "却有办结日期",
        15: "控制字符",
        18: "无法识别的字节",
        19: "“坏日期”读不出来",
    }
    found = {row.row.line: row.chinese for row in read(FILE) if isinstance(row, Rejected)}
    assert found.keys() == expected.keys()
    for line, part in expected.items():
        assert part in found[line]


@pytest.mark.parametrize(
    ("opened", "closed", "good"),
    [
        ("2025-03-05 08:30", "2025-03-05 08:30", True),
        ("2025-03-05 08:30", "2025-03-05 08:29", False),
        ("2025-03-05 08:30", "2025/3/5", True),
        ("2025/3/5", "2025-03-05 00:00", True),
        ("2025/3/5", "2025-03-04 23:59", False),
        ("2025-03-05 23:30", "2025/3/4", False),
        ("2026/3/2", "", True),
        ("2026/3/3", "", False),
        ("2026-03-02 23:59", "", True),
        ("0001-01-01 00:00", "", False),
        ("9999-12-31 23:59", "", False),
    ],
)
def test_dates_are_compared_as_exactly_as_both_are_known(
    opened: str, closed: str, good: bool
) -> None:
    state = "已办结" if closed else "办理中"
    row = one(f"A,堆物,x,说明,{opened},{closed},{state},,")
    assert isinstance(row, ImportedCase) == good


def test_a_closed_state_without_a_date_is_taken_at_its_word() -> None:
    row = one("A,堆物,x,说明,2025/3/5,,已办结,,")
    assert isinstance(row, ImportedCase)
    assert (row.concluded, row.closed) == (True, None)


def test_a_time_that_does_not_say_its_zone_is_read_in_the_zone_of_the_map() -> None:
    new_york = read_map(
        (GOLDEN / "old-system.toml").read_bytes().replace(b"Asia/Shanghai", b"America/New_York")
    )
    for written, utc in [
        ("2025-07-01 12:00", "2025-07-01T16:00:00.000Z"),
        ("2025-12-01 12:00", "2025-12-01T17:00:00.000Z"),
        ("2025-11-02 01:30", "2025-11-02T05:30:00.000Z"),  # occurs twice; the first is meant
    ]:
        row = one(f"A,堆物,x,说明,{written},,办理中,,", new_york)
        assert isinstance(row, ImportedCase)
        assert row.opened == utc


def test_gzip_makes_no_difference_but_for_the_hash_of_the_file() -> None:
    plain, packed = cases(FILE), cases(gzip.compress(FILE, mtime=0))
    assert [row.row_sha256 for row in plain] == [row.row_sha256 for row in packed]
    assert plain[0].file_sha256 != packed[0].file_sha256


def test_a_chinese_office_encoding_can_be_read() -> None:
    map_ = read_map((GOLDEN / "old-system.toml").read_bytes().replace(
        b'id = "', b'encoding = "gb18030"\nid = "', 1
    ))  # fmt: skip
    line = "A-1,堆物,听涛苑 3 幢,楼道里有旧家具𠮷,2025-03-01 08:30,,办理中,,"
    data = f"{HEADER}\n{line}\n".encode("gb18030")
    (good,) = read(data, map_)
    assert isinstance(good, ImportedCase)
    assert good.form["description"] == "楼道里有旧家具𠮷"
    spoilt = data.replace("旧".encode("gb18030"), b"\xff")
    (bad,) = read(spoilt, map_)
    assert isinstance(bad, Rejected)


def test_text_is_recorded_in_one_unicode_form() -> None:
    row = one("A,堆物,Cafe\u0301,说明,2025/3/5,,办理中,,")
    assert isinstance(row, ImportedCase)
    assert row.form["address"] == "Caf\u00e9"
    canonical(row.record())


@pytest.mark.parametrize(
    "data", [b"", b"\n", b"a,b\n1,2\n", HEADER.encode("utf-16"), HEADER.encode("gb18030")]
)
def test_a_file_of_another_kind_is_refused_as_a_whole(data: bytes) -> None:
    with pytest.raises(WrongFile):
        read(data)


def test_a_missing_column_is_named() -> None:
    with pytest.raises(WrongFile, match="说明") as refused:
        read(f"{HEADER.replace('说明', '备注')}\n".encode())
    assert "说明" in refused.value.english


def test_two_columns_of_one_name_are_refused() -> None:
    with pytest.raises(WrongFile, match="重名"):
        read(f"{HEADER},编号\n".encode())


def test_a_zip_cut_off_gives_its_rows_and_then_says_so() -> None:
    packed = gzip.compress(FILE * 50, mtime=0)[:-20]
    found = rows(MAP, io.BytesIO(packed), at=NOW)
    assert isinstance(next(found), ImportedCase)
    with pytest.raises(WrongFile, match="不完整"):
        list(found)


def test_lines_swallowed_by_a_stray_quote_are_named() -> None:
    good = "A-1,堆物,x,说明,2025/3/5,,办理中,,\n"
    (first, swallowed) = read(f'{HEADER}\n{good}B-1,堆物,"x\n{good}{good}'.encode())
    assert isinstance(first, ImportedCase)
    assert isinstance(swallowed, Rejected)
    assert "第 3 至 5 行" in swallowed.chinese


def test_reading_goes_on_after_a_cell_of_endless_length() -> None:
    good = "A-1,堆物,x,说明,2025/3/5,,办理中,,\n"
    endless = 'B-1,堆物,"x' + ",说明" * 50_000 + "\n"
    found = read((HEADER + "\n" + good + endless + good).encode())
    assert [type(row) for row in found] == [ImportedCase, Rejected, ImportedCase]


def test_a_row_too_large_for_one_event_is_rejected() -> None:
    assert "过长" in reason(f"A,堆物,x,{'长' * 6000},2025/3/5,,办理中,,")


def test_the_file_stays_open_for_its_owner() -> None:
    for data in (FILE, gzip.compress(FILE)):
        file = io.BytesIO(data)
        list(rows(MAP, file, at=NOW))
        assert not file.closed


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reading(tail: bytes) -> None:
    for row in read(f"{HEADER}\n".encode() + tail):
        assert isinstance(row, Rejected)


@given(st.lists(st.text(max_size=20), min_size=9, max_size=9))
def test_no_cells_break_the_reading(cells: list[str]) -> None:
    quoted = ",".join('"' + cell.replace('"', '""') + '"' for cell in cells)
    for row in read(f"{HEADER}\n{quoted}\n".encode("utf-8", "surrogatepass")):
        assert isinstance(row, Rejected)
