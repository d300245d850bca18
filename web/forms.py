"""Forms on pages: what is asked, with what was typed still in it, and answers read back.

Nothing is required by the browser: the server names every fault at once, in the language of the
page, and keeps what was typed. Questions that depend on another answer are hidden by the style
sheet alone (`when.css`), so that no script is needed; the server reads only what applies.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from werkzeug.datastructures import MultiDict

from audit.encoding import timestamp
from engine import forms
from engine.expressions import Expression, ExpressionFailed
from engine.forms import Field, FieldError, Form
from web.moments import day as told_day
from web.moments import read_day, read_moment
from web.quantities import ZONE
from web.texts import either, say

# What when.css has rules for.
MOST_GROUPS: Final = 8
MOST_OPTIONS: Final = 14
# More cards than this are folded by their groups.
FOLDED: Final = 16

# Times that are wished for or announced; all others have been.
AHEAD: Final = frozenset({"wanted", "eta"})

Posted = MultiDict[str, str]
Groups = Sequence[tuple[str, Sequence[tuple[str, str]]]]
# Persons and units to choose from, in groups: field -> ((group, ((value, words), …)), …)
Choosing = Callable[[Field], Groups]


@dataclass(frozen=True, slots=True)
class Advised:
    """Somebody or some unit suggested: its words where it stands by itself, and every reason."""

    value: str
    words: str
    why: str


# Whom a field is suggested to name, best first.
Advising = Callable[[Field], Sequence[Advised]]


def not_advised(_field: Field) -> Sequence[Advised]:
    """No suggestion, for forms that ask about what nobody is assigned by."""
    return ()


@dataclass(frozen=True, slots=True)
class Option:
    """One answer offered; marks: the classes when.css goes by. why: the reasons to suggest it."""

    value: str
    words: str
    chosen: bool
    marks: str
    why: str = ""

    @property
    def head(self) -> str:
        """What stands before a colon: "一般" of "一般：能很快改好"."""
        return re.split("：|: ", self.words, maxsplit=1)[0]

    @property
    def tail(self) -> str:
        """What stands after it, if anything."""
        return "".join(re.split("：|: ", self.words, maxsplit=1)[1:])


@dataclass(frozen=True, slots=True)
class Question:
    """One field as a page shows it.

    widget: text, textarea, number, date, moment (day and time), radio, select, checklist or
    checkbox. text, time: what stands in it. groups: options, each group with its heading. when:
    classes of when.css; empty = always shown. error: the sentence under it. whole: groups may be
    chosen as a whole; those chosen are in `wholes`. sealed: who will be able to read the answer.
    """

    name: str
    label: str
    hint: str
    widget: str
    optional: bool
    text: str
    time: str
    groups: tuple[tuple[str, tuple[Option, ...]], ...]
    when: str
    error: str
    longest: int
    whole: bool
    wholes: frozenset[str]
    sealed: str

    @property
    def advised(self) -> tuple[Option, ...]:
        """The options that are suggested, best first."""
        return tuple(one for _, group in self.groups for one in group if one.why)

    @property
    def folded(self) -> bool:
        """Whether so many options are offered that each group is folded by itself."""
        return len(self.groups) > 1 and sum(len(group) for _, group in self.groups) > FOLDED


def questions(
    form: Form,
    posted: Posted | None,
    errors: Iterable[FieldError],
    *,
    choosing: Choosing,
    now: datetime,
    advising: Advising = not_advised,
) -> list[Question]:
    """The fields of a form; posted: what was typed, None for a form shown the first time."""
    told = {error.field: either(error.chinese, error.english) for error in reversed([*errors])}
    steering = _steering(form)
    return [
        _question(form, field, posted, told.get(field.name, ""), steering, choosing, now, advising)
        for field in form.fields
        if not field.machine
    ]


def read_answers(
    form: Form,
    posted: Posted,
    *,
    now: datetime,
    choosing: Choosing | None = None,
    find_case: Callable[[str], str | None] | None = None,
) -> tuple[dict[str, Any], list[FieldError]]:
    """The answers of a form as the engine takes them, and everything wrong with them.

    Days and times are read as people write them (11月24日, 15:40). A time asked with `date-time` is
    when something happened, so it cannot lie ahead, but for those of `AHEAD`. choosing:
    who belongs to a group that was chosen as a whole. find_case: the id of the case somebody named,
    None if there is none they may see.
    """
    asked = {field.name for field in form.fields if not field.machine}
    values = {n: v for n, v in forms.parse_posted(form, posted).items() if n in asked}
    errors: list[FieldError] = []
    for field in form.fields:
        if field.widget == "persons" and choosing:
            _take_wholes(field, posted, values, choosing)
        elif field.widget == "case" and find_case:
            errors += _read_case(field, values, find_case)
        elif field.format == "date-time":
            errors += _read_moment(field, posted, values, now)
        elif field.format == "date":
            _read_date(field, posted, values, now)
    return values, _all_faults(form, values, errors)


def read_told(
    form: Form,
    told: Mapping[str, Any],
    *,
    now: datetime,
    find_case: Callable[[str], str | None],
) -> tuple[dict[str, Any], list[FieldError]]:
    """The same for answers that a program sends as they are recorded: times with their zone."""
    values, errors = dict(told), list[FieldError]()
    for field in form.fields:
        if field.machine and field.name in values:
            errors.append(_fault(field, "由系统填入，不能填写", "is filled in by the system"))
        elif field.widget == "case" and isinstance(values.get(field.name), str):
            errors += _read_case(field, values, find_case)
        elif field.format == "date-time":
            errors += _read_told_moment(field, values, now)
    return values, _all_faults(form, values, errors)


def _all_faults(
    form: Form, values: Mapping[str, Any], errors: Sequence[FieldError]
) -> list[FieldError]:
    """What is wrong already and what the form says besides, in its order."""
    mine = {error.field for error in errors}
    found = [*errors, *(e for e in forms.validate(form, values) if e.field not in mine)]
    order = [field.name for field in form.fields]
    return sorted(found, key=lambda e: order.index(e.field) if e.field in order else -1)


def _take_wholes(field: Field, posted: Posted, values: dict[str, Any], choosing: Choosing) -> None:
    wholes = set(posted.getlist(f"{field.name}.all"))
    members = [value for heading, group in choosing(field) if heading in wholes
               for value, _ in group]  # fmt: skip
    values[field.name] = list(dict.fromkeys([*values.get(field.name, ()), *members]))


def _read_case(
    field: Field, values: dict[str, Any], find_case: Callable[[str], str | None]
) -> list[FieldError]:
    typed = values.get(field.name)
    if not typed:
        return []
    found = find_case(str(typed))
    if found is None:
        return [_fault(field, "没有查到这个案件号，或不在您能看的范围内",
                       "is not the number of a case you may see")]  # fmt: skip
    values[field.name] = found
    return []


def _read_moment(
    field: Field, posted: Posted, values: dict[str, Any], now: datetime
) -> list[FieldError]:
    values.pop(field.name, None)
    day, time = (posted.get(f"{field.name}.{part}", "").strip() for part in ("day", "time"))
    # The day is filled in beforehand: without a time nothing was answered.
    if not time and (not day or _is_optional(field)):
        return []
    at = read_moment(day, time, ZONE, now)
    if at is None:
        return [_fault(field, "请写成 11月24日 和 15:40 这样", "write it like 24-11 and 15:40")]
    if at > now and field.name not in AHEAD:
        return [_fault(field, "这个时间还没有到", "has not come yet")]
    values[field.name] = timestamp(at)
    return []


def _read_told_moment(field: Field, values: dict[str, Any], now: datetime) -> list[FieldError]:
    """What is no time at all is left to the form to say."""
    try:
        at = datetime.fromisoformat(values.get(field.name, ""))
        told = timestamp(at)
    except (TypeError, ValueError):
        return []
    except OverflowError:
        return [_fault(field, "不是一个可能的时间", "is no possible time")]
    if at > now and field.name not in AHEAD:
        return [_fault(field, "这个时间还没有到", "has not come yet")]
    values[field.name] = told
    return []


def _read_date(field: Field, posted: Posted, values: dict[str, Any], now: datetime) -> None:
    on = read_day(posted.get(field.name, ""), now.astimezone(ZONE).date())
    if on is not None:
        values[field.name] = on.isoformat()


def _fault(field: Field, chinese: str, english: str) -> FieldError:
    title_en = field.title_en or field.name
    return FieldError(field.name, f"“{field.title}”{chinese}。", f"“{title_en}” {english}.")


# --- one question -------------------------------------------------------------------------------


def _question(
    form: Form,
    field: Field,
    posted: Posted | None,
    error: str,
    steering: Mapping[str, int],
    choosing: Choosing,
    now: datetime,
    advising: Advising,
) -> Question:
    text, time = _typed(field, posted, now)
    return Question(
        name=field.name,
        label=either(field.title, field.title_en),
        hint=either(field.hint, field.hint_en),
        widget=_widget(field),
        optional=_is_optional(field) and field.type != "boolean",
        text=text,
        time=time,
        groups=_groups(field, posted, steering.get(field.name), choosing, advising),
        when=_when_marks(form, field, steering),
        error=error,
        longest=field.max_length,
        whole=field.widget == "persons",
        wholes=frozenset(posted.getlist(f"{field.name}.all"))
        if posted is not None
        else frozenset(),
        sealed=_sealed(field),
    )


def _sealed(field: Field) -> str:
    """Who will be able to read an answer that is sealed, in a plain sentence."""
    if field.seal == "answer":
        return say("密封：各方都交了，或等待期满，才一起打开。")
    if field.seal == "identity":
        return say("密封：只有身份保管人同意后才能看，每次查看都留下记录。")
    return say("密封：只有办这件事的人能看，每次查看都留下记录。") if field.seal else ""


def _is_optional(field: Field) -> bool:
    return not (field.required or field.required_when_shown)


def _widget(field: Field) -> str:
    if field.format == "date-time":
        return "moment"
    usual = {
        "person": "select", "unit": "select", "place": "text", "photos": "text", "case": "text",
    }  # fmt: skip
    widget = usual.get(field.widget, field.widget)
    if field.type == "boolean" and widget not in ("radio", "checkbox"):
        return "checkbox"
    return "checklist" if field.type == "array" else widget


def _typed(field: Field, posted: Posted | None, now: datetime) -> tuple[str, str]:
    """What stands in the field: what was typed, else its default; for a moment, day and time."""
    if field.format == "date-time":
        if posted is None:
            return told_day(now.astimezone(ZONE).date(), now, ZONE).split()[0], ""
        return posted.get(f"{field.name}.day", ""), posted.get(f"{field.name}.time", "")
    if posted is not None:
        return posted.get(field.name, ""), ""
    return ("" if field.default is None else str(field.default)), ""


def _groups(
    field: Field,
    posted: Posted | None,
    group: int | None,
    choosing: Choosing,
    advising: Advising,
) -> tuple[tuple[str, tuple[Option, ...]], ...]:
    advised = advising(field)
    reasons = {one.value: one.why for one in advised}
    offered = suggested_first(_offered(field, choosing), advised)
    if posted is not None:
        chosen = frozenset(posted.getlist(field.name))
    else:
        default = field.default if isinstance(field.default, list) else [field.default]
        chosen = frozenset(_html(value) for value in default if value is not None)
    number = 0
    told = []
    for heading, options in offered:
        marked = []
        for value, words in options:
            number += 1
            marks = f"g{group} g{group}o{number}" if group else ""
            marked.append(Option(value, words, value in chosen, marks, reasons.get(value, "")))
        told.append((heading, tuple(marked)))
    return tuple(told)


def _offered(field: Field, choosing: Choosing) -> Groups:
    if field.widget in ("person", "unit", "persons", "units"):
        return choosing(field)
    if field.type == "boolean":
        yes = [("true", say("是"))]
        return [("", yes if _widget(field) == "checkbox" else [*yes, ("false", say("否"))])]
    return [("", [(one.value, either(one.title, one.title_en)) for one in field.choices])]


def suggested_first(groups: Groups, advised: Sequence[Advised]) -> Groups:
    """These groups behind one of those suggested, each of whom stands in it alone."""
    if not (groups and advised):
        return groups
    named = {one.value for one in advised}
    rest = [(heading, [one for one in group if one[0] not in named]) for heading, group in groups]
    first = (say("建议"), [(one.value, one.words) for one in advised])
    return [first, *((heading, group) for heading, group in rest if group)]


def _html(value: Any) -> str:
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)


# --- questions that depend on another -----------------------------------------------------------


def _steering(form: Form) -> dict[str, int]:
    """The fields others depend on alone, numbered: field -> group of when.css."""
    fields = {field.name: field for field in form.fields}
    named = [_controller(field.when, fields) for field in form.fields]
    found = list(dict.fromkeys(name for name in named if name))
    return {name: number for number, name in enumerate(found[:MOST_GROUPS], 1)}


def _controller(when: Expression | None, fields: Mapping[str, Field]) -> str | None:
    """The one field a condition reads, if its answers can be listed."""
    if when is None or len(when.names) != 1:
        return None
    field = fields.get(next(iter(when.names)))
    listed = field is not None and 0 < len(_answers(field)) <= MOST_OPTIONS
    return field.name if field is not None and listed else None


def _answers(field: Field) -> Sequence[str | bool]:
    if field.type == "boolean":
        return [True] if _widget(field) == "checkbox" else [True, False]
    return [choice.value for choice in field.choices] if field.type == "string" else []


def _when_marks(form: Form, field: Field, steering: Mapping[str, int]) -> str:
    name = _controller(field.when, {one.name: one for one in form.fields})
    if field.when is None or name is None or name not in steering:
        return ""
    controller = form.field(name)
    assert controller is not None  # noqa: S101 - found by its name just now
    group = steering[name]
    none = False if _widget(controller) == "checkbox" else None
    told = [f"g{group}o0"] if _holds(field.when, name, none) else []
    told += [
        f"g{group}o{number}"
        for number, value in enumerate(_answers(controller), 1)
        if _holds(field.when, name, value)
    ]
    return " ".join(["when", *told])


def _holds(when: Expression, name: str, value: Any) -> bool:
    try:
        return when.holds({} if value is None else {name: value})
    except ExpressionFailed:
        return False
