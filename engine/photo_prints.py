"""Which photos look alike, kept up to date from the files: a projection that has no log behind it.

A fingerprint shows the photo, if small: it is kept of open cases only, and no longer than the file.
What is new is compared with everything, and with what was compared before only once.
"""

from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Any, Final

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Integer,
    LargeBinary,
    Table,
    Text,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from audit.alike import Fingerprint
from audit.alike_pairs import alike_pairs
from audit.log import metadata
from engine import evidence
from engine.alike_photos import Why, fingerprint_of

print_table = Table(
    "photo_print",
    metadata,
    Column("sha256", Text, primary_key=True),
    # In the order in which they came; what is compared is below what is not.
    Column("number", Integer, nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("grey", LargeBinary, nullable=False),
    Column("packed", LargeBinary, nullable=False),
    Column("compared", Integer, nullable=False),
)
without_table = Table(
    "photo_without_print",
    metadata,
    Column("sha256", Text, primary_key=True),
    Column("why", Text, nullable=False),
)
pair_table = Table(
    "photo_pair",
    metadata,
    Column("first", Text, primary_key=True),
    Column("second", Text, primary_key=True),
)

BATCH: Final = 20
_FOREVER: Final[Why] = "undecodable"  # the same bytes will be no picture tomorrow either

Both = tuple[str, str]


def keep_up(
    engine: Engine,
    root: Path,
    wanted: Collection[str],
    *,
    seen: Callable[[int], None] = lambda _: None,
    stopped: Callable[[], bool] = lambda: False,
) -> bool:
    """Bring fingerprints and pairs of these files up to date; whether any pair came or went.

    wanted: SHA-256 (hex) of files that may be photos. Some files a transaction: `stopped` is asked
    between them, and what is done stays done. seen: so many more were looked at.
    """
    changed = _forget(engine, root, wanted)
    with engine.connect() as conn:
        new = unknown(conn, wanted)
    for start in range(0, len(new), BATCH):
        if stopped():
            return changed
        part = new[start : start + BATCH]
        told = [(sha256, fingerprint_of(root, sha256)) for sha256 in part]
        with engine.begin() as conn:
            _keep(conn, told)
        seen(len(part))
    return _compare(engine) or changed


def pairs(conn: Connection) -> set[Both]:
    """Files that look alike, by SHA-256 (hex)."""
    return {(row.first, row.second) for row in conn.execute(select(pair_table))}


def not_compared(conn: Connection) -> dict[str, Why]:
    """Files that should be photos and could not be read, and why; by SHA-256 (hex)."""
    query = select(without_table).where(without_table.c.why != _FOREVER)
    return {row.sha256: row.why for row in conn.execute(query)}


def unknown(conn: Connection, wanted: Collection[str]) -> list[str]:
    """Those of these files that are still to be looked at, once or again."""
    final = select(without_table.c.sha256).where(without_table.c.why == _FOREVER)
    known = set(conn.execute(select(print_table.c.sha256)).scalars())
    known |= set(conn.execute(final).scalars())
    return sorted(set(wanted) - known)


def _keep(conn: Connection, told: Iterable[tuple[str, Fingerprint | Why]]) -> None:
    last = conn.execute(select(func.max(print_table.c.number))).scalar() or 0
    for number, (sha256, one) in enumerate(told, last + 1):
        # Somebody else may have looked meanwhile: the last to look is right.
        conn.execute(delete(print_table).where(print_table.c.sha256 == sha256))
        conn.execute(delete(without_table).where(without_table.c.sha256 == sha256))
        if isinstance(one, Fingerprint):
            conn.execute(insert(print_table), _row(sha256, number, one))
        else:
            conn.execute(insert(without_table), {"sha256": sha256, "why": one})


def _row(sha256: str, number: int, one: Fingerprint) -> dict[str, Any]:
    return {
        "sha256": sha256,
        "number": number,
        "width": one.width,
        "height": one.height,
        "grey": one.grey,
        "packed": one.packed,
        "compared": 0,
    }


def _forget(engine: Engine, root: Path, wanted: Collection[str]) -> bool:
    """Fingerprints of files that are gone, or that no open case uses any more, and their pairs."""
    with engine.begin() as conn:
        kept = conn.execute(select(print_table.c.sha256)).scalars().all()
        stay = set(wanted)
        gone = [one for one in kept if one not in stay or not evidence.is_there(root, one)]
        return sum([_forget_one(conn, sha256) for sha256 in gone]) > 0


def _forget_one(conn: Connection, sha256: str) -> int:
    """How many pairs went with it."""
    conn.execute(delete(print_table).where(print_table.c.sha256 == sha256))
    either = or_(pair_table.c.first == sha256, pair_table.c.second == sha256)
    return conn.execute(delete(pair_table).where(either)).rowcount


def _compare(engine: Engine) -> bool:
    with engine.connect() as conn:
        rows = conn.execute(select(print_table).order_by(print_table.c.number)).all()
    # Whatever was compared came before whatever was not.
    compared = sum(row.compared for row in rows)
    if compared == len(rows):
        return False
    prints = [Fingerprint(row.width, row.height, row.grey, row.packed) for row in rows]
    found = {
        (rows[pair.first].sha256, rows[pair.second].sha256)
        for pair in alike_pairs(prints, since=compared)
    }
    with engine.begin() as conn:
        _note(conn, found, rows[compared].number, rows[-1].number)
    return bool(found)


def _note(conn: Connection, found: set[Both], first: int, last: int) -> None:
    number = print_table.c.number
    conn.execute(update(print_table).where(number.between(first, last)).values(compared=1))
    new = [{"first": one, "second": other} for one, other in sorted(found - pairs(conn))]
    if new:
        conn.execute(insert(pair_table), new)
