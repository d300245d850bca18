"""Every act on a step, as on its page."""

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from typing import Any, Literal

from pydantic import Field, field_validator

from engine import holding, timekeeping, turns
from engine.cases import complete_task, may_do, open_task
from engine.casework import Done
from engine.forms import Form, FormRefused
from web.acts import acts_on
from web.api.files import named
from web.api.operations import Command, acts, subject
from web.api.shapes import Acting, Asked, StepPath, Word, Words
from web.api.steps import PATH
from web.desk import desk_of, to_do
from web.drawn import form_of
from web.forms import read_told
from web.quantities import ZONE
from web.related import find_case
from web.tasks import CONTACT
from web.texts import later
from web.uploads import MOST_FILES, asked_purposes
from web.visit import at, by, reads, vault

operations = subject("step-acts", later("步骤操作"))
SCOPE = "tasks:act"
LAST_DAY = date(2100, 1, 1)


class Completion(Asked):
    """form: the answers by field. evidence: tokens of files. code: what was shown on the spot.

    informant: the colleague who did it and says so, where the token's person only types it (代录).
    """

    form: dict[str, Any]
    evidence: list[Words] = Field(default_factory=list, max_length=MOST_FILES)
    note: Words = ""
    code: Word = ""
    informant: Word = ""


class Reason(Asked):
    """Why."""

    reason: Words


class Handing(Reason):
    """to: the person it is handed to."""

    to: Word


class Objection(Asked):
    """form: the answers to the form the process has drawn for it."""

    form: dict[str, Any]


class Extension(Reason):
    """days: of the step's own clock. interim: what is done meanwhile so that nothing happens."""

    days: int = Field(ge=1, le=9999)
    interim: Words


class Decision(Reason):
    """How a request is decided."""

    outcome: Literal["granted", "refused"]


class Pause(Reason):
    """counterparty: who is waited for. resume_by: the last day waited for. evidence: tokens."""

    counterparty: Words
    resume_by: str = Field(json_schema_extra={"format": "date"})
    evidence: list[Words] = Field(default_factory=list, max_length=MOST_FILES)

    @field_validator("resume_by")
    @classmethod
    def is_a_day(cls, told: str) -> str:
        """A day written 2026-11-28, within this century."""
        if date.fromisoformat(told) > LAST_DAY:
            raise ValueError("too far ahead")
        return told


class Standing(Reason):
    """review_class: the deadline class by which it is looked at again."""

    review_class: Word


@acts(operations, f"{PATH}/completion", later("办完一步"), SCOPE)
def complete(path: StepPath, header: Acting, body: Completion) -> Command:
    """Do the step with its form."""
    informant = body.informant or None
    desk, open_ = to_do(path.case_id, path.task, informant)
    definition = desk.context.definition
    form = definition.forms[definition.tasks[open_.element].form]
    values, errors = read_told(form, body.form, now=at(), find_case=find_case)
    received, unfit = named(body.evidence, asked_purposes(form))
    if errors or unfit:
        raise FormRefused([*errors, *unfit])
    return lambda conn, key: complete_task(
        conn, path.case_id, path.task, values, by=by(), at=at(), evidence=received,
        note=body.note.strip(), code=body.code, vault=vault(), key=key, informant=informant,
    )  # fmt: skip


@acts(operations, f"{PATH}/claim", later("认领一步"), SCOPE)
def claim(path: StepPath, header: Acting) -> Command:
    """Take a free step."""
    return lambda conn, key: holding.claim_task(
        conn, path.case_id, path.task, by=by(), at=at(), key=key
    )


@acts(operations, f"{PATH}/release", later("放回一步"), SCOPE)
def release(path: StepPath, header: Acting, body: Reason) -> Command:
    """Give a claimed step back."""
    return _with_reason(holding.release_task, path, body)


@acts(operations, f"{PATH}/return", later("退回"), SCOPE)
def send_back(path: StepPath, header: Acting, body: Reason) -> Command:
    """退回."""
    return _with_reason(turns.return_task, path, body)


@acts(operations, f"{PATH}/withdrawal", later("撤回"), SCOPE)
def withdraw(path: StepPath, header: Acting, body: Reason) -> Command:
    """撤回."""
    return _with_reason(turns.withdraw, path, body)


@acts(operations, f"{PATH}/resumption", later("恢复计时"), SCOPE)
def resume(path: StepPath, header: Acting, body: Reason) -> Command:
    """Let a stopped clock run on."""
    return _with_reason(timekeeping.resume, path, body)


@acts(operations, f"{PATH}/delegation", later("转交自己的一步"), SCOPE)
def delegate(path: StepPath, header: Acting, body: Handing) -> Command:
    """Hand an own step to somebody else."""
    return _to_somebody(holding.delegate_task, path, body)


@acts(operations, f"{PATH}/reassignment", later("改派别人的一步"), SCOPE)
def reassign(path: StepPath, header: Acting, body: Handing) -> Command:
    """Give anybody's step to somebody else."""
    return _to_somebody(holding.reassign_task, path, body)


@acts(operations, f"{PATH}/objection", later("提出异议"), SCOPE)
def object_(path: StepPath, header: Acting, body: Objection) -> Command:
    """异议."""
    with reads() as conn:
        desk = desk_of(conn, path.case_id)
        message = acts_on(desk, open_task(desk, path.task), by()).objection
    if message is None:
        raise turns.NotDrawn(
            "现在不能提出异议。请办理，或与指派岗位联系。", "No objection is possible here now."
        )
    values = checked(body.form, form_of(desk, message))
    return lambda conn, key: turns.raise_objection(
        conn, path.case_id, path.task, values, by=by(), at=at(), key=key
    )


@acts(operations, f"{PATH}/extension", later("申请延期"), SCOPE)
def extend(path: StepPath, header: Acting, body: Extension) -> Command:
    """Ask for more days."""
    return lambda conn, key: timekeeping.request_extension(
        conn, path.case_id, path.task, days=body.days, reason=body.reason, interim=body.interim,
        by=by(), at=at(), key=key,
    )  # fmt: skip


@acts(operations, f"{PATH}/extension/decision", later("审批延期申请"), SCOPE)
def decide_extension(path: StepPath, header: Acting, body: Decision) -> Command:
    """Grant or refuse the extension asked for."""
    granted = body.outcome == "granted"
    command = timekeeping.grant_extension if granted else timekeeping.refuse_extension
    return _with_reason(command, path, body)


@acts(operations, f"{PATH}/pause", later("申请暂停计时"), SCOPE)
def pause(path: StepPath, header: Acting, body: Pause) -> Command:
    """Ask to stop the clock while a third party is waited for."""
    with reads() as conn:
        desk = desk_of(conn, path.case_id)
        may_do(desk, open_task(desk, path.task), by())
    received, unfit = named(body.evidence, CONTACT)
    if unfit:
        raise FormRefused(unfit)
    # The whole day of return is still waited for: the clock runs on in the night after it.
    day = datetime.combine(date.fromisoformat(body.resume_by), time(), ZONE)
    return lambda conn, key: timekeeping.request_pause(
        conn, path.case_id, path.task, counterparty=body.counterparty,
        resume_by=day + timedelta(days=1), reason=body.reason, by=by(), at=at(),
        evidence=tuple(received), key=key,
    )  # fmt: skip


@acts(operations, f"{PATH}/pause/decision", later("审批暂停计时申请"), SCOPE)
def decide_pause(path: StepPath, header: Acting, body: Decision) -> Command:
    """Grant or refuse the pause asked for."""
    granted = body.outcome == "granted"
    command = timekeeping.grant_pause if granted else timekeeping.refuse_pause
    return _with_reason(command, path, body)


@acts(operations, f"{PATH}/standing", later("列入挂账"), SCOPE)
def stand(path: StepPath, header: Acting, body: Standing) -> Command:
    """挂账."""
    return lambda conn, key: timekeeping.list_standing(
        conn, path.case_id, path.task, body.reason, review_class=body.review_class,
        by=by(), at=at(), key=key,
    )  # fmt: skip


def checked(told: dict[str, Any], form: Form) -> dict[str, Any]:
    """The answers to a form; raises FormRefused."""
    values, errors = read_told(form, told, now=at(), find_case=find_case)
    if errors:
        raise FormRefused(list(errors))
    return values


def _with_reason(command: Callable[..., Done], path: StepPath, body: Reason) -> Command:
    return lambda conn, key: command(
        conn, path.case_id, path.task, body.reason, by=by(), at=at(), key=key
    )


def _to_somebody(command: Callable[..., Done], path: StepPath, body: Handing) -> Command:
    return lambda conn, key: command(
        conn, path.case_id, path.task, body.to, body.reason, by=by(), at=at(), key=key
    )
