"""What a step's page shows of what is sealed: whether there is any, and what one may ask for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from werkzeug.datastructures import MultiDict

from audit.entries import Entry
from engine.cases import HANDED_OVER
from engine.casework import Desk
from engine.definitions import OPENING_FORM, Definition
from engine.errors import Refusal
from engine.forms import Form
from engine.mailbox import COMPLAINANT, reading_step
from engine.people import By
from engine.sealed_answers import MAILBOX, sealed_in, subject_of
from engine.state import OpenTask
from engine.unsealing import INVESTIGATING, Request, requests_in
from web.texts import either, later, say

# What the form of a hand-over says once it is done.
HAND_OVER: Final = "hand_over"
SAID: Final = {
    "result.disputed": later("不认可结果，或有新情况"),
    "recusal.demanded": later("要求核查人回避"),
    "retaliation.reported": later("我受到打击报复"),
}


@dataclass(frozen=True, slots=True)
class SealedCard:
    """What is offered on a step's page.

    there: whether anything sealed can still be read. complaint: it is one, and there is a mailbox;
    else it is how a resident wants to be told. reads: the step is drawn to read it; mine:
    this person holds such a step. identity: parts that may be asked for, field and title. waiting:
    their open request; granted: those they may look by now; denied: how many were refused.
    handed: what the log keeps of a hand-over; hands_over: this step is the one that does it.
    """

    there: bool
    complaint: bool
    reads: bool
    mine: bool
    identity: tuple[tuple[str, str], ...]
    waiting: Request | None
    granted: tuple[Request, ...]
    denied: int
    handed: Mapping[str, Any] | None
    hands_over: bool

    @property
    def any(self) -> bool:
        """Whether there is anything to show."""
        return self.reads or bool(self.handed)


@dataclass(frozen=True, slots=True)
class Words:
    """One sealed answer that was read: where it comes from, what it answers, its text."""

    heading: str
    title: str
    text: str
    at: Any


def sealed_card(desk: Desk, task: OpenTask, entries: Sequence[Entry], by: By) -> SealedCard:
    """What this person may do about the sealed content of a case at this step."""
    asked = [one for one in requests_in(entries).values() if one.person == by.person]
    gone = {entry.data["subject"] for entry in entries if entry.type == "sealed.destroyed"}
    drawn = desk.context.definition.tasks[task.element]
    handed = next((e.data for e in entries if e.type == "accusation.handed_over"), None)
    there = _is_there(desk, entries, "content", gone)
    # Of a hazard only what a resident left is sealed, and most leave nothing.
    complaint = desk.case.confidential
    return SealedCard(
        there=there,
        reads=drawn.reads and (complaint or there),
        complaint=complaint,
        mine=_reads(desk, by),
        identity=_identity(desk, entries, gone) if _reads(desk, by, INVESTIGATING) else (),
        waiting=next((one for one in asked if one.is_open), None),
        granted=tuple(one for one in asked if one.until is not None and one.until > desk.at),
        denied=sum(one.denied for one in asked),
        handed=handed,
        hands_over=drawn.proof == HANDED_OVER,
    )


def _is_there(desk: Desk, entries: Sequence[Entry], seal: str, gone: set[str]) -> bool:
    known = any(one.seal == seal for one in sealed_in(entries))
    return known and subject_of(desk.case.case, seal) not in gone


def _reads(desk: Desk, by: By, duties: frozenset[str] = frozenset()) -> bool:
    try:
        reading_step(desk, by, duties)
    except Refusal:
        return False
    return True


def _identity(desk: Desk, entries: Sequence[Entry], gone: set[str]) -> tuple[tuple[str, str], ...]:
    if not _is_there(desk, entries, "identity", gone):
        return ()
    form = desk.context.definition.forms[OPENING_FORM]
    names = dict.fromkeys(one.field for one in sealed_in(entries) if one.seal == "identity")
    return tuple((name, _title(form, name)) for name in names)


def prefilled(card: SealedCard) -> MultiDict[str, str] | None:
    """What the form of the hand-over says once it is done; None for any other form."""
    if not card.hands_over or not card.handed:
        return None
    return MultiDict({"decision": HAND_OVER, "body": str(card.handed["body"])})


def words_of(
    definition: Definition, entries: Sequence[Entry], values: Mapping[str, Any]
) -> list[Words]:
    """What was read, by name (`text#1`), with its question, in the order of the record."""
    by_seq = {entry.seq: entry for entry in entries}
    named = [(name.rpartition("#"), value) for name, value in values.items()]
    ordered = sorted(named, key=lambda one: int(one[0][2]))
    return [
        _words(definition, by_seq[int(seq)], field, value) for (field, _, seq), value in ordered
    ]


def _words(definition: Definition, entry: Entry, field: str, value: Any) -> Words:
    text = value if isinstance(value, str) else say("、").join(map(str, value))
    if field == MAILBOX:
        mine = entry.data["from"] == COMPLAINANT
        return Words(say("投诉人来信") if mine else say("写给投诉人"), "", text, entry.at)
    heading, form = _source(definition, entry)
    return Words(heading, _title(form, field) if form else field, text, entry.at)


def _source(definition: Definition, entry: Entry) -> tuple[str, Form | None]:
    """What an entry with sealed answers is called, and the form it answers."""
    if entry.type == "task.completed":
        drawn = definition.tasks[entry.data["task"].partition("#")[0]]
        return either(drawn.name, drawn.name_en), definition.forms[drawn.form]
    if entry.type in SAID:
        message = definition.messages[entry.data["message"].partition("#")[0]]
        return say(SAID[entry.type]), definition.forms.get(message.form or "")
    begun = say("投诉") if definition.confidential else say("上报")
    return begun, definition.forms[OPENING_FORM]


def _title(form: Form, name: str) -> str:
    field = form.field(name)
    return either(field.title, field.title_en) if field else name
