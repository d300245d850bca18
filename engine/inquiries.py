"""Looking somebody up is an act of its own: searches by person, and exports of what they found.

One record covers one look at one person, however it is narrowed or paged: who repeats the search
later makes another.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection

from audit import log
from audit.entries import Draft, Entry
from engine.access_log import ACCESS, take_access
from engine.errors import NotFound
from engine.people import By, oneself
from engine.reasons import reasoned
from engine.roster import UnknownPerson, exists, person_table

SEARCHED: Final = "person.searched"
# So long a search may be narrowed, paged and exported under its record.
LASTS: Final = timedelta(hours=12)


class SearchOver(NotFound):
    """The record a search refers to is another's, is none, or is too old."""

    def __init__(self) -> None:
        super().__init__(
            "这次按人查询已过期，或不是您查的。请再查一次，会另留一条记录。",
            "This search by person is over, or was not yours. Search again; that is recorded anew.",
        )


def record_search(conn: Connection, person: str, *, by: By, at: datetime) -> int:
    """Put on the record that somebody looks a person up; returns the number of the record.

    Raises UnknownPerson.
    """
    if not exists(conn, person_table, person):
        raise UnknownPerson(f"没有编号为 {person} 的人员。", f"There is no person {person}.")
    return _record(conn, Draft(SEARCHED, {"of": person}, oneself(by, "search"), at)).seq


def searched(conn: Connection, number: int, *, by: By, at: datetime) -> str:
    """Whom the search with this number is about; raises SearchOver unless own and new."""
    entry = log.read_one(conn, ACCESS, number)
    mine = entry is not None and entry.type == SEARCHED and entry.actor["person"] == by.person
    if entry is None or not mine or at - entry.at > LASTS:
        raise SearchOver
    return str(entry.data["of"])


def record_acts_export(
    conn: Connection,
    *,
    rows: int,
    sha256: str,
    purpose: str,
    person: str | None,
    by: By,
    at: datetime,
) -> Entry:
    """Put on the record that found acts leave the house; call it before the file does.

    rows, sha256 (hex): of the file. person: who was searched, None for nobody in particular.
    Raises NoReason.
    """
    told: dict[str, Any] = {
        "rows": rows,
        "sha256": sha256,
        "purpose": reasoned(purpose, what="用途", english="a purpose"),
    }
    told |= {"of": person} if person else {}
    return _record(conn, Draft("acts.exported", told, oneself(by, "export"), at))


def _record(conn: Connection, draft: Draft) -> Entry:
    head, at = take_access(conn, draft.at)
    (entry,), _ = log.append(conn, head, [replace(draft, at=at)])
    return entry
