"""月报: the month of the street or of a unit, with the one before, as page, PDF and Excel."""

from flask import Blueprint, render_template, request, url_for
from flask_login import login_required
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from engine.directory import Directory
from engine.metric_months import months
from engine.month_reports import Wanted, may_report_month, read_month
from engine.people import directory
from engine.rights import NotYoursToReport, places_measured
from engine.special_reports import MONTH
from web.confirming import confirmed
from web.desk import unit_groups
from web.metrics_page import group_names, measurable, month_words
from web.month_text import MonthText, month_files
from web.special_reports import enter, jobs_about
from web.texts import language, later
from web.visit import at, by, fresh_key, see_other, surveys, writes

pages = Blueprint("month", __name__)


@pages.get("/month")
@login_required  # type: ignore[untyped-decorator]
def page() -> str:
    """A month of a unit: the last one and the whole, if nobody says otherwise."""
    with surveys() as conn:
        people = directory(conn)
        known = [one.month for one in months(conn)]
        wanted = _wanted(people, known, dict(request.args.items()))
        may_report_month(people, wanted, by(), at())
        if not known:
            return render_template("month.html", told=None)
        content = read_month(conn, wanted, month_files(), by=by(), at=at())
        jobs = jobs_about(conn, MONTH, _about(wanted))
        names = group_names(conn, people)
    return render_template(
        "month.html",
        told=MonthText(content, names, language()).told(),
        wanted=wanted,
        months=[(one, month_words(one), one == wanted.month) for one in reversed(known)],
        units=unit_groups(people, measurable(people, places_measured(people, by(), at()))),
        jobs=jobs,
        key=fresh_key(),
        conduct=url_for("conduct.form", kind="unit", unit=wanted.unit, since=f"{wanted.month}-01"),
    )


@pages.post("/month")
@login_required  # type: ignore[untyped-decorator]
@confirmed(later("导出月报"))
def ask() -> Response:
    """Have the report made."""
    with writes() as conn:
        wanted = _posted(conn)
        job = enter(conn, MONTH, _about(wanted))
    return see_other("special_reports.page", job_id=job.id)


def _posted(conn: Connection) -> Wanted:
    known = [one.month for one in months(conn)]
    wanted = _wanted(directory(conn), known, dict(request.form.items()))
    # Whether it may be had, and whether there is such a month, is told before a job waits for it.
    read_month(conn, wanted, month_files(), by=by(), at=at())
    return wanted


def _wanted(people: Directory, known: list[str], told: dict[str, str]) -> Wanted:
    places = places_measured(people, by(), at())
    if not places:
        raise NotYoursToReport
    month = told.get("month") or (known[-1] if known else "")
    return Wanted(month, told.get("unit") or places[0])


def _about(wanted: Wanted) -> dict[str, str]:
    return {"month": wanted.month, "unit": wanted.unit}
