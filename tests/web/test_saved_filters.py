"""Filters kept under a name, on the lists they narrow."""

from collections.abc import Callable

import pytest

from tests.conftest import Street
from tests.web.conftest import Visitor
from tests.web.paths import reported
from tests.web.test_admin_browser import faults
from tests.web.test_browser import DESK, PHONE, Sit, address, browser, sit  # noqa: F401

Enter = Callable[[str], Visitor]
KEEP = {"page": "inbox.claimable", "name": "快到期的", "state": "ok", "process": "hazard"}


def test_a_narrowed_list_is_kept_under_a_name_and_deleted_again(
    signed_in: Enter, web_street: Street
) -> None:
    reported(web_street)
    head = signed_in("head")
    assert "存下这个筛选" not in head.text("/inbox/claimable")
    assert "存下这个筛选" in head.text("/inbox/claimable?state=ok")
    answer = head.post("/filters", KEEP)
    assert answer.location == "/inbox/claimable?process=hazard&state=ok"
    page = head.text(answer.location)
    assert "已存为“快到期的”" in page
    assert 'aria-current="true">快到期的</a>' in page
    assert "快到期的" in head.text("/inbox/claimable")
    assert "快到期的" not in head.text("/inbox")
    assert "快到期的" not in signed_in("head2").text("/inbox/claimable")
    head.post("/filters/removal", {"page": "inbox.claimable", "name": "快到期的"})
    assert "存下的" not in head.text("/inbox/claimable").replace("已删掉这个筛选", "")


def test_a_filter_of_the_board_is_kept_there(signed_in: Enter, web_street: Street) -> None:
    reported(web_street)
    head = signed_in("head")
    answer = head.post("/filters", {"page": "board.page", "name": "逾期", "state": "late"})
    assert answer.location == "/board?state=late"
    assert "逾期</a>" in head.text("/board")


@pytest.mark.parametrize(
    ("wrong", "status", "words"),
    [
        ({"name": ""}, 400, "起个名字"),
        ({"state": "", "process": ""}, 400, "没有可存的筛选"),
        ({"page": "https://example.org"}, 404, "没有这个列表"),
    ],
)
def test_what_cannot_be_kept_is_refused_in_words(
    signed_in: Enter, wrong: dict[str, str], status: int, words: str
) -> None:
    answer = signed_in("head").post("/filters", KEEP | wrong)
    assert answer.status_code == status
    assert words in answer.text


@pytest.mark.browser
@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_the_kept_filters_fit_and_are_met_by_everybody(
    sit: Sit,  # noqa: F811
    web_street: Street,
    size: dict[str, int],
) -> None:
    reported(web_street)
    hand = sit("head", viewport=size)
    for language in ("zh", "en"):
        if language == "en":
            hand.submit("English")
        hand.open("/inbox/claimable?state=ok")
        hand.page.locator(".keepfilter summary").click()
        hand.page.fill("#filter-name", f"快 {language}")
        hand.check_layout()
        assert faults(hand) == []
        hand.submit("存下" if language == "zh" else "Keep")
        assert f"快 {language}" in hand.page.inner_text(".chips--kept")
        hand.check_layout()
        assert faults(hand) == []
        hand.page.locator("form.keepfilter button").first.click()
        hand.page.wait_for_load_state()
