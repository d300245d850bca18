"""现场码: whoever called for help shows a code on the spot, whoever comes types it in.

So both were there, and nobody's track was kept. The log holds a commitment to the code from the
moment it is shown, and the code with its salt once it is used: anybody can check that what was
typed is what was shown. Until then the code lies in a table of its own, for ten minutes.
"""

import secrets
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Column, Connection, Integer, LargeBinary, Table, Text, delete, insert, select
from sqlalchemy import update as update_rows

from audit.between import SITE_CODE
from audit.commitments import commit
from audit.encoding import instant, timestamp
from audit.entries import Draft
from audit.log import metadata
from engine import outbox
from engine.casework import Desk, change
from engine.errors import Conflict
from engine.openers import opener
from engine.people import By, actor

FIELD: Final = SITE_CODE
LASTS: Final = timedelta(minutes=10)
# A million codes, and five guesses: whoever guesses is lucky once in 200,000 times.
MOST_WRONG: Final = 5

site_code_table = Table(
    "site_code",
    metadata,
    Column("case", Text, primary_key=True),
    Column("seq", Integer, nullable=False),
    Column("code", Text, nullable=False),
    Column("salt", LargeBinary, nullable=False),
    Column("until", Text, nullable=False),
    Column("wrong", Integer, nullable=False),
)


class WrongCode(Conflict):
    """The code is not the one shown, or none is shown now. Note it (`note_wrong`) afterwards."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A code to be shown: six digits, and until when it counts."""

    code: str
    until: datetime


def show(
    conn: Connection,
    case_id: str,
    *,
    by: By,
    at: datetime,
    randomness: Callable[[int], bytes] = secrets.token_bytes,
) -> Shown:
    """Make a new code for a case, as whoever opened it or shares their duty; the last one lapses.

    randomness: gives so many bytes; the demonstration brings its own. Raises NotTheOpener.
    """
    # 128 bits over a million: no bias anybody could measure.
    code, salt = f"{int.from_bytes(randomness(16)) % 10**6:06d}", randomness(32)

    def decide(desk: Desk) -> list[Draft]:
        who = actor(opener(desk, by), "confirm", channel=by.channel)
        return [Draft("code.shown", {"commitment": commit(FIELD, code, salt)}, who, at)]

    done = change(conn, case_id, decide, at=at)
    row = {"case": case_id, "seq": done.entries[-1].seq, "code": code, "salt": salt, "wrong": 0}
    conn.execute(delete(site_code_table).where(site_code_table.c.case == case_id))
    conn.execute(insert(site_code_table), row | {"until": timestamp(at + LASTS)})
    return Shown(code, at + LASTS)


def shown(conn: Connection, desk: Desk, *, by: By) -> Shown | None:
    """The code shown for a case that counts now, for whoever may show it; raises NotTheOpener."""
    opener(desk, by)
    row = _row(conn, desk.case.case)
    if row is None or not _counts(row, desk.at):
        return None
    return Shown(row.code, instant(row.until))


def proven(conn: Connection, case_id: str, code: str, *, at: datetime) -> dict[str, Any]:
    """That the code shown for the parent of this case was typed: {case, seq, code, salt}.

    Raises WrongCode.
    """
    above = outbox.parent_of(conn, case_id)
    row = _row(conn, above[0]) if above else None
    if row is None or not _counts(row, at):
        raise WrongCode(
            "现在没有有效的现场码。请吹哨人在手机上重新出示，再输入。",
            "No code is valid now. Ask whoever called you to show a new one, and type that.",
        )
    typed = unicodedata.normalize("NFKC", code).replace(" ", "")
    if not secrets.compare_digest(typed.encode(), row.code.encode()):
        raise WrongCode(
            "现场码不对，请看清吹哨人手机上的六位数字再输入。",
            "That is not the code shown. Look at the six digits again.",
        )
    return {"case": row.case, "seq": row.seq, "code": row.code, "salt": bytes(row.salt).hex()}


def note_wrong(conn: Connection, case_id: str) -> None:
    """Count a wrong code against the one that is shown; in a transaction of its own."""
    above = outbox.parent_of(conn, case_id)
    if above:
        conn.execute(
            update_rows(site_code_table)
            .where(site_code_table.c.case == above[0])
            .values(wrong=site_code_table.c.wrong + 1)
        )


def _counts(row: Any, at: datetime) -> bool:
    return instant(row.until) > at and row.wrong < MOST_WRONG


def _row(conn: Connection, case: str) -> Any:
    return conn.execute(select(site_code_table).where(site_code_table.c.case == case)).first()
