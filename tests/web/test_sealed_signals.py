"""Signals of complaints: whoever may not see a complaint is not told of one by a signal either."""

from collections.abc import Callable
from types import SimpleNamespace

import pytest
from flask import Flask, g

from audit.signals.facts import Signal
from engine.casework import read_case
from engine.definition_sets import deploy
from engine.definitions import read_folder
from engine.people import directory, grant_post
from engine.signals import Found, refresh
from tests.conftest import ROOT, Street
from tests.engine.hotline_street import Hotline
from tests.web.api_client import program
from tests.web.conftest import Visitor
from tests.web.hotline_pages import *  # noqa: F403 - the hotline's fixtures
from web.signal_rows import signal_cards
from web.signal_rules import signal_rules


@pytest.fixture
def late(h: Hotline, web_street: Street) -> str:
    """A complaint nobody went on with, found by B1."""
    h.accepted()
    h.wait(days=30)
    refresh(web_street.database, signal_rules(), lambda _: None)
    return h.case


@pytest.fixture
def entering(app: Flask) -> Callable[[str], Visitor]:
    def enter(name: str) -> Visitor:
        visitor = Visitor(app.test_client())
        visitor.sign_in(name)
        return visitor

    return enter


@pytest.mark.parametrize("name", ["watch", "officer", "heat"])
def test_the_queue_does_not_name_a_complaint_to_who_may_not_see_it(
    late: str, entering: Callable[[str], Visitor], name: str
) -> None:
    page = entering(name).text("/signals")
    assert late not in page
    assert "待核实 0" in page


def test_who_may_see_it_is_told_what_it_rests_on_only_where_a_look_is_recorded(
    late: str, entering: Callable[[str], Visitor], web_street: Street
) -> None:
    web_street.do(
        grant_post, web_street.person["desk"], "u-street", "街道督查", ["supervise"],
        reason="到任", by=web_street.by("admin"),
    )  # fmt: skip
    desk = entering("desk")
    page = desk.text("/signals")
    assert "保密的案件：打开案件看依据" in page
    assert f"/cases/{late}#e" not in page
    assert "/dismissal" not in page
    case = desk.text(f"/cases/{late}")
    assert f"/cases/{late}#e" in case
    assert f"/cases/{late}/signals/B1/" in case
    web_street.check()


def test_a_program_is_told_no_more_of_a_confidential_case_than_the_page_tells(
    late: str, app: Flask, web_street: Street
) -> None:
    web_street.do(
        grant_post, web_street.person["desk"], "u-street", "街道督查", ["supervise"],
        reason="到任", by=web_street.by("admin"),
    )  # fmt: skip
    desk = program(app, web_street, "desk")
    (listed,) = desk.read("/signals")["items"]
    assert (listed["case"], listed["closed"]) == (late, True)
    assert (listed["entries"], listed["others"], listed["judged"]) == ([], [], [])
    assert listed["unseen"] > 0
    before = [entry.type for entry in web_street.entries(late)]
    (told,) = desk.read(f"/cases/{late}/signals")["items"]
    assert told["entries"][0]["sentence"]["zh"]
    after = [entry.type for entry in web_street.entries(late)]
    assert after == [*before, "file.viewed"]
    for name in ("watch", "officer"):
        assert program(app, web_street, name).read("/signals")["items"] == []
    web_street.check()


def test_an_entry_of_a_confidential_case_beside_another_is_not_told_but_where_it_is(
    late: str, h: Hotline, app: Flask, web_street: Street
) -> None:
    other = h.hazard()
    with web_street.database.begin() as conn, app.test_request_context():
        g.bearer = SimpleNamespace(by=web_street.by("desk"))
        found = Found(Signal("B3", other, (1,), ((late, 3), (late, 1))), "open")
        (card,) = signal_cards(conn, [found], directory(conn))
    assert not card.closed
    assert [one.said for one in card.others] == ["保密的案件：打开案件看依据，看了会留下记录。"] * 2
    assert card.others[0].address == f"/cases/{late}#e3"


def test_inspections_after_a_complaint_are_a_flag_where_the_complaint_is_and_nowhere_else(
    h: Hotline, entering: Callable[[str], Visitor], web_street: Street
) -> None:
    about = h.hazard()
    with web_street.database.begin() as conn:
        deploy(
            conn,
            read_folder(ROOT / "workflows/patrol"),
            by=web_street.by("admin"),
            at=web_street.at,
        )
        for name, duty in (("grid", "patrol"), ("desk", "supervise")):
            grant_post(
                conn, web_street.person[name], "u-street", "兼岗", [duty], reason="到任",
                by=web_street.by("admin"), at=web_street.at,
            )  # fmt: skip
    h.accepted(linked=about)
    told = {"title": "专项检查", "category": "patrol_special", "address": "听涛苑 3 幢"}
    visits = []
    for _ in range(2):
        web_street.later(days=1)
        visits.append(web_street.report("patrol", "grid", title="专项检查", form=told,
                                        category="patrol_special"))  # fmt: skip
    refresh(web_street.database, signal_rules(), lambda _: None)
    desk, watch = entering("desk"), entering("watch")
    flagged = f"/cases/{h.case}/signals/B13/1/"
    assert flagged in desk.text(f"/cases/{h.case}")
    with web_street.database.begin() as conn:
        number = read_case(conn, h.case).number
    for page in ("/signals", *(f"/cases/{visit}" for visit in visits), f"/cases/{about}"):
        text = watch.text(page)
        assert h.case not in text
        assert number not in text
        assert "B13" not in text.replace('value="B13"', "")
    web_street.check()
