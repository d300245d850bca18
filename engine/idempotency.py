"""What requests with an idempotency key were answered, so that sent again they are not done again.

The answer is written in the transaction of the act: both are there, or neither. Of two equal
requests at once one finds the other's row in its way, loses everything it did, and is answered from
that row. Commands know their keys too (`engine.casework.answered`), and go on knowing them if these
rows are ever thrown away.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Column, Connection, Integer, LargeBinary, Table, Text, insert, select

from audit.encoding import timestamp
from audit.log import metadata
from engine.errors import BadInput

LONGEST_KEY: Final = 100

request_table = Table(
    "api_answer",
    metadata,
    Column("key", Text, primary_key=True),
    # SHA-256 (hex) over what was asked.
    Column("request", Text, nullable=False),
    Column("status", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("at", Text, nullable=False),
)


class KeyReused(BadInput):
    """The key stands for another request."""

    def __init__(self) -> None:
        super().__init__(
            "这个 Idempotency-Key 已用于另一个请求，没有生效。新的请求请换新的键。",
            "This Idempotency-Key was used for another request; nothing was done. Use a new key "
            "for a new request.",
        )


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered: the HTTP status and the bytes of the body."""

    status: int
    body: bytes


def remembered(conn: Connection, key: str, request: str) -> Answer | None:
    """The answer given before to this key, or None. Raises KeyReused."""
    row = conn.execute(select(request_table).where(request_table.c.key == key)).first()
    if row is None:
        return None
    if row.request != request:
        raise KeyReused
    return Answer(row.status, bytes(row.body))


def remember(conn: Connection, key: str, request: str, answer: Answer, *, at: datetime) -> None:
    """Keep an answer; raises IntegrityError if the key has got one meanwhile."""
    row = {
        "key": key,
        "request": request,
        "status": answer.status,
        "body": answer.body,
        "at": timestamp(at),
    }
    conn.execute(insert(request_table), row)
