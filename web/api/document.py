"""The application with its interface: operations registered, described in one OpenAPI document."""

from collections.abc import Sequence
from typing import Any, Final

import orjson
from flask import Blueprint, Flask, Response, current_app, render_template, request
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.info import Info
from flask_openapi3.models.path_item import PathItem
from flask_openapi3.openapi import OpenAPI
from werkzeug.wrappers import Response as AnyResponse

from web.api import (
    acts,
    beginning,
    case_acts,
    cases,
    early_warning,
    files,
    inbox,
    me,
    metrics,
    orders,
    problems,
    reference,
    register,
    reports,
    risk_index,
    signals,
    step_acts,
    steps,
)
from web.api.bearer import admit
from web.api.operations import ROOT, SCHEME
from web.api.strict_json import StrictRequest

SUBJECTS: Final[Sequence[APIBlueprint]] = tuple(
    one.operations
    for one in (
        me,
        inbox,
        orders,
        steps,
        step_acts,
        files,
        beginning,
        cases,
        case_acts,
        acts,
        signals,
        metrics,
        early_warning,
        risk_index,
        reports,
        register,
    )
)
VERSION: Final = "1"
pages = Blueprint("api_document", __name__, url_prefix=ROOT)
EXTENSION: Final = "shaoji.openapi"


def application(name: str) -> Flask:
    """An application that can take in operations; nothing is served by it yet."""
    return OpenAPI(
        name,
        info=Info(title="哨迹 Shaoji", version=VERSION),
        doc_ui=False,
        security_schemes={
            SCHEME: {
                "type": "http",
                "scheme": "bearer",
                "description": "A token made by its owner on the page 我的 (/me/tokens).",
            }
        },
        validation_error_status=400,
        validation_error_model=problems.Problem,
        validation_error_callback=problems.malformed,
    )


def init_app(app: Flask) -> None:
    """Serve the interface: call it before whatever else looks at who sent a request."""
    assert isinstance(app, OpenAPI)  # noqa: S101 - made by `application`
    app.request_class = StrictRequest
    app.before_request(admit)
    for subject in SUBJECTS:
        app.register_api(subject)
    app.paths.update(_paths())
    app.register_blueprint(pages)
    problems.init_app(app)
    app.extensions[EXTENSION] = _document(app)


def document(app: Flask) -> dict[str, Any]:
    """The OpenAPI 3.1 document of this application."""
    told: dict[str, Any] = app.extensions[EXTENSION]
    return told


@pages.get("/openapi.json")
def openapi() -> AnyResponse:
    """The document, for everybody: it says nothing of anybody."""
    response = Response(orjson.dumps(document(current_app)), mimetype="application/json")
    response.add_etag()
    response.headers["Cache-Control"] = "no-cache"
    return response.make_conditional(request)


@pages.get("/reference")
def reference_page() -> str:
    """The same for people."""
    told = document(current_app)
    return render_template(
        "api_reference.html",
        chapters=reference.chapters(told),
        structures=reference.structures(told),
        scopes=reference.scopes(),
        kinds=reference.kinds(),
    )


def _paths() -> dict[str, PathItem]:
    """Every address with all its methods: registering keeps those of the last subject alone."""
    merged: dict[str, PathItem] = {}
    for subject in SUBJECTS:
        for path, item in subject.paths.items():
            known = merged.setdefault(path, PathItem())
            for method in reference.METHODS:
                if (told := getattr(item, method)) is not None:
                    setattr(known, method, told)
    return merged


def _document(app: OpenAPI) -> dict[str, Any]:
    told: dict[str, Any] = app.api_doc
    told["info"]["description"] = (
        "What the pages do, for other programs. A token acts as the person who made it, within its "
        "scopes. Acts take an Idempotency-Key. Refusals are problem documents (RFC 9457)."
    )
    return told
