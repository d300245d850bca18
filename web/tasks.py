"""A step: its form, and every act on it as a resource of its own."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from flask import Blueprint, flash, render_template, request, url_for
from flask_login import login_required
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from audit import log
from engine import holding, timekeeping, turns
from engine.calendar_versions import calendar
from engine.cases import complete_task, may_do, open_task
from engine.casework import Desk, Done
from engine.errors import BadInput, NotFound
from engine.evidence import Evidence
from engine.forms import FieldError, Form, FormRefused
from engine.handover import waiting_files
from engine.site_codes import FIELD, WrongCode, note_wrong
from engine.state import OpenTask
from web import informants
from web.acts import Acts, acts_on
from web.advice import advised_on_handing, advising
from web.clock import clock_view
from web.desk import choosing, desk_of, inbox_row, to_do
from web.drafts import Left, drop_sent, left, take_draft
from web.drawn import fill_in
from web.forms import Advised, not_advised, questions, read_answers, suggested_first
from web.moments import read_moment
from web.offline import filled_at, keep
from web.quantities import ZONE
from web.receivers import receivers
from web.records import five_cells, handed_over, line_of, names, read_file
from web.related import find_case, with_cases
from web.rows import told_clock, verb
from web.sealed_view import prefilled, sealed_card
from web.so_far import so_far
from web.texts import either, say, say_html
from web.uploads import asked_purposes, receive, uploads
from web.visit import (
    at,
    by,
    carries_out,
    done_before,
    fresh_key,
    key,
    reads,
    see_other,
    settings,
    vault,
    writes,
)

pages = Blueprint("tasks", __name__)
PATH: Final = "/cases/<case_id>/tasks/<task>"

# What may come with a request to stop the clock.
CONTACT: Final = ("call", "doc")


@pages.get(PATH)
@login_required  # type: ignore[untyped-decorator]
def page(case_id: str, task: str) -> str:
    """One step: what it asks, what is known so far, how much time is left."""
    return _page(case_id, task)


@pages.post(f"{PATH}/completion")
@login_required  # type: ignore[untyped-decorator]
def complete(case_id: str, task: str) -> Any:
    """Do the step with its form; faults are shown beside what was typed."""
    informant = request.form.get(informants.FIELD) or None
    with reads():
        if done_before():
            return see_other("inbox.mine")
        desk, open_ = to_do(case_id, task, informant)
    form = _form(desk, open_.element)
    values, errors = read_answers(
        form, request.form, now=at(), choosing=choosing(desk, open_.element), find_case=find_case
    )
    received, unfit = receive(asked_purposes(form), at=at())
    try:
        if errors or unfit:
            raise FormRefused([*errors, *unfit])
        note = request.form.get("note", "").strip()
        with carries_out(
            lambda conn: complete_task(
                conn, case_id, task, values, by=by(), at=at(), evidence=received, note=note,
                code=request.form.get(FIELD, ""), vault=vault(), key=key(),
                claimed_at=filled_at(request.form), informant=informant,
            )
        ) as (conn, done):  # fmt: skip
            drop_sent(conn, _draft_of(case_id, task))
    except FormRefused as refused:
        return _page(case_id, task, errors=refused.errors, received=received), 422
    except WrongCode as wrong:
        with writes() as conn:
            note_wrong(conn, case_id)
        told = FieldError(FIELD, wrong.chinese, wrong.english)
        return _page(case_id, task, errors=[told], received=received), 422
    flash(_told(done, verb(desk.context.definition, open_.element)), "done")
    return see_other("inbox.mine")


@pages.post(f"{PATH}/draft")
@login_required  # type: ignore[untyped-decorator]
def draft(case_id: str, task: str) -> Any:
    """Keep, or discard, what is filled in so far."""
    with reads() as conn:
        desk = desk_of(conn, case_id)
        open_ = open_task(desk, task)
        may_do(desk, open_, by())
    form = _form(desk, open_.element)
    if not _draftable(desk, form):
        raise NotFound("这张表不能先存着。", "This form cannot be kept half filled.")
    back = url_for("tasks.page", case_id=case_id, task=task)
    return take_draft(_draft_of(case_id, task), asked_purposes(form), back)


@pages.post(f"{PATH}/claim")
@login_required  # type: ignore[untyped-decorator]
def claim(case_id: str, task: str) -> Response:
    """Take a free step."""
    with writes() as conn:
        holding.claim_task(conn, case_id, task, by=by(), at=at(), key=key())
    flash(say("已认领，现在在您手里"))
    return see_other("tasks.page", case_id=case_id, task=task)


@pages.post(f"{PATH}/release")
@login_required  # type: ignore[untyped-decorator]
def release(case_id: str, task: str) -> Response:
    """Give a claimed step back."""
    return _with_reason(holding.release_task, case_id, task, say("已放回，别人可以认领"))


@pages.post(f"{PATH}/return")
@login_required  # type: ignore[untyped-decorator]
def send_back(case_id: str, task: str) -> Response:
    """退回: send the step back the drawn way."""
    return _with_reason(turns.return_task, case_id, task, say("已退回"))


@pages.post(f"{PATH}/withdrawal")
@login_required  # type: ignore[untyped-decorator]
def withdraw(case_id: str, task: str) -> Response:
    """撤回: take back one's own last step."""
    return _with_reason(turns.withdraw, case_id, task, say("已撤回"))


@pages.post(f"{PATH}/resumption")
@login_required  # type: ignore[untyped-decorator]
def resume(case_id: str, task: str) -> Response:
    """Let a stopped clock run on."""
    return _with_reason(timekeeping.resume, case_id, task, say("已恢复计时"))


@pages.post(f"{PATH}/delegation")
@login_required  # type: ignore[untyped-decorator]
def delegate(case_id: str, task: str) -> Response:
    """Hand an own step to somebody else."""
    return _to_somebody(holding.delegate_task, case_id, task)


@pages.post(f"{PATH}/reassignment")
@login_required  # type: ignore[untyped-decorator]
def reassign(case_id: str, task: str) -> Response:
    """Give anybody's step to somebody else, as dispatcher or supervisor."""
    return _to_somebody(holding.reassign_task, case_id, task)


@pages.route(f"{PATH}/objection", methods=["GET", "POST"])
@login_required  # type: ignore[untyped-decorator]
def objection(case_id: str, task: str) -> Any:
    """异议: say why a step is not one's own, with the form drawn for it."""
    if request.method == "POST" and done_before():
        return see_other("cases.page", case_id=case_id)
    with reads() as conn:
        desk = desk_of(conn, case_id)
        message = acts_on(desk, open_task(desk, task), by()).objection
    if message is None:
        raise turns.NotDrawn(
            "现在不能提出异议。请办理，或与指派岗位联系。", "No objection is possible here now."
        )

    def object_(conn: Connection, values: dict[str, Any]) -> Done:
        return turns.raise_objection(conn, case_id, task, values, by=by(), at=at(), key=key())

    back = url_for("tasks.page", case_id=case_id, task=task)
    return fill_in(desk, message, object_, told=say("异议已提出，等裁定"), back=back)


@pages.post(f"{PATH}/extension")
@login_required  # type: ignore[untyped-decorator]
def extend(case_id: str, task: str) -> Response:
    """Ask for more days."""
    days = request.form.get("days", "").strip()
    if not days.isdecimal() or len(days) > 4:
        raise BadInput("延期天数请填整数。", "Give the days as a whole number.")
    with writes() as conn:
        timekeeping.request_extension(
            conn, case_id, task, days=int(days), reason=request.form.get("reason", ""),
            interim=request.form.get("interim", ""), by=by(), at=at(), key=key(),
        )  # fmt: skip
    flash(say("延期已申请，批准前原时限不停"))
    return see_other("tasks.page", case_id=case_id, task=task)


@pages.post(f"{PATH}/extension/decision")
@login_required  # type: ignore[untyped-decorator]
def decide_extension(case_id: str, task: str) -> Response:
    """Grant or refuse the extension asked for."""
    return _decision(timekeeping.grant_extension, timekeeping.refuse_extension, case_id, task)


@pages.post(f"{PATH}/pause")
@login_required  # type: ignore[untyped-decorator]
def pause(case_id: str, task: str) -> Response:
    """Ask to stop the clock while a third party is waited for."""
    with reads() as conn:
        desk = desk_of(conn, case_id)
        may_do(desk, open_task(desk, task), by())
    # The whole day of return is still waited for: the clock runs on in the night after it.
    resume_by = read_moment(request.form.get("resume_by", ""), "0:00", ZONE, at())
    if resume_by is None:
        raise BadInput(
            "恢复日期请写成 11月28日 这样。", "Write the date of resumption like 2026-11-28."
        )
    evidence, unfit = receive(CONTACT, at=at())
    if unfit:
        raise FormRefused(unfit)
    with writes() as conn:
        timekeeping.request_pause(
            conn, case_id, task, counterparty=request.form.get("counterparty", ""),
            resume_by=resume_by + timedelta(days=1), reason=request.form.get("reason", ""),
            by=by(), at=at(), evidence=tuple(evidence), key=key(),
        )  # fmt: skip
    flash(say("暂停计时已申请，批准前时限不停"))
    return see_other("tasks.page", case_id=case_id, task=task)


@pages.post(f"{PATH}/pause/decision")
@login_required  # type: ignore[untyped-decorator]
def decide_pause(case_id: str, task: str) -> Response:
    """Grant or refuse the pause asked for."""
    return _decision(timekeeping.grant_pause, timekeeping.refuse_pause, case_id, task)


@pages.post(f"{PATH}/standing")
@login_required  # type: ignore[untyped-decorator]
def stand(case_id: str, task: str) -> Response:
    """挂账: put the step on the standing list, with a date of review."""
    with writes() as conn:
        timekeeping.list_standing(
            conn, case_id, task, request.form.get("reason", ""),
            review_class=request.form.get("review_class", ""), by=by(), at=at(), key=key(),
        )  # fmt: skip
    flash(say("已挂账"))
    return see_other("tasks.page", case_id=case_id, task=task)


def _with_reason(command: Callable[..., Done], case_id: str, task: str, told: str) -> Response:
    with writes() as conn:
        reason = request.form.get("reason", "")
        command(conn, case_id, task, reason, by=by(), at=at(), key=key())
    flash(told)
    return see_other("cases.page", case_id=case_id)


def _to_somebody(command: Callable[..., Done], case_id: str, task: str) -> Response:
    to = request.form.get("to", "")
    if not to:
        raise BadInput("请选择交给谁。", "Choose whom to hand it to.")
    with writes() as conn:
        reason = request.form.get("reason", "")
        command(conn, case_id, task, to, reason, by=by(), at=at(), key=key())
    flash(say("已转交"))
    return see_other("cases.page", case_id=case_id)


def _decision(
    grant: Callable[..., Done], refuse: Callable[..., Done], case_id: str, task: str
) -> Response:
    commands = {"granted": grant, "refused": refuse}
    command = commands.get(request.form.get("outcome", ""))
    if command is None:
        raise BadInput("请选择同意或不同意。", "Choose to grant or to refuse.")
    told = say("已同意") if command is grant else say("已答复不同意")
    return _with_reason(command, case_id, task, told)


def _told(done: Done, verb: str) -> str:
    """What was done, with a link to the receipt of it beside it."""
    seq = next((one.seq for one in done.entries if one.type == "task.completed"), None)
    if seq is None:
        return say("已提交：{verb}", verb=verb)
    address = url_for("kept_receipts.page", case_id=done.case, seq=seq)
    return say_html(
        '已提交：{verb}　<a class="alone" href="{address}">留存回执</a>', verb=verb, address=address
    )


# --- the page -----------------------------------------------------------------------------------


def _page(
    case_id: str,
    task: str,
    *,
    errors: Sequence[FieldError] = (),
    received: Sequence[Evidence] = (),
) -> str:
    with reads() as conn:
        desk = desk_of(conn, case_id)
        open_ = open_task(desk, task)
        file = read_file(conn, case_id)
        called = with_cases(conn, names(desk.directory), file.record, desk.directory)
        clock = _clock(conn, case_id, task)
        sealed = sealed_card(desk, open_, log.read(conn, case_id), by())
    acts, advised = _advised(desk, open_, acts_on(desk, open_, by()))
    drawn = desk.context.definition.tasks[open_.element]
    form = _form(desk, open_.element)
    before = _left(desk, task, form, is_theirs=not acts.why_not)
    posted = request.form if request.method == "POST" else prefilled(sealed)
    if before and before.values is not None:
        posted, received = before.values, before.received
    return render_template(
        "task.html",
        case=desk.case,
        task=open_,
        drawn=drawn,
        verb=verb(desk.context.definition, open_.element),
        form=form,
        acts=acts,
        advised=advised,
        people=desk.directory,
        record=file.record,
        line=line_of(file.record, task),
        cells=five_cells(file.record, clock.view.state if clock else ""),
        clock=clock,
        handed=handed_over(file.record, task, called),
        so_far=so_far(file.record, called),
        informant=informants.asked(
            informants.for_step(desk, open_), errors, needed=acts.why_not is not None
        ),
        questions=questions(
            form,
            posted,
            errors,
            now=at(),
            choosing=choosing(desk, open_.element),
            advising=not_advised if acts.why_not else advising(desk, open_.element),
        ),
        uploads=uploads(form, asked_purposes(form), received, errors),
        errors=errors,
        sealed=sealed,
        receivers=receivers(settings().receivers_dir) if sealed.hands_over else (),
        file_waits=bool(sealed.handed) and case_id in waiting_files(vault()),
        code_error=next((either(e.chinese, e.english) for e in errors if e.field == FIELD), ""),
        code_typed=request.form.get(FIELD, ""),
        note=posted.get("note", "") if posted else "",
        left=before,
        key=request.form.get("key") or fresh_key(),
    )


def _advised(desk: Desk, task: OpenTask, acts: Acts) -> tuple[Acts, Sequence[Advised]]:
    """The same acts with those suggested before all others, and whom it is suggested to hand it to.

    Nobody, where this person may not hand it on.
    """
    if not (acts.delegation or acts.reassignment):
        return acts, ()
    with reads() as conn:
        fit = holding.fit_for(desk, task)
        advised = advised_on_handing(conn, desk, task, fit, before=bool(acts.reassignment))
    first = replace(
        acts,
        delegation=suggested_first(acts.delegation, advised),
        reassignment=suggested_first(acts.reassignment, advised),
    )
    return first, advised


def _left(desk: Desk, task: str, form: Form, *, is_theirs: bool) -> Left | None:
    """What was left half filled; the page may be kept in the browser, too, where nothing is secret.

    is_theirs: whoever only types for a colleague has no draft of their own.
    """
    if not _draftable(desk, form):
        return None
    keep()
    if not is_theirs:
        return None
    with reads() as conn:
        return left(conn, _draft_of(desk.case.case, task), asked_purposes(form))


def _clock(conn: Connection, case_id: str, task: str) -> Any:
    row = inbox_row(conn, case_id, task)
    view = clock_view(row, calendar(conn), at()) if row else None
    return told_clock(view) if view else None


def _draftable(desk: Desk, form: Form) -> bool:
    """Whether a draft may be kept of this form, and a copy of its page: nothing in it is secret."""
    sealed = any(field.seal and not field.machine for field in form.fields)
    return not desk.case.confidential and not sealed


def _draft_of(case_id: str, task: str) -> str:
    return f"cases/{case_id}/{task}"


def _form(desk: Desk, element: str) -> Form:
    definition = desk.context.definition
    return definition.forms[definition.tasks[element].form]
