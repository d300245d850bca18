"""风险报告: how long a risk was known and in whose hands, of a hazard and what is like it there."""

from flask import Blueprint, g, render_template
from flask_login import login_required
from werkzeug.wrappers import Response

from audit.encoding import timestamp
from engine.people import directory
from engine.risk_reports import read_risk
from engine.special_reports import RISK
from web.confirming import confirmed
from web.records import names
from web.risk_text import RiskText
from web.special_reports import enter, jobs_about
from web.texts import language, later
from web.visit import at, by, fresh_key, see_other, surveys, writes

pages = Blueprint("risk", __name__)


@pages.get("/cases/<case_id>/risk")
@login_required  # type: ignore[untyped-decorator]
def page(case_id: str) -> str:
    """The risk as of now."""
    with surveys() as conn:
        traced = read_risk(conn, case_id, at(), by=by(), at=at())
        jobs = jobs_about(conn, RISK, {"case": case_id})
        called = names(directory(conn))
    # All their files are looked into, not that of this case alone (web.looks).
    g.looked_too = [case for case in traced.records if case != case_id]
    told = RiskText(traced.content, traced.records, called, language()).told()
    return render_template(
        "risk.html", told=told, case=traced.records[case_id], jobs=jobs, key=fresh_key()
    )


@pages.post("/cases/<case_id>/risk")
@login_required  # type: ignore[untyped-decorator]
@confirmed(later("导出风险报告"))
def ask(case_id: str) -> Response:
    """Have the report made, as of now."""
    about = {"case": case_id, "until": timestamp(at())}
    with writes() as conn:
        job = enter(conn, RISK, about, case=case_id)
    return see_other("special_reports.page", job_id=job.id)
