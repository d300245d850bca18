"""Receipts on a real screen: read off it by somebody else's reader; light, dark and large."""

from io import BytesIO

import pytest
import zxingcpp
from PIL import Image

from engine.keys import Keys
from tests.conftest import Street
from tests.web.paths import reported
from tests.web.test_browser import DESK, Hand, Sit
from tests.web.test_browser import address as address
from tests.web.test_browser import browser as browser
from tests.web.test_browser import sit as sit
from tests.web.test_kept_receipts import keys as keys
from tests.web.test_kept_receipts import number_of, path, sequenced

pytestmark = pytest.mark.browser


def code_on(hand: Hand) -> bytes:
    """What a telephone reads off the screen."""
    hand.page.locator("svg.qr").scroll_into_view_if_needed()
    picture = Image.open(BytesIO(hand.page.screenshot())).convert("L")
    (found,) = zxingcpp.read_barcodes(picture)
    return bytes(found.bytes)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("scale", ["", "140", "160"])
def test_the_code_is_read_off_a_phone_as_it_is_shown(
    sit: Sit, web_street: Street, keys: Keys, scheme: str, scale: str
) -> None:
    case = reported(web_street)
    sequenced(web_street, keys)
    hand = sit("grid", color_scheme=scheme)
    hand.open(path(case, 1) + (f"?scale={scale}" if scale else ""))
    hand.check_layout(60 if scale else 44)
    shown = hand.page.locator(".kept__text").text_content()
    assert shown
    assert code_on(hand) == shown.encode()


def test_a_resident_keeps_the_receipt_of_their_report(
    sit: Sit, web_street: Street, keys: Keys
) -> None:
    number = number_of(web_street, reported(web_street))
    hand = sit()
    hand.open(f"/receipt?number={number}")
    hand.check_layout()
    hand.follow("留存签名回执，不经过我们也能核对")
    hand.check_layout()
    with hand.page.expect_download() as file:
        hand.page.get_by_role("link", name="回执（文字）").click()
    kept = file.value.path().read_bytes()
    assert file.value.suggested_filename == f"{number}.txt"
    assert code_on(hand) == kept


def test_the_list_of_ones_own_receipts_fits_phone_and_desk(
    sit: Sit, web_street: Street, keys: Keys
) -> None:
    reported(web_street)
    for viewport in ({"width": 390, "height": 844}, DESK):
        hand = sit("grid", viewport=viewport)
        hand.open("/inbox/done")
        hand.page.get_by_text("可以留存回执").click()
        hand.check_layout()
        hand.page.locator(".acts .said a").first.click()
        hand.page.wait_for_url("**/receipts/*")
        hand.check_layout()


def test_on_paper_the_code_is_still_there(sit: Sit, web_street: Street, keys: Keys) -> None:
    hand = sit("grid", color_scheme="dark")
    hand.open(path(reported(web_street), 1))
    hand.page.emulate_media(media="print")
    shown = hand.page.locator(".kept__text").text_content()
    assert shown
    assert code_on(hand) == shown.encode()
    assert not hand.page.get_by_role("link", name="回执（文字）").is_visible()
