"""Reports that were asked for: how far they have come, and the file, for whoever asked alone."""

from datetime import timedelta
from typing import Final

from flask import Blueprint, Response, render_template, request
from flask_login import login_required
from sqlalchemy import Connection
from werkzeug.wrappers import Response as AnyResponse

from engine import report_jobs
from engine.casework import Desk
from engine.exports import PDF, XLSX, exporter
from engine.report_files import ReportGone, read_report
from engine.report_jobs import Job, NoSuchJob
from web.confirming import confirmed
from web.desk import desk_of
from web.texts import either, language, later, say
from web.visit import at, by, key, reads, see_other, settings, writes
from web.workbook import MEDIA

pages = Blueprint("reports", __name__)

STAGES: Final = (
    ("reading", later("读取记录")),
    ("setting", later("排版")),
    ("sealing", later("盖章")),
    ("done", later("记入本案记录")),
)
# What a form calls the format that is wanted, and how files of each are served.
FORMAT: Final = "format"
MEDIA_OF: Final = {PDF: "application/pdf", XLSX: MEDIA}
# A worker that is there takes a job up within a second.
PATIENCE: Final = timedelta(seconds=20)


@pages.post("/cases/<case_id>/exports")
@login_required  # type: ignore[untyped-decorator]
@confirmed(later("导出责任报告"))
def ask(case_id: str) -> AnyResponse:
    """Ask for the accountability report of a case; a worker makes it."""
    purpose = request.form.get("purpose", "")
    with writes() as conn:
        desk = desk_of(conn, case_id)
        job = report_jobs.request(
            conn, desk, purpose=purpose, locale=language(), by=by(), key=key(),
            format_=request.form.get(FORMAT, PDF),
        )  # fmt: skip
    return see_other("reports.page", case_id=case_id, job_id=job.id)


@pages.get("/cases/<case_id>/reports/<job_id>")
@login_required  # type: ignore[untyped-decorator]
def page(case_id: str, job_id: str) -> str:
    """How far a report has come; looks again by itself until it has ended."""
    with reads() as conn:
        desk, job = own_job(conn, case_id, job_id)
    names = [name for name, _ in STAGES]
    reached = names.index(job.stage) if job.stage else len(names) if job.state == "done" else 0
    return render_template(
        "report_job.html",
        case=desk.case,
        job=job,
        ended=job.state in ("done", "refused"),
        stages=[(say(words), n < reached, n == reached) for n, (_, words) in enumerate(STAGES)],
        alone=job.state == "requested" and at() - job.requested_at > PATIENCE,
        gone=is_gone(job),
        days=settings().reports_days,
        why=either(job.chinese or "", job.english or ""),
    )


@pages.get("/cases/<case_id>/reports/<job_id>/file")
@login_required  # type: ignore[untyped-decorator]
@confirmed(later("下载责任报告"))
def file(case_id: str, job_id: str) -> Response:
    """The PDF or the workbook, to be saved."""
    return file_of(case_id, job_id)


def file_of(case_id: str, job_id: str) -> Response:
    """The file whose hash is on the record, for whoever asked and may still export the case."""
    with reads() as conn:
        desk, job = own_job(conn, case_id, job_id)
        exporter(desk, by())
    if job.sha256 is None:
        raise NoSuchJob
    if is_gone(job):
        raise ReportGone
    return given(job, case_id)


def given(job: Job, name: str) -> Response:
    """The file of a report that is done, under this name. Raises ReportGone."""
    data = read_report(settings().reports, job.sha256 or "")
    response = Response(data, mimetype=MEDIA_OF[job.format])
    response.headers["Content-Disposition"] = f'attachment; filename="{name}.{job.format}"'
    return response


def is_gone(job: Job) -> bool:
    """Whether the file was kept long enough."""
    kept = timedelta(days=settings().reports_days)
    return job.ended_at is not None and at() >= job.ended_at + kept


def own_job(conn: Connection, case_id: str, job_id: str) -> tuple[Desk, Job]:
    """A job of whoever is signed in, about a case they may see. Others are told nothing of it."""
    desk, job = desk_of(conn, case_id), report_jobs.read_job(conn, job_id)
    if job.case != case_id or job.by.person != by().person:
        raise NoSuchJob
    return desk, job
