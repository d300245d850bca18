"""The log's tree as tables: leaves in their order, tiles, signed checkpoints. Their only writer.

Events wait in the outbox (audit.log). One transaction takes a batch out of it, gives each event the
next leaf index, and extends the tiles; another signs what is there. Nothing is assumed of the order
in which the outbox fills: a transaction that commits late lands in the next batch. Within a stream
event n + 1 cannot be visible before event n, and a batch is ordered by stream and number.

Crash order: before the first COMMIT the batch is in the outbox as it was; after it the batch is in
the tree, and the next checkpoint covers it. Signing twice gives the same bytes, and a checkpoint is
told to nobody before it is stored. So there is no recovery: the next run goes on.

Two sequencers at once: both want the same leaf index, and the primary key lets one of them have it.
The other fails, and its transaction leaves nothing.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    and_,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.exc import IntegrityError

from audit import log
from audit.chain import BYTES, Problem
from audit.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint
from audit.encoding import instant, timestamp
from audit.log import event_table, metadata, outbox_table
from audit.merkle import Frontier, ReadHash, node_hash, root
from audit.note import BadSignature, NotANote, Note, Signature, Signer, read_signatures
from audit.policy import Policy, has_quorum, witnessed
from audit.statements import Statement
from audit.tiles import TILE_BYTES, WIDTH, NotATile, split_tile, tiles_of
from audit.tiles import read_hashes as read_tiled

leaf_table = Table(
    "leaf",
    metadata,
    Column("leaf_index", Integer, primary_key=True, autoincrement=False),
    Column("hash", LargeBinary, nullable=False),
    # That of the event, or empty (log.named_by).
    Column("month", Text, nullable=False, server_default=""),
    UniqueConstraint("hash", name="leaf_hash_once"),
)

# Can be made again from the leaves; only a tile at the right edge ever changes, by growing.
tile_table = Table(
    "tile",
    metadata,
    Column("level", Integer, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("hashes", LargeBinary, nullable=False),
)

checkpoint_table = Table(
    "checkpoint",
    metadata,
    Column("size", Integer, primary_key=True, autoincrement=False),
    Column("note", LargeBinary, nullable=False),
    Column("at", Text, nullable=False),
)

# One witness's line under a checkpoint; they arrive when the checkpoint is stored already.
cosignature_table = Table(
    "cosignature",
    metadata,
    Column("size", Integer, primary_key=True),
    Column("line", Text, primary_key=True),
)

# RFC 3161 tokens over the text of a checkpoint.
timestamp_table = Table(
    "timestamp_token",
    metadata,
    Column("size", Integer, primary_key=True),
    Column("authority", Text, primary_key=True),
    Column("token", LargeBinary, nullable=False),
    Column("at", Text, nullable=False),
)

BATCH: Final = 5000
# A witness that is down for longer than so many checkpoints is not waited for.
MOST_LOOKED_AT: Final = 32

_OLDEST = select(func.min(outbox_table.c.month))
_SIZE = select(func.coalesce(func.max(leaf_table.c.leaf_index), -1) + 1)
_TILE = select(tile_table.c.hashes).where(
    tile_table.c.level == bindparam("l"), tile_table.c.number == bindparam("n")
)
_INSERT_LEAF = Statement(insert(leaf_table))
_DELETE_TAKEN = delete(outbox_table).where(
    outbox_table.c.hash.in_(
        select(leaf_table.c.hash).where(leaf_table.c.leaf_index >= bindparam("size"))
    )
)
_GROW_TILE = (
    update(tile_table)
    .where(tile_table.c.level == bindparam("l"), tile_table.c.number == bindparam("n"))
    .values(hashes=bindparam("t"))
)


class SequencedElsewhere(RuntimeError):
    """Another sequencer has extended the tree at the same moment; nothing of this run was kept."""


class TreeDiffers(RuntimeError):
    """The tree no longer begins with what the last checkpoint says: nothing is signed on top."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A checkpoint as stored: its note with all cosignatures so far, and when it was signed."""

    checkpoint: Checkpoint
    note: Note
    at: str


def integrate(conn: Connection, *, limit: int = BATCH) -> int:
    """Move at most `limit` waiting events of one month into the tree; returns how many.

    Raises SequencedElsewhere, TreeDiffers; then roll back.
    """
    waiting = _waiting(conn, limit)
    if not waiting:
        return 0
    size = tree_size(conn)
    hashes = [bytes(one.hash) for one in waiting]
    months = [log.month_of(one.at) for one in waiting]
    rows = [
        {"leaf_index": size + n, "hash": hash_, "month": month}
        for n, (hash_, month) in enumerate(zip(hashes, months, strict=True))
    ]
    try:
        # Leaves first: whoever loses the race for an index has not touched a tile.
        _INSERT_LEAF.run_all(conn, rows)
    except IntegrityError as error:
        raise SequencedElsewhere("another sequencer was faster") from error
    _extend(conn, 0, size, hashes)
    conn.execute(_DELETE_TAKEN, {"size": size})
    return len(rows)


def _waiting(conn: Connection, limit: int) -> Sequence[Any]:
    """The next events for the tree: of the oldest month that waits, each stream in its order."""
    while (month := conn.execute(_OLDEST).scalar()) is not None:
        both, event = log.named_by(conn, outbox_table, month)
        query = select(event.hash, event.at).select_from(both).where(_of(outbox_table, month))
        rows = conn.execute(query.order_by(event.stream, event.seq).limit(limit)).all()
        # What came meanwhile may be of a month before: an event stands behind those of its stream.
        if conn.execute(_OLDEST).scalar() == month:
            return rows
    return []


def tree_size(conn: Connection) -> int:
    """How many leaves the tree has."""
    return int(conn.execute(_SIZE).scalar_one())


def leaf_index(conn: Connection, hash_: bytes) -> int | None:
    """The index of the leaf with this hash, or None if it is not in the tree yet."""
    query = select(leaf_table.c.leaf_index).where(leaf_table.c.hash == hash_)
    return conn.execute(query).scalar()


def leaf_indexes(conn: Connection, hashes: Sequence[bytes]) -> dict[bytes, int]:
    """The indexes of those of these hashes that are in the tree."""
    found: dict[bytes, int] = {}
    for start in range(0, len(hashes), WIDTH):
        query = select(leaf_table).where(leaf_table.c.hash.in_(hashes[start : start + WIDTH]))
        found |= {bytes(row.hash): row.leaf_index for row in conn.execute(query)}
    return found


def waiting_since(conn: Connection) -> tuple[int, str | None]:
    """How many events wait for the tree, and the time of the oldest of them."""
    count, month = conn.execute(select(func.count(), func.min(outbox_table.c.month))).one()
    if not count:
        return 0, None
    both, event = log.named_by(conn, outbox_table, month)
    oldest = select(func.min(event.at)).select_from(both).where(_of(outbox_table, month))
    return int(count), conn.execute(oldest).scalar()


def unsigned_since(conn: Connection, signed: int, size: int) -> tuple[int, str | None]:
    """How many leaves there are from `signed` up to `size`, and the time of their oldest event."""
    index = leaf_table.c.leaf_index
    inside = and_(index >= signed, index < size)
    asked = select(func.count(), func.min(leaf_table.c.month)).where(inside)
    count, month = conn.execute(asked).one()
    if not count:
        return 0, None
    both, event = log.named_by(conn, leaf_table, month)
    oldest = select(func.min(event.at)).select_from(both).where(inside, _of(leaf_table, month))
    return int(count), conn.execute(oldest).scalar()


def beyond(conn: Connection, size: int) -> Iterator[tuple[str, int]]:
    """Stream and number of each event that is in no tree of this size."""
    # What waits first: what is taken into the tree meanwhile is found there.
    for table, inside in (
        (outbox_table, true()),
        (leaf_table, leaf_table.c.leaf_index >= size),
    ):
        months = select(table.c.month).where(inside).distinct()
        for month in conn.execute(months).scalars().all():
            both, event = log.named_by(conn, table, month)
            query = select(event.stream, event.seq).select_from(both)
            for row in conn.execute(query.where(inside, table.c.month == month)):
                yield row.stream, row.seq


def _of(table: Table, month: str) -> ColumnElement[bool]:
    """Rows of a month; all of them, where some keep none and the oldest may be among those."""
    return table.c.month == month if month else true()


def read_hashes(conn: Connection) -> ReadHash:
    """The hashes of the tree as it is now, for one connection and as long as it does not grow."""
    return read_tiled(lambda level, number: _tile(conn, level, number))


def root_of(conn: Connection, size: int) -> bytes | None:
    """The root over the first `size` leaves, from the tiles; None if they are damaged."""
    try:
        return root(read_hashes(conn), size)
    except (NotATile, IndexError):
        return None


def tile(conn: Connection, level: int, number: int, width: int) -> bytes:
    """The first `width` hashes of a tile, as a tree of some size has it."""
    return _tile(conn, level, number)[: width * TILE_BYTES // WIDTH]


# --- checkpoints ----------------------------------------------------------------------------------


def publish(conn: Connection, signers: Sequence[Signer], *, at: datetime) -> Note | None:
    """Sign and store a checkpoint of the tree as it is; None if there is nothing new to say.

    signers: the log's key; while one takes over from another, both. Raises TreeDiffers,
    SequencedElsewhere; then roll back.
    """
    # In this order: between the two another sequencer may have added leaves, and signed them.
    last, size = latest(conn), tree_size(conn)
    if size == (last.checkpoint.size if last else 0):
        return None
    if last and (
        last.checkpoint.size > size or root_of(conn, last.checkpoint.size) != last.checkpoint.root
    ):
        raise TreeDiffers(f"the tree does not begin with checkpoint {last.checkpoint.size}")
    told = root_of(conn, size)
    if told is None:
        raise TreeDiffers(f"tiles of the tree of {size} leaves are missing or damaged")
    note = sign_checkpoint(Checkpoint(log.origin(conn), size, told), *signers)
    try:
        row = {"size": size, "note": note.data, "at": timestamp(at)}
        conn.execute(insert(checkpoint_table), row)
    except IntegrityError as error:
        raise SequencedElsewhere("another sequencer has signed this size") from error
    return note


def latest(conn: Connection) -> Stored | None:
    """The last checkpoint, or None before the first."""
    query = select(checkpoint_table).order_by(checkpoint_table.c.size.desc()).limit(1)
    row = conn.execute(query).first()
    return None if row is None else _stored(conn, row)


def covering(conn: Connection, index: int, policy: Policy) -> Stored | None:
    """The checkpoint to show for a leaf: the last that has the quorum of a policy, else the last.

    A checkpoint that was just signed has not been cosigned yet. None if no checkpoint covers it.
    """
    query = (
        select(checkpoint_table)
        .where(checkpoint_table.c.size > index)
        .order_by(checkpoint_table.c.size.desc())
        .limit(MOST_LOOKED_AT)
    )
    found = [_stored(conn, row) for row in conn.execute(query).all()]
    return next((one for one in found if _is_wanted(one.note, policy)), found[0] if found else None)


def _is_wanted(note: Note, policy: Policy) -> bool:
    try:
        return has_quorum(policy, witnessed(note, policy))
    except BadSignature:
        return False


def signed_at(conn: Connection, size: int) -> str:
    """When the checkpoint of this size was signed; raises NoResultFound if there is none."""
    query = select(checkpoint_table.c.at).where(checkpoint_table.c.size == size)
    return str(conn.execute(query).scalar_one())


def signed_by(conn: Connection, at: datetime) -> tuple[Checkpoint, datetime] | None:
    """The last checkpoint signed by an instant, and when; None if none was."""
    query = (
        select(checkpoint_table)
        .where(checkpoint_table.c.at <= timestamp(at))
        .order_by(checkpoint_table.c.size.desc())
        .limit(1)
    )
    row = conn.execute(query).first()
    if row is None:
        return None
    return _stored(conn, row).checkpoint, instant(row.at)


def checkpoints(conn: Connection) -> Iterator[Stored]:
    """All stored checkpoints, the smallest tree first. Raises NotANote for one that is damaged."""
    for row in conn.execute(select(checkpoint_table).order_by(checkpoint_table.c.size)).all():
        yield _stored(conn, row)


def add_cosignatures(conn: Connection, size: int, signatures: Iterable[Signature]) -> None:
    """Keep witnesses' lines under a stored checkpoint; checked by whoever got them. Repeatable."""
    query = select(cosignature_table.c.line).where(cosignature_table.c.size == size)
    there = set(conn.execute(query).scalars())
    new = [line for line in dict.fromkeys(one.line for one in signatures) if line not in there]
    if new:
        conn.execute(insert(cosignature_table), [{"size": size, "line": line} for line in new])


def add_timestamp(
    conn: Connection, size: int, authority: str, token: bytes, *, at: datetime
) -> None:
    """Keep a time-stamping authority's token (DER) over a stored checkpoint's text."""
    row = {"size": size, "authority": authority, "token": token, "at": timestamp(at)}
    conn.execute(insert(timestamp_table), row)


def timestamps(conn: Connection, size: int) -> dict[str, bytes]:
    """The tokens over one checkpoint: authority -> token (DER)."""
    query = (
        select(timestamp_table.c.authority, timestamp_table.c.token)
        .where(timestamp_table.c.size == size)
        .order_by(timestamp_table.c.authority)
    )
    return {row.authority: bytes(row.token) for row in conn.execute(query)}


def _stored(conn: Connection, row: Any) -> Stored:
    if not isinstance(row.note, BYTES):
        # SQLite keeps whatever type is put into a column: text here was never written by us.
        raise NotANote("the stored note is not bytes")
    note, checkpoint = open_checkpoint(bytes(row.note))
    query = (
        select(cosignature_table.c.line)
        .where(cosignature_table.c.size == row.size)
        .order_by(cosignature_table.c.line)
    )
    lines = "".join(conn.execute(query).scalars())
    signatures = read_signatures(lines.encode()) if lines else ()
    return Stored(checkpoint, note.signed(*signatures), row.at)


# --- tiles ----------------------------------------------------------------------------------------


def _extend(conn: Connection, level: int, start: int, hashes: Sequence[bytes]) -> None:
    """Add hashes to a level from index `start` on; each tile that is full is one hash above."""
    number, inside = divmod(start, WIDTH)
    before = _tile(conn, level, number) if inside else b""
    if len(before) != inside * TILE_BYTES // WIDTH:
        raise TreeDiffers(f"tile {level}/{number} has not the width it should have")
    told = before + b"".join(hashes)
    full = []
    for at in range(0, len(told), TILE_BYTES):
        one = told[at : at + TILE_BYTES]
        _keep_tile(conn, level, number, one, grown=at == 0 and inside > 0)
        if len(one) == TILE_BYTES:
            full.append(_tile_root(one))
        number += 1
    if full:
        _extend(conn, level + 1, start // WIDTH, full)


def _keep_tile(conn: Connection, level: int, number: int, told: bytes, *, grown: bool) -> None:
    if grown:
        conn.execute(_GROW_TILE, {"l": level, "n": number, "t": told})
    else:
        conn.execute(insert(tile_table), {"level": level, "number": number, "hashes": told})


def _tile(conn: Connection, level: int, number: int) -> bytes:
    told = conn.execute(_TILE, {"l": level, "n": number}).scalar()
    return bytes(told) if isinstance(told, BYTES) else b""


def _tile_root(told: bytes) -> bytes:
    row = split_tile(told)
    while len(row) > 1:
        row = [node_hash(row[n], row[n + 1]) for n in range(0, len(row), 2)]
    return row[0]


# --- checking -------------------------------------------------------------------------------------


def check(conn: Connection) -> Iterator[Problem]:
    """Every way in which leaves, tiles and checkpoints do not fit the events and each other.

    Who has signed is for audit.policy; here only what can be computed again.
    """
    roots = {}
    sizes = set(conn.execute(select(checkpoint_table.c.size)).scalars())
    tree, last = Frontier(), dict[str, int]()
    roots[0] = tree.root()
    for row in conn.execute(_LEAVES):
        problem = _check_leaf(row, tree.size, last)
        if problem:
            yield problem
            return
        tree.add(bytes(row.hash))
        if tree.size in sizes:
            roots[tree.size] = tree.root()
    yield from _check_lost(conn)
    yield from _check_tiles(conn, tree.size, tree.root())
    yield from _check_roots(conn, roots)


# Whatever month a leaf keeps: what is checked does not say where to look.
_LEAVES = (
    select(leaf_table, event_table.c.stream, event_table.c.seq, event_table.c.at)
    .join(event_table, event_table.c.hash == leaf_table.c.hash, isouter=True)
    .order_by(leaf_table.c.leaf_index)
)
TREE: Final = "@tree"


def _check_leaf(row: Any, index: int, last: dict[str, int]) -> Problem | None:
    if row.leaf_index != index:
        return Problem(TREE, index, f"leaf {index} is missing", "tree")
    if row.stream is None:
        return Problem(TREE, index, f"leaf {index} is no event of the log", "tree")
    if row.seq != last.get(row.stream, 0) + 1:
        what = f"stands in the tree (leaf {index}) out of its order"
        return Problem(row.stream, row.seq, what, "tree")
    if row.month not in {"", log.month_of(row.at)}:
        what = f"its leaf keeps {row.month} as its month, it is of {row.at}"
        return Problem(row.stream, row.seq, what, "tree")
    last[row.stream] = row.seq
    return None


def _check_lost(conn: Connection) -> Iterator[Problem]:
    event, leaf, waiting = event_table.c, leaf_table.c, outbox_table.c
    unfound = and_(waiting.month != "", waiting.month != func.substr(event.at, 1, 7))
    query = (
        select(event.stream, event.seq, leaf.hash.label("leaf"), waiting.hash.label("waiting"))
        .join(leaf_table, leaf.hash == event.hash, isouter=True)
        .join(outbox_table, waiting.hash == event.hash, isouter=True)
        .where(or_(leaf.hash.is_(None) == waiting.hash.is_(None), unfound))
        .order_by(event.stream, event.seq)
    )
    for row in conn.execute(query):
        yield Problem(row.stream, row.seq, f"{_lost(row)} (tree and outbox)", "tree")
    # Where a log is kept by month no foreign key says so.
    unknown = ~select(event.hash).where(event.hash == waiting.hash).exists()
    for _ in conn.execute(select(waiting.hash).where(unknown)):
        yield Problem(TREE, 0, "what waits for the tree is no event of the log", "tree")


def _lost(row: Any) -> str:
    if row.leaf is not None:
        return "is there twice"
    if row.waiting is not None:
        return "waits under another month than its own"
    return "neither in the tree nor on its way there"


def _check_tiles(conn: Connection, size: int, wanted: bytes) -> Iterator[Problem]:
    widths = {(level, number): width for level, number, width in tiles_of(size)}
    stored = {
        (row.level, row.number): len(row.hashes) * WIDTH / TILE_BYTES
        for row in conn.execute(select(tile_table)) if isinstance(row.hashes, BYTES)
    }  # fmt: skip
    if widths != stored:
        odd = min(set(widths.items()) ^ set(stored.items()))
        what = f"tile {odd[0][0]}/{odd[0][1]} has not the width it should have"
        yield Problem(TREE, size, what, "tree")
    elif root_of(conn, size) != wanted or not _tiles_fit(conn, widths):
        yield Problem(TREE, size, "the tiles are not what the leaves give", "tree")


def _tiles_fit(conn: Connection, widths: dict[tuple[int, int], int]) -> bool:
    """Whether each tile holds what lies below it: leaves, or the roots of full tiles."""
    leaves = iter(
        conn.execute(select(leaf_table.c.hash).order_by(leaf_table.c.leaf_index)).scalars()
    )
    for (level, number), width in widths.items():
        below = [
            _tile_root(_tile(conn, level - 1, number * WIDTH + n)) if level else bytes(next(leaves))
            for n in range(width)
        ]
        if b"".join(below) != _tile(conn, level, number):
            return False
    return True


def _check_roots(conn: Connection, roots: dict[int, bytes]) -> Iterator[Problem]:
    for row in conn.execute(select(checkpoint_table).order_by(checkpoint_table.c.size)).all():
        try:
            one = _stored(conn, row).checkpoint
        except ValueError as error:
            what = f"checkpoint {row.size} cannot be read: {error}"
            yield Problem(TREE, row.size, what, "consistency")
            continue
        if one.size != row.size or one.origin != log.origin(conn):
            what = f"checkpoint {row.size} is of another log or size"
            yield Problem(TREE, row.size, what, "consistency")
        elif roots.get(one.size) != one.root:
            what = f"checkpoint {row.size} is not of this tree"
            yield Problem(TREE, row.size, what, "consistency")
