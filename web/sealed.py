"""What is sealed in a case, for those who work on it: every look and every word is on the record.

What is read is shown once, in the answer to the act that asked for it, and is kept nowhere.
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final

from flask import Blueprint, Response, flash, render_template, request
from flask_login import login_required
from werkzeug.wrappers import Response as AnyResponse

from audit import log
from audit.entries import Entry
from engine.errors import BadInput, NotAllowed
from engine.handover import fetch_file, hand_over, take_away
from engine.mailbox import read_content, write_as_staff
from engine.unsealing import request_unsealing, view_identity
from web.anonymous import hide
from web.confirming import confirmed
from web.desk import desk_of
from web.receivers import receiver
from web.sealed_view import words_of
from web.texts import later, say
from web.visit import at, by, key, reads, see_other, settings, vault, writes

pages = Blueprint("sealed", __name__)
pages.after_request(hide)

PATH: Final = "/cases/<case_id>"
# So much of the fingerprint does the receiving body read back.
READ_BACK: Final = 8


class NotYourHandover(NotAllowed):
    """The sealed file is given to whoever handed the accusation over."""

    def __init__(self) -> None:
        super().__init__(
            "封装文件只交给办理移交的人。", "The sealed file is for whoever handed it over."
        )


@pages.post(f"{PATH}/sealed")
@login_required  # type: ignore[untyped-decorator]
def read(case_id: str) -> str:
    """Read the sealed content and the mailbox, once; the look is recorded first."""
    with reads() as conn:
        desk_of(conn, case_id)
    with writes() as conn:
        found = read_content(conn, vault(), case_id, by=by(), at=at())
    return _shown(case_id, found.values, found.done.seq, identity=False)


@pages.post(f"{PATH}/mailbox")
@login_required  # type: ignore[untyped-decorator]
def write(case_id: str) -> AnyResponse:
    """Write to the complainant."""
    with writes() as conn:
        words = request.form.get("words", "")
        write_as_staff(conn, vault(), case_id, words, by=by(), at=at(), key=key())
    flash(say("已放进投诉人的信箱"))
    return _back(case_id)


@pages.post(f"{PATH}/identity-requests")
@login_required  # type: ignore[untyped-decorator]
def ask(case_id: str) -> AnyResponse:
    """Ask for parts of the identity, with a purpose."""
    with writes() as conn:
        request_unsealing(
            conn, case_id, request.form.getlist("fields"), request.form.get("purpose", ""),
            by=by(), at=at(), key=key(),
        )  # fmt: skip
    flash(say("已申请，等身份保管员决定"))
    return _back(case_id)


@pages.post(f"{PATH}/identity-requests/<int:seq>/views")
@login_required  # type: ignore[untyped-decorator]
@confirmed(later("查看投诉人身份"))
def view(case_id: str, seq: int) -> str:
    """Look at the parts of the identity that were allowed; every look is recorded."""
    with writes() as conn:
        found = view_identity(conn, vault(), case_id, seq, by=by(), at=at())
    return _shown(case_id, found.values, found.done.seq, identity=True)


def _shown(case_id: str, values: Mapping[str, Any], seq: int, *, identity: bool) -> str:
    with reads() as conn:
        desk, entries = desk_of(conn, case_id), log.read(conn, case_id)
    return render_template(
        "sealed.html",
        case=desk.case,
        words=words_of(desk.context.definition, entries, values),
        seq=seq,
        identity=identity,
        task=request.form.get("task", ""),
    )


# --- handing over ---------------------------------------------------------------------------------


@pages.post(f"{PATH}/handover")
@login_required  # type: ignore[untyped-decorator]
@confirmed(later("封装移交"))
def seal_for(case_id: str) -> AnyResponse:
    """Seal an accusation for a body and destroy what can be read here."""
    to = receiver(settings().receivers_dir, request.form.get("body", ""))
    if request.form.get("sure") != "yes":
        raise BadInput(
            "请先勾选“已知道这里不再留内容”。", "Tick first that nothing readable stays here."
        )
    with writes() as conn:
        hand_over(
            conn, vault(), case_id, body=to.name, public_key=to.key, by=by(), at=at(), key=key()
        )
    flash(say("已封装。请下载文件交给对方，再办完这一步"))
    return _back(case_id)


@pages.post(f"{PATH}/handover/file")
@login_required  # type: ignore[untyped-decorator]
@confirmed(later("下载封装文件"))
def fetch(case_id: str) -> Response:
    """The sealed file, as often as needed until the receiving body has it."""
    _check_handed_by_me(case_id)
    response = Response(fetch_file(vault(), case_id), mimetype="application/octet-stream")
    response.headers["Content-Disposition"] = f'attachment; filename="{case_id}.sealed"'
    return response


@pages.post(f"{PATH}/handover/acknowledgement")
@login_required  # type: ignore[untyped-decorator]
def acknowledge(case_id: str) -> AnyResponse:
    """The receiving body has the file and read back its fingerprint: drop ours."""
    _check_handed_by_me(case_id)
    told = request.form.get("sha256", "").strip().lower().replace(" ", "")
    ours = sha256(fetch_file(vault(), case_id)).hexdigest()
    if len(told) < READ_BACK or not ours.startswith(told):
        raise BadInput(
            f"校验值对不上。请让对方念收到的文件的 SHA-256，至少前 {READ_BACK} 位。",
            f"That is not the fingerprint. Let the receiver read back the SHA-256 of the file they "
            f"have, {READ_BACK} digits at least.",
        )
    take_away(vault(), case_id)
    flash(say("对方已收到，这里的封装文件已删去"))
    return _back(case_id)


def _check_handed_by_me(case_id: str) -> None:
    with reads() as conn:
        desk_of(conn, case_id)
        entry = handed_over(log.read(conn, case_id))
    people = (entry.actor.get("person"), entry.actor.get("on_behalf_of")) if entry else ()
    if by().person not in people:
        raise NotYourHandover


def handed_over(entries: list[Entry]) -> Entry | None:
    """The record of the hand-over, if there was one."""
    return next((entry for entry in entries if entry.type == "accusation.handed_over"), None)


def _back(case_id: str) -> AnyResponse:
    """To the step the act was done from; to the case where no step is named."""
    task = request.form.get("task", "")
    if task:
        return see_other("tasks.page", case_id=case_id, task=task)
    return see_other("cases.page", case_id=case_id)
