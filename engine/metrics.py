"""指标的底数: every case folded for the metrics, as of a checkpoint, from the tables or an export.

What is counted is exactly what stands under the last checkpoint, so anybody with an export of that
checkpoint gets the same figures. That the tables hold what the checkpoint says is for `verify` to
say; of an export hashes, links, root and signature are checked first.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from sqlalchemy import Connection

from audit import log, sequence
from audit.checkpoint import Checkpoint
from audit.entries import Entry, reread
from audit.metrics.facts import CaseFacts
from audit.metrics.fold import case_facts
from audit.metrics.formulas import Formulas
from audit.metrics.places import UNITS, Places, places
from audit.trust import Trust
from engine.database import open_database, reading
from engine.errors import Conflict
from engine.exported_cases import fold_export

_AT_ONCE: Final = 50


class NothingSigned(Conflict):
    """No checkpoint names what the figures would rest on."""


@dataclass(frozen=True, slots=True)
class Basis:
    """Every case of a log as of one checkpoint, folded, and what kind of unit each unit is."""

    tree: Checkpoint
    cases: tuple[CaseFacts, ...]
    places: Places


# --- from the tables ------------------------------------------------------------------------------


def basis_of_database(
    url: str,
    formulas: Formulas,
    *,
    workers: int,
    progress: Callable[[int], AbstractContextManager[Callable[[int], None]]],
) -> Basis:
    """Fold all cases as of the last checkpoint on several cores.

    progress: told how many cases there are, it gives what is told of each part of them.

    Raises NothingSigned.
    """
    engine = reading(open_database(url))
    with engine.begin() as conn:
        last = sequence.latest(conn)
    engine.dispose()
    if last is None:
        raise NothingSigned(
            "还没有检查点，算出来的数没有凭据。请先运行 shaoji checkpoint。",
            "There is no checkpoint yet for figures to rest on. Run shaoji checkpoint first.",
        )
    tree = last.checkpoint
    cases, units = fold_all(url, formulas, size=tree.size, workers=workers, progress=progress)
    return Basis(tree, tuple(cases), places(units))


def fold_all(
    url: str,
    formulas: Formulas,
    *,
    size: int,
    workers: int,
    progress: Callable[[int], AbstractContextManager[Callable[[int], None]]],
) -> tuple[list[CaseFacts], list[Entry]]:
    """Every case folded, and the units, of the first `size` leaves of the tree."""
    engine = reading(open_database(url))
    with engine.begin() as conn:
        upto = under(conn, size)
        units = read_under(conn, [UNITS], upto).get(UNITS, [])
    names = [name for name in sorted(upto) if not name.startswith("@")]
    engine.dispose()
    share = max(1, -(-len(names) // (workers * 8)))
    parts = [names[start : start + share] for start in range(0, len(names), share)]
    cases = list[CaseFacts]()
    with ProcessPoolExecutor(workers) as pool, progress(len(names)) as seen:
        for folded in pool.map(partial(_fold_part, url, formulas, upto), parts):
            cases += folded
            seen(len(folded))
    return cases, units


def under(conn: Connection, size: int) -> dict[str, int]:
    """How many entries of each stream are in the tree of this size; only streams that have any.

    By that number what is read later stops where the tree does, whatever was written meanwhile.
    """
    # The lengths first: an entry written between the two questions is beyond them.
    lengths = log.lengths(conn, "")
    told = lengths | {name: seq - 1 for name, seq in _beyond(conn, size).items()}
    return {name: min(count, lengths[name]) for name, count in told.items()
            if name in lengths and count > 0}  # fmt: skip


def _beyond(conn: Connection, size: int) -> dict[str, int]:
    """The streams that have grown beyond the tree of this size, and where that begins."""
    found = dict[str, int]()
    for stream, seq in sequence.beyond(conn, size):
        found[stream] = min(seq, found.get(stream, seq))
    return found


def _fold_part(
    url: str, formulas: Formulas, upto: dict[str, int], names: Sequence[str]
) -> list[CaseFacts]:
    engine = reading(open_database(url))
    try:
        with engine.begin() as conn:
            return list(_fold(conn, names, upto, formulas))
    finally:
        engine.dispose()


def _fold(
    conn: Connection, names: Sequence[str], upto: dict[str, int], formulas: Formulas
) -> Iterator[CaseFacts]:
    for start in range(0, len(names), _AT_ONCE):
        for entries in read_under(conn, names[start : start + _AT_ONCE], upto).values():
            yield case_facts(entries, formulas)


def read_under(
    conn: Connection, names: Sequence[str], upto: Mapping[str, int]
) -> dict[str, list[Entry]]:
    """Of each of some dozens of streams the first entries, as many as `under` says."""
    told = defaultdict[str, list[Entry]](list)
    for stream, body in log.bodies_each(conn, names):
        entry = reread(body)
        if entry.seq <= upto.get(stream, 0):
            told[stream].append(entry)
    return told


# --- from an export -------------------------------------------------------------------------------


def basis_of_export(folder: Path, trust: Trust, formulas: Formulas, *, workers: int) -> Basis:
    """Check an exported log and fold all its cases on several cores; raises ExportFails."""
    told = fold_export(folder, trust, partial(case_facts, formulas=formulas), workers=workers)
    return Basis(told.tree, told.cases, places(told.units))
