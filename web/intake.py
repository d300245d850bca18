"""The intake desk: a complaint made in person or by telephone, written down and read back."""

from typing import Any, Final

from flask import Blueprint
from flask_login import login_required
from sqlalchemy import Connection

from engine.directory import Authority
from engine.errors import NotAllowed
from engine.people import directory
from web import complaints
from web.anonymous import hide
from web.visit import at, by, reads

pages = Blueprint("intake", __name__)
pages.after_request(hide)

DUTY: Final = "intake"


class NotAtTheDesk(NotAllowed):
    """Only the intake desk writes complaints down for others."""

    def __init__(self) -> None:
        super().__init__(
            "只有受理岗位可以代录投诉。本人投诉不用登录，请退出后从“我要投诉”进入。",
            "Only the intake desk writes complaints down for others. To complain yourself, sign "
            "out and use the public form.",
        )


@pages.get("/desk/complaints")
@login_required  # type: ignore[untyped-decorator]
def form() -> str:
    """The form as the desk fills it in."""
    with reads() as conn:
        taker_of(conn)
        return complaints.page(complaints.blank(conn, "desk"))


@pages.post("/desk/complaints")
@login_required  # type: ignore[untyped-decorator]
def take_down() -> Any:
    """Open the case of what somebody told the desk; the code is for them."""
    with reads() as conn:
        taker, asked = taker_of(conn), complaints.blank(conn, "desk")
    return complaints.lodge(asked, taker)


def taker_of(conn: Connection) -> Authority:
    """The post by which this person takes complaints down; raises NotAtTheDesk."""
    held = directory(conn).authority(by().person, DUTY, None, at(), by().on_behalf_of)
    if held is None:
        raise NotAtTheDesk
    return held
