"""A complaint through its pages: no cookie, no trace of whose browser it was, a code shown once."""

import logging
import re
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import func, select

from engine.accounts import session_table
from engine.receipt_codes import find
from engine.vault import Vault
from tests.conftest import Street
from tests.engine.hotline_street import Hotline
from tests.web.conftest import PASSWORD, Visitor
from tests.web.hotline_pages import *  # noqa: F403 - the hotline's fixtures
from tests.web.hotline_pages import Enter, Resident, code_in
from web.app import create_app
from web.config import Settings

BROWSER = {"User-Agent": "Telltale/1.0", "X-Forwarded-For": "203.0.113.77"}
FROM = {"REMOTE_ADDR": "203.0.113.77"}
QUIET = ("/complain", "/complain?place=u-micro-1", "/mailbox", "/public")
CASE = "hotline-2026-00001"


# --- the form -------------------------------------------------------------------------------------


def test_a_complaint_opens_a_confidential_case_and_is_answered_by_a_code(
    resident: Resident, h: Hotline, vault: Vault
) -> None:
    answer = resident.complain()
    assert answer.status_code == 200
    assert re.fullmatch(r"\d{4}-\d{4}-\d{4}-\d{4}", resident.code)
    found = find(vault, resident.code)
    assert (found.case, found.complainant) == (CASE, h.entries[0].actor["person"])
    assert h.state.confidential
    h.street.check()


def test_whom_to_call_in_danger_comes_from_the_settings_alone(visitor: Visitor, app: Flask) -> None:
    assert "请先打电话求助" in visitor.text("/complain")
    house = app.extensions["shaoji"]
    named = replace(house.settings, emergency="000-0119")
    app.extensions["shaoji"] = replace(house, settings=named)
    assert "请先打 000-0119" in visitor.text("/complain")


def test_the_answer_makes_the_complainant_a_witness(resident: Resident, h: Hotline) -> None:
    page = resident.complain().text
    shown = re.sub(r"<[^>]+>|\s", "", page.partition('class="code hash"')[2].partition("</p>")[0])
    assert shown.lstrip(">") == h.entries[0].hash.hex()
    assert "第 1 条" in page


@pytest.mark.parametrize("path", QUIET)
def test_no_page_of_the_hotline_sets_a_cookie(visitor: Visitor, path: str) -> None:
    assert "Set-Cookie" not in visitor.get(path).headers


def test_no_step_of_a_complaint_sets_a_cookie(resident: Resident) -> None:
    answers = [resident.complain(), resident.mailbox(), resident.mailbox("write", words="补充")]
    answers += [resident.mailbox("leave"), resident.visitor.client.post("/complain", data={})]
    assert [answer.headers.get("Set-Cookie") for answer in answers] == [None] * 5


@pytest.mark.parametrize("path", ["/complain", "/mailbox"])
def test_pages_of_the_hotline_are_kept_nowhere_and_tell_nobody(visitor: Visitor, path: str) -> None:
    headers = visitor.get(path).headers
    assert headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert "noindex" in headers["X-Robots-Tag"]


def test_neither_address_nor_browser_is_written_anywhere(
    app: Flask, web_street: Street, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    client = app.test_client()
    told = {"environ_overrides": FROM, "headers": BROWSER}
    page = client.get("/complain", **told).text
    token = re.search(r'name="token" value="([^"]+)"', page)
    assert token
    form = {"category": "service", "text": "报修没人来", "place": "u-tingtao", "token": token[1]}
    answer = client.post("/complain", data={**form, "identity": "anonymous"}, **told)
    code = code_in(answer.text)
    assert code
    client.post("/mailbox", data={"code": code}, **told)
    client.post("/mailbox", data={"code": "1" * 16}, **told)
    folder = web_street.database.url.database
    assert folder
    written = b"".join(path.read_bytes() for path in Path(folder).parent.iterdir()
                       if path.is_file()) + caplog.text.encode()  # fmt: skip
    for telltale in (b"203.0.113.77", b"Telltale"):
        assert telltale not in written


def test_whoever_is_signed_in_is_not_looked_up_there(
    signed_in: Enter, web_street: Street, app: Flask
) -> None:
    """Else the session would say at what hour somebody from the street complained."""
    who = signed_in("head")
    web_street.later(hours=1)
    with web_street.database.begin() as conn:
        before = conn.execute(select(func.max(session_table.c.last_seen_at))).scalar()
    page = who.get("/complain").text
    who.client.post("/mailbox", data={"code": "1" * 16})
    with web_street.database.begin() as conn:
        assert conn.execute(select(func.max(session_table.c.last_seen_at))).scalar() == before
    assert "head演示" not in page


def test_size_and_language_are_chosen_without_a_cookie(visitor: Visitor) -> None:
    page = visitor.text("/complain?place=u-micro-1&scale=140&language=en")
    assert 'data-scale="140"' in page
    assert "Make a complaint" in page
    assert 'href="/complain?place=u-micro-1&amp;language=en"' in page


def test_the_code_on_a_door_chooses_the_community_and_no_more_is_kept(
    resident: Resident, h: Hotline
) -> None:
    page = resident.visitor.text("/complain?place=u-micro-1")
    assert '<option value="u-tingtao" selected>' in page
    told = resident.form()
    resident.visitor.client.post("/complain?place=u-micro-1", data=told)
    opened = h.entries[0].data
    assert opened["place"]["unit"] == "u-tingtao"
    assert opened["form"]["channel"] == "qr"
    assert "micro" not in str(opened)


def test_a_code_on_a_door_that_names_nothing_is_no_error(visitor: Visitor) -> None:
    assert visitor.get("/complain?place=../../etc").status_code == 200


# --- faults ---------------------------------------------------------------------------------------


def test_faults_come_back_with_what_was_typed_and_nothing_is_opened(
    resident: Resident, web_street: Street
) -> None:
    answer = resident.complain(identity="named", text="楼下的事", category=None)
    assert answer.status_code == 422
    for anchor in ("category", "name", "phone"):
        assert f'href="#f-{anchor}"' in answer.text
    assert "楼下的事" in answer.text
    assert web_street.types(CASE) == []


def test_sent_twice_it_is_one_case_and_one_code(resident: Resident, web_street: Street) -> None:
    told = resident.form()
    first = resident.visitor.client.post("/complain", data=told)
    second = resident.visitor.client.post("/complain", data=told)
    assert code_in(first.text) == code_in(second.text) != ""
    assert web_street.types("hotline-2026-00002") == []


def test_a_form_without_its_secret_or_with_a_made_up_one_is_asked_again(
    resident: Resident, web_street: Street
) -> None:
    for token in ("", "made-up", "x" * 500):
        answer = resident.visitor.client.post("/complain", data={**resident.form(), "token": token})
        assert answer.status_code == 422
        assert "请再按一次提交" in answer.text
        assert "报修三次" in answer.text
    assert web_street.types(CASE) == []


def test_a_form_that_lay_open_too_long_is_asked_again(
    resident: Resident, web_street: Street
) -> None:
    told = resident.form()
    web_street.later(hours=13)
    answer = resident.visitor.client.post("/complain", data=told)
    assert answer.status_code == 422
    assert web_street.types(CASE) == []


def test_what_is_not_asked_cannot_be_said(resident: Resident, h: Hotline) -> None:
    """The channel, and whom the desk knows, are not the sender's to say."""
    person = h.street.person["heat"]
    resident.complain(channel="guard", person=person, handled_by="u-inspection", linked="x")
    form = h.entries[0].data["form"]
    assert form["channel"] == "web"
    assert not {"person", "handled_by", "linked", "read_back"} & form.keys()


def test_a_form_of_another_site_is_turned_away(resident: Resident, web_street: Street) -> None:
    told = resident.form()
    for site in ("cross-site", "same-site"):
        answer = resident.visitor.client.post(
            "/complain", data=told, headers={"Sec-Fetch-Site": site}
        )
        assert answer.status_code == 403
    assert web_street.types(CASE) == []


def test_too_much_at_once_is_refused(resident: Resident) -> None:
    answer = resident.visitor.client.post("/complain", data={"text": "长" * 40_000})
    assert answer.status_code == 413


def test_a_flood_from_one_place_is_stopped_for_an_hour(
    resident: Resident, web_street: Street
) -> None:
    for _ in range(20):
        assert resident.complain().status_code == 200
    answer = resident.complain()
    assert answer.status_code == 403
    assert "一小时内提交得太多" in answer.text
    web_street.later(hours=1, minutes=1)
    assert resident.complain().status_code == 200


# --- the desk -------------------------------------------------------------------------------------


def desk_form(who: Visitor, **told: str) -> dict[str, str]:
    page = who.text("/desk/complaints")
    token = re.search(r'name="token" value="([^"]+)"', page)
    assert token
    form = {"category": "service", "text": "来电说供热站不修", "place": "u-other", "unit": "u-heat",
            "identity": "confidential", "name": "陈小禾演示", "phone": "000-7654-3210",
            "read_back": "yes", "token": token[1]}  # fmt: skip
    return {**form, **told}


def test_the_desk_writes_a_complaint_down_and_whether_it_was_read_back(
    signed_in: Enter, h: Hotline
) -> None:
    who = signed_in("desk")
    answer = who.post("/desk/complaints", desk_form(who))
    assert answer.status_code == 200
    assert code_in(answer.text)
    opened = h.entries[0]
    assert (opened.data["form"]["read_back"], opened.data["form"]["channel"]) == ("yes", "desk")
    assert opened.data["source"] == "proxy"
    assert (opened.actor["unit"], opened.actor["channel"]) == ("u-hotline", "desk")
    assert opened.actor["person"].startswith("complainant:")
    h.street.check()


def test_the_code_from_the_desk_opens_the_mailbox(signed_in: Enter, resident: Resident) -> None:
    who = signed_in("desk")
    resident.code = code_in(who.post("/desk/complaints", desk_form(who)).text)
    assert "来电说供热站不修" in resident.mailbox().text


def test_the_desk_says_whether_it_was_read_back(signed_in: Enter) -> None:
    who = signed_in("desk")
    answer = who.post("/desk/complaints", desk_form(who, read_back=""))
    assert answer.status_code == 422
    assert 'href="#f-read_back"' in answer.text


@pytest.mark.parametrize("name", ["searcher", "head", "admin", "keeper"])
def test_only_the_desk_writes_down_for_others(signed_in: Enter, name: str) -> None:
    who = signed_in(name)
    assert who.get("/desk/complaints").status_code == 403
    assert who.post("/desk/complaints", {"text": "x"}).status_code == 403


def test_the_form_of_the_desk_is_kept_from_forgers(signed_in: Enter) -> None:
    who = signed_in("desk")
    assert who.client.post("/desk/complaints", data=desk_form(who)).status_code == 400


def test_the_desk_works_over_https_where_the_referrer_is_checked(
    web_street: Street, settings: Settings
) -> None:
    app = create_app(replace(settings, cookie_secure=True), clock=lambda: web_street.at)
    client = app.test_client()
    base = "https://localhost"
    page = client.get("/sign-in", base_url=base).text
    token = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert token
    told = {"name": "desk", "password": PASSWORD, "csrf_token": token[1]}
    sent = {"base_url": base, "headers": {"Referer": f"{base}/sign-in"}}
    assert client.post("/sign-in", data=told, **sent).status_code == 303
    shown = client.get("/desk/complaints", base_url=base)
    assert shown.headers["Referrer-Policy"] == "same-origin"
    app.extensions["shaoji"].database.dispose()
