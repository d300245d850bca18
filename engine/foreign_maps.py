"""How another system's log becomes happenings of our processes: the map file of a foreign log."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from audit.foreign.happenings import OF_A_CASE, WORDS
from engine.errors import BadInput
from engine.map_files import closed, read_toml, wanted_cells, zone_named

CSV, XES = "csv", "xes"
_TEXT: Final = {"type": "string", "minLength": 1}
_TEXTS: Final = {"type": "array", "items": _TEXT, "minItems": 1}


_TABLE: Final = {"type": "object", "minProperties": 1, "additionalProperties": _TEXT}
_WORD: Final = {"oneOf": [_TEXT, closed("column", column=_TEXT, values=_TABLE)]}
_SCHEMA: Final = closed(
    "version title format process case time event",
    version={"const": 1},
    title=_TEXT,
    titleEn=_TEXT,
    format={"enum": [CSV, XES]},
    encoding={"enum": ["utf-8-sig", "gb18030"]},
    process=_WORD,
    case=closed(
        "id", id=_TEXT, number=_TEXT, title=_TEXT, address=_TEXT, place=_TEXT, grid=_TEXT,
        community=_TEXT, category=_WORD, level=_WORD, source=_WORD, end=_WORD,
        ended=_TEXT,
    ),
    time=closed("", zone=_TEXT, formats=_TEXTS),
    event={
        "type": "array",
        "minItems": 1,
        "items": closed(
            "time", time=_TEXT, what=_WORD, step=_WORD, instance=_TEXT, person=_TEXT, unit=_TEXT,
            due=_TEXT,
            where={"type": "object", "minProperties": 1,
                   "additionalProperties": {"anyOf": [_TEXT, _TEXTS]}},
            answers={"type": "object", "minProperties": 1, "additionalProperties": _WORD},
        ),
    },
)  # fmt: skip


class BadForeignMap(BadInput):
    """The map of a foreign log breaks a rule; the sentence names the place."""

    def __init__(self, where: str, chinese: str, english: str) -> None:
        super().__init__(
            f"外来日志映射文件的“{where}”有误：{chinese}。请改正后重试。",
            f"The map of the foreign log is wrong at {where}: {english}.",
        )


@dataclass(frozen=True, slots=True)
class Word:
    """A word of ours: always `always`, or what a column says, through `values` where there are any.

    Both empty: nothing is said.
    """

    always: str = ""
    column: str = ""
    values: Mapping[str, str] | None = None

    def told(self, row: Mapping[str, str]) -> str:
        """The word for a row; "" for an empty cell, and for a value that is not mapped."""
        if not self.column:
            return self.always
        cell = row.get(self.column, "")
        return cell if self.values is None else self.values.get(cell, "")

    @property
    def words(self) -> tuple[str, ...]:
        """Every word it can give, as far as the map says."""
        return (self.always,) if self.always else tuple((self.values or {}).values())


NOTHING: Final = Word()


@dataclass(frozen=True, slots=True)
class EventRule:
    """A row with something in the column `time`, and fit by `where`, tells one happening."""

    time: str
    where: Mapping[str, frozenset[str]]
    what: Word
    step: Word
    instance: str
    person: str
    unit: str
    due: str
    answers: Mapping[str, Word]

    def fits(self, row: Mapping[str, str]) -> bool:
        """Whether the row tells such a happening."""
        fit = all(row.get(column, "") in values for column, values in self.where.items())
        return fit and bool(row.get(self.time, ""))


@dataclass(frozen=True, slots=True)
class CaseRule:
    """Columns that say something of the case; "" = nothing does.

    end: the end event it reached, at the time in `ended`, else when the last thing happened.
    """

    id: str
    number: str
    title: str
    address: str
    place: str
    grid: str
    community: str
    category: Word
    level: Word
    source: Word
    end: Word
    ended: str


@dataclass(frozen=True, slots=True)
class ForeignMap:
    """Everything needed to read another system's log.

    formats: strptime formats with a time of day; empty = ISO 8601. zone: of times without an
    offset, None = such times are refused. limits: columns of limits, which may lie ahead.
    """

    title: str
    format: str
    encoding: str
    process: Word
    case: CaseRule
    zone: ZoneInfo | None
    formats: tuple[str, ...]
    events: tuple[EventRule, ...]
    limits: frozenset[str]

    @property
    def columns(self) -> frozenset[str]:
        """Every column it reads."""
        case = self.case
        of_case = {case.id, case.number, case.title, case.address, case.place, case.grid}
        words = [self.process, case.category, case.level, case.source, case.end]
        of_events = set[str]()
        for rule in self.events:
            of_events |= {rule.time, rule.instance, rule.person, rule.unit, rule.due, *rule.where}
            words += [rule.what, rule.step, *rule.answers.values()]
        named = of_case | of_events | {case.community, case.ended, *(word.column for word in words)}
        return frozenset(named - {""})


def read_foreign_map(data: bytes) -> ForeignMap:
    """Read a map file; raises BadForeignMap naming the first place that is wrong."""
    told = read_toml(data, _SCHEMA, BadForeignMap)
    events = tuple(_event(one) for one in told["event"])
    map_ = ForeignMap(
        told["title"],
        told["format"],
        told.get("encoding", "utf-8-sig"),
        _word(told["process"]),
        _case(told["case"]),
        _zone(told["time"].get("zone")),
        tuple(told["time"].get("formats", ())),
        events,
        frozenset(rule.due for rule in events if rule.due),
    )
    _check(map_)
    return map_


def _word(told: str | Mapping[str, Any] | None) -> Word:
    if told is None:
        return NOTHING
    return Word(told) if isinstance(told, str) else Word("", told["column"], told.get("values"))


def _case(told: Mapping[str, Any]) -> CaseRule:
    return CaseRule(
        id=told["id"],
        number=told.get("number", told["id"]),
        title=told.get("title", ""),
        address=told.get("address", ""),
        place=told.get("place", ""),
        grid=told.get("grid", ""),
        community=told.get("community", ""),
        category=_word(told.get("category")),
        level=_word(told.get("level")),
        source=_word(told.get("source")),
        end=_word(told.get("end")),
        ended=told.get("ended", ""),
    )


def _event(told: Mapping[str, Any]) -> EventRule:
    return EventRule(
        time=told["time"],
        where=wanted_cells(told.get("where", {})),
        what=_word(told.get("what", "complete")),
        step=_word(told.get("step")),
        instance=told.get("instance", ""),
        person=told.get("person", ""),
        unit=told.get("unit", ""),
        due=told.get("due", ""),
        answers={name: _word(word) for name, word in told.get("answers", {}).items()},
    )


def _zone(name: str | None) -> ZoneInfo | None:
    return None if name is None else zone_named(name, "time.zone", BadForeignMap)


def _check(map_: ForeignMap) -> None:
    for written in map_.formats:
        _check_format(written, map_.zone)
    if map_.format == CSV and map_.zone is None and not map_.formats:
        raise BadForeignMap("time", "要写时区，或带时区的写法", "a zone or formats are needed")
    for n, rule in enumerate(map_.events, 1):
        for chinese, english in _faults(rule):
            raise BadForeignMap(f"event {n}", chinese, english)


_SAMPLE: Final = datetime(2001, 2, 3, 16, 5, 6, tzinfo=UTC)


def _check_format(written: str, zone: ZoneInfo | None) -> None:
    try:
        read = datetime.strptime(_SAMPLE.strftime(written), written)  # noqa: DTZ007 - a pattern's sample
    except ValueError:
        read = None
    if read is None or read.replace(second=6, tzinfo=UTC) != _SAMPLE:
        raise BadForeignMap(
            "time.formats", f"{written} 读不出年月日时分", f"{written} yields no day with a time"
        )
    if "%z" not in written and zone is None:
        raise BadForeignMap(
            "time.zone", f"{written} 没有时区，也没有写 zone", f"{written} has no zone, nor the map"
        )


def _faults(rule: EventRule) -> Iterator[tuple[str, str]]:
    for word in rule.what.words:
        if word not in WORDS:
            yield f"没有“{word}”这种事", f"there is no happening {word}"
    of_case = all(word in OF_A_CASE and word != "end" for word in rule.what.words)
    if rule.step == NOTHING and not (rule.what.words and of_case):
        yield "没有说是哪个环节", "it names no step"
