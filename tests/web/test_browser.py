"""Real pages in a real browser: from report to closing on a phone, by hand and without scripts."""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread

import pytest
from flask import Flask
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright
from werkzeug.serving import make_server

from tests.conftest import Street
from tests.web.conftest import PASSWORD, photo
from tests.web.paths import rectified, signed_for
from tests.web.second_factors import codes_on, device_at, phone, secret_on

pytestmark = pytest.mark.browser

PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 900}
CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome")
     if (path := shutil.which(name))),
    None,
)  # fmt: skip

# What is too small to be met with a thumb. Links inside a sentence are no targets of their own, and
# a tick or a file is met by its label.
SMALL = """least => [...document.querySelectorAll(
    "a, button, select, summary, textarea, input:not([type=hidden]):not([type=radio])" +
    ":not([type=checkbox]):not([type=file]), .pick label, .upload, .trace__pick")]
  .filter(e => e.checkVisibility({visibilityProperty: true}))
  .filter(e => getComputedStyle(e).display !== "inline" && !e.closest(".vh, .skip, .bpmn__frame"))
  .map(e => [e.getBoundingClientRect(), e.outerHTML.slice(0, 90)])
  .filter(([box]) => box.width > 1 && (box.height < least - .5 || box.width < 44 - .5))
  .map(([box, what]) => `${Math.round(box.width)}x${Math.round(box.height)} ${what}`)"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no Chromium here: the pages are NOT tested in a browser")
    # Chromium refuses to build its sandbox as root.
    arguments = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def address(app: Flask) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@dataclass
class Hand:
    """A person at a browser; `complaints` are what the browser had to say."""

    page: Page
    address: str
    app: Flask
    complaints: list[str] = field(default_factory=list)

    def open(self, path: str) -> None:
        self.page.goto(self.address + path)

    def sign_in(self, name: str) -> None:
        self.open("/sign-in")
        self.page.fill("#name", name)
        self.page.fill("#password", PASSWORD)
        self.page.get_by_role("button", name="登录").click()
        self.page.wait_for_url(re.compile("/(inbox|second-factor)$"))
        if self.page.url.endswith("/second-factor"):
            self.second_step(name)

    def second_step(self, name: str) -> None:
        """Give a code of this person's app; the first time, enrol it and note recovery codes."""
        held, first = phone(self.app, name), self.page.locator(".secret").count() > 0
        if first:
            held.secret, held.used = secret_on(self.page.content()), 0
        code = held.code(device_at(self.app))
        if not code.isdigit():
            self.page.get_by_text("手机不在手边").click()
        self.page.fill("#code" if code.isdigit() else "#recovery", code)
        self.submit("绑定并登录" if first else "登录")
        if first:
            held.codes = codes_on(self.page.content())
            self.follow("已记下，继续")
        self.page.wait_for_url("**/inbox")

    def submit(self, words: str) -> None:
        with self.page.expect_event("load"):
            self.page.get_by_role("button", name=words, exact=True).click()

    def follow(self, words: str) -> None:
        with self.page.expect_event("load"):
            self.page.get_by_role("link", name=words, exact=True).first.click()

    def check_layout(self, least: int = 44) -> None:
        page = self.page
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= page.evaluate("innerWidth"), f"{page.url} scrolls sideways"
        assert page.evaluate(SMALL, least) == [], page.url
        assert self.complaints == [], page.url


Sit = Callable[..., Hand]


@pytest.fixture
def sit(browser: Browser, address: str, app: Flask) -> Iterator[Sit]:
    contexts: list[BrowserContext] = []

    def enter(name: str | None = None, **more: object) -> Hand:
        told: dict[str, object] = {"viewport": PHONE, "locale": "zh-CN", **more}
        context = browser.new_context(**told)  # type: ignore[arg-type]
        contexts.append(context)
        hand = Hand(context.new_page(), address, app)

        def hear(message: ConsoleMessage) -> None:
            # A form with faults is answered with 422, which the browser notes as an error.
            if message.type in ("error", "warning") and "status of 422" not in message.text:
                hand.complaints.append(message.text)

        hand.page.on("console", hear)
        hand.page.on("pageerror", lambda error: hand.complaints.append(str(error)))
        if name:
            hand.sign_in(name)
        return hand

    yield enter
    for context in contexts:
        context.close()


@pytest.fixture
def shots(tmp_path: Path) -> dict[str, Path]:
    """Two photos on disk, as a phone would have them."""
    paths = {colour: tmp_path / f"{colour}.jpg" for colour in ("grey", "green", "blue")}
    for colour, path in paths.items():
        path.write_bytes(photo(colour))
    return paths


def test_a_hazard_from_report_to_closing_on_a_phone(
    sit: Sit, web_street: Street, shots: dict[str, Path]
) -> None:
    grid = sit("grid")
    grid.follow("上报")
    grid.check_layout()
    page = grid.page
    page.select_option("#f-place_unit", "u-micro-1")
    page.fill("#f-title", "车棚飞线充电")
    page.select_option("#f-category", "charging")
    page.fill("#f-address", "听涛苑 3 幢车棚")
    page.fill("#f-description", "有人从楼上拉线充电。")
    page.set_input_files("input[name=evidence_before] >> nth=-1", shots["grey"])
    page.wait_for_selector("figure.photo img")
    grid.submit("提交上报")
    assert "已收到上报" in page.inner_text("h1")
    receipt = page.inner_text(".stub__code")
    grid.check_layout()

    web_street.later(minutes=20)
    head = sit("head")
    head.check_layout()
    page = head.page
    head.follow("看看可认领的 1 件")
    head.check_layout()
    head.follow("车棚飞线充电")
    head.submit("认领")
    assert "现在在您手里" in page.inner_text("[role=status]")
    assert not page.is_visible("#f-object")
    page.get_by_text("是隐患", exact=True).click()
    page.get_by_text("一般", exact=True).click()
    page.fill("#f-reason", "现场看到 6 处飞线。")
    head.submit("提交确认")
    assert "还有 1 处要改" in page.inner_text("#errors")
    assert page.evaluate("document.activeElement.id") == "errors"
    head.check_layout()
    page.fill("#f-object", "3 幢北侧车棚")
    head.submit("提交确认")
    assert "已提交：确认" in page.inner_text("[role=status]")

    web_street.later(minutes=20)
    dispatch = sit("dispatch")
    dispatch.open("/inbox/claimable")
    page = dispatch.page
    dispatch.follow("车棚飞线充电")
    dispatch.check_layout()
    page.select_option("#f-unit", "u-property")
    page.select_option("#f-person", web_street.person["fixer"])
    page.select_option("#f-acceptor", web_street.person["accept"])
    page.select_option("#f-term", "graded")
    page.fill("#f-legal_basis", "充电停放规定")
    dispatch.submit("提交指派")

    web_street.later(minutes=20)
    fixer = sit("fixer")
    page = fixer.page
    fixer.follow("车棚飞线充电")
    page.fill("#f-in_charge", "工程主管")
    fixer.submit("提交签收")
    web_street.later(minutes=90)
    fixer.follow("车棚飞线充电")
    fixer.check_layout()
    page.fill("#f-done", "拆除 6 处飞线。")
    page.fill("input[name='done_at.time']", "11:20")
    page.set_input_files("input[name=evidence_before] >> nth=-1", shots["grey"])
    page.set_input_files("input[name=evidence_after] >> nth=-1", shots["green"])
    fixer.submit("提交整改")
    assert "已提交：整改" in page.inner_text("[role=status]")

    web_street.later(hours=1)
    accept = sit("accept")
    page = accept.page
    accept.follow("车棚飞线充电")
    accept.check_layout()
    assert "拆除 6 处飞线。" in page.inner_text("main")
    page.fill("input[name='visited_at.time']", "12:20")
    page.get_by_text("到了现场", exact=True).click()
    page.get_by_text("隐患已消除", exact=True).click()
    page.get_by_text("合格", exact=True).click()
    page.set_input_files("input[name=evidence_site] >> nth=-1", shots["blue"])
    accept.submit("提交验收")

    web_street.later(hours=1)
    close = sit("close")
    close.open("/inbox/claimable")
    page = close.page
    close.follow("车棚飞线充电")
    close.check_layout()
    for box in page.locator("#f-verified label").all():
        box.click()
    page.fill("#f-summary", "已整改，已验收。")
    close.submit("提交销号")

    resident = sit()
    resident.open("/receipt")
    resident.page.fill("#number", receipt.lower().replace("-", ""))
    resident.submit("查询")
    assert "验收" in resident.page.inner_text("main")
    resident.check_layout()

    watch = sit("watch")
    page = watch.page
    watch.follow("案件")
    watch.check_layout()
    watch.follow("车棚飞线充电")
    page.wait_for_selector(".bpmn--drawn")
    watch.follow("现在校验这一案")
    page.wait_for_selector(".bpmn--drawn")
    assert page.locator(".badge--ok").count() == 2
    watch.check_layout()
    assert [mark.inner_text() for mark in page.locator("tbody .dutymark").all()][:5] == list(
        "报确派改验"
    )
    web_street.check()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESK], ids=["390", "1280"])
def test_every_page_fits_its_screen(
    sit: Sit, web_street: Street, tmp_path: Path, size: dict[str, int], scheme: str
) -> None:
    case = rectified(web_street)
    signed_for(web_street)
    web_street.later(days=9)
    paths = {
        "fixer": {"inbox": "/inbox", "task": f"/cases/{case[:-1]}2/tasks/rectify%231",
                  "done": "/inbox/done", "report": "/reports", "own": "/me"},
        "watch": {"case": f"/cases/{case}", "cases": "/cases?status=open",
                  "overdue": "/inbox/overdue", "people": "/people?unit=u-street"},
    }  # fmt: skip
    for name, pages in paths.items():
        hand = sit(name, viewport=size, color_scheme=scheme)
        for title, path in pages.items():
            hand.open(path)
            hand.page.wait_for_load_state("networkidle")
            hand.page.screenshot(path=tmp_path / f"{title}.png", full_page=True)
            hand.check_layout()
    visitor = sit(viewport=size, color_scheme=scheme)
    for title, path in {"login": "/sign-in", "receipt": "/receipt", "check": "/checking"}.items():
        visitor.open(path)
        visitor.page.screenshot(path=tmp_path / f"{title}.png", full_page=True)
        visitor.check_layout()


@pytest.mark.parametrize("scale", ["大", "更大", "最大"])
def test_large_type_fits_a_phone_and_a_thumb(sit: Sit, web_street: Street, scale: str) -> None:
    case = signed_for(web_street)
    hand = sit("fixer")
    hand.open("/me")
    hand.page.get_by_text(scale, exact=True).click()
    hand.submit("就这样显示")
    for path in ("/inbox", f"/cases/{case}/tasks/rectify%231", f"/cases/{case}", "/reports", "/me"):
        hand.open(path)
        hand.check_layout(60)
    assert hand.page.evaluate("parseFloat(getComputedStyle(document.body).fontSize)") >= 21
    hand.open("/me")
    hand.submit("退出登录")
    for path in ("/sign-in", "/receipt", "/checking"):
        hand.open(path)
        hand.check_layout(60)


def test_without_scripts_everything_but_the_drawing_works(
    sit: Sit, web_street: Street, shots: dict[str, Path]
) -> None:
    case = signed_for(web_street)
    web_street.later(hours=3)
    fixer = sit("fixer", java_script_enabled=False)
    page = fixer.page
    fixer.follow("车棚飞线充电")
    page.fill("#f-done", "拆除 6 处飞线。")
    page.set_input_files("input[name=evidence_before] >> nth=-1", shots["grey"])
    page.set_input_files("input[name=evidence_after] >> nth=-1", shots["green"])
    fixer.submit("提交整改")
    assert "什么时候完成的" in page.inner_text("#errors")
    page.fill("input[name='done_at.time']", "11:30")
    fixer.submit("提交整改")
    assert "已提交：整改" in page.inner_text("[role=status]")
    fixer.open(f"/cases/{case}")
    assert "现在：正在验收" in page.inner_text("#diagram-words")
    assert "流程图要用 JavaScript 画出" in page.inner_text("#diagram")
    web_street.check()


def test_the_keyboard_alone_reaches_the_work(sit: Sit, web_street: Street) -> None:
    signed_for(web_street)
    hand = sit("fixer", viewport=DESK)
    hand.page.keyboard.press("Tab")
    assert hand.page.evaluate("document.activeElement.className") == "skip"
    hand.page.keyboard.press("Enter")
    hand.page.wait_for_url("**#main")
    links = []
    for _ in range(12):
        hand.page.keyboard.press("Tab")
        links.append(hand.page.evaluate("document.activeElement.textContent"))
    assert "车棚飞线充电" in links
