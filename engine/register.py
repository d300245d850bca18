"""The register of cases: what supervisors search, and the state each next command starts from.

A projection: it can be thrown away and rebuilt from the log (engine.rebuild).
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, Final

import orjson
from sqlalchemy import (
    Column,
    Connection,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    bindparam,
    insert,
    literal_column,
    or_,
    select,
    text,
    union_all,
    update,
)

from audit.encoding import timestamp
from audit.entries import Entry
from audit.log import metadata
from audit.statements import Statement
from engine import case_texts
from engine.alarms import next_alarm
from engine.process import KERNEL
from engine.state import CaseState, to_json

# The status of a case that has not ended.
RUNNING: Final = "open"
# As it stands in the index of them, so that the index answers.
ORDERED: Final = text("orders IS NOT NULL")
UNLISTED: Final = text("texts_listed = 0")

register_table = Table(
    "case_register",
    metadata,
    Column("case", Text, primary_key=True),
    Column("seq", Integer, nullable=False),
    Column("kernel", Text, nullable=False),
    Column("process", Text, nullable=False),
    Column("number", Text, nullable=False, unique=True),
    Column("receipt", Text),
    Column("title", Text, nullable=False),
    Column("category", Text, nullable=False),
    Column("level", Text),
    Column("unit", Text, nullable=False),
    Column("community", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("opened_at", Text, nullable=False),
    Column("last_at", Text, nullable=False),
    Column("ended_at", Text),
    Column("alarm", Text),
    # 1: only those named on it see it; no list, search or suggestion shows it to others.
    Column("confidential", Integer, nullable=False, server_default="0"),
    # The orders (督办) that wait for an answer, as JSON: number of the event -> who gave it; NULL
    # for none. How many units and persons the case is closed to.
    Column("orders", Text),
    Column("kept_out", Integer, nullable=False, server_default="0"),
    # Last: SQLite reads a row from its beginning, and a search asks for what stands before.
    Column("state", LargeBinary, nullable=False),
    # 1: engine.case_texts has it. A program of before 0027 leaves it out.
    Column("texts_listed", Integer, nullable=False, server_default="0"),
    Index("case_register_by_alarm", "alarm"),
    Index("case_register_by_time", "opened_at"),
    # A search for words that nothing has goes through all cases: through these columns alone. An
    # index of PostgreSQL takes no entry of more than 2,704 bytes.
    Index(
        "case_register_searched", "opened_at", "case", "number", "title", "address", "receipt"
    ).ddl_if(dialect="sqlite"),
    Index("case_register_by_community", "community", "status", "opened_at"),
    Index("case_register_by_receipt", "receipt"),
    # What is rare is found by these alone (engine.few_cases).
    Index("case_register_by_process", "process", "case"),
    Index("case_register_by_level", "level", "case"),
    Index("case_register_by_unit", "unit", "status", "case"),
    Index("case_register_alike", "category", "unit", "opened_at"),
    Index("case_register_alike_there", "address", "category", "community", "opened_at"),
    # With the column itself in it, SQLite reads nothing else.
    Index(
        "case_register_unlisted",
        "texts_listed",
        "case",
        sqlite_where=UNLISTED,
        postgresql_where=UNLISTED,
    ),
    Index("case_register_ordered", "case", sqlite_where=ORDERED, postgresql_where=ORDERED),
)

# So many cases are named beside one that is being reported.
SUGGESTED: Final = 5
# Cases of which more has to be asked than where they are: who may see them. Said with numbers and
# not with parameters, so that the index of these cases answers.
GUARDED: Final = or_(
    register_table.c.confidential == literal_column("1"),
    register_table.c.kept_out > literal_column("0"),
)
Index(
    "case_register_guarded",
    register_table.c.case,
    sqlite_where=GUARDED,
    postgresql_where=GUARDED,
)

_UPDATE = Statement(
    update(register_table)
    .where(register_table.c.case == bindparam("c"))
    .values(
        seq=bindparam("v_seq"),
        kernel=bindparam("v_kernel"),
        state=bindparam("v_state"),
        level=bindparam("v_level"),
        status=bindparam("v_status"),
        last_at=bindparam("v_last_at"),
        ended_at=bindparam("v_ended_at"),
        alarm=bindparam("v_alarm"),
        orders=bindparam("v_orders"),
        kept_out=bindparam("v_kept_out"),
    )
)
_INSERT = Statement(insert(register_table))
_LISTED = (
    update(register_table).where(register_table.c.case == bindparam("c")).values(texts_listed=1)
)

# What a part of may be looked for.
SEARCHED: Final = ("number", "title", "address")


def enter(conn: Connection, case: CaseState, entries: Iterable[Entry]) -> None:
    """Write a new case into the register; `entries` begin with its case.opened."""
    told = list(entries)
    opened = told[0].data
    place = opened["place"]
    receipt = next(entry.data["receipt"] for entry in told if entry.type == "receipt.issued")
    fixed = {
        "case": case.case,
        "process": case.process,
        "number": case.number,
        "receipt": receipt,
        "title": case.title,
        "category": opened["category"],
        "confidential": int(case.confidential),
        "unit": place["unit"],
        "community": place["path"][-2] if len(place["path"]) > 1 else place["unit"],
        "address": place.get("address", ""),
        "source": opened["source"],
        "opened_at": timestamp(told[0].at),
        "texts_listed": 1,
    }
    _INSERT.run_all(conn, [fixed | row_of(case)])
    case_texts.keep(conn, case.case, fixed["opened_at"], [fixed[name] for name in SEARCHED])


def list_texts(conn: Connection, limit: int) -> int:
    """Take cases that an older release entered into the index of texts; returns how many.

    Whom another worker takes in at the moment is left to it.
    """
    columns = register_table.c
    query = (
        select(columns.case, columns.opened_at, *(columns[name] for name in SEARCHED))
        .where(UNLISTED)
        .order_by(columns.case)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    cases = conn.execute(query).all()
    for case, opened_at, *texts in cases:
        case_texts.keep(conn, case, opened_at, texts)
    if cases:
        conn.execute(_LISTED, [{"c": row.case} for row in cases])
    return len(cases)


def refresh(conn: Connection, case: CaseState) -> None:
    """Write what changed of a case in the register."""
    changing = {f"v_{name}": value for name, value in row_of(case).items()}
    _UPDATE.run_all(conn, [{"c": case.case} | changing])


def alike(
    conn: Connection,
    process: str,
    category: str,
    path: Sequence[str],
    address: str,
    since: datetime,
) -> list[str]:
    """Cases of a process that may be about the same thing: same category and unit or address.

    Those still open, however old, and those that ended since.
    A suggestion for people; at most five, newest first.
    """
    places = {f"place{number}": unit for number, unit in enumerate(path)}
    told = {"p": process, "c": category, "a": address, "since": timestamp(since)}
    rows = _alike(len(path)).rows(conn, told | places)
    # The log keeps what is suggested: of cases opened at once every database names the same.
    found = {(row["opened_at"], row["case"]) for row in rows}
    return [case for _, case in sorted(found, reverse=True)[:SUGGESTED]]


@cache
def _alike(places: int) -> Statement:
    """Asks for both, of a place with so many units on its path; `place0` is the nearest."""
    row = register_table.c
    path: list[Any] = [bindparam(f"place{number}") for number in range(places)]
    # Each by an index of its own: together they would go through all cases.
    here = row.unit == path[0]
    there = row.community.in_(path) & (row.address == bindparam("a"))
    newest = [
        select(row.opened_at, row.case)
        .where(row.process == bindparam("p"), row.category == bindparam("c"), near)
        .where(row.ended_at.is_(None) | (row.ended_at >= bindparam("since")))
        .order_by(row.opened_at.desc(), row.case.desc())
        .limit(literal_column(str(SUGGESTED)))
        .subquery()
        for near in (here, there)
    ]
    both = union_all(*(select(one.c.opened_at, one.c.case) for one in newest)).subquery()
    return Statement(select(both.c.opened_at, both.c.case))


def ended_at(conn: Connection, case: str) -> str | None:
    """When a case ended: "" while it is open, None if there is none."""
    asked = select(register_table.c.ended_at).where(register_table.c.case == case)
    row = conn.execute(asked).first()
    return None if row is None else row.ended_at or ""


def is_confidential(conn: Connection, case: str) -> bool | None:
    """Whether a case is confidential; None if there is none."""
    asked = select(register_table.c.confidential).where(register_table.c.case == case)
    row = conn.execute(asked).first()
    return None if row is None else bool(row.confidential)


def alarmed(conn: Connection, at: datetime, *, limit: int = 100) -> list[str]:
    """The cases that have something to record by this instant, longest due first."""
    query = (
        select(register_table.c.case)
        .where(register_table.c.alarm <= timestamp(at))
        .order_by(register_table.c.alarm, register_table.c.case)
        .limit(limit)
    )
    return list(conn.execute(query).scalars())


def row_of(case: CaseState) -> dict[str, Any]:
    """What the register shows of a case that changes as it goes on."""
    level = case.variables.get("grade", {}).get("level")
    return {
        "seq": case.seq,
        "kernel": KERNEL,
        "state": to_json(case),
        "level": level,
        "status": case.ended or RUNNING,
        "last_at": case.at,
        "ended_at": case.ended_at,
        "alarm": next_alarm(case),
        "orders": _told(case.orders) if case.orders else None,
        "kept_out": len(case.kept_out),
    }


def _told(orders: Mapping[str, str]) -> str:
    return orjson.dumps(orders, option=orjson.OPT_SORT_KEYS).decode()
