"""How an operation is declared: where, for which scope, what it answers; and how an act is done."""

import hashlib
from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Any, Final, TypeVar

import orjson
from flask import Response, request
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import BaseModel
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from engine.casework import Done, read_case
from engine.idempotency import Answer, remember, remembered
from engine.site_codes import WrongCode, note_wrong
from web.api.bearer import SCOPES_OF
from web.api.problems import MEDIA, guard
from web.api.shapes import Acted, Happened
from web.texts import both
from web.visit import at, by, carries_out, reads, writes

ROOT: Final = "/api/v1"
SCHEME: Final = "token"
_PROBLEM: Final = {MEDIA: {"schema": {"$ref": "#/components/schemas/Problem"}}}
REFUSED: Final[dict[str | int | HTTPStatus, Any]] = {
    "400": {"description": "It is malformed, or breaks a stated rule", "content": _PROBLEM},
    "401": {"description": "No token, or one that is unknown, expired or revoked; see "
            "WWW-Authenticate", "content": _PROBLEM},
    "403": {"description": "Not for this person, or not for this token", "content": _PROBLEM},
    "404": {"description": "There is no such thing", "content": _PROBLEM},
    "409": {"description": "It has changed meanwhile, or cannot be done now", "content": _PROBLEM},
    "422": {"description": "The form has faults, told field by field; or the key was used for "
            "another request", "content": _PROBLEM},
    "default": {"description": "Any other refusal", "content": _PROBLEM},
}  # fmt: skip

Given = dict[str | int | HTTPStatus, type[BaseModel] | dict[Any, Any] | None]
View = TypeVar("View", bound=Callable[..., Any])
# What an act does in its transaction, with the key that the engine remembers it by.
Command = Callable[[Connection, str], Done | BaseModel]


def subject(name: str, title: str) -> APIBlueprint:
    """Operations that belong together; title: in Chinese, with its English in the catalog."""
    chinese, english = both(title)
    made = APIBlueprint(
        f"api_{name}",
        __name__,
        url_prefix=ROOT,
        abp_tags=[Tag(name=name, description=f"{chinese} · {english}")],
        abp_responses=dict(REFUSED),
    )
    guard(made)
    return made


def shows(
    subject_: APIBlueprint, rule: str, summary: str, answer: type[BaseModel], *scopes: str
) -> Callable[[View], View]:
    """Declare an operation that only reads; its view returns the answer, or a whole response."""

    def declare(view: View) -> View:
        @wraps(view)
        def shown(**given: Any) -> Response:
            told = view(**given)
            return told if isinstance(told, Response) else answered(200, encoded(told))

        declared = _declaration(subject_, view, summary, scopes)
        subject_.get(rule, responses={200: answer}, **declared)(shown)
        return view

    return declare


def gives(
    subject_: APIBlueprint, rule: str, summary: str, media: str | tuple[str, ...], *scopes: str
) -> Callable[[View], View]:
    """Declare an operation that gives out a file of this media type, or of one of these."""

    def declare(view: View) -> View:
        bytes_: dict[str, str] = {"type": "string", "format": "binary"}
        content = {
            one: {"schema": {"type": "object"} if one.endswith("json") else bytes_}
            for one in ((media,) if isinstance(media, str) else media)
        }
        given: Given = {200: {"description": "The file", "content": content}}
        subject_.get(rule, responses=given, **_declaration(subject_, view, summary, scopes))(view)
        return view

    return declare


def receives(
    subject_: APIBlueprint, rule: str, summary: str, answer: type[BaseModel], *scopes: str
) -> Callable[[View], View]:
    """Declare an operation that keeps what is sent; the same sent again changes nothing."""

    def declare(view: View) -> View:
        @wraps(view)
        def received(**given: Any) -> Response:
            return answered(201, encoded(view(**given)))

        declared = _declaration(subject_, view, summary, scopes)
        subject_.post(rule, responses={201: answer}, **declared)(received)
        return view

    return declare


def acts(
    subject_: APIBlueprint,
    rule: str,
    summary: str,
    *scopes: str,
    answer: type[BaseModel] = Acted,
    status: int = 200,
) -> Callable[[View], View]:
    """Declare an act: its view reads and checks, and returns the command to be carried out."""

    def declare(view: View) -> View:
        @wraps(view)
        def acted(**given: Any) -> Response:
            key, asked = _key(given["header"].idempotency_key), _request()
            with reads() as conn:
                before = remembered(conn, key, asked)
            if before is not None:
                return _again(before)
            return _do(view(**given), key, asked, status)

        declared = _declaration(subject_, view, summary, scopes)
        subject_.post(rule, responses={status: answer}, **declared)(acted)
        return view

    return declare


def _declaration(
    subject_: APIBlueprint, view: Callable[..., Any], summary: str, scopes: tuple[str, ...]
) -> dict[str, Any]:
    name = f"{subject_.name}.{view.__name__}"
    SCOPES_OF[name] = scopes
    chinese, english = both(summary)
    return {
        "summary": chinese,
        "description": english,
        "operation_id": f"{subject_.name.removeprefix('api_')}_{view.__name__}",
        "security": [{SCHEME: [scope]} for scope in scopes] or [{SCHEME: []}],
    }


# --- carrying it out ------------------------------------------------------------------------------


def _do(command: Command, key: str, asked: str, status: int) -> Response:
    try:
        with carries_out(lambda conn: command(conn, key)) as (conn, told):
            body = encoded(_acted(conn, told) if isinstance(told, Done) else told)
            remember(conn, key, asked, Answer(status, body), at=at())
    except IntegrityError:
        # The same request, sent twice at once, was done by the other one: nothing of this is kept.
        with reads() as conn:
            before = remembered(conn, key, asked)
        if before is None:
            raise
        return _again(before)
    except WrongCode:
        # Guesses are counted, and what was refused has been rolled back.
        with writes() as conn:
            note_wrong(conn, (request.view_args or {})["case_id"])
        raise
    return answered(status, body)


def _acted(conn: Connection, done: Done) -> Acted:
    return Acted(
        case=done.case,
        seq=done.seq,
        events=[Happened(seq=entry.seq, type=entry.type) for entry in done.entries],
        tasks=list(read_case(conn, done.case).tasks),
        repeated=done.repeated,
    )


def _key(sent: str) -> str:
    # Keys of different persons, and those of forms on pages, never meet.
    return f"api:{by().person}:{sent}"


def _request() -> str:
    """A hash of what is asked: method, address, and the values that were sent."""
    told = orjson.dumps(request.get_json(silent=True), option=orjson.OPT_SORT_KEYS)
    head = f"{request.method} {request.full_path}\n".encode("utf-8", "replace")
    return hashlib.sha256(head + told).hexdigest()


# --- answers --------------------------------------------------------------------------------------


def encoded(told: BaseModel) -> bytes:
    """An answer as JSON."""
    return told.model_dump_json(by_alias=True).encode()


def answered(status: int, body: bytes) -> Response:
    """A JSON answer; what was read has an ETag, and is not sent again to whoever has it."""
    response = Response(body, status, mimetype="application/json")
    if request.method in ("GET", "HEAD"):
        response.add_etag()
        # Kept by whoever asked alone, and asked for again each time.
        response.headers["Cache-Control"] = "private, no-cache"
        response.make_conditional(request)
    return response


def _again(before: Answer) -> Response:
    response = answered(before.status, before.body)
    response.headers["Idempotency-Replayed"] = "true"
    return response
