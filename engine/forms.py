"""Forms: what a step asks, as JSON Schema 2020-12 with a few words of our own, and the answers.

A form is one object of flat fields: text, whole numbers, yes/no, and lists of words; the keywords
allowed are those that can be explained to the person who fills it in. Ours: `x-en`, `x-routing`
(the answer may steer the process), `x-widget`, `x-hint`, `x-hint-en`, `x-when` (asked only if this
expression over earlier fields holds), `x-seal` (the answer never reaches the log: it lies in the
vault as `content` or `identity` of a complaint, or as an `answer` opened later), `x-machine`
(filled in by another case, never asked of a person), `x-within` (a case named is open, or ended at
most so many days ago), `x-among` (only what was chosen in this earlier list can be chosen), and at
the root `x-evidence`, `x-required-when-shown`.
"""

import json
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Any, Final, Protocol, cast

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

from audit.vocabulary import PURPOSES
from engine.errors import BadInput
from engine.expressions import (
    MAX_INTEGER,
    BadExpression,
    Expression,
    ExpressionFailed,
    compile_expression,
)

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
MAX_BYTES: Final = 200_000
MAX_TEXT: Final = 4000
MAX_ITEMS: Final = 200
MAX_PATTERNED: Final = 200

TYPES: Final = ("string", "integer", "boolean", "array")
FORMATS: Final = ("date", "date-time")
WIDGETS: Final = frozenset(
    {
        "text",
        "textarea",
        "radio",
        "select",
        "person",
        "unit",
        "date",
        "number",
        "checkbox",
        "checklist",
        "photos",
        "place",
        "units",
        "persons",
        "case",
    }
)
ROOT_WORDS: Final = frozenset(
    {
        "$schema",
        "$id",
        "title",
        "description",
        "type",
        "properties",
        "required",
        "additionalProperties",
        "x-en",
        "x-hint",
        "x-hint-en",
        "x-evidence",
        "x-required-when-shown",
    }
)
COMMON_WORDS: Final = frozenset(
    {
        "type",
        "title",
        "description",
        "default",
        "x-en",
        "x-routing",
        "x-widget",
        "x-hint",
        "x-hint-en",
        "x-when",
        "x-seal",
        "x-machine",
        "x-within",
        "x-among",
    }
)
SEALS: Final = frozenset({"content", "identity", "answer"})
# Widgets whose answer is one id, or a list of ids, of what the street has.
WIDGET_TYPES: Final = {"person": "string", "unit": "string", "case": "string",
                       "units": "array", "persons": "array"}  # fmt: skip
TYPE_WORDS: Final = {
    "string": {"enum", "oneOf", "minLength", "maxLength", "pattern", "format"},
    "integer": {"minimum", "maximum"},
    "boolean": set[str](),
    "array": {"items", "minItems", "maxItems", "uniqueItems"},
}
ITEM_WORDS: Final = frozenset({"type", "enum", "oneOf", "minLength", "maxLength"})
FIELD_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")
# A group that repeats, a look-around or a back reference can take exponential time; so can many
# unbounded repeats in a row. What is left is at most cubic in 200 characters.
SLOW_PATTERN: Final = re.compile(r"\)[*+?{]|\(\?|\\[1-9]")
UNBOUNDED: Final = re.compile(r"(?<!\\)[*+]|\{\d*,\}")
DATE_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)")
BIDI: Final = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c")


class BadForm(BadInput):
    """The form itself is not one the product can show and check."""


class FormRefused(BadInput):
    """The answers break a rule of the form; `errors` has one sentence per field."""

    def __init__(self, errors: list["FieldError"]) -> None:
        super().__init__(
            " ".join(error.chinese for error in errors), " ".join(e.english for e in errors)
        )
        self.errors = errors


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the answers offered."""

    value: str
    title: str
    title_en: str


@dataclass(frozen=True, slots=True)
class Field:
    """One question; type is string, integer, boolean or array (of strings, from `choices` if any).

    required: always; required_when_shown: whenever `when` holds. Lengths in characters.
    seal: content, identity, answer, or None for what is recorded in clear. machine: filled in by
    another case and never asked of a person. within: a case named here is open, or ended at most so
    many days ago. among: the earlier list from which these are chosen.
    """

    name: str
    type: str
    title: str
    title_en: str
    widget: str
    hint: str
    hint_en: str
    routing: bool
    required: bool
    required_when_shown: bool
    when: Expression | None
    choices: tuple[Choice, ...]
    format: str | None
    pattern: re.Pattern[str] | None
    min_length: int
    max_length: int
    minimum: int
    maximum: int
    min_items: int
    max_items: int
    unique: bool
    default: Any
    seal: str | None = None
    machine: bool = False
    within: int | None = None
    among: str | None = None


@dataclass(frozen=True, slots=True)
class EvidenceRule:
    """At least `minimum` files of one purpose (before, during, after, doc, call, site)."""

    purpose: str
    minimum: int


@dataclass(frozen=True, slots=True)
class Form:
    """A form; fields in the order asked, evidence rules each with its condition."""

    title: str
    title_en: str
    hint: str
    hint_en: str
    fields: tuple[Field, ...]
    evidence: tuple[tuple[EvidenceRule, Expression | None], ...]

    def field(self, name: str) -> Field | None:
        """The field of this name, or None."""
        return next((field for field in self.fields if field.name == name), None)


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one answer, as a sentence for the person who gave it."""

    field: str
    chinese: str
    english: str


class Posted(Protocol):
    """What an HTML form sends: name -> list of strings (werkzeug's MultiDict)."""

    def getlist(self, key: str, /) -> list[str]: ...


# --- answers ------------------------------------------------------------------------------------


def validate(form: Form, values: Mapping[str, Any]) -> list[FieldError]:
    """Say what is wrong with the answers, fields in form order; an empty list means accepted.

    values: field -> str, int, bool or list of str; None and blank text count as not answered.
    """
    return _read(form, values)[1]


def clean(form: Form, values: Mapping[str, Any]) -> dict[str, Any]:
    """The answers as they are recorded: trimmed, NFC, only fields shown; raises FormRefused."""
    cleaned, errors = _read(form, values)
    if errors:
        raise FormRefused(errors)
    return cleaned


def routing(form: Form, values: Mapping[str, Any]) -> dict[str, Any]:
    """The answers that may steer the process; values: as recorded by `clean`."""
    return {f.name: values[f.name] for f in form.fields if f.routing and f.name in values}


def evidence_rules(form: Form, values: Mapping[str, Any]) -> list[EvidenceRule]:
    """The files these answers must come with; values: as returned by `clean`."""
    return [rule for rule, when in form.evidence if _holds(when, values)]


def shown_fields(form: Form, values: Mapping[str, Any]) -> list[Field]:
    """The fields asked for these answers, for a page that is painted again."""
    cleaned = _read(form, values)[0]
    return [field for field in form.fields if _holds(field.when, cleaned)]


def parse_posted(form: Form, posted: Posted) -> dict[str, Any]:
    """Turn an HTML form's strings into values; what cannot be read stays text, for `validate`.

    A lone checkbox that is not ticked is False; names the form does not have are not read.
    """
    read = {field.name: _from_html(field, posted.getlist(field.name)) for field in form.fields}
    return {name: value for name, value in read.items() if value is not None}


def _from_html(field: Field, texts: list[str]) -> Any:
    if field.type == "array":
        return [text for text in texts if text.strip()]
    text = texts[-1].strip() if texts else ""
    if field.type == "boolean":
        return _boolean_from_html(field, text)
    if not text:
        return None
    if field.type == "integer":
        digits = unicodedata.normalize("NFKC", text)  # １２ is typed with a Chinese keyboard
        return int(digits) if re.fullmatch(r"-?[0-9]{1,16}", digits) else text
    return texts[-1]


def _boolean_from_html(field: Field, text: str) -> Any:
    if not text:
        return False if field.widget == "checkbox" else None
    return {"true": True, "on": True, "1": True, "false": False, "0": False}.get(text.lower(), text)


def _read(form: Form, values: Mapping[str, Any]) -> tuple[dict[str, Any], list[FieldError]]:
    """Clean and check in one pass, in form order, because a field may depend on earlier ones."""
    cleaned: dict[str, Any] = {}
    errors: list[FieldError] = []
    for field in form.fields:
        if not _holds(field.when, cleaned):
            continue
        value = _normal(field, values.get(field.name))
        error = _missing(field) if value is None else _fault(field, value)
        error = error or _not_among(form, field, value, cleaned)
        if error:
            errors.append(error)
        elif value is not None:
            cleaned[field.name] = value
    known = {field.name for field in form.fields}
    errors.extend(_unknown(name) for name in values if name not in known)
    return cleaned, errors


def _holds(when: Expression | None, values: Mapping[str, Any]) -> bool:
    """Whether a condition is met; one that cannot be computed (an answer is missing) is not."""
    try:
        return when is None or when.holds(values)
    except ExpressionFailed:
        return False


def _normal(field: Field, value: Any) -> Any:
    if field.type == "string" and isinstance(value, str):
        return _normal_text(value) or None
    if field.type == "array" and isinstance(value, list):
        texts = [_normal_text(item) if isinstance(item, str) else item for item in value]
        return [item for item in texts if item != ""] or None
    return value


def _normal_text(text: str) -> str:
    return unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n")).strip()


def _missing(field: Field) -> FieldError | None:
    if field.required or field.required_when_shown:
        return _error(field, "必须填写", "must be answered")
    return None


def _unknown(name: object) -> FieldError:
    shown = "".join(c if c.isprintable() else "�" for c in str(name)[:40])
    return FieldError(shown, f"表单里没有“{shown}”这一项。", f"The form has no field “{shown}”.")


def _error(field: Field, chinese: str, english: str) -> FieldError:
    return FieldError(
        field.name,
        f"“{field.title}”{chinese}。",
        f"“{field.title_en or field.name}” {english}.",
    )


def _fault(field: Field, value: Any) -> FieldError | None:
    return next(iter(FAULTS[field.type](field, value)), None)


def _not_among(
    form: Form, field: Field, value: Any, earlier: Mapping[str, Any]
) -> FieldError | None:
    source = form.field(field.among) if field.among and value is not None else None
    if source is None or set(value) <= set(earlier.get(source.name, ())):
        return None
    return _error(
        field,
        f"只能从“{source.title}”里勾过的选",
        f"can only name what was chosen in “{source.title_en or source.name}”",
    )


def _text_faults(field: Field, value: Any) -> Iterator[FieldError]:
    if not isinstance(value, str):
        yield _error(field, "应填写文字", "must be text")
        return
    yield from _character_faults(field, value)
    if field.choices and value not in {choice.value for choice in field.choices}:
        yield _error(field, "应从所列选项中选择", "must be one of the choices offered")
    if len(value) < field.min_length:
        yield _error(
            field,
            f"至少写 {field.min_length} 个字",
            f"needs at least {field.min_length} characters",
        )
    if len(value) > field.max_length:
        yield _error(
            field, f"最多写 {field.max_length} 个字", f"has more than {field.max_length} characters"
        )
    elif field.pattern and not field.pattern.search(value):
        yield _error(field, "的格式不对" + _hint(field.hint), "has the wrong form")
    if field.format == "date" and not _is_date(value):
        yield _error(field, "应写成日期，如 2026-03-01", "must be a date such as 2026-03-01")
    if field.format == "date-time" and not _is_date_time(value):
        yield _error(
            field,
            "应写成带时区的时间，如 2026-03-01T09:30:00+08:00",
            "must be a time with its zone, such as 2026-03-01T09:30:00+08:00",
        )


def _hint(hint: str) -> str:
    return f"（{hint}）" if hint else ""


def _character_faults(field: Field, text: str) -> Iterator[FieldError]:
    allowed = "\n" if field.widget == "textarea" else ""
    # Nothing refused is printable, and most texts are printable throughout.
    if not text.isprintable() and any(_is_refused(c) and c not in allowed for c in text):
        yield _error(
            field,
            "含有看不见的控制字符或换行，请删去后重填",
            "has control characters or line breaks; remove them",
        )


def _is_refused(character: str) -> bool:
    """Control characters, lone surrogates, line separators, noncharacters, and the marks that
    reverse the direction of text, which make a record read other than it was written."""
    code = ord(character)
    return (
        unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"}
        or character in BIDI
        or code & 0xFFFE == 0xFFFE
        or 0xFDD0 <= code <= 0xFDEF
    )


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _is_date_time(text: str) -> bool:
    try:
        return bool(DATE_TIME.fullmatch(text)) and datetime.fromisoformat(text) is not None
    except ValueError:
        return False


def _integer_faults(field: Field, value: Any) -> Iterator[FieldError]:
    if type(value) is not int:
        yield _error(field, "应填写整数", "must be a whole number")
    elif value < field.minimum:
        yield _error(field, f"不能小于 {field.minimum}", f"must be at least {field.minimum}")
    elif value > field.maximum:
        yield _error(field, f"不能大于 {field.maximum}", f"must be at most {field.maximum}")


def _boolean_faults(field: Field, value: Any) -> Iterator[FieldError]:
    if not isinstance(value, bool):
        yield _error(field, "应选是或否", "must be yes or no")


def _array_faults(field: Field, value: Any) -> Iterator[FieldError]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        yield _error(field, "应是若干选项", "must be a list of words")
        return
    for item in value:
        yield from _text_faults(field, item)
    if len(value) < field.min_items:
        yield _error(
            field, f"至少选 {field.min_items} 项", f"needs at least {field.min_items} items"
        )
    if len(value) > field.max_items:
        yield _error(
            field, f"最多选 {field.max_items} 项", f"has more than {field.max_items} items"
        )
    if field.unique and len(set(value)) < len(value):
        yield _error(field, "有重复的选项", "has the same item twice")


FAULTS: Final[dict[str, Callable[[Field, Any], Iterator[FieldError]]]] = {
    "string": _text_faults,
    "integer": _integer_faults,
    "boolean": _boolean_faults,
    "array": _array_faults,
}


# --- reading a form -----------------------------------------------------------------------------


# Lint and parser read the same forms of a set, one after the other; checking a schema costs 2 ms.
@lru_cache(maxsize=128)
def read_form(document: bytes) -> Form:
    """Read a form of at most 200 kB; raises BadForm."""
    schema = _json(document)
    _check_schema(schema)
    properties = schema.get("properties", {})
    required = _names(schema, "required", properties)
    when_shown = _names(schema, "x-required-when-shown", properties)
    fields: list[Field] = []
    for name, words in properties.items():
        earlier = {field.name: field.type for field in fields}
        fields.append(_read_field(name, words, required, when_shown, earlier))
    return Form(
        title=_words(schema, "title", "表单"),
        title_en=_words(schema, "x-en", "表单", default=""),
        hint=_words(schema, "x-hint", "表单", default=""),
        hint_en=_words(schema, "x-hint-en", "表单", default=""),
        fields=tuple(fields),
        evidence=tuple(_read_evidence(schema.get("x-evidence", []), {f.name for f in fields})),
    )


def _bad(chinese: str, english: str) -> BadForm:
    return BadForm(f"表单有误：{chinese}。", f"The form is wrong: {english}.")


def _json(document: bytes) -> dict[str, Any]:
    if len(document) > MAX_BYTES:
        raise _bad("文件超过 200 kB", "the file is larger than 200 kB")
    try:
        schema = json.loads(
            document.decode("utf-8"),
            object_pairs_hook=_once,
            parse_float=_no_float,
            parse_constant=_no_float,
        )
    except (ValueError, RecursionError) as error:
        raise _bad("不是格式良好的 JSON", "not well-formed JSON") from error
    if not isinstance(schema, dict):
        raise _bad("应是一个对象", "it must be an object")
    return schema


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) < len(pairs):
        raise ValueError("a key stands twice")
    return dict(pairs)


def _no_float(text: str) -> Any:
    raise ValueError(f"{text} is not a whole number")


def _check_schema(schema: dict[str, Any]) -> None:
    if schema.get("$schema", DIALECT) != DIALECT:
        raise _bad("不是 JSON Schema 2020-12", "not JSON Schema 2020-12")
    _check_words(schema, ROOT_WORDS, "表单")
    if schema.get("type") != "object" or schema.get("additionalProperties", False) is not False:
        raise _bad("应为 object 且不许多余的项", "it must be a closed object")
    try:
        Draft202012Validator.check_schema(schema)
    except (SchemaError, RecursionError) as error:
        detail = error.message[:120] if isinstance(error, SchemaError) else "too deep"
        raise _bad(f"不合 JSON Schema 2020-12（{detail}）", f"invalid schema ({detail})") from error


def _check_words(schema: Mapping[str, Any], allowed: frozenset[str], where: str) -> None:
    unknown = "、".join(sorted(set(schema) - allowed))
    if unknown:
        raise _bad(f"{where} 里不能用 {unknown}", f"{where} uses {unknown}, which is not supported")


def _names(schema: Mapping[str, Any], word: str, properties: Mapping[str, Any]) -> frozenset[str]:
    names = schema.get(word, [])
    if not isinstance(names, list) or not set(map(str, names)) <= set(properties):
        raise _bad(f"{word} 里有不存在的项", f"{word} names fields that do not exist")
    return frozenset(names)


def _words(schema: Mapping[str, Any], word: str, where: str, default: str | None = None) -> str:
    value = schema.get(word, default)
    if isinstance(value, str) and (value.strip() or default is not None):
        return value
    raise _bad(f"{where} 缺少 {word}", f"{where} lacks {word}")


def _read_field(
    name: str,
    words: Any,
    required: frozenset[str],
    when_shown: frozenset[str],
    earlier: Mapping[str, str],
) -> Field:
    if not FIELD_NAME.fullmatch(name):
        raise _bad(f"字段名 {name[:40]} 应为小写英文", f"{name[:40]} must be lower-case English")
    if not isinstance(words, dict) or words.get("type") not in TYPES:
        raise _bad(f"{name} 的类型只能是 {'、'.join(TYPES)}", f"{name} has a type we do not have")
    type_ = words["type"]
    _check_words(words, COMMON_WORDS | TYPE_WORDS[type_], name)
    items = _text_rules(name, words)
    field = Field(
        name=name,
        type=type_,
        title=_words(words, "title", name),
        title_en=_words(words, "x-en", name, default=""),
        widget=_read_widget(name, words),
        hint=_words(words, "x-hint", name, default=""),
        hint_en=_words(words, "x-hint-en", name, default=""),
        routing=_flag(words, "x-routing", name),
        required=name in required and "x-when" not in words,
        required_when_shown=name in required or name in when_shown,
        when=_read_when(name, words.get("x-when"), earlier),
        choices=_read_choices(name, items),
        format=_read_format(name, words),
        pattern=_read_pattern(name, words),
        min_length=items.get("minLength", 0),
        max_length=min(items.get("maxLength", MAX_TEXT), MAX_TEXT),
        minimum=max(words.get("minimum", -MAX_INTEGER), -MAX_INTEGER),
        maximum=min(words.get("maximum", MAX_INTEGER), MAX_INTEGER),
        min_items=words.get("minItems", 0),
        max_items=min(words.get("maxItems", MAX_ITEMS), MAX_ITEMS),
        unique=words.get("uniqueItems", bool(items.get("oneOf") or items.get("enum"))),
        default=words.get("default"),
        seal=_read_seal(name, words),
        machine=_flag(words, "x-machine", name),
        within=_read_within(name, words),
        among=_read_among(name, words, earlier),
    )
    _check_default(field)
    return field


def _read_among(name: str, words: Mapping[str, Any], earlier: Mapping[str, str]) -> str | None:
    among = words.get("x-among")
    if among is None:
        return None
    source = earlier.get(among) if isinstance(among, str) else None
    if words["type"] != "array" or source != "array":
        raise _bad(
            f"{name} 的 x-among 应是前面一项清单的名字", f"x-among of {name} names no earlier list"
        )
    return str(among)


def _read_within(name: str, words: Mapping[str, Any]) -> int | None:
    within = words.get("x-within")
    if within is None:
        return None
    if type(within) is not int or within < 1 or words.get("x-widget") != "case":
        raise _bad(f"{name} 的 x-within 应是天数，且只用于案件", f"x-within of {name} is wrong")
    return within


def _read_seal(name: str, words: Mapping[str, Any]) -> str | None:
    seal = words.get("x-seal")
    if seal is None:
        return None
    if seal not in SEALS:
        raise _bad(f"{name} 的 x-seal 不认识", f"{name} has an unknown x-seal")
    if words.get("x-routing") or "default" in words:
        raise _bad(
            f"{name} 是密封的，不能用于走向，也不能有默认值",
            f"{name} is sealed: it can neither steer the process nor have a default",
        )
    return str(seal)


def _check_default(field: Field) -> None:
    if field.default is not None and _fault(field, field.default) is not None:
        raise _bad(f"{field.name} 的默认值不合自身的规则", f"{field.name} has a bad default")


def _flag(words: Mapping[str, Any], word: str, name: str) -> bool:
    value = words.get(word, False)
    if isinstance(value, bool):
        return value
    raise _bad(f"{name} 的 {word} 应为 true 或 false", f"{word} of {name} must be true or false")


def _read_widget(name: str, words: Mapping[str, Any]) -> str:
    usual = {"integer": "number", "boolean": "checkbox", "array": "checklist"}
    widget = words.get("x-widget", usual.get(words["type"], "text"))
    if widget in WIDGETS and WIDGET_TYPES.get(widget, words["type"]) == words["type"]:
        return cast("str", widget)
    raise _bad(f"{name} 的控件 {widget} 不认识", f"{name} has an unknown widget {widget}")


def _read_when(name: str, text: Any, earlier: Mapping[str, str]) -> Expression | None:
    if text is None:
        return None
    when = _condition(name, text)
    if when.names <= earlier.keys():
        return when
    later = "、".join(sorted(when.names - earlier.keys()))
    raise _bad(
        f"{name} 的 x-when 用到了前面没有的 {later}", f"x-when of {name} reads {later}, not earlier"
    )


def _condition(name: str, text: Any) -> Expression:
    try:
        return compile_expression(text if isinstance(text, str) else "")
    except BadExpression as error:
        raise _bad(f"{name} 的条件：{error.chinese}", f"{name}: {error.english}") from error


def _text_rules(name: str, words: Mapping[str, Any]) -> Mapping[str, Any]:
    """Where the rules for text stand: in the field itself, or in `items` of a list."""
    if words["type"] != "array":
        return words
    items = words.get("items")
    if not isinstance(items, dict) or items.get("type") != "string":
        raise _bad(f"{name} 的 items 应为文字", f"the items of {name} must be text")
    _check_words(items, ITEM_WORDS, f"{name}.items")
    return items


def _read_choices(name: str, words: Mapping[str, Any]) -> tuple[Choice, ...]:
    told = words.get("oneOf", [{"const": value} for value in words.get("enum", [])])
    choices = tuple(_read_choice(name, one) for one in told)
    if len({choice.value for choice in choices}) < len(choices):
        raise _bad(f"{name} 的选项有重复", f"{name} offers a choice twice")
    return choices


def _read_choice(name: str, told: Any) -> Choice:
    value = told.get("const") if isinstance(told, dict) else None
    if not isinstance(value, str) or set(told) - {"const", "title", "x-en"}:
        raise _bad(
            f"{name} 的选项应写 const、title、x-en", f"{name} has a choice other than const, title"
        )
    title = told.get("title", value)
    return Choice(value, str(title), str(told.get("x-en", "")))


def _read_format(name: str, words: Mapping[str, Any]) -> str | None:
    format_ = words.get("format", "date" if words.get("x-widget") == "date" else None)
    if format_ is None or format_ in FORMATS:
        return cast("str | None", format_)
    raise _bad(f"{name} 的格式 {format_} 不认识", f"{name} has an unknown format {format_}")


def _read_pattern(name: str, words: Mapping[str, Any]) -> re.Pattern[str] | None:
    pattern = words.get("pattern")
    if pattern is None:
        return None
    if (
        len(pattern) > MAX_PATTERNED
        or words.get("maxLength", MAX_TEXT) > MAX_PATTERNED
        or SLOW_PATTERN.search(pattern)
        or len(UNBOUNDED.findall(pattern)) > 2
    ):
        raise _bad(
            f"{name} 的 pattern 可能很慢：请设 maxLength ≤ {MAX_PATTERNED}，不用重复的括号",
            f"the pattern of {name} may be slow: set maxLength ≤ {MAX_PATTERNED}, repeat no group",
        )
    try:
        return re.compile(pattern, re.ASCII)
    except re.error as error:
        raise _bad(f"{name} 的 pattern 写法有误", f"{name} has an unreadable pattern") from error


def _read_evidence(told: Any, names: set[str]) -> Iterator[tuple[EvidenceRule, Expression | None]]:
    for rule in told if isinstance(told, list) else [told]:
        if not isinstance(rule, dict) or set(rule) - {"purpose", "min", "when"}:
            raise _bad("x-evidence 应写 purpose、min、when", "x-evidence has other than its words")
        purpose, minimum = rule.get("purpose"), rule.get("min", 1)
        if purpose not in PURPOSES or type(minimum) is not int or not 0 < minimum <= 20:
            raise _bad("x-evidence 的用途或张数有误", "x-evidence has a wrong purpose or number")
        when = _condition("x-evidence", rule["when"]) if "when" in rule else None
        if when and not when.names <= names:
            raise _bad("x-evidence 的条件用到了不存在的项", "x-evidence reads unknown fields")
        yield EvidenceRule(purpose, minimum), when
