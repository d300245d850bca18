"""How much somebody has in hand now, and how such work went lately: what an assignment looks at.

Of confidential cases nothing is counted for others: a number would tell that there are some.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Column, ColumnElement, Connection, Row, case, distinct, func, or_, select

from audit.encoding import timestamp
from engine.act_search import within_sight
from engine.acts import act_table
from engine.calendar import Calendar
from engine.directory import Directory
from engine.inbox import InboxRow, steps_held, steps_of
from engine.people import By
from engine.register import register_table
from engine.rights import places_seen
from engine.running import state_of

_ACT: Final = act_table.c
_CASE: Final = register_table.c
# A unit may have many open steps; beyond this nobody reads the difference.
MOST: Final = 5000


@dataclass(frozen=True, slots=True)
class Load:
    """Open steps: how many, and of those near their limit, past it, stopped, asking for time."""

    open: int = 0
    near: int = 0
    late: int = 0
    paused: int = 0
    asking: int = 0


@dataclass(frozen=True, slots=True)
class Past:
    """Cases of a category in which somebody ended steps lately, and in how many of them late."""

    cases: int = 0
    late: int = 0


@dataclass(frozen=True, slots=True)
class Done:
    """Steps ended within their limit and past it."""

    in_time: int = 0
    late: int = 0


NO_LOAD: Final = Load()
NO_PAST: Final = Past()
NOTHING_DONE: Final = Done()


def load_of(steps: Iterable[InboxRow], cal: Calendar, at: datetime) -> Load:
    """How much these open steps are."""
    told = list(steps)
    states = [state_of(step, cal, at) for step in told]
    return Load(
        open=len(told),
        near=states.count("near"),
        late=states.count("late"),
        paused=states.count("paused"),
        asking=sum(step.request is not None for step in told),
    )


def loads_of_persons(
    conn: Connection, persons: Collection[str], cal: Calendar, at: datetime
) -> Mapping[str, Load]:
    """By person: the open steps they hold. Who holds none is not there."""
    held: dict[str, list[InboxRow]] = {}
    for step in steps_held(conn, persons, limit=MOST):
        if not step.confidential and step.holder:
            held.setdefault(step.holder, []).append(step)
    return {person: load_of(steps, cal, at) for person, steps in held.items()}


def loads_of_units(
    conn: Connection, units: Collection[str], cal: Calendar, at: datetime
) -> Mapping[str, Load]:
    """By unit: the open steps it answers for before any other. Who has none is not there."""
    given: dict[str, list[InboxRow]] = {}
    for step in steps_of(conn, units, limit=MOST):
        if not step.confidential:
            given.setdefault(step.units[0], []).append(step)
    return {unit: load_of(steps, cal, at) for unit, steps in given.items()}


def past_of_persons(
    conn: Connection,
    persons: Collection[str],
    *,
    category: str,
    capacities: Collection[str],
    since: datetime,
) -> Mapping[str, Past]:
    """By person: cases of a category in which they ended steps in one of these capacities since."""
    within = _ACT.person.in_(persons) & _ACT.capacity.in_(capacities)
    return _past(conn, _ACT.person, within, category, since)


def past_of_units(
    conn: Connection, units: Collection[str], *, category: str, since: datetime
) -> Mapping[str, Past]:
    """By unit: cases of a category in which its people ended steps since."""
    return _past(conn, _ACT.unit, _ACT.unit.in_(units), category, since)


def _past(
    conn: Connection,
    who: Column[str],
    within: ColumnElement[bool],
    category: str,
    since: datetime,
) -> Mapping[str, Past]:
    query = (
        select(
            who.label("who"),
            func.count(distinct(_ACT.case)).label("cases"),
            func.count(distinct(case((_ACT.late > 0, _ACT.case)))).label("late"),
        )
        .join(register_table, _CASE.case == _ACT.case)
        .where(within, _ACT.late.is_not(None), _ACT.at >= timestamp(since))
        .where(_CASE.category == category, _CASE.confidential == 0)
        .group_by(who)
    )
    return {row.who: Past(row.cases, row.late) for row in conn.execute(query)}


def worked_in(
    conn: Connection, units: Collection[str], community: str, since: datetime
) -> Mapping[str, int]:
    """By unit: cases of a community in which its people ended steps since."""
    query = (
        select(_ACT.unit, func.count(distinct(_ACT.case)).label("cases"))
        .join(register_table, _CASE.case == _ACT.case)
        .where(_ACT.unit.in_(units), _ACT.late.is_not(None), _ACT.at >= timestamp(since))
        .where(_CASE.community == community, _CASE.confidential == 0)
        .group_by(_ACT.unit)
    )
    return {row.unit: row.cases for row in conn.execute(query)}


def done_by_persons(
    conn: Connection,
    people: Directory,
    persons: Collection[str],
    *,
    since: datetime,
    by: By,
    at: datetime,
) -> Mapping[str, Done]:
    """By person: steps with a limit that they ended since, or that were ended for them.

    Counted is what the search of acts lists to whoever asks.
    """
    query = (
        select(
            _ACT.person,
            _ACT.on_behalf_of,
            func.count(case((_ACT.late == 0, 1))).label("in_time"),
            func.count(case((_ACT.late > 0, 1))).label("late"),
        )
        .where(or_(_ACT.person.in_(persons), _ACT.on_behalf_of.in_(persons)))
        .where(_ACT.late.is_not(None), _ACT.at >= timestamp(since))
        .where(within_sight(places_seen(people, by, at), by))
        .group_by(_ACT.person, _ACT.on_behalf_of)
    )
    rows = conn.execute(query).all()
    return {person: _sum(row for row in rows if person in row[:2]) for person in persons}


def _sum(rows: Iterable[Row[tuple[str, str | None, int, int]]]) -> Done:
    told = list(rows)
    return Done(sum(row.in_time for row in told), sum(row.late for row in told))
