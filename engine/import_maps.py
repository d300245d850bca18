"""How another system's columns become an opening form: the map file of an import (TOML)."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from engine.errors import BadInput
from engine.map_files import closed, read_toml, wanted_cells, zone_named

_TEXT: Final = {"type": "string", "minLength": 1}
_TEXTS: Final = {"type": "array", "items": _TEXT}
_TEMPLATE: Final = {
    "oneOf": [
        _TEXT,
        {
            "type": "object",
            "properties": {
                "template": _TEXT,
                "otherwise": _TEXT,
                "most": {"type": "integer", "minimum": 10},
            },
            "required": ["template"],
            "additionalProperties": False,
        },
    ]
}
_RULE: Final = {
    "type": "object",
    "properties": {
        "is": _TEXT,
        "where": {
            "type": "object",
            "minProperties": 1,
            "additionalProperties": {"anyOf": [_TEXT, _TEXTS]},
        },
    },
    "required": ["is", "where"],
    "additionalProperties": False,
}


_SCHEMA: Final = closed(
    "version system title process id dates category form",
    version={"const": 1},
    # Part of what makes a row known again: ASCII, so that nobody can spell it in two ways.
    system={"type": "string", "pattern": r"^[a-z0-9][a-z0-9.-]{0,63}\Z"},
    title=_TEXT,
    titleEn=_TEXT,
    source=_TEXT,
    process={"type": "string", "pattern": r"^[a-z][a-z0-9_]*\Z"},
    encoding={"enum": ["utf-8-sig", "gb18030"]},
    id=_TEXT,
    required=_TEXTS,
    leave_out=_TEXTS,
    dates=closed(
        "opened formats zone",
        opened=_TEXT,
        closed=_TEXT,
        formats=_TEXTS | {"minItems": 1},
        zone=_TEXT,
        earliest=_TEXT,
    ),
    status=closed("column concluded", column=_TEXT, concluded=_TEXTS),
    place=closed(
        "", unit=_TEXT, column=_TEXT, units={"type": "object", "additionalProperties": _TEXT}
    ),
    category=closed("default", default=_TEXT, rules={"type": "array", "items": _RULE}),
    form={"type": "object", "minProperties": 1, "additionalProperties": _TEMPLATE},
)

_SEGMENT = re.compile(r"\[([^\[\]]*)\]|([^\[\]]+)")
_COLUMN = re.compile(r"\{([^{}\[\]]+)\}")


class BadMap(BadInput):
    """The map file of an import breaks a rule; the sentence names the place."""

    def __init__(self, where: str, chinese: str, english: str) -> None:
        super().__init__(
            f"导入映射文件的“{where}”有误：{chinese}。请改正后重试。",
            f"The import map is wrong at {where}: {english}.",
        )


@dataclass(frozen=True, slots=True)
class Template:
    """`{column}` stands for a cell; `[…]` is left out when a column inside it is empty.

    otherwise: what an empty result becomes. most: longest result in characters, 0 for any.
    """

    text: str
    otherwise: str = ""
    most: int = 0

    @property
    def columns(self) -> frozenset[str]:
        """The columns it reads."""
        return frozenset(_COLUMN.findall(self.text))

    def fill(self, row: Mapping[str, str]) -> str:
        """The text for one row: one line, single spaces, NFC; cut with … at `most`."""
        parts = [
            _COLUMN.sub(lambda column: row[column[1]], optional or always)
            for optional, always in _SEGMENT.findall(self.text)
            if not optional or all(row[column].strip() for column in _COLUMN.findall(optional))
        ]
        text = unicodedata.normalize("NFC", " ".join("".join(parts).split())) or self.otherwise
        return text if not self.most or len(text) <= self.most else text[: self.most - 1] + "…"


@dataclass(frozen=True, slots=True)
class Rule:
    """Rows whose cells are among the values of every column of `where` get this category."""

    category: str
    where: Mapping[str, frozenset[str]]

    def fits(self, row: Mapping[str, str]) -> bool:
        """Whether the row gets this rule's category; cells are compared without outer spaces."""
        return all(row[column].strip() in values for column, values in self.where.items())


@dataclass(frozen=True, slots=True)
class Dates:
    """Where the other system's dates stand and how they are written.

    formats: strptime formats tried in order; one without %H or %I gives a day, not an instant.
    zone: the zone its clocks run in. earliest: before that day no date of theirs can be true.
    """

    opened: str
    closed: str | None
    formats: tuple[str, ...]
    zone: ZoneInfo
    earliest: date


@dataclass(frozen=True, slots=True)
class ImportMap:
    """Everything an import needs to know about the other system's file.

    required: columns that must not be empty. leave_out: columns that never enter the log (persons'
    names, telephone numbers). status_column and concluded: which states mean that the other system
    had finished. unit: where cases go whose `unit_column` has no value in `units`.
    """

    system: str
    title: str
    process: str
    encoding: str
    id: str
    required: tuple[str, ...]
    leave_out: frozenset[str]
    dates: Dates
    status_column: str | None
    concluded: frozenset[str]
    unit: str | None
    unit_column: str | None
    units: Mapping[str, str]
    category: str
    rules: tuple[Rule, ...]
    form: Mapping[str, Template]

    @property
    def columns(self) -> frozenset[str]:
        """Every column the map reads; a file without one of them is not this system's."""
        perhaps = (self.dates.closed, self.status_column, self.unit_column)
        return frozenset(
            {self.id, self.dates.opened, *self.required, *filter(None, perhaps)}.union(
                *(rule.where for rule in self.rules),
                *(template.columns for template in self.form.values()),
            )
        )


def read_map(data: bytes) -> ImportMap:
    """Read a map file; raises BadMap naming the first place that is wrong."""
    told = read_toml(data, _SCHEMA, BadMap)
    status, place, category = told.get("status", {}), told.get("place", {}), told["category"]
    found = ImportMap(
        system=told["system"],
        title=told["title"],
        process=told["process"],
        encoding=told.get("encoding", "utf-8-sig"),
        id=told["id"],
        required=tuple(told.get("required", ())),
        leave_out=frozenset(told.get("leave_out", ())),
        dates=_dates(told["dates"]),
        status_column=status.get("column"),
        concluded=frozenset(status.get("concluded", ())),
        unit=place.get("unit"),
        unit_column=place.get("column"),
        units=place.get("units", {}),
        category=category["default"],
        rules=tuple(_rule(rule) for rule in category.get("rules", ())),
        form={name: _template(name, value) for name, value in told["form"].items()},
    )
    if found.leave_out & found.columns:
        left = "、".join(sorted(found.leave_out & found.columns))
        raise BadMap("leave_out", f"{left} 又被用到", f"{left} is used elsewhere in the map")
    return found


def _dates(told: dict[str, Any]) -> Dates:
    zone = zone_named(told["zone"], "dates.zone", BadMap)
    try:
        earliest = date.fromisoformat(told.get("earliest", "1970-01-01"))
    except ValueError:
        raise BadMap("dates.earliest", "应写成 2000-01-31", "write 2000-01-31") from None
    for written in told["formats"]:
        _check_format(written)
    return Dates(told["opened"], told.get("closed"), tuple(told["formats"]), zone, earliest)


def _check_format(written: str) -> None:
    sample = datetime(2001, 2, 3, 16, 5, 6)  # noqa: DTZ001 - a pattern's sample, in no zone
    try:
        fits = datetime.strptime(sample.strftime(written), written).date() == sample.date()  # noqa: DTZ007
    except ValueError:
        fits = False
    if not fits:
        raise BadMap("dates.formats", f"{written} 读不出年月日", f"{written} yields no date")


def _rule(told: dict[str, Any]) -> Rule:
    return Rule(told["is"], wanted_cells(told["where"]))


def _template(name: str, told: str | dict[str, Any]) -> Template:
    parts: dict[str, Any] = {"template": told} if isinstance(told, str) else told
    template = Template(parts["template"], parts.get("otherwise", ""), parts.get("most", 0))
    rest = _COLUMN.sub("", _SEGMENT.sub(lambda part: part[1] or part[2] or "", template.text))
    if re.search(r"[\[\]{}]", rest):
        raise BadMap(f"form.{name}", "括号不成对", "brackets do not pair")
    return template
