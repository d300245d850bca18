"""The report on a person or a unit as a PDF: what the log says of them, its data attached."""

from typing import Final

from audit.reports.conduct import ATTACHMENT, conduct_data
from web.conduct_text import MOST_LISTED, ConductText
from web.pdf import (
    Anchored,
    Issue,
    Room,
    code_of,
    groups,
    print_fitting,
    qr_code,
    seal,
)
from web.printing import File, Printed, page
from web.typesetting import typeset

TEMPLATE: Final = "report/conduct.html"
# Less and less of long lists is printed, until a report has at most MOST_PAGES; all is attached.
ROOMS: Final = (Room(True, MOST_LISTED), Room(True, 150), Room(True, 40))


def render_conduct(text: ConductText, issue: Issue, anchored: Anchored | None) -> Printed:
    """Print the report as PDF/A-3u, `conduct.json` embedded; equal inputs give equal bytes.

    Holds no connection, reads no clock. Raises MissingGlyphs.
    """
    described = text.say(
        "本报告的全部数据（规范化 JSON）", "The data of this report, canonical JSON"
    )
    attached = File(ATTACHMENT, described, conduct_data(text.content))

    def html_of(room: Room) -> str:
        return conduct_html(text, issue, anchored, room)

    return print_fitting(ROOMS, html_of, attached, issue)


def conduct_html(
    text: ConductText, issue: Issue, anchored: Anchored | None, room: Room = ROOMS[0]
) -> str:
    """The report as HTML, before it is printed."""
    digest = text.digest
    told = page(
        TEMPLATE,
        text=text,
        content=text.content,
        issue=issue,
        locale=text.locale,
        anchored=anchored,
        attachment=ATTACHMENT,
        digest=" ".join(digest[n : n + 8] for n in range(0, 24, 8)) + " …",
        whole_digest=digest,
        root=groups(anchored.checkpoint.root.hex()) if anchored else [],
        qr=qr_code(code_of(anchored.note) if anchored else f"{text.content.log}\n{digest}"),
        seal=seal(),
        made_on=issue.made_at.isoformat(),
        room=room,
        say=text.say,
    )
    return typeset(told, text.locale)
