"""Accounts that an identity provider vouches for: which, and signing in by its word.

A provider never makes an account: its owner links it, or an administrator does. What the provider
calls the person (the subject) may give them away, so the log has a salted commitment to it, and the
row that opens the commitment is gone once the link is.
"""

import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    LargeBinary,
    Row,
    Table,
    Text,
    UniqueConstraint,
    delete,
    insert,
    select,
)

from audit import log
from audit.commitments import commit, new_salt, opens
from audit.encoding import instant, timestamp
from audit.entries import Draft, Entry
from engine import accounts, attempts
from engine.access_log import take_access
from engine.accounts import Account, Pending, Session, account_table, find_account
from engine.database import reading
from engine.errors import BadInput, Conflict, NotAllowed, NotFound
from engine.people import By, administrator, oneself
from engine.reasons import reasoned

FIELD: Final = "provider_subject"
# OpenID Connect Core 1.0, section 2: a subject has at most 255 characters.
LONGEST_SUBJECT: Final = 255

link_table = Table(
    "provider_link",
    log.metadata,
    Column("id", Text, primary_key=True),
    Column("account", Text, nullable=False),
    Column("issuer", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("salt", LargeBinary, nullable=False),
    Column("linked_at", Text, nullable=False),
    UniqueConstraint("account", "issuer"),
    UniqueConstraint("issuer", "subject"),
)


class NotLinked(NotAllowed):
    """The provider knows them, and nobody here has linked that to an account."""

    def __init__(self) -> None:
        super().__init__(
            "统一登录认出了您，但还没有绑定到这里的账号。请先用账号和密码登录，"
            "在“我的 – 登录和验证”里绑定，或把下面的编号告诉管理员，请管理员绑定。",
            "You are known there, but not linked to an account here. Sign in with name and "
            "password and link it under Me – Signing in, or let an administrator link it.",
        )


class AccountDisabled(NotAllowed):
    """The account that is linked opens no sessions."""

    def __init__(self) -> None:
        super().__init__(
            "您在这里的账号已停用，不能登录。有疑问请联系管理员。",
            "Your account here is disabled. Ask the administrator if you think it should not be.",
        )


class AccountLocked(NotAllowed):
    """The account that is linked is locked after too many failures."""

    def __init__(self) -> None:
        super().__init__(
            "您在这里的账号因连续输错锁住了，统一登录也要等。"
            "请过 15 分钟再试，或请管理员解除锁定。",
            "Your account here is locked after too many failures, for this way in as well. Try "
            "again in 15 minutes, or let an administrator unlock it.",
        )


class AlreadyLinked(Conflict):
    """The account has a link to this provider."""

    def __init__(self) -> None:
        super().__init__(
            "这个账号已经绑定了统一登录。要换一个，请先解除原来的。",
            "This account is linked already. To change that, take the present link off first.",
        )


class LinkedElsewhere(Conflict):
    """Somebody else's account has this subject."""

    def __init__(self) -> None:
        super().__init__(
            "这个统一登录的身份已经绑定到另一个账号，没有再绑。若不是您绑的，请告诉管理员。",
            "This identity is linked to another account. If that was not you, tell an "
            "administrator.",
        )


class LinkYourOwn(NotAllowed):
    """Administrators link their own account like everybody, by signing in at the provider."""

    def __init__(self) -> None:
        super().__init__(
            "自己的账号请在“我的 – 登录和验证”里，到统一登录登录一次来绑定，不能凭编号绑定。",
            "Link your own account under Me – Signing in, by signing in there; not by a number.",
        )


class NoSuchLink(NotFound):
    """The account has no such link."""

    def __init__(self) -> None:
        super().__init__(
            "没有这个绑定，可能已经解除。请刷新后再看。",
            "There is no such link; it may have been taken off. Reload the page.",
        )


class NotOwner(NotAllowed):
    """This is for the owner of the account."""

    def __init__(self) -> None:
        super().__init__(
            "绑定和解除自己的统一登录，只有账号本人能办。",
            "Only the owner of the account links and unlinks it by themselves.",
        )


class BadSubject(BadInput):
    """No provider calls anybody so."""

    def __init__(self) -> None:
        super().__init__(
            f"请填统一登录那边的编号，一行，不超过 {LONGEST_SUBJECT} 个字符。",
            f"Give what the provider calls them: one line of at most {LONGEST_SUBJECT} characters.",
        )


@dataclass(frozen=True, slots=True)
class Identity:
    """Somebody as a provider knows them.

    issuer: the provider's address. subject: what it calls them, unique there and never given to
    anybody else.
    """

    issuer: str
    subject: str


@dataclass(frozen=True, slots=True)
class Link:
    """A link as it stands; `id` is what the log calls it."""

    id: str
    account: str
    identity: Identity
    since: datetime


# --- linking --------------------------------------------------------------------------------------


def link_own(conn: Connection, name: str, identity: Identity, *, by: By, at: datetime) -> Link:
    """Link one's own account to whom one has just shown to be at the provider.

    Raises NotOwner, AlreadyLinked, LinkedElsewhere, BadSubject.
    """
    head = accounts.take_both(conn)
    account, clerk = _own(conn, name, by)
    return _link(conn, head, account, identity, {}, clerk, at)


def link_account(
    conn: Connection, name: str, identity: Identity, *, reason: str, by: By, at: datetime
) -> Link:
    """Link somebody else's account, as its administrator who knows what the provider calls them.

    Raises NotAdministrator, LinkYourOwn, UnknownAccount, AccountDisabled, AlreadyLinked,
    LinkedElsewhere, BadSubject, NoReason.
    """
    head = accounts.take_both(conn)
    clerk = administrator(conn, by, at)
    account = find_account(conn, name)
    if account.person == by.person:
        raise LinkYourOwn
    return _link(conn, head, account, identity, {"reason": reasoned(reason)}, clerk, at)


def unlink_own(conn: Connection, name: str, link: str, *, token: str, by: By, at: datetime) -> None:
    """Take a link off one's own account; all sessions but that of this token end.

    Raises NotOwner, NoSuchLink.
    """
    head = accounts.take_both(conn)
    account, clerk = _own(conn, name, by)
    _unlink(conn, head, account, link, {}, clerk, at)
    kept = accounts.session_id(token)
    accounts.end_sessions(conn, account.id, "unlinked", clerk, at, but=kept)


def unlink_account(
    conn: Connection, name: str, link: str, *, reason: str, by: By, at: datetime
) -> None:
    """Take a link off an account, as its administrator; all its sessions end.

    Raises NotAdministrator, UnknownAccount, NoSuchLink, NoReason.
    """
    head = accounts.take_both(conn)
    clerk = administrator(conn, by, at)
    account, why = find_account(conn, name), reasoned(reason)
    _unlink(conn, head, account, link, {"reason": why}, clerk, at)
    accounts.end_sessions(conn, account.id, "unlinked", clerk, at, reason=why)


def links_of(conn: Connection, account: str) -> tuple[Link, ...]:
    """The links of an account (its id), oldest first."""
    query = select(link_table).where(link_table.c.account == account)
    return tuple(map(_read, conn.execute(query.order_by(link_table.c.id))))


def find_link(conn: Connection, identity: Identity) -> Link | None:
    """The link of this identity, or None if nobody here has it."""
    row = conn.execute(_of(identity)).first()
    return None if row is None else _read(row)


# --- signing in -----------------------------------------------------------------------------------


def enter(
    database: Engine, identity: Identity, *, at: datetime, channel: str = "web", place: str = ""
) -> Session | Pending:
    """Open a session for whom the provider vouches for, or let it wait for the second factor.

    Whoever calls this has checked that the provider said so, now, to this browser. It takes the
    database: a refusal is committed before it is raised. place: as in `accounts.sign_in`. Raises
    NotLinked, AccountDisabled, AccountLocked, TooManyFailures.
    """
    with reading(database).connect() as conn:
        attempts.check(conn, place, at=at)
    with database.begin() as conn:
        admitted = _admit(conn, identity, at, channel)
        if isinstance(admitted, str):
            attempts.count(conn, place, at=at)
    if isinstance(admitted, str):
        raise _BARRED[admitted]
    return admitted


def refuse_word(database: Engine, *, at: datetime, place: str) -> None:
    """Count and record that what came as a provider's word was none.

    Raises TooManyFailures once that came too often from there.
    """
    with database.begin() as conn:
        head, at = take_access(conn, at)
        accounts.record_refusal(conn, head, None, "provider", at)
        attempts.count(conn, place, at=at)


_BARRED: Final[Mapping[str, type[NotAllowed]]] = {
    "unlinked": NotLinked,
    "disabled": AccountDisabled,
    "locked": AccountLocked,
}


def _admit(
    conn: Connection, identity: Identity, at: datetime, channel: str
) -> Session | Pending | str:
    """Let in, or say why not; decided behind the lock on `@access`, like a password."""
    head, at = take_access(conn, at)
    row = conn.execute(_of(identity)).first()
    if row is None:
        accounts.record_refusal(conn, head, None, "unlinked", at)
        return "unlinked"
    told = select(account_table).where(account_table.c.id == row.account)
    account = conn.execute(told.with_for_update()).one()
    reason = accounts.barred(account, at)
    if reason:
        accounts.refuse(conn, head, account, reason, at)
        return reason
    return accounts.let_in(conn, head, account, at, channel, row.id)


# --- what the log says ----------------------------------------------------------------------------


def differing(conn: Connection, entries: Iterable[Entry]) -> Iterator[tuple[int, str]]:
    """Links that are not kept as the events of `@accounts` leave them: (last event, link)."""
    recorded: dict[str, Entry] = {}
    last: dict[str, int] = {}
    for entry in entries:
        if entry.type in ("account.linked", "account.unlinked"):
            last[entry.data["link"]] = entry.seq
        if entry.type == "account.linked":
            recorded[entry.data["link"]] = entry
        elif entry.type == "account.unlinked":
            recorded.pop(entry.data["link"], None)
    for row in conn.execute(select(link_table).order_by(link_table.c.id)):
        told = recorded.pop(row.id, None)
        if told is None or not _is_as_recorded(row, told.data):
            yield last.get(row.id, 0), row.id
    for link in sorted(recorded):
        yield last[link], link


def _is_as_recorded(row: Row[Any], told: Mapping[str, Any]) -> bool:
    same = (row.account, row.issuer) == (told["account"], told["issuer"])
    return same and opens(told["subject_commitment"], FIELD, row.subject, bytes(row.salt))


# --- what happens behind --------------------------------------------------------------------------


def _link(
    conn: Connection,
    head: log.Head,
    account: Account,
    identity: Identity,
    why: Mapping[str, str],
    clerk: dict[str, Any],
    at: datetime,
) -> Link:
    _check(conn, account, identity)
    link, salt = f"l-{head.seq + 1:04d}", new_salt()
    row = {
        "id": link,
        "account": account.id,
        "issuer": identity.issuer,
        "subject": identity.subject,
        "salt": salt,
        "linked_at": timestamp(at),
    }
    conn.execute(insert(link_table), row)
    told = {"account": account.id, "link": link, "issuer": identity.issuer}
    told |= {"subject_commitment": commit(FIELD, identity.subject, salt), **why}
    log.append(conn, head, [Draft("account.linked", told, clerk, at)])
    return Link(link, account.id, identity, at)


def _check(conn: Connection, account: Account, identity: Identity) -> None:
    subject = identity.subject
    is_fit = subject.strip() and len(subject) <= LONGEST_SUBJECT and subject.isprintable()
    if not is_fit or not unicodedata.is_normalized("NFC", subject):
        raise BadSubject
    if account.disabled:
        raise AccountDisabled
    if any(one.identity.issuer == identity.issuer for one in links_of(conn, account.id)):
        raise AlreadyLinked
    if find_link(conn, identity) is not None:
        raise LinkedElsewhere


def _unlink(
    conn: Connection,
    head: log.Head,
    account: Account,
    link: str,
    why: Mapping[str, str],
    clerk: dict[str, Any],
    at: datetime,
) -> None:
    of_it = delete(link_table).where(link_table.c.id == link, link_table.c.account == account.id)
    if conn.execute(of_it).rowcount != 1:
        raise NoSuchLink
    told = {"account": account.id, "link": link, **why}
    log.append(conn, head, [Draft("account.unlinked", told, clerk, at)])


def _own(conn: Connection, name: str, by: By) -> tuple[Account, dict[str, Any]]:
    account = find_account(conn, name)
    if by.person != account.person or by.on_behalf_of is not None:
        raise NotOwner
    return account, oneself(by, "owner")


def _of(identity: Identity) -> Any:
    table = link_table.c
    return select(link_table).where(
        table.issuer == identity.issuer, table.subject == identity.subject
    )


def _read(row: Row[Any]) -> Link:
    identity = Identity(row.issuer, row.subject)
    return Link(row.id, row.account, identity, instant(row.linked_at))
