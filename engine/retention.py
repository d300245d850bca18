"""Sealed content and identities end some time after their case: the worker destroys their keys.

Crash order: destroyed first, recorded then. The log never says of something that it is gone while
it is there; what is gone without a record is recorded by the next run.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, Engine, select

from audit import log
from audit.encoding import timestamp
from audit.entries import ENGINE, Draft, Entry
from engine import vault as store
from engine.casework import Desk, change
from engine.register import register_table
from engine.sealed_answers import case_of, subject_of
from engine.vault import Vault

REASON: Final = "结案后的保存期限已满"
KEPT_WHILE: Final = ("content", "identity")


def destroy_due(engine: Engine, vault: Vault, *, at: datetime, after: timedelta) -> int:
    """Destroy content and identities of cases that ended longer ago than `after`; returns how many.

    Each in a transaction of its own, with `sealed.destroyed` in the record of its case.
    """
    destroyed = 0
    # Those already destroyed of which the log is not known to say so come again: see crash order.
    for subject in [*store.subjects(vault), *store.subjects(vault, alive=False)]:
        case = case_of(subject)
        if subject not in {subject_of(case, seal) for seal in KEPT_WHILE}:
            continue
        with engine.begin() as conn:
            said = _says_destroyed(log.read(conn, case), subject)
            due = not said and _is_due(conn, case, at, after)
            due = due and _destroy(conn, vault, subject, at, after)
        if said or due:
            store.mark_told(vault, subject)
        destroyed += due
    store.tidy(vault)
    return destroyed


def _destroy(conn: Connection, vault: Vault, subject: str, at: datetime, after: timedelta) -> bool:
    """Whether it was done: not where the case has been reopened before its turn came."""

    def decide(desk: Desk) -> list[Draft]:
        if desk.case.ended is None:
            return []
        store.destroy(vault, subject, at=at)
        data = {"subject": subject, "reason": REASON, "retention": f"P{after.days}D"}
        return [Draft("sealed.destroyed", data, ENGINE, at)]

    done = change(conn, case_of(subject), decide, at=at)
    return any(entry.type == "sealed.destroyed" for entry in done.entries)


def _is_due(conn: Connection, case: str, at: datetime, after: timedelta) -> bool:
    ended = conn.execute(
        select(register_table.c.ended_at).where(register_table.c.case == case)
    ).scalar()
    return ended is not None and ended <= timestamp(at - after)


def _says_destroyed(entries: Iterable[Entry], subject: str) -> bool:
    told = (entry for entry in entries if entry.type == "sealed.destroyed")
    return any(entry.data["subject"] == subject for entry in told)
