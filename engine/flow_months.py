"""How the cases of each process and month went, kept so that a page need not read their entries.

A projection: of the cases opened in a month, no confidential one. Made anew once one of them has
another entry, or there are more or fewer of them; until then it says which entries it rests on.
"""

import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, tzinfo
from typing import Any, Final

import orjson
from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Integer,
    LargeBinary,
    Table,
    Text,
    delete,
    insert,
    select,
)

from audit import log
from audit.encoding import instant, timestamp
from audit.log import metadata
from audit.mining.events import Trace
from audit.mining.views import (
    Bottleneck,
    Handover,
    Spread,
    Variant,
    bottlenecks,
    handovers,
    step_times,
    variants,
)
from engine.database import reading
from engine.mining import Conformance, conformance, traces
from engine.register import register_table

flow_table = Table(
    "flow_month",
    metadata,
    Column("process", Text, primary_key=True),
    Column("month", Text, primary_key=True),
    # How many cases, and how many entries they had: what the views rest on.
    Column("cases", Integer, nullable=False),
    Column("entries", Integer, nullable=False),
    Column("at", Text, nullable=False),
    # Conformance and views as JSON, deflated.
    Column("told", LargeBinary, nullable=False),
)

# Of each variant so many cases are named.
NAMED: Final = 3


@dataclass(frozen=True, slots=True)
class Basis:
    """The cases of a process opened in a month (`2026-03`), and how many entries they had."""

    process: str
    month: str
    cases: int
    entries: int


@dataclass(frozen=True, slots=True)
class Flow:
    """How they went. names: of elements, Chinese and English. examples: of each variant some cases.

    at: when this was made.
    """

    basis: Basis
    at: datetime
    conformance: Conformance
    variants: Sequence[Variant]
    examples: Mapping[tuple[str, ...], Sequence[str]]
    handovers: Sequence[Handover]
    steps: Sequence[Bottleneck]
    bottlenecks: Sequence[Bottleneck]
    names: Mapping[str, tuple[str, str]]


def keep_flows(
    engine: Engine,
    *,
    zone: tzinfo,
    at: datetime,
    stopped: Callable[[], bool] = lambda: False,
) -> int:
    """Bring what is kept up to date, a month of a process at a time; how many were made anew.

    zone: whose months they are. stopped: asked between them; what is done stays done.
    """
    with reading(engine).begin() as conn:
        there = _months(conn, zone)
        kept = {(one.process, one.month): one for one in bases(conn)}
    made = 0
    with engine.begin() as conn:
        for key in kept.keys() - there.keys():
            _forget(conn, *key)
    for key, cases in sorted(there.items()):
        basis = Basis(*key, len(cases), sum(cases.values()))
        if kept.get(key) == basis or stopped():
            continue
        with reading(engine).begin() as conn:
            told = _tell(conn, list(cases))
        row = {
            "process": basis.process, "month": basis.month, "cases": basis.cases,
            "entries": basis.entries, "at": timestamp(at), "told": told,
        }  # fmt: skip
        with engine.begin() as conn:
            _forget(conn, *key)
            conn.execute(insert(flow_table), row)
        made += 1
    return made


def _months(conn: Connection, zone: tzinfo) -> dict[tuple[str, str], dict[str, int]]:
    """By process and month the cases opened then, with the number of their last entry."""
    row, head = register_table.c, log.head_table
    query = (
        select(row.process, row.opened_at, row.case, head.c.seq)
        .join(head, head.c.stream == row.case)
        .where(row.confidential == 0)
        .order_by(row.opened_at, row.case)
    )
    found: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
    for process, opened, case, seq in conn.execute(query):
        month = f"{instant(opened).astimezone(zone):%Y-%m}"
        found[process, month][case] = seq
    return found


def _forget(conn: Connection, process: str, month: str) -> None:
    table = flow_table.c
    conn.execute(delete(flow_table).where(table.process == process, table.month == month))


def _tell(conn: Connection, cases: Sequence[str]) -> bytes:
    found = list(traces(conn, cases))
    (whole,) = conformance(conn, cases)
    told = {
        "conformance": asdict(whole),
        "variants": [asdict(one) for one in variants(found)],
        "examples": _examples(found),
        "handovers": [asdict(one) for one in handovers(found)],
        "steps": [asdict(one) for one in step_times(found)],
        "bottlenecks": [asdict(one) for one in bottlenecks(found)],
        "names": {event.element: (event.name, event.name_en) for one in found
                  for event in one.events},
    }  # fmt: skip
    return zlib.compress(orjson.dumps(told), 1)


def _examples(found: Iterable[Trace]) -> list[tuple[tuple[str, ...], list[str]]]:
    """Of each variant the cases that went so last, newest first."""
    cases: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for one in found:
        if one.end is not None:
            done = (event.element for event in one.events if event.transition == "complete")
            cases[tuple(done)].append(one.case)
    return [(steps, told[: -NAMED - 1 : -1]) for steps, told in cases.items()]


# --- read -----------------------------------------------------------------------------------------


def bases(conn: Connection) -> list[Basis]:
    """What is kept, by process and month."""
    row = flow_table.c
    query = select(row.process, row.month, row.cases, row.entries)
    found = conn.execute(query.order_by(row.process, row.month))
    return [Basis(*one) for one in found]


def flow_of(conn: Connection, process: str, month: str) -> Flow | None:
    """How the cases of a process opened in a month went; None where nothing is kept."""
    table = flow_table.c
    query = select(flow_table).where(table.process == process, table.month == month)
    row = conn.execute(query).first()
    if row is None:
        return None
    told: dict[str, Any] = orjson.loads(zlib.decompress(bytes(row.told)))
    whole = told["conformance"]
    return Flow(
        Basis(row.process, row.month, row.cases, row.entries),
        instant(row.at),
        Conformance(**whole | {"differing": tuple(map(tuple, whole["differing"]))}),
        [_variant(one) for one in told["variants"]],
        {tuple(steps): cases for steps, cases in told["examples"]},
        [Handover(**one) for one in told["handovers"]],
        [_bottleneck(one) for one in told["steps"]],
        [_bottleneck(one) for one in told["bottlenecks"]],
        {element: (name, english) for element, (name, english) in told["names"].items()},
    )


def _variant(told: Mapping[str, Any]) -> Variant:
    return Variant(**{**told, "steps": tuple(told["steps"]), "minutes": Spread(**told["minutes"])})


def _bottleneck(told: Mapping[str, Any]) -> Bottleneck:
    spreads = {name: Spread(**told[name]) for name in ("waiting", "working", "used")}
    return Bottleneck(**{**told, **spreads})
