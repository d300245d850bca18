"""Reports of many cases at once: chosen from a list, made one after the other, saved as one ZIP."""

from typing import Any

from flask import Blueprint, Response, render_template, request
from flask_login import login_required
from sqlalchemy import Connection

from engine import batches, report_jobs
from engine.batches import BATCH, MOST_CASES, NothingChosen, Part
from engine.casework import Desk, look_at
from engine.errors import NotAllowed
from engine.people import directory
from engine.report_files import ReportGone, read_report
from engine.report_jobs import Job, NoSuchJob
from engine.rights import places_seen
from engine.search import case_named, search
from web.cases import asked_query
from web.confirming import confirmed
from web.report_jobs import PATIENCE, is_gone
from web.texts import either, language, later
from web.visit import at, by, fresh_key, key, reads, see_other, settings, writes

pages = Blueprint("batches", __name__)


@pages.get("/exports/new")
@login_required  # type: ignore[untyped-decorator]
def choose() -> str:
    """The cases a search finds, to be ticked; those that may not be exported are said so."""
    return _choose()


def _choose(refused: NothingChosen | None = None) -> str:
    with reads() as conn:
        people = directory(conn)
        places = places_seen(people, by(), at())
        query = asked_query()
        below = people.subtree(query.unit) if query.unit in people.units else frozenset()
        found = search(
            conn, query, person=by().person, places=places, below=below, at=at(),
            limit=MOST_CASES,
        )  # fmt: skip
        desks = {one.case.case: one for one in look_at(conn, [c.case for c in found.cases], at())}
        rows = [(case, _refusal(desks[case.case])) for case in found.cases]
        jobs = report_jobs.jobs_of(conn, by().person, BATCH)
    return render_template(
        "batch_choose.html",
        rows=rows,
        more=found.after is not None,
        most=MOST_CASES,
        jobs=jobs,
        ticked=request.form.getlist("case") if request.method == "POST" else None,
        typed=request.form.get("more", ""),
        purpose=request.form.get("purpose", ""),
        key=request.form.get("key") or fresh_key(),
        refused=either(refused.chinese, refused.english) if refused else "",
    )


def _refusal(desk: Desk) -> str:
    """Why this case may not be exported by whoever looks; "" if it may."""
    try:
        batches.check_may_export(desk, by=by())
    except NotAllowed as refused:
        return either(refused.chinese, refused.english)
    return ""


@pages.post("/exports")
@login_required  # type: ignore[untyped-decorator]
@confirmed(later("一次导出多件责任报告"))
def ask() -> Any:
    """Ask for the reports of the cases ticked, and of those typed in by their numbers."""
    try:
        with writes() as conn:
            typed = [case_named(conn, one) for one in request.form.get("more", "").split()]
            job = batches.request_batch(
                conn, [*request.form.getlist("case"), *typed],
                purpose=request.form.get("purpose", ""), locale=language(), by=by(), at=at(),
                key=key(),
            )  # fmt: skip
    except NothingChosen as refused:
        return _choose(refused), 400
    return see_other("batches.page", job_id=job.id)


@pages.get("/exports/<job_id>")
@login_required  # type: ignore[untyped-decorator]
def page(job_id: str) -> str:
    """How far a batch has come, and what is not in it; looks again by itself until it has ended."""
    with reads() as conn:
        job = _own(conn, job_id)
        parts = batches.parts_of(conn, job)
    return render_template(
        "batch.html",
        job=job,
        ended=job.state in ("done", "refused"),
        made=[part for part in parts if part.sha256],
        refused=[(part.case, _why(part)) for part in parts if not part.sha256],
        alone=job.state == "requested" and at() - job.requested_at > PATIENCE,
        gone=is_gone(job),
        days=settings().reports_days,
        why=either(job.chinese or "", job.english or ""),
    )


@pages.get("/exports/<job_id>/file")
@login_required  # type: ignore[untyped-decorator]
@confirmed(later("下载责任报告"))
def file(job_id: str) -> Response:
    """The ZIP whose hash is on the record, for whoever asked and may still export what is in it."""
    with reads() as conn:
        job = _own(conn, job_id)
        for part in batches.parts_of(conn, job):
            if part.sha256:
                batches.may_export(conn, part.case, by=by(), at=at())
    if job.sha256 is None:
        raise NoSuchJob
    if is_gone(job):
        raise ReportGone
    response = Response(read_report(settings().reports, job.sha256), mimetype="application/zip")
    response.headers["Content-Disposition"] = f'attachment; filename="reports-{job.id[:8]}.zip"'
    return response


def _own(conn: Connection, job_id: str) -> Job:
    job = report_jobs.read_job(conn, job_id)
    if job.kind != BATCH or job.by.person != by().person:
        raise NoSuchJob
    return job


def _why(part: Part) -> str:
    return either(part.chinese or "", part.english or "")
