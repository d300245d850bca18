"""Who did what: every act of a person on a case as a row that can be searched.

A projection of the entries alone: it can be thrown away and rebuilt (engine.rebuild).
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from sqlalchemy import (
    Column,
    Connection,
    Index,
    Integer,
    Table,
    Text,
    bindparam,
    insert,
    select,
    text,
)

from audit.encoding import timestamp
from audit.entries import Entry
from audit.log import metadata
from audit.statements import Statement
from engine.state import CaseState

# Steps done that had a limit, as it stands in the index of them, so that the index answers.
MEASURED: Final = text("type = 'task.completed' AND allowed > 0")
ABSENT: Final = text("on_behalf_of IS NOT NULL")
LATE: Final = text("late > 0")

act_table = Table(
    "act",
    metadata,
    Column("case", Text, primary_key=True),
    Column("seq", Integer, primary_key=True),
    # Of its case, as it was opened and never changes: counting acts then asks no other table.
    Column("process", Text, nullable=False),
    Column("place", Text, nullable=False),
    Column("confidential", Integer, nullable=False),
    Column("at", Text, nullable=False),
    Column("type", Text, nullable=False),
    # What it was about: a step, a drawn message, or `report` for the opening itself.
    Column("element", Text),
    Column("person", Text, nullable=False),
    Column("on_behalf_of", Text),
    Column("post", Text),
    Column("unit", Text),
    Column("capacity", Text, nullable=False),
    # Of the step it ended, in minutes of its clock: used, allowed, past the limit (0 in time);
    # NULL without a clock.
    Column("used", Integer),
    Column("allowed", Integer),
    Column("late", Integer),
    Index("act_by_time", "at", "case", "seq"),
    Index("act_by_person", "person", "at"),
    # Of the few that have one: with the others in it, a planner that has counted takes it for no
    # help, and reads all acts by their time instead.
    Index("act_by_absent", "on_behalf_of", "at", sqlite_where=ABSENT, postgresql_where=ABSENT),
    Index("act_by_unit", "unit", "at"),
    Index("act_by_element", "element", "case"),
    Index("act_by_lateness", "at", "case", "seq", sqlite_where=LATE, postgresql_where=LATE),
    Index(
        "act_by_limit",
        "at",
        "unit",
        "used",
        "allowed",
        "place",
        "process",
        "confidential",
        sqlite_where=MEASURED,
        postgresql_where=MEASURED,
    ),
)

REPORT: Final = "report"
_INSERT: Final = Statement(insert(act_table))
_OF_CASE: Final = Statement(
    select(act_table).where(act_table.c.case == bindparam("c")).order_by(act_table.c.seq)
)


def keep(conn: Connection, case: CaseState, entries: Sequence[Entry]) -> None:
    """Write the acts among entries just recorded; what followed from an act stands behind it."""
    rows = list(rows_of(case, entries))
    if rows:
        _INSERT.run_all(conn, rows)


def kept(conn: Connection, case: str) -> list[dict[str, Any]]:
    """The rows of a case as they are stored, in order."""
    return _OF_CASE.rows(conn, {"c": case})


def rows_of(case: CaseState, entries: Iterable[Entry]) -> Iterator[dict[str, Any]]:
    """What the projection holds of these entries of one case: one row an act of a person."""
    told = list(entries)
    measured = dict(_measured(told))
    fixed = {
        "process": case.process,
        "place": case.place[0],
        "confidential": int(case.confidential),
    }
    for entry in told:
        if "person" in entry.actor:
            yield fixed | _row(entry, measured.get((entry.seq, entry.data.get("task", "")), {}))


def _measured(entries: Sequence[Entry]) -> Iterator[tuple[tuple[int | None, str], dict[str, Any]]]:
    """By number of the act and key of the step it ended: how long that took."""
    for entry in entries:
        for closed in entry.data.get("closed", ()) if entry.type == "case.advanced" else ():
            yield (entry.cause, closed["task"]), closed


def _row(entry: Entry, closed: dict[str, Any]) -> dict[str, Any]:
    actor = entry.actor
    return {
        "case": entry.stream,
        "seq": entry.seq,
        "at": timestamp(entry.at),
        "type": entry.type,
        "element": _element(entry),
        "person": actor["person"],
        # The other person whose act it is: somebody absent, or the colleague who said it.
        "on_behalf_of": actor.get("on_behalf_of") or actor.get("informant", {}).get("person"),
        "post": actor.get("post"),
        "unit": actor.get("unit"),
        "capacity": actor["capacity"],
        "used": closed.get("used"),
        "allowed": closed.get("allowed"),
        "late": closed.get("late"),
    }


def _element(entry: Entry) -> str | None:
    if entry.type == "case.opened":
        return REPORT
    key = entry.data.get("task") or entry.data.get("message")
    return None if key is None else str(key).partition("#")[0]
