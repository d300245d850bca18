"""The processes of one server: begun by one that does nothing else, and begun anew if they die.

The first forks them while it is one thread without a connection, so that they share what it has
read of the program. It passes SIGTERM and Ctrl+C on and waits for them. If it dies itself, each
notices and ends as if it were told to: nobody answers on behalf of a server that is gone.
"""

import contextlib
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import connection, get_context
from multiprocessing.process import BaseProcess
from threading import Thread
from typing import Final

import click

from engine.errors import Refusal
from web.config import BadSettings

# Whoever dies soon after being begun is begun anew ever more seldom, up to this.
LONGEST_REST: Final = 30.0
# Whoever has lived so long is begun anew at once.
LIVED: Final = 60.0
STOPS: Final = (signal.SIGTERM, signal.SIGINT)

logger = logging.getLogger("shaoji.processes")


@dataclass(frozen=True, slots=True)
class Part:
    """One process to be: its name in the log, and what it does until SIGTERM."""

    name: str
    run: Callable[[], None]


@dataclass(slots=True)
class _Place:
    """Where a part runs: its process, or when the next one is due. early: deaths soon after."""

    part: Part
    process: BaseProcess | None = None
    began: float = 0.0
    due: float = 0.0
    early: int = 0
    begun: int = 0


def run(parts: Sequence[Part]) -> int:
    """Keep all parts running until SIGTERM or Ctrl+C; the exit status.

    A part that ends in failure the first time it is begun ends all of it: settings that cannot be
    used are not tried again. A second Ctrl+C kills.
    """
    places = [_Place(part) for part in parts]
    alive, parent = os.pipe()
    with _heard() as heard:
        while True:
            for place in places:
                if place.process is None and time.monotonic() >= place.due:
                    _begin(place, alive, parent)
            if _wait(places, heard):
                return _end(places, heard)
            if any(_bury(place) for place in places):
                _end(places, heard)
                return 1


def _begin(place: _Place, alive: int, parent: int) -> None:
    process = get_context("fork").Process(
        target=_live, args=(place.part, alive, parent), name=place.part.name
    )
    # What is sent before the new process can take it waits for it.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
    try:
        process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)
    place.process, place.began = process, time.monotonic()
    place.begun += 1


def _wait(places: Sequence[_Place], heard: int) -> bool:
    """Wait until somebody dies, is due, or it is time to stop; whether it is."""
    living = [place.process.sentinel for place in places if place.process]
    dues = [place.due for place in places if place.process is None]
    rest = max(0.0, min(dues) - time.monotonic()) if dues else None
    stops = heard in connection.wait([*living, heard], rest)
    if stops:
        os.read(heard, 64)
    return stops


def _bury(place: _Place) -> bool:
    """Set when a part that died is begun anew; True if it could not be begun the first time."""
    process = place.process
    if process is None or process.is_alive():
        return False
    status, lived = process.exitcode, time.monotonic() - place.began
    process.close()
    place.process = None
    place.early = 0 if lived >= LIVED else place.early + 1
    rest = min(LONGEST_REST, 2.0 ** (place.early - 1)) if place.early else 0.0
    place.due = time.monotonic() + rest
    if place.begun == 1 and status == 1:
        return True
    logger.error("%s ended (%s); begun anew in %s s", place.part.name, status, round(rest))
    return False


def _end(places: Sequence[_Place], heard: int) -> int:
    """Tell all to end, and wait until they have."""
    _pass_on(places, signal.SIGTERM)
    while living := [place.process for place in places if place.process]:
        if heard in connection.wait([*(one.sentinel for one in living), heard]):
            again = os.read(heard, 64)
            _pass_on(places, signal.SIGKILL if signal.SIGINT in again else signal.SIGTERM)
        for place in places:
            if place.process and not place.process.is_alive():
                place.process.close()
                place.process = None
    return 0


def _pass_on(places: Sequence[_Place], sent: signal.Signals) -> None:
    for place in places:
        if place.process and place.process.pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(place.process.pid, sent)


@contextmanager
def _heard() -> Iterator[int]:
    """Where to read which signals came; nothing else happens at one."""
    heard, tell = os.pipe()
    os.set_blocking(tell, False)
    before = {one: signal.signal(one, lambda *_: None) for one in STOPS}
    signal.set_wakeup_fd(tell)
    try:
        yield heard
    finally:
        signal.set_wakeup_fd(-1)
        for one, handler in before.items():
            signal.signal(one, handler)


# --- in the process -------------------------------------------------------------------------------


def _live(part: Part, alive: int, parent: int) -> None:
    """Be a part, until SIGTERM or until the first process is gone."""
    signal.set_wakeup_fd(-1)
    # An exception raised wherever it comes while a part is set up may be caught by somebody there,
    # and the part would go on for ever: it is noted, and heeded once the part can (`at_the_end`).
    signal.signal(signal.SIGTERM, lambda *_: _told_early.append(True))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C reaches all: the first passes it on
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)
    os.close(parent)
    Thread(target=_end_with, args=(alive,), name="shaoji-alive", daemon=True).start()
    try:
        part.run()
    except Refusal as refusal:
        _refuse(f"{refusal.chinese}\n{refusal.english}")
    except BadSettings as bad:
        _refuse(str(bad))


# Whether this process was told to end before it could hear of it.
_told_early: list[bool] = []


def at_the_end(leave: Callable[..., None]) -> None:
    """Have SIGTERM do this from now on; if it has come already, this is done now."""
    signal.signal(signal.SIGTERM, leave)
    if _told_early:
        signal.raise_signal(signal.SIGTERM)


def _end_with(alive: int) -> None:
    """End with the first process: all that ever comes from there is its end."""
    os.read(alive, 1)
    os.kill(os.getpid(), signal.SIGTERM)


def _refuse(told: str) -> None:
    click.echo(f"Error: {told}", err=True)
    sys.exit(1)
