"""Reports on a risk, a period, or what is published, once asked for: how far they are, the file."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson
from flask import Blueprint, Response, render_template, request, url_for
from flask_login import login_required
from sqlalchemy import Connection

from engine import report_jobs
from engine.exports import PDF
from engine.report_files import ReportGone
from engine.report_jobs import Job, NoSuchJob, format_asked
from engine.special_reports import KINDS as NAMES
from engine.special_reports import PERIOD, PUBLICATION, RISK, SPECIAL
from web.confirming import confirmed
from web.report_jobs import FORMAT, PATIENCE, STAGES, given, is_gone
from web.special_making import KINDS
from web.texts import either, language, later, say
from web.visit import at, by, key, reads, settings

pages = Blueprint("special_reports", __name__)

HEADINGS: Final = {
    RISK: later("风险报告"),
    PERIOD: later("月报、季报、年报"),
    PUBLICATION: later("公示表"),
}


def enter(conn: Connection, report: str, about: Mapping[str, Any], *, case: str = "") -> Job:
    """Have a report of this kind made, of what the form in hand asks for.

    Raises NoReason, NoSuchFormat, and whatever keeps this person from having it.
    """
    format_ = format_asked(request.form.get(FORMAT, PDF))
    told = orjson.dumps({"report": report, **about, **format_}).decode()
    KINDS[report].may(conn, about, by(), at())
    return report_jobs.enter(
        conn, {"kind": SPECIAL, "told": told, "case": case}, by=by(), at=at(), key=key(),
        purpose=request.form.get("purpose", ""), locale=language(),
    )  # fmt: skip


def jobs_about(conn: Connection, report: str, about: Mapping[str, Any]) -> Sequence[Job]:
    """The last of these reports this person asked for, on the same thing."""
    jobs = report_jobs.jobs_of(conn, by().person, SPECIAL, limit=50)
    return [
        job
        for job in jobs
        if job.told["report"] == report
        and all(job.told.get(name) == value for name, value in about.items())
    ][:5]


@pages.get("/special-reports/<job_id>")
@login_required  # type: ignore[untyped-decorator]
def page(job_id: str) -> str:
    """How far a report has come; looks again by itself until it has ended."""
    with reads() as conn:
        job = _own(conn, job_id)
    stages = [name for name, _ in STAGES]
    reached = stages.index(job.stage) if job.stage else len(stages) if job.state == "done" else 0
    return render_template(
        "special_job.html",
        job=job,
        heading=say(HEADINGS[job.told["report"]]),
        back=_back(job),
        ended=job.state in ("done", "refused"),
        stages=[(say(words), n < reached, n == reached) for n, (_, words) in enumerate(STAGES)],
        alone=job.state == "requested" and at() - job.requested_at > PATIENCE,
        gone=is_gone(job),
        days=settings().reports_days,
        why=either(job.chinese or "", job.english or ""),
    )


@pages.get("/special-reports/<job_id>/file")
@login_required  # type: ignore[untyped-decorator]
@confirmed(later("下载专题报告"))
def file(job_id: str) -> Response:
    """The file whose hash is on the record, for whoever asked and may still have it made."""
    with reads() as conn:
        job = _own(conn, job_id)
    if job.sha256 is None:
        raise NoSuchJob
    if is_gone(job):
        raise ReportGone
    return given(job, f"{job.told['report']}-{job.requested_at:%Y%m%d}")


def _own(conn: Connection, job_id: str) -> Job:
    """A report of whoever is signed in, who may still have it made; others hear nothing of it."""
    job = report_jobs.read_job(conn, job_id)
    if job.kind != SPECIAL or job.by.person != by().person or job.told["report"] not in NAMES:
        raise NoSuchJob
    KINDS[job.told["report"]].may(conn, job.told, by(), at())
    return job


def _back(job: Job) -> str:
    if job.told["report"] == PERIOD:
        return url_for("period.page", period=job.told["period"], unit=job.told["unit"])
    if job.told["report"] == PUBLICATION:
        return url_for("publication_sheet.page")
    return url_for("risk.page", case_id=job.told["case"])
