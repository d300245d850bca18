"""Which recorded instants of a case are due, and in which order. Pure: asks no clock."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from audit.encoding import timestamp
from audit.entries import ENGINE, Draft
from engine.definitions import Definition
from engine.state import CaseState, OpenTask, OpenTimer

# Who hears of a step whose deadline class names nobody.
ESCALATE_DUTY = "supervise"
# The events by which a clock is recorded.
ALARMS = frozenset(
    {
        "deadline.warned",
        "overdue.opened",
        "deadline.escalated",
        "timer.fired",
        "clock.resumed",
        "join.met",
    }
)

_NAMED = {"timer.fired": "timer", "join.met": "join"}


@dataclass(frozen=True, slots=True, order=True)
class Alarm:
    """One instant at which something is to be recorded: `due` as recorded, then its event.

    warning: which of its class's warnings, from 0.
    """

    due: str
    key: str
    type: str
    warning: int = 0


def next_alarm(case: CaseState) -> str | None:
    """The earliest instant at which this case has something to record, or None."""
    return min((alarm.due for alarm in _alarms(case)), default=None)


def first_due(case: CaseState, at: datetime) -> Alarm | None:
    """The alarm that has been due longest at an instant, or None.

    One at a time: recording it may cancel, move or add others.
    """
    now = timestamp(at)
    return min((alarm for alarm in _alarms(case) if alarm.due <= now), default=None)


def alarm_draft(case: CaseState, definition: Definition, alarm: Alarm, at: datetime) -> Draft:
    """The event that records an alarm: its own instant in `due`, the recording instant in `at`."""
    data: dict[str, Any] = {"due": alarm.due}
    data[_NAMED.get(alarm.type, "task")] = alarm.key
    task = case.tasks.get(alarm.key)
    drawn = definition.classes[task.clock.deadline_class] if task and task.clock else None
    if drawn and alarm.type == "deadline.warned":
        data["percent"] = drawn.warn[alarm.warning]
    if drawn and alarm.type == "deadline.escalated":
        data |= {"duty": drawn.escalate_duty or ESCALATE_DUTY, "unit": case.place[-1]}
    if alarm.type == "clock.resumed":
        data["reason"] = "auto"
    return Draft(alarm.type, data, ENGINE, at)


def _alarms(case: CaseState) -> Iterator[Alarm]:
    for task in case.tasks.values():
        yield from _task_alarm(task)
    for timer in case.timers.values():
        due = _timer_due(case, timer)
        if due is not None:
            yield Alarm(due, timer.key, "timer.fired")
    for key in joins_met(case):
        # Met by the last event: nothing may be recorded between it and what it brought about.
        yield Alarm(case.at, key, "join.met")


def joins_met(case: CaseState) -> list[str]:
    """The open messages that wait for children of whom none runs any more."""
    return [
        key
        for key, group in case.joins.items()
        if not any(child.open and child.group == group for child in case.children.values())
    ]


def _task_alarm(task: OpenTask) -> Iterator[Alarm]:
    """Only the next mark of each clock: its warnings, the limit, the limit plus grace."""
    if task.pause is not None:
        yield Alarm(task.pause.resume_by, task.key, "clock.resumed")
        return
    clock = task.clock
    if clock is None:
        return
    after = clock.rung - len(clock.warn)
    if after < 0:
        yield Alarm(clock.warn[clock.rung], task.key, "deadline.warned", clock.rung)
    elif after == 0:
        yield Alarm(clock.due, task.key, "overdue.opened")
    elif after == 1:
        yield Alarm(clock.escalate, task.key, "deadline.escalated")


def _timer_due(case: CaseState, timer: OpenTimer) -> str | None:
    if timer.due is not None:
        return timer.due
    for task in case.tasks.values():
        if task.element == timer.attached and task.clock and task.pause is None:
            return task.clock.due
    return None
