"""催办 and 督办: pressing a case, ordering it, and answering: an order stays until answered."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from audit.encoding import instant
from audit.entries import Draft
from engine.cases import may_do, open_task
from engine.casework import Desk, Done, change
from engine.clocks import set_deadline
from engine.errors import BadInput, Conflict, NotFound
from engine.holding import overseer
from engine.people import By, actor
from engine.reasons import reasoned
from engine.state import OpenTask

URGING = ("supervise", "dispatch", "approve")


class UnknownClass(BadInput):
    """The process has no such deadline class."""


class NotShorter(Conflict):
    """An order would give more time than the running clock has."""


class NoSuchOrder(NotFound):
    """There is no open order with this number."""


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
        held = [task for task in desk.case.tasks.values() if task.holder == by.person]
        authority = may_do(desk, held[0], by) if held else overseer(desk, by, ("dispatch",))
        data = {"order": order, "text": reasoned(text, what="答复内容")}
        who = actor(authority, held[0].capacity if held else "dispatch", channel=by.channel)
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
