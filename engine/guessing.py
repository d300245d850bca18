"""Limits on guessing: how often a source has failed of late, and nothing of who it is."""

import hmac
import secrets
import struct
from datetime import datetime, timedelta
from math import inf
from mmap import mmap
from typing import Final

from engine.errors import NotAllowed
from engine.shared_area import Area

KEY_BYTES: Final = 32
# Where a source may be kept: so few are looked through, and the oldest of them makes room.
SET: Final = 8
_SWEPT: Final = struct.Struct("<d")
_ROW: Final = struct.Struct("<16sdq")
SWEEP_SECONDS: Final = 60.0


class TooManyAttempts(NotAllowed):
    """Somebody is trying codes."""


class Attempts:
    """Limits guessing at codes without keeping who guessed: all of it is gone when the server is.

    A source (an address, say) is known by an HMAC under a key drawn at start, for one hour. The
    processes of one server count together: made before they are forked, it is the same in all.
    """

    def __init__(
        self, *, most: int = 10, within: timedelta = timedelta(hours=1), remember: int = 10_000
    ) -> None:
        self._key = secrets.token_bytes(KEY_BYTES)
        self._most, self._within = most, within.total_seconds()
        # Twice the room, since not every set of rows gets as many sources as the next.
        self._sets = max(1, 2 * remember // SET)
        self._area = Area(_SWEPT.size + self._sets * SET * _ROW.size)

    def check(self, source: bytes, at: datetime) -> None:
        """Raise TooManyAttempts if this source has failed too often of late."""
        with self._area.held() as memory:
            _, _, count = self._find(memory, self._known(source), at.timestamp())
        if count >= self._most:
            raise TooManyAttempts(
                "输错的次数太多，请过一小时再试。", "Too many wrong codes; try again in an hour."
            )

    def failed(self, source: bytes, at: datetime) -> None:
        """Count a wrong code of this source."""
        known = self._known(source)
        with self._area.held() as memory:
            place, since, count = self._find(memory, known, at.timestamp())
            _ROW.pack_into(memory, place, known, since, count + 1)

    def _known(self, source: bytes) -> bytes:
        return hmac.digest(self._key, source, "sha256")[:16]

    def _find(self, memory: mmap, known: bytes, now: float) -> tuple[int, float, int]:
        """The row of a source, since when it has failed and how often; else one it may take."""
        self._drop_old(memory, now)
        first = _SWEPT.size + int.from_bytes(known[:8]) % self._sets * SET * _ROW.size
        oldest, its_age = first, inf
        for place in range(first, first + SET * _ROW.size, _ROW.size):
            told, since, count = _ROW.unpack_from(memory, place)
            if count and since + self._within <= now:
                count = 0
            if count and told == known:
                return place, since, count
            if (since if count else -inf) < its_age:
                oldest, its_age = place, since if count else -inf
        return oldest, now, 0

    def _drop_old(self, memory: mmap, now: float) -> None:
        """Forget whom nothing is counted for any more: once a minute, if anybody comes."""
        (due,) = _SWEPT.unpack_from(memory, 0)
        if due > now:
            return
        _SWEPT.pack_into(memory, 0, now + SWEEP_SECONDS)
        for place in range(_SWEPT.size, len(memory), _ROW.size):
            _, since, count = _ROW.unpack_from(memory, place)
            if count and since + self._within <= now:
                _ROW.pack_into(memory, place, bytes(16), 0.0, 0)
