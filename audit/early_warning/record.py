"""Warnings as the log has them: raised, and answered. Folded from the entries of `@warnings`."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from audit.encoding import instant
from audit.entries import Entry

STREAM: Final = "@warnings"
NUMBERS: Final = (
    "numerator", "denominator", "before_numerator", "before_denominator", "n", "minutes", "count",
    "sum",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Answer:
    """What somebody said comes of it. person: a pseudonym."""

    seq: int
    at: datetime
    person: str
    text: str


@dataclass(frozen=True, slots=True)
class EarlyWarning:
    """One warning. seq, at: of its entry. numbers: of the figure, by name (NUMBERS).

    month: `2026-03`, counted up to `until`. size, root: of the checkpoint it was counted at.
    thresholds, formulas: SHA-256 and version of the files, as the entry has them.
    """

    seq: int
    at: datetime
    rule: str
    month: str
    until: datetime
    metric: str
    by: str
    unit: str
    test: str
    limit: int
    numbers: Mapping[str, int]
    size: int
    root: str
    thresholds: Mapping[str, Any]
    formulas: Mapping[str, Any]
    answers: tuple[Answer, ...] = ()

    @property
    def key(self) -> tuple[str, str, str, int]:
        """What is warned of once: the line with where it was drawn, the month and the unit."""
        return self.rule, self.month, self.unit, self.limit


def warnings_told(entries: Iterable[Entry]) -> list[EarlyWarning]:
    """The warnings in these entries of `@warnings`, in order, with their answers."""
    found: dict[int, EarlyWarning] = {}
    for entry in entries:
        if entry.type == "warning.raised":
            found[entry.seq] = _raised(entry)
        elif entry.type == "warning.answered":
            told = found[entry.data["warning"]]
            answer = Answer(entry.seq, entry.at, entry.actor["person"], entry.data["text"])
            found[told.seq] = replace(told, answers=(*told.answers, answer))
    return list(found.values())


def _raised(entry: Entry) -> EarlyWarning:
    data = entry.data
    plain = ("rule", "month", "metric", "by", "unit", "test", "limit", "size", "root",
             "thresholds", "formulas")  # fmt: skip
    return EarlyWarning(
        seq=entry.seq,
        at=entry.at,
        until=instant(data["until"]),
        numbers={name: data[name] for name in NUMBERS if name in data},
        **{name: data[name] for name in plain},
    )
