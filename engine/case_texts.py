"""A suffix index of what cases are searched by: each text from each of its characters on.

Whatever stands in a text is the beginning of the text from some character on, so a search for a
part of it, be it one character, goes through an index in order. Chinese is written without spaces,
and people look for one or two characters: indexes of words or of three letters do not help there.
Parted by day of opening, as what is found is told newest first: whoever has enough stops.

A projection: it can be thrown away and rebuilt (engine.rebuild).
"""

import re
from collections.abc import Collection, Iterable
from datetime import date
from typing import Final

from sqlalchemy import (
    ARRAY,
    Column,
    ColumnElement,
    Connection,
    Integer,
    LargeBinary,
    Table,
    Text,
    and_,
    bindparam,
    func,
    insert,
    select,
)

from audit.log import metadata
from audit.statements import Statement

# Four Chinese characters, or twelve letters. What is longer is looked for by its rarest part.
BYTES: Final = 12

case_text_table = Table(
    "case_text",
    metadata,
    # When the case was opened, in days (datetime.date.toordinal), UTC.
    Column("day", Integer, primary_key=True, autoincrement=False),
    # UTF-8, as bytes: every database puts these into the same order.
    Column("beginning", LargeBinary, primary_key=True),
    Column("case", Text, primary_key=True),
    sqlite_with_rowid=False,
)

_INSERT: Final = Statement(insert(case_text_table))
_INSERT_EACH: Final = Statement(
    insert(case_text_table).from_select(
        ["day", "beginning", "case"],
        select(
            bindparam("day", type_=Integer),
            func.unnest(bindparam("each", type_=ARRAY(LargeBinary))),
            bindparam("case", type_=Text),
        ),
    )
)
_CHARACTER: Final = re.compile(rb"[^\x80-\xbf]")
_SMALL: Final = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}


def keep(conn: Connection, case: str, opened_at: str, texts: Iterable[str]) -> None:
    """Write down what texts a case is found by; it was opened at this instant, as it is stored."""
    day = day_of(opened_at)
    found = sorted(beginnings(texts))
    if conn.dialect.name == "postgresql":
        # However many there are, the same statement, planned once.
        _INSERT_EACH.run_all(conn, [{"day": day, "each": found, "case": case}])
    else:
        rows = [{"day": day, "beginning": one, "case": case} for one in found]
        _INSERT.run_all(conn, rows)


def is_kept(conn: Connection, case: str, opened_at: str, texts: Iterable[str]) -> bool:
    """Whether a case is found by every part of these texts."""
    row, wanted = case_text_table.c, beginnings(texts)
    same = and_(row.day == day_of(opened_at), row.beginning.in_(wanted), row.case == case)
    query = select(func.count()).select_from(case_text_table).where(same)
    return int(conn.execute(query).scalar_one()) == len(wanted)


def day_of(instant: str) -> int:
    """The day of an instant as it is stored (`2026-03-02T01:00:00.000Z`)."""
    return date.fromisoformat(instant[:10]).toordinal()


def beginnings(texts: Iterable[str]) -> set[bytes]:
    """Each text from each of its characters on, the first BYTES of it."""
    return {
        told[at.start() : at.start() + BYTES]
        for told in map(folded, texts)
        for at in _CHARACTER.finditer(told)
    }


def folded(text: str) -> bytes:
    """As texts are compared: in SQLite `LIKE` takes A for a, and in no other alphabet."""
    return text.translate(_SMALL).encode()


def pieces(text: str) -> list[bytes]:
    """Beginnings of which every text that has this one in it has each; at most five.

    The last one is its end, which often is what tells it from others: a number, a house.
    """
    told = folded(text)
    starts = [at.start() for at in _CHARACTER.finditer(told)]
    last = next((n for n, start in enumerate(starts) if start + BYTES >= len(told)), 0)
    return [told[starts[n] :][:BYTES] for n in sorted({last * part // 4 for part in range(5)})]


def begins(piece: bytes, days: Collection[int]) -> ColumnElement[bool]:
    """Whether a row is of one of these days and what stands there begins with this."""
    row = case_text_table.c
    # No byte of UTF-8 is 0xFF: whatever begins so comes before it.
    return row.day.in_(days) & (row.beginning >= piece) & (row.beginning < piece + b"\xff")
