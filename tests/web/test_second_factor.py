"""The second factor on its pages: enrolling, giving a code, confirming again, helping others."""

import html
import re
from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import quote

import pytest
from flask import Flask
from sqlalchemy import text

from engine.unsealing import request_unsealing
from tests.engine.hotline_street import Hotline
from tests.web.conftest import PASSWORD, Visitor
from tests.web.hotline_pages import *  # noqa: F403 - the hotline's fixtures
from tests.web.hotline_pages import Resident
from tests.web.second_factors import codes_on, device_at, phone, secret_on
from tests.web.test_kept_receipts import drawn_on, read_code
from web.app import create_app
from web.config import Settings

Enter = Callable[[str], Visitor]
CASE = "hotline-2026-00001"


def by_password(app: Flask, name: str, path: str = "/sign-in") -> Visitor:
    """Somebody who has typed their password and has got no further."""
    who = Visitor(app.test_client())
    answer = who.post(path, {"name": name, "password": PASSWORD})
    assert "/second-factor" in (answer.location or ""), answer.text
    return who


def main_of(page: str) -> str:
    return html.unescape(page.partition("<main")[2].partition("</main>")[0])


# --- signing in -----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/inbox", "/custody", "/me", "/me/sign-in", "/confirm", "/cases"])
def test_what_waits_for_the_second_factor_opens_nothing_else(app: Flask, path: str) -> None:
    who = by_password(app, "keeper")
    assert who.get(path).location == f"/second-factor?next={path}"
    assert who.post("/password", {"old": PASSWORD}).location == "/second-factor"
    assert who.post("/sign-out").location == "/second-factor"


def test_the_first_sign_in_offers_an_app_as_code_and_as_text(app: Flask) -> None:
    who = by_password(app, "keeper", "/sign-in?next=/custody")
    page = who.text("/second-factor?next=/custody")
    assert "绑定验证器" in page
    secret = secret_on(page)
    told = re.search(r'href="(otpauth://[^"]+)"', page)
    assert told
    address = html.unescape(told[1])
    assert address.startswith(f"otpauth://totp/{quote('哨迹 听澜街道')}:keeper?secret={secret}&")
    assert read_code(drawn_on(page)).decode() == address
    assert secret_on(who.text("/second-factor")) == secret


def test_codes_are_shown_once_and_then_one_is_in(app: Flask) -> None:
    who = by_password(app, "keeper")
    held = phone(app, "keeper")
    held.secret = secret_on(who.text("/second-factor"))
    wrong = who.post("/second-factor/enrolment?next=/custody", {"code": "123"})
    assert wrong.status_code == 422
    assert "验证码对不上" in wrong.text
    assert secret_on(wrong.text) == held.secret
    sent = {"code": held.code(device_at(app))}
    answer = who.post("/second-factor/enrolment?next=/custody", sent)
    assert len(set(codes_on(answer.text))) == 10
    assert 'href="/custody"' in answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    assert who.get("/custody").status_code == 200
    again = who.post("/second-factor/enrolment?next=/custody", sent)
    assert again.location == "/custody"
    assert who.get("/second-factor").location == "/inbox"


def test_a_code_lets_in_and_leads_to_what_was_wanted(app: Flask, signed_in: Enter) -> None:
    signed_in("keeper")
    who = by_password(app, "keeper", "/sign-in?next=/custody")
    asked = who.text("/second-factor?next=/custody")
    assert "六位数字" in asked
    assert 'class="secret"' not in asked
    code = phone(app, "keeper").code(device_at(app))
    assert who.post("/second-factor?next=/custody", {"code": code}).location == "/custody"
    assert who.get("/custody").status_code == 200


@pytest.mark.parametrize("told", [{"code": "000000"}, {"code": "abc"}, {"recovery": "AAAAA-AAAAA"}])
def test_a_wrong_code_says_so_and_one_may_try_again(
    app: Flask, signed_in: Enter, told: dict[str, str]
) -> None:
    signed_in("keeper")
    who = by_password(app, "keeper")
    answer = who.post("/second-factor", told)
    assert answer.status_code == 422
    assert "验证码不对，或已经用过" in answer.text
    assert who.post("/second-factor", {}).status_code == 422
    assert who.get("/inbox").status_code == 303
    code = phone(app, "keeper").code(device_at(app))
    assert who.post("/second-factor", {"code": code}).location == "/inbox"


def test_a_recovery_code_lets_in_without_the_telephone(app: Flask, signed_in: Enter) -> None:
    signed_in("keeper")
    who = by_password(app, "keeper")
    code = phone(app, "keeper").codes.pop()
    assert who.post("/second-factor", {"recovery": code.lower()}).location == "/inbox"
    assert "恢复码还剩 9 个" in main_of(who.text("/me/sign-in"))
    other = by_password(app, "keeper")
    assert other.post("/second-factor", {"recovery": code}).status_code == 422


def test_a_stolen_password_with_five_guesses_is_locked_out(app: Flask, signed_in: Enter) -> None:
    signed_in("keeper")
    who = by_password(app, "keeper")
    for _ in range(5):
        assert who.post("/second-factor", {"code": "000000"}).status_code == 422
    code = phone(app, "keeper").code(device_at(app))
    assert who.post("/second-factor", {"code": code}).status_code == 422
    answer = Visitor(app.test_client()).post("/sign-in", {"name": "keeper", "password": PASSWORD})
    assert answer.status_code == 403


def test_who_waited_too_long_begins_anew_and_hears_why(app: Flask, h: Hotline) -> None:
    who = by_password(app, "keeper")
    h.street.later(minutes=31)
    answer = who.post("/second-factor/enrolment", {"code": "000000"})
    assert answer.status_code == 409
    assert "请重新输入账号和密码" in answer.text
    assert who.get("/second-factor").location == "/sign-in"


def test_in_the_demonstration_codes_go_by_the_telephones_clock(
    h: Hotline, settings: Settings
) -> None:
    wall = datetime(2031, 5, 5, 5, 5, tzinfo=UTC)
    app = create_app(settings, clock=lambda: h.street.at, device_clock=lambda: wall)
    assert Visitor(app.test_client()).sign_in("keeper").status_code == 303
    assert device_at(app) == wall
    app.extensions["shaoji"].database.dispose()


def test_failures_are_counted_by_place_for_all_processes_and_no_address_is_kept(
    app: Flask, settings: Settings, h: Hotline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.attempts.MOST", 4)
    second = create_app(settings, clock=lambda: h.street.at)
    for one in (app, second, app, second):
        assert Visitor(one.test_client()).sign_in("nobody").status_code == 403
    for one in (app, second):
        for name in ("nobody", "desk"):
            answer = Visitor(one.test_client()).sign_in(name)
            assert answer.status_code == 403
            assert "请过 15 分钟再试" in answer.text
    with h.street.database.begin() as conn:
        told = str(conn.execute(text("SELECT * FROM sign_in_attempt")).all())
    assert "127.0.0.1" not in told
    h.street.later(minutes=15)
    assert Visitor(app.test_client()).sign_in("desk").status_code == 303
    second.extensions["shaoji"].database.dispose()


def test_pages_for_people_who_are_nobody_do_not_know_who_waits(app: Flask) -> None:
    who = by_password(app, "keeper")
    for path in ("/complain", "/mailbox", "/public"):
        answer = who.get(path)
        assert answer.status_code == 200
        assert "Set-Cookie" not in answer.headers
        assert "keeper" not in answer.text


# --- confirming again -----------------------------------------------------------------------------


@pytest.fixture
def asked(resident: Resident, h: Hotline) -> int:
    """A confidential complaint whose identity its investigator asks to see; returns the asking."""
    resident.complain(identity="confidential", name="陈小禾演示", phone="000-7654-3210")
    h.do("accept").do("dispatch").do("declare")
    h.act(request_unsealing, ["name"], "核对日期", by="searcher")
    return int(h.last("unseal.requested").seq)


def hidden(page: str) -> dict[str, str]:
    """The hidden fields of the form on a page that asks for a confirmation."""
    form = main_of(page).partition('<form class="narrow"')[2].partition("</form>")[0]
    fields = re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', form)
    return {name: value for name, value in fields if name != "csrf_token"}


def test_a_custodians_decision_is_asked_for_again_and_nothing_typed_is_lost(
    app: Flask, signed_in: Enter, h: Hotline, asked: int
) -> None:
    keeper = signed_in("keeper")
    h.street.later(minutes=10)
    form = {"outcome": "granted", "reason": "只有“本人”说得清 <b>", "hours": "4", "key": "once"}
    page = keeper.post(f"/custody/{CASE}/{asked}", form)
    assert page.status_code == 422
    assert "接下来：决定能不能看投诉人的身份" in page.text
    assert "您填的都还在" in page.text
    assert h.all("unseal.granted") == []
    kept = hidden(page.text)
    assert kept == {**form, "confirming": "yes"}
    wrong = keeper.post(f"/custody/{CASE}/{asked}", {**kept, "code": "000000"})
    assert wrong.status_code == 422
    assert "验证码不对" in wrong.text
    assert hidden(wrong.text) == kept
    assert keeper.post(f"/custody/{CASE}/{asked}", kept).status_code == 422
    code = phone(app, "keeper").code(device_at(app))
    done = keeper.post(f"/custody/{CASE}/{asked}", {**kept, "code": code})
    assert done.location == "/custody"
    assert h.last("unseal.granted").data["reason"] == form["reason"]
    types = h.street.types("@access")
    assert types[-1] == "session.confirmed"
    h.street.check()


def test_a_look_at_an_identity_takes_the_password_of_who_has_no_second_factor(
    signed_in: Enter, h: Hotline, asked: int
) -> None:
    keeper, searcher = signed_in("keeper"), signed_in("searcher")
    told = {"outcome": "granted", "reason": "只有本人说得清", "hours": "4"}
    assert keeper.post(f"/custody/{CASE}/{asked}", told).status_code == 303
    h.street.later(minutes=30)
    path = f"/cases/{CASE}/identity-requests/{asked}/views"
    page = searcher.post(path, {"task": "investigate#1"})
    assert page.status_code == 422
    assert "陈小禾" not in page.text
    assert "您的登录密码" in page.text
    kept = hidden(page.text)
    wrong = searcher.post(path, {**kept, "password": "guess"})
    assert "密码不对" in wrong.text
    assert 'value="guess"' not in wrong.text
    assert h.all("identity.viewed") == []
    assert "陈小禾" in searcher.post(path, {**kept, "password": PASSWORD}).text
    # Within ten minutes nobody is asked again.
    h.street.later(minutes=9)
    assert "陈小禾" in searcher.post(path, {"task": "investigate#1"}).text
    h.street.check()


@pytest.mark.parametrize("act", ["exports", "handover", "handover/file"])
def test_what_leaves_the_house_takes_a_confirmation(
    signed_in: Enter, h: Hotline, asked: int, act: str
) -> None:
    who = signed_in("searcher")
    h.street.later(minutes=30)
    page = who.post(f"/cases/{CASE}/{act}", {"purpose": "例会"})
    assert page.status_code == 422
    assert hidden(page.text)["purpose"] == "例会"


def test_the_evidence_file_takes_a_confirmation_and_one_comes_back_to_it(
    signed_in: Enter, h: Hotline, asked: int
) -> None:
    who = signed_in("searcher")
    h.street.later(minutes=30)
    path = f"/cases/{CASE}/record.json"
    to = who.get(path).location
    assert to == f"/confirm?next={path}"
    assert "继续打开刚才的页面" in who.text(to)
    assert who.post(to, {"password": "wrong"}).status_code == 422
    assert who.post(to, {"password": PASSWORD}).location == path
    assert who.get(path).status_code == 200
    assert who.get("/confirm?next=https://evil.example/").location == "/"


def test_guessing_to_confirm_is_stopped_like_guessing_to_sign_in(
    app: Flask, signed_in: Enter, h: Hotline, asked: int
) -> None:
    keeper = signed_in("keeper")
    h.street.later(minutes=30)
    sent = {"outcome": "denied", "reason": "r", "confirming": "yes"}
    for _ in range(5):
        assert (
            keeper.post(f"/custody/{CASE}/{asked}", {**sent, "code": "000000"}).status_code == 422
        )
    code = phone(app, "keeper").code(device_at(app))
    assert keeper.post(f"/custody/{CASE}/{asked}", {**sent, "code": code}).status_code == 422
    assert h.all("unseal.denied") == []


# --- one's own ------------------------------------------------------------------------------------


def test_who_need_not_may_enrol_by_choice_and_remove_it(
    app: Flask, signed_in: Enter, h: Hotline
) -> None:
    who, elsewhere = signed_in("desk"), signed_in("desk")
    assert "没有启用" in main_of(who.text("/me/sign-in"))
    page = who.text("/me/sign-in/enrolment")
    held = phone(app, "desk")
    held.secret = secret_on(page)
    assert who.post("/me/sign-in/enrolment", {"code": "1"}).status_code == 422
    answer = who.post("/me/sign-in/enrolment", {"code": held.code(device_at(app))})
    held.codes = codes_on(answer.text)
    assert elsewhere.get("/inbox").status_code == 303
    assert who.get("/me/sign-in/enrolment").location == "/me/sign-in"
    assert "从 3月2日 星期一 起" in main_of(who.text("/me/sign-in"))
    by_password(app, "desk")
    fresh = codes_on(who.post("/me/sign-in/codes").text)
    assert not set(fresh) & set(held.codes)
    done = who.post("/me/sign-in/removal", follow_redirects=True)
    assert "第二步验证已停用" in done.text
    assert Visitor(app.test_client()).sign_in("desk").location == "/inbox"


def test_who_must_have_one_is_not_offered_to_remove_it(signed_in: Enter) -> None:
    keeper = signed_in("keeper")
    page = main_of(keeper.text("/me/sign-in"))
    assert "不能停用" in page
    assert "/me/sign-in/removal" not in page
    refused = keeper.post("/me/sign-in/removal")
    assert refused.status_code == 403
    assert "必须用第二步验证" in refused.text


def test_enrolling_asks_first_who_it_is(signed_in: Enter, h: Hotline) -> None:
    who = signed_in("desk")
    h.street.later(minutes=30)
    assert who.get("/me/sign-in/enrolment").location == "/confirm?next=/me/sign-in/enrolment"
    for act in ("removal", "codes"):
        assert who.post(f"/me/sign-in/{act}").status_code == 422


def test_ones_own_sessions_are_told_and_can_be_ended(signed_in: Enter, h: Hotline) -> None:
    lost = signed_in("desk")
    h.street.later(minutes=7)
    who, third = signed_in("desk"), signed_in("desk")
    page = main_of(who.text("/me/sign-in"))
    assert "3 处" in page
    assert page.count("就是这里") == 1
    assert page.count(">退出这一处<") == 2
    ends = re.findall(r'action="(/me/sign-in/sessions/[0-9a-f]{16}/end)"', page)
    oldest = ends[-1]
    assert signed_in("searcher").post(oldest).status_code == 404
    assert "那一处登录已退出" in who.post(oldest, follow_redirects=True).text
    assert lost.get("/inbox").status_code == 303
    assert who.post(oldest).status_code == 404
    others = who.post("/me/sign-in/sessions/end-others", follow_redirects=True)
    assert "其他 1 处登录已退出" in others.text
    assert third.get("/inbox").status_code == 303
    assert "只在这一处登录着" in main_of(who.text("/me/sign-in"))


# --- administrators -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["desk", "keeper", "officer", "chief"])
def test_only_administrators_see_how_others_sign_in(signed_in: Enter, name: str) -> None:
    who = signed_in(name)
    for path in ("/sign-ins", "/sign-ins/keeper"):
        assert who.get(path).status_code == 403
    for act in ("reset", "unlock", "end"):
        assert who.post(f"/sign-ins/desk/{act}", {"reason": "好奇"}).status_code == 403
    assert "账号和登录" not in who.text("/me")


def test_an_administrator_resets_a_lost_telephone_with_a_reason(
    app: Flask, signed_in: Enter, h: Hotline
) -> None:
    keeper, admin = signed_in("keeper"), signed_in("admin")
    assert "/sign-ins" in admin.text("/me")
    page = main_of(admin.text("/sign-ins?q=KEEP"))
    assert page.count("/sign-ins/") == 1
    assert "已启用" in page
    assert "下次登录时绑定" in main_of(admin.text("/sign-ins"))
    assert admin.post("/sign-ins/keeper/reset", {"reason": " "}).status_code == 400
    done = admin.post("/sign-ins/keeper/reset", {"reason": "手机丢了"}, follow_redirects=True)
    assert "已重设" in done.text
    assert keeper.get("/inbox").status_code == 303
    assert "绑定验证器" in by_password(app, "keeper").text("/second-factor")
    assert admin.get("/sign-ins/nobody").status_code == 404
    h.street.check()


def test_administrators_do_not_help_themselves(signed_in: Enter) -> None:
    admin = signed_in("admin")
    page = main_of(admin.text("/sign-ins/admin"))
    assert "要请另一位管理员" in page
    assert "/sign-ins/admin/reset" not in page
    refused = admin.post("/sign-ins/admin/reset", {"reason": "换手机"})
    assert refused.status_code == 403
    assert "另一位管理员" in refused.text


def test_an_administrator_unlocks_and_ends_sessions(
    app: Flask, signed_in: Enter, h: Hotline
) -> None:
    admin, desk = signed_in("admin"), signed_in("desk")
    for _ in range(5):
        Visitor(app.test_client()).sign_in("desk", "guess")
    page = main_of(admin.text("/sign-ins"))
    assert page.index(">desk<") < page.index(">accept<")  # whoever is locked comes first
    assert "锁定到" in page
    told = {"reason": "本人到场"}
    assert admin.post("/sign-ins/desk/unlock", told).location == "/sign-ins/desk"
    assert admin.post("/sign-ins/desk/unlock", told).status_code == 409
    assert Visitor(app.test_client()).sign_in("desk").location == "/inbox"
    assert "2 处" in main_of(admin.text("/sign-ins/desk"))
    admin.post("/sign-ins/desk/end", {"reason": "手机丢了"})
    assert desk.get("/inbox").status_code == 303
    assert "哪里都没有登录" in main_of(admin.text("/sign-ins/desk"))
    h.street.check()


def test_what_administrators_do_takes_a_confirmation(signed_in: Enter, h: Hotline) -> None:
    admin = signed_in("admin")
    h.street.later(minutes=30)
    page = admin.post("/sign-ins/desk/end", {"reason": "手机丢了"})
    assert page.status_code == 422
    assert hidden(page.text)["reason"] == "手机丢了"
