"""The server as `shaoji serve` starts it: what it does when many browsers keep their lines."""

from collections.abc import Iterator
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path

import pytest

from benchmarks.serving import serve, settle


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    house = settle(tmp_path, 0)
    server = serve(house, None)
    yield house.port
    server.terminate()
    server.wait(30)


def test_hundreds_of_idle_lines_do_not_keep_the_next_browser_out(port: int) -> None:
    with ExitStack() as kept:
        for _ in range(400):
            line = HTTPConnection("127.0.0.1", port, timeout=30)
            kept.callback(line.close)
            line.request("GET", "/healthz")
            answer = line.getresponse()
            assert answer.status == 200
            answer.read()
            assert line.sock is not None, "the server keeps the line"
