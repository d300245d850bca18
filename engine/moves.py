"""Moves SpiffWorkflow has made before are not made again: it is asked once per shape of a case.

SpiffWorkflow sees no data. What it does with a case follows from the drawing, from where the tokens
stand, from which step is acted on, and from the answers it gets to what it asks on the way, each
yes or no. For equal ones it is therefore not run again: the questions are asked of this case in the
same order, and where the answers lead is known. Answers given for the first time run it.

Activation numbers are taken out before and put back after, so that the tenth round of rework is the
same move as the first. What is kept here is a cache: it can be thrown away at any time, and what it
gives is byte for byte what SpiffWorkflow gives (tests/engine/test_moves.py).
"""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Final

from engine.definitions import Definition
from engine.process import Marking, Run, Script, Step, Waiting, step_not_open

# Shapes known of all processes together, and courses of one shape: beyond it they are forgotten,
# and learned again.
MOST_SHAPES: Final = 2048
MOST_COURSES: Final = 64

Variables = Mapping[str, dict[str, Any]]
# Element and place of the step acted on; None where a case begins.
_Move = tuple[str, int] | None


@dataclass(frozen=True, slots=True)
class _Course:
    """What one move does, with places for activation numbers: those of the steps that were open,
    from 1 on in the order of the marking, then those that open."""

    flows: list[Any]
    path: list[str]
    gateways: list[dict[str, Any]]
    opened: list[Waiting]
    closed: list[tuple[str, int]]
    ends: list[str]
    finished: bool


@dataclass(frozen=True, slots=True)
class _Position:
    """One shape of a marking: what is open in it (element, place -> done by a person), and the
    moves made from it.

    Both are found by the move with the answers given so far: what is asked then, and whether there
    is an answer to it; or, where nothing more is asked, the course.
    """

    open: dict[tuple[str, int], bool]
    asked: dict[tuple[Any, ...], tuple[str, bool]] = field(default_factory=dict)
    courses: dict[tuple[Any, ...], _Course] = field(default_factory=dict)


_known: dict[tuple[str, str, Any], _Position] = {}


def forget() -> None:
    """Forget all known moves."""
    _known.clear()


def begin(definition: Definition, variables: Variables, *, seed: bytes) -> Step:
    """Start a process and run to the first steps that wait for somebody (process.Run.begin)."""
    position = _position(definition, None, ())
    return _move(definition, position, None, None, dict(variables), seed)


def complete(
    definition: Definition,
    marking: Marking,
    key: str,
    outcome: dict[str, Any],
    variables: Variables,
    *,
    seed: bytes,
) -> Step:
    """Complete the open user task `key` (process.Run.complete). Raises what that raises."""
    numbers = _numbers(marking)
    position = _position(definition, marking, numbers)
    move = _found(position, key, numbers, manual=True)
    return _move(definition, position, marking, move, {**variables, move[0]: outcome}, seed)


def fire(
    definition: Definition, marking: Marking, key: str, variables: Variables, *, seed: bytes
) -> Step:
    """Let the waiting timer or message `key` happen (process.Run.fire). Raises what that raises."""
    numbers = _numbers(marking)
    position = _position(definition, marking, numbers)
    move = _found(position, key, numbers, manual=False)
    return _move(definition, position, marking, move, dict(variables), seed)


def _numbers(marking: Marking) -> tuple[int, ...]:
    """The activation numbers of a marking by their places; place 0 is that of no number."""
    return (0, *(row[3] for _, _, rows in marking.flows for row in rows if row[3]))


def _position(
    definition: Definition, marking: Marking | None, numbers: tuple[int, ...]
) -> _Position:
    shape = marking and tuple(
        (name, parent and tuple(parent), tuple([(t, s, above, n > 0) for t, s, above, n in rows]))
        for name, parent, rows in marking.flows
    )
    key = definition.digest, definition.key, shape
    known = _known.get(key)
    if known is None:
        if len(_known) >= MOST_SHAPES:
            forget()
        known = _known[key] = _Position(_open_in(definition, marking))
    return known


def _open_in(definition: Definition, marking: Marking | None) -> dict[tuple[str, int], bool]:
    if marking is None:
        return {}
    with closing(Run(definition, _placed(marking))) as run:
        return {_split(waiting.key): waiting.kind == "user" for waiting in run.waiting()}


def _placed(marking: Marking) -> Marking:
    """The marking with places where its numbers stand."""
    place = 0
    flows = []
    for name, parent, rows in marking.flows:
        placed = []
        for task, state, above, number in rows:
            place += number > 0
            placed.append([task, state, above, place if number else 0])
        flows.append([name, parent, placed])
    return Marking(flows, {})


def _split(key: str) -> tuple[str, int]:
    element, _, place = key.rpartition("#")
    return element, int(place)


def _found(
    position: _Position, key: str, numbers: tuple[int, ...], *, manual: bool
) -> tuple[str, int]:
    for (element, place), by_person in position.open.items():
        if by_person is manual and f"{element}#{numbers[place]}" == key:
            return element, place
    raise step_not_open(key)


def _move(
    definition: Definition,
    position: _Position,
    marking: Marking | None,
    move: _Move,
    variables: dict[str, dict[str, Any]],
    seed: bytes,
) -> Step:
    script = Script(definition, dict(variables), seed)
    course = _follow(position, move, script)
    if course is None:
        # What was asked so far has been done to this script: the move is made on a fresh one.
        script = _Listening(definition, variables, seed)
        course = _made(definition, marking, move, script)
        _learn(position, move, script.heard, course)
    return _step(course, script, marking)


def _follow(position: _Position, move: _Move, script: Script) -> _Course | None:
    """Ask what SpiffWorkflow asked before; the course, if it met the same answers."""
    way: tuple[Any, ...] = (move,)
    while asked := position.asked.get(way):
        question, answered = asked
        ask = script.evaluate if answered else script.execute
        way = (*way, ask(None, question))
    return position.courses.get(way)


@dataclass(slots=True)
class _Listening(Script):
    """A script that notes what it was asked, whether that had an answer, and which."""

    heard: list[tuple[str, bool, bool]] = field(default_factory=list)

    def evaluate(self, task: Any, expression: str, external_context: Any = None) -> bool:
        answer = Script.evaluate(self, task, expression, external_context)
        self.heard.append((expression, True, answer))
        return answer

    def execute(self, task: Any, script: str, external_context: Any = None) -> bool:
        done = Script.execute(self, task, script, external_context)
        self.heard.append((script, False, done))
        return done


class _PlacedRun(Run):
    """A run whose new steps get the next free places instead of activation numbers."""

    def __init__(self, definition: Definition, marking: Marking | None) -> None:
        placed = marking and _placed(marking)
        super().__init__(definition, placed)
        self._last = len(_numbers(placed)) - 1 if placed else 0

    def _next(self, element: str) -> int:
        self._last += 1
        return self._last


def _made(
    definition: Definition, marking: Marking | None, move: _Move, script: "_Listening"
) -> _Course:
    """Let SpiffWorkflow make the move."""
    with closing(_PlacedRun(definition, marking)) as run:
        if move is None:
            step = run.begin_with(script)
        elif script.definition.tasks.get(move[0]) is not None:
            step = run.complete_with(f"{move[0]}#{move[1]}", script)
        else:
            step = run.fire_with(f"{move[0]}#{move[1]}", script)
    return _Course(
        step.marking.flows, step.path, step.gateways, step.opened,
        [_split(key) for key in step.closed], step.ends, step.finished,
    )  # fmt: skip


def _learn(
    position: _Position, move: _Move, heard: list[tuple[str, bool, bool]], course: _Course
) -> None:
    if len(position.courses) >= MOST_COURSES:
        position.courses.clear()
    way: tuple[Any, ...] = (move,)
    for question, answered, answer in heard:
        position.asked[way] = question, answered
        way = (*way, answer)
    position.courses[way] = course


def _step(course: _Course, script: Script, marking: Marking | None) -> Step:
    """The course with this case's numbers in their places."""
    numbers = list(_numbers(marking)) if marking else [0]
    counts = dict(marking.counts) if marking else {}
    opened = []
    for waiting in course.opened:
        element = waiting.element
        counts[element] = counts.get(element, 0) + 1
        numbers.append(counts[element])
        opened.append(Waiting(f"{element}#{counts[element]}", element, waiting.kind))
    flows = [
        [name, parent and [*parent], [[t, s, above, numbers[n]] for t, s, above, n in rows]]
        for name, parent, rows in course.flows
    ]
    return Step(
        Marking(flows, dict(sorted(counts.items()))), script.variables, [*course.path],
        [{**gateway} for gateway in course.gateways], script.rules, script.lots, opened,
        [f"{element}#{numbers[place]}" for element, place in course.closed], [*course.ends],
        course.finished, script.sends,
    )  # fmt: skip
