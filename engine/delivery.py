"""Carries what one case tells to the case it is for: opens it, or records it there. Exactly once.

Crash order: a `message.sent` and its row in the outbox are committed with the act they follow
from. Each delivery is one transaction of its own that takes the row away, and appends to the
receiving stream; so after a crash the message is either on its way or there, never both and never
neither. Only the receiver is locked: two cases that tell each other things cannot deadlock.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import InterfaceError, OperationalError

from audit import log
from audit.bundle import write_bundle
from audit.entries import ENGINE, Draft, Entry
from audit.pinned import sha256
from engine import outbox
from engine import vault as store
from engine.cases import Place, Report, open_case
from engine.casework import Done, Work, read_case
from engine.database import reading
from engine.definition_sets import latest, load
from engine.definitions import ATTACH_EXTRACT, OPENING_FORM, REVEAL_ANSWERS, TOLD_ITSELF
from engine.errors import Conflict, Refusal, named
from engine.forms import Form, FormRefused
from engine.outbox import Pending
from engine.sealed_answers import NoVault, revealed, sealed_in
from engine.state import CaseState
from engine.telling import awaiting
from engine.vault import Vault


class NotThereYet(Conflict):
    """A message is for a case that has not been opened yet."""


def deliver(
    engine: Engine, *, at: datetime, vault: Vault | None = None, limit: int = 500
) -> tuple[int, list[str]]:
    """Deliver what is on its way, and what that brings about; one transaction a message.

    Returns how many were delivered, and a sentence for each that could not be: it stays on its way,
    and what the same case says to the same address later waits behind it.
    """
    delivered, stuck = 0, dict[bytes, str]()
    seen = (-1, -1)
    # What another deliverer has in hand is left to it: a round that came to nothing was the last.
    while seen != (delivered, len(stuck)):
        seen = (delivered, len(stuck))
        with reading(engine).begin() as conn:
            waiting = outbox.pending(conn, limit=limit + len(stuck))
        for message in _in_turn(waiting, stuck):
            try:
                with engine.begin() as conn:
                    delivered += deliver_one(conn, message, at=at, vault=vault)
            except (OperationalError, InterfaceError):
                raise
            except Refusal as refusal:
                told = f"{message.case} #{message.seq}"
                stuck[message.hash] = f"{told}: {refusal.chinese} / {refusal.english}"
            except Exception as error:
                told = f"{message.case} #{message.seq}"
                stuck[message.hash] = f"{told}: {named(error)}"
    return delivered, list(stuck.values())


def _in_turn(waiting: Iterable[Pending], stuck: dict[bytes, str]) -> list[Pending]:
    """What may be delivered next: nothing that would overtake a stuck message to its address."""
    waiting = list(waiting)
    blocked = {(one.case, one.to) for one in waiting if one.hash in stuck}
    return [one for one in waiting if (one.case, one.to) not in blocked]


def deliver_one(
    conn: Connection, message: Pending, *, at: datetime, vault: Vault | None = None
) -> int:
    """Deliver one message in this transaction; 0 if somebody else has delivered it meanwhile."""
    if not outbox.take(conn, message.hash):
        return 0
    sent = log.read(conn, message.case, after=message.seq - 1)[0]
    if message.to.startswith("opens:"):
        _open(conn, sent, message.to.removeprefix("opens:"), at, vault)
    elif message.to == "self":
        _to_itself(conn, sent, at, vault)
    else:
        _tell(conn, sent, _receiver(conn, sent, message.to), at)
    return 1


def _receiver(conn: Connection, sent: Entry, to: str) -> str:
    kind, _, which = to.partition(":")
    found: str | None = which
    if kind == "parent":
        above = outbox.parent_of(conn, sent.stream)
        found = above[0] if above else None
    elif kind == "child":
        found = outbox.child_of(conn, sent.stream, int(which))
    elif kind == "reply":
        asked = log.read(conn, sent.stream, after=int(which) - 1)[0]
        found = log.stream_of(conn, bytes.fromhex(asked.data["origin"]["hash"]))
    if found is None:
        raise NotThereYet(
            f"消息的去处（{to}）还没有立案，稍后会再送。",
            f"What the message is for ({to}) is not open yet; it will be tried again.",
        )
    return found


# --- opening ------------------------------------------------------------------------------------


def _open(conn: Connection, sent: Entry, process: str, at: datetime, vault: Vault | None) -> None:
    sender = read_case(conn, sent.stream)
    told = sent.data["form"]
    definition = latest(conn, process)
    place = sender.opened["place"]
    asked = definition.forms[OPENING_FORM]
    form = {field.name: told[field.name] for field in asked.fields if field.name in told}
    form |= _sealed_before(conn, sent, asked, vault)
    report = Report(
        process=process,
        category=told.get("category") or sender.opened["category"],
        title=told.get("title") or _title(conn, sender, definition.title),
        place=Place(told.get("place", place["unit"]), told.get("address", place["address"])),
        form=form,
        source="case",
        origin=_origin(conn, sent, sender),
        party=sent.data.get("party") or told.get("party"),
        actor=_whose(conn, sent),
        claimed_at=_claimed(form),
    )
    done = _opened(conn, report, at, f"message:{sent.hash.hex()}", vault)
    outbox.link(conn, done.case, sent.stream, sent.seq)


def _sealed_before(
    conn: Connection, sent: Entry, asked: Form, vault: Vault | None
) -> dict[str, Any]:
    """What the act behind the message sealed, and the new case seals too: its words go along.

    They never stand in a message: they are taken out of the vault and sealed anew, under the key of
    the new case.
    """
    sealed = {one.field: one for one in sealed_in([_cause(conn, sent)]) if one.seal != "answer"}
    wanted = [field.name for field in asked.fields if field.seal and field.name in sealed]
    if wanted and vault is None:
        raise NoVault
    found = ((name, sealed[name]) for name in wanted)
    return {
        name: store.opened(vault, one.subject, one.commitment)[0]
        for name, one in found
        if vault is not None
    }


def _cause(conn: Connection, sent: Entry) -> Entry:
    assert sent.cause is not None  # noqa: S101 - message.sent is a fact, and facts have a cause
    return log.read(conn, sent.stream, after=sent.cause - 1)[0]


def _opened(conn: Connection, report: Report, at: datetime, key: str, vault: Vault | None) -> Done:
    """Open the case; what no longer fits is left out rather than keeping the rest from arriving.

    A person named weeks ago may have left: the step they were named for is then open to all with
    its duty. What the form cannot do without is not left out.
    """
    try:
        return open_case(conn, report, by=None, at=at, vault=vault, key=key)
    except FormRefused as refused:
        unfit = {error.field for error in refused.errors} & report.form.keys()
        if not unfit:
            raise
    kept = {name: value for name, value in report.form.items() if name not in unfit}
    return open_case(conn, replace(report, form=kept), by=None, at=at, vault=vault, key=key)


def _claimed(form: dict[str, Any]) -> datetime | None:
    """When somebody says they found it."""
    found = form.get("discovered_at")
    return datetime.fromisoformat(found) if found else None


def _title(conn: Connection, sender: CaseState, usual: str) -> str:
    """A confidential case lends nothing of itself to the cases it opens."""
    return usual if load(conn, sender.definition).confidential else sender.title


def _origin(conn: Connection, sent: Entry, sender: CaseState) -> dict[str, Any]:
    """Which message this follows from; of a confidential case only the hash, which tells nothing.

    Whoever may see that case can find the event by it.
    """
    told: dict[str, Any] = {"hash": sent.hash.hex()}
    if load(conn, sender.definition).confidential:
        return told
    return {"case": sent.stream, "seq": sent.seq} | told


def _whose(conn: Connection, sent: Entry) -> dict[str, Any]:
    """Whoever caused the message reports by it; what a machine caused, a machine reports."""
    cause = _cause(conn, sent)
    if "person" not in cause.actor:
        return dict(ENGINE)
    return {**cause.actor, "capacity": "report", "channel": "case"}


# --- telling ------------------------------------------------------------------------------------


def _tell(conn: Connection, sent: Entry, receiver: str, at: datetime) -> None:
    """Record a message at its receiver; what waits for it there goes on."""
    work = Work.take(conn, receiver, at)
    work.ring()
    note = _note(conn, sent, at)
    key = awaiting(work.case, work.context.definition, sent.data["message"])
    above = outbox.parent_of(conn, sent.stream)
    told: dict[str, Any] = {"key": key} if key else {}
    told |= {"child": above[1]} if above and above[0] == receiver else {}
    work.record(replace(note, data=note.data | told))
    work.ring_if_joined()
    work.finish()


def _note(conn: Connection, sent: Entry, at: datetime) -> Draft:
    data = {
        "message": sent.data["message"],
        "origin": _origin(conn, sent, read_case(conn, sent.stream)),
        "form": sent.data["form"],
    }
    return Draft("message.received", data, ENGINE, at)


# --- what a case tells itself -------------------------------------------------------------------


def _to_itself(conn: Connection, sent: Entry, at: datetime, vault: Vault | None) -> None:
    """Machine work that looks outside the case, so that replay cannot repeat it: its results."""
    name, told = sent.data["message"], sent.data["form"]
    work = Work.take(conn, sent.stream, at)
    work.ring()
    work.record(_note(conn, sent, at))
    # The lint lets a case tell itself nothing but these two.
    if name == REVEAL_ANSWERS:
        drafts = revealed(conn, vault, sent.stream, told[TOLD_ITSELF[name]].split(), at)
    else:
        drafts = [_extract(conn, told[TOLD_ITSELF[ATTACH_EXTRACT]], at)]
    for draft in drafts:
        work.record(draft)
    work.finish()


def _extract(conn: Connection, case: str, at: datetime) -> Draft:
    """The record of another case as it stands: the bundle can be made again, and compared."""
    entries = log.read(conn, case)
    bundle = write_bundle(log.origin(conn), case, [entry.body for entry in entries])
    data = {
        "case": case,
        "count": len(entries),
        "head": entries[-1].hash.hex(),
        "sha256": sha256(bundle),
    }
    return Draft("extract.attached", data, ENGINE, at)
