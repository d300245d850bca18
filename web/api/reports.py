"""Accountability reports, asked for, watched and fetched; and receipts of one's own acts."""

from datetime import datetime
from typing import Literal

from flask import Response
from pydantic import Field
from sqlalchemy import Connection

from engine import report_jobs
from engine.report_jobs import Job
from web import report_jobs as pages
from web.api.operations import Command, acts, gives, shows, subject
from web.api.shapes import Acting, Asked, CasePath, Told, Word, Words
from web.api.telling import case_href
from web.desk import desk_of
from web.kept_receipts import keep, own_entry
from web.texts import later
from web.visit import by, reads

operations = subject("reports", later("报告和回执"))
SCOPE = "reports:export"
PATH = "/cases/<case_id>/reports"


class Wish(Asked):
    """purpose: what the report is for, which is put on the record. format: PDF or a workbook."""

    purpose: Words
    language: Literal["zh", "en"] = "zh"
    format: Literal["pdf", "xlsx"] = "pdf"


class JobPath(CasePath):
    """A report that was asked for."""

    job_id: Word


class ReportTold(Told):
    """A report. state: requested, rendering, done or refused; stage: reading, setting, sealing.

    format: pdf or xlsx, whose pages are its sheets. file: where it is fetched, once it is done and
    while it is kept. problem: why it was refused.
    """

    id: str
    case: str
    href: str
    purpose: str
    language: str
    format: str
    requested_at: datetime
    state: str
    stage: str
    ended_at: datetime | None
    sha256: str | None
    pages: int | None
    file: str | None
    refused_zh: str | None
    refused_en: str | None


class Reports(Told):
    """What this person asked for about a case, newest first, the last few."""

    items: list[ReportTold]


class ReceiptPath(CasePath):
    """An event of a case by its number."""

    seq: int = Field(ge=1, le=999_999_999)


class ReceiptTold(Told):
    """The receipt of an event. note: signed (C2SP signed note); null where nobody signs here.

    leaf: its index in the tree once it is there; covered: whether a checkpoint is over it.
    """

    case: str
    seq: int
    hash: str
    at: str
    note: str | None
    vkey: str
    leaf: int | None
    covered: bool


@acts(
    operations, "/cases/<case_id>/exports", later("申请责任报告"), SCOPE, answer=ReportTold,
    status=202,
)  # fmt: skip
def ask(path: CasePath, header: Acting, body: Wish) -> Command:
    """Ask for the accountability report; a worker makes it."""

    def request_it(conn: Connection, key: str) -> ReportTold:
        desk = desk_of(conn, path.case_id)
        job = report_jobs.request(
            conn, desk, purpose=body.purpose, locale=body.language, by=by(), key=key,
            format_=body.format,
        )  # fmt: skip
        return _told(job)

    return request_it


@shows(operations, PATH, later("我在这个案件里申请过的报告"), Reports, SCOPE)
def own(path: CasePath) -> Reports:
    """The last reports this person asked for."""
    with reads() as conn:
        desk_of(conn, path.case_id)
        jobs = report_jobs.own_jobs(conn, path.case_id, by().person)
    return Reports(items=[_told(job) for job in jobs])


@shows(operations, f"{PATH}/<job_id>", later("一份报告做到哪一步了"), ReportTold, SCOPE)
def status(path: JobPath) -> ReportTold:
    """How far a report has come."""
    with reads() as conn:
        _, job = pages.own_job(conn, path.case_id, path.job_id)
    return _told(job)


@gives(
    operations, f"{PATH}/<job_id>/file", later("报告的文件"), tuple(pages.MEDIA_OF.values()), SCOPE
)
def file(path: JobPath) -> Response:
    """The PDF or workbook whose hash is on the record."""
    return pages.file_of(path.case_id, path.job_id)


@shows(
    operations, "/cases/<case_id>/receipts/<int:seq>", later("自己一次办理的签名回执"),
    ReceiptTold, "cases:read",
)  # fmt: skip
def receipt(path: ReceiptPath) -> ReceiptTold:
    """The receipt of something this person did, or of a case they reported."""
    with reads() as conn:
        kept = keep(conn, *own_entry(conn, path.case_id, path.seq))
    return ReceiptTold(
        case=path.case_id,
        seq=path.seq,
        hash=kept.receipt.hash.hex(),
        at=kept.receipt.at,
        note=kept.text if kept.note else None,
        vkey=kept.vkey,
        leaf=kept.leaf,
        covered=kept.checkpoint is not None,
    )


def _told(job: Job) -> ReportTold:
    href = f"{case_href(job.case)}/reports/{job.id}"
    there = job.sha256 is not None and not pages.is_gone(job)
    return ReportTold(
        id=job.id,
        case=job.case,
        href=href,
        purpose=job.purpose,
        language=job.locale,
        format=job.format,
        requested_at=job.requested_at,
        state=job.state,
        stage=job.stage,
        ended_at=job.ended_at,
        sha256=job.sha256,
        pages=job.pages,
        file=f"{href}/file" if there else None,
        refused_zh=job.chinese,
        refused_en=job.english,
    )
