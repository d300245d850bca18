"""Time on the record: extension, pause, resume, 挂账, and clocks that run out.

Every change is a new deadline beside the old one, with who asked, who allowed and why.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from audit.encoding import instant, timestamp
from audit.entries import Draft
from engine.calendar import named
from engine.cases import NotYourTask, may_do, open_task
from engine.casework import Desk, Done, Work, change
from engine.directory import Authority
from engine.errors import BadInput, Conflict, NotAllowed
from engine.evidence import Evidence
from engine.holding import overseer
from engine.people import By, actor
from engine.reasons import reasoned
from engine.rights import deciding_duty
from engine.state import Clock, OpenTask

# processes.md H8x: at most two, then the standing list. Configuration of the product, not law.
MOST_EXTENSIONS = 2
LONGEST_EXTENSION = 365
LONGEST_PAUSE = timedelta(days=180)


class NoClock(Conflict):
    """The step has no running clock for this."""


class TooLate(Conflict):
    """The limit has passed; more time can no longer be asked for."""


class TooOften(Conflict):
    """The step has been extended as often as it may be."""


class RequestPending(Conflict):
    """A request is open already, or none is."""


class OwnRequest(NotAllowed):
    """Whoever asked, or is asked for, does not decide: not as a substitute either."""


def request_extension(
    conn: Connection,
    case_id: str,
    task: str,
    *,
    days: int,
    reason: str,
    interim: str,
    by: By,
    at: datetime,
    key: str | None = None,
) -> Done:
    """Ask for more days (of the step's own clock) before its limit, with interim measures.

    Raises NoClock, TooLate, TooOften, RequestPending, BadInput, NoReason, NotYourTask.
    """

    def decide(desk: Desk) -> list[Draft]:
        open_, authority = _own(desk, task, by)
        clock = _running(open_)
        if at > instant(clock.due):
            raise TooLate(
                "时限已过，不能再申请延期。请如实办理，逾期会如实记录。",
                "The limit has passed; it is too late to ask for more time.",
            )
        most, longest = extension_limits(desk, open_)
        if clock.extended >= most:
            raise TooOften(
                f"已延期 {most} 次，不能再延。确实办不了的，请审批人列入挂账。",
                f"Extended {most} times already; ask for the standing list instead.",
            )
        if not 1 <= days <= longest:
            raise BadInput(
                f"延期天数应在 1 到 {longest} 之间。",
                f"Ask for 1 to {longest} days.",
            )
        data = {
            "task": task,
            "days": days,
            "reason": reasoned(reason),
            "interim": reasoned(interim, what="期间的防范措施", english="interim measures"),
        }
        who = actor(authority, open_.capacity, channel=by.channel)
        return [Draft("extension.requested", data, who, at)]

    return change(conn, case_id, decide, at=at, key=key)


def extension_limits(desk: Desk, task: OpenTask) -> tuple[int, int]:
    """How often a step's time may be extended, and by how many days at once."""
    drawn = desk.context.definition.tasks[task.element]
    most = MOST_EXTENSIONS if drawn.extensions is None else drawn.extensions
    return most, drawn.extension_days or LONGEST_EXTENSION


def grant_extension(
    conn: Connection,
    case_id: str,
    task: str,
    reason: str,
    *,
    by: By,
    at: datetime,
    key: str | None = None,
) -> Done:
    """Allow the extension asked for, as approver; raises RequestPending, OwnRequest."""
    return _decide(conn, case_id, task, "extension", "granted", reason, by=by, at=at, key=key)


def refuse_extension(
    conn: Connection,
    case_id: str,
    task: str,
    reason: str,
    *,
    by: By,
    at: datetime,
    key: str | None = None,
) -> Done:
    """Refuse the extension asked for, as approver."""
    return _decide(conn, case_id, task, "extension", "refused", reason, by=by, at=at, key=key)


def request_pause(
    conn: Connection,
    case_id: str,
    task: str,
    *,
    counterparty: str,
    resume_by: datetime,
    reason: str,
    by: By,
    at: datetime,
    evidence: tuple[Evidence, ...] = (),
    key: str | None = None,
) -> Done:
    """Ask to stop the clock while a third party is waited for; needs proof of the contact.

    Raises NoClock, TooLate, RequestPending, BadInput (no evidence, date not ahead), NoReason.
    """

    def decide(desk: Desk) -> list[Draft]:
        open_, authority = _own(desk, task, by)
        clock = _running(open_)
        _check_pause(clock, resume_by, evidence, at)
        data = {
            "task": task,
            "counterparty": reasoned(counterparty, what="等待的对方", english="whom you wait for"),
            "resume_by": timestamp(resume_by),
            "reason": reasoned(reason),
        }
        who = actor(authority, open_.capacity, channel=by.channel)
        items = tuple(item.item() for item in evidence)
        return [Draft("pause.requested", data, who, at, items)]

    return change(conn, case_id, decide, at=at, key=key)


def _check_pause(
    clock: Clock, resume_by: datetime, evidence: tuple[Evidence, ...], at: datetime
) -> None:
    if at > instant(clock.due):
        raise TooLate(
            "时限已过，不能再暂停计时。", "The limit has passed; the clock can no longer stop."
        )
    if resume_by <= at:
        raise BadInput("恢复日期应在今后。", "The date to resume must lie ahead.")
    if resume_by > at + LONGEST_PAUSE:
        raise BadInput(
            f"一次最多暂停 {LONGEST_PAUSE.days} 天。等得更久的，请审批人列入挂账。",
            f"A pause lasts {LONGEST_PAUSE.days} days at most; then ask for the standing list.",
        )
    if not evidence:
        raise BadInput(
            "暂停计时须附与对方联系的凭据（来往函件、通话记录等）。",
            "A pause needs proof that the other party was contacted.",
        )


def grant_pause(
    conn: Connection,
    case_id: str,
    task: str,
    reason: str,
    *,
    by: By,
    at: datetime,
    key: str | None = None,
) -> Done:
    """Allow the pause asked for, as dispatcher; never by whoever asked."""
    return _decide(conn, case_id, task, "pause", "granted", reason, by=by, at=at, key=key)


def refuse_pause(
    conn: Connection,
    case_id: str,
    task: str,
    reason: str,
    *,
    by: By,
    at: datetime,
    key: str | None = None,
) -> Done:
    """Refuse the pause asked for, as dispatcher."""
    return _decide(conn, case_id, task, "pause", "refused", reason, by=by, at=at, key=key)


def resume(
    conn: Connection,
    case_id: str,
    task: str,
    reason: str,
    *,
    by: By,
    at: datetime,
    key: str | None = None,
) -> Done:
    """Let a stopped clock run on before its date. Raises NoClock, NotYourTask, NoReason."""

    def decide(desk: Desk) -> list[Draft]:
        open_ = open_task(desk, task)
        if open_.pause is None:
            raise NoClock("这一步没有暂停计时。", "The clock of this step is not stopped.")
        authority = _holder_or_overseer(desk, open_, by)
        data = {"task": task, "reason": reasoned(reason)}
        who = actor(authority, open_.capacity, channel=by.channel)
        return [Draft("clock.resumed", data, who, at)]

    return change(conn, case_id, decide, at=at, key=key)


def list_standing(
    conn: Connection,
    case_id: str,
    task: str,
    reason: str,
    *,
    review_class: str,
    by: By,
    at: datetime,
    key: str | None = None,
) -> Done:
    """挂账: put a step that cannot be done yet on the standing list, as approver.

    review_class: deadline class of its next review. Raises NotYourTask, OwnRequest, BadInput.
    """

    def decide(desk: Desk) -> list[Draft]:
        open_ = open_task(desk, task)
        authority = _approver(desk, open_, by, "approve")
        if review_class not in desk.context.definition.classes:
            raise BadInput("流程中没有这个时限类别。", "The process has no such deadline class.")
        data = {"task": task, "reason": reasoned(reason), "review_class": review_class}
        who = actor(authority, "approve", channel=by.channel)
        return [Draft("standing.listed", data, who, at)]

    return change(conn, case_id, decide, at=at, key=key)


def ring(conn: Connection, case_id: str, *, at: datetime) -> int:
    """Record every clock of a case that has run out; returns how many. What the worker does."""
    work = Work.take(conn, case_id, at)
    rung = work.ring()
    work.finish()
    return rung


def _decide(
    conn: Connection,
    case_id: str,
    task: str,
    kind: str,
    outcome: str,
    reason: str,
    *,
    by: By,
    at: datetime,
    key: str | None,
) -> Done:

    def decide(desk: Desk) -> list[Draft]:
        open_ = open_task(desk, task)
        request = open_.request
        if request is None or request.kind != kind:
            raise RequestPending(
                "现在没有待审批的申请，可能刚被审批过。", "There is no such request to decide now."
            )
        duty = deciding_duty(kind, confidential=desk.case.confidential)
        authority = _approver(desk, open_, by, duty)
        data: dict[str, Any] = {"task": task, "request": request.seq, "reason": reasoned(reason)}
        if (kind, outcome) == ("pause", "granted"):
            # No fact follows that would name the calendar by which the minutes used are counted.
            data["calendar"] = named(desk.context.calendar)
        who = actor(authority, "approve", channel=by.channel)
        return [Draft(f"{kind}.{outcome}", data, who, at)]

    return change(conn, case_id, decide, at=at, key=key)


def _approver(desk: Desk, task: OpenTask, by: By, duty: str) -> Authority:
    """A post with the duty over the place that did not ask itself, nor for whoever asked."""
    authority = overseer(desk, by, (duty,))
    asked = {task.holder, task.request.person if task.request else None} - {None}
    if asked & {authority.person, authority.on_behalf_of}:
        raise OwnRequest(
            "不能审批自己（或自己所代理的人）的申请，请由别的审批岗位办理。",
            "You cannot decide your own request, nor that of the person you stand in for.",
        )
    return authority


def _own(desk: Desk, task: str, by: By) -> tuple[OpenTask, Authority]:
    open_ = open_task(desk, task)
    if open_.request is not None:
        raise RequestPending(
            "这一步已有一个申请在等审批。", "A request for this step is waiting already."
        )
    if open_.holder is None:
        raise NotYourTask("请先认领这一步。", "Claim this step first.")
    return open_, may_do(desk, open_, by)


def _running(task: OpenTask) -> Clock:
    if task.clock is None or task.pause is not None:
        raise NoClock("这一步现在没有在走的时限。", "No clock is running for this step now.")
    return task.clock


def _holder_or_overseer(desk: Desk, task: OpenTask, by: By) -> Authority:
    tries: tuple[Callable[[], Authority], ...] = (
        lambda: may_do(desk, task, by),
        lambda: overseer(desk, by, ("dispatch", "supervise")),
    )
    try:
        return tries[0]()
    except NotAllowed:
        return tries[1]()
