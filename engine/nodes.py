"""The processes at work on a log, as each tells of itself: what they must share, and whether.

A row a process, told anew every few seconds. Nothing rests on it but what is told to whoever looks
after the servers, and that tables are not changed under a program that does not fit them.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import orjson
from sqlalchemy import (
    CheckConstraint,
    Column,
    Connection,
    Integer,
    Table,
    Text,
    delete,
    insert,
    select,
    update,
)

from audit.encoding import instant, timestamp
from audit.log import metadata
from engine.leases import LEASE

# Where each process leaves a file in a folder that all of them share, so that all can see it.
MARKS: Final = ".nodes"
FORGOTTEN_AFTER: Final = timedelta(days=1)

node_table = Table(
    "node",
    metadata,
    Column("node", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("release", Text, nullable=False),
    Column("started_at", Text, nullable=False),
    Column("seen_at", Text, nullable=False),
    Column("shared", Text, nullable=False),
)

# The oldest program, by the release of its tables, that may work on these.
floor_table = Table(
    "table_floor",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("oldest", Text, nullable=False),
    CheckConstraint("id = 1"),
)


@dataclass(frozen=True, slots=True)
class Node:
    """A process: `serve` or `worker`, its machine, the release of the tables it is written for.

    shared: what a secret or key is known by on this node, by name; tells nothing of it.
    """

    node: str
    kind: str
    host: str
    release: str
    started_at: datetime
    seen_at: datetime
    shared: Mapping[str, str]

    def is_alive(self, at: datetime) -> bool:
        """Whether it was heard of within a lease."""
        return abs(at - self.seen_at) <= LEASE


def enter(conn: Connection, node: Node) -> None:
    """Tell that a process has begun its work."""
    row = {
        "node": node.node,
        "kind": node.kind,
        "host": node.host,
        "release": node.release,
        "started_at": timestamp(node.started_at),
        "seen_at": timestamp(node.seen_at),
        "shared": orjson.dumps(node.shared).decode(),
    }
    conn.execute(insert(node_table), row)


def tell(conn: Connection, node: str, *, at: datetime) -> bool:
    """Tell that a process is still at work; False if it was forgotten and has to enter anew."""
    seen = update(node_table).where(node_table.c.node == node).values(seen_at=timestamp(at))
    return conn.execute(seen).rowcount == 1


def leave(conn: Connection, node: str) -> None:
    """Tell that a process has ended its work."""
    conn.execute(delete(node_table).where(node_table.c.node == node))


def forget(conn: Connection, *, at: datetime) -> Sequence[str]:
    """Take out those that were not heard of for a day; returns which."""
    seen, old = node_table.c.seen_at, timestamp(at - FORGOTTEN_AFTER)
    gone = list(conn.execute(select(node_table.c.node).where(seen < old)).scalars())
    if gone:
        conn.execute(delete(node_table).where(node_table.c.node.in_(gone)))
    return gone


def nodes(conn: Connection) -> Sequence[Node]:
    """All that have entered and not left, in the order in which they began."""
    rows = conn.execute(select(node_table).order_by(node_table.c.started_at, node_table.c.node))
    return [
        Node(
            row.node, row.kind, row.host, row.release, instant(row.started_at),
            instant(row.seen_at), orjson.loads(row.shared),
        )
        for row in rows
    ]  # fmt: skip


# --- what they share ------------------------------------------------------------------------------


def known_by(name: str, secret: bytes) -> str:
    """What a secret is known by, to be compared with that of another node."""
    return hashlib.sha256(b"shaoji node " + name.encode() + b"\0" + secret).hexdigest()[:16]


def mark(folder: Path, node: str) -> None:
    """Leave the sign of a process in a folder. Raises OSError."""
    (folder / MARKS).mkdir(parents=True, exist_ok=True)
    (folder / MARKS / node).touch()


def unmark(folder: Path, nodes: Iterable[str]) -> None:
    """Take signs away again. Raises OSError."""
    for node in nodes:
        (folder / MARKS / node).unlink(missing_ok=True)


def marked(folder: Path) -> frozenset[str]:
    """The processes whose signs are seen in a folder from here."""
    there = folder / MARKS
    return frozenset(path.name for path in there.iterdir()) if there.is_dir() else frozenset()
