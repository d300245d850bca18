"""The signals a supervising or disciplinary post may look into: counted, narrowed, listed."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, and_, func, or_, select, tuple_

from audit import log
from audit.encoding import timestamp
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
    narrower: list[ColumnElement[bool]] = [
        column == asked
        for column, asked in ((_SIGNAL.rule, rule), (_SIGNAL.state, state), (_SIGNAL.case, case))
        if asked
    ]
    if after is not None:
        narrower.append(_behind(*after))
    query = (
        _within(conn, select(signal_table), narrower, people, by, at)
        .order_by(_SIGNAL.case.desc(), _SIGNAL.entry, _SIGNAL.rule)
        .offset(first)
        .limit(limit)
    )
    return [read_signal(row) for row in conn.execute(query)]


def _behind(case: str, entry: int, rule: str) -> ColumnElement[bool]:
    further = tuple_(_SIGNAL.entry, _SIGNAL.rule) > (entry, rule)
    return or_(_SIGNAL.case < case, and_(_SIGNAL.case == case, further))


def signal_counts(
    conn: Connection, people: Directory, by: By, at: datetime, *,
    units: Collection[str] | None = None,
    since: datetime | None = None, until: datetime | None = None,
) -> Mapping[tuple[str, str], int]:  # fmt: skip
    """How many there are, by rule and state.

    units: only of their cases. since, until: only whose first entry was recorded from then on,
    before then.
    """
    narrower: list[ColumnElement[bool]] = [] if units is None else [_FILE.unit.in_(units)]
    if since is not None or until is not None:
        narrower.append(_first_recorded(since, until))
    counted = select(_SIGNAL.rule, _SIGNAL.state, func.count())
    query = _within(conn, counted, narrower, people, by, at)
    rows = conn.execute(query.group_by(_SIGNAL.rule, _SIGNAL.state))
    return {(rule, state): count for rule, state, count in rows}


def _first_recorded(since: datetime | None, until: datetime | None) -> ColumnElement[bool]:
    entry = log.event_table.c
    told = select(entry.seq).where(entry.stream == _SIGNAL.case, entry.seq == _SIGNAL.entry)
    # As they are written, instants sort as text.
    told = told if since is None else told.where(entry.at >= timestamp(since))
    told = told if until is None else told.where(entry.at < timestamp(until))
    return told.exists()


def waiting_signals(conn: Connection, people: Directory, by: By, at: datetime) -> int | None:
    """How many wait for this person or their like; None for whoever judges none."""
    if not places_judged(people, by, at):
        return None
    counts = signal_counts(conn, people, by, at)
    return sum(count for (_, state), count in counts.items() if state == OPEN)


def _within(
    conn: Connection,
    query: Select[Any],
    narrower: Collection[ColumnElement[bool]],
    people: Directory,
    by: By,
    at: datetime,
) -> Select[Any]:
    """Of the signals asked for those of cases this person may see in the places they judge in."""
    here = (_FILE.unit.in_(places_judged(people, by, at)), *narrower)
    seen = ~GUARDED | _FILE.case.in_(_in_sight(conn, here, people, by, at))
    return query.join(register_table, _FILE.case == _SIGNAL.case).where(*here, seen)


def _in_sight(
    conn: Connection,
    here: Collection[ColumnElement[bool]],
    people: Directory,
    by: By,
    at: datetime,
) -> Sequence[str]:
    """The guarded cases with such signals that this person may know of: asked one by one."""
    query = (
        select(_SIGNAL.case)
        .distinct()
        .join(register_table, _FILE.case == _SIGNAL.case)
        .where(GUARDED, *here)
    )
    states = read_cases(conn, set(conn.execute(query).scalars()))
    return [case for case, state in states.items() if may_see(state, people, by, at)]
