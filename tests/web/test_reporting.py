"""Reporting a hazard: who may, what is kept, and the receipt."""

import re
from collections.abc import Callable
from datetime import timedelta
from io import BytesIO

from engine.people import By, directory, end_post
from tests.conftest import Street
from tests.web.conftest import Visitor, photo
from tests.web.paths import REPORT
from web.config import Settings

Enter = Callable[[str], Visitor]
TOLD = {**REPORT, "place_unit": "u-micro-1"}


def test_a_report_opens_a_case_and_gives_its_receipt(signed_in: Enter, web_street: Street) -> None:
    who = signed_in("grid")
    answer = who.post("/reports", {**TOLD, "evidence_before": (BytesIO(photo()), "p.jpg")})
    assert answer.location == "/reports/hazard-2026-00001"
    opened = web_street.entries("hazard-2026-00001")[0]
    assert opened.data["title"] == "车棚飞线充电"
    assert opened.data["place"]["path"] == ["u-micro-1", "u-grid-1", "u-tingtao", "u-street"]
    assert opened.data["source"] == "staff"
    assert [item["purpose"] for item in opened.evidence] == ["before"]
    receipt = web_street.entries("hazard-2026-00001")[-1].data["receipt"]
    assert receipt in who.text(answer.location)
    web_street.check()


def test_what_somebody_else_saw_is_written_down_as_theirs(
    signed_in: Enter, web_street: Street
) -> None:
    told = {
        **TOLD,
        "proxy": "true",
        "spoken_by": "resident",
        "discovered_at.day": "昨天",
        "discovered_at.time": "18:30",
    }
    signed_in("grid").post("/reports", told)
    opened = web_street.entries("hazard-2026-00001")[0]
    assert opened.data["source"] == "proxy"
    assert opened.data["spoken_by"] == "resident"
    assert opened.claimed_at is not None
    assert opened.at - opened.claimed_at == timedelta(hours=14, minutes=30)


def test_faults_come_back_all_at_once_with_what_was_typed(
    signed_in: Enter, web_street: Street
) -> None:
    answer = signed_in("grid").post(
        "/reports",
        {
            "title": "车棚",
            "description": "有人拉线",
            "place_unit": "u-moon",
            "discovered_at.day": "明天",
            "discovered_at.time": "9:00",
        },
    )
    assert answer.status_code == 422
    for anchor in ("place_unit", "category", "address", "discovered_at"):
        assert f'href="#f-{anchor}"' in answer.text
        assert f'id="f-{anchor}"' in answer.text
    assert "有人拉线" in answer.text
    assert web_street.types("hazard-2026-00001") == []


def test_the_own_grid_is_chosen_beforehand_and_companies_are_no_place(
    signed_in: Enter,
) -> None:
    page = signed_in("grid").text("/reports")
    place = page.partition('id="f-place_unit"')[2].partition("</select>")[0]
    assert re.search(r'value="u-grid-1" selected', place)
    assert "u-other" in place
    assert "u-property" not in place
    assert "u-street" not in place


def test_questions_that_do_not_apply_are_hidden_by_the_style_sheet_alone(
    signed_in: Enter,
) -> None:
    page = signed_in("grid").text("/reports")
    assert re.search(r'name="proxy" value="true" class="g1 g1o1"', page)
    assert re.search(r'class="field *when g1o1"', page)


def test_the_same_report_sent_twice_opens_one_case(signed_in: Enter, web_street: Street) -> None:
    who = signed_in("grid")
    first = who.post("/reports", {**TOLD, "key": "once"})
    second = who.post("/reports", {**TOLD, "key": "once"})
    assert first.location == second.location
    assert web_street.types("hazard-2026-00002") == []


def test_a_key_of_somebody_else_is_not_answered_with_their_case(
    signed_in: Enter, web_street: Street
) -> None:
    first = signed_in("grid").post("/reports", {**TOLD, "key": "1"})
    second = signed_in("head").post("/reports", {**TOLD, "key": "1"})
    assert first.location != second.location


def test_without_a_post_nobody_reports_nor_fills_the_disk(
    signed_in: Enter, web_street: Street, settings: Settings
) -> None:
    with web_street.database.begin() as conn:
        people = directory(conn)
    post = people.posts_of(web_street.person["grid"], web_street.at)[0].id
    admin = next(one.person for one in people.posts.values() if "administer" in one.duties)
    web_street.do(end_post, post, reason="离任", by=By(admin))
    told = {**TOLD, "evidence_before": (BytesIO(photo()), "p.jpg")}
    answer = signed_in("grid").post("/reports", told)
    assert answer.status_code == 403
    assert "没有任何岗位" in answer.text
    assert web_street.types("hazard-2026-00001") == []
    assert not settings.evidence_dir.exists()


def test_a_stranger_does_not_see_the_receipt_page_of_a_case(
    signed_in: Enter, web_street: Street
) -> None:
    location = signed_in("grid").post("/reports", TOLD).location
    assert signed_in("other").get(location or "").status_code == 403
