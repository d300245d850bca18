"""The hotline through public commands: every end, boundary event and message; the log replays."""

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from engine import vault as store
from engine.cases import NotHandedOver
from engine.errors import BadInput, NotAllowed
from engine.exclusion import KeptOut
from engine.forms import FormRefused
from engine.handover import hand_over, open_handover
from engine.holding import NotFit, claim_task, delegate_task, reassign_task, release_task
from engine.inbox import requests_for
from engine.mailbox import NotYoursToRead
from engine.oversight import supervise, urge
from engine.people import directory
from engine.rights import NotYoursToSee, may_see
from engine.sealed_answers import sealed_in
from engine.state import CaseState
from engine.timekeeping import TooOften, grant_extension, request_extension
from engine.turns import NotDrawn, return_task, withdraw
from engine.vault import SealDestroyed, Vault
from tests.conftest import Street
from tests.engine.hotline_street import (
    DANGER,
    FOLLOWS,
    OBJECTS,
    REACHED,
    UNREACHABLE,
    WORDS,
    Hotline,
    hotline,
)


@pytest.fixture
def h(street: Street, vault: Vault) -> Hotline:
    return hotline(street, vault)


@pytest.fixture(autouse=True)
def checked(h: Hotline) -> object:
    """Whatever a test did, the whole log replays and both ends of every message agree."""
    yield
    h.street.check()


# --- ways that several tests go -------------------------------------------------------------------


def put_aside(h: Hotline, decision: str, **more: str) -> Hotline:
    """Put aside by one, and by another."""
    h.report().do("accept", decision=decision, reason="见原文", **more)
    return h.do("second_look", verdict=decision, **more)


def unsubstantiated(h: Hotline, by: str, verifier: str = "verifier") -> Hotline:
    h.do("dispatch", unit="u-legal" if by == "lawyer" else "u-inspection").do("declare", by)
    h.do("investigate", by, proposal="unsubstantiated")
    return h.do("verify", verifier, result="unsubstantiated", unit=None)


def key_of(h: Hotline, element: str) -> str:
    return h.task(element).key


def clock(h: Hotline, element: str) -> str:
    running = h.task(element).clock
    assert running
    return running.deadline_class


def sees(h: Hotline, who: str) -> bool:
    state = h.state
    with h.street.database.begin() as conn:
        return may_see(state, directory(conn), h.street.by(who), h.street.at)


def child_state(h: Hotline, case: str) -> CaseState:
    return Hotline(h.street, h.vault, case).state


# --- the straight way -----------------------------------------------------------------------------


def test_a_complaint_comes_to_its_end_when_the_guard_is_over(h: Hotline) -> None:
    h.report()
    assert clock(h, "accept") == "WD1"
    h.do("accept").declared()
    assert clock(h, "investigate") == "K15"
    h.do("investigate").do("verify")
    assert h.open == ["check_figures", "reply"]
    h.do("reply").do("revisit")
    h.wait(days=29)
    assert "objection_window" in h.waiting
    h.wait(days=2)
    # Closed for people; the record stays open for whoever is made to suffer for it.
    assert h.rules("closed") == [{"outcome": "substantiated", "reward": False}]
    assert (h.open, h.waiting) == ([], ["guard_window"])
    h.wait(days=89)
    assert h.state.ended is None
    h.wait(days=2)
    assert h.state.ended == "closed_substantiated"


@pytest.mark.parametrize("result", ["substantiated", "partly", "unsubstantiated", "unverifiable"])
def test_the_end_says_how_it_came_out_and_only_what_was_found_is_published(
    h: Hotline, result: str
) -> None:
    found = result in ("substantiated", "partly")
    h.accepted().settled(result=result, unit="u-heat-office" if found else None)
    h.wait(days=91)
    assert h.state.ended == f"closed_{result}"
    assert h.rules("published") == ([{"counted": True}] if found else [])


def test_nothing_of_the_matter_or_the_person_is_in_the_log(h: Hotline) -> None:
    h.accepted(category="concealment").settled().do("assess_reward").do("approve_reward")
    h.do("issue_code")
    log = json.dumps([entry.data for entry in h.entries], ensure_ascii=False)
    for secret in (WORDS, "陈小禾", "000-7654-3210", "三项属实", "报修记录", "314-159", "窗口"):
        assert secret not in log, secret


# --- taking in ------------------------------------------------------------------------------------


@pytest.mark.parametrize("category", ["retaliation", "concealment"])
def test_retaliation_and_concealment_are_taken_in_within_two_hours(
    h: Hotline, category: str
) -> None:
    h.report(category=category)
    assert clock(h, "accept") == "E2H"
    h.do("accept")
    assert clock(h, "dispatch") == "E2H"


@pytest.mark.parametrize("decision", ["refuse", "not_in_remit", "merge"])
def test_nothing_is_put_aside_on_one_persons_word(h: Hotline, decision: str) -> None:
    master = h.report().case
    more = {"merged_into": master} if decision == "merge" else {}
    h.report().do("accept", decision=decision, reason="见原文", **more)
    assert h.open == ["second_look"]
    with pytest.raises(NotAllowed, match="受理"):
        h.do("second_look", "desk", verdict=decision, **more)
    h.do("second_look", verdict=decision, **more)
    h.wait(days=9)
    assert h.waiting == ["inform_window"]
    h.wait(days=2)
    ends = {"refuse": "refused", "not_in_remit": "not_in_remit", "merge": "merged"}
    assert h.state.ended == ends[decision]
    if decision == "merge":
        told = h.at(master).last("message.received").data
        assert told["message"] == "complaint.merged"
        assert "case" not in told["origin"]


def test_who_is_put_aside_may_disagree_once_and_a_third_person_looks(h: Hotline) -> None:
    put_aside(h, "refuse").say("dispute")
    assert h.open == ["second_look"]
    with pytest.raises(NotAllowed, match="复看"):
        h.do("second_look", "desk2")
    h.do("second_look", "desk3")
    assert h.state.ended == "refused"
    with pytest.raises(NotDrawn):
        h.say("dispute")


def test_the_second_person_may_take_it_in(h: Hotline) -> None:
    h.report().do("accept", decision="refuse", reason="见原文")
    h.do("second_look", verdict="accept", units=["u-heat-office"])
    assert h.open == ["dispatch"]
    assert h.state.kept_out == ("u-heat-office",)


def test_a_suggestion_is_answered(h: Hotline) -> None:
    h.report(category="suggestion", identity="anonymous").do("accept", decision="suggestion",
                                                              reason="建议")  # fmt: skip
    h.do("answer")
    assert h.state.ended == "answered"


def test_a_complaint_is_not_made_a_suggestion_by_one_person(h: Hotline) -> None:
    h.report().do("accept", decision="suggestion", reason="只是建议")
    assert h.open == ["second_look"]
    h.do("second_look", verdict="suggestion").do("answer")
    assert h.state.ended == "answered"


def test_danger_opens_a_hazard_at_once_that_does_not_tell_who_complained(h: Hotline) -> None:
    h.report(category="hazard").do("accept", **DANGER)
    assert h.open == ["dispatch"]
    (hazard,) = h.children()
    opened = h.street.entries(hazard)[0]
    assert (opened.data["title"], opened.data["category"]) == ("阀井无盖", "road")
    assert set(opened.data["origin"]) == {"hash"}
    assert child_state(h, hazard).tasks["confirm#1"].clock.deadline_class == "M30"  # type: ignore[union-attr]
    assert WORDS not in json.dumps(opened.data, ensure_ascii=False)
    assert h.complainant["person"] not in json.dumps([opened.actor, opened.data])


# --- accusations ----------------------------------------------------------------------------------


def handed_over(h: Hotline, private: X25519PrivateKey) -> bytes:
    """Seal the accusation for the body with this key; returns the file it gets."""
    h.act(claim_task, key_of(h, "hand_over"), by="officer")
    with h.street.database.begin() as conn:
        return hand_over(
            conn, h.vault, h.case, body="区纪委监委",
            public_key=private.public_key().public_bytes_raw(), by=h.street.by("officer"),
            at=h.street.at,
        ).file  # fmt: skip


def test_an_accusation_is_sealed_handed_over_and_gone_from_here(h: Hotline) -> None:
    h.report(category="accusation", identity="anonymous")
    h.do("accept", decision="hand_over", reason="属检举控告")
    assert h.open == ["hand_over"]
    with pytest.raises(NotHandedOver):
        h.do("hand_over")
    private = X25519PrivateKey.generate()
    sealed = open_handover(private.private_bytes_raw(), handed_over(h, private))
    assert WORDS in [item.value for item in sealed.items]
    with pytest.raises(SealDestroyed):
        h.read("officer")
    h.do("hand_over")
    assert h.state.ended == "handed_over"
    kept = h.last("accusation.handed_over").data
    assert (kept["class"], kept["body"]) == ("accusation", "区纪委监委")


def test_a_complaint_wrongly_called_an_accusation_comes_back_to_another_person(h: Hotline) -> None:
    h.report().do("accept", decision="hand_over", reason="属检举控告")
    h.do("hand_over", decision="send_back", body=None, reason="是服务问题")
    assert h.open == ["second_look"]
    h.do("second_look", verdict="hand_over")
    handed_over(h, X25519PrivateKey.generate())
    assert h.do("hand_over").state.ended == "handed_over"


# --- kept out -------------------------------------------------------------------------------------


def test_the_unit_complained_of_and_its_superiors_see_and_do_nothing(h: Hotline) -> None:
    h.report(unit="u-heat-office")
    assert [who for who in ("desk", "heat", "chief") if sees(h, who)] == ["desk"]
    with pytest.raises(KeptOut):
        h.do("accept", "heat")
    h.do("accept", units=["u-heat"])
    assert h.state.kept_out == ("u-heat-office", "u-heat")
    assert not sees(h, "chief")
    with pytest.raises(KeptOut):
        h.do("dispatch", "chief")
    h.settled()
    h.wait(days=91)
    assert h.state.ended == "closed_substantiated"
    assert not sees(h, "heat")


def test_the_unit_complained_of_never_investigates_itself(h: Hotline) -> None:
    h.accepted(unit="u-heat-office").do("dispatch", unit="u-heat-office")
    assert h.open == ["dispatch"]
    h.do("dispatch")
    assert h.open == ["declare"]


def test_a_complaint_about_the_street_itself_is_the_districts(h: Hotline) -> None:
    h.report(place="u-street", unit="u-street")
    assert h.task("accept").units == ("u-district",)
    with pytest.raises(NotAllowed):
        h.do("accept", "desk")
    h.do("accept", "district").do("dispatch", "district", unit="u-district-hotline")
    h.do("declare", "district2").do("investigate", "district2").do("verify", "district3")
    h.do("reply", "district")
    assert h.open == ["check_figures", "revisit"]


def test_only_those_a_step_waits_for_and_those_with_a_part_see_it(h: Hotline) -> None:
    h.report()
    assert [
        who for who in ("desk", "desk2", "assigner", "watcher", "searcher") if sees(h, who)
    ] == [
        "desk",
        "desk2",
    ]
    h.do("accept")
    assert sees(h, "assigner")
    assert sees(h, "desk")
    assert not sees(h, "desk2")


# --- declaring, investigating ---------------------------------------------------------------------


def test_the_file_opens_only_after_the_declaration(h: Hotline) -> None:
    h.accepted().do("dispatch", person="searcher")
    with pytest.raises(NotYoursToRead):
        h.read("searcher")
    h.do("declare")
    assert WORDS in h.read("searcher").values()
    assert "陈小禾演示" not in h.read("searcher").values()


def test_whoever_is_related_is_out_and_somebody_else_is_assigned(h: Hotline) -> None:
    h.accepted().do("dispatch")
    h.do("declare", relation="related", ground="interest", recused="searcher")
    assert h.open == ["dispatch"]
    assert not sees(h, "searcher")
    h.do("dispatch")
    with pytest.raises(NotAllowed):
        h.do("declare", "searcher")
    h.do("declare", "searcher2").do("investigate", "searcher2")
    assert h.open == ["verify"]
    assert not sees(h, "searcher")


def test_an_assignment_is_taken_back_while_nobody_has_declared(h: Hotline) -> None:
    h.accepted().do("dispatch", unit="u-legal")
    h.act(withdraw, key_of(h, "declare"), "派错了", by="assigner")
    assert h.open == ["dispatch"]


def test_only_whoever_declared_opens_the_file_and_investigates(h: Hotline) -> None:
    h.accepted().declared()
    other = h.street.person["searcher2"]
    with pytest.raises(NotFit, match="回避申明"):
        h.act(delegate_task, key_of(h, "investigate"), other, "出差", by="searcher")
    h.act(release_task, key_of(h, "investigate"), "出差", by="searcher")
    with pytest.raises(NotAllowed, match="本人"):
        h.do("investigate", "searcher2")


def test_the_record_of_the_case_complained_of_is_attached(h: Hotline) -> None:
    hazard = h.hazard()
    h.accepted(linked=hazard).declared()
    extract = h.last("extract.attached").data
    assert extract["case"] == hazard
    assert extract["count"] == len(h.street.entries(hazard))


def test_a_demand_for_recusal_does_not_stop_the_investigation(h: Hotline) -> None:
    h.accepted().declared()
    before = h.task("investigate").clock
    h.say("recusal")
    assert h.open == ["investigate", "rule_recusal"]
    h.do("rule_recusal")
    assert h.open == ["investigate"]
    assert h.task("investigate").clock == before
    with pytest.raises(NotDrawn):
        h.say("recusal")
    h.do("investigate")
    assert h.open == ["verify"]


def test_who_has_to_keep_out_is_replaced_even_with_findings_in_hand(h: Hotline) -> None:
    for done_first in (False, True):
        h.accepted().declared().say("recusal")
        if done_first:
            h.do("investigate")
        h.do("rule_recusal", ruling="upheld", recused="searcher")
        assert h.open == ["dispatch"]
        assert not sees(h, "searcher")
        h.declared("searcher2")
        assert clock(h, "investigate") == "K15"
        h.do("investigate", "searcher2")
        assert h.open == ["verify"]


# --- verifying ------------------------------------------------------------------------------------


def test_another_person_verifies(h: Hotline) -> None:
    h.accepted().investigated("both")
    with pytest.raises(NotAllowed):
        h.do("verify", "both")
    h.do("verify")
    assert "reply" in h.open


def test_what_is_not_enough_goes_back_to_the_investigator_for_seven_days(h: Hotline) -> None:
    h.accepted().investigated()
    h.act(return_task, key_of(h, "verify"), "缺一次报修的记录", by="verifier")
    assert h.open == ["investigate"]
    assert clock(h, "investigate") == "G7"
    h.do("investigate")
    assert h.open == ["verify"]


def test_what_is_found_becomes_a_hazard_an_order_and_a_referral(h: Hotline) -> None:
    other = h.hazard()
    h.accepted().investigated()
    h.do("verify", actions=["hazard", "order", "discipline"], **FOLLOWS, order_case=other,
         order_text="三日内处理并答复", referral="两次虚报到场")  # fmt: skip
    assert h.open == ["refer"]
    (hazard,) = h.children()
    assert child_state(h, hazard).title == "阀井无盖"
    ordered = next(e for e in h.street.entries(other) if e.type == "message.received")
    assert ordered.data["message"] == "supervision.ordered"
    assert list(child_state(h, other).orders) == [str(ordered.seq)]
    h.do("refer")
    assert h.open == ["check_figures", "reply"]


# --- revisiting -----------------------------------------------------------------------------------


def test_the_handling_unit_does_not_revisit(h: Hotline) -> None:
    h.accepted().replied()
    with pytest.raises(NotAllowed):
        h.do("revisit", "own_caller")
    h.do("revisit")


def test_three_attempts_on_three_days_and_unreachable_is_an_answer(h: Hotline) -> None:
    h.accepted().replied().do("revisit", **UNREACHABLE)
    assert "revisit_again" not in h.open
    h.wait(days=1, minutes=1)
    h.do("revisit_again", **UNREACHABLE)
    h.wait(days=1, minutes=1)
    h.do("revisit_last", **UNREACHABLE)
    days = {e.at.date() for e in h.all("task.completed") if e.data["task"].startswith("revisit")}
    assert len(days) == 3
    h.wait(days=31)
    assert h.rules("closed") == [{"outcome": "substantiated", "reward": False}]


@pytest.mark.parametrize("attempt", [1, 2, 3])
def test_saying_no_at_a_revisit_is_an_objection(h: Hotline, attempt: int) -> None:
    h.accepted().replied()
    for element in ("revisit", "revisit_again")[: attempt - 1]:
        h.do(element, **UNREACHABLE)
        h.wait(days=1, minutes=1)
    h.do(("revisit", "revisit_again", "revisit_last")[attempt - 1], **OBJECTS)
    assert "reopen_first" in h.open


def test_the_second_and_third_attempt_may_find_them_content(h: Hotline) -> None:
    h.accepted().replied().do("revisit", **UNREACHABLE)
    h.wait(days=1, minutes=1)
    h.do("revisit_again", **REACHED)
    h.wait(days=31)
    assert h.waiting == ["guard_window"]


def test_the_anonymous_are_asked_in_the_mailbox(h: Hotline) -> None:
    h.accepted(identity="anonymous").replied()
    h.do("ask")
    assert "revisit" not in h.open
    h.wait(days=7, minutes=1)
    h.do("revisit", **{**UNREACHABLE, "how": "mailbox"})
    h.wait(days=25)
    assert h.waiting == ["guard_window"]


# --- disagreeing ----------------------------------------------------------------------------------


def test_two_reopenings_by_new_investigators_then_a_final_review(h: Hotline) -> None:
    h.accepted().replied().say("dispute")
    h.do("reopen_first").do("dispatch")
    with pytest.raises(NotAllowed, match="申明"):
        h.do("declare", "searcher")
    h.do("declare", "searcher2").do("investigate", "searcher2").do("verify").do("reply")
    h.say("dispute").do("reopen_second")
    h.declared("searcher3").do("investigate", "searcher3").do("verify").do("reply")
    h.say("dispute")
    assert "final_review" in h.open
    h.do("final_review").do("reply")
    assert h.rules("closed") == [{"outcome": "unsubstantiated", "reward": False}]
    with pytest.raises(NotDrawn):
        h.say("dispute")
    h.wait(days=91)
    assert h.state.ended == "closed_unsubstantiated"


def test_only_the_complainant_disagrees_and_only_in_time(h: Hotline) -> None:
    h.accepted()
    with pytest.raises(NotDrawn):
        h.say("dispute")
    h.replied().do("revisit")
    with pytest.raises(FormRefused):
        h.say("dispute", text=None)
    mine = h.complainant
    h.complainant = {**mine, "person": "complainant:0123456789abcdef"}
    with pytest.raises(NotAllowed):
        h.say("dispute")
    h.complainant = mine
    h.wait(days=31)
    with pytest.raises(NotDrawn):
        h.say("dispute")


# --- publishing -----------------------------------------------------------------------------------


def test_a_result_is_published_after_three_working_days_whatever_the_publisher_does(
    h: Hotline,
) -> None:
    h.accepted().replied()
    h.wait(days=2)
    assert h.rules("published") == []
    h.wait(days=3)
    assert h.rules("published") == [{"counted": True}]
    assert "check_figures" not in h.open


def test_the_publisher_may_say_whose_it_is(h: Hotline) -> None:
    h.accepted().replied()
    h.do("check_figures", correct="no", was="u-heat-office", unit="u-heat", reason="由公司负责")
    assert h.rules("published") == []
    h.wait(days=5)
    assert h.rules("published") == [{"counted": True}]


def test_a_reversal_is_published_as_a_correction(h: Hotline) -> None:
    h.accepted().replied()
    h.wait(days=5)
    h.say("dispute").do("reopen_first")
    unsubstantiated(h, "searcher2")
    assert h.rules("corrected") == [{"counted": False}]
    assert h.open == ["reply"]


# --- the guard ------------------------------------------------------------------------------------


def test_retaliation_opens_a_case_for_another_unit_as_often_as_it_is_told(h: Hotline) -> None:
    h.accepted(unit="u-heat-office").settled()
    mother = h.case
    h.say("retaliation").say("retaliation", guard_text="停了我的水")
    assert h.waiting == ["guard_window"]
    first, second = h.children()
    assert first != second
    h.at(first)
    opened = h.entries[0]
    assert opened.data["category"] == "retaliation"
    assert opened.data["form"]["handled_by"] == "u-inspection"
    assert h.state.kept_out == ("u-heat-office",)
    assert clock(h, "accept") == "E2H"
    h.do("accept").do("dispatch")
    assert h.open == ["dispatch"]
    h.do("dispatch", unit="u-legal").do("declare", "lawyer")
    assert h.open == ["investigate"]
    # What was told with it went along, out of the mother's seal into the child's.
    (words,) = sealed_in([h.at(second).entries[0]])
    assert store.opened(h.vault, words.subject, words.commitment)[0] == "停了我的水"
    assert words.subject == f"{second}/content"
    h.at(mother).wait(days=91)
    assert h.state.ended == "closed_substantiated"
    with pytest.raises(NotDrawn):
        h.say("retaliation")


# --- rewards --------------------------------------------------------------------------------------


@pytest.mark.parametrize("category", ["hazard", "concealment"])
def test_a_reward_is_assessed_and_approved_by_another_person(h: Hotline, category: str) -> None:
    h.accepted(category=category).settled()
    assert h.open == ["assess_reward"]
    h.do("assess_reward").do("approve_reward").do("issue_code")
    code = h.last("task.completed").data["form"]["code"]
    assert set(code) == {"as", "sealed"}
    h.wait(days=91)
    assert h.state.ended == "closed_substantiated"


def test_a_reward_not_due_or_not_approved_ends_there(h: Hotline) -> None:
    for approved in (False, True):
        h.accepted(category="hazard").settled(result="partly")
        if approved:
            h.do("assess_reward").do("approve_reward", decision="reject")
        else:
            h.do("assess_reward", eligible="no", first=None, rule=None, amount=None)
        assert h.open == []


def test_the_case_waits_for_the_reward_as_for_the_guard(h: Hotline) -> None:
    h.accepted(category="concealment").settled()
    h.wait(days=91)
    assert h.open == ["assess_reward"]
    assert h.state.ended is None


# --- time, and who commands over it ---------------------------------------------------------------


def test_more_time_is_asked_and_given_by_who_answers_for_discipline(h: Hotline) -> None:
    h.accepted().declared()
    key = key_of(h, "investigate")
    assert not sees(h, "officer")
    more = {"reason": "等鉴定", "interim": "先断电", "by": "searcher"}
    with pytest.raises(BadInput, match="15"):
        h.act(request_extension, key, days=16, **more)
    h.act(request_extension, key, days=15, **more)
    assert sees(h, "officer")
    with pytest.raises(NotAllowed):
        h.act(grant_extension, key, "可以", by="assigner")
    with h.street.database.begin() as conn:
        people = directory(conn)
        asked = {
            name: [row.task for row in requests_for(conn, people, person, h.street.at)]
            for name, person in h.street.person.items()
        }
    assert asked["officer"] == [key]
    assert asked["searcher"] == asked["watcher"] == asked["assigner"] == []
    h.act(grant_extension, key, "可以，已告知投诉人", by="officer")
    assert not sees(h, "officer")
    with pytest.raises(TooOften, match="1 次"):
        h.act(request_extension, key, days=1, **more)


@pytest.mark.parametrize("command", [urge, supervise])
def test_nobody_commands_over_a_complaint_they_may_not_see(h: Hotline, command: Any) -> None:
    h.accepted().declared()
    with pytest.raises(NotYoursToSee):
        h.act(command, "限期办结", by="watcher")
    with pytest.raises(NotYoursToSee):
        h.act(
            reassign_task, key_of(h, "investigate"), h.street.person["searcher2"], "换人",
            by="watcher",
        )  # fmt: skip


def test_what_ended_long_ago_is_nothing_to_merge_into(h: Hotline) -> None:
    h.report(category="suggestion").do("accept", decision="suggestion", reason="是建议").do(
        "answer"
    )
    assert h.state.ended
    old = h.case
    h.wait(days=89)
    h.report().do("accept", decision="merge", merged_into=old, reason="同一件事")
    assert h.open == ["second_look"]
    h.wait(days=2)
    h.report()
    with pytest.raises(FormRefused, match="超过 90 天"):
        h.do("accept", decision="merge", merged_into=old, reason="同一件事")
    with pytest.raises(FormRefused, match="没有编号"):
        h.do("accept", decision="merge", merged_into="hotline-2026-09999", reason="同一件事")
