"""Who has a part in which case, so that their cases are found without reading every state.

A projection of engine.rights.participants: it can be thrown away and rebuilt (engine.rebuild).
"""

from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    Column,
    Connection,
    Index,
    Integer,
    Table,
    Text,
    bindparam,
    delete,
    insert,
    select,
    update,
)

from audit.encoding import timestamp
from audit.log import metadata
from audit.statements import Statement
from engine.acts import REPORT
from engine.register import register_table
from engine.rights import participants
from engine.state import CaseState

part_table = Table(
    "part",
    metadata,
    Column("case", Text, primary_key=True),
    Column("person", Text, primary_key=True),
    # Of the case, so that somebody's cases are told newest first from the index alone.
    Column("opened_at", Text, nullable=False),
    # 1: reported it, where no act of theirs in another case led to it; completed a step or turned
    # it. Both 0: holds a step, or it was done for them.
    Column("reported", Integer, nullable=False),
    Column("did", Integer, nullable=False),
    Index("part_by_person", "person", "opened_at", "case", "reported", "did"),
)

Rows = dict[str, dict[str, Any]]

_OPENED: Final = select(
    bindparam("c", type_=Text),
    bindparam("p", type_=Text),
    register_table.c.opened_at,
    bindparam("r", type_=Integer),
    bindparam("d", type_=Integer),
).where(register_table.c.case == bindparam("c"))
_INSERT: Final = Statement(
    insert(part_table).from_select(["case", "person", "opened_at", "reported", "did"], _OPENED)
)
_ENTER: Final = Statement(insert(part_table))
_DELETE: Final = Statement(
    delete(part_table).where(
        part_table.c.case == bindparam("c"), part_table.c.person == bindparam("p")
    )
)
_UPDATE: Final = Statement(
    update(part_table)
    .where(part_table.c.case == bindparam("c"), part_table.c.person == bindparam("p"))
    .values(reported=bindparam("r"), did=bindparam("d"))
)
_OF_CASE: Final = Statement(select(part_table).where(part_table.c.case == bindparam("c")))


def project(conn: Connection, before: CaseState | None, after: CaseState) -> None:
    """Bring a case's rows up to date; a command that gives nobody a part writes nothing.

    The case stands in the register: when it was opened is read from there.
    """
    old, new = rows_of(before) if before else {}, rows_of(after)
    gone = [{"c": after.case, "p": person} for person in old if person not in new]
    told = {
        person: {"c": after.case, "p": person, "r": row["reported"], "d": row["did"]}
        for person, row in new.items()
        if row != old.get(person)
    }
    _DELETE.run_all(conn, gone)
    _UPDATE.run_all(conn, [row for person, row in told.items() if person in old])
    _INSERT.run_all(conn, [row for person, row in told.items() if person not in old])


def enter(conn: Connection, case: CaseState, opened_at: datetime) -> None:
    """Write the rows of a case that is being opened."""
    opened = timestamp(opened_at)
    _ENTER.run_all(conn, [row | {"opened_at": opened} for row in rows_of(case).values()])


def kept(conn: Connection, case: str) -> Rows:
    """The rows of a case as they are stored, by person."""
    return {row["person"]: row for row in _OF_CASE.rows(conn, {"c": case})}


def rows_of(case: CaseState) -> Rows:
    """Who has a part in this case, by person; when it was opened is not among it."""
    told = case.opened["source"] != "case"
    reporters = {doer.person for doer in case.doers.get(REPORT, ()) if told}
    done = {doer.person for group in case.doers.values() for doer in group}
    turned = {values.get("by") for values in case.variables.values()}
    return {
        person: {
            "case": case.case,
            "person": person,
            "reported": int(person in reporters),
            "did": int(person in done | turned),
        }
        for person in participants(case)
    }
