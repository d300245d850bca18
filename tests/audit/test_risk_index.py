"""The risk-control index: what must never lower it, what must not change it, and every edge."""

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.metrics.facts import Act, CaseFacts
from audit.metrics.marks import Period, seen
from audit.metrics.places import Places
from audit.publication import Change
from audit.risk_index.block import block_indices
from audit.risk_index.index import Index, band, points
from audit.risk_index.line import line_indices
from audit.risk_index.parts import Share, drawn, median
from audit.risk_index.table import plain
from audit.risk_index.told import Told, told_of
from audit.risk_index.weights import BadWeights, Bands, Weights, read_weights
from tests.audit.test_metrics import FORMULAS, MARCH, ZONE, Case, at
from tests.conftest import ROOT

TOML = (ROOT / "workflows" / "risk_index" / "weights.toml").read_bytes()
BEGINNING = TOML.decode().split("[communities]")[0]
OWN = ("u-firm", "u-east", "u-street")
PATHS = {"u-east": OWN, "u-west": ("u-w1", "u-west", "u-street")}
PLACES = Places(
    {
        "u-street": "street", "u-east": "community", "u-west": "community",
        "u-firm": "general_grid", "u-w1": "general_grid",
    },
    {"u-east": "东社区", "u-west": "西社区"},
    {"u-firm": "u-east", "u-w1": "u-west", "u-east": "u-street", "u-west": "u-street"},
)  # fmt: skip
FEBRUARY = Period(at(-28), MARCH.since)


TWO = """[communities]
u-east = { households = 1000, stratum = "urban" }
u-west = { households = 500, stratum = "urban" }

[departments]
u-fire = { stratum = "bureau" }
u-police = { stratum = "bureau" }
"""


def weights(changed: str = BEGINNING) -> Weights:
    return read_weights((changed + TWO).encode())


WEIGHTS = weights()


def told(cases: Sequence[CaseFacts]) -> tuple[Told, Told]:
    """What March saw, and what February did."""
    now, before = (told_of(seen(cases, FORMULAS, PLACES, one), ZONE) for one in (MARCH, FEBRUARY))
    return now, before


def indices(cases: Sequence[CaseFacts]) -> dict[str, Index]:
    return {one.unit: one for one in block_indices(*told(cases), WEIGHTS)}


def lines(cases: Sequence[CaseFacts]) -> dict[str, Index]:
    return {one.unit: one for one in line_indices(*told(cases), WEIGHTS)}


def value(cases: Sequence[CaseFacts], unit: str = "u-east") -> Fraction:
    return indices(cases)[unit].value


def part(told: Index, name: str) -> Any:
    return next(one for one in told.parts if one.name == name)


def share(told: Any) -> Share:
    return Share(told.counts["good"], told.counts["of"])


def hazard(name: str, community: str = "u-east", **more: Any) -> Case:
    path = PATHS[community]
    return Case(name, more.pop("opened", 0), path=path, **{"opener": path[0]} | more)


def mended(case: Case, due: float, handed_in: float) -> Case:
    case.step("assign", 0, 0).step("rectify", 0, handed_in, due=due)
    done = max(handed_in, 0)
    return case.step("accept", done, done, result="pass").step("close", done, done)


def opened(case: Case, due: float) -> Case:
    return case.step("assign", 0, 0).step("rectify", 0, due=due)


LIVED = st.lists(
    st.tuples(
        st.sampled_from(sorted(PATHS)),
        st.sampled_from(["u-firm", "u-w1", "u-police"]),
        st.integers(1, 40),
        st.one_of(st.none(), st.integers(1, 30)),
        st.sampled_from(["", "pass", "fail"]),
        st.sampled_from([-20, 0]),
    ),
    max_size=12,
)


def street(lived: Sequence[tuple[str, str, int, int | None, str, int]]) -> list[CaseFacts]:
    """Hazards of two communities in two months: found by whom, mended when, looked at again how."""
    made = []
    for number, (community, opener, due, handed_in, again, shift) in enumerate(lived):
        case = hazard(f"hazard-{number}", community, opener=opener, opened=shift)
        if handed_in is None:
            opened(case, due + shift)
        else:
            case.step("assign", shift, shift).step("rectify", shift, handed_in, due=due + shift)
            case.step("accept", handed_in, handed_in, result="pass")
            case.step("close", handed_in, handed_in)
            if again:
                case.step("reinspect", handed_in, handed_in, result=again)
        made.append(case.facts())
    return made


# --- the five properties --------------------------------------------------------------------------


@given(LIVED, st.sampled_from(sorted(PATHS)))
def test_one_more_truthful_report_of_ones_own_never_lowers_any_index(
    lived: list[Any], community: str
) -> None:
    cases = street(lived)
    more = opened(hazard("hazard-new", community, opened=30), due=60).facts()
    more = replace(more, steps=tuple(replace(one, opened=at(30)) for one in more.steps))
    before, after = indices(cases), indices([*cases, more])
    assert all(after[unit].value >= before[unit].value for unit in before)


@given(LIVED, st.integers(1, 30), st.integers(0, 30))
def test_accepting_in_time_never_lowers_any_index(lived: list[Any], due: int, earlier: int) -> None:
    cases = street(lived)
    late = [*cases, opened(hazard("hazard-new"), due).facts()]
    handed_in = max(due - earlier, 0)
    done = [*cases, mended(hazard("hazard-new"), due, handed_in).facts()]
    before, after = indices(late), indices(done)
    assert all(after[unit].value >= before[unit].value for unit in before)


@given(LIVED, st.integers(0, 29))
def test_a_duplicate_that_was_merged_changes_no_index(lived: list[Any], when: int) -> None:
    cases = street(lived)
    again = hazard("hazard-again", opener="u-police").step("confirm", 0, when).ended("merged", when)
    assert indices([*cases, again.facts()]) == indices(cases)


@given(LIVED, st.randoms(use_true_random=False))
def test_other_names_of_the_cases_in_another_order_change_no_index(
    lived: list[Any], random: Any
) -> None:
    cases = street(lived)
    names = [f"hazard-{n}" for n in range(100, 100 + len(cases))]
    random.shuffle(names)
    renamed = [replace(one, case=n, number=n) for one, n in zip(cases, names, strict=True)]
    random.shuffle(renamed)
    assert indices(renamed) == indices(cases)


# That an export gives the same index as the tables: tests/web/test_index.py.


# --- parts ----------------------------------------------------------------------------------------


def test_a_community_is_judged_by_what_its_own_people_put_right() -> None:
    own = opened(hazard("hazard-1"), due=5).facts()
    steps = tuple(replace(one, units=("u-police",)) for one in own.steps)
    other = replace(own, case="hazard-2", number="hazard-2", steps=steps)
    told = indices([own, other])["u-east"]
    assert share(part(told, "in_time")) == Share(0, 1)
    assert part(told, "overdue").counts["amount"] == 26


def test_a_share_is_drawn_towards_the_median_of_the_stratum_in_the_month_before() -> None:
    february = [
        mended(hazard(f"hazard-{n}", unit, opened=-20), -10, -12 if good else -5).facts()
        for n, (unit, good) in enumerate([("u-east", True), ("u-west", False)])
    ]
    shifted = [
        replace(one, steps=tuple(
            replace(s, opened=at(-20), closed=at(-12) if n == 0 else at(-5)) for s in one.steps
        ))
        for n, one in enumerate(february)
    ]  # fmt: skip
    for name, found in indices(shifted).items():
        told = part(found, "self_found")
        assert (share(told), told.prior, told.value) == (Share(0, 0), 1, 1), name
    usual = part(indices([])["u-east"], "self_found")
    assert (usual.prior, usual.value) == (Fraction(1, 2), Fraction(1, 2))


def test_few_cases_move_a_share_little_and_many_move_it_far() -> None:
    assert drawn(Share(1, 1), Fraction(1, 2), 10) == Fraction(6, 11)
    assert drawn(Share(90, 90), Fraction(1, 2), 10) == Fraction(95, 100)


def test_a_hazard_said_to_be_none_costs_points_once_a_person_found_it_so() -> None:
    case = hazard("hazard-1").step("confirm", 1, 2, verdict="none").facts()
    steps = (replace(case.steps[0], unit="u-firm"),)
    entry = steps[0].closed_seq
    found = Act(9, at(10), "signal.confirmed", said="B7", of=entry)
    told = replace(case, steps=steps, acts=(found, replace(found, seq=10)))
    assert value([case]) - value([told]) == 30
    assert indices([told])["u-east"].suppressed == 1
    for harmless in (
        replace(found, said="B2"),
        replace(found, at=at(40)),
        replace(found, type="signal.dismissed"),
    ):
        assert value([replace(told, acts=(harmless,))]) == value([case])
    others = replace(told, steps=(replace(steps[0], unit="u-police"),))
    assert value([others]) == value([case])


def test_nothing_is_taken_off_below_zero() -> None:
    cases = []
    for n in range(5):
        case = hazard(f"hazard-{n}").step("confirm", 1, 2, verdict="none").facts()
        steps = (replace(case.steps[0], unit="u-firm"),)
        act = Act(9, at(10), "signal.confirmed", said="B7", of=steps[0].closed_seq)
        cases.append(replace(case, steps=steps, acts=(act,)))
    told = indices(cases)["u-east"]
    assert (told.suppressed, told.value, told.band) == (5, 0, "red")


def accident(level: str, answerable: str, name: str = "accident-1") -> CaseFacts:
    made = Case(name, 1, process="accident", path=PATHS["u-east"])
    made.step("verify", 1, 1, verdict="accident", level=level)
    return made.step("determine", 2, 3, answerable=answerable).facts()


@pytest.mark.parametrize(
    ("level", "off"), [("general", 5), ("larger", 20), ("major", 40), ("extreme", 60)]
)
def test_an_accident_costs_points_by_its_level_where_the_community_answers(
    level: str, off: int
) -> None:
    usual = indices([])["u-east"]
    told = indices([accident(level, "answerable")])["u-east"]
    assert (told.accidents, told.off) == (1, off)
    assert told.value == max(0, usual.value - off)
    others = indices([accident(level, "not_answerable")])["u-east"]
    assert (others.accidents, others.off, others.value) == (0, 0, usual.value)


def test_by_a_file_older_than_accidents_nothing_is_taken_off_and_its_tables_keep_their_bytes() -> (
    None
):
    before, rest = BEGINNING.split("# Points off for each accident")
    older = weights(before + rest[rest.index("# Source of the boundaries") :])
    assert dict(older.accidents) == {}
    known = told([accident("major", "answerable")])
    with_, without = (
        plain(block_indices(*known, file), ranking=False) for file in (WEIGHTS, older)
    )
    assert {one["unit"]: one["accidents"] for one in with_}["u-east"] == 1
    assert all("accidents" not in one and not one["off"] for one in without)


def complaint(name: str, unit: str) -> CaseFacts:
    made = Case(name, 1, process="hotline", path=PATHS[unit]).facts()
    return replace(made, counted=(Change(at(3), unit, "service", corrected=False),))


def test_few_complaints_are_told_with_those_of_others_and_by_all_their_households() -> None:
    few = [complaint(f"hotline-{n}", "u-east") for n in range(2)]
    hidden = part(indices(few)["u-east"], "found_true")
    assert hidden.counts == {"amount": 0, "households": 1000}
    more = [*few, *(complaint(f"hotline-w{n}", "u-west") for n in range(4))]
    for unit in PATHS:
        told = part(indices(more)[unit], "found_true")
        assert told.counts == {"amount": 6, "households": 1500}
        assert told.value == 1 - Fraction(6, 1500) * 1000 / 5


# --- what is told ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value_", "expected"),
    [
        (Fraction(100), "blue"), (Fraction(9001, 100), "blue"), (Fraction(90), "yellow"),
        (Fraction(80), "yellow"), (Fraction(7999, 100), "orange"), (Fraction(60), "orange"),
        (Fraction(5999, 100), "red"), (Fraction(0), "red"),
    ],
)  # fmt: skip
def test_a_boundary_belongs_to_one_band(value_: Fraction, expected: str) -> None:
    assert band(value_, Bands(90, 80, 60)) == expected


def test_communities_stand_by_id_and_never_by_value() -> None:
    cases = [opened(hazard("hazard-1"), due=1).facts()]
    assert [one.unit for one in indices(cases).values()] == ["u-east", "u-west"]
    (first, _) = plain(list(indices(cases).values()), ranking=False)
    assert not {"rank", "place"} & set(first)


def test_the_parts_add_up_to_what_is_told() -> None:
    told = indices(street([("u-east", "u-police", 3, None, "", 0)]))["u-east"]
    assert sum(one.weight * one.value for one in told.parts) == told.value
    assert sum(one.weight for one in told.parts) == 100
    assert told.backed == 25


def test_points_have_two_places_and_a_half_goes_to_the_even_digit() -> None:
    assert points(Fraction(90125, 1000)) == "90.12"
    assert points(Fraction(90135, 1000)) == "90.14"
    assert points(Fraction(5, 1000)) == "0.00"


def test_the_median_of_an_even_number_lies_between() -> None:
    assert median([]) is None
    assert median([Fraction(1), Fraction(0), Fraction(0)]) == 0
    assert median([Fraction(1), Fraction(0)]) == Fraction(1, 2)


# --- the file -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("in_time = 25", "in_time = 26", "101"),
        ("in_time = 25", "in_tine = 25", "in_tine"),
        ("in_time = 25", "in_time = 25.0", "whole number"),
        ("in_time = 25", "in_time = -25", "whole number"),
        ("version = 3", "", "version"),
        ("on_time = 25", "on_time = 24", "99"),
        ("not_dodged = 20", "dodged = 20", "dodged"),
        ("ranking = false", "ranking = 0", "ranking"),
        ("arrival_percent = 200", "arrival_percent = 100", "arrival_percent"),
        ("objection_days = 3", "objection_days = 0", "objection_days"),
        ("objection_days = 3", "objection_days = 61", "objection_days"),
        ('u-police = { stratum = "bureau" }', "u-police = { }", "stratum"),
        ("shrinkage = 10", "shrinkage = 0", "shrinkage"),
        ("prior_percent = 50", "prior_percent = 101", "prior_percent"),
        ("yellow_from = 80", "yellow_from = 95", "bands"),
        ("households = 3200", "households = 0", "households"),
        ('households = 3200, stratum = "urban"', "households = 3200", "stratum"),
        ("larger = 20", "large = 20", "large"),
        ("general = 5", "general = -5", "whole number"),
        ("[block]", "[block", "wrong"),
    ],
)
def test_a_file_that_lacks_something_or_does_not_add_up_is_refused(
    old: str, new: str, says: str
) -> None:
    changed = TOML.decode().replace(old, new, 1)
    assert changed != TOML.decode()
    with pytest.raises(BadWeights, match=says):
        read_weights(changed.encode())


def test_the_shipped_file_knows_every_community_and_department_of_the_demonstration() -> None:
    from web.demo.town import COMMUNITIES, DEPARTMENTS, UTILITIES, VILLAGES

    shipped = read_weights(TOML)
    assert set(shipped.communities) == {unit for unit, _, _ in (*COMMUNITIES, *VILLAGES)}
    assert set(shipped.departments) == {unit for unit, _ in (*DEPARTMENTS, *UTILITIES)}
