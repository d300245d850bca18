"""The signals a supervising or disciplinary post may look into: counted, narrowed, listed."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, and_, func, or_, select, tuple_

from engine.casework import read_cases
from engine.directory import Directory
from engine.people import By
from engine.register import GUARDED, register_table
from engine.rights import may_see, places_overlooked
from engine.signals import JUDGING, OPEN, Found, read_signal, signal_table

# Where a signal stands in lists: its case, its first entry, its rule.
SignalPlace = tuple[str, int, str]

_FILE: Final = register_table.c
_SIGNAL: Final = signal_table.c


def places_judged(people: Directory, by: By, at: datetime) -> frozenset[str]:
    """Where this person may judge signals now, by posts of their own or of whom they stand in for.

    None for whoever holds no such post.
    """
    held = [one for one in people.capacities(by.person, at) if one.duty in JUDGING]
    return places_overlooked(people, held)


def signals_for(
    conn: Connection, people: Directory, by: By, at: datetime, *,
    rule: str = "", state: str = "", case: str = "", first: int = 0, limit: int | None = None,
    after: SignalPlace | None = None,
) -> list[Found]:  # fmt: skip
    """What is found in the cases this person may see there, newest cases first.

    after: only what stands behind this place, whether something is still there or not.
    """
    if not places_judged(people, by, at):
        return []
    query = (
        _within(conn, select(signal_table), people, by, at)
        .order_by(_SIGNAL.case.desc(), _SIGNAL.entry, _SIGNAL.rule)
        .offset(first)
        .limit(limit)
    )
    for column, asked in ((_SIGNAL.rule, rule), (_SIGNAL.state, state), (_SIGNAL.case, case)):
        if asked:
            query = query.where(column == asked)
    if after is not None:
        query = query.where(_behind(*after))
    return [read_signal(row) for row in conn.execute(query)]


def _behind(case: str, entry: int, rule: str) -> ColumnElement[bool]:
    further = tuple_(_SIGNAL.entry, _SIGNAL.rule) > (entry, rule)
    return or_(_SIGNAL.case < case, and_(_SIGNAL.case == case, further))


def signal_counts(
    conn: Connection, people: Directory, by: By, at: datetime
) -> Mapping[tuple[str, str], int]:
    """How many there are, by rule and state."""
    query = _within(conn, select(_SIGNAL.rule, _SIGNAL.state, func.count()), people, by, at)
    rows = conn.execute(query.group_by(_SIGNAL.rule, _SIGNAL.state))
    return {(rule, state): count for rule, state, count in rows}


def waiting_signals(conn: Connection, people: Directory, by: By, at: datetime) -> int | None:
    """How many wait for this person or their like; None for whoever judges none."""
    if not places_judged(people, by, at):
        return None
    counts = signal_counts(conn, people, by, at)
    return sum(count for (_, state), count in counts.items() if state == OPEN)


def _within(
    conn: Connection, query: Select[Any], people: Directory, by: By, at: datetime
) -> Select[Any]:
    """The signals of cases this person may see in the places they judge in."""
    places = places_judged(people, by, at)
    joined = query.join(register_table, _FILE.case == _SIGNAL.case).where(_FILE.unit.in_(places))
    return joined.where(~GUARDED | _FILE.case.in_(_in_sight(conn, places, people, by, at)))


def _in_sight(
    conn: Connection, places: Collection[str], people: Directory, by: By, at: datetime
) -> Sequence[str]:
    """The guarded cases with signals there that this person may know of: asked one by one."""
    query = (
        select(_SIGNAL.case)
        .distinct()
        .join(register_table, _FILE.case == _SIGNAL.case)
        .where(_FILE.unit.in_(places), GUARDED)
    )
    states = read_cases(conn, set(conn.execute(query).scalars()))
    return [case for case, state in states.items() if may_see(state, people, by, at)]
