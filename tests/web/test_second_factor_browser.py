"""The second factor in a real browser: scanning, typing, printing, confirming without losing."""

import re
from io import BytesIO
from pathlib import Path

import pytest
import zxingcpp
from flask import Flask
from PIL import Image
from playwright.sync_api import expect

from engine.unsealing import request_unsealing
from tests.engine.hotline_street import Hotline
from tests.web.axe import violations
from tests.web.conftest import PASSWORD
from tests.web.hotline_pages import *  # noqa: F403 - the hotline's fixtures
from tests.web.hotline_pages import Resident
from tests.web.second_factors import codes_on, device_at, phone, secret_on
from tests.web.test_browser import DESK, PHONE, Hand, Sit
from tests.web.test_browser import address as address
from tests.web.test_browser import browser as browser
from tests.web.test_browser import sit as sit

pytestmark = pytest.mark.browser
LOOKS = [
    {"viewport": PHONE, "color_scheme": "dark"},
    {"viewport": PHONE, "locale": "en-GB"},
    {"viewport": DESK},
    {"viewport": DESK, "locale": "en-GB", "color_scheme": "dark"},
]


def looked_at(hand: Hand, folder: Path, name: str) -> None:
    """The page fits and has nothing that axe complains of; a picture of it is kept."""
    hand.page.screenshot(path=folder / f"{name}.png", full_page=True)
    hand.check_layout()
    # On a phone the navigation stands over the end of a page until one scrolls there.
    hand.page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    assert violations(hand.page) == [], hand.page.url


def by_password(hand: Hand, name: str) -> None:
    hand.open("/sign-in")
    hand.page.fill("#name", name)
    hand.page.fill("#password", PASSWORD)
    hand.page.locator("form button.btn--go").click()
    hand.page.wait_for_url("**/second-factor")


@pytest.mark.parametrize("look", LOOKS, ids=["phone-dark", "phone-en", "desk", "desk-en-dark"])
def test_every_page_of_it_fits_reads_well_and_can_be_used(
    sit: Sit, app: Flask, h: Hotline, resident: Resident, tmp_path: Path, look: dict[str, object]
) -> None:
    hand = sit(**look)
    page, held = hand.page, phone(app, "keeper")
    by_password(hand, "keeper")
    looked_at(hand, tmp_path, "enrol-first")
    held.secret = secret_on(page.content())
    assert f"secret={held.secret}" in scanned(hand)
    page.locator(".offer summary").click()
    assert "".join(page.locator(".secret span").all_inner_texts()) == held.secret
    page.fill("#code", "1")
    page.keyboard.press("Enter")
    page.wait_for_selector("#code-e")
    looked_at(hand, tmp_path, "enrol-first-wrong")
    page.fill("#code", held.code(device_at(app)))
    page.keyboard.press("Enter")
    page.wait_for_selector(".codes")
    held.codes = codes_on(page.content())
    looked_at(hand, tmp_path, "codes")
    page.emulate_media(media="print")
    assert not page.locator(".spine").is_visible()
    assert page.locator(".codes li").count() == 10
    page.emulate_media(media="screen")
    for path in ("/me", "/me/sign-in"):
        hand.open(path)
        looked_at(hand, tmp_path, path.replace("/", "-"))

    again = sit(**look)
    by_password(again, "keeper")
    looked_at(again, tmp_path, "code")
    expect(again.page.locator("#code")).to_be_focused()
    again.page.locator(".recovery summary").click()
    again.page.fill("#recovery", held.codes.pop())
    again.page.keyboard.press("Enter")
    again.page.wait_for_url("**/inbox")

    resident.complain(identity="confidential", name="陈小禾演示", phone="000-7654-3210")
    h.do("accept").do("dispatch").do("declare")
    h.act(request_unsealing, ["name"], "核对日期", by="searcher")
    h.street.later(minutes=30)
    hand.open("/custody")
    page.fill("textarea[name=reason]", "只有“本人”说得清 <b>")
    page.locator("button[value=granted]").click()
    page.wait_for_selector("#code")
    looked_at(hand, tmp_path, "confirm")
    page.fill("#code", held.code(device_at(app)))
    page.keyboard.press("Enter")
    page.wait_for_url("**/custody")
    assert h.last("unseal.granted").data["reason"] == "只有“本人”说得清 <b>"
    h.street.check()


def scanned(hand: Hand) -> str:
    """What a telephone reads off the screen."""
    hand.page.locator("svg.qr").scroll_into_view_if_needed()
    picture = Image.open(BytesIO(hand.page.screenshot())).convert("L")
    (found,) = zxingcpp.read_barcodes(picture)
    return found.text


@pytest.mark.parametrize("look", [LOOKS[0], LOOKS[2]], ids=["phone", "desk"])
def test_an_administrator_helps_on_these_pages_in_both_languages(
    sit: Sit, h: Hotline, tmp_path: Path, look: dict[str, object]
) -> None:
    sit("keeper")
    admin = sit("admin", **look)
    page, paths = admin.page, ("/sign-ins", "/sign-ins/keeper", "/sign-ins/admin")
    for words in ("English", "中文"):
        for path in paths:
            admin.open(path)
            looked_at(admin, tmp_path, f"{words}{path.replace('/', '-')}")
        admin.submit(words)
    admin.open("/sign-ins/keeper")
    for summary in page.locator("aside summary").all():
        summary.click()
    looked_at(admin, tmp_path, "opened")
    page.fill("#reset-reason", "手机丢了")
    admin.submit("重设第二步验证")
    assert "已重设" in page.inner_text("[role=status]")
    h.street.check()


def test_large_type_fits_a_thumb_and_it_works_without_scripts(sit: Sit, app: Flask) -> None:
    hand = sit(java_script_enabled=False)
    hand.open("/sign-in")
    hand.submit("长辈版")
    by_password(hand, "keeper")
    hand.second_step("keeper")
    hand.open("/me/sign-in")
    assert re.search("已启用", hand.page.inner_text("main"))
    big = sit()
    big.open("/sign-in")
    big.submit("长辈版")
    by_password(big, "keeper")
    big.check_layout(60)
    big.second_step("keeper")
    for path in ("/me/sign-in", "/confirm"):
        big.open(path)
        big.check_layout(60)
