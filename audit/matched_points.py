"""How one photo lies upon another, from the points of both.

Points of equal words each say how the one was scaled and moved to give the other, and the saying on
which most agree is taken (a Hough transform, with the cells as wide as a small turn asks for). What
these have in common is then made exact by least squares.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import hypot
from typing import Final

from audit.alike import STEPS, THUMB, UNIT, Fingerprint, Point, points_in

LEAST: Final = 4  # so many seldom agree by chance, but in drawings

_HALF: Final = 0xFFFFF  # of the 40 bits of a word
_STEP: Final = UNIT / 24  # a cell is two steps wide, and overlaps the next by one
_TURNED: Final = 0.12  # about seven degrees; more is a wrong saying
_SCALED: Final = 3.0
_ASTRAY: Final = 1.5  # pixels of the small grey picture

Match = tuple[Point, Point]
Cell = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Lie:
    """Where a place of the one photo lies in the other: (ax - by + right, bx + ay + down).

    In pixels of the small grey pictures of both.
    """

    a: float
    b: float
    right: float
    down: float

    @property
    def scale(self) -> float:
        """How many pixels of the other are one of this."""
        return hypot(self.a, self.b)

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Where a place of this one lies in the other."""
        return self.a * x - self.b * y + self.right, self.b * x + self.a * y + self.down

    @property
    def back(self) -> "Lie":
        """Where a place of the other lies in this one."""
        square = self.a * self.a + self.b * self.b
        a, b = self.a / square, -self.b / square
        return Lie(a, b, b * self.down - a * self.right, -b * self.right - a * self.down)


def lie_of(one: Fingerprint, other: Fingerprint) -> Lie | None:
    """How the one lies upon the other; None where too few points agree on it."""
    agreeing = _agreeing(_matches(one, other))
    rough = _fitted(agreeing)
    if rough is None:
        return None
    near = [match for match in agreeing if _astray(rough, match) < _ASTRAY]
    return _fitted(near) or rough


def _matches(one: Fingerprint, other: Fingerprint) -> set[Match]:
    """Points that share half a word which stands once in either photo."""
    these, those = _single(one.packed), _single(other.packed)
    return {(these[half], those[half]) for half in these.keys() & those.keys()}


@lru_cache(maxsize=64)
def _single(packed: bytes) -> dict[int, Point]:
    """The points by each half of their words, without halves that tell nothing of the place.

    Kept for a while: who searches among many compares one photo with several after each other.
    """
    found: dict[int, Point] = {}
    again = set()
    for point in points_in(packed):
        for half in (point.word & _HALF, point.word >> 20 | _HALF + 1):
            if found.setdefault(half, point) is not point:
                again.add(half)
    for half in again:
        del found[half]
    return found


def _agreeing(matches: Iterable[Match]) -> list[Match]:
    cells: defaultdict[Cell, list[Match]] = defaultdict(list)
    for match in matches:
        for cell in _cells(match):
            cells[cell].append(match)
    best = max(cells.values(), key=len, default=[])
    return best if len(best) >= LEAST else []


def _cells(match: Match) -> Iterator[Cell]:
    """By how many sizes, and how far across and down: in each two cells that overlap."""
    here, there = match
    steps = here.level - there.level
    scale = _SCALES.get(steps)
    if scale is None:
        return
    across = int((there.x - here.x * scale + _FAR) / _STEP)
    down = int((there.y - here.y * scale + _FAR) / _STEP)
    for near in (steps, steps + 1):
        yield near, across, down
        yield near, across + 1, down
        yield near, across, down + 1
        yield near, across + 1, down + 1


# A point found at a coarser level is larger in its photo.
_SCALES: Final[dict[int, float]] = {steps: 2.0 ** (-steps / STEPS) for steps in range(-7, 8)}
_FAR: Final = 4 * UNIT  # beyond all differences, so that cutting off is rounding down


def _astray(lie: Lie, match: Match) -> float:
    (x, y), (u, v) = ((point.x * _PIXEL, point.y * _PIXEL) for point in match)
    across, down = lie.place(x, y)
    return hypot(across - u, down - v)


_PIXEL: Final = THUMB / UNIT


def _fitted(matches: Sequence[Match]) -> Lie | None:
    """What puts the first points upon the second with the least squares of what is left."""
    if len(matches) < 3:
        return None
    here = [(point.x * _PIXEL, point.y * _PIXEL) for point, _ in matches]
    there = [(point.x * _PIXEL, point.y * _PIXEL) for _, point in matches]
    (x0, y0), (u0, v0) = _middle(here), _middle(there)
    moved = [(x - x0, y - y0, u - u0, v - v0) for (x, y), (u, v) in zip(here, there, strict=True)]
    spread = sum([x * x + y * y for x, y, _, _ in moved])
    if spread < len(matches):  # all in one place: no scale can be told from that
        return None
    a = sum([x * u + y * v for x, y, u, v in moved]) / spread
    b = sum([x * v - y * u for x, y, u, v in moved]) / spread
    lie = Lie(a, b, u0 - a * x0 + b * y0, v0 - b * x0 - a * y0)
    return lie if abs(b) <= _TURNED * a and 1 / _SCALED < lie.scale < _SCALED else None


def _middle(places: Sequence[tuple[float, float]]) -> tuple[float, float]:
    return sum([x for x, _ in places]) / len(places), sum([y for _, y in places]) / len(places)
