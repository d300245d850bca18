"""Accounts and sign-in: who is behind a request, and when they were let in or turned away.

Account names may give a person away, so the log knows accounts by number only. Passwords are kept
as Argon2id (RFC 9106, low-memory profile), session tokens as SHA-256: a copy of the database opens
no session. Where a second factor is wanted, a right password opens none either (engine.pending);
what comes after it is in engine.second_step.
"""

import hashlib
import re
import secrets
import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Integer,
    Row,
    Select,
    Table,
    Text,
    bindparam,
    func,
    insert,
    select,
    update,
)

from audit import log
from audit.encoding import instant, timestamp
from audit.entries import ENGINE, Draft
from audit.statements import Statement
from engine import attempts, pending
from engine.access_log import ACCESS, take_access
from engine.database import reading
from engine.errors import BadInput, NotAllowed, NotFound
from engine.people import By, administrator, directory, oneself
from engine.roster import UnknownPerson, exists, person_table
from engine.second_factor import Given, factor_table, is_enrolled, obliged

ACCOUNTS: Final = "@accounts"

FAILURES_ALLOWED: Final = 5
LOCK_OUT: Final = timedelta(minutes=15)
LIFETIME: Final = timedelta(hours=12)
IDLE: Final = timedelta(hours=2)
# A session is marked as seen at most so often: reading a page need not wait for the one writer.
SEEN_EVERY: Final = timedelta(minutes=5)
# What is seen or taken out for good takes a confirmation not older than this.
CONFIRMED_FOR: Final = timedelta(minutes=10)

account_table = Table(
    "account",
    log.metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("person", Text, nullable=False, index=True),
    Column("password_hash", Text, nullable=False),
    Column("locale", Text, nullable=False),
    Column("disabled_at", Text),
    Column("failed_count", Integer, nullable=False, default=0),
    Column("locked_until", Text),
)
session_table = Table(
    "session",
    log.metadata,
    Column("id", Text, primary_key=True),
    Column("account", Text, nullable=False, index=True),
    Column("channel", Text, nullable=False),
    Column("created_at", Text, nullable=False),
    Column("last_seen_at", Text, nullable=False),
    Column("expires_at", Text, nullable=False),
    Column("revoked_at", Text),
    Column("confirmed_at", Text),
    Column("link", Text),
)
# Refusals since the last one that was recorded: guessing passwords must not fill the log.
# account "" stands for all names that are nobody's.
refusal_table = Table(
    "sign_in_refusal",
    log.metadata,
    Column("account", Text, primary_key=True),
    Column("recorded_at", Text, nullable=False),
    Column("unrecorded", Integer, nullable=False),
)

_SESSION: Final = Statement(
    select(
        account_table.c.name,
        account_table.c.person,
        account_table.c.locale,
        account_table.c.disabled_at,
        session_table.c.account,
        session_table.c.channel,
        session_table.c.last_seen_at,
        session_table.c.expires_at,
        session_table.c.revoked_at,
        session_table.c.confirmed_at,
        session_table.c.link,
        factor_table.c.secret.is_not(None).label("enrolled"),
    )
    .join_from(session_table, account_table, session_table.c.account == account_table.c.id)
    .outerjoin(factor_table, factor_table.c.account == account_table.c.id)
    .where(session_table.c.id == bindparam("session"))
)

_HASHER: Final = PasswordHasher()


class SignInRefused(NotAllowed):
    """Wrong name or password, locked or disabled: one sentence for all tells a guesser nothing."""

    def __init__(self) -> None:
        super().__init__(
            "账号或密码不对，或账号已停用。连续输错 5 次会锁定 15 分钟，请稍后再试或联系管理员。",
            "Wrong name or password, or the account is disabled. Five wrong passwords lock it for "
            "15 minutes; try again later or ask the administrator.",
        )


class UnknownAccount(NotFound):
    """No account has this name."""


class WeakPassword(BadInput):
    """The password is too short or too easily guessed."""


@dataclass(frozen=True, slots=True)
class Account:
    """An account as it stands; `id` is what the log calls it. disabled: it opens no session."""

    id: str
    name: str
    person: str
    locale: str
    disabled: bool


@dataclass(frozen=True, slots=True)
class Session:
    """A session just opened; the token is told to its owner once and kept by nobody else."""

    token: str
    account: str
    person: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Pending:
    """A right password that waits for the second factor. enrolled: else one is to be enrolled."""

    token: str
    account: str
    person: str
    enrolled: bool


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who is behind a token. stale: `touch_session` is due, to show that the session is in use.

    enrolled: they have a second factor. confirmed_at: when they last showed that it is them. link:
    by which provider's word they signed in (engine.provider_links), "" for a password.
    """

    account: str
    person: str
    channel: str
    locale: str
    stale: bool
    enrolled: bool = False
    confirmed_at: datetime | None = None
    link: str = ""

    @property
    def by(self) -> By:
        """The person as the one who acts."""
        return By(self.person, self.channel)

    def confirmed(self, at: datetime) -> bool:
        """Whether they have shown of late that it is them."""
        return self.confirmed_at is not None and at - self.confirmed_at < CONFIRMED_FOR


# --- accounts -----------------------------------------------------------------------------------


def hash_password(password: str, *, minimum_length: int = 10) -> str:
    """An Argon2id hash, about a tenth of a second: compute it before the transaction begins.

    Raises WeakPassword for fewer characters than `minimum_length` or fewer than four different.
    """
    password = unicodedata.normalize("NFC", password)
    if len(password) < minimum_length:
        raise WeakPassword(
            f"密码至少要 {minimum_length} 个字符。",
            f"A password needs at least {minimum_length} characters.",
        )
    if len(set(password)) < min(4, minimum_length):
        raise WeakPassword(
            "密码里重复的字符太多，请换一个。", "Too few different characters; choose another."
        )
    return _HASHER.hash(password)


def create_account(
    conn: Connection,
    name: str,
    person: str,
    password_hash: str,
    *,
    locale: str = "zh",
    by: By | None,
    at: datetime,
) -> Account:
    """Give a registered person an account; `password_hash` comes from `hash_password`.

    by: None only until the first administrator is named, or while there is no account at all.
    Raises NotAdministrator, UnknownPerson, BadInput (name taken or not of the form asked for).
    """
    head = log.take(conn, ACCOUNTS)
    clerk = _clerk(conn, by, at)
    name = _account_name(name)
    if _by_name(conn, name) is not None:
        raise BadInput(f"账号 {name} 已存在，请换一个。", f"The account {name} exists already.")
    if not exists(conn, person_table, person):
        raise UnknownPerson(f"没有编号为 {person} 的人员。", f"There is no person {person}.")
    id_ = f"a-{head.seq + 1:04d}"
    row = {"id": id_, "name": name, "person": person, "locale": locale}
    kept = {"password_hash": _argon2id(password_hash), "failed_count": 0}
    conn.execute(insert(account_table), row | kept)
    told = {"account": id_, "person": person, "locale": locale}
    log.append(conn, head, [Draft("account.created", told, clerk, at)])
    return find_account(conn, name)


def change_password(
    conn: Connection, name: str, password_hash: str, *, by: By, at: datetime
) -> None:
    """Set another password, end all sessions and any lock-out; the owner or an administrator may.

    Whether the owner still knows the old password is asked by the caller (`password_matches`).
    Raises NotAdministrator, UnknownAccount.
    """
    head = take_both(conn)
    account = find_account(conn, name)
    owner = by.person == account.person and by.on_behalf_of is None
    clerk = oneself(by, "owner") if owner else administrator(conn, by, at)
    values = {
        "password_hash": _argon2id(password_hash),
        "failed_count": 0,
        "locked_until": None,
    }
    update_account(conn, account.id, values)
    told = {"account": account.id}
    log.append(conn, head, [Draft("account.password_changed", told, clerk, at)])
    end_sessions(conn, account.id, "password_changed", clerk, at)


def disable_account(conn: Connection, name: str, *, reason: str, by: By, at: datetime) -> Account:
    """Let an account open no more sessions and end those it has.

    Raises NotAdministrator, UnknownAccount, BadInput (no reason, or disabled already).
    """
    head = take_both(conn)
    clerk = administrator(conn, by, at)
    account = find_account(conn, name)
    if not reason.strip() or account.disabled:
        raise BadInput(
            "请写明停用原因；已停用的账号不必再停用。",
            "Give a reason; an account that is disabled already stays so.",
        )
    update_account(conn, account.id, {"disabled_at": timestamp(at)})
    told = {"account": account.id, "reason": unicodedata.normalize("NFC", reason.strip())}
    log.append(conn, head, [Draft("account.disabled", told, clerk, at)])
    end_sessions(conn, account.id, "disabled", clerk, at)
    return find_account(conn, name)


def find_account(conn: Connection, name: str) -> Account:
    """The account of this name; raises UnknownAccount."""
    row = _by_name(conn, name)
    if row is None:
        raise UnknownAccount(f"没有账号 {name}。", f"There is no account {name}.")
    return Account(row.id, row.name, row.person, row.locale, row.disabled_at is not None)


def password_matches(conn: Connection, name: str, password: str) -> bool:
    """Whether this is the account's password; as slow for a name that is nobody's."""
    row = _by_name(conn, name)
    return _verify(row and row.password_hash, password)


# --- sign-in ------------------------------------------------------------------------------------


def sign_in(
    database: Engine,
    name: str,
    password: str,
    *,
    at: datetime,
    channel: str = "web",
    place: str = "",
) -> Session | Pending:
    """Open a session for whoever knows the password, or let it wait for the second factor.

    It takes the database and not a connection: the slow comparison must not hold SQLite's one
    writer, and a refusal has to be committed before it is raised, or the lock-out would be undone.
    place: where the attempt comes from (engine.attempts), "" if that is not to be counted. Raises
    SignInRefused, TooManyFailures.
    """
    with reading(database).connect() as conn:
        attempts.check(conn, place, at=at)
        row = _by_name(conn, name)
    matches = _verify(row and row.password_hash, password)
    with database.begin() as conn:
        admitted = admit(conn, name, matches, at=at, channel=channel)
        if admitted is None:
            attempts.count(conn, place, at=at)
    if admitted is None:
        raise SignInRefused
    return admitted


def admit(
    conn: Connection, name: str, matches: bool, *, at: datetime, channel: str
) -> Session | Pending | None:
    """Let in whoever's password matched if nothing bars the account, else count a refusal.

    Whether it is locked is decided here, behind the lock on `@access`: a hundred guesses sent at
    once get five answers, like a hundred sent one after the other.
    """
    head, at = take_access(conn, at)
    # The account's row as well: the very first events of a stream have no head to lock.
    row = conn.execute(_named(name).with_for_update()).first()
    if row is None:
        record_refusal(conn, head, None, "unknown", at)
        return None
    reason = barred(row, at) or ("" if matches else "password")
    if reason:
        refuse(conn, head, row, reason, at)
        return None
    return let_in(conn, head, row, at, channel)


def let_in(
    conn: Connection, head: log.Head, row: Row[Any], at: datetime, channel: str, link: str = ""
) -> Session | Pending:
    """Open a session for the account of this row, or let it wait for the second factor.

    link: the provider's link that vouches for them, "" for a password.
    """
    enrolled = is_enrolled(conn, row.id)
    if enrolled or obliged(directory(conn), row.person, at):
        # The count of failures stays: else the password would buy four more guesses at a code.
        token = pending.begin(conn, row.id, channel=channel, at=at, link=link)
        return Pending(token, row.name, row.person, enrolled)
    return open_session(conn, head, row, at, channel, link=link)


def find_session(
    conn: Connection, token: str, *, at: datetime, idle: timedelta = IDLE
) -> SignedIn | None:
    """Who is behind a token, or None if it is unknown, revoked, expired, or idle for too long.

    None, too, for whoever has meanwhile got a post that takes a second factor: they sign in anew
    and enrol. Reads only.
    """
    row = _SESSION.first(conn, {"session": session_id(token)})
    if row is None or row.revoked_at or row.disabled_at:
        return None
    seen = instant(row.last_seen_at)
    if at >= instant(row.expires_at) or at - seen >= idle:
        return None
    if not row.enrolled and obliged(directory(conn), row.person, at):
        return None
    return SignedIn(
        row.name,
        row.person,
        row.channel,
        row.locale,
        at - seen >= SEEN_EVERY,
        bool(row.enrolled),
        instant(row.confirmed_at) if row.confirmed_at else None,
        row.link or "",
    )


def session_person(conn: Connection, token: str, at: datetime) -> By | None:
    """The person behind a token, or None."""
    found = find_session(conn, token, at=at)
    return None if found is None else found.by


def touch_session(conn: Connection, token: str, *, at: datetime) -> None:
    """Note that a session is in use; call it when `find_session` says it is stale."""
    used = update(session_table).where(session_table.c.id == session_id(token))
    conn.execute(used.values(last_seen_at=timestamp(at)))


def sign_out(conn: Connection, token: str, *, at: datetime) -> None:
    """Close a session; one that is closed or unknown stays so, silently."""
    head, at = take_access(conn, at)
    id_ = session_id(token)
    row = _SESSION.first(conn, {"session": id_})
    if row is not None and row.revoked_at is None:
        clerk = oneself(By(row.person, row.channel), "owner")
        close(conn, head, row.account, [id_], "signed_out", clerk, at)


# --- what happens behind ------------------------------------------------------------------------


def _clerk(conn: Connection, by: By | None, at: datetime) -> dict[str, Any]:
    # The first administrator has a post before they have an account to act with.
    if by is None and not _count(conn, account_table):
        return dict(ENGINE)
    return administrator(conn, by, at)


def _by_name(conn: Connection, name: str) -> Row[Any] | None:
    return conn.execute(_named(name)).first()


def _named(name: str) -> Select[Any]:
    return select(account_table).where(account_table.c.name == _folded(name))


def _count(conn: Connection, table: Table) -> int:
    return conn.execute(select(func.count()).select_from(table)).scalar_one()


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", name).strip().casefold()


def _account_name(name: str) -> str:
    name = _folded(name)
    if not re.fullmatch(r"[\w][\w.@-]{1,63}", name):
        raise BadInput(
            "账号名为 2 至 64 个字母、数字或汉字，可含 . _ - @。",
            "An account name has 2 to 64 letters or digits, and may contain . _ - @.",
        )
    return name


def _argon2id(password_hash: str) -> str:
    if not password_hash.startswith("$argon2id$"):
        raise ValueError("a password is stored as hash_password made it, never as it was typed")
    return password_hash


def _verify(password_hash: str | None, password: str) -> bool:
    try:
        _HASHER.verify(password_hash or _nobody(), unicodedata.normalize("NFC", password))
    except (VerificationError, InvalidHashError):
        return False
    return password_hash is not None


@cache
def _nobody() -> str:
    """Some hash to compare with where the name is nobody's: the answer then takes as long."""
    return _HASHER.hash(secrets.token_urlsafe(16))


def update_account(conn: Connection, account: str, values: dict[str, Any]) -> None:
    """Change what is kept of an account."""
    conn.execute(update(account_table).where(account_table.c.id == account).values(values))


def take_both(conn: Connection) -> log.Head:
    """Hold both registers of accounts; returns the head of `@accounts`.

    Before any account's row, as signing in does, or two who wait for each other would wait for
    ever.
    """
    head = log.take(conn, ACCOUNTS)
    log.take(conn, ACCESS)
    return head


def barred(row: Row[Any], at: datetime) -> str:
    """Why this account's row opens nothing now, or ""."""
    if row.disabled_at:
        return "disabled"
    return "locked" if row.locked_until and at < instant(row.locked_until) else ""


def refuse(conn: Connection, head: log.Head, row: Row[Any], reason: str, at: datetime) -> None:
    """Count a failure against the account, and record that it was refused.

    reason: `password` or `code` for what was wrong, else what bars it. The fifth failure in a row
    locks the account and starts the count anew.
    """
    if reason in ("password", "code"):
        failed = row.failed_count + 1
        values = {"failed_count": failed}
        if failed >= FAILURES_ALLOWED:
            reason = "locking"
            values = {"failed_count": 0, "locked_until": timestamp(at + LOCK_OUT)}
        update_account(conn, row.id, values)
    record_refusal(conn, head, row.id, reason, at)


def open_session(
    conn: Connection,
    head: log.Head,
    account: Row[Any],
    at: datetime,
    channel: str,
    factor: Given | None = None,
    link: str = "",
) -> Session:
    """Open a session for the account of this row.

    factor: what was shown besides the password, or besides the word of the provider of `link`.
    """
    update_account(conn, account.id, {"failed_count": 0, "locked_until": None})
    token = secrets.token_urlsafe(32)
    now, expires_at = timestamp(at), instant(timestamp(at + LIFETIME))
    row = {
        "id": session_id(token),
        "account": account.id,
        "channel": channel,
        "created_at": now,
        "last_seen_at": now,
        "expires_at": timestamp(expires_at),
        "confirmed_at": now,
        "link": link or None,
    }
    conn.execute(insert(session_table), row)
    told: dict[str, Any] = {"account": account.id, "session": short(row["id"])}
    if factor:
        told["factor"] = factor.factor
    if link:
        told["link"] = link
    refused = _unrecorded(conn, account.id)
    if refused:
        told["refused"] = refused
        _forget_refusals(conn, account.id, at)
    clerk = oneself(By(account.person, channel), "owner")
    drafts = [*spent(account.id, factor, clerk, at), Draft("session.opened", told, clerk, at)]
    log.append(conn, head, drafts)
    return Session(token, account.name, account.person, expires_at)


def spent(account: str, factor: Given | None, clerk: dict[str, Any], at: datetime) -> list[Draft]:
    """What is recorded of a recovery code that was used up, if one was."""
    if factor is None or factor.factor != "recovery":
        return []
    return [Draft("factor.recovery_used", {"account": account, "left": factor.left}, clerk, at)]


def session_id(token: str) -> str:
    """What the database calls the session of this token."""
    return hashlib.sha256(token.encode()).hexdigest()


def short(session: str) -> str:
    """What the log calls a session."""
    # Enough to tell sessions apart in the log, too little to be looked up as a token.
    return session[:16]


def end_sessions(
    conn: Connection,
    account: str,
    how: str,
    clerk: dict[str, Any],
    at: datetime,
    *,
    but: str = "",
    reason: str = "",
) -> int:
    """End the account's open sessions, and what waits to become one; returns how many.

    but: the session (as the database calls it) that stays.
    """
    head, at = take_access(conn, at)
    pending.end_all(conn, account)
    open_ = select(session_table.c.id).where(
        session_table.c.account == account,
        session_table.c.id != but,
        session_table.c.revoked_at.is_(None),
        session_table.c.expires_at > timestamp(at),
    )
    sessions = list(conn.execute(open_.order_by(session_table.c.id)).scalars())
    if sessions:
        close(conn, head, account, sessions, how, clerk, at, reason=reason)
    return len(sessions)


def close(
    conn: Connection,
    head: log.Head,
    account: str,
    sessions: list[str],
    how: str,
    clerk: dict[str, Any],
    at: datetime,
    *,
    reason: str = "",
) -> None:
    """End these sessions of the account, each on the record."""
    ended = update(session_table).where(session_table.c.id.in_(sessions))
    conn.execute(ended.values(revoked_at=timestamp(at)))
    why = {"reason": reason} if reason else {}
    told = [{"account": account, "session": short(one), "how": how} | why for one in sessions]
    log.append(conn, head, [Draft("session.closed", data, clerk, at) for data in told])


def record_refusal(
    conn: Connection, head: log.Head, account: str | None, reason: str, at: datetime
) -> None:
    """Record a refusal, or count it only: one event per account and quarter of an hour is enough.

    A lock-out is always recorded. What was only counted is told by the next event.
    """
    key = account or ""
    known = conn.execute(select(refusal_table).where(refusal_table.c.account == key)).first()
    recent = known is not None and at - instant(known.recorded_at) < LOCK_OUT
    if recent and reason != "locking":
        more = update(refusal_table).where(refusal_table.c.account == key)
        conn.execute(more.values(unrecorded=refusal_table.c.unrecorded + 1))
        return
    told = {"reason": reason, "count": 1 + (known.unrecorded if known else 0)}
    told |= {"account": account} if account else {}
    log.append(conn, head, [Draft("session.refused", told, dict(ENGINE), at)])
    _forget_refusals(conn, key, at)


def _unrecorded(conn: Connection, account: str) -> int:
    query = select(refusal_table.c.unrecorded).where(refusal_table.c.account == account)
    return conn.execute(query).scalar() or 0


def _forget_refusals(conn: Connection, account: str, at: datetime) -> None:
    values = {"recorded_at": timestamp(at), "unrecorded": 0}
    known = update(refusal_table).where(refusal_table.c.account == account)
    if not conn.execute(known.values(values)).rowcount:
        conn.execute(insert(refusal_table), {"account": account, **values})
