import io
import random
import struct
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ExifTags, Image, ImageFile
from PIL.TiffImagePlugin import IFDRational

from engine import photos
from engine.uploads import JPEG, PNG, WEBP

MEDIA = {"JPEG": JPEG, "PNG": PNG, "WEBP": WEBP}
WHEN = {ExifTags.Base.DateTimeOriginal: "2026:03:01 08:15:00"}
# 西直门 in degrees, minutes, seconds.
PLACE = {1: "N", 2: (39.0, 56.0, 26.16), 3: "E", 4: (116.0, 21.0, 18.0)}


def photo(
    kind: str = "JPEG",
    *,
    main: dict[int, Any] | None = None,
    camera: dict[int, Any] | None = None,
    place: dict[int, Any] | None = None,
    size: tuple[int, int] = (40, 30),
) -> bytes:
    exif = Image.Exif()
    exif.update(main or {})
    exif.get_ifd(ExifTags.IFD.Exif).update(camera or {})
    exif.get_ifd(ExifTags.IFD.GPSInfo).update(place or {})
    out = io.BytesIO()
    Image.new("RGB", size, "teal").save(out, kind, exif=exif)
    return out.getvalue()


def declared(data: bytes, media: str = JPEG) -> photos.Declared:
    return photos.examine(data, media, name="a.jpg")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_what_the_camera_wrote_is_read(kind: str) -> None:
    main = {ExifTags.Base.Make: "HUAWEI", ExifTags.Base.Model: "HUAWEI Mate 60"}
    data = photo(kind, main=main, camera=WHEN, place=PLACE)
    assert declared(data, MEDIA[kind]) == photos.Declared(
        taken_at="2026-03-01T08:15:00", gps=("39.940600", "116.355000"), device="HUAWEI Mate 60"
    )


def test_an_offset_is_kept_where_the_camera_gave_one() -> None:
    offset = ExifTags.Base.OffsetTimeOriginal
    assert declared(photo(camera=WHEN | {offset: "+08:00"})).taken_at == "2026-03-01T08:15:00+08:00"
    for nonsense in ("+99:00", "   :  ", "Z", "+0800"):
        assert declared(photo(camera=WHEN | {offset: nonsense})).taken_at == "2026-03-01T08:15:00"


def test_a_photo_without_exif_declares_nothing() -> None:
    for kind, media in MEDIA.items():
        assert declared(photo(kind), media) == photos.Declared()


@pytest.mark.parametrize(
    "text",
    ["0000:00:00 00:00:00", "2026:02:30 08:00:00", "2026-03-01 08:15:00", "", "    ", "x" * 19],
)
def test_an_impossible_time_is_no_time(text: str) -> None:
    assert declared(photo(camera={ExifTags.Base.DateTimeOriginal: text})).taken_at is None


def test_south_and_west_are_negative() -> None:
    place = PLACE | {1: "S", 3: "W"}
    assert declared(photo(place=place)).gps == ("-39.940600", "-116.355000")


@pytest.mark.parametrize(
    "change",
    [
        {1: "X"},
        {1: ""},
        {2: (IFDRational(39, 0), IFDRational(0, 1), IFDRational(0, 1))},
        {2: (IFDRational(4294967295, 1), IFDRational(0, 1), IFDRational(0, 1))},
        {2: (39.0, 61.0, 0.0)},
        {2: (39.0, 0.0)},
        {2: 39.0},
        {2: (90.0, 0.0, 1.0)},
        {4: (180.0, 0.0, 1.0)},
        {2: (0.0, 0.0, 0.0), 4: (0.0, 0.0, 0.0)},
    ],
)
def test_an_impossible_place_is_no_place_but_the_rest_is_kept(change: dict[int, Any]) -> None:
    found = declared(photo(camera=WHEN, place=PLACE | change))
    assert found.gps is None
    assert found.taken_at == "2026-03-01T08:15:00"


@given(
    st.tuples(st.integers(0, 89), st.integers(0, 59), st.integers(0, 59_999_999)),
    st.sampled_from("NS"),
)
def test_degrees_come_out_to_a_tenth_of_a_metre(dms: tuple[int, int, int], ref: str) -> None:
    degrees, minutes, micro = dms
    parts = (IFDRational(degrees, 1), IFDRational(minutes, 1), IFDRational(micro, 1_000_000))
    gps = declared(photo(place={1: ref, 2: parts, 3: "E", 4: (1.0, 0.0, 0.0)})).gps
    assert gps is not None
    exact = (degrees + minutes / 60 + micro / 3_600_000_000) * (1 if ref == "N" else -1)
    assert abs(float(gps[0]) - exact) <= 0.000_000_6
    assert len(gps[0].partition(".")[2]) == 6


def test_make_is_not_said_twice_and_odd_characters_go() -> None:
    make, model = ExifTags.Base.Make, ExifTags.Base.Model
    assert declared(photo(main={make: "Xiaomi", model: "2201123C"})).device == "Xiaomi 2201123C"
    assert declared(photo(main={make: "NIKON ", model: "Nikon D5\x07"})).device == "Nikon D5"
    assert declared(photo(main={make: "x" * 500})).device == "x" * 80
    assert declared(photo(main={make: " "})).device is None


def tiff(entries: list[tuple[int, int, int, bytes]]) -> bytes:
    """A little-endian EXIF block with one IFD of (tag, type, count, four bytes of value)."""
    body = b"".join(struct.pack("<HHI", *entry[:3]) + entry[3] for entry in entries)
    return b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + body + b"\0\0\0\0"


def with_exif(block: bytes) -> bytes:
    plain = photo()
    return plain[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + plain[2:]


HOSTILE = [
    tiff([(0x8769, 4, 1, struct.pack("<I", 8))]),  # the EXIF directory is the main directory
    tiff([(0x8769, 4, 1, b"\xff\xff\xff\x7f")]),  # far outside the file
    tiff([(0x8769, 2, 4, b"abc\0")]),  # a directory that is a word
    tiff([(0x8825, 5, 1, b"\xff\xff\xff\xff")]),
    tiff([(0x0112, 2, 4, b"six\0")]),  # orientation in words
    tiff([(0x0112, 3, 0xFFFFFFFF, b"\x06\0\0\0")]),
    tiff([(0x010F, 5, 1, b"\x08\0\0\0"), (0x0110, 7, 4, b"\xff\xfe\xfd\xfc")]),
    tiff([(0x010F, 13, 1, b"\0\0\0\0")] * 60),
    b"Exif\0\0",
    b"Exif\0\0MM",
    b"Exif\0\0II*\0\xff\xff\xff\xff",
]


# As in production, where Pillow's warnings about EXIF are warnings and not errors.
@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@pytest.mark.parametrize("block", HOSTILE)
def test_hostile_exif_never_stops_a_photo(block: bytes) -> None:
    data = with_exif(block)
    assert declared(data).gps is None
    assert photos.upright_copy(data, JPEG, side=320)


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@given(st.binary(max_size=200))
def test_no_exif_whatever_stops_a_photo(block: bytes) -> None:
    data = with_exif(b"Exif\0\0II*\0\x08\0\0\0" + block)
    declared(data)
    photos.upright_copy(data, JPEG, side=320)


@pytest.mark.parametrize("tolerant", [False, True])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_photo_cut_off_anywhere_is_refused(
    kind: str, tolerant: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    # WeasyPrint sets this for the whole process when it is imported.
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", tolerant)
    noise = Image.frombytes("RGB", (32, 32), random.Random(7).randbytes(32 * 32 * 3))
    out = io.BytesIO()
    noise.save(out, kind, exif=b"Exif\0\0" + photo())  # a thumbnail with an end of its own
    data = out.getvalue()
    for end in (*range(12, len(data), 61), len(data) - 2, len(data) - 1):
        with pytest.raises(photos.BrokenPhoto, match="没有传完"):
            photos.examine(data[:end], MEDIA[kind], name="a")


def test_a_png_with_a_wrong_checksum_is_refused() -> None:
    data = bytearray(photo("PNG"))
    data[-20] ^= 1
    with pytest.raises(photos.BrokenPhoto):
        photos.examine(bytes(data), PNG, name="a.png")


def png_header(width: int, height: int) -> bytes:
    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        map(chunk, (head, b"IDAT" + zlib.compress(b""), b"IEND"))
    )


def chunk(body: bytes) -> bytes:
    return struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))


@pytest.mark.parametrize("size", [(65_000, 1001), (12_000, 9_000), (2**31 - 1, 2**31 - 1)])
def test_a_pixel_bomb_is_refused_before_it_is_unpacked(size: tuple[int, int]) -> None:
    with pytest.raises(photos.TooManyPixels, match="6500 万"):
        photos.examine(png_header(*size), PNG, name="a.png")


def test_pillow_would_warn_only_above_our_own_limit() -> None:
    assert Image.MAX_IMAGE_PIXELS is not None
    assert photos.MAX_PIXELS < Image.MAX_IMAGE_PIXELS


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_an_animation_is_refused(kind: str) -> None:
    frames = [Image.new("RGB", (9, 9), colour) for colour in ("red", "blue")]
    out = io.BytesIO()
    frames[0].save(out, kind, save_all=True, append_images=frames[1:])
    with pytest.raises(photos.MovingPicture):
        photos.examine(out.getvalue(), MEDIA[kind], name="a")


def test_a_phone_photo_with_a_second_picture_inside_is_a_photo() -> None:
    out = io.BytesIO()
    frames = [Image.new("RGB", (40, 30), colour) for colour in ("red", "grey")]
    frames[0].save(out, "MPO", save_all=True, append_images=frames[1:])
    assert photos.examine(out.getvalue(), JPEG, name="a.jpg") == photos.Declared()
    with Image.open(io.BytesIO(photos.upright_copy(out.getvalue(), JPEG, side=320))) as copy:
        assert copy.format == "JPEG"
        assert getattr(copy, "n_frames", 1) == 1


def copied(data: bytes, media: str = JPEG, side: int = 320) -> Image.Image:
    image = Image.open(io.BytesIO(photos.upright_copy(data, media, side=side)))
    image.load()
    return image


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_copy_stands_upright(orientation: int) -> None:
    upright = Image.new("RGB", (80, 40), "white")
    upright.paste("black", (0, 0, 40, 20))  # dark in the upper left
    stored = upright.transpose(back) if (back := undo(orientation)) is not None else upright
    out = io.BytesIO()
    stored.save(out, "JPEG", quality=95, exif=orientation_block(orientation))
    copy = copied(out.getvalue()).convert("L")
    corners = [copy.getpixel(spot) for spot in ((10, 8), (70, 8), (10, 32), (70, 32))]
    assert copy.size == (80, 40)
    assert [int(level) > 128 for level in corners] == [False, True, True, True]


def undo(orientation: int) -> Image.Transpose | None:
    turn = Image.Transpose
    return {
        2: turn.FLIP_LEFT_RIGHT, 3: turn.ROTATE_180, 4: turn.FLIP_TOP_BOTTOM, 5: turn.TRANSPOSE,
        6: turn.ROTATE_90, 7: turn.TRANSVERSE, 8: turn.ROTATE_270,
    }.get(orientation)  # fmt: skip


def orientation_block(value: int) -> bytes:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = value
    return exif.tobytes()


def test_a_copy_fits_its_square_and_is_never_enlarged() -> None:
    assert copied(photo(size=(4000, 3000))).size == (320, 240)
    assert copied(photo(size=(3000, 4000)), side=1600).size == (1200, 1600)
    assert copied(photo(size=(40, 30)), side=1600).size == (40, 30)
    assert copied(photo("PNG", size=(4000, 1)), PNG).size == (320, 1)


def test_a_copy_carries_pixels_and_nothing_else() -> None:
    out = io.BytesIO()
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "HUAWEI"
    exif.get_ifd(ExifTags.IFD.GPSInfo).update(PLACE)
    Image.new("RGB", (40, 30)).save(
        out,
        "JPEG",
        exif=exif,
        comment=b"li lives here",
        icc_profile=b"profile",
        xmp=b"<x:xmpmeta/>",
    )
    copy = photos.upright_copy(out.getvalue(), JPEG, side=320)
    assert not any(mark in copy for mark in (b"Exif", b"li lives", b"profile", b"xmpmeta"))
    with Image.open(io.BytesIO(copy)) as image:
        assert not image.getexif()
        assert not image.getexif().get_ifd(ExifTags.IFD.GPSInfo)
        assert set(image.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density",
                                   "progressive", "progression"}  # fmt: skip


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "I;16", "CMYK"])
def test_every_kind_of_picture_gets_a_copy_with_its_brightness(mode: str) -> None:
    if mode == "I;16":
        source = Image.new("I;16", (40, 30), 0xC000)
    else:
        source = Image.new("RGB", (40, 30), (192, 192, 192)).convert(mode)
    kind, media = ("JPEG", JPEG) if mode == "CMYK" else ("PNG", PNG)
    out = io.BytesIO()
    source.save(out, kind)
    copy = copied(out.getvalue(), media).convert("L").resize((1, 1), Image.Resampling.BOX)
    assert abs(int(copy.getpixel((0, 0))) - 192) < 8


def test_transparent_parts_become_white() -> None:
    out = io.BytesIO()
    Image.new("RGBA", (40, 30), (0, 0, 0, 0)).save(out, "PNG")
    assert copied(out.getvalue(), PNG).getpixel((5, 5)) == (255, 255, 255)
