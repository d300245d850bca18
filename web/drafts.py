"""填到一半: a form kept while it is filled, by a script every few seconds or by a button.

Only forms that hold nothing sealed or confidential: a draft lies in the database in clear.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from flask import flash, redirect, request
from sqlalchemy import Connection
from werkzeug.datastructures import MultiDict

from engine.drafts import DraftMoved, drop_draft, find_draft, save_draft
from engine.errors import Conflict
from engine.evidence import Evidence
from engine.forms import FormRefused
from web.frame import time_of_day
from web.moments import moment
from web.quantities import ZONE
from web.texts import either, language, refusal, say
from web.uploads import input_name, kept, receive, reopened
from web.visit import at, by, done_before, writes

# What a form carries besides what somebody filled in, and what is of no use later.
OWN: Final = frozenset({
    "csrf_token", "owner", "told", "draft_version", "site_code", "filled_at", "act",
})  # fmt: skip
MOST_VALUES: Final = 1000


@dataclass(frozen=True, slots=True)
class Left:
    """What somebody left on a page.

    version: of the draft the form goes on from, 0 for none. waiting: when a draft was saved that is
    not in the form, or None. values, received: what the form goes on with, None to begin anew.
    """

    version: int = 0
    waiting: datetime | None = None
    values: MultiDict[str, str] | None = None
    received: tuple[Evidence, ...] = ()

    @property
    def words(self) -> str:
        """您 10:32 填到一半的内容还在."""
        if self.waiting is None:
            return ""
        when = moment(self.waiting, ZONE, at(), language())
        if self.waiting.astimezone(ZONE).date() == at().astimezone(ZONE).date():
            when = time_of_day(self.waiting)
        return say("您 {when} 填到一半的内容还在", when=when)


def left(conn: Connection, page: str, purposes: Sequence[str]) -> Left:
    """What this person left on a page, as the address asks for it."""
    if request.method == "POST":
        return Left(_version())
    draft = find_draft(conn, page, by=by())
    if draft is None:
        return Left()
    if request.args.get("draft") != "on":
        return Left(waiting=draft.saved_at)
    values = MultiDict(draft.values)
    return Left(draft.version, None, values, tuple(reopened(values.getlist("kept"), purposes)))


def take_draft(page: str, purposes: Sequence[str], back: str) -> Any:
    """Keep or discard what was sent; answers a script in JSON, anybody else with the page again.

    Call it behind the checks that the form itself would be taken from this person.
    """
    if request.form.get("act") == "drop":
        with writes() as conn:
            drop_draft(conn, page, by=by())
        flash(say("没填完的已经删掉"))
        return redirect(back, 303)
    received, unfit = receive(purposes, at=at())
    values = [pair for pair in request.form.items(multi=True) if pair[0] not in OWN | {"kept"}]
    values += [("kept", kept(item).token) for item in received]
    wants_json = request.accept_mimetypes.best == "application/json"
    try:
        if done_before():
            # The script's last save was overtaken by the form itself.
            raise DraftMoved
        with writes() as conn:
            draft = save_draft(
                conn, page, values[:MOST_VALUES], version=_version(), by=by(), at=at()
            )
    except Conflict as refused:
        if not wants_json:
            raise
        return {"told": refusal(refused)}, 409
    told = [either(error.chinese, error.english) for error in unfit]
    if wants_json:
        files = [
            {"input": input_name(one.purpose), "name": one.name, "token": kept(one).token}
            for one in received
        ]
        words = say("{time} 已存", time=time_of_day(at()))
        return {"version": draft.version, "words": words, "kept": files, "told": "".join(told)}
    if unfit:
        raise FormRefused(unfit)
    flash(say("已先存着，{days} 天内回来接着填", days=14))
    return redirect(f"{back}{'&' if '?' in back else '?'}draft=on", 303)


def drop_sent(conn: Connection, page: str) -> None:
    """Forget the draft of the form that is being taken: not another one left on the same page."""
    draft = find_draft(conn, page, by=by())
    if draft and (_version() or dict(draft.values).get("key") == request.form.get("key")):
        drop_draft(conn, page, by=by())


def _version() -> int:
    told = request.form.get("draft_version", "")
    return int(told) if told.isdecimal() and len(told) < 9 else 0
