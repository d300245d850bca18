"""月报、季报、年报: a period of a unit with the one before, as page, PDF and Excel."""

from collections.abc import Sequence

from flask import Blueprint, render_template, request, url_for
from flask_login import login_required
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from engine.directory import Directory
from engine.metric_periods import Counted, periods
from engine.people import directory
from engine.period_reports import Wanted, may_report_period, read_period
from engine.periods import KINDS, begin_of, kind_of
from engine.rights import NotYoursToReport, places_measured
from engine.special_reports import PERIOD
from web.confirming import confirmed
from web.desk import unit_groups
from web.metrics_page import group_names, measurable
from web.period_text import PeriodText, period_files
from web.periods import WORDS, period_words
from web.quantities import ZONE
from web.special_reports import enter, jobs_about
from web.texts import language, later, say
from web.visit import at, by, fresh_key, see_other, surveys, writes

pages = Blueprint("period", __name__)


@pages.get("/period")
@login_required  # type: ignore[untyped-decorator]
def page() -> str:
    """A period of a unit: the last month and the whole, if nobody says otherwise."""
    with surveys() as conn:
        people = directory(conn)
        known = periods(conn)
        wanted = _wanted(people, known, dict(request.args.items()))
        may_report_period(people, wanted, by(), at())
        if not known:
            return render_template("period.html", told=None)
        content = read_period(conn, wanted, period_files(), by=by(), at=at())
        jobs = jobs_about(conn, PERIOD, _about(wanted))
        names = group_names(conn, people)
    return render_template(
        "period.html",
        told=PeriodText(content, names, language()).told(),
        wanted=wanted,
        periods=_choices(known, wanted),
        units=unit_groups(people, measurable(people, places_measured(people, by(), at()))),
        jobs=jobs,
        key=fresh_key(),
        conduct=url_for(
            "conduct.form",
            kind="unit",
            unit=wanted.unit,
            since=f"{begin_of(wanted.period, ZONE):%Y-%m-%d}",
        ),
    )


@pages.post("/period")
@login_required  # type: ignore[untyped-decorator]
@confirmed(later("导出月报、季报、年报"))
def ask() -> Response:
    """Have the report made."""
    with writes() as conn:
        wanted = _posted(conn)
        job = enter(conn, PERIOD, _about(wanted))
    return see_other("special_reports.page", job_id=job.id)


def _posted(conn: Connection) -> Wanted:
    wanted = _wanted(directory(conn), periods(conn), dict(request.form.items()))
    # Whether it may be had, and whether there is such a period, is told before a job waits for it.
    read_period(conn, wanted, period_files(), by=by(), at=at())
    return wanted


def _wanted(people: Directory, known: Sequence[Counted], told: dict[str, str]) -> Wanted:
    places = places_measured(people, by(), at())
    if not places:
        raise NotYoursToReport
    months = [one.key for one in known if kind_of(one.key) == "month"]
    period = told.get("period") or (months[-1] if months else "")
    return Wanted(period, told.get("unit") or places[0])


def _choices(
    known: Sequence[Counted], wanted: Wanted
) -> list[tuple[str, list[tuple[str, str, bool]]]]:
    """Months, quarters and years to choose from, the last of each first."""
    found: dict[str, list[str]] = {kind: [] for kind in KINDS}
    for one in reversed(known):
        found[kind_of(one.key)].append(one.key)
    return [
        (say(WORDS[kind]), [(key, period_words(key), key == wanted.period) for key in keys])
        for kind, keys in found.items()
    ]


def _about(wanted: Wanted) -> dict[str, str]:
    return {"period": wanted.period, "unit": wanted.unit}
