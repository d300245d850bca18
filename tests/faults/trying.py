"""A street whose every command is first tried out: with a fault, or sent more than once."""

import hashlib
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import Any

from sqlalchemy import Engine, event, inspect, text

from audit.statements import done_as_rehearsed
from engine import outbox
from engine.casework import Done
from engine.delivery import deliver_one
from engine.errors import Refusal
from engine.rebuild import rebuild
from engine.together import Group
from engine.vault import Vault
from tests.conftest import Street
from tests.engine.test_concurrency_and_crash import at_once
from tests.faults.commands import commands, keyed

Trial = Callable[["Trying", Callable[..., Any], tuple[Any, ...], dict[str, Any]], Any]
NAMES = {command: name for name, command in commands().items()}


@dataclass
class Trying(Street):
    """Runs each command by `trial` the first `times` times it is done, and plainly after that.

    share: of the points of a command one in so many is tried, drawn by `chance`, and its COMMIT.
    tried: how often each command went through a trial, by its name; points: fault points passed;
    rehearsed: the commands that were done as they had been rehearsed.
    """

    trial: Trial = field(kw_only=True)
    times: int = field(default=1, kw_only=True)
    share: int = field(default=1, kw_only=True)
    chance: Random = field(default_factory=Random, kw_only=True)
    tried: dict[str, int] = field(default_factory=dict, kw_only=True)
    points: int = field(default=0, kw_only=True)
    rehearsed: dict[str, Any] = field(default_factory=dict, kw_only=True)

    def do(self, command: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        name = NAMES.get(command)
        if name is None:
            return self.no_command(command, args, kwargs)
        if self.tried.get(name, 0) >= self.times:
            return super().do(command, *args, **kwargs)
        kwargs.setdefault("at", self.at)
        if keyed(command) and kwargs.get("key") is None:
            kwargs["key"] = f"try-{name}-{self.tried.get(name, 0)}"
        told = self.trial(self, command, args, kwargs)
        # What is refused was no trial of the command.
        self.tried[name] = self.tried.get(name, 0) + 1
        return told

    def no_command(self, command: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """Run what was not found to be a command; if it writes to the log, it should have been."""
        before = self.events()
        told = super().do(command, *args, **kwargs)
        assert self.events() == before, f"{command} writes to the log and is not in commands()"
        return told

    def events(self) -> int:
        with self.database.begin() as conn:
            return int(conn.execute(text("SELECT count(*) FROM event")).scalar_one())

    def deliver(self, vault: Vault | None = None) -> int:
        """Deliver what is on its way, each message by a command of its own."""
        delivered = 0
        while True:
            with self.database.begin() as conn:
                waiting = outbox.pending(conn)
            if not waiting:
                return delivered
            for message in waiting:
                delivered += self.do(deliver_one, message, vault=vault or self.vault)

    def plainly(self, command: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """Run a command in a transaction of its own."""
        with self.database.begin() as conn:
            return command(conn, *args, **kwargs)

    def chosen(self, command: Callable[..., Any], args: Any, kwargs: Any) -> Iterable[int]:
        """The numbers of the points to strike at, ascending: all, or a sample with its COMMIT."""
        if self.share == 1:
            return count()
        whole = Fault(10**6)
        beside = [self.vault.engine] if self.vault else []
        with struck(whole, self.database, *beside), self.database.connect() as conn:
            turn = conn.begin()
            command(conn, *args, **kwargs)
            turn.rollback()
        commit = [whole.passed, whole.passed + 1]
        drawn = [n for n in range(whole.passed) if self.chance.randrange(self.share) == 0]
        # Where an attempt left something outside the database, the next may pass more points.
        return [*drawn, *commit, whole.number]


# --- one fault --------------------------------------------------------------------------------


class Cut(Exception):
    """The connection was lost, or the power, at this point."""


@dataclass
class Fault:
    """Strikes at the point with this number.

    at: where it struck; acknowledged: that was after COMMIT was sent.
    """

    number: int
    passed: int = 0
    at: str = ""
    acknowledged: bool = False

    def point(self, where: str, *, committed: bool = False) -> None:
        self.passed += 1
        if self.passed > self.number and not self.at:
            self.at, self.acknowledged = where, committed
            raise Cut(where)


@contextmanager
def struck(fault: Fault, database: Engine, *others: Engine) -> Iterator[None]:
    """Every statement and COMMIT within passes two points of the fault: before it and after it.

    others: databases beside the log, whose COMMIT acknowledges nothing.
    """
    undo = [_watch(fault, one, acknowledges=one is database) for one in (database, *others)]
    try:
        yield
    finally:
        for one in undo:
            one()


def _watch(fault: Fault, engine: Engine, *, acknowledges: bool) -> Callable[[], None]:
    def before(conn: Any, cursor: Any, sql: str, *_: Any) -> None:
        fault.point(f"before {sql}")

    def after(conn: Any, cursor: Any, sql: str, *_: Any) -> None:
        fault.point(f"after {sql}")

    dialect, commit = engine.dialect, engine.dialect.do_commit

    def do_commit(connection: Any) -> None:
        fault.point("before COMMIT")
        commit(connection)
        fault.point("after COMMIT", committed=acknowledges)

    event.listen(engine, "before_cursor_execute", before)
    event.listen(engine, "after_cursor_execute", after)
    dialect.do_commit = do_commit  # type: ignore[method-assign]

    def undo() -> None:
        event.remove(engine, "before_cursor_execute", before)
        event.remove(engine, "after_cursor_execute", after)
        del dialect.do_commit

    return undo


# --- what stands in the database --------------------------------------------------------------


def everything(street: Street) -> object:
    """All that is committed, to compare: on SQLite every byte of the file, else of every row."""
    if street.database.dialect.name == "sqlite":
        return _bytes(street.database)
    return contents(street)


def _bytes(engine: Engine) -> str:
    connection = sqlite3.connect(str(engine.url.database))
    try:
        return hashlib.sha256(connection.serialize()).hexdigest()
    finally:
        connection.close()


def contents(street: Street) -> object:
    """Every row of every table, to compare: PostgreSQL adds them up itself."""
    if street.database.dialect.name == "sqlite":
        return rows(street)
    with street.database.begin() as conn:
        each = " UNION ALL ".join(
            f"SELECT '{name}', md5(string_agg(t::text, ',' ORDER BY t::text)) FROM \"{name}\" t"
            for name in _tables(conn)
        )
        return sorted(map(tuple, conn.execute(text(each))))


def rows(street: Street) -> dict[str, list[str]]:
    """Every row of every table."""
    with street.database.begin() as conn:
        return _rows(conn)


def _rows(conn: Any) -> dict[str, list[str]]:
    return {
        name: sorted(map(repr, conn.execute(text(f'SELECT * FROM "{name}"'))))
        for name in _tables(conn)
    }


def _tables(conn: Any) -> list[str]:
    return sorted(inspect(conn).get_table_names())


def check_rebuilt(street: Street) -> None:
    """Every projection is what a rebuild from the log gives."""
    with street.database.connect() as conn, conn.begin() as turn:
        before = _rows(conn)
        rebuild(conn)
        after = _rows(conn)
        turn.rollback()
    assert after == before, [name for name in before if after[name] != before[name]]


# --- the trials ---------------------------------------------------------------------------------


def rehearsed_at_every_point(
    street: Trying, command: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """The same for a command that was decided without the lock, and only is written behind it.

    A rehearsal changes no byte, and what is written after it is what is written without it.
    """

    def as_rehearsed(conn: Any, *args: Any, **kwargs: Any) -> Any:
        before = beside()
        done = Group(street.database).rehearse(lambda there: command(there, *args, **kwargs))
        assert beside() == before, f"{NAMES[command]}: its rehearsal changed something"
        if done and done_as_rehearsed(conn, done[0]):
            street.rehearsed[NAMES[command]] = command
            return done[1]
        return command(conn, *args, **kwargs)

    def beside() -> list[Any]:
        files = [street.database, *([street.vault.engine] if street.vault else [])]
        return [_bytes(one) for one in files]

    return at_every_point(street, command, args, kwargs, doing=as_rehearsed)


def at_every_point(
    street: Trying,
    command: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    doing: Callable[..., Any] | None = None,
) -> Any:
    """Cut a command at each of its points in turn: nothing of it is there, or all; then once more.

    After the last point, where COMMIT was sent and the answer lost, the same key sent again is
    answered and writes nothing.
    """
    beside = [street.vault.engine] if street.vault else []
    before, told, fault = everything(street), None, Fault(-1)
    for number in street.chosen(command, args, kwargs):
        fault = Fault(number)
        try:
            with struck(fault, street.database, *beside), street.database.begin() as conn:
                told = (doing or command)(conn, *args, **kwargs)
        except Cut:
            street.points += 1
        except Refusal:
            assert everything(street) == before, f"{NAMES[command]} refused"
            raise
        if fault.acknowledged or not fault.at:
            # Where the vault keeps what it did before, the next attempt passes fewer points.
            break
        assert everything(street) == before, f"{NAMES[command]}: {fault.at}"
    assert fault.acknowledged or not fault.at, f"{NAMES[command]} was not committed"
    if street.share == 1:
        check_rebuilt(street)
    if keyed(command):
        after = contents(street)
        street.plainly(command, args, kwargs)
        assert contents(street) == after, f"{NAMES[command]}: done twice for one key"
    return told


def sent_twice(
    street: Trying, command: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """Send a command twice at the same moment, and once more when both are answered.

    It is done once and answered alike. A command that takes no key is done plainly.
    """
    if not keyed(command):
        return street.plainly(command, args, kwargs)
    told = at_once(*[lambda: street.plainly(command, args, kwargs)] * 2)
    done = [one for one in told if not isinstance(one, Exception)]
    if all(isinstance(one, Refusal) for one in told):
        raise told[0]
    assert len(done) == 2, f"{NAMES[command]}: {told}"
    before = contents(street)
    done.append(street.plainly(command, args, kwargs))
    assert contents(street) == before, f"{NAMES[command]}: done again"
    answers = [_done(one) for one in done]
    assert len({(one.case, one.seq) for one in answers}) == 1, answers
    assert sorted(one.repeated for one in answers) == [False, True, True], answers
    return next(one for one in done if not _done(one).repeated)


def _done(told: Any) -> Done:
    return told if isinstance(told, Done) else told.done
