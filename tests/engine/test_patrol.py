"""Patrol plans and patrols through commands: every end, every boundary, every message."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from engine.cases import NotYourTask, Place, Separated
from engine.errors import NotAllowed
from engine.forms import FormRefused
from engine.openers import NotTheOpener
from engine.people import close_unit, directory, end_post, grant_post
from engine.risk_reports import read_risk
from engine.signals import confirm
from engine.turns import NotDrawn, recall, return_task
from tests.conftest import Street
from tests.engine.light_street import AT, ITEM, Light, light
from tests.engine.metrics_compared import compared
from tests.engine.test_signals import RULES, found, kept_up


@pytest.fixture
def s(street: Street) -> Iterator[Light]:
    yield light(street)
    street.check()


# --- the plan -------------------------------------------------------------------------------------


def test_a_plan_opens_a_patrol_at_once_and_one_after_each_day(s: Light) -> None:
    plan = s.begin("patrol_plan", patroller="walker")
    (first,) = plan.children
    assert first.state.process == "patrol"
    assert first.state.title == "楼道和车棚"
    assert first.holder("walk") == "walker"
    assert first.deadline("walk") == "WD1"
    plan.wait(hours=23)
    assert len(plan.children) == 1
    for day in (2, 3, 4):
        plan.wait(days=1)
        assert len(plan.children) == day
    assert plan.open == []
    assert plan.ended is None


def test_a_plan_names_its_opener_as_reporter_of_the_first_patrol_only(s: Light) -> None:
    plan = s.begin("patrol_plan")
    plan.wait(days=1, minutes=1)
    first, second = plan.children
    assert first.all("case.opened")[0].actor["person"] == s.street.person["walker"]
    assert "person" not in second.all("case.opened")[0].actor  # the clock opened it


@pytest.mark.parametrize(("interval", "days"), [("EVERY_WEEK", 7), ("EVERY_MONTH", 30)])
def test_a_plan_may_be_weekly_or_monthly(s: Light, interval: str, days: int) -> None:
    plan = s.begin("patrol_plan", interval=interval)
    plan.wait(days=days, minutes=-1)
    assert len(plan.children) == 1
    plan.wait(minutes=2)
    assert len(plan.children) == 2


def test_a_plan_of_two_rounds_ends_with_the_second(s: Light) -> None:
    plan = s.begin("patrol_plan", rounds=2)
    assert plan.ended is None
    plan.wait(days=1, minutes=1)
    assert plan.ended == "completed"
    assert len(plan.children) == 2
    # What a patrol tells a plan that has ended is noted and changes nothing.
    plan.children[1].do("walk")
    assert [e.data["message"] for e in plan.all("message.received")] == ["case.ended"]
    assert plan.ended == "completed"


def test_a_plan_taken_back_opens_nothing_more_and_its_open_patrol_goes_on(s: Light) -> None:
    plan = s.begin("patrol_plan")
    plan.act(recall, "改由物业巡", by="walker")
    assert plan.ended == "recalled"
    plan.wait(days=3)
    (patrol,) = plan.children
    assert patrol.open == ["walk"]
    assert patrol.do("walk").do("explain_missed").ended == "nil_report"
    with pytest.raises(NotDrawn):
        plan.act(recall, "再撤一次", by="walker")


def test_only_whoever_patrols_there_sets_a_plan_or_takes_it_back(s: Light) -> None:
    with pytest.raises(NotAllowed, match="巡查"):
        s.begin("patrol_plan", by="warden")
    plan = s.begin("patrol_plan")
    with pytest.raises(NotTheOpener):
        plan.act(recall, "不归我", by="warden")
    assert plan.act(recall, "换人", by="walker2").ended == "recalled"


# --- the patrol -----------------------------------------------------------------------------------


def test_nothing_found_is_said_and_the_plan_hears_of_it(s: Light) -> None:
    plan = s.begin("patrol_plan")
    (patrol,) = plan.children
    patrol.do("walk")
    assert patrol.ended == "nil_report"
    assert patrol.children == []
    (heard,) = plan.all("message.received")
    assert heard.data["form"] == {"outcome": "nil_report"}


def test_a_nil_report_says_what_was_looked_at(s: Light) -> None:
    patrol = s.begin("patrol")
    with pytest.raises(FormRefused, match="看了哪些"):
        patrol.do("walk", checked=None)
    with pytest.raises(FormRefused, match="有没有不符合"):
        patrol.do("walk", result=None)


def test_each_thing_wrong_becomes_a_hazard_with_what_was_entered(s: Light) -> None:
    patrol = s.begin("patrol").do("walk", result="found", count=2)
    assert patrol.holder("record_item") == "walker"
    patrol.do("record_item")
    assert patrol.ended is None
    patrol.do("record_item", category="charging", danger_now=True, title="飞线")
    assert patrol.ended == "items_reported"
    one, other = patrol.children
    opened = one.all("case.opened")[0].data
    assert opened["form"] == {**ITEM, "discovered_at": AT}
    assert opened["category"] == "corridor"
    assert opened["place"]["address"] == ITEM["address"]
    assert opened["origin"]["case"] == patrol.case
    assert one.deadline("confirm") == "WD1"
    assert other.deadline("confirm") == "M30"  # danger now


def test_whoever_walked_does_not_confirm_what_they_found(s: Light) -> None:
    patrol = s.begin("patrol", by="walker2").do("walk", by="walker2", result="found", count=1)
    (hazard,) = patrol.do("record_item", by="walker2").children
    form = {"verdict": "hazard", "level": "general", "danger_now": False, "object": "二层",
            "reason": "属实"}  # fmt: skip
    with pytest.raises(Separated):
        s.street.complete(hazard.case, "confirm#1", "walker2", form)
    s.street.complete(hazard.case, "confirm#1", "head", form)
    assert hazard.open == ["assign"]


def test_the_patroller_named_walks_and_nobody_else(s: Light) -> None:
    patrol = s.begin("patrol", patroller="walker2")
    with pytest.raises(NotYourTask):
        patrol.do("walk", by="walker")
    assert patrol.do("walk", by="walker2").ended == "nil_report"


def test_a_wrong_number_is_sent_back_and_corrected(s: Light) -> None:
    patrol = s.begin("patrol").do("walk", result="found", count=3).do("record_item")
    patrol.act(return_task, patrol.task("record_item").key, "只有一处，多写了", by="walker")
    assert patrol.open == ["walk"]
    assert patrol.do("walk", result="found", count=1).ended == "items_reported"
    assert len(patrol.children) == 1


def test_a_late_patrol_is_explained_by_the_community_and_still_walked(s: Light) -> None:
    patrol = s.begin("patrol")
    patrol.wait(days=2)
    assert patrol.open == ["explain_missed", "walk"]
    assert patrol.task("explain_missed").units[-1] == "u-tingtao"
    assert patrol.do("explain_missed").open == ["walk"]
    assert patrol.do("walk").ended == "nil_report"


def test_a_patrol_walked_late_stays_open_until_it_is_explained(s: Light) -> None:
    patrol = s.begin("patrol")
    patrol.wait(days=2)
    assert patrol.do("walk").ended is None
    assert patrol.do("explain_missed").ended == "nil_report"


def test_a_patrol_walked_in_time_needs_no_explanation(s: Light) -> None:
    patrol = s.begin("patrol").do("walk")
    patrol.wait(days=5)
    assert patrol.ended == "nil_report"


def test_a_patrol_that_cannot_be_walked_is_decided_on_by_the_community(s: Light) -> None:
    patrol = s.begin("patrol", patroller="walker")
    patrol.act(return_task, patrol.task("walk").key, "道路封闭", by="walker")
    assert patrol.open == ["excuse"]
    assert patrol.do("excuse", decision="walk").holder("walk") == "walker"
    patrol.act(return_task, patrol.task("walk").key, "台风", by="walker")
    assert patrol.do("excuse").ended == "not_walked"


# --- the second look ------------------------------------------------------------------------------


def drawn(s: Light, **form: Any) -> Light:
    """A patrol on which the lot fell: one in twenty, by the hash of what was entered."""
    for _ in range(600):
        patrol = s.begin("patrol").only("walk", **form)
        if patrol.drawn:
            return patrol
    raise AssertionError("the lot fell on none of 600")


def test_another_community_looks_again_at_a_nil_report_that_stands(s: Light) -> None:
    patrol = drawn(s)
    assert patrol.task("recheck").units == ("u-other",)
    assert patrol.deadline("recheck") == "WD2"
    assert patrol.ended is None
    with pytest.raises(NotYourTask):
        patrol.only("recheck", by="head")
    assert patrol.only("recheck").ended == "nil_report"
    (lot, chosen) = [lot for one in patrol.all("case.advanced") for lot in one.data.get("lots", ())]
    assert lot == {"lot": "draw_lot", "per_mille": 50, "drawn": True}
    assert chosen["candidates"] == ["u-other"]


def test_what_the_patrol_missed_becomes_a_hazard_of_whoever_looked_again(s: Light) -> None:
    patrol = drawn(s)
    looked = ["corridor", "charging", "gas"]  # of which the patrol said nothing
    patrol.only("recheck", looked_again=looked, result="changed", changed=["corridor"], count=1)
    assert patrol.holder("record_missed") == "other"
    (hazard,) = patrol.only("record_missed").children
    assert hazard.all("case.opened")[0].data["form"] == {**ITEM, "discovered_at": AT}
    assert patrol.ended == "nil_report"  # what was said stays as it was said
    assert compared(s.street, "rechecked_items") == (1, 2)


def test_a_nil_report_that_does_not_hold_is_a_signal_and_counts_once_a_person_says_so(
    s: Light,
) -> None:
    patrol = drawn(s).only("recheck")
    assert found(s.street, "B7") == []
    patrol = drawn(s).only("recheck", result="changed", changed=["corridor"], count=0)
    walk, look = (entry.seq for entry in patrol.all("task.completed"))
    assert found(s.street, "B7") == [(patrol.case, (walk, look))]
    kept_up(s.street)
    assert compared(s.street, "suppressed") == (0, 0)
    patrol.act(confirm, "B7", walk, "楼道堆物已有多日", rules=RULES, by="watch")
    assert compared(s.street, "suppressed") == (1, 1)


def test_a_wrong_number_of_what_was_missed_is_sent_back_and_corrected(s: Light) -> None:
    patrol = drawn(s).only("recheck", result="changed", changed=["corridor"], count=3)
    patrol.only("record_missed")
    patrol.act(return_task, patrol.task("record_missed").key, "只有一处", by="other")
    assert patrol.open == ["recheck"]
    assert patrol.only("recheck", result="changed", changed=["corridor"], count=1).open == []
    assert (patrol.ended, len(patrol.children)) == ("nil_report", 1)


def test_only_what_was_looked_at_again_can_be_changed(s: Light) -> None:
    patrol = drawn(s)
    with pytest.raises(FormRefused, match="只能从“复核了哪些”里勾过的选"):
        patrol.only("recheck", result="changed", changed=["gas"], count=0)
    with pytest.raises(FormRefused, match="改判哪些"):
        patrol.only("recheck", result="changed", count=0)
    with pytest.raises(FormRefused, match="漏查几处"):
        patrol.only("recheck", result="changed", changed=["corridor"])


def test_a_risk_report_names_a_nil_report_that_is_still_to_be_looked_at_again(s: Light) -> None:
    form = {name: ITEM[name] for name in ("title", "category", "address", "description")}
    known = s.street.report(
        "hazard", "grid", place=Place("u-grid-1", ITEM["address"]), form=form,
        category=ITEM["category"], title=ITEM["title"],
    )  # fmt: skip
    patrol = drawn(s)
    with s.street.database.begin() as conn:
        at = s.street.at + timedelta(minutes=1)
        told = read_risk(conn, known, at, by=s.street.by("watch"), at=at).content
    assert patrol.case in {one.case for one in told.nil}
    assert patrol.ended is None


def test_whoever_walked_does_not_look_again_with_another_post_either(s: Light) -> None:
    with s.street.database.begin() as conn:
        grant_post(conn, s.street.person["walker"], "u-other", "兼职", ["reinspect"], reason="兼",
                   by=None, at=s.street.at)  # fmt: skip
    patrol = drawn(s)
    with pytest.raises(Separated):
        patrol.only("recheck", by="walker")
    assert patrol.only("recheck").ended == "nil_report"


def test_where_the_street_has_one_community_its_office_looks_again(s: Light) -> None:
    with s.street.database.begin() as conn:
        grant_post(conn, s.street.person["mayor"], "u-street", "督查", ["reinspect"], reason="兼",
                   by=None, at=s.street.at)  # fmt: skip
        for name in ("other", "warden2"):
            (post,) = directory(conn).posts_of(s.street.person[name], s.street.at)
            end_post(conn, post.id, reason="撤并", by=None, at=s.street.at)
        close_unit(conn, "u-other", reason="并入听涛社区", by=None, at=s.street.at)
    patrol = drawn(s)
    assert patrol.task("recheck").units == ("u-street",)
    assert patrol.only("recheck", by="mayor").ended == "nil_report"


def test_a_patrol_not_walked_is_told_to_the_plan_as_such(s: Light) -> None:
    plan = s.begin("patrol_plan")
    (patrol,) = plan.children
    patrol.act(return_task, patrol.task("walk").key, "台风", by="walker")
    patrol.do("excuse")
    assert plan.all("message.received")[0].data["form"] == {"outcome": "not_walked"}
