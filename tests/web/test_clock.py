"""The clock as drawn: what is used, what is left, which mark it stands beyond."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from engine.calendar import Calendar, read_calendar
from engine.inbox import InboxRow
from web.clock import RULER, TOOTH, clock_view, tally, teeth

# A Monday, 09:00 in Shanghai.
MONDAY = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def cal() -> Calendar:
    root = Path(__file__).parents[2]
    return read_calendar((root / "workflows/calendar/cn.toml").read_bytes())


def row(**told: Any) -> InboxRow:
    started = told.pop("started", MONDAY)
    allowed = told.pop("allowed", 480)
    usual: dict[str, Any] = {
        "case": "hazard-2026-00001",
        "task": "confirm#1",
        "element": "confirm",
        "number": "听澜-隐-2026-00001",
        "title": "车棚飞线充电",
        "address": "听涛苑 3 幢",
        "unit": "u-grid-1",
        "level": None,
        "process": "hazard",
        "status": "open",
        "duty": "confirm",
        "holder": None,
        "opened_at": started,
        "due": started + timedelta(minutes=allowed),
        "clock": "natural",
        "deadline_class": "WD1",
        "allowed": allowed,
        "used": 0,
        "started": started,
        "paused_until": None,
        "paused_for": None,
        "paused_used": None,
        "request": None,
        "standing": False,
    }
    return InboxRow(**(usual | told))


def test_a_step_without_a_limit_has_no_clock(cal: Calendar) -> None:
    assert clock_view(row(due=None), cal, MONDAY) is None


def test_used_and_left_are_rounded_down(cal: Calendar) -> None:
    view = clock_view(row(), cal, MONDAY + timedelta(minutes=100, seconds=59))
    assert view is not None
    assert (view.used, view.left, view.state, view.percent) == (100, 379, "ok", 20)


def test_from_four_fifths_on_the_limit_is_near(cal: Calendar) -> None:
    before = clock_view(row(), cal, MONDAY + timedelta(minutes=383))
    after = clock_view(row(), cal, MONDAY + timedelta(minutes=384))
    assert before is not None
    assert before.state == "ok"
    assert after is not None
    assert after.state == "near"


def test_the_limit_itself_is_still_in_time(cal: Calendar) -> None:
    at = clock_view(row(), cal, MONDAY + timedelta(minutes=480))
    beyond = clock_view(row(), cal, MONDAY + timedelta(minutes=480, seconds=1))
    assert at is not None
    assert (at.state, at.late, at.left) == ("near", 0, 0)
    assert beyond is not None
    assert (beyond.state, beyond.late, beyond.bar) == ("late", 1, 100)


def test_office_time_stands_still_at_night(cal: Calendar) -> None:
    due = datetime(2026, 3, 3, 1, 0, tzinfo=UTC)
    working = row(clock="working", due=due)
    evening = clock_view(working, cal, datetime(2026, 3, 2, 12, 0, tzinfo=UTC))
    morning = clock_view(working, cal, datetime(2026, 3, 2, 23, 0, tzinfo=UTC))
    assert evening is not None
    assert morning
    assert evening.used == morning.used
    assert evening.working_day == 480


def test_time_used_before_a_pause_counts(cal: Calendar) -> None:
    view = clock_view(row(used=200), cal, MONDAY + timedelta(minutes=100))
    assert view is not None
    assert view.used == 300


def test_a_stopped_clock_says_for_whom_and_until_when(cal: Calendar) -> None:
    until = MONDAY + timedelta(days=4)
    paused = row(paused_until=until, paused_for="澜江燃气", paused_used=120)
    view = clock_view(paused, cal, MONDAY + timedelta(days=2))
    assert view is not None
    assert (view.state, view.used, view.late) == ("paused", 120, 0)
    assert (view.paused_for, view.paused_until) == ("澜江燃气", until)


@pytest.mark.parametrize("percent", [100, 101, 110, 116, 124, 125, 400, 10_000])
def test_teeth_begin_beyond_the_limit_and_stay_on_the_ruler(percent: int) -> None:
    found = teeth(percent)
    assert found
    assert found[0] > 100
    assert found[-1] + TOOTH <= RULER


def test_more_time_over_means_more_teeth() -> None:
    assert len(teeth(101)) < len(teeth(112)) < len(teeth(125)) == len(teeth(900))


def test_a_tally_is_most_pressing_first_and_leaves_out_what_does_not_occur(cal: Calendar) -> None:
    at = MONDAY + timedelta(minutes=481)
    views = [clock_view(row(allowed=allowed), cal, at) for allowed in (9000, 480, 480, 9000)]
    assert list(tally([*views, None]).items()) == [("late", 2), ("ok", 2)]
