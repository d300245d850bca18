"""Chance that is the same on every machine: SHA-256 over a seed, a key and a counter.

Every thing of the demonstration street draws from its own key (`report|17`, `steps|shed|3`), so
that one thing more or less shifts nothing of the others.
"""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final, TypeVar

SEED: Final = "听澜街道 2025-11-01"
_seed: ContextVar[str] = ContextVar("seed", default=SEED)

T = TypeVar("T")


@contextmanager
def seeded(seed: str) -> Iterator[None]:
    """Another year: everything drawn inside this block is drawn from another seed."""
    token = _seed.set(seed)
    try:
        yield
    finally:
        _seed.reset(token)


class Chance:
    """A stream of draws for one thing; `key` names it."""

    __slots__ = ("_count", "_key")

    def __init__(self, *key: object) -> None:
        self._key = "|".join((_seed.get(), *map(str, key))).encode()
        self._count = 0

    def token(self) -> bytes:
        """32 bytes."""
        self._count += 1
        return hashlib.sha256(self._key + b"|%d" % self._count).digest()

    def below(self, bound: int) -> int:
        """A number from 0 up to, not including, `bound`."""
        # 256 bits over a small bound: no bias anybody could measure.
        return int.from_bytes(self.token()) % bound

    def between(self, first: int, last: int) -> int:
        """A number from `first` to `last`, both included."""
        return first + self.below(last - first + 1)

    def happens(self, per_mille: int) -> bool:
        """Whether something happens that does so in so many of a thousand."""
        return self.below(1000) < per_mille

    def pick(self, choices: Sequence[T]) -> T:
        """One of the choices, each as likely."""
        return choices[self.below(len(choices))]

    def weigh(self, choices: Sequence[tuple[T, int]]) -> T:
        """One of the choices, each as likely as its weight says."""
        left = self.below(sum(weight for _, weight in choices))
        for choice, weight in choices:
            left -= weight
            if left < 0:
                return choice
        raise AssertionError("weights must not be negative")
