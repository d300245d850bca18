"""The index of departments: the same five properties, its arrivals, evaluations, ranks and hash."""

import json
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.metrics.facts import Act, CaseFacts
from audit.risk_index.index import Index, summed
from audit.risk_index.line import nine_tenths
from audit.risk_index.parts import Part, Share, share_part
from audit.risk_index.ranking import ranks
from audit.risk_index.table import figures_hash, index_table, plain
from audit.risk_index.weights import Bands
from tests.audit.test_metrics import Case, at
from tests.audit.test_risk_index import (
    BEGINNING,
    WEIGHTS,
    hazard,
    lines,
    mended,
    opened,
    part,
    share,
    told,
    weights,
)

UNITS = ("u-fire", "u-police")
PATH = ("u-firm", "u-east", "u-street")
HALF = Fraction(1, 2)


def response(
    name: str, unit: str, day: float, limit: float, came: float | None, said: str = ""
) -> CaseFacts:
    """A department called on a day; limit, came: so many days later; said: evaluated how."""
    case = Case(name, day, process="response", path=PATH, party=unit, opener="u-east")
    case.step("sign_in", day, day)
    case.step("arrive", day, None if came is None else day + came, due=day + limit)
    facts = case.facts()
    if said:
        act = Act(90, at(day + 1), "answers.revealed", task="evaluate#1", said=said)
        facts = replace(facts, acts=(act,))
    return facts


def due_of(unit: str, case: CaseFacts) -> CaseFacts:
    steps = tuple(replace(one, units=(unit,)) for one in case.steps)
    return replace(case, steps=steps)


LIVED = st.lists(
    st.tuples(
        st.sampled_from(UNITS),
        st.sampled_from([-20, 0, 5]),
        st.sampled_from([0.5, 1, 2]),
        st.sampled_from([None, 0.25, 0.5, 1, 1.5, 4]),
        st.sampled_from(["", "satisfied", "fair", "unsatisfied"]),
    ),
    max_size=14,
)


def street(lived: Sequence[tuple[str, int, float, float | None, str]]) -> list[CaseFacts]:
    """Calls of two departments in two months, and of each a hazard it has to put right."""
    made = []
    for n, (unit, day, limit, came, said) in enumerate(lived):
        made.append(response(f"response-{n}", unit, day, limit, came, said))
        case = hazard(f"hazard-{n}", opener="u-police", opened=day)
        due = day + limit
        work = opened(case, due) if came is None else mended(case, due, max(day + came, 0))
        made.append(due_of(unit, work.facts()))
    return made


# --- the five properties --------------------------------------------------------------------------


@given(LIVED, st.sampled_from(UNITS))
def test_one_more_truthful_report_never_lowers_the_index_of_whoever_has_to_see_to_it(
    lived: list[Any], unit: str
) -> None:
    cases = street(lived)
    more = due_of(unit, opened(hazard("hazard-new", opened=30), due=60).facts())
    before, after = lines(cases), lines([*cases, more])
    assert all(after[one].value >= before[one].value for one in UNITS)


@given(LIVED, st.sampled_from(UNITS), st.sampled_from([0.5, 1, 2]), st.integers(1, 10))
def test_coming_and_handing_in_in_time_never_lower_any_index(
    lived: list[Any], unit: str, limit: float, tenths: int
) -> None:
    cases = street(lived)
    late = [response("response-new", unit, 3, limit, None),
            due_of(unit, opened(hazard("hazard-new"), limit).facts())]  # fmt: skip
    came = limit * tenths / 10
    done = [response("response-new", unit, 3, limit, came),
            due_of(unit, mended(hazard("hazard-new"), limit, came).facts())]  # fmt: skip
    before, between = lines([*cases, *late]), lines([*cases, late[0], done[1]])
    after = lines([*cases, *done])
    for one in UNITS:
        assert before[one].value <= between[one].value <= after[one].value
        # Neither does it beside not having been called, or having had nothing to do, at all.
        assert lines([*cases, done[0]])[one].value >= lines(cases)[one].value


@given(LIVED, st.integers(0, 29))
def test_a_duplicate_that_was_merged_changes_no_index(lived: list[Any], when: int) -> None:
    cases = street(lived)
    again = hazard("hazard-again", opener="u-police").step("confirm", 0, when).ended("merged", when)
    assert lines([*cases, again.facts()]) == lines(cases)


@given(LIVED, st.randoms(use_true_random=False))
def test_other_names_of_the_cases_in_another_order_change_no_table(
    lived: list[Any], random: Any
) -> None:
    cases = street(lived)
    names = [f"case-{n}" for n in range(100, 100 + len(cases))]
    random.shuffle(names)
    renamed = [replace(one, case=n, number=n) for one, n in zip(cases, names, strict=True)]
    random.shuffle(renamed)
    same = (index_table(*told(of), WEIGHTS) for of in (cases, renamed))
    assert figures_hash(next(same)) == figures_hash(next(same))


# --- parts ----------------------------------------------------------------------------------------


def test_a_department_is_judged_by_its_own_calls_work_and_evaluations() -> None:
    cases = [
        response("response-1", "u-fire", 1, 1, 0.5, "satisfied"),
        response("response-2", "u-fire", 1, 1, None, "fair"),
        response("response-3", "u-police", 1, 1, 2, "unsatisfied"),
        due_of("u-fire", mended(hazard("hazard-1"), 5, 3).facts()),
    ]
    fire, police = (lines(cases)[unit] for unit in UNITS)
    shares = {one.name: share(one) for one in fire.parts if "good" in one.counts}
    assert shares == {
        "on_time": Share(1, 2), "not_dodged": Share(2, 2), "in_time": Share(1, 1),
        "evaluated": Share(1, 2), "closings_true": Share(0, 0),
    }  # fmt: skip
    assert share(part(police, "evaluated")) == Share(0, 1)
    assert share(part(police, "in_time")) == Share(0, 0)
    # 5/10 in the stratum: nothing was done in February.
    assert part(fire, "on_time").value == Fraction(1 + 10 * HALF, 12)


def test_arrivals_are_measured_by_nine_tenths_in_per_cent_of_the_limit() -> None:
    # Twenty calls: 17 in half of the limit, two in three halves of it, one never answered.
    came = [*[0.5] * 17, 1.5, 1.5, None]
    cases = [response(f"response-{n}", "u-fire", 2, 1, one) for n, one in enumerate(came)]
    told_ = part(lines(cases)["u-fire"], "arrival")
    assert told_.counts == {"of": 20, "percent": 150}
    # With ten supposed ones at 150 per cent the 27th of thirty is one of those, too.
    assert (told_.prior, told_.value) == (150, HALF)
    many = [response(f"response-{n}", "u-fire", 2, 1, 0.5) for n in range(100)]
    told_ = part(lines(many)["u-fire"], "arrival")
    assert (told_.counts, told_.value) == ({"of": 100, "percent": 50}, 1)


def test_what_the_stratum_took_the_month_before_stands_beside_few_calls() -> None:
    february = [response(f"response-{n}", "u-police", -20, 1, 1.2) for n in range(3)]
    told_ = part(lines(february)["u-fire"], "arrival")
    assert (told_.counts, told_.prior) == ({"of": 0}, 120)
    assert told_.value == Fraction(4, 5)


def test_who_was_released_or_whose_limit_is_not_reached_is_in_no_arrival() -> None:
    early = response("response-1", "u-fire", 30.5, 1, None)
    gone = Case("response-2", 1, process="response", path=PATH, party="u-fire")
    gone.step("sign_in", 1, 1).step("arrive", 1, 2, due=3, how="cancelled").ended("released", 2)
    told_ = lines([early, gone.facts()])["u-fire"]
    assert part(told_, "arrival").counts == {"of": 0}
    assert share(part(told_, "on_time")) == Share(0, 0)


def test_an_arrival_without_a_limit_is_within_it() -> None:
    case = Case("response-1", 1, process="response", path=PATH, party="u-fire")
    case.step("sign_in", 1, 1).step("arrive", 1, 9)
    assert part(lines([case.facts()])["u-fire"], "arrival").counts == {"of": 1, "percent": 100}


def test_nine_tenths_is_one_of_them() -> None:
    ten = [Fraction(n) for n in range(1, 11)]
    assert [nine_tenths(ten), nine_tenths(ten[:1]), nine_tenths([*ten, Fraction(11)])] == [9, 1, 10]


# --- intervals and ranks --------------------------------------------------------------------------


def _index(unit: str, value: int, low: str, high: str, stratum: str = "bureau") -> Index:
    ends = (Decimal(low), Decimal(high))
    sure = Part("overdue", 100, Fraction(1), ends, {"amount": 0})
    return Index(unit, stratum, (sure,), 0, None, 0, Fraction(value), ends, "blue")


def test_the_interval_of_a_sum_is_made_of_those_of_its_parts() -> None:
    # Golden: Wilson of 14 of 20 and of 7 of 20 in floating point, from the formula with p and n.
    # By hand: 60 x 0.7 + 40 x 0.35 = 56 - sqrt((60 x .218984)^2 + (40 x .168808)^2), alike above.
    one = share_part("a", 60, Share(9, 10), HALF, 10)
    two = share_part("b", 40, Share(2, 10), HALF, 10)
    told_ = summed("u", "s", [one, two], Bands(90, 80, 60))
    assert told_.value == 56
    assert told_.interval == (Decimal("41.23"), Decimal("68.70"))


def test_an_amount_is_sure_and_the_interval_stays_between_0_and_100() -> None:
    sure = Part("overdue", 100, Fraction(1), (Decimal(1), Decimal(1)), {"amount": 0})
    assert summed("u", "s", [sure], Bands(90, 80, 60)).interval == (100, 100)
    assert summed("u", "s", [sure], Bands(90, 80, 60), off=130).interval == (0, 0)


def test_ranks_stand_within_a_stratum_and_ties_share_one() -> None:
    alike = [_index("a", 90, "88", "92"), _index("b", 90, "88", "92"), _index("c", 50, "48", "52"),
             _index("d", 70, "65", "75", "utility")]  # fmt: skip
    assert ranks(alike) == {"a": 1, "b": 1, "c": 3, "d": 1}


def test_where_intervals_overlap_no_rank_is_told() -> None:
    close = [_index("a", 90, "80", "95"), _index("b", 85, "75", "92"), _index("c", 50, "48", "52")]
    assert ranks(close) == {"c": 3}


def test_a_unit_of_which_mostly_its_stratum_speaks_has_no_rank() -> None:
    few = replace(_index("a", 90, "88", "92"), parts=(
        Part("on_time", 51, Fraction(1), (Decimal(1), Decimal(1)), {"good": 1, "of": 9}, HALF),
        Part("overdue", 49, Fraction(1), (Decimal(1), Decimal(1)), {"amount": 0}),
    ))  # fmt: skip
    assert ranks([few, _index("b", 50, "48", "52")]) == {"b": 2}


def test_ranks_are_told_only_where_the_street_wants_them() -> None:
    cases = [response(f"response-{n}", "u-fire", 2, 1, 0.5) for n in range(300)]
    cases += [response(f"response-p{n}", "u-police", 2, 1, None) for n in range(300)]
    shy = index_table(*told(cases), WEIGHTS)
    assert not any("rank" in one for kind in shy.values() for one in kind)
    ranked = weights(BEGINNING.replace("ranking = false", "ranking = true"))
    open_ = index_table(*told(cases), ranked)
    assert [one.get("rank") for one in open_["departments"]] == [1, 2]
    # Nothing tells the two communities apart: their intervals are the same.
    assert [one["unit"] for one in open_["communities"]] == ["u-east", "u-west"]


# --- the table ------------------------------------------------------------------------------------


def test_a_table_names_units_and_nobody() -> None:
    cases = street([("u-fire", 0, 1, 0.5, "satisfied")])
    table = index_table(*told(cases), WEIGHTS)
    assert {one["unit"] for kind in table.values() for one in kind} == {"u-east", "u-west", *UNITS}
    assert "p-" not in json.dumps(table)
    (fire, _) = plain(list(lines(cases).values()), ranking=False)
    assert fire["interval"][0] <= fire["value"] <= fire["interval"][1]


@pytest.mark.parametrize("change", ["communities", "departments"])
def test_another_figure_is_another_hash(change: str) -> None:
    table = index_table(*told([]), WEIGHTS)
    other = json.loads(json.dumps(table))
    other[change][0]["value"] = "1.00"
    assert figures_hash(other) != figures_hash(table)
