"""The day of a hazard, on a phone and at a desk: everybody signs in as themselves, to the proof.

From the code on a door to the closing, and to a report that a discipline officer checks without us.
"""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_der_x509_certificate
from playwright.sync_api import Browser

from audit import log
from engine.accounts import create_account, hash_password
from engine.keys import make_keys, open_keys
from engine.people import grant_post, register_person
from engine.place_codes import issue
from tests.conftest import ORIGIN, ROOT, Street
from tests.web.conftest import PASSWORD
from tests.web.hands import do, fill
from tests.web.resident_pages import cases
from tests.web.resident_pages import cheap_codes as cheap_codes
from tests.web.test_browser import DESK, PHONE, Hand, Sit
from tests.web.test_browser import address as address
from tests.web.test_browser import browser as browser
from tests.web.test_browser import shots as shots
from tests.web.test_browser import sit as sit
from web.config import Settings
from web.press import make_waiting

pytestmark = [
    pytest.mark.browser,
    pytest.mark.parametrize("size", [PHONE, DESK], ids=["390", "1280"]),
]

ALL_HOLDS, SOMETHING_IS_WRONG, SOME_NOT_CHECKED = 0, 1, 3


@pytest.fixture
def keyed(web_street: Street, settings: Settings) -> Settings:
    """The street with keys of its own, and with a discipline officer."""
    make_keys(settings.keys, ORIGIN, "听澜街道（演示）", at=web_street.at)
    admin = web_street.by("admin")
    officer = web_street.person["officer"] = web_street.do(register_person, "officer演示", by=admin)
    web_street.do(
        grant_post, officer, "u-street", "纪检员", ["discipline"], reason="到任", by=admin
    )
    web_street.do(create_account, "officer", officer, hash_password(PASSWORD), by=admin)
    return settings


def test_a_hazard_from_the_code_on_a_door_to_a_report_that_holds_without_us(
    keyed: Settings, sit: Sit, web_street: Street, shots: dict[str, Path], browser: Browser,
    tmp_path: Path, size: dict[str, int],
) -> None:  # fmt: skip
    door = web_street.do(issue, "u-micro-1", by=web_street.by("head")).code
    resident = sit(viewport=size)
    resident.open(f"/q/{door}")
    fill(resident, category="charging", words="有人从楼上拉线给电动车充电", where="3 幢车棚")
    resident.page.set_input_files("input[name=evidence_before] >> nth=-1", shots["grey"])
    resident.submit("提交上报")
    code = resident.page.inner_text(".code16").replace("\n", "").replace(" ", "")
    (case,) = cases(web_street)
    with web_street.database.begin() as conn:
        title = log.read(conn, case)[0].data["title"]

    person, later = web_street.person, web_street.later
    later(minutes=12)
    do(sit("head", viewport=size), title, verdict="hazard", level="general",
       object="3 幢北侧车棚", reason="现场看到 6 处飞线")  # fmt: skip
    later(minutes=25)
    do(sit("dispatch", viewport=size), title, unit="u-property", person=person["fixer"],
       acceptor=person["accept"], term="graded", legal_basis="充电停放规定")  # fmt: skip
    later(minutes=10)
    fixer = sit("fixer", viewport=size)
    do(fixer, title, in_charge="工程主管")
    later(hours=1)
    do(fixer, title, done="拆除 6 处飞线", **{"done_at.time": "10:30"},
       evidence_before=shots["grey"], evidence_after=shots["green"])  # fmt: skip
    later(hours=1)
    do(sit("accept", viewport=size), title, **{"visited_at.time": "11:20"},
       checks=["visited", "gone"], result="pass", evidence_site=shots["blue"])  # fmt: skip
    later(minutes=30)
    do(sit("close", viewport=size), title, verified=["report", "acceptance"], summary="已消除")

    resident.open("/receipt")
    resident.page.fill("#code", code)
    resident.submit("用回执码查")
    resident.page.get_by_text("满意", exact=True).first.click()
    resident.submit("提交评价")
    assert "已记下您的评价" in resident.page.inner_text("[role=status]")

    watch = sit("watch", viewport=size)
    watch.open(f"/acts?text={case}")
    watch.check_layout()
    report = exported(sit("officer", viewport=size), case, web_street, keyed, tmp_path)
    kept = outside(keyed, tmp_path)
    assert holds_in_a_browser(browser, report, kept, size)
    assert verified_without_us(report, *kept) in (ALL_HOLDS, SOME_NOT_CHECKED)
    assert not holds_in_a_browser(browser, changed(report), kept, size)
    assert verified_without_us(changed(report), *kept) == SOMETHING_IS_WRONG
    web_street.check()


def exported(officer: Hand, case: str, street: Street, settings: Settings, folder: Path) -> Path:
    """What a discipline officer gets who asks for the report of a case on its page."""
    officer.open(f"/cases/{case}")
    officer.check_layout()
    page = officer.page
    page.locator("summary", has_text="导出责任报告").click()
    page.fill("form[action$='/exports'] textarea", "纪检函调")
    officer.submit("导出 PDF")
    # Elsewhere than in this thread, where the browser's own loop runs.
    with ThreadPoolExecutor(1) as press:
        made = press.submit(make_waiting, street.database, settings, clock=lambda: street.at)
    assert made.result() == 1
    page.reload()
    officer.check_layout()
    with page.expect_download() as loading:
        page.get_by_role("link", name="下载 PDF").click()
    loading.value.save_as(folder / "report.pdf")
    officer.open(f"/cases/{case}/access")
    officer.check_layout()
    assert "纪检函调" in page.inner_text("#exports")
    return folder / "report.pdf"


def outside(settings: Settings, folder: Path) -> tuple[Path, Path]:
    """What the officer keeps from elsewhere: whose keys to believe, and the seal's certificate."""
    seal = open_keys(settings.keys, ORIGIN).seal
    assert seal
    pem = load_der_x509_certificate(seal.certificate).public_bytes(Encoding.PEM)
    (folder / "seal.pem").write_bytes(pem)
    return settings.keys.policy, folder / "seal.pem"


def changed(report: Path) -> Path:
    """The same report with one digit of its record changed."""
    data = report.read_bytes()
    path = report.with_name("changed.pdf")
    path.write_bytes(data[:5000] + bytes([data[5000] ^ 1]) + data[5001:])
    return path


def holds_in_a_browser(
    browser: Browser, report: Path, kept: tuple[Path, Path], size: dict[str, int]
) -> bool:
    """What verify.html says of it on a machine without a network."""
    context = browser.new_context(viewport=size, locale="zh-CN", offline=True)
    page = context.new_page()
    page.goto((ROOT / "web" / "static" / "verify.html").as_uri())
    page.set_input_files("#files", [str(report), *map(str, kept)])
    page.wait_for_selector(".sum")
    told = page.locator(".steps li").evaluate_all("all => all.map(one => one.dataset.outcome)")
    context.close()
    return "fails" not in told and "holds" in told


def verified_without_us(report: Path, policy: Path, seal: Path) -> int:
    """What the offline verifier says of it, which knows no database and no engine."""
    told = [sys.executable, "-m", "audit", str(report), "--policy", str(policy),
            "--certificate", str(seal)]  # fmt: skip
    return subprocess.run(told, cwd=ROOT, capture_output=True).returncode
