"""Cases with something in their texts, newest days first, by the index of texts."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, Engine, Select, func, select

from audit.encoding import timestamp
from engine.case_texts import begins, case_text_table, day_of, pieces
from engine.database import reading
from engine.register import UNLISTED, list_texts, register_table

# How many days are looked through at first, and how many times as many after that.
FIRST: Final = 1
TIMES: Final = 4
# To tell which part of a long text is rare: of so many days, and no further than so many cases.
SAMPLED_DAYS: Final = 30
SAMPLED: Final = 200

_ROW = case_text_table.c


def all_listed(conn: Connection) -> bool:
    """Whether the index has every case; those of an older release are taken in by the worker."""
    missing = select(register_table.c.case).where(UNLISTED).limit(1)
    return conn.execute(missing).first() is None


def list_some(engine: Engine, limit: int) -> int:
    """Take some cases that an older release entered into the index; returns how many.

    Where it has every case nobody who writes waits for this.
    """
    with reading(engine).begin() as conn:
        if all_listed(conn):
            return 0
    with engine.begin() as conn:
        return list_texts(conn, limit)


def cases_with_text(
    conn: Connection, text: str, *, newest: str | None, since: datetime | None
) -> Iterator[Select[tuple[str]]]:
    """Selects of the cases that may have this text, each of earlier days than the one before.

    newest: opened no later than on the day of this instant as stored, None for all. since: nor on
    a day before this. All that have the text are among them, and where the text is longer than
    `case_texts.BYTES` others, too.
    """
    first, last = (
        conn.execute(select(_ROW.day).order_by(by).limit(1)).scalar()
        for by in (_ROW.day, _ROW.day.desc())
    )
    if first is None or last is None:
        return
    last = min(last, _day(newest) or last)
    first = max(first, day_of(timestamp(since))) if since else first
    piece = _rarest(conn, pieces(text), last)
    size = FIRST
    while last >= first:
        days = range(max(first, last - size + 1), last + 1)
        yield select(_ROW.case).where(begins(piece, days))
        last, size = last - size, size * TIMES


def _day(instant: str | None) -> int | None:
    """The day of what may be no instant: a key of a page comes from outside."""
    try:
        return day_of(instant or "")
    except ValueError:
        return None


def _rarest(conn: Connection, told: list[bytes], last: int) -> bytes:
    if len(told) == 1:
        return told[0]
    days = range(last - SAMPLED_DAYS + 1, last + 1)

    def often(piece: bytes) -> int:
        some = select(_ROW.case).where(begins(piece, days)).limit(SAMPLED).subquery()
        return int(conn.execute(select(func.count()).select_from(some)).scalar_one())

    return min(told, key=often)
