"""Sums under names that all processes of one server add to, and any of them reads whole."""

import struct
from collections.abc import Mapping
from mmap import mmap
from typing import Final

from engine.shared_area import Area

# Far more than every rule with every method and status takes; untouched memory costs nothing.
ROOM: Final = 8 * 1024 * 1024
_USED: Final = struct.Struct("<q")
_HEAD: Final = struct.Struct("<HH")
_SUM: Final = struct.Struct("<d")

Name = tuple[str, ...]


class Counts:
    """Rows of sums, one after the other as they came; a row never moves and never goes.

    Made before processes are forked it is one for all of them: what one that died had counted
    stays counted, so no sum ever falls while the server lives.
    """

    def __init__(self, room: int = ROOM) -> None:
        self._area = Area(room)
        self._room = room
        # What this process knows of where rows are, up to an end; others append behind it.
        self._places: dict[Name, tuple[int, int]] = {}
        self._known_to = _USED.size

    def add(self, *rows: tuple[Name, int, Mapping[int, float]]) -> None:
        """Add to rows, all at once: each a name, how many sums it has, and what to add to which.

        Without room for one more row nothing is counted under new names.
        """
        with self._area.held() as memory:
            for name, width, amounts in rows:
                place = self._place(memory, name, width)
                for index, amount in amounts.items() if place else ():
                    at = place + index * _SUM.size
                    _SUM.pack_into(memory, at, _SUM.unpack_from(memory, at)[0] + amount)

    def all(self) -> dict[Name, tuple[float, ...]]:
        """Every row so far, as of one moment."""
        with self._area.held() as memory:
            self._learn(memory)
            return {
                name: struct.unpack_from(f"<{width}d", memory, place)
                for name, (place, width) in self._places.items()
            }

    def _place(self, memory: mmap, name: Name, width: int) -> int:
        """Where the sums of a row begin; 0 if there is no room for it."""
        if name not in self._places:
            self._learn(memory)
        if name not in self._places:
            self._append(memory, name, width)
            self._learn(memory)
        return self._places.get(name, (0, 0))[0]

    def _append(self, memory: mmap, name: Name, width: int) -> None:
        told = "\n".join(name).encode()
        begin = self._known_to
        end = begin + _HEAD.size + len(told) + width * _SUM.size
        if end > self._room:
            return
        _HEAD.pack_into(memory, begin, len(told), width)
        memory[begin + _HEAD.size : begin + _HEAD.size + len(told)] = told
        memory[end - width * _SUM.size : end] = bytes(width * _SUM.size)
        # Last of all: whoever dies before this has appended nothing.
        _USED.pack_into(memory, 0, end)

    def _learn(self, memory: mmap) -> None:
        """Read the rows that were appended since this process looked."""
        (used,) = _USED.unpack_from(memory, 0)
        while self._known_to < used:
            length, width = _HEAD.unpack_from(memory, self._known_to)
            begin = self._known_to + _HEAD.size
            name = tuple(memory[begin : begin + length].decode().split("\n"))
            self._places[name] = (begin + length, width)
            self._known_to = begin + length + width * _SUM.size
