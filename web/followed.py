"""What became of a report, for whoever has its 16-digit code; and what they say of it.

The code is typed, sent, and sent again with every form of the page: it stands in no address, no
cookie and no store of ours. Looking leaves no trace; rating and disputing are events.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import Blueprint, render_template, request
from sqlalchemy import Connection

from audit import log
from audit.encoding import instant
from engine.casework import Desk, look
from engine.errors import BadInput, Conflict, NotAllowed, NotFound
from engine.forms import FieldError, FormRefused
from engine.guessing import TooManyAttempts
from engine.receipt_codes import BadCode, Found, UnknownCode
from engine.resident_acts import RATINGS, dispute_by_code, may_rate, rate, ratings
from engine.resident_reports import PROCESS
from engine.turns import disputable
from web.anonymous import guard
from web.kept_receipts import Kept, entry_of, keep
from web.mailboxes import opened_by_code
from web.receipts import Status
from web.receipts import status as status_of
from web.texts import either, refusal, say
from web.visit import at, fresh_key, reads, writes

pages = Blueprint("followed", __name__)
guard(pages)

RATE, DISPUTE = "rate", "dispute"


class NotAReport(NotFound):
    """The code is of something else: a complaint."""

    def __init__(self) -> None:
        super().__init__(
            "这是投诉的回执码，请到“信箱”里用。",
            "This code is of a complaint; use it in the mailbox.",
        )


@dataclass(frozen=True, slots=True)
class Offered:
    """What may be said now. until: the last instant for a dispute, if a clock is drawn for it.

    rated: what was said before, in words, with its instant.
    """

    rates: bool
    disputes: bool
    until: datetime | None
    rated: tuple[tuple[datetime, str], ...]


@pages.get("/my-report")
def ask() -> str:
    """Where the code is typed."""
    return render_template("followed_ask.html", told=None)


@pages.post("/my-report")
def use() -> Any:
    """Show how far it is, and do what was asked."""
    act = request.form.get("act", "")
    try:
        found = _found()
    except (BadCode, UnknownCode, TooManyAttempts, NotAReport) as refused:
        code = 429 if isinstance(refused, TooManyAttempts) else 422
        return render_template("followed_ask.html", told=refusal(refused)), code
    try:
        done = _do(act, found)
    except FormRefused as refused:
        return _page(found, act, errors=refused.errors), 422
    except (BadInput, Conflict, NotAllowed) as refused:
        return _page(found, act, told=refusal(refused)), 422
    return _page(found, done=done)


def _found() -> Found:
    found = opened_by_code()
    if not found.case.startswith(f"{PROCESS}-"):
        raise NotAReport
    return found


def _do(act: str, found: Found) -> str:
    """Do what the form asks for; returns what to tell of it."""
    if act not in (RATE, DISPUTE):
        return ""
    key = f"{found.complainant}:{request.form.get('key', '')[:100] or fresh_key()}"
    words = request.form.get(f"{act}-words", "")
    with writes() as conn:
        if act == RATE:
            answer = request.form.get("answer", "")
            rate(conn, found.case, answer, words, resident=found.complainant, at=at(), key=key)
            return say("已记下您的评价，谢谢。")
        form = {"reason": words, "still_there": request.form.get("still_there") == "yes"}
        dispute_by_code(conn, found.case, form, resident=found.complainant, at=at(), key=key)
    return say("已提出异议，会换一个人再看。")


def _page(
    found: Found,
    act: str = "",
    *,
    done: str = "",
    told: str = "",
    errors: Sequence[FieldError] = (),
) -> str:
    with reads() as conn:
        desk = look(conn, found.case, at())
        wrong = {one.field: either(one.chinese, one.english) for one in errors}
        return render_template(
            "followed.html",
            status=_status(conn, found),
            kept=_kept(conn, desk),
            offered=_offered(conn, desk),
            ratings={name: either(*words) for name, words in RATINGS.items()},
            code=request.form.get("code", ""),
            key=fresh_key(),
            act=act,
            typed=request.form if act else {},
            done=done,
            told=told or wrong.get("reason", ""),
        )


def _status(conn: Connection, found: Found) -> Status:
    return status_of(conn, found.case)


def _kept(conn: Connection, desk: Desk) -> Kept:
    return keep(conn, entry_of(conn, desk.case.case, 1), desk.case)


def _offered(conn: Connection, desk: Desk) -> Offered:
    entries = log.read(conn, desk.case.case)
    clocks = [timer.due for timer in desk.case.timers.values() if timer.due]
    open_ = disputable(desk)
    return Offered(
        rates=may_rate(desk, entries),
        disputes=open_,
        until=instant(min(clocks)) if open_ and clocks else None,
        rated=tuple((one.at, either(*RATINGS[one.data["answer"]])) for one in ratings(entries)),
    )
