"""Quantities and instants as people say them, in Chinese (`zh`) and English (`en`).

Data carry no decoration spaces: dates are closed up (11月20日 14:05), quantities have one space.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

ZONE: Final = ZoneInfo("Asia/Shanghai")
# Minutes of one working day: the office hours of workflows/calendar/cn.toml.
WORKING_DAY: Final = 480


def duration(minutes: int, clock: str | None, locale: str) -> str:
    """1 天 8 小时 8 分钟; on the working clock 1 小时 32 分钟（工作时） or 3 个工作日 1 小时."""
    told = bare_duration(minutes, clock, locale)
    if clock == "working" and minutes < 2 * WORKING_DAY:
        return told + pick(("（工作时）", " (working time)"), locale)
    return told


def bare_duration(minutes: int, clock: str | None, locale: str) -> str:
    """A duration without the mark of the working clock, for where a footnote says it.

    Working time is told in working days from two on: 36 小时 would be taken for a day and a half.
    """
    working = clock == "working"
    size = WORKING_DAY if working else 24 * 60
    days, rest = (0, minutes) if working and minutes < 2 * size else divmod(minutes, size)
    hours, left = divmod(rest, 60)
    day_ = pick(("个工作日", "working days"), locale) if working else pick(("天", "d"), locale)
    units = (day_, *(("小时", "分钟") if locale == "zh" else ("h", "min")))
    told = [f"{n} {unit}" for n, unit in zip((days, hours, left), units, strict=True) if n]
    return " ".join(told) or pick(("不到 1 分钟", "under 1 min"), locale)


def limit(minutes: int, clock: str | None, locale: str, *, working_day: int = WORKING_DAY) -> str:
    """A limit as it is set: 7 个自然日, 1 个工作日, 4 工作时, 1 小时; else as a duration."""
    working = clock == "working"
    for size, words in zip(
        (working_day if working else 24 * 60, 60), _LIMITS[working], strict=True
    ):
        whole, rest = divmod(minutes, size)
        # Working hours are said as such up to any number, 50 natural hours as days and hours.
        if whole and not rest and (working or size > 60 or whole < 48):
            return f"{whole} {words[0] if locale == 'zh' else words[1] + 's' * (whole != 1)}"
    return duration(minutes, clock, locale)


def days_words(days: int, clock: str | None, locale: str) -> str:
    """Days of a step's own clock: 5 个工作日, 5 天."""
    if locale == "zh":
        return f"{days} 个工作日" if clock == "working" else f"{days} 天"
    return f"{days} {'working day' if clock == 'working' else 'day'}{'' if days == 1 else 's'}"


def when(at: datetime, locale: str, *, year: bool = False) -> str:
    """11月20日 14:05 in local time; with the year if asked."""
    return f"{day(at, locale, year=year)} {time_of_day(at)}"


def day(at: datetime, locale: str, *, year: bool = False) -> str:
    """11月20日, or 2025年11月20日; 20 Nov 2025."""
    local = at.astimezone(ZONE)
    if locale == "zh":
        return f"{local.year}年" * year + f"{local.month}月{local.day}日"
    return f"{local.day} {_MONTHS[local.month - 1]}" + f" {local.year}" * year


def weekday(at: datetime, locale: str) -> str:
    """星期四; Thursday."""
    return pick(_WEEKDAYS[at.astimezone(ZONE).weekday()], locale)


def time_of_day(at: datetime) -> str:
    """14:05 in local time."""
    return f"{at.astimezone(ZONE):%H:%M}"


def pick(words: tuple[str, str], locale: str) -> str:
    """The Chinese or the English of a pair."""
    return words[0] if locale == "zh" else words[1]


_MONTHS: Final = (
    *("Jan", "Feb", "Mar", "Apr", "May", "Jun"),
    *("Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
)
_WEEKDAYS: Final = (
    ("星期一", "Monday"),
    ("星期二", "Tuesday"),
    ("星期三", "Wednesday"),
    ("星期四", "Thursday"),
    ("星期五", "Friday"),
    ("星期六", "Saturday"),
    ("星期日", "Sunday"),
)
# A day and an hour of the natural and of the working clock.
_LIMITS: Final[Mapping[bool, Sequence[tuple[str, str]]]] = {
    False: (("个自然日", "calendar day"), ("小时", "hour")),
    True: (("个工作日", "working day"), ("工作时", "working hour")),
}
