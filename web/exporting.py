"""A report leaves the house: read, print, put on the record, hand out – in this order.

Nothing is held while the pages are set: that takes seconds, and the database has one writer. If the
server dies before the record is written, nobody has the file; after it, the export is on the record
even if the file never arrived.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine

from audit import log
from audit.reports.case import case_record
from engine.casework import UnknownCase, read_case
from engine.database import reading
from engine.definition_sets import load
from engine.directory import Directory
from engine.exports import element_facts, record_export
from engine.people import By, directory
from engine.rights import may_see
from web.pdf import Issue, render_case_report
from web.records import names
from web.related import with_cases


@dataclass(frozen=True, slots=True)
class Exported:
    """A report that is on the record: its bytes, their SHA-256 (hex), its pages."""

    content: bytes
    sha256: str
    pages: int


def export_case_report(
    engine: Engine, case_id: str, *, by: By | None, at: datetime, purpose: str, locale: str = "zh"
) -> Exported:
    """Make the accountability report of a case and record that it was made.

    by: None stands for whoever operates the server. Raises UnknownCase, RecordBroken,
    MissingGlyphs, MayNotExport, NoReason.
    """
    with reading(engine).begin() as conn:
        entries = log.read(conn, case_id)
        if not entries or case_id.startswith("@"):
            raise UnknownCase(case_id)
        definition = load(conn, entries[0].data["definition"]["sha256"])
        people = directory(conn)
        record = case_record(entries, element_facts(definition))
        called = with_cases(
            conn, names(people), record, people,
            sees=lambda case: by is None or may_see(read_case(conn, case), people, by, at),
        )  # fmt: skip
    issue = Issue(
        at,
        _made_by(people, by, at, locale),
        purpose,
        organisation=_organisation(people, entries[0].data["place"]["path"][-1]),
    )
    bodies = [entry.body for entry in entries]
    printed = render_case_report(record, issue, names=called, bodies=bodies, locale=locale)
    sha256 = hashlib.sha256(printed.data).hexdigest()
    with engine.begin() as conn:
        record_export(
            conn, case_id, kind="case_report", sha256=sha256, head=record.head, purpose=purpose,
            pages=printed.pages, by=by, at=at,
        )  # fmt: skip
    return Exported(printed.data, sha256, printed.pages)


def _made_by(people: Directory, by: By | None, at: datetime, locale: str) -> str:
    if by is None:
        return "服务器管理者" if locale == "zh" else "the operator of the server"
    held = people.capacities(by.person, at)
    where = f"（{people.unit(held[0].unit).name}·{held[0].title}）" if held else ""
    return f"{people.name(by.person)}{where}"


def _organisation(people: Directory, street: str) -> str:
    """The street with the units above it, outermost first: 澜江市南屿区听澜街道."""
    above = reversed((street, *people.ancestors(street)))
    return "".join(people.unit(unit).name for unit in above)
