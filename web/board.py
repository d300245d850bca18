"""看板: the open steps of one's units or places, each clock a mark on one ruler, without rank."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from flask import Blueprint, render_template, request, url_for
from flask_login import login_required
from sqlalchemy import Connection

from engine.calendar_versions import calendar
from engine.casework import read_case
from engine.definition_sets import UnknownDefinition, latest
from engine.directory import KINDS, Directory
from engine.errors import NotAllowed
from engine.inbox import InboxRow, duties_of, steps_in, steps_of, steps_within
from engine.oversight import URGING
from engine.pace import Pace, paces
from engine.people import directory
from engine.rights import may_see, places_watched
from engine.running import State
from web.act_kinds import processes
from web.clock import ClockView, clock_view, tally
from web.desk import unit_groups, unit_name
from web.inbox import BOARDED, boarded, tallied_words
from web.rows import TaskRow, task_rows, told_clock, verb
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
FILTERS: Final = ("process", "place", "state")
# Over so many days it is told how much of their limits steps took.
LOOKED_BACK: Final = 30


class NoBoard(NotAllowed):
    """A board is for posts that work for a unit or watch over a place."""

    def __init__(self) -> None:
        super().__init__(
            "看板给承办单位、调度台、督查和领导的岗位用，您现在没有这样的岗位。",
            "The board is for posts of departments, firms, the command desk, supervisors and "
            "leaders; you hold none now.",
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
    """A unit, or a person: how many steps are open, their clocks, and what was done before."""

    name: str
    open: int
    marks: tuple[Mark, ...]
    counts: tuple[tuple[State, int], ...]
    pace: Pace | None = None


@dataclass(frozen=True, slots=True)
class Clocked:
    """An open step with its clock, if it has one."""

    step: InboxRow
    view: ClockView | None


@dataclass(frozen=True, slots=True)
class Listed:
    """A step in the list; case: where it may be pressed from here, "" where that is not for one."""

    row: TaskRow
    case: str


@pages.get("/board")
@login_required  # type: ignore[untyped-decorator]
def page() -> str:
    """The board of this person's units, or of the places they watch over."""
    with reads() as conn:
        people = directory(conn)
        if not boarded(people, by().person, at()):
            raise NoBoard
        asked = {name: request.args.get(name, "") for name in FILTERS}
        watched = places_watched(people, by(), at())
        found = _asked_for(people, _clocked(conn, people, watched), asked)
        named = _mark_names(conn, found)
        return render_template(
            "board.html",
            asked=asked,
            filtered=any(asked.values()),
            states=[(state, words, _without(asked, state=state)) for state, words in _states()],
            everything=_without(asked, state=""),
            processes=processes(conn),
            places=_places(people, watched),
            tallied=tallied_words(tally([one.view for one in found])),
            count=len(found),
            units=_unit_lanes(conn, people, found, named, watched, asked["process"]),
            watching=bool(watched),
            looked_back=LOOKED_BACK,
            persons=_lanes(_own(people, found), lambda step: step.holder or "", named,
                           lambda person: people.name(person) if person else say("待认领")),
            desk=_for_the_desk(conn, people, found),
            rows=_listed(conn, people, found[:LISTED]),
            shown=min(len(found), LISTED),
        )  # fmt: skip


# --- which steps ----------------------------------------------------------------------------------


def _clocked(conn: Connection, people: Directory, watched: frozenset[str]) -> list[Clocked]:
    """The open steps of the own units and those below, of what a command desk has called, and of
    the places watched over; what somebody may not see is not there."""
    found = {(row.case, row.task): row for row in steps_of(conn, _own_units(people))}
    held = [one for one in people.capacities(by().person, at()) if one.duty == COMMAND]
    streets = {people.path(one.unit)[-1] for one in held}
    there = {unit for unit in people.units if people.path(unit)[-1] in streets}
    found |= {(row.case, row.task): row for row in steps_in(conn, COMMANDED, there)}
    found |= {(row.case, row.task): row for row in steps_within(conn, watched)}
    cases = {row.case for row in found.values()}
    seen = {case for case in cases if may_see(read_case(conn, case), people, by(), at())}
    cal = calendar(conn)
    steps = sorted(
        (row for row in found.values() if row.case in seen),
        key=lambda row: (row.due is None, row.due or row.opened_at, row.case),
    )
    return [Clocked(step, clock_view(step, cal, at())) for step in steps]


def _own_units(people: Directory) -> frozenset[str]:
    held = [one for one in people.capacities(by().person, at()) if one.duty in BOARDED]
    units = (people.subtree(one.unit) for one in held if one.duty != COMMAND)
    return frozenset(below for found in units for below in found)


def _own(people: Directory, found: Sequence[Clocked]) -> list[Clocked]:
    """What is told person by person: for whoever has hands to place, not for whoever watches."""
    if any(one.duty == COMMAND for one in people.capacities(by().person, at())):
        return list(found)
    units = _own_units(people)
    return [one for one in found if one.step.units[0] in units]


def _asked_for(
    people: Directory, found: Sequence[Clocked], asked: Mapping[str, str]
) -> list[Clocked]:
    below = people.subtree(asked["place"]) if asked["place"] in people.units else frozenset()
    return [
        one
        for one in found
        if asked["process"] in ("", one.step.process)
        and (not asked["place"] or one.step.unit in below)
        and (not asked["state"] or (one.view is not None and one.view.state == asked["state"]))
    ]


def _for_the_desk(
    conn: Connection, people: Directory, found: Sequence[Clocked]
) -> list[TaskRow] | None:
    """What waits for this person's command desk; None for whoever has none."""
    units = duties_of(people, by().person, at()).get(COMMAND)
    if units is None:
        return None
    steps = [one.step for one in found if one.step.duty == COMMAND and units & set(one.step.units)]
    return task_rows(conn, steps, people, calendar(conn), at())


def _listed(conn: Connection, people: Directory, found: Sequence[Clocked]) -> list[Listed]:
    rows = task_rows(conn, [one.step for one in found], people, calendar(conn), at())
    return [
        Listed(row, one.step.case if _may_urge(people, one.step) else "")
        for one, row in zip(found, rows, strict=True)
    ]


def _may_urge(people: Directory, step: InboxRow) -> bool:
    """Offered where the command would not refuse it (engine.holding.overseer)."""
    path = people.path(step.unit)
    over = people.offices((*path, *people.ancestors(path[-1])))
    return any(people.authority(by().person, duty, over, at()) for duty in URGING)


# --- what may be chosen ---------------------------------------------------------------------------


def _states() -> list[tuple[str, str]]:
    return [("late", say("已逾期")), ("near", say("快到时限")), ("ok", say("在时限内")),
            ("paused", say("已暂停"))]  # fmt: skip


def _without(asked: Mapping[str, str], **changed: str) -> str:
    told: dict[str, Any] = {name: value for name, value in {**asked, **changed}.items() if value}
    return url_for("board.page", **told)


def _places(people: Directory, watched: frozenset[str]) -> list[Any]:
    seen = [unit for unit in watched if people.unit(unit).kind == "community"]
    return list(unit_groups(people, seen))


# --- lanes --------------------------------------------------------------------------------------


def _unit_lanes(
    conn: Connection,
    people: Directory,
    found: Sequence[Clocked],
    named: Mapping[tuple[str, str], str],
    watched: frozenset[str],
    process: str,
) -> list[Lane]:
    """One lane for each unit, in the order of the directory."""
    before = paces(conn, watched, at() - timedelta(LOOKED_BACK), process=process) if watched else {}
    kinds = list(KINDS)

    def place(unit: str) -> tuple[Any, ...]:
        above = (*reversed(people.ancestors(unit)), unit)
        return kinds.index(people.unit(unit).kind), *(people.unit(one).name for one in above)

    return _lanes(
        found, lambda step: step.units[0], named, lambda unit: unit_name(people, unit),
        place=place, before=before,
    )  # fmt: skip


def _lanes(
    found: Sequence[Clocked],
    of: Callable[[InboxRow], str],
    named: Mapping[tuple[str, str], str],
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
        _lane(naming(key), grouped[key], named, (before or {}).get(key))
        for key in sorted(grouped, key=place or naming)
    ]


def _lane(
    name: str,
    group: Sequence[Clocked],
    named: Mapping[tuple[str, str], str],
    pace: Pace | None,
) -> Lane:
    marks = sorted(_marks(group, named), key=lambda mark: mark.x)
    counted = tally([one.view for one in group])
    counts = tuple((state, counted.get(state, 0)) for state in STATES)
    return Lane(name, len(group), tuple(marks), counts, pace)


def _marks(group: Sequence[Clocked], named: Mapping[tuple[str, str], str]) -> Iterator[Mark]:
    for one in group:
        if one.view is not None:
            step, told = one.step, told_clock(one.view)
            x = min(one.view.percent, EDGE) * LIMIT / 100 + 6
            words = say("{verb}：{title}，{state}，{left}", verb=named[step.process, step.element],
                        title=step.title, state=told.state, left=told.left)  # fmt: skip
            address = url_for("tasks.page", case_id=step.case, task=step.task)
            yield Mark(x, one.view.state, address, words)


def _mark_names(conn: Connection, found: Sequence[Clocked]) -> dict[tuple[str, str], str]:
    """What is to be done at each step in a word, as the newest definition has it."""
    asked = {(one.step.process, one.step.element) for one in found}
    return {(process, element): _verb(conn, process, element) for process, element in asked}


def _verb(conn: Connection, process: str, element: str) -> str:
    try:
        drawn = latest(conn, process)
    except UnknownDefinition:
        return element
    return verb(drawn, element) if element in drawn.tasks else element
