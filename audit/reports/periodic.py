"""A month, quarter or year of a unit: metrics beside those of the one before, signals, positions.

What is laid together here was computed elsewhere (audit.metrics, audit.signals); this names what
all of it rests on, and for each figure the entries that decided it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from audit.encoding import canonical
from audit.reports.case import plain

# To be raised whenever the same entries give another digest than before.
PERIOD_VERSION: Final = 1
FORMAT: Final = "shaoji-period/1"
ATTACHMENT: Final = "period.json"


@dataclass(frozen=True, slots=True)
class Position:
    """A position of the log: size and root (hex) of a checkpoint, and when it was signed."""

    size: int
    root: str
    at: datetime


@dataclass(frozen=True, slots=True)
class SignalCount:
    """How many signals of a rule rest on an entry of the period, by how they stand now."""

    rule: str
    open: int
    confirmed: int
    dismissed: int


@dataclass(frozen=True, slots=True)
class Behind:
    """What a case contributed to a metric, and the entry that decided it (audit.metrics)."""

    metric: str
    case: str
    number: str
    title: str
    entry: int
    at: datetime
    unit: str
    hits: int
    of: int
    reason: str
    apart: str
    minutes: int | None


@dataclass(frozen=True, slots=True)
class PeriodReport:
    """A period (`2026-03`, `2026-Q1`, `2026`) of a unit and all below it.

    until: up to when it is counted, its end unless it still runs. now: the position all figures
    rest on; end: the last one signed by the end of the period, if any. formulas: SHA-256 (hex) of
    their file, of this version; rules: likewise of the signals. figures, before: as in
    audit.metrics.plain, of this period and the one before (None: there is none); groups: by
    community, by unit. cases: how many stand behind the figures that are not confidential and that
    whoever asked may see; left_out: how many they may not. overdue: which of those they may see
    are overdue at the end.
    """

    log: str
    unit: str
    period: str
    until: datetime
    over: bool
    now: Position
    end: Position | None
    formulas: str
    formulas_version: int
    rules: str
    rules_version: int
    cases: int
    left_out: int
    figures: tuple[Mapping[str, Any], ...]
    before: tuple[Mapping[str, Any], ...] | None
    groups: Mapping[str, tuple[Mapping[str, Any], ...]]
    signals: tuple[SignalCount, ...]
    overdue: tuple[Behind, ...]


@dataclass(frozen=True, slots=True)
class WholePeriodReport:
    """A period with all that its cases contributed to its figures, for a file."""

    report: PeriodReport
    behind: tuple[Behind, ...]


def period_report_data(told: WholePeriodReport) -> bytes:
    """The whole content as canonical JSON: what is attached to a report, and hashed."""
    # What is overdue stands among all the rest.
    report = {name: one for name, one in plain(told.report).items() if name != "overdue"}
    return canonical({"format": FORMAT, **report, "behind": plain(told.behind)})
