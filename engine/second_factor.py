"""The second factor: codes from an app (TOTP, RFC 6238), who must have one, and what is kept of it.

The secret is stored encrypted and bound to its account, under a key that is not in the database
(engine.field_key). A code's time step is remembered: no code is good twice.
"""

import base64
import hmac
import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from pyotp import TOTP
from pyotp.exceptions import OTPVerificationError
from sqlalchemy import Column, Connection, Integer, LargeBinary, Row, Table, Text, insert, select
from sqlalchemy import update as update_of

from audit import log
from audit.encoding import instant, timestamp
from engine import recovery_codes
from engine.directory import Directory
from engine.errors import Conflict, Refusal
from engine.vault import SealDamaged, lock, unlock

# Whoever exercises one of these, in person or as a substitute, signs in with a second factor.
OBLIGED: Final = frozenset({"discipline", "custody", "administer"})
# RFC 6238 section 5.2: at most one step for delay; section 5.1 wants a key as long as the hash.
DRIFT: Final = 1
SECRET_BYTES: Final = 20

# secret NULL: removed. number: which enrolment of the account it is, counted on for ever.
factor_table = Table(
    "second_factor",
    log.metadata,
    Column("account", Text, primary_key=True),
    Column("number", Integer, nullable=False),
    Column("secret", LargeBinary),
    Column("last_step", Integer, nullable=False),
    Column("enrolled_at", Text, nullable=False),
)


class FieldKeyWrong(Refusal):
    """The second factor was locked with another key than the one that is there."""

    def __init__(self) -> None:
        super().__init__(
            "服务器上的字段密钥不是原来那把，验证码没法核对。请管理员放回 field.key；"
            "找不回的，用 shaoji user reset-second-factor 重设。",
            "The server's field key is not the one the second factor was locked with. Let the "
            "administrator put field.key back, or reset it: shaoji user reset-second-factor.",
        )


class AlreadyEnrolled(Conflict):
    """The account has a second factor."""

    def __init__(self) -> None:
        super().__init__(
            "这个账号已经启用第二步验证。要换手机，请先停用或由管理员重设。",
            "This account has a second factor already. Remove it first, or have it reset.",
        )


class NotEnrolled(Conflict):
    """The account has no second factor."""

    def __init__(self) -> None:
        super().__init__(
            "这个账号没有启用第二步验证，不用处理。", "This account has no second factor."
        )


@dataclass(frozen=True, slots=True)
class Given:
    """What somebody proved themselves with: `code` or `recovery`, and the recovery codes left."""

    factor: str
    left: int


def obliged(people: Directory, person: str, at: datetime) -> bool:
    """Whether what this person may do today takes a second factor."""
    return any(held.duty in OBLIGED for held in people.capacities(person, at))


def is_enrolled(conn: Connection, account: str) -> bool:
    """Whether the account has a second factor."""
    row = _row(conn, account)
    return row is not None and row.secret is not None


def enrolled_at(conn: Connection, account: str) -> datetime | None:
    """Since when the account has its second factor; None without one."""
    row = _row(conn, account)
    return None if row is None or row.secret is None else instant(row.enrolled_at)


def number(conn: Connection, account: str) -> int:
    """How often the account has enrolled, 0 if never."""
    row = _row(conn, account)
    return row.number if row else 0


def proposed(conn: Connection, key: bytes, account: str, token: str) -> str:
    """The secret offered to whoever holds this session or sign-in, in base 32.

    The same whenever they look, and nobody else's: nothing is kept before a code has confirmed it.
    """
    told = f"shaoji second factor\n{account}\n{number(conn, account)}\n{token}"
    drawn = hmac.digest(key, told.encode(), "sha256")[:SECRET_BYTES]
    return base64.b32encode(drawn).decode("ascii")


def address(secret: str, *, name: str, issuer: str) -> str:
    """The `otpauth:` address an app reads from a QR code (Key Uri Format)."""
    # A colon would end the issuer.
    return TOTP(secret).provisioning_uri(name=name, issuer_name=issuer.replace(":", " "))


def enrol(
    conn: Connection,
    key: bytes,
    account: str,
    secret: str,
    typed: str,
    *,
    at: datetime,
    device_at: datetime,
) -> tuple[str, ...] | None:
    """Keep a secret that this code confirms; returns ten recovery codes, None for a wrong code.

    device_at: the instant by the wall clock, which is what telephones go by; `at` may be that of a
    demonstration. Raises AlreadyEnrolled.
    """
    row = _row(conn, account)
    if row is not None and row.secret is not None:
        raise AlreadyEnrolled
    step = _step(secret, typed, device_at)
    if step is None:
        return None
    count = 1 + (row.number if row else 0)
    values = {
        "number": count,
        "secret": lock(key, secret.encode("ascii"), _place(account, count)),
        "last_step": step,
        "enrolled_at": timestamp(at),
    }
    if row is None:
        conn.execute(insert(factor_table), {"account": account, **values})
    else:
        _update(conn, account, values)
    return recovery_codes.new_codes(conn, key, account)


def given(
    conn: Connection, key: bytes, account: str, typed: str, *, at: datetime, device_at: datetime
) -> Given | None:
    """What this is of the account's: a fresh code, an unused recovery code, or None for neither.

    Either is used up by that. Raises NotEnrolled, FieldKeyWrong.
    """
    row = _row(conn, account)
    if row is None or row.secret is None:
        raise NotEnrolled
    step = _step(_secret(key, row), typed, device_at)
    if step is not None and step > row.last_step:
        _update(conn, account, {"last_step": step})
        return Given("code", recovery_codes.left(conn, account))
    if step is None and recovery_codes.spend(conn, key, account, typed, at=at):
        return Given("recovery", recovery_codes.left(conn, account))
    return None


def readable(conn: Connection, key: bytes) -> tuple[int, int]:
    """How many second factors are kept, and how many of them this key opens."""
    rows = conn.execute(select(factor_table).where(factor_table.c.secret.is_not(None))).all()
    return len(rows), sum(_opens(key, row) for row in rows)


def forget(conn: Connection, account: str) -> None:
    """Destroy the account's secret and recovery codes; raises NotEnrolled."""
    if not is_enrolled(conn, account):
        raise NotEnrolled
    _update(conn, account, {"secret": None})
    recovery_codes.forget(conn, account)


def _row(conn: Connection, account: str) -> Row[Any] | None:
    return conn.execute(select(factor_table).where(factor_table.c.account == account)).first()


def _update(conn: Connection, account: str, values: dict[str, Any]) -> None:
    conn.execute(update_of(factor_table).where(factor_table.c.account == account).values(values))


def _place(account: str, number: int) -> list[str]:
    return ["second factor", account, str(number)]


def _secret(key: bytes, row: Row[Any]) -> str:
    try:
        return unlock(key, bytes(row.secret), _place(row.account, row.number)).decode("ascii")
    except SealDamaged:
        raise FieldKeyWrong from None


def _opens(key: bytes, row: Row[Any]) -> bool:
    try:
        return bool(_secret(key, row))
    except FieldKeyWrong:
        return False


def _step(secret: str, typed: str, device_at: datetime) -> int | None:
    """The time step this code is of, or None."""
    code = re.sub(r"\s", "", unicodedata.normalize("NFKC", typed[:100]))
    try:
        return TOTP(secret).verify_and_get_timecode(code, for_time=device_at, valid_window=DRIFT)
    except OTPVerificationError:
        return None
