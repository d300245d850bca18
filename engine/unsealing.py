"""Identity of a complainant: asked for by one, allowed by another, seen for a while, all on record.

Whoever investigates asks, with a purpose. The keeper of identities, who sees neither complaint nor
identity, allows or refuses it with a reason. Each look is an event of its own. Nobody decides about
their own asking, and nobody the case is about takes part at all.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, select

from audit import log
from audit.encoding import instant, timestamp
from audit.entries import Draft, Entry
from engine import vault as store
from engine.cases import NotYourTask
from engine.casework import Desk, Done, change, read_case
from engine.directory import Authority, Directory
from engine.errors import BadInput, Conflict, NotAllowed, NotFound
from engine.exclusion import is_excluded
from engine.holding import post_over
from engine.mailbox import Read, reading_step
from engine.people import By, actor
from engine.reasons import reasoned
from engine.register import register_table
from engine.sealed_answers import Sealed, sealed_in
from engine.vault import Vault

# Configuration of the product, not law.
USUAL_WINDOW: Final = timedelta(hours=24)
LONGEST_WINDOW: Final = timedelta(hours=72)
INVESTIGATING: Final = frozenset({"investigate"})
CUSTODY: Final = "custody"


class NoIdentity(NotFound):
    """The complaint carries no such part of an identity."""


class NoSuchRequest(NotFound):
    """There is no request with this number."""

    def __init__(self) -> None:
        super().__init__("没有这个查看身份的申请。", "There is no such request for the identity.")


class AlreadyDecided(Conflict):
    """The request was decided, or one is waiting already."""


class OwnRequest(NotAllowed):
    """Whoever asked does not decide, nor whoever stands in for them or they for."""


class NotKeeper(NotAllowed):
    """Only the keeper of identities decides."""


class NotAllowedToSee(NotAllowed):
    """The identity was not allowed to this person, or the time is over."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request to see parts of an identity, and what became of it.

    person, on_behalf_of: who asked. until: of a granted one. denied: whether it was refused.
    """

    case: str
    seq: int
    at: datetime
    fields: tuple[str, ...]
    purpose: str
    person: str
    on_behalf_of: str | None
    until: datetime | None = None
    denied: bool = False

    @property
    def is_open(self) -> bool:
        """Whether it waits to be decided."""
        return self.until is None and not self.denied


def requests_in(entries: Iterable[Entry]) -> dict[int, Request]:
    """The requests of one case by number, as these entries leave them."""
    found: dict[int, Request] = {}
    for entry in entries:
        data = entry.data
        if entry.type == "unseal.requested":
            found[entry.seq] = Request(
                entry.stream, entry.seq, entry.at, tuple(data["fields"]), data["purpose"],
                entry.actor["person"], entry.actor.get("on_behalf_of"),
            )  # fmt: skip
        elif entry.type == "unseal.granted":
            asked = found[data["request"]]
            found[asked.seq] = replace(asked, until=instant(data["until"]))
        elif entry.type == "unseal.denied":
            found[data["request"]] = replace(found[data["request"]], denied=True)
    return found


# --- asking ---------------------------------------------------------------------------------------


def request_unsealing(
    conn: Connection,
    case_id: str,
    fields: Collection[str],
    purpose: str,
    *,
    by: By,
    at: datetime,
    key: str | None = None,
) -> Done:
    """Ask to see these parts of the identity, as holder of an open investigating step.

    Raises NotYoursToRead, KeptOut, NoIdentity, AlreadyDecided (one is waiting), NoReason.
    """

    def decide(desk: Desk) -> list[Draft]:
        task, authority = reading_step(desk, by, INVESTIGATING)
        _check_apart(desk, authority)
        entries = log.read(conn, case_id)
        known = {one.field for one in _identity(entries)}
        if not fields or not set(fields) <= known:
            raise NoIdentity(
                "本案没有登记这些身份信息。", "These parts of an identity are not on this case."
            )
        waiting = [asked for asked in requests_in(entries).values() if asked.is_open]
        if any(asked.person == authority.person for asked in waiting):
            raise AlreadyDecided(
                "您的上一个申请还在等待决定。", "Your last request still waits to be decided."
            )
        told = reasoned(purpose, what="用途和理由", english="purpose and reason")
        who = actor(authority, task.capacity, channel=by.channel)
        return [
            Draft("unseal.requested", {"fields": sorted(set(fields)), "purpose": told}, who, at)
        ]

    return change(conn, case_id, decide, at=at, key=key)


# --- deciding -------------------------------------------------------------------------------------


def grant_unsealing(
    conn: Connection,
    case_id: str,
    request: int,
    reason: str,
    *,
    by: By,
    at: datetime,
    until: datetime | None = None,
    key: str | None = None,
) -> Done:
    """Allow a request, as keeper of identities over the street, until an instant.

    until: 24 hours from now unless said, 72 at most. Raises NotKeeper, OwnRequest, KeptOut,
    NoSuchRequest, AlreadyDecided, BadInput, NoReason.
    """
    end = at + USUAL_WINDOW if until is None else until
    if not at < end <= at + LONGEST_WINDOW:
        hours = LONGEST_WINDOW // timedelta(hours=1)
        raise BadInput(
            f"查看期限应在今后 {hours} 小时以内。", f"The time to look ends within {hours} hours."
        )

    def decide(desk: Desk) -> list[Draft]:
        authority = _keeper(conn, desk, request, by)
        data = {"request": request, "until": timestamp(end), "reason": reasoned(reason)}
        return [Draft("unseal.granted", data, actor(authority, CUSTODY, channel=by.channel), at)]

    return change(conn, case_id, decide, at=at, key=key)


def deny_unsealing(
    conn: Connection,
    case_id: str,
    request: int,
    reason: str,
    *,
    by: By,
    at: datetime,
    key: str | None = None,
) -> Done:
    """Refuse a request, as keeper of identities; raises what `grant_unsealing` raises."""

    def decide(desk: Desk) -> list[Draft]:
        authority = _keeper(conn, desk, request, by)
        data = {"request": request, "reason": reasoned(reason)}
        return [Draft("unseal.denied", data, actor(authority, CUSTODY, channel=by.channel), at)]

    return change(conn, case_id, decide, at=at, key=key)


def may_decide(conn: Connection, desk: Desk, request: int, by: By) -> bool:
    """Whether this person may decide this request now: asked before it is offered to them."""
    try:
        _keeper(conn, desk, request, by)
    except (NotAllowed, Conflict, NotFound):
        return False
    return True


def _keeper(conn: Connection, desk: Desk, request: int, by: By) -> Authority:
    """The keeper's post by which this open request may be decided by this person."""
    try:
        authority = post_over(desk, by, (CUSTODY,))
    except NotYourTask:
        raise NotKeeper(
            "只有本街道的身份保管岗位可以决定。",
            "Only the keeper of identities of this street may decide.",
        ) from None
    _check_apart(desk, authority)
    asked = requests_in(log.read(conn, desk.case.case)).get(request)
    if asked is None:
        raise NoSuchRequest
    if not asked.is_open:
        raise AlreadyDecided("这个申请已经决定过了。", "This request has been decided already.")
    if _persons(asked.person, asked.on_behalf_of) & _all_for(desk, authority):
        raise OwnRequest(
            "不能决定自己（或自己所代理、代理自己的人）的申请，请由别的身份保管岗位决定。",
            "You cannot decide your own request, nor that of somebody you stand in for or who "
            "stands in for you.",
        )
    return authority


def _all_for(desk: Desk, authority: Authority) -> frozenset[str]:
    """Who decides, for whom, and everybody they now stand in for by any post of theirs."""
    held = desk.directory.capacities(authority.person, desk.at)
    lent = (one.on_behalf_of for one in held if one.on_behalf_of)
    return _persons(authority.person, authority.on_behalf_of, *lent)


def _persons(*names: str | None) -> frozenset[str]:
    return frozenset(name for name in names if name)


def _check_apart(desk: Desk, authority: Authority) -> None:
    """Neither who acts nor whom they act for may be one the case is about."""
    for person in _persons(authority.person, authority.on_behalf_of):
        if is_excluded(desk.case, desk.directory, person, desk.at):
            raise NotAllowed(
                "本案涉及您、您的单位或您所代理的人，须回避。",
                "The case is about you, your unit, or whom you stand in for.",
            )


# --- looking --------------------------------------------------------------------------------------


def view_identity(
    conn: Connection,
    vault: Vault,
    case_id: str,
    request: int,
    fields: Collection[str] | None = None,
    *,
    by: By,
    at: datetime,
) -> Read:
    """Look at the parts of an identity that were allowed, as whoever asked and still investigates.

    Every look is an event; what was seen may be shown only after the transaction is committed.
    fields: None = all that were allowed. Raises NotAllowedToSee, NoSuchRequest, NotYoursToRead,
    KeptOut, SealDestroyed, SealDamaged.
    """
    values: dict[str, Any] = {}

    def decide(desk: Desk) -> list[Draft]:
        entries = log.read(conn, case_id)
        asked = requests_in(entries).get(request)
        if asked is None:
            raise NoSuchRequest
        _check_allowed(asked, fields, by, at)
        task, authority = reading_step(desk, by, INVESTIGATING)
        _check_apart(desk, authority)
        wanted = set(asked.fields if fields is None else fields)
        for one in _identity(entries):
            if one.field in wanted:
                values[one.name], _ = store.opened(vault, one.subject, one.commitment)
        who = actor(authority, task.capacity, channel=by.channel)
        return [Draft("identity.viewed", {"request": request, "fields": sorted(wanted)}, who, at)]

    done = change(conn, case_id, decide, at=at)
    return Read(done, values)


def _check_allowed(asked: Request, fields: Collection[str] | None, by: By, at: datetime) -> None:
    if by.person != asked.person:
        raise NotAllowedToSee(
            "身份只准提出申请的人查看。", "Only whoever asked may see the identity."
        )
    if asked.until is None:
        raise NotAllowedToSee("这个申请没有获准。", "This request was not allowed.")
    if at >= asked.until:
        raise NotAllowedToSee(
            "查看期限已过。仍有需要的，请重新申请。", "The time to look is over; ask again."
        )
    if fields is not None and (not fields or not set(fields) <= set(asked.fields)):
        raise NotAllowedToSee("没有获准查看这些信息。", "These parts were not allowed.")


def _identity(entries: Sequence[Entry]) -> list[Sealed]:
    return [one for one in sealed_in(entries) if one.seal == "identity"]


# --- the keeper's queue ---------------------------------------------------------------------------


def unsealing_requests(
    conn: Connection, directory: Directory, by: By, at: datetime
) -> list[Request]:
    """Open requests this person may decide, oldest first; cases that have ended are left out."""
    asked = (
        select(log.event_table.c.stream)
        .join(register_table, register_table.c.case == log.event_table.c.stream)
        .where(log.event_table.c.type == "unseal.requested", register_table.c.ended_at.is_(None))
        .distinct()
    )
    found = [
        request
        for case_id in conn.execute(asked).scalars()
        if keeps(conn, directory, case_id, by, at)
        for request in requests_in(log.read(conn, case_id)).values()
        if request.is_open and by.person not in (request.person, request.on_behalf_of)
    ]
    return sorted(found, key=lambda request: (request.at, request.case, request.seq))


def keeps(conn: Connection, people: Directory, case_id: str, by: By, at: datetime) -> bool:
    """Whether this person keeps the identities of this case, and is not one it is about."""
    case = read_case(conn, case_id)
    above = people.offices_over(case.place)
    keeper = people.authority(by.person, CUSTODY, above, at, by.on_behalf_of)
    return keeper is not None and not is_excluded(case, people, by.person, at)
