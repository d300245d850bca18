"""A PDF must show what it says: its picture and its text layer are compared, glyph by glyph.

Fonts cut in slices once printed 隐巴套综 for 隐患处置 while the text layer stayed right.
"""

import io
import shutil
import subprocess
from pathlib import Path

import pikepdf
import pytest
from PIL import Image, ImageChops, ImageDraw, ImageFont, ImageStat
from weasyprint import HTML
from weasyprint.text.fonts import FontConfiguration

FONTS = Path(__file__).parent.parent / "web" / "fonts"
FACES = {
    "ShaojiSans-Regular": ("Shaoji Sans", 400),
    "ShaojiSans-Bold": ("Shaoji Sans", 700),
    "ShaojiSerif-Bold": ("Shaoji Serif", 700),
    "ShaojiMono-Regular": ("Shaoji Mono", 400),
}
HANZI = "隐患处置责任报告巴套综词养测媒仉䶮堃祎"
TEXT = dict.fromkeys(FACES, HANZI) | {"ShaojiMono-Regular": "0123456789abcdefABCDEF#"}
BOX = 40  # points; one row a face, one box a character
SCALE = 2  # pixels a point


def page() -> str:
    faces = "".join(
        f"@font-face {{ font-family: '{family}'; font-weight: {weight};"
        f" src: url('{(FONTS / name).with_suffix('.otf').as_uri()}') }}\n"
        for name, (family, weight) in FACES.items()
    )
    boxes = "".join(
        f'<p style="left: {x * BOX}pt; top: {y * BOX}pt;'
        f" font: {weight} 28pt/{BOX}pt '{family}'\">{char}</p>"
        for y, (name, (family, weight)) in enumerate(FACES.items())
        for x, char in enumerate(TEXT[name])
    )
    width = max(map(len, TEXT.values())) * BOX
    return (
        f"<style>{faces} @page {{ size: {width}pt {len(FACES) * BOX}pt; margin: 0 }}"
        f" p {{ position: absolute; margin: 0; width: {BOX}pt; text-align: center }}</style>{boxes}"
    )


@pytest.fixture(scope="module")
def pdf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("fonts") / "glyphs.pdf"
    HTML(string=page()).write_pdf(path, font_config=FontConfiguration(), pdf_variant="pdf/a-3u")
    return path


def shape(picture: Image.Image) -> Image.Image:
    """The ink alone, at one size, so that two renderers can be compared."""
    ink = ImageChops.invert(picture.convert("L")).point(lambda value: 255 if value > 96 else 0)
    return ink.crop(ink.getbbox()).resize((48, 48))


def drawn(name: str, char: str) -> Image.Image:
    picture = Image.new("L", (160, 160), 255)
    font = ImageFont.truetype(FONTS / f"{name}.otf", 28 * SCALE)
    ImageDraw.Draw(picture).text((50, 30), char, fill=0, font=font)
    return shape(picture)


def unlikeness(one: Image.Image, other: Image.Image) -> float:
    return float(ImageStat.Stat(ImageChops.difference(one, other)).mean[0])


def test_each_face_is_embedded_once_and_no_other_font_is(pdf: Path) -> None:
    with pikepdf.open(pdf) as document:
        fonts = document.pages[0].Resources.Font.values()
        embedded = sorted(str(font.BaseFont).split("+")[-1] for font in fonts)
    assert embedded == ["Shaoji-Mono", "Shaoji-Sans", "Shaoji-Sans-Bold", "Shaoji-Serif-Bold"]


def test_the_picture_shows_the_characters_of_the_text(pdf: Path) -> None:
    if not shutil.which("pdftoppm"):
        pytest.skip("pdftoppm (poppler-utils) is not installed: no picture to compare")
    command = ["pdftoppm", "-r", str(72 * SCALE), "-png", str(pdf)]
    png = subprocess.run(command, check=True, capture_output=True).stdout
    picture = Image.open(io.BytesIO(png))
    for y, name in enumerate(FACES):
        known = {char: drawn(name, char) for char in TEXT[name]}
        seen = "".join(
            min(known, key=lambda char: unlikeness(known[char], glyph))
            for x in range(len(TEXT[name]))
            for glyph in [shape(picture.crop(box(x, y)))]
        )
        assert seen == TEXT[name], name


def test_the_text_layer_says_the_same(pdf: Path) -> None:
    if not shutil.which("pdftotext"):
        pytest.skip("pdftotext (poppler-utils) is not installed: no text layer to compare")
    command = ["pdftotext", "-layout", str(pdf), "-"]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert ["".join(line.split()) for line in text.splitlines() if line.strip()] == [*TEXT.values()]


def box(x: int, y: int) -> tuple[int, int, int, int]:
    side = BOX * SCALE
    return (x * side, y * side, (x + 1) * side, (y + 1) * side)
