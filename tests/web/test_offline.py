"""What a browser may keep while there is no network, and what it is told of who is signed in."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from audit.encoding import timestamp
from tests.conftest import Street
from tests.web.conftest import Visitor
from tests.web.paths import assigned, reported
from web.headers import POLICY
from web.offline import FORGED, KEEP

Enter = Callable[[str], Visitor]
REPORT = {
    "place_unit": "u-micro-1",
    "title": "车棚飞线充电",
    "category": "charging",
    "address": "听涛苑 3 幢",
    "description": "有人从楼上拉线充电",
}


def test_the_worker_is_one_script_from_the_root_under_a_strict_policy(visitor: Visitor) -> None:
    answer = visitor.get("/offline-worker.js")
    assert answer.mimetype == "text/javascript"
    assert answer.headers["Cache-Control"] == "no-cache"
    assert "worker-src 'self'" in POLICY
    for part in ("const box", "const kept", "const sending", "addEventListener"):
        assert part in answer.text


def test_a_page_names_whose_copy_a_browser_may_keep(signed_in: Enter, web_street: Street) -> None:
    case = assigned(web_street)
    fixer = signed_in("fixer")
    for path in ("/inbox", "/reports", f"/cases/{case}/tasks/sign_in%231", "/waiting"):
        assert fixer.get(path).headers[KEEP] == web_street.person["fixer"]
        assert fixer.get(path).headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", ["/me", "/cases", "/receipt", "/complain", "/mailbox", "/sign-in"])
def test_no_other_page_is_kept(signed_in: Enter, path: str) -> None:
    assert KEEP not in signed_in("grid").get(path).headers


def test_what_was_refused_is_not_kept(signed_in: Enter) -> None:
    answer = signed_in("grid").post("/reports", {"title": ""})
    assert answer.status_code == 422
    assert KEEP not in answer.headers


def test_a_session_is_told_to_its_owner_and_nobody_else(
    signed_in: Enter, visitor: Visitor, web_street: Street
) -> None:
    assert visitor.get("/waiting/session").status_code == 401
    told = {name: signed_in(name).get("/waiting/session").get_json() for name in ("grid", "head")}
    assert told["grid"]["owner"] == web_street.person["grid"]
    assert told["grid"]["key"] != told["head"]["key"]
    # The same person gets the same key after signing in again: what waits can be opened.
    assert signed_in("grid").get("/waiting/session").get_json()["key"] == told["grid"]["key"]


def test_an_answer_that_was_on_its_way_does_not_bring_an_older_cookie_back(
    signed_in: Enter,
) -> None:
    grid = signed_in("grid")
    grid.get("/inbox")
    assert "Set-Cookie" not in grid.get("/waiting/session").headers
    chosen = grid.post("/display", {"scale": "140", "next": "/me"})
    assert "Set-Cookie" in chosen.headers
    assert "Set-Cookie" not in grid.get("/waiting/session").headers
    assert 'data-scale="140"' in grid.get("/me").text


def test_a_form_with_an_old_token_is_marked_so_that_it_is_sent_again(signed_in: Enter) -> None:
    answer = signed_in("grid").client.post("/reports", data=REPORT | {"csrf_token": "old"})
    assert answer.status_code == 400
    assert answer.headers[FORGED] == "yes"


def test_a_token_in_a_header_is_as_good_as_one_in_the_form(
    signed_in: Enter, web_street: Street
) -> None:
    grid = signed_in("grid")
    token = grid.get("/waiting/session").get_json()["token"]
    told = REPORT | {"key": "one", "filled_at": timestamp(web_street.at - timedelta(minutes=40))}
    answers = [
        grid.client.post("/reports", data=told, headers={"X-CSRFToken": token}) for _ in range(2)
    ]
    assert answers[0].status_code == 303
    assert answers[0].location == answers[1].location
    case = answers[0].location.rpartition("/")[2]
    entry = web_street.entries(case)[0]
    assert entry.claimed_at == web_street.at - timedelta(minutes=40)
    assert entry.at == web_street.at
    web_street.check()


def test_a_step_that_waited_says_when_it_was_filled_and_its_clock_runs_to_its_receipt(
    signed_in: Enter, web_street: Street
) -> None:
    case = reported(web_street)
    web_street.later(hours=30)
    filled = timestamp(web_street.at - timedelta(hours=26))
    told = {
        "verdict": "hazard", "level": "general", "object": "车棚", "reason": "看到飞线",
        "filled_at": filled, "key": "two",
    }  # fmt: skip
    head = signed_in("head")
    assert head.post(f"/cases/{case}/tasks/confirm%231/completion", told).status_code == 303
    done = next(one for one in web_street.entries(case) if one.type == "task.completed")
    assert done.claimed_at is not None
    assert timestamp(done.claimed_at) == filled
    assert "逾期" in head.text(f"/cases/{case}")
    web_street.check()


@pytest.mark.parametrize(
    "told", ["", "tomorrow", "2026-03-02T01:00:00.000Z", "2030-01-01T00:00:00.000Z",
             "2026-01-01T00:00:00.000Z", "2026-03-02T00:59:00+00:00"]
)  # fmt: skip
def test_a_time_of_filling_that_cannot_be_is_not_claimed(
    signed_in: Enter, web_street: Street, told: str
) -> None:
    answer = signed_in("grid").post("/reports", REPORT | {"filled_at": told})
    assert web_street.entries(answer.location.rpartition("/")[2])[0].claimed_at is None


def test_an_inbox_with_a_confidential_step_is_not_kept(
    signed_in: Enter, web_street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    from web import inbox

    assigned(web_street)
    found = inbox.held_by

    def confidential(conn: object, person: str) -> list[object]:
        return [replace(row, confidential=True) for row in found(conn, person)]  # type: ignore[arg-type]

    monkeypatch.setattr(inbox, "held_by", confidential)
    monkeypatch.setattr(inbox, "_may_know", lambda conn, people, steps: steps)
    answer = signed_in("fixer").get("/inbox")
    assert "要您办的有 1 件" in answer.text
    assert KEEP not in answer.headers
