"""A whistle in a real browser: three departments, a code read here and typed there."""

import pytest

from engine.timekeeping import ring
from tests.conftest import Street
from tests.engine.whistle_street import Whistle
from tests.web.test_browser import DESK, PHONE, Hand, Sit, address, browser, sit  # noqa: F401
from tests.web.whistle_pages import *  # noqa: F403

pytestmark = pytest.mark.browser


def choose(hand: Hand, group: str, words: str) -> None:
    """Take one of the cards of a question."""
    hand.page.locator(f"#f-{group} label", has_text=words).first.click()


def do(hand: Hand, case: str, task: str, button: str, **typed: str) -> None:
    """Open a step, type what it asks for as text, and submit it."""
    hand.open(f"/cases/{case}/tasks/{task}%231")
    hand.check_layout()
    for field, text in typed.items():
        hand.page.fill(f"#f-{field}", text)
    hand.submit(button)


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["390", "1280"])
def test_a_whistle_with_three_departments_from_blowing_to_closing(
    sit: Sit,  # noqa: F811
    web_street: Street,
    size: dict[str, int],
) -> None:
    def enter(name: str) -> Hand:
        return sit(name, viewport=size)

    blower = enter("blower")
    page = blower.page
    blower.follow("吹哨")
    blower.check_layout()
    assert not page.is_visible("input[name=suggested][value=u-fire]")
    choose(blower, "kind", "应急哨")
    page.fill("#f-title", "车棚冒烟")
    page.select_option("#f-category", "charging")
    page.fill("#f-why", "要断电，社区没有权限")
    page.select_option("#f-place_unit", "u-micro-1")
    page.fill("#f-address", "听涛苑 3 幢")
    page.get_by_text("消防通道、消防设施、火情").click()
    page.get_by_text("从名录里选别的部门").click()
    blower.check_layout()
    for department in ("u-urban", "u-housing"):
        page.locator(f"input[name=departments][value={department}]").check()
    blower.submit("吹哨")
    assert "哨已吹响" in page.inner_text("[role=status]")
    assert "3 家里 0 家已到场" in page.inner_text("main")
    page.wait_for_selector(".bpmn--drawn")
    blower.check_layout()

    # The fire brigade is there: the code is read off one phone and typed on the other.
    web_street.later(minutes=9)
    blower.submit("出示现场码")
    blower.check_layout()
    code = page.inner_text(".onspot__code")
    fire = enter("fire")
    fire.open("/inbox/claimable")
    fire.check_layout()
    fire.follow("车棚冒烟")
    fire.check_layout()
    fire.page.fill("#f-site_code", "000 000" if code != "000 000" else "111 111")
    fire.submit("提交报到")
    assert "现场码不对" in fire.page.inner_text("#errors")
    assert fire.page.evaluate("document.activeElement.id") == "errors"
    fire.page.fill("#f-site_code", code)
    fire.submit("提交报到")
    assert "已提交：报到" in fire.page.inner_text("[role=status]")

    web_street.later(minutes=4)
    urban, housing = enter("urban"), enter("housing")
    for hand, case in ((urban, "response-2026-00003"), (housing, "response-2026-00002")):
        web_street.later(minutes=1)
        do(hand, case, "arrive_at_once", "提交报到", site_code=code)
    blower.open("/cases/whistle-2026-00001")
    assert "3 家里 3 家已到场" in page.inner_text("main")
    assert page.locator(".kin .first").count() == 1

    desk = enter("desk")
    desk.open("/board")
    desk.check_layout()
    desk.open("/cases/whistle-2026-00001/tasks/name_lead%231")
    desk.page.select_option("#f-lead", "u-fire")
    desk.submit("提交定牵头")

    fire.open("/cases/whistle-2026-00001/tasks/first_measures%231")
    fire.page.fill("#f-measures", "断电，搬走 3 辆车")
    fire.page.fill("#f-seen", "接线板烧黑")
    choose(fire, "safe", "安全了")
    fire.submit("提交处置")
    parts = (
        (fire, "response-2026-00001"),
        (urban, "response-2026-00003"),
        (housing, "response-2026-00002"),
    )
    for hand, case in parts:
        hand.open(f"/cases/{case}/tasks/do_part%231")
        hand.page.fill("#f-done", "本单位的事办完")
        choose(hand, "no_photo", "应急处置")
        hand.submit("提交办理")
    for case in ("response-2026-00002", "response-2026-00003"):
        fire.open(f"/cases/{case}/tasks/release_part%231")
        choose(fire, "decision", "办完了")
        fire.submit("提交放行")
    desk.open("/cases/response-2026-00001/tasks/release_by_desk%231")
    choose(desk, "decision", "办完了")
    desk.submit("提交放行")
    fire.open("/cases/whistle-2026-00001/tasks/joint_record%231")
    choose(fire, "result", "都办好了")
    fire.page.fill("#f-summary", "车棚清空，线路拆除")
    fire.submit("提交记录")

    for hand, case in parts:
        blower.open(f"/cases/{case}/tasks/evaluate%231")
        blower.check_layout()
        assert "密封" in page.inner_text("main")
        choose(blower, "result", "满意")
        choose(blower, "effort", "尽力")
        blower.submit("提交评价")
        hand.open(f"/cases/{case}/tasks/evaluate_whistle%231")
        choose(hand, "justified", "该吹")
        choose(hand, "complete", "清楚")
        hand.submit("提交评价")
        hand.open(f"/cases/{case}/tasks/defend%231")
        choose(hand, "answer", "认可")
        hand.submit("提交申辩")

    officer = enter("officer2")
    officer.open("/cases/whistle-2026-00001/tasks/ratify%231")
    choose(officer, "decision", "该吹")
    officer.page.fill("#f-reason", "确有火情")
    officer.submit("提交追认")
    closer = enter("closer")
    do(closer, "whistle-2026-00001", "close", "提交办结", summary="车棚已清，线路已拆")
    web_street.later(days=31)
    web_street.do(ring, "whistle-2026-00001")
    blower.sign_in("blower")
    blower.open("/cases/whistle-2026-00001/tasks/recheck%231")
    choose(blower, "result", "没有了")
    blower.submit("提交回看")
    blower.open("/cases/whistle-2026-00001")
    page.wait_for_selector(".bpmn--drawn")
    assert "3 家里 3 家已到场，3 家已办结" in page.inner_text("main")
    web_street.check()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pages_among_cases_fit_a_desk(sit: Sit, web_street: Street, scheme: str) -> None:  # noqa: F811
    w = Whistle(web_street).called()
    web_street.later(hours=2)
    paths = {
        "desk": ["/board", f"/cases/{w.case}"],
        "blower": ["/whistles", "/begin", f"/cases/{w.case}"],
        "director": ["/reports?process=directive"],
    }
    for name, pages in paths.items():
        hand = sit(name, viewport=DESK, color_scheme=scheme)
        for path in pages:
            hand.open(path)
            hand.page.wait_for_load_state("networkidle")
            hand.check_layout()


@pytest.mark.parametrize("scale", ["更大", "最大"])
def test_large_type_fits_what_is_held_up_on_the_spot(
    sit: Sit,  # noqa: F811
    web_street: Street,
    scale: str,
) -> None:
    w = Whistle(web_street).emergency("u-fire")
    hand = sit("blower")
    hand.open("/me")
    hand.page.get_by_text(scale, exact=True).click()
    hand.submit("就这样显示")
    hand.open(f"/cases/{w.case}")
    hand.check_layout(60)
    hand.submit("出示现场码")
    hand.check_layout(60)
    for path in ("/whistles", "/begin"):
        hand.open(path)
        hand.check_layout(60)
