"""The accounts as their administrator sees them: whose, whether open, and how often signed in."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from audit.encoding import instant, timestamp
from engine.accounts import account_table, session_table


@dataclass(frozen=True, slots=True)
class Listed:
    """An account; sessions: how many are open now. locked_until: after too many wrong passwords."""

    id: str
    name: str
    person: str
    disabled_at: datetime | None
    locked_until: datetime | None
    sessions: int


def list_accounts(conn: Connection, *, at: datetime, person: str | None = None) -> list[Listed]:
    """All accounts by name, or those of one person."""
    now = timestamp(at)
    counted = (
        select(session_table.c.account, func.count().label("n"))
        .where(session_table.c.revoked_at.is_(None), session_table.c.expires_at > now)
        .group_by(session_table.c.account)
        .subquery()
    )
    query = (
        select(account_table, counted.c.n)
        .join_from(account_table, counted, counted.c.account == account_table.c.id, isouter=True)
        .order_by(account_table.c.name)
    )
    if person is not None:
        query = query.where(account_table.c.person == person)
    return [
        Listed(
            row.id,
            row.name,
            row.person,
            row.disabled_at and instant(row.disabled_at),
            instant(row.locked_until) if row.locked_until and row.locked_until > now else None,
            row.n or 0,
        )
        for row in conn.execute(query)
    ]
