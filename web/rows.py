"""Steps as rows of an inbox: the verb, the case, who handed it over, five cells and the clock."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from flask import url_for
from markupsafe import Markup
from sqlalchemy import Connection

from engine.calendar import Calendar
from engine.definitions import Definition
from engine.directory import Directory
from engine.inbox import InboxRow
from web.clock import ClockView, clock_view
from web.frame import moment
from web.moments import span
from web.quantities import limit
from web.records import CaseFile, Cell, five_cells, handed_over, names, read_files
from web.texts import either, language, later, say
from web.wording import Names, party_name


@dataclass(frozen=True, slots=True)
class ToldClock:
    """A clock with its words: 在时限内 · 剩 6 小时 40 分钟 · 已用 …，时限 … · … 到时."""

    view: ClockView
    state: str
    left: str
    used: str
    due: str


@dataclass(frozen=True, slots=True)
class TaskRow:
    """One step as a row; notes: short remarks such as "代周演示" or "已申请延期"."""

    address: str
    verb: str
    title: str
    place: str
    number: str
    handed: Markup | str
    kind: str
    party: str
    notes: tuple[str, ...]
    cells: tuple[Cell, ...]
    clock: ToldClock | None


def task_rows(
    conn: Connection, steps: Sequence[InboxRow], people: Directory, cal: Calendar, at: datetime
) -> list[TaskRow]:
    """These steps as rows, in their order."""
    files, called = read_files(conn, {step.case for step in steps}), names(people)
    return [
        task_row(step, files[step.case], people, called, clock_view(step, cal, at))
        for step in steps
    ]


def task_row(
    step: InboxRow, file: CaseFile, people: Directory, called: Names, view: ClockView | None
) -> TaskRow:
    """One step as a row."""
    return TaskRow(
        address=url_for("tasks.page", case_id=step.case, task=step.task),
        verb=verb(file.definition, step.element),
        title=step.title,
        place=step.address or people.unit(step.unit).name,
        number=step.number,
        handed=handed_over(file.record, step.task, called),
        kind=kind_of(file),
        party=party_name(file.record.timeline[0].data.get("party"), called),
        notes=tuple(_notes(step)),
        cells=five_cells(file.record, view.state if view else ""),
        clock=told_clock(view) if view else None,
    )


def kind_of(file: CaseFile) -> str:
    """What kind of case it is, where the five duties do not say so."""
    if five_cells(file.record):
        return ""
    return either(file.definition.title, file.definition.title_en)


def verb(definition: Definition, element: str) -> str:
    """What is to be done, in a word: 确认, 整改, 验收."""
    task = definition.tasks[element]
    return either(task.verb, task.verb_en or task.name_en)


STATES: Final = {
    "ok": later("在时限内"),
    "near": later("快到时限"),
    "late": later("已逾期"),
    "paused": later("已暂停"),
}


def state_and_left(view: ClockView) -> tuple[str, str]:
    """How a clock stands and what is left of it, in the words of the page's language."""
    return say(STATES[view.state]), _left(view)


def told_clock(view: ClockView) -> ToldClock:
    """A clock in the words of the page's language."""
    state, left = state_and_left(view)
    allowed = _limit(view)
    used = say("已用 {used}，时限 {allowed}", used=_span(view, view.used), allowed=allowed)
    due = say("{moment} 到时", moment=moment(view.due))
    return ToldClock(view, state, left, used, "" if view.state == "paused" else due)


def _left(view: ClockView) -> str:
    if view.state == "late":
        return say("超 {span}", span=_span(view, view.late))
    if view.state == "paused" and view.paused_until is not None:
        until = moment(view.paused_until)
        return say("等{party}，到 {until}", party=view.paused_for, until=until)
    return say("剩 {span}", span=_span(view, view.left))


def _span(view: ClockView, minutes: int) -> str:
    return span(minutes, working_day=view.working_day, language=language())


def _limit(view: ClockView) -> str:
    clock = "working" if view.working_day else "natural"
    return limit(view.allowed, clock, language(), working_day=view.working_day or 480)


def _notes(step: InboxRow) -> list[str]:
    told = []
    if step.request == "extension":
        told.append(say("已申请延期，等审批"))
    if step.request == "pause":
        told.append(say("已申请暂停计时，等审批"))
    if step.standing:
        told.append(say("已挂账"))
    return told
