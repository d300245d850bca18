"""Of many cases those that somebody may not see; asked only of cases closed to some at all."""

from collections.abc import Collection
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, select

from engine.casework import read_cases
from engine.directory import Directory
from engine.people import By
from engine.register import GUARDED, register_table
from engine.rights import may_see

_AT_ONCE: Final = 500


def kept_from(
    conn: Connection, people: Directory, cases: Collection[str], by: By, at: datetime
) -> set[str]:
    """Of these cases, any number, those that whoever asks may not see, whatever their place."""
    # Few cases are guarded; in a year's figures stand more than a question may name.
    guarded = conn.execute(select(register_table.c.case).where(GUARDED)).scalars()
    asked, closed = sorted(set(guarded).intersection(cases)), set()
    for start in range(0, len(asked), _AT_ONCE):
        states = read_cases(conn, asked[start : start + _AT_ONCE])
        closed |= {case for case, state in states.items() if not may_see(state, people, by, at)}
    return closed
