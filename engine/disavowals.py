"""不认可代录: a colleague says that what was typed as their word is not theirs.

It takes nothing back and moves nothing: what was typed stays, and so does that they deny it.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from audit import log
from audit.entries import Draft, Entry
from engine.casework import Desk, Done, change
from engine.errors import Conflict, NotAllowed
from engine.people import By, actor, oneself
from engine.reasons import reasoned
from engine.rights import check_may_see

DISAVOWED = "word.disavowed"


class NotYourWord(NotAllowed):
    """Only the colleague named as having said it may deny it."""

    def __init__(self) -> None:
        super().__init__(
            "这一条不是替您录的，不用由您说明。请核对是哪一条。",
            "That entry was not typed as your word. Check which one you mean.",
        )


class AlreadyDisavowed(Conflict):
    """It was denied before."""

    def __init__(self) -> None:
        super().__init__(
            "您已经说明过这一条不是您说的，记录在案，不用再说。",
            "You have denied this entry before; it is on the record.",
        )


def disavow(
    conn: Connection,
    case_id: str,
    entry: int,
    reason: str,
    *,
    by: By,
    at: datetime,
    key: str | None = None,
) -> Done:
    """Say that an entry typed as one's own word is not; entry: its number.

    Raises NotYoursToSee, NotYourWord, AlreadyDisavowed, NoReason.
    """

    def decide(desk: Desk) -> list[Draft]:
        check_may_see(desk.case, desk.directory, by, desk.at)
        entries = log.read(conn, case_id)
        if entry not in {one.seq for one in typed_for(entries, by.person)}:
            raise NotYourWord
        if entry in _disavowed(entries):
            raise AlreadyDisavowed
        held = desk.directory.capacities(by.person, desk.at)
        own = next((one for one in held if one.on_behalf_of is None), None)
        who = actor(own, "informant", channel=by.channel) if own else oneself(by, "informant")
        return [Draft(DISAVOWED, {"entry": entry, "reason": reasoned(reason)}, who, at)]

    return change(conn, case_id, decide, at=at, key=key)


def deniable(entries: Sequence[Entry], person: str) -> list[Entry]:
    """What was typed as this person's word and they have not denied, the last first."""
    denied = _disavowed(entries)
    found = [one for one in typed_for(entries, person) if one.seq not in denied]
    return found[::-1]


def typed_for(entries: Sequence[Entry], person: str) -> list[Entry]:
    """What was typed as this person's word: reports and steps; a claim belongs to its step."""
    return [
        one
        for one in entries
        if one.type != "task.claimed" and one.actor.get("informant", {}).get("person") == person
    ]


def _disavowed(entries: Sequence[Entry]) -> set[int]:
    return {one.data["entry"] for one in entries if one.type == DISAVOWED}
