"""Core statements compiled once per dialect, for the few that every step of every case runs.

They go to the driver as they are: Core's own execution needs 40 µs of Python a call where SQLite
needs 7 (benchmarks/steps.py). The parameters here are text, integers and bytes, which both drivers
take and give back unchanged. What the driver refuses is told as Core would tell it.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

from sqlalchemy import Connection, Select
from sqlalchemy.sql.expression import Executable


class Statement:
    """A statement to be run with `conn` and parameters by name."""

    __slots__ = ("_columns", "_compiled", "_core")

    def __init__(self, core: Executable) -> None:
        self._core = core
        self._compiled: dict[str, tuple[str, tuple[str, ...] | None, dict[str, Any]]] = {}
        self._columns = core.selected_columns.keys() if isinstance(core, Select) else []

    def first(self, conn: Connection, parameters: Mapping[str, Any]) -> Any:
        """The first row, its columns by name, or None."""
        sql, names, fixed = self._for(conn)
        cursor = _execute(conn, sql, _bound(names, fixed, parameters))
        found = cursor.fetchone()
        if found is None:
            return None
        return SimpleNamespace(**dict(zip(self._columns, found, strict=True)))

    def rows(self, conn: Connection, parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
        """All rows, each by the names of its columns."""
        sql, names, fixed = self._for(conn)
        cursor = _execute(conn, sql, _bound(names, fixed, parameters))
        return [dict(zip(self._columns, row, strict=True)) for row in cursor.fetchall()]

    def run(self, conn: Connection, parameters: Mapping[str, Any]) -> int:
        """Execute once; returns how many rows it wrote."""
        sql, names, fixed = self._for(conn)
        return int(_execute(conn, sql, _bound(names, fixed, parameters)).rowcount)

    def run_all(self, conn: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        """Execute once per row."""
        sql, names, fixed = self._for(conn)
        if len(rows) == 1:
            _execute(conn, sql, _bound(names, fixed, rows[0]))
        elif rows:
            _execute(conn, sql, [_bound(names, fixed, row) for row in rows])

    def _for(self, conn: Connection) -> tuple[str, tuple[str, ...] | None, dict[str, Any]]:
        known = self._compiled.get(conn.dialect.name)
        if known is None:
            compiled = self._core.compile(dialect=conn.dialect)  # type: ignore[attr-defined]
            names = tuple(compiled.positiontup) if compiled.positiontup else None
            fixed = {name: value for name, value in compiled.params.items() if value is not None}
            known = self._compiled[conn.dialect.name] = (str(compiled), names, fixed)
        return known


def execute(conn: Connection, sql: str, parameters: Any) -> Any:
    """Send a statement to the driver; a list of parameters is one execution each.

    Gives what has fetchone, fetchall and rowcount. Raises what Core raises: SQLAlchemy's errors, a
    lost connection marked as lost. Whoever listens to statements hears these too.
    """
    if conn.dispatch.before_cursor_execute:
        return conn.exec_driver_sql(sql, parameters)
    cursor = conn.connection.cursor()
    try:
        if type(parameters) is list:
            cursor.executemany(sql, parameters)
        else:
            cursor.execute(sql, parameters)
    except BaseException as error:
        conn._handle_dbapi_exception(error, sql, parameters, cursor, None)
    return cursor


@contextmanager
def sent_together(conn: Connection) -> Iterator[None]:
    """What is written in the block goes to PostgreSQL in one go, and one answer is waited for.

    Nothing is known of a statement before the end of the block: neither how many rows it wrote nor
    that it was refused; only then what Core raises is raised. Where somebody listens to statements,
    and on SQLite, they go one by one.
    """
    driver: Any = conn.connection.driver_connection
    if not hasattr(driver, "pipeline") or conn.dispatch.before_cursor_execute:
        yield
        return
    try:
        with driver.pipeline():
            yield
    except _errors(conn) as error:
        conn._handle_dbapi_exception(error, "(several)", None, None, None)


def _errors(conn: Connection) -> type[Exception]:
    found: type[Exception] = conn.dialect.loaded_dbapi.Error
    return found


def _execute(conn: Connection, sql: str, parameters: Any) -> Any:
    # Outside a transaction Core begins one.
    send = execute if conn.in_transaction() else Connection.exec_driver_sql
    return send(conn, sql, parameters)


def _bound(names: tuple[str, ...] | None, fixed: dict[str, Any], given: Mapping[str, Any]) -> Any:
    """Parameters in the order or by the name the driver wants them."""
    if names is None:
        return {**fixed, **given}
    if fixed:
        given = {**fixed, **given}
    return tuple([given[name] for name in names])
