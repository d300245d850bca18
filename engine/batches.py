"""The reports of many cases as one job: each made and recorded by itself, then one ZIP of all.

A worker that dies leaves the parts it has made, each with its export on the record of its case;
the next one goes on after them. A case that may not be exported, or whose report cannot be made, is
told in the manifest and stops nothing.
"""

import io
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson
from sqlalchemy import Column, Connection, Integer, Table, Text, insert, select

from audit import log
from audit.encoding import timestamp
from audit.entries import Draft
from audit.log import metadata
from engine import report_jobs
from engine.casework import Desk, look
from engine.errors import BadInput, Refusal
from engine.exports import LOG, exporter, record_export
from engine.people import By, oneself
from engine.report_jobs import Job, Made
from engine.rights import check_may_see

BATCH: Final = "batch"
MOST_CASES: Final = 200
FORMAT: Final = "shaoji-batch/1"
MANIFEST: Final = "manifest.json"
SUMS: Final = "SHA256SUMS"

part_table = Table(
    "report_part",
    metadata,
    Column("job", Text, primary_key=True),
    Column("case", Text, primary_key=True),
    Column("number", Text, nullable=False),
    Column("sha256", Text),
    Column("digest", Text),
    Column("head", Text),
    Column("pages", Integer),
    Column("chinese", Text),
    Column("english", Text),
)


class NothingChosen(BadInput):
    """No case was chosen, or too many at once."""

    def __init__(self) -> None:
        super().__init__(
            f"请选择要导出的案件，一次最多 {MOST_CASES} 件。",
            f"Choose the cases to export, at most {MOST_CASES} at once.",
        )


@dataclass(frozen=True, slots=True)
class Part:
    """One case of a batch: its file (sha256, digest of its content, head, pages), or why not."""

    case: str
    number: str
    sha256: str | None = None
    digest: str | None = None
    head: str | None = None
    pages: int | None = None
    chinese: str | None = None
    english: str | None = None

    @property
    def file(self) -> str:
        """Its name in the ZIP."""
        return f"{self.case}.pdf"


def request_batch(
    conn: Connection,
    cases: Sequence[str],
    *,
    purpose: str,
    locale: str,
    by: By,
    at: datetime,
    key: str,
) -> Job:
    """Ask for the reports of these cases; those that may not be exported are told in the end.

    Raises NothingChosen, NoReason.
    """
    chosen = list(dict.fromkeys(cases))
    if not 0 < len(chosen) <= MOST_CASES:
        raise NothingChosen
    about = {
        "kind": BATCH,
        "told": orjson.dumps({"cases": chosen}).decode(),
        "total": len(chosen),
    }
    return report_jobs.enter(conn, about, purpose=purpose, locale=locale, by=by, at=at, key=key)


def may_export(conn: Connection, case: str, *, by: By, at: datetime) -> str:
    """The number of a case this person may export.

    Raises UnknownCase, NotYoursToSee, MayNotExport.
    """
    desk = look(conn, case, at)
    check_may_export(desk, by=by)
    return desk.case.number


def check_may_export(desk: Desk, *, by: By) -> None:
    """Raise NotYoursToSee, MayNotExport unless this person may export the case."""
    check_may_see(desk.case, desk.directory, by, desk.at)
    exporter(desk, by)


def parts_of(conn: Connection, job: Job) -> list[Part]:
    """What has been made of a batch so far, in the order asked."""
    rows = conn.execute(select(part_table).where(part_table.c.job == job.id))
    made = {row.case: _part(row) for row in rows}
    return [made[case] for case in job.told["cases"] if case in made]


def next_case(conn: Connection, job: Job) -> str | None:
    """The first case of a batch that nothing has been made of yet; None if all are through."""
    made = {part.case for part in parts_of(conn, job)}
    return next((case for case in job.told["cases"] if case not in made), None)


def keep_part(
    conn: Connection, job: Job, case: str, worker: str, made: Made, *, at: datetime
) -> None:
    """Put one export on the record of its case, and its file among the parts, in one transaction.

    Raises LeaseLost, and what `record_export` refuses.
    """
    report_jobs.hold(conn, job, worker)
    number = may_export(conn, case, by=job.by, at=at)
    record_export(
        conn, case, kind="case_report", sha256=made.sha256, head=made.head, purpose=job.purpose,
        pages=made.pages, content=made.content, by=job.by, at=at, key=f"report:{job.id}:{case}",
    )  # fmt: skip
    digest = made.content.digest if made.content else None
    _keep(conn, job, Part(case, number, made.sha256, digest, made.head, made.pages), at)


def refuse_part(
    conn: Connection, job: Job, case: str, worker: str, refusal: Refusal, *, at: datetime
) -> None:
    """Note why there is no report of one case. Raises LeaseLost."""
    report_jobs.hold(conn, job, worker)
    _keep(conn, job, Part(case, "", chinese=refusal.chinese, english=refusal.english), at)


def _keep(conn: Connection, job: Job, part: Part, at: datetime) -> None:
    row = {name: getattr(part, name) for name in Part.__slots__}
    conn.execute(insert(part_table), {"job": job.id, **row})
    report_jobs.advance(conn, job, len(parts_of(conn, job)), at=at)


def finish_batch(conn: Connection, job: Job, worker: str, sha256: str, *, at: datetime) -> None:
    """Put the ZIP on the record and on offer, in one transaction. Raises LeaseLost."""
    report_jobs.hold(conn, job, worker)
    parts = parts_of(conn, job)
    made = [part for part in parts if part.sha256]
    told = {
        "cases": len(made),
        "refused": len(parts) - len(made),
        "sha256": sha256,
        "purpose": job.purpose,
    }
    draft = Draft("batch.exported", told, oneself(job.by, "export"), at)
    log.append(conn, log.take(conn, LOG), [draft])
    report_jobs.offer(conn, job, sha256, sum(part.pages or 0 for part in made), at=at)


def write_zip(
    job: Job, parts: Sequence[Part], origin: str, read: Callable[[str], bytes], *, at: datetime
) -> bytes:
    """The ZIP: a PDF a case, `manifest.json`, and `SHA256SUMS` for those who have only sha256sum.

    read: the bytes of a file by its hash. Equal inputs give equal bytes.
    """
    out = io.BytesIO()
    made = [part for part in parts if part.sha256]
    sums = "".join(f"{part.sha256}  {part.file}\n" for part in made)
    with zipfile.ZipFile(out, "w") as archive:
        _write(archive, MANIFEST, _manifest(job, parts, origin, at), job)
        _write(archive, SUMS, sums.encode(), job)
        for part in made:
            _write(archive, part.file, read(part.sha256 or ""), job)
    return out.getvalue()


def _write(archive: zipfile.ZipFile, name: str, data: bytes, job: Job) -> None:
    # PDFs are compressed already.
    archive.writestr(zipfile.ZipInfo(name, job.requested_at.timetuple()[:6]), data)


def _manifest(job: Job, parts: Sequence[Part], origin: str, at: datetime) -> bytes:
    told = {
        "format": FORMAT,
        "log": origin,
        "purpose": job.purpose,
        "requested_at": timestamp(job.requested_at),
        "made_at": timestamp(at),
        "reports": [_told(part) for part in parts if part.sha256],
        "refused": [
            {"case": part.case, "chinese": part.chinese, "english": part.english}
            for part in parts
            if not part.sha256
        ],
    }
    return orjson.dumps(told, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _told(part: Part) -> dict[str, Any]:
    return {
        "file": part.file,
        "sha256": part.sha256,
        "case": part.case,
        "number": part.number,
        "content_digest": part.digest,
        "head": part.head,
        "pages": part.pages,
    }


def _part(row: Any) -> Part:
    return Part(
        row.case, row.number, row.sha256, row.digest, row.head, row.pages, row.chinese, row.english
    )
