"""The public page and its files: the same counts, for everybody, from the log alone."""

import csv
from io import StringIO
from pathlib import Path

import orjson
import pytest
from flask import Flask

from tests.engine.hotline_street import Hotline
from tests.web.conftest import Visitor
from tests.web.hotline_pages import *  # noqa: F403 - the hotline's fixtures
from tests.web.hotline_pages import Resident
from web.publication import FILES, write_files


def main_of(page: str) -> str:
    return page.partition("<main")[2].partition("</main>")[0]


@pytest.fixture
def found_true(resident: Resident, h: Hotline) -> Hotline:
    """Four complaints in March: three about one office, one about another."""
    for number, unit in enumerate(["u-heat-office"] * 3 + ["u-legal"], 1):
        resident.complain(unit=unit)
        h.at(f"hotline-2026-{number:05d}").do("accept")
        h.do("dispatch").do("declare").do("investigate")
        h.do("verify", "both" if unit == "u-legal" else "verifier", unit=unit).do("reply")
        h.wait(days=5)
    return h


def test_a_month_is_told_when_it_is_over(found_true: Hotline, visitor: Visitor) -> None:
    assert "还没有可公布的数字" in main_of(visitor.text("/public"))
    found_true.street.later(days=20)
    page = main_of(visitor.text("/public"))
    assert "2026年3月，查实 4 件" in page
    # The one about the other office stands with those of the first: alone it would be one person.
    assert "供热办、司法所" in page
    assert "合计" in page


def test_it_does_not_change_within_a_month(found_true: Hotline, visitor: Visitor) -> None:
    found_true.street.later(days=20)
    before = visitor.text("/public.json")
    Resident(visitor).complain()
    found_true.street.later(days=5)
    assert visitor.text("/public.json") == before


def test_figures_in_the_files_are_those_of_the_page(
    found_true: Hotline, visitor: Visitor, app: Flask, tmp_path: Path
) -> None:
    found_true.street.later(days=20)
    rows = list(csv.DictReader(StringIO(visitor.text("/public.csv"))))
    assert [row["substantiated"] for row in rows] == ["4"]
    told = orjson.loads(visitor.text("/public.json"))
    assert told["periods"][0]["total"] == 4
    assert told["position"]["complaints"] == 4
    written = write_files(app, tmp_path / "out", found_true.street.at)
    assert [path.name for path in written] == list(FILES)
    assert written[1].read_text(encoding="utf-8") == visitor.text("/public.csv")
    assert orjson.loads(written[2].read_bytes()) == told


def test_the_exported_page_stands_by_itself(
    found_true: Hotline, app: Flask, tmp_path: Path
) -> None:
    found_true.street.later(days=20)
    page = write_files(app, tmp_path, found_true.street.at)[0].read_text(encoding="utf-8")
    assert "2026年3月，查实 4 件" in page
    assert "<script" not in page
    assert 'src="' not in page
    assert 'href="/' not in page
    assert 'href="public.csv"' in page


def test_a_reversal_is_a_correction_and_the_figure_stays(
    found_true: Hotline, visitor: Visitor
) -> None:
    found_true.street.later(days=20)
    first = found_true.at("hotline-2026-00001")
    first.complainant = {**first.entries[0].actor}
    first.say("dispute").do("reopen_first").do("dispatch", unit="u-legal").do("declare", "lawyer")
    first.do("investigate", "lawyer").do("verify", "both", result="unsubstantiated", unit=None)
    first.street.later(days=30)
    page = main_of(visitor.text("/public"))
    assert "2026年3月，查实 4 件" in page
    assert "更正 1 件" in page
    assert "更正后为 3 件" in page


def test_the_page_names_no_case_and_nobody(found_true: Hotline, visitor: Visitor) -> None:
    found_true.street.later(days=20)
    told = main_of(visitor.text("/public")) + visitor.text("/public.json")
    for word in ("hotline-2026", "听澜-诉", "complainant:", "演示", "p-00"):
        assert word not in told, word


def test_no_signing_in_and_no_cookie(visitor: Visitor) -> None:
    for path in ("/public", "/public.csv", "/public.json"):
        answer = visitor.get(path)
        assert answer.status_code == 200
        assert "Set-Cookie" not in answer.headers


def test_english_for_whoever_wants_it(found_true: Hotline, visitor: Visitor) -> None:
    found_true.street.later(days=20)
    assert "2026-03: 4 found true" in main_of(visitor.text("/public?language=en"))
