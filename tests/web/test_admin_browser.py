"""The administrator's pages in a real browser: both sizes, both languages, by axe and by thumb."""

from pathlib import Path

import pytest

from engine.spreadsheets import write_xlsx
from tests.conftest import Street
from tests.web.axe import violations
from tests.web.test_admin import PAGES
from tests.web.test_browser import DESK, PHONE, Hand, Sit
from tests.web.test_browser import address as address
from tests.web.test_browser import browser as browser
from tests.web.test_browser import sit as sit

pytestmark = pytest.mark.browser
FILES = (".toml", ".csv", ".xlsx")


def check(hand: Hand) -> None:
    hand.check_layout()
    assert faults(hand) == [], hand.page.url


def faults(hand: Hand) -> list[str]:
    """What axe finds on a page unrolled, so that the navigation does not lie over its targets."""
    page, size = hand.page, hand.page.viewport_size
    assert size
    height = page.evaluate("document.documentElement.scrollHeight")
    page.set_viewport_size({"width": size["width"], "height": height + 200})
    found = violations(page)
    page.set_viewport_size(size)
    return found


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_every_page_fits_and_is_met_by_everybody(
    sit: Sit, web_street: Street, size: dict[str, int], language: str
) -> None:
    admin = sit("admin", viewport=size)
    person = web_street.person["head"]
    found = {}
    for path in (*PAGES, f"/admin/people/{person}"):
        if not path.endswith(FILES):
            admin.open(f"{path}{'&' if '?' in path else '?'}language={language}")
            admin.check_layout()
            found |= {path: told} if (told := faults(admin)) else {}
    assert found == {}


def test_a_register_is_imported_on_a_phone_without_scripts(
    sit: Sit, web_street: Street, tmp_path: Path
) -> None:
    file = tmp_path / "名册.xlsx"
    heading = ["姓名", "单位", "岗位", "职责", "账号"]
    file.write_bytes(
        write_xlsx(
            [
                (
                    "人员",
                    [
                        heading,
                        ["新演示", "听涛社区", "网格员", "上报、巡查", "xin"],
                        ["坏演示", "没有的社区", "网格员", "上报", ""],
                    ],
                )
            ]
        )
    )
    admin = sit("admin")
    admin.follow("管理")
    admin.page.get_by_role("link", name="导入名册").click()
    admin.page.set_input_files("#reg-file", file)
    admin.submit("上传，看结果")
    check(admin)
    assert "没有叫“没有的社区”的单位" in admin.page.inner_text("main")
    admin.submit("确认登记 1 行")
    check(admin)
    assert "新账号的初始密码" in admin.page.inner_text("main")
    password = admin.page.locator("td.code").first.inner_text()
    admin.follow("看人员和岗位")
    admin.page.fill("#q", "xin")
    admin.submit("查找")
    admin.follow("新演示")
    check(admin)
    assert password not in admin.page.inner_text("main")
    web_street.check()


def test_a_post_is_granted_by_keyboard_alone(sit: Sit, web_street: Street) -> None:
    admin = sit("admin", viewport=DESK)
    admin.open(f"/admin/people/{web_street.person['grid']}")
    page = admin.page
    page.get_by_text("任命岗位", exact=True).focus()
    page.keyboard.press("Enter")
    page.select_option("#g-unit", "u-other")
    page.locator("#g-title").focus()
    page.keyboard.type("巡查员")
    page.locator("input[name=duties][value=patrol]").focus()
    page.keyboard.press("Space")
    page.locator("#g-why").focus()
    page.keyboard.type("新任")
    with page.expect_event("load"):
        page.locator("#g-why + p, form:has(#g-why) button").last.press("Enter")
    assert "已任命" in page.inner_text("main")
    assert "沿河社区·巡查员" in page.inner_text("main")
    check(admin)
