"""A whistle, and a colleague's patrol, without a network: sent once, and honest until then."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from flask import Flask

from audit.encoding import timestamp
from tests.conftest import Street
from tests.engine.light_street import Light
from tests.web.bad_line import Line, line_to
from tests.web.test_admin_browser import faults
from tests.web.test_browser import Hand, Sit, address, browser, sit  # noqa: F401
from tests.web.test_offline_browser import now, opened, send_now, until, worker
from tests.web.whistle_pages import *  # noqa: F403
from tests.web.whistle_pages import BLOWN, Enter
from web.offline import KEEP


@pytest.fixture
def line(app: Flask, address: str) -> Iterator[Line]:  # noqa: F811
    with line_to(int(address.rpartition(":")[2])) as line:
        yield line


@pytest.fixture
def number(app: Flask) -> str:
    """Whom to call first, as the street has set it."""
    house = app.extensions["shaoji"]
    app.extensions["shaoji"] = replace(
        house, settings=replace(house.settings, emergency="000-0119")
    )
    return "000-0119"


def test_the_form_for_a_whistle_may_be_kept_and_says_whom_to_call(
    signed_in: Enter, web_street: Street, number: str
) -> None:
    answer = signed_in("blower").get("/whistles")
    assert answer.headers[KEEP] == web_street.person["blower"]
    assert 'name="owner"' in answer.text
    assert "没有网络，哨还吹不出去" in answer.text
    assert f"现在就打 <b>{number}</b>" in answer.text


def test_without_a_number_in_the_settings_none_is_named(signed_in: Enter) -> None:
    page = signed_in("blower").text("/whistles")
    assert "现在就打电话求助" in page


def test_a_whistle_that_waited_says_when_it_was_filled_and_its_clocks_run_from_receipt(
    signed_in: Enter, web_street: Street
) -> None:
    filled = web_street.at - timedelta(minutes=50)
    told = {**BLOWN, "kind": "emergency", "departments": ["u-fire"], "key": "once",
            "filled_at": timestamp(filled)}  # fmt: skip
    blower = signed_in("blower")
    for _ in range(2):
        assert blower.post("/whistles", told).location == "/cases/whistle-2026-00001"
    first, *_ = web_street.entries("whistle-2026-00001")
    assert first.claimed_at == filled
    (response,) = [one for one in opened(web_street) if one.startswith("response")]
    clock = next(e for e in web_street.entries(response) if e.type == "deadline.set")
    assert clock.data["start"] == timestamp(web_street.at)
    page = re.sub("<[^>]+>", "", blower.text("/cases/whistle-2026-00001"))
    assert re.search(r"，称 [^，。]*8:10 填好", page)
    web_street.check()


def fill_whistle(hand: Hand, kind: str) -> None:
    page = hand.page
    page.locator("#f-kind label", has_text=kind).first.click()
    page.fill("#f-title", "车棚冒烟")
    page.select_option("#f-category", "charging")
    page.fill("#f-why", "要断电，社区没有权限")
    page.select_option("#f-place_unit", "u-micro-1")
    page.fill("#f-address", "听涛苑 3 幢")
    page.locator("input[name=suggested][value=u-fire] + span").click()


@pytest.mark.browser
def test_a_whistle_filled_without_a_network_calls_nobody_until_it_is_sent_once(
    sit: Sit,  # noqa: F811
    line: Line,
    web_street: Street,
    number: str,
) -> None:
    now(web_street)
    blower = worker(sit, line, "blower")
    page = blower.page
    blower.open("/whistles")
    assert not page.is_visible(".unblown")
    line.cut = True
    blower.open("/whistles")
    assert page.is_visible(".unblown")
    assert number in page.inner_text(".unblown")
    blower.check_layout()
    assert faults(blower) == []
    fill_whistle(blower, "应急哨")
    blower.submit("吹哨")
    assert page.url.endswith("/waiting")
    page.wait_for_selector("#waiting-list li")
    told = page.inner_text("#waiting-list")
    assert "哨还没有吹响，谁也没有叫到" in told
    assert number in told
    blower.check_layout()
    assert faults(blower) == []
    assert opened(web_street) == []

    line.cut = False
    now(web_street)
    send_now(blower)
    send_now(blower)
    assert "已发出，已收下" in page.inner_text("#waiting-list")
    whistles = [case for case in opened(web_street) if case.startswith("whistle")]
    assert len(whistles) == 1
    first = web_street.entries(whistles[0])[0]
    assert first.claimed_at is not None
    assert first.claimed_at < first.at
    assert first.data["form"]["departments"] == ["u-fire"]
    web_street.check()


@pytest.mark.browser
def test_a_whistle_whose_answer_was_lost_is_blown_once(
    sit: Sit,  # noqa: F811
    line: Line,
    web_street: Street,
) -> None:
    now(web_street)
    blower = worker(sit, line, "blower")
    blower.submit("English")
    blower.open("/whistles")
    fill_whistle(blower, "Emergency")
    line.lose = ["POST /whistles"] * 20
    blower.submit("Whistle")
    blower.page.wait_for_selector("#waiting-list li")
    assert "nobody has been called" in blower.page.inner_text("#waiting-list")
    blower.check_layout()
    assert faults(blower) == []
    line.lose.clear()
    send_now(blower)
    assert len([case for case in opened(web_street) if case.startswith("whistle")]) == 1
    web_street.check()


@pytest.mark.browser
def test_a_colleagues_patrol_typed_without_a_network_is_theirs_and_arrives_once(
    sit: Sit,  # noqa: F811
    line: Line,
    web_street: Street,
    lights: Light,
) -> None:
    now(web_street)
    web_street.later(minutes=-10)
    (patrol,) = lights.begin("patrol_plan", patroller="walker").children
    head = worker(sit, line, "head")
    page, path = head.page, f"/cases/{patrol.case}/tasks/walk%231"
    head.open("/begin")
    head.check_layout()
    assert faults(head) == []
    head.open(path)
    head.check_layout()
    assert faults(head) == []
    until(page, "async () => await caches.match(location.pathname) !== undefined")
    line.cut = True
    head.open(path)
    page.locator("input[name=checked]").first.check(force=True)
    page.locator("#f-result label").first.click()
    page.fill("input[name='walked_at.time']", "00:00")
    head.submit("提交巡查")
    page.wait_for_selector("#waiting-list li")
    line.cut = False
    now(web_street)
    send_now(head)
    assert "已发出，已收下" in page.inner_text("#waiting-list")
    done = [e for e in web_street.entries(patrol.case) if e.type == "task.completed"]
    assert len(done) == 1
    assert done[0].actor["informant"]["person"] == web_street.person["walker"]
    assert done[0].claimed_at is not None
    web_street.check()
