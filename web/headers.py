"""Headers of every answer: what a browser may load, frame, guess, keep and tell others."""

from typing import Final

from flask import Flask, Response, request

from web.config import Settings

# No 'unsafe-inline' and no 'unsafe-eval': pages have no inline style, script or handler.
# `data:` is for the icons inside bpmn-js's own stylesheet.
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self' data:; connect-src 'self'; worker-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
ALWAYS: Final = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",  # for browsers that do not know frame-ancestors
    # Another site must not learn which case somebody came from; our own CSRF check needs it.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), interest-cohort=()",
}
TWO_YEARS: Final = "max-age=63072000"


def init_app(app: Flask, settings: Settings) -> None:
    """Put the headers on every answer of this application."""

    @app.after_request
    def add_headers(response: Response) -> Response:
        for name, value in ALWAYS.items():
            response.headers.setdefault(name, value)
        if settings.cookie_secure:
            response.headers.setdefault("Strict-Transport-Security", TWO_YEARS)
        # What was shown to a signed-in person must not be found by the next one at this desk.
        if request.endpoint != "static" and "Cache-Control" not in response.headers:
            response.headers["Cache-Control"] = "no-store"
        return response
