"""What cases have told each other and nobody has delivered yet, and which case opened which.

Both are projections of the log: a `message.sent` is pending until a `case.opened` or
`message.received` elsewhere names its hash.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from sqlalchemy import (
    Column,
    Connection,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    bindparam,
    delete,
    insert,
    select,
)

from audit.entries import Entry
from audit.log import metadata
from audit.statements import Statement

message_table = Table(
    "case_message",
    metadata,
    # Leaf hash of the message.sent: what the receiving event names.
    Column("hash", LargeBinary, primary_key=True),
    Column("case", Text, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("to", Text, nullable=False),
    Index("case_message_by_case", "case", "seq"),
)

link_table = Table(
    "case_link",
    metadata,
    Column("child", Text, primary_key=True),
    Column("parent", Text, nullable=False),
    # The number of the parent's message.sent that opened the child.
    Column("seq", Integer, nullable=False),
    Index("case_link_by_parent", "parent", "seq", unique=True),
)

_INSERT = Statement(insert(message_table))
_PENDING = Statement(
    select(message_table)
    .order_by(message_table.c.case, message_table.c.seq)
    .limit(bindparam("most", type_=Integer))
)
_ONE = (
    select(message_table)
    .where(message_table.c.hash == bindparam("h"))
    .with_for_update(skip_locked=True)
)


@dataclass(frozen=True, slots=True)
class Pending:
    """A message on its way: the hash of its `message.sent`, where that stands, and its address."""

    hash: bytes
    case: str
    seq: int
    to: str


def keep(conn: Connection, entries: Iterable[Entry]) -> None:
    """Note what these events told others; in the transaction that records them."""
    rows = [
        {"hash": entry.hash, "case": entry.stream, "seq": entry.seq, "to": entry.data["to"]}
        for entry in entries
        if entry.type == "message.sent"
    ]
    if rows:
        _INSERT.run_all(conn, rows)


def waits(conn: Connection) -> bool:
    """Whether anything is on its way."""
    return bool(_PENDING.rows(conn, {"most": 1}))


def pending(conn: Connection, *, limit: int = 500) -> list[Pending]:
    """Messages on their way, those of a case in the order in which it said them."""
    return [
        Pending(bytes(row["hash"]), row["case"], row["seq"], row["to"])
        for row in _PENDING.rows(conn, {"most": limit})
    ]


def take(conn: Connection, hash_: bytes) -> bool:
    """Take a message off the outbox; False if another deliverer has it or had it."""
    if conn.execute(_ONE, {"h": hash_}).first() is None:
        return False
    conn.execute(delete(message_table).where(message_table.c.hash == hash_))
    return True


def link(conn: Connection, child: str, parent: str, seq: int) -> None:
    """Note that the parent's message of this number opened the child."""
    conn.execute(insert(link_table), {"child": child, "parent": parent, "seq": seq})


def parents_of(conn: Connection, cases: Collection[str]) -> dict[str, str]:
    """Which case opened each of these; those that none opened are left out."""
    link = link_table.c
    rows = conn.execute(select(link.child, link.parent).where(link.child.in_(cases)))
    return {row.child: row.parent for row in rows}


def parent_of(conn: Connection, child: str) -> tuple[str, int] | None:
    """The case that opened this one and the number of its message, or None."""
    row = conn.execute(select(link_table).where(link_table.c.child == child)).first()
    return None if row is None else (row.parent, row.seq)


def child_of(conn: Connection, parent: str, seq: int) -> str | None:
    """The case that the parent's message of this number opened, or None while it is on its way."""
    found = (link_table.c.parent == parent) & (link_table.c.seq == seq)
    return conn.execute(select(link_table.c.child).where(found)).scalar()


def children_of(conn: Connection, parents: Collection[str]) -> list[tuple[str, int, str]]:
    """(parent, number of its message, child) for these parents, in the order of opening."""
    query = (
        select(link_table)
        .where(link_table.c.parent.in_(parents))
        .order_by(link_table.c.parent, link_table.c.seq)
    )
    return [(row.parent, row.seq, row.child) for row in conn.execute(query)]
