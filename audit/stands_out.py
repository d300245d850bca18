"""Whether what stands out in one photo stands out in the other, where it would have to lie.

Laid upon each other, two façades of equal tiles are equal almost everywhere, and rows of equal
things lie on each other at many shifts; what tells them apart is small. So a place counts here only
where nothing else in its own photo looks like it: a tile among tiles says nothing of its wall.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import log2
from typing import Final, NamedTuple

from audit.alike import HALF, LEVELS, STEPS, THUMB, UNIT, WIDEST, Fingerprint, points_in
from audit.matched_points import Lie

_MANY: Final = 65
_LIKE: Final = 6  # of 40 bits, in one photo
_SAME: Final = 8  # of 40 bits, in two
_APART: Final = 4  # pixels of the small grey picture: less is the same thing, found at two sizes
_NEAR: Final = 1.5  # pixels of it at the finest size, and in proportion at coarser ones
_SQUARE: Final = HALF * THUMB / WIDEST  # half of a described square, at the finest size


class Place(NamedTuple):
    """A point in pixels of the small grey picture."""

    x: float
    y: float
    level: float
    word: int


@dataclass(frozen=True, slots=True)
class Again:
    """How many places were found again in the other photo, of so many that ought to be."""

    found: int
    of: int

    @property
    def few(self) -> bool:
        """Whether that they are there tells little: rows of equal things have some by chance."""
        return self.found < _MANY

    @property
    def share(self) -> int:
        """In thousandths; 0 of none."""
        return 1000 * self.found // max(1, self.of)


def found_again(one: Fingerprint, other: Fingerprint, lie: Lie) -> Again:
    """What stands out in either of two photos, looked for in the other; `lie`: one upon other."""
    there = _looked_for(one, other, lie)
    back = _looked_for(other, one, lie.back)
    return Again(there.found + back.found, there.of + back.of)


def _looked_for(one: Fingerprint, other: Fingerprint, lie: Lie) -> Again:
    expected = list(_expected(_alone(one.packed), other, lie))
    places = _places(other.packed)
    return Again(sum([_is_there(place, places) for place in expected]), len(expected))


def _expected(places: Sequence[Place], other: Fingerprint, lie: Lie) -> Iterator[Place]:
    """Where places of the one lie in the other, if they could be found there at all."""
    steps = STEPS * log2(lie.scale)
    for place in places:
        x, y = lie.place(place.x, place.y)
        level = place.level + steps
        edge = _SQUARE * _wider(level)
        shown = edge <= x <= other.width - edge and edge <= y <= other.height - edge
        if shown and 0.5 <= level <= LEVELS - 1.5:
            yield Place(x, y, level, place.word)


def _is_there(wanted: Place, places: Sequence[Place]) -> bool:
    near = _NEAR * _wider(wanted.level)
    return any(
        abs(place.x - wanted.x) < near
        and abs(place.y - wanted.y) < near
        and abs(place.level - wanted.level) <= 1
        and (place.word ^ wanted.word).bit_count() <= _SAME
        for place in places
    )


def _wider(level: float) -> float:
    return float(2 ** (level / STEPS))


@lru_cache(maxsize=64)
def _places(packed: bytes) -> list[Place]:
    scale = THUMB / UNIT
    return [Place(x * scale, y * scale, level, word) for x, y, level, word in points_in(packed)]


@lru_cache(maxsize=64)
def _alone(packed: bytes) -> list[Place]:
    """Places like no other of their photo."""
    places = _places(packed)
    return [place for place in places if not any(_is_like(place, other) for other in places)]


def _is_like(one: Place, other: Place) -> bool:
    return (one.word ^ other.word).bit_count() <= _LIKE and (
        abs(one.x - other.x) + abs(one.y - other.y) > _APART
    )
