"""Who looked at the file of a case, when, by which post, and at what.

A look at a confidential case is an event of that case. A look at any other is a row of a register
beside the log, one for each person, case and hour: it helps whoever keeps order here, and proves
nothing against whoever runs the database. Either way the same look again within the hour is noted
once, so that turning pages does not fill the log.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Column, Connection, Table, Text, and_, insert, select, update

from audit import log
from audit.encoding import instant, timestamp
from audit.entries import Draft
from audit.log import metadata
from engine.casework import Desk, change, look, read_case
from engine.directory import Authority
from engine.errors import BadInput
from engine.people import By, actor, oneself
from engine.rights import check_may_see, seen_as

# What of a file is looked at, each an answer of its own: the page, the evidence file of the record,
# a photo, a document, a report that was made. What is sealed has events of its own.
SEEN: Final = ("page", "record", "photo", "document", "report")
CAPACITY: Final = "view"

viewing_table = Table(
    "viewing",
    metadata,
    Column("case", Text, primary_key=True),
    Column("person", Text, primary_key=True),
    Column("hour", Text, primary_key=True),
    Column("post", Text),
    Column("unit", Text),
    Column("on_behalf_of", Text),
    Column("first_at", Text, nullable=False),
    Column("last_at", Text, nullable=False),
    Column("seen", Text, nullable=False),
)
_ROW = viewing_table.c


class NothingSeen(BadInput):
    """What was looked at is none of the things a file has."""


@dataclass(frozen=True, slots=True)
class Sight:
    """One thing that was looked at; sha256 (hex): of the file, where it is one."""

    what: str
    sha256: str | None = None

    @property
    def word(self) -> str:
        """As a row of the register has it."""
        return self.what if self.sha256 is None else f"{self.what}:{self.sha256}"


@dataclass(frozen=True, slots=True)
class Look:
    """Somebody looked at a file. seq: the entry that says so; None where only the register does.

    until: the last look of that hour. post, unit: by which they saw it, None where they had none.
    """

    person: str
    post: str | None
    unit: str | None
    on_behalf_of: str | None
    at: datetime
    until: datetime
    sights: tuple[Sight, ...]
    seq: int | None = None


def is_noted(conn: Connection, case_id: str, sight: Sight, *, by: By, at: datetime) -> bool:
    """Whether this very look was noted within this hour already; asked without any lock."""
    seen = conn.execute(select(_ROW.seen).where(_this(case_id, by, at))).scalar()
    return seen is not None and sight.word in str(seen).split()


def note_look(conn: Connection, case_id: str, sight: Sight, *, by: By, at: datetime) -> None:
    """Note that somebody looked: as an event of a confidential case, else in the register.

    Raises NothingSeen, UnknownCase, NotYoursToSee.
    """
    if sight.what not in SEEN:
        raise NothingSeen("没有这一种查阅。", "There is no such thing to look at.")
    if read_case(conn, case_id).confidential:
        _record(conn, case_id, sight, by, at)
    desk = look(conn, case_id, at)
    check_may_see(desk.case, desk.directory, by, at)
    _keep(conn, desk, sight, by)


def _record(conn: Connection, case_id: str, sight: Sight, by: By, at: datetime) -> None:
    def decide(desk: Desk) -> list[Draft]:
        check_may_see(desk.case, desk.directory, by, at)
        # Asked once more behind the lock: of two windows opened at once one is recorded.
        if is_noted(conn, case_id, sight, by=by, at=at):
            return []
        held = seen_as(desk.case, desk.directory, by, at)
        who = actor(held, CAPACITY, channel=by.channel) if held else oneself(by, CAPACITY)
        data = {"what": sight.what} | ({"sha256": sight.sha256} if sight.sha256 else {})
        return [Draft("file.viewed", data, who, at)]

    change(conn, case_id, decide, at=at)


def _keep(conn: Connection, desk: Desk, sight: Sight, by: By) -> None:
    where = _this(desk.case.case, by, desk.at)
    seen = conn.execute(select(_ROW.seen).where(where).with_for_update()).scalar()
    if seen is None:
        held = seen_as(desk.case, desk.directory, by, desk.at)
        conn.execute(insert(viewing_table), _row(desk, sight, by, held))
        return
    words = list(dict.fromkeys((*str(seen).split(), sight.word)))
    changed = {"seen": " ".join(words), "last_at": timestamp(desk.at)}
    conn.execute(update(viewing_table).where(where).values(changed))


def _row(desk: Desk, sight: Sight, by: By, held: Authority | None) -> dict[str, Any]:
    return {
        "case": desk.case.case,
        "person": by.person,
        "hour": _hour(desk.at),
        "post": held.post if held else None,
        "unit": held.unit if held else None,
        "on_behalf_of": held.on_behalf_of if held else None,
        "first_at": timestamp(desk.at),
        "last_at": timestamp(desk.at),
        "seen": sight.word,
    }


def _this(case_id: str, by: By, at: datetime) -> Any:
    return and_(_ROW.case == case_id, _ROW.person == by.person, _ROW.hour == _hour(at))


def _hour(at: datetime) -> str:
    return timestamp(at.replace(minute=0, second=0, microsecond=0))


# --- told -----------------------------------------------------------------------------------------


def looks_at(conn: Connection, case_id: str) -> Sequence[Look]:
    """Every look at a case, newest first: of a confidential one from its events alone.

    What was read of what is sealed, and every look at an identity, are among them. Raises
    UnknownCase.
    """
    told = list(_recorded(conn, case_id))
    if not read_case(conn, case_id).confidential:
        rows = conn.execute(select(viewing_table).where(_ROW.case == case_id))
        told += [_look(row) for row in rows]
    return sorted(told, key=lambda one: (one.at, one.person), reverse=True)


def _recorded(conn: Connection, case_id: str) -> list[Look]:
    found = []
    for entry in log.read(conn, case_id):
        if entry.type in _SIGHTS:
            who, told = entry.actor, _SIGHTS[entry.type] or entry.data["what"]
            found.append(
                Look(
                    who["person"], who.get("post"), who.get("unit"), who.get("on_behalf_of"),
                    entry.at, entry.at, (Sight(told, entry.data.get("sha256")),), entry.seq,
                )
            )  # fmt: skip
    return found


_SIGHTS: Final = {"file.viewed": "", "content.read": "sealed", "identity.viewed": "identity"}


def _look(row: Any) -> Look:
    sights = tuple(
        Sight(what, sha256 or None)
        for what, _, sha256 in (word.partition(":") for word in row.seen.split())
    )
    return Look(
        row.person, row.post, row.unit, row.on_behalf_of, instant(row.first_at),
        instant(row.last_at), sights,
    )  # fmt: skip
