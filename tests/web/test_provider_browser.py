"""Signing in by an identity provider in a real browser, the provider on another site than ours."""

import socket
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread

import pytest
from flask import Flask
from playwright.sync_api import Page
from werkzeug.serving import make_server

from tests.conftest import Street
from tests.identity_provider import (
    CLIENT,
    SECRET,
    OwnProvider,
    name_user,
    other_provider,
    own_provider,
)
from tests.web.conftest import PASSWORD
from tests.web.test_browser import Hand, Sit
from tests.web.test_browser import browser as browser
from tests.web.test_browser import sit as sit
from tests.web.test_second_factor_browser import LOOKS, looked_at
from web.app import create_app
from web.config import Settings

pytestmark = pytest.mark.browser
TO_PROVIDER = "a[href^='/sign-in/provider']"


@pytest.fixture
def door() -> Iterator[socket.socket]:
    """Where the application will be reached: kept from now on, so that nobody takes its port."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as kept:
        yield kept


@pytest.fixture
def port(door: socket.socket) -> int:
    return int(door.getsockname()[1])


@pytest.fixture
def own() -> Iterator[OwnProvider]:
    with own_provider() as provider:
        # To a browser localhost is another site than 127.0.0.1: cookies are those of real life.
        provider.url = provider.url.replace("127.0.0.1", "localhost")
        yield provider


@pytest.fixture(scope="module")
def other() -> Iterator[str]:
    with other_provider() as issuer:
        yield issuer.replace("127.0.0.1", "localhost")


@pytest.fixture
def app(
    request: pytest.FixtureRequest, settings: Settings, web_street: Street, port: int,
    tmp_path: Path,
) -> Iterator[Flask]:  # fmt: skip
    """The application with the provider this test asks for: `own`, else that of others' make."""
    path = tmp_path / "client.secret"
    path.write_text(SECRET, encoding="utf-8")
    path.chmod(0o600)
    if "own" in request.fixturenames:
        issuer = request.getfixturevalue("own").url
    else:
        issuer = request.getfixturevalue("other")
    told = replace(
        settings, public_url=f"http://127.0.0.1:{port}", oidc_issuer=issuer,
        oidc_client_id=CLIENT, oidc_client_secret=path,
    )  # fmt: skip
    made = create_app(told, clock=lambda: web_street.at, device_clock=lambda: datetime.now(UTC))
    made.testing = True
    yield made
    made.extensions["shaoji"].database.dispose()
    web_street.check()


@pytest.fixture
def address(app: Flask, door: socket.socket, port: int) -> Iterator[str]:
    server = make_server("127.0.0.1", port, app, threaded=True, fd=door.fileno())
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{port}"
    server.shutdown()
    thread.join()
    server.server_close()


def by_password(hand: Hand, name: str) -> None:
    hand.open("/sign-in")
    hand.page.fill("#name", name)
    hand.page.fill("#password", PASSWORD)
    hand.page.keyboard.press("Enter")
    hand.page.wait_for_url("**/inbox")


def allow(page: Page, subject: str) -> None:
    """Tell the provider of others' make who one is."""
    page.fill("input[name=sub]", subject)
    page.get_by_role("button", name="Authorize").click()


def sign_out(hand: Hand) -> None:
    hand.open("/me")
    hand.page.locator("form[action='/sign-out'] button").click()
    hand.page.wait_for_selector("#password")


def forget_other_pages(hand: Hand) -> None:
    """What the browser said of the provider's pages, and of refusals by their status."""
    hand.complaints[:] = []


@pytest.mark.parametrize("look", LOOKS, ids=["phone-dark", "phone-en", "desk", "desk-en-dark"])
def test_linking_signing_in_and_out_by_a_provider_of_others_make(
    sit: Sit, other: str, tmp_path: Path, look: dict[str, object]
) -> None:
    name_user(other, "sub-head", {"preferred_username": "head there"})
    hand = sit(**look)
    page = hand.page
    hand.open("/sign-in")
    looked_at(hand, tmp_path, "sign-in")
    by_password(hand, "head")
    hand.open("/me/sign-in")
    looked_at(hand, tmp_path, "own-unlinked")
    page.locator("a[href='/me/sign-in/provider']").click()
    allow(page, "sub-head")
    page.wait_for_url("**/linking")
    forget_other_pages(hand)
    looked_at(hand, tmp_path, "linking")
    page.locator("main form button.btn--go").click()
    page.wait_for_url("**/me/sign-in")
    looked_at(hand, tmp_path, "own-linked")
    assert "sub-head" in page.inner_text("aside")

    sign_out(hand)
    hand.open("/cases")
    page.locator(TO_PROVIDER).first.click()
    allow(page, "sub-head")
    page.wait_for_url("**/cases")
    forget_other_pages(hand)
    sign_out(hand)
    looked_at(hand, tmp_path, "left")
    page.locator("a[href='/sign-in/provider/leaving']").click()
    page.wait_for_url(f"{other}/oauth2/end_session?**")

    hand.open("/sign-in")
    page.locator(TO_PROVIDER).first.click()
    page.get_by_role("button", name="Deny").click()
    page.wait_for_url("**/sign-in/provider/answer?**")
    forget_other_pages(hand)
    looked_at(hand, tmp_path, "denied")
    hand.open("/sign-in")
    page.locator(TO_PROVIDER).first.click()
    allow(page, "somebody-new")
    page.wait_for_url("**/sign-in/provider/answer?**")
    forget_other_pages(hand)
    looked_at(hand, tmp_path, "stranger")
    assert "somebody-new" in page.inner_text("[role=alert]")
    by_password(hand, "grid")


@pytest.mark.parametrize("look", [LOOKS[0], LOOKS[3]], ids=["phone", "desk"])
def test_confirming_at_the_provider_beside_a_form(
    sit: Sit, own: OwnProvider, web_street: Street, tmp_path: Path, look: dict[str, object]
) -> None:
    hand = sit(**look)
    page = hand.page
    by_password(hand, "head")
    hand.open("/me/sign-in/provider")
    page.locator("main form button.btn--go").click()
    page.wait_for_url("**/me/sign-in")
    web_street.later(minutes=30)
    hand.open("/me/sign-in")
    summary = page.locator("aside details:has(form[action*='/links/']) summary")
    summary.click()
    looked_at(hand, tmp_path, "own-removal")
    page.locator("form[action*='/links/'] button").click()
    page.wait_for_selector("#password")
    looked_at(hand, tmp_path, "confirm")
    with page.context.expect_page() as opened:
        page.locator("a[target=_blank]").click()
    beside = Hand(opened.value, hand.address, hand.app)
    beside.page.wait_for_url("**/confirm/provider/done")
    looked_at(beside, tmp_path, "confirmed")
    beside.page.close()
    page.locator("main form button.btn--go").click()
    page.wait_for_url("**/me/sign-in")
    assert "4711-li" not in page.inner_text("main")

    web_street.later(minutes=30)
    hand.open("/confirm")
    assert page.locator("a[href^='/confirm/provider']").count() == 0  # nobody vouches any more


@pytest.mark.parametrize("look", [LOOKS[0], LOOKS[2]], ids=["phone", "desk"])
def test_an_administrator_links_and_unlinks_an_account(
    sit: Sit, own: OwnProvider, tmp_path: Path, look: dict[str, object]
) -> None:
    admin = sit("admin", **look)
    page = admin.page
    for words in ("English", "中文"):
        admin.open("/admin/accounts/head")
        page.locator("aside details:has(form[action$='/links']) summary").click()
        looked_at(admin, tmp_path, f"link-{words}")
        admin.submit(words)
    admin.open("/admin/accounts/head")
    page.locator("aside details:has(form[action$='/links']) summary").click()
    page.fill("#p-subject", "4711-li")
    page.fill("#p-why", "当面核对过")
    page.locator("form[action$='/links'] button").click()
    page.wait_for_selector("[role=status]")
    page.locator("details:has(form[action*='/links/']) summary").click()
    looked_at(admin, tmp_path, "linked")
    head = sit(**look)
    head.open("/sign-in/provider")
    head.page.wait_for_url("**/inbox")
    page.fill("form[action*='/links/'] textarea", "换人")
    page.locator("form[action*='/links/'] button").click()
    page.wait_for_selector("[role=status]")
    looked_at(admin, tmp_path, "unlinked")
    head.open("/inbox")
    assert "/sign-in?" in head.page.url


def test_large_type_fits_a_thumb_and_it_works_without_scripts(sit: Sit, own: OwnProvider) -> None:
    hand = sit(java_script_enabled=False)
    by_password(hand, "head")
    hand.open("/me/sign-in/provider")
    hand.submit("是我，绑定")
    again = sit(java_script_enabled=False)
    again.open("/sign-in")
    again.submit("长辈版")
    again.follow("用统一身份认证登录")
    again.page.wait_for_url("**/inbox")
    big = sit()
    big.open("/sign-in")
    big.submit("长辈版")
    big.check_layout(60)
    big.follow("用统一身份认证登录")
    big.open("/me/sign-in")
    big.check_layout(60)
