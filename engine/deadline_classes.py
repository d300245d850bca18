"""Deadline classes: how long a step may take, when to warn, and who hears of it afterwards."""

import tomllib
from dataclasses import dataclass
from typing import Any, Literal, cast

from engine.errors import BadInput

Clock = Literal["natural", "working"]
Unit = Literal["minutes", "hours", "days"]

MAX_BYTES = 200_000
CLOCKS = ("natural", "working")
UNITS = ("minutes", "hours", "days")
FIELDS = {
    "title",
    "titleEn",
    "clock",
    "amount",
    "unit",
    "warn",
    "grace",
    "escalate_duty",
    "source",
}


class BadDeadlines(BadInput):
    """The file deadlines.toml does not say what a deadline class must say."""


@dataclass(frozen=True, slots=True)
class Span:
    """A length of time on one of the two clocks; a working day is the office minutes of one day."""

    clock: Clock
    amount: int
    unit: Unit


@dataclass(frozen=True, slots=True)
class DeadlineClass:
    """One class of deadlines; `warn` in per cent of the time allowed, `grace` after it is over."""

    id: str
    title: str
    title_en: str
    clock: Clock
    amount: int
    unit: Unit
    warn: tuple[int, ...]
    grace: Span | None
    escalate_duty: str | None
    source: str


def read_deadlines(document: bytes) -> dict[str, DeadlineClass]:
    """Read deadlines.toml, version 1; raises BadDeadlines."""
    table = read_toml(document)
    if table is None:
        raise _bad("写法有误", "is not well-formed TOML")
    if table.get("version") != 1 or set(table) - {"version", "classes"}:
        raise _bad("应写明 version = 1，且只含 classes", "needs version = 1 and only classes")
    classes = table.get("classes", {})
    if not isinstance(classes, dict) or not all(isinstance(c, dict) for c in classes.values()):
        raise _bad("的 classes 应是表", "has classes that are not tables")
    return {key: _read_class(key, fields) for key, fields in classes.items()}


def read_toml(document: bytes) -> dict[str, Any] | None:
    """The table of a TOML file of at most 200 kB, or None where it cannot be read."""
    try:
        return tomllib.loads(document.decode("utf-8")) if len(document) <= MAX_BYTES else None
    except (ValueError, RecursionError):  # not UTF-8, not TOML, or brackets nested without end
        return None


def _read_class(key: str, fields: dict[str, Any]) -> DeadlineClass:
    unknown = set(fields) - FIELDS
    if unknown:
        names = "、".join(sorted(unknown))
        raise _bad(f"的 {key} 有不认识的项：{names}", f"has unknown keys in {key}: {names}")
    span = _read_span(key, {k: fields.get(k) for k in ("clock", "amount", "unit")})
    return DeadlineClass(
        id=key,
        title=_words(key, fields, "title"),
        title_en=_words(key, fields, "titleEn"),
        clock=span.clock,
        amount=span.amount,
        unit=span.unit,
        warn=_read_warn(key, fields.get("warn", [50, 80])),
        grace=_read_span(key, fields["grace"]) if "grace" in fields else None,
        escalate_duty=_words(key, fields, "escalate_duty") if "escalate_duty" in fields else None,
        source=_words(key, fields, "source"),
    )


def _words(key: str, fields: dict[str, Any], name: str) -> str:
    value = fields.get(name)
    if isinstance(value, str) and value.strip():
        return value
    raise _bad(f"的 {key} 缺少 {name}", f"lacks {name} in {key}")


def _read_span(key: str, fields: Any) -> Span:
    if not isinstance(fields, dict) or set(fields) != {"clock", "amount", "unit"}:
        raise _bad(f"的 {key} 应写明 clock、amount、unit", f"needs clock, amount, unit in {key}")
    clock, amount, unit = fields["clock"], fields["amount"], fields["unit"]
    if clock not in CLOCKS or unit not in UNITS:
        raise _bad(f"的 {key} 的时钟或单位不认识", f"has an unknown clock or unit in {key}")
    if type(amount) is not int or not 0 < amount <= 100_000:
        raise _bad(f"的 {key} 的 amount 应是正整数", f"needs a positive amount in {key}")
    return Span(cast("Clock", clock), amount, cast("Unit", unit))


def _read_warn(key: str, value: Any) -> tuple[int, ...]:
    if (
        isinstance(value, list)
        and all(type(percent) is int and 0 < percent < 100 for percent in value)
        and value == sorted(set(value))
    ):
        return tuple(value)
    raise _bad(
        f"的 {key} 的 warn 应是由小到大的百分数", f"needs rising percentages as warn in {key}"
    )


def _bad(chinese: str, english: str) -> BadDeadlines:
    return BadDeadlines(f"deadlines.toml {chinese}。", f"deadlines.toml {english}.")
