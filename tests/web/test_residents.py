"""Reporting by a scanned code, following it, rating it, disputing it; without signing in."""

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from audit import log
from engine.definition_sets import deploy
from engine.definitions import read_folder
from engine.evidence import original
from engine.place_codes import renew
from engine.resident_reports import MOST, SENT
from tests.conftest import ROOT, Street
from tests.web.conftest import Visitor, photo
from tests.web.resident_pages import Scanner, cases, through
from tests.web.resident_pages import cheap_codes as cheap_codes
from tests.web.resident_pages import door as door
from tests.web.resident_pages import scanner as scanner
from web.config import Settings

CONTACT = "电 000-7712 找我"


def opened(street: Street) -> Any:
    (case,) = cases(street)
    return street.entries(case)[0]


def receipt(street: Street, case: str) -> str:
    return next(e.data["receipt"] for e in street.entries(case) if e.type == "receipt.issued")


# --- scanning -------------------------------------------------------------------------------------


def test_the_code_carries_the_place_and_no_sign_in_is_asked(scanner: Scanner) -> None:
    page = scanner.visitor.text(scanner.path)
    assert "听涛社区 第一网格 第一微网格" in page
    assert "楼道、楼梯口堆了东西" in page
    assert "csrf_token" not in page
    assert scanner.visitor.client.get_cookie("shaoji") is None


def test_a_report_is_a_case_with_its_receipt_at_once(scanner: Scanner, web_street: Street) -> None:
    answer = scanner.report()
    assert answer.status_code == 200
    assert len(scanner.code) == 19
    entry = opened(web_street)
    assert entry.actor["channel"] == "qr"
    assert entry.actor["person"].startswith("resident:")
    assert entry.data["place"]["unit"] == "u-micro-1"
    assert receipt(web_street, entry.stream) in answer.text
    web_street.check()


def test_sent_twice_it_is_answered_twice_with_one_case(
    scanner: Scanner, web_street: Street
) -> None:
    form = scanner.form()
    scanner.send(dict(form))
    first = scanner.code
    assert scanner.send(dict(form, similar="another")).status_code == 200
    assert scanner.code == first
    assert len(cases(web_street)) == 1


def test_a_photo_is_kept_as_it_was_and_served_without_what_it_declares(
    scanner: Scanner, web_street: Street, settings: Settings
) -> None:
    shot = photo("green")
    assert scanner.report(shot).status_code == 200
    (item,) = opened(web_street).evidence
    assert item["purpose"] == "before"
    assert original(settings.evidence_dir, item["sha256"]) == shot


def test_a_pdf_and_a_torn_photo_are_no_photos(scanner: Scanner, web_street: Street) -> None:
    answer = scanner.report(photo()[:400])
    assert answer.status_code == 422
    assert "打不开或没有传完" in answer.text
    assert cases(web_street) == []


def test_photos_received_once_stay_with_the_form_that_was_refused(
    scanner: Scanner, web_street: Street
) -> None:
    import re

    answer = scanner.report(photo("blue"), words="")
    assert answer.status_code == 422
    token = re.search(r'name="token" value="([^"]+)"', answer.text)
    kept = re.search(r'name="kept" value="([^"]+)"', answer.text)
    assert token
    assert kept
    told = scanner.form(kept=kept[1]) | {"token": token[1]}
    assert scanner.send(told).status_code == 200
    assert len(opened(web_street).evidence) == 1


def test_a_photo_of_somebody_elses_form_is_not_taken_over(
    scanner: Scanner, web_street: Street
) -> None:
    import re

    kept = re.search(r'name="kept" value="([^"]+)"', scanner.report(photo(), words="").text)
    assert kept
    assert scanner.report(kept=kept[1]).status_code == 200
    assert opened(web_street).evidence == ()


def test_the_contact_is_nowhere_in_the_log_and_read_by_whoever_closes(
    scanner: Scanner, web_street: Street, app: Flask, signed_in: Any
) -> None:
    scanner.report(contact=CONTACT)
    (case,) = cases(web_street)
    with web_street.database.begin() as conn:
        assert "000-7712" not in str([e.data for e in log.read(conn, case)])
    head = signed_in("head")
    assert "上报人留的联系办法" not in head.text(f"/cases/{case}/tasks/confirm%231")
    assert "000-7712" not in head.text(f"/cases/{case}")
    for task, by, form in _to_close(web_street):
        web_street.later(minutes=20)
        web_street.complete(case, task, by, form[0], evidence=form[1])
    who = signed_in("close")
    who.post(f"/cases/{case}/tasks/close%231/claim")
    assert "上报人留的联系办法" in who.text(f"/cases/{case}/tasks/close%231")
    assert "000-7712" in who.post(f"/cases/{case}/sealed", {"task": "close#1"}).text
    assert web_street.entries(case)[-1].type == "content.read"
    web_street.check()


def _to_close(street: Street) -> list[Any]:
    from tests.conftest import photo as evidence
    from tests.web.paths import CONFIRMED

    seen = "2026-03-02T11:00:00+08:00"
    return [
        ("confirm#1", "head", (CONFIRMED, [])),
        ("assign#1", "dispatch", ({"unit": "u-property", "person": street.person["fixer"],
         "acceptor": street.person["accept"], "term": "graded", "legal_basis": "规定"}, [])),
        ("sign_in#1", "fixer", ({"in_charge": "工程主管"}, [])),
        ("rectify#1", "fixer", ({"done": "拆除飞线", "done_at": seen},
         [evidence("before"), evidence("after")])),
        ("accept#1", "accept", ({"visited_at": seen, "checks": ["visited", "gone", "as_told"],
         "result": "pass"}, [evidence("site")])),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"category": ""}, "请选一类"),
        ({"words": ""}, "请用一句话"),
        ({"words": "找王师傅 13800138000"}, "电话或证件号"),
        ({"website": "http://x"}, "该空着的格子"),
        ({"token": "forged"}, "开得太久"),
        ({"contact": "1" * 101}, "最多 100 个字"),
    ],
)
def test_a_fault_is_told_beside_the_field_and_nothing_is_lost(
    scanner: Scanner, web_street: Street, told: dict[str, str], words: str
) -> None:
    answer = scanner.report(**{"where": "三号楼东头", **told})
    assert answer.status_code == 422
    assert words in answer.text
    assert "三号楼东头" in answer.text
    assert cases(web_street) == []


def test_a_form_left_open_for_a_day_is_sent_once_more(scanner: Scanner, web_street: Street) -> None:
    form = scanner.form()
    web_street.later(hours=13)
    assert scanner.send(form).status_code == 422
    assert cases(web_street) == []


def test_a_form_sent_here_by_another_site_is_turned_away(scanner: Scanner) -> None:
    answer = scanner.visitor.client.post(
        scanner.path, data=scanner.form(), headers={"Sec-Fetch-Site": "cross-site"}
    )
    assert answer.status_code == 403


def test_the_emergency_number_comes_from_the_settings_alone(scanner: Scanner, app: Flask) -> None:
    from dataclasses import replace

    assert "先打急救、火警电话" in scanner.visitor.text(scanner.path)
    house = app.extensions["shaoji"]
    named = replace(house.settings, emergency="000-0119")
    app.extensions["shaoji"] = replace(house, settings=named)
    assert "先打 000-0119" in scanner.visitor.text(scanner.path)


# --- codes that do not count ----------------------------------------------------------------------


def test_a_replaced_code_says_so_politely(scanner: Scanner, web_street: Street) -> None:
    form = scanner.form()
    web_street.do(renew, "u-micro-1", "被涂了", by=web_street.by("head"))
    answer = scanner.visitor.get(scanner.path)
    assert answer.status_code == 409
    assert "已经换成新的了" in answer.text
    assert scanner.send(form).status_code == 409
    assert cases(web_street) == []


@pytest.mark.parametrize(("code", "status"), [("nonsense", 400), ("22222222", 404)])
def test_what_was_never_issued_is_told_as_such(visitor: Visitor, code: str, status: int) -> None:
    from engine.place_codes import _check

    told = code if code == "nonsense" else "2222222" + _check("2222222")
    assert visitor.get(f"/q/{told}").status_code == status


def test_codes_cannot_be_tried_through(visitor: Visitor, scanner: Scanner) -> None:
    from engine.place_codes import LETTERS, _check

    heads = [f"222222{letter}" for letter in LETTERS]
    answers = [visitor.get(f"/q/{head}{_check(head)}").status_code for head in heads]
    assert answers[:30] == [404] * 30
    assert answers[30] == 429
    assert visitor.get(scanner.path).status_code == 429


def test_receipt_numbers_cannot_be_tried_through(visitor: Visitor) -> None:
    answers = [visitor.get("/receipt?number=R-AAAA-BBBB").status_code for _ in range(31)]
    assert answers == [404] * 30 + [429]


def test_a_street_whose_process_is_not_open_to_residents_says_so(
    scanner: Scanner, web_street: Street
) -> None:
    files = read_folder(ROOT / "workflows/hazard")
    line = b'        <spiffworkflow:property name="startedBy" value="resident" />\n'
    shut = files["hazard.bpmn"].replace(line, b"")
    web_street.do(deploy, files | {"hazard.bpmn": shut}, by=web_street.by("admin"))
    answer = scanner.visitor.get(scanner.path)
    assert answer.status_code == 409
    assert "还没有开通扫码上报" in answer.text


# --- floods and duplicates ------------------------------------------------------------------------


def test_a_flood_is_stopped_and_what_was_written_is_still_there(
    scanner: Scanner, web_street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    from engine import resident_reports

    monkeypatch.setattr(resident_reports, "MOST", {**MOST, "opened": (1, 1)})
    assert scanner.report().status_code == 200
    answer = scanner.report(words="楼道里堆满了纸箱", similar="another")
    assert answer.status_code == 429
    assert "楼道里堆满了纸箱" in answer.text
    assert len(cases(web_street)) == 1


def test_forms_are_counted_before_any_file_is_kept(
    scanner: Scanner, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    from engine import resident_reports

    form = scanner.form()
    monkeypatch.setattr(resident_reports, "MOST", {**MOST, SENT: (0, 0)})
    from io import BytesIO

    form["evidence_before"] = (BytesIO(photo()), "p.jpg", "image/jpeg")
    assert scanner.send(form).status_code == 429
    assert not settings.evidence_dir.exists()


def test_something_like_it_is_asked_about_without_showing_it(
    scanner: Scanner, web_street: Street
) -> None:
    scanner.report(words="灰鹤蹲在涵洞旁")
    answer = scanner.report(words="车棚又拉线了")
    assert answer.status_code == 200
    assert "附近 3 天内已有人报过相似的（1 件）" in answer.text
    assert "灰鹤" not in answer.text
    assert "车棚又拉线了" in answer.text
    assert len(cases(web_street)) == 1


@pytest.mark.parametrize("similar", ["also", "another"])
def test_either_way_it_is_a_case_of_its_own(
    scanner: Scanner, web_street: Street, similar: str
) -> None:
    scanner.report()
    assert scanner.report(similar=similar).status_code == 200
    first, second = cases(web_street)
    told = web_street.entries(second)[0].data
    assert told["form"].get("also", False) is (similar == "also")
    assert first in told["similar"]


# --- following ------------------------------------------------------------------------------------


def test_the_code_shows_how_far_it_is_and_nothing_of_anybody(
    scanner: Scanner, web_street: Street
) -> None:
    scanner.report(words="灰鹤蹲在涵洞旁", contact=CONTACT)
    (case,) = cases(web_street)
    page = scanner.follow().text
    assert receipt(web_street, case) in page
    assert "社区正在核实" in page
    told = page.partition("<main")[2].partition("</main>")[0]
    for word in ("灰鹤", "000-7712", "演示", "resident:", case):
        assert word not in told.partition("签了名的凭据")[0], word


def test_looking_leaves_no_trace(scanner: Scanner, web_street: Street) -> None:
    scanner.report()
    (case,) = cases(web_street)
    before = len(web_street.entries(case))
    answer = scanner.follow()
    assert len(web_street.entries(case)) == before
    assert "Set-Cookie" not in answer.headers
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Referrer-Policy"] == "no-referrer"


def test_a_wrong_code_is_told_and_counted(scanner: Scanner) -> None:
    scanner.code = "1111-2222-3333-4444"
    answers = [scanner.follow().status_code for _ in range(11)]
    assert answers == [422] * 10 + [429]
    assert scanner.visitor.client.post("/my-report", data={"code": "12"}).status_code in (422, 429)


def test_the_number_of_a_resident_report_works_like_any_other(
    scanner: Scanner, web_street: Street, visitor: Visitor
) -> None:
    scanner.report()
    (case,) = cases(web_street)
    page = visitor.text(f"/receipt?number={receipt(web_street, case)}")
    assert "社区正在核实" in page
    assert "输入回执码" in page


def test_sixteen_digits_in_the_wrong_field_are_shown_the_right_one(visitor: Visitor) -> None:
    answer = visitor.get("/receipt?number=1234-5678-9012-3456")
    assert "请填在下面一格" in answer.text


def test_rated_and_disputed_by_the_code(scanner: Scanner, web_street: Street) -> None:
    scanner.report()
    (case,) = cases(web_street)
    assert "改好了吗？" not in scanner.follow().text
    through(web_street, case)
    page = scanner.follow().text
    assert "改好了吗？" in page
    assert "最晚" in page
    told = {"answer": "not", "rate-words": "只收了一半", "key": "k1"}
    assert "已记下您的评价" in scanner.follow("rate", **told).text
    assert "已记下您的评价" in scanner.follow("rate", **told).text
    assert [e.data for e in web_street.entries(case) if e.type == "result.rated"] == [
        {"answer": "not", "words": "只收了一半"}
    ]
    answer = scanner.follow("dispute", **{"dispute-words": "还在原处", "still_there": "yes"})
    assert "已提出异议" in answer.text
    assert "您不认可结果，正在由另一人重新验收" in answer.text
    web_street.check()


def test_after_the_window_no_dispute_is_offered_or_taken(
    scanner: Scanner, web_street: Street
) -> None:
    from engine.timekeeping import ring

    scanner.report()
    (case,) = cases(web_street)
    through(web_street, case)
    web_street.later(days=10, minutes=1)
    web_street.do(ring, case)
    page = scanner.follow().text
    assert "对结果有异议" not in page
    assert "改好了吗？" in page
    answer = scanner.follow("dispute", **{"dispute-words": "还在原处"})
    assert answer.status_code == 422
    assert "现在不在可以对结果提出异议的期限内" in answer.text


@pytest.mark.parametrize(
    ("act", "told", "words"),
    [
        ("rate", {"answer": "great"}, "请选满意"),
        ("rate", {"answer": "not", "rate-words": "打 13800138000"}, "电话或证件号"),
        ("dispute", {"dispute-words": ""}, "没有生效"),
        ("dispute", {"dispute-words": "打 13800138000"}, "电话或证件号"),
    ],
)
def test_what_cannot_be_taken_is_told_and_stays_in_the_form(
    scanner: Scanner, web_street: Street, act: str, told: dict[str, str], words: str
) -> None:
    scanner.report()
    (case,) = cases(web_street)
    through(web_street, case)
    before = len(web_street.entries(case))
    answer = scanner.follow(act, **told)
    assert answer.status_code == 422
    assert words in answer.text
    assert told.get(f"{act}-words", "") in answer.text
    assert len(web_street.entries(case)) == before


def test_a_hazard_code_opens_no_mailbox(scanner: Scanner) -> None:
    scanner.report()
    answer = scanner.visitor.client.post("/mailbox", data={"code": scanner.code})
    assert answer.status_code == 422
    assert "到“查回执”里用" in answer.text


def test_the_retention_of_a_contact_ends_with_that_of_the_case(
    scanner: Scanner, web_street: Street, app: Flask
) -> None:
    from engine.retention import destroy_due
    from engine.timekeeping import ring

    scanner.report(contact=CONTACT)
    (case,) = cases(web_street)
    through(web_street, case)
    for days in (10, 20, 30):
        web_street.later(days=days, minutes=1)
        web_street.do(ring, case)
    vault = app.extensions["shaoji"].vault
    web_street.later(days=400)
    destroyed = destroy_due(web_street.database, vault, at=web_street.at, after=timedelta(days=365))
    ended = "已经了结" in scanner.follow().text
    assert destroyed == int(ended)
    web_street.check()
