"""The hazard process through commands, every branch of it; the whole log is verified after each."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from engine.cases import NotYourTask, Separated, complete_task
from engine.definition_sets import deploy
from engine.definitions import read_folder
from engine.errors import NotAllowed, Refusal
from engine.forms import FormRefused
from engine.holding import NotFit, claim_task, delegate_task, reassign_task, release_task
from engine.people import By, grant_post, name_substitute, register_person
from engine.turns import (
    AlreadyBegun,
    NotDrawn,
    WindowClosed,
    dispute_result,
    raise_objection,
    reopen,
    return_task,
    withdraw,
)
from tests.conftest import ROOT, Street
from tests.engine.hazard_street import ESCALATED, FAILED, Hazard, hazard

OBJECTION = {"legal_basis": "供热合同", "reason": "管道归供热公司", "proposed_unit": "u-heat"}


@pytest.fixture
def h(street: Street) -> Iterator[Hazard]:
    yield hazard(street)
    street.check()


def object_(h: Hazard, by: str = "owner", **form: Any) -> None:
    h.act(raise_objection, h.task("sign_in").key, {**OBJECTION, **form}, by=by)


def to_draw(h: Hazard) -> None:
    """Past the feedback window and the after-care, to the lot."""
    h.wait(days=10, minutes=1)
    h.wait(days=20, minutes=1)


def drawn(h: Hazard) -> bool:
    return bool(h.state.variables["draw_lot"]["drawn"])


def closed_and_not_drawn(h: Hazard) -> Hazard:
    """A general case of which the lot was not drawn; nine in ten are."""
    for _ in range(20):
        h.closed()
        to_draw(h)
        if not drawn(h):
            return h
    raise AssertionError("drawn twenty times in a row")


def closed_and_drawn(h: Hazard) -> Hazard:
    """A general case of which the lot was drawn; one in ten is."""
    for _ in range(200):
        h.closed()
        to_draw(h)
        if drawn(h):
            return h
    raise AssertionError("not drawn in two hundred")


# --- the straight ways ----------------------------------------------------------------------------


def test_a_general_hazard_goes_from_report_to_its_end(h: Hazard) -> None:
    h.report()
    assert h.open == ["confirm"]
    h.do("confirm")
    assert h.open == ["assign"]
    assert h.state.variables["grade"] == {"level": "general", "plan": False, "term": "G7"}
    h.do("assign")
    assert h.open == ["sign_in"]
    assert h.holder("sign_in") == "owner"
    h.do("sign_in").do("rectify")
    assert h.open == ["accept"]
    assert h.holder("accept") == "acceptor"
    h.do("accept").do("close")
    assert h.open == []
    assert h.state.ended is None  # the reporter has ten days
    closed_and_not_drawn(h)
    assert h.state.ended == "closed_accepted"
    assert not h.state.tasks
    assert not h.state.timers
    assert not h.state.messages
    assert h.last("case.advanced").data["ended"] == "closed_accepted"


def test_a_general_hazard_drawn_and_found_gone_ends_without_a_review(h: Hazard) -> None:
    closed_and_drawn(h)
    unit = h.task("reinspect").units[0]
    h.do("reinspect", by={"u-other": "visitor", "u-third": "visitor2"}[unit])
    assert h.state.ended == "closed_accepted"


def test_a_major_hazard_has_a_plan_a_listing_two_acceptors_and_a_review(h: Hazard) -> None:
    h.report().do("confirm", level="major")
    assert h.open == ["second_look"]
    h.do("second_look")
    assert h.state.variables["grade"]["level"] == "major"
    h.do("assign", second_acceptor="acceptor2").do("sign_in")
    assert h.open == ["write_plan"]
    h.do("write_plan")
    assert h.open == ["approve_plan"]
    h.do("approve_plan", term="MAJ60")
    assert h.open == ["publish_listing"]
    h.do("publish_listing")
    assert h.open == ["rectify"]
    assert h.task("rectify").clock.deadline_class == "MAJ60"  # type: ignore[union-attr]
    h.do("rectify")
    assert h.open == ["accept"]
    h.do("accept")
    assert h.open == ["second_accept"]
    assert h.holder("second_accept") == "acceptor2"
    h.do("second_accept").do("close")
    to_draw(h)
    # Every major case is looked at again, by a community that is not its own.
    assert h.open == ["reinspect"]
    units = h.task("reinspect").units
    assert set(units) <= {"u-other", "u-third"}
    h.do("reinspect", by={"u-other": "visitor", "u-third": "visitor2"}[units[0]])
    assert h.open == ["closing_review"]
    h.do("closing_review")
    assert h.state.ended == "closed_accepted"


def test_an_imported_case_concluded_elsewhere_ends_at_once(h: Hazard) -> None:
    row = {"system": "旧系统", "id": "1", "line": 1, "row_sha256": "ab" * 32,
           "file_sha256": "cd" * 32, "opened": "2025-01-01", "concluded": True,
           "original": [["id", "1"]]}  # fmt: skip
    form = {"title": "旧案", "category": "charging", "address": "3 幢", "description": "旧案"}
    h.case = h.street.report("hazard", "reporter", form=form, imported=row, source="import",
                             category="charging")  # fmt: skip
    assert h.state.ended == "closed_elsewhere"
    assert h.open == []


# --- confirming -----------------------------------------------------------------------------------


def test_not_a_hazard_is_looked_at_again_and_ends_after_the_reporters_ten_days(h: Hazard) -> None:
    h.report()
    with pytest.raises(FormRefused, match="照片"):
        h.do("confirm", verdict="not_hazard", level=None, danger_now=None, object=None)
    not_hazard(h).do("second_look")
    assert h.open == []
    h.wait(days=9, hours=23)
    assert h.state.ended is None
    h.wait(hours=2)
    assert h.state.ended == "closed_not_hazard"


def not_hazard(h: Hazard) -> Hazard:
    """Confirm that it is none; that takes a photo of the site."""
    from tests.conftest import photo

    form = {"verdict": "not_hazard", "reason": "只是停放车辆"}
    h.street.complete(h.case, h.task("confirm").key, "confirmer", form, evidence=[photo("site")])
    return h


def test_the_second_look_may_find_a_hazard_after_all(h: Hazard) -> None:
    not_hazard(h.report())
    h.do("second_look", decision="override", verdict="hazard", level="general")
    assert h.open == ["assign"]
    assert h.state.variables["grade"]["level"] == "general"


def test_the_second_look_may_find_it_major_or_less(h: Hazard) -> None:
    h.report().do("confirm", level="major")
    h.do("second_look", decision="override", verdict="hazard", level="general")
    assert h.state.variables["grade"] == {"level": "general", "plan": False, "term": "G7"}
    h.report()
    not_hazard(h).do("second_look", decision="override", verdict="hazard", level="major")
    assert h.state.variables["grade"]["level"] == "major"


@pytest.mark.parametrize(
    ("verdict", "more", "end"),
    [
        ("duplicate", {"duplicate_of": "hazard-2026-00001"}, "merged"),
        ("other_authority", {"authority": "区住建局"}, "transferred"),
    ],
)
def test_a_duplicate_is_merged_and_what_others_answer_for_is_transferred(
    h: Hazard, verdict: str, more: dict[str, str], end: str
) -> None:
    h.report()
    empty = {"level": None, "danger_now": None, "object": None}
    h.do("confirm", verdict=verdict, **empty, **more).do("second_look")
    h.wait(days=11)
    assert h.state.ended == end


def test_the_reporter_may_dispute_once_and_another_person_looks(h: Hazard) -> None:
    not_hazard(h.report()).do("second_look")
    h.wait(days=9)
    h.dispute(reason="还在原处", still_there=True)
    disputed = h.last("result.disputed")
    assert disputed.data["reason"] == "还在原处"
    assert disputed.data["form"] == {"still_there": True}
    assert h.open == ["second_look"]
    with pytest.raises(Separated, match="复看"):
        h.do("second_look", by="looker")
    h.do("second_look", by="looker2")
    # Agreed a second time: no second window, the case ends.
    assert h.state.ended == "closed_not_hazard"
    with pytest.raises(NotDrawn):
        h.dispute()


def test_a_dispute_may_turn_it_into_a_hazard(h: Hazard) -> None:
    not_hazard(h.report()).do("second_look").dispute()
    h.do("second_look", by="looker2", decision="override", verdict="hazard", level="general")
    assert h.open == ["assign"]


def test_only_the_reporter_disputes_and_only_in_the_window(h: Hazard) -> None:
    h.report()
    with pytest.raises(NotDrawn):
        h.dispute()
    not_hazard(h).do("second_look")
    with pytest.raises(NotAllowed, match="上报人"):
        h.dispute(by="confirmer")
    with pytest.raises(FormRefused):
        h.act(dispute_result, {"still_there": True}, by="reporter")
    with pytest.raises(FormRefused):
        h.act(dispute_result, {"reason": "在", "hidden": 1}, by="reporter")
    with pytest.raises(Refusal):
        h.act(dispute_result, {"reason": "   "}, by="reporter")
    h.street.later(days=10, minutes=5)
    # The window's clock rings before the dispute is looked at: it comes too late.
    with pytest.raises(NotDrawn):
        h.dispute()
    assert h.wait() == 1


# --- danger ---------------------------------------------------------------------------------------


def test_measures_in_danger_run_beside_the_case_and_are_ratified_by_another(h: Hazard) -> None:
    h.report(danger_now=True)
    assert h.task("confirm").clock.deadline_class == "M30"  # type: ignore[union-attr]
    h.do("confirm", danger_now=True)
    assert h.open == ["assign", "first_response"]
    assert h.state.variables["grade"]["term"] == "E2H"
    h.do("assign").do("first_response")
    assert h.open == ["ratify", "sign_in"]
    h.do("sign_in").do("ratify").do("rectify")
    assert h.open == ["accept"]


def test_measures_beyond_the_community_send_a_whistle_at_once_and_once(h: Hazard) -> None:
    h.report().do("confirm", danger_now=True)
    h.do("first_response", whistle=True, departments=["u-heat"], why="要停热力管")
    assert h.open == ["assign", "ratify"]
    (told,) = h.all("message.sent")
    assert (told.data["to"], told.data["message"]) == ("opens:whistle", "whistle.create")
    assert told.data["form"]["departments"] == ["u-heat"]
    assert told.data["form"]["kind"] == "emergency"
    h.do("ratify")
    assert h.all("message.sent") == [told]


def test_the_whistle_of_a_hazard_calls_the_departments_it_names(h: Hazard) -> None:
    for process in ("whistle", "response", "consultation", "opinion"):
        h.street.do(deploy, read_folder(ROOT / "workflows" / process), by=None)
    heater = h.street.person["heater"]
    h.street.do(grant_post, heater, "u-heat", "值班", ["respond"], reason="兼", by=None)
    h.report().do("confirm", danger_now=True, category="gas")
    h.do("first_response", whistle=True, departments=["u-heat"], why="要停热力管")
    h.street.deliver()
    opened = h.street.entries("whistle-2026-00001")[0].data
    assert opened["origin"]["case"] == h.case
    assert (opened["title"], opened["category"]) == ("车棚飞线充电", "gas")
    assert opened["place"]["unit"] == "u-micro-1"
    assert opened["form"]["description"] == "断电，劝离"
    called = h.street.entries("response-2026-00001")[0].data
    assert called["party"] == "u-heat"


def test_whoever_whistles_says_why_and_whoever_does_not_is_not_asked(h: Hazard) -> None:
    h.report().do("confirm", danger_now=True)
    with pytest.raises(FormRefused, match="为什么社区办不了"):
        h.do("first_response", whistle=True)
    h.do("first_response", why="没有勾选，不记")
    assert h.all("message.sent") == []
    assert "why" not in h.last("task.completed").data["form"]


def test_who_took_the_measures_does_not_ratify_them(h: Hazard) -> None:
    h.report().do("confirm", danger_now=True)
    grant_leader(h, "confirmer")
    h.do("first_response", by="confirmer")
    with pytest.raises(Separated):
        h.do("ratify", by="confirmer")
    h.do("ratify", by="chief")


def grant_leader(h: Hazard, name: str) -> None:
    h.street.do(
        grant_post, h.street.person[name], "u-street", "街道领导", ["approve"],
        reason="兼任", by=None,
    )  # fmt: skip


def test_a_case_whose_measures_are_not_ratified_stays_open_to_the_end(h: Hazard) -> None:
    h.report().do("confirm", danger_now=True).do("first_response")
    for element in ("assign", "sign_in", "rectify", "accept", "close"):
        h.do(element)
    to_draw(h)
    if drawn(h):
        unit = h.task("reinspect").units[0]
        h.do("reinspect", by={"u-other": "visitor", "u-third": "visitor2"}[unit])
    assert h.open == ["ratify"]
    assert h.state.ended is None
    h.do("ratify")
    assert h.state.ended == "closed_accepted"


# --- assigning, objecting, returning, withdrawing ------------------------------------------------


def test_an_objection_rejected_is_final(h: Hazard) -> None:
    h.assigned()
    object_(h)
    assert h.open == ["rule_objection"]
    h.do("rule_objection")
    assert h.open == ["sign_in_ordered"]
    assert h.holder("sign_in_ordered") == "owner"
    with pytest.raises(NotDrawn, match="裁定"):
        h.act(raise_objection, h.task("sign_in_ordered").key, OBJECTION, by="owner")
    h.do("sign_in_ordered")
    assert h.open == ["rectify"]


def test_an_objection_upheld_goes_to_the_unit_named(h: Hazard) -> None:
    h.assigned()
    object_(h)
    h.do("rule_objection", ruling="upheld", unit="u-heat")
    assert h.open == ["assign"]
    h.do("assign", unit="u-heat", person="heater")
    assert h.holder("sign_in") == "heater"
    assert h.task("sign_in").units == ("u-heat",)
    # The unit assigned anew has its own say, once.
    object_(h, by="heater", proposed_unit="u-property")
    h.do("rule_objection")
    assert h.open == ["sign_in_ordered"]


def test_an_objection_comes_within_five_working_days(h: Hazard) -> None:
    h.assigned()
    h.street.later(days=8)  # over a weekend: eight days from Monday are past five working days
    with pytest.raises(WindowClosed, match="5 个工作日"):
        object_(h)
    h.do("sign_in")


def test_an_objection_on_the_fifth_working_day_is_heard(h: Hazard) -> None:
    h.assigned()
    h.street.later(days=6)
    object_(h)
    assert h.open == ["rule_objection"]


def test_who_assigned_does_not_rule_on_the_objection(h: Hazard) -> None:
    h.report().do("confirm")
    grant_leader(h, "assigner")
    h.do("assign")
    object_(h)
    with pytest.raises(Separated, match="指派"):
        h.do("rule_objection", by="assigner")
    h.do("rule_objection")


def test_only_the_one_given_the_step_objects(h: Hazard) -> None:
    h.assigned()
    for other in ("heater", "acceptor", "assigner"):
        with pytest.raises(NotYourTask):
            object_(h, by=other)


def test_the_dispatcher_sends_back_what_is_confirmed_badly(h: Hazard) -> None:
    h.report().do("confirm")
    h.act(return_task, h.task("assign").key, "地点不清", by="assigner")
    assert h.open == ["confirm"]
    assert h.task("confirm").key == "confirm#2"
    closed = h.last("case.advanced").data["closed"]
    assert {row["task"]: row["how"] for row in closed} == {"assign#1": "cancelled"}
    h.do("confirm", by="confirmer2", level="major")
    assert h.open == ["second_look"]


def test_a_step_without_a_drawn_way_back_is_not_sent_back(h: Hazard) -> None:
    h.assigned().do("sign_in")
    with pytest.raises(NotDrawn, match="退回"):
        h.act(return_task, h.task("rectify").key, "做不了", by="owner")


def test_the_closing_post_sends_back_to_the_acceptor(h: Hazard) -> None:
    h.rectified().do("accept")
    h.act(return_task, h.task("close").key, "缺照片", by="closer")
    assert h.open == ["accept"]
    assert h.task("accept").key == "accept#2"
    h.do("accept").do("close")


def test_an_assignment_is_taken_back_while_nobody_has_begun(h: Hazard) -> None:
    h.assigned()
    with pytest.raises(NotYourTask, match="本人"):
        h.act(withdraw, h.task("sign_in").key, "派错了", by="assigner2")
    h.act(withdraw, h.task("sign_in").key, "派错了", by="assigner")
    assert h.open == ["assign"]
    assert h.last("task.withdrawn").data["reason"] == "派错了"
    h.do("assign", unit="u-heat", person="heater")
    assert h.holder("sign_in") == "heater"


def test_an_assignment_is_not_taken_back_once_somebody_has_begun(h: Hazard) -> None:
    h.assigned(person=None)
    assert h.holder("sign_in") is None
    h.act(claim_task, h.task("sign_in").key, by="owner2")
    with pytest.raises(AlreadyBegun, match="退回"):
        h.act(withdraw, h.task("sign_in").key, "派错了", by="assigner")
    h.act(release_task, h.task("sign_in").key, "认错了", by="owner2")
    h.act(withdraw, h.task("sign_in").key, "派错了", by="assigner")
    assert h.open == ["assign"]


def test_after_signing_in_the_assignment_cannot_be_taken_back(h: Hazard) -> None:
    h.assigned().do("sign_in")
    with pytest.raises(NotDrawn, match="撤回"):
        h.act(withdraw, h.task("rectify").key, "派错了", by="assigner")


def test_a_rectification_is_taken_back_before_the_acceptor_looks(h: Hazard) -> None:
    h.rectified()
    h.act(withdraw, h.task("accept").key, "漏了一处", by="owner")
    assert h.open == ["rectify"]
    assert h.task("rectify").key == "rectify#2"
    h.do("rectify").do("accept")
    assert h.open == ["close"]


def test_an_unsigned_assignment_reminds_the_dispatcher_when_its_hour_has_passed(
    h: Hazard,
) -> None:
    h.assigned()
    h.wait(hours=2)
    ends = h.last("case.advanced").data["ends"]
    assert ends == ["reminded"]
    assert h.open == ["sign_in"]
    types = [entry.type for entry in h.entries]
    assert types.count("overdue.opened") == 1
    assert types.count("timer.fired") == 1
    h.do("sign_in")
    assert h.open == ["rectify"]


# --- the plan and the progress of a major hazard --------------------------------------------------


def test_a_plan_rejected_is_written_again_before_it_is_approved(h: Hazard) -> None:
    h.report().do("confirm", level="major").do("second_look")
    h.do("assign", second_acceptor="acceptor2").do("sign_in")
    for n in (1, 2, 3):
        h.do("write_plan").do("approve_plan", decision="reject", term=None)
        assert h.open == ["write_plan"]
        assert h.task("write_plan").key == f"write_plan#{n + 1}"
    h.do("write_plan").do("approve_plan").do("publish_listing")
    assert h.open == ["rectify"]


def test_a_general_case_with_five_measures_has_a_plan_but_no_listing(h: Hazard) -> None:
    h.assigned(five_measures=True).do("sign_in")
    assert h.open == ["write_plan"]
    h.do("write_plan").do("approve_plan", term="K15")
    assert h.open == ["rectify"]
    assert h.task("rectify").clock.deadline_class == "K15"  # type: ignore[union-attr]


def test_who_wrote_the_plan_does_not_approve_it(h: Hazard) -> None:
    h.assigned(five_measures=True).do("sign_in").do("write_plan")
    grant_leader(h, "owner")
    with pytest.raises(Separated):
        h.do("approve_plan", by="owner")
    h.do("approve_plan")


def test_a_major_rectification_reports_its_progress_every_week(h: Hazard) -> None:
    h.major()
    assert h.wait(days=6, hours=23) == 0
    for week in (1, 2, 3):
        h.wait(days=7)
        assert h.open == ["progress", "rectify"]
        assert h.task("progress").key == f"progress#{week}"
        h.do("progress")
        assert h.open == ["rectify"]


def test_a_progress_report_not_written_holds_the_next_one_back_not_the_rectification(
    h: Hazard,
) -> None:
    h.major()
    h.wait(days=8)
    assert h.open == ["progress", "rectify"]
    h.wait(days=8)
    assert h.open == ["progress", "rectify"]
    h.do("rectify")
    # Rectified: nobody has to tell how it is going.
    assert h.open == ["accept"]
    assert not [timer for timer in h.state.timers if timer.startswith("progress")]
    closed = h.last("case.advanced").data["closed"]
    assert {row["task"]: row["how"] for row in closed} == {
        "rectify#1": "completed", "progress#1": "cancelled",
    }  # fmt: skip


# --- rework ---------------------------------------------------------------------------------------


def test_each_failed_acceptance_gives_two_days_and_another_round(h: Hazard) -> None:
    h.rectified()
    for n in (1, 2, 3, 4):
        h.do("accept", **FAILED)
        assert h.task("rectify").key == f"rectify#{n + 1}"
        assert h.task("rectify").clock.deadline_class == "RW2"  # type: ignore[union-attr]
        h.do("rectify")
    h.do("accept")
    assert h.open == ["close"]


def test_a_failure_handed_up_is_ordered_by_the_leader_and_assigned_anew(h: Hazard) -> None:
    h.rectified().do("accept", **FAILED).do("rectify").do("accept", **ESCALATED)
    assert h.open == ["order"]
    h.do("order", change_unit="change", unit="u-heat")
    assert h.open == ["assign"]
    h.do("assign", unit="u-heat", person="heater").do("sign_in", by="heater")
    # A new unit begins with the whole time, not with the days of a rework.
    assert h.task("rectify").clock.deadline_class == "G7"  # type: ignore[union-attr]


def test_the_second_acceptor_of_a_major_case_may_fail_it_too(h: Hazard) -> None:
    h.major().do("rectify").do("accept").do("second_accept", **FAILED)
    assert h.open == ["rectify"]
    assert h.task("rectify").clock.deadline_class == "RW10"  # type: ignore[union-attr]
    h.do("rectify").do("accept").do("second_accept")
    assert h.open == ["close"]


# --- separation -----------------------------------------------------------------------------------


def test_the_reporter_does_not_confirm_their_own_report(h: Hazard) -> None:
    h.report(by="confirmer")
    with pytest.raises(Separated, match="上报"):
        h.do("confirm", by="confirmer")
    h.do("confirm", by="confirmer2")


def test_reporter_and_confirmer_do_not_take_the_second_look(h: Hazard) -> None:
    for name in ("reporter", "confirmer"):
        h.street.do(
            grant_post, h.street.person[name], "u-safety", "复看岗", ["review"],
            reason="兼任", by=None,
        )  # fmt: skip
    h.report().do("confirm", level="major")
    for name in ("reporter", "confirmer"):
        with pytest.raises(Separated):
            h.do("second_look", by=name)
    h.do("second_look")


def both_jobs(h: Hazard, name: str, unit: str, duties: list[str]) -> None:
    h.street.do(grant_post, h.street.person[name], unit, "兼岗", duties, reason="兼任", by=None)


def test_the_rectifier_does_not_accept_their_own_work(h: Hazard) -> None:
    # Somebody who holds both duties, in two units.
    both_jobs(h, "acceptor", "u-property", ["rectify"])
    h.assigned(acceptor="acceptor2").do("sign_in")
    h.act(reassign_task, h.task("rectify").key, h.street.person["acceptor"], "人手", by="assigner")
    h.do("rectify", by="acceptor")
    with pytest.raises(NotFit, match="整改"):
        h.act(reassign_task, "accept#1", h.street.person["acceptor"], "方便", by="assigner")
    h.act(release_task, "accept#1", "出差", by="acceptor2")
    with pytest.raises(Separated, match="整改"):
        h.do("accept", by="acceptor")
    with pytest.raises(Separated):
        h.act(claim_task, "accept#1", by="acceptor")
    h.do("accept", by="acceptor2")


def test_an_acceptor_who_meanwhile_rectified_does_not_hold_the_step(h: Hazard) -> None:
    h.assigned(acceptor="acceptor").do("sign_in")
    both_jobs(h, "acceptor", "u-property", ["rectify"])
    h.act(reassign_task, h.task("rectify").key, h.street.person["acceptor"], "人手", by="assigner")
    h.do("rectify", by="acceptor")
    # Named in advance and barred since: the step is open to the others, not stuck with them.
    assert h.holder("accept") is None
    h.do("accept", by="acceptor2")


def test_who_signed_in_does_not_accept_even_if_another_rectified(h: Hazard) -> None:
    both_jobs(h, "owner", "u-acceptance", ["accept"])
    h.assigned().do("sign_in")
    h.act(reassign_task, h.task("rectify").key, h.street.person["owner2"], "分工", by="assigner")
    h.do("rectify", by="owner2")
    with pytest.raises(NotFit, match="签收"):
        h.act(reassign_task, h.task("accept").key, h.street.person["owner"], "兼岗", by="assigner")
    h.act(release_task, h.task("accept").key, "出差", by="acceptor")
    with pytest.raises(Separated, match="签收"):
        h.do("accept", by="owner")
    h.do("accept", by="acceptor2")


def test_nobody_of_the_rectifying_unit_accepts_by_whichever_post(h: Hazard) -> None:
    h.rectified()
    h.act(release_task, "accept#1", "出差", by="acceptor")
    # A colleague of the rectifier, who also has an acceptor's post at the street.
    both_jobs(h, "owner2", "u-acceptance", ["accept"])
    with pytest.raises(Separated, match="整改"):
        h.do("accept", by="owner2")
    with pytest.raises(NotFit):
        h.act(reassign_task, "accept#1", h.street.person["owner2"], "方便", by="assigner")
    h.do("accept", by="acceptor2")


def test_a_colleague_of_the_rectifier_does_not_accept_as_somebodys_substitute(h: Hazard) -> None:
    h.rectified()
    h.street.do(
        name_substitute, h.street.person["acceptor"], h.street.person["owner2"],
        end=h.street.at + timedelta(days=3), reason="出差", by=h.street.by("acceptor"),
    )  # fmt: skip
    with pytest.raises(Separated, match="整改"):
        h.do("accept", by="owner2")
    h.do("accept")


def test_the_rectifier_does_not_accept_as_the_acceptors_substitute(h: Hazard) -> None:
    # The acceptor is away and the rectifier stands in: the register allows it, the case does not.
    h.rectified()
    h.street.do(
        name_substitute, h.street.person["acceptor"], h.street.person["owner"],
        end=h.street.at + timedelta(days=3), reason="出差", by=h.street.by("acceptor"),
    )  # fmt: skip
    with pytest.raises(Separated):
        h.do("accept", by="owner")
    h.street.later(minutes=1)
    absent = By(h.street.person["owner"], on_behalf_of=h.street.person["acceptor"])
    with pytest.raises(Separated):
        h.street.do(complete_task, h.case, "accept#1", {}, by=absent)


def test_what_a_substitute_did_bars_the_one_they_stood_in_for(h: Hazard) -> None:
    # The owner's work is done by a colleague in his name; the owner cannot then accept it.
    both_jobs(h, "owner", "u-acceptance", ["accept"])
    h.assigned().do("sign_in", by="owner")
    h.street.do(
        name_substitute, h.street.person["owner"], h.street.person["owner2"],
        end=h.street.at + timedelta(days=3), reason="住院", by=h.street.by("owner"),
    )  # fmt: skip
    h.do("rectify", by="owner2")
    assert h.last("task.completed").actor["on_behalf_of"] == h.street.person["owner"]
    h.act(release_task, h.task("accept").key, "出差", by="acceptor")
    for name in ("owner", "owner2"):
        both_jobs(h, name, "u-acceptance", ["accept"])
        with pytest.raises(Separated):
            h.do("accept", by=name)
    h.do("accept", by="acceptor2")


def test_an_administrator_does_no_step_by_being_one(h: Hazard) -> None:
    person = h.street.person["admin"] = h.street.do(register_person, "admin演示", by=None)
    h.street.do(
        grant_post, person, "u-street", "系统管理员", ["administer"], reason="到任", by=None
    )
    h.rectified()
    for command, *more in (
        (release_task, "试试"),
        (reassign_task, h.street.person["acceptor2"], "代办"),
        (delegate_task, h.street.person["acceptor2"], "代办"),
    ):
        with pytest.raises(NotYourTask):
            h.act(command, "accept#1", *more, by="admin")
    with pytest.raises(NotYourTask):
        h.do("accept", by="admin")
    h.act(release_task, "accept#1", "出差", by="acceptor")
    with pytest.raises(NotYourTask):
        h.act(claim_task, "accept#1", by="admin")
    with pytest.raises(NotYourTask):
        h.do("accept", by="admin")


def test_an_administrator_with_the_duty_is_kept_apart_like_everybody(h: Hazard) -> None:
    h.rectified()
    both_jobs(h, "owner", "u-street", ["administer", "accept"])
    h.act(release_task, "accept#1", "出差", by="acceptor")
    with pytest.raises(Separated):
        h.do("accept", by="owner")


def test_the_dispatcher_of_a_major_case_does_not_accept_it(h: Hazard) -> None:
    both_jobs(h, "assigner", "u-acceptance", ["accept"])
    h.report().do("confirm", level="major").do("second_look")
    h.do("assign", acceptor="assigner", second_acceptor="acceptor2").do("sign_in")
    h.do("write_plan").do("approve_plan").do("publish_listing").do("rectify")
    assert h.holder("accept") is None
    with pytest.raises(Separated, match="指派"):
        h.do("accept", by="assigner")
    h.do("accept").do("second_accept")


def test_the_dispatcher_of_a_general_case_may_accept_it(h: Hazard) -> None:
    both_jobs(h, "assigner", "u-acceptance", ["accept"])
    h.rectified(acceptor="assigner").do("accept", by="assigner")
    assert h.open == ["close"]


def test_one_person_is_not_both_acceptors_of_a_major_case(h: Hazard) -> None:
    h.report().do("confirm", level="major").do("second_look")
    h.do("assign", second_acceptor="acceptor").do("sign_in")
    h.do("write_plan").do("approve_plan").do("publish_listing").do("rectify").do("accept")
    assert h.holder("second_accept") is None
    with pytest.raises(Separated, match="验收"):
        h.do("second_accept", by="acceptor")
    h.do("second_accept")


def test_the_acceptor_does_not_close(h: Hazard) -> None:
    both_jobs(h, "acceptor", "u-safety", ["close"])
    h.rectified().do("accept")
    with pytest.raises(Separated, match="验收"):
        h.do("close", by="acceptor")
    h.do("close")


def test_the_rectifying_unit_does_not_close(h: Hazard) -> None:
    h.street.do(
        grant_post, h.street.person["owner2"], "u-property", "兼岗", ["close"], reason="兼任",
        by=None,
    )  # fmt: skip
    h.rectified().do("accept")
    with pytest.raises((Separated, NotYourTask)):
        h.do("close", by="owner2")
    h.do("close")


# --- after closing --------------------------------------------------------------------------------


def test_a_dispute_after_closing_is_accepted_anew_by_another_person(h: Hazard) -> None:
    h.closed()
    h.wait(days=5)
    h.dispute(reason="里面没有动")
    assert h.open == ["re_accept"]
    for name in ("acceptor", "owner", "closer", "assigner"):
        with pytest.raises(NotAllowed):
            h.do("re_accept", by=name)
    h.do("re_accept")
    assert h.open == []
    h.wait(days=21)
    assert "draw_lot" in h.state.variables


def test_a_dispute_upheld_is_refuted_assigned_anew_and_reviewed(h: Hazard) -> None:
    h.closed().dispute()
    h.do("re_accept", result="fail", left="原样未动")
    assert h.open == ["assign", "review"]
    h.do("assign").do("sign_in")
    assert h.open == ["rectify", "review"]
    # The lesson does not hold up the repair, and the repair does not do away with the lesson.
    h.do("rectify").do("accept").do("close")
    assert h.open == ["review"]
    to_draw(h)
    if h.open == ["reinspect", "review"]:
        unit = h.task("reinspect").units[0]
        h.do("reinspect", by={"u-other": "visitor", "u-third": "visitor2"}[unit])
    assert h.open == ["review"]
    assert h.state.ended is None
    h.do("review")
    assert h.state.ended == "closed_accepted"


def test_the_reporter_cannot_dispute_twice_or_after_the_window(h: Hazard) -> None:
    h.closed().dispute()
    with pytest.raises(NotDrawn):
        h.dispute()
    h.do("re_accept")
    with pytest.raises(NotDrawn):
        h.dispute()


def test_a_supervisor_reopens_a_closed_case_while_it_is_watched(h: Hazard) -> None:
    h.closed()
    for name in ("owner", "acceptor", "reporter", "closer"):
        with pytest.raises(NotYourTask):
            h.act(reopen, "销号不实", by=name)
    h.act(reopen, "现场仍在", by="inspector")
    assert h.open == ["assign", "review"]
    assert h.last("case.reopened").actor["person"] == h.street.person["inspector"]


def test_a_case_is_reopened_in_the_after_care_too_and_again(h: Hazard) -> None:
    h.closed()
    h.wait(days=11)
    h.act(reopen, "又见飞线", by="inspector")
    assert h.open == ["assign", "review"]
    for element in ("assign", "sign_in", "rectify", "accept", "close"):
        h.do(element)
    h.act(reopen, "第三次了", by="inspector")
    assert h.open == ["assign", "review", "review"]
    h.do("review").do("review")
    assert h.open == ["assign"]


def test_what_is_not_closed_is_not_reopened(h: Hazard) -> None:
    h.rectified()
    with pytest.raises(NotDrawn, match="销号"):
        h.act(reopen, "不放心", by="inspector")


def test_a_case_that_has_ended_is_not_reopened_but_reported_anew(h: Hazard) -> None:
    closed_and_not_drawn(h)
    with pytest.raises(NotDrawn, match="重新上报"):
        h.act(reopen, "又见飞线", by="inspector")
    first = h.case
    h.wait(days=29)
    h.report()
    assert first in h.entries[0].data["similar"]  # it ended within the last 30 days
    h.wait(days=40)
    # What is still open is alike however old it is; what ended long ago is not.
    second = h.case
    h.report()
    assert second in h.entries[0].data["similar"]
    assert first not in h.entries[0].data["similar"]


def test_found_again_at_the_re_inspection_is_refuted(h: Hazard) -> None:
    # A major case is always drawn, so nobody has to wait for luck.
    h.major().do("rectify").do("accept").do("second_accept").do("close")
    to_draw(h)
    assert drawn(h)
    unit = h.task("reinspect").units[0]
    mine, other = ("visitor", "visitor2") if unit == "u-other" else ("visitor2", "visitor")
    with pytest.raises(NotYourTask):
        h.do("reinspect", by=other)
    h.do("reinspect", by=mine, result="present", findings="又拉了两处")
    assert h.open == ["assign", "review"]
    assert h.task("review").clock.deadline_class == "WD15"  # type: ignore[union-attr]
    lots = [lot for entry in h.all("case.advanced") for lot in entry.data.get("lots", ())]
    assert [lot["lot"] for lot in lots] == ["draw_lot", "reinspect#1"]
    assert lots[1]["candidates"] == ["u-other", "u-third"]
    assert lots[1]["unit"] == unit


def test_the_lot_of_a_general_case_falls_one_time_in_ten_or_so() -> None:
    from engine.process import draw

    fallen = sum(draw(bytes([n % 256, n // 256]), "draw_lot", 1000) < 100 for n in range(5000))
    assert 400 < fallen < 600


# --- clocks ---------------------------------------------------------------------------------------


def test_an_unconfirmed_report_is_warned_of_overdue_and_escalated_once_each(h: Hazard) -> None:
    h.report(danger_now=True)
    for minutes, types in (
        (14, []),
        (1, ["deadline.warned"]),
        (9, ["deadline.warned"]),
        (6, ["overdue.opened"]),
        (15, ["deadline.escalated"]),
        (600, []),
    ):
        before = len(h.entries)
        assert h.wait(minutes=minutes) == len(types)
        assert [entry.type for entry in h.entries[before:]] == types
    escalated = h.last("deadline.escalated")
    assert escalated.data["unit"] == "u-street"
    h.do("confirm")
    row = h.last("case.advanced").data["closed"][0]
    assert (row["in_time"], row["allowed"]) == (False, 30)
    assert row["late"] == row["used"] - 30 > 600


def test_escalation_names_the_duty_of_its_deadline_class(h: Hazard) -> None:
    h.report(danger_now=True)
    h.wait(hours=2)
    assert h.last("deadline.escalated").data["duty"] == "approve"  # M30: escalate_duty
    h.report()
    h.wait(days=5)
    assert h.last("deadline.escalated").data["duty"] == "supervise"  # WD1


def test_windows_nobody_can_be_late_for_are_not_escalated(h: Hazard) -> None:
    h.closed()
    to_draw(h)
    types = {entry.type for entry in h.entries if entry.type.startswith(("deadline.w", "overdue"))}
    assert types == set()


# --- naming people --------------------------------------------------------------------------------


def test_the_person_named_must_hold_the_post(h: Hazard) -> None:
    h.report().do("confirm")
    for name, stranger in (("acceptor", "owner"), ("person", "acceptor"),
                           ("second_acceptor", "closer")):  # fmt: skip
        with pytest.raises(FormRefused, match="没有"):
            h.do("assign", **{name: stranger})
    with pytest.raises(FormRefused, match="单位"):
        h.do("assign", unit="u-nowhere", person=None)
    h.do("assign")


def test_a_person_named_from_another_unit_than_the_one_assigned_is_refused(h: Hazard) -> None:
    h.report().do("confirm")
    with pytest.raises(FormRefused):
        h.do("assign", unit="u-property", person="heater")


def test_an_acceptor_named_from_the_rectifying_unit_is_refused(h: Hazard) -> None:
    both_jobs(h, "owner2", "u-property", ["accept"])
    h.report().do("confirm")
    with pytest.raises(FormRefused):
        h.do("assign", acceptor="owner2")
