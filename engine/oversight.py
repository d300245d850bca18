"""催办 and 督办: pressing a case, ordering it, and answering: an order stays until answered."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from audit.encoding import instant
from audit.entries import Draft
from engine.cases import may_do, open_task
from engine.casework import Desk, Done, change, look_at
from engine.clocks import set_deadline
from engine.directory import Authority, Directory
from engine.errors import BadInput, Conflict, NotAllowed, NotFound
from engine.holding import overseer, oversees
from engine.people import By, actor, directory
from engine.reasons import reasoned
from engine.rights import may_see, places_seen
from engine.search import Ordered, with_orders
from engine.state import OpenTask

URGING = ("supervise", "dispatch", "approve")
# Whoever holds no step of the case answers by one of these.
ANSWERING = ("dispatch",)


class UnknownClass(BadInput):
    """The process has no such deadline class."""


class NotShorter(Conflict):
    """An order would give more time than the running clock has."""


class NoSuchOrder(NotFound):
    """There is no open order with this number."""


@dataclass(frozen=True, slots=True)
class OpenOrder:
    """An order that waits for its answer; order: number of its event.

    given: by whoever looks. answers: they may answer it.
    """

    case: str
    order: int
    given: bool
    answers: bool


def orders_for(conn: Connection, *, by: By, at: datetime) -> list[OpenOrder]:
    """The orders under way that this person gave or may answer, of cases they may see."""
    people = directory(conn)
    ordered = with_orders(conn, places_seen(people, by, at), by.person)
    # The register tells of most cases who answers; the others have to be looked at themselves.
    looked_at = {one.case for one in ordered if one.guarded or one.holds}
    desks = {desk.case.case: desk for desk in look_at(conn, looked_at, at)}
    return [
        OpenOrder(one.case, int(seq), person == by.person, answers)
        for one in ordered
        for answers in _answers(one, desks.get(one.case), people, by, at)
        for seq, person in one.orders.items()
        if answers or person == by.person
    ]


def _answers(
    one: Ordered, desk: Desk | None, people: Directory, by: By, at: datetime
) -> Iterator[bool]:
    """Whether somebody may answer the orders of a case; nothing for one they may not see."""
    if desk is None:
        yield oversees(people, by, ANSWERING, people.path(one.unit), at) is not None
    elif may_see(desk.case, people, by, at):
        yield may_answer(desk, by)


def may_answer(desk: Desk, by: By) -> bool:
    """Whether this person could answer an order now: they hold a step, or dispatch there."""
    try:
        _answering(desk, by)
    except NotAllowed:
        return False
    return True


def _answering(desk: Desk, by: By) -> tuple[Authority, str]:
    """The post by which somebody answers an order, and as what. Raises NotAllowed."""
    held = [task for task in desk.case.tasks.values() if task.holder == by.person]
    if held:
        return may_do(desk, held[0], by), held[0].capacity
    return overseer(desk, by, ANSWERING), "dispatch"


def urge(
    conn: Connection, case_id: str, text: str, *, by: By, at: datetime, key: str | None = None
) -> Done:
    """Press a case: a dated note to whoever holds its steps. Raises NotYourTask, NoReason."""

    def decide(desk: Desk) -> list[Draft]:
        authority = overseer(desk, by, URGING)
        who = actor(authority, "supervise", channel=by.channel)
        return [Draft("case.urged", {"text": reasoned(text, what="催办内容")}, who, at)]

    return change(conn, case_id, decide, at=at, key=key)


def supervise(
    conn: Connection,
    case_id: str,
    text: str,
    *,
    by: By,
    at: datetime,
    legal_basis: str = "",
    task: str | None = None,
    deadline_class: str | None = None,
    key: str | None = None,
) -> Done:
    """督办: order a case to be done, with a new deadline for one step if a class is named.

    Raises NotYourTask (only supervising posts), StepNotOpen, UnknownClass, NotShorter, NoReason.
    """

    def decide(desk: Desk) -> list[Draft]:
        authority = overseer(desk, by, ("supervise",))
        data: dict[str, Any] = {"text": reasoned(text, what="督办要求")}
        if legal_basis.strip():
            data["legal_basis"] = reasoned(legal_basis)
        if deadline_class is not None:
            if deadline_class not in desk.context.definition.classes or task is None:
                raise UnknownClass(
                    "督办要改时限，须指明步骤和流程中已有的时限类别。",
                    "An order that sets a deadline names a step and a class the process has.",
                )
            _check_not_longer(desk, open_task(desk, task), deadline_class)
            data |= {"task": task, "deadline_class": deadline_class}
        return [
            Draft("case.supervised", data, actor(authority, "supervise", channel=by.channel), at)
        ]

    return change(conn, case_id, decide, at=at, key=key)


def answer_supervision(
    conn: Connection,
    case_id: str,
    order: int,
    text: str,
    *,
    by: By,
    at: datetime,
    key: str | None = None,
) -> Done:
    """Answer an order, as somebody who holds a step of the case or oversees it.

    order: number of its case.supervised event. Raises NoSuchOrder, NotAllowed, NoReason.
    """

    def decide(desk: Desk) -> list[Draft]:
        if str(order) not in desk.case.orders:
            raise NoSuchOrder(
                f"没有编号为 {order} 的待答复督办。", f"There is no open order number {order}."
            )
        authority, capacity = _answering(desk, by)
        data = {"order": order, "text": reasoned(text, what="答复内容")}
        who = actor(authority, capacity, channel=by.channel)
        return [Draft("supervision.answered", data, who, at)]

    return change(conn, case_id, decide, at=at, key=key)


def _check_not_longer(desk: Desk, task: OpenTask, deadline_class: str) -> None:
    """An order may shorten a running clock, or set one anew that has run out; never give time."""
    clock = task.clock
    if clock is None or desk.at > instant(clock.due):
        return
    wanted = desk.context.definition.classes[deadline_class]
    told = set_deadline(desk.context.calendar, wanted, task=task.key, start=desk.at)
    if told["due"] > clock.due:
        raise NotShorter(
            "督办只能缩短还在走的时限。要延长的，请由承办人申请延期。",
            "An order can only shorten a running limit; more time is asked for by the holder.",
        )
