"""Who did what, searched: acts on cases, newest first, within what somebody may see.

A search that names a person is an event of its own: engine.inquiries records it first.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    literal_column,
    or_,
    select,
    tuple_,
    union,
)

from audit import log
from audit.encoding import timestamp
from engine.acts import act_table
from engine.casework import read_cases
from engine.directory import Directory
from engine.few_cases import few_cases, narrowed, seen_by
from engine.people import By
from engine.rights import may_see, places_seen
from engine.search import cases_with

PAGE: Final = 20
# Most pages are full within so many of the newest acts.
AMONG: Final = 2000

_ACT = act_table.c
# As no index has it: nobody counts the tables of a street (ANALYZE), and a planner that knows
# nothing would gather all acts of a common step rather than go by time or person.
_NO_INDEX: Final = _ACT.element.concat("")


@dataclass(frozen=True, slots=True)
class ActQuery:
    """What is looked for; None or "" asks for nothing.

    person: whoever did it, or for whom it was done. posts, units: of whoever did it. within: where
    the case is. types, elements: of the entry. late, in_time: only what was done past its limit, or
    within it. since, until: done in this half-open interval.
    """

    person: str = ""
    posts: Collection[str] | None = None
    units: Collection[str] | None = None
    within: Collection[str] | None = None
    process: str = ""
    types: Collection[str] | None = None
    elements: Collection[str] | None = None
    late: bool = False
    in_time: bool = False
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class ActsPage:
    """Some acts as case and number of the entry, newest first; `after` continues, None at the end.

    A page may be short though more follows: of cases somebody is kept out of nothing is told.
    """

    acts: tuple[tuple[str, int], ...]
    after: str | None


def search_acts(
    conn: Connection,
    query: ActQuery,
    people: Directory,
    *,
    by: By,
    at: datetime,
    after: str | None = None,
    limit: int = PAGE,
) -> ActsPage:
    """The acts found, of cases in this person's places and of those they have a part in.

    after: `ActsPage.after` of the page before; an unreadable one begins anew.
    """
    places = places_seen(people, by, at)
    condition = and_(within_sight(places, by), *_asked(query), *_beyond(after))
    if query.person:
        rows = conn.execute(_newest(condition, query.person, limit + 1)).all()
    else:
        rows = _of_anybody(conn, query, condition, after, limit + 1, seen_by(by.person, places))
    more = rows[limit - 1] if len(rows) > limit else None
    visible = set(_visible(conn, {row.case for row in rows[:limit]}, people, by, at))
    found = tuple((row.case, row.seq) for row in rows[:limit] if row.case in visible)
    return ActsPage(found, f"{more.at}~{more.case}~{more.seq}" if more else None)


def _of_anybody(
    conn: Connection,
    query: ActQuery,
    condition: ColumnElement[bool],
    after: str | None,
    limit: int,
    seen: Select[tuple[str]],
) -> Sequence[Row[Any]]:
    """The newest acts: among the newest of all, else in the few cases that have such acts."""
    found = select(_ACT.case, _ACT.seq, _ACT.at)
    within = select(_ACT.at).where(*_in_time(query), *_beyond(after))
    since = conn.execute(_last(within, _ACT, 1).offset(AMONG)).scalar()
    if since is not None:
        newest = _last(found.where(condition, _ACT.at >= since), _ACT, limit)
        rows = conn.execute(newest).all()
        if len(rows) == limit:
            return rows
        few = few_cases(conn, [*_narrowed(query), seen])
        if few is not None:
            condition = and_(condition, _ACT.case.in_(few))
    return conn.execute(_last(found.where(condition), _ACT, limit)).all()


def _narrowed(query: ActQuery) -> Iterator[Select[tuple[str]]]:
    """The questions of which an index knows in which cases such acts are."""
    if query.elements is not None:
        yield select(_ACT.case).where(_ACT.element.in_(query.elements))
    elif query.types is not None:
        yield log.streams_with(query.types)
    if query.units is not None:
        yield select(_ACT.case).where(_ACT.unit.in_(query.units))
    yield from narrowed(
        process=query.process, category="", level="", units=query.within or (), running=None
    )


def _newest(condition: ColumnElement[bool], person: str, limit: int) -> Select[tuple[Any, ...]]:
    """The newest acts of a person: those they did and those done for them, each by its index."""
    halves = [
        select(_last(select(_ACT.case, _ACT.seq, _ACT.at).where(whose == person, condition),
                     _ACT, limit).subquery())
        for whose in (_ACT.person, _ACT.on_behalf_of)
    ]  # fmt: skip
    both = union(*halves).subquery()
    return _last(select(both.c.case, both.c.seq, both.c.at), both.c, limit)


def _last(query: Select[Any], of: Any, limit: int) -> Select[Any]:
    return query.order_by(of.at.desc(), of.case.desc(), of.seq.desc()).limit(limit)


def within_sight(places: Collection[str], by: By) -> ColumnElement[bool]:
    """What acts are searched for somebody: in their places, and where they have a part."""
    over = and_(_ACT.place.in_(places), _ACT.confidential == 0)
    return or_(over, _ACT.case.in_(cases_with(by.person)))


def _visible(
    conn: Connection, cases: Iterable[str], people: Directory, by: By, at: datetime
) -> Iterator[str]:
    """The one rule decides in the end: whoever is kept out of a case finds nothing of it."""
    states = read_cases(conn, set(cases))
    return (case for case, state in states.items() if may_see(state, people, by, at))


def _asked(query: ActQuery) -> Iterator[ColumnElement[bool]]:
    within = (
        (_ACT.post, query.posts),
        (_ACT.unit, query.units),
        (_ACT.place, query.within),
        (_ACT.type, query.types),
        (_NO_INDEX, query.elements),
    )
    yield from (column.in_(wanted) for column, wanted in within if wanted is not None)
    if query.process:
        yield _ACT.process == query.process
    if query.late:
        # Spelled out, as in the index of them, not as a parameter.
        yield _ACT.late > literal_column("0")
    if query.in_time:
        yield _ACT.late == 0
    yield from _in_time(query)


def _in_time(query: ActQuery) -> Iterator[ColumnElement[bool]]:
    if query.since is not None:
        yield _ACT.at >= timestamp(query.since)
    if query.until is not None:
        yield _ACT.at < timestamp(query.until)


def _beyond(after: str | None) -> Iterator[ColumnElement[bool]]:
    # By key, not by offset: what is done meanwhile shifts nothing.
    at, case, seq = [*(after or "").split("~"), "", ""][:3]
    if case and seq.isdecimal():
        yield tuple_(_ACT.at, _ACT.case, _ACT.seq) < (at, case, int(seq))
