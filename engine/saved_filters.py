"""Lists narrowed in a way somebody needs often, kept for themselves under a name.

A comfort and no act, so it is not in the log.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Column, Connection, Table, Text, delete, insert, select

from audit.log import metadata
from engine.errors import BadInput, Conflict
from engine.people import By

saved_filter_table = Table(
    "saved_filter",
    metadata,
    Column("person", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    # The list it narrows, and by what: a JSON object.
    Column("page", Text, nullable=False),
    Column("asked", Text, nullable=False),
)

MOST: Final = 20
LONGEST_NAME: Final = 20


class NoName(BadInput):
    """A filter is kept under a short name."""

    def __init__(self) -> None:
        super().__init__(
            f"请给这个筛选起个名字，最多 {LONGEST_NAME} 个字。",
            f"Give this filter a name, at most {LONGEST_NAME} characters.",
        )


class NothingAsked(BadInput):
    """The whole list is no filter."""

    def __init__(self) -> None:
        super().__init__(
            "现在列的是全部，没有可存的筛选。请先选好条件。",
            "This is the whole list, so there is no filter to keep. Narrow it first.",
        )


class TooManyFilters(Conflict):
    """So many names are no help any more."""

    def __init__(self) -> None:
        super().__init__(
            f"已存了 {MOST} 个筛选，请先删掉不用的。",
            f"There are {MOST} filters already. Delete one you do not use.",
        )


@dataclass(frozen=True, slots=True)
class SavedFilter:
    """name: as its owner calls it. page: the list. asked: what it is narrowed by, name -> value."""

    name: str
    page: str
    asked: Mapping[str, str]


def save_filter(
    conn: Connection, name: str, page: str, asked: Mapping[str, str], *, by: By
) -> SavedFilter:
    """Keep a filter under a name, instead of one that has it.

    Raises NoName, NothingAsked, TooManyFilters.
    """
    name = " ".join(name.split())
    wanted = {field: value for field, value in sorted(asked.items()) if value}
    if not 0 < len(name) <= LONGEST_NAME:
        raise NoName
    if not wanted:
        raise NothingAsked
    drop_filter(conn, name, by=by)
    if len(filters_of(conn, by=by)) >= MOST:
        raise TooManyFilters
    row = {"person": by.person, "name": name, "page": page, "asked": json.dumps(wanted)}
    conn.execute(insert(saved_filter_table), row)
    return SavedFilter(name, page, wanted)


def filters_of(conn: Connection, *, by: By) -> list[SavedFilter]:
    """Somebody's own filters, by name."""
    table = saved_filter_table.c
    rows = conn.execute(
        select(saved_filter_table).where(table.person == by.person).order_by(table.name)
    )
    return [SavedFilter(row.name, row.page, json.loads(row.asked)) for row in rows]


def drop_filter(conn: Connection, name: str, *, by: By) -> None:
    """Forget a filter; one that is not there is forgotten already."""
    table = saved_filter_table.c
    conn.execute(delete(saved_filter_table).where(table.person == by.person, table.name == name))
