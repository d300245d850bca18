"""Editions of the risk-control index: a month's table computed on the record, and kept as it was.

An edition rests on one position of the log, one file of formulas and one of weights; its figures
are known by their hash, so whoever computes them from an export sees that they are the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any, Final

import orjson
from sqlalchemy import Column, Connection, Integer, LargeBinary, Table, Text, insert, select

from audit import log
from audit.encoding import canonical, timestamp
from audit.entries import Draft, Entry
from audit.log import metadata
from audit.metrics.formulas import Formulas
from audit.metrics.places import UNITS, places
from audit.pinned import sha256
from audit.risk_index.table import figures_hash, index_table
from audit.risk_index.told import NEEDED, Told
from audit.risk_index.weights import Weights
from engine.calendar import Calendar, add_working, named, working_minutes_per_day
from engine.calendar_versions import calendar
from engine.directory import Authority, Directory
from engine.errors import Conflict, NotAllowed, Refusal
from engine.index_register import STREAM, Edition
from engine.index_weights import check_month, read_register, weights_for
from engine.metric_periods import Basis, at_one_position, basis, kept_lists, months
from engine.people import By, actor, directory
from engine.periods import end_of
from engine.reasons import reasoned
from engine.rights import SUPERVISION, places_overlooked

edition_table = Table(
    "index_edition",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("month", Text, nullable=False),
    Column("figures", LargeBinary, nullable=False),
)
CAPACITY: Final = "index"


class NotYoursToCompute(NotAllowed):
    """Editions are computed, answered for and published by who supervises all that is in them."""

    def __init__(self) -> None:
        super().__init__(
            "管控指数由督查全部社区的岗位计算、答复异议和发布，您现在没有这样的岗位。请找街道督查岗位。",
            "Editions of the index are computed, answered for and published by a post that "
            "supervises all communities in them; you hold none now. Ask the street's supervisor.",
        )


class MonthNotCounted(Conflict):
    """The month is not over, or not counted to its end yet."""

    def __init__(self, month: str) -> None:
        super().__init__(
            f"{month} 还没有过完，或还没有数到月底。请等下一个检查点签出、后台数完再算。",
            f"{month} is not over, or not counted to its end yet. Wait for the next checkpoint and "
            "for the worker to count it.",
        )


class EditionMoved(Conflict):
    """Another edition of the month was computed meanwhile, maybe by the same form sent twice."""

    def __init__(self) -> None:
        super().__init__(
            "这个月已经有您没看到的一期，这次没有计算。请先看那一期。",
            "There is an edition of this month that you have not seen; nothing was computed. Look "
            "at it first.",
        )


class EditionDamaged(Refusal):
    """The figures stored are not those that were recorded."""


@dataclass(frozen=True, slots=True)
class Trial:
    """The table of a month as it would be now; whole: the month is counted to its end."""

    month: str
    table: Mapping[str, Any]
    basis: Basis
    weights: Weights
    whole: bool


def trial(
    conn: Connection, month: str, weights: Weights, formulas: Formulas, *, zone: tzinfo
) -> Trial:
    """Compute the table of a month from what is kept; raises NoMonth, MonthNotCounted for none."""
    check_month(month)
    return at_one_position(conn, lambda: _trial(conn, month, weights, formulas, zone))


def _trial(
    conn: Connection, month: str, weights: Weights, formulas: Formulas, zone: tzinfo
) -> Trial:
    rests, kept = basis(conn), {one.key: one for one in months(conn)}
    if rests is None or month not in kept or rests.formulas != formulas.sha256:
        raise MonthNotCounted(month)
    units = places(log.read(conn, UNITS))
    now, before = (
        Told(kept_lists(conn, name, NEEDED), formulas, units, zone)
        for name in (month, before_month(month))
    )
    whole = kept[month].until == end_of(month, zone)
    return Trial(month, index_table(now, before, weights), rests, weights, whole)


def before_month(month: str) -> str:
    """The month before: `2025-12` of `2026-01`."""
    count = int(month[:4]) * 12 + int(month[5:]) - 2
    return f"{count // 12:04}-{count % 12 + 1:02}"


# --- who ------------------------------------------------------------------------------------------


def keeper(people: Directory, by: By, at: datetime, units: Mapping[str, Any]) -> Authority | None:
    """The post by which this person keeps the index: it supervises all these communities."""
    held = [
        one for one in people.capacities(by.person, at)
        if one.duty == SUPERVISION and by.on_behalf_of in (None, one.on_behalf_of)
    ]  # fmt: skip
    return next((one for one in held if units.keys() <= places_overlooked(people, [one])), None)


def keeping(people: Directory, by: By, at: datetime, units: Mapping[str, Any]) -> dict[str, Any]:
    """The actor of an act on the index; raises NotYoursToCompute."""
    held = keeper(people, by, at, units)
    if held is None:
        raise NotYoursToCompute
    return actor(held, CAPACITY, channel=by.channel)


# --- on the record --------------------------------------------------------------------------------


def compute_edition(
    conn: Connection,
    month: str,
    formulas: Formulas,
    reason: str = "",
    *,
    known: int,
    zone: tzinfo,
    by: By,
    at: datetime,
) -> Entry:
    """Compute a month's table as its next edition, by the weights in force for it.

    reason: of every edition but the first, what makes it needed. known: how many editions of the
    month whoever asks has seen. Raises NoMonth, NotYoursToCompute, WeightsMissing, WeightsDamaged,
    MonthNotCounted, EditionMoved, NoReason.
    """
    head = log.take(conn, STREAM)
    weights = weights_for(conn, check_month(month))
    who = keeping(directory(conn), by, at, weights.communities)
    earlier = read_register(conn).of(month)
    if len(earlier) != known:
        raise EditionMoved
    why = {"reason": reasoned(reason)} if earlier or reason.strip() else {}
    found = trial(conn, month, weights, formulas, zone=zone)
    if not found.whole:
        raise MonthNotCounted(month)
    told = _told(found, len(earlier) + 1, calendar(conn), at)
    (entry,), _ = log.append(conn, head, [Draft("index.computed", told | why, who, at)])
    row = {"seq": entry.seq, "month": month, "figures": canonical(dict(found.table))}
    conn.execute(insert(edition_table), row)
    return entry


def _told(found: Trial, number: int, cal: Calendar, at: datetime) -> dict[str, Any]:
    rests, weights = found.basis, found.weights
    days = weights.numbers["objection_days"]
    until = add_working(cal, at, days * working_minutes_per_day(cal))
    return {
        "month": found.month, "edition": number, "figures": figures_hash(dict(found.table)),
        "weights": weights.version, "weights_sha256": weights.sha256,
        "formulas": rests.version, "formulas_sha256": rests.formulas,
        "size": rests.size, "root": rests.root,
        "until": timestamp(until), "days": days, "calendar": named(cal),
    }  # fmt: skip


def edition_figures(conn: Connection, edition: Edition) -> dict[str, Any]:
    """The table of an edition (audit.risk_index.table); raises EditionDamaged."""
    query = select(edition_table.c.figures).where(edition_table.c.seq == edition.seq)
    data = conn.execute(query).scalar()
    if data is None or sha256(bytes(data)) != edition.told["figures"]:
        raise EditionDamaged(
            f"{edition.month} 第 {edition.number} 期的数不见了或被改动过，不能显示。"
            "请管理员用备份恢复，或按它写明的位置和权重重新计算。",
            f"The figures of edition {edition.number} of {edition.month} are missing or were "
            "changed; they are not shown. Restore them, or compute them again by what it names.",
        )
    told: dict[str, Any] = orjson.loads(bytes(data))
    return told
