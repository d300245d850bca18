"""我的履责记录: what a person did, and how much of it in time. Kept promises are said first."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from audit.reports.facts import CaseRecord, Responsibility, TimelineRow


@dataclass(frozen=True, slots=True)
class LateStep:
    """One step that missed a limit, with its case and the person's own explanation."""

    case: str
    number: str
    record: CaseRecord
    line: Responsibility


@dataclass(frozen=True, slots=True)
class OwnAct:
    """One thing a person put on the record, of which they may keep the receipt."""

    record: CaseRecord
    row: TimelineRow


@dataclass(frozen=True, slots=True)
class DutyRecord:
    """How many steps somebody did in these cases: all, those with a limit, those in time.

    acts: everything they put on the record there, the latest of each case first.
    """

    cases: int
    steps: int
    limited: int
    in_time: int
    late: tuple[LateStep, ...]
    acts: tuple[OwnAct, ...]


def duty_record(records: Sequence[CaseRecord], person: str) -> DutyRecord:
    """What one person did in these cases, from the log alone."""
    done = [
        (record, line)
        for record in records
        for line in record.responsibility
        if line.how in ("completed", "reported") and line.who and line.who.doer.person == person
    ]
    limited = [(record, line) for record, line in done if line.timing.state in ("in_time", "late")]
    late = [
        LateStep(record.case, record.number, record, line)
        for record, line in limited
        if line.timing.state == "late"
    ]
    cases = len({record.case for record, _ in done})
    in_time = len(limited) - len(late)
    acts = tuple(_acts(records, person))
    return DutyRecord(cases, len(done), len(limited), in_time, tuple(late), acts)


def _acts(records: Iterable[CaseRecord], person: str) -> Iterable[OwnAct]:
    return (
        OwnAct(record, row)
        for record in records
        for row in reversed(record.timeline)
        if person in (row.actor.person, row.actor.doer.person)
    )
