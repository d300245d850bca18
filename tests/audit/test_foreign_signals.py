"""What our rules find in a foreign log: by the same functions; the rest is refused by name."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from audit.foreign.found import found_in
from audit.foreign.happenings import ForeignCase
from audit.foreign.heard import heard
from audit.foreign.rule_needs import PARTS, able
from audit.signals.facts import Signal
from tests.audit.test_foreign import DAY, USUAL, told
from web.signal_rules import signal_rules

RULES = signal_rules()
DUE = {"unit": "物业", "due": DAY + timedelta(hours=30)}
SEEN = {"said": {"verdict": "hazard"}, "person": "周演示"}
PLACE = {"address": "东塘路1号", "title": "楼道堆物", "category": "fire_lane"}


def find(*cases: ForeignCase) -> list[Signal]:
    return found_in(cases, RULES, able(RULES, heard(cases)))


def found(rule: str, *cases: ForeignCase) -> list[tuple[str, tuple[int, ...]]]:
    return [(one.case, one.events) for one in find(*cases) if one.rule == rule]


def refused(*cases: ForeignCase) -> dict[str, str]:
    looked = able(RULES, heard(cases))
    return {one.rule: one.lacking[0].chinese for one in looked if not one.able}


def moved(case: ForeignCase, hours: int, id_: str) -> ForeignCase:
    later = (replace(one, at=one.at + timedelta(hours=hours)) for one in case.happenings)
    return replace(case, id=id_, number=id_, happenings=tuple(later))


def test_every_rule_there_is_is_looked_for_or_refused_with_a_reason() -> None:
    nothing = able(RULES, {})
    assert {one.rule for one in nothing} == RULES.rules.keys() >= PARTS.keys()
    assert all(not one.able and one.lacking for one in nothing)
    assert all(lack.chinese and lack.english.isascii() for one in nothing for lack in one.lacking)


def test_late_is_what_ended_beyond_its_limit_or_was_open_beyond_it_when_the_log_ended() -> None:
    late = told(*USUAL[:4], (40, "complete", "rectify"))
    open_ = told(*USUAL[:4], id="C-2")
    far = told(*USUAL[:3], (3, "schedule", "rectify", {"due": DAY + timedelta(hours=90)}), id="C-3")
    assert found("B1", late, open_, far) == [("C-1", (5,)), ("C-2", (4,))]
    assert found("B1", told(*USUAL)) == []


def test_an_extension_that_kept_a_step_from_being_late_is_told() -> None:
    longer = (10, "extend", "rectify", {"due": DAY + timedelta(hours=60)})
    assert found("B1", told(*USUAL[:4], longer, (40, "complete", "rectify"))) == [("C-1", (5, 6))]


def test_a_limit_told_afterwards_says_nothing_of_what_is_late() -> None:
    after = told(*USUAL[:3], (40, "complete", "rectify", {"due": DAY}))
    assert found("B1", after) == []
    assert "时限" in refused(after)["B1"]


def test_a_step_handed_on_again_and_again_and_a_refused_objection_are_dodges() -> None:
    hands = [(4 + n, "reassign", "rectify", {"person": name}) for n, name in enumerate("甲乙丙")]
    assert found("B2", told(*USUAL[:4], *hands)) == [("C-1", (7, 6, 5))]
    refusal = told(
        *USUAL[:3], (4, "object", "sign_in"),
        (5, "complete", "rule_objection", {"said": {"ruling": "rejected"}}),
    )  # fmt: skip
    assert found("B2", refusal) == [("C-1", (4, 5))]
    upheld = told(
        *USUAL[:3], (4, "object", "sign_in"),
        (5, "complete", "rule_objection", {"said": {"ruling": "upheld"}}),
    )  # fmt: skip
    assert found("B2", upheld) == []


def test_a_closing_that_was_reopened_or_seen_again_did_not_hold() -> None:
    assert found("B3", told(*USUAL, (99, "reopen", ""))) == [("C-1", (7, 8))]
    late = told(*USUAL, (24 * 60, "reopen", ""))
    assert found("B3", late) == []
    whole = (USUAL[0], (1, "complete", "confirm", SEEN), *USUAL[2:6],
             (27, "complete", "close", {"person": "何演示"}))  # fmt: skip
    first = told(*whole, **PLACE)
    again = moved(first, 24 * 5, "C-2")
    assert found("B3", first, again) == [("C-1", (7,))]
    elsewhere = replace(again, address="西塘路9号")
    assert found("B3", first, elsewhere) == []


def both(id_: str, did: tuple[str, str], took: tuple[str, str]) -> ForeignCase:
    return told(
        *USUAL[:4], (20, "complete", "rectify", {"person": did[0], "unit": did[1]}),
        (26, "complete", "accept",
         {"person": took[0], "unit": took[1], "said": {"result": "pass"}}), id=id_,
    )  # fmt: skip


def test_accepting_ones_own_and_each_others_work_is_told() -> None:
    assert found("B4", both("C-1", ("林演示", "甲"), ("林演示", "甲"))) == [("C-1", (6,))]
    there = [both(f"C-{n}", ("林演示", "甲"), ("陈演示", "乙")) for n in range(3)]
    back = [both(f"D-{n}", ("陈演示", "乙"), ("林演示", "甲")) for n in range(3)]
    assert len(found("B4", *there, *back)) == 6
    assert found("B4", *there) == []


def test_what_was_said_to_be_none_or_less_and_was_more_is_told() -> None:
    looks = told(
        (0, "complete", "report"), (1, "complete", "confirm", {"said": {"verdict": "not_hazard"}}),
        (2, "complete", "second_look", {"said": {"decision": "agree", "verdict": "not_hazard"}}),
        (9, "complete", "second_look", {"said": {"decision": "override", "verdict": "hazard"}}),
    )  # fmt: skip
    assert found("B7", looks) == [("C-1", (3, 4))]
    less = told(
        (0, "complete", "report"), (1, "complete", "confirm", {"said": {"level": "major"}}),
        (2, "complete", "second_look", {"said": {"level": "general"}}),
    )  # fmt: skip
    assert found("B8", less) == [("C-1", (3, 2))]


def test_a_case_merged_into_a_closed_one_is_told() -> None:
    master = told(*USUAL[:6], (27, "complete", "close", {"person": "何演示"}))
    merged = told(
        (40, "complete", "report"),
        (41, "complete", "confirm", {"said": {"duplicate_of": "C-1"}, "person": "周演示"}),
        id="C-2", number="C-2",
    )  # fmt: skip
    assert found("B11", master, merged) == [("C-2", (2,))]


def closed(n: int, minutes: int) -> ForeignCase:
    """Accepted and closed on the last day of March, by one person."""
    end = (28 * 24) + minutes / 60
    return told(
        *USUAL[:5], (end - 1, "complete", "accept", {"person": "林演示"}),
        (end, "complete", "close", {"person": "何演示"}), id=f"C-{n:02}",
    )  # fmt: skip


def test_many_at_once_by_one_person_are_told() -> None:
    many = [closed(n, n) for n in range(12)]
    assert len(found("B17", *many)) == 12
    assert len(found("B16", *many)) == 12
    assert found("B17", *many[:9]) == []


def test_what_needs_our_own_record_is_refused_even_where_it_would_find_something() -> None:
    paused: list[tuple[Any, ...]] = [
        (5, "suspend", "rectify", {"person": "陈演示"}),
        (9, "resume", "rectify", {"person": "陈演示"}),
        (10, "extend", "rectify", {"due": DAY + timedelta(hours=40), "unit": "物业"}),
        (11, "extend", "rectify", {"due": DAY + timedelta(hours=50), "unit": "物业"}),
        (12, "extend", "rectify", {"due": DAY + timedelta(hours=60), "unit": "物业"}),
    ]
    case = told(*USUAL[:4], *paused, (55, "complete", "rectify"))
    assert {"B5", "B6", "B9", "B10"} <= refused(case).keys()
    assert not {one.rule for one in find(case)} & refused(case).keys()


def test_what_somebody_claims_is_compared_where_it_is_told() -> None:
    claim = {"said": {"done_at": "2025-03-01T09:00:00+08:00"}, "person": "陈演示"}
    case = told(*USUAL[:4], (20, "complete", "rectify", claim))
    assert "B6" not in refused(case)
    assert found("B6", case) == [("C-1", (5,))]


def test_bursts_of_whistles_and_whistles_sent_back_are_told_by_community() -> None:
    def blown(number: int, day: int) -> ForeignCase:
        hours = 24 * day + number
        return told(
            (hours, "complete", "report", {"person": "沈演示", "unit": "东塘"}),
            (hours + 1, "schedule", "review"),
            (hours + 2, "return", "review", {"person": "钱演示"}),
            process="whistle", id=f"C-{number}", number=f"C-{number}",
        )  # fmt: skip

    # 3 March 2025 is day 0: the 29th is day 26.
    month_end = [blown(number, 26) for number in range(5)]
    assert {events[0] for _, events in found("B14", *month_end)} == {1, 3}
    assert len(found("B14", *month_end)) == 10
    assert found("B14", *(blown(number, 5 * number) for number in range(4))) == []
    unnamed = [replace(case, happenings=tuple(replace(one, unit="") for one in case.happenings))
               for case in month_end]  # fmt: skip
    assert "B14" in refused(*unnamed)


def test_ratings_are_told_where_units_lengths_of_calls_or_ends_are() -> None:
    def asked(seconds: str, unit: str) -> ForeignCase:
        said = {"said": {"reached": "reached", "call_seconds": seconds}, "person": "温演示"}
        return told(
            (0, "complete", "report"), (9, "complete", "investigate", {"unit": "督查组"}),
            (10, "complete", "reply"), (20, "complete", "revisit", {**said, "unit": unit}),
            process="hotline",
        )  # fmt: skip

    assert found("B15", asked("9", "热线办")) == [("C-1", (4,))]
    assert found("B15", asked("90", "督查组")) == [("C-1", (4, 2))]
    assert found("B15", asked("90", "热线办")) == []
    assert {"B12", "B13"} <= refused(asked("9", "热线办")).keys()
