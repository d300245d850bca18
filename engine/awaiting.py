"""Files an administrator has sent and not yet confirmed: kept for a day, for nobody else.

No record: what comes of one is on the log, and a file that nobody confirms is swept away.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Column, Connection, LargeBinary, Table, Text, delete, insert, select

from audit.encoding import timestamp
from audit.log import metadata
from engine.errors import NotFound

KEPT: Final = timedelta(hours=24)

awaiting_table = Table(
    "awaiting_file",
    metadata,
    Column("id", Text, primary_key=True),
    Column("person", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("bytes", LargeBinary, nullable=False),
    Column("sent_at", Text, nullable=False),
)


class NoSuchFile(NotFound):
    """No such file waits for this person."""

    def __init__(self) -> None:
        super().__init__(
            "这个文件已不在这里：保存一天后删去，也只有上传的人看得到。请重新上传。",
            "This file is not here any more: it is kept for a day, for whoever sent it. Send it "
            "again.",
        )


@dataclass(frozen=True, slots=True)
class Awaiting:
    """A file that waits to be confirmed; sha256: of its bytes, hex."""

    id: str
    name: str
    sha256: str
    data: bytes


def keep(
    conn: Connection, purpose: str, name: str, data: bytes, *, person: str, at: datetime
) -> str:
    """Keep a file for its sender and return its id; older ones of everybody are swept away."""
    conn.execute(delete(awaiting_table).where(awaiting_table.c.sent_at < timestamp(at - KEPT)))
    id_ = secrets.token_urlsafe(12)
    row = {"id": id_, "person": person, "purpose": purpose, "name": name[:200]}
    digest = hashlib.sha256(data).hexdigest()
    sent = {"sha256": digest, "bytes": data, "sent_at": timestamp(at)}
    conn.execute(insert(awaiting_table), row | sent)
    return id_


def fetch(conn: Connection, id_: str, purpose: str, *, person: str, at: datetime) -> Awaiting:
    """A file kept for this purpose and person; raises NoSuchFile."""
    query = select(awaiting_table).where(
        awaiting_table.c.id == id_,
        awaiting_table.c.person == person,
        awaiting_table.c.purpose == purpose,
        awaiting_table.c.sent_at >= timestamp(at - KEPT),
    )
    row = conn.execute(query).first()
    if row is None:
        raise NoSuchFile
    return Awaiting(row.id, row.name, row.sha256, bytes(row.bytes))


def drop(conn: Connection, id_: str) -> None:
    """Keep a file no longer."""
    conn.execute(delete(awaiting_table).where(awaiting_table.c.id == id_))
