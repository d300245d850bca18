"""Of a complaint nothing is kept, neither by a browser nor as a draft."""

import pytest

from tests.engine.hotline_street import Hotline
from tests.web.hotline_pages import *  # noqa: F403 - the hotline's fixtures
from tests.web.hotline_pages import Enter, Resident
from web.offline import KEEP

TASK = "/cases/hotline-2026-00001/tasks/investigate%231"


@pytest.fixture
def investigated(resident: Resident, h: Hotline) -> Hotline:
    resident.complain(identity="confidential", name="陈小禾演示", phone="000-7654-3210")
    return h.do("accept").do("dispatch").do("declare")


def test_a_step_of_a_complaint_is_not_kept_and_not_drafted(
    investigated: Hotline, signed_in: Enter
) -> None:
    searcher = signed_in("searcher")
    for path in (TASK, "/inbox"):
        answer = searcher.get(path)
        assert answer.status_code == 200
        assert KEEP not in answer.headers
        assert "data-keep" not in answer.text
        assert 'name="owner"' not in answer.text
        assert "drafts.js" not in answer.text
    kept = searcher.post(f"{TASK}/draft", {"found": "写了一半"})
    assert kept.status_code == 404
    assert "不能先存着" in kept.text


@pytest.mark.parametrize("path", ["/complain", "/mailbox", "/public"])
def test_a_page_for_nobody_has_no_worker(signed_in: Enter, path: str) -> None:
    answer = signed_in("desk").get(path)
    assert answer.status_code == 200
    assert "offline.js" not in answer.text
    assert KEEP not in answer.headers
