"""In whose hands the risk lay, and how long: one bar a step on a common time line, as SVG."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from markupsafe import Markup

from audit.reports.facts import CaseRecord, Responsibility
from web.quantities import ZONE, bare_duration, day, pick
from web.wording import Names, duty_mark, element_name, round_words

WIDTH: Final = 640
LEFT: Final = 128
RIGHT: Final = 112
ROW: Final = 17
TOP: Final = 16
BAR: Final = 8
MOST_DAYS: Final = 8
MOST_ROWS: Final = 14
MOST_BARS: Final = 100
LONGEST_NAME: Final = 14


@dataclass(frozen=True, slots=True)
class _Scale:
    start: datetime
    end: datetime

    def x(self, at: datetime) -> float:
        whole = max((self.end - self.start).total_seconds(), 1)
        share = (at - self.start).total_seconds() / whole
        return LEFT + min(max(share, 0), 1) * (WIDTH - LEFT - RIGHT)


def hold_chart(record: CaseRecord, names: Names, locale: str) -> Markup:
    """Bars in natural time; a tick where a limit fell, hollow where a clock was stopped."""
    rows = _rows(record)
    if not rows:
        return Markup("")
    end = max(line.closed or record.last for row in rows for line in row)
    chart = _Chart(record, names, locale, _Scale(record.opened, end), _stops(record))
    height = TOP + ROW * len(rows) + 4
    parts = [*chart.axis(height)]
    for n, row in enumerate(rows):
        parts += chart.row(row, TOP + ROW * n)
    return Markup(
        '<svg class="hold" viewBox="0 0 {w} {h}" width="174mm" height="{mm}mm">{body}</svg>'
    ).format(w=WIDTH, h=height, mm=round(height * 174 / WIDTH, 1), body=Markup("").join(parts))


def _rows(record: CaseRecord) -> list[list[Responsibility]]:
    """A row a step; in a long case a row an element, with all its rounds."""
    lines = sorted(
        (line for line in record.responsibility if line.how != "reported"),
        key=lambda line: (line.opened, line.opened_seq),
    )
    if len(lines) <= MOST_ROWS:
        return [[line] for line in lines]
    grouped: dict[str, list[Responsibility]] = {}
    for line in lines:
        grouped.setdefault(line.element, []).append(line)
    return list(grouped.values())


@dataclass(frozen=True, slots=True)
class _Chart:
    record: CaseRecord
    names: Names
    locale: str
    scale: _Scale
    stops: Mapping[str, Sequence[tuple[datetime, datetime | None]]]

    def axis(self, height: int) -> Iterator[Markup]:
        for at in _midnights(self.scale):
            x = round(self.scale.x(at), 1)
            yield Markup(
                '<line x1="{x}" y1="{top}" x2="{x}" y2="{y}" stroke="#dfe3dc" stroke-width=".5"/>'
            ).format(x=x, top=TOP - 4, y=height)
            yield _text(x, TOP - 6, day(at, self.locale), "middle", 7.5, "#56625f")

    def row(self, lines: Sequence[Responsibility], y: int) -> Iterator[Markup]:
        late = any(line.was_late for line in lines)
        yield _text(0, y + BAR, self._step(lines), "start", 8.5, "#172124")
        yield _text(LEFT - 6, y + BAR, self._who(lines), "end", 8.5, "#3f4b4f")
        if len(lines) > MOST_BARS:
            yield from self._path(lines, y)
        for line in lines if len(lines) <= MOST_BARS else ():
            yield from self._bars(line, y)
        told = ("▲ " if late else "") + self._long(lines)
        yield _text(WIDTH, y + BAR, told, "end", 8, "#ab251c" if late else "#3f4b4f")

    def _path(self, lines: Sequence[Responsibility], y: int) -> Iterator[Markup]:
        """The bars of very many rounds, too narrow to tell anything but where they are."""
        drawn: dict[str, list[str]] = {}
        for line in lines:
            x = self.scale.x(line.opened)
            width = max(self.scale.x(line.closed or self.scale.end) - x, 0.6)
            shape = f"M{x:.1f} {y + 1}h{width:.1f}v{BAR}h-{width:.1f}z"
            drawn.setdefault(_colour(line), []).append(shape)
        for colour, shapes in drawn.items():
            path = "".join(dict.fromkeys(shapes))
            yield Markup('<path d="{path}" fill="{colour}"/>').format(path=path, colour=colour)

    def _bars(self, line: Responsibility, y: int) -> Iterator[Markup]:
        end = line.closed or self.scale.end
        yield self._bar(line.opened, end, y, _colour(line))
        for since, until in self.stops.get(line.task, ()):
            yield self._bar(since, until or end, y, "#ffffff")
        due = line.timing.due
        if due is not None and self.scale.start < due < self.scale.end:
            x = round(self.scale.x(due), 1)
            yield Markup(
                '<line x1="{x}" y1="{a}" x2="{x}" y2="{b}" stroke="#172124" stroke-width="1.1"/>'
            ).format(x=x, a=y - 1, b=y + BAR + 3)

    def _bar(self, since: datetime, until: datetime, y: int, fill: str) -> Markup:
        x = self.scale.x(since)
        edge = "#56625f" if fill == "#ffffff" else fill
        return Markup(
            '<rect x="{x}" y="{y}" width="{w}" height="{h}" fill="{fill}" stroke="{edge}"'
            ' stroke-width=".6"/>'
        ).format(
            x=round(x, 1), y=y + 1, w=round(max(self.scale.x(until) - x, 1.2), 1), h=BAR,
            fill=fill, edge=edge,
        )  # fmt: skip

    def _step(self, lines: Sequence[Responsibility]) -> str:
        name = element_name(self.record, lines[0].element, self.locale)
        name = name if len(name) < LONGEST_NAME else duty_mark(self.record, lines[0])
        turn = round_words(lines[0], self.locale) if len(lines) == 1 else ""
        return " ".join(filter(None, (name, turn)))

    def _who(self, lines: Sequence[Responsibility]) -> str:
        first = lines[0]
        person = first.who.doer.person if first.who else None
        told = self.names.person(person) if person else self.names.unit(first.units[-1])
        several = len({line.who.doer.person for line in lines if line.who}) > 1
        return told + pick((" 等", " …"), self.locale) * several

    def _long(self, lines: Sequence[Responsibility]) -> str:
        spans = ((line.closed or self.scale.end) - line.opened for line in lines)
        minutes = sum(int(span.total_seconds() // 60) for span in spans)
        told = bare_duration(minutes, None, self.locale)
        if len(lines) == 1:
            return told
        return pick((f"{len(lines)} 轮 {told}", f"{len(lines)} × {told}"), self.locale)


def _midnights(scale: _Scale) -> Sequence[datetime]:
    first = scale.start.astimezone(ZONE).replace(hour=0, minute=0, second=0, microsecond=0)
    days = (scale.end - first).days + 1
    every = -(-days // MOST_DAYS)
    found = (first + timedelta(days=n) for n in range(every, days + 1, every))
    return [at for at in found if scale.start < at < scale.end]


def _stops(record: CaseRecord) -> Mapping[str, Sequence[tuple[datetime, datetime | None]]]:
    """When the clock of each step was stopped, and until when."""
    found: dict[str, list[tuple[datetime, datetime | None]]] = {}
    for clock in record.clocks:
        for pause in clock.pauses:
            if pause.decided and pause.decided.outcome == "granted":
                found.setdefault(clock.task, []).append((pause.decided.at, pause.resumed_at))
    return found


def _colour(line: Responsibility) -> str:
    return "#ab251c" if line.was_late else "#172124" if line.how == "open" else "#56625f"


def _text(x: float, y: float, words: str, anchor: str, size: float, fill: str) -> Markup:
    return Markup(
        '<text x="{x}" y="{y}" text-anchor="{anchor}" font-size="{size}" fill="{fill}"'
        ' font-family="Shaoji Sans">{words}</text>'
    ).format(x=round(x, 1), y=y, anchor=anchor, size=size, fill=fill, words=words)
