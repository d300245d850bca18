"""A line between browser and server that can be cut, or lose an answer that was already given."""

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Thread


@dataclass
class Line:
    """cut: nothing goes through. lose: answers to requests that begin so are lost, each once.

    heard: the first line of every request that reached the server.
    """

    server: tuple[str, int]
    cut: bool = False
    lose: list[str] = field(default_factory=list)
    heard: list[str] = field(default_factory=list)
    address: str = ""

    def carry(self, client: socket.socket) -> None:
        """One connection: the server closes each after its answer."""
        with client:
            if self.cut:
                return
            try:
                asked = _request(client)
                first = asked.split(b"\r\n", 1)[0].decode()
                if not first or self.cut:
                    return
                self.heard.append(first)
                answer = self._ask(asked)
                lost = next((one for one in self.lose if first.startswith(one)), None)
                if lost is None:
                    client.sendall(answer)
                else:
                    self.lose.remove(lost)
            except OSError:
                return  # the browser went away

    def _ask(self, asked: bytes) -> bytes:
        with socket.create_connection(self.server) as server:
            server.sendall(asked)
            told = bytearray()
            while part := server.recv(65536):
                told += part
            return bytes(told)


def _request(client: socket.socket) -> bytes:
    told = bytearray()
    while b"\r\n\r\n" not in told:
        part = client.recv(65536)
        if not part:
            return b""
        told += part
    head, _, body = bytes(told).partition(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: (\d+)", head)
    missing = int(length[1]) - len(body) if length else 0
    while missing > 0 and (part := client.recv(65536)):
        told += part
        missing -= len(part)
    return bytes(told)


@contextmanager
def line_to(port: int) -> Iterator[Line]:
    """A line to a server on this machine; its address is what a browser opens."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        line = Line(("127.0.0.1", port))
        line.address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        Thread(target=_listen, args=(listening, line), daemon=True).start()
        yield line


def _listen(listening: socket.socket, line: Line) -> None:
    while True:
        try:
            client, _ = listening.accept()
        except OSError:
            return
        Thread(target=line.carry, args=(client,), daemon=True).start()
