"""The metrics of hand-made cases: every edge of a formula, and what must not change a figure."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.metrics.catalogue import COMPOSITE, METRICS
from audit.metrics.facts import Act, CaseFacts, Passed, Setting, Since, Step, as_of
from audit.metrics.figures import Composite, Count, Rate, Spread, Withheld
from audit.metrics.fold import case_facts
from audit.metrics.formulas import BadFormulas, Formulas, read_formulas
from audit.metrics.marks import Period
from audit.metrics.places import Places
from audit.metrics.plain import decimal, metrics_json
from audit.metrics.results import BY, Results, of, results
from tests.conftest import ROOT
from tests.golden.cases.sample import two_rounds

ZONE = ZoneInfo("Asia/Shanghai")
START = datetime(2026, 3, 1, tzinfo=ZONE)
MARCH = Period(START, datetime(2026, 4, 1, tzinfo=ZONE))
TOML = (ROOT / "workflows" / "metrics" / "formulas.toml").read_bytes()
FORMULAS: Formulas = read_formulas(TOML)
PLACES = Places(
    {"u-street": "street", "u-east": "community", "u-e1": "general_grid", "u-firm": "company"},
    {"u-east": "东社区"},
    {"u-e1": "u-east", "u-east": "u-street"},
)


def at(days: float) -> datetime:
    return START + timedelta(days=days)


class Case:
    """A hazard being made: steps and acts in the order in which they are told."""

    def __init__(self, name: str = "hazard-1", opened: float = 0, **more: Any) -> None:
        self.seq = 1
        self.steps: list[Step] = []
        self.acts: list[Act] = []
        self.passed: list[Passed] = []
        self.more = {"source": "staff", "opener": "u-e1", "told_by": "", "imported": False} | more
        self.name, self.opened = name, at(opened)

    def step(
        self, element: str, opened: float, closed: float | None = None, *,
        due: float | None = None, how: str = "completed", **answers: Any,
    ) -> "Case":  # fmt: skip
        n = 1 + sum(one.element == element for one in self.steps)
        self.seq += 2
        limits = () if due is None else (Setting(at(opened), at(due), "case.opened"),)
        made = Step(f"{element}#{n}", element, at(opened), self.seq, ("u-firm",), limits)
        if closed is not None:
            made = replace(
                made, closed=at(closed), closed_seq=self.seq + 1, how=how, unit="u-firm",
                answers=answers,
            )  # fmt: skip
        self.steps.append(made)
        return self

    def moved(self, due: float, when: float, why: str = "extension.granted") -> "Case":
        last = self.steps[-1]
        limits = (*last.settings, Setting(at(when), at(due), why))
        self.steps[-1] = replace(last, settings=limits)
        return self.act(why, when)

    def act(self, type_: str, when: float, said: str = "") -> "Case":
        self.seq += 2
        self.acts.append(Act(self.seq, at(when), type_, self.steps[-1].task, said))
        return self

    def ended(self, element: str, when: float) -> "Case":
        self.passed.append(Passed(at(when), element))
        return self

    def facts(self) -> CaseFacts:
        usual = {
            "process": "hazard", "path": ("u-e1", "u-east", "u-street"), "parent": "", "party": "",
            "class_": "", "linked": "",
        }  # fmt: skip
        return CaseFacts(
            case=self.name, number=self.name, address="3 幢", opened=self.opened,
            categories=(Since(self.opened, "gas"),), levels=(), steps=tuple(self.steps),
            acts=tuple(self.acts), passed=tuple(self.passed), counted=(), **usual | self.more,
        )  # fmt: skip


def accepted(due: float, handed_in: float, ended: float, name: str = "hazard-1") -> Case:
    """A hazard confirmed on the first day, handed in and accepted then."""
    told = Case(name).step("assign", 0, 0).step("rectify", 0, handed_in, due=due)
    return told.step("accept", handed_in, ended, result="pass").step("close", ended, ended)


def told(*cases: Case, period: Period = MARCH, by: str = "") -> Results:
    facts = [one.facts() for one in cases]
    return results(facts, FORMULAS, PLACES, period, by=by, zone=ZONE)


def rate(metric: str, *cases: Case, period: Period = MARCH) -> tuple[int, int, Mapping[str, int]]:
    figures = of(told(*cases, period=period), metric)
    if not figures:
        return 0, 0, {}
    (figure,) = figures.values()
    assert isinstance(figure, Rate)
    one = figure.proportion
    return one.numerator, one.denominator, one.excluded


def test_what_is_due_as_the_period_ends_belongs_to_the_next() -> None:
    case = accepted(due=31, handed_in=3, ended=4)
    april = Period(MARCH.until, datetime(2026, 5, 1, tzinfo=ZONE))
    assert rate("rectified_of_due", case) == (0, 0, {})
    assert rate("rectified_of_due", case, period=april) == (1, 1, {})
    just = accepted(due=31 - 1 / 86400, handed_in=3, ended=4)
    assert rate("rectified_of_due", just) == (1, 1, {})


def test_an_open_case_counts_as_not_rectified_and_its_duration_is_censored() -> None:
    case = Case().step("assign", 0, 0).step("rectify", 0, due=5)
    assert rate("rectified_of_due", case) == (0, 1, {})
    assert rate("rectified_of_found", case) == (0, 1, {})
    (figure,) = of(told(case), "until_accepted").values()
    assert isinstance(figure, Spread)
    assert (figure.n, figure.censored, figure.median, figure.p90) == (1, 1, None, None)


def test_what_was_accepted_after_the_end_was_open_at_the_end() -> None:
    case = accepted(due=20, handed_in=10, ended=31)
    assert rate("rectified_of_due", case) == (0, 1, {})


def test_submitted_in_time_is_not_in_time_if_that_submission_failed() -> None:
    case = Case().step("assign", 0, 0).step("rectify", 0, 4, due=5)
    case.step("accept", 4, 5, result="fail").step("rectify", 5, 6, due=7)
    case.step("accept", 6, 7, result="pass").step("close", 7, 7)
    assert rate("in_time", case) == (0, 1, {})
    assert rate("rectified_of_due", case) == (1, 1, {})


def test_rework_handed_in_before_the_first_limit_is_in_time() -> None:
    case = Case().step("assign", 0, 0).step("rectify", 0, 1, due=5)
    case.step("accept", 1, 2, result="fail").step("rectify", 2, 5, due=4)
    case.step("accept", 5, 6, result="pass").step("close", 6, 6)
    assert rate("in_time", case) == (1, 1, {})


def test_an_extension_moves_the_lawful_limit_and_not_the_original_one() -> None:
    case = Case().step("assign", 0, 0).step("rectify", 0, 8, due=5).moved(9, 4)
    case.step("accept", 8, 9, result="pass").step("close", 9, 9)
    assert rate("in_time", case) == (1, 1, {})
    assert rate("in_original_time", case) == (0, 1, {})
    assert rate("extended", case) == (1, 1, {})


def test_the_standing_list_moves_no_limit() -> None:
    case = Case().step("assign", 0, 0).step("rectify", 0, due=5).moved(40, 4, "standing.listed")
    assert rate("rectified_of_due", case) == (0, 1, {})


def test_a_clock_that_stands_still_is_excluded_and_told() -> None:
    case = Case().step("assign", 0, 0).step("rectify", 0, due=5).act("pause.granted", 2)
    assert rate("rectified_of_due", case) == (0, 0, {"paused": 1})
    assert rate("in_original_time", case) == (0, 1, {})
    running = case.act("clock.resumed", 3)
    assert rate("rectified_of_due", running) == (0, 1, {})


def test_merged_and_void_cases_are_excluded_and_told() -> None:
    cases = [Case("hazard-1").ended("merged", 3), Case("hazard-2").ended("transferred", 4)]
    assert rate("rectified_of_due", *cases) == (0, 0, {"merged": 1, "void": 1})
    (figure,) = of(told(*cases), "rectified_of_found").values()
    assert isinstance(figure, Rate)
    assert (figure.beside.cases, figure.beside.merged, figure.beside.void) == (2, 1, 1)


def test_a_closing_that_came_undone_was_no_acceptance() -> None:
    case = accepted(due=5, handed_in=3, ended=4).act("case.reopened", 6).step("assign", 6, 7)
    assert rate("rectified_of_due", case) == (0, 1, {})
    assert rate("in_time", case) == (0, 1, {})
    assert rate("reopened", case) == (1, 1, {})
    case.step("rectify", 7, 8, due=9).step("accept", 8, 9, result="pass").step("close", 9, 9)
    assert rate("rectified_of_due", case) == (2, 2, {})
    assert rate("in_time", case) == (1, 2, {})


def test_a_closing_sent_back_is_no_acceptance() -> None:
    case = Case().step("assign", 0, 0).step("rectify", 0, 1, due=5)
    case.step("accept", 1, 2, result="pass").step("close", 2, 3, how="task.returned")
    assert rate("rectified_of_due", case) == (0, 1, {})


def test_only_closings_that_were_looked_at_can_be_refuted() -> None:
    held = accepted(5, 3, 4, "hazard-1").step("reinspect", 5, 6, result="absent")
    false = accepted(5, 3, 4, "hazard-2").step("re_accept", 5, 6, result="fail")
    unchecked = accepted(5, 3, 4, "hazard-3")
    assert rate("refuted", held, false, unchecked) == (1, 2, {})
    assert rate("refuted_by_lot", held, false, unchecked) == (0, 1, {})


def test_a_missing_rating_counts_in_the_lower_bound_alone() -> None:
    names = ("hazard-1", "hazard-2", "hazard-3")
    cases = [accepted(5, 3, 4, name) for name in names]
    for case in cases:
        case.more["source"] = "resident"
    cases[0].act("result.rated", 5, "satisfied")
    cases[1].act("result.rated", 5, "mostly")
    assert rate("rated_satisfied", *cases) == (1, 2, {"not_rated": 1})
    (figure,) = of(told(*cases), "rated_satisfied").values()
    assert isinstance(figure, Rate)
    assert figure.lower is not None
    assert (figure.lower.numerator, figure.lower.denominator) == (1, 3)
    assert figure.apart == {"mostly": 1}


def test_what_is_overdue_weighs_by_days_and_level() -> None:
    case = Case().step("assign", 0, 0).step("rectify", 0, due=21)
    (figure,) = of(told(case), "overdue").values()
    assert isinstance(figure, Count)
    assert (figure.count, figure.sum) == (1, 10)
    major = replace(case.facts(), levels=(Since(at(1), "major"),))
    found = results([major], FORMULAS, PLACES, MARCH, zone=ZONE)
    (figure,) = of(found, "overdue").values()
    assert isinstance(figure, Count)
    assert (figure.count, figure.sum) == (1, 100)


def test_a_find_is_the_blocks_own_by_unit_and_by_whose_word() -> None:
    own = Case("hazard-1").step("assign", 0, 0)
    resident = Case("hazard-2", told_by="resident").step("assign", 0, 0)
    outside = Case("hazard-3", opener="u-street").step("assign", 0, 0)
    imported = Case("hazard-4", imported=True).step("assign", 0, 0)
    assert rate("found_by_others", own, resident, outside, imported) == (2, 3, {"imported": 1})


def test_a_rank_among_the_censored_is_not_told() -> None:
    ended = [accepted(20, day, day, f"hazard-{day}") for day in range(1, 7)]
    open_ = [Case(f"hazard-x{n}").step("assign", 0, 0) for n in range(5)]
    (figure,) = of(told(*ended, *open_), "until_accepted").values()
    assert isinstance(figure, Spread)
    assert (figure.n, figure.censored, figure.median, figure.p90) == (11, 5, 6 * 1440, None)


@pytest.mark.parametrize("by", BY)
def test_groups_add_up_to_the_whole(by: str) -> None:
    cases = [accepted(3 + n, 2 + n % 4, 4 + n, f"hazard-{n}") for n in range(12)]
    whole, parts = told(*cases), told(*cases, by=by)
    for metric in METRICS:
        sums = _sums(of(parts, metric).values())
        assert sums == _sums(of(whole, metric).values())


def _sums(figures: Any) -> tuple[int, int]:
    rates = [one.proportion for one in figures if isinstance(one, Rate)]
    return sum(one.numerator for one in rates), sum(one.denominator for one in rates)


@given(st.permutations(range(6)), st.integers(1, 30))
def test_the_names_of_cases_and_their_order_change_nothing(names: list[int], cut: int) -> None:
    def cases(order: list[int]) -> list[Case]:
        return [accepted(2 + 5 * n, 1 + 4 * n, 3 + 5 * n, f"hazard-{order[n]}") for n in range(6)]

    assert told(*cases(list(range(6)))).told == told(*reversed(cases(names))).told
    # A denominator that time alone decides is the sum of those of its parts.
    middle = at(cut)
    parts = [Period(MARCH.since, middle), Period(middle, MARCH.until)]
    for metric in ("rectified_of_due", "rectified_of_found", "in_time", "in_original_time"):
        whole = rate(metric, *cases(names))[1]
        assert sum(rate(metric, *cases(names), period=one)[1] for one in parts) == whole


def test_a_fold_of_the_first_entries_is_the_case_as_it_stood_then() -> None:
    entries = two_rounds().entries
    whole = case_facts(entries, FORMULAS)
    for moment in sorted({one.at for one in entries}):
        before = [one for one in entries if one.at < moment]
        then = case_facts(before, FORMULAS) if before else None
        assert as_of(whole, moment) == then


def test_entries_that_begin_otherwise_are_no_case() -> None:
    with pytest.raises(ValueError, match=r"case\.opened"):
        case_facts(two_rounds().entries[1:], FORMULAS)
    with pytest.raises(ValueError, match="has entries"):
        case_facts([], FORMULAS)


# --- departments, patrols, complaints -------------------------------------------------------------


def other(process: str, name: str, **more: Any) -> Case:
    return Case(name, process=process, **more)


def response(name: str = "response-1", **more: Any) -> Case:
    return other("response", name, party="u-fire", class_="daily", **more)


def test_who_signs_in_late_came_in_time_and_did_not_respond_in_time() -> None:
    late = response().step("sign_in", 0, 2, due=1).step("arrive", 2, 3, due=4)
    assert rate("responded", late) == (0, 1, {})
    assert rate("arrived_in_time", late) == (1, 1, {})


def test_unanswered_departments_count_and_released_ones_do_not() -> None:
    silent = response("response-1").step("sign_in", 0, due=1)
    released = response("response-2").step("sign_in", 0, 0.5, due=1).ended("released", 0.5)
    early = response("response-3", opened=30.5).step("sign_in", 30.5, due=32)
    over = response("response-4").step("sign_in", 0, 0.5, due=1, how="cancelled")
    out = {"finished": 1, "pending": 1, "released": 1}
    assert rate("responded", silent, released, early, over) == (0, 1, out)
    assert rate("arrived_in_time", silent, released, early, over) == (0, 1, out)


def test_who_calls_in_time_has_responded_and_who_comes_has_called() -> None:
    called = response("response-1").step("sign_in", 0, 0.5, due=1)
    called.step("arrive", 0.5, due=2).step("contact", 0.5, 1, due=2)
    came = response("response-2").step("sign_in", 0, 0.5, due=1)
    came.step("arrive", 0.5, 1.5, due=2).step("contact", 0.5, 1.5, due=2, how="cancelled")
    late = response("response-3").step("sign_in", 0, 0.5, due=1)
    late.step("arrive", 0.5, due=2).step("contact", 0.5, 3, due=2)
    silent = response("response-4").step("sign_in", 0, 0.5, due=1)
    silent.step("arrive", 0.5, due=2).step("contact", 0.5, due=2)
    assert rate("responded", called, came, late, silent) == (2, 4, {})
    assert rate("arrived_in_time", called, came, late, silent) == (1, 4, {})
    (figure,) = of(told(called, came, late, silent), "first_contact").values()
    assert isinstance(figure, Spread)
    assert (figure.n, figure.censored, figure.median) == (4, 1, 36 * 60)


def test_the_first_department_there_ends_the_first_response() -> None:
    whistle = (
        other("whistle", "whistle-1").step("review", 0, 0).act("message.sent", 0, "whistle.called")
    )
    children = [
        response(f"response-{n}", parent="whistle-1").step("arrive", 0, n, due=9) for n in (2, 1)
    ]
    (figure,) = of(told(whistle, *children), "first_arrival").values()
    assert isinstance(figure, Spread)
    assert (figure.n, figure.median) == (1, 1440)
    (figure,) = of(told(whistle), "first_arrival").values()
    assert isinstance(figure, Spread)
    assert (figure.n, figure.censored) == (1, 1)


def test_an_objection_that_nobody_ruled_on_is_neither_right_nor_wrong() -> None:
    case = Case().step("sign_in", 0, 1, how="objection.raised").act("objection.raised", 1)
    assert rate("objected", case) == (1, 1, {})
    assert rate("upheld", case) == (0, 0, {"pending": 1})
    case.step("rule_objection", 1, 2, ruling="upheld")
    assert rate("upheld", case) == (1, 1, {})


def test_a_dodge_counts_once_a_person_found_it_to_hold() -> None:
    case = Case().step("sign_in", 0, 1)
    entry = case.steps[0].opened_seq
    assert rate("dodged", case) == (0, 1, {})
    case.acts.append(Act(99, at(3), "signal.confirmed", "", "B2", entry))
    assert rate("dodged", case) == (1, 1, {})
    case.acts[-1] = replace(case.acts[-1], said="B1")
    assert rate("dodged", case) == (0, 1, {})


def test_items_conform_unless_something_was_entered_for_them() -> None:
    patrol = other("patrol", "patrol-1").step(
        "walk", 0, 1, due=2, checked=["gas", "road"], result="found", count=1
    )
    assert rate("conforming", patrol) == (0, 0, {"not_all_entered": 1})
    patrol.step("record_item", 1, 1, category="gas")
    assert rate("conforming", patrol) == (1, 2, {})
    assert rate("found", patrol) == (1, 1, {})
    again = other("patrol", "patrol-2").step("walk", 3, due=4)
    assert rate("walked", patrol, again) == (1, 2, {})
    assert rate("objects", patrol, again) == (1, 1, {})


def test_of_items_looked_at_again_those_count_that_the_patrol_judged() -> None:
    patrol = other("patrol", "patrol-1").step(
        "walk", 0, 1, due=2, checked=["gas", "road"], result="found", count=1
    )
    patrol.step("record_item", 1, 1, category="fire_lane")
    patrol.step("recheck", 1, 2, looked_again=["gas", "fire_lane", "food"], changed=["gas"])
    assert rate("rechecked_items", patrol) == (1, 2, {"no_verdict": 1})
    assert rate("conforming", patrol) == (2, 3, {})  # what was said stays as it was said
    patrol.step("recheck", 2, 3, looked_again=["gas", "fire_lane"])
    assert rate("rechecked_items", patrol) == (0, 2, {})  # the last look counts
    before = Period(MARCH.since, at(2.5))
    assert rate("rechecked_items", patrol, period=before) == (1, 2, {"no_verdict": 1})


def complaints(*answers: dict[str, str]) -> list[Case]:
    return [
        other("hotline", f"hotline-{n}").step("revisit", 1, 2, **told_)
        for n, told_ in enumerate(answers)
    ]


def test_who_was_not_reached_counts_in_the_lower_bound() -> None:
    yes = {"reached": "reached", "solved": "yes", "satisfied": "yes"}
    cases = complaints(*[yes] * 4, *[{"reached": "unreachable"}] * 3)
    assert rate("solved", *cases) == (4, 4, {"not_reached": 3})
    (figure,) = of(told(*cases), "solved").values()
    assert isinstance(figure, Rate)
    assert figure.lower is not None
    assert (figure.lower.numerator, figure.lower.denominator) == (4, 7)
    assert figure.beside is None
    assert rate("reached", *cases) == (4, 7, {})


def test_no_number_about_complaints_is_small() -> None:
    yes = {"reached": "reached", "solved": "yes", "satisfied": "yes"}
    no = {"reached": "reached", "solved": "no", "satisfied": "no"}
    assert set(of(told(*complaints(yes, yes, yes, no)), "solved").values()) == {Withheld()}
    cases = complaints(*[yes] * 6)
    for case in cases[:2]:
        case.more["path"] = ("u-far",)
    figures = of(told(*cases, by="community"), "solved")
    assert list(figures) == [("", "u-east")]


def test_a_complaint_about_a_closed_one_is_repeated() -> None:
    first = other("hotline", "hotline-1").ended("closed", -20)
    first.opened = at(-60)
    later = [other("hotline", f"hotline-{n}", linked="hotline-1") for n in (2, 3, 4)]
    for case in later:
        case.step("accept", 1, 2, decision="accept")
    assert rate("repeated", first, *later) == (3, 3, {})
    first.passed[0] = Passed(at(-89), "closed")
    assert rate("repeated", first, *later) == (0, 3, {})


def test_the_three_rates_are_weighed_only_if_each_has_enough() -> None:
    yes = {"reached": "reached", "solved": "yes", "satisfied": "yes"}
    came = [response(f"response-{n}").step("arrive", 0, 1, due=n % 2 * 2) for n in range(10)]
    asked = complaints(*[yes] * 10)
    (figure,) = of(told(*came, *asked), COMPOSITE).values()
    assert isinstance(figure, Composite)
    assert figure.value == Fraction(30 * 5 + 35 * 10 + 35 * 10, 1000)
    (figure,) = of(told(*came[:9], *asked), COMPOSITE).values()
    assert isinstance(figure, Composite)
    assert figure.value is None


def test_orders_and_the_standing_list_are_counted() -> None:
    case = Case().step("rectify", 0, due=9).act("standing.listed", 3).act("case.supervised", 4)
    (listed,) = of(told(case), "listed").values()
    (ordered,) = of(told(case), "ordered").values()
    assert isinstance(listed, Count)
    assert isinstance(ordered, Count)
    assert (listed.count, ordered.count, ordered.apart) == (1, 1, {"unanswered": 1})


def test_formulas_that_cannot_be_read_are_refused() -> None:
    for wrong in (b"\xff", b"version = 1", TOML.replace(b"repeat_days = 90", b'repeat_days = "x"'),
                  TOML.replace(b'rectify = ["rectify"]', b'rectify = "rectify"')):  # fmt: skip
        with pytest.raises(BadFormulas):
            read_formulas(wrong)


def test_every_figure_is_told_as_json_with_what_stands_beside_it() -> None:
    rows = metrics_json(told(accepted(5, 3, 4)), PLACES)
    assert [one["id"] for one in rows] == [*METRICS, COMPOSITE]
    (figure,) = rows[0]["figures"]
    assert figure["value"] == "1.0000"
    assert figure["enough"] is False
    assert figure["beside"]["cases"] == 1
    assert decimal(None) is None
    assert MARCH.since.astimezone(UTC).hour == 16
