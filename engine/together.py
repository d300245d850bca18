"""Commands of several threads in one SQLite transaction: one write to the disk for all of them.

Who would have to wait for the one writer decides meanwhile, on what the file holds now, and behind
the lock it is only asked whether that still holds (audit.rehearsal). One thread of a process thinks
at a time, and none while one of them writes: they would only take the processor from each other,
and the lock would be held for as long as they do.

Each command stands behind a savepoint and is decided on what those before it did; one that is
refused takes back its own and nothing else. Whoever was next in line goes on in the same
transaction, and the last, behind whom nobody stands, commits.

Crash order: nobody is told that a command was done before the COMMIT that holds it has come back
from the disk. A crash before leaves nothing of any of them, and none was acknowledged; if COMMIT
fails all are told so. A command alone costs what it always did: no savepoint, its own COMMIT.
"""

import contextlib
import copy
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event
from typing import Final, TypeVar, cast
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import OperationalError

from audit.rehearsal import NotRehearsed, Rehearsal
from audit.statements import done_as_rehearsed, execute
from engine.writer_turn import Line, is_free

T = TypeVar("T")

# A transaction takes in no more than so many, nor any after so long: other processes wait for it.
MOST_MEMBERS: Final = 16
MOST_SECONDS: Final = 0.05
# Where somebody had to wait so short a time ago, in seconds, somebody soon will again.
LATELY: Final = 0.1


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A writing transaction, committed when the block is left and rolled back if it raises.

    On SQLite it may be shared with other threads of this process. Raises OperationalError where it
    cannot be begun or kept; nothing was done then. Not to be nested, nor committed within.
    """
    if engine.dialect.name != "sqlite":
        with engine.begin() as conn:
            yield conn
        return
    with _group(engine).member() as conn:
        yield conn


@contextmanager
def carried_out(
    engine: Engine, command: Callable[[Connection], T]
) -> Iterator[tuple[Connection, T]]:
    """The same with a command as its first part, whose answer the block is given.

    It may be called twice, the first time with a rehearsal for a connection: but for the connection
    it leaves no trace, and what could not be taken back stands behind `behind_lock`.
    """
    if engine.dialect.name != "sqlite":
        with engine.begin() as conn:
            yield conn, command(conn)
        return
    group = _group(engine)
    rehearsed = group.rehearse(command) if group.is_crowded() else None
    with group.member() as conn:
        if rehearsed and done_as_rehearsed(conn, rehearsed[0]):
            yield conn, rehearsed[1]
        else:
            yield conn, command(conn)


def _group(engine: Engine) -> "Group":
    return _groups.get(engine) or _groups.setdefault(engine, Group(engine))


@dataclass(slots=True)
class _Shared:
    """One transaction on its way: who began it and how many are in it; then how it ended.

    quiet: whether nobody else of this process thinks until it is committed.
    """

    conn: Connection
    began: float
    quiet: bool
    members: int = 0
    ended: Event = field(default_factory=Event)
    error: BaseException | None = None


class Group:
    """The threads of this process that write to one database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._line = Line()
        self._thinking = Line()
        self._open: _Shared | None = None
        self._crowded = -LATELY

    def is_crowded(self) -> bool:
        """Whether whoever wants to write has to wait, now or a moment ago.

        Nobody else has lately: deciding behind the lock keeps nobody waiting, and asks only once.
        """
        now = time.monotonic()
        here = self._line.is_busy() or self._thinking.is_busy()
        lately = now - self._crowded < LATELY
        if here or not (lately or is_free(self._engine.url.database)):
            self._crowded = now
            return True
        return lately

    def rehearse(self, command: Callable[[Connection], T]) -> tuple[Rehearsal, T] | None:
        """Rehearse a command on what the file holds now; None if it has to be done behind the lock.

        Raises what the command refuses: it would have been refused there at this moment, too. Where
        the file cannot be read, that is told behind the lock.
        """
        if not self._thinking.take():
            return None
        try:
            pooled = self._engine.raw_connection()
            try:
                file = cast(sqlite3.Connection, pooled.driver_connection)
                file.execute("BEGIN")
                rehearsal = Rehearsal(self._engine, file)
                told = command(cast(Connection, rehearsal))
                return None if rehearsal.broken else (rehearsal, told)
            except (NotRehearsed, sqlite3.Error):
                return None
            finally:
                pooled.close()  # rolls back
        finally:
            self._thinking.give()

    @contextmanager
    def member(self) -> Iterator[Connection]:
        """One command's part of a transaction; left when that is on the disk."""
        if not self._line.take():
            raise _busy()
        try:
            shared = self._open or self._begin()
        except BaseException:
            self._line.give()
            raise
        try:
            yield from self._part(shared)
        finally:
            # Still at the front: nobody else is at this transaction.
            if not self._goes_on(shared):
                self._end(shared)
            self._line.give()
        shared.ended.wait()
        if shared.error is not None:
            raise copy.copy(shared.error) from shared.error

    def _begin(self) -> _Shared:
        # Before the turn, not with it: others could write while the last ones think.
        self._let_think()
        conn = self._engine.connect()
        try:
            conn.begin()
        except BaseException:
            conn.close()
            raise
        self._open = _Shared(conn, time.monotonic(), self._thinking.take())
        return self._open

    def _let_think(self) -> None:
        """Wait for those who think already: their writing goes into the same transaction."""
        if self._thinking.take():
            self._thinking.give()

    def _part(self, shared: _Shared) -> Iterator[Connection]:
        conn, alone = shared.conn, shared.members == 0
        if not alone:
            execute(conn, "SAVEPOINT member", ())
        try:
            yield conn
            if not alone:
                execute(conn, "RELEASE member", ())
        except BaseException:
            if not alone:
                self._take_back(shared)
            raise
        shared.members += 1

    def _take_back(self, shared: _Shared) -> None:
        try:
            execute(shared.conn, "ROLLBACK TO member", ())
            execute(shared.conn, "RELEASE member", ())
        except OperationalError as error:
            # SQLite has rolled back everything by itself, as it does when the disk is full.
            shared.error = error

    def _goes_on(self, shared: _Shared) -> bool:
        return (
            self._line.waits()
            and shared.error is None
            and 0 < shared.members < MOST_MEMBERS
            and time.monotonic() - shared.began < MOST_SECONDS
        )

    def _end(self, shared: _Shared) -> None:
        self._open = None
        if shared.quiet:
            self._thinking.give()
        try:
            if shared.members and shared.error is None:
                # SQLite may have rolled back by itself, and somebody have caught what it said.
                if not _file(shared.conn).in_transaction:
                    raise _busy()
                shared.conn.commit()
        except BaseException as error:
            shared.error = error
            # Said to the driver: Core thinks its transaction over, whether COMMIT came or not.
            with contextlib.suppress(sqlite3.Error):
                _file(shared.conn).rollback()
        finally:
            try:
                shared.conn.close()  # rolls back what nobody wanted committed
            finally:
                shared.ended.set()


def _file(conn: Connection) -> sqlite3.Connection:
    file = conn.connection.driver_connection
    assert isinstance(file, sqlite3.Connection)  # noqa: S101 - only SQLite comes here
    return file


def _busy() -> OperationalError:
    return OperationalError("BEGIN IMMEDIATE", None, Exception("database is locked"))


_groups: "WeakKeyDictionary[Engine, Group]" = WeakKeyDictionary()
