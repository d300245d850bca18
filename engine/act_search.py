"""Who did what, searched: acts on cases, newest first, within what somebody may see.

A search that names a person is an event of its own: engine.inquiries records it first.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    literal_column,
    or_,
    select,
    tuple_,
    union,
)

from audit.encoding import timestamp
from engine.acts import act_table
from engine.casework import read_cases
from engine.directory import Directory
from engine.people import By
from engine.rights import may_see, places_seen
from engine.search import cases_with

PAGE: Final = 20

_ACT = act_table.c


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
    condition = and_(within_sight(people, by, at), *_asked(query), *_beyond(after))
    rows = conn.execute(_newest(condition, query.person, limit + 1)).all()
    more = rows[limit - 1] if len(rows) > limit else None
    visible = set(_visible(conn, {row.case for row in rows[:limit]}, people, by, at))
    found = tuple((row.case, row.seq) for row in rows[:limit] if row.case in visible)
    return ActsPage(found, f"{more.at}~{more.case}~{more.seq}" if more else None)


def _newest(condition: ColumnElement[bool], person: str, limit: int) -> Select[tuple[Any, ...]]:
    """The newest acts; of a person, those they did and those done for them, each by its index."""
    if not person:
        return _last(select(_ACT.case, _ACT.seq, _ACT.at).where(condition), _ACT, limit)
    halves = [
        select(_last(select(_ACT.case, _ACT.seq, _ACT.at).where(whose == person, condition),
                     _ACT, limit).subquery())
        for whose in (_ACT.person, _ACT.on_behalf_of)
    ]  # fmt: skip
    both = union(*halves).subquery()
    return _last(select(both.c.case, both.c.seq, both.c.at), both.c, limit)


def _last(query: Select[Any], of: Any, limit: int) -> Select[Any]:
    return query.order_by(of.at.desc(), of.case.desc(), of.seq.desc()).limit(limit)


def within_sight(people: Directory, by: By, at: datetime) -> ColumnElement[bool]:
    """What acts are searched for somebody: in their places, and where they have a part."""
    over = and_(_ACT.place.in_(places_seen(people, by, at)), _ACT.confidential == 0)
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
        (_ACT.element, query.elements),
    )
    yield from (column.in_(wanted) for column, wanted in within if wanted is not None)
    if query.process:
        yield _ACT.process == query.process
    if query.late:
        # Spelled out, as in the index of them, not as a parameter.
        yield _ACT.late > literal_column("0")
    if query.in_time:
        yield _ACT.late == 0
    if query.since is not None:
        yield _ACT.at >= timestamp(query.since)
    if query.until is not None:
        yield _ACT.at < timestamp(query.until)


def _beyond(after: str | None) -> Iterator[ColumnElement[bool]]:
    # By key, not by offset: what is done meanwhile shifts nothing.
    at, case, seq = [*(after or "").split("~"), "", ""][:3]
    if case and seq.isdecimal():
        yield tuple_(_ACT.at, _ACT.case, _ACT.seq) < (at, case, int(seq))
