"""What the command line tells: plain rows, ready to be JSON."""

from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, select

from audit import log
from audit.encoding import timestamp
from audit.entries import Entry
from engine import inbox as steps
from engine.accounts import account_table, find_account
from engine.casework import read_case
from engine.database import reading
from engine.definitions import read_folder
from engine.errors import BadInput
from engine.lint import lint
from engine.people import By, directory
from engine.register import register_table


class WhichAdministrator(BadInput):
    """More than one administrator could be meant, or there is none."""


def acting(conn: Connection, account: str) -> By:
    """In whose name the operator acts: the person behind an account; raises UnknownAccount."""
    return By(find_account(conn, account).person, channel="cli")


def administrator(conn: Connection, account: str | None, at: datetime) -> By:
    """The administrator in whose name the operator acts; without an account, the only one."""
    if account is not None:
        return acting(conn, account)
    people = directory(conn)
    persons = conn.execute(select(account_table.c.person)).scalars()
    found = {
        person for person in persons if people.authority(person, "administer", None, at) is not None
    }
    if len(found) != 1:
        raise WhichAdministrator(
            "管理员账号不止一个，请用 --by 指明以谁的名义。",
            "There is more than one administrator's account; name one with --by.",
        )
    return By(found.pop(), channel="cli")


def cases(conn: Connection, *, status: str | None, limit: int) -> list[dict[str, Any]]:
    """The register, newest first."""
    file = register_table.c
    query = (
        select(
            file.case, file.process, file.status, file.number, file.receipt, file.title,
            file.category, file.level, file.unit, file.community, file.source, file.opened_at,
            file.ended_at, file.seq.label("events"),
        )
        .order_by(file.opened_at.desc(), file.case.desc())
        .limit(limit)
    )  # fmt: skip
    if status is not None:
        query = query.where(file.status == status)
    # The keys are SQLAlchemy's own kind of string, which JSON encoders refuse.
    return [{str(key): told for key, told in row._mapping.items()} for row in conn.execute(query)]


def one_case(conn: Connection, case_id: str) -> dict[str, Any]:
    """One case: where it stands, and its events as recorded."""
    case = read_case(conn, case_id)
    row = conn.execute(select(register_table).where(register_table.c.case == case_id)).one()
    return {
        "case": case.case,
        "process": case.process,
        "status": row.status,
        "number": case.number,
        "title": case.title,
        "open": [
            {"task": task.key, "holder": task.holder, "due": task.clock and task.clock.due}
            for task in case.tasks.values()
        ],
        "events": [_event(entry) for entry in log.read(conn, case_id)],
    }


def inbox(conn: Connection, account: str, at: datetime) -> dict[str, list[dict[str, Any]]]:
    """What an account holds and what it could claim, most pressing first."""
    by = acting(conn, account)
    claimable = steps.claimable_by(conn, directory(conn), by.person, at)
    return {
        "mine": [_step(row) for row in steps.held_by(conn, by.person)],
        "claimable": [_step(row) for row in claimable],
    }


def lint_path(path: Path) -> list[dict[str, str]]:
    """The findings of a process folder, or of one BPMN file by itself."""
    files = read_folder(path) if path.is_dir() else {path.name: path.read_bytes()}
    return [
        {
            "file": str(path),
            "element": finding.element,
            "rule": finding.rule,
            "chinese": finding.chinese,
            "english": finding.english,
        }
        for finding in lint(files)
    ]


def stream_count(engine: Engine) -> int:
    """How many streams the log has: cases and registers."""
    with reading(engine).begin() as conn:
        return len(log.streams(conn))


def _event(entry: Entry) -> dict[str, Any]:
    told = {
        "seq": entry.seq,
        "type": entry.type,
        "at": timestamp(entry.at),
        "actor": entry.actor,
        "data": entry.data,
        "hash": entry.hash.hex(),
    }
    return told | ({"evidence": list(entry.evidence)} if entry.evidence else {})


def _step(row: steps.InboxRow) -> dict[str, Any]:
    return {
        "case": row.case,
        "task": row.task,
        "number": row.number,
        "title": row.title,
        "due": row.due and timestamp(row.due),
        "paused": row.paused_until is not None,
    }
