"""Throws the projections away and makes them again from the log.

Register, inbox, acts, parts, imports, people, what is on its way between cases and which case
opened which.

What it cannot bring back is what the log does not hold: names, passwords, sessions, and which
idempotency keys were answered.
"""

from collections.abc import Callable, Mapping

from sqlalchemy import Connection, delete, insert

from audit import log
from audit.entries import Entry
from engine import acts, inbox, outbox, register, taking_part
from engine.case_texts import case_text_table
from engine.cases import number_table
from engine.definition_sets import load
from engine.imports import imported_table
from engine.inbox import open_task_table
from engine.people import rebuild_directory
from engine.place_codes import rebuild_place_codes
from engine.register import register_table
from engine.replay import library, replay


def rebuild(conn: Connection, seen: Callable[[str], None] = lambda name: None) -> int:
    """Rebuild every projection in this transaction; returns the number of cases.

    Raises RecordDiffers at the first case whose log does not replay: then roll back, and verify.
    """
    rebuild_directory(conn)
    rebuild_place_codes(conn)
    for table in _TABLES:
        conn.execute(delete(table))
    books = library(conn)
    last: dict[tuple[str, int], int] = {}
    sent: dict[str, Entry] = {}
    arrived: dict[str, Entry] = {}
    cases = [name for name in log.streams(conn) if not name.startswith("@")]
    for name in cases:
        entries = log.read(conn, name)
        case = replay(entries, books)
        register.enter(conn, case, entries)
        inbox.project(conn, None, case, load(conn, case.definition))
        acts.keep(conn, case, entries)
        taking_part.project(conn, None, case)
        _remember_import(conn, entries[0])
        sent |= {e.hash.hex(): e for e in entries if e.type == "message.sent"}
        arrived |= {e.data["origin"]["hash"]: e for e in entries if "origin" in e.data}
        process, year, number = _numbered(name)
        last[process, year] = max(number, last.get((process, year), 0))
        seen(name)
    rows = [{"process": p, "year": y, "last": n} for (p, y), n in last.items()]
    if rows:
        conn.execute(insert(number_table), rows)
    _remember_messages(conn, sent, arrived)
    return len(cases)


_TABLES = (
    open_task_table, register_table, case_text_table, imported_table, number_table, acts.act_table,
    taking_part.part_table, outbox.message_table, outbox.link_table,
)  # fmt: skip


def _remember_messages(
    conn: Connection, sent: Mapping[str, Entry], arrived: Mapping[str, Entry]
) -> None:
    """What is on its way is what was sent and has arrived nowhere; links are openings that did."""
    outbox.keep(conn, [entry for hash_, entry in sent.items() if hash_ not in arrived])
    for hash_, entry in arrived.items():
        if entry.type == "case.opened":
            outbox.link(conn, entry.stream, sent[hash_].stream, sent[hash_].seq)


def _numbered(case: str) -> tuple[str, int, int]:
    process, year, number = case.rsplit("-", 2)
    return process, int(year), int(number)


def _remember_import(conn: Connection, opened: Entry) -> None:
    told = opened.data.get("imported")
    if told is not None:
        row = {key: told[key] for key in ("system", "id", "row_sha256")}
        conn.execute(insert(imported_table), row | {"case": opened.stream})
