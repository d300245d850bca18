"""Sign-ins that have the first step right and wait for the second factor: they open nothing.

A table of their own, not sessions with a mark: whatever asks who is signed in cannot take one for
the other.
"""

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Column, Connection, Row, Table, Text, delete, insert, select

from audit import log
from audit.encoding import timestamp

# Long enough to install an app and to scan a code.
LIFETIME: Final = timedelta(minutes=30)

pending_table = Table(
    "pending_sign_in",
    log.metadata,
    Column("id", Text, primary_key=True),
    Column("account", Text, nullable=False, index=True),
    Column("channel", Text, nullable=False),
    Column("created_at", Text, nullable=False),
    Column("link", Text),
)


def begin(conn: Connection, account: str, *, channel: str, at: datetime, link: str = "") -> str:
    """Let a sign-in wait for its second factor; returns the token told to its owner once.

    link: by which provider's word it began, "" for a password.
    """
    old = pending_table.c.created_at <= timestamp(at - LIFETIME)
    conn.execute(delete(pending_table).where(old))
    token = secrets.token_urlsafe(32)
    row = {"id": _id(token), "account": account, "channel": channel, "created_at": timestamp(at)}
    conn.execute(insert(pending_table), row | {"link": link or None})
    return token


def find(conn: Connection, token: str, *, at: datetime) -> Row[Any] | None:
    """The sign-in this token stands for (account, channel, link), or None if it is over."""
    fresh = pending_table.c.created_at > timestamp(at - LIFETIME)
    return conn.execute(
        select(pending_table).where(pending_table.c.id == _id(token), fresh)
    ).first()


def end(conn: Connection, token: str) -> None:
    """Let this sign-in wait no more."""
    conn.execute(delete(pending_table).where(pending_table.c.id == _id(token)))


def end_all(conn: Connection, account: str) -> None:
    """Let no sign-in of the account wait any more."""
    conn.execute(delete(pending_table).where(pending_table.c.account == account))


def _id(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
