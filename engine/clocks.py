"""Deadlines: what a deadline class comes to, from this start, on this calendar.

Pure. What is computed here is recorded once, as a `deadline.set` event; later readings go by the
event. An extension, a resumed clock or a change of class is a new deadline with a predecessor.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from audit.encoding import instant, timestamp
from engine.calendar import Calendar, due, named, used, working_minutes_per_day
from engine.deadline_classes import DeadlineClass, Span

_NATURAL: Final = {"minutes": 1, "hours": 60, "days": 24 * 60}


def allowed_minutes(span: DeadlineClass | Span, cal: Calendar) -> int:
    """Minutes on the span's own clock; a working day is the office minutes of one day."""
    if span.clock == "working" and span.unit == "days":
        return span.amount * working_minutes_per_day(cal)
    return span.amount * _NATURAL[span.unit]


def set_deadline(
    cal: Calendar,
    cls: DeadlineClass,
    *,
    task: str,
    start: datetime,
    allowed: int | None = None,
    used: int = 0,
    predecessor: int | None = None,
    reason: str | None = None,
    approver: str | None = None,
) -> dict[str, Any]:
    """The data of a `deadline.set` event for a clock that runs from `start`.

    allowed: minutes, where an extension departs from the class. used: minutes already used before
    `start`. predecessor: seq of the deadline this one replaces. A limit or warning already used up
    falls on `start`; without grace, escalation falls on the limit. A warning comes with the first
    whole minute at which its share is used.
    """
    begin = instant(timestamp(start))
    minutes = allowed_minutes(cls, cal) if allowed is None else allowed
    limit = due(cal, cls.clock, begin, max(0, minutes - used))
    escalate = _after(cal, limit.at, cls.grace)
    warn = [_share(cal, cls, begin, minutes, percent, used) for percent in cls.warn]
    data = {
        "task": task,
        "class": cls.id,
        "clock": cls.clock,
        "allowed": minutes,
        "used": used,
        "start": timestamp(begin),
        "due": timestamp(limit.at),
        "warn": [timestamp(at) for at in warn],
        "escalate": timestamp(escalate[0]),
        "calendar": named(cal),
        "unpublished": limit.unpublished or escalate[1],
    }
    told = {"predecessor": predecessor, "reason": reason, "approver": approver}
    return data | {name: value for name, value in told.items() if value is not None}


def used_minutes(cal: Calendar, deadline: Mapping[str, Any], at: datetime) -> int:
    """Minutes a deadline (data of `deadline.set`) has used at an instant, rounded down."""
    before: int = deadline["used"]
    return before + used(cal, deadline["clock"], instant(deadline["start"]), at)


def remaining(cal: Calendar, deadline: Mapping[str, Any], at: datetime) -> int:
    """Minutes left of a deadline at an instant, on its own clock; negative once it is overdrawn."""
    allowed: int = deadline["allowed"]
    return allowed - used_minutes(cal, deadline, at)


def _share(
    cal: Calendar, cls: DeadlineClass, begin: datetime, minutes: int, percent: int, used: int
) -> datetime:
    share = -(-minutes * percent // 100)
    return due(cal, cls.clock, begin, max(0, share - used)).at


def _after(cal: Calendar, at: datetime, grace: Span | None) -> tuple[datetime, bool]:
    if grace is None:
        return at, False
    end = due(cal, grace.clock, at, allowed_minutes(grace, cal))
    return end.at, end.unpublished
