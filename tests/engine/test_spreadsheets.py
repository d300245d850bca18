"""Tables as offices send them, and as somebody hostile would: read rightly or refused in words."""

import io
import zipfile
from collections.abc import Callable
from datetime import date, datetime

import pytest
from openpyxl import Workbook, load_workbook

from engine.spreadsheets import (
    LARGEST_FILE,
    BadSheet,
    Line,
    Sheet,
    read_sheets,
    write_csv,
    write_xlsx,
)

ROWS = "姓名,单位\n王演示,听涛社区\n"
LINES = (Line(1, ("姓名", "单位")), Line(2, ("王演示", "听涛社区")))


def xlsx(*rows: list[object]) -> bytes:
    book = Workbook()
    for row in rows:
        book.active.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def repacked(data: bytes, change: Callable[[str, bytes], bytes | None]) -> bytes:
    """The same file with its parts changed or, where None, left out."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            if (content := change(name, old.read(name))) is not None:
                new.writestr(name, content, zipfile.ZIP_DEFLATED)
    return out.getvalue()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "gbk", "utf-16"])
def test_a_csv_file_is_read_in_every_encoding_that_excel_in_china_saves(encoding: str) -> None:
    assert read_sheets(ROWS.encode(encoding), most_lines=9) == [Sheet("", LINES)]


@pytest.mark.parametrize("delimiter", [",", "\t", ";"])
def test_a_table_is_read_by_whatever_parts_its_columns(delimiter: str) -> None:
    text = ROWS.replace(",", delimiter)
    assert read_sheets(text.encode(), most_lines=9)[0].lines == LINES


def test_an_excel_file_is_read_with_its_dates_and_numbers_as_text() -> None:
    data = xlsx(
        ["日", "时", "数"], [date(2026, 3, 1), datetime.fromisoformat("2026-03-01 08:30"), 12.0]
    )
    assert read_sheets(data, most_lines=9)[0].lines[1].cells == (
        "2026-03-01",
        "2026-03-01 08:30",
        "12",
    )


def test_empty_lines_count_for_nothing_but_the_numbers_of_lines() -> None:
    assert read_sheets(b"a,b\n\n,\nc,d\n", most_lines=2)[0].lines == (
        Line(1, ("a", "b")),
        Line(4, ("c", "d")),
    )


def test_a_formula_is_read_as_it_is_written_and_never_worked_out() -> None:
    data = xlsx(["姓名"], ["=1+1"], ['=HYPERLINK("http://x.example","点我")'])
    assert [line.cells[0] for line in read_sheets(data, most_lines=9)[0].lines[1:]] == [
        "=1+1",
        '=HYPERLINK("http://x.example","点我")',
    ]


def test_a_macro_is_never_looked_at_and_the_cells_are_read() -> None:
    data = xlsx(["姓名"], ["王演示"])
    out = io.BytesIO(data)
    with zipfile.ZipFile(out, "a") as book:
        book.writestr("xl/vbaProject.bin", b"\xd0\xcf\x11\xe0Sub Auto_Open")
    assert read_sheets(out.getvalue(), most_lines=9)[0].lines[1].cells == ("王演示",)


def test_a_hidden_sheet_is_not_read() -> None:
    book = Workbook()
    book.active.append(["看得见"])
    hidden = book.create_sheet("藏着")
    hidden.append(["看不见"])
    hidden.sheet_state = "hidden"
    out = io.BytesIO()
    book.save(out)
    assert [s.lines[0].cells for s in read_sheets(out.getvalue(), most_lines=9)] == [("看得见",)]


def bomb() -> bytes:
    return repacked(xlsx(["a"]), lambda name, old: b" " * 30_000_000 if "sheet1" in name else old)


def with_entities() -> bytes:
    declared = b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>'
    return repacked(
        xlsx(["a"]), lambda name, old: declared + old if name.endswith("sheet1.xml") else old
    )


def with_hidden_entities() -> bytes:
    declared = '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>'
    return repacked(
        xlsx(["a"]),
        lambda name, old: declared.encode("utf-16") if name.endswith("sheet1.xml") else old,
    )


def with_many_parts() -> bytes:
    out = io.BytesIO(xlsx(["a"]))
    with zipfile.ZipFile(out, "a") as book:
        for number in range(300):
            book.writestr(f"xl/{number}.xml", b"")
    return out.getvalue()


def without_sheets() -> bytes:
    """A workbook that names no sheet."""
    import re

    return repacked(
        xlsx(["a"]),
        lambda name, old: (
            re.sub(rb"<sheets>.*</sheets>", b"<sheets/>", old, flags=re.DOTALL)
            if name == "xl/workbook.xml"
            else old
        ),
    )


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (bomb(), "大得不合常理"),
        (with_entities(), "外部实体"),
        (with_hidden_entities(), "外部实体"),
        (with_many_parts(), "大得不合常理"),
        (without_sheets(), "没有工作表"),
        (repacked(xlsx(["a"]), lambda name, old: None if "workbook" in name else old), "不是能读"),
        (repacked(xlsx(["a"]), lambda name, old: b"<" if "sheet1" in name else old), "不是能读"),
        (xlsx(["a"])[:500], "不是能读"),
        (b"PK\x03\x04 nothing of the kind", "不是能读"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "旧式的 .xls"),
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\x00\x01", "不是 CSV"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "不是 CSV"),
        (b'a,b\nc,"d\ne,f\n', "引号不成对"),
        (b"", "没有内容"),
        (b"\n\n,,\n", "没有内容"),
        (b"a\n" * 10, "行数太多"),
        (b"a" * (LARGEST_FILE + 1), "超过 2 MB"),
    ],
)
def test_what_is_no_table_is_refused_in_words(data: bytes, told: str) -> None:
    with pytest.raises(BadSheet, match=told) as refused:
        read_sheets(data, most_lines=9)
    assert refused.value.english


def test_too_many_lines_are_counted_over_all_sheets() -> None:
    data = write_xlsx([("一", [["a"], ["b"]]), ("二", [["c"], ["d"]])])
    assert len(read_sheets(data, most_lines=4)) == 2
    with pytest.raises(BadSheet, match="行数太多"):
        read_sheets(data, most_lines=3)


def test_a_line_with_a_number_beyond_excel_is_not_waited_for() -> None:
    def far(name: str, old: bytes) -> bytes:
        return old.replace(b'r="2"', b'r="99999999999"') if "sheet1" in name else old

    data = repacked(xlsx(["a"], ["b"]), far)
    assert len(read_sheets(data, most_lines=9)[0].lines) == 1


DANGEROUS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "=cmd|'/c calc'!A0"]


def test_what_is_written_for_excel_holds_no_formula() -> None:
    book = load_workbook(io.BytesIO(write_xlsx([("表", [DANGEROUS])])))
    assert {cell.data_type for cell in book.active[1]} == {"s"}
    assert [cell.value for cell in book.active[1]] == DANGEROUS


def test_what_is_written_as_csv_begins_like_no_formula() -> None:
    told = write_csv([DANGEROUS]).decode("utf-8-sig")
    assert told == ",".join(f"'{cell}" for cell in DANGEROUS) + "\r\n"


def test_what_was_written_can_be_read_again() -> None:
    rows = [["姓名", "单位"], ["王演示", "听涛社区"]]
    assert read_sheets(write_csv(rows), most_lines=9)[0].lines == LINES
    assert read_sheets(write_xlsx([("名册", rows)]), most_lines=9) == [Sheet("名册", LINES)]
    assert write_xlsx([("名/册?", [["\x01坏\x02字"]])])


@pytest.mark.parametrize("begins", ["=", "+", "-", "@", "\t", "\r"])
def test_what_begins_like_a_formula_is_written_as_text_and_stays_text_when_edited(
    begins: str,
) -> None:
    words = f'{begins}HYPERLINK("http://x.example")'
    book = load_workbook(io.BytesIO(write_xlsx([("表", [[words, "平常", 7]])])))
    cell, usual, number = book.worksheets[0][1]
    assert (cell.value, cell.data_type, cell.quotePrefix) == (words, "s", True)
    assert (usual.value, usual.quotePrefix) == ("平常", False)
    assert (number.value, number.data_type) == (7, "n")
    with zipfile.ZipFile(io.BytesIO(write_xlsx([("表", [[words]])]))) as packed:
        assert b"<f>" not in packed.read("xl/worksheets/sheet1.xml")


def test_a_text_longer_than_excel_takes_is_cut_where_excel_would() -> None:
    book = load_workbook(io.BytesIO(write_xlsx([("表", [["长" * 40_000]])])))
    assert len(book.worksheets[0]["A1"].value) == 32_767
