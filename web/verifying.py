"""Serves the page with which a file is checked away from here: one file, its own policy in it.

`python -m web.verifying` writes the digests of its style and script anew, after either has changed.
"""

import base64
import hashlib
import re
from functools import cache
from importlib.resources import files
from typing import Final

from flask import Blueprint, Response, request

pages = Blueprint("verifying", __name__)

NAME: Final = "verify.html"
_POLICY: Final = re.compile(r'(?<=http-equiv="Content-Security-Policy" content=")[^"]+')
_PARTS: Final = {"script": "script-src", "style": "style-src"}


@pages.get(f"/{NAME}")
def page() -> Response:
    """The page; `?download` gives it to be kept. The same for everybody, without signing in."""
    response = Response(_page(), mimetype="text/html")
    # What a page says of itself cannot keep others from framing it: the header also does.
    response.headers["Content-Security-Policy"] = f"{policy(_page())}; frame-ancestors 'none'"
    if "download" in request.args:
        response.headers["Content-Disposition"] = f'attachment; filename="{NAME}"'
    return response


def policy(text: str) -> str:
    """What the page lets its browser do, as it says itself."""
    found = _POLICY.search(text)
    if found is None:
        raise ValueError(f"{NAME} names no policy of its own")
    return found[0]


def hashed(text: str) -> str:
    """The page with a policy that allows exactly the style and the script it has."""
    told = policy(text)
    for tag, directive in _PARTS.items():
        told = re.sub(rf"{directive} '[^']*'", f"{directive} 'sha256-{_digest(text, tag)}'", told)
    return _POLICY.sub(lambda _: told, text)


def _digest(text: str, tag: str) -> str:
    inside = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
    if len(inside) != 1:
        raise ValueError(f"{NAME} must have one <{tag}>")
    return base64.b64encode(hashlib.sha256(inside[0].encode()).digest()).decode()


@cache
def _page() -> str:
    return files("web").joinpath("static", NAME).read_text(encoding="utf-8")


if __name__ == "__main__":
    from pathlib import Path

    path = Path(__file__).parent / "static" / NAME
    path.write_text(hashed(path.read_text(encoding="utf-8")), encoding="utf-8")
