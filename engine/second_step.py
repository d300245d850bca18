"""What comes after the password: the second factor at sign-in, and showing again that it is you.

Like `accounts.sign_in` these take the database and not a connection: a refusal is committed before
it is raised, or the lock-out would be undone.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, Row, select, update

from audit import log
from audit.encoding import timestamp
from audit.entries import Draft
from engine import accounts, attempts, pending, second_factor
from engine.access_log import take_access
from engine.accounts import Session, account_table, session_table
from engine.database import reading
from engine.errors import Conflict, NotAllowed
from engine.people import By, oneself
from engine.provider_links import AccountLocked, Identity, find_link
from engine.second_factor import Given


class CodeRefused(NotAllowed):
    """The code is wrong or was used, or the account is locked: one sentence for all of them."""

    def __init__(self) -> None:
        super().__init__(
            "验证码不对，或已经用过。请等应用里换出下一个再输。连续输错 5 次会锁定 15 分钟。",
            "The code is wrong or was used already; wait for the next one. Five failures lock the "
            "account for 15 minutes.",
        )


class ConfirmationRefused(NotAllowed):
    """The password typed to confirm who it is was wrong, or the account is locked."""

    def __init__(self) -> None:
        super().__init__(
            "密码不对。连续输错 5 次会锁定 15 分钟。",
            "The password is wrong. Five failures lock the account for 15 minutes.",
        )


class NotConfirmed(NotAllowed):
    """The code of a new app did not fit its key."""

    def __init__(self) -> None:
        super().__init__(
            "验证码对不上，还没有启用。请确认扫的是本页的码、手机时间是自动对时的，再输一次。",
            "The code does not fit. See that you scanned the code on this page and that your "
            "telephone sets its time by itself, then type it again.",
        )


class SignInOver(Conflict):
    """The sign-in that waited for the second factor is too old, was ended, or is another's."""

    def __init__(self) -> None:
        super().__init__(
            "这次登录等得太久或已作废，请重新输入账号和密码。",
            "This sign-in waited too long or was ended; type name and password again.",
        )


class SomebodyElse(NotAllowed):
    """Whoever signed in at the provider to confirm is not the owner of the session."""

    def __init__(self) -> None:
        super().__init__(
            "在统一登录那边登录的，不是绑定到您这个账号的人，没有确认。"
            "请换成您自己的身份，或用密码确认。",
            "Whoever signed in there is not linked to your account, so nothing was confirmed. Sign "
            "in there as yourself, or confirm with your password.",
        )


class CodeWanted(NotAllowed):
    """The account has a second factor: that confirms, nothing else does."""

    def __init__(self) -> None:
        super().__init__(
            "您启用了第二步验证，请用手机上的验证码确认，统一登录不能代替它。",
            "You have a second factor: confirm with a code of your app; signing in there does not "
            "replace it.",
        )


@dataclass(frozen=True, slots=True)
class Waiting:
    """A sign-in that waits. secret: what is offered to who has none yet (base 32), else ""."""

    account: str
    person: str
    secret: str

    @property
    def enrolled(self) -> bool:
        """Whether a code is asked for, and not an enrolment."""
        return not self.secret


def waiting(conn: Connection, key: bytes, token: str, *, at: datetime) -> Waiting | None:
    """The sign-in that waits behind this token, or None. key: the field key."""
    found = pending.find(conn, token, at=at)
    row = found and conn.execute(_account(found.account)).first()
    if row is None or row.disabled_at:
        return None
    enrolled = second_factor.is_enrolled(conn, row.id)
    secret = "" if enrolled else second_factor.proposed(conn, key, row.id, token)
    return Waiting(row.name, row.person, secret)


def complete(
    database: Engine,
    key: bytes,
    token: str,
    typed: str,
    *,
    at: datetime,
    device_at: datetime,
    place: str = "",
) -> Session:
    """Open the session that waits, for whoever has a fresh code or an unused recovery code.

    device_at: the instant telephones go by. place: as in `accounts.sign_in`. Raises CodeRefused,
    SignInOver, NotEnrolled, FieldKeyWrong, TooManyFailures.
    """
    with reading(database).connect() as conn:
        attempts.check(conn, place, at=at)
    with database.begin() as conn:
        opened = _complete(conn, key, token, typed, at, device_at)
        if opened is None:
            attempts.count(conn, place, at=at)
    if opened is None:
        raise CodeRefused
    return opened


def enrol_and_enter(
    database: Engine, key: bytes, token: str, typed: str, *, at: datetime, device_at: datetime
) -> tuple[Session, tuple[str, ...]]:
    """Enrol what was offered to the sign-in that waits, and open its session.

    Returns the ten recovery codes with it, to be shown once. Raises NotConfirmed, SignInOver,
    AlreadyEnrolled.
    """
    with database.begin() as conn:
        accounts.take_both(conn)
        found, row = _waiting(conn, token, at)
        if accounts.barred(row, at):
            raise CodeRefused
        by = By(row.person, found.channel)
        codes = _enrolled(conn, key, row.id, token, typed, by, at, device_at)
        head, at = take_access(conn, at)
        given = Given("code", len(codes))
        link = found.link or ""
        return accounts.open_session(conn, head, row, at, found.channel, given, link), codes


def enrol(
    database: Engine, key: bytes, token: str, typed: str, *, at: datetime, device_at: datetime
) -> tuple[str, ...]:
    """Enrol what was offered to the session of this token; all other sessions end.

    Returns the ten recovery codes, to be shown once. Raises NotConfirmed, SignInOver,
    AlreadyEnrolled.
    """
    with database.begin() as conn:
        accounts.take_both(conn)
        row = _signed_in(conn, token)
        by = By(row.person, row.channel)
        codes = _enrolled(conn, key, row.id, token, typed, by, at, device_at)
        clerk, kept = oneself(by, "owner"), accounts.session_id(token)
        accounts.end_sessions(conn, row.id, "second_factor", clerk, at, but=kept)
        return codes


def confirm(
    database: Engine, key: bytes, token: str, typed: str, *, at: datetime, device_at: datetime
) -> None:
    """Note that whoever has this session has shown that it is them: by code, else by password.

    Raises CodeRefused, ConfirmationRefused, SignInOver, FieldKeyWrong.
    """
    with reading(database).connect() as conn:
        row = _signed_in(conn, token)
        enrolled = second_factor.is_enrolled(conn, row.id)
        matches = not enrolled and accounts.password_matches(conn, row.name, typed)
    with database.begin() as conn:
        told = "password" if matches else ""
        confirmed = _confirm(conn, key, token, typed, told, at, device_at)
    if not confirmed:
        raise CodeRefused if enrolled else ConfirmationRefused


def confirm_by_provider(database: Engine, token: str, identity: Identity, *, at: datetime) -> None:
    """Note that whoever has this session has just signed in anew at the provider, as themselves.

    For accounts without a second factor: its word replaces the password, never the code. Raises
    CodeWanted, SomebodyElse, AccountLocked, SignInOver.
    """
    with database.begin() as conn:
        head, at = take_access(conn, at)
        row = _signed_in(conn, token)
        if second_factor.is_enrolled(conn, row.id):
            raise CodeWanted
        link = find_link(conn, identity)
        if link is None or link.account != row.id:
            raise SomebodyElse
        if accounts.barred(row, at):
            raise AccountLocked
        session = accounts.session_id(token)
        _note_confirmed(conn, head, row, session, "provider", None, at)


# --- what happens behind --------------------------------------------------------------------------


def _complete(
    conn: Connection, key: bytes, token: str, typed: str, at: datetime, device_at: datetime
) -> Session | None:
    head, at = take_access(conn, at)
    found, row = _waiting(conn, token, at)
    reason, given = accounts.barred(row, at), None
    if not reason:
        given = second_factor.given(conn, key, row.id, typed, at=at, device_at=device_at)
        reason = "" if given else "code"
    if reason:
        accounts.refuse(conn, head, row, reason, at)
        return None
    pending.end(conn, token)
    return accounts.open_session(conn, head, row, at, found.channel, given, found.link or "")


def _confirm(
    conn: Connection,
    key: bytes,
    token: str,
    typed: str,
    factor: str,
    at: datetime,
    device_at: datetime,
) -> bool:
    """Decide and record a confirmation; factor: "password" if that was right."""
    head, at = take_access(conn, at)
    row = _signed_in(conn, token)
    reason, wrong, given = accounts.barred(row, at), "password", None
    if not reason and second_factor.is_enrolled(conn, row.id):
        given = second_factor.given(conn, key, row.id, typed, at=at, device_at=device_at)
        factor, wrong = given.factor if given else "", "code"
    reason = reason or ("" if factor else wrong)
    if reason:
        accounts.refuse(conn, head, row, reason, at)
        return False
    _note_confirmed(conn, head, row, accounts.session_id(token), factor, given, at)
    return True


def _note_confirmed(
    conn: Connection,
    head: log.Head,
    row: Row[Any],
    session: str,
    factor: str,
    given: Given | None,
    at: datetime,
) -> None:
    accounts.update_account(conn, row.id, {"failed_count": 0, "locked_until": None})
    ours = update(session_table).where(session_table.c.id == session)
    conn.execute(ours.values(confirmed_at=timestamp(at)))
    told = {"account": row.id, "session": accounts.short(session), "factor": factor}
    clerk = oneself(By(row.person, row.channel), "owner")
    drafts = [
        *accounts.spent(row.id, given, clerk, at),
        Draft("session.confirmed", told, clerk, at),
    ]
    log.append(conn, head, drafts)


def _enrolled(
    conn: Connection,
    key: bytes,
    account: str,
    token: str,
    typed: str,
    by: By,
    at: datetime,
    device_at: datetime,
) -> tuple[str, ...]:
    """Keep what was offered to this token, on the record; nobody else's sign-in waits any more."""
    head = log.take(conn, accounts.ACCOUNTS)
    secret = second_factor.proposed(conn, key, account, token)
    codes = second_factor.enrol(conn, key, account, secret, typed, at=at, device_at=device_at)
    if codes is None:
        raise NotConfirmed
    pending.end_all(conn, account)
    told = {"account": account, "number": second_factor.number(conn, account)}
    log.append(conn, head, [Draft("factor.enrolled", told, oneself(by, "owner"), at)])
    return codes


def _waiting(conn: Connection, token: str, at: datetime) -> tuple[Row[Any], Row[Any]]:
    found = pending.find(conn, token, at=at)
    if found is None:
        raise SignInOver
    return found, conn.execute(_account(found.account).with_for_update()).one()


def _signed_in(conn: Connection, token: str) -> Row[Any]:
    """The account behind an open session, with its channel; raises SignInOver."""
    query = (
        select(account_table, session_table.c.channel)
        .join_from(session_table, account_table, session_table.c.account == account_table.c.id)
        .where(
            session_table.c.id == accounts.session_id(token), session_table.c.revoked_at.is_(None)
        )
    )
    row = conn.execute(query).first()
    if row is None or row.disabled_at:
        raise SignInOver
    return row


def _account(account: str) -> Any:
    return select(account_table).where(account_table.c.id == account)
