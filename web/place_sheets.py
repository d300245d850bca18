"""Codes on doors, kept: issued, renewed, and printed on sheets to be cut and put up."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import segno
from flask import Blueprint, Response, flash, render_template, request, url_for
from flask_login import login_required
from markupsafe import Markup
from sqlalchemy import Connection

from engine.directory import Directory
from engine.people import By, directory
from engine.place_codes import (
    NotYourPlace,
    PlaceCode,
    current,
    issue,
    keeper,
    kept_places,
    note_printed,
    renew,
)
from engine.reasons import NoReason
from web.frame import street
from web.quantities import ZONE
from web.texts import refusal, say
from web.visit import at, by, reads, see_other, settings, writes

if TYPE_CHECKING:
    from web.printing import Printed

pages = Blueprint("place_sheets", __name__)

STYLES: Final = "doors.css"


@dataclass(frozen=True, slots=True)
class Door:
    """A place and its code, if it has one that counts."""

    unit: str
    name: str
    code: PlaceCode | None


@dataclass(frozen=True, slots=True)
class Card:
    """What is printed of one code. above: the community, for a grid; code: as it is typed."""

    above: str
    name: str
    qr: Markup
    code: str
    address: str
    version: int
    until: str


@pages.get("/places")
@login_required  # type: ignore[untyped-decorator]
def doors() -> str:
    """The places whose codes this person keeps, by community."""
    with reads() as conn:
        found = _kept(conn, directory(conn), by())
    if not found:
        raise NotYourPlace
    return render_template("places.html", groups=found)


@pages.post("/places")
@login_required  # type: ignore[untyped-decorator]
def act() -> Any:
    """Issue codes for the chosen places that have none, or print those that have one."""
    units = list(dict.fromkeys(request.form.getlist("unit")))
    if not units:
        flash(say("还没有选。请先勾选社区或网格。"))
        return see_other("place_sheets.doors")
    if request.form.get("act") == "print":
        return _sheet(units)
    with writes() as conn:
        lacking = [unit for unit in units if unit not in current(conn, units, at=at())]
        for unit in lacking:
            issue(conn, unit, by=by(), at=at())
    flash(say("已发码 {count} 张", count=len(lacking)))
    return see_other("place_sheets.doors")


@pages.get("/places/<unit>")
@login_required  # type: ignore[untyped-decorator]
def door(unit: str) -> str:
    """One code as it hangs on the door, to be shown, printed by the browser, or renewed."""
    return _door(unit)


@pages.post("/places/<unit>/renewal")
@login_required  # type: ignore[untyped-decorator]
def replace_code(unit: str) -> Any:
    """Renew the code of a place, with a reason."""
    try:
        with writes() as conn:
            renew(conn, unit, request.form.get("reason", ""), by=by(), at=at())
    except NoReason as refused:
        return _door(unit, told=refusal(refused)), 422
    flash(say("已换新码，旧码即刻停用。请打印后把旧的换下来"))
    return see_other("place_sheets.door", unit=unit)


def _door(unit: str, told: str = "") -> str:
    with reads() as conn:
        people = directory(conn)
        people.unit(unit)
        if keeper(people, by(), unit, at()) is None:
            raise NotYourPlace
        code = current(conn, [unit], at=at()).get(unit)
    made = card(people, code) if code else None
    name = people.unit(unit).name
    return render_template(
        "place.html", unit=unit, name=name, card=made, street=street(people), told=told
    )


def _kept(conn: Connection, people: Directory, who: By) -> list[tuple[str, list[Door]]]:
    units = kept_places(people, who, at())
    codes = current(conn, units, at=at())
    groups: dict[str, list[Door]] = {}
    for unit in sorted(units, key=lambda one: tuple(reversed(people.path(one)))):
        path = people.path(unit)
        above = next((one for one in path if people.unit(one).kind == "community"), path[-1])
        name = people.unit(unit).name
        groups.setdefault(people.unit(above).name, []).append(Door(unit, name, codes.get(unit)))
    return list(groups.items())


# --- the sheet ------------------------------------------------------------------------------------


def _sheet(units: Sequence[str]) -> Response:
    """The codes of these places as a PDF; that they were printed is on the record first."""
    with writes() as conn:
        codes = note_printed(conn, units, by=by(), at=at())
        people = directory(conn)
    made = sheet(people, codes, at())
    response = Response(made.data, mimetype="application/pdf")
    response.headers["Content-Disposition"] = 'attachment; filename="places.pdf"'
    return response


def sheet(people: Directory, codes: Sequence[PlaceCode], made_at: datetime) -> "Printed":
    """These codes, six to a page; raises MissingGlyphs."""
    # What sets pages is large: it comes into this process with the first sheet, not before.
    from web.printing import page as printed
    from web.printing import print_pdf

    html = printed(
        "report/place_codes.html",
        street=street(people),
        cards=[card(people, code) for code in codes],
        emergency=settings().emergency,
        made_on=made_at.isoformat(timespec="seconds"),
    )
    return print_pdf(html, STYLES, made_at=made_at, attach=())


def card(people: Directory, code: PlaceCode) -> Card:
    """What stands on the door of one place."""
    address = address_of(code.code)
    names = [people.unit(unit).name for unit in reversed(people.path(code.unit)[:-1])]
    drawn = segno.make(address, error="q", micro=False).svg_inline(
        border=4, dark="#000", light="#fff", omitsize=True, svgclass="qr", lineclass=None
    )
    local = code.until.astimezone(ZONE)
    return Card(
        above=" ".join(names[:-1]),
        name=names[-1],
        # Numbers of ours: nothing anybody wrote is in the drawing.
        qr=Markup(drawn),  # noqa: S704
        code=f"{code.code[:4]}-{code.code[4:]}",
        address=address,
        version=code.version,
        until=f"{local.year}年{local.month}月{local.day}日",
    )


def address_of(code: str) -> str:
    """What is in the code: where it opens."""
    known = settings().public_url
    path = url_for("residents.form", code=code)
    return f"{known}{path}" if known else url_for("residents.form", code=code, _external=True)
