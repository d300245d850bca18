"""看板: the open steps of one's posts, each clock a mark on one ruler; what waits; without rank."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from flask import Blueprint, render_template, request, url_for
from flask_login import login_required
from sqlalchemy import Connection

from engine.calendar_versions import calendar
from engine.definition_sets import UnknownDefinition, latest
from engine.definitions import Definition
from engine.directory import Authority, Directory
from engine.errors import NotAllowed
from engine.inbox import InboxRow, requests_for, steps_for, steps_in, steps_of, steps_within
from engine.oversight import URGING
from engine.pace import Pace, paces
from engine.people import directory
from engine.rights import OVERSEEING, deciding_duty, places_overlooked, places_seen
from engine.running import State
from web.act_kinds import processes
from web.clock import ClockView, clock_view, tally
from web.desk import unit_groups, unit_name
from web.hands import LOOKED_BACK as DAYS_DONE
from web.hands import Hands, hands, in_directory_order
from web.inbox import known_steps, tallied_words
from web.posts import (
    ANSWERING,
    COMMAND,
    HANDS,
    PLACING,
    WORKING,
    of_post,
    own_boards,
    post_boards,
    post_words,
)
from web.rows import TaskRow, state_and_left, task_rows, verb
from web.rulings import objected, ruling_rows
from web.saved_filters import kept_filters
from web.texts import say
from web.visit import at, by, reads

pages = Blueprint("board", __name__)

# The processes a command desk watches over, wherever in its street they are done.
COMMANDED: Final = frozenset({"whistle", "response", "consultation", "opinion"})
# The ruler: 200 units are the limit; what lies beyond 145 per cent stands at its edge.
LIMIT: Final = 200
EDGE: Final = 145
# A mark is about so many per cent wide: clocks that lie closer cannot be told apart.
GRAIN: Final = 3
LISTED: Final = 40
STATES: Final[tuple[State, ...]] = ("ok", "near", "late")
FILTERS: Final = ("process", "place", "state", "holder")
# Of what waits so much is listed; the inbox has all of it.
WAITING: Final = 20
# Whose steps are done at a desk, not at a place of work.
DESKS: Final = PLACING | ANSWERING | {COMMAND, "approve"}
# Over so many days it is told how much of their limits steps took.
LOOKED_BACK: Final = 30


class NoBoard(NotAllowed):
    """A board is for posts that work for a unit or watch over a place."""

    def __init__(self) -> None:
        super().__init__(
            "看板给承办、确认、指派、验收、销号、调度、督查和领导的岗位用，您现在没有这样的岗位。",
            "The board is for posts that work, confirm, assign, accept, close, command, supervise "
            "or lead; you hold none such now.",
        )


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
    """The board of this person's posts, or of one of them."""
    with reads() as conn:
        people = directory(conn)
        every = own_boards(people)
        post = request.args.get("post", "")
        held = of_post(every, post)
        if not held:
            raise NoBoard
        asked = {name: request.args.get(name, "") for name in FILTERS}
        kept = {**asked, "post": post}
        watched = places_overlooked(people, [one for one in held if one.duty in OVERSEEING])
        cal, everything = calendar(conn), _clocked(conn, people, held)
        found = _asked_for(people, everything, asked)
        named = _mark_names(conn, everything)
        waiting = _waiting(people, everything, held)
        ruled = objected(conn, waiting)
        requests = _requests(conn, people, held)
        return render_template(
            "board.html",
            asked=kept,
            heading=_heading(people, held, post),
            boards=post_boards(people, every, kept),
            filtered=any(asked.values()),
            own_filters=kept_filters(conn, "board.page"),
            states=[(state, words, _without(kept, state=state)) for state, words in _states()],
            everything=_without(kept, state="", holder=""),
            holder=people.name(asked["holder"]) if asked["holder"] else "",
            processes=processes(conn),
            places=_places(people, watched),
            tallied=tallied_words(tally([one.view for one in found])),
            count=len(found),
            units=_unit_lanes(conn, people, found, named, watched, asked["process"]),
            watching=bool(watched),
            looked_back=LOOKED_BACK,
            dots=_dots(everything, named),
            days_done=DAYS_DONE,
            hands=_hands(conn, people, held, everything, kept),
            rulings=ruling_rows(conn, [*ruled, *requests][:WAITING], people, cal, at()),
            more_rulings=max(0, len(ruled) + len(requests) - WAITING),
            waiting=_told_waiting(conn, people, held, waiting, ruled),
            rows=_listed(conn, people, found[:LISTED]),
            shown=min(len(found), LISTED),
        )  # fmt: skip


def _heading(people: Directory, held: Sequence[Authority], post: str) -> str:
    if not post:
        return say("正在走的时钟")
    return say("{post}的看板", post=post_words(people, held[0]))


# --- which steps ----------------------------------------------------------------------------------


def _clocked(conn: Connection, people: Directory, held: Sequence[Authority]) -> list[Clocked]:
    """The open steps of the own units and those below, of what a command desk has called, of the
    places overlooked, and those that wait for a post; what somebody may not see is not there."""
    found = {(row.case, row.task): row for row in steps_of(conn, _own_units(people, held))}
    streets = {people.path(one.unit)[-1] for one in held if one.duty == COMMAND}
    there = {unit for unit in people.units if people.path(unit)[-1] in streets}
    found |= {(row.case, row.task): row for row in steps_in(conn, COMMANDED, there)}
    over = places_overlooked(people, [one for one in held if one.duty in OVERSEEING | PLACING])
    found |= {(row.case, row.task): row for row in steps_within(conn, over)}
    answered = _units_by_duty(people, [one for one in held if one.duty in ANSWERING])
    found |= {(row.case, row.task): row for row in steps_for(conn, answered)}
    cal = calendar(conn)
    steps = sorted(
        known_steps(conn, people, list(found.values()), places_seen(people, by(), at())),
        key=lambda row: (row.due is None, row.due or row.opened_at, row.case),
    )
    return [Clocked(step, clock_view(step, cal, at())) for step in steps]


def _own_units(people: Directory, held: Sequence[Authority]) -> frozenset[str]:
    units = (people.subtree(one.unit) for one in held if one.duty in WORKING)
    return frozenset(below for found in units for below in found)


def _asked_for(
    people: Directory, found: Sequence[Clocked], asked: Mapping[str, str]
) -> list[Clocked]:
    below = people.subtree(asked["place"]) if asked["place"] in people.units else frozenset()
    return [
        one
        for one in found
        if asked["process"] in ("", one.step.process)
        and asked["holder"] in ("", one.step.holder)
        and (not asked["place"] or one.step.unit in below)
        and (not asked["state"] or _is_so(one, asked["state"]))
    ]


def _is_so(one: Clocked, state: str) -> bool:
    if state == "asking":
        return one.step.request is not None
    return one.view is not None and one.view.state == state


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


# --- what waits for these posts -------------------------------------------------------------------


def _waiting(
    people: Directory, found: Sequence[Clocked], held: Sequence[Authority]
) -> list[InboxRow]:
    """The steps a desk of these posts answers for, free or in its own hands."""
    units = _units_by_duty(people, [one for one in held if one.duty in DESKS])
    own = {None, by().person, *(one.on_behalf_of for one in held)}
    return [
        one.step
        for one in found
        if one.step.holder in own and units.get(one.step.duty, set()) & set(one.step.units)
    ]


def _requests(conn: Connection, people: Directory, held: Sequence[Authority]) -> list[InboxRow]:
    """The requests for time these posts decide on."""
    duties = {one.duty for one in held}
    asked = [
        step
        for step in requests_for(conn, people, by().person, at())
        if deciding_duty(str(step.request), confidential=step.confidential) in duties
    ]
    return known_steps(conn, people, asked, {step.unit for step in asked})


def _told_waiting(
    conn: Connection,
    people: Directory,
    held: Sequence[Authority],
    waiting: Sequence[InboxRow],
    ruled: Sequence[InboxRow],
) -> list[TaskRow] | None:
    """What else waits for a desk; None for whoever has none."""
    if not any(one.duty in DESKS for one in held):
        return None
    rest = [step for step in waiting if step not in ruled][:WAITING]
    return task_rows(conn, rest, people, calendar(conn), at())


def _units_by_duty(people: Directory, held: Sequence[Authority]) -> Mapping[str, set[str]]:
    """Where the duties of these posts count; an office of the street acts for the street."""
    found: dict[str, set[str]] = {}
    for one in held:
        unit = people.unit(one.unit)
        acting = {unit.parent} if unit.kind == "department" and unit.parent else set()
        found.setdefault(one.duty, set()).update({unit.id, *acting})
    return found


def _hands(
    conn: Connection,
    people: Directory,
    held: Sequence[Authority],
    found: Sequence[Clocked],
    kept: Mapping[str, str],
) -> Hands | None:
    """What each person has, for whoever has hands to place; None for whoever only watches."""
    placing = [one for one in held if one.duty in HANDS]
    if not placing:
        return None
    streets = {people.path(one.unit)[-1] for one in placing if one.duty == COMMAND}
    over = places_overlooked(people, [one for one in placing if one.duty in PLACING])
    units = _own_units(people, placing) | over
    everywhere = {unit for unit in people.units if people.path(unit)[-1] in streets}
    steps = [one.step for one in found
             if one.step.units[0] in units or one.step.unit in over
             or (one.step.unit in everywhere and one.step.process in COMMANDED)]  # fmt: skip
    return hands(conn, people, steps, units, calendar(conn), kept)


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
    return _lanes(
        found, lambda step: step.units[0], named, lambda unit: unit_name(people, unit),
        place=in_directory_order(people), before=before,
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


def _dots(
    found: Sequence[Clocked], named: Mapping[tuple[str, str], str]
) -> Mapping[str, Sequence[Mark]]:
    """By person: the clocks of what they hold."""
    held: dict[str, list[Clocked]] = {}
    for one in found:
        if one.step.holder:
            held.setdefault(one.step.holder, []).append(one)
    return {
        person: sorted(_marks(group, named), key=lambda mark: mark.x)
        for person, group in held.items()
    }


def _marks(group: Sequence[Clocked], named: Mapping[tuple[str, str], str]) -> Iterator[Mark]:
    """One mark for all clocks that would cover each other, leading to the most pressing one."""
    covered: dict[tuple[int, State], list[tuple[InboxRow, ClockView]]] = {}
    for one in group:
        if one.view is not None:
            place = min(one.view.percent, EDGE) // GRAIN, one.view.state
            covered.setdefault(place, []).append((one.step, one.view))
    for (first, view), *more in covered.values():
        x = min(view.percent, EDGE) * LIMIT / 100 + 6
        address = url_for("tasks.page", case_id=first.case, task=first.task)
        yield Mark(x, view.state, address, _words(first, view, named, len(more)))


def _words(step: InboxRow, view: ClockView, named: Mapping[tuple[str, str], str], more: int) -> str:
    state, left = state_and_left(view)
    words = say("{verb}：{title}，{state}，{left}", verb=named[step.process, step.element],
                title=step.title, state=state, left=left)  # fmt: skip
    return words + (say("；这里还有 {count} 只时钟", count=more) if more else "")


def _mark_names(conn: Connection, found: Sequence[Clocked]) -> dict[tuple[str, str], str]:
    """What is to be done at each step in a word, as the newest definition has it."""
    asked = {(one.step.process, one.step.element) for one in found}
    drawn = {process: _drawn(conn, process) for process in {process for process, _ in asked}}
    return {(process, element): _verb(drawn[process], element) for process, element in asked}


def _drawn(conn: Connection, process: str) -> Definition | None:
    try:
        return latest(conn, process)
    except UnknownDefinition:
        return None


def _verb(drawn: Definition | None, element: str) -> str:
    return verb(drawn, element) if drawn and element in drawn.tasks else element
