"""公示表, for those who put it up: what the public pages tell, to be printed and kept."""

from flask import Blueprint, render_template
from flask_login import login_required
from werkzeug.wrappers import Response

from engine.people import directory
from engine.special_reports import PUBLICATION
from web.confirming import confirmed
from web.publication_text import SheetText, read_sheet
from web.special_making import may_publish
from web.special_reports import enter, jobs_about
from web.texts import language, later
from web.visit import at, by, fresh_key, reads, see_other, writes

pages = Blueprint("publication_sheet", __name__)


@pages.get("/publication-sheet")
@login_required  # type: ignore[untyped-decorator]
def page() -> str:
    """What is published now."""
    with reads() as conn:
        may_publish(directory(conn), by(), at())
        sheet = read_sheet(conn, at())
        jobs = jobs_about(conn, PUBLICATION, {})
    return render_template(
        "publication_sheet.html", told=SheetText(sheet, language()).told(), jobs=jobs,
        key=fresh_key(),
    )  # fmt: skip


@pages.post("/publication-sheet")
@login_required  # type: ignore[untyped-decorator]
@confirmed(later("导出公示表"))
def ask() -> Response:
    """Have the sheet made."""
    with writes() as conn:
        job = enter(conn, PUBLICATION, {})
    return see_other("special_reports.page", job_id=job.id)
