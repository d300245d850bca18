"""Whether two photos are one: lay one upon the other, and see whether they are equal there.

`audit.matched_points` says how they lie; that is made exact, and both are compared, whole and
square by square. What costs little and tells most is asked first: few pairs go the whole way.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from math import sqrt
from operator import mul
from typing import Final

from PIL import Image, ImageChops, ImageFilter

from audit.alike import THUMB, Fingerprint, mirrored
from audit.matched_points import Lie, lie_of
from audit.stands_out import found_again

# In thousandths, all to be reached. Chosen on pictures made up for it, with room on either side;
# how much is measured in docs/photos.md.
CORRELATED: Final = 965
EQUAL: Final = 930
FOUND: Final = 300
# Of photos in which hardly anything stands out more has to be found again: drawings, bare walls.
FOUND_OF_FEW: Final = 900

_PLAUSIBLE: Final = 930  # thousandths of the squares as light in both, before the lie is exact
_LIGHT: Final = 980  # and when it is
_SQUARE: Final = 6  # pixels
_LEAST_SQUARES: Final = 6
_EVEN: Final = 9  # squared grey levels: a square that varies less has nothing to correlate
_LEVELS: Final = 8  # by which a square may be lighter or darker than the rest says


@dataclass(frozen=True, slots=True)
class Likeness:
    """How alike two photos are in thousandths, over what both show.

    correlation: of their grey levels. squares: how many of the squares with something in them are
    equal. found: how many of the places that stand out in one are found in the other; few: there
    are few of them. mirrored: one of the photos had to be mirrored for it.
    """

    correlation: int = 0
    squares: int = 0
    found: int = 0
    few: bool = False
    mirrored: bool = False

    @property
    def alike(self) -> bool:
        """Whether one is a copy of the other, or both are of a third, as far as looks can tell."""
        enough = FOUND_OF_FEW if self.few else FOUND
        return self.correlation >= CORRELATED and self.squares >= EQUAL and self.found >= enough


@dataclass(frozen=True, slots=True)
class _Sheets:
    """The one photo, and the other made as coarse, with what it is scaled by across and down."""

    one: Image.Image
    other: Image.Image
    across: float
    down: float


def likeness(one: Fingerprint, other: Fingerprint) -> Likeness:
    """How alike two photos are, as they are or with one of them mirrored: the better of both."""
    straight = straight_likeness(one, other)
    if straight.alike:
        return straight
    turned = mirrored_likeness(one, other)
    return max(straight, turned, key=lambda told: (told.found, told.squares, told.correlation))


def mirrored_likeness(one: Fingerprint, other: Fingerprint) -> Likeness:
    """How alike a photo is to the mirror image of another."""
    return replace(straight_likeness(_mirrored(one), other), mirrored=True)


# Who compares one photo with many after each other has it mirrored once.
_mirrored: Final = lru_cache(maxsize=4)(mirrored)


def straight_likeness(one: Fingerprint, other: Fingerprint) -> Likeness:
    """How alike two photos are as they are; nothing at all where their points do not agree."""
    lie = lie_of(one, other)
    if lie is None:
        return Likeness()
    if lie.scale < 1:  # the coarser one goes below, whichever that is
        return _compared(other, one, lie.back)
    return _compared(one, other, lie)


def _compared(one: Fingerprint, other: Fingerprint, lie: Lie) -> Likeness:
    sheets = _sheets(one, other, lie.scale)
    if _as_light(sheets, lie) < _PLAUSIBLE:
        return Likeness()
    correlation, lie = _made_exact(sheets, lie)
    if correlation < CORRELATED or _as_light(sheets, lie) < _LIGHT:
        return Likeness(correlation)
    squares = _equal_squares(sheets, lie)
    if squares < EQUAL:
        return Likeness(correlation, squares)
    again = found_again(one, other, lie)
    return Likeness(correlation, squares, again.share, again.few)


def _as_light(sheets: _Sheets, lie: Lie) -> int:
    """How many squares are as light as the brightness of the whole says, in thousandths."""
    upon, both = _laid(sheets, lie)
    gain, offset = _brightness(sheets.one, upon, both)
    expected = sheets.one.point([_grey(gain * grey + offset) for grey in _GREYS])
    apart = ImageChops.difference(expected.reduce(_SQUARE), upon.reduce(_SQUARE))
    counts = apart.histogram(both.reduce(_SQUARE).point(_WHOLLY))
    return 1000 * sum(counts[: _LEVELS + 1]) // max(_LEAST_SQUARES, sum(counts))


def _grey(level: float) -> int:
    return min(255, max(0, round(level)))


def _sheets(one: Fingerprint, other: Fingerprint, scale: float) -> _Sheets:
    size = max(1, round(other.width / scale)), max(1, round(other.height / scale))
    coarse = _picture(other).resize(size, Image.Resampling.BICUBIC).filter(_SOFT)
    return _Sheets(
        _picture(one).filter(_SOFT), coarse, size[0] / other.width, size[1] / other.height
    )


# What lies between two pixels is their mean; so softened, that makes no difference any more.
_SOFT: Final = ImageFilter.Kernel((3, 3), (1, 2, 1, 2, 4, 2, 1, 2, 1))


def _picture(print_: Fingerprint) -> Image.Image:
    return Image.frombytes("L", (print_.width, print_.height), print_.grey)


def _made_exact(sheets: _Sheets, lie: Lie) -> tuple[int, Lie]:
    """The best correlation within reach, and where it is: uphill in ever smaller steps."""
    best, step = _correlation(sheets, lie), 0.5
    while best >= _HOPELESS and step > 0.1:
        for near in _near(sheets, lie, step):
            if (found := _correlation(sheets, near)) > best:
                best, lie = found, near
                break
        else:
            step /= 2
    return best, lie


_HOPELESS: Final = 600  # copies begin above 700


def _near(sheets: _Sheets, lie: Lie, step: float) -> Iterator[Lie]:
    """Moved, scaled and turned about the middle by so many pixels at its edge."""
    x, y = sheets.one.width / 2, sheets.one.height / 2
    part = step / THUMB * 2
    for way in (1, -1):
        yield Lie(lie.a, lie.b, lie.right + way * step, lie.down)
        yield Lie(lie.a, lie.b, lie.right, lie.down + way * step)
        for a, b in ((way * part, 0.0), (0.0, way * part)):
            right, down = lie.right - a * x + b * y, lie.down - b * x - a * y
            yield Lie(lie.a + a, lie.b + b, right, down)


def _laid(sheets: _Sheets, lie: Lie) -> tuple[Image.Image, Image.Image]:
    """The other photo as it lies upon the one, and a mask of where it does."""
    size, (x, y) = sheets.one.size, (sheets.across, sheets.down)
    lies = (lie.a * x, -lie.b * x, lie.right * x, lie.b * y, lie.a * y, lie.down * y)
    warp, sampling = Image.Transform.AFFINE, Image.Resampling.BILINEAR
    white = Image.new("L", sheets.other.size, 255)
    upon = sheets.other.transform(size, warp, lies, sampling)
    return upon, white.transform(size, warp, lies, sampling).point(_WHOLLY)


# A mask counts whatever is not nothing; a pixel half outside shall not.
_WHOLLY: Final = [0] * 255 + [255]


def _correlation(sheets: _Sheets, lie: Lie) -> int:
    """Pearson's, in thousandths, over what both show; 0 where that is too little to tell."""
    upon, both = _laid(sheets, lie)
    count = both.histogram()[255]
    smaller = min(_area(sheets.one), _area(sheets.other))
    if 2 * count < smaller or 5 * count < _area(sheets.one):
        return 0
    (ones, squares), (others, other_squares) = _sums(sheets.one, both), _sums(upon, both)
    _, apart = _sums(ImageChops.difference(sheets.one, upon), both)
    together = (squares + other_squares - apart) // 2
    return _pearson(count, ones, others, squares, other_squares, together)


def _area(picture: Image.Image) -> int:
    return picture.width * picture.height


def _sums(picture: Image.Image, mask: Image.Image) -> tuple[int, int]:
    counts = picture.histogram(mask)
    return sum(map(mul, _GREYS, counts)), sum(map(mul, _GREYS_SQUARED, counts))


_GREYS: Final = range(256)
_GREYS_SQUARED: Final = tuple(grey * grey for grey in _GREYS)


def _pearson(count: int, x: int, y: int, xx: int, yy: int, xy: int) -> int:
    across, down = count * xx - x * x, count * yy - y * y
    if across <= 0 or down <= 0:
        return 0
    return int(1000 * (count * xy - x * y) / sqrt(across * down))


def _equal_squares(sheets: _Sheets, lie: Lie) -> int:
    """How many squares that both show and that vary are equal, in thousandths; 0 if too few do."""
    upon, both = _laid(sheets, lie)
    gain, _ = _brightness(sheets.one, upon, both)
    told = [
        _equal(sheets.one.crop(box).tobytes(), upon.crop(box).tobytes(), gain)
        for box in _boxes(both.getbbox() or (0, 0, 0, 0))
        if both.crop(box).getextrema() == (255, 255)
    ]
    squares = [equal for equal in told if equal is not None]
    return 1000 * sum(squares) // len(squares) if len(squares) >= _LEAST_SQUARES else 0


Box = tuple[int, int, int, int]


def _boxes(around: Box) -> Iterator[Box]:
    """Squares beside each other; the last of a row or column ends where the picture does."""
    left, top, right, bottom = around
    for y in range(top, bottom, _SQUARE):
        for x in range(left, right, _SQUARE):
            across, down = min(x + _SQUARE, right), min(y + _SQUARE, bottom)
            yield max(left, across - _SQUARE), max(top, down - _SQUARE), across, down


def _brightness(one: Image.Image, upon: Image.Image, both: Image.Image) -> tuple[float, float]:
    """What the grey of the one is to be multiplied by, and what added, to give the other's."""
    count = max(1, both.histogram()[255])
    (x, xx), (y, yy) = _sums(one, both), _sums(upon, both)
    across, down = count * xx - x * x, count * yy - y * y
    gain = sqrt(down / max(1, across))
    return gain, (y - gain * x) / count


def _equal(here: bytes, there: bytes, gain: float) -> bool | None:
    """Lighter and darker in the same places; None where there is nothing to tell it from."""
    count, x, y = len(here), sum(here), sum(there)
    xx, yy = sum(map(mul, here, here)), sum(map(mul, there, there))
    varies = max(gain * gain * (xx / count - (x / count) ** 2), yy / count - (y / count) ** 2)
    if varies < _EVEN:
        return None
    return _pearson(count, x, y, xx, yy, sum(map(mul, here, there))) >= _SAME


_SAME: Final = 700
