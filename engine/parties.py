"""加签 减签: adding a party to those asked, and taking one off, while the others work.

Each party has a case of its own; adding one opens another, taking one off tells its case so. Who
may do it is drawn: `joinable` of the send that asked them.
"""

from datetime import datetime

from sqlalchemy import Connection

from audit.entries import Draft
from engine.casework import Desk, Done, change
from engine.definitions import Send
from engine.directory import Authority
from engine.errors import BadInput, Conflict, NotAllowed
from engine.exclusion import check_not_excluded, is_excluded
from engine.people import By, actor
from engine.reasons import reasoned
from engine.state import Child


class NotJoinable(Conflict):
    """Nobody has been asked by this send yet, or all have ended, or none may be added."""


class AlreadyAsked(Conflict):
    """The party is at work on this already."""


class NoSuchParty(BadInput):
    """No such unit or person, or no open case of theirs."""


def add_party(
    conn: Connection,
    case_id: str,
    group: str,
    party: str,
    reason: str,
    *,
    by: By,
    at: datetime,
    key: str | None = None,
) -> Done:
    """加签: ask one more unit or person. group: id of the send that asked the others.

    Raises NotJoinable, AlreadyAsked, NoSuchParty, NotAllowed, NoReason.
    """

    def decide(desk: Desk) -> list[Draft]:
        drawn = _group(desk, group)
        authority = _convener(desk, drawn, by)
        _check_party(desk, group, party)
        data = {"group": group, "party": party, "reason": reasoned(reason)}
        return [
            Draft("party.added", data, actor(authority, authority.duty, channel=by.channel), at)
        ]

    return change(conn, case_id, decide, at=at, key=key)


def remove_party(
    conn: Connection,
    case_id: str,
    child: int,
    reason: str,
    *,
    by: By,
    at: datetime,
    key: str | None = None,
) -> Done:
    """减签: take a party off. child: number of the `message.sent` that opened its case.

    What it did stays on the record. Raises NoSuchParty, NotAllowed, NoReason.
    """

    def decide(desk: Desk) -> list[Draft]:
        found = _child(desk, child)
        authority = _convener(desk, _group(desk, found.group), by)
        data = {"child": child, "reason": reasoned(reason)}
        who = actor(authority, authority.duty, channel=by.channel)
        return [Draft("party.removed", data, who, at)]

    return change(conn, case_id, decide, at=at, key=key)


def may_convene(desk: Desk, group: str, by: By) -> bool:
    """Whether this person may add and remove parties of a group now."""
    try:
        _convener(desk, _group(desk, group), by)
    except (NotAllowed, NotJoinable):
        return False
    return True


def open_groups(desk: Desk) -> list[str]:
    """The sends whose parties may be added to and taken off now."""
    drawn = desk.context.definition.sends.values()
    return [send.id for send in drawn if send.joinable and _is_open(desk, send.id)]


def _group(desk: Desk, group: str) -> Send:
    drawn = desk.context.definition.sends.get(group)
    if drawn is None or not drawn.joinable or not _is_open(desk, group):
        raise NotJoinable(
            "现在不能加签或减签：还没有请各方办理，或各方都已办完。",
            "Parties can be neither added nor taken off here: none is asked, or all have ended.",
        )
    return drawn


def _is_open(desk: Desk, group: str) -> bool:
    return not desk.case.ended and any(
        child.open and child.group == group for child in desk.case.children.values()
    )


def _convener(desk: Desk, drawn: Send, by: By) -> Authority:
    people, case = desk.directory, desk.case
    check_not_excluded(case, people, by.person, desk.at)
    units = people.offices_over(case.place)
    duty = drawn.joinable or ""
    found = people.authority(by.person, duty, units, desk.at, by.on_behalf_of)
    if found is None:
        raise NotAllowed(
            "您现在没有可以加签、减签的岗位。", "You hold no post by which parties are added."
        )
    return found


def _check_party(desk: Desk, group: str, party: str) -> None:
    people = desk.directory
    if party not in people.units and not people.posts_of(party, desk.at):
        raise NoSuchParty(
            "没有这个单位或在岗人员，请重新选。", "No such unit or person; choose again."
        )
    if party not in people.units and is_excluded(desk.case, people, party, desk.at):
        raise NoSuchParty(
            f"{people.name(party)}须回避本案，请另选。",
            f"{people.name(party)} is kept out of this case; choose somebody else.",
        )
    children = desk.case.children.values()
    if any(c.open and not c.removed and (c.group, c.party) == (group, party) for c in children):
        raise AlreadyAsked(
            "已经请了这一方，还在办理中。", "This party is asked already, and at work."
        )


def _child(desk: Desk, child: int) -> Child:
    found = desk.case.children.get(str(child))
    if found is None or not found.open or found.removed:
        raise NoSuchParty(
            "没有这一方，或已经办完、已经减去。", "No such party, or it has ended or was taken off."
        )
    return found
