"""Core statements compiled once per dialect, for the few that every step of every case runs.

They go to the driver as they are: Core's own execution needs 40 µs of Python a call where SQLite
needs 7 (benchmarks/steps.py). The parameters here are text, integers and bytes, which both drivers
take and give back unchanged. What the driver refuses is told as Core would tell it.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, Final

from sqlalchemy import Connection, Select
from sqlalchemy.sql.expression import Executable

from audit.composed import Sent, composed, native
from audit.rehearsal import Rehearsal, Written

# Rows of one part of what is sent together. With more it would hardly ever be the same statement
# again, and the server had to plan it each time: they are sent by themselves, behind what waits.
MOST_ROWS: Final = 32


class Statement:
    """A statement to be run with `conn` and parameters by name."""

    __slots__ = ("_columns", "_core", "_forms")

    def __init__(self, core: Executable) -> None:
        self._core = core
        self._forms: dict[str, _Form] = {}
        self._columns = core.selected_columns.keys() if isinstance(core, Select) else []

    def first(self, conn: Connection, parameters: Mapping[str, Any]) -> Any:
        """The first row, its columns by name, or None."""
        found = self._ask(conn, parameters)
        if not found:
            return None
        return SimpleNamespace(**dict(zip(self._columns, found[0], strict=True)))

    def rows(self, conn: Connection, parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
        """All rows, each by the names of its columns."""
        found = self._ask(conn, parameters)
        return [dict(zip(self._columns, row, strict=True)) for row in found]

    def run(self, conn: Connection, parameters: Mapping[str, Any]) -> int:
        """Execute once, behind what was put before; returns how many rows it wrote.

        In a rehearsal that is one; if it is another behind the lock, nothing of it is kept.
        """
        form = self._form(conn)
        if rehearsal := _rehearsal(conn):
            rehearsal.written.append(Written(form.sql, form.bound(parameters), 1))
            return 1
        waiting = _waiting.get(conn) if _waiting else None
        if waiting is None:
            return int(_execute(conn, form, form.bound(parameters)).rowcount)
        waiting.append((form, [parameters]))
        return _flush(conn, waiting)

    def run_all(self, conn: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        """Execute once per row; within `sent_together` not before that sends it."""
        if not rows:
            return
        form = self._form(conn)
        waiting = _waiting.get(conn) if _waiting else None
        if waiting is not None:
            if len(rows) <= MOST_ROWS:
                waiting.append((form, rows))
                return
            _flush(conn, waiting)
        bound = [form.bound(row) for row in rows]
        told = bound[0] if len(bound) == 1 else bound
        if rehearsal := _rehearsal(conn):
            rehearsal.written.append(Written(form.sql, told))
            return
        _execute(conn, form, told)

    def _ask(self, conn: Connection, parameters: Mapping[str, Any]) -> list[Any]:
        form = self._form(conn)
        bound = form.bound(parameters)
        if rehearsal := _rehearsal(conn):
            return rehearsal.ask(form.sql, bound)
        found: list[Any] = _execute(conn, form, bound).fetchall()
        return found

    def _form(self, conn: Connection) -> "_Form":
        form = self._forms.get(conn.dialect.name)
        if form is None:
            form = self._forms[conn.dialect.name] = _form(self._core, conn)
        return form


class _Form:
    """A statement as a driver takes it; `native` is how PostgreSQL itself takes it."""

    __slots__ = ("_fixed", "_names", "native", "sql")

    def __init__(self, sql: str, native: str | None, names: Sequence[str], fixed: Any) -> None:
        self.sql, self.native = sql, native
        self._names, self._fixed = tuple(names), fixed

    def bound(self, given: Mapping[str, Any]) -> tuple[Any, ...]:
        """Parameters in the order the driver wants them."""
        if self._fixed:
            given = {**self._fixed, **given}
        return tuple([given[name] for name in self._names])


def _form(core: Any, conn: Connection) -> _Form:
    ours = conn.dialect.name == "postgresql"
    kind: Any = type(conn.dialect)
    dialect = kind(paramstyle="format") if ours else conn.dialect
    compiled = core.compile(dialect=dialect)
    fixed = {name: value for name, value in compiled.params.items() if value is not None}
    sql = str(compiled)
    return _Form(sql, native(sql) if ours else None, compiled.positiontup or (), fixed)


def _rehearsal(conn: object) -> Rehearsal | None:
    return conn if type(conn) is Rehearsal else None


def done_as_rehearsed(conn: Connection, rehearsal: Rehearsal) -> bool:
    """Write what a command would write, if all it asked is answered alike; whether that was so.

    conn: behind the lock, in a transaction that is to be rolled back if this raises.
    """
    for one in rehearsal.asked:
        if execute(conn, one.sql, one.parameters).fetchall() != one.rows:
            return False
    for each in rehearsal.written:
        touched = execute(conn, each.sql, each.parameters).rowcount
        if each.rows not in (None, touched):
            raise RuntimeError(f"{touched} rows instead of {each.rows}: {each.sql}")
    return True


def execute(conn: Connection, sql: str, parameters: Any) -> Any:
    """Send a statement to the driver; a list of parameters is one execution each.

    Gives what has fetchone, fetchall and rowcount. Raises what Core raises: SQLAlchemy's errors, a
    lost connection marked as lost. Whoever listens to statements hears these too.
    """
    if conn.dispatch.before_cursor_execute:
        return conn.exec_driver_sql(sql, parameters)
    return _run(conn, conn.connection.cursor(), sql, parameters)


def _execute(conn: Connection, form: _Form, parameters: Any) -> Any:
    # Outside a transaction Core begins one, and Core tells whoever listens.
    if not conn.in_transaction() or conn.dispatch.before_cursor_execute:
        return conn.exec_driver_sql(form.sql, parameters)
    if form.native is None:
        return _run(conn, conn.connection.cursor(), form.sql, parameters)
    return _run_native(conn, form.native, parameters)


def _run_native(conn: Connection, sql: str, parameters: Any, **how: Any) -> Any:
    """Without looking through the statement for its parameters, and answered in binary."""
    from psycopg import RawCursor  # optional: only who has PostgreSQL has it

    cursor: Any = RawCursor(conn.connection.driver_connection)  # type: ignore[arg-type]
    cursor.format = 1  # binary
    several = type(parameters) is list
    told = [_told(row) for row in parameters] if several else _told(parameters)
    return _run(conn, cursor, sql, told, **how)


def _told(row: Sequence[Any]) -> tuple[Any, ...]:
    # As numbers they would be of one of three types by their size, and what was planned for one
    # would be planned anew for another. The statement says what they are.
    return tuple([str(one) if type(one) is int else one for one in row])


def _run(conn: Connection, cursor: Any, sql: str, parameters: Any, **how: Any) -> Any:
    try:
        if type(parameters) is list:
            cursor.executemany(sql, parameters)
        else:
            cursor.execute(sql, parameters, **how)
    except BaseException as error:
        conn._handle_dbapi_exception(error, sql, parameters, cursor, None)
    return cursor


_sent = Sent()
_waiting: dict[Connection, list[tuple[_Form, Sequence[Mapping[str, Any]]]]] = {}


@contextmanager
def sent_together(conn: Connection) -> Iterator[None]:
    """What is written in the block goes to PostgreSQL as one statement (audit.composed).

    It goes when one of them has to answer (`run`) or the outermost such block ends; only then it is
    known that it was refused. What is read in the block is read before it is written, and no row is
    written twice. Where somebody listens to statements, and on SQLite, they go one by one.
    """
    if rehearsal := _rehearsal(conn):
        with rehearsal.together():
            yield
        return
    if (
        conn.dialect.name != "postgresql"
        or conn in _waiting
        or conn.dispatch.before_cursor_execute
        or not conn.in_transaction()
    ):
        yield
        return
    waiting = _waiting[conn] = []
    try:
        yield
        _flush(conn, waiting)
    finally:
        del _waiting[conn]


def _flush(conn: Connection, waiting: list[tuple[_Form, Sequence[Mapping[str, Any]]]]) -> int:
    """Send what waits; returns how many rows the last of it wrote."""
    if not waiting:
        return 0
    sql = composed([(form.sql, len(rows)) for form, rows in waiting])
    parameters = [one for form, rows in waiting for row in rows for one in form.bound(row)]
    waiting.clear()
    prepare = None if _sent.often(sql) else False
    return int(_run_native(conn, sql, tuple(parameters), prepare=prepare).rowcount)
