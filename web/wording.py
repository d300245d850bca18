"""Words for what a record holds: persons, steps, files, answers, in Chinese and English."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, NamedTuple

from audit.commitments import is_sealed
from audit.encoding import instant
from audit.reports.facts import (
    Actor,
    CaseRecord,
    ElementFacts,
    Evidence,
    FieldFacts,
    Responsibility,
    TimelineRow,
    Timing,
)
from web.quantities import ZONE, bare_duration, day, duration, limit, pick, when

# What was written, in a table: this many characters of it.
LINE: Final = 40
NOUNS: Final[Mapping[str, tuple[str, str]]] = {
    "report": ("上报", "Report"),
    "confirm": ("确认", "Confirm"),
    "assign": ("指派", "Assign"),
    "rectify": ("整改", "Rectify"),
    "accept": ("验收", "Accept"),
}
MARKS: Final[Mapping[str, str]] = {
    "report": "报",
    "confirm": "确",
    "assign": "派",
    "rectify": "改",
    "accept": "验",
}
LEVELS: Final[Mapping[str, tuple[str, str]]] = {
    "general": ("一般隐患", "general hazard"),
    "larger": ("较大隐患", "larger hazard"),
    "major": ("重大隐患", "major hazard"),
}
SOURCES: Final[Mapping[str, tuple[str, str]]] = {
    "staff": ("工作人员", "staff"),
    "proxy": ("代录", "entered for somebody"),
    "resident": ("居民", "a resident"),
    "import": ("导入", "imported"),
    "case": ("另一案件", "another case"),
}
# Whom a case tells something (`message.sent`), and which kind of case it opens.
ADDRESSES: Final[Mapping[str, tuple[str, str]]] = {
    "opens": ("新立案件", "A new case"),
    "parent": ("上级案件", "The case above"),
    "child": ("下级案件", "The case below"),
    "case": ("有关案件", "A related case"),
    "reply": ("来问的案件", "The case that asked"),
    "self": ("本案", "This case"),
}
PROCESSES: Final[Mapping[str, tuple[str, str]]] = {
    "hazard": ("隐患整改闭环", "Hazard rectification"),
    "whistle": ("吹哨报到", "Whistle and report"),
    "response": ("部门报到", "Department response"),
    "consultation": ("会商", "Consultation"),
    "opinion": ("书面意见", "Written opinion"),
    "hotline": ("监督热线", "Supervision hotline"),
    "patrol_plan": ("巡查计划", "Patrol plan"),
    "patrol": ("巡查", "Patrol"),
    "directive": ("一键直达", "Directive"),
    "directive_receipt": ("指令签收", "Directive receipt"),
    "drill": ("演练", "Drill"),
    "accident": ("事故", "Accident"),
}
MESSAGES: Final[Mapping[str, tuple[str, str]]] = {
    "case.ended": ("已了结", "it has ended"),
    "party.removed": ("减签", "taken off"),
    "hazard.create": ("发现隐患", "a hazard was found"),
    "whistle.create": ("吹应急哨", "an emergency whistle"),
    "whistle.called": ("请来报到", "please come"),
    "whistle.lead": ("定了牵头部门", "who leads was decided"),
    "whistle.finished": ("事已办完", "the matter is done"),
    "whistle.withdrawn": ("哨已撤销", "the whistle was taken back"),
    "whistle.result": ("吹哨的结果", "what came of the whistle"),
    "response.arrived": ("已到场", "somebody has come"),
    "response.lead_gone": ("牵头部门退出", "the lead has gone"),
    "response.released": ("异议成立，不用来", "the objection was upheld"),
    "consultation.asked": ("提请会商", "a consultation is asked for"),
    "consultation.decided": ("会商有结论", "the consultation has decided"),
    "opinion.asked": ("请发表意见", "an opinion is asked for"),
    "opinion.given": ("意见已写", "the opinion is written"),
    "opinions.open": ("意见公开", "the opinions are opened"),
    "patrol.create": ("发出巡查", "a patrol is due"),
    "directive.issued": ("发令", "a directive"),
    "complaint.merged": ("并入另一件", "merged into another"),
    "retaliation.reported": ("反映打击报复", "retaliation is reported"),
    "directive.recalled": ("指令撤销", "the directive was taken back"),
    "supervision.ordered": ("督办", "an order"),
    "supervision.answered": ("答复督办", "an order was answered"),
    "reveal.answers": ("启封密封的答复", "open what was sealed"),
    "extract.attached": ("调取记录", "draw the record"),
}
PURPOSES: Final[Mapping[str, tuple[str, str]]] = {
    "before": ("整改前", "before"),
    "during": ("过程中", "during"),
    "after": ("整改后", "after"),
    "site": ("现场", "on site"),
    "doc": ("文件", "document"),
    "call": ("通话记录", "call record"),
}

# What of a file is looked at (engine.viewings).
SIGHTS: Final[Mapping[str, tuple[str, str]]] = {
    "page": ("案件页", "its page"),
    "record": ("下载记录", "its record, saved"),
    "photo": ("证据照片", "a photo"),
    "document": ("证据文件", "a document"),
    "report": ("责任报告", "its report"),
    "sealed": ("密封内容", "what is sealed"),
    "identity": ("投诉人身份", "the complainant's identity"),
}

# A case somebody may not see, wherever it is spoken of.
HIDDEN: Final = ("一件您无权查看的案件", "a case you may not see")

_FIVE: Final = {
    "done": ("已完成", "done"),
    "now": ("办理中", "in hand"),
    "todo": ("未到", "to come"),
}


class Segment(NamedTuple):
    """A run of text; style: "", who, verb, late, ok, quiet, quote or num (never broken)."""

    text: str
    style: str = ""


@dataclass(frozen=True, slots=True)
class Names:
    """What the pseudonymous ids of the log stand for on the day of printing.

    cases: id -> number, "" for a case the reader may not see. sent: number of a `message.sent` of
    the record that is told -> the case it was for.
    """

    persons: Mapping[str, str] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    posts: Mapping[str, str] = field(default_factory=dict)
    cases: Mapping[str, str] = field(default_factory=dict)
    sent: Mapping[int, str] = field(default_factory=dict)

    def person(self, person: str | None, locale: str = "zh") -> str:
        """A name; residents have none here; an erased name leaves the pseudonym."""
        if person is None:
            return pick(("系统", "The system"), locale)
        if person in self.persons:
            return self.persons[person]
        if person.startswith(("resident:", "complainant:")):
            return pick(("居民", "A resident"), locale)
        return person

    def unit(self, unit: str | None) -> str:
        return self.units.get(unit or "", unit or "")

    def post(self, post: str | None) -> str:
        return self.posts.get(post or "", "")

    def case(self, case: str, locale: str = "zh") -> list["Segment"]:
        """A case by its number, and where it leads; one that may not be seen by nothing."""
        number = self.cases.get(case, case)
        if not number:
            return [Segment(pick(HIDDEN, locale), "quiet")]
        return [Segment(number, f"case:{case}" if case in self.cases else "num")]


def party_name(party: str | None, called: Names, locale: str = "zh") -> str:
    """A unit or a person by name; "" for nobody."""
    if not party:
        return ""
    return called.units.get(party) or called.person(party, locale)


def duty_name(record: CaseRecord, row: Responsibility, locale: str) -> str:
    """The name of the duty a line belongs to: one of the five, else its element's."""
    if row.duty5:
        return pick(NOUNS[row.duty5], locale)
    return element_name(record, row.element, locale)


def duty_mark(record: CaseRecord, row: Responsibility) -> str:
    """The one character of the duty: 报 确 派 改 验, else the first of its element's verb."""
    if row.duty5:
        return MARKS[row.duty5]
    facts = record.elements.get(row.element)
    words = (facts.verb or facts.name) if facts else row.element
    return words[:1]


def element_name(record: CaseRecord, element: str | None, locale: str) -> str:
    """What the definition calls an element; its id where it says nothing."""
    facts = record.elements.get(element or "")
    if facts is None:
        return element or ""
    return pick((facts.name, facts.name_en or facts.name), locale) or element or ""


def round_words(row: Responsibility | TimelineRow, locale: str) -> str:
    """第 2 轮, if the step was opened more than once; empty otherwise."""
    if row.rounds < 2:
        return ""
    return pick((f"第 {row.round} 轮", f"Round {row.round}"), locale)


def person_words(actor: Actor, names: Names, locale: str, *, source: str = "") -> tuple[str, str]:
    """Who, and where they stand: (王演示, 听涛社区·一般网格长), with 代… for a substitute.

    Of what a colleague said and somebody typed (代录), the colleague, and who typed it.
    """
    if actor.informant:
        person, where = person_words(actor.informant, names, locale)
        typist = names.person(actor.person, locale)
        typed = pick((f"{typist}代录", f"typed by {typist}"), locale)
        return person, pick(("，", ", "), locale).join(part for part in (where, typed) if part)
    person = names.person(actor.person, locale)
    if source == "import" and actor.person is None:
        person = pick(SOURCES[source], locale)
    if source == "resident" and actor.person not in names.persons:
        person = pick(("居民", "A resident"), locale)
    place = [words for words in (names.unit(actor.unit), names.post(actor.post)) if words]
    where = "·".join(place)
    if actor.on_behalf_of:
        absent = names.person(actor.on_behalf_of, locale)
        lent = pick((f"代{absent}", f"for {absent}"), locale)
        where = pick(("，", ", "), locale).join(part for part in (lent, where) if part)
    return person, where


def level_words(record: CaseRecord, locale: str) -> str:
    """The level in words: of a hazard the usual ones, else the definition's, else as recorded."""
    level = record.level
    if level is None:
        return ""
    if level in LEVELS and record.process == "hazard":
        return pick(LEVELS[level], locale)
    offered = (
        facts.fields["level"].choices
        for facts in record.elements.values()
        if "level" in facts.fields
    )
    return next((pick(c[level], locale) for c in offered if level in c), level)


def category_words(record: CaseRecord, locale: str) -> str:
    """The category in the words of the opening form, else as recorded.

    A form that asks for none has it from the case that opened this one: then what kind of case it
    is says more.
    """
    facts = record.elements.get("report")
    if facts and facts.fields and "category" not in facts.fields and record.process in PROCESSES:
        return pick(PROCESSES[record.process], locale)
    choices = facts.fields["category"].choices if facts and "category" in facts.fields else {}
    return pick(choices.get(record.category, (record.category, record.category)), locale)


def five_words(state: str, was_late: bool, locale: str) -> str:
    """The state of one of the five duties: 已完成, 办理中, 未到, with 曾逾期."""
    words = pick(_FIVE[state], locale)
    late = pick(("，曾逾期", ", was overdue"), locale) if was_late else ""
    return words + late


def over(timing: Timing, locale: str) -> str:
    """超 21 分钟: how far beyond the limit, on the limit's own clock."""
    told = bare_duration(timing.late, timing.clock, locale)
    return pick((f"超 {told}", f"{told} over"), locale)


def files(evidence: Iterable[Evidence], locale: str) -> str:
    """整改前照片 1 张、整改后照片 2 张: evidence counted by purpose and kind."""
    counted: dict[tuple[str, bool], int] = {}
    for item in evidence:
        key = (item.purpose, item.media.startswith("image/"))
        counted[key] = counted.get(key, 0) + 1
    told = [_files(*key, count, locale) for key, count in counted.items()]
    return pick(("、", ", "), locale).join(told)


def spent(timing: Timing, locale: str) -> list[Segment]:
    """用时 1 小时 21 分钟，时限 1 小时，超 21 分钟."""
    if timing.used is None or timing.allowed is None:
        return []
    comma = pick(("，", ", "), locale)
    took = duration(timing.used, timing.clock, locale)
    allowed = limit(timing.allowed, timing.clock, locale)
    told = [
        Segment(pick((f"用时 {took}，时限 {allowed}", f"took {took}, limit {allowed}"), locale))
    ]
    if timing.state == "late":
        words = over(timing, locale) if timing.late else pick(("曾逾期", "was overdue"), locale)
        told += [Segment(comma), Segment(words, "late")]
    return told


# --- forms --------------------------------------------------------------------------------------


def brief_answers(
    facts: ElementFacts | None, form: Mapping[str, Any], names: Names, locale: str
) -> list[str]:
    """What was decided (choices, persons, units; at most three), then what was written about it."""
    given = list(_given(facts, form))
    told = [
        _answer(about, value, names, locale)
        for about, value in given
        if about.kind in ("choice", "person", "unit")
    ]
    if len(told) > 2:
        return told[:3]
    prose = [_cut(value) for about, value in given if about.kind == "prose"]
    lines = [_titled(about, _cut(value), locale) for about, value in given if about.kind == "text"]
    return [*told, *(prose or lines[: not told])[:1]]


def full_answers(
    facts: ElementFacts | None, form: Mapping[str, Any], names: Names, locale: str
) -> list[Segment]:
    """Every answer of a form, in the order asked; what was written in quotation marks.

    The first longer text is what the step is about and goes without its question.
    """
    parts: list[Segment] = []
    main = next((about for about, _ in _given(facts, form) if about.kind == "prose"), None)
    for about, value in _given(facts, form):
        if about.kind == "check" and not value:
            continue  # a box left empty says nothing
        if parts:
            parts.append(Segment(pick(("，", ", "), locale)))
        if about.kind == "case":
            parts += [Segment(_titled(about, "", locale)), *names.case(str(value), locale)]
        elif about.kind in ("text", "prose"):
            title = "" if about is main else _titled(about, "", locale)
            parts += [*([Segment(title)] if title else []), *quoted(value)]
        else:
            parts.append(Segment(_answer(about, value, names, locale)))
    return parts


def first_text(facts: ElementFacts | None, form: Mapping[str, Any]) -> str:
    """The first longer text of a form, else its first line of text, else nothing."""
    given = list(_given(facts, form))
    texts = [v for kind in ("prose", "text") for about, v in given if about.kind == kind]
    return str(texts[0]) if texts else ""


def _given(facts: ElementFacts | None, form: Mapping[str, Any]) -> Iterator[tuple[FieldFacts, Any]]:
    fields = facts.fields if facts else {}
    for name, about in fields.items():
        if form.get(name) not in (None, "", []):
            sealed = is_sealed(form[name])
            # What is sealed is no prose to be quoted: only that it was given is told.
            yield (replace(about, kind="sealed") if sealed else about), form[name]


def _answer(about: FieldFacts, value: Any, names: Names, locale: str) -> str:
    comma = pick(("、", ", "), locale)
    if is_sealed(value):
        return _titled(about, pick(("（已密封）", "(sealed)"), locale), locale)
    match about.kind:
        case "choice":
            return _choice(about, value, locale)
        case "choices":
            told = comma.join(_choice(about, one, locale) for one in value)
        case "person":
            told = names.person(value, locale)
        case "unit":
            told = names.unit(value)
        case "units":
            told = comma.join(map(names.unit, value))
        case "persons":
            told = comma.join(names.person(one, locale) for one in value)
        case "date":
            told = day(datetime.fromisoformat(value).replace(tzinfo=ZONE), locale)
        case "moment":
            told = when(datetime.fromisoformat(value), locale)
        case "check":
            return pick((about.title, about.title_en or about.title), locale)
        case _:
            told = str(value)
    return _titled(about, told, locale)


def _choice(about: FieldFacts, value: Any, locale: str) -> str:
    """The title of a choice without the explanation that follows it on the form."""
    title = pick(about.choices.get(value, (str(value), str(value))), locale)
    return re.split(r"[：（]|: | \(", title, maxsplit=1)[0]


def _titled(about: FieldFacts, value: str, locale: str) -> str:
    title = pick((about.title, about.title_en or about.title), locale)
    return f"{title}{pick(('：', ': '), locale)}{value}"


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return (line if len(line) <= LINE else f"{line[: LINE - 1]}…").rstrip("。")


def joined(parts: Sequence[Segment], between: str) -> list[Segment]:
    told = list(parts[:1])
    for part in parts[1:]:
        told += [Segment(between), part]
    return told


def quoted(text: Any) -> list[Segment]:
    """What somebody wrote, in quotation marks, without its last full stop."""
    if not text:
        return []
    return [Segment(f"“{str(text).strip().rstrip('。.')}”", "quote")]


def moment(text: Any, locale: str) -> list[Segment]:
    return [Segment(when(instant(text), locale), "num")] if text else []


def _files(purpose: str, photo: bool, count: int, locale: str) -> str:
    zh, en = PURPOSES.get(purpose, ("", purpose))
    if photo:
        plural = "" if count == 1 else "s"
        return pick((f"{zh}照片 {count} 张", f"{count} photo{plural} ({en})"), locale)
    if purpose in ("doc", "call"):
        return pick((f"{zh} {count} 份", f"{count} × {en}"), locale)
    return pick((f"{zh}文件 {count} 份", f"{count} × file ({en})"), locale)
