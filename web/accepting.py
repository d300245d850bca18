"""Connections among the processes of a server: whoever has more than another lets that one first.

All wait at one listening socket, and which of them takes a connection is chance: of eight, six may
come to one process, which keeps them waiting beside another that is idle. Nobody hands anything
out, and nobody has to be alive: who has more than another only waits a moment before taking what
nobody else has taken.
"""

import time
from collections.abc import Sized
from dataclasses import dataclass
from mmap import mmap
from typing import Any, Final

# How long a connection is left to those with fewer, in seconds: they may be stopped, or dead.
COURTESY: Final = 0.02
PAUSE: Final = 0.001


class Loads:
    """How many connections each process has: made before they are forked, in memory of all."""

    def __init__(self, processes: int) -> None:
        # A number is written whole; whoever reads one that is a moment old takes one too many.
        self._numbers = memoryview(mmap(-1, processes * 4)).cast("i")

    def tell(self, place: int, connections: int) -> None:
        """Tell how many the process in this place has, places counted from 0."""
        self._numbers[place] = connections

    def fewer_elsewhere(self, place: int) -> bool:
        """Whether another process has fewer than the one in this place."""
        return min(self._numbers) < self._numbers[place]


@dataclass(slots=True)
class Manners:
    """How the process in this place takes connections. since: when it first left one to others."""

    loads: Loads
    place: int
    since: float | None = None

    def may_take(self, now: float) -> bool:
        """Whether to take what waits; now: seconds of a clock that only goes forward."""
        if self.loads.fewer_elsewhere(self.place):
            self.since = now if self.since is None else self.since
            if now - self.since < COURTESY:
                return False
        self.since = None
        return True


def share_out(listening: Any, connections: Sized, manners: Manners) -> None:
    """Let a listening socket of waitress take connections so; all it has are in `connections`."""
    take, readable = listening.handle_accept, listening.readable

    def look() -> bool:
        manners.loads.tell(manners.place, len(connections))
        return bool(readable())

    def accept() -> None:
        if not manners.may_take(time.monotonic()):
            time.sleep(PAUSE)  # it still waits there, and is told of at once
            return
        take()
        look()

    listening.readable, listening.handle_accept = look, accept
