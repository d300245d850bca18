"""Opens the database: one code for SQLite and PostgreSQL, every transaction honest on both."""

from pathlib import Path
from typing import Any, Final

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import URL, Connection, make_url
from sqlalchemy.pool import QueuePool

from audit.statements import execute
from engine.writer_turn import TurnConnection


def open_database(url: str, *, pool_size: int = 10) -> Engine:
    """Open `sqlite:///path` or `postgresql+psycopg://…`; nothing is created but SQLite's folder."""
    address = make_url(url)
    if address.get_backend_name() == "sqlite":
        if address.database:
            Path(address.database).parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine(
            address,
            poolclass=QueuePool,
            pool_size=pool_size,
            max_overflow=20,
            connect_args={"factory": TurnConnection},
        )
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    return open_postgresql(address, pool_size=pool_size, max_overflow=20)


# Where the network to PostgreSQL is cut nobody says so: without these a step whose COMMIT was sent
# would wait a quarter of an hour for an answer (TCP's own patience), a connection that waits two
# hours. Seconds, but for the last, which is milliseconds; what the address itself says holds.
PATIENCE: Final = {
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}


# What an address says of the pooler it leads to, and what it may say.
POOLER, PREPARES = "pooler", "prepares"


def open_postgresql(address: URL, **more: Any) -> Engine:
    """PostgreSQL, straight or through a pooler that may give each transaction another connection.

    more: for `create_engine`. Nothing of ours outlives a transaction on a connection: no SET, no
    session lock, no LISTEN, no temporary table. What the driver would keep there, statements it has
    prepared, it does not where a pooler stands between; but for one that keeps them for its clients
    (PgBouncer from 1.21 on), of which the address says so: `?pooler=prepares`.
    """
    from engine.planned_anew import PlannedAnew  # optional: only who has PostgreSQL has its driver

    told: dict[str, Any] = {"cursor_factory": PlannedAnew}
    told |= {name: value for name, value in PATIENCE.items() if name not in address.query}
    told |= more.pop("connect_args", {})
    prepares = address.query.get(POOLER) == PREPARES
    engine = create_engine(address.difference_update_query([POOLER]), connect_args=told, **more)
    if not prepares:
        event.listen(engine, "connect", _fit_pooler)
    return engine


def through_pooler(connection: Any) -> bool:
    """Whether a pooler stands between this psycopg connection and PostgreSQL.

    A pooler makes up the process number that clients cancel by; PostgreSQL itself tells the true
    one. Ends the transaction.
    """
    told = connection.execute("SELECT pg_backend_pid()").fetchone()[0]
    connection.rollback()
    return bool(told != connection.info.backend_pid)


def keeps_prepared(connection: Any, other: Any) -> bool:
    """Whether what this psycopg connection prepares is still there in its next transaction.

    other: another one, which meanwhile has what PostgreSQL prepared it on, if a pooler gives that
    to whoever comes. Ends the transactions of both.
    """
    from psycopg import DatabaseError  # optional, as above

    question = "SELECT 1 AS prepared"
    connection.execute(question, prepare=True)
    connection.commit()  # after a ROLLBACK the driver would prepare it anew
    other.execute("SELECT 1")
    try:
        connection.execute(question, prepare=True)
    except DatabaseError:
        return False
    finally:
        for one in (connection, other):
            one.rollback()
    return True


def _fit_pooler(connection: Any, _record: Any) -> None:
    if through_pooler(connection):
        connection.prepare_threshold = None


def reading(engine: Engine) -> Engine:
    """The same database for readers: what a transaction of theirs reads is of one moment.

    On SQLite they begin without taking the one writer's lock, on PostgreSQL as REPEATABLE READ,
    READ ONLY: else a report would be of as many moments as it asks questions.
    """
    if engine.dialect.name != "postgresql":
        return engine.execution_options(shaoji_reads=True)
    return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # pysqlite's own transaction handling loses updates silently (read, then update, no error):
    # it is switched off here and every BEGIN is ours.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    # FULL: an acknowledged step must survive power loss; NORMAL may lose the last commits.
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA busy_timeout=30000")
    cursor.execute("PRAGMA foreign_keys=ON")
    # Without it INSERT OR REPLACE deletes the old row without firing the delete trigger.
    cursor.execute("PRAGMA recursive_triggers=ON")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # A deferred BEGIN that reads and then writes fails at once with SQLITE_BUSY_SNAPSHOT,
    # whatever the timeout: writers take the lock first.
    reads = connection.get_execution_options().get("shaoji_reads")
    if reads:
        execute(connection, "BEGIN", ())
        return
    file = connection.connection.driver_connection
    assert isinstance(file, TurnConnection)  # noqa: S101 - opened above
    file.take_turn()
    try:
        execute(connection, "BEGIN IMMEDIATE", ())
    except BaseException:
        file.give_turn()
        raise
