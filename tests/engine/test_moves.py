"""Moves made before are not made again, and are the same to the byte (see test_fuzz as well)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from engine import moves
from engine.decisions import DecisionFailed
from engine.definitions import parse, read_folder
from engine.process import Run, Step, StepNotOpen

WORKSHOP = parse(read_folder(Path(__file__).parents[1] / "golden" / "bpmn" / "workshop"))
SEED = b"the hash of the cause"
PREPARED = {"kind": "wood", "pieces": 3}
# (step, outcome) of a case with so many rounds of rework, up to its end.
CHECKED: dict[bool, dict[str, Any]] = {good: {"passed": good} for good in (True, False)}


@pytest.fixture(autouse=True)
def _nothing_known() -> Iterator[None]:
    moves.forget()
    yield
    moves.forget()


def walk(rounds: int) -> list[bytes]:
    """Every step of a case that is made anew so many times, as bytes."""
    step = moves.begin(WORKSHOP, {"case": {}}, seed=SEED)
    told = [written(step)]

    def complete(key: str, outcome: dict[str, Any]) -> None:
        nonlocal step
        step = moves.complete(WORKSHOP, step.marking, key, outcome, step.variables, seed=SEED)
        told.append(written(step))

    complete("prepare#1", PREPARED)
    for n in range(1, rounds + 1):
        complete(f"make#{n}", {})
        complete(f"check_size#{n}", CHECKED[n == rounds])
        complete(f"check_look#{n}", CHECKED[True])
    return told


def live(rounds: int) -> list[bytes]:
    """The same by SpiffWorkflow alone, one object kept alive."""
    run = Run(WORKSHOP, None)
    step = run.begin({"case": {}}, seed=SEED)
    told = [written(step)]
    todo = [("prepare#1", PREPARED)]
    for n in range(1, rounds + 1):
        todo += [
            (f"make#{n}", {}),
            (f"check_size#{n}", CHECKED[n == rounds]),
            (f"check_look#{n}", CHECKED[True]),
        ]
    for key, outcome in todo:
        step = run.complete(key, outcome, step.variables, seed=SEED)
        told.append(written(step))
    return told


def written(step: Step) -> bytes:
    return orjson.dumps(step)


def spiff_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(*_: Any) -> None:
        raise AssertionError("SpiffWorkflow was asked")

    monkeypatch.setattr(moves, "_made", asked)
    monkeypatch.setattr(moves, "_open_in", asked)


def test_a_case_moves_as_spiffworkflow_moves_it_byte_for_byte() -> None:
    assert walk(3) == live(3)


def test_later_rounds_and_later_cases_ask_spiffworkflow_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wanted = live(30)
    walk(3)
    spiff_is_away(monkeypatch)
    assert walk(30) == wanted


def test_an_answer_given_for_the_first_time_asks_it(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = live(1)
    walk(1)
    spiff_is_away(monkeypatch)
    assert walk(1) == wanted
    with pytest.raises(AssertionError, match="was asked"):
        walk(2)  # the first round fails here


def test_what_a_step_gives_is_its_callers_to_change() -> None:
    step = moves.begin(WORKSHOP, {"case": {}}, seed=SEED)
    wanted = written(moves.complete(WORKSHOP, step.marking, "prepare#1", PREPARED, {}, seed=SEED))
    for _ in range(2):
        got = moves.complete(WORKSHOP, step.marking, "prepare#1", PREPARED, {}, seed=SEED)
        assert written(got) == wanted
        got.path.append("x")
        got.gateways.append({})
        got.marking.flows[0][2][0][0] = "x"
        got.marking.counts["x"] = 1
        got.opened.clear()


def test_a_move_that_fails_is_not_remembered() -> None:
    step = moves.begin(WORKSHOP, {"case": {}}, seed=SEED)
    before = {key: dict(position.courses) for key, position in moves._known.items()}
    for _ in range(2):
        with pytest.raises(DecisionFailed):
            moves.complete(WORKSHOP, step.marking, "prepare#1", {"kind": 7}, {}, seed=SEED)
    courses = [position.courses for position in moves._known.values()]
    assert sum(map(len, courses)) == sum(map(len, before.values()))


@pytest.mark.parametrize("key", ["make#1", "prepare#2", "prepare", "nothing#1"])
def test_a_step_that_does_not_wait_is_refused_as_by_spiffworkflow(key: str) -> None:
    step = moves.begin(WORKSHOP, {"case": {}}, seed=SEED)
    with pytest.raises(StepNotOpen):
        moves.complete(WORKSHOP, step.marking, key, {}, {}, seed=SEED)
    with pytest.raises(StepNotOpen):
        moves.fire(WORKSHOP, step.marking, "prepare#1", {}, seed=SEED)


def test_what_is_known_is_bounded_and_learned_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moves, "MOST_SHAPES", 2)
    monkeypatch.setattr(moves, "MOST_COURSES", 1)
    assert walk(3) == live(3)
    assert len(moves._known) <= 2
    assert all(len(position.courses) <= 1 for position in moves._known.values())
