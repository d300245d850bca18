"""Commands of several threads in one SQLite transaction, and whose turn it is to write."""

import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from sqlalchemy import Connection, event, text
from sqlalchemy.exc import IntegrityError, OperationalError

from engine import together
from engine.together import writing
from engine.writer_turn import Line, Turn
from tests.conftest import Street, photo
from tests.engine.crash_writer import Sharing

ROOT = Path(__file__).parents[2]
PREPARED = {"kind": "wood", "pieces": 3}


class Refused(Exception):
    """Said no."""


@pytest.fixture
def sharing(sqlite_street: Street) -> Iterator[Sharing]:
    """A street on SQLite with a shelf beside its log; the log is verified at the end."""
    with sqlite_street.database.begin() as conn:
        conn.execute(text("CREATE TABLE shelf (word TEXT PRIMARY KEY)"))
    yield Sharing(sqlite_street.database, person=sqlite_street.person)
    sqlite_street.check()


def put(conn: Connection, word: str) -> None:
    conn.execute(text("INSERT INTO shelf VALUES (:word)"), {"word": word})


def words(street: Street) -> set[str]:
    """What another process would see."""
    file = sqlite3.connect(str(street.database.url.database))
    try:
        return {row[0] for row in file.execute("SELECT word FROM shelf")}
    finally:
        file.close()


@contextmanager
def commits(street: Street) -> Iterator[list[None]]:
    """Each COMMIT of the block, noted before it is sent."""
    told: list[None] = []

    def note(_: Any) -> None:
        told.append(None)

    event.listen(street.database, "commit", note)
    yield told
    event.remove(street.database, "commit", note)


def behind_one(street: Street, *commands: Callable[[Connection], Any]) -> list[Future[Any]]:
    """Run commands one in line behind the other, behind a first one that puts `first`."""
    group = together._groups.setdefault(street.database, together.Group(street.database))
    pool = ThreadPoolExecutor(len(commands) + 1)

    def run(command: Callable[[Connection], Any]) -> set[str]:
        with writing(street.database) as conn:
            command(conn)
        return words(street)

    def first(conn: Connection) -> None:
        begun.set()
        go_on.wait(10)
        put(conn, "first")

    begun, go_on = Event(), Event()
    futures = [pool.submit(run, first)]
    begun.wait(10)
    for command in commands:
        waiting = len(group._line._places)
        futures.append(pool.submit(run, command))
        while len(group._line._places) == waiting:
            time.sleep(0.001)
    go_on.set()
    pool.shutdown(wait=True)
    return futures


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine under load must not end a transaction early in these tests."""
    monkeypatch.setattr(together, "MOST_SECONDS", 60)


@pytest.mark.usefixtures("patient")
def test_commands_at_once_are_committed_together_and_told_so_only_then(sharing: Sharing) -> None:
    with commits(sharing) as told:
        done = behind_one(sharing, *(lambda conn, n=n: put(conn, f"w{n}") for n in range(5)))
    assert len(told) == 1
    everything = {"first", *(f"w{n}" for n in range(5))}
    assert all(one.result() == everything for one in done)


@pytest.mark.usefixtures("patient")
def test_one_that_is_refused_takes_back_its_own_and_nothing_else(sharing: Sharing) -> None:
    def refuse(conn: Connection) -> None:
        put(conn, "refused")
        raise Refused

    def twice(conn: Connection) -> None:
        put(conn, "twice")
        put(conn, "first")

    done = behind_one(
        sharing, refuse, lambda conn: put(conn, "second"), twice, lambda conn: put(conn, "third")
    )
    assert isinstance(done[1].exception(), Refused)
    assert isinstance(done[3].exception(), IntegrityError)
    assert [one.exception() for one in done[::2]] == [None, None, None]
    assert words(sharing) == {"first", "second", "third"}


@pytest.mark.usefixtures("patient")
def test_if_the_last_is_refused_the_others_are_kept(sharing: Sharing) -> None:
    def refuse(conn: Connection) -> None:
        raise Refused

    done = behind_one(sharing, refuse)
    assert isinstance(done[1].exception(), Refused)
    assert done[0].result() == {"first"}


@pytest.mark.usefixtures("patient")
def test_if_commit_fails_all_are_told_and_nothing_is_kept(sharing: Sharing) -> None:
    def fail(_: Connection) -> None:
        raise OperationalError("COMMIT", None, Exception("disk I/O error"))

    event.listen(sharing.database, "commit", fail)
    done = behind_one(sharing, lambda conn: put(conn, "second"))
    event.remove(sharing.database, "commit", fail)
    assert all(isinstance(one.exception(), OperationalError) for one in done)
    assert words(sharing) == set()
    sharing.report()


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("caught", [False, True])
def test_a_transaction_sqlite_took_back_by_itself_is_nobodys(
    sharing: Sharing, caught: bool
) -> None:
    # As SQLite does when the disk is full: everything is rolled back, those before as well.
    def lose(conn: Connection) -> None:
        conn.exec_driver_sql("ROLLBACK")
        if not caught:
            raise Refused

    done = behind_one(sharing, lose, lambda conn: put(conn, "third"))
    assert isinstance(done[0].exception(), OperationalError)
    assert done[1].exception() is not None
    assert "first" not in words(sharing)
    assert words(sharing) == (set() if done[2].exception() else {"third"})


def test_a_transaction_takes_in_no_more_than_its_most(
    sharing: Sharing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(together, "MOST_SECONDS", 60)
    monkeypatch.setattr(together, "MOST_MEMBERS", 3)
    with commits(sharing) as told:
        behind_one(sharing, *(lambda conn, n=n: put(conn, f"w{n}") for n in range(5)))
    assert len(told) == 2


def test_steps_of_eight_threads_are_all_done_and_in_order(sharing: Sharing) -> None:
    cases = [sharing.report() for _ in range(8)]

    def work(case: str) -> None:
        mine = Sharing(sharing.database, person=sharing.person)
        mine.complete(case, "prepare#1", "head", PREPARED)
        mine.complete(case, "make#1", "grid", {"what": "拆除"}, evidence=[photo()])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, cases))
    for case in cases:
        assert sharing.types(case).count("task.completed") == 2


# --- turns ---------------------------------------------------------------------------------------


def test_a_line_is_served_in_the_order_in_which_it_formed() -> None:
    line, order = Line(), list[int]()
    assert line.take()

    def stand(n: int) -> None:
        line.take()
        order.append(n)
        line.give()

    threads = []
    for n in range(6):
        threads.append(Thread(target=stand, args=(n,)))
        threads[-1].start()
        while len(line._places) <= n:
            time.sleep(0.001)
    line.give()
    for thread in threads:
        thread.join()
    assert order == list(range(6))
    assert not line.waits()


def test_whoever_has_waited_too_long_leaves_the_line_and_is_not_served_later() -> None:
    line = Line()
    line.take()
    assert not line.take(0.01)
    assert not line.waits()
    line.give()
    assert line.take(0)


def test_a_turn_is_one_processs_and_goes_on_when_that_dies(tmp_path: Path) -> None:
    path = str(tmp_path / "street.db")
    program = (
        "import sys, time; from engine.writer_turn import Turn; "
        f"Turn({path!r}).take(); print('mine', flush=True); time.sleep(60)"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout
    assert other.stdout.readline() == "mine\n"
    came, turn = Event(), Turn(path)

    def wait() -> None:
        turn.take()
        came.set()

    waiting = Thread(target=wait)
    waiting.start()
    assert not came.wait(0.3)
    other.kill()
    assert came.wait(20)
    waiting.join()
    other.wait()
    other.stdout.close()
    turn.give()


def test_whoever_has_the_turn_does_not_wait_for_it_by_another_connection(tmp_path: Path) -> None:
    turn = Turn(str(tmp_path / "street.db"))
    assert turn.take()
    assert not turn.take()
    turn.give()
    assert turn.take()
    turn.give()
