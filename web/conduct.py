"""Reports on what a person or a unit did in a period: asked for, shown, saved as PDF."""

from datetime import datetime, timedelta
from typing import Any, Final

import orjson
from flask import Blueprint, Response, render_template, request, url_for
from flask_login import login_required
from sqlalchemy import Connection

from engine import report_jobs
from engine.conduct import KINDS, Wanted, check_wanted, read_conduct, record_lookup, wanted_of
from engine.directory import Authority, Directory
from engine.errors import BadInput, Refusal
from engine.exports import PDF
from engine.metric_periods import months
from engine.people import directory
from engine.report_files import ReportGone
from engine.report_jobs import Job, NoSuchJob, format_asked
from engine.rights import places_reported
from web.conduct_text import ConductText
from web.conducting import CONDUCT
from web.confirming import confirmed
from web.desk import person_groups, unit_groups
from web.forms import Groups
from web.moments import read_day
from web.periods import period_words
from web.quantities import ZONE
from web.records import names
from web.report_jobs import FORMAT, STAGES, given, is_gone
from web.texts import either, language, later, say
from web.visit import at, by, fresh_key, key, reads, see_other, settings, writes

pages = Blueprint("conduct", __name__)

# A month back, if nobody says otherwise.
USUAL: Final = timedelta(days=30)
LISTED: Final = 40


@pages.get("/conduct")
@login_required  # type: ignore[untyped-decorator]
def form() -> str:
    """Ask for a report on a person, a unit, or oneself."""
    return _form()


def _form(refused: Refusal | None = None) -> str:
    with reads() as conn:
        people = directory(conn)
        jobs = report_jobs.jobs_of(conn, by().person, CONDUCT)
    called = names(people)
    places = places_reported(people, by(), at())
    told = request.form or request.args
    return render_template(
        "conduct.html",
        persons=_persons(people, places),
        units=unit_groups(people, places),
        asked=told,
        since=told.get("since") or _words(at() - USUAL),
        until=told.get("until") or _words(at()),
        key=told.get("key") or fresh_key(),
        refused=either(refused.chinese, refused.english) if refused else "",
        jobs=[(job, ConductName(wanted_of(job.told), called)) for job in jobs],
    )


@pages.post("/conduct")
@login_required  # type: ignore[untyped-decorator]
@confirmed(later("出具履责报告"))
def ask() -> Any:
    """Put on the record that somebody is looked up, and have the report made."""
    try:
        wanted = _wanted()
        purpose = request.form.get("purpose", "")
        format_ = format_asked(request.form.get(FORMAT, PDF))
        about = {"kind": CONDUCT, "told": orjson.dumps(wanted.told | format_).decode()}
        with writes() as conn:
            check_wanted(directory(conn), wanted, by=by(), at=at())
            known = report_jobs.known(conn, key())
            if known is None:
                record_lookup(conn, wanted, purpose, by=by(), at=at())
            job = known or report_jobs.enter(
                conn, about, purpose=purpose, locale=language(), by=by(), at=at(), key=key()
            )
    except BadInput as refused:
        return _form(refused), 400
    return see_other("conduct.page", job_id=job.id)


@pages.get("/conduct/<job_id>")
@login_required  # type: ignore[untyped-decorator]
def page(job_id: str) -> str:
    """What the record says, and how far its PDF has come."""
    with reads() as conn:
        job = _own(conn, job_id)
        content, records = read_conduct(conn, wanted_of(job.told), by=by(), at=at())
        people = directory(conn)
        counted = [one.key for one in months(conn)] if content.subject.kind == "unit" else []
    text = ConductText(content, records, names(people), language())
    stages = [name for name, _ in STAGES]
    ended = job.state in ("done", "refused")
    reached = stages.index(job.stage) if job.stage else len(stages) if job.state == "done" else 0
    return render_template(
        "conduct_page.html",
        job=job,
        text=text,
        content=content,
        months=[
            (period_words(one), url_for("period.page", period=one, unit=content.subject.id))
            for one in counted
            if _is_in(one, content.since, content.until)
        ],
        listed=LISTED,
        ended=ended,
        step=say(STAGES[reached][1]) if not ended else "",
        gone=is_gone(job),
        days=settings().reports_days,
        why=either(job.chinese or "", job.english or ""),
    )


@pages.get("/conduct/<job_id>/file")
@login_required  # type: ignore[untyped-decorator]
@confirmed(later("下载履责报告"))
def file(job_id: str) -> Response:
    """The file whose hash is on the record, for whoever asked and may still have it made."""
    with reads() as conn:
        job = _own(conn, job_id)
    if job.sha256 is None:
        raise NoSuchJob
    if is_gone(job):
        raise ReportGone
    return given(job, f"conduct-{job.told[job.told['kind']]}")


def _is_in(month: str, since: datetime, until: datetime) -> bool:
    """Whether a period, `until` not included, has some of a month (`2026-03`)."""
    last = until.astimezone(ZONE) - timedelta(microseconds=1)
    return f"{since.astimezone(ZONE):%Y-%m}" <= month <= f"{last:%Y-%m}"


class ConductName:
    """What a report asked for before is called in a list."""

    def __init__(self, wanted: Wanted, called: Any) -> None:
        person = wanted.kind == "person"
        self.who = called.person(wanted.id, language()) if person else called.unit(wanted.id)
        self.since, self.until = _words(wanted.since), _words(wanted.until - timedelta(1))


def _own(conn: Connection, job_id: str) -> Job:
    """A report of whoever is signed in, who may still have it made; others hear nothing of it."""
    job = report_jobs.read_job(conn, job_id)
    if job.kind != CONDUCT or job.by.person != by().person:
        raise NoSuchJob
    check_wanted(directory(conn), wanted_of(job.told), by=by(), at=at())
    return job


# --- what was asked -------------------------------------------------------------------------------


def _wanted() -> Wanted:
    kind = request.form.get("kind", "")
    who = by().person if kind == "own" else request.form.get(kind, "")
    since, until = _day("since", 0), _day("until", 1)
    return Wanted("person" if kind == "own" else kind if kind in KINDS else "", who, since, until)


def _day(name: str, more: int) -> datetime:
    """The beginning of a typed day, or of the day after it, but no later than now."""
    on = read_day(request.form.get(name, ""), at().astimezone(ZONE).date())
    if on is None:
        raise BadInput("日期请写成 11月24日 或 2026-11-24 这样。", "Write days like 2026-11-24.")
    midnight = datetime(on.year, on.month, on.day, tzinfo=ZONE) + timedelta(more)
    return min(midnight, at()) if more else midnight


def _words(on: datetime) -> str:
    local = on.astimezone(ZONE)
    if language() == "zh":
        return f"{local.year}年{local.month}月{local.day}日"
    return f"{local:%Y-%m-%d}"


def _persons(people: Directory, places: frozenset[str]) -> Groups:
    """Everybody who holds or held a post in these units, once, by unit."""
    found: dict[str, Authority] = {}
    for post in people.posts_in(places):
        found.setdefault(post.person, Authority(post.person, post.id, post.unit, post.title, ""))
    return person_groups(people, found.values())
