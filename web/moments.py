"""Times and spans in words, and words back into times; in the zone of the street."""

import re
import unicodedata
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from web.texts import Language

WEEKDAYS: Final = "一二三四五六日"
DAYS_EN: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS_EN: Final = [
    "Jan",
    "Feb",
    "Mar",
    "Apr",
    "May",
    "Jun",
    "Jul",
    "Aug",
    "Sep",
    "Oct",
    "Nov",
    "Dec",
]
HOUR: Final = 60
NATURAL_DAY: Final = 24 * HOUR


def moment(at: datetime, zone: ZoneInfo, now: datetime, language: Language = "zh") -> str:
    """`11月24日 09:02`, with the year where it is not this one."""
    local = at.astimezone(zone)
    return f"{_date(local.date(), now.astimezone(zone).year, language)} {local:%H:%M}"


def day(on: date, now: datetime, zone: ZoneInfo, language: Language = "zh") -> str:
    """`11月20日 星期四`, with the year where it is not this one."""
    told = _date(on, now.astimezone(zone).year, language)
    if language == "en":
        return f"{DAYS_EN[on.weekday()]} {told}"
    return f"{told} 星期{WEEKDAYS[on.weekday()]}"


def span(minutes: int, *, working_day: int | None = None, language: Language = "zh") -> str:
    """Minutes in the two largest units that fit, rounded down.

    working_day: minutes of one working day, for spans of office time; None for natural time.
    Office time up to two days is told in hours: "9 小时" of an eight-hour day is plain, while
    "1 个工作日 1 小时" has to be worked out.
    """
    day_ = working_day or NATURAL_DAY
    days, rest = divmod(max(0, minutes), day_)
    if working_day and days < 2 and rest:
        days, rest = 0, max(0, minutes)
    hours, left = divmod(rest, HOUR)
    parts = [(days, _day_word(days, working_day, language)), (hours, "h"), (left, "min")]
    words = {"h": ("小时", "h"), "min": ("分钟", "min")}
    told = [
        f"{count} {words[unit][language == 'en'] if unit in words else unit}"
        for count, unit in parts
        if count
    ][:2]
    # Two days and five minutes are two days: the smaller unit must follow at once.
    if days and not hours:
        told = told[:1]
    return " ".join(told) or ("不到 1 分钟" if language == "zh" else "less than 1 min")


def _day_word(days: int, working_day: int | None, language: Language) -> str:
    if language == "en":
        return ("working " if working_day else "") + ("day" if days == 1 else "days")
    return "个工作日" if working_day else "天"


def _date(on: date, this_year: int, language: Language) -> str:
    if language == "en":
        year = "" if on.year == this_year else f" {on.year}"
        return f"{on.day} {MONTHS_EN[on.month - 1]}{year}"
    year = "" if on.year == this_year else f"{on.year}年"
    return f"{year}{on.month}月{on.day}日"


# --- words back into times ----------------------------------------------------------------------

_DAY: Final = re.compile(r"(?:(\d{4})[-/.年])?(\d{1,2})[-/.月](\d{1,2})日?")
_TIME: Final = re.compile(r"(\d{1,2})(?:[:点时.](\d{1,2})?分?|(\d\d))")
_NEAR: Final = {"今天": 0, "昨天": 1, "前天": 2, "today": 0, "yesterday": 1}


def read_day(text: str, today: date) -> date | None:
    """The day somebody wrote: 11月24日, 2025-11-24, 11/24, 今天, 昨天; None if it is no day.

    Without a year it is the nearest such day: in January, 12月30日 was last year.
    """
    told = _plain(text)
    if told.lower() in _NEAR:
        return today - timedelta(days=_NEAR[told.lower()])
    found = _DAY.fullmatch(told)
    if found is None:
        return None
    year, month, day_ = found[1], int(found[2]), int(found[3])
    if year:
        return _day(int(year), month, day_)
    near = (_day(today.year + shift, month, day_) for shift in (-1, 0, 1))
    return min((on for on in near if on), key=lambda on: abs((on - today).days), default=None)


def read_time(text: str) -> time | None:
    """The time of day somebody wrote: 15:40, 15点40分, 15点, 1540; None if it is none."""
    found = _TIME.fullmatch(_plain(text))
    if found is None:
        return None
    hour, minute = int(found[1]), int(found[2] or found[3] or 0)
    return time(hour, minute) if hour < 24 and minute < 60 else None


def read_moment(day_: str, time_: str, zone: ZoneInfo, now: datetime) -> datetime | None:
    """The instant (UTC) of a written day and time in the zone; None if either is unreadable."""
    on, clock = read_day(day_, now.astimezone(zone).date()), read_time(time_)
    if on is None or clock is None:
        return None
    return datetime.combine(on, clock, zone).astimezone(UTC)


def _plain(text: str) -> str:
    return re.sub(r"\s+", "", unicodedata.normalize("NFKC", text))


def _day(year: int, month: int, day_: int) -> date | None:
    try:
        return date(year, month, day_)
    except ValueError:
        return None
