"""The append-only tables on SQLite and PostgreSQL: who may write, and what nobody may."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from threading import Barrier, Thread
from typing import Any

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import DatabaseError, IntegrityError

from audit import log
from audit.chain import Problem
from audit.encoding import timestamp
from audit.entries import BodyTooLarge, Draft
from tests.conftest import NOON, ORIGIN, Street

ACTOR = {"person": "p-0001", "capacity": "report", "channel": "test"}
STREAM = "test-2026-00001"


@pytest.fixture(autouse=True)
def _whole_log(street: Street) -> Iterator[None]:
    yield
    with street.database.begin() as conn:
        for stream in log.streams(conn):
            found = [f for f in log.check(conn, stream, log=ORIGIN) if isinstance(f, Problem)]
            assert not found


def draft(words: str = "x", at: datetime = NOON) -> Draft:
    return Draft("case.urged", {"text": words}, ACTOR, at)


def put(conn: Connection, *words: str, at: datetime = NOON, stream: str = STREAM) -> log.Head:
    head = log.take(conn, stream)
    return log.append(conn, head, [draft(word, at) for word in words])[1]


def refused_sql(street: Street, *statements: str, told: str = "append-only") -> None:
    """Each statement alone is refused, on a connection of the application."""
    for statement in statements:
        with pytest.raises(DatabaseError, match=told), street.database.begin() as conn:
            conn.execute(text(statement))


def rows(street: Street, table: str = "event") -> list[Any]:
    with street.database.begin() as conn:
        return [tuple(row) for row in conn.execute(text(f"SELECT * FROM {table} ORDER BY 1, 2"))]


# --- append-only ----------------------------------------------------------------------------------


def test_an_event_cannot_be_changed(street: Street) -> None:
    before = rows(street)
    refused_sql(
        street,
        "UPDATE event SET body = body",
        "UPDATE event SET type = 'x' WHERE seq = 1",
        "UPDATE event SET seq = seq + 1000000",
        "UPDATE event SET hash = hash WHERE stream = '@people'",
    )
    assert rows(street) == before


def test_an_event_cannot_be_deleted(street: Street) -> None:
    before = rows(street)
    refused_sql(street, "DELETE FROM event", "DELETE FROM event WHERE seq = 1")
    assert rows(street) == before


def test_the_name_of_the_log_cannot_be_changed_or_given_twice(street: Street) -> None:
    refused_sql(street, "UPDATE log_origin SET origin = 'x'", "DELETE FROM log_origin")
    with pytest.raises(DatabaseError), street.database.begin() as conn:
        log.found(conn, "log.other.example")
    with pytest.raises(DatabaseError), street.database.begin() as conn:
        conn.execute(text("INSERT INTO log_origin (id, origin) VALUES (2, 'x')"))
    with street.database.begin() as conn:
        assert log.origin(conn) == ORIGIN


SAME = "SELECT stream, seq, type, at, body, hash FROM event WHERE stream = '@people' AND seq = 1"
OTHER_HASH = SAME.replace("body, hash", "body, x'00'")


def test_replacing_an_event_by_inserting_it_again_is_refused(sqlite_street: Street) -> None:
    # INSERT OR REPLACE deletes the old row without its delete trigger, unless told otherwise.
    before = rows(sqlite_street)
    for kind in ("INSERT OR REPLACE", "REPLACE", "INSERT", "INSERT OR IGNORE"):
        refused_sql(sqlite_street, f"{kind} INTO event {SAME}", f"{kind} INTO event {OTHER_HASH}")
    upsert = "ON CONFLICT (stream, seq) DO UPDATE SET body = x'00'"
    refused_sql(sqlite_street, f"INSERT INTO event {OTHER_HASH} {upsert}")
    by_hash = SAME.replace("stream, seq", "'elsewhere', 1")
    refused_sql(sqlite_street, f"INSERT OR REPLACE INTO event {by_hash}")
    assert rows(sqlite_street) == before


def test_replacing_is_refused_on_a_connection_that_knows_nothing_of_us(
    sqlite_street: Street,
) -> None:
    import sqlite3

    before = rows(sqlite_street)
    path = sqlite_street.database.url.database
    assert path
    plain = sqlite3.connect(path)
    for statement in (
        f"INSERT OR REPLACE INTO event {SAME}",
        f"INSERT OR REPLACE INTO event {OTHER_HASH}",
        "UPDATE OR REPLACE event SET seq = 1 WHERE seq = 2",
        "INSERT OR REPLACE INTO log_origin VALUES (1, 'x')",
        "INSERT OR REPLACE INTO log_origin VALUES (2, 'x')",
        "DELETE FROM event",
    ):
        with pytest.raises(sqlite3.DatabaseError, match="append-only"):
            plain.execute(statement)
    plain.close()
    assert rows(sqlite_street) == before


@pytest.mark.postgres
def test_the_table_cannot_be_emptied_nor_the_triggers_passed_as_a_replica(
    postgres_street: Street,
) -> None:
    before = rows(postgres_street)
    refused_sql(
        postgres_street,
        "TRUNCATE event CASCADE",
        "TRUNCATE log_origin",
        "SET session_replication_role = replica; UPDATE event SET type = 'x'",
        "SET session_replication_role = replica; DELETE FROM event",
        "SET session_replication_role = replica; TRUNCATE event CASCADE",
        "SET session_replication_role = replica; UPDATE log_origin SET origin = 'x'",
        "MERGE INTO event e USING event f ON e.hash = f.hash WHEN MATCHED THEN DELETE",
    )
    upsert = "ON CONFLICT (stream, seq) DO UPDATE SET type = 'x'"
    refused_sql(postgres_street, f"INSERT INTO event {SAME} {upsert}")
    assert rows(postgres_street) == before


# --- appending ------------------------------------------------------------------------------------


def test_events_are_numbered_and_linked_within_their_stream(street: Street) -> None:
    with street.database.begin() as conn:
        head = put(conn, "one", "two")
        put(conn, "elsewhere", stream="test-2026-00002")
        assert (head.seq, head.stream, head.log) == (2, STREAM, ORIGIN)
        head = put(conn, "three")
        read = log.read(conn, STREAM)
    assert [entry.data["text"] for entry in read] == ["one", "two", "three"]
    assert [entry.prev for entry in read] == ["", read[0].hash.hex(), read[1].hash.hex()]
    assert [entry.seq for entry in read] == [1, 2, 3]
    assert {entry.log for entry in read} == {ORIGIN}


def test_a_stream_is_read_from_a_number_on(street: Street) -> None:
    with street.database.begin() as conn:
        put(conn, "one", "two", "three")
        assert [entry.seq for entry in log.read(conn, STREAM, after=1)] == [2, 3]
        assert log.read(conn, STREAM, after=3) == []
        assert log.read(conn, "test-2026-09999") == []
        assert log.peek(conn, STREAM) == 3
        assert log.peek(conn, "test-2026-09999") is None


def test_what_is_rolled_back_was_never_there(street: Street) -> None:
    before = rows(street)
    with street.database.connect() as conn, conn.begin() as transaction:
        put(conn, "one")
        transaction.rollback()
    assert rows(street) == before
    with street.database.begin() as conn:
        assert log.take(conn, STREAM).seq == 0
        assert put(conn, "two").seq == 1


def test_every_event_waits_once_for_the_sequencer(street: Street) -> None:
    with street.database.begin() as conn:
        put(conn, "one", "two")
        events = set(conn.execute(text("SELECT hash FROM event")).scalars())
        waiting = list(conn.execute(text("SELECT hash FROM outbox")).scalars())
    assert sorted(map(bytes, waiting)) == sorted(map(bytes, events))


def test_a_clock_before_the_last_event_is_refused(street: Street) -> None:
    with street.database.begin() as conn:
        put(conn, "one")
    with (
        pytest.raises(log.ClockBehind, match=STREAM),
        street.database.begin() as conn,
    ):
        put(conn, "two", at=NOON - timedelta(milliseconds=1))
    with street.database.begin() as conn:
        # The same instant is in order; another stream has its own time.
        assert put(conn, "two").seq == 2
        assert put(conn, "x", at=NOON - timedelta(days=1), stream="test-2026-00002").seq == 1


def test_a_body_beyond_the_limit_writes_nothing_of_its_command(street: Street) -> None:
    with street.database.begin() as conn:
        put(conn, "one")
    with pytest.raises(BodyTooLarge), street.database.begin() as conn:
        put(conn, "two", "三" * 11_000)
    with street.database.begin() as conn:
        assert log.peek(conn, STREAM) == 1


def test_the_same_bytes_are_kept_once_in_the_whole_log(street: Street) -> None:
    with street.database.begin() as conn:
        put(conn, "one")
    for change in ("'elsewhere', 1", "'elsewhere', 7"):
        again = SAME.replace("'@people'", f"'{STREAM}'").replace("stream, seq", change, 1)
        with pytest.raises(DatabaseError), street.database.begin() as conn:
            conn.execute(text(f"INSERT INTO event {again}"))


# --- rivals ---------------------------------------------------------------------------------------


def test_a_writer_whose_head_is_no_longer_the_last_is_refused(street: Street) -> None:
    with street.database.begin() as conn:
        put(conn, "one")
    with street.database.begin() as conn:
        stale = log.take(conn, STREAM)
    with street.database.begin() as conn:
        put(conn, "two")
    with pytest.raises((IntegrityError, log.ForkRefused)), street.database.begin() as conn:
        log.append(conn, stale, [draft("a fork")])
    with street.database.begin() as conn:
        assert [entry.data["text"] for entry in log.read(conn, STREAM)] == ["one", "two"]


def test_a_writer_whose_head_was_moved_without_an_event_is_refused(street: Street) -> None:
    with street.database.begin() as conn:
        put(conn, "one")
        head = log.take(conn, STREAM)
    with street.database.connect() as conn, conn.begin() as transaction:
        conn.execute(text("UPDATE stream_head SET seq = 9 WHERE stream = :s"), {"s": STREAM})
        with pytest.raises(log.ForkRefused, match=STREAM):
            log.append(conn, head, [draft("two")])
        transaction.rollback()


def test_many_writers_at_once_make_one_chain_and_lose_nothing(street: Street) -> None:
    with street.database.begin() as conn:
        put(conn, "first")
    ready = Barrier(6)

    def write(name: int) -> None:
        ready.wait()
        for n in range(8):
            with street.database.begin() as conn:
                put(conn, f"{name} {n}", f"{name} {n} again")

    run_all(write, range(6))
    with street.database.begin() as conn:
        read = log.read(conn, STREAM)
    assert len(read) == 1 + 6 * 8 * 2
    words = [entry.data["text"] for entry in read[1:]]
    # What one transaction wrote stands together.
    assert all(words[n + 1] == f"{words[n]} again" for n in range(0, len(words), 2))
    for name in range(6):
        own = [word for word in words[::2] if word.startswith(f"{name} ")]
        assert own == [f"{name} {n}" for n in range(8)]


def test_the_first_writers_of_a_stream_write_one_after_the_other(street: Street) -> None:
    # There is no head yet that could be locked.
    ready = Barrier(6)

    def write(name: int) -> None:
        ready.wait()
        with street.database.begin() as conn:
            put(conn, f"{name}")

    run_all(write, range(6))
    with street.database.begin() as conn:
        read = log.read(conn, STREAM)
    assert sorted(entry.data["text"] for entry in read) == [f"{name}" for name in range(6)]


def run_all(work: Any, names: range) -> None:
    failed: list[BaseException] = []

    def guarded(name: int) -> None:
        try:
            work(name)
        except BaseException as error:
            failed.append(error)
            raise

    threads = [Thread(target=guarded, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed


# --- the head -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("UPDATE stream_head SET seq = 1 WHERE stream = :s", "head says 1 events, 2"),
        ("UPDATE stream_head SET seq = 3 WHERE stream = :s", "head says 3 events, 2"),
        ("DELETE FROM stream_head WHERE stream = :s", "head says 0 events, 2"),
        (
            "UPDATE stream_head SET hash = (SELECT min(hash) FROM event) WHERE stream = :s",
            "head",
        ),
    ],
)
def test_a_head_that_does_not_name_the_last_event_is_noticed(
    street: Street, change: str, told: str
) -> None:
    with street.database.connect() as conn, conn.begin() as transaction:
        put(conn, "one", "two")
        conn.execute(text(change), {"s": STREAM})
        *_, last = log.check(conn, STREAM, log=ORIGIN)
        assert isinstance(last, Problem)
        assert (last.case, last.seq) == (STREAM, 3)
        assert told in last.what
        transaction.rollback()


def test_a_head_without_events_is_noticed(street: Street) -> None:
    with street.database.connect() as conn, conn.begin() as transaction:
        conn.execute(
            text("INSERT INTO stream_head (stream, seq, hash, at) VALUES (:s, 1, :h, :t)"),
            {"s": STREAM, "h": b"x", "t": timestamp(NOON)},
        )
        assert STREAM in log.streams(conn)
        found = list(log.check(conn, STREAM, log=ORIGIN))
        assert found == [Problem(STREAM, 1, "the head says 1 events, 0 are there")]
        transaction.rollback()


def test_a_stream_read_as_another_log_is_noticed(street: Street) -> None:
    with street.database.begin() as conn:
        put(conn, "one")
        found = list(log.check(conn, STREAM, log="log.other.example"))
    assert isinstance(found[0], Problem)


def test_all_streams_are_listed_sorted(street: Street) -> None:
    with street.database.begin() as conn:
        put(conn, "x", stream="zebra-2026-00001")
        put(conn, "x")
        names = log.streams(conn)
    assert names == sorted(names)
    assert {"@calendar", "@definitions", "@people", "@units", STREAM} < set(names)


def test_a_database_without_a_log_says_so(tmp_path: Any) -> None:
    from engine.database import open_database
    from engine.schema import create_schema

    database = open_database(f"sqlite:///{tmp_path}/empty.db")
    create_schema(database)
    with database.begin() as conn, pytest.raises(LookupError, match="no log"):
        log.take(conn, STREAM)
    with database.begin() as conn, pytest.raises(LookupError, match="no log"):
        log.origin(conn)
    database.dispose()
