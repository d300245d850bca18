"""Refusals and errors as RFC 9457 problem documents, in both languages."""

import logging
import re
from collections.abc import Sequence
from typing import Final

from flask import Blueprint, Flask, Response, request
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy.exc import DatabaseError, IntegrityError, OperationalError
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as AnyResponse

from audit.encoding import NotCanonical
from audit.log import ClockBehind, ForkRefused
from engine.api_tokens import UNAUTHENTICATED, ScopeMissing, UnknownToken
from engine.casework import ClockSetBack
from engine.damage import damage
from engine.errors import BadInput, Refusal
from engine.forms import FormRefused
from engine.idempotency import KeyReused
from web import refusals
from web.texts import both, either, later
from web.visit import was_overtaken

PREFIX: Final = "/api/"
REFERENCE: Final = "/api/v1/reference"
MEDIA: Final = "application/problem+json"
TITLES: Final = refusals.TITLES | {
    401: later("请出示有效的令牌"),
    415: later("请用 JSON 提交"),
    422: later("填写的内容有误，没有生效"),
}
ADVICE: Final = refusals.ADVICE | {
    404: later("没有这个接口地址。接口说明见 /api/v1/reference。"),
    405: later("这个地址不接受这种方法。接口说明见 /api/v1/reference。"),
    413: later("内容太大：JSON 最大 1 MB，单张照片 15 MB，PDF 25 MB。"),
    415: later("请求头 Content-Type 请写 application/json；上传文件用 multipart/form-data。"),
}


class FieldProblem(BaseModel):
    """What is wrong with one field, as a sentence for the person who filled it in."""

    field: str
    detail_zh: str
    detail_en: str


class Problem(BaseModel):
    """A refusal. type: stable, one for each kind of refusal; told apart by it, not by sentences."""

    model_config = ConfigDict(json_schema_extra={"additionalProperties": False})

    type: str
    title: str
    status: int
    detail: str
    detail_zh: str
    detail_en: str
    errors: list[FieldProblem] = Field(default_factory=list)


class MalformedRequest(BadInput):
    """The request has not the shape the document gives it."""


def guard(subject: Blueprint) -> None:
    """Tell refusals and errors of these operations as problems."""
    subject.register_error_handler(Refusal, refused)
    subject.register_error_handler(HTTPException, failed)
    subject.register_error_handler(ForkRefused, _outrun)
    subject.register_error_handler(IntegrityError, _outrun)
    subject.register_error_handler(ClockBehind, _clock_behind)
    subject.register_error_handler(OperationalError, _no_writing)
    subject.register_error_handler(DatabaseError, _unreadable)
    subject.register_error_handler(NotCanonical, _damaged)


def init_app(app: Flask) -> None:
    """Tell addresses and methods that do not exist, too: they belong to no operation."""
    for code in (404, 405):
        app.register_error_handler(code, _unrouted)


def type_of(kind: type[Exception]) -> str:
    """The stable URI of a kind of refusal: its place on the reference page."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", kind.__name__)
    return f"{REFERENCE}#refusal-{words.lower()}"


def status_of(kind: type[Refusal]) -> int:
    """The HTTP status of a kind of refusal: as on a page, but 401 for a token, 422 for a form."""
    if issubclass(kind, UNAUTHENTICATED):
        return 401
    if issubclass(kind, FormRefused | KeyReused):
        return 422
    return refusals.status_of(kind)


def refused(refused_: Refusal) -> Response:
    """The problem of a refusal, in its own words."""
    if isinstance(refused_, ClockSetBack) and was_overtaken(refused_):
        return _outrun(refused_)
    code = status_of(type(refused_))
    errors = refused_.errors if isinstance(refused_, FormRefused) else []
    told = [
        FieldProblem(field=one.field, detail_zh=one.chinese, detail_en=one.english)
        for one in errors
    ]
    words = refused_.chinese, refused_.english
    response = problem(type_of(type(refused_)), code, words, told)
    challenge = _challenge(refused_, code)
    if challenge:
        response.headers["WWW-Authenticate"] = challenge
    return response


def _challenge(refused_: Refusal, code: int) -> str:
    """RFC 6750: why the token was not enough; nothing but the scheme where none was sent."""
    if isinstance(refused_, ScopeMissing):
        return f'Bearer realm="shaoji", error="insufficient_scope", scope="{refused_.scope}"'
    if code != 401:
        return ""
    if isinstance(refused_, UnknownToken) and "Authorization" not in request.headers:
        return 'Bearer realm="shaoji"'
    words = re.sub(r"[^ !#-\[\]-~]", "", refused_.english)
    return f'Bearer realm="shaoji", error="invalid_token", error_description="{words}"'


def failed(error: HTTPException) -> AnyResponse:
    """Any other HTTP error; answers that were made elsewhere pass as they are."""
    if isinstance(error.response, AnyResponse):
        return error.response
    code = error.code or 500
    words = both(ADVICE.get(code, ADVICE[500] if code in refusals.TORN else ADVICE[400]))
    return problem(f"{REFERENCE}#http-{code}", code, words)


def malformed(error: ValidationError) -> Response:
    """What does not fit the document, field by field."""
    told = [
        FieldProblem(
            field=".".join(str(part) for part in one["loc"]) or "body",
            detail_zh=f"不合接口说明：{one['msg']}。",
            detail_en=f"{one['msg']}.",
        )
        for one in error.errors(include_url=False, include_context=False, include_input=False)
    ]
    words = (
        "请求的写法不合接口说明，没有生效。请按 errors 改正。",
        "The request has not the shape the document gives it; nothing was done. See `errors`.",
    )
    return problem(type_of(MalformedRequest), 400, words, told)


def problem(
    type_: str, code: int, words: tuple[str, str], errors: Sequence[FieldProblem] = ()
) -> Response:
    """A problem document; words: what is the matter, in Chinese and English."""
    told = Problem(
        type=type_,
        title=either(*both(TITLES.get(code, TITLES[400]))),
        status=code,
        detail=either(*words),
        detail_zh=words[0],
        detail_en=words[1],
        errors=list(errors),
    )
    return Response(told.model_dump_json(), code, mimetype=MEDIA)


def _unrouted(error: HTTPException) -> tuple[str, int] | AnyResponse:
    if request.path.startswith(PREFIX):
        response = failed(error)
        if "Allow" in (given := dict(error.get_headers())):
            response.headers["Allow"] = given["Allow"]
        return response
    return refusals.failed(error)


def _outrun(error: Exception) -> Response:
    logging.getLogger("shaoji").warning("a request was outrun: %s", type(error).__name__)
    return problem(f"{REFERENCE}#outrun", 409, both(refusals.OUTRUN))


def _clock_behind(error: ClockBehind) -> Response:
    if was_overtaken(error):
        return _outrun(error)
    logging.getLogger("shaoji").error("the clock stands behind the log")
    return problem(f"{REFERENCE}#clock-behind", 409, both(refusals.CLOCK_BEHIND))


def _no_writing(error: OperationalError) -> Response:
    logging.getLogger("shaoji").error("the database cannot be written: %s", error.orig)
    return problem(f"{REFERENCE}#no-writing", 503, both(refusals.NO_WRITING))


def _unreadable(error: DatabaseError) -> Response:
    if damage(error) is None:
        raise error
    logging.getLogger("shaoji").error("the database is damaged: %s", error.orig)
    return problem(f"{REFERENCE}#damaged", 503, both(refusals.UNREADABLE))


def _damaged(error: NotCanonical) -> Response:
    logging.getLogger("shaoji").error("a stored record cannot be read; run shaoji verify")
    return problem(f"{REFERENCE}#damaged", 500, both(refusals.DAMAGED))
