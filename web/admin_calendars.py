"""Working calendars: what each version says, and how the next one comes to be."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from flask import Response, flash, render_template
from sqlalchemy import Connection, select
from werkzeug.wrappers import Response as AnyResponse

from audit import log
from engine.awaiting import drop
from engine.calendar import Calendar, read_calendar
from engine.calendar_files import BadDays, read_days, with_days
from engine.calendar_versions import (
    CALENDAR,
    calendar,
    calendar_file,
    calendar_table,
    calendar_version,
    publish_calendar,
)
from engine.errors import Conflict
from engine.spreadsheets import Line, Sheet, read_sheets, write_csv
from web.admin_pages import clerk, pages, typed
from web.frame import day as told_day
from web.moments import read_day
from web.quantities import ZONE
from web.registers import history_of
from web.sent_files import keep_file, kept_file, one_file
from web.texts import say
from web.visit import at, reads, see_other, writes

MOST_DAYS: Final = 400
PURPOSE: Final = "calendar"


class CalendarMoved(Conflict):
    """Another version was published between the preview and the confirmation."""

    def __init__(self) -> None:
        super().__init__(
            "您核对期间已有别的新版本发布，这次没有发布。请在新版本上重做。",
            "Another version was published while you were looking; nothing was published. Begin "
            "anew from that one.",
        )


@dataclass(frozen=True, slots=True)
class Run:
    """Days in a row with one meaning: a holiday or working days at a week-end."""

    first: date
    last: date
    working: bool

    @property
    def said(self) -> str:
        """10月1日 星期四, or from one day to another."""
        if self.first == self.last:
            return told_day(self.first)
        return say("{first} 至 {last}", first=told_day(self.first), last=told_day(self.last))


@dataclass(frozen=True, slots=True)
class Difference:
    """A day that one version has otherwise than another: old and new in words."""

    day: date
    old: str
    new: str


@pages.get("/calendars")
def calendars() -> str:
    """All versions, and the two ways to a new one."""
    with reads() as conn:
        versions = [calendar_version(conn, number) for number in _numbers(conn)]
        published = {one.data["version"]: one for one in log.read(conn, CALENDAR)}
        told = history_of(conn, ("calendars",), ("calendar",))
    return render_template(
        "admin_calendars.html",
        versions=versions,
        published=published,
        history=told,
        next_year=at().astimezone(ZONE).year + 1,
    )


@pages.get("/calendars/<int:number>")
def calendar_page(number: int) -> str:
    """One version: office hours, and the days that depart from Monday to Friday."""
    with reads() as conn:
        cal = calendar_version(conn, number)
        before = calendar_version(conn, number - 1) if number > 1 else None
    return render_template(
        "admin_calendar.html",
        cal=cal,
        years=_years(cal),
        before=before,
        differences=differences(before, cal) if before else [],
    )


@pages.get("/calendars/<int:number>.toml")
def calendar_toml(number: int) -> Response:
    """The file of a version, as it was published."""
    with reads() as conn:
        data = calendar_file(conn, number)
    response = Response(data, mimetype="application/toml")
    response.headers["Content-Disposition"] = f'attachment; filename="calendar-{number}.toml"'
    return response


@pages.get("/calendars/template.csv")
def calendar_template() -> Response:
    """A table to fill in: one day a line."""
    year = at().astimezone(ZONE).year + 1
    rows = [["日期", "类型"], [f"{year}-01-01", "放假"], [f"{year}-01-04", "上班"]]
    response = Response(write_csv(rows), mimetype="text/csv")
    response.headers["Content-Disposition"] = 'attachment; filename="calendar-days.csv"'
    return response


@pages.post("/calendars/files")
def send_days() -> AnyResponse:
    """Days from a table."""
    name, data = one_file()
    return _prepare(name, read_days(read_sheets(data, most_lines=MOST_DAYS)))


@pages.post("/calendars/days")
def type_days() -> AnyResponse:
    """Days typed in, one a line: 2027-01-01 放假."""
    return _prepare("", read_days([_typed_sheet(typed("days"))]))


@pages.get("/calendars/next/<file>")
def next_calendar(file: str) -> str:
    """What the next version would say, before it is published."""
    kept = kept_file(PURPOSE, file)
    with reads() as conn:
        now = calendar(conn)
    new = read_calendar(kept.data, version=now.version + 1)
    return render_template(
        "admin_calendar_next.html",
        file=file,
        base=now.version,
        new=new,
        differences=differences(now, new),
        added=sorted(new.published - now.published),
    )


@pages.post("/calendars/next/<file>")
def publish(file: str) -> AnyResponse:
    """发布新版本."""
    kept = kept_file(PURPOSE, file)
    with writes() as conn:
        log.take(conn, CALENDAR)
        if str(calendar(conn).version) != typed("base"):
            raise CalendarMoved
        cal = publish_calendar(conn, kept.data, by=clerk(), at=at())
        drop(conn, file)
    flash(say("工作日历第 {version} 版已发布", version=cal.version))
    return see_other("admin.calendar_page", number=cal.version)


def differences(old: Calendar, new: Calendar) -> list[Difference]:
    """The days two versions have otherwise, in order."""
    days = sorted(old.days.keys() | new.days.keys())
    return [
        Difference(day, _meaning(old.days, day), _meaning(new.days, day))
        for day in days
        if old.days.get(day) != new.days.get(day)
    ]


def _meaning(days: Mapping[date, bool], day: date) -> str:
    if day not in days:
        return say("照常")
    return say("上班") if days[day] else say("放假")


def _numbers(conn: Connection) -> list[int]:
    query = select(calendar_table.c.version).order_by(calendar_table.c.version.desc())
    return list(conn.execute(query).scalars())


def _years(cal: Calendar) -> list[tuple[int, list[Run]]]:
    """The departing days of each published year, newest year first, in runs."""
    return [
        (year, _runs({day: on for day, on in cal.days.items() if day.year == year}))
        for year in sorted(cal.published, reverse=True)
    ]


def _runs(days: Mapping[date, bool]) -> list[Run]:
    runs: list[Run] = []
    for day in sorted(days):
        last = runs[-1] if runs else None
        if last and last.last + timedelta(1) == day and last.working is days[day]:
            runs[-1] = Run(last.first, day, last.working)
        else:
            runs.append(Run(day, day, days[day]))
    return runs


def _prepare(name: str, days: Mapping[date, bool | None]) -> AnyResponse:
    with reads() as conn:
        toml = with_days(calendar(conn), days)
    return see_other("admin.next_calendar", file=keep_file(PURPOSE, name, toml))


def _typed_sheet(text: str) -> Sheet:
    """Typed lines as a table: a day, then what it is."""
    today = at().astimezone(ZONE).date()
    told = [line.split(maxsplit=1) for line in text.splitlines() if line.strip()]
    return Sheet("", (Line(0, ("日期", "类型")), *_lines(told, today)))


def _lines(told: Iterable[list[str]], today: date) -> Iterable[Line]:
    for number, parts in enumerate(told, 1):
        day = read_day(parts[0], today)
        if day is None or len(parts) < 2:
            raise BadDays(
                f"第 {number} 行看不懂，请写成“2027-01-01 放假”。",
                f"Line {number} cannot be read; write it like 2027-01-01 off.",
            )
        yield Line(number, (day.isoformat(), parts[1].strip()))
