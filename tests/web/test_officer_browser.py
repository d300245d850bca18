"""The officer's pages in a real browser: on a phone and a desk, in Chinese and English."""

import pytest

from tests.conftest import Street
from tests.web import axe
from tests.web.paths import accepted
from tests.web.test_browser import DESK, PHONE, Sit
from tests.web.test_browser import address as address
from tests.web.test_browser import browser as browser
from tests.web.test_browser import sit as sit

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("viewport", [PHONE, DESK])
@pytest.mark.parametrize("english", [False, True])
def test_looks_records_of_duties_and_batches_fit_and_are_open_to_everybody(
    sit: Sit, web_street: Street, viewport: dict[str, int], english: bool
) -> None:
    case = accepted(web_street)
    web_street.later(minutes=5)
    watch = sit("watch", viewport=viewport)
    if english:
        watch.page.get_by_role("button", name="English").click()
    watch.open("/conduct")
    watch.page.check("input[value=unit]", force=True)
    watch.page.select_option("#unit", "u-street")
    watch.page.fill("#purpose", "抽查")
    watch.page.click("main form .btn--go")
    watch.page.wait_for_url("**/conduct/*")
    pages = (watch.page.url.removeprefix(watch.address), f"/cases/{case}/access", "/conduct")
    for path in (*pages, "/exports/new"):
        watch.open(path)
        watch.check_layout()
        assert axe.violations(watch.page) == [], path
