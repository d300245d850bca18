"""The report on a person or a unit leaves the house: read, print, seal, put on the record."""

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple

from sqlalchemy import Connection, Engine

from audit import log
from audit.reports.conduct import CONDUCT_VERSION, Conduct, conduct_digest
from audit.reports.facts import CaseRecord
from engine import report_jobs
from engine.conduct import read_conduct, record_conduct_export, wanted_of
from engine.directory import Directory
from engine.exports import XLSX, Content
from engine.people import directory
from engine.report_files import keep_report
from engine.report_jobs import Job
from web.conduct_book import Hashes, conduct_book
from web.conduct_pdf import render_conduct
from web.conduct_text import ConductText
from web.exporting import Means, anchored_over, made_by, organisation, sealed, sequenced
from web.pdf import Anchored, Issue
from web.records import names
from web.replica import read_much

CONDUCT: Final = "conduct"
Clock = Callable[[], datetime]


class _Read(NamedTuple):
    """What such a report rests on, as of one moment."""

    content: Conduct
    records: Mapping[str, CaseRecord]
    people: Directory
    anchored: Anchored | None
    hashes: Hashes


def make_conduct(
    engine: Engine,
    job: Job,
    folder: Path,
    means: Means,
    *,
    worker: str,
    clock: Clock,
    tell: Callable[[str], None],
) -> None:
    """Make the report a job asks for, and put it on offer.

    Raises LeaseLost, StorageFull, and what `engine.conduct` and printing refuse.
    """
    at, wanted = clock(), wanted_of(job.told)
    tell("reading")
    keys = sequenced(engine, means, at)

    def read(conn: Connection) -> _Read:
        content, records = read_conduct(conn, wanted, by=job.by, at=at)
        heads = [bytes.fromhex(ref.head) for ref in content.cases]
        anchored = anchored_over(conn, heads, keys.policy)
        hashes = _hashes(conn, content) if job.format == XLSX else {}
        return _Read(content, records, directory(conn), anchored, hashes)

    content, records, people, anchored, hashes = read_much(engine, means.replica, read)
    issue = Issue(
        at, made_by(people, job.by, at, job.locale), job.purpose, sealed=keys.seal is not None,
        organisation=office(people),
    )  # fmt: skip
    tell("setting")
    told = ConductText(content, records, names(people), job.locale)
    if job.format == XLSX:
        printed = conduct_book(told, hashes, issue, anchored)
        sha256 = keep_report(folder, printed.data)
    else:
        printed = render_conduct(told, issue, anchored)
        tell("sealing")
        sha256 = keep_report(folder, sealed(printed.data, keys, at, means))
    with engine.begin() as conn:
        report_jobs.hold(conn, job, worker)
        record_conduct_export(
            conn, wanted, cases=len(content.cases), sha256=sha256, pages=printed.pages,
            content=_says(content, anchored), purpose=job.purpose, format_=job.format, by=job.by,
            at=clock(),
        )  # fmt: skip
        report_jobs.offer(conn, job, sha256, printed.pages, at=clock())


def _hashes(conn: Connection, content: Conduct) -> Hashes:
    """The hashes of the entries of these cases, by case."""
    read = log.read_each(conn, [ref.case for ref in content.cases])
    return {case: [entry.hash.hex() for entry in entries] for case, entries in read.items()}


def office(people: Directory) -> str:
    """The street whose log this is, with the units above it."""
    streets = [unit.id for unit in people.units.values() if unit.kind == "street"]
    return organisation(people, streets[0]) if streets else ""


def _says(content: Conduct, anchored: Anchored | None) -> Content:
    tree = anchored.checkpoint if anchored else None
    size, root = (tree.size, tree.root.hex()) if tree else (None, None)
    return Content(conduct_digest(content), CONDUCT_VERSION, size, root)
