"""Which working calendars were published, and which one holds.

A version never changes: a deadline names the version it was computed with, and that one stays.
"""

import hashlib
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    Column,
    Connection,
    Integer,
    LargeBinary,
    Select,
    Table,
    Text,
    func,
    insert,
    select,
)

from audit import log
from audit.entries import Draft
from engine.calendar import Calendar, read_calendar
from engine.errors import Conflict, NotFound, Refusal
from engine.people import By, administrator

CALENDAR: Final = "@calendar"

calendar_table = Table(
    "calendar_version",
    log.metadata,
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("sha256", Text, nullable=False, unique=True),
    Column("bytes", LargeBinary, nullable=False),
)


class NoCalendar(NotFound):
    """No calendar was published yet, or not in this version."""


class CalendarDamaged(Refusal):
    """What is stored under a version is not what was published."""


class AlreadyPublished(Conflict):
    """This very calendar file is a version already."""


def publish_calendar(conn: Connection, toml: bytes, *, by: By | None, at: datetime) -> Calendar:
    """Make a calendar file the next version; deadlines set from now on follow it.

    Raises NotAdministrator, BadCalendar, AlreadyPublished.
    """
    head = log.take(conn, CALENDAR)
    clerk = administrator(conn, by, at)
    version = _latest(conn) + 1
    cal = read_calendar(toml, version=version)
    known = select(calendar_table.c.version).where(calendar_table.c.sha256 == cal.sha256)
    if (same := conn.execute(known).scalar()) is not None:
        raise AlreadyPublished(
            f"这份日历就是已发布的第 {same} 版，没有变化。",
            f"This calendar is version {same} already; nothing has changed.",
        )
    log.append(conn, head, [Draft("calendar.published", _told(cal), clerk, at)])
    row = {"version": version, "sha256": cal.sha256, "bytes": toml}
    conn.execute(insert(calendar_table), row)
    return cal


def calendar(conn: Connection, head: bytes | None = None) -> Calendar:
    """The calendar that holds now; raises NoCalendar before the first one is published.

    head: last hash of the calendar register, where the caller has just asked for it: a calendar
    seen with it before answers without a query.
    """
    known = _current.get(head) if head is not None else None
    if known is None:
        known = _read(conn, _LATEST)
        if head is not None:
            _current[head] = known
    return known


def calendar_version(conn: Connection, version: int) -> Calendar:
    """The calendar as it was published under this number; raises NoCalendar."""
    return _read(conn, _NAMES.where(calendar_table.c.version == version))


def calendar_file(conn: Connection, version: int) -> bytes:
    """The file that was published under this number; raises NoCalendar, CalendarDamaged."""
    query = select(calendar_table).where(calendar_table.c.version == version)
    row = conn.execute(query).first()
    if row is None:
        raise _not_published()
    toml = bytes(row.bytes)
    if hashlib.sha256(toml).hexdigest() != row.sha256:
        raise CalendarDamaged(
            f"第 {version} 版工作日历的内容已被改动，不能使用。",
            f"Calendar {version} was changed after it was published; it is not used.",
        )
    return toml


_NAMES: Final = select(calendar_table.c.version, calendar_table.c.sha256)
_LATEST: Final = _NAMES.order_by(calendar_table.c.version.desc()).limit(1)
# By the hash of the event that published it: no two calendars share one, in no database.
_current: dict[bytes, Calendar] = {}
# By content, not by number alone: a version published in a transaction that was rolled back must
# not answer for another one with its number.
_calendars: dict[tuple[int, str], Calendar] = {}


def _latest(conn: Connection) -> int:
    return conn.execute(select(func.max(calendar_table.c.version))).scalar() or 0


def _read(conn: Connection, which: Select[Any]) -> Calendar:
    named = conn.execute(which).first()
    if named is None:
        raise _not_published()
    known = _calendars.get((named.version, named.sha256))
    if known is None:
        # Its hash before it is read: changed bytes need not be a calendar at all.
        toml = calendar_file(conn, named.version)
        known = _calendars[named.version, named.sha256] = read_calendar(toml, version=named.version)
    return known


def _not_published() -> NoCalendar:
    return NoCalendar(
        "还没有发布这一版工作日历，请管理员先发布。",
        "This working calendar was not published yet; ask the administrator.",
    )


def _told(cal: Calendar) -> dict[str, Any]:
    return {
        "version": cal.version,
        "sha256": cal.sha256,
        "zone": cal.zone,
        "years": sorted(cal.published),
        "office": [[f"{start:%H:%M}", f"{end:%H:%M}"] for start, end in cal.office],
    }
