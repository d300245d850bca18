"""A report as page, PDF and workbook all tell it: facts, sections of rows, how to check it.

Who makes one says everything in words once; the three only lay it out.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from web.quantities import ZONE, pick

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Link:
    """A page of ours, for whoever reads the report on a page: endpoint and its values."""

    endpoint: str
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell. tone: late, quiet or ""."""

    text: str | int
    link: Link | None = None
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and rows under heads. lead: before them; none: told where there are no rows.

    note: after them, small. widths: of the columns on paper, in mm; 0 = what is left, none = equal.
    """

    title: str
    heads: tuple[str, ...] = ()
    rows: tuple[tuple[Cell, ...], ...] = ()
    lead: str = ""
    none: str = ""
    note: str = ""
    widths: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class ToldReport:
    """A whole report in one language.

    appendix: sections of the workbook alone, for which paper has no room. cases: a line each, of
    what it rests on. formulas: versions and digests of what computed it.
    steps: what to do to check it. attachment: how the file of its data is called; data: everything
    in it as JSON, whose SHA-256 is the content digest. A page may leave appendix and data to files.
    """

    locale: str
    heading: str
    subject: str
    log: str
    facts: tuple[Pair, ...]
    parameters: tuple[Pair, ...]
    formulas: tuple[Pair, ...]
    summary: tuple[str, ...]
    sections: tuple[Section, ...]
    cases: tuple[str, ...]
    steps: tuple[str, ...]
    proves: tuple[str, ...]
    proves_not: tuple[str, ...]
    attachment: str
    data: bytes = b""
    appendix: tuple[Section, ...] = ()

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of its data."""
        return hashlib.sha256(self.data).hexdigest()

    def say(self, chinese: str, english: str) -> str:
        """The Chinese or the English."""
        return pick((chinese, english), self.locale)


def cells(*told: str | int | Cell) -> tuple[Cell, ...]:
    """A row of these."""
    return tuple(one if isinstance(one, Cell) else Cell(one) for one in told)


def stamp(at: datetime) -> str:
    """2026-03-01 08:30 in local time, for a column of instants."""
    return f"{at.astimezone(ZONE):%Y-%m-%d %H:%M}"


def entry(case: str, number: str, seq: int) -> Cell:
    """An entry of a case, leading to it."""
    return Cell(f"{number} #{seq}", Link("cases.page", {"case_id": case, "_anchor": f"e{seq}"}))
