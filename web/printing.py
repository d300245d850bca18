"""HTML to PDF/A-3 with our own fonts and nothing else: no network, no system font, no file.

A character our fonts lack is refused before rendering: a PDF never shows an empty box, and never a
glyph from a font that happens to be installed here.
"""

import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from html import unescape
from importlib.resources import files
from threading import Lock
from typing import Any, Final

from fontTools.ttLib import TTFont  # type: ignore[import-untyped]
from jinja2 import Environment, PackageLoader, StrictUndefined
from weasyprint import CSS, HTML, Attachment
from weasyprint.text.fonts import FontConfiguration
from weasyprint.urls import FatalURLFetchingError, URLFetcher, URLFetcherResponse

from engine.errors import Refusal

VARIANT: Final = "pdf/a-3u"
# The face every other one falls back to, so what it covers can be printed anywhere on the page.
WIDEST: Final = "ShaojiSans-Regular.otf"
_SERVED: Final = re.compile(r"shaoji:(fonts/Shaoji(?:Sans|Serif|Mono)-(?:Regular|Bold)\.otf)")


class MissingGlyphs(Refusal):
    """The text has characters our fonts cannot show; `characters` names them."""

    def __init__(self, characters: Sequence[str]) -> None:
        told = "、".join(f"{c}（U+{ord(c):04X}）" for c in characters)
        english = ", ".join(f"{c} (U+{ord(c):04X})" for c in characters)
        super().__init__(
            f"报告里有字体缺少的字：{told}。没有生成报告。请联系管理员补字后再导出。",
            f"Our fonts lack these characters of the report: {english}. No report was made; ask "
            "the administrator to add them to the fonts.",
        )
        self.characters = tuple(characters)


@dataclass(frozen=True, slots=True)
class File:
    """A file to embed, with what it says of itself."""

    name: str
    description: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Printed:
    """A PDF and how many pages it has."""

    data: bytes
    pages: int


def page(template: str, **values: Any) -> str:
    """Fill in one of our templates; text is escaped, an unknown name is an error."""
    return _templates().get_template(template).render(**values)


def check_glyphs(html: str) -> None:
    """Raise MissingGlyphs if the text of this HTML has characters our fonts lack."""
    text = unescape(re.sub(r"<[^>]*>", "", html))
    missing = sorted(set(text) - _covered() - set("\n\r\t"))
    if missing:
        raise MissingGlyphs(missing)


def print_pdf(html: str, stylesheet: str, *, made_at: datetime, attach: Iterable[File]) -> Printed:
    """Print HTML as PDF/A-3u with embedded files; equal inputs give equal bytes.

    stylesheet: a file of web/static. made_at: the only date that gets into the file; also the
    HTML has to name it (meta dcterms.created). Raises MissingGlyphs.
    """
    check_glyphs(html)
    files_ = [
        Attachment(
            file_obj=io.BytesIO(file.data), name=file.name, description=file.description,
            created=made_at, modified=made_at, relationship="Data",
        )
        for file in attach
    ]  # fmt: skip
    # One at a time: fontconfig is not made for threads, and a report may take 100 MB.
    with _PRESS:
        css, fonts = _dress(stylesheet)
        document = HTML(string=html, url_fetcher=_OurFiles()).render(
            fonts, stylesheets=[css], pdf_variant=VARIANT
        )
        data = document.write_pdf(pdf_variant=VARIANT, attachments=files_)
    return Printed(bytes(data), len(document.pages))


class NotOurs(FatalURLFetchingError):  # type: ignore[misc]
    """A report asked for something that is not one of our fonts."""


class _OurFiles(URLFetcher):  # type: ignore[misc]
    def fetch(self, url: str, headers: Any = None) -> URLFetcherResponse:
        found = _SERVED.fullmatch(url)
        if found is None:
            raise NotOurs(f"reports fetch nothing but their own fonts, not {url[:80]}")
        return URLFetcherResponse(url, files("web").joinpath(found[1]).read_bytes())


_PRESS: Final = Lock()


@cache
def _dress(stylesheet: str) -> tuple[CSS, FontConfiguration]:
    """Fonts and styles, read once a process: loading the fonts takes longer than a report."""
    fonts = FontConfiguration()
    text = files("web").joinpath("static", stylesheet).read_text(encoding="utf-8")
    return CSS(string=text, font_config=fonts, url_fetcher=_OurFiles()), fonts


@cache
def _covered() -> frozenset[str]:
    data = files("web").joinpath("fonts", WIDEST).read_bytes()
    return frozenset(map(chr, TTFont(io.BytesIO(data), lazy=True).getBestCmap()))


@cache
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("web"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
