"""The register searched: by what people remember of a case, page by page, within what they may see.

There is no search by person here: that is an event of its own (engine.act_search).
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Final

import orjson
from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Select,
    and_,
    exists,
    func,
    or_,
    select,
    true,
    tuple_,
)

from audit.encoding import instant, timestamp
from engine.few_cases import few_cases, narrowed, seen_by
from engine.inbox import open_task_table
from engine.register import GUARDED, ORDERED, SEARCHED, register_table
from engine.taking_part import part_table
from engine.text_search import all_listed, cases_with_text

PAGE: Final = 20
# Of so many overdue cases a page is found sooner among the newest cases.
MANY: Final = 5000
# Most pages are full within so many of the newest cases.
AMONG: Final = 2000
STATUSES: Final = ("open", "overdue", "closed")

_CASE = register_table.c
_BY_TIME = (_CASE.opened_at, _CASE.case)
_PART = part_table.c
_BY_PART = (_PART.opened_at, _PART.case)


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for; None or "" asks for nothing.

    text: part of the number, title or address, or a whole receipt. status: open, overdue or
    closed. unit: anywhere below this unit. since, until: opened in this half-open interval.
    """

    text: str = ""
    status: str = ""
    unit: str = ""
    process: str = ""
    category: str = ""
    level: str = ""
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class FoundCase:
    """One case of the register."""

    case: str
    process: str
    number: str
    title: str
    category: str
    level: str | None
    unit: str
    community: str
    address: str
    status: str
    opened_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Page:
    """Some cases, newest first; `after` continues behind the last one, None at the end."""

    cases: tuple[FoundCase, ...]
    after: str | None


def search(
    conn: Connection,
    query: Query,
    *,
    person: str,
    places: Collection[str],
    below: Collection[str] = (),
    at: datetime,
    after: str | None = None,
    limit: int = PAGE,
) -> Page:
    """The cases found, within those of `places` and those this person had a part in.

    places: engine.rights.places_seen. below: the units `query.unit` stands for. after: `Page.after`
    of the page before; an unreadable one begins anew.
    """
    over = and_(_in(places), _CASE.confidential == 0)
    seen = or_(over, takes_part(person))
    condition, text = _asked(conn, query, below, at), query.text.strip()
    whole = _whole(conn, text, seen)
    if whole is not None or text:
        condition = and_(condition, _has(text) if whole is None else whole)
    if not places:
        return _page_with(conn, person, condition, after, limit)
    if whole is None and text and all_listed(conn):
        return _page_with_text(conn, query, and_(seen, condition), after, limit)
    condition = and_(seen, condition)
    if whole is not None:
        return _page(conn, condition, after, limit)
    # The newest are never overdue.
    newest = None if query.status == "overdue" else _of_the_newest(conn, condition, after, limit)
    if newest is not None:
        return newest
    few = few_cases(conn, [*_narrowed(query, below), seen_by(person, places)])
    if few is not None:
        condition = and_(condition, _CASE.case.in_(few))
    return _page(conn, condition, after, limit)


def _narrowed(query: Query, below: Collection[str]) -> Iterator[Select[tuple[str]]]:
    return narrowed(
        process=query.process, category=query.category, level=query.level,
        units={query.unit, *below} if query.unit else (),
        running=query.status != "closed" if query.status else None,
    )  # fmt: skip


def _of_the_newest(
    conn: Connection, condition: ColumnElement[bool], after: str | None, limit: int
) -> Page | None:
    """The page, where so many of the newest cases fill it or are all there are; else None."""
    query = _first(select(_CASE.opened_at), _BY_TIME, after, 1).offset(AMONG)
    since = conn.execute(query).scalar()
    if since is None:
        return _page(conn, condition, after, limit)
    page = _page(conn, and_(condition, _CASE.opened_at >= since), after, limit)
    return page if page.after else None


def reported_by(
    conn: Connection, person: str, *, after: str | None = None, limit: int = PAGE
) -> Page:
    """The cases this person reported, newest first; not those that one of their acts led to."""
    return _page_with(conn, person, _PART.reported == 1, after, limit)


def done_by(conn: Connection, person: str, *, after: str | None = None, limit: int = PAGE) -> Page:
    """The cases in which this person did or reported something, newest first."""
    return _page_with(conn, person, _PART.did == 1, after, limit)


@dataclass(frozen=True, slots=True)
class Ordered:
    """A case with orders (督办) that wait for an answer.

    orders: number of the event -> who gave it. guarded: the case is confidential or closed to
    somebody. holds: whoever asks holds a step of it.
    """

    case: str
    unit: str
    orders: Mapping[str, str]
    guarded: bool
    holds: bool


def with_orders(conn: Connection, places: Collection[str], person: str) -> list[Ordered]:
    """The cases with an order not answered yet: of these places, and with a part of theirs.

    places: engine.rights.places_seen.
    """
    task = open_task_table.c
    held = exists().where(task.case == _CASE.case, task.holder == person)
    query = (
        select(_CASE.case, _CASE.unit, _CASE.orders, GUARDED.label("guarded"), held.label("holds"))
        .where(ORDERED, _CASE.unit.in_(places) | takes_part(person))
        .order_by(_CASE.case)
    )
    return [
        Ordered(row.case, row.unit, orjson.loads(row.orders), bool(row.guarded), bool(row.holds))
        for row in conn.execute(query)
    ]


def case_of_receipt(conn: Connection, receipt: str) -> str | None:
    """The case with this receipt, or None."""
    return conn.execute(select(_CASE.case).where(_CASE.receipt == receipt)).scalar()


def case_named(conn: Connection, number: str) -> str:
    """The case with this number (听澜-隐-2026-00001); what was typed, where none has it."""
    found = conn.execute(select(_CASE.case).where(_CASE.number == number)).scalar()
    return str(found) if found else number[:100]


def takes_part(person: str) -> ColumnElement[bool]:
    """Whether somebody has a part in a case of the register."""
    return _CASE.case.in_(cases_with(person))


def cases_with(person: str) -> Select[tuple[str]]:
    """The cases somebody has a part in: as reporter, doer, holder, or for whom one did it."""
    return select(_PART.case).where(_PART.person == person)


def _whole(conn: Connection, text: str, seen: ColumnElement[bool]) -> ColumnElement[bool] | None:
    """A whole number or receipt means that case, found by its index.

    seen: a case that is hidden from somebody has no number either.
    """
    for column, whole in ((_CASE.number, text), (_CASE.receipt, text.upper())):
        if text and conn.execute(select(_CASE.case).where(column == whole, seen)).first():
            return column == whole
    return None


def _has(text: str) -> ColumnElement[bool]:
    return or_(*(_CASE[name].contains(text, autoescape=True) for name in SEARCHED))


def _in(units: Collection[str]) -> ColumnElement[bool]:
    # As no index has it: a planner that goes by one here reads all cases of a place for a page.
    return func.coalesce(_CASE.unit, "").in_(units)


def _asked(
    conn: Connection, query: Query, below: Collection[str], at: datetime
) -> ColumnElement[bool]:
    asked: list[ColumnElement[bool]] = [true()]
    exact = (("process", query.process), ("category", query.category), ("level", query.level))
    asked += [_CASE[name] == value for name, value in exact if value]
    if query.unit:
        asked.append(_in({query.unit, *below}))
    if query.since is not None:
        asked.append(_CASE.opened_at >= timestamp(query.since))
    if query.until is not None:
        asked.append(_CASE.opened_at < timestamp(query.until))
    return and_(*asked, _status(conn, query.status, at))


def _status(conn: Connection, status: str, at: datetime) -> ColumnElement[bool]:
    if status == "open":
        return _CASE.ended_at.is_(None)
    if status == "closed":
        return _CASE.ended_at.is_not(None)
    if status == "overdue":
        task = open_task_table.c
        late = (task.due < timestamp(at)) & task.paused_until.is_(None)
        some = select(task.case).where(late).limit(MANY).subquery()
        if conn.execute(select(func.count()).select_from(some)).scalar_one() < MANY:
            return _CASE.case.in_(select(task.case).where(late))
        # Among so many a page is full before all of them have been looked up.
        return exists().where(task.case == _CASE.case, late)
    return true()


def _page(conn: Connection, condition: ColumnElement[bool], after: str | None, limit: int) -> Page:
    query = select(*_COLUMNS).where(condition)
    return _of_rows(_rows(conn, query, _BY_TIME, after, limit + 1), limit)


def _page_with_text(
    conn: Connection, query: Query, condition: ColumnElement[bool], after: str | None, limit: int
) -> Page:
    """By the index of texts, day by day from the newest on, until the page is full."""
    newest = _key(after)[0] or (timestamp(query.until) if query.until else None)
    rows: list[FoundCase] = []
    for cases in cases_with_text(conn, query.text.strip(), newest=newest, since=query.since):
        asked = select(*_COLUMNS).where(condition, _CASE.case.in_(cases))
        rows += _rows(conn, asked, _BY_TIME, after, limit + 1 - len(rows))
        if len(rows) > limit:
            break
    return _of_rows(rows, limit)


def _page_with(
    conn: Connection, person: str, part: ColumnElement[bool], after: str | None, limit: int
) -> Page:
    """Of the cases somebody has this part in: found in the order of the index of parts."""
    rows = _rows(conn, _with_part(person, part), _BY_PART, after, limit + 1)
    return _of_rows(rows, limit)


def _with_part(person: str, condition: ColumnElement[bool]) -> Select[Any]:
    return (
        select(*_COLUMNS)
        .join(part_table, _PART.case == _CASE.case)
        .where(_PART.person == person, condition)
    )


def _rows(
    conn: Connection,
    query: Select[Any],
    order: tuple[Column[str], Column[str]],
    after: str | None,
    limit: int,
) -> list[FoundCase]:
    return [_found(row) for row in conn.execute(_first(query, order, after, limit))]


def _first(
    query: Select[Any], order: tuple[Column[str], Column[str]], after: str | None, limit: int
) -> Select[Any]:
    # By key, not by offset: a case reported meanwhile shifts nothing.
    opened_at, case = _key(after)
    if case:
        query = query.where(tuple_(*order) < (opened_at, case))
    return query.order_by(*(column.desc() for column in order)).limit(limit)


def _key(after: str | None) -> tuple[str, str]:
    opened_at, _, case = (after or "").partition("~")
    return (opened_at, case) if case else ("", "")


def _of_rows(rows: list[FoundCase], limit: int) -> Page:
    """A page of so many, told from one more."""
    more = rows[limit - 1] if len(rows) > limit else None
    return Page(tuple(rows[:limit]), f"{timestamp(more.opened_at)}~{more.case}" if more else None)


def count_reported_by(conn: Connection, person: str) -> int:
    """How many cases this person reported."""
    return _count(conn, person, _PART.reported == 1)


def count_done_by(conn: Connection, person: str) -> int:
    """In how many cases this person did or reported something."""
    return _count(conn, person, _PART.did == 1)


def _count(conn: Connection, person: str, part: ColumnElement[bool]) -> int:
    query = select(func.count()).select_from(part_table).where(_PART.person == person, part)
    return int(conn.execute(query).scalar_one())


_COLUMNS: Final = tuple(_CASE[one.name] for one in fields(FoundCase))


def _found(row: Any) -> FoundCase:
    told = dict(row._mapping)
    ended = told.pop("ended_at")
    opened = instant(told.pop("opened_at"))
    return FoundCase(**told, opened_at=opened, ended_at=None if ended is None else instant(ended))
