"""刻: a running clock as it is drawn and said. Pure: rows and instants in, lengths and minutes out.

The ruler is 125 units long, 100 of them the time allowed; ticks stand at 50, 80 and 100, the
engine's own marks. Used time is rounded down to the minute, and so is what remains.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from engine.calendar import Calendar, used, working_minutes_per_day
from engine.inbox import InboxRow
from engine.running import State, clock_kind, spent, standing

RULER: Final = 125
TOOTH: Final = 2.2
GAP: Final = 1.2
FIRST_TOOTH: Final = 101.0
# A paper's order: what presses most stands first.
PRESSING: Final[dict[State, int]] = {"late": 0, "near": 1, "ok": 2, "paused": 3}


@dataclass(frozen=True, slots=True)
class ClockView:
    """How a clock stands: `percent` of the time allowed is used; `left` or `late` minutes of it.

    bar: length of the bar on the ruler. teeth: where the red teeth beyond the limit begin.
    working_day: minutes of a working day for office time, None for natural time.
    """

    state: State
    percent: int
    used: int
    allowed: int
    left: int
    late: int
    due: datetime
    deadline_class: str
    working_day: int | None
    bar: int
    teeth: tuple[float, ...] = ()
    paused_for: str = ""
    paused_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """How a clock stands, and how many per cent of the time allowed are used: what a mark needs."""

    state: State
    percent: int


def clock_standing(row: InboxRow, cal: Calendar, at: datetime) -> Standing | None:
    """How the clock of an open step stands at an instant; None where the step has none."""
    taken = spent(row, cal, at)
    state = standing(row, taken, at)
    return None if state is None else Standing(state, _percent(taken, row.allowed))


def clock_view(row: InboxRow, cal: Calendar, at: datetime) -> ClockView | None:
    """The clock of an open step at an instant; None where the step has none."""
    kind, taken = clock_kind(row), spent(row, cal, at)
    state = standing(row, taken, at)
    if state is None or row.due is None or row.allowed is None:
        return None
    late = max(1, taken - row.allowed) if state == "late" else 0
    left = max(0, row.allowed - taken) if state == "paused" else used(cal, kind, at, row.due)
    percent = _percent(taken, row.allowed)
    return ClockView(
        state=state,
        percent=percent,
        used=taken,
        allowed=row.allowed,
        left=left,
        late=late,
        due=row.due,
        deadline_class=row.deadline_class or "",
        working_day=working_minutes_per_day(cal) if kind == "working" else None,
        bar=min(percent, 100),
        teeth=teeth(percent) if state == "late" else (),
        paused_for=row.paused_for or "",
        paused_until=row.paused_until,
    )


def _percent(taken: int, allowed: int | None) -> int:
    return taken * 100 // allowed if allowed else 100


def teeth(percent: int) -> tuple[float, ...]:
    """Where the teeth beyond the limit begin: as many as the time over, at least one.

    The ruler ends at 125 %; what lies beyond is told in words.
    """
    end = min(max(percent, 104), RULER)
    step = TOOTH + GAP
    count = max(1, round((end - 100) / step))
    starts = (FIRST_TOOTH + step * n for n in range(count))
    return tuple(round(start, 1) for start in starts if start + TOOTH <= RULER)


def tally(views: Sequence[ClockView | Standing | None]) -> dict[State, int]:
    """How many clocks stand how, most pressing first; states that do not occur are left out."""
    states = [view.state for view in views if view is not None]
    return {state: states.count(state) for state in PRESSING if state in states}
