"""The keeper of identities: who asks to see one and what for, allowed or refused, for ever.

A keeper sees the number of a case and the purpose somebody gave, nothing of the complaint.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

from flask import Blueprint, flash, render_template, request
from flask_login import login_required
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from audit import log
from audit.encoding import instant
from audit.entries import Entry
from engine.casework import look, read_case
from engine.definition_sets import load
from engine.definitions import OPENING_FORM
from engine.directory import Directory
from engine.errors import BadInput
from engine.people import By, directory
from engine.unsealing import (
    CUSTODY,
    NotKeeper,
    deny_unsealing,
    grant_unsealing,
    keeps,
    may_decide,
    unsealing_requests,
)
from web.anonymous import hide
from web.confirming import confirmed
from web.records import names
from web.texts import either, language, later, say
from web.visit import at, by, key, reads, see_other, writes
from web.wording import Names

pages = Blueprint("custody", __name__)
pages.after_request(hide)

HOURS: Final = (4, 24, 72)
USUAL: Final = 24
KINDS: Final = ("unseal.requested", "unseal.granted", "unseal.denied", "identity.viewed")


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as the keeper reads it, with what became of it.

    who, where: who asks and by which post. outcome: granted, denied or "" while it waits. views:
    when it was looked at. offered: whether whoever looks may decide it.
    """

    case: str
    seq: int
    number: str
    at: datetime
    who: str
    where: str
    parts: tuple[str, ...]
    purpose: str
    outcome: str = ""
    decided: str = ""
    decided_at: datetime | None = None
    reason: str = ""
    until: datetime | None = None
    views: tuple[datetime, ...] = field(default=())
    offered: bool = False


@pages.get("/custody")
@login_required  # type: ignore[untyped-decorator]
def queue() -> str:
    """The requests that wait, and all there ever were."""
    with reads() as conn:
        people = directory(conn)
        _check_keeper(people, by())
        waiting = {(one.case, one.seq) for one in unsealing_requests(conn, people, by(), at())}
        all_ = list(_history(conn, people))
        open_ = [
            replace(one, offered=may_decide(conn, look(conn, one.case, at()), one.seq, by()))
            for one in all_
            if (one.case, one.seq) in waiting
        ]
    past = [one for one in all_ if (one.case, one.seq) not in waiting]
    return render_template("custody.html", open=open_, past=past, hours=HOURS, usual=USUAL)


@pages.post("/custody/<case_id>/<int:seq>")
@login_required  # type: ignore[untyped-decorator]
@confirmed(later("决定能不能看投诉人的身份"))
def decide(case_id: str, seq: int) -> Response:
    """Allow a request for some hours, or refuse it; both with a reason."""
    outcome, reason = request.form.get("outcome"), request.form.get("reason", "")
    told: dict[str, Any] = {"by": by(), "at": at(), "key": key()}
    if outcome not in ("granted", "denied"):
        raise BadInput("请选择准予或不准。", "Choose to allow or to refuse.")
    with writes() as conn:
        if outcome == "granted":
            until = at() + timedelta(hours=_hours())
            grant_unsealing(conn, case_id, seq, reason, until=until, **told)
        else:
            deny_unsealing(conn, case_id, seq, reason, **told)
    flash(say("已准予查看") if outcome == "granted" else say("已答复不准"))
    return see_other("custody.queue")


def waiting_for(conn: Connection, people: Directory, who: By, now: datetime) -> int | None:
    """How many requests wait for this person; None for somebody who keeps no identities."""
    if people.authority(who.person, CUSTODY, None, now) is None:
        return None
    return len(unsealing_requests(conn, people, who, now))


def _hours() -> int:
    told = request.form.get("hours", "")
    if not told.isdecimal() or int(told[:4]) not in HOURS:
        raise BadInput("请选择准看多久。", "Choose for how long.")
    return int(told)


def _check_keeper(people: Directory, who: By) -> None:
    if people.authority(who.person, CUSTODY, None, at()) is None:
        raise NotKeeper("只有身份保管岗位可以看这一页。", "This page is for keepers of identities.")


def _history(conn: Connection, people: Directory) -> Iterable[Asked]:
    """All requests of the cases this person keeps, the newest first."""
    told: dict[tuple[str, int], Asked] = {}
    kept: dict[str, bool] = {}
    called = names(people)
    for entry in log.of_types(conn, KINDS):
        if entry.stream not in kept:
            kept[entry.stream] = keeps(conn, people, entry.stream, by(), at())
        if not kept[entry.stream]:
            continue
        if entry.type == "unseal.requested":
            told[entry.stream, entry.seq] = _asked(conn, entry, called)
        else:
            place = entry.stream, entry.data["request"]
            told[place] = _decided(told[place], entry, called)
    return sorted(told.values(), key=lambda one: one.at, reverse=True)


def _asked(conn: Connection, entry: Entry, called: Names) -> Asked:
    case = read_case(conn, entry.stream)
    form = load(conn, case.definition).forms[OPENING_FORM]
    titles = {one.name: either(one.title, one.title_en) for one in form.fields}
    parts = tuple(titles.get(name, name) for name in entry.data["fields"])
    who, where = _person(entry.actor, called)
    return Asked(
        entry.stream, entry.seq, case.number, entry.at, who, where, parts, entry.data["purpose"]
    )


def _decided(asked: Asked, entry: Entry, called: Names) -> Asked:
    if entry.type == "identity.viewed":
        return replace(asked, views=(*asked.views, entry.at))
    granted = entry.type == "unseal.granted"
    return replace(
        asked,
        outcome="granted" if granted else "denied",
        decided=_person(entry.actor, called)[0],
        decided_at=entry.at,
        reason=entry.data["reason"],
        until=instant(entry.data["until"]) if granted else None,
    )


def _person(actor: Mapping[str, Any], called: Names) -> tuple[str, str]:
    name = called.person(actor["person"], language())
    absent = actor.get("on_behalf_of")
    if absent:
        name = say("{name}（代{absent}）", name=name, absent=called.person(absent, language()))
    where = (called.unit(actor.get("unit")), called.post(actor.get("post")))
    return name, "·".join(words for words in where if words)
