"""Codes kept by those who head a community: issued, renewed, printed, and read by a telephone."""

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import zxingcpp
from flask import Flask
from PIL import Image

from engine.people import directory
from engine.place_codes import STREAM, issue
from tests.conftest import Street
from tests.web.conftest import Visitor
from web.place_sheets import sheet


def read_codes(pdf: bytes, folder: Path) -> list[list[str]]:
    """What somebody else's reader makes of each page, printed at 150 dots to the inch."""
    file = folder / "sheet.pdf"
    file.write_bytes(pdf)
    tool = shutil.which("pdftoppm")
    assert tool, "poppler is missing"
    subprocess.run([tool, "-r", "150", "-png", file, folder / "page"], check=True)
    found = []
    for page in sorted(folder.glob("page-*.png")):
        with Image.open(page) as picture:
            found.append(sorted(one.text for one in zxingcpp.read_barcodes(picture)))
    return found


def test_whoever_heads_a_community_issues_and_prints_its_codes(
    signed_in: Any, web_street: Street, tmp_path: Path
) -> None:
    head: Visitor = signed_in("head")
    assert "网格码" in head.text("/me")
    assert head.text("/places").count("还没有码") == 3
    units = ["u-tingtao", "u-grid-1", "u-micro-1"]
    assert head.post("/places", {"unit": units, "act": "issue"}).status_code == 303
    assert "还没有码" not in head.text("/places")
    answer = head.post("/places", {"unit": units, "act": "print"})
    assert answer.mimetype == "application/pdf"
    codes = [e.data["code"] for e in web_street.entries(STREAM) if "code" in e.data]
    (page,) = read_codes(answer.data, tmp_path)
    assert page == sorted(f"http://localhost/q/{code}" for code in codes)
    printed = web_street.entries(STREAM)[-1]
    assert (printed.type, sorted(printed.data["codes"])) == ("code.printed", sorted(codes))
    web_street.check()


def test_seven_codes_are_two_sheets_and_all_are_read(
    app: Flask, web_street: Street, tmp_path: Path
) -> None:
    with app.test_request_context(), web_street.database.begin() as conn:
        one = issue(conn, "u-micro-1", by=web_street.by("head"), at=web_street.at)
        made = sheet(directory(conn), [replace(one, version=n) for n in range(1, 8)], one.issued_at)
    assert made.pages == 2
    assert [len(page) for page in read_codes(made.data, tmp_path)] == [6, 1]


def test_the_address_in_a_code_is_the_one_of_the_settings(
    app: Flask, signed_in: Any, web_street: Street, tmp_path: Path
) -> None:
    house = app.extensions["shaoji"]
    known = replace(house.settings, public_url="https://shao.example", emergency="000-0119")
    app.extensions["shaoji"] = replace(house, settings=known)
    code = web_street.do(issue, "u-micro-1", by=web_street.by("head")).code
    answer = signed_in("head").post("/places", {"unit": "u-micro-1", "act": "print"})
    assert read_codes(answer.data, tmp_path) == [[f"https://shao.example/q/{code}"]]


def test_a_code_is_renewed_with_a_reason(signed_in: Any, web_street: Street) -> None:
    old = web_street.do(issue, "u-micro-1", by=web_street.by("head")).code
    head: Visitor = signed_in("head")
    assert f"{old[:4]}-{old[4:]}" in head.text("/places/u-micro-1")
    answer = head.post("/places/u-micro-1/renewal", {"reason": " "})
    assert answer.status_code == 422
    assert "请写明换码的原因" in answer.text
    assert head.post("/places/u-micro-1/renewal", {"reason": "被涂"}).status_code == 303
    page = head.text("/places/u-micro-1")
    assert f"{old[:4]}-{old[4:]}" not in page
    assert "第 2 版" in page


@pytest.mark.parametrize("name", ["grid", "fixer", "watch"])
def test_nobody_else_keeps_codes(signed_in: Any, web_street: Street, name: str) -> None:
    web_street.do(issue, "u-micro-1", by=web_street.by("head"))
    who: Visitor = signed_in(name)
    assert "网格码" not in who.text("/me")
    assert who.get("/places").status_code == 403
    assert who.get("/places/u-micro-1").status_code == 403
    for path, told in (
        ("/places", {"unit": "u-micro-1", "act": "print"}),
        ("/places", {"unit": "u-grid-1", "act": "issue"}),
        ("/places/u-micro-1/renewal", {"reason": "被涂"}),
    ):
        assert who.post(path, told).status_code == 403
    assert len(web_street.entries(STREAM)) == 1


def test_an_administrator_keeps_them_all(signed_in: Any) -> None:
    page = signed_in("admin").text("/places")
    assert "沿河社区" in page
    assert "听涛社区" in page
    assert "澜安物业" not in page


def test_nothing_ticked_and_nothing_issued_is_told(signed_in: Any) -> None:
    head: Visitor = signed_in("head")
    assert "还没有选" in head.post("/places", {"act": "print"}, follow_redirects=True).text
    answer = head.post("/places", {"unit": "u-grid-1", "act": "print"})
    assert answer.status_code == 409
    assert "请先发码" in answer.text
    assert "这里还没有有效的码" in head.text("/places/u-grid-1")
    assert head.get("/places/u-nowhere").status_code == 404
