"""A resident's way in a real browser: from the printed code to receipt, status and objection."""

import shutil
import subprocess
from io import BytesIO
from pathlib import Path

import pytest
import zxingcpp
from PIL import Image

from engine.place_codes import issue
from tests.conftest import Street
from tests.web.axe import violations
from tests.web.resident_pages import cases, through
from tests.web.resident_pages import cheap_codes as cheap_codes
from tests.web.test_browser import DESK, PHONE, Hand, Sit
from tests.web.test_browser import address as address
from tests.web.test_browser import browser as browser
from tests.web.test_browser import shots as shots
from tests.web.test_browser import sit as sit

pytestmark = pytest.mark.browser


def tool(name: str, *arguments: str) -> None:
    found = shutil.which(name)
    assert found, f"{name} is missing"
    subprocess.run([found, *arguments], check=True, capture_output=True)


def codes_on(pdf: Path) -> list[str]:
    """What somebody else's reader makes of the first page of a PDF, as a telephone would see it."""
    tool("pdftoppm", "-r", "150", "-l", "1", "-png", str(pdf), str(pdf.with_suffix("")))
    (page,) = pdf.parent.glob(f"{pdf.stem}-*1.png")
    return sorted(one.text for one in zxingcpp.read_barcodes(Image.open(page)))


def fit(hand: Hand) -> None:
    """Everything on the page can be met with a thumb and read out."""
    hand.check_layout()
    page, size = hand.page, hand.page.viewport_size
    assert size
    # The whole page at once: what lies below the bar at the bottom is scrolled to, not covered.
    tall = page.evaluate("document.documentElement.scrollHeight")
    page.set_viewport_size({"width": size["width"], "height": max(tall, size["height"])})
    found = violations(page)
    page.set_viewport_size(size)
    assert found == [], page.url


def test_from_the_printed_sheet_to_the_objection(
    sit: Sit, web_street: Street, shots: dict[str, Path], tmp_path: Path, address: str
) -> None:
    head = sit("head")
    head.open("/me")
    head.follow("发码、打印")
    fit(head)
    page = head.page
    for unit in ("u-tingtao", "u-grid-1", "u-micro-1"):
        page.check(f"input[value={unit}]")
    head.submit("给勾选的发码")
    assert "已发码 3 张" in page.inner_text("[role=status]")
    fit(head)
    page.check("input[value=u-micro-1]")
    page.check("input[value=u-grid-1]")
    with page.expect_download() as loading:
        page.get_by_role("button", name="打印勾选的（PDF）").click()
    sheet = tmp_path / "sheet.pdf"
    loading.value.save_as(sheet)
    scanned = codes_on(sheet)
    assert len(scanned) == 2
    head.follow("看第一微网格的码")
    fit(head)
    shown = zxingcpp.read_barcodes(Image.open(BytesIO(page.screenshot(full_page=True))))
    door = shown[0].text
    assert door in scanned
    assert door.startswith(f"{address}/q/")

    someone = sit()
    someone.page.goto(door)
    page = someone.page
    assert page.inner_text("h1") == "听涛社区 第一网格 第一微网格"
    fit(someone)
    someone.submit("提交上报")
    assert "还有 2 处要改" in page.inner_text("#errors")
    fit(someone)
    page.get_by_text("电动车飞线、上楼充电").click()
    page.fill("#f-words", "有人从楼上拉线给电动车充电")
    page.fill("#f-contact", "000-7712")
    page.set_input_files("input[name=evidence_before] >> nth=-1", shots["grey"])
    someone.submit("提交上报")
    assert "已收到，谢谢您上报" in page.inner_text("h1")
    code = page.inner_text(".code16").replace("\n", "").replace(" ", "")
    assert len(code) == 16
    fit(someone)
    someone.submit("看看办到哪了")
    assert "社区正在核实" in page.inner_text(".stub__now")
    fit(someone)
    assert page.context.cookies() == []
    assert code not in page.url

    another = sit(viewport=DESK)
    another.page.goto(door)
    page = another.page
    fit(another)
    page.get_by_text("电动车飞线、上楼充电").click()
    page.fill("#f-words", "车棚又有人拉线")
    another.submit("提交上报")
    assert "附近 3 天内已有人报过相似的（1 件）" in page.inner_text("#f-similar")
    fit(another)
    page.get_by_text("我也遇到了").click()
    another.submit("选好了，提交")
    assert "已收到" in page.inner_text("h1")
    fit(another)

    first, _ = cases(web_street)
    through(web_street, first)
    page = someone.page
    someone.open("/receipt")
    fit(someone)
    page.fill("#code", code)
    someone.submit("用回执码查")
    fit(someone)
    page.get_by_text("不满意", exact=True).click()
    page.fill("#rate-words", "东头还有一根")
    someone.submit("提交评价")
    assert "已记下您的评价" in page.inner_text("[role=status]")
    page.locator("summary", has_text="对结果有异议").click()
    page.fill("#dispute-words", "东头还有一根线")
    page.check("input[name=still_there]")
    someone.submit("提出异议")
    assert "已提出异议" in page.inner_text("[role=status]")
    assert "正在由另一人重新验收" in page.inner_text(".stub")
    fit(someone)
    someone.submit("看完了，离开")
    assert "已离开" in page.inner_text("h1")
    web_street.check()


@pytest.mark.parametrize("view", [PHONE, DESK], ids=["phone", "desk"])
def test_it_works_in_english_large_and_without_scripts(
    sit: Sit, web_street: Street, view: dict[str, int]
) -> None:
    code = web_street.do(issue, "u-micro-1", by=web_street.by("head")).code
    hand = sit(java_script_enabled=False, locale="en-GB", viewport=view)
    hand.open(f"/q/{code}?scale=140")
    page = hand.page
    page.get_by_text("A manhole cover is broken").click()
    page.fill("#f-words", "The cover is gone")
    hand.submit("Send the report")
    assert page.inner_text(".code16")
    hand.submit("See how far it is")
    assert "The community is checking" in page.inner_text(".stub")


@pytest.mark.parametrize("view", [PHONE, DESK], ids=["phone", "desk"])
def test_the_pages_are_fit_in_english_too(
    sit: Sit, web_street: Street, view: dict[str, int]
) -> None:
    code = web_street.do(issue, "u-micro-1", by=web_street.by("head")).code
    hand = sit(locale="en-GB", viewport=view)
    for path in (f"/q/{code}", "/q/nothing", "/receipt", "/my-report"):
        hand.open(path)
        hand.complaints.clear()
        fit(hand)
    hand.open(f"/q/{code}")
    hand.page.get_by_text("A manhole cover is broken").click()
    hand.page.fill("#f-words", "The cover is gone")
    hand.submit("Send the report")
    fit(hand)
    through(web_street, cases(web_street)[0])
    hand.submit("See how far it is")
    fit(hand)
