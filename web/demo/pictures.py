"""Drawings that stand for photos, and scans that stand for papers: small, labelled, repeatable."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Final

from PIL import ExifTags, Image, ImageDraw, ImageEnhance, ImageFont, ImageOps

from web.demo.chance import Chance
from web.demo.town import ZONE

WIDTH, HEIGHT, GROUND = 480, 360, 250
FONT: Final = Path(__file__).parents[1] / "fonts" / "ShaojiSans-Regular.otf"

Draw = ImageDraw.ImageDraw
WALLS: Final = ("#cfc8bb", "#d9d2c3", "#bfc6c9", "#d6c9b8", "#c7cdbf")
FLOORS: Final = ("#8b8f90", "#97917f", "#7f868a", "#a29a8a")


@dataclass(frozen=True, slots=True)
class Photo:
    """A photo to be drawn. scene: equal scenes show the same place. cured: the hazard is gone.

    retouched: not the camera's file, but made lighter and saved again.
    """

    scene: str
    category: str
    cured: bool
    turned: bool
    label: str
    taken: datetime
    device: str
    retouched: bool = False


def draw_photo(photo: Photo) -> bytes:
    """A JPEG of the scene, marked as a demonstration; with its time and camera in EXIF.

    What was saved again has lost its EXIF, as most programs do.
    """
    chance = Chance("scene", photo.scene)
    image = Image.new("RGB", (WIDTH, HEIGHT), chance.pick(WALLS))
    draw = ImageDraw.Draw(image)
    _room(draw, chance)
    _wear(draw, Chance("wear", photo.scene))
    _SUBJECTS[photo.category](draw, chance, photo.cured)
    if photo.turned:
        image = ImageOps.mirror(image)
    _label(ImageDraw.Draw(image), f"演示照片 {photo.label} {photo.taken:%m-%d %H:%M}")
    out = io.BytesIO()
    if photo.retouched:
        # Of a drawing's crop too little would be left that it could be told by.
        ImageEnhance.Brightness(image).enhance(1.08).save(out, "JPEG", quality=85)
    else:
        image.save(out, "JPEG", quality=80, exif=_exif(photo))
    return out.getvalue()


def draw_paper(title: str, lines: list[str], written: datetime) -> bytes:
    """A one-page PDF with a scanned paper; its dates are those of `written`."""
    page = Image.new("L", (595, 842), 250)
    draw = ImageDraw.Draw(page)
    draw.text((60, 60), f"演示文件 {title}", fill=20, font=_font(24))
    for row, line in enumerate(lines):
        draw.text((60, 130 + row * 34), line, fill=50, font=_font(17))
    out = io.BytesIO()
    day = written.astimezone(ZONE).timetuple()
    page.save(out, "PDF", creationDate=day, modDate=day, producer="demo")
    return out.getvalue()


@cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(FONT, size)


def _label(draw: Draw, text: str) -> None:
    draw.rectangle((0, HEIGHT - 30, WIDTH, HEIGHT), fill="#202428")
    draw.text((10, HEIGHT - 26), text, fill="#ffffff", font=_font(16))


def _exif(photo: Photo) -> Image.Exif:
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "DEMO"
    exif[ExifTags.Base.Model] = photo.device
    inner = exif.get_ifd(ExifTags.IFD.Exif)
    inner[ExifTags.Base.DateTimeOriginal] = f"{photo.taken.astimezone(ZONE):%Y:%m:%d %H:%M:%S}"
    inner[ExifTags.Base.OffsetTimeOriginal] = "+08:00"
    return exif


def _room(draw: Draw, chance: Chance) -> None:
    draw.rectangle((0, GROUND, WIDTH, HEIGHT), fill=chance.pick(FLOORS))
    for _ in range(chance.between(1, 3)):
        left, top = chance.between(0, WIDTH - 90), chance.between(20, 90)
        draw.rectangle((left, top, left + 70, top + 55), fill="#8fa6b2", outline="#6c7f88", width=3)
    for _ in range(6):
        x, y = chance.below(WIDTH), chance.between(GROUND, HEIGHT - 32)
        draw.line((x, y, x + chance.between(20, 60), y), fill="#6f7273")


def _wear(draw: Draw, chance: Chance) -> None:
    """What tells one wall from the next, as on any real one: stains, cracks, notices."""
    for _ in range(chance.between(9, 15)):
        x, y = chance.below(WIDTH), chance.between(0, GROUND - 20)
        width, height = chance.between(8, 46), chance.between(6, 30)
        grey = chance.pick(("#aaa496", "#b9b2a4", "#e4dfd3", "#9c9a92", "#a9b0b2"))
        draw.ellipse((x, y, x + width, y + height), fill=grey)
    for _ in range(chance.between(3, 6)):
        line = [(chance.below(WIDTH), chance.between(0, GROUND))]
        for _ in range(chance.between(3, 6)):
            x, y = line[-1]
            line.append((x + chance.between(-26, 26), y + chance.between(-22, 30)))
        draw.line(line, fill="#5f5a52", width=chance.between(1, 3))
    for _ in range(chance.between(2, 4)):
        _notice(draw, chance)


def _notice(draw: Draw, chance: Chance) -> None:
    left, top = chance.between(0, WIDTH - 60), chance.between(10, GROUND - 70)
    paper = chance.pick(("#f4efe2", "#e9d9a8", "#d7e3ea", "#efd3cd"))
    draw.rectangle((left, top, left + 46, top + 58), fill=paper, outline="#77705f")
    for row in range(6):
        for column in range(5):
            if chance.happens(500):
                x, y = left + 5 + column * 8, top + 6 + row * 8
                draw.rectangle((x, y, x + 6, y + 5), fill="#4b463d")


def _charging(draw: Draw, chance: Chance, cured: bool) -> None:
    for number in range(chance.between(2, 4)):
        left = 40 + number * 100 + chance.below(25)
        for wheel in (left, left + 55):
            draw.ellipse((wheel, 225, wheel + 34, 259), outline="#303030", width=5)
        draw.line((left + 17, 240, left + 45, 205, left + 72, 240), fill="#2f5d8a", width=6)
        end = left + chance.between(0, 80)
        if not cured:
            draw.line((left + 40, 208, end, 0), fill="#b3261e", width=3)


def _corridor(draw: Draw, chance: Chance, cured: bool) -> None:
    draw.rectangle((330, 110, 410, GROUND), fill="#8c2f2a", outline="#5e1f1c", width=4)
    for _ in range(0 if cured else chance.between(5, 9)):
        left, top = chance.between(230, 400), chance.between(140, 215)
        draw.rectangle((left, top, left + 62, top + 44), fill="#b98b54", outline="#7c5a30", width=2)


def _fire_equipment(draw: Draw, chance: Chance, cured: bool) -> None:
    for number in range(chance.between(2, 4)):
        left = 70 + number * 95 + chance.below(20)
        draw.rounded_rectangle((left, 130, left + 46, 250), 16, fill="#b3261e")
        draw.rectangle((left + 16, 108, left + 30, 132), fill="#333333")
        gauge = "#2e7d32" if cured else "#f4d03f"
        draw.ellipse((left + 10, 140, left + 36, 166), fill=gauge)


def _fire_lane(draw: Draw, chance: Chance, cured: bool) -> None:
    for x in range(0, WIDTH, 60):
        draw.line((x, HEIGHT - 40, x + 40, GROUND), fill="#e0b400", width=6)
    for number in range(0 if cured else chance.between(2, 4)):
        left = 20 + number * 115 + chance.below(20)
        colour = chance.pick(("#355c7d", "#6c5b7b", "#444b52", "#7a2e2e"))
        draw.rounded_rectangle((left, 205, left + 100, 262), 14, fill=colour)


def _electricity(draw: Draw, chance: Chance, cured: bool) -> None:
    left = chance.between(120, 240)
    draw.rectangle((left, 90, left + 120, 220), fill="#9aa3a8", outline="#596166", width=4)
    for _ in range(0 if cured else chance.between(4, 7)):
        colour = chance.pick(("#b3261e", "#1f4e9c", "#2e7d32"))
        end = (chance.between(left - 60, left + 180), chance.between(180, 300))
        draw.line((left + 60, 120, *end), fill=colour, width=4)
    if cured:
        draw.polygon(((left + 60, 125), (left + 35, 170), (left + 85, 170)), fill="#e0b400")


def _gas(draw: Draw, chance: Chance, cured: bool) -> None:
    draw.rectangle((90, 190, 390, 250), fill="#6e7477")
    colour = "#b7bec2" if cured else "#d9822b"
    bend = chance.between(120, 180)
    draw.line((150, 60, 150, bend, 260, bend, 260, 190), fill=colour, width=12)
    for _ in range(0 if cured else 5):
        y = chance.between(70, bend)
        draw.line((143, y, 157, y + 6), fill="#3a2a1a", width=2)


def _falling(draw: Draw, chance: Chance, cured: bool) -> None:
    for x in range(40, 440, 40):
        for y in range(30, 230, 40):
            gone = not cured and chance.happens(180)
            draw.rectangle((x, y, x + 37, y + 37), fill="#5b5147" if gone else "#d8bfa0")
    if cured:
        for x in range(40, 440, 20):
            draw.line((x, 30, x, 230), fill="#2e7d32")


def _road(draw: Draw, chance: Chance, cured: bool) -> None:
    left = chance.between(140, 240)
    draw.ellipse((left, 262, left + 130, 318), fill="#4a4d4f", outline="#26282a", width=4)
    for _ in range(0 if cured else chance.between(3, 6)):
        x, y = left + chance.below(130), chance.between(266, 314)
        draw.line((left + 65, 290, x, y), fill="#101112", width=5)


def _illegal(draw: Draw, chance: Chance, cured: bool) -> None:
    draw.rectangle((40, 70, 250, GROUND), fill="#b7a58b", outline="#7d6f5b", width=4)
    if cured:
        draw.polygon(((280, 255), (330, 235), (400, 255)), fill="#8d7f6a")
        return
    left = chance.between(255, 290)
    draw.rectangle((left, 140, left + 150, GROUND), fill="#a2553f", outline="#6b3324", width=4)
    draw.rectangle((left, 125, left + 160, 142), fill="#3f6f8f")


def _facility(draw: Draw, chance: Chance, cured: bool) -> None:
    for number in range(6):
        lean = 0 if cured else chance.between(-18, 18)
        x = 60 + number * 65
        draw.line((x, GROUND, x + lean, 150), fill="#50626e", width=8)
    draw.line((50, 150, 400, 150 if cured else 168), fill="#50626e", width=8)


def _food(draw: Draw, chance: Chance, cured: bool) -> None:
    draw.rectangle((80, 110, 400, 250), fill="#e8edf0", outline="#8fa0aa", width=4)
    for number in range(5):
        colour = chance.pick(("#a1452f", "#c98b4b", "#7b9a56"))
        draw.ellipse((100 + number * 56, 180, 146 + number * 56, 230), fill=colour)
    if cured:
        draw.polygon(((80, 110), (240, 60), (400, 110)), outline="#2e7d32", width=4)


def _other(draw: Draw, chance: Chance, cured: bool) -> None:
    left = chance.between(160, 240)
    draw.rectangle((left, 90, left + 20, GROUND), fill="#5d6b73")
    draw.arc((left - 50, 100, left + 70, 220), 0, 360, fill="#8a8a8a", width=4)
    if cured:
        draw.arc((left - 40, 110, left + 60, 210), 0, 360, fill="#d9541e", width=18)


_SUBJECTS: Final[dict[str, Callable[[Draw, Chance, bool], None]]] = {
    "charging": _charging,
    "corridor": _corridor,
    "fire_equipment": _fire_equipment,
    "fire_lane": _fire_lane,
    "electricity": _electricity,
    "gas": _gas,
    "falling": _falling,
    "road": _road,
    "illegal_building": _illegal,
    "facility": _facility,
    "food": _food,
    "other": _other,
}
