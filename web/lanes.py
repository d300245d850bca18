"""Many running clocks on one ruler: a lane for each unit, dots for each person, a mark a clock.

Clocks that lie so close that they cover each other share a mark, which leads to the first of them.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from flask import url_for
from sqlalchemy import Connection

from engine.calendar import Calendar
from engine.definition_sets import UnknownDefinition, latest
from engine.definitions import Definition
from engine.inbox import InboxRow
from engine.pace import Pace
from engine.running import State
from web.clock import Standing, clock_view, tally
from web.rows import state_and_left, verb
from web.texts import say

# The ruler: 200 units are the limit; what lies beyond 145 per cent stands at its edge.
LIMIT: Final = 200
EDGE: Final = 145
# A mark is about so many per cent wide: clocks that lie closer cannot be told apart.
GRAIN: Final = 3
STATES: Final[tuple[State, ...]] = ("ok", "near", "late")

# What a mark says of the step it leads to.
Telling = Callable[[InboxRow], str]


@dataclass(frozen=True, slots=True)
class Mark:
    """Running clocks at one place of the ruler: where it is, how they stand, where it leads."""

    x: float
    state: State
    address: str
    words: str


@dataclass(frozen=True, slots=True)
class Lane:
    """A unit, or a person: how many steps are open, their clocks, and what was done before."""

    name: str
    open: int
    marks: tuple[Mark, ...]
    counts: tuple[tuple[State, int], ...]
    pace: Pace | None = None


@dataclass(frozen=True, slots=True)
class Clocked:
    """An open step and how its clock stands, if it has one."""

    step: InboxRow
    clock: Standing | None


def lanes(
    found: Sequence[Clocked],
    of: Callable[[InboxRow], str],
    telling: Telling,
    naming: Callable[[str], str],
    *,
    place: Callable[[str], Any] | None = None,
    before: Mapping[str, Pace] | None = None,
) -> list[Lane]:
    """One lane for each unit or person that has open steps; by name, unless told otherwise."""
    grouped: dict[str, list[Clocked]] = {}
    for one in found:
        grouped.setdefault(of(one.step), []).append(one)
    return [
        _lane(naming(key), grouped[key], telling, (before or {}).get(key))
        for key in sorted(grouped, key=place or naming)
    ]


def dots(found: Sequence[Clocked], telling: Telling) -> Mapping[str, Sequence[Mark]]:
    """By person: the clocks of what they hold."""
    held: dict[str, list[Clocked]] = {}
    for one in found:
        if one.step.holder:
            held.setdefault(one.step.holder, []).append(one)
    return {person: _marks(group, telling) for person, group in held.items()}


def tell_clocks(
    conn: Connection, steps: Sequence[InboxRow], cal: Calendar, at: datetime
) -> Telling:
    """What marks say: what is to be done, as the newest definition has it, and what is left."""
    asked = {(step.process, step.element) for step in steps}
    drawn = {process: _drawn(conn, process) for process in {process for process, _ in asked}}
    named = {(process, element): _verb(drawn[process], element) for process, element in asked}

    def tell(step: InboxRow) -> str:
        view = clock_view(step, cal, at)
        state, left = state_and_left(view) if view else ("", "")
        return say("{verb}：{title}，{state}，{left}", verb=named[step.process, step.element],
                   title=step.title, state=state, left=left)  # fmt: skip

    return tell


def _lane(name: str, group: Sequence[Clocked], telling: Telling, pace: Pace | None) -> Lane:
    counted = tally([one.clock for one in group])
    counts = tuple((state, counted.get(state, 0)) for state in STATES)
    return Lane(name, len(group), tuple(_marks(group, telling)), counts, pace)


def _marks(group: Sequence[Clocked], telling: Telling) -> list[Mark]:
    """One mark for all clocks that would cover each other, leading to the most pressing one."""
    covered: dict[tuple[int, State], list[tuple[InboxRow, Standing]]] = {}
    for one in group:
        if one.clock is not None:
            place = min(one.clock.percent, EDGE) // GRAIN, one.clock.state
            covered.setdefault(place, []).append((one.step, one.clock))
    return sorted(_drawn_marks(covered.values(), telling), key=lambda mark: mark.x)


def _drawn_marks(
    covered: Iterable[Sequence[tuple[InboxRow, Standing]]], telling: Telling
) -> Iterator[Mark]:
    for (first, clock), *more in covered:
        x = min(clock.percent, EDGE) * LIMIT / 100 + 6
        address = url_for("tasks.page", case_id=first.case, task=first.task)
        words = telling(first)
        if more:
            words += say("；这里还有 {count} 只时钟", count=len(more))
        yield Mark(x, clock.state, address, words)


def _drawn(conn: Connection, process: str) -> Definition | None:
    try:
        return latest(conn, process)
    except UnknownDefinition:
        return None


def _verb(drawn: Definition | None, element: str) -> str:
    return verb(drawn, element) if drawn and element in drawn.tasks else element
