"""What is published of hazards and whistles: worked out once a month by a worker, and kept.

Of the twelve months before the one that runs, as the log stood when it began. A projection: it
rests on nothing but the log. What is published of a month stays as it is, also where units are
renamed or moved meanwhile: of two groupings of the same cases one could be taken from the other.
"""

import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

import orjson
from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Engine,
    LargeBinary,
    Table,
    Text,
    and_,
    insert,
    select,
)

from audit import log
from audit.chain import Problem
from audit.encoding import instant, timestamp
from audit.entries import reread
from audit.hazard_publication import Fate, Published, Row, fate, hazards, whistles
from audit.log import metadata
from audit.publication import Cell
from engine.database import reading
from engine.definition_sets import categories
from engine.directory import Directory
from engine.errors import NotFound
from engine.people import directory
from engine.register import register_table

published_table = Table(
    "published_hazards",
    metadata,
    # The first instant that is not told any more: when the month that runs began.
    Column("until", Text, primary_key=True),
    Column("at", Text, nullable=False),
    # The figures as JSON, deflated.
    Column("told", LargeBinary, nullable=False),
)

HAZARD, WHISTLE = "hazard", "whistle"
# So long after midnight all that was recorded before it is there.
SETTLED: Final = timedelta(hours=1)
# So many cases are read in one transaction, lest a long one keep the write-ahead log from ending.
AT_ONCE: Final = 200
# So many are worked out while somebody waits for the page: a second or less.
FEW: Final = 1_000


class NotWorkedOut(NotFound):
    """The figures of these months are still to be worked out, which takes minutes."""

    def __init__(self) -> None:
        super().__init__(
            "这几个月的数字还没有算好。后台进程每小时看一次，算好就在这里，请过一会儿再打开。"
            "一直没有的，请管理员看看后台进程（shaoji worker）是否在运行。",
            "The figures of these months are not worked out yet. The worker looks once an hour; "
            "please come back later. If it stays so, an administrator should see whether "
            "`shaoji worker` is running.",
        )


@dataclass(frozen=True, slots=True)
class Months:
    """Twelve of them: from the first instant told to the first that is not."""

    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Position:
    """Up to where the log was read: cases, their records, and one fingerprint of all ends.

    sha256: over a line `<stream> <number of records> <hash of the last>` LF each, sorted.
    """

    since: datetime
    until: datetime
    cases: int
    records: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Figures:
    """All that is published, with the names of units and the words for categories as of then."""

    hazards: Published
    whistles: tuple[Cell, ...]
    position: Position
    units: Mapping[str, str]
    categories: Mapping[str, tuple[str, str]]


# --- kept -----------------------------------------------------------------------------------------


def keep(
    engine: Engine, until: datetime, *, at: datetime, stopped: Callable[[], bool] = lambda: False
) -> bool:
    """Work out what is published until then and keep it; whether that was still to be done.

    until: the first instant of a month, where the street is. stopped: asked between some cases and
    the next; then nothing is kept. Nor is it before the month has settled: an act from before
    midnight may still be on its way to the log. After that what was recorded before `until` does
    not change any more, and cases are read in transactions of their own.
    """
    if not is_settled(until, at):
        return False
    with reading(engine).begin() as conn:
        if _row(conn, published_table.c.until == timestamp(until)) is not None:
            return False
        months = Months(_year_before(until), until)
        streams = _streams(conn, months)
        words = _words(conn)
    read = _Read()
    for batch in _batches(streams):
        if stopped():
            return False
        with reading(engine).begin() as conn:
            read.take_in(_folded(conn, batch, until))
    told = orjson.dumps(
        asdict(_figures(read, words, months)),
        default=timestamp,
        option=orjson.OPT_PASSTHROUGH_DATETIME,
    )
    row = {"until": timestamp(until), "at": timestamp(at), "told": zlib.compress(told, 1)}
    with engine.begin() as conn:
        conn.execute(insert(published_table), row)
    return True


def is_settled(until: datetime, at: datetime) -> bool:
    """Whether at an instant all is there that was recorded before the month began."""
    return at - until >= SETTLED


def kept(conn: Connection, until: datetime) -> Figures | None:
    """What was last kept of the months until then, or until an earlier one; None for nothing."""
    told = _row(conn, published_table.c.until <= timestamp(until))
    return None if told is None else _read_back(orjson.loads(zlib.decompress(told)))


def work_out(conn: Connection, until: datetime) -> Figures:
    """What is published until then, from few cases; keeps nothing.

    Raises NotWorkedOut where there are many.
    """
    months = Months(_year_before(until), until)
    streams = _streams(conn, months, most=FEW + 1)
    if len(streams) > FEW:
        raise NotWorkedOut
    return _from_log(conn, streams, months)


def check(conn: Connection) -> Iterator[Problem]:
    """Whether what was kept last is what the log gives.

    All of it while the units are as they were then; else what does not depend on them: up to where
    the log was read, and the figures of the whole street.
    """
    kept_last = select(published_table).order_by(published_table.c.until.desc()).limit(1)
    row = conn.execute(kept_last).first()
    if row is None:
        return
    found = _read_back(orjson.loads(zlib.decompress(bytes(row.told))))
    months = Months(found.position.since, found.position.until)
    given = _from_log(conn, _streams(conn, months), months)
    units = log.read_one(conn, "@units", log.peek(conn, "@units") or 0)
    if units is None or units.at >= instant(row.at):
        found, given = _whole(found), _whole(given)
    if replace(found, categories={}) != replace(given, categories={}):
        yield Problem(published_table.name, 0, "what is published is not what the log gives")


def _whole(figures: Figures) -> Figures:
    whole = figures.hazards.whole
    whole = None if whole is None else replace(whole, units=())
    return replace(figures, hazards=Published((), whole, (), (), 0), whistles=(), units={})


def _row(conn: Connection, asked: ColumnElement[bool]) -> bytes | None:
    query = select(published_table.c.told).where(asked)
    told = conn.execute(query.order_by(published_table.c.until.desc()).limit(1)).scalar()
    return None if told is None else bytes(told)


def _read_back(told: dict[str, Any]) -> Figures:
    position, published = told["position"], told["hazards"]
    return Figures(
        Published(
            tuple(published["columns"]),
            None if published["whole"] is None else _row_back(published["whole"]),
            tuple(_row_back(row) for row in published["rows"]),
            _cells_back(published["categories"]),
            published["threshold"],
        ),
        _cells_back(told["whistles"]),
        Position(**position | {name: instant(position[name]) for name in ("since", "until")}),
        told["units"],
        {name: (title, english) for name, (title, english) in told["categories"].items()},
    )


def _row_back(told: dict[str, Any]) -> Row:
    return Row(**told | {"units": tuple(told["units"])})


def _cells_back(told: Iterable[dict[str, Any]]) -> tuple[Cell, ...]:
    return tuple(Cell(tuple(one["units"]), tuple(one["categories"]), one["count"]) for one in told)


# --- from the log ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Folded:
    stream: str
    records: int
    hash: str
    fate: Fate


@dataclass(slots=True)
class _Read:
    """What was read so far, in the order of the streams: a million fates, and not their ends."""

    fates: dict[str, list[Fate]] = field(default_factory=lambda: {HAZARD: [], WHISTLE: []})
    cases: int = 0
    records: int = 0
    ends: Any = field(default_factory=sha256)

    def take_in(self, folded: Iterable[_Folded]) -> None:
        for one in folded:
            self.fates[one.stream.partition("-")[0]].append(one.fate)
            self.cases += 1
            self.records += one.records
            self.ends.update(f"{one.stream} {one.records} {one.hash}\n".encode())


@dataclass(frozen=True, slots=True)
class _Words:
    people: Directory
    categories: Mapping[str, tuple[str, str]]


def _from_log(conn: Connection, streams: Sequence[str], months: Months) -> Figures:
    read = _Read()
    for batch in _batches(streams):
        read.take_in(_folded(conn, batch, months.until))
    return _figures(read, _words(conn), months)


def _streams(conn: Connection, months: Months, most: int | None = None) -> list[str]:
    """The hazards and whistles opened in these months, sorted by name."""
    row = register_table.c
    query = select(row.case).where(
        and_(
            row.process.in_((HAZARD, WHISTLE)),
            row.opened_at >= timestamp(months.since),
            row.opened_at < timestamp(months.until),
        )
    )
    return sorted(conn.execute(query.limit(most)).scalars())


def _batches(streams: Sequence[str]) -> Iterator[Sequence[str]]:
    return (streams[start : start + AT_ONCE] for start in range(0, len(streams), AT_ONCE))


def _year_before(until: datetime) -> datetime:
    # Where the street is, and there it is the first of a month: no 29th of February.
    return until.replace(year=until.year - 1)


def _folded(conn: Connection, streams: Sequence[str], until: datetime) -> Iterator[_Folded]:
    rows = groupby(log.bodies_each(conn, streams), key=itemgetter(0))
    bodies = {stream: [body for _, body in told] for stream, told in rows}
    for stream in streams:
        entries = [one for one in map(reread, bodies.get(stream, ())) if one.at < until]
        if entries:
            yield _Folded(stream, len(entries), entries[-1].hash.hex(), fate(entries))


def _words(conn: Connection) -> _Words:
    return _Words(directory(conn), categories(conn, HAZARD))


def _figures(read: _Read, words: _Words, months: Months) -> Figures:
    people, since, until = words.people, months.since, months.until

    def told_under(unit: str) -> str:
        path = people.path(unit) if unit in people.units else (unit,)
        return next((one for one in path if people.unit(one).kind == "community"), path[-1])

    return Figures(
        hazards(read.fates[HAZARD], since=since, until=until, unit_of=told_under),
        whistles(read.fates[WHISTLE], since=since, until=until, unit_of=told_under),
        Position(since, until, read.cases, read.records, read.ends.hexdigest()),
        {unit.id: unit.name for unit in people.units.values()},
        words.categories,
    )
