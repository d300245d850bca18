"""一码扫楼: what opens when somebody scans the code on a door, and how their report is taken.

Whoever reports is nobody here (web.anonymous): nothing of them or their telephone is looked at. The
place is in the code. Sent twice, a form is answered twice with the same receipt code.
"""

import hashlib
import secrets
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final

from flask import Blueprint, render_template, request
from itsdangerous import BadSignature, URLSafeSerializer

from audit.encoding import instant, timestamp
from engine.casework import Done, read_case
from engine.definition_sets import UnknownDefinition, latest
from engine.definitions import OPENING_FORM, Definition
from engine.errors import Refusal
from engine.evidence import Evidence
from engine.forms import FieldError, FormRefused
from engine.guessing import TooManyAttempts
from engine.people import directory
from engine.place_codes import (
    BadPlaceCode,
    CodeEnded,
    CodeReplaced,
    PlaceCode,
    UnknownPlaceCode,
    look_up,
)
from engine.receipt_codes import code_of, prepare
from engine.resident_reports import (
    MOST_PHOTOS,
    PROCESS,
    SENT,
    NotOpenToResidents,
    Told,
    TooManyReports,
    count,
    place_name,
    report_by_code,
    similar_nearby,
)
from engine.resident_reports import check as check_told
from web import anonymous
from web.anonymous import check, deriving, doors, guard
from web.kept_receipts import Kept, entry_of, keep
from web.records import read_file
from web.refusals import status
from web.texts import either, refusal, say
from web.uploads import receive, uploads
from web.visit import at, reads, settings, vault, writes

pages = Blueprint("residents", __name__)
# Three photos as telephones make them.
guard(pages, 48 * 1024 * 1024)

PATH: Final = "/q/<code>"
# How long a form may lie open; the secret in it is what answers it twice with the same code.
FORM_LIFE: Final = timedelta(hours=12)
PURPOSE: Final = "before"
# Nobody sees this field; a machine that fills in everything fills it in as well.
TRAP: Final = "website"
# What somebody says who was told that something like it had been reported.
ALSO, ANOTHER = "also", "another"
_SALT: Final = "scanned form"
_CLOSED: Final = (
    BadPlaceCode, UnknownPlaceCode, CodeReplaced, CodeEnded, NotOpenToResidents, TooManyAttempts,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Card:
    """One category to choose, in plain words; first: shown at once."""

    value: str
    plain: str
    first: bool


@dataclass(frozen=True, slots=True)
class Scanned:
    """What a scanned code opens: the place by name, and the categories."""

    code: PlaceCode
    place: str
    definition: Definition
    cards: tuple[Card, ...]


@dataclass(frozen=True, slots=True)
class Taken:
    """What somebody takes home. code: to come back with; number: to name it on the telephone."""

    code: str
    number: str
    kept: Kept


@pages.get(PATH)
def form(code: str) -> Any:
    """The form of the place whose code was scanned; or why the code does not count."""
    try:
        return _page(_scanned(code))
    except _CLOSED as refused:
        return _closed(refused)


@pages.post(PATH)
def report(code: str) -> Any:
    """Take a report and answer it with its receipt code."""
    try:
        asked = _scanned(code)
        with writes() as conn:
            # Before a file is kept: nobody fills the disk through a door.
            count(conn, asked.code.code, SENT, at=at())
    except (*_CLOSED, TooManyReports) as refused:
        return _closed(refused)
    return _lodge(asked)


def _scanned(code: str) -> Scanned:
    """The place of a code; a wrong one is counted. Raises what is in _CLOSED."""
    check(doors().places)
    with reads() as conn:
        try:
            found = look_up(conn, code, at=at())
        except UnknownPlaceCode:
            anonymous.count(doors().places)
            raise
        try:
            definition = latest(conn, PROCESS)
        except UnknownDefinition:
            raise NotOpenToResidents from None
        if not definition.started_by_resident:
            raise NotOpenToResidents
        return Scanned(
            found, place_name(directory(conn), found.unit), definition, cards(definition)
        )


def cards(definition: Definition) -> tuple[Card, ...]:
    """The categories a report may be of, in the plain words of texts.toml, else as staff say."""
    catalogue = tomllib.loads(definition.files["texts.toml"].decode()).get("categories", ())
    rows = {row["code"]: row for row in catalogue}
    asked = definition.forms[OPENING_FORM].field("category")
    return tuple(
        Card(
            one.value,
            either(row.get("plain", one.title), row.get("plainEn", one.title_en)),
            bool(row.get("first")),
        )
        for one in (asked.choices if asked else ())
        for row in (rows.get(one.value, {}),)
    )


# --- taking a report ------------------------------------------------------------------------------


def _lodge(asked: Scanned) -> Any:
    secret = _secret(request.form.get("token", ""))
    owner = secret.hex() if secret else ""
    received, unfit = receive([PURPOSE], at=at(), owner=owner) if secret else ([], [])
    try:
        _check_form(secret, unfit)
        told = _told(received)
        if _asks_about_similar(asked, told):
            return _page(asked, received=received, similar=_similar(asked, told))
        taken = _open(asked, told, secret or b"")
    except FormRefused as refused:
        return _page(asked, refused.errors, received), 422
    except TooManyReports as refused:
        return _page(asked, received=received, told=refusal(refused)), 429
    return render_template("scanned.html", taken=taken, place=asked.place)


def _check_form(secret: bytes | None, unfit: Sequence[FieldError]) -> None:
    errors = [*unfit]
    if request.form.get(TRAP, ""):
        errors.append(_trapped())
    if secret is None:
        errors.append(_too_long_open())
    if errors:
        raise FormRefused(errors)


def _told(received: Sequence[Evidence]) -> Told:
    given = request.form.get
    return Told(
        given("category", ""), given("words", ""), given("where", ""), given("contact", ""),
        given("similar", "") == ALSO, received,
    )  # fmt: skip


def _asks_about_similar(asked: Scanned, told: Told) -> bool:
    """Whether to ask first if it is the same: once, and only of what is otherwise in order."""
    if request.form.get("similar") in (ALSO, ANOTHER):
        return False
    check_told(told)
    return _similar(asked, told) > 0


def _similar(asked: Scanned, told: Told) -> int:
    with reads() as conn:
        return similar_nearby(conn, asked.code.unit, told.category, at=at())


def _open(asked: Scanned, told: Told, secret: bytes) -> Taken:
    code = code_of(secret)
    with deriving():
        receipt = prepare(vault(), code)
    key = f"scanned:{hashlib.sha256(secret).hexdigest()}"
    with writes() as conn:
        done = report_by_code(
            conn, vault(), asked.code.code, told, receipt=receipt, at=at(), key=key
        )
    return _taken(code, done)


def _taken(code: str, done: Done) -> Taken:
    with reads() as conn:
        kept = keep(conn, entry_of(conn, done.case, 1), read_case(conn, done.case))
        return Taken(code, read_file(conn, done.case).record.receipt or "", kept)


# --- the page -------------------------------------------------------------------------------------


def _page(
    asked: Scanned,
    errors: Sequence[FieldError] = (),
    received: Sequence[Evidence] = (),
    *,
    similar: int = 0,
    told: str = "",
) -> str:
    """The form, with what was typed still in it. similar: ask first whether it is the same."""
    secret = _secret(request.form.get("token", "")) or secrets.token_bytes(16)
    known = {one.name for one in asked.definition.forms[OPENING_FORM].fields}
    renamed = {"title": "words", "description": "words", "address": "where"}
    shown = [_renamed(one, renamed) for one in errors]
    (photos,) = uploads(
        asked.definition.forms[OPENING_FORM], [PURPOSE], received, errors, owner=secret.hex()
    )
    return render_template(
        "scan.html",
        place=asked.place,
        cards=asked.cards,
        typed=request.form,
        errors=shown,
        wrong={one.field: either(one.chinese, one.english) for one in reversed(shown)},
        photos=replace(photos, label=say("现场照片")),
        most_photos=MOST_PHOTOS,
        token=_token(secret),
        similar=similar,
        told=told,
        emergency=settings().emergency,
        asks_contact="contact" in known,
    )


def _renamed(error: FieldError, names: dict[str, str]) -> FieldError:
    """A fault the form of the process finds, at the field of this page it came from."""
    return FieldError(names.get(error.field, error.field), error.chinese, error.english)


def _closed(refused: Refusal) -> tuple[str, int]:
    busy = isinstance(refused, TooManyAttempts | TooManyReports)
    page = render_template(
        "scan_closed.html", told=refusal(refused), busy=busy, emergency=settings().emergency
    )
    return page, 429 if busy else status(refused)


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


def _trapped() -> FieldError:
    return FieldError(
        TRAP,
        "有一个该空着的格子填了内容，没有收下。请清空“请留空”那一格再交。",
        "A field that has to stay empty was filled in; this was not taken. Empty it, send again.",
    )


def _too_long_open() -> FieldError:
    return FieldError(
        "words",
        "这一页开得太久，请再按一次提交。写的都还在，照片请重新选。",
        "This page was open too long; press the button again. What you wrote is here, choose the "
        "photos anew.",
    )
