"""Steps: numbered, in order, nothing skipped silently, and an exit status that says the worst."""

import pytest

from audit import steps
from audit.steps import (
    STEPS,
    Findings,
    Outcome,
    failed,
    findings,
    held,
    lines,
    not_needed,
    unchecked,
)
from audit.trust import worst

HELD, FAILED = held("bytes"), failed("tree", "树根不符", "the root differs")
UNCHECKED = unchecked("outside", "没有给出", "was not given")
SPARED = not_needed("replay", "不需要", "not needed")


def test_the_numbers_in_the_comment_are_those_of_the_steps() -> None:
    told = [line.split()[:2] for line in (steps.__doc__ or "").splitlines() if line[:5].strip()]
    listed = {name: int(number) for number, name in told if number.isdigit()}
    assert listed == {name: number for name, (number, _, _) in STEPS.items()}


@pytest.mark.parametrize(
    ("found", "status"),
    [
        ([HELD], 0),
        ([HELD, SPARED], 0),
        ([HELD, UNCHECKED], 3),
        ([HELD, FAILED], 1),
        ([UNCHECKED, FAILED, HELD], 1),
    ],
)
def test_the_exit_status_is_that_of_the_worst_step(found: list[steps.Step], status: int) -> None:
    told = findings(found)
    assert told.exit_status == status
    assert told.ok is (status == 0)


def test_a_step_that_could_not_be_done_is_spared_by_name_or_all_and_a_failed_one_never() -> None:
    told = findings([HELD, UNCHECKED])
    assert told.without(["outside"]).exit_status == 0
    assert told.without(["all"]).exit_status == 0
    assert told.without(["tree", "witnesses"]).exit_status == 3
    spared = told.without(["outside"]).steps[-1]
    assert (spared.outcome, spared.english) == (Outcome.NOT_NEEDED, UNCHECKED.english)
    assert findings([FAILED]).without(["tree", "all"]).exit_status == 1


def test_what_is_printed_is_in_order_and_says_of_each_step_how_it_ended() -> None:
    told = lines(findings([SPARED, UNCHECKED, FAILED, HELD]))
    assert [line.split(".")[0].strip() for line in told] == ["2", "5", "10", "12"]
    marks = ["[holds]", "[FAILS]", "[NOT CHECKED]", "[not asked for]"]
    assert all(mark in line for mark, line in zip(marks, told, strict=True))
    assert "树根不符 / the root differs" in told[1]


def test_machines_are_told_the_same() -> None:
    [told] = Findings((FAILED,)).to_json()
    assert told == {
        "step": 5, "name": "tree", "outcome": "fails",
        "chinese": "树根不符", "english": "the root differs",
    }  # fmt: skip


def test_of_several_steps_of_a_kind_the_worst_is_told_with_all_its_reasons() -> None:
    one = failed("tree", "一", "one")
    two = failed("tree", "二", "two")
    assert worst("tree", [held("tree"), one, unchecked("tree", "三", "three"), two, one]) == failed(
        "tree", "一；二", "one; two"
    )
    assert worst("tree", [not_needed("tree", "x", "x"), held("tree")]) == held("tree")
    assert worst("tree", []) == held("tree")
