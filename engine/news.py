"""Cases with entries of which people have not been told yet: a set, written with the entries.

One row a command, in its transaction: what a command pays for notices, and all that can go wrong
in it. Whom to tell is worked out later (engine.notice_board), so that a fault there, or a channel
that is down, refuses nobody's act. A set and no position in the log: a transaction that commits
late is simply found by the next look, where a position reached would have passed it by.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from sqlalchemy import (
    Column,
    Connection,
    Integer,
    Table,
    Text,
    delete,
    exists,
    func,
    insert,
    select,
)

from audit.encoding import timestamp
from audit.entries import Entry
from audit.log import event_table, metadata
from audit.statements import Statement

# What somebody may have to be told of.
NEWS: Final = frozenset({
    "case.advanced", "task.reassigned", "task.delegated", "task.released", "deadline.warned",
    "overdue.opened", "deadline.escalated", "case.urged", "case.supervised", "message.received",
    "supervision.answered", "extension.requested", "pause.requested", "extension.granted",
    "extension.refused", "pause.granted", "pause.refused", "word.disavowed",
})  # fmt: skip

news_table = Table(
    "case_news",
    metadata,
    Column("case", Text, primary_key=True),
    # The first entry of its command that somebody may have to be told of.
    Column("seq", Integer, primary_key=True),
)

_INSERT = Statement(insert(news_table))


def keep(conn: Connection, entries: Iterable[Entry]) -> None:
    """Note that these entries are news, if one is; in the transaction that records them."""
    first = next((entry for entry in entries if _is_news(entry)), None)
    if first is not None:
        _INSERT.run_all(conn, [{"case": first.stream, "seq": first.seq}])


def _is_news(entry: Entry) -> bool:
    """Whoever's word was typed is told so."""
    return entry.type in NEWS or "informant" in entry.actor


def waiting(conn: Connection, *, limit: int = 200) -> list[str]:
    """Cases with news, in order of their names; at most so many."""
    query = select(news_table.c.case).distinct().order_by(news_table.c.case).limit(limit)
    return list(conn.execute(query).scalars())


def take(conn: Connection, case: str) -> int | None:
    """Take the news of a case: the number of its first entry; None if another worker has it."""
    mine = select(news_table.c.seq).where(news_table.c.case == case)
    seqs = list(conn.execute(mine.with_for_update(skip_locked=True)).scalars())
    if not seqs:
        return None
    conn.execute(delete(news_table).where(news_table.c.case == case, news_table.c.seq.in_(seqs)))
    return int(min(seqs))


def forget(conn: Connection, *, before: datetime) -> int:
    """Tell nobody of what happened before an instant; returns how many commands that was."""
    event = event_table.c
    old = exists().where(
        event.stream == news_table.c.case,
        event.seq == news_table.c.seq,
        event.at < timestamp(before),
    )
    return conn.execute(delete(news_table).where(old)).rowcount


def count(conn: Connection) -> int:
    """How many commands nobody has been told of yet."""
    return conn.execute(select(func.count()).select_from(news_table)).scalar_one()
