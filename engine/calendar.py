"""Working time: how many office minutes lie between two instants, and when they are used up.

Pure. A calendar is data somebody published (engine.calendar_versions); years it does not cover
follow Monday to Friday and are flagged, so that a deadline in 2031 still has an answer.
"""

import hashlib
import tomllib
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from itertools import pairwise
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

from engine.errors import BadInput

Clock = Literal["natural", "working"]

MINUTE: Final = timedelta(minutes=1)
# Office time is counted in whole microseconds: a board asks for it a thousand times.
_MICRO: Final = timedelta(microseconds=1)
_MICROS: Final = MINUTE // _MICRO
SATURDAY: Final = 5


class BadCalendar(BadInput):
    """The calendar file cannot be read, or contradicts itself."""

    def __init__(self, chinese: str, english: str) -> None:
        super().__init__(f"工作日历有误：{chinese}。", f"The calendar file is wrong: {english}.")


@dataclass(frozen=True, slots=True)
class Calendar:
    """Office hours and the days that depart from Monday to Friday.

    version: as published, 0 for a file only read. zone: IANA name. office: (opening, closing) local
    times in order. days: True for a make-up day 调休, False for a holiday; days not named follow
    the week. published: years the file covers. sha256: of the file, hex.
    """

    version: int
    zone: str
    office: tuple[tuple[time, time], ...]
    days: Mapping[date, bool] = field(hash=False, repr=False)
    published: frozenset[int]
    sha256: str
    # Working days of each year asked for, as ordinals: computed once, then found by bisection.
    _years: dict[int, tuple[int, ...]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )


@dataclass(frozen=True, slots=True)
class Due:
    """When an amount of time is used up; unpublished: the way there leads through unknown years."""

    at: datetime
    unpublished: bool


def read_calendar(toml: bytes, *, version: int = 0) -> Calendar:
    """Read a calendar file (workflows/calendar/cn.toml shows the format); raises BadCalendar."""
    content = _parse(toml)
    office = _read_office(content.get("office"))
    days: dict[date, bool] = {}
    years = _table(content.get("years"), "years")
    for year, listed in years.items():
        _read_year(days, year, _table(listed, f"years.{year}"))
    published = frozenset(int(year) for year in years)
    digest = hashlib.sha256(toml).hexdigest()
    return Calendar(version, _read_zone(content.get("zone")), office, days, published, digest)


def named(cal: Calendar) -> dict[str, Any]:
    """How an event names the calendar it was computed with: {version, sha256}."""
    return {"version": cal.version, "sha256": cal.sha256}


def working_minutes_per_day(cal: Calendar) -> int:
    """Office minutes of one working day: what "1 个工作日" means in minutes."""
    return _length(cal.office) // _MICROS


def is_workday(cal: Calendar, day: date) -> bool:
    """Whether the offices open on this day."""
    return cal.days.get(day, day.weekday() < SATURDAY)


def add_working(cal: Calendar, start: datetime, minutes: int) -> datetime:
    """The earliest instant (UTC) at which so many office minutes have been used up since start.

    A start outside office hours begins at the next opening. Raises ValueError for a naive start or
    negative minutes.
    """
    local = _local(cal, start)
    if _not_negative(minutes) == 0:
        return start.astimezone(UTC)
    whole = _length(cal.office)
    days, rest = divmod(_spent_today(cal, local) + minutes * _MICROS, whole)
    # An amount ending exactly with a day is used up at closing, not at the next opening.
    if not rest:
        days, rest = days - 1, whole
    return _moment(cal, _workday(cal, local.date(), days), rest)


def working_between(cal: Calendar, start: datetime, end: datetime) -> int:
    """Whole office minutes between two instants, rounded down; 0 if end is not after start."""
    first, last = _local(cal, start), _local(cal, end)
    if last <= first:
        return 0
    days = _workdays_between(cal, first.date(), last.date())
    spent = days * _length(cal.office) + _spent_today(cal, last) - _spent_today(cal, first)
    return spent // _MICROS


def add_natural(start: datetime, minutes: int) -> datetime:
    """The instant (UTC) so many minutes later; raises ValueError for naive or negative input."""
    return _aware(start).astimezone(UTC) + _not_negative(minutes) * MINUTE


def natural_between(start: datetime, end: datetime) -> int:
    """Whole minutes between two instants, rounded down; 0 if end is not after start."""
    return max(0, (_aware(end) - _aware(start)) // MINUTE)


def due(cal: Calendar, clock: Clock, start: datetime, allowed_minutes: int) -> Due:
    """When the allowed minutes of this clock are used up; natural time needs no published year."""
    if clock == "natural":
        return Due(add_natural(start, allowed_minutes), unpublished=False)
    at = add_working(cal, start, allowed_minutes)
    years = range(_local(cal, start).year, _local(cal, at).year + 1)
    return Due(at, unpublished=not cal.published.issuperset(years))


def used(cal: Calendar, clock: Clock, start: datetime, end: datetime) -> int:
    """Whole minutes of this clock used between two instants: `used(s, due(s, n)) == n`."""
    return natural_between(start, end) if clock == "natural" else working_between(cal, start, end)


def _workday(cal: Calendar, first: date, number: int) -> date:
    """The working day with this number (from 0) among those on or after `first`."""
    year = first.year
    ordinals = _workdays(cal, year)
    index = bisect_left(ordinals, first.toordinal()) + number
    while index >= len(ordinals):
        index -= len(ordinals)
        year += 1
        ordinals = _workdays(cal, year)
    return date.fromordinal(ordinals[index])


def _workdays_between(cal: Calendar, first: date, last: date) -> int:
    """How many working days lie in [first, last)."""
    whole = sum(len(_workdays(cal, year)) for year in range(first.year, last.year))
    before_first = bisect_left(_workdays(cal, first.year), first.toordinal())
    before_last = bisect_left(_workdays(cal, last.year), last.toordinal())
    return whole - before_first + before_last


def _workdays(cal: Calendar, year: int) -> tuple[int, ...]:
    known = cal._years.get(year)
    if known is None:
        days = map(date.fromordinal, range(date(year, 1, 1).toordinal(), _end(year)))
        known = tuple(day.toordinal() for day in days if is_workday(cal, day))
        cal._years[year] = known
    return known


def _end(year: int) -> int:
    return date(year, 12, 31).toordinal() + 1


def _spent_today(cal: Calendar, local: datetime) -> int:
    """Office time of its own day that has passed at this local moment; none on a day off."""
    if not is_workday(cal, local.date()):
        return 0
    now, spent = _since_midnight(local), 0
    for opening, closing in _spans(cal.office):
        if now > opening:
            spent += min(now, closing) - opening
    return spent


def _moment(cal: Calendar, day: date, spent: int) -> datetime:
    """The earliest instant of a working day at which so much of its office time has passed."""
    midnight = datetime.combine(day, time(), ZoneInfo(cal.zone))
    for opening, closing in _spans(cal.office):
        if spent <= closing - opening:
            return (midnight + (opening + spent) * _MICRO).astimezone(UTC)
        spent -= closing - opening
    raise AssertionError("more office time than a day has")


@cache
def _length(office: tuple[tuple[time, time], ...]) -> int:
    """Office time of one working day."""
    return sum(closing - opening for opening, closing in _spans(office))


@cache
def _spans(office: tuple[tuple[time, time], ...]) -> tuple[tuple[int, int], ...]:
    return tuple((_since_midnight(start), _since_midnight(end)) for start, end in office)


def _since_midnight(moment: time | datetime) -> int:
    seconds = moment.hour * 3600 + moment.minute * 60 + moment.second
    return seconds * 1_000_000 + moment.microsecond


def _local(cal: Calendar, at: datetime) -> datetime:
    return _aware(at).astimezone(ZoneInfo(cal.zone))


def _aware(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise ValueError("a time without a zone has no place in a deadline")
    return at


def _not_negative(minutes: int) -> int:
    if minutes < 0:
        raise ValueError(f"{minutes} minutes cannot be used up")
    return minutes


def _parse(toml: bytes) -> dict[str, Any]:
    try:
        return tomllib.loads(toml.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadCalendar(f"不是有效的 TOML 文件({error})", f"not TOML ({error})") from None


def _table(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BadCalendar(f"缺少 [{name}]", f"[{name}] is missing")
    return value


def _read_zone(zone: Any) -> str:
    try:
        return ZoneInfo(zone).key
    except (TypeError, ValueError, OSError, LookupError):
        raise BadCalendar(f"时区 {zone!r} 不存在", f"no time zone {zone!r}") from None


def _read_office(listed: Any) -> tuple[tuple[time, time], ...]:
    try:
        office = tuple((span["from"], span["to"]) for span in listed)
        moments = [moment for span in office for moment in span]
        in_order = all(a < b for a, b in pairwise(moments))
        whole = all(type(m) is time and not (m.second or m.microsecond) for m in moments)
    except (TypeError, KeyError):
        in_order = whole = False
        office = ()
    if not (office and in_order and whole):
        raise BadCalendar(
            "office 要按先后写明每段办公时间，精确到分钟",
            "office must list its hours in order, in whole minutes",
        )
    return office


def _read_year(days: dict[date, bool], year: str, listed: dict[str, Any]) -> None:
    for key, working in (("off", False), ("work", True)):
        for day in listed.get(key, ()):
            if type(day) is not date or str(day.year) != year:
                raise BadCalendar(f"{day} 不是 {year} 年的日期", f"{day} is not a day of {year}")
            if day in days:
                raise BadCalendar(f"{day} 写了两次", f"{day} is listed twice")
            days[day] = working
    if not year.isdecimal():
        raise BadCalendar(f"{year!r} 不是年份", f"{year!r} is not a year")
