"""A complaint: a form for anybody, at home or at the desk, and the code that answers it.

Whoever complains is nobody here (web.anonymous). The place is kept as coarse as its community: the
code on a door names a grid, and with some thirty households that would be half an identity.
"""

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final

from flask import Blueprint, render_template, request
from itsdangerous import BadSignature, URLSafeSerializer
from sqlalchemy import Connection
from werkzeug.datastructures import MultiDict

from audit.encoding import instant, timestamp
from engine.cases import Place, Report, open_case
from engine.casework import read_case
from engine.definition_sets import latest
from engine.definitions import OPENING_FORM, Definition
from engine.directory import Authority, Directory, valid
from engine.errors import NotAllowed
from engine.expressions import Expression
from engine.forms import Field, FieldError, Form, FormRefused
from engine.guessing import TooManyAttempts
from engine.people import directory
from engine.receipt_codes import code_of, new_complainant, prepare, register
from engine.sealed_answers import subject_of
from web.anonymous import check, count, deriving, doors, guard
from web.desk import choosing_first, unit_groups
from web.forms import Choosing, Groups, questions, read_answers
from web.kept_receipts import Kept, entry_of, keep
from web.texts import either, say
from web.visit import at, reads, settings, vault, writes

pages = Blueprint("complaints", __name__)
guard(pages)

PROCESS: Final = "hotline"
PLACE: Final = "place"
# How long a form may lie open; the secret in it is what answers it twice with the same code.
FORM_LIFE: Final = timedelta(hours=12)
# What is set here, or known to people at work alone.
NOT_ASKED: Final = frozenset({"channel", "handled_by", "linked"})
COMPLAINED_OF: Final = ("community", "department", "company", "street")
_SALT: Final = "complaint form"


class Flooded(NotAllowed):
    """Too many complaints from one place within the hour."""

    def __init__(self) -> None:
        super().__init__(
            "这里一小时内提交得太多，没有收下。请过一小时再试，急事请打热线电话。",
            "Too many complaints from here within the hour; this was not taken. Try again in an "
            "hour, or telephone if it is urgent.",
        )


@dataclass(frozen=True, slots=True)
class Blank:
    """What the form is made of. channel: web, qr or desk."""

    definition: Definition
    form: Form
    people: Directory
    places: Groups
    channel: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """What somebody takes home: their code, and the record that is theirs to hold against us."""

    code: str
    kept: Kept

    @property
    def hash(self) -> str:
        """The fingerprint of what they said."""
        return self.kept.receipt.hash.hex()


@pages.get("/complain")
def form() -> str:
    """The form, for anybody; `place` in the address is what the code on a door says."""
    with reads() as conn:
        return page(blank(conn, _channel()))


@pages.post("/complain")
def complain() -> Any:
    """Take a complaint and answer it with its code, which is shown this once."""
    with reads() as conn:
        asked = blank(conn, _channel())
    return lodge(asked, None)


def _channel() -> str:
    return "qr" if request.args.get(PLACE) else "web"


def blank(conn: Connection, channel: str) -> Blank:
    """The form as it is asked by this channel."""
    people, definition = directory(conn), latest(conn, PROCESS)
    asked = _asked(definition.forms[OPENING_FORM], channel)
    return Blank(definition, asked, people, _places(people), channel)


def lodge(asked: Blank, taker: Authority | None) -> Any:
    """Open the case of what was typed; taker: the post at the desk that wrote it down."""
    if taker is None:
        _check_flood()
    secret = _secret(request.form.get("token", ""))
    values, errors = read_answers(asked.form, request.form, now=at())
    place = request.form.get(PLACE, "")
    try:
        known = {value for _, group in asked.places for value, _ in group}
        errors += [] if place in known else [_no_place()]
        errors += [] if secret else [_too_long_open()]
        if errors or secret is None:
            raise FormRefused(errors)
        told = _report(asked, values, place, taker)
        receipt = open_sealed(told, secret)
    except FormRefused as refused:
        return page(asked, refused.errors), 422
    if taker is None:
        count(doors().complaints)
    return render_template("complained.html", receipt=receipt, desk=taker is not None)


def open_sealed(told: Report, secret: bytes) -> Receipt:
    """Open the case, and let the code that belongs to this secret open its mailbox.

    Sent twice, it is answered twice with the same code: the first answer may never have arrived.
    """
    code = code_of(secret)
    with deriving():
        prepared = prepare(vault(), code)
    complainant = new_complainant()
    told = replace(told, actor={**(told.actor or {}), "person": complainant})
    key = f"complaint:{hashlib.sha256(secret).hexdigest()}"
    with writes() as conn:
        done = open_case(conn, told, by=None, at=at(), vault=vault(), key=key)
        if not done.repeated:
            subject = subject_of(done.case, "content")
            register(vault(), prepared, subject, done.case, complainant=complainant, at=at())
    with reads() as conn:
        return Receipt(code, keep(conn, entry_of(conn, done.case, 1), read_case(conn, done.case)))


def _report(asked: Blank, values: Mapping[str, Any], place: str, taker: Authority | None) -> Report:
    actor = {"capacity": "report", "channel": "desk" if taker else "web"}
    if taker:
        actor |= {"unit": taker.unit, "post": taker.post}
    form = asked.definition.forms[OPENING_FORM]
    return Report(
        process=PROCESS,
        category=str(values["category"]),
        title=form.title,
        place=Place(place, ""),
        form={**values, "channel": asked.channel},
        source="proxy" if taker else "resident",
        actor=actor,
    )


# --- what is asked --------------------------------------------------------------------------------


def _asked(form: Form, channel: str) -> Form:
    """The questions of the form that this channel leaves open."""
    told = (_known(field, {"channel": channel}) for field in form.fields)
    fields = (field for field in told if field is not None and field.name not in NOT_ASKED)
    return replace(form, fields=tuple(fields))


def _known(field: Field, known: Mapping[str, Any]) -> Field | None:
    """The question with what is known already taken out of its condition; None: it never comes."""
    when = field.when
    if when is None or not when.names & known.keys():
        return field
    left = when.names - known.keys()
    if not left:
        return replace(field, when=None) if when.holds(known) else None
    return replace(field, when=_given(when, known))


def _given(when: Expression, known: Mapping[str, Any]) -> Expression:
    def run(names: Mapping[str, Any]) -> Any:
        return when.run({**names, **known})

    return replace(when, names=when.names - known.keys(), run=run)


def _places(people: Directory) -> Groups:
    """The communities, and the whole street for whoever does not know or does not say."""
    streets = [unit.id for unit in people.units.values() if unit.kind == "street"]
    whole = [(unit, say("说不准，或不想说")) for unit in streets]
    communities = [(one, people.unit(one).name) for street in streets
                   for one in people.communities(street, at())]  # fmt: skip
    return [("", [*communities, *whole])]


def _here(asked: Blank) -> str:
    """The community of the grid that the code on the door names; the street if it names none."""
    scanned = request.args.get(PLACE, "")
    known = [value for _, group in asked.places for value, _ in group]
    path = asked.people.path(scanned) if scanned in asked.people.units else ()
    return next((unit for unit in path if unit in known), known[-1] if known else "")


def _choosing(asked: Blank) -> Choosing:
    """Any unit of the street, and the street itself: who is complained of need do nothing later."""
    usual = choosing_first(asked.definition, asked.people, at())
    units = [unit.id for unit in asked.people.units.values()
             if unit.kind in COMPLAINED_OF and valid(unit, at())]  # fmt: skip

    def offered(field: Field) -> Groups:
        return unit_groups(asked.people, units) if field.widget == "unit" else usual(field)

    return offered


# --- the page -------------------------------------------------------------------------------------


def page(asked: Blank, errors: Sequence[FieldError] = ()) -> str:
    """The form, with what was typed still in it."""
    posted: MultiDict[str, str] | None = request.form if request.method == "POST" else None
    wrong = next((error for error in errors if error.field == PLACE), None)
    secret = _secret(posted.get("token", "")) if posted is not None else None
    return render_template(
        "complain.html",
        questions=questions(asked.form, posted, errors, choosing=_choosing(asked), now=at()),
        places=asked.places,
        place=posted.get(PLACE, "") if posted is not None else _here(asked),
        place_error=either(wrong.chinese, wrong.english) if wrong else "",
        errors=errors,
        channel=asked.channel,
        token=_token(secret or secrets.token_bytes(16)),
        emergency=settings().emergency,
    )


def _check_flood() -> None:
    try:
        check(doors().complaints)
    except TooManyAttempts:
        raise Flooded from None


def _token(secret: bytes) -> str:
    return _signer().dumps([secret.hex(), timestamp(at())])


def _secret(token: str) -> bytes | None:
    """The secret of a form that was opened here not too long ago."""
    try:
        secret, opened = _signer().loads(token)
    except (BadSignature, ValueError):
        return None
    return bytes.fromhex(secret) if at() - instant(opened) <= FORM_LIFE else None


def _signer() -> URLSafeSerializer:
    return URLSafeSerializer(settings().secret_key, salt=_SALT)


def _no_place() -> FieldError:
    return FieldError(PLACE, "请选择在哪个社区。", "Choose the community.")


def _too_long_open() -> FieldError:
    return FieldError(
        PLACE,
        "这一页开得太久，为稳妥起见请再按一次提交，填的内容都还在。",
        "This page was open too long; please press the button again. Nothing you wrote is lost.",
    )
