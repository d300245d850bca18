"""Reporting a hazard: a form anybody with a post can fill in, and the receipt they get for it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from flask import Blueprint, render_template, request
from flask_login import login_required
from sqlalchemy import Connection
from werkzeug.datastructures import MultiDict

from audit.encoding import instant
from engine.cases import Place, Report, open_case
from engine.definition_sets import latest
from engine.definitions import OPENING_FORM, Definition
from engine.directory import Directory, valid
from engine.errors import NotAllowed
from engine.evidence import Evidence
from engine.forms import FieldError, FormRefused
from engine.people import By, directory
from web.desk import desk_of, unit_name
from web.forms import Groups, questions, read_answers
from web.records import names, read_file
from web.texts import either, say
from web.uploads import asked_purposes, receive, uploads
from web.visit import at, by, fresh_key, key, reads, see_other, vault, writes

pages = Blueprint("reporting", __name__)

PROCESS: Final = "hazard"
PLACE: Final = "place_unit"
# What a form for a report need not ask itself, because every report has it.
LONGEST_TITLE: Final = 60
# Where hazards are: not in departments or companies.
GROUNDS: Final = ("community", "general_grid", "micro_grid", "exclusive_grid")


@dataclass(frozen=True, slots=True)
class Blank:
    """What the form is made of: the process, and the places somebody may name."""

    definition: Definition
    people: Directory
    places: Groups
    here: str


@pages.get("/reports")
@login_required  # type: ignore[untyped-decorator]
def form() -> str:
    """The form for a report."""
    with reads() as conn:
        return _page(_blank(conn))


@pages.post("/reports")
@login_required  # type: ignore[untyped-decorator]
def report() -> Any:
    """Open a case; faults are shown beside what was typed."""
    with reads() as conn:
        blank = _blank(conn)
    if not blank.places:
        # Before a file is kept: an account without a post must not fill the disk.
        raise NotAllowed(
            "您现在没有任何岗位，不能上报。请联系管理员。",
            "You hold no post now and cannot report. Ask the administrator.",
        )
    asked = blank.definition.forms[OPENING_FORM]
    values, errors = read_answers(asked, request.form, now=at())
    received, unfit = receive(_purposes(blank), at=at())
    place = request.form.get(PLACE, "")
    try:
        known = {value for _, group in blank.places for value, _ in group}
        errors += [] if place in known else [_no_place()]
        if errors or unfit:
            raise FormRefused([*errors, *unfit])
        told = _report(blank.definition, values, place, received)
        with writes() as conn:
            done = open_case(conn, told, by=by(), at=at(), vault=vault(), key=key())
    except FormRefused as refused:
        return _page(blank, refused.errors, received), 422
    return see_other("reporting.receipt", case_id=done.case)


@pages.get("/reports/<case_id>")
@login_required  # type: ignore[untyped-decorator]
def receipt(case_id: str) -> str:
    """The receipt of a report just made, to be told or shown to whoever reported it."""
    with reads() as conn:
        desk = desk_of(conn, case_id)
        record = read_file(conn, case_id).record
    return render_template("reported.html", record=record, called=names(desk.directory))


def _blank(conn: Connection) -> Blank:
    people = directory(conn)
    definition = latest(conn, request.args.get("process", PROCESS))
    places = place_groups(people, by(), at())
    own = [post.unit for post in people.posts_of(by().person, at())]
    known = {value for _, group in places for value, _ in group}
    here = next((unit for unit in own if unit in known), "")
    return Blank(definition, people, places, here)


def place_groups(people: Directory, who: By, now: datetime) -> Groups:
    """Communities and grids of the streets this person works in, by community, own ones first."""
    own = [held.unit for held in people.capacities(who.person, now)]
    streets = {path[-1] for path in map(people.path, own)}
    grounds = [
        unit for street in sorted(streets) for unit in people.subtree(street)
        if people.unit(unit).kind in GROUNDS and valid(people.unit(unit), now)
    ]  # fmt: skip
    mine = [unit for unit in own if unit in grounds]
    groups: dict[str, list[tuple[str, str]]] = {}
    for unit in sorted(grounds, key=lambda one: (_community(people, one), _depth(people, one))):
        heading = people.unit(_community(people, unit)).name
        groups.setdefault(heading, []).append((unit, unit_name(people, unit)))
    first = [(unit, unit_name(people, unit)) for unit in dict.fromkeys(mine)]
    return [*([(say("我的岗位所在"), first)] if first else []), *groups.items()]


def _community(people: Directory, unit: str) -> str:
    path = people.path(unit)
    return next((one for one in path if people.unit(one).kind == "community"), path[-1])


def _depth(people: Directory, unit: str) -> tuple[str, ...]:
    return tuple(reversed(people.path(unit)))


def _report(
    definition: Definition, values: dict[str, Any], place: str, received: Sequence[Evidence]
) -> Report:
    found = values.get("discovered_at")
    return Report(
        process=definition.key,
        category=values.get("category", "other"),
        title=values.get("title") or str(values.get("description", ""))[:LONGEST_TITLE],
        place=Place(place, values.get("address", "")),
        form=values,
        source="proxy" if values.get("proxy") else "staff",
        spoken_by=values.get("spoken_by"),
        claimed_at=instant(found) if found else None,
        evidence=received,
    )


def _purposes(blank: Blank) -> list[str]:
    """A photo of the hazard is always welcome and never asked for unless the form does."""
    asked = asked_purposes(blank.definition.forms[OPENING_FORM])
    return asked if "before" in asked else ["before", *asked]


def _no_place() -> FieldError:
    return FieldError(PLACE, "请选择在哪个社区或网格。", "Choose the community or grid.")


def _page(
    blank: Blank, errors: Sequence[FieldError] = (), received: Sequence[Evidence] = ()
) -> str:
    asked = blank.definition.forms[OPENING_FORM]
    posted: MultiDict[str, str] | None = request.form if request.method == "POST" else None
    place = posted.get(PLACE, "") if posted is not None else blank.here
    wrong = next((error for error in errors if error.field == PLACE), None)
    return render_template(
        "report.html",
        form=asked,
        title=either(blank.definition.title, blank.definition.title_en),
        questions=questions(asked, posted, errors, choosing=lambda _field: [], now=at()),
        uploads=[
            replace(one, label=say("现场照片")) if one.name == "evidence_before" else one
            for one in uploads(asked, _purposes(blank), received, errors)
        ],
        places=blank.places,
        place=place,
        place_error=either(wrong.chinese, wrong.english) if wrong else "",
        errors=errors,
        key=request.form.get("key") or fresh_key(),
    )
