"""Notices in a real browser: choosing, confirming, subscribing; on a phone and on a desk."""

import pytest

from engine import notice_board, notice_choices, notice_queue
from tests.conftest import Street
from tests.web.axe import violations
from tests.web.test_browser import DESK, PHONE, Hand, Sit
from tests.web.test_browser import address as address  # fixtures
from tests.web.test_browser import browser as browser
from tests.web.test_browser import sit as sit
from tests.web.test_notices import confirm, handed_over, post
from tests.web.test_notices import settings as settings
from web.config import Settings

pytestmark = pytest.mark.browser


def look_at(hand: Hand, path: str) -> None:
    hand.open(path)
    hand.check_layout()
    assert violations(hand.page) == [], path


def test_somebody_chooses_how_to_be_told_on_a_phone(
    sit: Sit, web_street: Street, settings: Settings
) -> None:
    handed_over(web_street, "车棚飞线充电")
    post(web_street)
    hand = sit("head", java_script_enabled=False)
    hand.open("/me")
    hand.follow("通知和日历")
    hand.page.fill("#address-mail", "head@example.cn")
    hand.submit("发确认码")
    with web_street.database.begin() as conn:
        code = notice_choices.addresses(conn, web_street.person["head"])["mail"].code
    hand.page.fill("#code-mail", code)
    hand.submit("确认")
    assert hand.page.get_by_text("已确认，今后的通知发到这里。").is_visible()
    hand.page.get_by_text("每天汇总").click()
    hand.page.fill("#digest_at", "09:15")
    hand.submit("保存")
    assert hand.page.input_value("#digest_at") == "09:15"
    hand.submit("试发一条")
    hand.submit("生成日历地址")
    told = hand.page.locator(".feed").first.inner_text()
    assert told.startswith("https://street.example/calendar/")
    with web_street.database.begin() as conn:
        kinds = [one.kind for one in notice_queue.listed(conn, ["waiting"])]
    assert sorted(kinds) == ["confirm", "test"]


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
@pytest.mark.parametrize("language", ["zh-CN", "en-GB"])
def test_the_pages_of_notices_are_fit_for_everybody(
    sit: Sit, web_street: Street, settings: Settings, size: dict[str, int], language: str
) -> None:
    for title in ("车棚飞线充电", "楼道堆物"):
        handed_over(web_street, title)
    post(web_street)
    confirm(web_street, "head")
    with web_street.database.begin() as conn:
        id_ = notice_board.try_out(conn, web_street.person["head"], "mail", at=web_street.at)
        for _ in range(2):
            notice_board.try_out(conn, web_street.person["head"], "mail", at=web_street.at)
        for worker in ("a", "b"):
            taken = notice_queue.claim(conn, "mail", worker, at=web_street.at)
            assert taken
            why = ("邮件服务器不收这个地址（550）", "the mail server does not accept it (550)")
            notice_queue.mark_failed(
                conn, taken, worker, why, at=web_street.at, for_good=taken.id == id_
            )
    for name, paths in (("head", ["/me/notices"]), ("admin", ["/me/notices", "/admin/notices"])):
        hand = sit(name, viewport=size)
        if language == "en-GB":
            hand.submit("English")
        for path in paths:
            look_at(hand, path)
