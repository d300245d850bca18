"""The events of PostgreSQL month by month: what there is in one table becomes the first part.

No row is rewritten, and no program is told: they go on with `event`, and PostgreSQL puts an event
into the table of the month (UTC) it was recorded in. A month that is over is never written again;
it can go to a slower disk. Nobody but the owner may make tables, or has rights on those of the
months: hence a command (`shaoji partition`) and no worker.

What changes: that (stream, seq) and the hash are unique holds within a month. The chain cannot fork
all the same, as its head is one row, held while an event is put behind it (audit.log.move); hashes
are unique among the leaves; and whoever verifies reads all months. That what waits for the tree is
an event no foreign key says any more: whoever verifies asks.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Final

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from audit import log
from engine.checkup import FAILS, Finding, fails, holds, look
from engine.errors import BadInput, Conflict, NotAllowed
from engine.safeguards import check_triggers, read_triggers, wanted_triggers

MOST_AHEAD: Final = 120
REST: Final = "event_rest"
_HEADS_AT_ONCE: Final = 1000
# Whoever waits for a table's lock makes everybody else wait behind it.
_SHORTLY: Final = text("SET LOCAL lock_timeout = '5s'")
_PARTS: Final = text(
    """
    SELECT c.relname AS name, pg_get_expr(c.relpartbound, c.oid) AS bound
    FROM pg_inherits i
    JOIN pg_class c ON c.oid = i.inhrelid
    JOIN pg_class p ON p.oid = i.inhparent
    WHERE p.relname = 'event' AND p.relnamespace = current_schema()::regnamespace
    ORDER BY c.relname
    """
)
_GRANTS: Final = text(
    """
    SELECT DISTINCT CASE WHEN a.grantee = 0 THEN 'PUBLIC'
                         ELSE quote_ident(pg_get_userbyid(a.grantee)) END AS grantee,
           a.privilege_type AS may
    FROM pg_class c, aclexplode(c.relacl) a
    WHERE c.oid = CAST(:name AS regclass) AND a.grantee <> c.relowner
    ORDER BY 1, 2
    """
)
_ALONE: Final = text("SELECT pg_try_advisory_xact_lock(hashtextextended('shaoji partition', 0))")
# insufficient_privilege, lock_not_available: PostgreSQL, Appendix A.
_NOT_OWNED, _LOCKED = "42501", "55P03"
_MONTH: Final = re.compile(r"TO \('(\d{4}-\d{2})'\)")


class OneFile(BadInput):
    """The database is no PostgreSQL."""


class NotTheOwner(NotAllowed):
    """The role is not the one that owns the tables."""


class NotAsMade(Conflict):
    """A trigger that keeps the log append-only is missing or changed: nothing was divided."""


class TablesBusy(Conflict):
    """Somebody holds the tables; nothing of this step was done."""


@dataclass(frozen=True, slots=True)
class Parts:
    """The tables `event` consists of.

    names: all of them, sorted. until: the first month (`2026-11`) no table was made for. strays:
    events lie in the table for what no month was there for.
    """

    names: tuple[str, ...]
    until: str
    strays: bool


def read_parts(conn: Connection) -> Parts | None:
    """The tables `event` consists of, or None where it is one."""
    if conn.dialect.name != "postgresql":
        return None
    rows = conn.execute(_PARTS).all()
    if not rows:
        return None
    ends = sorted(found[1] for row in rows if (found := _MONTH.search(row.bound)))
    # A month is left out where its events lie in the rest; beyond the last all of them do. Nothing
    # else is looked into.
    left_out = any(_next(one) != other for one, other in pairwise(ends))
    beyond = text("SELECT EXISTS (SELECT 1 FROM event WHERE at >= :m)")
    strays = left_out or bool(conn.execute(beyond, {"m": ends[-1]}).scalar_one())
    return Parts(tuple(row.name for row in rows), ends[-1], strays)


def keep_by_month(engine: Engine, *, ahead: int, at: datetime) -> Parts:
    """Keep events by month from the next one on, with tables for so many months ahead.

    ahead: months beyond that of `at`, 1 to 120. May be asked again, and is to be, before the last
    month begins; a month whose events lie in the rest already gets no table. Programs may be at
    work: they wait for some hundredths of a second. Raises OneFile, NotTheOwner, NotAsMade,
    TablesBusy.
    """
    if engine.dialect.name != "postgresql":
        raise OneFile(
            "只有 PostgreSQL 能按月分表；SQLite 的记录都在一个文件里。",
            "Only PostgreSQL keeps events by month; SQLite has them all in one file.",
        )
    # A transaction of its own, kept open meanwhile: it holds this and no table.
    with _as_owner(), engine.begin() as alone:
        if not alone.execute(_ALONE).scalar():
            raise _busy()
        with engine.begin() as conn:
            found = read_parts(conn)
        if found is None:
            _divide(engine, at)
        _add_months(engine, _month_after(at, ahead + 1))
    return _read_divided(engine)


def check_parts(parts: Parts, at: datetime) -> Finding:
    """Whether there are tables for the months to come."""
    if parts.until > _month_after(at, 1):
        strays = (
            ("；有的记录在 event_rest", "; some lie in event_rest") if parts.strays else ("", "")
        )
        return holds(
            "months",
            (
                f"记录按月分表，备到 {parts.until} 之前{strays[0]}",
                f"events are kept by month, with tables until {parts.until}{strays[1]}",
            ),
        )
    return look(
        "months",
        (
            f"按月分表只备到 {parts.until} 之前；以后的记录会放进 {REST}，不会丢",
            f"there are tables until {parts.until} alone; later events go to {REST}, none is lost",
        ),
        (
            "以表的所有者执行 shaoji partition。",
            "Run `shaoji partition` as the owner of the tables.",
        ),
    )


def read_bound(conn: Connection) -> str | None:
    """The month from which on a division that was cut off keeps events out, or None."""
    if conn.dialect.name != "postgresql":
        return None
    asked = text(
        "SELECT pg_get_constraintdef(c.oid) FROM pg_constraint c JOIN pg_class t ON"
        " t.oid = c.conrelid WHERE c.conname = 'event_before' AND t.relname = 'event'"
        " AND t.relnamespace = current_schema()::regnamespace"
    )
    told = conn.execute(asked).scalar()
    found = re.search(r"'(\d{4}-\d{2})'", told or "")
    return found[1] if found else None


def check_bound(month: str) -> Finding:
    """A division was cut off, or is under way."""
    return fails(
        "months",
        (
            f"按月分表中途断了，或正在进行：{month} 起的记录会被拒绝",
            f"keeping events by month was cut off, or is under way: none of {month} on is taken",
        ),
        (
            "以表的所有者再执行一次 shaoji partition。",
            "Run `shaoji partition` again as the owner of the tables.",
        ),
    )


# --- one table becomes the first part -------------------------------------------------------------


def _divide(engine: Engine, at: datetime) -> None:
    """What may take long comes first and stops nobody; then all that has to be at once.

    A crash in between leaves `event` as it was, but for heads that keep more and a constraint by
    which it takes nothing of the next month: the next try takes it away, and until then the doctor
    fails (`check_bound`).
    """
    with engine.begin() as conn:
        _check_as_made(conn)
    _keep_beginnings(engine)
    with engine.begin() as conn:
        last = log.last_at(conn) or at
    # A day to spare: nothing of the next month is written while the constraint is looked at.
    until = _month_after(max(last, at) + timedelta(days=1), 1)
    first = f"event_before_{until.replace('-', '_')}"
    bound = f"ALTER TABLE event ADD CONSTRAINT event_before CHECK (at < '{until}') NOT VALID"
    _alter(engine, _UNBOUND, bound)
    try:
        with engine.begin() as conn:
            # Reads every event, beside whoever writes; what follows need not read them again.
            conn.execute(text("ALTER TABLE event VALIDATE CONSTRAINT event_before"))
        with engine.begin() as conn:
            conn.execute(_SHORTLY)
            conn.execute(text("LOCK TABLE event, outbox IN ACCESS EXCLUSIVE MODE"))
            for statement in _becomes_first(conn, first, until):
                conn.execute(text(statement))
            _add_table(conn, REST, "DEFAULT")
    except BaseException:
        # Left behind it would refuse what is recorded in the next month.
        with suppress(DBAPIError):
            _alter(engine, _UNBOUND)
        raise


def _check_as_made(conn: Connection) -> None:
    # Dividing makes the triggers of the whole anew: nobody would learn that they had been off.
    found = check_triggers(read_triggers(conn), wanted_triggers(conn.dialect.name))
    if found.outcome == FAILS:
        raise NotAsMade(
            f"{found.found[0]}。没有分表。请先按 shaoji doctor 的提示查明。",
            f"{found.found[1]}. Nothing was divided; see what `shaoji doctor` says of it first.",
        )


_UNBOUND: Final = "ALTER TABLE event DROP CONSTRAINT IF EXISTS event_before"


def _alter(engine: Engine, *statements: str) -> None:
    with engine.begin() as conn:
        conn.execute(_SHORTLY)
        for statement in statements:
            conn.execute(text(statement))


def _keep_beginnings(engine: Engine) -> None:
    """Heads of before migration 0034 keep when their streams began, some at a time."""
    some = text(
        """
        WITH chosen AS (
            SELECT stream FROM stream_head WHERE began = '' AND stream > :after
            ORDER BY stream LIMIT :n FOR UPDATE SKIP LOCKED
        ), kept AS (
            UPDATE stream_head h SET began = e.at
            FROM chosen JOIN event e ON e.stream = chosen.stream AND e.seq = 1
            WHERE h.stream = chosen.stream
        )
        SELECT max(stream) FROM chosen
        """
    )
    after: str | None = ""
    while after is not None:
        with engine.begin() as conn:
            after = conn.execute(some, {"n": _HEADS_AT_ONCE, "after": after}).scalar()


def _becomes_first(conn: Connection, first: str, until: str) -> Iterator[str]:
    keys = text(
        "SELECT conname, conrelid::regclass::text AS name FROM pg_constraint"
        " WHERE contype = 'f' AND confrelid = 'event'::regclass"
    )
    for key in conn.execute(keys).all():
        yield f"ALTER TABLE {key.name} DROP CONSTRAINT {key.conname}"
    grants = conn.execute(_GRANTS, {"name": "event"}).all()
    yield f"ALTER TABLE event RENAME TO {first}"
    for index in ("event_pkey", "event_hash_once", "event_by_type"):
        yield f"ALTER INDEX {index} RENAME TO {index.replace('event', first)}"
    yield f"CREATE TABLE event (LIKE {first} INCLUDING STORAGE) PARTITION BY RANGE (at)"
    yield "CREATE INDEX event_by_type ON event (type, at)"
    # The trigger on rows is made on the whole and handed down; it cannot be there twice.
    yield f"DROP TRIGGER event_no_change ON {first}"
    yield f"ALTER TABLE event ATTACH PARTITION {first} FOR VALUES FROM (MINVALUE) TO ('{until}')"
    yield f"ALTER TABLE {first} DROP CONSTRAINT event_before"
    yield (
        "CREATE TRIGGER event_no_change BEFORE UPDATE OR DELETE ON event"
        " FOR EACH ROW EXECUTE FUNCTION shaoji_append_only()"
    )
    yield "ALTER TABLE event ENABLE ALWAYS TRIGGER event_no_change"
    yield from _not_emptied("event")
    yield from (f"GRANT {one.may} ON event TO {one.grantee}" for one in grants)
    yield from (f"REVOKE {one.may} ON {first} FROM {one.grantee}" for one in grants)


# --- a table for each month -----------------------------------------------------------------------


def _add_months(engine: Engine, until: str) -> None:
    """Tables for every month before `until`, each in a transaction, and no rights on any part."""
    month = _read_divided(engine).until
    while month < until:
        after = _next(month)
        with engine.begin() as conn:
            conn.execute(_SHORTLY)
            if not _has_events(conn, month, after):
                bounds = f"FOR VALUES FROM ('{month}') TO ('{after}')"
                _add_table(conn, f"event_{month.replace('-', '_')}", bounds)
        month = after
    names = _read_divided(engine).names
    with engine.begin() as conn:
        for name in names:
            for one in conn.execute(_GRANTS, {"name": name}).all():
                conn.execute(text(f"REVOKE {one.may} ON {name} FROM {one.grantee}"))


def _read_divided(engine: Engine) -> Parts:
    with engine.begin() as conn:
        found = read_parts(conn)
    if found is None:
        raise RuntimeError("event is one table again: somebody else is at work on it")
    return found


def _has_events(conn: Connection, month: str, after: str) -> bool:
    told = text("SELECT EXISTS (SELECT 1 FROM event WHERE at >= :m AND at < :n)")
    return bool(conn.execute(told, {"m": month, "n": after}).scalar_one())


def _add_table(conn: Connection, name: str, bounds: str) -> None:
    conn.execute(text(f"CREATE TABLE {name} (LIKE event INCLUDING STORAGE)"))
    conn.execute(text(f"ALTER TABLE {name} ADD PRIMARY KEY (stream, seq)"))
    conn.execute(text(f"ALTER TABLE {name} ADD CONSTRAINT {name}_hash_once UNIQUE (hash)"))
    for statement in _not_emptied(name):
        conn.execute(text(statement))
    conn.execute(text(f"ALTER TABLE event ATTACH PARTITION {name} {bounds}"))


def _not_emptied(name: str) -> Sequence[str]:
    """TRUNCATE of a part asks the part alone."""
    return (
        (
            f"CREATE TRIGGER event_no_truncate BEFORE TRUNCATE ON {name}"
            " FOR EACH STATEMENT EXECUTE FUNCTION shaoji_append_only()"
        ),
        f"ALTER TABLE {name} ENABLE ALWAYS TRIGGER event_no_truncate",
    )


def _month_after(at: datetime, months: int) -> str:
    """The month so many after that of an instant: `2026-12` is one after 2026-11-28."""
    told = at.astimezone(UTC)
    count = told.year * 12 + told.month - 1 + months
    return f"{count // 12:04d}-{count % 12 + 1:02d}"


def _next(month: str) -> str:
    return _month_after(datetime.fromisoformat(f"{month}-01T00:00:00+00:00"), 1)


@contextmanager
def _as_owner() -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        state = getattr(error.orig, "sqlstate", None)
        if state == _NOT_OWNED:
            raise NotTheOwner(
                "只有表的所有者能分表：请用建库的角色执行（docs/operating.md，两个角色）。",
                "Only the owner of the tables may divide them: run this as the role that made "
                "them (docs/operating.md, two roles).",
            ) from error
        if state == _LOCKED:
            raise _busy() from error
        raise


def _busy() -> TablesBusy:
    return TablesBusy(
        "有事务长时间占着记录表，或有人同时在分表；没有分完，什么也没有丢。请稍后再执行一次。",
        "A transaction has held the table of events for long, or somebody else divides it; it was "
        "not done to its end, and nothing is lost. Run it again later.",
    )
