"""Recovery codes: ten, each good once, for whoever does not have their telephone at hand.

Fifty bits each, kept as an HMAC under the field key: a copy of the database does not even let one
guess at them.
"""

import hmac
import re
import secrets
import unicodedata
from datetime import datetime
from typing import Final

from sqlalchemy import Column, Connection, Table, Text, delete, func, insert, select, update

from audit import log
from audit.encoding import timestamp

COUNT: Final = 10
LENGTH: Final = 10
# Without 0, 1, I and O, which are taken for one another.
LETTERS: Final = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"

recovery_table = Table(
    "recovery_code",
    log.metadata,
    Column("account", Text, primary_key=True),
    Column("digest", Text, primary_key=True),
    Column("used_at", Text),
)


def new_codes(conn: Connection, key: bytes, account: str) -> tuple[str, ...]:
    """Ten codes as they are shown once, `7K3M9-4QDXR`; all earlier ones are good no more."""
    forget(conn, account)
    codes = tuple(_drawn() for _ in range(COUNT))
    rows = [{"account": account, "digest": _digest(key, account, code)} for code in codes]
    conn.execute(insert(recovery_table), rows)
    return tuple(f"{code[:5]}-{code[5:]}" for code in codes)


def spend(conn: Connection, key: bytes, account: str, typed: str, *, at: datetime) -> bool:
    """Whether this is one of the account's codes that was not used yet; it is used from now on."""
    told = _folded(typed)
    if len(told) != LENGTH:
        return False
    of_it = update(recovery_table).where(
        recovery_table.c.account == account,
        recovery_table.c.digest == _digest(key, account, told),
        recovery_table.c.used_at.is_(None),
    )
    return conn.execute(of_it.values(used_at=timestamp(at))).rowcount == 1


def left(conn: Connection, account: str) -> int:
    """How many of the account's codes were not used yet."""
    unused = select(func.count()).where(
        recovery_table.c.account == account, recovery_table.c.used_at.is_(None)
    )
    return conn.execute(unused).scalar_one()


def forget(conn: Connection, account: str) -> None:
    """Let none of the account's codes be good any more."""
    conn.execute(delete(recovery_table).where(recovery_table.c.account == account))


def _drawn() -> str:
    return "".join(secrets.choice(LETTERS) for _ in range(LENGTH))


def _folded(typed: str) -> str:
    return re.sub(r"[\s\-‐-―−]", "", unicodedata.normalize("NFKC", typed[:100])).upper()


def _digest(key: bytes, account: str, code: str) -> str:
    return hmac.digest(key, f"shaoji recovery code\n{account}\n{code}".encode(), "sha256").hex()
