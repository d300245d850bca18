"""The figures of each month, quarter and year as of the last checkpoint: no page need count them.

A period that has ended is counted once, and again only if something recorded in it comes under a
checkpoint later. One that runs counts up to the instant the checkpoint was signed.
"""

import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any, Final, TypeVar

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
from audit.metrics.catalogue import METRICS
from audit.metrics.contributions import Contribution, contributions, within
from audit.metrics.formulas import Formulas
from audit.metrics.kept import (
    KEPT,
    cases_from_json,
    cases_to_json,
    rows_from_json,
    rows_to_json,
)
from audit.metrics.marks import Period, seen
from audit.metrics.places import UNITS, Places, places
from audit.metrics.plain import figures_json
from audit.metrics.results import figures
from engine.database import reading
from engine.metric_facts import (
    Facts,
    Upto,
    all_counted,
    have_news,
    keep_facts,
    last_checkpoint,
    read_facts,
    read_units,
)
from engine.people import By, directory
from engine.periods import between, kind_of
from engine.rights import places_measured

basis_table = Table(
    "metric_basis",
    metadata,
    Column("log", Text, primary_key=True),
    Column("size", Integer, nullable=False),
    Column("root", Text, nullable=False),
    Column("at", Text, nullable=False),
    # SHA-256 and version of the file of formulas, and how this release keeps what it gives.
    Column("formulas", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("kept", Integer, nullable=False),
)
# By the keys of engine.periods.
period_table = Table(
    "metric_period",
    metadata,
    Column("period", Text, primary_key=True),
    Column("until", Text, nullable=False),
    Column("cases", Integer, nullable=False),
)
# What was contributed to each metric, as JSON (audit.metrics.kept), deflated; under CASES which
# cases contributed to any.
list_table = Table(
    "metric_list",
    metadata,
    Column("period", Text, primary_key=True),
    Column("metric", Text, primary_key=True),
    Column("rows", LargeBinary, nullable=False),
)
# The figures of a unit and all below it, as JSON (audit.metrics.plain), deflated.
figures_table = Table(
    "metric_figures",
    metadata,
    Column("period", Text, primary_key=True),
    Column("by", Text, primary_key=True),
    Column("place", Text, primary_key=True),
    Column("figures", LargeBinary, nullable=False),
)

# By what a period's figures are told; "" for the whole.
BY: Final = ("", "community", "grid", "unit", "class")
FAST: Final = 1
CASES: Final = ""
Read = TypeVar("Read")


@dataclass(frozen=True, slots=True)
class Basis:
    """What all kept figures rest on: a position of the log, when it was signed, the formulas."""

    log: str
    size: int
    root: str
    at: datetime
    formulas: str
    version: int


@dataclass(frozen=True, slots=True)
class Counted:
    """A period that has figures (key: of engine.periods).

    until: up to when it is counted. cases: how many were.
    """

    key: str
    until: datetime
    cases: int


# --- kept up --------------------------------------------------------------------------------------


def keep_figures(
    engine: Engine,
    formulas: Formulas,
    seen: Callable[[int], None] = lambda _: None,
    *,
    zone: tzinfo,
) -> int:
    """Bring facts and figures to the last checkpoint; how many periods were counted anew.

    seen: so many more cases are folded. zone: whose calendar they are of. Nothing is done without a
    checkpoint, or where another process is ahead.
    """
    with reading(engine).begin() as conn:
        upto = last_checkpoint(conn)
    if upto is None:
        return 0
    keep_facts(engine, upto, formulas, seen)
    with reading(engine).begin() as conn:
        work = _work(conn, upto, formulas, zone)
    if work is None:
        return 0
    counted = [_count(work, key, formulas, zone) for key in work.periods]
    with engine.begin() as conn:
        return len(counted) if _write(conn, work, formulas, counted) else 0


@dataclass(frozen=True, slots=True)
class _Work:
    """What there is to count: all cases, the periods whose figures are not right, and for whom."""

    upto: Upto
    facts: Facts
    units: Places
    periods: Mapping[str, Period]
    known: frozenset[str]
    measured: Sequence[str]


def _work(conn: Connection, upto: Upto, formulas: Formulas, zone: tzinfo) -> _Work | None:
    """None if nothing has changed, or somebody else is at it."""
    measured = _measured(conn, upto.at)
    before = basis(conn) if _is_kept_so(conn, formulas, measured) else None
    if before is not None and before.size == upto.tree.size and not have_news(conn):
        return None
    facts = read_facts(conn, upto, formulas)
    if facts is None:
        return None
    units = places(read_units(conn, upto))
    all_ = between(min((one.opened for one in facts.cases), default=upto.at), upto.at, zone)
    known = {one.key: one.until for one in periods(conn)} if before else {}
    wrong = {
        key: period
        for key, period in all_.items()
        if known.get(key) != period.until or (facts.since and facts.since < period.until)
    }
    return _Work(upto, facts, units, wrong, frozenset(all_), measured)


def _measured(conn: Connection, at: datetime) -> list[str]:
    """The units of whose metrics somebody is told then."""
    people = directory(conn)
    persons = {post.person for post in people.posts.values()}
    return sorted({unit for one in persons for unit in places_measured(people, By(one), at)})


def _is_kept_so(conn: Connection, formulas: Formulas, measured: Iterable[str]) -> bool:
    """Whether what is kept was counted by these formulas, and for all these units."""
    row = conn.execute(select(basis_table.c.formulas, basis_table.c.kept)).first()
    kept = set(conn.execute(select(figures_table.c.place).distinct()).scalars())
    by = row is not None and (row.formulas, row.kept) == (formulas.sha256, KEPT)
    return by and set(measured) <= kept


@dataclass(frozen=True, slots=True)
class _Figures:
    """One period as it is kept."""

    counted: Counted
    lists: Mapping[str, bytes]
    figures: Mapping[tuple[str, str], bytes]


def _count(work: _Work, key: str, formulas: Formulas, zone: tzinfo) -> _Figures:
    period = work.periods[key]
    all_ = seen(work.facts.cases, formulas, work.units, period)
    told = contributions(all_)
    return _Figures(
        Counted(key, period.until, sum(map(len, all_.cases.values()))),
        {metric: _deflated(rows_to_json(rows)) for metric, rows in told.items()}
        | {CASES: _deflated(_cases(told, formulas))},
        {
            (by, place): _deflated(_figures(within(told, place), formulas, work.units, by, zone))
            for place in work.measured
            for by in BY
        },
    )


def _figures(
    told: Mapping[str, Sequence[Contribution]],
    formulas: Formulas,
    units: Places,
    by: str,
    zone: tzinfo,
) -> bytes:
    return orjson.dumps(figures_json(figures(told, formulas, units, by=by, zone=zone)))


def _cases(told: Mapping[str, Iterable[Contribution]], formulas: Formulas) -> bytes:
    """Those of processes that are not confidential: which cases these are may be told."""
    return cases_to_json(
        one
        for metric, rows in told.items()
        if not formulas.of(METRICS[metric].process).confidential
        for one in rows
    )


def _deflated(data: bytes) -> bytes:
    return zlib.compress(data, FAST)


def _write(conn: Connection, work: _Work, formulas: Formulas, counted: Iterable[_Figures]) -> bool:
    """All at once, so that every figure that is read rests on one position."""
    tree, before = work.upto.tree, basis(conn)
    if before is not None and before.size > tree.size:
        return False
    for table in (period_table, list_table, figures_table):
        kept = set(conn.execute(select(table.c.period)).scalars())
        gone = [*work.periods, *(kept - work.known)]
        conn.execute(delete(table).where(table.c.period.in_(gone)))
    for one in counted:
        _keep(conn, one)
    conn.execute(delete(basis_table))
    row = {
        "log": tree.origin, "size": tree.size, "root": tree.root.hex(),
        "at": timestamp(work.upto.at), "formulas": formulas.sha256, "version": formulas.version,
        "kept": KEPT,
    }  # fmt: skip
    conn.execute(insert(basis_table), row)
    all_counted(conn, work.facts)
    return True


def _keep(conn: Connection, one: _Figures) -> None:
    told = one.counted
    row = {"period": told.key, "until": timestamp(told.until), "cases": told.cases}
    conn.execute(insert(period_table), row)
    lists = [{"period": told.key, "metric": m, "rows": rows} for m, rows in one.lists.items()]
    conn.execute(insert(list_table), lists)
    figures_ = [
        {"period": told.key, "by": by, "place": place, "figures": data}
        for (by, place), data in one.figures.items()
    ]
    if figures_:
        conn.execute(insert(figures_table), figures_)


# --- read -----------------------------------------------------------------------------------------


def basis(conn: Connection) -> Basis | None:
    """What the kept figures rest on; None before any were counted."""
    row = conn.execute(select(basis_table)).first()
    if row is None:
        return None
    return Basis(row.log, row.size, row.root, instant(row.at), row.formulas, row.version)


def at_one_position(conn: Connection, read: Callable[[], Read]) -> Read:
    """What is read of all this, at one position: read again if it was replaced meanwhile.

    A transaction of PostgreSQL sees in each question what others have written since the last one.
    """
    while True:
        before, told = basis(conn), read()
        if basis(conn) == before:
            return told


def periods(conn: Connection) -> list[Counted]:
    """The periods that have figures, of each kind the first one first."""
    query = select(period_table).order_by(period_table.c.period)
    return [Counted(row.period, instant(row.until), row.cases) for row in conn.execute(query)]


def months(conn: Connection) -> list[Counted]:
    """The months that have figures, the first one first."""
    return [one for one in periods(conn) if kind_of(one.key) == "month"]


def kept_figures(
    conn: Connection,
    period: str,
    by: str,
    place: str,
    formulas: Formulas,
    *,
    zone: tzinfo,
) -> list[dict[str, Any]]:
    """A period's figures (audit.metrics.plain) of a unit and all below it, by one of BY.

    Of a unit for which none are kept they are counted from what was contributed.
    """
    table = figures_table.c
    query = select(table.figures).where(
        table.period == period, table.by == by, table.place == place
    )
    kept = conn.execute(query).scalar()
    if kept is not None:
        told: list[dict[str, Any]] = orjson.loads(zlib.decompress(bytes(kept)))
        return told
    rows = {metric: kept_list(conn, period, metric) for metric in METRICS}
    units = places(log.read(conn, UNITS))
    counted: list[dict[str, Any]] = orjson.loads(
        _figures(within(rows, place), formulas, units, by, zone)
    )
    return counted


def kept_lists(
    conn: Connection, period: str, metrics: Sequence[str]
) -> dict[str, list[Contribution]]:
    """What was contributed to each of these metrics in a period, in one question."""
    table = list_table.c
    query = select(table.metric, table.rows)
    query = query.where(table.period == period, table.metric.in_(metrics))
    found = {row.metric: rows_from_json(zlib.decompress(bytes(row.rows)))
             for row in conn.execute(query)}  # fmt: skip
    return {metric: found.get(metric, []) for metric in metrics}


def cases_behind(conn: Connection, period: str, place: str) -> frozenset[str]:
    """Which cases contributed to a period's figures in a unit or below it, no confidential one."""
    table = list_table.c
    query = select(table.rows).where(table.period == period, table.metric == CASES)
    kept = conn.execute(query).scalar()
    return frozenset() if kept is None else cases_from_json(zlib.decompress(bytes(kept)), place)


def kept_list(conn: Connection, period: str, metric: str) -> list[Contribution]:
    """What was contributed to a metric in a period; nothing for one that has no figures."""
    table = list_table.c
    query = select(table.rows).where(table.period == period, table.metric == metric)
    kept = conn.execute(query).scalar()
    return [] if kept is None else rows_from_json(zlib.decompress(bytes(kept)))
