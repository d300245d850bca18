"""What is asked before a page and by it is one transaction; nobody holds two, or keeps one."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event

from engine.delivery import deliver
from engine.people import directory, end_post
from tests.conftest import Street
from tests.web.conftest import Visitor
from tests.web.paths import CONFIRMED, reported
from web import tasks, visit

Enter = Callable[[str], Visitor]
CONFIRM = {**CONFIRMED, "danger_now": ""}


def completion(case: str) -> str:
    return f"/cases/{case}/tasks/confirm%231/completion"


@dataclass
class Held:
    """Connections this application takes: how many so far, and the most at one time."""

    now: int = 0
    taken: int = 0
    most: int = 0
    ended: list[str] = field(default_factory=list)

    def take(self, *_: Any) -> None:
        self.now, self.taken = self.now + 1, self.taken + 1
        self.most = max(self.most, self.now)

    def give(self, *_: Any) -> None:
        self.now -= 1

    def begin_anew(self) -> None:
        assert self.now == 0, "kept beyond the request"
        self.taken = self.most = 0
        self.ended.clear()


@pytest.fixture
def held(app: Flask) -> Iterator[Held]:
    counts, engine = Held(), app.extensions["shaoji"].database
    event.listen(engine, "checkout", counts.take)
    event.listen(engine, "checkin", counts.give)
    event.listen(engine, "commit", lambda _: counts.ended.append("commit"))
    yield counts
    event.remove(engine, "checkout", counts.take)
    event.remove(engine, "checkin", counts.give)


def test_a_step_takes_one_reading_and_one_writing_transaction(
    signed_in: Enter, web_street: Street, held: Held
) -> None:
    case, other = reported(web_street), reported(web_street)
    who = signed_in("head")
    who.post(completion(case), CONFIRM)
    token = who.token()
    held.begin_anew()
    answer = who.client.post(completion(other), data=CONFIRM | {"csrf_token": token})
    assert answer.status_code == 303
    assert (held.taken, held.most, held.now) == (2, 1, 0)
    assert held.ended == ["commit"]
    web_street.check()


def test_whoever_writes_has_put_down_what_they_read(
    signed_in: Enter, app: Flask, web_street: Street, held: Held
) -> None:
    case = reported(web_street)
    who = signed_in("head")
    for path, form in (
        (f"/cases/{case}/tasks/confirm%231/claim", {}),
        (f"/cases/{case}/tasks/confirm%231/release", {"reason": "手上有急事"}),
        (completion(case), {"verdict": "hazard"}),
        (completion(case), CONFIRM),
        ("/sign-out", {}),
    ):
        held.begin_anew()
        assert who.post(path, form).status_code in (303, 422), path
        assert held.most == 1, path
    held.begin_anew()
    who.sign_in("head")
    who.get(f"/cases/{case}")
    assert held.most == 1
    held.begin_anew()


@pytest.mark.parametrize("path", ["/cases/hazard-2026-99999", "/admin/people", "/nowhere"])
def test_a_refused_request_keeps_no_connection(signed_in: Enter, held: Held, path: str) -> None:
    who = signed_in("grid")
    held.begin_anew()
    assert who.get(path).status_code in (403, 404)
    held.begin_anew()


def test_a_reading_that_fails_keeps_no_connection(app: Flask, held: Held) -> None:
    held.begin_anew()
    with app.test_request_context("/"):
        with pytest.raises(ZeroDivisionError), visit.reads():
            1 / 0  # noqa: B018
        assert held.now == 0
        with visit.first_reads() as first, visit.reads() as second:
            assert first is second
        assert held.now == 1, "whatever reads next goes on in it"
        with visit.reads() as third:
            assert third is first
        assert held.now == 0
        with visit.first_reads():
            pass
        assert visit.database() is app.extensions["shaoji"].database
        assert held.now == 0
        with visit.first_reads():
            pass
    held.begin_anew()


def test_a_right_that_is_taken_away_after_it_was_read_is_gone_when_it_is_written(
    signed_in: Enter, web_street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = reported(web_street)
    who = signed_in("head")
    before = len(web_street.entries(case))
    receive = tasks.receive

    def dismissed(*given: Any, **told: Any) -> Any:
        with web_street.database.begin() as conn:
            posts = directory(conn).posts_of(web_street.person["head"], web_street.at)
        for post in posts:
            web_street.do(end_post, post.id, reason="调离", by=web_street.by("admin"))
        return receive(*given, **told)

    monkeypatch.setattr(tasks, "receive", dismissed)
    assert who.post(completion(case), CONFIRM).status_code == 403
    assert len(web_street.entries(case)) == before


def test_nothing_is_looked_for_to_deliver_where_nothing_was_told(
    signed_in: Enter, web_street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = list[str]()

    def counted(*given: Any, **told: Any) -> tuple[int, list[str]]:
        calls.append("deliver")
        return deliver(*given, **told)

    monkeypatch.setattr(visit, "deliver", counted)
    case = reported(web_street)
    assert signed_in("head").post(completion(case), CONFIRM).status_code == 303
    assert calls == []
