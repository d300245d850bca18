"""Who looked at a case, who was kept out, what left the house: noted, told, computed again."""

import re
from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from engine.database import reading
from engine.export_checks import NoSuchExport, recheck
from engine.keys import make_keys
from engine.people import By, grant_post
from engine.viewings import Look, looks_at
from tests.conftest import ORIGIN, Street
from tests.engine.hotline_street import Hotline
from tests.web.conftest import Visitor, photo
from tests.web.hotline_pages import *  # noqa: F403 - the hotline's fixtures
from tests.web.hotline_pages import Resident
from tests.web.paths import accepted, reported
from web import looks, press
from web.config import Settings

Enter = Callable[[str], Visitor]
COMPLAINT = "hotline-2026-00001"


@pytest.fixture
def case(web_street: Street) -> str:
    return accepted(web_street)


def noted(street: Street, case: str) -> list[Look]:
    with reading(street.database).begin() as conn:
        return list(looks_at(conn, case))


def plain(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub("<[^>]+>", "", html.partition("<main")[2]))


# --- looks ----------------------------------------------------------------------------------------


def test_every_address_of_a_case_is_a_look_or_said_to_be_none(app: Flask) -> None:
    named = {
        rule.endpoint
        for rule in app.url_map.iter_rules()
        if "case_id" in rule.arguments and "GET" in (rule.methods or ())
    }
    assert named == set(looks.LOOKS) | looks.NO_LOOKS
    assert not set(looks.LOOKS) & looks.NO_LOOKS


def test_opening_a_case_its_record_and_its_step_is_noted_with_who_and_what(
    signed_in: Enter, web_street: Street, case: str
) -> None:
    watch = signed_in("watch")
    watch.text(f"/cases/{case}")
    watch.get(f"/cases/{case}/record.json")
    (one,) = noted(web_street, case)
    assert one.person == web_street.person["watch"]
    assert [sight.what for sight in one.sights] == ["page", "record"]
    page = plain(watch.text(f"/cases/{case}/access"))
    assert "watch演示（听澜街道·督查）看了案件页、下载记录。" in page
    assert "这是登记表，不是记录" in page
    assert "掌握数据库的人改得了它" in page
    # Looking up who looked is none itself, and it is offered on the page of the case.
    assert len(noted(web_street, case)[0].sights) == 2
    assert f"/cases/{case}/access" in watch.text(f"/cases/{case}")


def test_a_refused_look_is_none(signed_in: Enter, web_street: Street, case: str) -> None:
    assert signed_in("fixer2").get(f"/cases/{case}").status_code == 403
    assert signed_in("watch").get(f"/cases/{case}/evidence/{'ab' * 32}").status_code == 404
    assert noted(web_street, case) == []


def test_a_photo_is_noted_by_its_hash(
    signed_in: Enter, web_street: Street, settings: Settings
) -> None:
    grid = signed_in("grid")
    answer = grid.post(
        "/reports",
        {
            "place_unit": "u-micro-1", "title": "车棚飞线充电", "category": "charging",
            "address": "听涛苑 3 幢", "description": "有人拉线充电。",
            "evidence_before": [(BytesIO(photo()), "a.jpg")],
        },
        content_type="multipart/form-data",
    )  # fmt: skip
    case = str(answer.location).rpartition("/")[2]
    sha256 = web_street.entries(case)[0].evidence[0]["sha256"]
    assert signed_in("watch").get(f"/cases/{case}/evidence/{sha256}").status_code == 200
    (mine,) = [one for one in noted(web_street, case) if one.person == web_street.person["watch"]]
    assert [(sight.what, sight.sha256) for sight in mine.sights] == [("photo", sha256)]


def test_a_look_that_cannot_be_noted_is_never_why_a_page_fails(
    signed_in: Enter, web_street: Street, case: str, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    watch = signed_in("watch")
    monkeypatch.setattr(looks, "note_look", full)
    assert watch.get(f"/cases/{case}").status_code == 200
    assert "a look could not be noted" in caplog.text
    assert noted(web_street, case) == []


def test_looks_at_a_complaint_are_events_and_pages_for_nobody_leave_none(
    resident: Resident, h: Hotline, signed_in: Enter
) -> None:
    resident.complain()
    resident.mailbox()
    before = h.street.types(COMPLAINT)
    assert "file.viewed" not in before
    desk = signed_in("desk")
    for _ in range(2):
        desk.text(f"/cases/{COMPLAINT}")
    (entry,) = h.all("file.viewed")
    assert entry.actor["person"] == h.street.person["desk"]
    # Whoever is signed in on the same browser and uses the mailbox looks at nothing.
    desk.client.post("/mailbox", data={"code": resident.code})
    assert len(h.all("file.viewed")) == 1
    # The page was told before its own look was noted; from the next one on it is there.
    assert "查看案卷：案件页" in plain(desk.text(f"/cases/{COMPLAINT}"))
    h.street.check()


def test_discipline_is_told_who_looked_at_a_complaint_and_nothing_of_it(
    resident: Resident, h: Hotline, signed_in: Enter
) -> None:
    resident.complain()
    h.do("accept").do("dispatch").do("declare", relation="related", ground="interest",
                                     recused="searcher")  # fmt: skip
    signed_in("assigner").text(f"/cases/{COMPLAINT}")
    officer = signed_in("officer2")
    assert officer.get(f"/cases/{COMPLAINT}").status_code == 403
    page = plain(officer.text(f"/cases/{COMPLAINT}/access"))
    assert "没有案情" in page
    assert "每次查看都是本案的一条记录" in page
    assert "assigner演示" in page
    assert "searcher演示（督查组·核查员）：回避申明" in page
    assert "利害关系" not in page
    title = next(e for e in h.street.entries(COMPLAINT) if e.type == "case.opened").data["title"]
    assert title not in page or title in "投诉举报"
    for name in ("watcher", "heat", "admin"):
        assert signed_in(name).get(f"/cases/{COMPLAINT}/access").status_code == 403
    # Whoever is on the case reads the sentence.
    assert "利害关系" in plain(signed_in("assigner").text(f"/cases/{COMPLAINT}/access"))


# --- exports --------------------------------------------------------------------------------------


@pytest.fixture
def exported(signed_in: Enter, web_street: Street, settings: Settings, case: str) -> int:
    """Number of the record of a report exported under a checkpoint."""
    make_keys(settings.keys, ORIGIN, "听澜街道（演示）", at=web_street.at)
    signed_in("watch").post(f"/cases/{case}/exports", {"purpose": "纪检函调"})
    assert press.make_waiting(web_street.database, settings, clock=lambda: web_street.at) == 1
    return int(web_street.entries(case)[-1].seq)


def test_an_export_is_told_with_its_hashes_unverified_until_somebody_asks(
    signed_in: Enter, web_street: Street, case: str, exported: int
) -> None:
    told = web_street.entries(case)[exported - 1].data
    page = signed_in("watch").text(f"/cases/{case}/access")
    text_ = plain(page)
    assert "未校验" in text_
    assert "watch演示（听澜街道·督查）导出责任报告" in text_
    assert "用途：纪检函调" in text_
    assert told["sha256"] in text_
    assert told["digest"] in text_
    assert f"{told['size']} 条" in text_
    assert f"check={exported}" in page


def test_computed_again_a_report_whose_entries_and_tree_are_as_they_were_holds(
    signed_in: Enter, web_street: Street, case: str, exported: int
) -> None:
    web_street.later(hours=1)
    web_street.complete(
        case, "close#1", "close", {"verified": ["report", "acceptance"], "summary": "已整改"}
    )
    page = plain(signed_in("watch").text(f"/cases/{case}/access?check={exported}"))
    assert "已校验" in page
    assert f"用前 {exported - 1} 条记录重算，内容摘要与导出时一样" in page
    assert "与今天的见证树一致" in page


def test_a_record_rewritten_since_does_not_fit_the_report_that_left(
    signed_in: Enter, web_street: Street, case: str, exported: int
) -> None:
    with web_street.database.begin() as conn:
        conn.execute(text("DROP TRIGGER event_no_update"))
        conn.execute(
            text(
                "UPDATE event SET body = CAST(replace(body, :was, :is) AS BLOB)"
                " WHERE stream = :case"
            ),
            {"was": "拆除 6 处飞线", "is": "拆除 9 处飞线", "case": case},
        )
    page = plain(signed_in("watch").text(f"/cases/{case}/access?check={exported}"))
    assert "不符" in page
    assert "本身就核对不符" in page
    assert "不要再改动服务器" in page


def test_a_tree_that_is_another_one_today_is_told(
    signed_in: Enter, web_street: Street, case: str, exported: int
) -> None:
    with web_street.database.begin() as conn:
        conn.execute(text("DELETE FROM tile"))
    page = plain(signed_in("watch").text(f"/cases/{case}/access?check={exported}"))
    assert "与今天的见证树不一致" in page
    assert "内容摘要与导出时一样" in page
    assert "不符" in page


def test_an_export_of_an_earlier_release_says_that_nothing_was_recorded_to_compare(
    signed_in: Enter, web_street: Street, case: str
) -> None:
    from engine.exports import record_export

    head = web_street.entries(case)[-1].hash.hex()
    done = web_street.do(
        record_export, case, kind="case_report", sha256="ab" * 32, head=head, purpose="抽查",
        pages=3, by=web_street.by("watch"),
    )  # fmt: skip
    page = plain(signed_in("watch").text(f"/cases/{case}/access?check={done.seq}"))
    assert "不能直接比" in page
    assert "未校验" in page
    assert "不符" not in page


@pytest.mark.parametrize(("asked", "status"), [("999", 404), ("x", 400)])
def test_what_was_never_exported_is_not_computed(
    signed_in: Enter, case: str, asked: str, status: int
) -> None:
    assert signed_in("watch").get(f"/cases/{case}/access?check={asked}").status_code == status


def test_an_export_whose_last_entry_is_gone_does_not_hold(web_street: Street, case: str) -> None:
    from engine.exports import record_export

    done = web_street.do(
        record_export, case, kind="case_report", sha256="ab" * 32, head="cd" * 32, purpose="抽查",
        pages=3, by=web_street.by("watch"),
    )  # fmt: skip
    with reading(web_street.database).begin() as conn:
        found = recheck(conn, case, done.seq)
        assert (found.outcome, found.at, found.digest) == ("fails", None, None)
        with pytest.raises(NoSuchExport):
            recheck(conn, case, 1)


def test_discipline_exports_the_cases_of_its_street(
    signed_in: Enter, web_street: Street, settings: Settings, case: str
) -> None:
    post = ("u-street", "纪检员", ["discipline"])
    admin = By(web_street.person["admin"])
    web_street.do(grant_post, web_street.person["fixer2"], *post, reason="到任", by=admin)
    officer = signed_in("fixer2")
    assert officer.post(f"/cases/{case}/exports", {"purpose": "初核"}).status_code == 303
    assert press.make_waiting(web_street.database, settings, clock=lambda: web_street.at) == 1
    assert web_street.entries(case)[-1].type == "report.exported"
    assert officer.get(f"/cases/{reported(web_street)}/access").status_code == 200
