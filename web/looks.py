"""Notes who looked at the file of a case, once the answer is made; never why an answer fails.

Which answers are a look, and at what, stands in one table; a test fails on an address of a case
that is in neither of its two halves.
"""

import logging
from collections.abc import Callable
from typing import Final

from flask import Flask, Response, g, request
from flask_login import current_user

from engine.viewings import Sight, is_noted, note_look
from web.anonymous import is_quiet
from web.visit import at, by, database, reads

logger = logging.getLogger("shaoji.looks")

PAGE: Final = Sight("page")


def _file(response: Response) -> Sight:
    what = "photo" if (response.mimetype or "").startswith("image/") else "document"
    return Sight(what, str((request.view_args or {})["sha256"]))


LOOKS: Final[dict[str, Callable[[Response], Sight]]] = {
    "cases.page": lambda _: PAGE,
    "tasks.page": lambda _: PAGE,
    "reporting.receipt": lambda _: PAGE,
    "cases.record": lambda _: Sight("record"),
    "evidence.view": _file,
    "reports.file": lambda _: Sight("report"),
    "risk.page": lambda _: PAGE,
    "api_cases.case": lambda _: PAGE,
    "api_cases.responsibility": lambda _: PAGE,
    "api_cases.timeline": lambda _: PAGE,
    "api_cases.record": lambda _: Sight("record"),
    "api_signals.of_case": lambda _: PAGE,
    "api_steps.step": lambda _: PAGE,
    "api_evidence.file": _file,
    "api_reports.file": lambda _: Sight("report"),
}
# Addresses of a case that show nothing of its file, or what its page has shown by then.
NO_LOOKS: Final = frozenset(
    {
        "access.page",
        "api_cases.parties",
        "api_cases.site_code",
        "api_reports.own",
        "api_reports.receipt",
        "api_reports.status",
        "cases.dispute",
        "cases.site_code",
        "evidence.thumbnail",
        "kept_receipts.page",
        "kept_receipts.proof",
        "kept_receipts.text",
        "reports.page",
        "tasks.objection",
    }
)


def init_app(app: Flask) -> None:
    """Note the looks of this application."""
    app.after_request(note)


def note(response: Response) -> Response:
    """Note the look, if this answer is one: one to somebody signed in, whom it was not refused."""
    sight = LOOKS.get(request.endpoint or "")
    if sight is None or request.method != "GET" or response.status_code != 200 or is_quiet():
        return response
    # Another system's token stands for a person as a session does.
    if "bearer" in g or current_user.is_authenticated:
        # A page that lays cases together names the others it has told of.
        for case in [str((request.view_args or {})["case_id"]), *g.get("looked_too", ())]:
            _note(case, sight(response))
    return response


def _note(case_id: str, sight: Sight) -> None:
    try:
        with reads() as conn:
            noted = is_noted(conn, case_id, sight, by=by(), at=at())
        if not noted:
            with database().begin() as conn:
                note_look(conn, case_id, sight, by=by(), at=at())
    except Exception:
        # A full disk, a busy database, a clock set back: what was asked for is shown all the same.
        # Which case it was stands in the line of the request, unless that is confidential.
        logger.exception("a look could not be noted")
