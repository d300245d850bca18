"""Another system's log, row by row: what happened, and what could not be read or is not mapped."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Final

from audit.foreign.happenings import OF_A_CASE, WORDS, ForeignCase, Happening
from engine.errors import BadInput
from engine.foreign_maps import CSV, EventRule, ForeignMap, Word
from engine.import_rows import BadRow, Rejected, Row, Seekable, check_cells, records, rejected
from engine.xes_reading import xes_rows

MOST_HAPPENINGS: Final = 500_000
MOST_REJECTED: Final = 50_000
# Values are counted by kind, not kept by the million.
MOST_UNMAPPED: Final = 200
MOST_TIMES: Final = 10_000


class TooMuch(BadInput):
    """The log is larger than what is read at once."""


@dataclass(frozen=True, slots=True)
class Read:
    """What a file gave by its map. rows: all it has; left_out: cases with a rejected row.

    unmapped: happenings in no word of ours, by `column=value`.
    """

    cases: tuple[ForeignCase, ...]
    rows: int
    rejected: tuple[Rejected, ...]
    left_out: int
    unmapped: Mapping[str, int]

    @property
    def happenings(self) -> int:
        """How many things happened in all cases."""
        return sum(len(case.happenings) for case in self.cases)


@dataclass(slots=True)
class _Open:
    """A case while its rows go by. first: the cells that say what it is. ended: where told."""

    first: Mapping[str, str]
    line: int
    ended: datetime | None = None
    happenings: list[Happening] = field(default_factory=list)
    spoilt: bool = False


@dataclass(slots=True)
class _Reader:
    map_: ForeignMap
    at: datetime
    rows: int = 0
    open: dict[str, _Open] = field(default_factory=dict)
    rejected: list[Rejected] = field(default_factory=list)
    unmapped: Counter[str] = field(default_factory=Counter)
    known: dict[bytes, int] = field(default_factory=dict)
    # A row tells one time several times, and its neighbours the same.
    times: dict[str, datetime | None] = field(default_factory=dict)
    happenings: int = 0

    def take(self, row: Row | Rejected) -> None:
        self.rows += 1
        told = row.row if isinstance(row, Rejected) else row
        cells = dict(zip(told.columns, (cell.strip() for cell in told.cells), strict=False))
        case = self._case(cells, told)
        try:
            if isinstance(row, Rejected):
                self._reject(row, case)
                return
            check_cells(row)
            self._known(row)
            if case is None:
                column = self.map_.case.id
                raise BadRow(f"“{column}”是空的，不知道是哪一件。", f"{column} is empty.")
            found = list(self._told(row, cells))
            case.ended = self._ended(cells) or case.ended
        except BadRow as bad:
            self._reject(rejected(told, bad), case)
            return
        case.happenings += found
        self.happenings += len(found)
        if self.happenings > MOST_HAPPENINGS:
            raise TooMuch(
                f"超过 {MOST_HAPPENINGS} 个事件，没有导入。请按年份分成几个文件，各取一个名字。",
                f"More than {MOST_HAPPENINGS} events; nothing was imported. Send it in parts.",
            )

    def _case(self, cells: Mapping[str, str], row: Row) -> _Open | None:
        id_ = cells.get(self.map_.case.id, "")
        return self.open.setdefault(id_, _Open(cells, row.line)) if id_ else None

    def _known(self, row: Row) -> None:
        """A ledger has a line twice when somebody pasted it twice; a log may well repeat itself."""
        if self.map_.format != CSV:
            return
        digest = hashlib.sha256("\0".join(row.cells).encode("utf-8", "surrogateescape")).digest()
        before = self.known.setdefault(digest, row.line)
        if before != row.line:
            raise BadRow(f"和第 {before} 行完全一样。", f"The same as line {before}.")

    def _reject(self, told: Rejected, case: _Open | None) -> None:
        self.rejected.append(told)
        if case is not None:
            case.spoilt = True
        if len(self.rejected) > MOST_REJECTED:
            raise TooMuch(
                f"超过 {MOST_REJECTED} 行读不出来，没有导入。多半用错了映射，请核对。",
                f"More than {MOST_REJECTED} rows cannot be read: is this the right map?",
            )

    # --- one row --------------------------------------------------------------------------------

    def _told(self, row: Row, cells: Mapping[str, str]) -> Iterator[Happening]:
        latest: tuple[datetime, str] | None = None
        fitting = [rule for rule in self.map_.events if rule.fits(cells)]
        if not fitting:
            self._unmapped_row(cells)
        for rule in fitting:
            at = self._moment(rule.time, cells)
            if latest is not None and at < latest[0]:
                raise BadRow(
                    f"“{rule.time}”早于“{latest[1]}”。", f"{rule.time} is before {latest[1]}."
                )
            latest = at, rule.time
            one = self._happening(rule, at, row.line, cells)
            if one is not None:
                yield one

    def _ended(self, cells: Mapping[str, str]) -> datetime | None:
        column = self.map_.case.ended
        return self._moment(column, cells) if cells.get(column) else None

    def _happening(
        self, rule: EventRule, at: datetime, line: int, cells: Mapping[str, str]
    ) -> Happening | None:
        what, step = rule.what.told(cells), rule.step.told(cells)
        if what not in WORDS:
            self._unmapped(rule.what, cells)
            return None
        if not step and (what not in OF_A_CASE or what == "end"):
            self._unmapped(rule.step, cells)
            return None
        due = self._moment(rule.due, cells) if cells.get(rule.due) else None
        said = {name: word.told(cells) for name, word in rule.answers.items()}
        return Happening(
            line, at, what, step, cells.get(rule.instance, ""), cells.get(rule.person, ""),
            cells.get(rule.unit, ""), due, {name: text for name, text in said.items() if text},
        )  # fmt: skip

    def _unmapped(self, word: Word, cells: Mapping[str, str]) -> None:
        self._count(f"{word.column}={cells.get(word.column, '')}")

    def _unmapped_row(self, cells: Mapping[str, str]) -> None:
        columns = sorted({column for rule in self.map_.events for column in rule.where})
        told = "，".join(f"{column}={cells.get(column, '')}" for column in columns)
        self._count(told or "（没有时间的行）")

    def _count(self, what: str) -> None:
        known = what in self.unmapped or len(self.unmapped) < MOST_UNMAPPED
        self.unmapped[what[:80] if known else "…"] += 1

    def _moment(self, column: str, cells: Mapping[str, str]) -> datetime:
        text = cells[column]
        if text not in self.times:
            if len(self.times) >= MOST_TIMES:
                self.times.clear()
            self.times[text] = self._parsed(text)
        found = self.times[text]
        if found is None:
            raise BadRow(f"“{column}”的时间“{text}”读不出来。", f"{column}: {text} is no time.")
        if found.tzinfo is None:
            if self.map_.zone is None:
                raise BadRow(
                    f"“{column}”的时间“{text}”没有时区，映射里也没有写。",
                    f"{column}: {text} has no zone, nor has the map.",
                )
            found = found.replace(tzinfo=self.map_.zone)
        return self._possible(found, column, text)

    def _possible(self, found: datetime, column: str, text: str) -> datetime:
        try:
            at = found.astimezone(UTC)
        except OverflowError:
            at = None
        if at is None or (at > self.at and column not in self.map_.limits):
            raise BadRow(
                f"“{column}”的时间 {text} 在导入之后，不可能。", f"{column}: {text} is yet to come."
            )
        return at

    def _parsed(self, text: str) -> datetime | None:
        if not self.map_.formats:
            return _tried(partial(datetime.fromisoformat, text))
        told = (_tried(partial(datetime.strptime, text, f)) for f in self.map_.formats)
        return next((at for at in told if at is not None), None)

    # --- all of it ------------------------------------------------------------------------------

    def read(self) -> Read:
        for id_, one in self.open.items():
            self._check_order(id_, one)
        whole = {id_: one for id_, one in self.open.items() if not one.spoilt and one.happenings}
        left_out = sum(one.spoilt for one in self.open.values())
        cases = tuple(self._made(id_, one) for id_, one in whole.items())
        return Read(cases, self.rows, tuple(self.rejected), left_out, dict(self.unmapped))

    def _check_order(self, id_: str, one: _Open) -> None:
        """Of activations the log tells apart: none is done before it was begun."""
        one.happenings.sort(key=lambda happening: happening.at)
        done = dict[tuple[str, str], Happening]()
        for it in one.happenings:
            key = it.element, it.instance
            if it.instance and it.what == "complete":
                done.setdefault(key, it)
            elif it.instance and it.what in ("schedule", "start") and key in done:
                bad = BadRow(
                    f"案件 {id_} 的“{it.instance}”没开始就办完了（完成在第 {done[key].line} 行）。",
                    f"{it.instance} of case {id_} was done before it began"
                    f" (done in line {done[key].line}).",
                )
                self._reject(rejected(Row(it.line, it.line, (), ()), bad), one)
                return

    def _made(self, id_: str, one: _Open) -> ForeignCase:
        rule, cells = self.map_.case, one.first
        columns = {rule.place: "", rule.grid: "general_grid", rule.community: "community"}
        areas = tuple(
            (kind, cells[column]) for column, kind in columns.items() if cells.get(column)
        )
        for word in (rule.category, rule.level):
            if word.column and cells.get(word.column) and not word.told(cells):
                self._unmapped(word, cells)
        end = rule.end.told(cells)
        last = one.happenings[-1]
        ended = [Happening(last.line, one.ended or last.at, "end", end)] if end else []
        return ForeignCase(
            id_, cells.get(rule.number) or id_, self.map_.process.told(cells), areas,
            cells.get(rule.address, ""), cells.get(rule.title, ""), rule.category.told(cells),
            rule.level.told(cells), rule.source.told(cells), (*one.happenings, *ended),
        )  # fmt: skip


def _tried(parse: Callable[[], datetime]) -> datetime | None:
    try:
        return parse()
    except ValueError:
        return None


def read_log(map_: ForeignMap, file: Seekable, *, at: datetime) -> Read:
    """Read a whole log by its map. file: uncompressed, from its start. at: now, or as of when.

    Raises WrongFile, BadXes, TooMuch.
    """
    reader = _Reader(map_, at)
    for row in _rows(map_, file):
        reader.take(row)
    return reader.read()


def _rows(map_: ForeignMap, file: Seekable) -> Iterable[Row | Rejected]:
    if map_.format == CSV:
        return records(file, encoding=map_.encoding, needed=map_.columns)
    return xes_rows(file)
