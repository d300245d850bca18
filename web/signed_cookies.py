"""What one page hands the next by a browser's cookie: signed, short-lived, sent to few addresses.

Not in the session: that one cookie is written anew by every answer, so of two at once the later
one takes back what the other had just put in.
"""

from datetime import timedelta
from typing import Any, Final

from flask import after_this_request, current_app, request
from itsdangerous import BadSignature, URLSafeSerializer
from werkzeug.wrappers import Response

LIFETIME: Final = timedelta(minutes=15)


def hand_on(response: Response, name: str, told: list[str], *, path: str) -> None:
    """Let this answer put a cookie into the browser, sent back to addresses below `path` alone."""
    response.set_cookie(
        name, _signer(name).dumps(told),
        max_age=LIFETIME, path=path, httponly=True, samesite="Lax",
        secure=bool(current_app.config["SESSION_COOKIE_SECURE"]),
    )  # fmt: skip


def handed_on(name: str) -> list[str] | None:
    """What was handed on under this name, None if nothing was or somebody has changed it."""
    try:
        told: list[str] | None = _signer(name).loads(request.cookies.get(name, ""))
    except BadSignature:
        return None
    return told


def drop(name: str, *, path: str) -> None:
    """Let the answer to this request take the cookie back."""

    @after_this_request
    def dropping(response: Any) -> Any:
        response.delete_cookie(name, path=path)
        return response


def _signer(name: str) -> URLSafeSerializer:
    return URLSafeSerializer(str(current_app.secret_key), salt=f"shaoji {name}")
