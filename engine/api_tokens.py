"""Tokens by which another program acts as a person: made, looked up and revoked by their owner.

A token is told once and kept as SHA-256. It has the rights its person has at that hour, never more,
and of those only what its scopes allow. The log knows it by the beginning of its hash, and not by
the name its owner gave it: people put persons' names into names.
"""

import hashlib
import hmac
import secrets
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Column, Connection, Row, Table, Text, insert, select, update

from audit import log
from audit.encoding import instant, timestamp
from audit.entries import Draft
from engine.accounts import ACCOUNTS, account_table, find_account
from engine.errors import BadInput, Conflict, NotAllowed, NotFound, Refusal
from engine.people import By, oneself

# What a token may be allowed, in Chinese and English.
SCOPES: Final[Mapping[str, tuple[str, str]]] = {
    "cases:read": ("看案件和记录", "read cases and their records"),
    "cases:report": ("上报、发起案件", "begin cases"),
    "cases:act": ("催办、督办、重开等案件操作", "act on cases: urge, order, reopen and the like"),
    "tasks:read": ("看待办和步骤", "read inbox and steps"),
    "tasks:act": ("认领、办理、转交等步骤操作", "act on steps: claim, complete, hand over …"),
    "reports:export": ("申请和下载责任报告", "ask for accountability reports and fetch them"),
    "register:read": ("看单位、岗位和流程定义", "read units, posts and definitions"),
}
PREFIX: Final = "shaoji_"
LONGEST_LIFE: Final = timedelta(days=366)
MOST_TOKENS: Final = 20
LONGEST_NAME: Final = 60
# As with sessions: reading need not wait for the one writer.
USED_EVERY: Final = timedelta(minutes=5)
CHANNEL: Final = "api"

token_table = Table(
    "api_token",
    log.metadata,
    # What the log calls it: the beginning of its hash.
    Column("id", Text, primary_key=True),
    Column("sha256", Text, nullable=False, unique=True),
    Column("account", Text, nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("scopes", Text, nullable=False),
    # Of the stored password: another password ends all tokens as it ends all sessions.
    Column("password_sha256", Text, nullable=False),
    Column("created_at", Text, nullable=False),
    Column("expires_at", Text, nullable=False),
    Column("last_used_at", Text),
    Column("revoked_at", Text),
)


class UnknownToken(NotAllowed):
    """No token was sent, or none that was ever made here."""

    def __init__(self) -> None:
        super().__init__(
            "没有令牌，或令牌不对。请在请求头写 Authorization: Bearer 令牌；令牌在“我的”页里创建。",
            "No token, or not one of ours. Send `Authorization: Bearer TOKEN`; tokens are made on "
            "the page 我的 (Mine).",
        )


class TokenExpired(NotAllowed):
    """The token's time is over."""

    def __init__(self) -> None:
        super().__init__(
            "令牌已过期。请在“我的”页里创建新的。", "The token has expired. Make another one."
        )


class TokenRevoked(NotAllowed):
    """The token was revoked, its account disabled or the password changed."""

    def __init__(self) -> None:
        super().__init__(
            "令牌已撤销：本人撤销、账号停用或改过密码。请在“我的”页里创建新的。",
            "The token is revoked: by its owner, with its account, or by a change of password. "
            "Make another one.",
        )


class ScopeMissing(NotAllowed):
    """The token was made for something else; `scope` is the one it would need."""

    def __init__(self, scope: str) -> None:
        chinese, english = SCOPES[scope]
        super().__init__(
            f"这个令牌没有“{chinese}”（{scope}）的范围。请创建一个有这个范围的令牌。",
            f"This token lacks the scope {scope} ({english}). Make one that has it.",
        )
        self.scope = scope


class NoSuchToken(NotFound):
    """This person has no such token."""

    def __init__(self) -> None:
        super().__init__("您没有这个令牌，请刷新后再看。", "You have no such token; reload.")


class TooManyTokens(Conflict):
    """One account has enough tokens."""

    def __init__(self) -> None:
        super().__init__(
            f"一个账号最多 {MOST_TOKENS} 个有效令牌。请先撤销不用的。",
            f"An account has {MOST_TOKENS} tokens at most. Revoke one that is not in use.",
        )


class NotTheOwner(NotAllowed):
    """A token is made and revoked by whoever the account belongs to."""

    def __init__(self) -> None:
        super().__init__(
            "令牌只能由账号本人创建和撤销。", "Only the owner of an account makes its tokens."
        )


@dataclass(frozen=True, slots=True)
class Token:
    """A token as its owner sees it, without the secret. used_at: about when last, None = never.

    state: live, expired, revoked, or ended (by another password or with the account).
    """

    id: str
    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None
    state: str


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token just made; `secret` is told to its owner now and kept by nobody."""

    id: str
    secret: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Bearer:
    """Whoever sent a token. stale: `touch_token` is due, to show that it is in use."""

    token: str
    person: str
    scopes: frozenset[str]
    stale: bool

    @property
    def by(self) -> By:
        """The person as the one who acts."""
        return By(self.person, CHANNEL)


def create_token(
    conn: Connection,
    account: str,
    name: str,
    scopes: Collection[str],
    *,
    expires_at: datetime,
    by: By,
    at: datetime,
) -> NewToken:
    """Make a token for an account (its name), as its owner.

    Whether the owner still knows the password is asked by the caller (`password_matches`). Raises
    NotTheOwner, UnknownAccount, BadInput (name, scopes, expiry), TooManyTokens.
    """
    head = log.take(conn, ACCOUNTS)
    found = find_account(conn, account)
    if found.person != by.person or by.on_behalf_of is not None or found.disabled:
        raise NotTheOwner
    told, wanted = _name(name), _scopes(scopes)
    _check_expiry(expires_at, at)
    if sum(one.state == "live" for one in tokens_of(conn, account, at=at)) >= MOST_TOKENS:
        raise TooManyTokens
    secret = PREFIX + secrets.token_urlsafe(32)
    digest = _digest(secret)
    row = {
        "id": digest[:16],
        "sha256": digest,
        "account": found.id,
        "name": told,
        "scopes": " ".join(wanted),
        "password_sha256": _password_of(conn, found.id),
        "created_at": timestamp(at),
        "expires_at": timestamp(expires_at),
    }
    conn.execute(insert(token_table), row)
    data = {"account": found.id, "token": row["id"], "scopes": list(wanted),
            "expires": row["expires_at"]}  # fmt: skip
    log.append(conn, head, [Draft("token.created", data, oneself(by, "owner"), at)])
    return NewToken(row["id"], secret, instant(row["expires_at"]))


def revoke_token(conn: Connection, account: str, token: str, *, by: By, at: datetime) -> None:
    """End a token (by its id), as its owner; one that is revoked already stays so, silently.

    Raises NotTheOwner, UnknownAccount, NoSuchToken.
    """
    head = log.take(conn, ACCOUNTS)
    found = find_account(conn, account)
    if found.person != by.person or by.on_behalf_of is not None:
        raise NotTheOwner
    mine = token_table.c.id == token, token_table.c.account == found.id
    row = conn.execute(select(token_table).where(*mine)).first()
    if row is None:
        raise NoSuchToken
    if row.revoked_at is None:
        conn.execute(update(token_table).where(*mine).values(revoked_at=timestamp(at)))
        data = {"account": found.id, "token": row.id}
        log.append(conn, head, [Draft("token.revoked", data, oneself(by, "owner"), at)])


def tokens_of(conn: Connection, account: str, *, at: datetime) -> Sequence[Token]:
    """The tokens of an account (its name), newest first."""
    query = _joined().where(account_table.c.name == account)
    rows = conn.execute(query.order_by(token_table.c.created_at.desc(), token_table.c.id))
    return [_token(row, at) for row in rows]


def find_bearer(conn: Connection, secret: str, *, at: datetime) -> Bearer:
    """Who is behind a token. Reads only. Raises UnknownToken, TokenExpired, TokenRevoked."""
    digest = _digest(secret)
    row = conn.execute(_joined().where(token_table.c.id == digest[:16])).first()
    # The index is asked with a part of the hash; the whole is compared in constant time.
    if row is None or not hmac.compare_digest(row.sha256, digest):
        raise UnknownToken
    state = _state(row, at)
    if state == "expired":
        raise TokenExpired
    if state != "live":
        raise TokenRevoked
    used = row.last_used_at
    stale = used is None or at - instant(used) >= USED_EVERY
    return Bearer(row.id, row.person, frozenset(row.scopes.split()), stale)


def touch_token(conn: Connection, token: str, *, at: datetime) -> None:
    """Note that a token is in use; call it when `find_bearer` says it is stale."""
    used = update(token_table).where(token_table.c.id == token)
    conn.execute(used.values(last_used_at=timestamp(at)))


def _joined() -> Any:
    return select(
        token_table,
        account_table.c.person,
        account_table.c.disabled_at,
        account_table.c.password_hash,
    ).join_from(token_table, account_table, token_table.c.account == account_table.c.id)


def _token(row: Row[Any], at: datetime) -> Token:
    return Token(
        id=row.id,
        name=row.name,
        scopes=tuple(row.scopes.split()),
        created_at=instant(row.created_at),
        expires_at=instant(row.expires_at),
        used_at=instant(row.last_used_at) if row.last_used_at else None,
        state=_state(row, at),
    )


def _state(row: Row[Any], at: datetime) -> str:
    if row.revoked_at:
        return "revoked"
    if at >= instant(row.expires_at):
        return "expired"
    same = hmac.compare_digest(row.password_sha256, _digest(row.password_hash))
    return "live" if same and not row.disabled_at else "ended"


def _digest(text: str) -> str:
    # A header may hold bytes that are no text; what cannot be a token of ours matches none.
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _password_of(conn: Connection, account: str) -> str:
    query = select(account_table.c.password_hash).where(account_table.c.id == account)
    return _digest(conn.execute(query).scalar_one())


def _name(name: str) -> str:
    told = unicodedata.normalize("NFC", " ".join(name.split()))
    if not told or len(told) > LONGEST_NAME or not told.isprintable():
        raise BadInput(
            f"请给令牌起个名字，不超过 {LONGEST_NAME} 个字，好认得是给谁用的。",
            f"Name the token, in {LONGEST_NAME} characters at most, so that you know its use.",
        )
    return told


def _scopes(scopes: Collection[str]) -> list[str]:
    wanted = [scope for scope in SCOPES if scope in scopes]
    if not wanted or len(wanted) != len(set(scopes)):
        raise BadInput("请选择令牌可以做什么，至少一项。", "Choose what the token is for.")
    return wanted


def _check_expiry(expires_at: datetime, at: datetime) -> None:
    if not at < expires_at <= at + LONGEST_LIFE:
        raise BadInput("令牌的到期日应在今后一年以内。", "A token expires within a year from now.")


# Refusals that mean "who are you?" rather than "not you".
UNAUTHENTICATED: Final[tuple[type[Refusal], ...]] = (UnknownToken, TokenExpired, TokenRevoked)
