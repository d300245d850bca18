"""What a witness has seen: of each log the largest tree it has cosigned, and what contradicts it.

A database of its own, SQLite, in a folder of the office that witnesses. To lose it, or to put an
older copy in its place, is to forget: the witness would cosign a second history from there on.

Crash order: a checkpoint is written down before its cosignature leaves the house. Killed between
the two, the witness knows a size the log was not told; the log asks again, hears of it, and gets
its cosignature.
"""

import hashlib
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Integer,
    LargeBinary,
    MetaData,
    Row,
    Table,
    Text,
    func,
    select,
    text,
    update,
)
from sqlalchemy.dialects import sqlite

from audit.checkpoint import Checkpoint, cosign, open_checkpoint
from audit.note import Note, Signature, Signer, VerifierKey
from audit.policy import Policy
from audit.witness import (
    NotConsistent,
    NotWitnessed,
    OtherRoot,
    Request,
    Seen,
    check_grown,
    check_signed,
    fork_evidence,
    read_request,
)
from engine.database import open_database

FILE: Final = "witness.db"
# A checkpoint of each day is kept; days are those of the wall clock over the counter.
ZONE: Final = ZoneInfo("Asia/Shanghai")
# More of it proves no more, and a log gone mad must not fill the disk of its witness.
MOST_EVIDENCE: Final = 200

# Not audit.log.metadata: this is no street's database.
metadata = MetaData()

# One row a log. The note bears this witness's cosignature.
head_table = Table(
    "head",
    metadata,
    Column("origin", Text, primary_key=True),
    Column("size", Integer, nullable=False),
    Column("root", LargeBinary, nullable=False),
    Column("note", LargeBinary, nullable=False),
    Column("at", Integer, nullable=False),
)
# The last checkpoint of each day: what a restored backup or a rewritten log is held against.
day_table = Table(
    "day",
    metadata,
    Column("origin", Text, primary_key=True),
    Column("day", Text, primary_key=True),
    Column("size", Integer, nullable=False),
    Column("note", LargeBinary, nullable=False),
    Column("at", Integer, nullable=False),
)
# Signed checkpoints that do not go with what was cosigned. settled_at: when the log has shown
# after all that the checkpoint is of the one history.
evidence_table = Table(
    "evidence",
    metadata,
    Column("origin", Text, primary_key=True),
    Column("sha256", Text, primary_key=True),
    Column("fork", Integer, nullable=False),
    Column("known", LargeBinary, nullable=False),
    Column("told", LargeBinary, nullable=False),
    Column("why", Text, nullable=False),
    Column("at", Integer, nullable=False),
    Column("settled_at", Integer),
)

# Whatever a later release of this program gets wrong, it cannot go back.
_TRIGGERS: Final = (
    """CREATE TRIGGER IF NOT EXISTS head_only_grows BEFORE UPDATE ON head
       WHEN NEW.size < OLD.size OR NEW.origin <> OLD.origin
       BEGIN SELECT RAISE(ABORT, 'a witness does not go back'); END""",
    """CREATE TRIGGER IF NOT EXISTS head_stays BEFORE DELETE ON head
       BEGIN SELECT RAISE(ABORT, 'a witness does not forget'); END""",
    """CREATE TRIGGER IF NOT EXISTS evidence_stays BEFORE DELETE ON evidence
       BEGIN SELECT RAISE(ABORT, 'evidence stays'); END""",
)


@dataclass(frozen=True, slots=True)
class Kept:
    """A checkpoint this witness has cosigned; at: POSIX seconds of the cosignature."""

    checkpoint: Checkpoint
    note: Note
    at: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """Two signed checkpoints of one log: the one cosigned here, and one that does not go with it.

    fork: proof by itself: one size, two roots, one key. Otherwise the log owes a proof that the
    larger grew from the smaller; settled_at: when it has given it (POSIX seconds).
    """

    fork: bool
    known: Note
    told: Note
    why: str
    at: int
    settled_at: int | None


def open_store(folder: Path) -> Engine:
    """Open what the witness in this folder has seen, made on the first opening."""
    store = open_database(f"sqlite:///{folder / FILE}")
    with store.begin() as conn:
        metadata.create_all(conn)
        for trigger in _TRIGGERS:
            conn.execute(text(trigger))
    return store


def witness(
    store: Engine,
    data: bytes,
    *,
    signer: Signer,
    keys: Collection[VerifierKey],
    now: Callable[[], datetime],
) -> Signature:
    """Answer an add-checkpoint request (C2SP tlog-witness) with this witness's cosignature.

    keys: those of the logs that are witnessed, each under its origin. now: asked while nobody else
    can be answered, so that no smaller tree is ever said to be the largest after a larger one.
    Raises the NotWitnessed to answer with; what contradicts the log is kept then.
    """
    request = check_signed(read_request(data), keys)
    # The lock is taken with the transaction: of two requests from one size, the second finds the
    # size that the first has written.
    with store.begin() as conn:
        done = _decide(conn, request, signer, keys, now())
    if isinstance(done, NotWitnessed):
        raise done
    return done


def _decide(
    conn: Connection, request: Request, signer: Signer, keys: Collection[VerifierKey], at: datetime
) -> Signature | NotWitnessed:
    """A refusal is returned, not raised: what it has shown must be committed."""
    before = latest(conn, request.checkpoint.origin)
    try:
        check_grown(request, _seen(before))
    except NotWitnessed as refused:
        _keep_contradiction(conn, request, keys, refused, at)
        return refused
    # Signed before it is written down, so that a device that fails leaves nothing half done; it
    # leaves this process only after COMMIT.
    line = cosign(request.note, signer, at=int(at.timestamp()))
    _keep(conn, request, line, at)
    return line


def _seen(before: Kept | None) -> Seen:
    return Seen() if before is None else Seen(before.checkpoint.size, before.checkpoint.root)


# --- what is there --------------------------------------------------------------------------------


def latest(conn: Connection, origin: str) -> Kept | None:
    """The largest tree of this log that was cosigned here, or None."""
    row = conn.execute(select(head_table).where(head_table.c.origin == origin)).first()
    return None if row is None else _kept(row)


def days(conn: Connection, origin: str) -> Iterator[tuple[str, Kept]]:
    """The last checkpoint of each day (YYYY-MM-DD), the newest first."""
    query = select(day_table).where(day_table.c.origin == origin)
    for row in conn.execute(query.order_by(day_table.c.day.desc())).all():
        yield row.day, _kept(row)


def evidence(conn: Connection, origin: str) -> list[Evidence]:
    """What contradicts this log, the newest first."""
    query = select(evidence_table).where(evidence_table.c.origin == origin)
    ordered = query.order_by(evidence_table.c.at.desc(), evidence_table.c.sha256)
    return [
        Evidence(
            bool(row.fork),
            open_checkpoint(row.known)[0],
            open_checkpoint(row.told)[0],
            row.why,
            row.at,
            row.settled_at,
        )
        for row in conn.execute(ordered)
    ]


def origins(conn: Connection) -> list[str]:
    """The logs of which something was cosigned here."""
    return list(conn.execute(select(head_table.c.origin).order_by(head_table.c.origin)).scalars())


def _kept(row: Row[Any]) -> Kept:
    note, checkpoint = open_checkpoint(row.note)
    return Kept(checkpoint, note, row.at)


# --- writing --------------------------------------------------------------------------------------


def _keep(conn: Connection, request: Request, line: Signature, at: datetime) -> None:
    told, day = request.checkpoint, at.astimezone(ZONE).date().isoformat()
    note = request.note.signed(line).data
    row = {"origin": told.origin, "size": told.size, "note": note, "at": int(at.timestamp())}
    _put(conn, head_table, row | {"root": told.root})
    _put(conn, day_table, row | {"day": day})
    _settle(conn, request, at)


def _put(conn: Connection, table: Table, row: dict[str, Any]) -> None:
    """Insert the row, or put it in the place of the one with its key."""
    put = sqlite.insert(table).values(row)
    key = [column.name for column in table.primary_key]
    conn.execute(put.on_conflict_do_update(index_elements=key, set_=row))


def _settle(conn: Connection, request: Request, at: datetime) -> None:
    """A checkpoint that was held against the log has now been shown to be of its one history."""
    shown = (evidence_table.c.origin == request.checkpoint.origin) & (
        evidence_table.c.sha256 == _digest(request.note)
    )
    owed = shown & (evidence_table.c.fork == 0) & evidence_table.c.settled_at.is_(None)
    conn.execute(update(evidence_table).where(owed).values(settled_at=int(at.timestamp())))


def _keep_contradiction(
    conn: Connection,
    request: Request,
    keys: Collection[VerifierKey],
    refused: NotWitnessed,
    at: datetime,
) -> None:
    """Keep a signed checkpoint that does not go with one cosigned here, with the latter.

    Whatever was refused and why: a second root for a size that is known is a fork, also where the
    request was only late. A failed proof alone may be a mistake, and is kept as that.
    """
    told = request.note
    for known in _known(conn, request.checkpoint):
        fork = fork_evidence(known.note, told, Policy(tuple(keys)))
        if fork is not None:
            _keep_evidence(conn, known.note, request, f"{refused}", at, fork=True)
            return
    last = latest(conn, request.checkpoint.origin)
    # The checkpoint that is known, sent again with a proof it does not need, contradicts nothing.
    if last and isinstance(refused, NotConsistent | OtherRoot) and last.note.text != told.text:
        _keep_evidence(conn, last.note, request, f"{refused}", at, fork=False)


def _known(conn: Connection, told: Checkpoint) -> list[Kept]:
    """What was cosigned of that very size."""
    found = [
        conn.execute(
            select(table).where(table.c.origin == told.origin, table.c.size == told.size)
        ).first()
        for table in (head_table, day_table)
    ]
    return [_kept(row) for row in found if row is not None]


def _keep_evidence(
    conn: Connection, known: Note, request: Request, why: str, at: datetime, *, fork: bool
) -> None:
    row = {
        "origin": request.checkpoint.origin, "sha256": _digest(request.note), "fork": int(fork),
        "known": known.data, "told": request.note.data, "why": why, "at": int(at.timestamp()),
    }  # fmt: skip
    mine = evidence_table.c.origin == row["origin"]
    query = select(evidence_table.c.fork).where(mine, evidence_table.c.sha256 == row["sha256"])
    there = conn.execute(query).scalar()
    # What was owed a proof may turn out to be a fork, never the other way round.
    if there is None or there < row["fork"]:
        kind = select(func.count()).where(mine, evidence_table.c.fork == row["fork"])
        if conn.execute(kind).scalar_one() < MOST_EVIDENCE:
            _put(conn, evidence_table, row)


def _digest(note: Note) -> str:
    """What tells checkpoints apart: the text, whoever has signed it."""
    return hashlib.sha256(note.text.encode()).hexdigest()


def told_at(at: int) -> datetime:
    """POSIX seconds as an instant."""
    return datetime.fromtimestamp(at, UTC)
