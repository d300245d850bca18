"""Core statements compiled once per dialect, for the few that every step of every case runs.

Core's own execution looks the statement up and processes each parameter anew: 28 µs a call where
the database itself needs 7 (benchmarks/steps.py). The parameters here are text, integers and
bytes, which both drivers take as they are.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, CursorResult
from sqlalchemy.sql.expression import Executable


class Statement:
    """A statement to be run with `conn` and parameters by name, like Core's own."""

    __slots__ = ("_compiled", "_core")

    def __init__(self, core: Executable) -> None:
        self._core = core
        self._compiled: dict[str, tuple[str, tuple[str, ...] | None, dict[str, Any]]] = {}

    def run(self, conn: Connection, parameters: Mapping[str, Any]) -> CursorResult[Any]:
        """Execute once."""
        sql, names, fixed = self._for(conn)
        return conn.exec_driver_sql(sql, _bound(names, fixed, parameters))

    def run_all(self, conn: Connection, rows: Sequence[Mapping[str, Any]]) -> CursorResult[Any]:
        """Execute once per row."""
        sql, names, fixed = self._for(conn)
        return conn.exec_driver_sql(sql, [_bound(names, fixed, row) for row in rows])

    def _for(self, conn: Connection) -> tuple[str, tuple[str, ...] | None, dict[str, Any]]:
        known = self._compiled.get(conn.dialect.name)
        if known is None:
            compiled = self._core.compile(dialect=conn.dialect)  # type: ignore[attr-defined]
            names = tuple(compiled.positiontup) if compiled.positiontup else None
            fixed = {name: value for name, value in compiled.params.items() if value is not None}
            known = self._compiled[conn.dialect.name] = (str(compiled), names, fixed)
        return known


def _bound(names: tuple[str, ...] | None, fixed: dict[str, Any], given: Mapping[str, Any]) -> Any:
    """Parameters in the order or by the name the driver wants them."""
    if names is None:
        return {**fixed, **given}
    if fixed:
        given = {**fixed, **given}
    return tuple([given[name] for name in names])
