"""Holds the vault against the log: everything sealed is there, unchanged, or said to be destroyed.

Nothing it opens is shown to anybody. For operators, after a restore above all.
"""

from collections.abc import Iterator, Sequence

from sqlalchemy import Connection

from audit import log
from audit.chain import Problem
from audit.entries import Entry
from engine import vault as store
from engine.errors import Refusal
from engine.sealed_answers import Sealed, sealed_in
from engine.vault import SealDestroyed, SealMissing, Vault


def check_vault(conn: Connection, vault: Vault) -> list[Problem]:
    """The entries that name what the vault does not hold, or holds otherwise."""
    cases = (stream for stream in log.streams(conn) if not stream.startswith("@"))
    return [problem for case in cases for problem in _check_case(vault, log.read(conn, case))]


def _check_case(vault: Vault, entries: Sequence[Entry]) -> Iterator[Problem]:
    gone = {e.data["subject"]: e.seq for e in entries if e.type == "sealed.destroyed"}
    for one in sealed_in(entries):
        what = _fault(vault, one, gone)
        if what:
            yield Problem(entries[0].stream, one.seq, f"sealed {one.field} {what}")
    for subject, seq in gone.items():
        if not store.destroyed(vault, subject):
            yield Problem(entries[0].stream, seq, f"{subject} is not destroyed")


def _fault(vault: Vault, one: Sealed, gone: dict[str, int]) -> str | None:
    try:
        store.opened(vault, one.subject, one.commitment)
    except SealDestroyed:
        return None if one.subject in gone else "is destroyed, and the log does not say so"
    except SealMissing:
        return None if one.subject in gone else "is missing"
    except Refusal:
        return "is damaged"
    return None
