"""`shaoji serve`: the pages on one address, by one process or by several, the worker beside them.

Several share one listening socket: who has fewest takes the next connection. The worker then is
a process of its own, so that no page waits while signals are looked for. What they must count
together they do in memory made before them (web.common).
"""

import gc
import signal
import socket
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from threading import Event
from typing import Any, Final

import click
import waitress

from engine.database import open_database
from engine.errors import Refusal
from engine.vault_key import open_kept
from web import logs, processes, telemetry
from web.accepting import Manners, share_out
from web.app import create_app
from web.background import start_worker
from web.channels import channels
from web.common import Common
from web.config import Settings, can_fork, usual_processes
from web.demonstration import clock_of
from web.health import EXTENSION
from web.heartbeat import start_heartbeat
from web.press import start_reports
from web.processes import Part
from web.shell import Shell, now_utc
from web.spans import Spans
from web.working import chores_of, work

# Longer than HAProxy takes to notice (deploy/haproxy.cfg): two questions, a second apart.
DRAIN_SECONDS: Final = 4.0
THREADS: Final = 8
CONNECTIONS: Final = 800
BACKLOG: Final = 1024

Clock = Callable[[], datetime]


class CannotListen(Refusal):
    """The address is taken, or is not this machine's."""


class NoSeveral(Refusal):
    """This system cannot fork."""


def serve(settings: Settings, host: str, port: int, *, with_worker: bool) -> int:
    """Serve until SIGTERM or Ctrl+C; the exit status. Raises BadSettings, CannotListen, NoSeveral.

    No connection to the database may be open in this process.
    """
    count = settings.processes or usual_processes()
    if count > 1 and not can_fork():
        raise NoSeveral(
            "这个系统只能用一个进程提供网页，请去掉 --processes 和 SHAOJI_PROCESSES。",
            "This system serves pages by one process; leave out --processes and SHAOJI_PROCESSES.",
        )
    if with_worker:
        channels(settings)  # refused before anything is begun
    telemetry.check(settings)
    logs.set_up(settings.log)
    database = open_database(settings.database_url)
    # One clock for all: in the demonstration each would go by another one of its own.
    clock = clock_of(database, now_utc)
    database.dispose()
    sockets = listen(host, port)
    click.echo(f"http://{host}:{sockets[0].getsockname()[1]}  (Ctrl+C 结束 / to stop)")
    common = Common.of(count)
    gc.freeze()  # the program itself is never garbage: searching it stops every request for 50 ms
    if count == 1:
        _serve_alone(settings, sockets, common, clock, with_worker=with_worker)
        return 0

    def pages(place: int) -> None:
        _serve_beside_others(settings, sockets, common, place, clock)

    parts = [Part(f"pages-{n + 1}", partial(pages, n)) for n in range(count)]
    if with_worker:
        parts.append(Part("worker", lambda: work(Shell(settings, _clock=clock))))
    return processes.run(parts)


def listen(host: str, port: int) -> list[socket.socket]:
    """Sockets that listen at an address, IPv4 and IPv6 if it is both. Raises CannotListen."""
    made: list[socket.socket] = []
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, kind, protocol, _, address in found:
            one = socket.socket(family, kind, protocol)
            made.append(one)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            one.bind(address)
            one.listen(BACKLOG)
            one.setblocking(False)
    except OSError as error:
        for one in made:
            one.close()
        raise CannotListen(
            f"不能在 {host}:{port} 上提供网页（{error.strerror}）。"
            "请换一个端口，或停掉占用它的程序。",
            f"{host}:{port} cannot be served ({error.strerror}). Choose another port, or stop what "
            "has taken it.",
        ) from error
    return made


def _serve_alone(
    settings: Settings,
    sockets: Sequence[socket.socket],
    common: Common,
    clock: Clock,
    *,
    with_worker: bool,
) -> None:
    """Pages and worker in this process."""
    database = open_database(settings.database_url)
    stop = Event()
    spans = telemetry.begin(settings)
    turns, heart = start_heartbeat(database, stop, settings, kind="serve", clock=clock)
    if with_worker:
        chores = chores_of(settings, open_kept(*settings.vault))
        chores = replace(chores, turns=turns, spans=spans)
        start_worker(database, stop, clock, chores)
    reports = with_worker and start_reports(database, stop, settings=settings, clock=clock)
    try:
        _answer(settings, sockets, common, 0, clock, spans)
    finally:
        stop.set()
        if reports:
            reports.join()
        heart.join()
        spans.stop()


def _serve_beside_others(
    settings: Settings,
    sockets: Sequence[socket.socket],
    common: Common,
    place: int,
    clock: Clock,
) -> None:
    """Pages in one of several processes."""
    database = open_database(settings.database_url)
    stop = Event()
    spans = telemetry.begin(settings)
    _, heart = start_heartbeat(database, stop, settings, kind="serve", clock=clock)
    try:
        _answer(settings, sockets, common, place, clock, spans)
    finally:
        stop.set()
        heart.join()
        spans.stop()


def _answer(
    settings: Settings,
    sockets: Sequence[socket.socket],
    common: Common,
    place: int,
    clock: Clock,
    spans: Spans,
) -> None:
    """Answer on these sockets until SIGTERM."""
    app = create_app(settings, clock=clock, device_clock=now_utc, common=common, spans=spans)
    _stop_gently(app.extensions[EXTENSION], DRAIN_SECONDS if settings.proxies else 0.0)
    gc.freeze()
    # A browser keeps several connections, most of them idle: a hundred, as waitress has it, are
    # a dozen people. By poll, since select() takes no descriptor from 1024 on.
    connections: dict[int, Any] = {}
    server = waitress.create_server(
        app, connections, sockets=list(sockets), threads=THREADS, ident=None, backlog=BACKLOG,
        connection_limit=CONNECTIONS, asyncore_use_poll=True,
    )  # fmt: skip
    for one in [each for each in connections.values() if each.accepting]:
        share_out(one, connections, Manners(common.loads, place))
    server.run()


def _stop_gently(ready: Any, seconds: float) -> None:
    """On SIGTERM say at /readyz that no more may be sent here, and stop a little later.

    So whoever hands out requests notices before one is cut off; what is begun is finished.
    """

    def stop(*_: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # told twice, it still takes its leave
        raise SystemExit(0)  # waitress finishes what its threads have in hand

    def begin(*_: object) -> None:
        ready.ends = True
        if seconds and hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_REAL, seconds)
        else:
            stop()

    if hasattr(signal, "SIGALRM"):
        signal.signal(signal.SIGALRM, stop)
    processes.at_the_end(begin)
