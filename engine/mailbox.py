"""Sealed content and the mailbox of a complaint: who may read and write them, each on the record.

Staff read by holding an open step drawn with `reads`, and every reading is an event. Complainants
read with their code, and that leaves no trace. The words themselves never reach the log.
"""

import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection

from audit import log
from audit.entries import Draft, Entry
from engine import vault as store
from engine.cases import may_do
from engine.casework import Desk, Done, UnknownCase, change
from engine.directory import Authority
from engine.errors import BadInput, Conflict, NotAllowed
from engine.exclusion import check_not_excluded
from engine.people import By, actor
from engine.receipt_codes import Found
from engine.sealed_answers import MAILBOX, Sealed, sealed_in, subject_of
from engine.state import OpenTask
from engine.vault import SealDestroyed, SealMissing, Vault

LONGEST_MESSAGE: Final = 4000
# Of one side in one case: a mailbox is for asking and answering, not for filling a disk.
MOST_MESSAGES: Final = 200
# Sealed answers of steps that are meant for the complainant: they read them with their code.
FOR_COMPLAINANT: Final = frozenset({"to_complainant", "code"})
STAFF: Final = "staff"
COMPLAINANT: Final = "complainant"
CHANNELS: Final = frozenset({"web", "qr", "desk", "phone"})


class NotYoursToRead(NotAllowed):
    """Sealed content is read by whoever holds a step of the case that needs it."""

    def __init__(self) -> None:
        super().__init__(
            "只有正在承办本案核查类步骤的人可以阅看密封内容和信箱。请先认领这一步。",
            "Sealed content and mailbox are read by whoever holds an open step that needs them. "
            "Claim the step first.",
        )


class NotYourMailbox(NotAllowed):
    """The code is of another case."""

    def __init__(self) -> None:
        super().__init__("这个回执码不是本案的。", "This code belongs to another case.")


class MailboxFull(Conflict):
    """This side has written as much as one side may."""


@dataclass(frozen=True, slots=True)
class Message:
    """What one side told the other; side: staff or complainant. text: None once destroyed.

    field: `mailbox`, or the answer of a form that it is (`to_complainant`, the complaint itself).
    """

    seq: int
    at: datetime
    side: str
    field: str
    text: str | None


@dataclass(frozen=True, slots=True)
class Read:
    """What was read, by name (`description#1`), and the event that says so.

    To be shown only after the transaction is committed: nobody reads what is not on the record.
    """

    done: Done
    values: dict[str, Any]


# --- reading --------------------------------------------------------------------------------------


def read_content(
    conn: Connection,
    vault: Vault,
    case_id: str,
    wanted: Collection[str] | None = None,
    *,
    by: By,
    at: datetime,
) -> Read:
    """Read sealed content as holder of an open step that reads; one event tells what was read.

    wanted: commitments, names (`description#1`) or field names; None = all there is. The identity
    is not among it. Raises NotYoursToRead, KeptOut, SealMissing, SealDestroyed, SealDamaged.
    """
    values: dict[str, Any] = {}

    def decide(desk: Desk) -> list[Draft]:
        task, authority = reading_step(desk, by)
        for one in _chosen(log.read(conn, case_id), wanted):
            values[one.name], _ = store.opened(vault, one.subject, one.commitment)
        who = actor(authority, task.capacity, channel=by.channel)
        return [Draft("content.read", {"fields": sorted(values)}, who, at)]

    done = change(conn, case_id, decide, at=at)
    return Read(done, values)


def _chosen(entries: Sequence[Entry], wanted: Collection[str] | None) -> list[Sealed]:
    content = [one for one in sealed_in(entries) if one.seal == "content"]
    if wanted is None:
        chosen = content
    else:
        named = frozenset(wanted)
        chosen = [c for c in content if named & {c.commitment, c.name, c.field}]
    if not chosen:
        raise SealMissing
    return chosen


def reading_step(desk: Desk, by: By, duties: Collection[str] = ()) -> tuple[OpenTask, Authority]:
    """The open step by which this person may read what is sealed, and the post it is theirs by.

    duties: only steps of lanes with one of these, if any are named. Held, not merely open to them.
    Raises NotYoursToRead, KeptOut, and what bars them from the step.
    """
    check_not_excluded(desk.case, desk.directory, by.person, desk.at)
    drawn = desk.context.definition.tasks
    for task in desk.case.tasks.values():
        fits = drawn[task.element].reads and (not duties or task.duty in duties)
        if fits and task.holder in (by.person, by.on_behalf_of) and task.holder is not None:
            return task, may_do(desk, task, by)
    raise NotYoursToRead


# --- the mailbox ----------------------------------------------------------------------------------


def write_as_staff(
    conn: Connection,
    vault: Vault,
    case_id: str,
    text: str,
    *,
    by: By,
    at: datetime,
    key: str | None = None,
) -> Done:
    """Write to the complainant, as holder of an open step that reads.

    Raises NotYoursToRead, KeptOut, BadInput, MailboxFull, SealDestroyed.
    """
    words = _words(text)

    def decide(desk: Desk) -> list[Draft]:
        task, authority = reading_step(desk, by)
        _check_room(log.read(conn, case_id), STAFF)
        who = actor(authority, task.capacity, channel=by.channel)
        return [_message(vault, case_id, STAFF, words, who, at)]

    return change(conn, case_id, decide, at=at, key=key)


def write_as_complainant(
    conn: Connection,
    vault: Vault,
    case_id: str,
    text: str,
    *,
    complainant: str,
    at: datetime,
    channel: str = "web",
    key: str | None = None,
) -> Done:
    """Write to those who handle the case, as whoever opened it; `complainant` is from `Found`.

    The event names nobody but the complainant of this one case. Raises NotYourMailbox, BadInput,
    MailboxFull, SealDestroyed, UnknownCase.
    """
    words = _words(text)
    if channel not in CHANNELS:
        raise BadInput("没有这种渠道。", "There is no such channel.")

    def decide(_desk: Desk) -> list[Draft]:
        entries = log.read(conn, case_id)
        _check_complainant(entries, complainant)
        _check_room(entries, COMPLAINANT)
        who = {"person": complainant, "capacity": "report", "channel": channel}
        return [_message(vault, case_id, COMPLAINANT, words, who, at)]

    return change(conn, case_id, decide, at=at, key=key)


def read_mailbox(
    conn: Connection, vault: Vault, case_id: str, *, by: By, at: datetime
) -> tuple[Message, ...]:
    """What both sides told each other, as staff read it: by a step that reads, and on the record.

    An empty one is not recorded. Raises NotYoursToRead, KeptOut, SealDamaged.
    """
    messages: list[Message] = []

    def decide(desk: Desk) -> list[Draft]:
        task, authority = reading_step(desk, by)
        messages.extend(_messages(log.read(conn, case_id), vault, None))
        read = [f"{told.field}#{told.seq}" for told in messages if told.text is not None]
        who = actor(authority, task.capacity, channel=by.channel)
        return [Draft("content.read", {"fields": read}, who, at)] if read else []

    change(conn, case_id, decide, at=at)
    return tuple(messages)


def read_own_mailbox(conn: Connection, vault: Vault, found: Found) -> tuple[Message, ...]:
    """The same as the complainant reads it, with the key their code gave; leaves no trace.

    Raises NotYourMailbox, UnknownCase, SealDamaged.
    """
    entries = log.read(conn, found.case)
    _check_complainant(entries, found.complainant)
    return tuple(_messages(entries, vault, found))


def _messages(entries: Sequence[Entry], vault: Vault, found: Found | None) -> list[Message]:
    """What both sides told each other, in order: messages, and answers of forms meant for that."""
    told = {entry.seq: entry for entry in entries}
    content = [one for one in sealed_in(entries) if one.seal == "content"]
    sides = ((one, told[one.seq], _side(entries[0], told[one.seq], one.field)) for one in content)
    return [
        Message(one.seq, entry.at, side, one.field, _text(one, vault, found))
        for one, entry, side in sides
        if side is not None
    ]


def _side(opening: Entry, entry: Entry, field: str) -> str | None:
    """Who tells the other side something by this answer, or None: it is for staff alone."""
    opener = str(opening.actor.get("person", ""))
    if opener.startswith("complainant:") and entry.actor.get("person") == opener:
        return COMPLAINANT
    return STAFF if field in FOR_COMPLAINANT | {MAILBOX} else None


def _text(one: Sealed, vault: Vault, found: Found | None) -> str | None:
    if found is not None and (found.key is None or found.subject != one.subject):
        return None
    key = found.key if found else None
    try:
        value, _ = store.opened(vault, one.subject, one.commitment, key=key)
    except SealDestroyed:
        return None
    return value if isinstance(value, str) else "、".join(map(str, value))


def _message(
    vault: Vault, case_id: str, side: str, words: str, who: dict[str, Any], at: datetime
) -> Draft:
    """Sealed here, behind every refusal: an orphan would be noise, a record without text a loss."""
    subject = subject_of(case_id, "content")
    commitment = store.seal(vault, subject, MAILBOX, words, at=at)
    told = {"from": side, "field": MAILBOX, "commitment": commitment, "subject": subject}
    return Draft("mailbox.written", told, who, at)


def _check_complainant(entries: Sequence[Entry], complainant: str) -> None:
    """A code opens the case of whoever opened it, and no other that came to bear its number."""
    if not entries:
        raise UnknownCase(complainant)
    if entries[0].actor.get("person") != complainant:
        raise NotYourMailbox


def _check_room(entries: Sequence[Entry], side: str) -> None:
    written = sum(e.type == "mailbox.written" and e.data["from"] == side for e in entries)
    if written >= MOST_MESSAGES:
        raise MailboxFull(
            f"信箱一方最多 {MOST_MESSAGES} 条，已满。请到窗口或打热线继续。",
            f"One side may write {MOST_MESSAGES} messages; go on at the desk or by telephone.",
        )


def _words(text: str) -> str:
    told = unicodedata.normalize("NFC", text).strip()
    if not told:
        raise BadInput("留言是空的。", "The message is empty.")
    if len(told) > LONGEST_MESSAGE:
        raise BadInput(
            f"留言最多 {LONGEST_MESSAGE} 字。",
            f"A message has {LONGEST_MESSAGE} characters at most.",
        )
    return told
