"""Forms filled half: kept for whoever fills them until they are sent, discarded or old.

They are nobody else's business and no act, so they are not in the log and leave no trace there.
What is sealed or confidential is never drafted: it would lie here in clear, outlive its key, and be
in every backup. Callers see to that, who know the form.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Integer,
    Table,
    Text,
    bindparam,
    delete,
    insert,
    select,
    update,
)

from audit.encoding import instant, timestamp
from audit.log import metadata
from audit.statements import Statement
from engine.errors import BadInput, Conflict
from engine.people import By

KEPT: Final = timedelta(days=14)
LONGEST: Final = 256 * 1024

draft_table = Table(
    "draft",
    metadata,
    Column("person", Text, primary_key=True),
    Column("page", Text, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("content", Text, nullable=False),
    Column("saved_at", Text, nullable=False, index=True),
)

Values = Sequence[tuple[str, str]]


_FIND = Statement(
    select(draft_table).where(
        draft_table.c.person == bindparam("who"), draft_table.c.page == bindparam("where")
    )
)


class DraftMoved(Conflict):
    """Another window saved this form since."""

    def __init__(self) -> None:
        super().__init__(
            "这张表在别的窗口存过更新的内容，这边没有存，免得盖掉。请刷新后看是接着填，还是不要了。",
            "This form was saved in another window since; nothing was saved here, so as not to "
            "overwrite it. Reload, then go on with that or discard it.",
        )


class DraftTooLong(BadInput):
    """More than a draft has room for."""

    def __init__(self) -> None:
        super().__init__(
            "填的内容太长，存不下。请删减，或直接提交。",
            "This is too long to be kept. Shorten it, or submit it.",
        )


@dataclass(frozen=True, slots=True)
class Draft:
    """A form filled half: the names and values as typed, in the order of the form.

    version: counts savings; 0 for one that was never saved.
    """

    version: int
    values: tuple[tuple[str, str], ...]
    saved_at: datetime


def find_draft(conn: Connection, page: str, *, by: By) -> Draft | None:
    """What this person left on a page, or None."""
    row = _FIND.first(conn, {"who": by.person, "where": page})
    if row is None:
        return None
    values = tuple((name, value) for name, value in json.loads(row.content))
    return Draft(row.version, values, instant(row.saved_at))


def save_draft(
    conn: Connection, page: str, values: Values, *, version: int, by: By, at: datetime
) -> Draft:
    """Keep what is filled in so far, over the draft of this version.

    Raises DraftMoved if another one is there, DraftTooLong.
    """
    content = json.dumps([list(pair) for pair in values], ensure_ascii=False)
    if len(content.encode("utf-8", "replace")) > LONGEST:
        raise DraftTooLong
    row = {"version": version + 1, "content": content, "saved_at": timestamp(at)}
    if version == 0 and find_draft(conn, page, by=by) is None:
        conn.execute(insert(draft_table), {"person": by.person, "page": page, **row})
    else:
        here = (*_this(page, by), draft_table.c.version == version)
        if conn.execute(update(draft_table).where(*here), row).rowcount != 1:
            raise DraftMoved
    return Draft(version + 1, tuple(values), at)


def drop_draft(conn: Connection, page: str, *, by: By) -> None:
    """Forget what this person left on a page."""
    conn.execute(delete(draft_table).where(*_this(page, by)))


def sweep_drafts(conn: Connection, *, at: datetime) -> int:
    """Forget drafts nobody came back to in time; returns how many."""
    old = draft_table.c.saved_at < timestamp(at - KEPT)
    return conn.execute(delete(draft_table).where(old)).rowcount


def _this(page: str, by: By) -> tuple[ColumnElement[bool], ...]:
    return draft_table.c.person == by.person, draft_table.c.page == page
