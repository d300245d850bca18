"""Every request has an id and a line: which rule, how it was answered, how long it took.

The line has the rule (`/q/<code>`) and never the address, for codes and tokens stand in addresses;
no person, no network address, nothing that was sent. A case is named if everybody may know of it.
"""

import logging
import re
import secrets
import time
from types import TracebackType
from typing import Final

from flask import Flask, Response, current_app, g, request
from sqlalchemy.exc import SQLAlchemyError

from engine.register import is_confidential
from web import spans
from web.anonymous import is_quiet
from web.internal_metrics import TALLY
from web.logs import JSON, REQUESTS
from web.spans import Spans
from web.tallies import Tally
from web.visit import reads, settings

EXTENSION: Final = "shaoji.spans"
HEADER: Final = "X-Request-ID"
# What proxies make: hexadecimal or a UUID. Anything else could be a message to whoever reads logs,
# and digits alone a telephone number or a receipt code.
ID: Final = re.compile(r"(?![0-9-]+$)[0-9A-Fa-f]{8}(?:-?[0-9A-Fa-f]{4}){2,14}")
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
# Asked every few seconds by what watches the server: neither counted nor told.
PROBES: Final = frozenset({"health.alive", "health.ready", "internal_metrics.page"})

Caught = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]

logger = logging.getLogger(REQUESTS)
errors = logging.getLogger("shaoji.errors")


def init_app(app: Flask, tally: Tally, told: Spans) -> None:
    """Give this application's requests their ids; call it before anything else looks at them."""
    app.extensions[TALLY] = tally
    app.extensions[EXTENSION] = told
    app.before_request(begin)
    app.after_request(end)
    app.jinja_env.globals["request_id"] = request_id
    # Flask's own line has the address.
    app.log_exception = failed  # type: ignore[method-assign]


def begin() -> None:
    """Note when a request began, and its id."""
    g.began = time.perf_counter()
    sent = request.headers.get(HEADER, "")
    # A proxy's id would lead from a resident's request to the network address in the proxy's log.
    g.request_id = sent if ID.fullmatch(sent) and not is_quiet() else secrets.token_hex(8)


def request_id() -> str:
    """The id of this request, by which its lines in the log are found."""
    return str(g.get("request_id", ""))


def end(response: Response) -> Response:
    """Tell the id, count the request, write its line and tell its span where that is wanted."""
    response.headers[HEADER] = request_id()
    if request.endpoint in PROBES:
        return response
    seconds = time.perf_counter() - g.began
    rule = request.url_rule.rule if request.url_rule else "-"
    method = request.method if request.method in METHODS else "OTHER"
    tally: Tally = current_app.extensions[TALLY]
    tally.count(rule, method, response.status_code, seconds)
    tell = current_app.extensions[EXTENSION].tell
    if tell is not None:
        tell(spans.request(method, rule, response.status_code, request_id(), seconds))
    if settings().log == JSON:
        told = {
            "method": method, "rule": rule, "status": response.status_code,
            "ms": round(seconds * 1000), **_case(),
        }  # fmt: skip
        logger.info("request", extra={"told": told})
    return response


def failed(exc_info: Caught) -> None:
    """A fault of ours: its type and where it happened, under the id of the request."""
    errors.error("a request failed", exc_info=exc_info)


def _case() -> dict[str, str]:
    """The case the rule names, if there is such a case and it is not confidential."""
    case = str((request.view_args or {}).get("case_id", ""))
    if not case:
        return {}
    try:
        with reads() as conn:
            # None: there is no such case, and what was asked for may be anything.
            return {"case": case} if is_confidential(conn, case) is False else {}
    except SQLAlchemyError:
        return {}
