"""Other offices on 127.0.0.1: witnesses that do their work, and servers that do not."""

import re
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread
from typing import Any

from flask import Flask, Response, request
from sqlalchemy import Engine
from werkzeug.serving import make_server

from audit.note import Signer, VerifierKey
from audit.policy import Witness
from engine.witnessed import open_store
from tests.witnessing import witness_signer
from web.witness import create_witness


@dataclass
class Office:
    """A witness that is running. before: called with each request, may answer in its place."""

    url: str
    signer: Signer
    store: Engine
    requests: list[bytes] = field(default_factory=list)
    before: Callable[[bytes], Any] = lambda data: None
    after: Callable[[Response], Response] = lambda response: response

    @property
    def witness(self) -> Witness:
        """How a policy names it."""
        return Witness(self.signer.key.name.rpartition("/")[2], self.signer.key, self.url)


@contextmanager
def open_office(
    folder: Path,
    keys: Sequence[VerifierKey],
    *,
    name: str = "witness.example/district",
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Iterator[Office]:
    """A witness for these logs, served as long as the context lasts."""
    store = open_store(folder)
    office = Office("", witness_signer(name), store)
    app = create_witness(store, office.signer, keys, clock)

    @app.before_request
    def note_it() -> Any:
        office.requests.append(request.get_data())
        return office.before(office.requests[-1])

    @app.after_request
    def change_it(response: Response) -> Response:
        return office.after(response)

    with served(app) as url:
        office.url = url
        yield office
    store.dispose()


@contextmanager
def served(app: Flask) -> Iterator[str]:
    """The application at an address."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def read_whole(link: socket.socket) -> None:
    """Read a request to its end: whoever hangs up before is heard by nobody.

    What is no HTTP, such as a handshake, is not waited for.
    """
    told = b""
    while part := link.recv(65536):
        told += part
        head, blank, body = told.partition(b"\r\n\r\n")
        size = re.search(rb"(?i)content-length: *(\d+)", head)
        if not told.startswith(b"POST") or (blank and size and len(body) >= int(size[1])):
            return


@contextmanager
def speaking(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that reads what is sent and then does what it likes with the connection."""
    listener = socket.create_server(("127.0.0.1", 0))
    stopped = threading.Event()

    def serve() -> None:
        while not stopped.is_set():
            try:
                link, _ = listener.accept()
            except OSError:
                return
            Thread(target=speak, args=(link,), daemon=True).start()

    def speak(link: socket.socket) -> None:
        with link:
            try:
                read_whole(link)
                answer(link)
            except OSError:
                pass

    thread = Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        stopped.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()
