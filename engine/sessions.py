"""Somebody's open sessions: which there are, and ending them from elsewhere."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from audit.encoding import instant, timestamp
from engine import accounts
from engine.access_log import take_access
from engine.accounts import IDLE, find_account, session_table
from engine.errors import NotFound
from engine.people import By, administrator, oneself
from engine.reasons import reasoned


class NoSuchSession(NotFound):
    """The person has no open session of this name."""

    def __init__(self) -> None:
        super().__init__(
            "没有这个登录，可能已经退出。请刷新后再看。",
            "There is no such session; it may have ended. Reload the page.",
        )


@dataclass(frozen=True, slots=True)
class OpenSession:
    """An open session; `id` is what the log calls it. seen: to within five minutes."""

    id: str
    channel: str
    since: datetime
    seen: datetime
    own: bool


def open_sessions(
    conn: Connection, name: str, *, at: datetime, token: str = ""
) -> tuple[OpenSession, ...]:
    """The open sessions of an account, the last used first; raises UnknownAccount.

    token: of the session that looks, which is told as `own`.
    """
    account, table = find_account(conn, name), session_table.c
    query = select(session_table).where(
        table.account == account.id,
        table.revoked_at.is_(None),
        table.expires_at > timestamp(at),
        table.last_seen_at > timestamp(at - IDLE),
    )
    rows = conn.execute(query.order_by(table.last_seen_at.desc(), table.id))
    own = accounts.session_id(token)
    return tuple(
        OpenSession(
            accounts.short(row.id),
            row.channel,
            instant(row.created_at),
            instant(row.last_seen_at),
            row.id == own,
        )
        for row in rows
    )


def end_session(conn: Connection, name: str, session: str, *, by: By, at: datetime) -> None:
    """End one of one's own sessions; session: what the log calls it. Raises NoSuchSession."""
    head, at = take_access(conn, at)
    account = find_account(conn, name)
    ids = _ids(conn, account.id, session, at) if account.person == by.person else []
    if not ids:
        raise NoSuchSession
    accounts.close(conn, head, account.id, ids, "revoked", oneself(by, "owner"), at)


def end_other_sessions(conn: Connection, name: str, token: str, *, by: By, at: datetime) -> int:
    """End all of one's own sessions but the one of this token; returns how many ended."""
    account = find_account(conn, name)
    if account.person != by.person:
        raise NoSuchSession
    kept = accounts.session_id(token)
    clerk = oneself(by, "owner")
    return accounts.end_sessions(conn, account.id, "revoked", clerk, at, but=kept)


def end_sessions_of(conn: Connection, name: str, *, reason: str, by: By, at: datetime) -> int:
    """End all sessions of an account, as its administrator; returns how many ended.

    Raises NotAdministrator, UnknownAccount, NoReason.
    """
    account, clerk = find_account(conn, name), administrator(conn, by, at)
    why = reasoned(reason)
    return accounts.end_sessions(conn, account.id, "revoked", clerk, at, reason=why)


def _ids(conn: Connection, account: str, session: str, at: datetime) -> list[str]:
    table = session_table.c
    query = select(table.id).where(
        table.account == account, table.revoked_at.is_(None), table.expires_at > timestamp(at)
    )
    return [id_ for id_ in conn.execute(query).scalars() if accounts.short(id_) == session]
