"""Reports on people and units through their pages and the press: rights, reasons, the PDF."""

import hashlib
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from cryptography.x509 import load_der_x509_certificate
from openpyxl import load_workbook

from audit import log
from audit.offline import verify_pdf
from audit.sealed_pdf import open_pdf
from audit.trust import Trust
from engine.database import reading
from engine.keys import make_keys, open_keys
from tests.conftest import ORIGIN, Street
from tests.web.conftest import Visitor
from tests.web.paths import accepted, closed
from tests.web.test_metric_pages import counted
from tests.web.test_pdf import tool
from web.config import Settings
from web.press import make_waiting

Enter = Callable[[str], Visitor]


@pytest.fixture
def case(web_street: Street) -> str:
    made = closed(web_street)
    web_street.later(minutes=5)
    return made


def form(street: Street, kind: str = "person", who: str = "fixer", **more: str) -> dict[str, str]:
    id_ = street.person.get(who, who)
    told = {"kind": kind, kind: id_, "since": "2026-03-01", "until": "2026-03-31"}
    return {**told, "purpose": "初核", **more}


def ask(who: Visitor, told: dict[str, str]) -> str:
    answer = who.post("/conduct", told)
    assert answer.status_code == 303, answer.text
    return str(answer.location)


def work_off(street: Street, settings: Settings) -> int:
    return make_waiting(street.database, settings, clock=lambda: street.at)


def events(street: Street, type_: str) -> list[Any]:
    with reading(street.database).begin() as conn:
        return [entry for entry in log.read(conn, "@log") if entry.type == type_]


def plain(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub("<[^>]+>", "", html.partition("<main")[2]))


def test_a_person_is_looked_up_with_a_reason_shown_and_saved(
    signed_in: Enter, web_street: Street, settings: Settings, case: str, tmp_path: Path
) -> None:
    make_keys(settings.keys, ORIGIN, "听澜街道（演示）", at=web_street.at)
    watch = signed_in("watch")
    assert "fixer演示" in watch.text("/conduct")
    address = ask(watch, form(web_street))
    (looked,) = events(web_street, "conduct.viewed")
    assert (looked.data["person"], looked.data["purpose"]) == (web_street.person["fixer"], "初核")
    page = watch.text(address)
    # Somebody reads here: the page does not load itself anew under their eyes.
    assert "http-equiv" not in page
    assert "看看做好没有" in page
    assert "按时办结" in plain(page)
    assert case in page
    assert events(web_street, "conduct.exported") == []
    assert watch.get(f"{address}/file").status_code == 404
    assert work_off(web_street, settings) == 1
    page = watch.text(address)
    assert "看看做好没有" not in page
    (left,) = events(web_street, "conduct.exported")
    data = watch.get(f"{address}/file").data
    assert hashlib.sha256(data).hexdigest() == left.data["sha256"]
    assert left.data["digest"] in page
    attached = open_pdf(data).attachments["conduct.json"]
    assert hashlib.sha256(attached).hexdigest() == left.data["digest"]
    told = orjson.loads(attached)
    assert told["format"] == "shaoji-conduct/1"
    assert [ref["case"] for ref in told["cases"]] == [case]
    assert [line["line"]["task"] for line in told["kept"]] == ["sign_in#1", "rectify#1"]
    assert left.data["size"] > 0
    (tmp_path / "r.pdf").write_bytes(data)
    text = "".join(tool("pdftotext", "-layout", str(tmp_path / "r.pdf"), "-").split())
    assert text.index("按时办结") < text.index("过了时限的")
    assert told["cases"][0]["head"] in text
    assert f"内容摘要{left.data['digest'][:8]}" in text
    assert address in watch.text("/conduct")
    web_street.check()
    check_offline(settings, data)


def check_offline(settings: Settings, data: bytes) -> None:
    """Without us the seal holds, and what is not attached is said to be unchecked."""
    keys = open_keys(settings.keys, ORIGIN)
    assert keys.seal
    sealer = load_der_x509_certificate(keys.seal.certificate)
    found = verify_pdf(data, Trust(policy=keys.policy, sealers=(sealer,)))
    told = {step.name: step.outcome.name for step in found.steps}
    assert (told["file"], told["seal"], told["bytes"]) == ("HOLDS", "HOLDS", "UNCHECKED")


def test_a_unit_and_the_whole_street_are_told_by_step_without_names_of_persons(
    signed_in: Enter, web_street: Street, settings: Settings, case: str
) -> None:
    watch = signed_in("watch")
    address = ask(watch, form(web_street, "unit", "u-street"))
    assert work_off(web_street, settings) == 1
    counted(web_street)
    html = watch.text(address)
    assert 'href="/period?period=2026-03&amp;unit=u-street"' in html
    page = plain(html)
    assert "按名称排列，不排名次" in page
    assert "整改" in page
    assert "fixer演示" not in page
    (left,) = events(web_street, "conduct.exported")
    assert left.data["unit"] == "u-street"
    assert watch.get(f"{address}/file").status_code == 200


def test_ones_own_record_needs_no_post_over_anybody_and_looking_is_no_event(
    signed_in: Enter, web_street: Street, settings: Settings, case: str
) -> None:
    fixer = signed_in("fixer")
    page = fixer.text("/conduct")
    assert "watch演示" not in page
    address = ask(fixer, form(web_street, "own", purpose="自己留底"))
    assert events(web_street, "conduct.viewed") == []
    assert work_off(web_street, settings) == 1
    assert len(events(web_street, "conduct.exported")) == 1
    assert fixer.get(f"{address}/file").status_code == 200
    assert "/conduct" in fixer.text("/me")


def test_others_are_not_for_everybody_and_nobody_hears_of_anothers_report(
    signed_in: Enter, web_street: Street, settings: Settings, case: str
) -> None:
    assert signed_in("head").post("/conduct", form(web_street)).status_code == 403
    assert (
        signed_in("fixer").post("/conduct", form(web_street, "unit", "u-street")).status_code == 403
    )
    assert events(web_street, "conduct.viewed") == []
    address = ask(signed_in("watch"), form(web_street))
    work_off(web_street, settings)
    other = signed_in("leader")
    for path in (address, f"{address}/file"):
        assert other.get(path).status_code == 404


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"purpose": " "}, "请写明用途"),
        ({"since": "昨日吧"}, "日期请写成"),
        ({"until": "2026-02-01"}, "请选一段已经开始的时间"),
        ({"person": ""}, "请选择一个人或一个单位"),
        ({"kind": ""}, "请选择一个人或一个单位"),
    ],
)
def test_what_cannot_be_asked_is_said_beside_what_was_typed(
    signed_in: Enter, web_street: Street, case: str, wrong: dict[str, str], words: str
) -> None:
    answer = signed_in("watch").post("/conduct", form(web_street) | wrong)
    assert answer.status_code == 400
    assert words in answer.text
    assert 'value="2026-' in answer.text or "2026年" in answer.text
    assert events(web_street, "conduct.viewed") == []


def test_the_same_form_sent_twice_is_one_look_and_one_report(
    signed_in: Enter, web_street: Street, settings: Settings, case: str
) -> None:
    watch = signed_in("watch")
    told = form(web_street, key="same")
    assert ask(watch, told) == ask(watch, told)
    assert len(events(web_street, "conduct.viewed")) == 1
    assert work_off(web_street, settings) == 1


def test_the_words_are_there_in_english_too(
    signed_in: Enter, web_street: Street, settings: Settings
) -> None:
    accepted(web_street)
    web_street.later(minutes=5)
    watch = signed_in("watch")
    watch.post("/display", {"language": "en"})
    address = ask(watch, form(web_street))
    assert work_off(web_street, settings) == 1
    page = plain(watch.text(address))
    assert "Done in time" in page
    assert "still in hand at the end" in page


def test_the_report_as_excel_has_each_step_with_entry_and_hash(
    signed_in: Enter, web_street: Street, settings: Settings, case: str
) -> None:
    watch = signed_in("watch")
    address = ask(watch, form(web_street, format="xlsx"))
    assert work_off(web_street, settings) == 1
    (left,) = events(web_street, "conduct.exported")
    assert left.data["format"] == "xlsx"
    page = watch.text(address)
    assert f"下载 Excel（{left.data['pages']} 张表）" in page
    file = watch.get(f"{address}/file")
    assert hashlib.sha256(file.data).hexdigest() == left.data["sha256"]
    book = load_workbook(io.BytesIO(file.data))
    rows = list(book["记录"].iter_rows(min_row=2, values_only=True))
    hashes = {entry.seq: entry.hash.hex() for entry in web_street.entries(case)}
    assert [(row[0], row[3]) for row in rows] == [("按时办结", "签收"), ("按时办结", "整改")]
    assert all(row[12] == hashes[row[11]] for row in rows)
    check = {row[0]: row[1] for row in book["怎样核对"].iter_rows(values_only=True)}
    assert check["内容摘要"] == left.data["digest"]
    assert check["算法版本"] == "audit.reports.conduct 1"
    web_street.check()
