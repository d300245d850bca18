"""Secret addresses of calendar feeds: one a person, kept as a hash, renewed at will."""

import hashlib
import secrets
from datetime import datetime

from sqlalchemy import Column, Connection, Table, Text, delete, insert, select

from audit.encoding import timestamp
from audit.log import metadata

feed_table = Table(
    "calendar_feed",
    metadata,
    Column("person", Text, primary_key=True),
    # SHA-256 of the token: a copy of the database opens no calendar.
    Column("token_hash", Text, nullable=False, unique=True),
    Column("made_at", Text, nullable=False),
)


def renew(conn: Connection, person: str, *, at: datetime) -> str:
    """Give a person a new secret; the one before opens nothing from now on. Returns it, once."""
    forget(conn, person)
    token = secrets.token_urlsafe(32)
    row = {"person": person, "token_hash": hashed(token), "made_at": timestamp(at)}
    conn.execute(insert(feed_table), row)
    return token


def forget(conn: Connection, person: str) -> None:
    """End a person's feed."""
    conn.execute(delete(feed_table).where(feed_table.c.person == person))


def has_feed(conn: Connection, person: str) -> bool:
    """Whether a person has a feed."""
    mine = select(feed_table.c.person).where(feed_table.c.person == person)
    return conn.execute(mine).first() is not None


def whose(conn: Connection, token: str) -> str | None:
    """The person whose feed a token opens, or None."""
    found = select(feed_table.c.person).where(feed_table.c.token_hash == hashed(token))
    return conn.execute(found).scalar()


def hashed(token: str) -> str:
    """What is kept of a token."""
    return hashlib.sha256(token.encode()).hexdigest()
