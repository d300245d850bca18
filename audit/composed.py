"""Several writing statements of PostgreSQL as one, so that a step is written by one message.

WITH w0 AS (INSERT …), w1 AS (UPDATE …) UPDATE …: the server is woken, looks up what it has planned
and answers once instead of a dozen times. All parts see the tables as they were before, and stand
in no order: no two may touch the same row, none may read what another writes. Foreign keys are
looked at when all are done. It is written whole or not at all.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

# So many compositions are kept as text; a command of another shape than usual makes another one.
MOST_KEPT: Final = 1000
# What PostgreSQL has planned of one takes 200 kB on every connection: it is kept for those that are
# at least one in so many. Of a street's year some twenty are, and they are nine in ten.
RARE: Final = 100


@dataclass(frozen=True, slots=True)
class Part:
    """A statement cut where its parameters stand; of an INSERT of values, `row` holds one row."""

    head: str
    row: tuple[str, ...]
    values: bool

    def of(self, rows: int, number: int) -> Iterable[str]:
        """This statement with parameters from $number on, for so many rows.

        What is no INSERT of values takes one row.
        """
        yield self.head
        for row in range(rows):
            if row:
                yield ", "
            yield self.row[0]
            for piece in self.row[1:]:
                yield f"${number}{piece}"
                number += 1


def cut(sql: str) -> Part:
    """A statement compiled for a driver that takes %s (and %% for a sign of per cent)."""
    head, found, row = sql.partition(" VALUES (")
    values = bool(found) and sql.startswith("INSERT INTO ") and sql.endswith(")")
    told = (f"{head} VALUES ", f"({row}") if values else ("", sql)
    head, row = (one.replace("%%", "%") for one in told)
    return Part(head, tuple(row.split("%s")), values)


def native(sql: str) -> str:
    """The same with $1, $2 …, as PostgreSQL itself takes it."""
    return "".join(cut(sql).of(1, 1))


_kept: dict[tuple[tuple[str, int], ...], str] = {}


def composed(parts: Sequence[tuple[str, int]]) -> str:
    """One statement of these, each compiled with %s and for how many rows; the last one answers.

    How many rows it has written is how many the last has.
    """
    key = tuple(parts)
    told = _kept.get(key)
    if told is None:
        if len(_kept) >= MOST_KEPT:
            _kept.clear()
        told = _kept[key] = _compose(parts)
    return told


class Sent:
    """How often a process has sent which composition.

    Threads count without waiting for each other: one that is lost decides nothing.
    """

    def __init__(self) -> None:
        self._times: Counter[str] = Counter()
        self._all = 0

    def often(self, sql: str) -> bool:
        """Whether this one, which is being sent, is worth preparing."""
        if len(self._times) > MOST_KEPT:
            self._times.clear()
            self._all = 0
        self._times[sql] += 1
        self._all += 1
        return self._times[sql] * RARE >= self._all


def _compose(parts: Sequence[tuple[str, int]]) -> str:
    told, number = [], 1
    for sql, rows in parts:
        part = cut(sql)
        for several in [rows] if part.values else [1] * rows:
            told.append("".join(part.of(several, number)))
            number += several * (len(part.row) - 1)
    first = ", ".join(f"w{at} AS ({one})" for at, one in enumerate(told[:-1]))
    return f"WITH {first} {told[-1]}" if first else told[-1]
