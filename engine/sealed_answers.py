"""Sealed answers: what stands for them in a recorded form, and under which subject they lie.

In an event a sealed answer is `{"sealed": <commitment>, "as": "content" | "identity" | "answer"}`;
its value lies in the vault under a subject named after the case.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection

from audit import log
from audit.commitments import is_sealed
from audit.entries import ENGINE, Draft, Entry
from audit.rehearsal import behind_lock
from engine import vault as store
from engine.errors import Conflict, Refusal
from engine.forms import Form
from engine.vault import Vault

# What a vault may hold that no log names: values of a command that is still at work.
UNNAMED_FOR: Final = timedelta(days=1)
MAILBOX: Final = "mailbox"


class NoVault(Refusal):
    """Something has to be sealed or opened, and no vault is open."""

    def __init__(self) -> None:
        super().__init__(
            "这一步要用密封库，而密封库没有打开，所以没有生效。请管理员检查密封库的设置。",
            "This takes the vault, which is not open; nothing was done. Let the administrator "
            "check its settings.",
        )


class CaseKnown(Conflict):
    """The number belongs to a case that is recorded; what is sealed for it stays."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A sealed answer as an entry names it. name: the field with the entry's number, `contact#1`.

    seal: content, identity or answer.
    """

    seq: int
    field: str
    commitment: str
    seal: str
    subject: str

    @property
    def name(self) -> str:
        """What it is called in the record of who read it."""
        return f"{self.field}#{self.seq}"


def subject_of(case: str, seal: str) -> str:
    """Under which subject the vault keeps sealed answers of a case."""
    return f"answers:{case}" if seal == "answer" else f"{case}/{seal}"


def case_of(subject: str) -> str:
    """The case a subject belongs to."""
    return subject.removeprefix("answers:").partition("/")[0]


def subjects_of(case: str) -> tuple[str, ...]:
    """All subjects a case may have."""
    return tuple(subject_of(case, seal) for seal in ("content", "identity", "answer"))


def sealed(
    conn: Connection,
    form: Form,
    values: Mapping[str, Any],
    case: str,
    vault: Vault | None,
    *,
    at: datetime,
) -> dict[str, Any]:
    """The answers as they may be recorded: sealed ones are in the vault, and named by commitment.

    Call it last, when nothing else will refuse the command. Raises NoVault, SealDestroyed, TooMuch.
    """
    told = dict(values)
    for field in form.fields:
        if field.seal is None or field.name not in values:
            continue
        if vault is None:
            raise NoVault
        behind_lock(conn)
        subject = subject_of(case, field.seal)
        commitment = store.seal(vault, subject, field.name, values[field.name], at=at)
        told[field.name] = {"sealed": commitment, "as": field.seal}
    return told


def revealed(
    conn: Connection, vault: Vault | None, case: str, elements: Collection[str], at: datetime
) -> list[Draft]:
    """The answers sealed at these elements, opened: one draft for each completed step not yet told.

    Raises NoVault, SealMissing, SealDestroyed, SealDamaged.
    """
    entries = log.read(conn, case)
    told = {entry.data["task"] for entry in entries if entry.type == "answers.revealed"}
    drafts = []
    for entry in entries:
        task = entry.data.get("task", "") if entry.type == "task.completed" else ""
        if task.partition("#")[0] not in elements or task in told:
            continue
        answers = [one for one in sealed_in([entry]) if one.seal == "answer"]
        if answers:
            drafts.append(_revealing(vault, task, answers, at))
    return drafts


def _revealing(vault: Vault | None, task: str, answers: list[Sealed], at: datetime) -> Draft:
    if vault is None:
        raise NoVault
    opened = {one.field: store.opened(vault, one.subject, one.commitment) for one in answers}
    form = {field: value for field, (value, _) in opened.items()}
    salts = {field: salt.hex() for field, (_, salt) in opened.items()}
    return Draft("answers.revealed", {"task": task, "form": form, "salts": salts}, ENGINE, at)


def clear_failed_opening(conn: Connection, vault: Vault, case: str) -> None:
    """Forget what an opening left behind that was rolled back; call it before sealing for a case.

    Its number is given out again, and whoever had it first must not read what comes now. Raises
    CaseKnown if there is such a case.
    """
    behind_lock(conn)
    if log.peek(conn, case) is not None:
        raise CaseKnown(f"案件 {case} 已在案。", f"Case {case} is on record.")
    store.forget(vault, subjects_of(case))


def sealed_in(entries: Iterable[Entry]) -> Iterator[Sealed]:
    """Everything sealed that these entries of one case name, in order."""
    for entry in entries:
        if entry.type == "mailbox.written":
            data = entry.data
            yield Sealed(entry.seq, MAILBOX, data["commitment"], "content", data["subject"])
        form = entry.data.get("form")
        for field, value in form.items() if isinstance(form, dict) else ():
            if is_sealed(value):
                subject = subject_of(entry.stream, value["as"])
                yield Sealed(entry.seq, field, value["sealed"], value["as"], subject)


def sweep_unnamed(conn: Connection, vault: Vault, *, at: datetime) -> int:
    """Drop what commands left in the vault that were never recorded; returns how many."""

    def named(subject: str, commitments: Collection[str]) -> Collection[str]:
        known = {one.commitment for one in sealed_in(log.read(conn, case_of(subject)))}
        return known & set(commitments)

    return store.sweep(vault, before=at - UNNAMED_FOR, named=named)
