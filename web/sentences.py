"""The record in sentences, Chinese and English: plain words, verbs first, numbers instead of blame.

Works with or without a request: every function takes the locale (`zh` or `en`). A sentence is a
list of `Segment`s, so that a page, a PDF and plain text can dress it each in its own way. The
sentences themselves are in sentences.toml beside this file.
"""

import re
import tomllib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from importlib.resources import files as package_files
from typing import Final, NamedTuple

from markupsafe import Markup, escape

from audit.reports.facts import CaseRecord, Responsibility, TimelineRow
from web.quantities import bare_duration as bare_duration
from web.quantities import day as day
from web.quantities import days_words as days_words
from web.quantities import duration as duration
from web.quantities import limit as limit
from web.quantities import pick
from web.quantities import time_of_day as time_of_day
from web.quantities import weekday as weekday
from web.quantities import when as when
from web.slots import Slots
from web.wording import NOUNS, brief_answers, joined, over, round_words
from web.wording import Names as Names
from web.wording import Segment as Segment
from web.wording import category_words as category_words
from web.wording import duty_mark as duty_mark
from web.wording import duty_name as duty_name
from web.wording import element_name as element_name
from web.wording import files as files
from web.wording import five_words as five_words
from web.wording import level_words as level_words
from web.wording import person_words as person_words
from web.wording import spent as spent


class Result(NamedTuple):
    """How a line of the responsibility table ended: shape, words, style (ok, late, now, idle)."""

    shape: str
    text: str
    style: str


def timeline_sentence(
    record: CaseRecord,
    row: TimelineRow,
    names: Names,
    locale: str,
    *,
    known: Collection[str] = (),
) -> list[Segment]:
    """One entry as a sentence. known: persons introduced already, who are then named alone."""
    slots = Slots(record, row, names, locale, known)
    begun = record.elements.get("report")
    told = template(row, locale, five=begun is None or begun.duty5 is not None)
    return _punctuated(_render(told, slots), locale)


def template(row: TimelineRow, locale: str, *, five: bool = True) -> str:
    """The sentence with its slots, from sentences.toml; types not known there have one too.

    five: whether the process has the five duties.
    """
    keys = [row.type, "*"]
    if not five:
        keys.insert(0, f"{row.type}/begun")
    if row.type == "case.advanced" and not {"opened", "ends"} & set(row.data):
        keys.insert(0, f"{row.type}/waiting")
    if "predecessor" in row.data:
        keys.insert(0, f"{row.type}/again")
    if row.type == "case.opened" and "origin" in row.data:
        keys.insert(0, f"{row.type}/case")
    elif row.actor.person is None:
        keys.insert(0, f"{row.type}/machine")
    return next(TEMPLATES[key][locale] for key in keys if key in TEMPLATES)


def outcome(record: CaseRecord, row: Responsibility, names: Names, locale: str) -> list[Segment]:
    """What somebody did in one line of the responsibility table; empty while nothing is done."""
    parts = [Segment(words) for words in _did(record, row, names, locale)]
    told = joined(parts, pick(("，", ", "), locale))
    turn = round_words(row, locale)
    if not turn:
        return told
    return [Segment(turn + (pick(("：", ": "), locale) if told else "")), *told]


def _did(record: CaseRecord, row: Responsibility, names: Names, locale: str) -> list[str]:
    facts = record.elements.get(row.asked)
    name = element_name(record, row.element, locale)
    told = (
        [name]
        if row.duty5 and row.how != "reported" and name != pick(NOUNS[row.duty5], locale)
        else []
    )
    told += [pick(_TURNED[row.how], locale)] if row.how in _TURNED else []
    told += brief_answers(facts, row.outcome, names, locale)
    told += [row.reason.rstrip("。")] if row.reason else []
    if not told and row.how == "reported":
        return [record.title]
    if not told and row.how == "completed":
        return [name]
    return told


def result(row: Responsibility, locale: str) -> Result:
    """How a line ended, with the shape that says so without colour."""
    if row.timing.state == "late":
        words = over(row.timing, locale) if row.timing.late else pick(_WAS_LATE, locale)
        return Result("▲", words, "late")
    state: str = row.timing.state
    if state in ("none", "running") and row.how == "open":
        state = "running"
    elif state == "in_time" and row.how in ("cancelled", "withdrawn"):
        state = "cancelled"
    shape, words_, style = _RESULTS[state]
    return Result(shape, pick(words_, locale), style)


# --- dressing -----------------------------------------------------------------------------------


def plain(segments: Iterable[Segment]) -> str:
    """The sentence as text."""
    return "".join(segment.text for segment in segments)


def markup(segments: Iterable[Segment], *, link: Callable[[str], str] | None = None) -> Markup:
    """The sentence as HTML: verbs in <b>, lateness in <em>, what must not break in .num.

    link: the address of a case that is spoken of; without it, cases are no links.
    """
    return Markup("").join(_dressed(text, style, link) for text, style in segments)


def _dressed(text: str, style: str, link: Callable[[str], str] | None) -> Markup:
    kind, _, case = style.partition(":")
    if kind == "case":
        number = _TAGS["num"].format(escape(text))
        return Markup('<a href="{}">{}</a>').format(link(case), number) if link else number
    return _TAGS.get(style, _BARE).format(escape(text))


_BARE: Final = Markup("{}")
_TAGS: Final[Mapping[str, Markup]] = {
    "verb": Markup("<b>{}</b>"),
    "late": Markup("<em>{}</em>"),
    "num": Markup('<span class="num">{}</span>'),
}

# --- words --------------------------------------------------------------------------------------

TEMPLATES: Final[Mapping[str, Mapping[str, str]]] = tomllib.loads(
    package_files("web").joinpath("sentences.toml").read_text(encoding="utf-8")
)
_TURNED: Final[Mapping[str, tuple[str, str]]] = {
    "returned": ("退回", "sent back"),
    "withdrawn": ("上一步被撤回", "the step before was taken back"),
    "objected": ("提出异议", "objected"),
    "cancelled": ("流程改道，未办", "not needed any more"),
}
_WAS_LATE: Final = ("曾逾期", "was overdue")
_RESULTS: Final[Mapping[str, tuple[str, tuple[str, str], str]]] = {
    "in_time": ("●", ("按时", "in time"), "ok"),
    "overdue": ("▲", ("已逾期", "overdue"), "late"),
    "paused": ("‖", ("已暂停", "paused"), "now"),
    "running": ("○", ("办理中", "in hand"), "now"),
    "cancelled": ("—", ("已取消", "cancelled"), "idle"),
    "none": ("—", ("无时限", "no limit"), "idle"),
}

# --- filling in ---------------------------------------------------------------------------------

_PIECES: Final = re.compile(r"\[(?P<group>[^\]]*)\]|(?P<plain>[^\[]+)")
_MARKED: Final = re.compile(r"\*\*(?P<verb>.+?)\*\*|!!(?P<late>.+?)!!|(?P<text>(?:(?!\*\*|!!).)+)")
_SLOTS: Final = re.compile(r"\{(?P<slot>\w+)\}|(?P<words>[^{]+)")


def _render(template: str, slots: Slots) -> list[Segment]:
    told: list[Segment] = []
    for piece in _PIECES.finditer(template):
        group = piece["group"]
        if group is None:
            told.extend(_fill(piece["plain"], slots))
        elif all(slots.fill(name) for name in re.findall(r"\{(\w+)\}", group)):
            told.extend(_fill(group, slots))
    return told


def _fill(template: str, slots: Slots) -> Iterator[Segment]:
    for marked in _MARKED.finditer(template):
        style = marked.lastgroup or "text"
        for part in _SLOTS.finditer(marked[style]):
            filled = slots.fill(part["slot"]) if part["slot"] else [Segment(part["words"])]
            for segment in filled:
                yield segment if style == "text" else segment._replace(style=style)


def _punctuated(segments: Iterable[Segment], locale: str) -> list[Segment]:
    """A full stop after a quotation goes inside it, unless the quotation ends with its own mark.

    In English it stays outside: what is quoted is mostly Chinese.
    """
    if locale != "zh":
        return list(segments)
    stop = "。"
    told: list[Segment] = []
    for segment in segments:
        text = segment.text
        if told and told[-1].style == "quote" and text.startswith(stop):
            text = text.removeprefix(stop)
            told[-1] = Segment(_stopped(told[-1].text, stop), "quote")
        if text:
            told.append(segment._replace(text=text))
    return told


def _stopped(quoted: str, stop: str) -> str:
    return (
        quoted if quoted[-2:-1] in ("！", "？", "…", "!", "?") else quoted[:-1] + stop + quoted[-1]
    )
