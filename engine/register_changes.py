"""What changed in a register, and from what: its events in order, each with what was before."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from audit.entries import Entry

# What an event is about: the field that names it, by the first word of its type.
SUBJECTS: Final[Mapping[str, str]] = {
    "unit": "unit",
    "person": "person",
    "post": "post",
    "substitute": "substitution",
    "account": "account",
    "factor": "account",
    "definition": "key",
}
# There is one calendar, however many versions of it.
CALENDAR: Final = "calendar"


@dataclass(frozen=True, slots=True)
class Changed:
    """One event of a register.

    subject: the id of the unit, person, post, substitution, account or process it is about.
    before: the fields of the subject as earlier events left them, {} for its first event.
    known: the same with this event's fields on top.
    """

    entry: Entry
    subject: str
    before: Mapping[str, Any]
    known: Mapping[str, Any]


def changes(entries: Iterable[Entry]) -> list[Changed]:
    """The events of one register in order; `entries` must begin with its first."""
    known: dict[str, dict[str, Any]] = {}
    told = []
    for entry in entries:
        subject = subject_of(entry)
        before = known.get(subject, {})
        known[subject] = before | entry.data
        told.append(Changed(entry, subject, before, known[subject]))
    return told


def subject_of(entry: Entry) -> str:
    """What an event of a register is about."""
    kind = entry.type.partition(".")[0]
    return str(entry.data[SUBJECTS[kind]]) if kind in SUBJECTS else CALENDAR


def concerning(told: Iterable[Changed], *ids: str) -> list[Changed]:
    """The events that name one of these ids, as their subject or in one of their fields."""
    wanted = set(ids)
    return [
        one
        for one in told
        if one.subject in wanted
        or wanted.intersection(v for v in one.known.values() if isinstance(v, str))
    ]
