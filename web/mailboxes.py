"""The mailbox of a complaint: what became of it, and both sides' words, for whoever has the code.

The code is typed, sent, and sent again with every form of the page: it stands in no address, no
cookie and no store of ours, and the address of the page never changes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from flask import Blueprint, Response, make_response, render_template, request
from sqlalchemy import Connection
from werkzeug.datastructures import MultiDict

from audit import log
from audit.entries import Entry
from engine import outbox
from engine.casework import Desk, look
from engine.errors import BadInput, Conflict, NotAllowed, NotFound, Refusal
from engine.forms import FieldError, Form, FormRefused
from engine.guessing import TooManyAttempts
from engine.mailbox import COMPLAINANT, read_own_mailbox, write_as_complainant
from engine.receipt_codes import (
    BadCode,
    Found,
    UnknownCode,
    find,
    following,
)
from engine.sealed_answers import MAILBOX
from engine.turns import complain
from web.anonymous import check, count, deriving, doors, guard
from web.case_acts import waiting_message
from web.complaints import PROCESS
from web.forms import Question, questions, read_answers
from web.kept_receipts import Kept, NoSuchRecord, as_proof, as_text, keep
from web.texts import either, later, refusal, say
from web.visit import at, fresh_key, reads, vault, writes

pages = Blueprint("mailboxes", __name__)
guard(pages)

# What a complainant may say to the process where it waits for that, in the order of the page.
SAYINGS: Final = ("dispute", "recusal", "retaliation")
LABELS: Final = {
    "dispute": (later("不认可结果，或有新情况"), later("会换人再看一遍，不是原来的人。")),
    "recusal": (later("要求核查人回避"), later("裁定之前，核查不停。裁定结果放进信箱。")),
    "retaliation": (
        later("我受到打击报复"),
        later("按下就会另立一案，交给别的单位优先办。不写经过也行。"),
    ),
}
# What one does with the receipt of something one did here: look at it, or take it as a file.
KEEPINGS: Final = ("keep", "keep-text", "keep-proof")
# The names of those files tell nothing: they lie in a folder that others may see.
FILE: Final = "receipt"
# A browser told to forget: pages kept for the way back, and whatever else it keeps of this site.
FORGET: Final = '"cache", "cookies", "storage"'


class NotAComplaint(NotFound):
    """The code is of something else: a hazard somebody reported."""

    def __init__(self) -> None:
        super().__init__(
            "这是上报隐患的回执码，请到“查回执”里用。",
            "This code is of a hazard that was reported; use it under receipts.",
        )


@dataclass(frozen=True, slots=True)
class Said:
    """One message of the mailbox; mine: the complainant's. what: what kind of words they are."""

    mine: bool
    at: datetime
    what: str
    text: str | None


@dataclass(frozen=True, slots=True)
class Act:
    """Something the complainant did, of which they may keep the receipt."""

    seq: int
    at: datetime
    words: str


@dataclass(frozen=True, slots=True)
class Saying:
    """What may be said now: its form as questions, the faults of the last try among them."""

    name: str
    title: str
    hint: str
    questions: list[Question]
    errors: Sequence[FieldError]


@pages.get("/mailbox")
def ask() -> str:
    """Where the code is typed."""
    return render_template("mailbox_ask.html", told=None)


@pages.post("/mailbox")
def use() -> Any:
    """Open the mailbox, and do what was asked in it."""
    act = request.form.get("act", "")
    if act == "leave":
        return _left()
    try:
        found = _found()
    except (BadCode, UnknownCode, TooManyAttempts, NotAComplaint) as refused:
        return render_template("mailbox_ask.html", told=refusal(refused)), _status(refused)
    try:
        if act in KEEPINGS:
            return _kept(act, found)
        done = _do(act, found)
    except FormRefused as refused:
        return _page(found, act, errors=refused.errors), 422
    except (BadInput, Conflict, NotAllowed, NotFound) as refused:
        return _page(found, act, told=refusal(refused)), _status(refused)
    return _page(found, done=done)


def _status(refused: Refusal) -> int:
    return 429 if isinstance(refused, TooManyAttempts) else 422


def _left() -> Response:
    response = make_response(render_template("mailbox_left.html"))
    response.headers["Clear-Site-Data"] = FORGET
    return response


def _found() -> Found:
    """The case meant among those that the code opens: the complaint, and what followed from it."""
    opened = _opened()
    chosen = request.form.get("of", "")
    cases = _cases(opened)
    if not chosen.isdecimal() or not 0 < int(chosen[:4]) < len(cases):
        return opened
    return following(vault(), opened, cases[int(chosen[:4])], at=at())


def _cases(found: Found) -> list[str]:
    """The complaint, then the cases of retaliation for it, in the order in which they were told."""
    with reads() as conn:
        above = outbox.parent_of(conn, found.case)
        first = above[0] if above and _is_complaint(above[0]) else found.case
        below = [child for _, _, child in outbox.children_of(conn, [first])]
    return [first, *filter(_is_complaint, below)]


def _is_complaint(case: str) -> bool:
    return case.startswith(f"{PROCESS}-")


def _opened() -> Found:
    """The complaint that the code typed here opens; raises NotAComplaint."""
    found = opened_by_code()
    if not _is_complaint(found.case):
        raise NotAComplaint
    return found


def opened_by_code() -> Found:
    """What the code of this form opens; a wrong one is counted, a right one is not.

    Raises BadCode, UnknownCode, TooManyAttempts.
    """
    check(doors().codes)
    with deriving():
        try:
            return find(vault(), request.form.get("code", ""))
        except UnknownCode:
            count(doors().codes)
            raise


# --- acts -----------------------------------------------------------------------------------------


def _do(act: str, found: Found) -> str:
    """Do what the form asks for; returns what to tell of it."""
    if act == "write":
        with writes() as conn:
            write_as_complainant(
                conn, vault(), found.case, request.form.get("words", ""),
                complainant=found.complainant, at=at(), key=_key(found),
            )  # fmt: skip
        return say("已放进信箱")
    if act in SAYINGS:
        _say(act, found)
        return say("已提出，请过几天再来看")
    return ""


def _say(name: str, found: Found) -> None:
    with reads() as conn:
        form = _form(desk_of(conn, found), name)
    values, errors = read_answers(form, request.form, now=at()) if form else ({}, [])
    if errors:
        raise FormRefused(errors)
    who = {"person": found.complainant, "capacity": "report", "channel": "web"}
    with writes() as conn:
        complain(
            conn, found.case, name, values, complainant=who, at=at(), vault=vault(), key=_key(found)
        )


def _key(found: Found) -> str:
    """Sent twice, a form is done once; the key of one mailbox never meets that of another."""
    return f"{found.complainant}:{request.form.get('key', '')[:100] or fresh_key()}"


# --- receipts -------------------------------------------------------------------------------------


def _kept(act: str, found: Found) -> Any:
    """The receipt of something this complainant did, as a page or as a file.

    It names the case; so it is shown only to who asks for it, and of their own acts alone. Raises
    NoSuchRecord, NotSignedHere, NotInTreeYet.
    """
    with reads() as conn:
        kept = _own_receipt(conn, found)
        if act == "keep-text":
            return as_text(kept, FILE)
        if act == "keep-proof":
            return as_proof(conn, kept, FILE)
    return render_template(
        "kept_complaint.html",
        kept=kept,
        code=request.form.get("code", ""),
        of=_cases(found).index(found.case),
    )


def _own_receipt(conn: Connection, found: Found) -> Kept:
    told = request.form.get("seq", "")
    seq = int(told[:9]) if told.isdecimal() else 0
    entry = next((one for one in _own_entries(conn, found) if one.seq == seq), None)
    if entry is None:
        raise NoSuchRecord(seq)
    return keep(conn, entry, desk_of(conn, found).case)


def _own_entries(conn: Connection, found: Found) -> list[Entry]:
    """What this complainant has put on the record of the case."""
    entries = log.read(conn, found.case)
    return [one for one in entries if one.actor.get("person") == found.complainant]


def _own_acts(conn: Connection, found: Found) -> list[Act]:
    return [Act(one.seq, one.at, _act_words(one.type)) for one in _own_entries(conn, found)]


def _act_words(type_: str) -> str:
    words = {"case.opened": say("您的投诉"), "mailbox.written": say("您的留言")}
    return words.get(type_) or say("您提出的要求")


def desk_of(conn: Connection, found: Found) -> Desk:
    """The complaint as it stands; the code is what allows to look."""
    return look(conn, found.case, at())


# --- the page -------------------------------------------------------------------------------------


def _page(
    found: Found,
    act: str = "",
    *,
    errors: Sequence[FieldError] = (),
    told: str = "",
    done: str = "",
) -> str:
    cases = _cases(found)
    with reads() as conn:
        desk = desk_of(conn, found)
        messages = read_own_mailbox(conn, vault(), found)
        head = log.read(conn, found.case, after=desk.case.seq - 1)[0].hash.hex()
        acts = _own_acts(conn, found)
    posted = request.form if errors or told else None
    return render_template(
        "mailbox.html",
        code=request.form.get("code", ""),
        of=cases.index(found.case),
        others=[(number, _titled(number)) for number in range(len(cases))],
        status=status_of(desk),
        said=[
            Said(one.side == COMPLAINANT, one.at, _what(one.field, one.seq), one.text)
            for one in reversed(messages)
        ],
        sayings=[_saying(desk, name, act, errors, posted) for name in SAYINGS
                 if waiting_message(desk, name) is not None],
        readable=found.key is not None,
        words=request.form.get("words", "") if act == "write" and told else "",
        told=told,
        done=done,
        act=act,
        seq=desk.case.seq,
        head=head,
        acts=acts,
    )  # fmt: skip


def _titled(number: int) -> str:
    """What a case is called among those one code opens."""
    return say("打击报复（第 {number} 件）", number=number) if number else say("当初的投诉")


def _saying(
    desk: Desk,
    name: str,
    act: str,
    errors: Sequence[FieldError],
    posted: MultiDict[str, str] | None,
) -> Saying:
    form, mine = _form(desk, name), name == act
    title, hint = LABELS[name]
    asked = questions(form, posted if mine else None, errors if mine else (),
                      choosing=lambda _field: [], now=at()) if form else []  # fmt: skip
    return Saying(
        name, say(title), say(hint), [_apart(one, name) for one in asked], errors if mine else ()
    )


def _apart(question: Question, name: str) -> Question:
    """Conditions of several forms on one page would steer each other: all questions are shown."""
    return replace(question, when="")


def _form(desk: Desk, name: str) -> Form | None:
    message = waiting_message(desk, name)
    if message is None or not message.form:
        return None
    return desk.context.definition.forms[message.form]


def _what(field: str, seq: int) -> str:
    if field == "code":
        return say("奖励领取码")
    return say("您的投诉") if seq == 1 and field != MAILBOX else ""


def status_of(desk: Desk) -> list[str]:
    """Where the complaint stands, in the plain sentences its process has (texts.toml).

    Several steps may be open side by side: the revisit, say, while the result may be disputed.
    """
    case, texts = desk.case, desk.context.definition.texts
    here = [task.element for task in case.tasks.values()]
    here += [timer.element for timer in case.timers.values()]
    if case.ended is not None:
        here = [case.ended]
    order = list(texts)
    known = sorted({one for one in here if one in texts}, key=order.index)
    return [_sentence(texts[one]) for one in known] or [say("正在办理，请耐心等候。")]


def _sentence(text: Mapping[str, str]) -> str:
    return either(text["zh"], text["en"])
