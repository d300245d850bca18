"""The accountability report of one case as a PDF: the record in words, its entries attached."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from importlib.resources import files
from itertools import pairwise
from typing import Any, Final

import segno
from markupsafe import Markup

from audit.chain import Problem
from audit.checkpoint import Checkpoint
from audit.entries import Entry
from audit.evidence_file import EvidenceFile, check_entries, write_evidence
from audit.note import Note
from audit.reports.case import content_digest
from audit.reports.facts import CaseRecord
from engine.errors import Refusal
from web.printing import File, Printed, page, print_pdf
from web.report_text import ReportText
from web.typesetting import typeset
from web.wording import Names

ATTACHMENT: Final = "evidence.json"
TEMPLATE: Final = "report/case.html"
STYLES: Final = "report.css"
# What a telephone still reads from 36 mm of paper: 0.4 mm a module.
LARGEST_CODE: Final = 900
# Longer tables are told in lines: a cell costs a millisecond to set, a line of text a fifth of one.
MOST_ROWS: Final = 20


class RecordBroken(Refusal):
    """The entries do not verify: there is no report of a record that was tampered with."""

    def __init__(self, problem: str) -> None:
        super().__init__(
            f"本案记录核对不符（{problem}），没有生成报告。请立即告知管理员和督查。",
            f"The record of this case does not verify ({problem}); no report was made. Tell the "
            "administrator and the supervisors at once.",
        )


@dataclass(frozen=True, slots=True)
class Room:
    """What of a long record is printed; all of it is attached, whatever is printed.

    account: whether the account of what happened is. most: lines of any one list, None for all.
    """

    account: bool = True
    most: int | None = None

    def fit(self, lines: Iterable[Any]) -> tuple[list[Any], int]:
        """The lines that are printed, and how many are left out."""
        every = list(lines)
        shown = every[: self.most]
        return shown, len(every) - len(shown)


# Less and less, until a report has at most MOST_PAGES; the record alone decides how far to go.
ROOMS: Final = (Room(), Room(False), Room(False, 400), Room(False, 100), Room(False, 20))
MOST_PAGES: Final = 100
# Full-width characters and lines that fit on a page if it is packed: no page holds more.
FULLEST_PAGE: Final = (2400, 52)


@dataclass(frozen=True, slots=True)
class Issue:
    """Who has a report made, when, for what, and what the office wants printed on it.

    made_by: name and post in words. bases: the law as the office has configured it, never ours.
    sealed: the file will bear a digital seal.
    """

    made_at: datetime
    made_by: str
    purpose: str
    organisation: str = ""
    heading: str = ""
    bases: tuple[str, ...] = ()
    sealed: bool = False


@dataclass(frozen=True, slots=True)
class Anchored:
    """The signed checkpoint under which the entries of a case stand, as a report prints it.

    covered: so many entries, from the first, stand under it. signed_at: by the server's clock.
    cosigned: which witnesses have, and when; stamped: which authorities, and when.
    """

    note: Note
    checkpoint: Checkpoint
    covered: int
    signed_at: datetime
    cosigned: tuple[tuple[str, datetime], ...] = ()
    stamped: tuple[tuple[str, datetime], ...] = ()


def render_case_report(
    record: CaseRecord,
    issue: Issue,
    *,
    names: Names,
    evidence: EvidenceFile,
    anchored: Anchored | None = None,
    locale: str,
) -> Printed:
    """Print the report of a case as PDF/A-3u; equal inputs give equal bytes.

    evidence: holds the stored bytes of exactly the entries the record was folded from; they are
    checked, and it is embedded. Of a record too long for MOST_PAGES the account, and then the rest
    of long lists, is left to the attachment, and the report says so. Holds no connection, reads no
    clock. Raises RecordBroken, MissingGlyphs.
    """
    checked(record, evidence)
    told = {"zh": "本案全部记录的原始字节和证明", "en": "The entries of the case, with proofs"}
    attached = File(ATTACHMENT, told[locale], write_evidence(evidence))
    told_of = _values(record, issue, names, locale, anchored)

    return print_fitting(ROOMS, lambda room: _words(told_of, room), attached, issue)


def print_fitting(
    rooms: Sequence[Room], html_of: Callable[[Room], str], attached: File, issue: Issue
) -> Printed:
    """Print with the first of these rooms, each less, that needs at most MOST_PAGES; else the last.

    What is not printed is in the file that is attached.
    """

    def press(html: str) -> Printed:
        return print_pdf(html, STYLES, made_at=issue.made_at, attach=[attached])

    for room in rooms[:-1]:
        html = html_of(room)
        if least_pages(html) <= MOST_PAGES:
            printed = press(html)
            if printed.pages <= MOST_PAGES:
                return printed
    return press(html_of(rooms[-1]))


def least_pages(html: str) -> int:
    """Pages this takes even if every one of them is packed, so that none is set for nothing."""
    text = re.sub(r"<[^>]*>", "", html)
    characters, lines = FULLEST_PAGE
    wide = len(text) - sum(map(str.isascii, text)) // 2
    return max(wide // characters, html.count("<p") // lines)


def case_report_html(
    record: CaseRecord,
    issue: Issue,
    *,
    names: Names,
    locale: str,
    anchored: Anchored | None = None,
    room: Room = ROOMS[0],
) -> str:
    """The report as HTML, before it is printed."""
    return _words(_values(record, issue, names, locale, anchored), room)


def _words(told: dict[str, Any], room: Room) -> str:
    return typeset(page(TEMPLATE, **told, room=room), told["locale"])


def _values(
    record: CaseRecord, issue: Issue, names: Names, locale: str, anchored: Anchored | None
) -> dict[str, Any]:
    digest = content_digest(record)
    return {
        "record": record,
        "issue": issue,
        "text": ReportText(record, names, locale),
        "locale": locale,
        "attachment": ATTACHMENT,
        "digest": " ".join(digest[n : n + 8] for n in range(0, 24, 8)) + " …",
        "whole_digest": digest,
        "head": groups(record.head),
        "anchored": anchored,
        "root": groups(anchored.checkpoint.root.hex()) if anchored else [],
        "qr": qr_code(code_of(anchored.note) if anchored else record_code(record)),
        "seal": seal(),
        "made_on": issue.made_at.isoformat(),
        "most_rows": MOST_ROWS,
        "say": partial(_say, locale),
    }


def record_code(record: CaseRecord) -> str:
    """What a reader compares elsewhere: log, case, number of entries, last hash, one a line."""
    return "\n".join((record.log, record.case, str(record.count), record.head))


def code_of(note: Note) -> str:
    """The whole checkpoint; of one with too many cosignatures for a code, with the log's own."""
    if len(note.data) <= LARGEST_CODE:
        return note.data.decode()
    origin = note.text.partition("\n")[0]
    own = tuple(one for one in note.signatures if one.name == origin)
    return Note(note.text, own).data.decode()


def qr_code(told: str) -> Markup:
    """A drawing of the code that says this."""
    matrix = segno.make(told, error="m", micro=False, encoding="utf-8").matrix
    # One path: every element of a drawing is looked up and drawn on its own.
    cells = "".join(f"M{x} {y}h{w}v1h-{w}z" for y, row in enumerate(matrix) for x, w in _runs(row))
    return Markup(
        '<svg class="qr" viewBox="0 0 {n} {n}"><path fill="#172124" d="{cells}"/></svg>'
    ).format(n=len(matrix), cells=cells)


def seal() -> Markup:
    """The product's mark: square, with its name only, so that it cannot pass for a 公章."""
    drawn = files("web").joinpath("static", "seal.svg").read_text(encoding="utf-8")
    # Our own file, no text from anybody.
    return Markup(drawn.replace('width="40" height="40"', 'class="sm"'))  # noqa: S704


def _runs(row: Sequence[int]) -> list[tuple[int, int]]:
    """Where dark runs begin in a row, and how long they are."""
    edges = [n for n, (a, b) in enumerate(pairwise((0, *row, 0))) if bool(a) != bool(b)]
    return [(start, end - start) for start, end in zip(edges[::2], edges[1::2], strict=True)]


def groups(hash_: str) -> list[str]:
    """A hash in pieces that can be compared by eye."""
    return [hash_[n : n + 16] for n in range(0, len(hash_), 16)]


def checked(record: CaseRecord, evidence: EvidenceFile) -> list[Entry]:
    """The entries of a record, which they give. Raises RecordBroken."""
    entries: list[Entry] = []
    for found in check_entries(evidence):
        if isinstance(found, Problem):
            raise RecordBroken(f"#{found.seq}: {found.what}")
        entries.append(found)
    if not entries or entries[-1].hash.hex() != record.head:
        raise RecordBroken("the record rests on other entries")
    return entries


def _say(locale: str, chinese: str, english: str) -> str:
    return chinese if locale == "zh" else english
