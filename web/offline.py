"""Without a network: pages a browser may keep for a while, and filled forms that wait to be sent.

What may be kept is decided here, page by page, and nothing is unless a page says so: never what is
confidential or sealed, never a page for people who are nobody here. A form that waits lies
encrypted in the browser under a key that this server tells its owner alone, and that the browser
forgets when they sign out: whoever borrows the phone can neither read nor send it. It is sent with
the idempotency key it was shown with, so that a lost answer does not make two of one.
"""

import hmac
from base64 import b64encode
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from flask import Blueprint, Flask, Response, current_app, g, render_template
from flask_login import current_user
from flask_wtf.csrf import generate_csrf

from audit.encoding import instant
from engine.inbox import InboxRow
from web.visit import at, by, settings

pages = Blueprint("offline", __name__)

# One script for the browser, four files for whoever reads it; the last uses the others.
PARTS: Final = ("box", "kept", "sending", "worker")
KEEP: Final = "Shaoji-Keep"
FORGED: Final = "Shaoji-Forged"
FILLED_AT: Final = "filled_at"
# Longer than any phone stays without a network; a wrong clock tells years.
LONGEST_WAIT: Final = timedelta(days=14)


def init_app(app: Flask) -> None:
    """Let this application's pages say who may keep them."""
    app.jinja_env.globals.update(browser_owner=browser_owner, may_be_kept=lambda: "keep" in g)

    @app.after_request
    def tell(response: Response) -> Response:
        if "keep" in g and response.status_code == 200:
            response.headers[KEEP] = browser_owner()
        return response


@pages.get("/offline-worker.js")
def worker() -> Response:
    """The script that stands between the pages and the network; from the root, for every page."""
    folder = Path(str(current_app.static_folder)) / "worker"
    text = "\n".join((folder / f"{name}.js").read_text(encoding="utf-8") for name in PARTS)
    response = Response(text, mimetype="text/javascript")
    response.headers["Cache-Control"] = "no-cache"
    return response


@pages.get("/waiting")
def waiting() -> str:
    """What waits in this browser to be sent; a script fills it in, this server knows nothing."""
    if current_user.is_authenticated:
        keep()
    return render_template("waiting.html", emergency=settings().emergency)


@pages.get("/waiting/session")
def session() -> tuple[dict[str, str], int]:
    """Who is signed in here, for the script: their token against forgery, the key of their forms.

    401 for nobody.
    """
    if not current_user.is_authenticated:
        return {}, 401
    return {"owner": browser_owner(), "token": generate_csrf(), "key": _key()}, 200


def keep(rows: Iterable[InboxRow] = ()) -> None:
    """Let the browser keep this page for when there is no network: not with confidential steps."""
    if not any(row.confidential for row in rows):
        g.keep = True


def browser_owner() -> str:
    """What a browser calls whoever is signed in: it tells two people apart and no more."""
    return current_user.person if current_user.is_authenticated else ""


def filled_at(posted: Any) -> datetime | None:
    """When a form that waited was filled, as the browser claims; None for one that did not wait.

    A claim beside the time of receipt, and only a possible one: a phone's clock may be wrong.
    """
    try:
        told = instant(posted.get(FILLED_AT, ""))
    except ValueError:
        return None
    return told if at() - LONGEST_WAIT <= told < at() else None


def _key() -> str:
    secret, whose = settings().secret_key.encode(), f"forms that wait, {by().person}".encode()
    return b64encode(hmac.digest(secret, whose, "sha256")).decode()
