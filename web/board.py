"""看板: the open steps of one's units, each clock a mark on one ruler. By name, no rank."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from flask import Blueprint, render_template
from flask_login import login_required
from sqlalchemy import Connection

from engine.calendar_versions import calendar
from engine.casework import read_case
from engine.directory import Directory
from engine.errors import NotAllowed
from engine.inbox import InboxRow, duties_of, steps_in, steps_of
from engine.people import directory
from engine.rights import may_see
from web.clock import ClockView, State, tally
from web.desk import unit_name
from web.inbox import BOARDED, boarded, tallied_words
from web.rows import TaskRow, task_rows
from web.texts import say
from web.visit import at, by, reads

pages = Blueprint("board", __name__)

COMMAND: Final = "command"
# The processes a command desk watches over, wherever in its street they are done.
COMMANDED: Final = frozenset({"whistle", "response", "consultation", "opinion"})
# The ruler: 200 units are the limit; what lies beyond 145 per cent stands at its edge.
LIMIT: Final = 200
EDGE: Final = 145
LISTED: Final = 40
STATES: Final[tuple[State, ...]] = ("ok", "near", "late")


class NoBoard(NotAllowed):
    """A board is for posts that work for a unit."""

    def __init__(self) -> None:
        super().__init__(
            "看板给承办单位和调度台的岗位用，您现在没有这样的岗位。",
            "The board is for posts of departments, firms and the command desk; you hold none now.",
        )


@dataclass(frozen=True, slots=True)
class Mark:
    """One running clock on the ruler: where it stands, how, and where it leads."""

    x: float
    state: State
    address: str
    words: str


@dataclass(frozen=True, slots=True)
class Lane:
    """A unit, or a person: how many steps are open, and their clocks."""

    name: str
    open: int
    marks: tuple[Mark, ...]
    counts: tuple[tuple[State, int], ...]


@pages.get("/board")
@login_required  # type: ignore[untyped-decorator]
def page() -> str:
    """The board of this person's units."""
    with reads() as conn:
        people = directory(conn)
        if not boarded(people, by().person, at()):
            raise NoBoard
        steps = _steps(conn, people)
        rows = task_rows(conn, steps, people, calendar(conn), at())
    views = [row.clock.view if row.clock else None for row in rows]
    pairs = list(zip(steps, rows, strict=True))
    return render_template(
        "board.html",
        tallied=tallied_words(tally(views)),
        count=len(steps),
        units=_lanes(pairs, lambda step: step.units[0], lambda unit: unit_name(people, unit)),
        persons=_lanes(
            pairs,
            lambda step: step.holder or "",
            lambda person: people.name(person) if person else say("待认领"),
        ),
        desk=_for_the_desk(people, pairs),
        rows=rows[:LISTED],
        shown=min(len(rows), LISTED),
    )


def _for_the_desk(
    people: Directory, pairs: Sequence[tuple[InboxRow, TaskRow]]
) -> list[TaskRow] | None:
    """What waits for this person's command desk; None for whoever has none."""
    units = duties_of(people, by().person, at()).get(COMMAND)
    if units is None:
        return None
    return [row for step, row in pairs if step.duty == COMMAND and units & set(step.units)]


def _steps(conn: Connection, people: Directory) -> list[InboxRow]:
    """The open steps of the own units and those below; for a command desk, of all it has called."""
    held = [one for one in people.capacities(by().person, at()) if one.duty in BOARDED]
    own = {below for one in held for below in people.subtree(one.unit)
           if one.duty != COMMAND}  # fmt: skip
    found = {(row.case, row.task): row for row in steps_of(conn, own)}
    streets = {people.path(one.unit)[-1] for one in held if one.duty == COMMAND}
    there = {unit for unit in people.units if people.path(unit)[-1] in streets}
    found |= {(row.case, row.task): row for row in steps_in(conn, COMMANDED, there)}
    seen = [row for row in found.values() if _may_see(conn, people, row.case)]
    return sorted(seen, key=lambda row: (row.due is None, row.due or row.opened_at, row.case))


def _may_see(conn: Connection, people: Directory, case: str) -> bool:
    return may_see(read_case(conn, case), people, by(), at())


# --- lanes --------------------------------------------------------------------------------------


def _lanes(
    pairs: Sequence[tuple[InboxRow, TaskRow]],
    of: Callable[[InboxRow], str],
    naming: Callable[[str], str],
) -> list[Lane]:
    """One lane for each unit or person that has open steps, by name."""
    grouped: dict[str, list[tuple[InboxRow, TaskRow]]] = {}
    for step, row in pairs:
        grouped.setdefault(of(step), []).append((step, row))
    lanes = [_lane(naming(key), group) for key, group in grouped.items()]
    return sorted(lanes, key=lambda lane: lane.name)


def _lane(name: str, group: Sequence[tuple[InboxRow, TaskRow]]) -> Lane:
    views = [row.clock.view if row.clock else None for _, row in group]
    marks = [_mark(row, row.clock.view) for _, row in group if row.clock]
    counted = tally(views)
    counts = tuple((state, counted.get(state, 0)) for state in STATES)
    return Lane(name, len(group), tuple(sorted(marks, key=lambda mark: mark.x)), counts)


def _mark(row: TaskRow, view: ClockView) -> Mark:
    assert row.clock is not None  # noqa: S101 - asked only of rows with a clock
    x = min(view.percent, EDGE) * LIMIT / 100 + 6
    words = say("{verb}：{title}，{state}，{left}", verb=row.verb, title=row.title,
                state=row.clock.state, left=row.clock.left)  # fmt: skip
    return Mark(x, view.state, row.address, words)
