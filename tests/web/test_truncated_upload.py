"""An upload that breaks off, at the real server: nothing is recorded, no half of a file is kept."""

import socket
import time
from collections.abc import Callable, Iterator
from io import BytesIO
from random import Random
from threading import Thread

import pytest
from flask import Flask
from sqlalchemy import text
from waitress.server import create_server
from werkzeug.test import EnvironBuilder

from tests.conftest import Street
from tests.web.conftest import Visitor, photo
from tests.web.paths import REPORT
from web.config import Settings


@pytest.fixture
def port(app: Flask) -> Iterator[int]:
    """The application at a port of this machine, served as `shaoji serve` does."""
    app.testing = False  # what goes wrong is answered, not raised
    server = create_server(
        app, host="127.0.0.1", port=0, threads=4, ident=None, asyncore_use_poll=True
    )
    thread = Thread(target=server.run)
    thread.start()
    yield int(server.effective_port)
    server.close()
    thread.join(10)
    server.task_dispatcher.shutdown()


def request(visitor: Visitor, port: int) -> bytes:
    """A report with a photo as a browser sends it, to the byte."""
    told = {
        **REPORT, "place_unit": "u-micro-1", "csrf_token": visitor.token(), "key": "k" * 24,
        "evidence_before": (BytesIO(photo(size=(1600, 1200))), "p.jpg"),
    }  # fmt: skip
    environ = EnvironBuilder("/reports", method="POST", data=told).get_environ()
    body = environ["wsgi.input"].read()
    # All the browser holds, whatever a cookie is called here.
    cookies = "; ".join(f"{one.key}={one.value}" for one in visitor.client._cookies.values())
    head = (
        f"POST /reports HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n"
        f"Cookie: {cookies}\r\nContent-Type: {environ['CONTENT_TYPE']}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def sent(port: int, data: bytes) -> bytes:
    """Send so much and no more; what is answered before the other side closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as conn:
        conn.sendall(data)
        conn.shutdown(socket.SHUT_WR)
        answer = b""
        while more := conn.recv(65536):
            answer += more
        return answer


def events(street: Street) -> int:
    with street.database.begin() as conn:
        return int(conn.execute(text("SELECT count(*) FROM event")).scalar_one())


def test_an_upload_that_breaks_off_anywhere_leaves_nothing_and_can_be_sent_again(
    port: int,
    signed_in: Callable[[str], Visitor],
    web_street: Street,
    settings: Settings,
) -> None:
    whole = request(signed_in("grid"), port)
    before, chance = events(web_street), Random(7)
    header = whole.index(b"\r\n\r\n") + 4
    cuts = [header, header + 1, len(whole) - 1, *(chance.randrange(len(whole)) for _ in range(12))]
    for cut in cuts:
        answer = sent(port, whole[:cut])
        assert not answer.startswith((b"HTTP/1.1 2", b"HTTP/1.1 3")), (cut, answer[:200])
    time.sleep(0.2)
    assert events(web_street) == before
    kept = [path for path in settings.evidence_dir.rglob("*") if path.is_file()]
    assert kept == []
    assert sent(port, whole).startswith(b"HTTP/1.1 303")
    assert events(web_street) > before
    web_street.check()
