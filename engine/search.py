"""The register searched: by what people remember of a case, page by page, within what they may see.

There is no search by person here: that is an event of its own (engine.act_search).
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    func,
    literal_column,
    or_,
    select,
    true,
    tuple_,
)

from audit.encoding import instant, timestamp
from engine.inbox import open_task_table
from engine.register import register_table
from engine.taking_part import part_table

PAGE: Final = 20
STATUSES: Final = ("open", "overdue", "closed")

_CASE = register_table.c
_PART = part_table.c


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
    over = and_(_CASE.unit.in_(places), _CASE.confidential == 0)
    seen = or_(over, takes_part(person))
    return _page(conn, and_(seen, _asked(query, below, at)), after, limit)


def reported_by(
    conn: Connection, person: str, *, after: str | None = None, limit: int = PAGE
) -> Page:
    """The cases this person reported, newest first; not those that one of their acts led to."""
    return _page(conn, _reported(person), after, limit)


def done_by(conn: Connection, person: str, *, after: str | None = None, limit: int = PAGE) -> Page:
    """The cases in which this person did or reported something, newest first."""
    return _page(conn, _did(person), after, limit)


def with_orders(conn: Connection, places: Collection[str], person: str) -> list[str]:
    """The cases with an order (督办) not answered yet: of these places, and with a part of theirs.

    places: engine.rights.places_seen.
    """
    # As it stands in the index, so that the index answers.
    ordered = _CASE.orders > literal_column("0")
    asked = select(_CASE.case).where(ordered, _CASE.unit.in_(places) | takes_part(person))
    return list(conn.execute(asked.order_by(_CASE.case)).scalars())


def case_of_receipt(conn: Connection, receipt: str) -> str | None:
    """The case with this receipt, or None."""
    return conn.execute(select(_CASE.case).where(_CASE.receipt == receipt)).scalar()


def case_named(conn: Connection, number: str) -> str:
    """The case with this number (听澜-隐-2026-00001); what was typed, where none has it."""
    found = conn.execute(select(_CASE.case).where(_CASE.number == number)).scalar()
    return str(found) if found else number[:100]


def takes_part(person: str) -> ColumnElement[bool]:
    """Whether somebody has a part in a case: as reporter, doer, holder, or for whom one did it."""
    return _with_part(_PART.person == person)


def _reported(person: str) -> ColumnElement[bool]:
    return and_(_with_part(_PART.person == person, _PART.reported == 1), _CASE.source != "case")


def _did(person: str) -> ColumnElement[bool]:
    return _with_part(_PART.person == person, _PART.did == 1)


def _with_part(*conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    return _CASE.case.in_(select(_PART.case).where(*conditions))


def _asked(query: Query, below: Collection[str], at: datetime) -> ColumnElement[bool]:
    asked: list[ColumnElement[bool]] = [true()]
    if text := query.text.strip():
        parts = (_CASE.number, _CASE.title, _CASE.address)
        asked.append(
            or_(
                *(part.contains(text, autoescape=True) for part in parts),
                _CASE.receipt == text.upper(),
            )
        )
    exact = (("process", query.process), ("category", query.category), ("level", query.level))
    asked += [_CASE[name] == value for name, value in exact if value]
    if query.unit:
        asked.append(_CASE.unit.in_({query.unit, *below}))
    if query.since is not None:
        asked.append(_CASE.opened_at >= timestamp(query.since))
    if query.until is not None:
        asked.append(_CASE.opened_at < timestamp(query.until))
    return and_(*asked, _status(query.status, at))


def _status(status: str, at: datetime) -> ColumnElement[bool]:
    if status == "open":
        return _CASE.ended_at.is_(None)
    if status == "closed":
        return _CASE.ended_at.is_not(None)
    if status == "overdue":
        task = open_task_table.c
        late = (task.due < timestamp(at)) & task.paused_until.is_(None)
        return _CASE.case.in_(select(task.case).where(late))
    return true()


def _page(conn: Connection, condition: ColumnElement[bool], after: str | None, limit: int) -> Page:
    # By key, not by offset: a case reported meanwhile shifts nothing.
    opened_at, _, case = (after or "").partition("~")
    if case:
        condition = and_(condition, tuple_(_CASE.opened_at, _CASE.case) < (opened_at, case))
    query = (
        select(*(_CASE[name] for name in _COLUMNS))
        .where(condition)
        .order_by(_CASE.opened_at.desc(), _CASE.case.desc())
        .limit(limit + 1)
    )
    rows = [_found(row) for row in conn.execute(query)]
    more = rows[limit - 1] if len(rows) > limit else None
    return Page(tuple(rows[:limit]), f"{timestamp(more.opened_at)}~{more.case}" if more else None)


def count_reported_by(conn: Connection, person: str) -> int:
    """How many cases this person reported."""
    return _count(conn, _reported(person))


def count_done_by(conn: Connection, person: str) -> int:
    """In how many cases this person did or reported something."""
    return _count(conn, _did(person))


def _count(conn: Connection, condition: ColumnElement[bool]) -> int:
    query = select(func.count()).select_from(register_table).where(condition)
    return int(conn.execute(query).scalar_one())


_COLUMNS: Final = (
    "case",
    "process",
    "number",
    "title",
    "category",
    "level",
    "unit",
    "community",
    "address",
    "status",
    "opened_at",
    "ended_at",
)


def _found(row: Any) -> FoundCase:
    told = dict(row._mapping)
    ended = told.pop("ended_at")
    opened = instant(told.pop("opened_at"))
    return FoundCase(**told, opened_at=opened, ended_at=None if ended is None else instant(ended))
