"""Connections among processes: evenly, and taken by whoever is left if the others do not."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from tests.cluster.machines import wait_for
from tests.conftest import ROOT
from web.accepting import COURTESY, Loads, Manners


def test_who_has_no_more_than_the_others_takes_a_connection_at_once() -> None:
    loads = Loads(3)
    first, second = Manners(loads, 0), Manners(loads, 1)
    assert first.may_take(0)
    loads.tell(0, 1)
    assert not first.may_take(0), "two others have none"
    assert second.may_take(0)
    loads.tell(1, 1)
    loads.tell(2, 1)
    assert first.may_take(0)


def test_who_has_more_takes_what_the_others_have_left_for_a_moment() -> None:
    loads = Loads(2)
    busy = Manners(loads, 0)
    loads.tell(0, 5)
    assert not busy.may_take(10)
    assert not busy.may_take(10 + COURTESY / 2)
    assert busy.may_take(10 + COURTESY * 1.01)
    assert not busy.may_take(10 + COURTESY * 1.02), "the next one is left to them again"


def test_a_process_alone_asks_nobody() -> None:
    loads = Loads(1)
    loads.tell(0, 7)
    assert Manners(loads, 0).may_take(0)


# --- really ---------------------------------------------------------------------------------------


# A process of its own: what is forked from one with threads takes their locks along.
PROGRAM = """
import os, socket, sys
from multiprocessing import get_context
import waitress
from web import accepting
from web.accepting import Loads, Manners, share_out

accepting.COURTESY = float(sys.argv[1])
listening = socket.create_server(("127.0.0.1", 0), backlog=64)
listening.setblocking(False)
loads = Loads(2)

def who(_environ, begin):
    told = str(os.getpid()).encode()
    begin("200 OK", [("Content-Length", str(len(told)))])
    return [told]

def run(place):
    connections = {}
    server = waitress.create_server(who, connections, sockets=[listening], threads=1)
    share_out(server, connections, Manners(loads, place))
    server.run()

processes = [get_context("fork").Process(target=run, args=(place,)) for place in (0, 1)]
for one in processes:
    one.start()
print(listening.getsockname()[1], *(one.pid for one in processes), flush=True)
for one in processes:
    one.join()
"""


@contextmanager
def served(courtesy: float) -> Iterator[tuple[list[int], Callable[[], socket.socket]]]:
    """Two processes at one socket; their numbers, and how to connect."""
    command = [sys.executable, "-c", PROGRAM, str(courtesy)]
    with (
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as first,
        ExitStack() as held,
    ):
        assert first.stdout
        port, *pids = map(int, first.stdout.readline().split())

        def connect() -> socket.socket:
            return held.enter_context(socket.create_connection(("127.0.0.1", port), timeout=60))

        try:
            yield pids, connect
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGKILL)


def ask(connection: socket.socket) -> int:
    """Which process answers on this connection."""
    connection.sendall(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
    told = b""
    while b"\r\n\r\n" not in told or not told.rpartition(b"\r\n\r\n")[2]:
        told += connection.recv(4096)
    return int(told.rpartition(b"\r\n\r\n")[2])


def test_of_twenty_connections_ten_come_to_each_of_two_processes() -> None:
    # Each waits for the other as long as that takes: here it is there.
    with served(courtesy=60) as (pids, connect):
        held = []
        for _ in range(20):
            held.append(connect())
            ask(held[-1])
        assert sorted(map(ask, held)) == sorted(pids * 10)


def test_a_process_that_is_stopped_keeps_nobody_out() -> None:
    with served(courtesy=0.02) as (pids, connect):
        wait_for(lambda: {ask(connect()) for _ in range(4)} == set(pids), "both to answer")
        os.kill(pids[0], signal.SIGSTOP)
        held = [connect() for _ in range(6)]
        # What the stopped one had taken before it was stopped waits for it; these do not.
        assert {ask(one) for one in held} == {pids[1]}
        os.kill(pids[0], signal.SIGCONT)
