"""The whistle through commands, with all its cases, every way of it; the whole log is verified."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from audit.metrics.catalogue import METRICS
from audit.metrics.fold import case_facts
from audit.metrics.marks import Period, seen
from audit.metrics.places import Places
from engine.cases import NotYourTask, Separated
from engine.errors import NotAllowed
from engine.forms import FormRefused
from engine.openers import NotTheOpener
from engine.parties import NotJoinable, add_party, remove_party
from engine.people import grant_post
from engine.rebuild import rebuild
from engine.site_codes import WrongCode
from engine.turns import NotDrawn, WindowClosed, raise_objection, recall, return_task
from engine.vault import Vault
from tests.conftest import Street
from tests.engine.whistle_street import OBJECTION, OPENING, Whistle, whistle
from web.formulas import formulas


@pytest.fixture
def w(street: Street, vault: Vault) -> Iterator[Whistle]:
    yield whistle(street)
    street.check()


def object_(w: Whistle, unit: str, element: str = "sign_in", by: str = "fire") -> None:
    w.act(raise_objection, w.task(element, unit).key, OBJECTION, by=by, case=unit)


# --- the straight ways ----------------------------------------------------------------------------


def test_an_everyday_whistle_from_the_first_blow_to_its_end(w: Whistle) -> None:
    w.blow()
    assert w.open() == ["review"]
    w.do("review")
    assert w.open() == ["fix_list"]
    w.do("fix_list")
    assert w.open() == []
    assert w.open("u-fire") == w.open("u-urban") == ["sign_in"]
    assert w.state_of("u-fire").title == OPENING["title"]
    opened = w.entries("u-fire")[0].data["form"]
    assert (opened["kind"], opened["lead"], opened["why"]) == ("daily", "u-fire", OPENING["why"])
    w.arrived("u-fire")
    assert w.open() == ["first_measures", "joint_record"]
    w.arrived("u-urban").do("first_measures").do("joint_record")
    assert w.open("u-urban") == ["do_part"]  # solved sends nobody home
    w.worked("u-fire", "release_by_desk").worked("u-urban")
    w.evaluated("u-fire")
    assert w.open() == []
    w.evaluated("u-urban")
    assert w.open() == ["close"]
    w.do("close")
    assert w.ended() == "closed_solved"
    assert w.ended("u-fire") == w.ended("u-urban") == "responded"
    assert [child.outcome for child in w.state.children.values()] == ["responded", "responded"]


def test_a_hard_problem_solved_in_part_is_looked_at_again(w: Whistle) -> None:
    w.blow(kind="tackle").do("review").do("fix_list")
    assert w.clock("sign_in", "u-fire") == "WD1"
    w.arrived().arrived("u-urban")
    w.do("joint_record", result="partly", left="外墙整体翻新列入明年计划，住建接着办")
    w.worked("u-fire", "release_by_desk").worked("u-urban")
    w.evaluated("u-fire").evaluated("u-urban").do("close")
    assert w.open() == []
    assert w.ended() is None
    w.wait(days=29)
    assert w.open() == []
    w.wait(days=1, minutes=1)
    assert w.open() == ["recheck"]
    w.do("recheck")
    assert w.ended() == "closed_partly"


def test_a_problem_there_again_after_thirty_days_is_a_new_hazard(w: Whistle) -> None:
    w.blow(kind="tackle").do("review").do("fix_list").both_done().do("close")
    w.wait(days=31)
    with pytest.raises(FormRefused, match="现场照片"):
        w.do("recheck", result="present", title="又掉砖", findings="西侧又松动")
    w.do("recheck", result="present", title="又掉砖", findings="西侧又松动", photo=True)
    assert w.ended() == "closed_recurred"
    hazard = w.entries(w.only("hazard"))[0]
    assert hazard.data["form"]["description"] == "西侧又松动"
    assert hazard.actor["person"] == w.street.person["blower"]


# --- W1 W2: blowing, reviewing, sending back ------------------------------------------------------


def test_only_posts_with_the_right_blow(w: Whistle) -> None:
    with pytest.raises(NotAllowed, match="吹哨"):
        w.blow(by="grid")
    with pytest.raises(FormRefused, match="为什么我们自己办不了"):
        w.blow(why=None)


def test_whoever_blew_does_not_review_it(w: Whistle) -> None:
    w.blow(by="officer")
    with pytest.raises(Separated, match="上报"):
        w.do("review", by="officer")
    w.do("review", by="officer2")
    assert w.open() == ["fix_list"]


def test_a_whistle_sent_back_is_blown_again_or_given_up(w: Whistle) -> None:
    w.blow()
    w.act(return_task, w.task("review").key, "没说清哪一面墙", by="officer")
    assert w.open() == ["amend"]
    with pytest.raises(NotYourTask):
        w.do("amend", by="elsewhere")
    w.do("amend")
    assert w.open() == ["review"]
    w.act(return_task, w.task("review").key, "物业能办", by="officer")
    w.do("amend", by="blower2", decision="give_up", matter=None)
    assert w.ended() == "given_up"
    assert len(w.all("task.returned")) == 2


def test_whoever_blows_from_the_street_amends_evaluates_and_looks_again_there(w: Whistle) -> None:
    w.blow(by="officer")
    w.act(return_task, w.task("review").key, "写清楚", by="officer2")
    with pytest.raises(NotYourTask):
        w.do("amend", by="blower")
    w.do("amend", by="officer").do("review", by="officer2").do("fix_list")
    w.arrived("u-fire").do("joint_record").worked("u-fire", "release_by_desk")
    with pytest.raises(NotYourTask):
        w.do("evaluate", "u-fire")
    w.do("evaluate", "u-fire", by="officer")


def test_an_opinion_is_asked_of_anybody_with_a_post(w: Whistle) -> None:
    w.called().arrived().do(
        "joint_record", result="cannot", summary="产权不清", question="谁出钱拆"
    )
    consultation = w.only("consultation")
    w.do("convene", consultation, participants=["mayor", "fire_chief"])
    w.do("give_opinion", "mayor", by="mayor")
    with pytest.raises(NotYourTask):
        w.do("give_opinion", "fire_chief", by="mayor")
    w.do("give_opinion", "fire_chief", by="fire_chief")


# --- emergencies ----------------------------------------------------------------------------------


def test_an_emergency_calls_at_once_and_is_ratified_within_a_day_beside(w: Whistle) -> None:
    w.emergency("u-fire", "u-urban")
    assert w.open() == ["ratify"]
    assert w.clock("ratify") == "U24"
    assert w.open("u-fire") == w.open("u-urban") == ["arrive_at_once"]
    assert w.clock("arrive_at_once", "u-fire") == "E20"
    w.do("arrive_at_once", "u-fire")
    assert w.open() == ["first_measures", "name_lead", "ratify"]
    assert w.task("first_measures").holder == w.street.person["fire"]
    w.do("first_measures").do("name_lead").do("ratify")
    assert w.heard("u-fire") == w.heard("u-urban") == ["whistle.lead"]
    assert w.task("joint_record").units == ("u-urban",)
    w.do("joint_record", by="urban")
    assert w.open("u-fire") == ["do_part"]
    assert w.open("u-urban") == ["evaluate", "evaluate_whistle"]  # finished before it came
    w.do("do_part", "u-fire").do("release_part", "u-fire", by="urban")
    w.evaluated("u-fire").evaluated("u-urban")
    assert (w.ended("u-fire"), w.ended("u-urban")) == ("responded", "absent")
    w.do("close").wait(days=31).do("recheck")
    assert w.ended() == "closed_solved"


def test_an_emergency_without_departments_is_the_desks_for_ten_minutes(w: Whistle) -> None:
    w.emergency()
    assert w.open() == ["fix_list", "ratify"]
    assert w.clock("fix_list") == "M10"
    w.do("fix_list").do("arrive_at_once", "u-fire")
    assert w.open() == ["first_measures", "joint_record", "ratify"]


def test_who_blew_an_emergency_does_not_ratify_it_and_refusing_stops_nothing(w: Whistle) -> None:
    w.emergency("u-fire")
    w.street.do(
        grant_post, w.street.person["blower"], "u-street", "挂职", ["approve"],
        reason="兼任", by=None,
    )  # fmt: skip
    with pytest.raises(Separated):
        w.do("ratify", by="blower")
    w.do("ratify", decision="not_ratified", reason="没有危险")
    assert w.open("u-fire") == ["arrive_at_once"]
    w.do("arrive_at_once", "u-fire")
    assert w.open() == ["first_measures", "name_lead"]


def test_only_the_first_to_come_takes_the_first_measures(w: Whistle) -> None:
    w.emergency("u-fire", "u-urban")
    w.do("arrive_at_once", "u-urban").do("arrive_at_once", "u-fire")
    assert w.heard() == ["response.arrived", "response.arrived"]
    assert w.task("first_measures").holder == w.street.person["urban"]
    with pytest.raises(NotYourTask):
        w.do("first_measures", by="fire")
    w.do("first_measures", by="urban")


def test_until_a_lead_is_named_the_desk_releases(w: Whistle) -> None:
    w.emergency("u-fire", "u-urban")
    w.do("arrive_at_once", "u-fire").do("do_part", "u-fire")
    assert w.open("u-fire") == ["release_by_desk"]
    w.do("release_by_desk", "u-fire", decision="rework", left="东侧还有")
    assert w.clock("do_part", "u-fire") == "RW1"
    w.do("name_lead").do("do_part", "u-fire")
    assert w.open("u-fire") == ["release_part"]


# --- W4: signing in, objecting, being late --------------------------------------------------------


def test_an_objection_upheld_releases_and_the_desk_calls_another(w: Whistle) -> None:
    w.called(departments=["u-fire"])
    object_(w, "u-fire")
    assert w.open("u-fire") == ["rule_objection"]
    w.do("rule_objection", "u-fire", ruling="upheld")
    assert w.ended("u-fire") == "released"
    assert w.open() == ["replace"]
    assert w.state.variables["released"]["proposed"] == "u-housing"
    w.do("replace")
    assert w.open("u-housing") == ["sign_in"]
    w.arrived("u-housing")
    assert w.open() == ["first_measures", "name_lead"]  # it was to lead
    w.do("name_lead", lead="u-housing")
    assert w.task("joint_record").units == ("u-housing",)


def test_the_desk_need_not_call_another(w: Whistle) -> None:
    w.called()
    object_(w, "u-fire")
    w.do("rule_objection", "u-fire", ruling="upheld").do("replace", departments=None)
    assert w.open() == []
    assert w.open("u-urban") == ["sign_in"]


def test_two_released_while_the_desk_is_busy_are_both_before_it(w: Whistle) -> None:
    w.called()
    object_(w, "u-fire")
    object_(w, "u-urban", by="urban")
    w.do("rule_objection", "u-fire", ruling="upheld")
    w.do("rule_objection", "u-urban", ruling="upheld")
    assert w.open() == ["replace", "replace"]
    w.do("replace").do("replace", departments=["u-gas"])
    assert w.open("u-housing") == w.open("u-gas") == ["sign_in"]


def test_an_objection_rejected_binds(w: Whistle) -> None:
    w.called()
    object_(w, "u-fire")
    w.do("rule_objection", "u-fire")
    assert w.open("u-fire") == ["sign_in_bound"]
    with pytest.raises(NotDrawn, match="裁定"):
        object_(w, "u-fire", "sign_in_bound")
    w.do("sign_in_bound", "u-fire").do("arrive", "u-fire")
    assert w.open("u-fire") == ["do_part"]


def test_an_objection_comes_before_half_of_the_limit(w: Whistle) -> None:
    w.called()
    w.street.later(hours=6)  # with the noon break, more than four working hours
    with pytest.raises(WindowClosed, match="4 个工作时"):
        object_(w, "u-fire")
    w.do("sign_in", "u-fire")


def test_in_an_emergency_the_objection_does_not_stop_the_department(w: Whistle) -> None:
    w.emergency("u-fire")
    object_(w, "u-fire", "arrive_at_once")
    assert w.open("u-fire") == ["arrive_at_once", "rule_at_once"]
    with pytest.raises(NotDrawn):
        object_(w, "u-fire", "arrive_at_once")
    w.do("arrive_at_once", "u-fire").do("rule_at_once", "u-fire")
    assert w.open("u-fire") == ["do_part"]


def test_in_an_emergency_an_objection_upheld_lets_go_even_who_is_there(w: Whistle) -> None:
    w.emergency("u-fire")
    object_(w, "u-fire", "arrive_at_once")
    w.do("arrive_at_once", "u-fire").do("rule_at_once", "u-fire", ruling="upheld")
    assert w.ended("u-fire") == "released"
    assert w.open() == ["first_measures", "name_lead", "ratify", "replace"]
    w.do("replace").do("name_lead", lead="u-housing")
    assert w.heard("u-housing") == ["whistle.lead"]
    assert w.open("u-housing") == ["arrive_at_once"]


def test_in_an_emergency_an_objection_comes_within_ten_minutes(w: Whistle) -> None:
    w.emergency("u-fire")
    w.street.later(minutes=10)
    with pytest.raises(WindowClosed):
        object_(w, "u-fire", "arrive_at_once")


def test_a_department_that_does_not_sign_in_is_before_its_leader_then_the_district(
    w: Whistle,
) -> None:
    w.called()
    w.wait("u-fire", hours=1, minutes=1)
    assert w.open("u-fire") == ["leader_called", "sign_in"]
    w.wait("u-fire", hours=1, minutes=1)
    assert w.open("u-fire") == ["district_called", "leader_called", "sign_in"]
    assert w.task("district_called", "u-fire").units == ("u-district",)
    w.wait("u-fire", days=90)
    assert w.ended("u-fire") is None  # never closed by time
    w.do("district_called", "u-fire").do("leader_called", "u-fire")
    assert w.open("u-fire") == ["sign_in"]


def test_a_department_bound_or_signed_in_and_late_is_before_its_leader_too(w: Whistle) -> None:
    w.called()
    object_(w, "u-fire")
    w.do("rule_objection", "u-fire").wait("u-fire", hours=1, minutes=1)
    assert w.open("u-fire") == ["leader_called", "sign_in_bound"]
    w.do("leader_called", "u-fire").do("sign_in_bound", "u-fire").wait("u-fire", days=2)
    assert w.open("u-fire") == ["arrive", "contact", "leader_called"]
    w.do("arrive", "u-fire")
    assert w.open("u-fire") == ["do_part"]


def test_a_department_late_in_an_emergency_is_before_its_leader_then_the_district(
    w: Whistle,
) -> None:
    w.emergency("u-fire").wait("u-fire", minutes=21)
    assert w.open("u-fire") == ["arrive_at_once", "leader_at_once"]
    w.wait("u-fire", minutes=11)
    assert w.open("u-fire") == ["arrive_at_once", "district_at_once", "leader_at_once"]
    w.do("district_at_once", "u-fire").do("leader_at_once", "u-fire")
    w.do("arrive_at_once", "u-fire")
    assert w.open("u-fire") == ["do_part"]


@pytest.mark.parametrize(("kind", "after"), [("daily", 2), ("tackle", 8), ("emergency", 1)])
def test_nobody_in_twice_the_limit_is_before_the_district_and_stays_open(
    w: Whistle, kind: str, after: int
) -> None:
    if kind == "emergency":
        w.emergency("u-fire").do("ratify").wait(minutes=41)
    else:
        w.blow(kind=kind).do("review").do("fix_list").wait(days=after, minutes=5)
    assert w.open() == ["district_answer"]
    w.wait(days=365)
    assert w.ended() is None
    w.do("district_answer")
    assert w.open() == []
    assert w.state.messages


# --- arriving -------------------------------------------------------------------------------------


def test_arriving_takes_the_code_of_whoever_blew(w: Whistle) -> None:
    w.called().do("sign_in", "u-fire")
    where, key = w.find("u-fire"), w.task("arrive", "u-fire").key
    with pytest.raises(WrongCode):
        w.street.complete(where, key, "fire", {}, code="000000")
    with pytest.raises(NotTheOpener):
        w.code(by="desk")
    shown = w.code(by="blower2")
    w.street.complete(where, key, "fire2", {}, code=shown)
    w.street.deliver()
    proof = w.all("task.completed", "u-fire")[-1]["proof"]
    assert (proof["case"], proof["code"]) == (w.case, shown)
    assert w.task("first_measures").holder == w.street.person["fire2"]


# --- taking back, adding, taking off --------------------------------------------------------------


@pytest.mark.parametrize("stage", ["review", "fix_list"])
def test_it_can_be_taken_back_before_anybody_is_called(w: Whistle, stage: str) -> None:
    w.blow()
    if stage == "fix_list":
        w.do("review")
    with pytest.raises(NotTheOpener):
        w.act(recall, "误报", by="desk")
    w.act(recall, "误报", by="blower")
    assert w.ended() == "withdrawn_before"
    assert w.family() == []


def test_it_can_be_taken_back_until_the_first_has_come_and_all_are_told(w: Whistle) -> None:
    w.called()
    object_(w, "u-fire")
    w.do("rule_objection", "u-fire", ruling="upheld").do("replace").do("sign_in", "u-urban")
    w.act(recall, "居民自己拆了", by="blower2")
    assert w.ended() == "withdrawn"
    assert w.ended("u-urban") == w.ended("u-housing") == "withdrawn"
    assert w.ended("u-fire") == "released"
    assert w.heard("u-urban") == ["whistle.withdrawn"]


def test_once_somebody_has_come_it_cannot_be_taken_back(w: Whistle) -> None:
    w.called().arrived()
    with pytest.raises(NotDrawn, match="已经有人到场"):
        w.act(recall, "误报", by="blower")


def test_whoever_had_come_when_it_was_taken_back_is_told_too(w: Whistle) -> None:
    w.called().do("sign_in", "u-fire")
    key = w.task("arrive", "u-fire").key
    w.street.complete(w.find("u-fire"), key, "fire", {}, code=w.code())
    # Its message is still on the way: the whistle knows of nobody.
    w.act(recall, "误报", by="blower")
    assert w.ended() == "withdrawn"
    assert w.ended("u-fire") == "withdrawn"


def test_the_desk_adds_a_department_and_takes_one_off(w: Whistle) -> None:
    w.called()
    with pytest.raises(NotAllowed):
        w.act(add_party, "call", "u-gas", "要断气", by="blower")
    w.act(add_party, "call", "u-gas", "要断气", by="desk")
    assert w.open("u-gas") == ["sign_in"]
    assert w.entries("u-gas")[0].data["form"]["lead"] == "u-fire"
    (child,) = [int(seq) for seq, one in w.state.children.items() if one.party == "u-urban"]
    w.arrived("u-urban")
    w.act(remove_party, child, "不归他们", by="desk2")
    assert w.ended("u-urban") == "released_by_desk"
    w.arrived("u-gas")
    assert w.open("u-gas") == ["do_part"]


def test_no_department_is_added_when_all_have_ended(w: Whistle) -> None:
    w.called().both_done()
    assert w.open() == ["close"]
    with pytest.raises(NotJoinable):
        w.act(add_party, "call", "u-gas", "要断气", by="desk")


# --- W4.4 W4.5: the own part ----------------------------------------------------------------------


def test_a_part_takes_a_photo_or_a_reason_and_three_rounds_of_rework_are_possible(
    w: Whistle,
) -> None:
    w.called().arrived("u-urban")
    with pytest.raises(FormRefused, match="现场照片"):
        w.do("do_part", "u-urban", no_photo=None)
    for _ in range(3):
        w.do("do_part", "u-urban", no_photo=None, photo=True)
        with pytest.raises(NotYourTask):
            w.do("release_part", "u-urban", by="urban")  # nobody but the lead lets go
        w.do("release_part", "u-urban", by="fire", decision="rework", left="墙角没清")
        assert w.clock("do_part", "u-urban") == "RW1"
    w.worked("u-urban")
    assert w.open("u-urban") == ["evaluate", "evaluate_whistle"]


def test_the_lead_is_released_by_the_desk(w: Whistle) -> None:
    w.called().arrived().do("do_part", "u-fire")
    assert w.open("u-fire") == ["release_by_desk"]
    w.do("release_by_desk", "u-fire")
    assert w.open("u-fire") == ["evaluate", "evaluate_whistle"]


def test_who_has_not_come_when_it_is_finished_is_evaluated_as_absent(w: Whistle) -> None:
    w.called().arrived("u-urban").do("sign_in", "u-fire").do("joint_record")
    assert w.heard("u-fire") == ["whistle.finished"]
    assert w.open("u-fire") == ["evaluate", "evaluate_whistle"]
    w.evaluated("u-fire")
    assert w.ended("u-fire") == "absent"


def test_who_was_called_instead_is_told_that_it_is_finished(w: Whistle) -> None:
    w.called()
    object_(w, "u-fire")
    w.do("rule_objection", "u-fire", ruling="upheld").do("replace").arrived("u-urban")
    w.do("name_lead").do("joint_record", by="urban")
    assert w.heard("u-housing") == ["whistle.lead", "whistle.finished"]
    w.worked("u-urban", "release_by_desk").evaluated("u-urban")
    assert w.open() == ["first_measures"]
    w.evaluated("u-housing")
    assert w.open() == ["close"]  # and what nobody wrote down in time is not asked any more


# --- W5 W6 W7: one record, consultation, standing -------------------------------------------------


def test_every_problem_found_is_a_hazard_of_its_own(w: Whistle) -> None:
    w.called().arrived()
    for n in range(3):
        w.do("joint_record", result="finding", title=f"第 {n + 1} 处", category="falling",
             description="砖松动", address="听涛苑 4 幢" if n else None, danger_now=n == 2,
             proposed_rectifier="物业", summary=None)  # fmt: skip
    hazards = sorted(case for _, case in w.family() if case.startswith("hazard-"))
    told = [w.entries(case)[0] for case in hazards]
    assert [one.data["title"] for one in told] == ["第 1 处", "第 2 处", "第 3 处"]
    assert [one.data["form"]["address"] for one in told] == [
        "听涛苑 3 幢", "听涛苑 4 幢", "听涛苑 4 幢"
    ]  # fmt: skip
    assert told[2].data["form"]["danger_now"] is True
    assert {one.actor["person"] for one in told} == {w.street.person["fire"]}
    assert w.task("joint_record").key == "joint_record#4"


def stuck(w: Whistle) -> str:
    """A whistle that cannot be solved on the spot; returns its consultation."""
    w.called().arrived()
    w.do("joint_record", result="cannot", summary="产权不清", question="谁出钱拆")
    assert w.open() == ["first_measures"]
    return w.only("consultation")


def test_opinions_are_read_together_and_the_decision_goes_back(w: Whistle) -> None:
    where = stuck(w)
    assert w.entries(where)[0].data["form"]["question"] == "谁出钱拆"
    w.do("convene", where)
    people = ("fire", "urban", "housing")
    for name in people:
        assert w.open(name) == ["give_opinion"]
        assert w.task("give_opinion", name).holder == w.street.person[name]
        if name != "fire":
            w.do("give_opinion", name, by=name, opinion=f"{name} 的意见")
            assert w.all("answers.revealed", name) == []
    w.do("give_opinion", "fire")
    told = {name: w.all("answers.revealed", name)[0]["form"]["opinion"] for name in people}
    assert told == {"fire": "应当拆除", "urban": "urban 的意见", "housing": "housing 的意见"}
    assert {w.ended(name) for name in people} == {"given"}
    assert w.open(where) == ["decide_street"]
    w.do("decide_street", where)
    assert w.ended(where) == "decided"
    assert w.state.variables["decided"]["decision"] == "拆除重做"
    assert w.open() == ["first_measures", "joint_record"]


def test_nobody_else_writes_an_opinion(w: Whistle) -> None:
    w.do("convene", stuck(w))
    with pytest.raises(NotYourTask):
        w.do("give_opinion", "urban", by="fire")


def test_major_risk_is_decided_by_the_district_and_may_stand_for_years(w: Whistle) -> None:
    where = stuck(w)
    w.do("convene", where, risk="major", participants=["fire", "urban"])
    w.do("give_opinion", "fire").do("give_opinion", "urban", by="urban")
    assert w.task("decide_district", where).units == ("u-district",)
    w.do("decide_district", where)
    assert w.open() == ["first_measures", "standing"]
    for _ in range(3):
        w.wait(days=40)
        w.do("standing")
    assert w.ended() is None
    w.do("standing", state="retry", reason="资金到位")
    assert w.open() == ["first_measures", "joint_record"]


def test_who_does_not_write_in_time_is_missing_if_the_desk_goes_on(w: Whistle) -> None:
    where = stuck(w)
    w.do("convene", where).do("give_opinion", "fire")
    w.wait(where, days=3)
    assert w.open(where) == ["proceed"]
    w.do("give_opinion", "urban", by="urban")
    assert w.open(where) == ["proceed"]
    w.do("proceed", where)
    assert [w.ended(name) for name in ("fire", "urban", "housing")] == ["given", "given", "missing"]
    assert w.open(where) == ["decide_street"]


def test_whoever_convened_does_not_decide(w: Whistle) -> None:
    where = stuck(w)
    w.street.do(
        grant_post, w.street.person["desk"], "u-street", "主任", ["approve"], reason="兼", by=None
    )
    w.do("convene", where, participants=["fire", "urban"])
    w.do("give_opinion", "fire").do("give_opinion", "urban", by="urban")
    with pytest.raises(Separated):
        w.do("decide_street", where, by="desk")


def test_a_lead_that_is_gone_is_replaced_and_the_new_one_releases(w: Whistle) -> None:
    w.called().arrived("u-urban")
    object_(w, "u-fire")
    w.do("rule_objection", "u-fire", ruling="upheld").do("replace", departments=["u-gas"])
    assert w.open() == ["first_measures", "name_lead"]
    w.do("name_lead", lead="u-gas")
    assert w.heard("u-urban") == w.heard("u-gas") == ["whistle.lead"]
    w.do("do_part", "u-urban").do("release_part", "u-urban", by="gas")
    (child,) = [int(seq) for seq, one in w.state.children.items() if one.party == "u-gas"]
    w.act(remove_party, child, "抢修去了别处", by="desk")
    assert w.open() == ["first_measures", "name_lead"]
    w.do("name_lead", lead="u-urban")
    assert w.task("joint_record").key == "joint_record#3"
    assert w.task("joint_record").units == ("u-urban",)


def test_the_hazard_that_blew_is_told_the_result(w: Whistle) -> None:
    hazard = w.street.report(
        "hazard", "blower", category="gas",
        form={"title": "漏气", "category": "gas", "address": "3 幢", "description": "有气味",
              "danger_now": True},
    )  # fmt: skip
    confirmed = {"verdict": "hazard", "level": "general", "danger_now": True, "object": "立管",
                 "reason": "闻到气味"}  # fmt: skip
    w.street.complete(hazard, "confirm#1", "head", confirmed)
    measures = {"action": "关阀，疏散", "ordered_by": "社区书记", "people_moved": 12,
                "whistle": True, "departments": ["u-gas"], "why": "要断气抢修"}  # fmt: skip
    w.street.complete(hazard, "first_response#1", "head", measures)
    w.street.deliver()
    w.case = hazard
    w.case = w.only("whistle")
    assert w.open() == ["ratify"]
    assert w.open("u-gas") == ["arrive_at_once"]
    w.do("arrive_at_once", "u-gas").do("name_lead", lead="u-gas").do("ratify")
    w.do("joint_record", by="gas").worked("u-gas", "release_by_desk").evaluated("u-gas")
    w.do("close")
    told = w.all("message.received", hazard)
    assert [(one["message"], one["form"]["result"]) for one in told] == [
        ("whistle.result", "solved")
    ]
    w.wait(days=31).do("recheck")
    assert w.heard(hazard) == ["whistle.result", "case.ended"]


# --- W8: both evaluate ----------------------------------------------------------------------------


def finished(w: Whistle) -> Whistle:
    return w.called().arrived("u-urban").do("joint_record").worked("u-urban")


def test_evaluations_are_sealed_until_both_are_given(w: Whistle) -> None:
    finished(w)
    with pytest.raises(FormRefused, match="为什么"):
        w.do("evaluate", "u-urban", result="unsatisfied")
    w.do("evaluate", "u-urban", result="unsatisfied", effort="none", reason="迟到两小时")
    given = w.all("task.completed", "u-urban")[-1]["form"]
    assert all(set(answer) == {"sealed", "as"} for answer in given.values())
    assert w.all("answers.revealed", "u-urban") == []
    w.do("evaluate_whistle", "u-urban", justified="no", reason="物业能办")
    told = {data["task"]: data["form"] for data in w.all("answers.revealed", "u-urban")}
    assert told["evaluate#1"] == {"result": "unsatisfied", "effort": "none", "reason": "迟到两小时"}
    assert told["evaluate_whistle#1"]["justified"] == "no"
    w.do("defend", "u-urban", answer="defend", text="路上堵车，已报备")
    assert w.ended("u-urban") == "responded"


def test_three_working_days_open_what_was_given(w: Whistle) -> None:
    finished(w).do("evaluate", "u-urban")
    w.wait("u-urban", days=5)
    assert [data["task"] for data in w.all("answers.revealed", "u-urban")] == ["evaluate#1"]
    assert w.open("u-urban") == ["defend"]
    w.wait("u-urban", days=5)
    assert w.ended("u-urban") == "responded"


# --- beyond ---------------------------------------------------------------------------------------


def test_whoever_had_a_part_does_not_close(w: Whistle) -> None:
    w.called().both_done()
    for name in ("blower", "fire"):
        w.street.do(
            grant_post, w.street.person[name], "u-street", "平安办", ["close"], reason="兼", by=None
        )
        with pytest.raises(Separated):
            w.do("close", by=name)
    w.do("close")


def test_everything_can_be_rebuilt_from_the_log(w: Whistle) -> None:
    where = stuck(w)
    w.do("convene", where, participants=["fire", "urban"]).do("give_opinion", "fire")
    before = {case: w.state_of(case) for _, case in w.family()} | {w.case: w.state}
    w.street.do(lambda conn, at: rebuild(conn))
    assert {case: w.state_of(case) for case in before} == before
    w.do("give_opinion", "urban", by="urban")
    assert w.open(where) == ["decide_street"]


# --- what the metrics see of it -------------------------------------------------------------------


def test_an_evaluation_counts_from_when_it_is_opened_and_by_what_was_sealed(w: Whistle) -> None:
    w.blow().do("review").do("fix_list").arrived("u-fire").arrived("u-urban")
    w.do("first_measures").do("joint_record").worked("u-fire", "release_by_desk").worked("u-urban")
    w.do("evaluate", "u-fire", result="satisfied")
    sealed = case_facts(w.entries("u-fire"), formulas())
    assert sealed.acted("answers.revealed") == []
    w.wait(minutes=5).do("evaluate_whistle", "u-fire")
    told = case_facts(w.entries("u-fire"), formulas())
    (act,) = told.acted("answers.revealed")
    assert (act.task, act.said) == ("evaluate#1", "satisfied")
    for until, marks in ((act.at, []), (act.at + timedelta(minutes=1), [("u-fire", 1, 1)])):
        all_ = seen([told], formulas(), Places({}, {}, {}), Period(told.opened, until))
        assert [(m.unit, m.hits, m.of) for m in METRICS["evaluated"].marks(all_)] == marks
