"""A command rehearsed without the lock: what it asked and would write, to be done behind it.

A decision follows from what was asked. So it can be made while somebody else writes, if behind the
lock the same questions have the same answers still: then what it would write is written, and it is
as if it had been decided there. For that every question has to be noted; what cannot be noted is
not rehearsed. audit.statements does both.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine


class NotRehearsed(Exception):
    """What only a transaction that writes can do; nothing was done."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question with its answer."""

    sql: str
    parameters: tuple[Any, ...]
    rows: list[Any]


@dataclass(frozen=True, slots=True)
class Written:
    """What would be written; rows: how many it has to touch, None where nobody asked."""

    sql: str
    parameters: tuple[Any, ...] | list[tuple[Any, ...]]
    rows: int | None = None


class Rehearsal:
    """Stands for a connection while a command is tried on what a file of SQLite holds now.

    Statements of audit.statements are noted. Whatever else a connection can do raises NotRehearsed,
    and so does a question after something was written: its answer would not know of that.
    """

    def __init__(self, engine: Engine, file: sqlite3.Connection) -> None:
        self.engine, self.dialect = engine, engine.dialect
        self.asked: list[Asked] = []
        self.written: list[Written] = []
        # Not whole, whatever the command made of the exception that said so.
        self.broken = False
        self._file = file
        self._together = False

    def __getattr__(self, name: str) -> Any:
        raise self.refused(name)

    def refused(self, why: str) -> NotRehearsed:
        """What to raise: from here on it is no rehearsal, even if the command catches this."""
        self.broken = True
        return NotRehearsed(why)

    def ask(self, sql: str, parameters: tuple[Any, ...]) -> list[Any]:
        """The answer as of now; raises NotRehearsed, also where the file cannot be read."""
        if self.written and not self._together:
            raise self.refused(sql)
        try:
            rows = self._file.execute(sql, parameters).fetchall()
        except sqlite3.Error as error:
            raise self.refused(sql) from error
        self.asked.append(Asked(sql, parameters, rows))
        return rows

    @contextmanager
    def together(self) -> Iterator[None]:
        """What is read in this block is not what it writes (audit.statements.sent_together)."""
        if self._together:
            yield
            return
        if self.written:
            raise self.refused("written before")
        self._together = True
        yield
        self._together = False


def behind_lock(conn: object) -> None:
    """Call it before what no transaction takes back: that is done behind the lock, and once.

    Raises NotRehearsed.
    """
    if type(conn) is Rehearsal:
        raise conn.refused("not to be taken back")
