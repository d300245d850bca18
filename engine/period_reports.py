"""The report on a month, quarter or year of a unit: who may have it, and the content."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any, Final

from sqlalchemy import Connection, select

from audit import sequence
from audit.metrics.catalogue import METRICS
from audit.metrics.contributions import Contribution, within
from audit.metrics.formulas import Formulas
from audit.reports.periodic import Behind, PeriodReport, Position, SignalCount, WholePeriodReport
from audit.signals.rules import Rules
from engine.conduct import reporting_post
from engine.directory import Authority, Directory
from engine.errors import BadInput
from engine.guarded import kept_from
from engine.metric_periods import (
    Basis,
    Counted,
    at_one_position,
    basis,
    cases_behind,
    kept_figures,
    kept_list,
    periods,
)
from engine.people import By, directory
from engine.periods import begin_of, kind_of
from engine.register import register_table
from engine.rights import NotYoursToReport, places_reported
from engine.signal_queue import signal_counts
from engine.signals import OPEN

GROUPED: Final = ("community", "unit")
OVERDUE: Final = "overdue"
_FILE: Final = register_table.c
_AT_ONCE: Final = 500


class NoSuchPeriod(BadInput):
    """No metrics have been counted for that period."""

    def __init__(self) -> None:
        super().__init__(
            "这一期还没有算出指标。请从列出的月份、季度、年份里选。",
            "No metrics have been counted for that period. Choose one of those listed.",
        )


@dataclass(frozen=True, slots=True)
class Wanted:
    """Of which period (engine.periods) and of which unit with all below it a report is to be."""

    period: str
    unit: str


@dataclass(frozen=True, slots=True)
class Files:
    """The versioned files by which all is computed, and whose calendar it is."""

    formulas: Formulas
    rules: Rules
    zone: tzinfo


def may_report_period(people: Directory, wanted: Wanted, by: By, at: datetime) -> Authority:
    """The post by which somebody may have the report on a unit. Raises NotYoursToReport."""
    held = reporting_post(people, by, at)
    if held is None or wanted.unit not in places_reported(people, by, at):
        raise NotYoursToReport
    return held


def read_period(
    conn: Connection, wanted: Wanted, files: Files, *, by: By, at: datetime
) -> PeriodReport:
    """The content, as of the position the metrics are kept at.

    Raises NoSuchPeriod, NotYoursToReport.
    """
    people = directory(conn)
    may_report_period(people, wanted, by, at)
    return at_one_position(conn, lambda: _read(conn, people, wanted, files, by, at))


def read_whole_period(
    conn: Connection, wanted: Wanted, files: Files, *, by: By, at: datetime
) -> WholePeriodReport:
    """The content with all that stands behind it, some thousand lines in a month of a street.

    Raises NoSuchPeriod, NotYoursToReport.
    """
    people = directory(conn)
    may_report_period(people, wanted, by, at)

    def read() -> WholePeriodReport:
        report = _read(conn, people, wanted, files, by, at)
        listed = _listed(files.formulas)
        return WholePeriodReport(report, _behind(conn, people, wanted, listed, by, at))

    return at_one_position(conn, read)


def _read(
    conn: Connection, people: Directory, wanted: Wanted, files: Files, by: By, at: datetime
) -> PeriodReport:
    rests, counted = basis(conn), {one.key: one for one in periods(conn)}
    if rests is None or wanted.period not in counted:
        raise NoSuchPeriod
    period, alike = counted[wanted.period], _alike(counted, wanted.period)
    index = alike.index(wanted.period)
    before = _figures(conn, wanted, alike[index - 1], "", files) if index else None
    cases = cases_behind(conn, wanted.period, wanted.unit)
    closed = kept_from(conn, people, cases, by, at)
    return PeriodReport(
        log=rests.log,
        unit=wanted.unit,
        period=wanted.period,
        until=period.until,
        over=period.until < rests.at or wanted.period != alike[-1],
        now=Position(rests.size, rests.root, rests.at),
        end=_end(conn, rests, period.until),
        formulas=rests.formulas,
        formulas_version=rests.version,
        rules=files.rules.sha256,
        rules_version=files.rules.version,
        cases=len(cases) - len(closed),
        left_out=len(closed),
        figures=_figures(conn, wanted, wanted.period, "", files),
        before=before,
        groups={name: _figures(conn, wanted, wanted.period, name, files) for name in GROUPED},
        signals=_signals(conn, people, wanted, period, files, by, at),
        overdue=tuple(one for one in _behind(conn, people, wanted, (OVERDUE,), by, at) if one.hits),
    )


def _alike(counted: Iterable[str], period: str) -> list[str]:
    """The periods of the same kind, the first one first."""
    return [one for one in counted if kind_of(one) == kind_of(period)]


def _figures(
    conn: Connection, wanted: Wanted, period: str, by: str, files: Files
) -> tuple[Mapping[str, Any], ...]:
    told = kept_figures(conn, period, by, wanted.unit, files.formulas, zone=files.zone)
    return tuple(told)


def _end(conn: Connection, rests: Basis, until: datetime) -> Position | None:
    """The last checkpoint signed by the end of the period."""
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
    here = within({one: kept_list(conn, wanted.period, one) for one in metrics}, wanted.unit)
    cases = {one.case for told in here.values() for one in told}
    called = _called(conn, cases - kept_from(conn, people, cases, by, at))
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


def _called(conn: Connection, cases: Collection[str]) -> dict[str, tuple[str, str]]:
    called: dict[str, tuple[str, str]] = {}
    all_ = sorted(cases)
    for start in range(0, len(all_), _AT_ONCE):
        query = select(_FILE.case, _FILE.number, _FILE.title)
        query = query.where(_FILE.case.in_(all_[start : start + _AT_ONCE]))
        called |= {row.case: (row.number, row.title) for row in conn.execute(query)}
    return called


# --- signals --------------------------------------------------------------------------------------


def _signals(
    conn: Connection,
    people: Directory,
    wanted: Wanted,
    period: Counted,
    files: Files,
    by: By,
    at: datetime,
) -> tuple[SignalCount, ...]:
    """By rule, of the cases of the unit this person may see; of the period by their first entry."""
    units = people.subtree(wanted.unit)
    since = begin_of(wanted.period, files.zone)
    counts = signal_counts(conn, people, by, at, units=units, since=since, until=period.until)
    rules = sorted({rule for rule, _ in counts}, key=lambda name: int(name[1:]))
    return tuple(
        SignalCount(
            rule, *(counts.get((rule, state), 0) for state in (OPEN, "confirmed", "dismissed"))
        )
        for rule in rules
    )
