"""Made-up photos with the texture of real ones, and what people do to a photo before sending it."""

import io
import math
import random
from collections.abc import Callable, Iterator

from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps

SIZES = ((960, 720), (720, 960), (1024, 576))


def scene(seed: str) -> Image.Image:
    """A wall, a floor, things before it, cables, and the noise of a sensor."""
    rng = random.Random(seed)
    size = rng.choice(SIZES)
    image = ImageOps.colorize(_clouds(rng, size), _colour(rng, 30, 230), _colour(rng, 30, 230))
    horizon = rng.randrange(size[1] // 3, size[1] * 3 // 4)
    mask = Image.new("L", size, 0)
    ImageDraw.Draw(mask).rectangle((0, horizon, *size), fill=200)
    image.paste(ImageOps.colorize(_clouds(rng, size), (40, 40, 40), (170, 165, 150)), mask=mask)
    _things(ImageDraw.Draw(image), rng, size)
    noise = Image.frombytes("L", size, rng.randbytes(size[0] * size[1])).convert("RGB")
    return Image.blend(image.filter(ImageFilter.GaussianBlur(1)), noise, 0.06)


def changes(rng: random.Random) -> list[tuple[str, Callable[[Image.Image], Image.Image]]]:
    """What is done to a photo before it comes back, some of it at random, each by its name."""
    sides = [rng.randrange(16) for _ in range(4)]

    def brightened(photo: Image.Image) -> Image.Image:
        return ImageEnhance.Brightness(scaled(cropped(photo, *sides), 60)).enhance(1.1)

    return [
        *CHANGES.items(),
        (f"cropped {sides}", lambda photo: sent(cropped(photo, *sides))),
        (f"cropped {sides}, scaled, brightened", lambda photo: sent(brightened(photo), 60)),
        (
            f"cropped {sides}, mirrored",
            lambda photo: sent(ImageOps.mirror(cropped(photo, *sides)), 60),
        ),
    ]


def heavily_cropped(photo: Image.Image) -> Iterator[tuple[str, Image.Image]]:
    """Copies that are recognised mostly, which is not promised."""
    for part in (20, 25):
        yield f"cropped {part} % on every side", sent(cropped(photo, *[part] * 4))


def sent(photo: Image.Image, quality: int = 85) -> Image.Image:
    """As JPEG and back."""
    return Image.open(io.BytesIO(jpeg(photo, quality)))


def jpeg(photo: Image.Image, quality: int = 85) -> bytes:
    out = io.BytesIO()
    photo.save(out, "JPEG", quality=quality)
    return out.getvalue()


def scaled(photo: Image.Image, percent: int) -> Image.Image:
    size = photo.width * percent // 100, photo.height * percent // 100
    return photo.resize(size, Image.Resampling.LANCZOS)


def cropped(photo: Image.Image, left: int, top: int, right: int, bottom: int) -> Image.Image:
    """Without so many per cent at each side."""
    wide, high = photo.width / 100, photo.height / 100
    return photo.crop(
        (int(left * wide), int(top * high), int((100 - right) * wide), int((100 - bottom) * high))
    )


def turned(photo: Image.Image, degrees: float) -> Image.Image:
    """Turned, and cut so that no corner is empty."""
    edge = int(math.sin(math.radians(abs(degrees))) * max(photo.size)) + 1
    whole = photo.rotate(degrees, Image.Resampling.BICUBIC)
    return whole.crop((edge, edge, photo.width - edge, photo.height - edge))


def _as_png(photo: Image.Image) -> Image.Image:
    out = io.BytesIO()
    photo.save(out, "PNG")
    return Image.open(out)


CHANGES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "scaled to 30 %": lambda photo: sent(scaled(photo, 30)),
    "scaled to 150 %": lambda photo: sent(scaled(photo, 150)),
    "JPEG 40": lambda photo: sent(photo, 40),
    "JPEG 95": lambda photo: sent(photo, 95),
    "PNG": _as_png,
    "brighter": lambda photo: sent(ImageEnhance.Brightness(photo).enhance(1.15)),
    "darker": lambda photo: sent(ImageEnhance.Brightness(photo).enhance(0.85)),
    "cropped 10 % on every side": lambda photo: sent(cropped(photo, 10, 10, 10, 10)),
    "cropped 15 % on every side": lambda photo: sent(cropped(photo, 15, 15, 15, 15)),
    "cropped 25 % on one side": lambda photo: sent(cropped(photo, 25, 0, 0, 0)),
    "turned by 2°": lambda photo: sent(turned(photo, 2)),
    "turned by -1°": lambda photo: sent(turned(photo, -1)),
    "mirrored": lambda photo: sent(ImageOps.mirror(photo)),
}


def _clouds(rng: random.Random, size: tuple[int, int]) -> Image.Image:
    sum_ = Image.new("L", size, 128)
    for wide in (4, 8, 16, 32, 64, 128):
        high = wide * size[1] // size[0]
        layer = Image.frombytes("L", (wide, high), rng.randbytes(wide * high))
        layer = layer.resize(size, Image.Resampling.BICUBIC)
        sum_ = layer if wide == 4 else Image.blend(sum_, layer, 0.35)
    return ImageOps.autocontrast(sum_)


def _things(draw: ImageDraw.ImageDraw, rng: random.Random, size: tuple[int, int]) -> None:
    for _ in range(rng.randrange(6, 18)):
        x, y = rng.randrange(size[0]), rng.randrange(size[1])
        wide, high = rng.randrange(15, 130), rng.randrange(15, 130)
        shape, colour = rng.choice([draw.rectangle, draw.ellipse]), _colour(rng, 0, 256)
        shape((x - wide, y - high, x + wide, y + high), fill=colour, outline="black", width=4)
    for _ in range(10):
        ends = [rng.randrange(size[at % 2]) for at in range(4)]
        draw.line(ends, fill=_colour(rng, 0, 120), width=rng.randrange(2, 8))


def _colour(rng: random.Random, low: int, high: int) -> tuple[int, int, int]:
    return rng.randrange(low, high), rng.randrange(low, high), rng.randrange(low, high)
