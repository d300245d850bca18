"""What waits for a ruling: objections, and requests for more time or a stop, with their reasons."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from markupsafe import Markup
from sqlalchemy import Connection

from audit.reports.facts import TimelineRow
from engine.calendar import Calendar
from engine.definition_sets import UnknownDefinition, latest
from engine.directory import Directory
from engine.inbox import InboxRow
from engine.turns import rulings
from web.clock import clock_view
from web.records import CaseFile, names, read_files
from web.rows import TaskRow, task_row
from web.sentences import markup, timeline_sentence
from web.texts import language
from web.wording import Names

ASKING: Final = {"extension": "extension.requested", "pause": "pause.requested"}
OBJECTING: Final = "objection.raised"


@dataclass(frozen=True, slots=True)
class Ruling:
    """Something to rule on: the step it is done at, and who asks for what and why."""

    row: TaskRow
    said: Markup | str


def objected(conn: Connection, steps: Iterable[InboxRow]) -> list[InboxRow]:
    """Of these steps those at which an objection is ruled on, as the newest drawing has it."""
    told = list(steps)
    drawn = {process: _rulings(conn, process) for process in {step.process for step in told}}
    return [step for step in told if step.element in drawn[step.process]]


def _rulings(conn: Connection, process: str) -> frozenset[str]:
    try:
        return rulings(latest(conn, process))
    except UnknownDefinition:
        return frozenset()


def ruling_rows(
    conn: Connection, steps: Sequence[InboxRow], people: Directory, cal: Calendar, at: datetime
) -> list[Ruling]:
    """These steps with what was said, in their order."""
    files, called = read_files(conn, {step.case for step in steps}), names(people)
    return [
        Ruling(
            task_row(step, files[step.case], people, called, clock_view(step, cal, at)),
            _said(step, files[step.case], called),
        )
        for step in steps
    ]


def _said(step: InboxRow, file: CaseFile, called: Names) -> Markup | str:
    """陈演示（澜安物业·工程主管）对签收提出异议：……"""
    row = _asked(step, file)
    if row is None:
        return ""
    return markup(timeline_sentence(file.record, row, called, language()))


def _asked(step: InboxRow, file: CaseFile) -> TimelineRow | None:
    """The last time somebody asked for what is decided at this step."""
    wanted = ASKING.get(step.request or "", OBJECTING)
    asked = (row for row in reversed(file.record.timeline) if row.type == wanted)
    if wanted == OBJECTING:
        return next(asked, None)
    return next((row for row in asked if row.task == step.task), None)
