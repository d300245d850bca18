"""Who held which post on which day: what a question of responsibility begins with."""

from flask import Blueprint, render_template, request
from flask_login import login_required

from engine.directory import DUTIES, Directory, Tenure
from engine.errors import BadInput
from engine.people import By, directory
from engine.rights import NotYoursToAsk, watches
from web.desk import unit_groups
from web.moments import day as told_day
from web.moments import read_day
from web.quantities import ZONE
from web.texts import either
from web.visit import at, by, reads

pages = Blueprint("people", __name__)


@pages.get("/people")
@login_required  # type: ignore[untyped-decorator]
def who_held() -> str:
    """Who held the posts of a unit on a day, substitutes included."""
    with reads() as conn:
        people = directory(conn)
    if not watches(people, by(), at()):
        raise NotYoursToAsk
    today = at().astimezone(ZONE).date()
    typed = request.args.get("day", "").strip()
    on = read_day(typed, today) if typed else today
    if on is None:
        raise BadInput("日期请写成 11月24日 这样。", "Write the day like 2026-11-24.")
    units = units_asked(people, by())
    unit, duty = request.args.get("unit", ""), request.args.get("duty", "")
    tenures: tuple[Tenure, ...] | None = None
    if unit:
        if unit not in units:
            raise NotYoursToAsk
        tenures = people.who_held(unit, on, duty=duty or None)
    return render_template(
        "people.html",
        people=people,
        groups=unit_groups(people, units),
        duties_offered=[(key, either(*words)) for key, words in DUTIES.items()],
        unit=unit,
        duty=duty,
        day_typed=typed or told_day(on, at(), ZONE).split()[0],
        on=on,
        tenures=tenures,
    )


def units_asked(people: Directory, who: By) -> frozenset[str]:
    """The units a person may ask about: administrators all, supervisors those below their posts."""
    held = people.capacities(who.person, at())
    if any(one.duty == "administer" for one in held):
        return frozenset(people.units)
    watched = (people.subtree(one.unit) for one in held if one.duty == "supervise")
    return frozenset(unit for units in watched for unit in units)
