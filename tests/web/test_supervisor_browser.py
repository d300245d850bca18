"""What a supervisor opens all day, in a real browser: searches, the board, a case as it stood."""

import pytest
from playwright.sync_api import ViewportSize

from tests.conftest import Street
from tests.web.axe import violations
from tests.web.paths import reported, signed_for
from tests.web.test_browser import DESK, PHONE, Sit
from tests.web.test_browser import address as address
from tests.web.test_browser import browser as browser
from tests.web.test_browser import sit as sit

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("locale", ["zh-CN", "en-GB"])
@pytest.mark.parametrize("viewport", [PHONE, DESK], ids=["phone", "desk"])
def test_the_supervisors_pages_fit_and_are_usable_without_eyes_or_pointer(
    sit: Sit,
    web_street: Street,
    viewport: ViewportSize,
    locale: str,
) -> None:
    case = signed_for(web_street)
    web_street.later(days=4)
    reported(web_street)
    hand = sit(None, viewport=viewport, locale="zh-CN")
    hand.sign_in("watch")
    hand.open("/acts")
    hand.page.fill("#who", "head演示")
    hand.submit("查")
    where = hand.page.url.removeprefix(hand.address)
    english = "" if locale == "zh-CN" else "language=en"
    for path in (where, "/acts?late=1&unit=u-tingtao", "/board", "/board?state=late",
                 f"/cases/{case}", f"/cases/{case}?as_of=5"):  # fmt: skip
        hand.open(path + ("&" if "?" in path else "?") + english)
        hand.check_layout()
        # At full height nothing lies behind the bar at the bottom of a phone.
        hand.page.set_viewport_size({"width": viewport["width"], "height": 6000})
        assert violations(hand.page) == [], path
        hand.page.set_viewport_size(viewport)


def test_the_time_line_is_walked_by_keyboard_and_hidden_on_phones(
    sit: Sit,
    web_street: Street,
) -> None:
    case = signed_for(web_street)
    desk = sit("watch", viewport=DESK, java_script_enabled=False)
    desk.open(f"/cases/{case}")
    desk.page.locator("svg.axis a").first.focus()
    with desk.page.expect_event("load"):
        desk.page.keyboard.press("Enter")
    assert "as_of=" in desk.page.url
    assert desk.page.locator(".note.travel").is_visible()
    phone = sit("watch")
    phone.open(f"/cases/{case}")
    assert not phone.page.locator("svg.axis").is_visible()
    phone.page.fill("#when", "3月2日 09:10")
    phone.submit("看那时")
    assert phone.page.locator(".note.travel").is_visible()


def test_a_case_is_urged_from_the_board_on_a_phone(
    sit: Sit,
    web_street: Street,
) -> None:
    case = reported(web_street)
    hand = sit("watch")
    hand.open("/board")
    hand.page.locator(".board__press summary").first.click()
    hand.page.fill("#urge-1", "请抓紧")
    hand.submit("催办")
    assert hand.page.url.endswith("/board")
    assert hand.page.get_by_role("status").inner_text() == "已催办"
    assert "case.urged" in web_street.types(case)
