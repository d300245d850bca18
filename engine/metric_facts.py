"""The facts of each case, kept as its entries under the last checkpoint tell them.

Folding everything takes half a minute on a street of a million events; a case changes only when
somebody acts on it. Kept facts are folded anew for the cases that changed, and are what folding
everything would give: nothing rests on them that does not rest on the log.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Integer,
    LargeBinary,
    Table,
    Text,
    bindparam,
    delete,
    insert,
    select,
    update,
)

from audit import sequence
from audit.checkpoint import Checkpoint
from audit.encoding import instant, timestamp
from audit.entries import Entry
from audit.log import metadata
from audit.metrics.facts import CaseFacts
from audit.metrics.fold import case_facts
from audit.metrics.formulas import Formulas
from audit.metrics.kept import KEPT, facts_from_json, facts_to_json
from audit.metrics.places import UNITS
from engine.database import reading
from engine.metrics import read_under, under

case_table = Table(
    "metric_case",
    metadata,
    Column("case", Text, primary_key=True),
    # How many of its entries were folded, and by which formulas.
    Column("seq", Integer, nullable=False),
    Column("formulas", Text, nullable=False),
    # The first instant of what has not been counted in the figures of its months; "" for nothing.
    Column("news", Text, nullable=False),
    Column("facts", LargeBinary, nullable=False),
)

BATCH: Final = 200
COUNTED: Final = ""


@dataclass(frozen=True, slots=True)
class Upto:
    """A checkpoint, when it was signed, and how many entries of each stream are under it."""

    tree: Checkpoint
    at: datetime
    lengths: Mapping[str, int]

    def cases(self) -> dict[str, int]:
        """The streams that are cases."""
        return {name: seq for name, seq in self.lengths.items() if not name.startswith("@")}


def last_checkpoint(conn: Connection) -> Upto | None:
    """What stands under the last checkpoint; None before the first."""
    last = sequence.latest(conn)
    if last is None:
        return None
    return Upto(last.checkpoint, instant(last.at), under(conn, last.checkpoint.size))


def keep_facts(engine: Engine, upto: Upto, formulas: Formulas, seen: Callable[[int], None]) -> int:
    """Fold what is changed up to there, some cases a transaction; how many cases were.

    seen: so many more are done. Whoever folded further meanwhile is found by `read_facts`.
    """
    with reading(engine).begin() as conn:
        waiting = changed(conn, upto, formulas)
    for start in range(0, len(waiting), BATCH):
        part = waiting[start : start + BATCH]
        with reading(engine).begin() as conn:
            entries = read_under(conn, [case for case, _ in part], upto.lengths)
        rows = [_row(entries[case], before, formulas) for case, before in part]
        with engine.begin() as conn:
            _write(conn, rows)
        seen(len(part))
    return len(waiting)


def changed(conn: Connection, upto: Upto, formulas: Formulas) -> Sequence[tuple[str, int]]:
    """The cases that have to be folded anew, and how many of their entries are folded already."""
    table = case_table.c
    query = select(table.case, table.seq).where(table.formulas == key_of(formulas))
    kept = {row.case: int(row.seq) for row in conn.execute(query)}
    return [
        (case, kept.get(case, 0))
        for case, seq in sorted(upto.cases().items())
        if kept.get(case, 0) < seq
    ]


def key_of(formulas: Formulas) -> str:
    """What facts were folded by: the file of formulas, and how this release keeps them."""
    return f"{formulas.sha256}/{KEPT}"


def _row(entries: Sequence[Entry], before: int, formulas: Formulas) -> dict[str, Any]:
    fresh = entries[before:] or entries
    return {
        "case": entries[0].stream,
        "seq": len(entries),
        "formulas": key_of(formulas),
        "news": timestamp(min(one.at for one in fresh)),
        "facts": facts_to_json(case_facts(entries, formulas)),
    }


def _write(conn: Connection, rows: Sequence[dict[str, Any]]) -> None:
    table = case_table.c
    names = [row["case"] for row in rows]
    query = select(table.case, table.news).where(table.case.in_(names), table.news != COUNTED)
    earlier = {row.case: row.news for row in conn.execute(query)}
    conn.execute(delete(case_table).where(table.case.in_(names)))
    told = [row | {"news": min(row["news"], earlier.get(row["case"], row["news"]))} for row in rows]
    conn.execute(insert(case_table), told)


@dataclass(frozen=True, slots=True)
class Facts:
    """All cases as folded. fresh: those not in the figures yet, with how many entries, and since.

    since: the first instant of what is not in them; None if all of it is.
    """

    cases: Sequence[CaseFacts]
    fresh: Mapping[str, int]
    since: datetime | None


def read_facts(conn: Connection, upto: Upto, formulas: Formulas) -> Facts | None:
    """The facts of all cases; None if they are not those up to there: others fold too."""
    rows = conn.execute(select(case_table).order_by(case_table.c.case)).all()
    kept = {row.case: (row.seq, row.formulas) for row in rows}
    if kept != {case: (seq, key_of(formulas)) for case, seq in upto.cases().items()}:
        return None
    fresh = {row.case: row.seq for row in rows if row.news != COUNTED}
    since = min((row.news for row in rows if row.news != COUNTED), default=None)
    told = [facts_from_json(bytes(row.facts)) for row in rows]
    return Facts(told, fresh, None if since is None else instant(since))


def read_units(conn: Connection, upto: Upto) -> Iterable[Entry]:
    """The entries about units under the checkpoint."""
    return read_under(conn, [UNITS], upto.lengths).get(UNITS, [])


def have_news(conn: Connection) -> bool:
    """Whether something folded is in no figures yet."""
    query = select(case_table.c.case).where(case_table.c.news != COUNTED).limit(1)
    return conn.execute(query).first() is not None


_COUNT: Final = (
    update(case_table)
    .where(case_table.c.case == bindparam("c"), case_table.c.seq == bindparam("s"))
    .values(news=COUNTED)
)


def all_counted(conn: Connection, facts: Facts) -> None:
    """The figures of all months hold what these facts do; what was folded since stays news."""
    if facts.fresh:
        conn.execute(_COUNT, [{"c": case, "s": seq} for case, seq in facts.fresh.items()])
