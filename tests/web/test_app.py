"""Headers, forged forms, errors and refusals: what every answer has, what a refusal says."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy.exc import OperationalError

from audit.log import ClockBehind, ForkRefused
from engine.errors import BadInput, Conflict, NotAllowed, NotFound, Refusal
from tests.conftest import Street
from tests.web.conftest import PASSWORD, Visitor
from web.frame import context
from web.headers import POLICY
from web.visit import local_path

PUBLIC = ("/sign-in", "/receipt", "/checking")
WORKING = ("/inbox", "/inbox/claimable", "/inbox/overdue", "/inbox/started", "/inbox/done",
           "/cases", "/reports", "/me")  # fmt: skip


@pytest.mark.parametrize("path", [*PUBLIC, "/static/shaoji.css", "/nowhere"])
def test_every_answer_says_what_a_browser_may_do_with_it(visitor: Visitor, path: str) -> None:
    with visitor.get(path) as answer:  # a static file stays open until it was read
        headers = answer.headers
    assert headers["Content-Security-Policy"] == POLICY
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert "frame-ancestors 'none'" in POLICY
    assert "unsafe" not in POLICY


def test_what_a_signed_in_person_saw_is_not_kept_by_the_browser(
    signed_in: Callable[[str], Visitor],
) -> None:
    who = signed_in("head")
    for path in WORKING:
        assert who.get(path).headers["Cache-Control"] == "no-store", path


@pytest.mark.parametrize("path", WORKING)
def test_no_page_has_an_inline_script_style_or_handler(
    signed_in: Callable[[str], Visitor], web_street: Street, path: str
) -> None:
    web_street.report("hazard", form=HAZARD)
    page = signed_in("head").text(path)
    assert not re.search(r"\sstyle=|<style|\son\w+=|javascript:", page)
    scripts = re.findall(r"<script([^>]*)>", page)
    assert all("src=" in script or "application/json" in script for script in scripts)


HAZARD = {
    "title": "车棚飞线充电",
    "category": "charging",
    "address": "听涛苑 3 幢",
    "description": "有人从楼上拉线充电",
}


def test_a_form_without_its_token_is_refused_in_plain_words(
    signed_in: Callable[[str], Visitor],
) -> None:
    who = signed_in("grid")
    answer = who.client.post("/reports", data={"title": "x"})
    assert answer.status_code == 400
    assert "为防他人冒用没有收下" in answer.text


def test_a_token_of_somebody_else_is_refused(app: Flask, visitor: Visitor) -> None:
    theirs = Visitor(app.test_client()).token()
    answer = visitor.client.post(
        "/sign-in", data={"csrf_token": theirs, "name": "head", "password": PASSWORD}
    )
    assert answer.status_code == 400


@pytest.mark.parametrize(
    ("refusal", "code"),
    [(NotFound, 404), (NotAllowed, 403), (BadInput, 400), (Conflict, 409), (Refusal, 409)],
)
def test_a_refusal_is_a_page_in_its_own_words(
    app: Flask, refusal: type[Refusal], code: int
) -> None:
    def refuse() -> None:
        raise refusal("请先做另一件事。", "Do the other thing first.")

    app.add_url_rule("/refuse", "refuse", refuse)
    chinese = app.test_client().get("/refuse")
    english = app.test_client().get("/refuse", headers={"Accept-Language": "en"})
    assert (chinese.status_code, english.status_code) == (code, code)
    assert "请先做另一件事。" in chinese.text
    assert "Do the other thing first." in english.text


CASE, THEN, LATER = "hazard-2026-00001", "2026-03-02T01:00:00.000Z", "2999-01-01T00:00:00.000Z"


@pytest.mark.parametrize(
    ("outrun", "told"),
    [
        (ForkRefused(CASE), "别人刚刚先办了一步"),
        (ClockBehind(CASE, "2026-03-02T00:59:59.000Z", THEN), "别人刚刚先办了一步"),
        (ClockBehind(CASE, THEN, LATER), "请管理员先校准服务器时间"),
    ],
    ids=["a rival", "a rival who began later", "a wrong clock"],
)
def test_a_rival_or_a_wrong_clock_is_told_and_not_a_crash(
    app: Flask, outrun: Exception, told: str
) -> None:
    def refuse() -> None:
        raise outrun

    app.add_url_rule("/refuse", "refuse", refuse)
    answer = app.test_client().get("/refuse")
    assert answer.status_code == 409
    assert "没有生效" in answer.text
    assert told in answer.text


def test_an_unknown_address_is_a_page_in_the_same_look(visitor: Visitor) -> None:
    answer = visitor.get("/nowhere")
    assert answer.status_code == 404
    assert "没有找到" in answer.text
    assert 'class="refuse' in answer.text


def test_opening_an_act_as_a_page_is_refused(signed_in: Callable[[str], Visitor]) -> None:
    assert signed_in("head").get("/cases/x/urges").status_code == 405


def test_a_crash_tells_nothing_of_the_inside(app: Flask) -> None:
    app.testing = False

    def crash() -> None:
        raise RuntimeError("secret detail")

    app.add_url_rule("/crash", "crash", crash)
    answer = app.test_client().get("/crash")
    assert answer.status_code == 500
    assert "secret detail" not in answer.text
    assert "没有留下半截记录" in answer.text


def test_a_database_that_cannot_be_reached_is_told_in_the_same_look(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    app.testing = False

    def gone() -> None:
        raise OperationalError("SELECT 1", {}, Exception("unable to open database file"))

    monkeypatch.setattr("web.frame.reads", gone)
    answer = app.test_client().get("/checking")
    assert answer.status_code == 503
    assert "数据库" in answer.text
    assert "unable to open" not in answer.text


def test_a_request_too_large_is_refused_with_the_limit(
    app: Flask, signed_in: Callable[[str], Visitor]
) -> None:
    app.config["MAX_CONTENT_LENGTH"] = 2000
    answer = signed_in("grid").post("/reports", {"description": "长" * 3000})
    assert answer.status_code == 413
    assert "150 MB" in answer.text


@pytest.mark.parametrize(
    ("target", "kept"),
    [
        ("/cases?x=1", "/cases?x=1"),
        ("https://evil.example", "/"),
        ("//evil.example/x", "/"),
        ("/\\evil.example", "/"),
        ("cases", "/"),
        ("/a\nb", "/"),
        ("", "/"),
        (None, "/"),
    ],
)
def test_only_paths_of_this_server_are_followed(target: str | None, kept: str) -> None:
    assert local_path(target, "/") == kept


def test_files_kept_for_a_year_are_asked_for_by_their_content(visitor: Visitor) -> None:
    page = visitor.text("/receipt")
    sheet = re.search(r'href="(/static/shaoji\.css\?v=[0-9a-f]{10})"', page)
    assert sheet
    with visitor.get(sheet[1]) as answer:
        assert answer.status_code == 200
        assert "max-age=31536000" in answer.headers["Cache-Control"]


def test_the_page_on_checking_names_the_log(visitor: Visitor) -> None:
    assert "log.tinglan.example" in visitor.text("/checking")


def test_no_template_hides_what_every_template_knows(app: Flask) -> None:
    """A macro at the top of a page is a variable of the page around it, too."""
    with app.test_request_context("/sign-in"):
        known = {*context(), *app.jinja_env.globals}
    hidden = {
        (path.name, name)
        for path in (Path(app.root_path) / "templates").glob("**/*.html")
        for name in re.findall(r"{%-? *(?:macro|set) +(\w+)", path.read_text(encoding="utf-8"))
        if name in known
    }
    assert hidden == set()
