"""What a photo shows and declares. Times, places and devices in it are declared, not proven."""

import io
import re
import unicodedata
import zlib
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from PIL import ExifTags, Image

from engine.uploads import JPEG, PNG, WEBP, UnfitFile

# Above every phone's ordinary mode (64 megapixels), and below the number at which Pillow starts
# to warn: our refusal comes first, so its warning never has to be turned into an error here
# (warning filters belong to the whole process and must not be changed by one thread).
MAX_PIXELS = 65_000_000

_FORMATS = {JPEG: "JPEG", PNG: "PNG", WEBP: "WEBP"}
_MARKER = re.compile(rb"\xff[^\x00\xff]")  # within a scan, 0xff is followed by 0
# Exif 3.0 table 4, Orientation: how to turn the stored picture upright.
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class BrokenPhoto(UnfitFile):
    """The picture cannot be decoded to its last line."""


class TooManyPixels(UnfitFile):
    """The picture would fill the memory when unpacked."""


class MovingPicture(UnfitFile):
    """An animation: the copy shown would not be all of it."""


@dataclass(frozen=True, slots=True)
class Declared:
    """What the camera wrote into the file; whoever sends a file can write anything there.

    taken_at: `2026-03-01T08:15:00+08:00`, without offset where the camera gave none (local time
    of an unknown zone). gps: latitude and longitude in decimal degrees with six places, datum as
    the phone has it. device: make and model.
    """

    taken_at: str | None = None
    gps: tuple[str, str] | None = None
    device: str | None = None


def examine(data: bytes, media: str, *, name: str) -> Declared:
    """Decode the whole picture once and read what it declares.

    Raises TooManyPixels, MovingPicture, BrokenPhoto.
    """
    try:
        # Not left to Pillow: WeasyPrint, once imported, tells it to accept torn files everywhere.
        if not _WHOLE[media](data):
            raise _broken(name)
        with _opened(data, media, name) as image:
            # JPEG at an eighth of its size: the whole stream is read, a 64th of the memory used.
            image.draft("RGB", (1, 1))
            image.load()
            return _declared(image)
    except UnfitFile:
        raise
    # A hostile file can make a decoder raise anything; whatever it is, this is no whole photo.
    except Exception as error:
        raise _broken(name) from error


def upright_copy(data: bytes, media: str, *, side: int) -> bytes:
    """A JPEG of the picture alone, turned upright, at most `side` pixels long and wide.

    Pixels only: no EXIF, place, comment or colour profile is carried over (wide-gamut colours
    come out a little duller). `data` must have passed `examine`.
    """
    with Image.open(io.BytesIO(data), formats=[_FORMATS[media]]) as image:
        picture = _upright(image, side)
    picture.info.clear()  # the JPEG writer would copy the comment from here
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=85, optimize=True, progressive=True)
    return out.getvalue()


def upright_picture(data: bytes, media: str, *, side: int, name: str) -> Image.Image:
    """The picture itself, turned upright, at most `side` pixels long and wide, to be looked into.

    Nobody need have examined it before. Raises TooManyPixels, MovingPicture, BrokenPhoto.
    """
    try:
        with _opened(data, media, name) as image:
            return _upright(image, side)
    except UnfitFile:
        raise
    except Exception as error:  # as in `examine`
        raise _broken(name) from error


def _upright(image: Image.Image, side: int) -> Image.Image:
    turn = _UPRIGHT.get(_orientation(image))
    image.thumbnail((side, side))
    picture = _on_white(image)
    return picture if turn is None else picture.transpose(turn)


def _opened(data: bytes, media: str, name: str) -> Image.Image:
    try:
        image = Image.open(io.BytesIO(data), formats=[_FORMATS[media]])
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_many_pixels(name) from error
    if image.width * image.height > MAX_PIXELS:
        raise _too_many_pixels(name)
    # A JPEG with several pictures is a phone's photo with its depth map; only the first is shown.
    if media != JPEG and getattr(image, "is_animated", False):
        raise MovingPicture(
            f"“{name}”是动图，请发送静止的照片。", f'"{name}" is animated; send a still photo.'
        )
    return image


def _whole_jpeg(data: bytes) -> bool:
    """Segment by segment (ITU-T T.81, B.1) up to the end mark, past any thumbnail's own end."""
    at = 2
    while marker := _MARKER.search(data, at):
        kind, at = marker[0][1], marker.end()
        if kind == 0xD9:  # end of image
            return True
        if kind != 0x01 and not 0xD0 <= kind <= 0xD7:  # all others say how long they are
            at += int.from_bytes(data[at : at + 2], "big")
    return False


def _whole_png(data: bytes) -> bool:
    """Chunk by chunk (W3C PNG, 5.3), each with its checksum, up to IEND."""
    at, kind = 8, b""
    while kind != b"IEND":
        length, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        body = memoryview(data)[at + 4 : at + 8 + length]
        at += 12 + length
        if zlib.crc32(body) != int.from_bytes(data[at - 4 : at], "big") or at > len(data):
            return False
    return True


def _whole_webp(data: bytes) -> bool:
    return 8 + int.from_bytes(data[4:8], "little") <= len(data)


def _broken(name: str) -> BrokenPhoto:
    return BrokenPhoto(
        f"“{name}”打不开或没有传完，请重新拍摄或重新发送。",
        f'"{name}" cannot be opened or is cut off; send it again.',
    )


def _too_many_pixels(name: str) -> TooManyPixels:
    return TooManyPixels(
        f"“{name}”的像素过多（上限 {MAX_PIXELS // 10_000} 万），请用相机的普通模式拍摄后再发送。",
        f'"{name}" has more than {MAX_PIXELS // 1_000_000} megapixels; use the normal camera mode.',
    )


_WHOLE = {JPEG: _whole_jpeg, PNG: _whole_png, WEBP: _whole_webp}


def _on_white(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16-bit grey: keep the upper eight bits, convert() would clip
        return image.convert("I").point(lambda level: level / 256).convert("L").convert("RGB")
    if not image.has_transparency_data:
        return image.convert("RGB")
    layer = image.convert("RGBA")
    ground = Image.new("RGB", layer.size, "white")
    ground.paste(layer, mask=layer.getchannel("A"))
    return ground


def _orientation(image: Image.Image) -> int:
    try:
        value = image.getexif().get(ExifTags.Base.Orientation)
    except Exception:  # hostile EXIF raises anything; such a photo stays as it lies
        return 1
    return value if isinstance(value, int) else 1


def _declared(image: Image.Image) -> Declared:
    try:
        exif = image.getexif()
        main: dict[int, Any] = dict(exif)
        photo = exif.get_ifd(ExifTags.IFD.Exif)
        place = exif.get_ifd(ExifTags.IFD.GPSInfo)
    except Exception:  # hostile EXIF raises anything; it never stops the photo, it declares nothing
        return Declared()
    return Declared(_taken_at(photo), _gps(place), _device(main))


def _taken_at(photo: dict[int, Any]) -> str | None:
    said = _text(photo.get(ExifTags.Base.DateTimeOriginal))
    offset = _text(photo.get(ExifTags.Base.OffsetTimeOriginal))
    if not re.fullmatch(r"\d{4}:\d\d:\d\d \d\d:\d\d:\d\d", said, re.ASCII):
        return None
    text = said[:10].replace(":", "-") + "T" + said[11:]
    if re.fullmatch(r"[+-](0\d|1[0-4]):[0-5]\d", offset, re.ASCII):
        text += offset
    return text if _is_instant(text) else None


def _is_instant(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _gps(place: dict[int, Any]) -> tuple[str, str] | None:
    latitude = _degrees(place, ExifTags.GPS.GPSLatitude, ExifTags.GPS.GPSLatitudeRef, "NS", 90)
    longitude = _degrees(place, ExifTags.GPS.GPSLongitude, ExifTags.GPS.GPSLongitudeRef, "EW", 180)
    # Zero, zero is what phones write that have no fix.
    if latitude is None or longitude is None or latitude == longitude == 0:
        return None
    return _six_places(latitude), _six_places(longitude)


def _degrees(
    place: dict[int, Any], tag: int, ref_tag: int, signs: str, limit: int
) -> Fraction | None:
    ref, parts = _text(place.get(ref_tag)), place.get(tag)
    if ref not in set(signs) or not isinstance(parts, tuple) or len(parts) != 3:
        return None
    numbers = [_rational(part) for part in parts]
    if None in numbers:
        return None
    degrees, minutes, seconds = (number or Fraction(0) for number in numbers)
    if not (0 <= minutes <= 60 and 0 <= seconds <= 60):
        return None
    value = degrees + minutes / 60 + seconds / 3600
    if not 0 <= value <= limit:
        return None
    return value if ref == signs[0] else -value


def _rational(part: object) -> Fraction | None:
    numerator, denominator = getattr(part, "numerator", None), getattr(part, "denominator", None)
    if not isinstance(numerator, int) or not isinstance(denominator, int) or denominator == 0:
        return None
    return Fraction(numerator, denominator)


def _six_places(value: Fraction) -> str:
    micro = round(value * 1_000_000)
    return f"{Decimal(micro).scaleb(-6):.6f}"


def _device(main: dict[int, Any]) -> str | None:
    make, model = _text(main.get(ExifTags.Base.Make)), _text(main.get(ExifTags.Base.Model))
    text = model if model.lower().startswith(make.lower()) else f"{make} {model}"
    return text.strip()[:80] or None


def _text(value: object) -> str:
    """Printable NFC text of an EXIF value, or nothing where it is not text."""
    if not isinstance(value, str):
        return ""
    printable = "".join(c for c in value.split("\0")[0] if c.isprintable())
    return unicodedata.normalize("NFC", printable).strip()
