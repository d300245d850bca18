"""What the administrator's pages share: who may open them, and how days are typed there.

Whoever holds the duty `administer` keeps registers here. It opens no case: `engine.rights`.
"""

from datetime import UTC, date, datetime, time, timedelta

from flask import Blueprint, request
from flask_login import login_required

from engine.errors import BadInput
from engine.people import By, administrator
from web.moments import read_day
from web.quantities import ZONE
from web.visit import at, by, reads

pages = Blueprint("admin", __name__, url_prefix="/admin")


@pages.before_request
@login_required  # type: ignore[untyped-decorator]
def keep_out() -> None:
    """Only administrators, and who stands in for one; raises NotAdministrator."""
    with reads() as conn:
        administrator(conn, by(), at())


def clerk() -> By:
    """The administrator as the one who acts."""
    return by()


def typed(name: str) -> str:
    """A field of the form that was sent, without spaces around it."""
    return request.form.get(name, "").strip()


def typed_start(name: str = "start") -> datetime | None:
    """The midnight a typed day begins with; None for nothing typed, or today: from now on."""
    on = _typed_day(name)
    return None if on is None or on == _today() else _midnight(on)


def typed_end(name: str = "end") -> datetime | None:
    """The midnight a typed last day ends with; None for nothing typed."""
    on = _typed_day(name)
    return None if on is None else _midnight(on + timedelta(1))


def _typed_day(name: str) -> date | None:
    told = typed(name)
    if not told:
        return None
    on = read_day(told, _today())
    if on is None:
        raise BadInput("日期请写成 11月24日 这样。", "Write the day like 2026-11-24.")
    return on


def _today() -> date:
    return at().astimezone(ZONE).date()


def _midnight(on: date) -> datetime:
    return datetime.combine(on, time(), ZONE).astimezone(UTC)
