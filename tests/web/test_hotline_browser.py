"""The hotline in a real browser: an anonymous complaint from form to answer, the keeper's queue."""

import re

import pytest

from tests.conftest import Street
from tests.engine.hotline_street import STEPS, Hotline
from tests.web.hands import do
from tests.web.hotline_pages import *  # noqa: F403 - the hotline's fixtures
from tests.web.hotline_pages import Resident
from tests.web.test_browser import DESK, PHONE, Hand, Sit
from tests.web.test_browser import address as address
from tests.web.test_browser import browser as browser
from tests.web.test_browser import sit as sit

pytestmark = pytest.mark.browser
WORDS = "报修三次都说修好了，其实没有修。"
# Who does which step of a complaint that was taken up, each at a browser of their own.
STAFF = (
    ("assigner", "dispatch"), ("searcher", "declare"), ("searcher", "investigate"),
    ("verifier", "verify"), ("publisher", "check_figures"), ("desk", "reply"), ("caller", "ask"),
)  # fmt: skip


def complain(hand: Hand, path: str = "/complain?place=u-micro-1") -> str:
    """Fill the form in by hand; returns the code that was shown."""
    page = hand.page
    hand.open(path)
    hand.check_layout()
    page.get_by_text("态度差、拖延、推诿", exact=True).click()
    page.fill("#f-text", WORDS)
    page.select_option("#f-unit", "u-heat-office")
    assert not page.is_visible("#f-name")
    hand.submit("提交投诉")
    hand.check_layout()
    return "".join(page.locator(".code16 .num").all_inner_texts())


def open_mailbox(hand: Hand, code: str) -> None:
    hand.open("/mailbox")
    hand.page.fill("#code", code)
    hand.submit("打开信箱")
    hand.check_layout()


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["390", "1280"])
def test_an_anonymous_complaint_from_form_to_the_published_count(
    sit: Sit, h: Hotline, web_street: Street, size: dict[str, int]
) -> None:
    for _ in range(2):  # figures under three are not told
        h.report().do("accept").do("dispatch").do("declare").do("investigate").do("verify")
        h.do("check_figures").do("reply").do("revisit").wait(days=1)
    resident = sit(viewport=size)
    code = complain(resident)
    assert re.fullmatch(r"\d{16}", code)
    assert "只显示这一次" in resident.page.inner_text("main")
    assert resident.page.context.cookies() == []

    web_street.later(minutes=30)
    desk = sit("desk", viewport=size)
    desk.follow("看看可认领的 1 件")
    desk.follow("投诉举报")
    desk.submit("认领")
    desk.submit("查看密封内容")
    desk.check_layout()
    assert WORDS in desk.page.inner_text("main")
    desk.follow("看完了，回到这一步")
    desk.page.locator("input[name=decision][value=accept]").check()
    desk.page.fill("#f-to_complainant", "已受理，会有与供热办无关的人来查。")
    desk.submit("提交受理")

    web_street.later(hours=1)
    open_mailbox(resident, code)
    page = resident.page
    assert "已受理，会有与供热办无关的人来查。" in page.inner_text(".letters")
    page.fill("#words", "第三次是二月九日。")
    resident.submit("放进信箱")
    assert "第三次是二月九日。" in page.inner_text(".letters")
    assert page.url.endswith("/mailbox")
    resident.submit("看完了，离开")
    assert WORDS not in page.content()
    assert page.context.cookies() == []

    for name, element in STAFF:
        web_street.later(minutes=20)
        _, told = STEPS[element]
        do(sit(name, viewport=size), "投诉举报", **told)
    web_street.later(days=1)
    open_mailbox(resident, code)
    assert "已看过，请看信箱" in page.inner_text(".letters")
    web_street.later(days=7)  # nobody has corrected the figures
    for case in (1, 2, 3):
        h.at(f"hotline-2026-0000{case}").wait()
    web_street.later(days=25)  # the month is over
    resident.open("/public")
    resident.check_layout()
    assert "查实 3 件" in page.inner_text("h1")
    h.street.check()


def test_whoever_does_not_accept_the_answer_has_it_looked_at_by_somebody_else(
    sit: Sit, h: Hotline
) -> None:
    resident = sit()
    code = complain(resident)
    h.do("accept").do("dispatch").do("declare").do("investigate").do("verify").do("reply")
    h.street.later(days=1)
    open_mailbox(resident, code)
    page = resident.page
    page.get_by_text("不认可结果，或有新情况").first.click()
    page.get_by_text("没有，只是不认可").click()
    page.fill("#f-text", "还是没有修。")
    resident.submit("不认可结果，或有新情况")
    assert "正在换人重新核查" in page.inner_text(".stub__now")
    h.street.check()


def test_without_scripts_it_is_the_same(sit: Sit) -> None:
    resident = sit(java_script_enabled=False)
    page = resident.page
    resident.open("/complain")
    page.get_by_text("意见建议", exact=True).click()
    page.fill("#f-text", "路灯能不能早些亮。")
    page.get_by_role("button", name="提交投诉").click()
    page.wait_for_selector(".code16")
    code = "".join(page.locator(".code16 .num").all_inner_texts())
    resident.open("/mailbox")
    page.fill("#code", code)
    page.get_by_role("button", name="打开信箱").click()
    page.wait_for_selector(".stub__now")
    assert "路灯能不能早些亮" in page.inner_text("main")


NARROW = {"width": 320, "height": 700}


@pytest.mark.parametrize(
    "more",
    [{"viewport": PHONE, "color_scheme": "dark"}, {"viewport": DESK}, {"viewport": NARROW}],
)
def test_every_page_fits_in_large_type_too(sit: Sit, more: dict[str, object]) -> None:
    resident = sit(**more)
    code = complain(resident)
    for look in ("?scale=160", "?scale=140&language=en"):
        resident.open(f"/mailbox{look}")
        resident.page.fill("#code", code)
        resident.page.locator("main button").click()
        resident.page.wait_for_selector(".stub__now")
        resident.check_layout(60)
        for path in ("/complain", "/public"):
            resident.open(f"{path}{look}")
            resident.check_layout(60)


def test_the_keeper_decides_on_a_phone(sit: Sit, h: Hotline, resident: Resident) -> None:
    resident.complain(identity="confidential", name="陈小禾演示", phone="000-7654-3210")
    h.do("accept").do("dispatch").do("declare")
    searcher = sit("searcher")
    searcher.open("/cases/hotline-2026-00001/tasks/investigate%231")
    searcher.check_layout()
    page = searcher.page
    page.locator("summary", has_text="申请查看投诉人身份").click()
    page.locator("input[name=fields][value=phone]").check()
    page.fill("#identity-purpose", "核对报修日期")
    searcher.submit("申请")
    keeper = sit("keeper")
    keeper.follow("身份查看申请 1 件")
    keeper.check_layout()
    keeper.page.fill("textarea[name=reason]", "日期只有本人说得清")
    keeper.submit("准予查看")
    keeper.check_layout()
    searcher.open("/cases/hotline-2026-00001/tasks/investigate%231")
    searcher.submit("查看投诉人身份")
    searcher.check_layout()
    assert "000-7654-3210" in page.inner_text("main")
    assert "陈小禾" not in page.inner_text("main")
