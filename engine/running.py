"""How the clock of an open step stands: used, near its limit, past it, or stopped. Pure."""

from datetime import datetime
from typing import Final, Literal

from engine.calendar import Calendar, used
from engine.inbox import InboxRow

State = Literal["ok", "near", "late", "paused"]

# From so many per cent of its limit a step is near it: the last warning before the limit.
NEAR: Final = 80


def clock_kind(row: InboxRow) -> Literal["natural", "working"]:
    """By which time a step's clock runs."""
    return "working" if row.clock == "working" else "natural"


def spent(row: InboxRow, cal: Calendar, at: datetime) -> int:
    """Minutes of its clock a step has used; while it is stopped, what it had used then."""
    before = row.used or 0
    if row.paused_until is not None:
        return row.paused_used or before
    return before if row.started is None else before + used(cal, clock_kind(row), row.started, at)


def state_of(row: InboxRow, cal: Calendar, at: datetime) -> State | None:
    """How an open step's clock stands at an instant; None where it has none."""
    return standing(row, spent(row, cal, at), at)


def standing(row: InboxRow, taken: int, at: datetime) -> State | None:
    """The same, where it was asked already how many minutes the step has taken."""
    if row.due is None or row.allowed is None or row.started is None:
        return None
    if row.paused_until is not None:
        return "paused"
    if at > row.due:
        return "late"
    share = taken * 100 // row.allowed if row.allowed else 100
    return "near" if share >= NEAR else "ok"
