"""In whose hands the risk lay, and how long: one bar a step on a common time line, as SVG."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from markupsafe import Markup

from audit.reports.facts import CaseRecord, Responsibility
from web.quantities import ZONE, bare_duration, day
from web.wording import Names, duty_mark, element_name, round_words

WIDTH: Final = 640
LEFT: Final = 128
RIGHT: Final = 92
ROW: Final = 17
TOP: Final = 16
BAR: Final = 8
MOST_DAYS: Final = 8


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
    lines = sorted(
        (line for line in record.responsibility if line.how != "reported"),
        key=lambda line: (line.opened, line.opened_seq),
    )
    if not lines:
        return Markup("")
    end = max(line.closed or record.last for line in lines)
    scale = _Scale(record.opened, end)
    height = TOP + ROW * len(lines) + 4
    parts = [*_axis(scale, height, locale)]
    for n, line in enumerate(lines):
        parts += _line(record, line, scale, TOP + ROW * n, names, locale)
    body = Markup("").join(parts)
    return Markup(
        '<svg class="hold" viewBox="0 0 {w} {h}" width="174mm" height="{mm}mm">{body}</svg>'
    ).format(w=WIDTH, h=height, mm=round(height * 174 / WIDTH, 1), body=body)


def _axis(scale: _Scale, height: int, locale: str) -> Iterator[Markup]:
    for at in _midnights(scale):
        x = round(scale.x(at), 1)
        yield Markup(
            '<line x1="{x}" y1="{top}" x2="{x}" y2="{y}" stroke="#cdd4cb" stroke-width=".5"/>'
        ).format(x=x, top=TOP - 4, y=height)
        yield _text(x, TOP - 6, day(at, locale), "middle", 7.5, "#56625f")


def _midnights(scale: _Scale) -> Sequence[datetime]:
    first = scale.start.astimezone(ZONE).replace(hour=0, minute=0, second=0, microsecond=0)
    days = (scale.end - first).days + 1
    every = -(-days // MOST_DAYS)
    found = (first + timedelta(days=n) for n in range(every, days + 1, every))
    return [at for at in found if scale.start < at < scale.end]


def _line(
    record: CaseRecord, line: Responsibility, scale: _Scale, y: int, names: Names, locale: str
) -> Iterator[Markup]:
    end = line.closed or scale.end
    left, right = scale.x(line.opened), scale.x(end)
    step = " ".join(filter(None, (_step(record, line, locale), round_words(line, locale))))
    who = names.person(line.who.person, locale) if line.who else names.unit(line.units[-1])
    colour = "#ab251c" if line.was_late else "#172124" if line.how == "open" else "#56625f"
    yield _text(0, y + BAR, step, "start", 8.5, "#172124")
    yield _text(LEFT - 6, y + BAR, who, "end", 8.5, "#3f4b4f")
    yield _bar(left, max(right - left, 1.4), y, colour)
    for since, until in _stops(record, line, end):
        x = scale.x(since)
        yield _bar(x, max(scale.x(until) - x, 1.4), y, "#ffffff")
    due = line.timing.due
    if due is not None and scale.start < due < scale.end:
        x = round(scale.x(due), 1)
        yield Markup(
            '<line x1="{x}" y1="{a}" x2="{x}" y2="{b}" stroke="#172124" stroke-width="1.1"/>'
        ).format(x=x, a=y - 1, b=y + BAR + 3)
    minutes = int((end - line.opened).total_seconds() // 60)
    told = ("▲ " if line.was_late else "") + bare_duration(minutes, None, locale)
    yield _text(WIDTH, y + BAR, told, "end", 8, "#ab251c" if line.was_late else "#3f4b4f")


def _step(record: CaseRecord, line: Responsibility, locale: str) -> str:
    name = element_name(record, line.element, locale)
    return name if len(name) < 14 else duty_mark(record, line)


def _stops(
    record: CaseRecord, line: Responsibility, end: datetime
) -> Iterator[tuple[datetime, datetime]]:
    for clock in record.clocks:
        for pause in clock.pauses if clock.task == line.task else ():
            if pause.decided and pause.decided.outcome == "granted":
                yield pause.decided.at, pause.resumed_at or end


def _bar(x: float, width: float, y: int, fill: str) -> Markup:
    edge = "#56625f" if fill == "#ffffff" else fill
    return Markup(
        '<rect x="{x}" y="{y}" width="{w}" height="{h}" fill="{fill}" stroke="{edge}"'
        ' stroke-width=".6"/>'
    ).format(x=round(x, 1), y=y + 1, w=round(width, 1), h=BAR, fill=fill, edge=edge)


def _text(x: float, y: float, words: str, anchor: str, size: float, fill: str) -> Markup:
    return Markup(
        '<text x="{x}" y="{y}" text-anchor="{anchor}" font-size="{size}" fill="{fill}"'
        ' font-family="Shaoji Sans">{words}</text>'
    ).format(x=round(x, 1), y=y, anchor=anchor, size=size, fill=fill, words=words)
