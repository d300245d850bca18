"""B14 on both databases: whistles that need not have been blown, unfinished ones, bursts."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from audit import log
from audit.signals.among_cases import ZONE, signals
from audit.signals.brief import brief
from audit.signals.kept import from_json, to_json
from audit.signals.offices import offices
from audit.signals.rules import read_rules
from engine.cases import Place
from engine.definition_sets import deploy
from engine.definitions import read_folder
from engine.people import grant_post
from engine.signals import all_signals, refresh
from engine.turns import recall, return_task
from tests.conftest import ROOT, Street
from tests.engine.whistle_street import OPENING, Whistle, whistle

RULES = read_rules((ROOT / "workflows/signals/rules.toml").read_bytes())


@pytest.fixture
def w(street: Street) -> Iterator[Whistle]:
    found = whistle(street)
    with street.database.begin() as conn:
        for process in ("patrol_plan", "patrol"):
            deploy(conn, read_folder(ROOT / "workflows" / process), by=None, at=street.at)
        grant_post(
            conn, street.person["blower"], "u-micro-1", "巡查岗", ["patrol"], reason="到任",
            by=None, at=street.at,
        )  # fmt: skip
    yield found
    street.check()


def found(w: Whistle) -> dict[str, tuple[int, ...]]:
    """Case and entries of what B14 finds, kept up to date and from scratch alike."""
    refresh(w.street.database, RULES, lambda _: None)
    with w.street.database.begin() as conn:
        kept = {one.signal for one in all_signals(conn)}
        cases = [name for name in log.streams(conn) if not name.startswith("@")]
        briefs = [brief(log.read(conn, name), RULES) for name in cases]
        known = offices(log.read(conn, "@units"), log.read(conn, "@people"))
    assert [from_json(to_json(one)) for one in briefs] == briefs
    anew = signals(briefs, RULES, (), known)
    assert kept == set(anew)
    return {one.case: one.events for one in anew if one.rule == "B14"}


def plan(w: Whistle, unit: str = "u-micro-1") -> str:
    form = {"title": "联合检查", "category": "patrol_special", "address": OPENING["address"],
            "interval": "EVERY_MONTH"}  # fmt: skip
    case = w.street.report("patrol_plan", "blower", title="联合检查", category="patrol_special",
                           place=Place(unit, OPENING["address"]), form=form)  # fmt: skip
    w.street.deliver()
    return case


def returned(w: Whistle) -> int:
    """Send the newest whistle back; the number of the entry that does."""
    w.act(return_task, w.task("review").key, "没写清在哪里", by="officer")
    return next(one.seq for one in w.entries() if one.type == "task.returned")


def test_an_everyday_whistle_about_the_communitys_own_is_found_and_a_hard_one_is_not(
    w: Whistle,
) -> None:
    w.blow()
    w.blow(kind="tackle", category="corridor")
    assert found(w) == {}
    w.blow(category="corridor")
    assert found(w) == {w.case: (1,)}


def test_a_whistle_for_what_stood_planned_is_found_but_no_emergency_and_none_elsewhere(
    w: Whistle,
) -> None:
    w.blow()
    planned = plan(w)
    w.street.later(hours=1)
    w.blow(address="听涛苑 5 幢")
    w.emergency("u-fire")
    assert found(w) == {}
    told = w.blow().case
    assert found(w) == {told: (1,)}
    w.street.later(hours=1)
    w.street.do(recall, planned, "不再定期查", by=w.street.by("blower"))
    (patrol,) = [case for _, case in Whistle(w.street, planned).family()]
    walked = {"walked_at": w.street.at.isoformat(timespec="seconds"), "checked": ["corridor"],
              "result": "nil"}  # fmt: skip
    w.street.complete(patrol, "walk#1", "blower", walked)
    w.street.later(hours=1)
    w.blow()
    assert found(w) == {told: (1,)}


def test_a_third_of_a_quarters_whistles_sent_back_is_found_in_each_that_was(w: Whistle) -> None:
    w.blow()
    first = w.case, (returned(w),)
    for _ in range(2):
        w.blow()
    second = w.blow().case, (returned(w),)
    assert found(w) == {}
    w.blow()
    assert found(w) == dict((first, second))
    w.blow()
    w.blow()
    assert found(w) == {}


def test_many_whistles_of_one_community_in_the_last_days_of_a_month_are_found(w: Whistle) -> None:
    w.street.at = datetime(2026, 4, 28, 9, tzinfo=ZONE)
    cases = []
    for _ in range(5):
        cases.append(w.blow().case)
        w.street.later(hours=1)
    assert found(w) == dict.fromkeys(cases, (1,))
    w.street.at = datetime(2026, 5, 28, 23, 30, tzinfo=ZONE)
    for minutes in range(4):
        w.blow()
        w.street.later(minutes=minutes)
    w.street.at += timedelta(days=7)
    w.blow()
    assert found(w) == dict.fromkeys(cases, (1,))
