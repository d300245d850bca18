"""Signals on both databases: what the rules find in cases that were lived, and who judges."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from audit import log
from audit.signals.among_cases import signals
from audit.signals.brief import brief
from audit.signals.facts import Signal
from audit.signals.kept import from_json, to_json
from audit.signals.rules import Rules, read_rules
from engine.cases import NotYourTask, Place
from engine.holding import delegate_task
from engine.people import directory
from engine.reasons import NoReason
from engine.signal_queue import signals_for
from engine.signals import (
    AlreadyJudged,
    Found,
    NoSuchSignal,
    OwnSignal,
    all_signals,
    confirm,
    dismiss,
    refresh,
)
from engine.timekeeping import (
    grant_extension,
    grant_pause,
    request_extension,
    request_pause,
    resume,
)
from engine.turns import raise_objection, reopen
from tests.conftest import ROOT, Street, photo
from tests.engine.hazard_street import VISIT, Hazard, hazard
from tests.engine.metrics_compared import compared

RULES = read_rules((ROOT / "workflows/signals/rules.toml").read_bytes())
OBJECTION = {"legal_basis": "供热合同", "reason": "管道归供热公司", "proposed_unit": "u-heat"}


@pytest.fixture
def h(street: Street) -> Iterator[Hazard]:
    yield hazard(street)
    street.check()


def from_scratch(street: Street, rules: Rules = RULES) -> list[Signal]:
    """What the rules find in the entries alone, all at once."""
    with street.database.begin() as conn:
        cases = [name for name in log.streams(conn) if not name.startswith("@")]
        return signals([brief(log.read(conn, name), rules) for name in cases], rules)


def kept_up(street: Street) -> list[Found]:
    """What is found as of now, kept up to date."""
    refresh(street.database, RULES, lambda _: None)
    with street.database.begin() as conn:
        return all_signals(conn)


def found(street: Street, rule: str) -> list[tuple[str, tuple[int, ...]]]:
    """Case and entries of what one rule finds; keeping up and starting over have to agree."""
    kept = sorted((one.signal for one in kept_up(street)), key=lambda one: (one.case, one.events))
    assert kept == sorted(from_scratch(street), key=lambda one: (one.case, one.events))
    return [(one.case, one.events) for one in kept if one.rule == rule]


def ask_for_days(h: Hazard, task: str, days: int) -> None:
    told = {"days": days, "reason": "配件未到", "interim": "先停用"}
    h.act(request_extension, task, **told, by="owner")


def seq(h: Hazard, type_: str, nth: int = 0) -> int:
    return h.all(type_)[nth].seq


# --- rules of one case ----------------------------------------------------------------------------


def test_a_case_in_time_gives_no_signal(h: Hazard) -> None:
    h.closed()
    assert kept_up(h.street) == []


def test_late_is_what_ended_beyond_its_limit_or_is_open_beyond_it(h: Hazard) -> None:
    h.report()
    h.wait(days=3)
    overdue = seq(h, "overdue.opened")
    assert found(h.street, "B1") == [(h.case, (overdue,))]
    h.do("confirm")
    done = seq(h, "task.completed")
    assert found(h.street, "B1") == [(h.case, (overdue, done))]


def test_late_is_also_what_only_an_extension_kept_from_it(h: Hazard) -> None:
    h.assigned().do("sign_in")
    task, due = h.task("rectify").key, h.due("rectify")
    ask_for_days(h, task, 2)
    h.act(grant_extension, task, "同意", by="chief")
    h.do("rectify")
    assert found(h.street, "B1") == []
    h.assigned().do("sign_in")
    task, due = h.task("rectify").key, h.due("rectify")
    ask_for_days(h, task, 2)
    h.act(grant_extension, task, "同意", by="chief")
    h.street.at = due + timedelta(minutes=5)
    h.do("rectify")
    granted, done = seq(h, "extension.granted"), h.all("task.completed")[-1].seq
    assert found(h.street, "B1") == [(h.case, (granted, done))]


def test_a_dodge_is_an_objection_that_was_refused_not_one_upheld(h: Hazard) -> None:
    h.assigned()
    h.act(raise_objection, h.task("sign_in").key, OBJECTION, by="owner")
    raised = seq(h, "objection.raised")
    assert found(h.street, "B2") == []
    h.do("rule_objection")
    ruling = h.all("task.completed")[-1].seq
    assert found(h.street, "B2") == [(h.case, (raised, ruling))]
    before = h.case
    h.assigned()
    h.act(raise_objection, h.task("sign_in").key, OBJECTION, by="owner")
    h.do("rule_objection", ruling="upheld", unit="u-heat")
    assert [case for case, _ in found(h.street, "B2")] == [before]


def test_a_dodge_is_a_step_that_was_handed_on_and_came_back(h: Hazard) -> None:
    h.assigned().do("sign_in")
    people = h.street.person
    h.act(delegate_task, h.task("rectify").key, people["owner2"], "换人", by="owner")
    assert found(h.street, "B2") == []
    h.act(delegate_task, h.task("rectify").key, people["owner"], "还是他", by="owner2")
    passed = [one.seq for one in h.all("task.delegated")]
    assert found(h.street, "B2") == [(h.case, (passed[1], passed[0]))]


def test_a_dodge_is_no_sign_in_until_escalation(h: Hazard) -> None:
    h.assigned()
    h.wait(days=3)
    escalated = [one.seq for one in h.all("deadline.escalated")
                 if one.data["task"].startswith("sign_in")]  # fmt: skip
    assert found(h.street, "B2") == [(h.case, tuple(escalated))]


def test_a_false_closing_is_one_that_was_reopened(h: Hazard) -> None:
    h.closed()
    closed = h.all("task.completed")[-1].seq
    assert found(h.street, "B3") == []
    h.act(reopen, "督查看过，隐患仍在", by="inspector")
    assert found(h.street, "B3") == [(h.case, (closed, seq(h, "case.reopened")))]


def test_a_false_closing_is_one_whose_hazard_is_confirmed_again_as_a_case_of_its_own(
    h: Hazard,
) -> None:
    h.closed()
    first, closed = h.case, h.all("task.completed")[-1].seq
    place = Place("u-micro-1", "听涛苑 3 幢")
    form = {"title": "车库消防栓没有水", "category": "charging", "address": "听涛苑 3 幢",
            "description": "另一件事"}  # fmt: skip
    h.case = h.street.report("hazard", "reporter", title=form["title"], place=place, form=form,
                             category="charging")  # fmt: skip
    h.do("confirm")
    assert found(h.street, "B3") == []
    h.report().do("confirm")
    assert found(h.street, "B3") == [(first, (closed,))]


def test_backdated_is_what_is_said_to_be_done_days_before_it_was_recorded(h: Hazard) -> None:
    h.assigned().do("sign_in")
    h.street.at = h.street.at.fromisoformat(VISIT) + timedelta(hours=23)
    h.do("rectify")
    assert found(h.street, "B6") == []
    h.assigned().do("sign_in")
    h.street.later(hours=3)
    h.do("rectify")
    assert found(h.street, "B6") == [(h.case, (h.all("task.completed")[-1].seq,))]


def test_suppressed_is_what_was_no_hazard_until_the_reporter_insisted(h: Hazard) -> None:
    h.report()
    form = {"verdict": "not_hazard", "reason": "只是停放车辆"}
    h.street.complete(h.case, h.task("confirm").key, "confirmer", form, evidence=[photo("site")])
    h.do("second_look")
    first = h.all("task.completed")[-1].seq
    assert found(h.street, "B7") == []
    h.dispute()
    h.do("second_look", by="looker2", decision="override", verdict="hazard", level="general")
    assert found(h.street, "B7") == [(h.case, (first, h.all("task.completed")[-1].seq))]


def test_what_was_suppressed_is_counted_the_same_by_other_means(h: Hazard) -> None:
    h.report()
    form = {"verdict": "not_hazard", "reason": "只是停放车辆"}
    h.street.complete(h.case, h.task("confirm").key, "confirmer", form, evidence=[photo("site")])
    h.do("second_look")
    first = h.all("task.completed")[-1].seq
    h.dispute()
    h.do("second_look", by="looker2", decision="override", verdict="hazard", level="general")
    kept_up(h.street)
    assert compared(h.street, "suppressed") == (0, 0)
    h.act(confirm, "B7", first, "现场还在", rules=RULES, by="inspector")
    assert compared(h.street, "suppressed") == (1, 1)


def test_downgraded_is_what_was_suspected_to_be_major_and_made_less(h: Hazard) -> None:
    h.report().do("confirm", level="major").do("second_look")
    assert found(h.street, "B8") == []
    h.report().do("confirm", level="major")
    h.do("second_look", decision="override", verdict="hazard", level="general")
    said = [one.seq for one in h.all("task.completed")]
    assert found(h.street, "B8") == [(h.case, (said[1], said[0]))]


def test_a_deadline_is_moved_by_a_second_extension(h: Hazard) -> None:
    h.assigned().do("sign_in")
    task = h.task("rectify").key
    for nth in range(2):
        assert found(h.street, "B9") == []
        ask_for_days(h, task, 1)
        asked = seq(h, "extension.requested", nth)
        h.act(grant_extension, task, "同意", by="chief")
    granted = seq(h, "extension.granted", 1)
    assert found(h.street, "B9") == [(h.case, (granted, asked))]


def test_a_pause_is_false_where_whoever_asked_for_it_ends_it(h: Hazard) -> None:
    h.assigned().do("sign_in")
    task = h.task("rectify").key
    until = h.street.at + timedelta(days=2)
    told = {"counterparty": "供电公司", "resume_by": until, "reason": "等停电"}
    h.act(request_pause, task, **told, by="owner", evidence=(photo("doc"),))
    asked = seq(h, "pause.requested")
    h.act(grant_pause, task, "同意", by="assigner")
    assert found(h.street, "B10") == []
    h.act(resume, task, "办好了", by="owner")
    resumed, granted = seq(h, "clock.resumed"), seq(h, "pause.granted")
    assert found(h.street, "B10") == [(h.case, (resumed, asked, granted))]


def test_merged_into_a_closed_case_is_a_signal_and_into_an_open_one_is_not(h: Hazard) -> None:
    h.closed()
    number = h.state.number
    duplicate = {"verdict": "duplicate", "level": None, "object": None, "danger_now": None}
    h.report().do("confirm", **duplicate, duplicate_of=number)
    merged = h.case, (seq(h, "task.completed"),)
    assert found(h.street, "B11") == [merged]
    h.rectified()
    number = h.state.number
    h.report().do("confirm", **duplicate, duplicate_of=number)
    assert found(h.street, "B11") == [merged]


# --- judging --------------------------------------------------------------------------------------


@pytest.fixture
def late(h: Hazard) -> Hazard:
    """A confirmation beyond its limit, found."""
    h.report()
    h.wait(days=3)
    h.do("confirm")
    kept_up(h.street)
    return h


def test_a_supervisor_says_whether_a_signal_holds_and_it_is_on_the_record(late: Hazard) -> None:
    h, entry = late, seq(late, "overdue.opened")
    h.act(confirm, "B1", entry, "周末没有人值班", rules=RULES, by="inspector")
    told = h.last("signal.confirmed")
    assert told.data == {
        "rule": "B1", "entry": entry, "rules": RULES.sha256, "reason": "周末没有人值班",
    }  # fmt: skip
    assert told.actor["capacity"] == "supervise"
    with h.street.database.begin() as conn:
        assert [one.state for one in all_signals(conn)] == ["confirmed"]
    assert [one.state for one in kept_up(h.street)] == ["confirmed"]


def test_a_dismissed_signal_stays_dismissed_when_everything_is_found_anew(late: Hazard) -> None:
    late.act(dismiss, "B1", seq(late, "overdue.opened"), "停电", rules=RULES, by="inspector")
    assert [one.state for one in kept_up(late.street)] == ["dismissed"]
    late.do("assign")
    assert [one.state for one in kept_up(late.street)] == ["dismissed"]


@pytest.mark.parametrize(
    ("rule", "shift", "reason", "by", "refusal"),
    [
        ("B1", 0, "看过", "owner", NotYourTask),
        ("B1", 0, "看过", "closer", NotYourTask),
        ("B1", 1, "看过", "inspector", NoSuchSignal),
        ("B17", 0, "看过", "inspector", NoSuchSignal),
        ("B1", 0, "  ", "inspector", NoReason),
    ],
)
def test_who_may_not_judge_and_what_is_not_there_is_refused(
    late: Hazard, rule: str, shift: int, reason: str, by: str, refusal: type[Exception]
) -> None:
    entry = seq(late, "overdue.opened") + shift
    count = len(late.entries)
    with pytest.raises(refusal):
        late.act(confirm, rule, entry, reason, rules=RULES, by=by)
    assert len(late.entries) == count


def test_a_signal_is_judged_once(late: Hazard) -> None:
    entry = seq(late, "overdue.opened")
    late.act(confirm, "B1", entry, "属实", rules=RULES, by="inspector")
    with pytest.raises(AlreadyJudged):
        late.act(dismiss, "B1", entry, "不属实", rules=RULES, by="inspector")


def test_nobody_judges_what_they_did_themselves(h: Hazard) -> None:
    h.closed()
    closed = h.all("task.completed")[-1].seq
    h.act(reopen, "督查看过，隐患仍在", by="inspector")
    kept_up(h.street)
    with pytest.raises(OwnSignal):
        h.act(confirm, "B3", closed, "属实", rules=RULES, by="inspector")


def test_signals_are_listed_for_those_who_judge_and_nobody_else(late: Hazard) -> None:
    with late.street.database.begin() as conn:
        people = directory(conn)
        listed = {
            name: len(signals_for(conn, people, late.street.by(name), late.street.at))
            for name in ("inspector", "confirmer", "chief", "closer")
        }
    assert listed == {"inspector": 1, "confirmer": 0, "chief": 0, "closer": 0}


# --- keeping up -----------------------------------------------------------------------------------


def test_only_cases_that_changed_are_folded_again(h: Hazard) -> None:
    first = h.closed().case
    second = h.assigned().case
    assert refresh(h.street.database, RULES, lambda _: None) == 2
    assert refresh(h.street.database, RULES, lambda _: None) == 0
    h.do("sign_in")
    assert refresh(h.street.database, RULES, lambda _: None) == 1
    assert first != second


def test_other_rules_fold_everything_again_and_what_is_found_no_more_is_gone(h: Hazard) -> None:
    h.assigned().do("sign_in")
    task = h.task("rectify").key
    for _ in range(2):
        ask_for_days(h, task, 1)
        h.act(grant_extension, task, "同意", by="chief")
    assert len(found(h.street, "B9")) == 1
    toml = (ROOT / "workflows/signals/rules.toml").read_text("utf-8")
    lenient = read_rules(toml.replace("times = 1\n", "times = 2\n").encode())
    assert refresh(h.street.database, lenient, lambda _: None) == 1
    with h.street.database.begin() as conn:
        assert [one.signal.rule for one in all_signals(conn)] == []


def test_a_kept_brief_is_what_was_folded(h: Hazard) -> None:
    h.closed()
    h.act(reopen, "督查看过，隐患仍在", by="inspector")
    one = brief(h.entries, RULES)
    assert from_json(to_json(one)) == one
