"""Which process does a piece of work that one at a time should do: held for a while, and renewed.

A lease saves doing things twice. Nothing is right because of one: what two processes do at once is
decided by keys and row locks of the tables they write (audit.sequence, engine.report_jobs), so a
holder that was stopped and comes back late does no harm. Its clock does none, either.
"""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Column, Connection, Engine, Table, Text, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from audit.encoding import instant, timestamp
from audit.log import metadata
from engine.database import reading

# So long after its holder was last heard of, another process takes a piece of work over.
LEASE: Final = timedelta(seconds=15)

lease_table = Table(
    "lease",
    metadata,
    Column("work", Text, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("until", Text, nullable=False),
)


def is_ours(engine: Engine, work: str, holder: str, *, at: datetime) -> bool:
    """Whether `holder` has the lease of `work`, or gets it now because nobody else has it.

    Writes nothing where that is known without: a lease is renewed by `renew`.
    """
    with reading(engine).begin() as conn:
        row = conn.execute(select(lease_table).where(lease_table.c.work == work)).first()
    if row is not None and _lasts(row.until, at):
        return bool(row.holder == holder)
    with engine.begin() as conn:
        return take(conn, work, holder, at=at)


def take(conn: Connection, work: str, holder: str, *, at: datetime) -> bool:
    """Take the lease of `work` if nobody has it, or begin one's own anew; False if another has."""
    until = timestamp(at + LEASE)
    mine = select(lease_table).where(lease_table.c.work == work)
    if conn.execute(mine).first() is None:
        # Nobody has had it yet; if somebody is just the first, this inserts nothing.
        new = _insert(conn).values(work=work, holder=holder, until=until)
        return conn.execute(new.returning(lease_table.c.work)).first() is not None
    row = conn.execute(mine.with_for_update(skip_locked=True)).first()
    if row is None:
        return False  # somebody is just taking it, or giving it back
    if row.holder != holder and _lasts(row.until, at):
        return False
    conn.execute(
        update(lease_table).where(lease_table.c.work == work).values(holder=holder, until=until)
    )
    return True


def renew(conn: Connection, holder: str, *, at: datetime) -> None:
    """Begin all leases of a holder anew; those that others have taken meanwhile stay theirs."""
    own = update(lease_table).where(lease_table.c.holder == holder)
    conn.execute(own.values(until=timestamp(at + LEASE)))


def give_back(conn: Connection, holder: str) -> None:
    """Let others have at once what this holder had."""
    conn.execute(delete(lease_table).where(lease_table.c.holder == holder))


def _lasts(until: str, at: datetime) -> bool:
    """Not one that no clock of now can have given: a clock that was set back waits for nobody."""
    return at <= instant(until) <= at + 2 * LEASE


def _insert(conn: Connection) -> postgresql.Insert | sqlite.Insert:
    insert = postgresql.insert if conn.dialect.name == "postgresql" else sqlite.insert
    return insert(lease_table).on_conflict_do_nothing()
