"""The report on a month of a street or a unit: who may have it, and the content."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any, Final

from sqlalchemy import Connection, select

from audit import sequence
from audit.metrics.catalogue import METRICS
from audit.metrics.contributions import Contribution, within
from audit.metrics.formulas import Formulas
from audit.reports.month import Behind, Month, Position, SignalCount, WholeMonth
from audit.signals.rules import Rules
from engine.casework import read_cases
from engine.conduct import reporting_post
from engine.directory import Authority, Directory
from engine.errors import BadInput
from engine.metric_months import (
    Basis,
    at_one_position,
    basis,
    cases_behind,
    kept_figures,
    kept_list,
    month_begin,
    months,
)
from engine.metric_months import Month as Counted
from engine.people import By, directory
from engine.register import GUARDED, register_table
from engine.rights import NotYoursToReport, may_see, places_reported
from engine.signal_queue import signal_counts
from engine.signals import OPEN

GROUPED: Final = ("community", "unit")
OVERDUE: Final = "overdue"
_FILE: Final = register_table.c


class NoSuchMonth(BadInput):
    """No metrics have been counted for that month."""

    def __init__(self) -> None:
        super().__init__(
            "这个月还没有算出指标。请从列出的月份里选。",
            "No metrics have been counted for that month. Choose one of those listed.",
        )


@dataclass(frozen=True, slots=True)
class Wanted:
    """Of which month (`2026-03`) and of which unit with all below it a report is to be."""

    month: str
    unit: str


@dataclass(frozen=True, slots=True)
class Files:
    """The versioned files by which all is computed, and whose months they are."""

    formulas: Formulas
    rules: Rules
    zone: tzinfo


def may_report_month(people: Directory, wanted: Wanted, by: By, at: datetime) -> Authority:
    """The post by which somebody may have the report on a unit. Raises NotYoursToReport."""
    held = reporting_post(people, by, at)
    if held is None or wanted.unit not in places_reported(people, by, at):
        raise NotYoursToReport
    return held


def read_month(conn: Connection, wanted: Wanted, files: Files, *, by: By, at: datetime) -> Month:
    """The content, as of the position the metrics are kept at.

    Raises NoSuchMonth, NotYoursToReport.
    """
    people = directory(conn)
    may_report_month(people, wanted, by, at)
    return at_one_position(conn, lambda: _read(conn, people, wanted, files, by, at))


def read_whole_month(
    conn: Connection, wanted: Wanted, files: Files, *, by: By, at: datetime
) -> WholeMonth:
    """The content with all that stands behind it, some thousand lines in a street's month.

    Raises NoSuchMonth, NotYoursToReport.
    """
    people = directory(conn)
    may_report_month(people, wanted, by, at)

    def read() -> WholeMonth:
        month = _read(conn, people, wanted, files, by, at)
        listed = _listed(files.formulas)
        return WholeMonth(month, _behind(conn, people, wanted, listed, by, at))

    return at_one_position(conn, read)


def _read(
    conn: Connection, people: Directory, wanted: Wanted, files: Files, by: By, at: datetime
) -> Month:
    rests, counted = basis(conn), months(conn)
    named = [one.month for one in counted]
    if rests is None or wanted.month not in named:
        raise NoSuchMonth
    index = named.index(wanted.month)
    month = counted[index]
    before = _figures(conn, wanted, named[index - 1], "", files) if index else None
    cases = cases_behind(conn, wanted.month, _listed(files.formulas), wanted.unit)
    closed = _closed(conn, people, cases, by, at)
    return Month(
        log=rests.log,
        unit=wanted.unit,
        month=wanted.month,
        until=month.until,
        over=month.until < rests.at or index < len(named) - 1,
        now=Position(rests.size, rests.root, rests.at),
        end=_end(conn, rests, month.until),
        formulas=rests.formulas,
        formulas_version=rests.version,
        rules=files.rules.sha256,
        rules_version=files.rules.version,
        cases=len(cases) - len(closed),
        left_out=len(closed),
        figures=_figures(conn, wanted, wanted.month, "", files),
        before=before,
        groups={name: _figures(conn, wanted, wanted.month, name, files) for name in GROUPED},
        signals=_signals(conn, people, wanted, month, files, by, at),
        overdue=tuple(one for one in _behind(conn, people, wanted, (OVERDUE,), by, at) if one.hits),
    )


def _figures(
    conn: Connection, wanted: Wanted, month: str, by: str, files: Files
) -> tuple[Mapping[str, Any], ...]:
    told = kept_figures(conn, month, by, wanted.unit, files.formulas, zone=files.zone)
    return tuple(told)


def _end(conn: Connection, rests: Basis, until: datetime) -> Position | None:
    """The last checkpoint signed by the end of the month."""
    found = sequence.signed_by(conn, until)
    if found is None or found[0].size > rests.size:
        return None
    checkpoint, signed = found
    return Position(checkpoint.size, checkpoint.root.hex(), signed)


# --- what stands behind the figures ---------------------------------------------------------------


def _listed(formulas: Formulas) -> list[str]:
    """The metrics of which cases are told: of processes that are not confidential."""
    return [one.id for one in METRICS.values() if not formulas.of(one.process).confidential]


def _behind(
    conn: Connection,
    people: Directory,
    wanted: Wanted,
    metrics: Iterable[str],
    by: By,
    at: datetime,
) -> tuple[Behind, ...]:
    """What cases contributed to these metrics, of those that may be told."""
    here = within({one: kept_list(conn, wanted.month, one) for one in metrics}, wanted.unit)
    cases = {one.case for told in here.values() for one in told}
    called = _called(conn, cases - _closed(conn, people, cases, by, at))
    return tuple(
        _told(metric, one, called[one.case])
        for metric, contributed in here.items()
        for one in sorted(contributed, key=lambda one: (one.at, one.case, one.entry))
        if one.case in called
    )


def _told(metric: str, one: Contribution, called: tuple[str, str]) -> Behind:
    return Behind(
        metric, one.case, *called, one.entry, one.at, one.unit, one.hits, one.of, one.reason,
        one.apart, one.minutes,
    )  # fmt: skip


def _closed(
    conn: Connection, people: Directory, cases: Collection[str], by: By, at: datetime
) -> set[str]:
    """Of these cases those that whoever asks may not see."""
    query = select(_FILE.case).where(GUARDED, _FILE.case.in_(cases))
    states = read_cases(conn, set(conn.execute(query).scalars()))
    return {case for case, state in states.items() if not may_see(state, people, by, at)}


def _called(conn: Connection, cases: Collection[str]) -> dict[str, tuple[str, str]]:
    query = select(_FILE.case, _FILE.number, _FILE.title).where(_FILE.case.in_(cases))
    return {row.case: (row.number, row.title) for row in conn.execute(query)}


# --- signals --------------------------------------------------------------------------------------


def _signals(
    conn: Connection,
    people: Directory,
    wanted: Wanted,
    month: Counted,
    files: Files,
    by: By,
    at: datetime,
) -> tuple[SignalCount, ...]:
    """By rule, of the cases of the unit this person may see; of the month by their first entry."""
    units = people.subtree(wanted.unit)
    since = month_begin(wanted.month, files.zone)
    counts = signal_counts(conn, people, by, at, units=units, since=since, until=month.until)
    rules = sorted({rule for rule, _ in counts}, key=lambda name: int(name[1:]))
    return tuple(
        SignalCount(
            rule, *(counts.get((rule, state), 0) for state in (OPEN, "confirmed", "dismissed"))
        )
        for rule in rules
    )
