"""Signing in and out: who is let in, what the browser keeps, what the server keeps."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import text

from tests.conftest import Street
from tests.web.conftest import PASSWORD, Visitor
from tests.web.paths import reported
from web.app import create_app
from web.config import Settings


def test_somebody_who_is_not_signed_in_is_asked_to_and_comes_back(visitor: Visitor) -> None:
    asked = visitor.get("/cases?status=open")
    assert asked.status_code == 303
    assert asked.location == "/sign-in?next=/cases?status%3Dopen"
    entered = visitor.post(asked.location, {"name": "watch", "password": PASSWORD})
    assert entered.location == "/cases?status=open"


def test_a_link_to_a_step_survives_signing_in(visitor: Visitor, web_street: Street) -> None:
    case = reported(web_street)
    path = f"/cases/{case}/tasks/confirm%231"
    asked = visitor.get(path).location
    assert asked is not None
    assert visitor.post(asked, {"name": "head", "password": PASSWORD}).location == path
    assert "提交确认" in visitor.text(path)


@pytest.mark.parametrize("name", ["head", "nobody"])
def test_a_wrong_password_and_an_unknown_name_get_the_same_answer(
    visitor: Visitor, name: str
) -> None:
    answer = visitor.sign_in(name, "wrong password")
    assert answer.status_code == 403
    assert "账号或密码不对" in answer.text
    assert f'value="{name}"' in answer.text
    assert "wrong password" not in answer.text


def test_five_wrong_passwords_lock_the_account_for_a_while(
    visitor: Visitor, web_street: Street
) -> None:
    for _ in range(5):
        assert visitor.sign_in("head", "guess").status_code == 403
    assert visitor.sign_in("head").status_code == 403
    web_street.later(minutes=16)
    assert visitor.sign_in("head").status_code == 303


def test_nobody_is_sent_to_another_server_after_signing_in(visitor: Visitor) -> None:
    for elsewhere in ("https://evil.example/", "//evil.example", "/\\evil.example", "javascript:x"):
        answer = visitor.client.post(
            "/sign-in",
            query_string={"next": elsewhere},
            data={"csrf_token": visitor.token(), "name": "head", "password": PASSWORD},
        )
        assert answer.location == "/inbox"
        visitor.post("/sign-out")


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(visitor: Visitor) -> None:
    cookie = visitor.sign_in("head").headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie


def test_by_https_cookies_travel_by_https_only(settings: Settings, web_street: Street) -> None:
    from dataclasses import replace

    app = create_app(replace(settings, cookie_secure=True), clock=lambda: web_street.at)
    answer = app.test_client().get("/receipt", base_url="https://shaoji.example")
    assert "Secure" in answer.headers["Set-Cookie"]
    assert answer.headers["Strict-Transport-Security"] == "max-age=63072000"
    app.extensions["shaoji"].database.dispose()


def test_a_session_ends_on_the_server_when_somebody_signs_out(
    app: Flask, signed_in: Callable[[str], Visitor]
) -> None:
    who = signed_in("head")
    stolen = who.client.get_cookie("shaoji")
    assert stolen is not None
    assert who.post("/sign-out").location == "/sign-in"
    thief = app.test_client()
    thief.set_cookie("shaoji", stolen.value)
    assert thief.get("/inbox").status_code == 303


def test_a_session_ends_when_it_lies_idle(
    signed_in: Callable[[str], Visitor], web_street: Street
) -> None:
    who = signed_in("head")
    for _ in range(3):
        web_street.later(minutes=100)
        assert who.get("/inbox").status_code == 200
    web_street.later(hours=2)
    assert who.get("/inbox").status_code == 303


def test_neither_address_nor_browser_is_kept_anywhere(
    signed_in: Callable[[str], Visitor], web_street: Street
) -> None:
    who = signed_in("head")
    who.get("/inbox", headers={"User-Agent": "Telltale/1.0"})
    with who.client.session_transaction() as session:
        assert "_id" not in session
    with web_street.database.begin() as conn:
        tables = conn.execute(text("SELECT name FROM sqlite_master WHERE type = 'table'")).scalars()
        for table in list(tables):
            rows = conn.execute(text(f'SELECT * FROM "{table}"')).all()
            assert "Telltale" not in str(rows)
            assert "127.0.0.1" not in str(rows)


def test_choices_of_language_and_size_survive_signing_in(visitor: Visitor) -> None:
    visitor.post("/display", {"scale": "140", "language": "en"})
    visitor.sign_in("head")
    page = visitor.text("/inbox")
    assert 'data-scale="140"' in page
    assert 'lang="en"' in page


def test_an_unknown_size_goes_back_to_the_usual(visitor: Visitor) -> None:
    visitor.post("/display", {"scale": "140"})
    visitor.post("/display", {"scale": '9"><script>'})
    assert "data-scale" not in visitor.text("/receipt")


def test_a_password_is_changed_only_by_who_knows_the_old_one(
    app: Flask, signed_in: Callable[[str], Visitor]
) -> None:
    who = signed_in("head")
    fresh = "a brand new password"
    refused = who.post("/password", {"old": "wrong", "new": fresh, "again": fresh})
    assert refused.status_code == 400
    assert "密码没有改" in refused.text
    short = who.post("/password", {"old": PASSWORD, "new": "short", "again": "short"})
    assert short.status_code == 400
    done = who.post("/password", {"old": PASSWORD, "new": fresh, "again": fresh})
    assert done.location == "/sign-in"
    assert who.get("/inbox").status_code == 303
    assert Visitor(app.test_client()).sign_in("head", fresh).status_code == 303


def test_signing_in_and_out_is_on_the_record(
    signed_in: Callable[[str], Visitor], web_street: Street
) -> None:
    signed_in("head").post("/sign-out")
    web_street.later(minutes=1)
    types = web_street.types("@access")
    assert types[-2:] == ["session.opened", "session.closed"]
    assert web_street.at - web_street.entries("@access")[-1].at == timedelta(minutes=1)


def test_the_size_a_person_chose_is_theirs_on_every_phone(
    signed_in: Callable[[str], Visitor],
) -> None:
    first = signed_in("grid")
    assert first.post("/display", {"scale": "140"}).status_code == 303
    assert 'data-scale="140"' in signed_in("grid").text("/inbox")
    assert "data-scale" not in signed_in("head").text("/inbox")
    first.post("/display", {"scale": ""})
    assert "data-scale" not in signed_in("grid").text("/inbox")
