"""Sheets of units and people as an office keeps them: which row says what, by its column headings.

A sheet with 类别 and 单位 tells units; one with 姓名 tells people, and with 单位, 岗位 and 职责
their posts as well, with 账号 their accounts. Other columns are left alone, and named.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from engine.spreadsheets import BadSheet, Line, Sheet

MOST_ROWS: Final = 2000
LONGEST_CELL: Final = 200
# The heading may stand below a title and a line of remarks.
HEADING_WITHIN: Final = 5

COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "name": ("姓名", "人员", "名字"),
    "person": ("编号", "人员编号"),
    "unit": ("单位", "单位名称", "名称", "所在单位"),
    "kind": ("类别", "单位类别"),
    "parent": ("上级", "上级单位"),
    "unit_id": ("单位编号",),
    "title": ("岗位", "岗位名称", "职务"),
    "duties": ("职责",),
    "account": ("账号", "帐号", "登录账号"),
    "start": ("起始日期", "任职日期", "开始日期"),
    "end": ("结束日期", "终止日期", "离任日期"),
}
HEADINGS: Final[Mapping[str, str]] = {name: told[0] for name, told in COLUMNS.items()}
_MEANT: Final = {word: name for name, words in COLUMNS.items() for word in words}


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a register. told: by column (a key of COLUMNS), empty cells left out."""

    sheet: str
    line: int
    told: Mapping[str, str]
    headings: tuple[str, ...]
    cells: tuple[str, ...]

    @property
    def is_unit(self) -> bool:
        """Whether it tells of a unit, and not of a person."""
        return any(_MEANT.get(heading) == "kind" for heading in self.headings)


@dataclass(frozen=True, slots=True)
class Rows:
    """What a file says. unused: headings that mean nothing here. passed: sheets without any."""

    rows: tuple[Row, ...]
    unused: tuple[str, ...]
    passed: tuple[str, ...]


def read_rows(sheets: Sequence[Sheet]) -> Rows:
    """The rows of all sheets that have a heading, units first; raises BadSheet if none has."""
    headed = [(sheet, at) for sheet in sheets if (at := _heading(sheet)) is not None]
    if not headed:
        raise BadSheet(
            "没有找到标题行。人员表要有“姓名”一列，单位表要有“单位”和“类别”两列，请对照模板。",
            "No headings found: people need a column 姓名, units 单位 and 类别. See the template.",
        )
    rows = [row for sheet, at in headed for row in _rows(sheet, at)]
    used = {sheet.name for sheet, _ in headed}
    unused = dict.fromkeys(
        word
        for sheet, at in headed
        for word in sheet.lines[at].cells
        if word and word not in _MEANT
    )
    passed = tuple(sheet.name for sheet in sheets if sheet.name not in used and sheet.lines)
    ordered = sorted(rows, key=lambda row: not row.is_unit)
    return Rows(tuple(ordered), tuple(unused), passed)


def _heading(sheet: Sheet) -> int | None:
    for at, line in enumerate(sheet.lines[:HEADING_WITHIN]):
        meant = {_MEANT.get(cell) for cell in line.cells}
        if "name" in meant or {"unit", "kind"} <= meant:
            _check_once(line)
            return at
    return None


def _check_once(line: Line) -> None:
    meant = [_MEANT[cell] for cell in line.cells if cell in _MEANT]
    twice = sorted({HEADINGS[name] for name in meant if meant.count(name) > 1})
    if twice:
        raise BadSheet(
            f"标题行里“{'、'.join(twice)}”出现了不止一次，请只留一列。",
            f"The headings name {', '.join(twice)} more than once; keep one column.",
        )


def _rows(sheet: Sheet, at: int) -> Iterable[Row]:
    headings = sheet.lines[at].cells
    for line in sheet.lines[at + 1 :]:
        told = {
            _MEANT[heading]: cell
            for heading, cell in zip(headings, line.cells, strict=False)
            if cell and heading in _MEANT
        }
        yield Row(sheet.name, line.number, told, headings, line.cells)
