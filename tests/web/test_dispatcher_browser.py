"""A dispatcher's day in a real browser: what waits, whom to assign and why, who has how much."""

from datetime import timedelta

import pytest
from playwright.sync_api import ViewportSize

from engine.people import grant_post
from engine.timekeeping import grant_pause, request_pause
from tests.conftest import Street, photo
from tests.web.axe import violations
from tests.web.paths import assigned, closed, confirmed, signed_for
from tests.web.test_browser import DESK, PHONE, Hand, Sit
from tests.web.test_browser import address as address
from tests.web.test_browser import browser as browser
from tests.web.test_browser import sit as sit

pytestmark = pytest.mark.browser


def busy(street: Street) -> tuple[str, str]:
    """A street with something of everything; returns what is to assign and what is to rule on."""
    closed(street)
    assigned(street)
    stopped, asked = signed_for(street), signed_for(street)
    for case in (stopped, asked):
        street.do(
            request_pause, case, "rectify#1", counterparty="澜江供电（演示）值班台 000-2110",
            resume_by=street.at + timedelta(days=2), reason="要等停电",
            evidence=(photo("call"),), by=street.by("fixer"),
        )  # fmt: skip
    street.do(grant_pause, stopped, "rectify#1", "属实", by=street.by("dispatch"))
    street.do(grant_post, street.person["dispatch"], "u-street", "平安办", ["close"],
              reason="兼任", by=street.by("admin"))  # fmt: skip
    return confirmed(street), asked


def check(hand: Hand, viewport: ViewportSize) -> None:
    hand.check_layout()
    # At full height nothing lies behind the bar at the bottom of a phone.
    hand.page.set_viewport_size({"width": viewport["width"], "height": 6000})
    assert violations(hand.page) == [], hand.page.url
    hand.page.set_viewport_size(viewport)


@pytest.mark.parametrize("viewport", [PHONE, DESK], ids=["phone", "desk"])
def test_a_dispatchers_day_without_a_script(
    sit: Sit, web_street: Street, viewport: ViewportSize
) -> None:
    case, asked = busy(web_street)
    hand = sit("dispatch", viewport=viewport, java_script_enabled=False)
    page = hand.page
    hand.follow("看板")
    waiting = page.locator("section", has=page.get_by_role("heading", name="等您的岗位办"))
    waiting.get_by_role("link", name="车棚飞线充电").first.click()
    assert f"/cases/{case}/tasks/assign" in page.url
    advice = page.locator("#a-unit").inner_text()
    assert "建议，由您定：" in advice
    assert "澜安物业（演示）" in advice
    assert "同类" in advice
    first = page.locator("#f-unit optgroup").first
    assert first.get_attribute("label") == "建议"
    assert page.locator("#f-unit").input_value() == ""
    page.select_option("#f-unit", "u-property")
    page.select_option("#f-person", web_street.person["fixer2"])
    page.select_option("#f-acceptor", web_street.person["accept"])
    page.fill("#f-legal_basis", "充电停放规定")
    hand.submit("提交指派")
    assert "已提交：指派" in page.get_by_role("status").inner_text()
    hand.open("/board")
    ruling = page.locator("section", has=page.get_by_role("heading", name="等您裁定"))
    assert "要等停电" in ruling.inner_text()
    ruling.get_by_role("link").first.click()
    assert f"/cases/{asked}/tasks/rectify" in page.url
    page.fill("#decision-reason", "属实")
    hand.submit("同意")
    hand.open("/board")
    assert page.get_by_role("heading", name="等您裁定").count() == 0
    row = page.locator(".board--hands tr", has_text="fixer演示")
    row.locator("a.hands__n").first.click()
    page.wait_for_url("**/board?holder=*")
    assert "fixer演示 手上的" in page.locator("#rows h2").inner_text()
    hand.open("/board")
    row.get_by_role("button").first.click()
    page.wait_for_url("**/acts?*")
    assert "按时办完的" in page.locator(".chips--off").inner_text()
    assert "fixer演示" in page.locator("main").inner_text()
    web_street.check()


@pytest.mark.parametrize("locale", ["zh-CN", "en-GB"])
@pytest.mark.parametrize("viewport", [PHONE, DESK], ids=["phone", "desk"])
def test_the_dispatchers_pages_fit_and_are_usable_without_eyes_or_pointer(
    sit: Sit, web_street: Street, viewport: ViewportSize, locale: str
) -> None:
    case, asked = busy(web_street)
    web_street.later(hours=20)
    hand = sit("dispatch", viewport=viewport)
    fixer, english = web_street.person["fixer"], "" if locale == "zh-CN" else "language=en"
    for path in ("/board", f"/board?holder={fixer}&state=late", f"/cases/{case}/tasks/assign%231",
                 f"/cases/{asked}/tasks/rectify%231", f"/cases/{asked}"):  # fmt: skip
        hand.open(path + ("&" if "?" in path else "?") + english)
        for told in hand.page.locator("details").all():
            told.evaluate("one => one.open = true")
        check(hand, viewport)
