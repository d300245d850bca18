"""Who sent a request: a token in its header and nothing else. Cookies are not looked at here."""

import re
from typing import Final

from flask import g, request
from werkzeug.exceptions import UnsupportedMediaType

from engine.api_tokens import Bearer, ScopeMissing, UnknownToken, find_bearer, touch_token
from web.api.problems import MalformedRequest
from web.visit import at, reads, writes

HEADER: Final = "Authorization"
# RFC 6750, section 2.1.
CREDENTIALS: Final = re.compile(r"[Bb]earer +([A-Za-z0-9._~+/-]+=*) *")
LARGEST_JSON: Final = 1024 * 1024
# endpoint -> the scopes of which it takes one; none: any token will do.
SCOPES_OF: Final[dict[str, tuple[str, ...]]] = {}


def admit() -> None:
    """Let in whoever sent a token that is good for this operation, before anything else is read.

    Raises UnknownToken, TokenExpired, TokenRevoked, ScopeMissing, MalformedRequest.
    """
    scopes = SCOPES_OF.get(str(request.endpoint))
    if scopes is None:
        return
    g.bearer = _bearer()
    if scopes and not g.bearer.scopes & set(scopes):
        raise ScopeMissing(scopes[0])
    _check_readable()


def _bearer() -> Bearer:
    sent = CREDENTIALS.fullmatch(request.headers.get(HEADER, ""))
    if sent is None:
        raise UnknownToken
    with reads() as conn:
        found = find_bearer(conn, sent[1], at=at())
    if found.stale:
        with writes() as conn:
            touch_token(conn, found.token, at=at())
    return found


def _check_readable() -> None:
    """What no operation can make sense of: other media, NUL in an address."""
    told = [request.path, *(text for pair in request.args.items(multi=True) for text in pair)]
    if any("\x00" in text or "\ufffd" in text for text in told):
        raise MalformedRequest(
            "地址里有不能用的字符。", "There are characters in the address that cannot be used."
        )
    if request.mimetype == "multipart/form-data" or request.method in ("GET", "HEAD"):
        return
    request.max_content_length = LARGEST_JSON
    if request.get_data() and not request.is_json:
        raise UnsupportedMediaType
