"""Which recorded instants of a case are due, and in which order. Pure: asks no clock."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from audit.encoding import timestamp
from audit.entries import ENGINE, Draft
from engine.state import CaseState, OpenTask, OpenTimer

# The shares of a clock at which a warning is recorded; deadline classes may leave them out.
SHARES = (50, 80)
# The events by which a clock is recorded.
ALARMS = frozenset(
    {
        "deadline.warned",
        "overdue.opened",
        "deadline.escalated",
        "timer.fired",
        "clock.resumed",
    }
)


@dataclass(frozen=True, slots=True, order=True)
class Alarm:
    """One instant at which something is to be recorded: `due` as recorded, then its event."""

    due: str
    key: str
    type: str
    share: int = 0


def next_alarm(case: CaseState) -> str | None:
    """The earliest instant at which this case has something to record, or None."""
    return min((alarm.due for alarm in _alarms(case)), default=None)


def first_due(case: CaseState, at: datetime) -> Alarm | None:
    """The alarm that has been due longest at an instant, or None.

    One at a time: recording it may cancel, move or add others.
    """
    now = timestamp(at)
    return min((alarm for alarm in _alarms(case) if alarm.due <= now), default=None)


def alarm_draft(case: CaseState, alarm: Alarm, at: datetime) -> Draft:
    """The event that records an alarm: its own instant in `due`, the recording instant in `at`."""
    data: dict[str, Any] = {"due": alarm.due}
    data["timer" if alarm.type == "timer.fired" else "task"] = alarm.key
    if alarm.type == "deadline.warned":
        data["percent"] = alarm.share
    if alarm.type == "deadline.escalated":
        data |= {"duty": "supervise", "unit": case.place[-1]}
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


def _task_alarm(task: OpenTask) -> Iterator[Alarm]:
    """Only the next mark of each clock: half, four fifths, the limit, the limit plus grace."""
    if task.pause is not None:
        yield Alarm(task.pause.resume_by, task.key, "clock.resumed")
        return
    clock = task.clock
    if clock is None or clock.rung > 3:
        return
    marks = [*clock.warn, clock.due, clock.escalate]
    if len(clock.warn) != len(SHARES):
        marks = [clock.due, clock.due, clock.due, clock.escalate]
    if clock.rung < 2:
        yield Alarm(marks[clock.rung], task.key, "deadline.warned", SHARES[clock.rung])
    else:
        types = ("overdue.opened", "deadline.escalated")
        yield Alarm(marks[clock.rung], task.key, types[clock.rung - 2])


def _timer_due(case: CaseState, timer: OpenTimer) -> str | None:
    if timer.due is not None:
        return timer.due
    for task in case.tasks.values():
        if task.element == timer.attached and task.clock and task.pause is None:
            return task.clock.due
    return None
