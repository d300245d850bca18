"""Tokens and the reference on a real screen: phone and desk, both languages, for everybody."""

import pytest

from tests.web.axe import violations
from tests.web.conftest import PASSWORD
from tests.web.test_browser import DESK, PHONE, Sit
from tests.web.test_browser import address as address
from tests.web.test_browser import browser as browser
from tests.web.test_browser import sit as sit

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("viewport", [PHONE, DESK], ids=["phone", "desk"])
@pytest.mark.parametrize("language", ["zh-CN", "en"])
def test_a_token_is_made_read_off_the_screen_and_revoked(
    sit: Sit, viewport: dict[str, int], language: str
) -> None:
    hand = sit("head", viewport=viewport)
    if language == "en":
        hand.submit("English")
    hand.open("/me/tokens")
    page = hand.page
    page.fill("#name", "街道平台")
    page.check("input[value='tasks:read']")
    page.fill("#password", PASSWORD)
    with page.expect_event("load"):
        page.locator("aside form button").click()
    assert (page.locator(".token__secret code").text_content() or "").startswith("shaoji_")
    hand.check_layout()
    # What lies under the bar at the bottom of a phone is no target there.
    page.set_viewport_size(viewport | {"height": 3000})
    assert violations(page) == []
    with page.expect_event("load"):
        page.locator(".said form button").click()
    assert page.locator(".token__secret").count() == 0
    hand.check_layout()


@pytest.mark.parametrize("viewport", [PHONE, DESK], ids=["phone", "desk"])
@pytest.mark.parametrize("language", ["zh-CN", "en"])
def test_the_reference_is_read_without_scripts_or_anybody_elses_files(
    sit: Sit, viewport: dict[str, int], language: str
) -> None:
    hand = sit(viewport=viewport, locale=language)
    asked: list[str] = []
    hand.page.on("request", lambda request: asked.append(request.url))
    hand.open("/api/v1/reference")
    for summary in hand.page.locator("details.api > summary").all()[:4]:
        summary.click()
    hand.check_layout()
    assert violations(hand.page) == []
    assert all(url.startswith(hand.address) for url in asked)
    assert not any(url.endswith(".js") for url in asked)
