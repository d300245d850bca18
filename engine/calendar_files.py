"""Calendar files written from a calendar and some days: what a new version is made of."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Final

from engine.calendar import Calendar
from engine.errors import BadInput
from engine.spreadsheets import Sheet

# What a day may be said to be. None: as the week has it.
MEANT: Final[Mapping[str, bool | None]] = {
    "放假": False,
    "休息": False,
    "off": False,
    "上班": True,
    "补班": True,
    "调休上班": True,
    "work": True,
    "照常": None,
    "usual": None,
}
DAY_HEADINGS: Final = ("日期", "date")
KIND_HEADINGS: Final = ("类型", "安排", "kind")


class BadDays(BadInput):
    """The days of a calendar cannot be read."""


def with_days(base: Calendar, days: Mapping[date, bool | None]) -> bytes:
    """A calendar file like `base` but for these days; years they lie in count as published.

    days: True for a make-up day, False for a holiday, None as the week has it.
    """
    kept = {**base.days, **days}
    said = {day: working for day, working in kept.items() if working is not None}
    years = sorted(base.published | {day.year for day in days})
    return "\n".join([_head(base), *(_year(year, said) for year in years)]).encode()


def _head(base: Calendar) -> str:
    spans = ", ".join(f"{{ from = {start}, to = {end} }}" for start, end in base.office)
    return (
        f"# Written for the version after {base.version} ({base.sha256}).\n"
        f'zone = "{base.zone}"\noffice = [{spans}]\n'
    )


def _year(year: int, said: Mapping[date, bool]) -> str:
    def listed(working: bool) -> str:
        return ", ".join(
            day.isoformat() for day in sorted(said) if day.year == year and said[day] is working
        )

    return f"[years.{year}]\noff = [{listed(False)}]\nwork = [{listed(True)}]\n"


def read_days(sheets: Sequence[Sheet]) -> dict[date, bool | None]:
    """Days from a table with the columns 日期 and 类型 (放假, 上班, 照常); raises BadDays."""
    days: dict[date, bool | None] = {}
    for line, day_, kind in _told(sheets):
        day = _day(line, day_)
        if day in days:
            raise BadDays(f"第 {line} 行的 {day_} 写了两次。", f"Line {line}: {day_} comes twice.")
        if kind.casefold() not in MEANT:
            raise BadDays(
                f"第 {line} 行的“{kind}”看不懂，请写放假、上班或照常。",
                f"Line {line}: {kind} means nothing here; write off, work or usual.",
            )
        days[day] = MEANT[kind.casefold()]
    if not days:
        raise BadDays("表里没有日期。", "There are no days in the table.")
    return days


def _told(sheets: Iterable[Sheet]) -> Iterable[tuple[int, str, str]]:
    for sheet in sheets:
        columns = [line.cells for line in sheet.lines[:1]]
        day_at = _column(columns, DAY_HEADINGS)
        kind_at = _column(columns, KIND_HEADINGS)
        if day_at is None or kind_at is None:
            raise BadDays(
                "第一行要有“日期”和“类型”两列。", "The first line needs the columns date and kind."
            )
        for line in sheet.lines[1:]:
            cells = dict(enumerate(line.cells))
            yield line.number, cells.get(day_at, ""), cells.get(kind_at, "")


def _column(columns: Sequence[Sequence[str]], wanted: Iterable[str]) -> int | None:
    cells = [cell.casefold() for cell in columns[0]] if columns else []
    return next((cells.index(one) for one in wanted if one in cells), None)


def _day(line: int, told: str) -> date:
    try:
        return date.fromisoformat(told.replace("/", "-").replace(".", "-"))
    except ValueError:
        raise BadDays(
            f"第 {line} 行的“{told}”读不出是哪一天，请写成 2027-01-01。",
            f"Line {line}: {told} is not a day; write it like 2027-01-01.",
        ) from None
