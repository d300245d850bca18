"""How a photo looks, in a few kilobytes, so that copies of it can be told from other photos.

A fingerprint has two parts. `points` are places that stand out, at ten sizes, each with a word of
40 bits that says which of the 5 × 5 parts around it is lighter than the next: copies share words,
whatever was cut away elsewhere, and the places say how one lies upon the other. `grey` is the photo
at 64 pixels: laid upon each other, copies are equal all over, and look-alikes are not. The
comparison is in `audit.laid_upon`, the search among many in `audit.alike_pairs`; what is recognised
and what is not is measured in docs/photos.md.

Everything in a fingerprint is a whole number made by whole-number arithmetic from what Pillow
decodes and scales: equal pixels give equal fingerprints on every machine, but two versions of a
decoder may differ by a grey level, and a fingerprint by a few points. That is less than the copies
differ which are recognised all the same, so fingerprints of two versions may be compared.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from struct import Struct
from typing import Final, NamedTuple

from PIL import Image, ImageFilter, ImageMath

WIDEST: Final = 192  # pixels of the long side at the finest of the sizes looked at
STEPS: Final = 4  # sizes in an octave
LEVELS: Final = 10
# How many points a level has: more at the finest, of which a crop shows only some.
PER_LEVEL: Final = (40, 40, 40, 40, 32, 32, 24, 24, 16, 16)
UNIT: Final = 4096  # places are told in 1/4096 of the long side
THUMB: Final = 64
HALF: Final = 10  # of the side of a described square, in pixels of its level

_FINE: Final = 256  # a grey level is this many, so that scaling down does not round
_FAINT: Final = 3 * _FINE
_EVEN: Final = 12  # of 40 steps


class Point(NamedTuple):
    """A place that stands out: x, y in 1/4096 of the long side, its size, and its 40 bits."""

    x: int
    y: int
    level: int
    word: int


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """width and height of `grey` (row by row), at most 64 each; `packed`: see `points_in`."""

    width: int
    height: int
    grey: bytes
    packed: bytes


def fingerprint(picture: Image.Image) -> Fingerprint:
    """What a picture looks like; it is given upright, at any size, in any mode Pillow calls grey.

    The picture is not changed. Costs are in docs/photos.md.
    """
    grey = picture.convert("L")
    fine = _scaled(grey, WIDEST).convert("I").point(lambda level: level * _FINE)
    levels = [_scaled(fine, _side(number)) for number in range(LEVELS + 1)]
    points = [
        point
        for number, (level, next_) in enumerate(pairwise(levels))
        for point in _points(level, next_, number)
    ]
    small = _scaled(grey, THUMB)
    return Fingerprint(small.width, small.height, small.tobytes(), _packed(points))


# Ten thousand photos have three million points: as objects they would fill the memory.
_POINT: Final = Struct(">HHBQ")


def points_in(packed: bytes) -> list[Point]:
    """The points, the finest size first, and of each size the strongest first."""
    return [Point._make(fields) for fields in _POINT.iter_unpack(packed)]


def words_of(print_: Fingerprint) -> list[int]:
    """The words alone, in the order of the points."""
    return [word for _, _, _, word in _POINT.iter_unpack(print_.packed)]


def _packed(points: Iterable[Point]) -> bytes:
    return b"".join(_POINT.pack(*point) for point in points)


def _side(level: int) -> int:
    return round(WIDEST * 2 ** (-level / STEPS))


def _scaled(picture: Image.Image, side: int) -> Image.Image:
    ratio = side / max(picture.size)
    size = (max(1, round(picture.width * ratio)), max(1, round(picture.height * ratio)))
    return picture.resize(size, Image.Resampling.BICUBIC)


def _points(level: Image.Image, coarser: Image.Image, number: int) -> list[Point]:
    """Where the level differs most from the same picture without its finest details."""
    if min(level.size) <= 2 * HALF:
        return []
    smooth = coarser.resize(level.size, Image.Resampling.BICUBIC)
    stands_out = ImageMath.lambda_eval(lambda of: abs(of["a"] - of["b"]), a=level, b=smooth)
    found = ((x, y, _word(level, x, y)) for x, y in _peaks(stands_out))
    side = 2 * max(level.size)
    worded = (
        Point((2 * x + 1) * UNIT // side, (2 * y + 1) * UNIT // side, number, word)
        for x, y, word in found
        if word is not None
    )
    return list(islice(worded, PER_LEVEL[number]))


def _peaks(stands_out: Image.Image) -> list[tuple[int, int]]:
    """Places higher than all within two pixels, the highest first."""
    width, height = stands_out.size
    around = _values(stands_out.filter(_HIGHEST).filter(_HIGHEST))
    here = _values(stands_out)
    found = [
        (-here[at], at)
        for y in range(HALF, height - HALF)
        for at in range(y * width + HALF, (y + 1) * width - HALF)
        if here[at] == around[at] and here[at] >= _FAINT
    ]
    return [(at % width, at // width) for _, at in sorted(found)]


_HIGHEST: Final = ImageFilter.MaxFilter(3)  # twice is once within two pixels, in half the time


def _values(level: Image.Image) -> Sequence[int]:
    """Row by row; a level has whole numbers of 32 bits in the machine's own order."""
    return memoryview(level.tobytes()).cast("i")


def _word(level: Image.Image, x: int, y: int) -> int | None:
    """40 bits, or None where the square is too even for them to mean anything."""
    left, top = x + 0.5 - HALF, y + 0.5 - HALF  # about the middle of the pixel
    box = (left, top, left + 2 * HALF, top + 2 * HALF)
    cells = _values(level.resize((5, 5), Image.Resampling.BILINEAR, box))
    steps = [cells[to] - cells[from_] for from_, to in _STEPS]
    if sum([-_FINE < 2 * step < _FINE for step in steps]) > _EVEN:
        return None
    return int("".join(["1" if step > 0 else "0" for step in steps]), 2)


# Each of the 5 × 5 parts and the next to the right, then each and the next below.
_STEPS: Final = [(at, at + 1) for at in range(25) if at % 5 < 4] + [
    (at, at + 5) for at in range(20)
]


def mirrored(print_: Fingerprint) -> Fingerprint:
    """The fingerprint of the same photo mirrored left to right, without the photo."""
    width, grey = print_.width, print_.grey
    across = UNIT * width // max(width, print_.height)
    rows = (grey[at : at + width][::-1] for at in range(0, len(grey), width))
    points = (
        Point(across - x, y, level, mirrored_word(word))
        for x, y, level, word in points_in(print_.packed)
    )
    return Fingerprint(width, print_.height, b"".join(rows), _packed(points))


def mirrored_word(word: int) -> int:
    """The word of the same place in the mirror image."""
    bits = f"{word:040b}"
    # Lighter to the right is darker to the right in the mirror; above and below stay.
    across = "".join([bits[at : at + 4][::-1] for at in range(0, 20, 4)]).translate(_OTHER)
    down = "".join([bits[at : at + 5][::-1] for at in range(20, 40, 5)])
    return int(across + down, 2)


_OTHER: Final = str.maketrans("01", "10")
