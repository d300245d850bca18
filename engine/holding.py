"""Who holds a step: claim, release, reassign, delegate. Each with its reason on the record."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from audit.entries import Draft
from engine.cases import NotYourTask, may_do, open_task, separated
from engine.casework import Desk, Done, change
from engine.directory import Authority, Directory, each_once
from engine.errors import Conflict, NotAllowed
from engine.exclusion import answering_units, check_not_excluded, is_excluded
from engine.fitness import kept_apart
from engine.people import By, actor
from engine.reasons import reasoned
from engine.rights import check_may_see
from engine.state import OpenTask

# Duties whose holders may hand a step of their units to another person.
REASSIGNING = ("dispatch", "supervise")


class AlreadyHeld(Conflict):
    """Somebody else was faster."""


class NotFit(NotAllowed):
    """The person named may not do this step."""


def claim_task(
    conn: Connection, case_id: str, task: str, *, by: By, at: datetime, key: str | None = None
) -> Done:
    """Take a free step. Raises StepNotOpen, AlreadyHeld, NotYourTask, Separated."""

    def decide(desk: Desk) -> list[Draft]:
        open_ = open_task(desk, task)
        if open_.holder is not None:
            name = desk.directory.name(open_.holder)
            raise AlreadyHeld(
                f"这一步刚被{name}认领了。请看看别的待办。",
                f"{name} has just claimed this step. Look for another one.",
            )
        who = actor(may_do(desk, open_, by), open_.capacity, channel=by.channel)
        return [Draft("task.claimed", {"task": task}, who, at)]

    return change(conn, case_id, decide, at=at, key=key)


def release_task(
    conn: Connection,
    case_id: str,
    task: str,
    reason: str,
    *,
    by: By,
    at: datetime,
    key: str | None = None,
) -> Done:
    """Give a claimed step back to everybody with its duty. Raises NotYourTask, NoReason."""

    def decide(desk: Desk) -> list[Draft]:
        open_ = open_task(desk, task)
        authority = _holder(desk, open_, by)
        who = actor(authority, open_.capacity, channel=by.channel)
        return [Draft("task.released", {"task": task, "reason": reasoned(reason)}, who, at)]

    return change(conn, case_id, decide, at=at, key=key)


def delegate_task(
    conn: Connection,
    case_id: str,
    task: str,
    to: str,
    reason: str,
    *,
    by: By,
    at: datetime,
    key: str | None = None,
) -> Done:
    """Hand an own step to another person who may do it. Raises NotYourTask, NotFit, NoReason."""

    def decide(desk: Desk) -> list[Draft]:
        open_ = open_task(desk, task)
        authority = _holder(desk, open_, by)
        _check_fit(desk, open_, to)
        who = actor(authority, open_.capacity, channel=by.channel)
        data = {"task": task, "to": to, "reason": reasoned(reason)}
        return [Draft("task.delegated", data, who, at)]

    return change(conn, case_id, decide, at=at, key=key)


def reassign_task(
    conn: Connection,
    case_id: str,
    task: str,
    to: str,
    reason: str,
    *,
    by: By,
    at: datetime,
    key: str | None = None,
) -> Done:
    """Give anybody's step to another person, as dispatcher or supervisor of the street.

    Raises NotYourTask for others, NotFit if the person named may not do it, NoReason.
    """

    def decide(desk: Desk) -> list[Draft]:
        open_ = open_task(desk, task)
        authority = overseer(desk, by, REASSIGNING)
        _check_fit(desk, open_, to)
        who = actor(authority, "dispatch", channel=by.channel)
        data = {"task": task, "to": to, "reason": reasoned(reason)}
        return [Draft("task.reassigned", data, who, at)]

    return change(conn, case_id, decide, at=at, key=key)


def overseer(desk: Desk, by: By, duties: tuple[str, ...]) -> Authority:
    """The post by which this person oversees the case: one of the duties, over its place.

    Nobody oversees a confidential case that they may not see. Raises NotYourTask, KeptOut,
    NotYoursToSee.
    """
    if desk.case.confidential:
        check_may_see(desk.case, desk.directory, by, desk.at)
    return post_over(desk, by, duties)


def post_over(desk: Desk, by: By, duties: tuple[str, ...]) -> Authority:
    """A post with one of the duties over the case's place, whether or not its holder sees the case.

    Raises NotYourTask, KeptOut.
    """
    check_not_excluded(desk.case, desk.directory, by.person, desk.at)
    found = oversees(desk.directory, by, duties, desk.case.place, desk.at)
    if found:
        return found
    raise NotYourTask(
        "只有本街道的指派岗位或督查岗位可以这样做。",
        "Only a dispatching or supervising post of this street may do this.",
    )


def oversees(
    people: Directory, by: By, duties: Sequence[str], place: Sequence[str], at: datetime
) -> Authority | None:
    """A post with one of the duties over a place, told as the path up to its street; or None."""
    above = people.offices_over(place)
    found = (people.authority(by.person, duty, above, at, by.on_behalf_of) for duty in duties)
    return next((one for one in found if one), None)


def _holder(desk: Desk, task: OpenTask, by: By) -> Authority:
    if task.holder is None:
        raise NotYourTask("这一步还没有人认领。", "Nobody has claimed this step.")
    return may_do(desk, task, by)


def fit_for(desk: Desk, task: OpenTask) -> list[Authority]:
    """Who an open step may be handed to now, each once: holders of its duty, then substitutes."""
    units = answering_units(desk.case, desk.directory, task, desk.at)
    held = each_once(desk.directory.holders(task.duty, units, desk.at))
    return [one for one in held if why_unfit(desk, task, one.person) is None]


def _check_fit(desk: Desk, task: OpenTask, to: str) -> None:
    refusal = why_unfit(desk, task, to)
    if refusal is not None:
        raise refusal


def why_unfit(desk: Desk, task: OpenTask, to: str) -> NotFit | None:
    """Why a step cannot be handed to this person, or None."""
    people = desk.directory
    name = people.name(to)
    drawn = desk.context.definition.tasks[task.element]
    last = desk.case.last.get(drawn.same_as) if drawn.same_as else None
    if drawn.same_as and (last is None or last.person != to):
        same = desk.context.definition.tasks[drawn.same_as].name
        return NotFit(
            f"{name}没有办过“{same}”，这一步不能交给他。",
            f"{name} did not do “{same}”; the step cannot be handed to them.",
        )
    if is_excluded(desk.case, people, to, desk.at):
        return NotFit(
            f"{name}须回避本案，请另选。", f"{name} is kept out of this case; choose somebody else."
        )
    if to == task.holder:
        return NotFit(f"这一步已经在{name}手里。", f"{name} holds this step already.")
    units = answering_units(desk.case, people, task, desk.at)
    found = people.authority(to, task.duty, units, desk.at)
    if found is None:
        return NotFit(
            f"{name}现在没有办这一步的岗位，不能交给他。请选有此岗位的人。",
            f"{name} holds no post for this step now. Choose somebody who does.",
        )
    barred = kept_apart(desk, drawn, to, found.on_behalf_of)
    if barred:
        refusal = separated(desk, drawn, barred)
        return NotFit(f"{name}：{refusal.chinese}", f"{name}: {refusal.english}")
    return None
