"""B12, B13, B15 in complaints: what was lived, and what the engine refuses but a log may hold."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from audit import log
from audit.entries import Entry
from audit.signals.among_cases import signals
from audit.signals.brief import brief
from audit.signals.kept import from_json, to_json
from audit.signals.offices import Offices, offices
from audit.signals.rules import read_rules
from engine.definition_sets import deploy
from engine.definitions import read_folder
from engine.holding import claim_task
from engine.mailbox import read_content
from engine.people import grant_post
from engine.signals import all_signals, refresh
from engine.timekeeping import ring
from engine.unsealing import grant_unsealing, request_unsealing, view_identity
from engine.vault import Vault
from engine.viewings import Sight, note_look
from tests.conftest import ROOT, Street
from tests.engine.hotline_street import Hotline, hotline

RULES = read_rules((ROOT / "workflows/signals/rules.toml").read_bytes())


@pytest.fixture
def h(street: Street, vault: Vault) -> Iterator[Hotline]:
    yield hotline(street, vault)
    street.check()


def known(h: Hotline) -> Offices:
    with h.street.database.begin() as conn:
        return offices(log.read(conn, "@units"), log.read(conn, "@people"))


def found(h: Hotline, rule: str) -> list[tuple[str, tuple[int, ...]]]:
    """What one rule finds, kept up to date and from scratch alike."""
    refresh(h.street.database, RULES, lambda _: None)
    with h.street.database.begin() as conn:
        kept = {(one.signal.rule, one.signal.case, one.signal.events, one.signal.others)
                for one in all_signals(conn)}  # fmt: skip
        cases = [name for name in log.streams(conn) if not name.startswith("@")]
        briefs = [brief(log.read(conn, name), RULES) for name in cases]
    assert [from_json(to_json(one)) for one in briefs] == briefs
    anew = {(one.rule, one.case, one.events, one.others)
            for one in signals(briefs, RULES, (), known(h))}  # fmt: skip
    assert kept == anew
    return sorted((case, events) for name, case, events, _ in anew if name == rule)


def in_another_log(h: Hotline, entries: Sequence[Entry], rule: str) -> list[tuple[int, ...]]:
    """What a rule finds in entries that our engine would not have written so."""
    told = signals([brief(entries, RULES)], RULES, (), known(h))
    return [one.events for one in told if one.rule == rule]


def changed(entries: Sequence[Entry], seq: int, **more: Any) -> list[Entry]:
    """The same log, but that one entry was done by somebody else, or says something else."""
    return [
        replace(one, actor=one.actor | more.get("actor", {}), data=one.data | more.get("data", {}))
        if one.seq == seq else one
        for one in entries
    ]  # fmt: skip


def done(h: Hotline, element: str) -> Entry:
    return next(one for one in h.entries
                if str(one.data.get("task", "")).startswith(f"{element}#")
                and one.type == "task.completed")  # fmt: skip


def reading(h: Hotline, element: str, by: str) -> Hotline:
    """Take a step in hand, if it is not, and read what is sealed."""
    if h.task(element).holder is None:
        h.act(claim_task, h.task(element).key, by=by)
    h.street.later(minutes=1)
    h.street.do(read_content, h.vault, h.case, by=h.street.by(by))
    return h


# --- B12 ------------------------------------------------------------------------------------------


def test_a_complaint_that_goes_its_way_is_nothing_to_recusal_identity_and_ratings(
    h: Hotline,
) -> None:
    h.accepted(unit="u-heat-office").declared()
    reading(h, "investigate", "searcher").do("investigate").do("verify").do("reply").do("revisit")
    assert [found(h, rule) for rule in ("B12", "B13", "B15")] == [[], [], []]


def test_recusal_was_missed_by_whoever_declared_none_read_and_was_ruled_out_later(
    h: Hotline,
) -> None:
    h.accepted().declared()
    reading(h, "investigate", "searcher")
    read = h.last("content.read").seq
    h.say("recusal")
    assert found(h, "B12") == []
    h.do("rule_recusal", ruling="upheld", recused="searcher")
    assert found(h, "B12") == [(h.case, (read, done(h, "rule_recusal").seq))]


def test_a_demand_that_was_rejected_and_an_own_declaration_are_no_missed_recusal(
    h: Hotline,
) -> None:
    h.accepted().declared()
    reading(h, "investigate", "searcher").say("recusal").do("rule_recusal")
    h.accepted().do("dispatch")
    h.do("declare", "searcher2", relation="related", ground="relative", recused="searcher2")
    assert found(h, "B12") == []


def test_reading_and_investigating_before_declaring_is_found_where_it_happened(
    h: Hotline,
) -> None:
    h.accepted().declared()
    reading(h, "investigate", "searcher").do("investigate")
    declared, read = done(h, "declare"), h.last("content.read").seq
    assert in_another_log(h, h.entries, "B12") == []
    undeclared = [one for one in h.entries if one.seq != declared.seq]
    assert in_another_log(h, undeclared, "B12") == [(read,)]
    other = {"person": h.street.person["searcher2"]}
    assert in_another_log(h, changed(h.entries, declared.seq, actor=other), "B12") == [(read,)]


@pytest.mark.parametrize(
    ("name", "unit", "is_kept_out"),
    [
        ("heat", "u-heat-office", True),
        ("chief", "u-street", True),
        ("searcher2", "u-inspection", False),
        ("watcher", "u-street", False),
    ],
)
def test_acts_of_the_unit_concerned_and_of_who_approves_for_it_are_found_where_they_happened(
    h: Hotline, name: str, unit: str, is_kept_out: bool
) -> None:
    h.accepted(unit="u-heat-office").do("dispatch")
    act = done(h, "dispatch").seq
    with h.street.database.begin() as conn:
        granted = [one for one in log.read(conn, "@people") if one.type == "post.granted"]
    post = next(one.data["post"] for one in granted if one.data["person"] == h.street.person[name])
    by = {"person": h.street.person[name], "unit": unit, "post": post}
    told = in_another_log(h, changed(h.entries, act, actor=by), "B12")
    assert told == ([(act, 1)] if is_kept_out else [])


# --- B13 ------------------------------------------------------------------------------------------


@pytest.fixture
def seen(h: Hotline) -> Hotline:
    """An identity asked for with a purpose, allowed by the keeper, and looked at in time."""
    h.accepted().declared()
    reading(h, "investigate", "searcher")
    h.act(request_unsealing, ["name"], "要当面核实", by="searcher")
    h.act(grant_unsealing, h.last("unseal.requested").seq, "同意", by="keeper")
    request = h.last("unseal.requested").seq
    h.street.later(minutes=1)
    with h.street.database.begin() as conn:
        view_identity(
            conn, h.vault, h.case, request, by=h.street.by("searcher"), at=h.street.at
        )  # fmt: skip
    return h


def test_an_identity_seen_by_leave_is_no_signal(seen: Hotline) -> None:
    assert found(seen, "B13") == []


@pytest.mark.parametrize("what", ["no leave", "others", "more", "late", "own", "no purpose"])
def test_an_identity_seen_without_leave_is_found_where_it_happened(
    seen: Hotline, what: str
) -> None:
    h = seen
    view, asked = h.last("identity.viewed"), h.last("unseal.requested")
    granted = h.last("unseal.granted")
    other = {"person": h.street.person["searcher2"]}
    entries = {
        "no leave": [one for one in h.entries if one.type != "unseal.granted"],
        "others": changed(h.entries, view.seq, actor=other),
        "more": changed(h.entries, view.seq, data={"fields": ["name", "phone"]}),
        "late": [replace(one, at=one.at + timedelta(days=4)) if one.seq >= view.seq else one
                 for one in h.entries],
        "own": changed(h.entries, granted.seq, actor={"person": view.actor["person"]}),
        "no purpose": changed(h.entries, asked.seq, data={"purpose": " "}),
    }[what]  # fmt: skip
    assert in_another_log(h, entries, "B13") == [(view.seq, asked.seq)]


def test_a_look_by_the_side_complained_of_is_found_and_one_by_others_is_not(h: Hotline) -> None:
    h.accepted(unit="u-heat-office").do("dispatch")
    h.street.later(minutes=1)
    h.street.do(note_look, h.case, Sight("page"), by=h.street.by("desk"))
    look = h.last("file.viewed").seq
    assert found(h, "B13") == []
    theirs = {"person": h.street.person["heat"], "unit": "u-heat-office"}
    assert in_another_log(h, changed(h.entries, look, actor=theirs), "B13") == [(look, 1)]
    assert in_another_log(h, changed(h.entries, look, actor=theirs), "B12") == []


def inspected(h: Hotline) -> None:
    """Somebody inspects the door that the hazard is about, beside any plan."""
    h.street.later(days=1)
    told = {"title": "专项检查", "category": "patrol_special", "address": "听涛苑 3 幢"}
    h.street.report("patrol", "grid", title="专项检查", category="patrol_special", form=told)


@pytest.fixture
def about(h: Hotline) -> str:
    """A hazard to complain about, and somebody who may inspect its door."""
    with h.street.database.begin() as conn:
        for process in ("patrol_plan", "patrol"):
            deploy(conn, read_folder(ROOT / "workflows" / process), by=None, at=h.street.at)
        grant_post(
            conn, h.street.person["grid"], "u-micro-1", "巡查岗", ["patrol"], reason="到任",
            by=None, at=h.street.at,
        )  # fmt: skip
    return h.hazard()


def test_a_place_inspected_more_often_after_a_complaint_about_it_is_a_flag_on_the_complaint(
    h: Hotline, about: str
) -> None:
    h.accepted(linked=about)
    inspected(h)
    assert found(h, "B13") == []
    inspected(h)
    assert found(h, "B13") == [(h.case, (1,))]


def test_as_often_as_before_or_months_later_is_no_flag(h: Hotline, about: str) -> None:
    inspected(h)
    inspected(h)
    h.accepted(linked=about)
    inspected(h)
    inspected(h)
    assert found(h, "B13") == []
    h.street.later(days=120)
    h.accepted(linked=about)
    h.street.later(days=120)
    inspected(h)
    inspected(h)
    assert found(h, "B13") == []


def test_what_a_plan_that_stood_before_the_complaint_brings_is_no_flag_and_a_new_plan_is(
    h: Hotline, about: str
) -> None:
    told = {"title": "每天看一次", "category": "patrol_daily", "address": "听涛苑 3 幢",
            "interval": "EVERY_DAY", "rounds": 3}  # fmt: skip

    def plan() -> None:
        h.street.later(hours=1)
        case = h.street.report("patrol_plan", "grid", title="每天看一次", form=told,
                               category="patrol_daily")  # fmt: skip
        h.street.deliver()
        for _ in range(2):
            h.street.later(days=1, minutes=1)
            h.street.do(ring, case)
            h.street.deliver()

    plan()
    h.accepted(linked=about)
    h.street.later(days=100)
    h.accepted(linked=about)
    assert found(h, "B13") == []
    plan()
    assert [case for case, _ in found(h, "B13")] == [h.case]


# --- B15 ------------------------------------------------------------------------------------------


def test_a_call_of_seconds_and_a_revisit_at_once_are_found(h: Hotline) -> None:
    called = {"call_seconds": 9}
    h.accepted().replied().do("revisit", **called)
    short = h.case, (done(h, "revisit").seq,)
    assert found(h, "B15") == [short]
    h.accepted().replied("searcher2")
    h.do("revisit", call_seconds=10)
    assert found(h, "B15") == [short]
    at_once = [replace(one, at=done(h, "reply").at + timedelta(seconds=20))
               if one.seq >= done(h, "revisit").seq else one for one in h.entries]  # fmt: skip
    assert in_another_log(h, at_once, "B15") == [(done(h, "revisit").seq, done(h, "reply").seq)]


def test_an_unreachable_telephone_rings_for_seconds_and_that_is_nothing(h: Hotline) -> None:
    h.accepted().replied()
    told = {"reached": "unreachable", "solved": None, "satisfied": None, "objects": None}
    h.do("revisit", **told, call_seconds=5)
    assert found(h, "B15") == []


def test_a_revisit_by_the_unit_that_investigated_is_found_where_it_happened(h: Hotline) -> None:
    h.accepted().replied().do("revisit")
    revisit, investigated = done(h, "revisit").seq, done(h, "investigate").seq
    own = changed(h.entries, revisit, actor={"unit": "u-inspection"})
    assert in_another_log(h, own, "B15") == [(revisit, investigated)]


def test_one_recording_for_two_cases_is_found_in_both(h: Hotline) -> None:
    told = {"call_seconds": 60, "call_sha256": "ab" * 32}
    h.accepted().replied().do("revisit", **told)
    first = h.case, (done(h, "revisit").seq,)
    assert found(h, "B15") == []
    h.accepted().replied("searcher2").do("revisit", **told)
    assert found(h, "B15") == [first, (h.case, (done(h, "revisit").seq,))]


def test_one_telephone_is_told_by_its_commitment_only_in_a_log_without_salts(h: Hotline) -> None:
    streams = []
    for _ in range(4):
        h.accepted()
        streams.append(h.entries)
    assert found(h, "B15") == []
    same = {"sealed": "cd" * 32, "as": "identity"}
    unsalted = [changed(one, 1, data={"form": one[0].data["form"] | {"phone": same}})
                for one in streams]  # fmt: skip
    briefs = [brief(one, RULES) for one in unsalted]
    assert [one.rule for one in signals(briefs[:3], RULES)] == []
    assert [(one.rule, one.events) for one in signals(briefs, RULES)] == [("B15", (1,))] * 4
