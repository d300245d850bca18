"""Photos and documents of a case, shown to whoever may see the case, and never as they were sent.

A photo is served as a copy without place, time or device; the original stays in the store under its
hash, for those who check the record.
"""

from flask import Blueprint, Response
from flask_login import login_required

from engine.evidence import THUMBNAIL, VIEW, EvidenceMissing, served_copy
from engine.uploads import PDF
from web.desk import desk_of
from web.records import read_file
from web.visit import reads, settings

pages = Blueprint("evidence", __name__)


@pages.get("/cases/<case_id>/evidence/<sha256>")
@login_required  # type: ignore[untyped-decorator]
def view(case_id: str, sha256: str) -> Response:
    """A photo as large as a screen, or a document to save."""
    return served(case_id, sha256, VIEW)


@pages.get("/cases/<case_id>/evidence/<sha256>/thumbnail")
@login_required  # type: ignore[untyped-decorator]
def thumbnail(case_id: str, sha256: str) -> Response:
    """A photo as small as a stamp."""
    return served(case_id, sha256, THUMBNAIL)


def served(case_id: str, sha256: str, width: int) -> Response:
    """A copy of a file that the record of this case names; raises EvidenceMissing."""
    with reads() as conn:
        desk_of(conn, case_id)
        known = {item.sha256 for item in read_file(conn, case_id).record.evidence}
    # A file of another case is not shown through this one, whoever knows its hash.
    if sha256 not in known:
        raise EvidenceMissing("这一案没有这份证据。", "This case has no such evidence.")
    found = served_copy(settings().evidence_dir, sha256, width=width)
    response = Response(found.data, mimetype=found.media)
    if found.media == PDF:
        # Saved, not opened inside our own origin.
        response.headers["Content-Disposition"] = f'attachment; filename="{sha256[:12]}.pdf"'
    return response
