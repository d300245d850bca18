"""Somebody began first and was recorded second: no clock is wrong, and nobody is told it was."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from flask import Flask, request

from engine import oversight
from engine.together import Group
from tests.conftest import Street
from tests.web.api_client import program
from tests.web.conftest import Visitor
from tests.web.paths import reported
from tests.web.test_tasks import CONFIRM, path

Enter = Callable[[str], Visitor]
BEHIND = "时钟早于"
OUTRUN = "别人刚刚先办了一步"


@pytest.fixture
def case(web_street: Street) -> str:
    return reported(web_street)


def overtaken(app: Flask, street: Street, case: str) -> datetime:
    """The next request begins now; before it writes, another is recorded a second later.

    The instant of the other. Whoever looks at the clock again finds it two seconds on.
    """
    begun = street.at
    street.at = begun + timedelta(seconds=1)
    street.do(oversight.urge, case, "请抓紧", by=street.by("watch"))
    told = iter([begun])

    def clock() -> datetime:
        later = begun + timedelta(seconds=2)
        return next(told, later) if request.method == "POST" else later

    house = app.extensions["shaoji"]
    app.extensions["shaoji"] = replace(house, clock=clock)
    return begun + timedelta(seconds=1)


def clock_behind(app: Flask, street: Street, case: str) -> None:
    """The server's clock was set back by a minute."""
    street.do(oversight.urge, case, "请抓紧", by=street.by("watch"))
    street.at -= timedelta(minutes=1)


@pytest.mark.parametrize("crowded", [False, True], ids=["alone", "decided before the lock"])
def test_a_step_that_was_overtaken_is_done_as_of_now(
    app: Flask,
    signed_in: Enter,
    web_street: Street,
    case: str,
    monkeypatch: pytest.MonkeyPatch,
    *,
    crowded: bool,
) -> None:
    monkeypatch.setattr(Group, "is_crowded", lambda _: crowded)
    who = signed_in("head")
    last = overtaken(app, web_street, case)
    answer = who.post(path(case, "confirm#1", "/completion"), CONFIRM)
    assert answer.status_code == 303, answer.text
    (done,) = [one for one in web_street.entries(case) if one.type == "task.completed"]
    assert done.at == last + timedelta(seconds=1)
    web_street.check()


def test_so_is_every_act_of_a_program(app: Flask, web_street: Street, case: str) -> None:
    who = program(app, web_street, "head")
    overtaken(app, web_street, case)
    who.do(f"/cases/{case}/tasks/confirm%231/claim")
    web_street.check()


def test_another_act_on_a_page_is_refused_as_outrun_and_can_be_done_again(
    app: Flask, signed_in: Enter, web_street: Street, case: str
) -> None:
    who, before = signed_in("head"), len(web_street.entries(case))
    overtaken(app, web_street, case)
    refused = who.post(path(case, "confirm#1", "/claim"))
    assert refused.status_code == 409
    assert OUTRUN in refused.text
    assert BEHIND not in refused.text
    assert len(web_street.entries(case)) == before + 1
    assert who.post(path(case, "confirm#1", "/claim")).status_code == 303
    web_street.check()


def test_where_the_clock_stands_behind_that_is_what_is_told(
    app: Flask, signed_in: Enter, web_street: Street, case: str
) -> None:
    who, robot = signed_in("head"), program(app, web_street, "head2")
    clock_behind(app, web_street, case)
    for act, form in (("/completion", CONFIRM), ("/claim", {})):
        refused = who.post(path(case, "confirm#1", act), form)
        assert refused.status_code == 409
        assert BEHIND in refused.text
    refused = robot.act(f"/cases/{case}/tasks/confirm%231/claim")
    assert BEHIND in refused.json["detail_zh"]
    web_street.check()
