"""看板: the open steps of one's posts, each clock a mark on one ruler; what waits; without rank."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from flask import Blueprint, render_template, request, url_for
from flask_login import login_required
from sqlalchemy import Connection

from engine.calendar_versions import calendar
from engine.directory import Authority, Directory
from engine.early_warning import unanswered
from engine.errors import NotAllowed
from engine.inbox import InboxRow, requests_for, steps_for, steps_in, steps_of, steps_within
from engine.oversight import URGING
from engine.people import directory
from engine.rights import OVERSEEING, deciding_duty, places_overlooked, places_seen
from engine.signal_queue import waiting_signals
from web.act_kinds import processes
from web.clock import clock_standing, tally
from web.desk import unit_groups, unit_name
from web.hands import LOOKED_BACK as DAYS_DONE
from web.hands import Hands, hands, in_directory_order
from web.inbox import known_steps, tallied_words
from web.lanes import Clocked, Lane, Telling, dots, lanes, tell_clocks
from web.paces import DAYS, paces_till
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
from web.rows import TaskRow, task_rows
from web.rulings import objected, ruling_rows
from web.saved_filters import kept_filters
from web.texts import say
from web.visit import at, by, reads

pages = Blueprint("board", __name__)

# The processes a command desk watches over, wherever in its street they are done.
COMMANDED: Final = frozenset({"whistle", "response", "consultation", "opinion"})
LISTED: Final = 25
FILTERS: Final = ("process", "place", "state", "holder")
# Of what waits so much is listed; the inbox has all of it.
WAITING: Final = 10
# Whose steps are done at a desk, not at a place of work.
DESKS: Final = PLACING | ANSWERING | {COMMAND, "approve"}


class NoBoard(NotAllowed):
    """A board is for posts that work for a unit or watch over a place."""

    def __init__(self) -> None:
        super().__init__(
            "看板给承办、确认、指派、验收、销号、调度、督查和领导的岗位用，您现在没有这样的岗位。",
            "The board is for posts that work, confirm, assign, accept, close, command, supervise "
            "or lead; you hold none such now.",
        )


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
        first = _first(len(found))
        telling = tell_clocks(conn, [one.step for one in everything], cal, at())
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
            tallied=tallied_words(tally([one.clock for one in found])),
            count=len(found),
            units=_unit_lanes(conn, people, found, telling, watched, asked["process"]),
            watching=bool(watched),
            signals=waiting_signals(conn, people, by(), at()),
            warned=unanswered(conn, people, by(), at()),
            days_measured=DAYS,
            dots=dots(everything, telling),
            days_done=DAYS_DONE,
            hands=_hands(conn, people, held, everything, kept),
            rulings=ruling_rows(conn, [*ruled, *requests][:WAITING], people, cal, at()),
            more_rulings=max(0, len(ruled) + len(requests) - WAITING),
            waiting=_told_waiting(conn, people, held, waiting, ruled),
            rows=_listed(conn, people, found[first : first + LISTED]),
            first=first,
            pages=_pages(kept, first, len(found)),
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
    now = at()
    return [Clocked(step, clock_standing(step, cal, now)) for step in steps]


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


def _first(count: int) -> int:
    """How many steps stand before the page of the list that was asked for; the last if beyond."""
    page = request.args.get("page", 1, int)
    return LISTED * min(max(page - 1, 0), max(count - 1, 0) // LISTED)


def _pages(kept: Mapping[str, str], first: int, count: int) -> list[tuple[str, str]]:
    """The way to what is more pressing, and to what is less."""
    here, found = first // LISTED + 1, []
    if first:
        found.append((say("更急的"), _without(kept, page=str(here - 1))))
    if first + LISTED < count:
        found.append((say("后面的"), _without(kept, page=str(here + 1))))
    return found


def _is_so(one: Clocked, state: str) -> bool:
    if state == "asking":
        return one.step.request is not None
    return one.clock is not None and one.clock.state == state


def _listed(conn: Connection, people: Directory, found: Sequence[Clocked]) -> list[Listed]:
    rows = task_rows(conn, [one.step for one in found], people, calendar(conn), at())
    return [
        Listed(row, one.step.case if _may_urge(people, one.step) else "")
        for one, row in zip(found, rows, strict=True)
    ]


def _may_urge(people: Directory, step: InboxRow) -> bool:
    """Offered where the command would not refuse it (engine.holding.overseer)."""
    over = people.offices_over(people.path(step.unit))
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
    listed = {(step.case, step.task) for step in ruled}
    rest = [step for step in waiting if (step.case, step.task) not in listed][:WAITING]
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


def _unit_lanes(
    conn: Connection,
    people: Directory,
    found: Sequence[Clocked],
    telling: Telling,
    watched: frozenset[str],
    process: str,
) -> list[Lane]:
    """One lane for each unit, in the order of the directory."""
    before = paces_till(conn, watched, at(), process=process) if watched else {}
    return lanes(
        found, lambda step: step.units[0], telling, lambda unit: unit_name(people, unit),
        place=in_directory_order(people), before=before,
    )  # fmt: skip
