"""When people do things: how much of its time a step takes, and who works at which hours."""

from datetime import datetime, time, timedelta
from typing import Final

from audit.encoding import instant
from engine.calendar import Calendar, due, is_workday
from engine.state import OpenTask
from web.demo.chance import Chance
from web.demo.story import Story
from web.demo.town import ZONE

# Minutes up to which a step is an emergency: done at once, at any hour.
EMERGENCY: Final = 120
OFFICE: Final = ((time(8, 30), time(12)), (time(13, 30), time(18)))
LONG: Final = ((time(7, 40), time(19, 30)),)
# Property firms, utilities and communities are there on every day of the week.
EVERY_DAY: Final = frozenset({"rectify", "confirm"})


def doing_time(cal: Calendar, story: Story, task: OpenTask) -> datetime:
    """When a step will be done: as its story says, else by its clock and its story's pace."""
    chance = Chance("pace", story.key, task.key)
    if task.element in story.at and task.key.endswith("#1"):
        return max(story.at[task.element], instant(task.opened) + timedelta(minutes=1))
    return share_time(cal, task, pace(chance, story, task), chance)


def pace(chance: Chance, story: Story, task: OpenTask) -> int:
    """Thousandths of its time that a step takes; the story's own pace holds for its first round."""
    if task.element in story.paces and task.key.endswith("#1"):
        return story.paces[task.element]
    if task.element == "rectify" and story.major:
        return chance.between(400, 900)
    return chance.weigh([(chance.between(60, 400), 60), (chance.between(300, 700), 30),
                         (chance.between(700, 930), 10)])  # fmt: skip


def share_time(cal: Calendar, task: OpenTask, per_mille: int, chance: Chance) -> datetime:
    """When so many thousandths of a step's time are used up, at an hour at which people work."""
    start = instant(task.opened)
    jitter = timedelta(seconds=chance.between(5, 55), milliseconds=chance.below(1000))
    clock = task.clock
    if clock is None:
        return start + timedelta(hours=2) + jitter
    minutes = max(2, (clock.allowed - clock.used) * per_mille // 1000)
    if clock.kind == "working":
        return due(cal, "working", start, minutes).at + jitter
    at = start + timedelta(minutes=minutes) + jitter
    if clock.allowed <= EMERGENCY:
        return at
    return _at_work(cal, task, at, chance)


def _at_work(cal: Calendar, task: OpenTask, at: datetime, chance: Chance) -> datetime:
    """The nearest time at which whoever does it is at work: sooner if it still began before."""
    assert task.clock  # noqa: S101 - asked only of steps with a clock
    start, limit = instant(task.opened), instant(task.clock.due)
    daily = task.duty in EVERY_DAY
    if _on_duty(cal, at, daily):
        return at
    pause = timedelta(minutes=chance.between(5, 80), seconds=chance.below(60))
    before = _last_end(cal, at, daily) - pause
    if at <= limit and before > start + timedelta(minutes=15):
        return before
    after = _next_opening(cal, at, daily) + pause
    # Somebody stays on rather than let it become late.
    return after if after <= limit or at > limit else at


def _spans(cal: Calendar, day: datetime, daily: bool) -> tuple[tuple[time, time], ...]:
    if daily:
        return LONG
    return OFFICE if is_workday(cal, day.date()) else ()


def _on_duty(cal: Calendar, at: datetime, daily: bool) -> bool:
    here = at.astimezone(ZONE)
    return any(first <= here.time() < last for first, last in _spans(cal, here, daily))


def _last_end(cal: Calendar, at: datetime, daily: bool) -> datetime:
    day = at.astimezone(ZONE)
    while True:
        ends = [datetime.combine(day, last, ZONE) for _, last in _spans(cal, day, daily)]
        past = [end for end in ends if end <= at]
        if past:
            return past[-1]
        day -= timedelta(days=1)


def _next_opening(cal: Calendar, at: datetime, daily: bool) -> datetime:
    day = at.astimezone(ZONE)
    while True:
        opening = [datetime.combine(day, first, ZONE) for first, _ in _spans(cal, day, daily)]
        ahead = [first for first in opening if first > at]
        if ahead:
            return ahead[0]
        day += timedelta(days=1)
