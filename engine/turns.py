"""退回 撤回 异议 重开: turns a process has drawn as messages. What is not drawn is refused.

None of them jumps: the command lets the drawn message happen, and the token goes where its flow
leads.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from audit.encoding import instant
from audit.entries import Draft
from engine import forms
from engine.calendar import due
from engine.cases import NotYourTask, may_do, open_task
from engine.casework import Desk, Done, change
from engine.clocks import allowed_minutes
from engine.definitions import Definition, Message
from engine.directory import Authority
from engine.errors import Conflict, NotAllowed
from engine.holding import overseer
from engine.openers import opener
from engine.people import By, actor
from engine.reasons import reasoned
from engine.sealed_answers import sealed
from engine.state import OpenTask
from engine.vault import Vault


class NotDrawn(Conflict):
    """The process has no such turn here, or not any more."""


class WindowClosed(Conflict):
    """The time in which this could be done has passed."""


class AlreadyBegun(Conflict):
    """The next step is in somebody's hands already."""


def return_task(
    conn: Connection,
    case_id: str,
    task: str,
    reason: str,
    *,
    by: By,
    at: datetime,
    key: str | None = None,
) -> Done:
    """退回: send a step back the way the process has drawn, as the one who would do it."""

    def decide(desk: Desk) -> list[Draft]:
        open_ = open_task(desk, task)
        message = _drawn(desk, "return", open_)
        who = actor(may_do(desk, open_, by), open_.capacity, channel=by.channel)
        data = {"task": task, "message": message, "reason": reasoned(reason)}
        return [Draft("task.returned", data, who, at)]

    return change(conn, case_id, decide, at=at, key=key)


def withdraw(
    conn: Connection,
    case_id: str,
    task: str,
    reason: str,
    *,
    by: By,
    at: datetime,
    key: str | None = None,
) -> Done:
    """撤回: take back an own step while the next one, `task`, is in nobody's hands yet.

    Raises NotDrawn, AlreadyBegun, NotYourTask for anybody but its last completer.
    """

    def decide(desk: Desk) -> list[Draft]:
        open_ = open_task(desk, task)
        message = _drawn(desk, "withdraw", open_)
        drawn = desk.context.definition.messages[desk.case.messages[message]]
        authority = _last_completer(desk, drawn, by)
        if _begun(desk, open_):
            raise AlreadyBegun(
                "下一步已有人在办，不能撤回。请与经办人联系，由其退回。",
                "Somebody is working on the next step; ask them to send it back instead.",
            )
        data = {"task": task, "message": message, "reason": reasoned(reason)}
        who = actor(authority, authority.duty, channel=by.channel)
        return [Draft("task.withdrawn", data, who, at)]

    return change(conn, case_id, decide, at=at, key=key)


def raise_objection(
    conn: Connection,
    case_id: str,
    task: str,
    form: Mapping[str, Any],
    *,
    by: By,
    at: datetime,
    key: str | None = None,
) -> Done:
    """异议: the unit given a step says why it is not theirs, within the window, once.

    Raises NotDrawn (after a ruling there is no further objection), WindowClosed, FormRefused.
    """

    def decide(desk: Desk) -> list[Draft]:
        open_ = open_task(desk, task)
        message = _drawn(desk, "object", open_)
        drawn = desk.context.definition.messages[desk.case.messages[message]]
        _check_window(desk, drawn, open_.opened)
        who = actor(may_do(desk, open_, by), open_.capacity, channel=by.channel)
        data = {"task": task, "message": message, "form": _form(desk, drawn, form)}
        return [Draft("objection.raised", data, who, at)]

    return change(conn, case_id, decide, at=at, key=key)


def rulings(definition: Definition) -> frozenset[str]:
    """The steps at which an objection is ruled on: those a drawn objection leads to first."""
    todo = [one.id for one in definition.messages.values() if one.message == "object"]
    found, met = set(), set(todo)
    while todo:
        for flow in definition.elements[todo.pop()].outgoing:
            target = definition.flows[flow].target
            if target in definition.tasks:
                found.add(target)
            elif target not in met:
                met.add(target)
                todo.append(target)
    return frozenset(found)


def dispute_result(
    conn: Connection,
    case_id: str,
    form: Mapping[str, Any],
    *,
    by: By,
    at: datetime,
    key: str | None = None,
) -> Done:
    """The reporter does not accept the result, while the process waits for that; once a window.

    form: the answers the drawn message asks for, `reason` among them. Raises NotDrawn, NotAllowed
    for anybody but the reporter, FormRefused, NoReason.
    """

    def decide(desk: Desk) -> list[Draft]:
        data = disputed(desk, form)
        reporters = {doer.person for doer in desk.case.doers.get("report", ())}
        held = desk.directory.capacities(by.person, at)
        if by.person not in reporters or not held:
            raise NotAllowed(
                "只有上报人可以对结果提出异议。代居民提出的，由代录人办理。",
                "Only the reporter may dispute the result.",
            )
        return [Draft("result.disputed", data, actor(held[0], "report", channel=by.channel), at)]

    return change(conn, case_id, decide, at=at, key=key)


def disputed(desk: Desk, form: Mapping[str, Any]) -> dict[str, Any]:
    """What `result.disputed` records where the process waits for that.

    Raises NotDrawn, FormRefused, NoReason.
    """
    message = _open_message(desk, "dispute")
    drawn = desk.context.definition.messages[desk.case.messages[message]]
    answers = _form(desk, drawn, form) if drawn.form else dict(form)
    data: dict[str, Any] = {"message": message, "reason": reasoned(str(answers.pop("reason", "")))}
    return data | ({"form": answers} if drawn.form and answers else {})


def disputable(desk: Desk) -> bool:
    """Whether the process waits for the reporter to dispute the result."""
    drawn = desk.context.definition.messages
    return any(drawn[element].message == "dispute" for element in desk.case.messages.values())


def reopen(
    conn: Connection,
    case_id: str,
    reason: str,
    *,
    by: By,
    at: datetime,
    key: str | None = None,
) -> Done:
    """重开: the closing does not hold; as supervisor, while the process still watches over it.

    Raises NotDrawn once the process has ended: then a new report names the old case.
    """

    def decide(desk: Desk) -> list[Draft]:
        message = _open_message(desk, "reopen")
        authority = overseer(desk, by, ("supervise", "approve"))
        data = {"message": message, "reason": reasoned(reason)}
        return [Draft("case.reopened", data, actor(authority, "supervise", channel=by.channel), at)]

    return change(conn, case_id, decide, at=at, key=key)


def recall(
    conn: Connection,
    case_id: str,
    reason: str,
    *,
    by: By,
    at: datetime,
    key: str | None = None,
) -> Done:
    """撤销: take the whole case back, as whoever opened it, while the process waits for that.

    Raises NotDrawn, NotTheOpener, NoReason.
    """

    def decide(desk: Desk) -> list[Draft]:
        message = _open_message(desk, "recall")
        who = actor(opener(desk, by), "report", channel=by.channel)
        return [Draft("case.recalled", {"message": message, "reason": reasoned(reason)}, who, at)]

    return change(conn, case_id, decide, at=at, key=key)


def complain(
    conn: Connection,
    case_id: str,
    message: str,
    form: Mapping[str, Any],
    *,
    complainant: Mapping[str, Any],
    at: datetime,
    vault: Vault | None = None,
    key: str | None = None,
) -> Done:
    """What a complainant may say to the process by their receipt code, where it is drawn.

    message: dispute (the result is not accepted), recusal (somebody is to keep out of the case) or
    retaliation. complainant: the actor that reported the case. Raises NotDrawn, FormRefused.
    """

    def decide(desk: Desk) -> list[Draft]:
        waiting = _open_message(desk, message)
        drawn = desk.context.definition.messages[desk.case.messages[waiting]]
        reporters = {doer.person for doer in desk.case.doers.get("report", ())}
        if complainant["person"] not in reporters:
            raise NotAllowed("只有投诉人本人可以提出。", "Only the complainant may do this.")
        answers = _form(desk, drawn, form)
        if drawn.form:
            asked = desk.context.definition.forms[drawn.form]
            answers = sealed(conn, asked, answers, case_id, vault, at=at)
        data: dict[str, Any] = {"message": waiting, "form": answers}
        if message == "dispute":
            data["reason"] = WRITTEN
        return [Draft(SAID[message], data, dict(complainant), at)]

    return change(conn, case_id, decide, at=at, key=key)


# What a complainant's message is recorded as; their words are sealed, so no reason is in clear.
SAID = {
    "dispute": "result.disputed",
    "recusal": "recusal.demanded",
    "retaliation": "retaliation.reported",
}
WRITTEN = "（内容密封）"


def turns_open(desk: Desk, task: OpenTask) -> set[str]:
    """Which turns (return, withdraw, object) the process has drawn at this open step."""
    drawn = desk.context.definition.messages
    waiting = (drawn[element] for element in desk.case.messages.values())
    return {message.message for message in waiting if message.attached_to == task.element}


def _drawn(desk: Desk, name: str, task: OpenTask) -> str:
    drawn = desk.context.definition.messages
    for key, element in desk.case.messages.items():
        if drawn[element].message == name and drawn[element].attached_to == task.element:
            return key
    raise NotDrawn(*_NOT_DRAWN[name])


def _open_message(desk: Desk, name: str) -> str:
    drawn = desk.context.definition.messages
    for key, element in desk.case.messages.items():
        if drawn[element].message == name:
            return key
    raise NotDrawn(*_NOT_DRAWN[name])


_NOT_DRAWN = {
    "return": (
        "这一步不能退回：流程没有画退回的路。请办理，或转交他人。",
        "This step cannot be sent back: the process has no such path.",
    ),
    "withdraw": (
        "这一步不能撤回：流程没有画撤回的路。",
        "This step cannot be taken back: the process has no such path.",
    ),
    "object": (
        "这一步不能再提异议：已经裁定，或流程没有画异议的路。请签收办理。",
        "No objection is possible here any more: it was ruled on, or the process has no such path.",
    ),
    "dispute": (
        "现在不在可以对结果提出异议的期限内。",
        "The result cannot be disputed now.",
    ),
    "recall": (
        "现在不能撤销：已经有人到场，或流程没有画撤销的路。",
        "It cannot be taken back now: somebody has come, or the process has no such path.",
    ),
    "recusal": ("现在不能要求回避。", "No recusal can be demanded now."),
    "retaliation": (
        "现在不在可以反映打击报复的期限内。请另行投诉。",
        "Retaliation can no longer be told here; make a new complaint.",
    ),
    "reopen": (
        "本案现在不能重开：还没有销号，或已过回访期。回访期后请重新上报，并写明原案件号。",
        "This case is not closed yet, or its after-care has ended: report anew and name it.",
    ),
}


def _last_completer(desk: Desk, message: Message, by: By) -> Authority:
    last = desk.case.last.get(message.by or "")
    if last is None or by.person != last.person:
        raise NotYourTask(
            "只有上一步的经办人本人可以撤回。", "Only whoever completed the step may take it back."
        )
    held = desk.directory.capacities(by.person, desk.at)
    lane = desk.context.definition.lanes[desk.context.definition.tasks[message.by or ""].lane]
    for authority in held:
        if authority.duty == lane.duty and authority.on_behalf_of == last.on_behalf_of:
            return authority
    raise NotYourTask(
        "您现在已不在办上一步的岗位上，不能撤回。",
        "You no longer hold the post by which you did that step.",
    )


def _begun(desk: Desk, task: OpenTask) -> bool:
    """A step named to somebody in advance is not begun; one that was claimed is."""
    drawn = desk.context.definition.tasks[task.element]
    named = drawn.holder.evaluate(desk.case.variables) if drawn.holder else None
    return task.holder is not None and task.holder != named


def _check_window(desk: Desk, message: Message, opened: str) -> None:
    if message.window is None:
        return
    window = desk.context.definition.classes[message.window]
    calendar = desk.context.calendar
    minutes = allowed_minutes(window, calendar)
    if desk.at > due(calendar, window.clock, instant(opened), minutes).at:
        raise WindowClosed(
            f"异议应在{window.title}内提出，现已超过。请签收办理。",
            f"An objection has to be raised within {window.title_en}; that has passed.",
        )


def _form(desk: Desk, message: Message, values: Mapping[str, Any]) -> dict[str, Any]:
    if message.form is None:
        return {}
    return forms.clean(desk.context.definition.forms[message.form], values)
