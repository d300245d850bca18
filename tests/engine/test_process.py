"""The token game: SpiffWorkflow behind its fence."""

import random
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson
import pytest

from engine.definitions import Definition, parse, read_folder
from engine.process import Marking, Run, Step, StepNotOpen

GOLDEN = Path(__file__).parents[1] / "golden" / "bpmn"
WORKSHOP = parse(read_folder(GOLDEN / "workshop"))
MINIMAL = parse(read_folder(GOLDEN / "minimal"))
SEED = b"the hash of the cause"

ANSWERS: dict[str, list[dict[str, Any]]] = {
    "prepare": [{"kind": "wood", "pieces": 3}, {"kind": "metal", "pieces": 900}],
    "make": [{}],
    "remind": [{}],
    "check_size": [{"passed": True}, {"passed": False}],
    "check_look": [{"passed": True}, {"passed": False}],
    "recheck": [{"passed": True}],
}


class Case:
    """A case moved by hand: keeps the live run, and what a load from the snapshot would give."""

    def __init__(self, definition: Definition = WORKSHOP) -> None:
        self.definition = definition
        self.live = Run(definition, None)
        self.step = self.live.begin({"case": {}}, seed=SEED)

    def open(self) -> list[str]:
        return [waiting.key for waiting in self.live.waiting()]

    def restored(self) -> Run:
        raw = orjson.loads(orjson.dumps(asdict(self.step.marking)))
        return Run(self.definition, Marking(**raw))

    def complete(self, key: str, **outcome: Any) -> Step:
        self.step = self.live.complete(key, outcome, self.step.variables, seed=SEED)
        return self.step

    def fire(self, key: str) -> Step:
        self.step = self.live.fire(key, self.step.variables, seed=SEED)
        return self.step


def to_checks(case: Case, round_: int) -> None:
    case.complete(f"make#{round_}")


def test_a_case_runs_from_start_to_end_and_says_what_it_passed() -> None:
    case = Case()
    assert case.complete("prepare#1", kind="wood", pieces=3).path == ["prepare", "grade"]
    assert case.step.rules[0]["outputs"] == case.step.variables["grade"]
    assert set(case.open()) == {"make#1", "make_overdue#1", "make_withdrawn#1"}
    case.complete("make#1")
    assert set(case.open()) == {"check_size#1", "check_look#1"}
    assert set(case.step.closed) == {"make#1", "make_overdue#1", "make_withdrawn#1"}
    assert case.step.closed[0] == "make#1"
    case.complete("check_look#1", passed=True)
    assert not case.step.finished
    case.complete("check_size#1", passed=True)
    assert {"gateway": "is_passed", "flow": "flow_passed"} in case.step.gateways
    if case.step.variables["draw"]["drawn"]:
        case.complete("recheck#1", passed=True)
    assert case.open() == ["rest#1"]
    case.fire("rest#1")
    assert case.step.finished
    assert case.step.ends == ["done"]
    assert case.open() == []


def test_taking_back_cancels_the_step_and_opens_the_one_before_again() -> None:
    case = Case()
    case.complete("prepare#1", kind="wood", pieces=3)
    case.fire("make_withdrawn#1")
    assert case.open() == ["prepare#2"]
    assert set(case.step.closed) == {"make_withdrawn#1", "make#1", "make_overdue#1"}


def test_a_reminder_outlives_the_step_that_was_late_and_holds_the_end_back() -> None:
    case = Case()
    case.complete("prepare#1", kind="wood", pieces=3)
    case.fire("make_overdue#1")
    assert set(case.open()) == {"make#1", "make_withdrawn#1", "remind#1"}
    case.complete("make#1")
    case.complete("check_size#1", passed=True)
    case.complete("check_look#1", passed=True)
    if "recheck#1" in case.open():
        case.complete("recheck#1", passed=True)
    case.fire("rest#1")
    assert not case.step.finished
    case.complete("remind#1")
    assert case.step.finished


@pytest.mark.parametrize("first", ["check_size", "check_look"])
def test_a_parallel_join_in_a_loop_waits_for_both_in_every_round(first: str) -> None:
    # Plain SpiffWorkflow lets it fire early when the branches finish in another order than before.
    case = Case()
    case.complete("prepare#1", kind="wood", pieces=3)
    second = {"check_size": "check_look", "check_look": "check_size"}
    for round_ in (1, 2, 3, 4):
        case.complete(f"make#{round_}")
        case.complete(f"{first}#{round_}", passed=False)
        assert f"{second[first]}#{round_}" in case.open()
        assert f"make#{round_ + 1}" not in case.open()
        case.complete(f"{second[first]}#{round_}", passed=False)
        assert f"make#{round_ + 1}" in case.open()
        first = second[first]


def test_a_loaded_case_moves_exactly_like_the_live_one() -> None:
    for seed in range(60):
        chance = random.Random(seed)
        case = Case()
        for _ in range(40):
            open_ = case.open()
            if not open_:
                break
            key = chance.choice(open_)
            element = key.partition("#")[0]
            loaded = case.restored()
            assert [w.key for w in loaded.waiting()] == open_
            if element in ANSWERS:
                outcome = chance.choice(ANSWERS[element])
                same = loaded.complete(key, dict(outcome), case.step.variables, seed=SEED)
                case.complete(key, **outcome)
            else:
                same = loaded.fire(key, case.step.variables, seed=SEED)
                case.fire(key)
            assert same == case.step


def test_round_five_hundred_remembers_no_more_than_round_two() -> None:
    case = Case()
    case.complete("prepare#1", kind="wood", pieces=3)
    sizes = []
    for round_ in range(1, 501):
        case.complete(f"make#{round_}")
        case.complete(f"check_size#{round_}", passed=False)
        case.complete(f"check_look#{round_}", passed=True)
        sizes.append(sum(len(tasks) for _, _, tasks in case.step.marking.flows))
    assert set(sizes[1:]) == {sizes[1]}
    assert f"make#{501}" in case.open()


def test_a_step_that_is_not_open_is_refused_by_name() -> None:
    case = Case()
    with pytest.raises(StepNotOpen, match="make#1"):
        case.complete("make#1")
    case.complete("prepare#1", kind="wood", pieces=3)
    with pytest.raises(StepNotOpen, match="prepare#1"):
        case.complete("prepare#1", kind="wood", pieces=3)


def test_what_an_earlier_round_said_is_gone_when_the_step_is_done_again() -> None:
    case = Case()
    case.complete("prepare#1", kind="wood", pieces=3, rechecker="p-0001")
    case.fire("make_withdrawn#1")
    case.complete("prepare#2", kind="metal", pieces=1)
    assert case.step.variables["prepare"] == {"kind": "metal", "pieces": 1}


def test_the_minimal_process_loops_and_ends() -> None:
    case = Case(MINIMAL)
    assert case.open()
