"""The append-only tables of the log. This module is the only writer of them."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    ColumnElement,
    Connection,
    ForeignKey,
    FromClause,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    ScalarSelect,
    Select,
    Table,
    Text,
    UniqueConstraint,
    bindparam,
    func,
    insert,
    literal,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.base import ColumnCollection
from sqlalchemy.sql.functions import FunctionElement

from audit.chain import Problem, check_stream, link
from audit.encoding import instant, timestamp
from audit.entries import Draft, Entry, seal, unseal
from audit.rehearsal import behind_lock
from audit.statements import Statement, sent_together

metadata = MetaData()

# One row: which log this database holds. Every body names it (domain separation between streets).
origin_table = Table(
    "log_origin",
    metadata,
    Column("id", Integer, CheckConstraint("id = 1"), primary_key=True),
    Column("origin", Text, nullable=False),
)

event_table = Table(
    "event",
    metadata,
    Column("stream", Text, primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("type", Text, nullable=False),
    Column("at", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    UniqueConstraint("hash", name="event_hash_once"),
    Index("event_by_type", "type", "at"),
)

# The head is a convenience that can be recomputed; the events are the record. `began` is the time
# of the first event, or empty where it was not kept (streams begun before migration 0034): whoever
# reads a stream need not look for it in months before that (engine.partitions).
head_table = Table(
    "stream_head",
    metadata,
    Column("stream", Text, primary_key=True),
    Column("seq", Integer, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Column("at", Text, nullable=False),
    Column("began", Text, nullable=False, server_default=""),
)

# Events wait here for the sequencer, which gives each its leaf index in the tree. No order is
# assumed of this table: a transaction that commits late simply lands in the next batch. `month` is
# that of the event, or empty (`named_by`).
outbox_table = Table(
    "outbox",
    metadata,
    Column("hash", LargeBinary, ForeignKey("event.hash"), primary_key=True),
    Column("month", Text, nullable=False, server_default=""),
)

_INSERT_EVENT = Statement(insert(event_table))
_INSERT_OUTBOX = Statement(insert(outbox_table))
_INSERT_HEAD = Statement(insert(head_table))
_UPDATE_HEAD = Statement(
    update(head_table)
    .where(head_table.c.stream == bindparam("s"), head_table.c.seq == bindparam("was"))
    .values(seq=bindparam("n"), hash=bindparam("h"), at=bindparam("t"))
)
_SELECT_HEAD = select(head_table.c.seq, head_table.c.hash, head_table.c.at).where(
    head_table.c.stream == bindparam("s")
)
_PEEK = Statement(_SELECT_HEAD)
_ORIGIN = select(origin_table.c.origin)
_NAME = Statement(_ORIGIN)
_TAKE_HEAD = Statement(
    _SELECT_HEAD.add_columns(_ORIGIN.scalar_subquery().label("origin")).with_for_update(
        of=head_table
    )
)
_LOCK_NAME = select(func.pg_advisory_xact_lock(func.hashtextextended(bindparam("s"), 0)))


def _since_begun(streams: ColumnElement[bool]) -> ColumnElement[bool]:
    """Whether an event is not of before these streams began, as their heads keep it."""
    began = select(func.min(head_table.c.began)).where(streams).scalar_subquery()
    return event_table.c.at >= func.coalesce(began, "")


def named_by(
    conn: Connection, table: Table, month: ColumnElement[str] | str
) -> tuple[FromClause, ColumnCollection[str, Any]]:
    """The rows of a table with the event whose hash each has, and the columns of that event.

    month: in which the events are (`2026-11`): of all these rows, or what each keeps of it; empty
    where that is not known. It only says where PostgreSQL need not look. PostgreSQL is made to ask
    for one hash after the other: by what it knows of tables that fill and empty within seconds it
    may choose to read all events instead.
    """
    if conn.dialect.name != "postgresql":
        return table.join(event_table, event_table.c.hash == table.c.hash), event_table.c
    # Behind a month stands a hyphen, which is before Z in every collation.
    until = month + "Z" if isinstance(month, str) else month + literal("Z")
    one = (
        select(event_table)
        .where(event_table.c.hash == table.c.hash)
        .where(event_table.c.at >= month, event_table.c.at < until)
        .offset(0)  # not to be made into a join of any other kind
        .lateral("named")
    )
    return table.join(one, true()), one.c


_SELECT_BODIES = (
    select(event_table.c.body)
    .where(
        event_table.c.stream == bindparam("s"),
        event_table.c.seq > bindparam("after"),
        _since_begun(head_table.c.stream == bindparam("s")),
    )
    .order_by(event_table.c.seq)
)
# By key, so planned once: of a log kept by month that is most of what it costs.
_BODIES = Statement(_SELECT_BODIES)
_SELECT_EACH = (
    select(event_table.c.stream, event_table.c.body)
    .where(
        event_table.c.stream.in_(bindparam("streams", expanding=True)),
        _since_begun(head_table.c.stream.in_(bindparam("streams", expanding=True))),
    )
    .order_by(event_table.c.stream, event_table.c.seq)
)
_SELECT_HEADS = select(head_table.c.stream, head_table.c.hash).where(
    head_table.c.stream.in_(bindparam("streams", expanding=True))
)
_SELECT_ROWS = (
    select(
        event_table.c.stream,
        event_table.c.seq,
        event_table.c.type,
        event_table.c.body,
        event_table.c.hash,
    )
    .where(event_table.c.stream == bindparam("s"))
    .order_by(event_table.c.seq)
)


class ForkRefused(RuntimeError):
    """Somebody else appended to this stream first; nothing of this command was written."""


class ClockBehind(RuntimeError):
    """What was to be recorded is of an instant before the last recorded event of this stream.

    last: the instant of that event. The server's clock stands behind it, or did when the command
    began, and somebody who began later was recorded first.
    """

    def __init__(self, stream: str, now: str, last: str) -> None:
        super().__init__(f"{stream}: {now} is before {last}, the last recorded event")
        self.last = instant(last)


@dataclass(frozen=True, slots=True)
class Head:
    """The end of a stream, held for this transaction: last number, last hash, last time."""

    log: str
    stream: str
    seq: int
    hash: bytes
    at: str


def found(conn: Connection, origin: str) -> None:
    """Name the log this database holds; can be done once."""
    conn.execute(insert(origin_table), {"id": 1, "origin": origin})


def origin(conn: Connection) -> str:
    """The name of the log, which every body repeats; raises LookupError before `found`."""
    row = _NAME.first(conn, {})
    if row is None:
        raise LookupError("this database holds no log yet")
    return str(row.origin)


def take(conn: Connection, stream: str) -> Head:
    """Lock the end of a stream until the transaction ends; an empty stream has seq 0.

    PostgreSQL locks the head row, or the name of a stream that has none yet; SQLite has locked the
    whole database at BEGIN IMMEDIATE.
    """
    row = _TAKE_HEAD.first(conn, {"s": stream})
    if row is None and conn.dialect.name == "postgresql":
        # Of two first writers one waits here, and then finds the head the other has made.
        conn.execute(_LOCK_NAME, {"s": stream})
        row = _TAKE_HEAD.first(conn, {"s": stream})
    if row is None:
        return Head(origin(conn), stream, 0, b"", "")
    return Head(row.origin, stream, row.seq, bytes(row.hash), row.at)


def peek(conn: Connection, stream: str) -> int | None:
    """The number of a stream's last event without locking it, or None if it has none."""
    row = _PEEK.first(conn, {"s": stream})
    return None if row is None else int(row.seq)


def peek_hash(conn: Connection, stream: str) -> tuple[int, bytes] | None:
    """The number and hash of a stream's last event without locking it, or None if it has none."""
    row = _PEEK.first(conn, {"s": stream})
    return None if row is None else (int(row.seq), bytes(row.hash))


REGISTERS: Final = ("@calendar", "@people", "@units")
_REGISTER_HEADS = Statement(
    select(head_table.c.stream, head_table.c.hash).where(
        or_(*(head_table.c.stream == name for name in REGISTERS))
    )
)


def head_of(stream: str) -> ScalarSelect[bytes]:
    """The last hash of a stream as a column of somebody else's query: one question fewer."""
    head = head_table.alias()
    return select(head.c.hash).where(head.c.stream == stream).scalar_subquery()


def register_heads(conn: Connection) -> dict[str, bytes]:
    """The last hash of each register that commands read: whether one has changed, in one query."""
    return {row["stream"]: bytes(row["hash"]) for row in _REGISTER_HEADS.rows(conn, {})}


def last_at(conn: Connection) -> datetime | None:
    """The time of the latest event of the whole log, or None for an empty one."""
    told = conn.execute(select(func.max(head_table.c.at))).scalar()
    return None if told is None else instant(told)


def append(conn: Connection, head: Head, drafts: Iterable[Draft]) -> tuple[list[Entry], Head]:
    """Record drafts at the end of the stream that `head` holds; returns them and the new head.

    Raises what `place` and `write` raise; then roll back.
    """
    entries, end = [], head
    for draft in drafts:
        entry, end = place(end, draft)
        entries.append(entry)
    write(conn, head, entries)
    return entries, end


def place(head: Head, draft: Draft) -> tuple[Entry, Head]:
    """Seal a draft behind a head, without writing anything; returns the entry and the head after.

    Raises ClockBehind, NotCanonical, BodyTooLarge.
    """
    now = timestamp(draft.at)
    if now < head.at:
        raise ClockBehind(head.stream, now, head.at)
    prev = link(head.hash) if head.seq else ""
    entry = seal(draft, log=head.log, stream=head.stream, seq=head.seq + 1, prev=prev)
    return entry, Head(head.log, head.stream, entry.seq, entry.hash, now)


def write(conn: Connection, head: Head, entries: Sequence[Entry]) -> None:
    """Write entries placed behind `head`: events, outbox, head, in one transaction.

    In this order on SQLite, by one statement on PostgreSQL.

    A rival's event fails on the primary key (stream, seq), so the chain cannot fork; a crash
    before COMMIT leaves nothing. Raises ForkRefused; then roll back.
    """
    with sent_together(conn):
        put(conn, entries)
        move(conn, head, entries)


def put(conn: Connection, entries: Sequence[Entry]) -> None:
    """Write entries without moving the head: `move` has to follow in this transaction."""
    _INSERT_EVENT.run_all(
        conn,
        [
            {
                "stream": entry.stream,
                "seq": entry.seq,
                "type": entry.type,
                "at": timestamp(entry.at),
                "body": entry.body,
                "hash": entry.hash,
            }
            for entry in entries
        ],
    )
    _INSERT_OUTBOX.run_all(
        conn, [{"hash": entry.hash, "month": month_of(timestamp(entry.at))} for entry in entries]
    )


def month_of(at: str) -> str:
    """The month of an instant as the log writes it: `2026-11` of `2026-11-28T…`."""
    return at[:7]


def move(conn: Connection, head: Head, entries: Sequence[Entry]) -> None:
    """Let the head name the last of the entries put behind it.

    Raises ForkRefused; then roll back.
    """
    last = entries[-1]
    at = timestamp(last.at)
    if head.seq == 0:
        began = timestamp(entries[0].at)
        row = {"stream": head.stream, "seq": last.seq, "hash": last.hash, "at": at, "began": began}
        _INSERT_HEAD.run_all(conn, [row])
        return
    moved = _UPDATE_HEAD.run(
        conn, {"s": head.stream, "was": head.seq, "n": last.seq, "h": last.hash, "t": at}
    )
    if moved != 1:
        raise ForkRefused(head.stream)


def read(conn: Connection, stream: str, *, after: int = 0) -> list[Entry]:
    """The entries of a stream beyond number `after`, in order, read from their stored bytes."""
    # A command that asks for all of a stream does more than write rows: it seals, or tells.
    behind_lock(conn)
    rows = _BODIES.rows(conn, {"s": stream, "after": after})
    return [unseal(bytes(row["body"])) for row in rows]


def read_each(conn: Connection, streams: Collection[str]) -> dict[str, list[Entry]]:
    """The entries of each of these streams, in order, in one question; one without any is left out.

    For some dozens of streams: all of it is in memory at once.
    """
    told: dict[str, list[Entry]] = {}
    if streams:
        for row in conn.execute(_SELECT_EACH, {"streams": list(streams)}):
            told.setdefault(row.stream, []).append(unseal(bytes(row.body)))
    return told


def bodies_each(conn: Connection, streams: Collection[str]) -> Iterator[tuple[str, bytes]]:
    """Stream and stored bytes of each entry of some dozens of streams, each in its order."""
    if streams:
        for row in conn.execute(_SELECT_EACH, {"streams": list(streams)}):
            yield row.stream, bytes(row.body)


def heads(conn: Connection, streams: Collection[str]) -> dict[str, bytes]:
    """The last hash of each of these streams, in one question; one without any is left out."""
    if not streams:
        return {}
    rows = conn.execute(_SELECT_HEADS, {"streams": list(streams)})
    return {row.stream: bytes(row.hash) for row in rows}


def read_one(conn: Connection, stream: str, seq: int) -> Entry | None:
    """The entry of a stream with this number, or None."""
    query = select(event_table.c.body).where(
        event_table.c.stream == stream,
        event_table.c.seq == seq,
        _since_begun(head_table.c.stream == stream),
    )
    body = conn.execute(query).scalar()
    return None if body is None else unseal(bytes(body))


def of_types(conn: Connection, types: Sequence[str]) -> Iterator[Entry]:
    """All entries of these types, stream by stream, in order."""
    query = (
        select(event_table.c.body)
        .where(event_table.c.type.in_(types))
        .order_by(event_table.c.stream, event_table.c.seq)
    )
    return (unseal(bytes(body)) for body in conn.execute(query).scalars())


def streams_with(types: Collection[str]) -> Select[tuple[str]]:
    """In which streams entries of these types are: somebody else's query, some more than once."""
    return select(event_table.c.stream).where(event_table.c.type.in_(types))


def stream_of(conn: Connection, hash_: bytes) -> str | None:
    """The stream in which the entry with this hash stands, or None."""
    query = select(event_table.c.stream).where(event_table.c.hash == hash_)
    return conn.execute(query).scalar()


def check(conn: Connection, stream: str, *, log: str) -> Iterator[Entry | Problem]:
    """Check one stream's stored rows (audit.chain), and that its head names its last event."""
    first: Entry | None = None
    last: Entry | None = None
    for found_ in check_stream(log, stream, conn.execute(_SELECT_ROWS, {"s": stream})):
        yield found_
        if isinstance(found_, Problem):
            return
        first, last = first or found_, found_
    head = conn.execute(_SELECT_HEAD.add_columns(head_table.c.began), {"s": stream}).first()
    seq, hash_ = (last.seq, last.hash) if last else (0, b"")
    if (head.seq, bytes(head.hash)) != (seq, hash_) if head else seq:
        told = head.seq if head else 0
        yield Problem(stream, seq + 1, f"the head says {told} events, {seq} are there")
    if head and first and head.began not in {"", timestamp(first.at)}:
        yield Problem(stream, 1, f"the head says it began at {head.began}, it did not")


def streams(conn: Connection) -> list[str]:
    """The names of all streams that have a head or an event, sorted."""
    names = select(head_table.c.stream).union(select(event_table.c.stream))
    return sorted(conn.execute(names).scalars())


def lengths(conn: Connection, prefix: str) -> dict[str, int]:
    """How many entries each stream has whose name begins so, by name."""
    name = head_table.c.stream
    asked = select(name, head_table.c.seq).where(name.startswith(prefix, autoescape=True))
    return {row.stream: int(row.seq) for row in conn.execute(asked.order_by(name))}


def naming(conn: Connection, name: str, *, before: datetime) -> list[str]:
    """The cases one of whose entries, recorded before then, names this person or unit, sorted."""
    told = literal(f'"{name}"'.encode())
    query = (
        select(event_table.c.stream)
        .where(event_table.c.at < timestamp(before), bytes_in(event_table.c.body, told))
        .distinct()
    )
    return sorted(one for one in conn.execute(query).scalars() if not one.startswith("@"))


class bytes_in(FunctionElement[bool]):  # noqa: N801 - named like the SQL function it stands for
    """Whether bytes occur in a column of bytes: LIKE does not look into them everywhere."""

    type = Boolean()
    inherit_cache = True


@compiles(bytes_in)
def _bytes_in_sqlite(element: bytes_in, compiler: Any, **more: Any) -> str:
    column, part = (compiler.process(clause, **more) for clause in element.clauses)
    return f"instr({column}, {part}) > 0"


@compiles(bytes_in, "postgresql")
def _bytes_in_postgresql(element: bytes_in, compiler: Any, **more: Any) -> str:
    column, part = (compiler.process(clause, **more) for clause in element.clauses)
    return f"position({part} in {column}) > 0"
