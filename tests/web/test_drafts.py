"""填到一半: kept by a button or a script, offered on returning, gone once it is sent."""

from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
from werkzeug.test import TestResponse

from engine.drafts import find_draft
from tests.conftest import Street
from tests.web.conftest import Visitor, photo
from tests.web.paths import REPORT, reported, signed_for

Enter = Callable[[str], Visitor]
HALF = {"title": "飞线", "description": "看到 6 处", "place_unit": "u-micro-1"}
AS_JSON = {"Accept": "application/json"}


def saved(
    who: Visitor, path: str = "/reports/draft", version: int = 0, **told: Any
) -> TestResponse:
    return who.post(path, {**HALF, "draft_version": version, **told}, headers=AS_JSON)


def test_what_was_left_is_offered_with_its_time_and_shown_only_if_wanted(
    signed_in: Enter, web_street: Street
) -> None:
    grid = signed_in("grid")
    kept = grid.post("/reports/draft", HALF)
    assert kept.location == "/reports?draft=on"
    assert "已先存着，14 天内回来接着填" in grid.text(kept.location)
    web_street.later(minutes=5)
    page = grid.text("/reports")
    assert "您 09:00 填到一半的内容还在" in page
    assert "看到 6 处" not in page
    page = grid.text("/reports?draft=on")
    assert "看到 6 处" in page
    assert "填到一半的内容还在" not in page
    assert 'value="u-micro-1" selected' in page
    assert "填到一半" not in signed_in("head").text("/reports")
    web_street.later(days=1)
    assert "您 3月2日 09:00 填到一半的内容还在" in signed_in("grid").text("/reports")


def test_discarding_forgets_it(signed_in: Enter) -> None:
    grid = signed_in("grid")
    saved(grid)
    assert grid.post("/reports/draft", {"act": "drop"}).location == "/reports"
    assert "填到一半的内容还在" not in grid.text("/reports")


def test_a_script_is_told_the_version_the_time_and_the_photos_that_arrived(
    signed_in: Enter,
) -> None:
    grid = signed_in("grid")
    answer = saved(grid, evidence_before=(BytesIO(photo()), "a.jpg"))
    told = answer.get_json()
    assert told, answer.text
    assert (told["version"], told["words"]) == (1, "09:00 已存")
    [file] = told["kept"]
    assert (file["input"], file["name"]) == ("evidence_before", "a.jpg")
    assert "已收下，不用再选" in grid.text("/reports?draft=on")
    assert file["token"] in grid.text("/reports?draft=on")
    # It stays when saved again, and is gone when its tick is.
    assert saved(grid, version=1, kept=file["token"]).get_json()["kept"] == told["kept"]
    assert saved(grid, version=2).get_json()["kept"] == []


def test_an_unfit_photo_is_named_and_the_rest_is_kept(signed_in: Enter) -> None:
    told = saved(signed_in("grid"), evidence_before=(BytesIO(b"hello"), "a.jpg")).get_json()
    assert "a.jpg" in told["told"]
    assert told["version"] == 1


def test_an_older_window_does_not_overwrite_a_newer_one(signed_in: Enter) -> None:
    grid = signed_in("grid")
    saved(grid)
    saved(grid, version=1, title="新的")
    late = saved(grid, version=1, title="旧窗口")
    assert late.status_code == 409
    assert "别的窗口" in late.get_json()["told"]
    # The same by the button, without a script.
    assert grid.post("/reports/draft", HALF).status_code == 409
    assert "新的" in grid.text("/reports?draft=on")


def test_what_was_sent_is_no_draft_any_more(signed_in: Enter, web_street: Street) -> None:
    grid = signed_in("grid")
    saved(grid)
    sent = grid.post("/reports", {**REPORT, "place_unit": "u-micro-1", "draft_version": 1})
    assert sent.status_code == 303
    assert "填到一半" not in grid.text("/reports")
    assert saved(grid, version=1).status_code == 409
    web_street.check()


def test_a_report_that_did_not_go_on_from_the_draft_leaves_it(signed_in: Enter) -> None:
    grid = signed_in("grid")
    saved(grid, key="left")
    sent = {**REPORT, "place_unit": "u-micro-1", "draft_version": 0}
    assert grid.post("/reports", {**sent, "key": "another"}).status_code == 303
    assert "填到一半的内容还在" in grid.text("/reports")
    # The first save of a form may be on its way while the form itself is sent.
    assert grid.post("/reports", {**sent, "key": "left"}).status_code == 303
    assert "填到一半的内容还在" not in grid.text("/reports")
    assert saved(grid, key="left").status_code == 409


def test_a_step_is_kept_half_filled_by_whoever_may_do_it(
    signed_in: Enter, web_street: Street
) -> None:
    case = signed_for(web_street)
    path = f"/cases/{case}/tasks/rectify%231"
    fixer = signed_in("fixer")
    assert saved(fixer, f"{path}/draft", done="拆了一半", note="等电工").get_json()["version"] == 1
    assert "您 " in fixer.text(path)
    page = fixer.text(f"{path}?draft=on")
    assert "拆了一半" in page
    assert "等电工" in page
    refused = saved(signed_in("other"), f"{path}/draft", done="别人")
    assert refused.status_code == 403
    done = {"done": "拆除 6 处飞线", "done_at.day": "2026-03-02", "done_at.time": "09:30"}
    files = {f"evidence_{name}": (BytesIO(photo()), "a.jpg") for name in ("before", "after")}
    web_street.later(minutes=60)
    assert fixer.post(f"{path}/completion", {**done, **files}).status_code == 303
    with web_street.database.begin() as conn:
        by = web_street.by("fixer")
        assert find_draft(conn, f"cases/{case}/rectify#1", by=by) is None
    web_street.check()


def test_a_form_refused_with_faults_goes_on_from_its_draft(signed_in: Enter) -> None:
    grid = signed_in("grid")
    saved(grid)
    page = grid.post("/reports", {**HALF, "draft_version": 1}).text
    assert 'name="draft_version" value="1"' in page


@pytest.mark.parametrize("process", ["hotline", "nothing"])
def test_what_cannot_be_begun_cannot_be_drafted(signed_in: Enter, process: str) -> None:
    answer = saved(signed_in("grid"), f"/reports/draft?process={process}")
    assert answer.status_code in (403, 404)


def test_nobody_keeps_a_draft_without_signing_in(visitor: Visitor) -> None:
    assert "/sign-in" in (visitor.post("/reports/draft", HALF).location or "")


def test_a_draft_is_not_in_the_log(signed_in: Enter, web_street: Street) -> None:
    case = reported(web_street)
    before = web_street.types(case)
    saved(signed_in("head"), f"/cases/{case}/tasks/confirm%231/draft", reason="看了一半")
    assert web_street.types(case) == before
    web_street.check()
