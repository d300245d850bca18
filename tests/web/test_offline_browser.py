"""Without a network, in a real browser: what was filled in arrives once, by whoever filled it."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask import Flask
from playwright.sync_api import Page
from sqlalchemy import select

from engine.oversight import supervise
from engine.register import register_table
from tests.conftest import Street
from tests.web.bad_line import Line, line_to
from tests.web.conftest import PASSWORD
from tests.web.paths import reported, signed_for
from tests.web.test_browser import (  # noqa: F401
    DESK,
    Hand,
    Sit,
    address,
    browser,
    shots,
    sit,
)

pytestmark = pytest.mark.browser

KEPT = """async () => (await Promise.all((await caches.keys()).map(async name =>
    (await (await caches.open(name)).keys()).map(one => new URL(one.url).pathname)))).flat()
    .filter(path => !path.startsWith("/static/"))"""


@pytest.fixture
def line(app: Flask, address: str) -> Iterator[Line]:  # noqa: F811
    with line_to(int(address.rpartition(":")[2])) as line:
        yield line


def now(street: Street) -> None:
    """The browser's clock is the real one: here the server's is, too."""
    street.at = datetime.now(UTC)


def worker(sit: Sit, line: Line, name: str) -> Hand:  # noqa: F811
    """Somebody signed in over the line, whose browser has taken in what it needs."""
    hand = sit()
    hand.address = line.address
    hand.sign_in(name)
    ready(hand.page)
    return hand


def until(page: Page, true: str) -> None:
    """Wait for something on a page; its policy forbids Playwright's own way of asking."""
    for _ in range(200):
        if page.evaluate(true):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"never came true: {true}")


def ready(page: Page) -> None:
    until(page, "navigator.serviceWorker.controller !== null")
    until(page, "async () => await caches.match('/waiting') !== undefined")


def fill_report(page: Page, title: str, photo: Path | None = None) -> None:
    page.select_option("#f-place_unit", "u-micro-1")
    page.fill("#f-title", title)
    page.select_option("#f-category", "charging")
    page.fill("#f-address", "听涛苑 3 幢车棚")
    page.fill("#f-description", "有人从楼上拉线充电。")
    if photo is not None:
        page.set_input_files("input[name=evidence_before] >> nth=-1", photo)


def send_now(hand: Hand) -> None:
    hand.open("/waiting")
    hand.page.wait_for_selector("#waiting-list li")
    hand.page.evaluate("document.getElementById('waiting-send').click()")
    until(
        hand.page,
        "document.querySelectorAll('#waiting-list li').length > 0 && "
        "document.getElementById('waiting-send').hidden",
    )


def opened(street: Street) -> list[str]:
    """The cases there are, oldest first."""
    table = register_table.c
    with street.database.begin() as conn:
        return list(conn.execute(select(table.case).order_by(table.opened_at)).scalars())


def test_a_report_with_a_photo_filled_without_a_network_arrives_once_with_its_time(
    sit: Sit,  # noqa: F811
    line: Line,
    web_street: Street,
    shots: dict[str, Path],  # noqa: F811
) -> None:
    now(web_street)
    grid = worker(sit, line, "grid")
    grid.open("/reports")
    assert not grid.page.is_visible(".asof")
    line.cut = True
    grid.open("/reports")
    assert grid.page.is_visible(".asof")
    assert "离线，内容是" in grid.page.inner_text(".asof")
    grid.check_layout()
    fill_report(grid.page, "车棚飞线充电", shots["grey"])
    grid.submit("提交上报")
    assert grid.page.url.endswith("/waiting")
    grid.page.wait_for_selector("#waiting-list li")
    assert "还没有发出" in grid.page.inner_text("#waiting-list")
    assert "上报隐患" in grid.page.inner_text("#waiting-list")
    grid.check_layout()
    assert opened(web_street) == []

    line.cut = False
    now(web_street)
    send_now(grid)
    assert "已发出，已收下" in grid.page.inner_text("#waiting-list")
    [case] = opened(web_street)
    first = web_street.entries(case)[0]
    assert first.claimed_at is not None
    assert first.claimed_at < first.at
    assert [item["purpose"] for item in first.evidence] == ["before"]
    grid.follow("打开看看")
    assert "已收到上报" in grid.page.inner_text("h1")
    web_street.check()


def test_an_answer_lost_after_the_server_had_taken_it_makes_no_second_case(
    sit: Sit,  # noqa: F811
    line: Line,
    web_street: Street,
    shots: dict[str, Path],  # noqa: F811
) -> None:
    now(web_street)
    grid = worker(sit, line, "grid")
    grid.open("/reports")
    fill_report(grid.page, "车棚飞线充电", shots["grey"])
    line.lose = ["POST /reports", "POST /reports"]
    grid.submit("提交上报")
    assert len(opened(web_street)) == 1
    grid.page.wait_for_selector("#waiting-list li")
    send_now(grid)
    send_now(grid)
    assert len([one for one in line.heard if one.startswith("POST /reports")]) >= 3
    assert len(opened(web_street)) == 1
    assert web_street.types(opened(web_street)[0])[0] == "case.opened"
    web_street.check()


def test_two_tabs_that_see_the_network_return_send_one_report(
    sit: Sit,  # noqa: F811
    line: Line,
    web_street: Street,
) -> None:
    now(web_street)
    grid = worker(sit, line, "grid")
    grid.open("/reports")
    other = grid.page.context.new_page()
    other.goto(line.address + "/inbox")
    line.cut = True
    grid.open("/reports")
    fill_report(grid.page, "只有一件")
    grid.submit("提交上报")
    grid.page.wait_for_selector("#waiting-list li")
    line.cut = False
    now(web_street)
    for page in (grid.page, other):
        page.evaluate("() => { dispatchEvent(new Event('online')); }")
    send_now(grid)
    assert len(opened(web_street)) == 1
    # A kept form filled twice is two reports, not one that swallowed the other.
    line.cut = True
    for title in ("第二件", "第三件"):
        grid.open("/reports")
        fill_report(grid.page, title)
        grid.submit("提交上报")
    line.cut = False
    send_now(grid)
    assert len(opened(web_street)) == 3


def test_a_step_refused_later_says_why_and_opens_again_with_all_that_was_in_it(
    sit: Sit,  # noqa: F811
    line: Line,
    web_street: Street,
    shots: dict[str, Path],  # noqa: F811
) -> None:
    case = signed_for(web_street)
    now(web_street)
    fixer = worker(sit, line, "fixer")
    fixer.follow("车棚飞线充电")
    page = fixer.page
    until(page, "async () => await caches.match(location.pathname) !== undefined")
    line.cut = True
    page.reload()
    assert page.is_visible(".asof")
    page.fill("#f-done", "拆除 6 处飞线。")
    page.fill("input[name='done_at.time']", "00:00")
    page.set_input_files("input[name=evidence_after] >> nth=-1", shots["green"])
    fixer.submit("提交整改")
    page.wait_for_selector("#waiting-list li")
    line.cut = False
    send_now(fixer)
    # The photo from before is missing: the server says so, nothing is lost.
    page.wait_for_selector("#waiting-list >> text=没有收下")
    assert "还缺处理前的照片" in page.inner_text("#waiting-list")
    fixer.check_layout()
    assert "task.completed" not in web_street.types(case)[-1:]
    fixer.follow("打开再改")
    until(page, "document.querySelector('#f-done').value !== ''")
    assert page.input_value("#f-done") == "拆除 6 处飞线。"
    files = (
        "[...document.querySelectorAll('input[name=evidence_after]')].map(one => one.files.length)"
    )
    assert sum(page.evaluate(files)) == 1
    page.set_input_files("input[name=evidence_before] >> nth=-1", shots["grey"])
    fixer.submit("提交整改")
    assert "已提交：整改" in page.inner_text("main")
    fixer.open("/waiting")
    page.wait_for_selector("#waiting-none:not([hidden])")
    assert web_street.types(case).count("task.completed") == 4
    web_street.check()


def test_what_waits_is_kept_through_signing_out_and_sent_by_nobody_else(
    sit: Sit,  # noqa: F811
    line: Line,
    web_street: Street,
) -> None:
    now(web_street)
    grid = worker(sit, line, "grid")
    page = grid.page
    grid.open("/reports")
    line.cut = True
    grid.open("/reports")
    fill_report(page, "谁填的谁发")
    grid.submit("提交上报")
    page.wait_for_selector("#waiting-list li")
    assert page.evaluate(KEPT)
    line.cut = False
    line.lose = ["GET /waiting/session"] * 3  # what waits is not sent before the signing out
    grid.open("/me")
    grid.submit("退出登录")
    assert page.url.endswith("/sign-in")
    assert page.evaluate(KEPT) == []
    line.lose = []
    assert opened(web_street) == []

    # Somebody else on the same phone neither sees it nor sends it.
    grid.sign_in("fixer")
    ready(page)
    grid.open("/waiting")
    page.wait_for_selector("#waiting-others:not([hidden])")
    assert "谁填的谁发" not in page.content()
    assert opened(web_street) == []
    grid.open("/me")
    grid.submit("退出登录")

    grid.open("/waiting")
    assert "请重新登录" in page.inner_text("main")
    grid.sign_in("grid")
    send_now(grid)
    [case] = opened(web_street)
    assert web_street.entries(case)[0].actor["person"] == web_street.person["grid"]


def test_a_session_that_ended_while_a_form_was_filled_loses_nothing(
    sit: Sit,  # noqa: F811
    line: Line,
    web_street: Street,
) -> None:
    now(web_street)
    grid = worker(sit, line, "grid")
    grid.open("/reports")
    fill_report(grid.page, "登录已过期")
    web_street.later(hours=13)
    grid.submit("提交上报")
    assert "请重新登录" in grid.page.inner_text("main")
    grid.page.get_by_role("link", name="登录", exact=True).last.click()
    grid.page.fill("#name", "grid")
    grid.page.fill("#password", PASSWORD)
    grid.page.get_by_role("button", name="登录").click()
    grid.page.wait_for_selector("#waiting-list li")
    send_now(grid)
    assert len(opened(web_street)) == 1


def test_nothing_confidential_and_no_page_for_nobody_is_kept(
    sit: Sit,  # noqa: F811
    line: Line,
    web_street: Street,
) -> None:
    reported(web_street)
    now(web_street)
    head = worker(sit, line, "head")
    for path in ("/complain", "/mailbox", "/public", "/receipt", "/me", "/cases"):
        head.open(path)
    head.open("/inbox/claimable")
    assert set(head.page.evaluate(KEPT)) <= {"/inbox", "/inbox/claimable", "/waiting"}


def test_a_form_is_kept_while_it_is_filled_and_gone_on_with_in_another_window(
    sit: Sit,  # noqa: F811
    web_street: Street,
    shots: dict[str, Path],  # noqa: F811
) -> None:
    grid = sit("grid")
    page = grid.page
    grid.open("/reports")
    fill_report(page, "填到一半", shots["grey"])
    page.wait_for_selector("[data-kept] input[name=kept]", timeout=20_000)
    assert "已存" in page.inner_text("[data-draft-said]")
    grid.check_layout()

    other = page.context.new_page()
    other.goto(grid.address + "/reports")
    assert "填到一半的内容还在" in other.inner_text(".left")
    other.get_by_role("link", name="接着填").click()
    assert other.input_value("#f-title") == "填到一半"
    assert other.is_checked("input[name=kept]")
    other.fill("#f-title", "在新窗口接着填")
    other.wait_for_selector("input[name=draft_version][value='2']", state="attached")

    # The older window does not write over it, and says why.
    page.fill("#f-title", "旧窗口又改")
    page.wait_for_selector("text=别的窗口存过更新的内容", timeout=20_000)
    grid.complaints.clear()  # the browser notes the 409
    other.get_by_role("button", name="提交上报").click()
    other.wait_for_url("**/reports/hazard-*")
    [case] = opened(web_street)
    assert web_street.entries(case)[0].data["title"] == "在新窗口接着填"
    assert len(web_street.entries(case)[0].evidence) == 1
    grid.open("/reports")
    assert page.locator(".left").count() == 0


def test_in_large_type_everything_on_the_workers_pages_is_met_with_a_thumb(
    sit: Sit,  # noqa: F811
    web_street: Street,
) -> None:
    case = signed_for(web_street)
    web_street.do(supervise, case, "周五前拆除", by=web_street.by("watch"))
    reported(web_street, title="新报的")
    web_street.later(hours=20)
    reported(web_street, title="刚报的")
    web_street.later(hours=6)
    fixer, head = sit("fixer"), sit("head")
    for hand in (fixer, head):
        hand.page.get_by_role("button", name="长辈版").click()
        assert hand.page.get_attribute("html", "data-scale") == "140"
    lists = ("/inbox", "/inbox/claimable?state=late", "/inbox/overdue", "/inbox/orders",
             "/inbox/started", "/inbox/done", "/reports", "/begin", "/waiting", "/me")  # fmt: skip
    for hand in (fixer, head):
        for path in lists:
            hand.open(path)
            hand.check_layout(60)
    fixer.open(f"/cases/{case}/tasks/rectify%231")
    fixer.page.fill("#f-done", "填到一半")
    fixer.page.get_by_role("button", name="先存着").click()
    fixer.page.wait_for_url("**draft=on")
    fixer.check_layout(60)
    fixer.open(f"/cases/{case}/tasks/rectify%231")
    assert fixer.page.is_visible(".left")
    fixer.check_layout(60)
