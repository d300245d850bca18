"""Which cases process mining reads, and whether their recorded path is what their diagram gives.

Confidential cases are not among them: who may see one is decided case by case, and a file that has
left the house is seen by whoever has it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, select

from audit import log
from audit.encoding import timestamp
from audit.entries import Entry
from audit.mining.events import Trace, trace_of
from engine.definition_sets import set_table
from engine.errors import BadInput, NotFound
from engine.exports import element_facts
from engine.register import register_table
from engine.replay import Library, RecordDiffers, library, replay

_AT_ONCE: Final = 50


class UnknownProcess(NotFound):
    """No process with this key was ever deployed."""


class WrongPeriod(BadInput):
    """The period ends before it begins."""


@dataclass(frozen=True, slots=True)
class Conformance:
    """Of the cases of a process: how many replay with their pinned definition.

    imported: among them, begun from another system's record; of what was before, the history is
    told and not replayed. differing: (case, seq, what) of those that do not replay.
    """

    process: str
    cases: int
    replayed: int
    imported: int
    differing: tuple[tuple[str, int, str], ...]

    @property
    def share(self) -> int:
        """Of all cases, per mille."""
        return self.replayed * 1000 // self.cases


def open_cases(
    conn: Connection,
    *,
    process: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> list[str]:
    """The cases opened in [since, until), no confidential one; raises UnknownProcess, WrongPeriod.

    process: its key, or None for all.
    """
    if since is not None and until is not None and since >= until:
        raise WrongPeriod("结束日期早于开始日期，请改正。", "The period ends before it begins.")
    if process is not None:
        _known(conn, process)
    row = register_table.c
    query = select(row.case).where(row.confidential == 0).order_by(row.opened_at, row.case)
    if process is not None:
        query = query.where(row.process == process)
    if since is not None:
        query = query.where(row.opened_at >= timestamp(since))
    if until is not None:
        query = query.where(row.opened_at < timestamp(until))
    return list(conn.execute(query).scalars())


def traces(conn: Connection, cases: Sequence[str]) -> Iterator[Trace]:
    """The traces of these cases, some dozens in memory at once."""
    books = library(conn)
    for entries in _histories(conn, cases):
        pinned = books.definition(entries[0].data["definition"]["sha256"])
        yield trace_of(entries, element_facts(pinned))


def _histories(conn: Connection, cases: Sequence[str]) -> Iterator[list[Entry]]:
    for start in range(0, len(cases), _AT_ONCE):
        yield from log.read_each(conn, cases[start : start + _AT_ONCE]).values()


def conformance(conn: Connection, cases: Sequence[str]) -> list[Conformance]:
    """Replay each of these cases with its pinned definition; one row a process."""
    books = library(conn)
    found: dict[str, list[tuple[bool, tuple[str, int, str] | None]]] = {}
    for entries in _histories(conn, cases):
        data = entries[0].data
        told = ("imported" in data, _difference(entries, books))
        found.setdefault(data["process"], []).append(told)
    return [_row(process, told) for process, told in sorted(found.items())]


def _row(process: str, told: list[tuple[bool, tuple[str, int, str] | None]]) -> Conformance:
    differing = tuple(wrong for _, wrong in told if wrong is not None)
    imported = sum(one for one, _ in told)
    return Conformance(process, len(told), len(told) - len(differing), imported, differing)


def _difference(entries: Sequence[Entry], books: Library) -> tuple[str, int, str] | None:
    try:
        replay(entries, books)
    except RecordDiffers as wrong:
        return wrong.problem.case, wrong.problem.seq, wrong.problem.what
    return None


def _known(conn: Connection, process: str) -> None:
    keys = list(
        conn.execute(select(set_table.c.key).distinct().order_by(set_table.c.key)).scalars()
    )
    if process not in keys:
        there = "、".join(keys) or "无"
        raise UnknownProcess(
            f"没有部署过流程 {process}。现有流程：{there}。",
            f"No process {process} was deployed. There are: {', '.join(keys) or 'none'}.",
        )
