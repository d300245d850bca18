"""How often signing in failed from one place of late: kept in the database, for all processes.

Names that are nobody's cannot be locked, and each guess costs the server a tenth of a second and
64 MiB. A place is known by an HMAC under the field key that changes every day; its row is gone
after a quarter of an hour.
"""

import hmac
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Column, Connection, Integer, Table, Text, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from audit import log
from audit.encoding import timestamp
from engine.errors import NotAllowed

MOST: Final = 30
WITHIN: Final = timedelta(minutes=15)

attempt_table = Table(
    "sign_in_attempt",
    log.metadata,
    Column("place", Text, primary_key=True),
    Column("since", Text, nullable=False),
    Column("failed", Integer, nullable=False),
)


class TooManyFailures(NotAllowed):
    """Signing in failed too often from there; whether a name exists does not matter."""

    def __init__(self) -> None:
        super().__init__(
            "从您这里登录没有成功的次数太多，请过 15 分钟再试。密码对的也要等。",
            "Signing in failed too often from where you are; try again in 15 minutes, with the "
            "right password too.",
        )


def place_of(key: bytes, source: bytes, at: datetime) -> str:
    """What a source (an address) is called today; tells nothing of it without the key."""
    return hmac.digest(key, b"shaoji sign-in %d " % at.toordinal() + source, "sha256").hex()[:32]


def check(conn: Connection, place: str, *, at: datetime) -> None:
    """Raise TooManyFailures if signing in failed too often from there. place: "" = not counted."""
    of_it = select(attempt_table.c.failed).where(
        attempt_table.c.place == place, attempt_table.c.since > timestamp(at - WITHIN)
    )
    if (conn.execute(of_it).scalar() or 0) >= MOST:
        raise TooManyFailures


def count(conn: Connection, place: str, *, at: datetime) -> None:
    """Count one more failure from there."""
    if not place:
        return
    conn.execute(delete(attempt_table).where(attempt_table.c.since <= timestamp(at - WITHIN)))
    upsert = postgresql.insert if conn.dialect.name == "postgresql" else sqlite.insert
    row = {"place": place, "since": timestamp(at), "failed": 1}
    one_more = {"failed": attempt_table.c.failed + 1}
    counted = upsert(attempt_table).on_conflict_do_update(index_elements=["place"], set_=one_more)
    conn.execute(counted, row)
