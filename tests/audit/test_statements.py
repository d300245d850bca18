"""Statements sent to the driver behave as Core's own: errors, listeners, transactions."""

from typing import Any

import pytest
from sqlalchemy import (
    Column,
    Integer,
    MetaData,
    Table,
    Text,
    bindparam,
    event,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.exc import DBAPIError, IntegrityError

from audit.statements import MOST_ROWS, Statement, sent_together
from tests.conftest import Street

SHELF = Table("shelf", MetaData(), Column("n", Integer, primary_key=True), Column("word", Text))
INSERT = Statement(insert(SHELF))
UPDATE = Statement(update(SHELF).where(SHELF.c.n >= bindparam("least")).values(word=bindparam("w")))
SELECT = Statement(select(SHELF).where(SHELF.c.n >= bindparam("least")).order_by(SHELF.c.n))


@pytest.fixture(autouse=True)
def _shelf(street: Street) -> None:
    with street.database.begin() as conn:
        SHELF.create(conn)


def words(street: Street) -> list[dict[str, Any]]:
    with street.database.begin() as conn:
        return SELECT.rows(conn, {"least": 0})


def test_rows_are_told_by_the_names_of_their_columns(street: Street) -> None:
    with street.database.begin() as conn:
        assert SELECT.first(conn, {"least": 0}) is None
        assert INSERT.run(conn, {"n": 1, "word": "哨"}) == 1
        INSERT.run_all(conn, [{"n": 2, "word": "迹"}, {"n": 3, "word": None}])
        INSERT.run_all(conn, [])
        found = SELECT.first(conn, {"least": 2})
        assert (found.n, found.word) == (2, "迹")
    assert [row["word"] for row in words(street)] == ["哨", "迹", None]


def put_twice(street: Street) -> None:
    with street.database.begin() as conn:
        INSERT.run(conn, {"n": 1, "word": "a"})
        INSERT.run(conn, {"n": 1, "word": "b"})


def ask_when_cut(street: Street) -> None:
    with street.database.connect() as conn:
        pid = conn.execute(text("SELECT pg_backend_pid()")).scalar()
        with street.database.begin() as other:
            other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
        SELECT.rows(conn, {"least": 0})


@pytest.mark.parametrize("heard", [False, True])
def test_what_the_driver_refuses_is_told_as_core_tells_it(street: Street, heard: bool) -> None:
    told: list[str] = []
    if heard:
        event.listen(
            street.database, "before_cursor_execute", lambda *args: told.append(str(args[2]))
        )
    with pytest.raises(IntegrityError):
        put_twice(street)
    assert words(street) == []
    assert any("INSERT INTO shelf" in sql for sql in told) is heard


def test_outside_a_transaction_one_begins_and_nothing_stays_without_its_commit(
    street: Street,
) -> None:
    with street.database.connect() as conn:
        INSERT.run(conn, {"n": 1, "word": "a"})
        assert conn.in_transaction()
    assert words(street) == []


def test_what_is_sent_together_is_one_statement_and_its_refusal_told_at_the_end(
    street: Street,
) -> None:
    with street.database.begin() as conn:
        with sent_together(conn):
            INSERT.run_all(conn, [{"n": 1, "word": "a"}])
            INSERT.run_all(conn, [{"n": 2, "word": "b"}, {"n": 3, "word": None}])
        if conn.dialect.name == "postgresql":
            # The number of the statement within its transaction that wrote a row.
            assert len(conn.execute(text("SELECT DISTINCT cmin FROM shelf")).all()) == 1
    assert [row["word"] for row in words(street)] == ["a", "b", None]
    with pytest.raises(IntegrityError):
        put_twice_together(street)
    assert [row["n"] for row in words(street)] == [1, 2, 3]


def put_twice_together(street: Street) -> None:
    with street.database.begin() as conn, sent_together(conn):
        INSERT.run_all(conn, [{"n": 4, "word": "d"}])
        INSERT.run_all(conn, [{"n": 4, "word": "e"}])


def test_one_that_has_to_answer_sends_what_waits_and_tells_its_own_rows(street: Street) -> None:
    with street.database.begin() as conn, sent_together(conn), sent_together(conn):
        INSERT.run_all(conn, [{"n": 1, "word": "a"}, {"n": 2, "word": "b"}])
        # Of the tables as they were before: of what is written with it, it sees nothing.
        assert UPDATE.run(conn, {"least": 3, "w": "c"}) == 0
        assert UPDATE.run(conn, {"least": 2, "w": "c"}) == 1
        INSERT.run_all(conn, [{"n": 3, "word": "d"}])
    assert [row["word"] for row in words(street)] == ["a", "c", "d"]


def test_more_rows_than_are_put_into_one_statement_are_all_written(street: Street) -> None:
    many = [{"n": n, "word": str(n)} for n in range(MOST_ROWS + 1)]
    with street.database.begin() as conn, sent_together(conn):
        INSERT.run_all(conn, [{"n": -1, "word": "a"}])
        INSERT.run_all(conn, many)
    assert len(words(street)) == len(many)
    with street.database.begin() as conn:
        assert UPDATE.run(conn, {"least": -1, "w": "all"}) == len(many) + 1


def test_whoever_listens_hears_each_by_itself(street: Street) -> None:
    told: list[str] = []
    event.listen(street.database, "before_cursor_execute", lambda *args: told.append(str(args[2])))
    with street.database.begin() as conn, sent_together(conn):
        INSERT.run_all(conn, [{"n": 1, "word": "a"}])
        assert UPDATE.run(conn, {"least": 1, "w": "b"}) == 1
    assert [sql[:6] for sql in told if "shelf" in sql] == ["INSERT", "UPDATE"]


def test_what_is_raised_between_what_is_sent_together_stays_what_it_is(street: Street) -> None:
    with pytest.raises(KeyError):
        put_and_raise(street)
    assert words(street) == []


def put_and_raise(street: Street) -> None:
    with street.database.begin() as conn, sent_together(conn):
        INSERT.run_all(conn, [{"n": 1, "word": "a"}])
        raise KeyError


def test_a_savepoint_takes_back_what_was_sent_behind_it(street: Street) -> None:
    with street.database.begin() as conn:
        INSERT.run(conn, {"n": 1, "word": "a"})
        inner = conn.begin_nested()
        INSERT.run(conn, {"n": 2, "word": "b"})
        inner.rollback()
    assert [row["n"] for row in words(street)] == [1]


def test_a_connection_the_server_has_cut_is_known_as_lost(street: Street) -> None:
    if street.database.dialect.name != "postgresql":
        pytest.skip("SQLite has no server")
    with pytest.raises(DBAPIError) as lost:
        ask_when_cut(street)
    assert lost.value.connection_invalidated
    assert words(street) == []  # the pool gives a new one
