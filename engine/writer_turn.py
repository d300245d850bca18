"""Whose turn it is to write to a SQLite file: first come, first served, in all processes.

SQLite itself has no queue: whoever finds the file locked sleeps and tries again, ever more seldom,
while others slip in; among eight writers one may wait for seconds. A turn is a courtesy and no
safety: BEGIN IMMEDIATE keeps writers apart with it or without it.

Crash order: the turn is taken before BEGIN and given on after COMMIT or ROLLBACK has come back from
the disk. It is held by the operating system (flock), so a process that dies gives it on.
"""

import os
import sqlite3
from collections import deque
from threading import Lock, get_ident
from typing import Any, Final

try:
    import fcntl
except ImportError:  # Windows: turns within one process only
    fcntl = None  # type: ignore[assignment]

# Whoever has waited so long goes without a turn, and SQLite then says that the database is busy.
MOST_WAIT: Final = 30.0


class Line:
    """Threads of one process, one of whom is at the front; the others in the order they came."""

    def __init__(self) -> None:
        self._guard = Lock()
        self._places: deque[Lock] = deque()
        self._busy = False

    def take(self, wait: float = MOST_WAIT) -> bool:
        """Wait for the front, in seconds at most; whether it was reached."""
        with self._guard:
            if not self._busy:
                self._busy = True
                return True
            place = Lock()
            place.acquire()
            self._places.append(place)
        if place.acquire(timeout=wait):
            return True
        with self._guard:
            if place not in self._places:
                return True  # handed over at this very moment
            self._places.remove(place)
            return False

    def give(self) -> None:
        """Let whoever waits longest come to the front."""
        with self._guard:
            if self._places:
                self._places.popleft().release()
            else:
                self._busy = False

    def is_busy(self) -> bool:
        """Whether somebody is at the front."""
        return self._busy

    def waits(self) -> bool:
        """Whether somebody stands behind the front."""
        return bool(self._places)


class Turn:
    """The turn of one file: a line within this process, whose front waits for the others'."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._line = Line()
        self._owner: int | None = None
        self._file: int | None = None

    def take(self, wait: float = MOST_WAIT) -> bool:
        """Wait for the turn, at most so many seconds in this process's line; whether it came.

        Whoever has it already by another connection does not get it again. One thread of a process
        at most waits for another process, as long as that takes: it may have been stopped.
        """
        if self._owner == get_ident() or not self._line.take(wait):
            return False
        self._owner = get_ident()
        self._lock_file()
        return True

    def give(self) -> None:
        """Give the turn on to whoever waits longest."""
        if self._file is not None:
            fcntl.flock(self._file, fcntl.LOCK_UN)
        self._owner = None
        self._line.give()

    def is_free(self) -> bool:
        """Whether nobody has it, in any process, at this moment."""
        if not self._line.take(0):
            return False
        try:
            self._lock_file(wait=False)
            if self._file is not None:
                fcntl.flock(self._file, fcntl.LOCK_UN)
        except BlockingIOError:
            return False
        finally:
            self._line.give()
        return True

    def _lock_file(self, *, wait: bool = True) -> None:
        # Beside the database and not the file itself: closing that one would take SQLite's locks.
        # Where it cannot be had (a folder that may only be read), this process's line must do.
        try:
            if self._file is None and fcntl is not None:
                self._file = os.open(f"{self._path}.turn", os.O_RDWR | os.O_CREAT, 0o660)
            if self._file is not None:
                fcntl.flock(self._file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            raise
        except OSError:
            return


_turns: dict[str, Turn] = {}
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_turns.clear)


def turn_of(path: str) -> Turn:
    """The turn of the database with this path, one in a process."""
    found = _turns.get(path)
    if found is None:
        # By whatever name it is opened; looking that up goes through every folder above.
        real = os.path.realpath(path)
        found = _turns[path] = _turns.setdefault(real, Turn(real))
    return found


def is_free(path: str | None) -> bool:
    """Whether nobody has the turn of this file now; that of a database in memory is always free."""
    return path is None or not _has_turns(path) or turn_of(path).is_free()


def _has_turns(database: str) -> bool:
    return bool(database) and not database.startswith(("file:", ":memory:"))


class TurnConnection(sqlite3.Connection):
    """A connection that can have the turn of its file, and gives it on when it has written."""

    def __init__(self, database: str, *args: Any, **more: Any) -> None:
        super().__init__(database, *args, **more)
        self._turn = turn_of(database) if _has_turns(database) else None
        self._mine = False

    def take_turn(self) -> None:
        """Wait for the turn before a writing transaction begins."""
        if self._turn and not self._mine:
            self._mine = self._turn.take()

    def give_turn(self) -> None:
        """Give the turn on, if it is this connection's."""
        if self._turn and self._mine:
            self._mine = False
            self._turn.give()

    def commit(self) -> None:
        """Commit; the next writer begins once it is on the disk."""
        super().commit()
        self.give_turn()

    def rollback(self) -> None:
        """Roll back; the next writer begins."""
        try:
            super().rollback()
        finally:
            self.give_turn()

    def close(self) -> None:
        """Close, which rolls back what was not committed."""
        try:
            super().close()
        finally:
            self.give_turn()
