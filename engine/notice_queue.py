"""Messages on their way out: waiting, in hand, sent, given up. What a channel has not taken yet.

    waiting → sending → sent | waiting again, later | given up after a day | needless meanwhile

Crash order. A worker takes a message for a while (its lease), sends it without holding anything,
and marks it sent. Dying in between, it leaves a message whose lease lapses: it is sent again, under
the same id, by which whoever receives drops the second. So on the wire at least once, never
silently not at all. Whoever has lost a lease marks nothing.
"""

import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Index,
    Integer,
    Table,
    Text,
    and_,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from audit.encoding import instant, timestamp
from audit.log import metadata
from engine.errors import Conflict, NotFound

# Longer than any channel may take to answer.
LEASE: Final = timedelta(minutes=2)
GIVE_UP: Final = timedelta(days=1)
BACKOFF: Final = tuple(timedelta(minutes=n) for n in (1, 5, 15, 30, 60))
# What was sent or given up is kept so long for the administrator to look at.
KEPT: Final = timedelta(days=30)
OPEN: Final = ("waiting", "sending")

message_table = Table(
    "notice_message",
    metadata,
    Column("id", Text, primary_key=True),
    # "" where it is for a unit's group.
    Column("person", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("state", Text, nullable=False),
    # When it was first to leave, and when it is next tried.
    Column("since", Text, nullable=False),
    Column("due", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("worker", Text),
    Column("lease_until", Text),
    Column("ended_at", Text),
    Column("chinese", Text),
    Column("english", Text),
    Index("notice_message_by_state", "state", "channel", "due"),
    Index("notice_message_by_person", "person", "channel"),
)
content_table = Table(
    "notice_in_message",
    metadata,
    Column("message", Text, primary_key=True),
    Column("notice", Text, primary_key=True),
)


class LeaseLost(Conflict):
    """Another worker has taken the message over."""

    def __init__(self) -> None:
        super().__init__(
            "这条通知已由另一个后台进程接手。", "Another worker has taken this message over."
        )


class NotGivenUp(NotFound):
    """There is no such message that was given up."""

    def __init__(self) -> None:
        super().__init__(
            "没有这条已放弃的通知，可能刚被重新发送。",
            "No message of this id was given up; somebody may have had it sent again.",
        )


@dataclass(frozen=True, slots=True)
class Message:
    """One message on one channel. kind: single, digest, test, confirm, or group.

    id: stable over every attempt. chinese, english: why the last attempt failed.
    """

    id: str
    person: str
    channel: str
    kind: str
    state: str
    since: datetime
    due: datetime
    attempts: int = 0
    ended_at: datetime | None = None
    chinese: str = ""
    english: str = ""


def add(
    conn: Connection,
    person: str,
    channel: str,
    kind: str,
    *,
    due: datetime,
    notices: Collection[str] = (),
    id_: str | None = None,
) -> str:
    """Put a message on its way; returns its id."""
    row = {
        "id": id_ or f"msg_{secrets.token_hex(12)}",
        "person": person,
        "channel": channel,
        "kind": kind,
        "state": "waiting",
        "since": timestamp(due),
        "due": timestamp(due),
        "attempts": 0,
    }
    conn.execute(insert(message_table), row)
    _contain(conn, str(row["id"]), notices)
    return str(row["id"])


def add_to_digest(
    conn: Connection, person: str, channel: str, notice: str, *, due: datetime
) -> str:
    """Put a notice into the digest that leaves at `due`, beginning one where there is none.

    The digest's row is locked: whoever takes it to be sent has it either with this notice or the
    notice begins another one.
    """
    table = message_table.c
    same = (table.person == person) & (table.channel == channel) & (table.due == timestamp(due))
    waiting = same & (table.kind == "digest") & (table.state == "waiting") & (table.attempts == 0)
    found = conn.execute(select(table.id).where(waiting).limit(1).with_for_update()).scalar()
    if found is None:
        return add(conn, person, channel, "digest", due=due, notices=[notice])
    _contain(conn, found, [notice])
    return str(found)


def content(conn: Connection, message: str) -> list[str]:
    """The notices a message tells."""
    query = select(content_table.c.notice).where(content_table.c.message == message)
    return list(conn.execute(query).scalars())


def _contain(conn: Connection, message: str, notices: Collection[str]) -> None:
    rows = [{"message": message, "notice": notice} for notice in notices]
    if rows:
        conn.execute(insert(content_table), rows)


# --- the worker's side ----------------------------------------------------------------------------


def is_due(conn: Connection, channel: str, *, at: datetime) -> bool:
    """Whether a message of a channel is to be sent now."""
    found = select(message_table.c.id).where(_ready(channel, at)).limit(1)
    return conn.execute(found).first() is not None


def _ready(channel: str, at: datetime) -> ColumnElement[bool]:
    table = message_table.c
    now = timestamp(at)
    return and_(
        table.channel == channel,
        or_(
            and_(table.state == "waiting", table.due <= now),
            and_(table.state == "sending", table.lease_until < now),
        ),
    )


def claim(conn: Connection, channel: str, worker: str, *, at: datetime) -> Message | None:
    """Take the message of a channel that is due longest, or whose worker has died."""
    query = (
        select(message_table)
        .where(_ready(channel, at))
        .order_by(message_table.c.due, message_table.c.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    row = conn.execute(query).first()
    if row is None:
        return None
    held = {"state": "sending", "worker": worker, "lease_until": timestamp(at + LEASE)}
    _update(conn, row.id, held | {"attempts": row.attempts + 1})
    return find(conn, row.id)


def mark_sent(conn: Connection, message: Message, worker: str, *, at: datetime) -> None:
    """The channel has taken it. Raises LeaseLost."""
    _end(conn, message, worker, "sent", at)


def mark_needless(conn: Connection, message: Message, worker: str, *, at: datetime) -> None:
    """There was nothing left to tell: the step is done, or nobody is there. Raises LeaseLost."""
    _end(conn, message, worker, "needless", at)


def mark_failed(
    conn: Connection,
    message: Message,
    worker: str,
    why: tuple[str, str],
    *,
    at: datetime,
    for_good: bool = False,
) -> bool:
    """The channel did not take it: try again later; returns whether it is given up.

    why: a sentence, Chinese and English. for_good: the receiver will never take it.
    Raises LeaseLost.
    """
    told = {"chinese": why[0], "english": why[1]}
    if for_good or at >= message.since + GIVE_UP:
        _end(conn, message, worker, "given up", at, told)
        return True
    _hold(conn, message, worker)
    wait = BACKOFF[min(message.attempts, len(BACKOFF)) - 1]
    _update(
        conn, message.id,
        told | {"state": "waiting", "due": timestamp(at + wait), "worker": None,
                "lease_until": None},
    )  # fmt: skip
    return False


def _end(
    conn: Connection,
    message: Message,
    worker: str,
    state: str,
    at: datetime,
    told: dict[str, str] | None = None,
) -> None:
    _hold(conn, message, worker)
    ended = {"state": state, "ended_at": timestamp(at), "worker": None, "lease_until": None}
    _update(conn, message.id, ended | (told or {}))


def _hold(conn: Connection, message: Message, worker: str) -> None:
    """Lock the row and make sure that it is still this worker's."""
    mine = select(message_table.c.state, message_table.c.worker)
    row = conn.execute(mine.where(message_table.c.id == message.id).with_for_update()).first()
    if row is None or (row.state, row.worker) != ("sending", worker):
        raise LeaseLost


def _update(conn: Connection, message: str, changed: dict[str, Any]) -> None:
    conn.execute(update(message_table).where(message_table.c.id == message).values(changed))


# --- looking --------------------------------------------------------------------------------------


def find(conn: Connection, message: str) -> Message | None:
    """A message as it stands, or None."""
    row = conn.execute(select(message_table).where(message_table.c.id == message)).first()
    return None if row is None else _message(row)


def try_again(conn: Connection, message: str, *, at: datetime) -> None:
    """Send a message that was given up, for another day. Raises NotGivenUp."""
    given_up = (message_table.c.id == message) & (message_table.c.state == "given up")
    anew = {"state": "waiting", "since": timestamp(at), "due": timestamp(at), "attempts": 0}
    anew |= {"ended_at": None, "chinese": None, "english": None}
    changed = update(message_table).where(given_up).values(anew)
    if not conn.execute(changed).rowcount:
        raise NotGivenUp


def counts(conn: Connection) -> dict[str, dict[str, int]]:
    """Channel -> state -> how many messages."""
    table = message_table.c
    query = select(table.channel, table.state, func.count().label("n"))
    found: dict[str, dict[str, int]] = {}
    for row in conn.execute(query.group_by(table.channel, table.state).order_by(table.channel)):
        found.setdefault(row.channel, {})[row.state] = row.n
    return found


def listed(conn: Connection, states: Collection[str], *, limit: int = 100) -> Sequence[Message]:
    """Messages in one of these states, longest on their way first."""
    table = message_table.c
    query = select(message_table).where(table.state.in_(states))
    return [
        _message(row) for row in conn.execute(query.order_by(table.since, table.id).limit(limit))
    ]


def troubled(conn: Connection, *, limit: int = 100) -> Sequence[Message]:
    """What was given up, and what waits after a failure; the latest first."""
    table = message_table.c
    failed = (table.state == "given up") | (table.state.in_(OPEN) & table.chinese.is_not(None))
    query = select(message_table).where(failed).order_by(table.since.desc(), table.id).limit(limit)
    return [_message(row) for row in conn.execute(query)]


def sweep(conn: Connection, *, at: datetime) -> int:
    """Forget messages that ended long enough ago; returns how many."""
    old = message_table.c.ended_at < timestamp(at - KEPT)
    gone = select(message_table.c.id).where(old)
    conn.execute(delete(content_table).where(content_table.c.message.in_(gone)))
    return conn.execute(delete(message_table).where(old)).rowcount


def _message(row: Any) -> Message:
    return Message(
        row.id, row.person, row.channel, row.kind, row.state, instant(row.since),
        instant(row.due), row.attempts, instant(row.ended_at) if row.ended_at else None,
        row.chinese or "", row.english or "",
    )  # fmt: skip
