"""One request to a stranger, within a time and a size; whatever the stranger does.

No redirects: the address is the one that was configured. Certificates are those the system trusts.
"""

import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from threading import Timer
from types import MappingProxyType
from urllib.parse import SplitResult, urlsplit

_PORTS = {"http": 80, "https": 443}


class NoAnswer(ConnectionError):
    """Nothing usable came back in time; the message says what was met."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back. kind: the content type as sent."""

    status: int
    kind: str
    body: bytes


def post(
    url: str,
    body: bytes,
    kind: str,
    *,
    timeout: float,
    largest: int,
    headers: Mapping[str, str] = MappingProxyType({}),
) -> Reply:
    """Send a body of this content type; timeout: seconds for all of it, after connecting as long.

    Raises NoAnswer, also for a reply of more than `largest` bytes and for an address that is none.
    """
    with _told():
        told = {**headers, "Content-Type": kind}
        return _asked("POST", urlsplit(url), body, told, timeout, largest)


def get(url: str, *, timeout: float, largest: int) -> Reply:
    """What lies at an address; within the same limits, and raises NoAnswer, as `post`."""
    with _told():
        return _asked("GET", urlsplit(url), None, {}, timeout, largest)


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except (OSError, HTTPException, ValueError) as error:
        # The address may hold a password, and the stranger may have written the message: only what
        # was met is told, without anything that a terminal would obey.
        told = f"{type(error).__name__}: {error}"[:200]
        raise NoAnswer("".join(c if c.isprintable() else "?" for c in told)) from None


def _asked(
    verb: str,
    where: SplitResult,
    body: bytes | None,
    headers: Mapping[str, str],
    timeout: float,
    largest: int,
) -> Reply:
    if where.scheme not in _PORTS or not where.hostname:
        raise ValueError("an address begins with http:// or https://")
    port = where.port or _PORTS[where.scheme]
    with _connected(where.scheme, where.hostname, port, timeout) as link:
        asking = HTTPConnection(where.hostname, port)
        asking.sock = link
        path = (where.path or "/") + (f"?{where.query}" if where.query else "")
        told = {"Host": where.netloc.rpartition("@")[2], "Connection": "close"}
        asking.request(verb, path, body, {**headers, **told})
        answer = asking.getresponse()
        found = answer.read(largest + 1)
        if len(found) > largest:
            raise ValueError(f"more than {largest} bytes")
        return Reply(answer.status, answer.headers.get("Content-Type", ""), found)


@contextmanager
def _connected(scheme: str, host: str, port: int, timeout: float) -> Iterator[socket.socket]:
    """A connection that is cut when the time is over: a byte now and then does not prolong it."""
    link = socket.create_connection((host, port), timeout)
    if scheme == "https":
        trust = ssl.create_default_context()
        link = trust.wrap_socket(link, server_hostname=host, do_handshake_on_connect=False)
    cut = Timer(timeout, _cut, [link])
    cut.daemon = True
    cut.start()
    try:
        if isinstance(link, ssl.SSLSocket):
            link.do_handshake()
        yield link
    finally:
        cut.cancel()
        link.close()


def _cut(link: socket.socket) -> None:
    with suppress(OSError):
        socket.socket.shutdown(link, socket.SHUT_RDWR)
