"""The publication sheet: what the public pages tell and nothing else, as page, PDF and Excel."""

import hashlib
import io
import re
from collections.abc import Callable
from typing import Any

import orjson
from openpyxl import load_workbook

from audit import log
from audit.sealed_pdf import open_pdf
from engine.database import reading
from tests.conftest import Street
from tests.web.conftest import Visitor
from tests.web.demo_street import Built
from tests.web.paths import closed
from web import hazard_publication, publication
from web.config import Settings
from web.demo import END
from web.press import make_waiting
from web.publication_text import SheetText, read_sheet

Enter = Callable[[str], Visitor]


def plain(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub("<[^>]+>", " ", html.partition("<main")[2]))


def test_it_tells_the_figures_of_the_public_pages_and_no_small_one(built: Built) -> None:
    with reading(built.database).begin() as conn:
        sheet = read_sheet(conn, END)
        hazards, complaints = (one.figures(conn, END) for one in (hazard_publication, publication))
    told = SheetText(sheet, "zh").told()
    data = orjson.loads(told.data)
    assert data["hazards"] == orjson.loads(hazard_publication.as_json(hazards))
    assert data["complaints"] == orjson.loads(publication.as_json(complaints))
    named = {section.title: section for section in told.sections}
    threshold = hazards.hazards.threshold
    counts = [
        cell.text
        for section in told.sections
        for row in section.rows
        for cell in row
        if isinstance(cell.text, int)
    ]
    assert len(counts) > 10
    assert all(count == 0 or count >= threshold for count in counts)
    assert len(named["各社区隐患"].rows) == len(hazards.hazards.rows)
    periods = complaints.publication.periods
    listed = named["投诉受理并核实"].rows
    assert len(listed) == sum(len(one.cells) for one in periods)
    # Months that are over, as of the first of this one: nothing of the day it is printed.
    assert f"{hazards.position.until:%Y-%m-%d}" < f"{END:%Y-%m-%d}"
    words = "".join(str(cell.text) for s in told.sections for row in s.rows for cell in row)
    assert "演示王" not in words
    assert not re.search(r"-(隐|诉|哨)-", words)


def test_it_is_issued_as_pdf_and_excel_on_the_record(
    signed_in: Enter, web_street: Street, settings: Settings
) -> None:
    for _ in range(4):
        closed(web_street)
    web_street.later(days=40)
    watch = signed_in("watch")
    assert "公示表" in plain(watch.text("/publication-sheet"))
    files: dict[str, Any] = {}
    for format_ in ("pdf", "xlsx"):
        form = {"purpose": "社区公示栏", "format": format_}
        answer = watch.post("/publication-sheet", form)
        assert answer.status_code == 303, answer.text
        assert make_waiting(web_street.database, settings, clock=lambda: web_street.at) == 1
        assert "回到报告" in watch.text(str(answer.location))
        files[format_] = watch.get(f"{answer.location}/file").data
    with reading(web_street.database).begin() as conn:
        left = [one.data for one in log.read(conn, "@log") if one.type == "special.exported"]
    assert [one["sha256"] for one in left] == [
        hashlib.sha256(data).hexdigest() for data in files.values()
    ]
    assert {one["kind"] for one in left} == {"publication"}
    attached = open_pdf(files["pdf"]).attachments["publication.json"]
    assert hashlib.sha256(attached).hexdigest() == left[0]["digest"] == left[1]["digest"]
    book = load_workbook(io.BytesIO(files["xlsx"]))
    assert [name.split(" ")[1] for name in book.sheetnames][:3] == [
        "事实",
        "全街道隐患",
        "各社区隐患",
    ]
    web_street.check()


def test_it_is_issued_by_supervision_and_discipline(signed_in: Enter, web_street: Street) -> None:
    fixer = signed_in("fixer")
    assert fixer.get("/publication-sheet").status_code == 403
    assert fixer.post("/publication-sheet", {"purpose": "x"}).status_code == 403
    answer = signed_in("watch").post("/publication-sheet", {"purpose": ""})
    assert (answer.status_code, "请写明用途" in answer.text) == (400, True)
