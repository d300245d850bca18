"""A report as a PDF: facts, sections, how to check it; its data attached."""

from typing import Final

from web.pdf import Anchored, Issue, Room, code_of, groups, print_fitting
from web.pdf import qr_code as drawn_code
from web.pdf import seal as mark
from web.printing import File, Printed, page
from web.told_report import ToldReport
from web.typesetting import typeset

TEMPLATE: Final = "report/told.html"
# Less and less of long lists is printed, until a report has at most MOST_PAGES; all is attached.
ROOMS: Final = (Room(True, 400), Room(True, 150), Room(True, 40))


def told_pdf(told: ToldReport, issue: Issue, anchored: Anchored | None) -> Printed:
    """Print the report as PDF/A-3u with its data embedded; equal inputs give equal bytes.

    Holds no connection, reads no clock. Raises MissingGlyphs.
    """
    described = told.say("本报告的全部数据（JSON）", "The data of this report, as JSON")
    attached = File(told.attachment, described, told.data)
    return print_fitting(
        ROOMS, lambda room: told_html(told, issue, anchored, room), attached, issue
    )


def told_html(
    told: ToldReport, issue: Issue, anchored: Anchored | None, room: Room = ROOMS[0]
) -> str:
    """The report as HTML, before it is printed."""
    digest = told.digest
    html = page(
        TEMPLATE,
        told=told,
        issue=issue,
        anchored=anchored,
        digest=" ".join(digest[n : n + 8] for n in range(0, 24, 8)) + " …",
        whole_digest=digest,
        root=groups(anchored.checkpoint.root.hex()) if anchored else [],
        qr=drawn_code(code_of(anchored.note) if anchored else f"{told.log}\n{digest}"),
        seal=mark(),
        made_on=issue.made_at.isoformat(),
        room=room,
        say=told.say,
    )
    return typeset(html, told.locale)
