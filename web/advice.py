"""Whom to assign, in words: the best three with every reason their place in the order has.

Nothing is chosen beforehand, and nothing is told on a confidential case.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

from sqlalchemy import Connection

from engine.assignment import (
    LOOKED_BACK,
    Away,
    DidAlike,
    Holds,
    InPlace,
    Known,
    Listed,
    Reason,
    StandsIn,
    Suggestion,
    WorkedHere,
    community_of,
    suggested_persons,
    suggested_units,
)
from engine.calendar_versions import calendar
from engine.casework import Desk
from engine.definitions import UserTask
from engine.directory import Authority
from engine.forms import Field
from engine.holding import fit_for
from engine.load import (
    Load,
    loads_of_persons,
    loads_of_units,
    past_of_persons,
    past_of_units,
    worked_in,
)
from engine.state import OpenTask
from web.desk import UNIT_WIDGETS, persons_named, steps_named, unit_name, units_named
from web.duty_list import matters_of
from web.forms import Advised, Advising
from web.frame import moment
from web.hands import away_words
from web.texts import either, say
from web.visit import reads

SHOWN: Final = 3
ADVISED: Final = frozenset({"person", "unit", "units"})


def advising(desk: Desk, element: str) -> Advising:
    """The suggestions for the persons and units a form of this element may name."""

    def advised(field: Field) -> Sequence[Advised]:
        if desk.case.confidential or field.widget not in ADVISED:
            return ()
        with reads() as conn:
            if field.widget in UNIT_WIDGETS:
                return _units(conn, desk, units_named(desk, element, field.name))
            steps = steps_named(desk, element, field.name)
            return _persons(conn, desk, persons_named(desk, element, field.name), steps)

    return advised


def advised_on_handing(
    conn: Connection, desk: Desk, task: OpenTask, candidates: Sequence[Authority], *, before: bool
) -> Sequence[Advised]:
    """The suggestions whom to hand an open step to.

    before: whether it is told how such work went before, which is for whoever oversees the case.
    """
    if desk.case.confidential:
        return ()
    steps = [desk.context.definition.tasks[task.element]] if before else []
    return _persons(conn, desk, candidates, steps)


def advised_on_steps(
    conn: Connection, desk: Desk, keys: Iterable[str]
) -> Mapping[str, Sequence[Advised]]:
    """By open step: whom it may be given to, for whoever oversees the case."""
    steps = ((key, desk.case.tasks[key]) for key in keys)
    return {
        key: advised_on_handing(conn, desk, task, fit_for(desk, task), before=True)
        for key, task in steps
    }


def _persons(
    conn: Connection, desk: Desk, candidates: Sequence[Authority], steps: Sequence[UserTask]
) -> Sequence[Advised]:
    persons = {held.person for held in candidates}
    if len(persons) < 2:
        return ()
    capacities, since = {step.capacity for step in steps}, desk.at - LOOKED_BACK
    units = {held.unit for held in candidates}
    known = Known(
        loads=loads_of_persons(conn, persons, calendar(conn), desk.at),
        past=past_of_persons(
            conn, persons, category=_category(desk), capacities=capacities, since=since
        ),
        here=worked_in(conn, units, community_of(desk), since),
        listed=_listed(desk, units),
    )
    by_id = {held.person: held for held in reversed(candidates)}
    best = suggested_persons(desk, candidates, known)[:SHOWN]
    return [Advised(one.id, _person(desk, by_id[one.id]), _why(desk, one)) for one in best]


def _units(conn: Connection, desk: Desk, candidates: Sequence[str]) -> Sequence[Advised]:
    if len(candidates) < 2:
        return ()
    since = desk.at - LOOKED_BACK
    known = Known(
        loads=loads_of_units(conn, candidates, calendar(conn), desk.at),
        past=past_of_units(conn, candidates, category=_category(desk), since=since),
        here=worked_in(conn, candidates, community_of(desk), since),
        listed=_listed(desk, candidates),
    )
    best = suggested_units(desk, candidates, known)[:SHOWN]
    return [Advised(one.id, unit_name(desk.directory, one.id), _why(desk, one)) for one in best]


def _category(desk: Desk) -> str:
    return str(desk.case.opened["category"])


def _listed(desk: Desk, units: Iterable[str]) -> Collection[str]:
    """The units the duty list names for the category of the case."""
    return {unit for unit in units if _matters(desk, unit)}


def _matters(desk: Desk, unit: str) -> list[str]:
    category, name = _category(desk), desk.directory.unit(unit).name
    fitting = (matter for matter in matters_of(name) if category in matter.categories)
    return [either(matter.chinese, matter.english) for matter in fitting]


def _person(desk: Desk, held: Authority) -> str:
    return say(
        "{unit}·{person}（{where}）",
        unit=unit_name(desk.directory, held.unit),
        person=desk.directory.name(held.person),
        where=held.title,
    )


# --- reasons --------------------------------------------------------------------------------------


def _why(desk: Desk, suggestion: Suggestion) -> str:
    """管听涛苑，手上 2 件、没有逾期，近 90 天同类 3 件都按时。"""
    told = say("，").join(_words(desk, reason) for reason in suggestion.reasons)
    return say("{sentence}。", sentence=told)


def _words(desk: Desk, reason: Reason) -> str:
    people = desk.directory
    match reason:
        case InPlace(unit):
            return say("管{unit}", unit=unit_name(people, unit))
        case Listed(unit):
            return say("职责清单：{matters}", matters=say("；").join(_matters(desk, unit)))
        case StandsIn(absent, until):
            return say("代{name}到 {until}", name=people.name(absent), until=moment(until))
        case Away(substitute, until):
            return away_words(people, substitute, until)
        case Holds(load):
            return load_words(load)
        case WorkedHere(cases):
            days = LOOKED_BACK.days
            return say("本单位近 {days} 天在本社区办过 {count} 件", days=days, count=cases)
        case DidAlike(cases, late):
            if late:
                return say("同类 {count} 件，{late} 件超时", count=cases, late=late)
            return say("同类 {count} 件都按时", count=cases)


def load_words(load: Load) -> str:
    """手上 5 件，1 件逾期，2 件快到时限."""
    if not load.open:
        return say("手上没有事")
    if not load.late and not load.near:
        return say("手上 {count} 件，没有逾期", count=load.open)
    told = [say("手上 {count} 件", count=load.open)]
    told += [say("{count} 件逾期", count=load.late)] if load.late else []
    told += [say("{count} 件快到时限", count=load.near)] if load.near else []
    return say("，").join(told)
