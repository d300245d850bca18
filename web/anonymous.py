"""Pages for people who are nobody here: no cookie, nobody recognised, nothing of them kept or told.

What they may do is in what they type (a receipt code), never in what their browser brings along.
So there is no token against forged forms to keep, and therefore no cookie; a form sent here by
another site is turned away by what the browser says of itself.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from ipaddress import IPv6Address, ip_address
from threading import BoundedSemaphore
from typing import Final

from flask import Blueprint, Flask, Response, current_app, request
from flask.sessions import SecureCookieSessionInterface, SessionMixin

from engine.errors import NotAllowed, Refusal
from engine.guessing import Attempts
from web.visit import at

EXTENSION: Final = "shaoji.anonymous"
# The subjects whose pages are for people who are nobody here.
# The calendar feed is read by phones: its secret is in its address.
QUIET: Final = frozenset(
    {
        "complaints", "mailboxes", "publication", "residents", "followed", "hazard_publication",
        "feed", "health", "internal_metrics",
    }
)  # fmt: skip
# Far more than the longest complaint: nothing here is a file.
LARGEST: Final = 64 * 1024
# Each takes 64 MiB for a fifth of a second.
DERIVATIONS: Final = 2
PATIENCE_SECONDS: Final = 20
HIDDEN: Final = {
    "X-Robots-Tag": "noindex, nofollow, noarchive",
    "Cache-Control": "no-store",
}
ELSEWHERE: Final = frozenset({"cross-site", "same-site"})


class FromElsewhere(NotAllowed):
    """Another site sent this form."""

    def __init__(self) -> None:
        super().__init__(
            "这张表单不是从本站打开的，没有收下。请在本站重新打开。",
            "This form was not opened on this site and was not taken. Open it here.",
        )


class Crowded(Refusal):
    """Too many people at once."""

    def __init__(self) -> None:
        super().__init__(
            "现在用的人多，没有收下。请过一分钟再提交，填的内容先留着。",
            "Too many people at once; this was not taken. Keep what you wrote, try in a minute.",
        )


@dataclass(frozen=True, slots=True)
class Doors:
    """What keeps floods and guessing out. In memory only, and gone with the server.

    Its processes count together; derivations are those of one of them.
    """

    codes: Attempts = field(default_factory=lambda: Attempts(most=10))
    numbers: Attempts = field(default_factory=lambda: Attempts(most=30))
    places: Attempts = field(default_factory=lambda: Attempts(most=30))
    complaints: Attempts = field(
        default_factory=lambda: Attempts(most=20, within=timedelta(hours=1))
    )
    derivations: BoundedSemaphore = field(default_factory=lambda: BoundedSemaphore(DERIVATIONS))

    @classmethod
    def of(cls, processes: int) -> "Doors":
        """Those of a server of so many processes, which share its derivations among them."""
        return cls(derivations=BoundedSemaphore(max(1, DERIVATIONS // processes)))


class QuietSessions(SecureCookieSessionInterface):
    """Sessions as usual, except that no page for people who are nobody here sets a cookie."""

    def should_set_cookie(self, app: Flask, session: SessionMixin) -> bool:
        """Whether this answer carries the session's cookie."""
        return not is_quiet() and super().should_set_cookie(app, session)


def init_app(app: Flask, kept: Doors) -> None:
    """Set up what these pages share, with other processes too if it was made before them."""
    app.extensions[EXTENSION] = kept
    app.session_interface = QuietSessions()


def guard(pages: Blueprint, largest: int = LARGEST) -> None:
    """Make the pages of this subject pages for people who are nobody here.

    largest: so many bytes may be sent to them.
    """
    pages.before_request(partial(_take_little, largest))
    pages.after_request(_say_nothing)


def is_quiet() -> bool:
    """Whether this request is to a page for people who are nobody here."""
    return request.blueprint in QUIET


def _take_little(largest: int) -> None:
    request.max_content_length = largest
    if request.method == "POST" and request.headers.get("Sec-Fetch-Site") in ELSEWHERE:
        raise FromElsewhere


def hide(response: Response) -> Response:
    """Put on an answer what keeps it out of caches and search engines."""
    response.headers.update(HIDDEN)
    return response


def _say_nothing(response: Response) -> Response:
    # Not where people are signed in: there a form is told from a forged one by its referrer.
    response.headers["Referrer-Policy"] = "no-referrer"
    return hide(response)


def doors() -> Doors:
    """The limits of this application."""
    found: Doors = current_app.extensions[EXTENSION]
    return found


def source() -> bytes:
    """Where a request comes from, for counting alone: whoever has one IPv6 address has 2^64."""
    told = request.remote_addr or ""
    try:
        address = ip_address(told)
    except ValueError:
        return told.encode()
    return address.packed[:8] if isinstance(address, IPv6Address) else address.packed


def check(attempts: Attempts) -> None:
    """Raise TooManyAttempts if too much came from there of late."""
    attempts.check(source(), at())


def count(attempts: Attempts) -> None:
    """Count one more from there."""
    attempts.failed(source(), at())


@contextmanager
def deriving() -> Iterator[None]:
    """A turn at making keys of a code: costly on purpose, so only few at a time."""
    turn = doors().derivations
    if not turn.acquire(timeout=PATIENCE_SECONDS):
        raise Crowded
    try:
        yield
    finally:
        turn.release()
