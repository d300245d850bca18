"""A case on the desk of whoever looks: its state, its definition, who is who. Reading only."""

from collections.abc import Iterable
from itertools import groupby

from sqlalchemy import Connection

from engine.cases import kept_apart
from engine.casework import Desk, context_for, read_case
from engine.definition_sets import load
from engine.definitions import Definition, UserTask
from engine.directory import KINDS, Authority, Directory, valid
from engine.forms import Field
from engine.inbox import InboxRow, open_steps
from engine.people import directory
from engine.rights import check_may_see
from engine.state import OpenTask
from web.forms import Choosing, Groups
from web.texts import either, say
from web.visit import at, by


def desk_of(conn: Connection, case_id: str) -> Desk:
    """A case as this person may see it now; raises UnknownCase, NotYoursToSee."""
    case = read_case(conn, case_id)
    people = directory(conn)
    check_may_see(case, people, by(), at())
    context = context_for(conn, load(conn, case.definition), case.place[-1], at())
    return Desk(case, context, people, at())


def inbox_row(conn: Connection, case_id: str, task: str) -> InboxRow | None:
    """The open step as the inbox knows it."""
    return next((row for row in open_steps(conn, [case_id]) if row.task == task), None)


def choosing(desk: Desk, element: str) -> Choosing:
    """The persons and units a form of this element may name.

    A person who will hold a later step is chosen among those with its duty who are not barred from
    it; a unit that will do one, among the units with such posts.
    """

    def offered(field: Field) -> Groups:
        if field.widget == "unit":
            return unit_groups(desk.directory, _units(desk, element, field.name))
        return person_groups(desk.directory, _persons(desk, element, field.name))

    return offered


def fit_for(desk: Desk, task: OpenTask) -> list[Authority]:
    """Who else may do an open step now: holders of its duty, then substitutes, not barred."""
    drawn = desk.context.definition.tasks[task.element]
    units = desk.directory.offices(task.units)
    return [
        held
        for held in _once(desk.directory.holders(task.duty, units, desk.at))
        if held.person != task.holder
        and not kept_apart(desk, drawn, held.person, held.on_behalf_of)
    ]


def person_groups(people: Directory, held: Iterable[Authority]) -> Groups:
    """Persons to choose from, by unit: 林演示（验收岗）."""
    ordered = sorted(held, key=lambda one: (people.unit(one.unit).name, people.name(one.person)))
    return [
        (people.unit(unit).name, [(one.person, _person(people, one)) for one in group])
        for unit, group in groupby(ordered, key=lambda one: one.unit)
    ]


def unit_groups(people: Directory, units: Iterable[str]) -> Groups:
    """Units to choose from, by kind."""
    kinds = list(KINDS)
    found = [people.unit(unit) for unit in units]
    found.sort(key=lambda unit: (kinds.index(unit.kind), _path(people, unit.id), unit.id))
    return [
        (either(*KINDS[kind][:2]), [(unit.id, unit_name(people, unit.id)) for unit in group])
        for kind, group in groupby(found, key=lambda unit: unit.kind)
    ]


def unit_name(people: Directory, unit: str) -> str:
    """听涛社区·第一网格: a unit below a community with its community."""
    told = people.unit(unit)
    above = [people.unit(one) for one in people.ancestors(unit)]
    community = next((one for one in above if one.kind == "community"), None)
    return f"{community.name}·{told.name}" if community else told.name


def _person(people: Directory, held: Authority) -> str:
    name = people.name(held.person)
    if held.on_behalf_of:
        absent = people.name(held.on_behalf_of)
        return say("{name}（代{absent}）", name=name, absent=absent)
    return say("{name}（{title}）", name=name, title=held.title)


def _path(people: Directory, unit: str) -> tuple[str, ...]:
    return tuple(people.unit(one).name for one in reversed((unit, *people.ancestors(unit))))


def _persons(desk: Desk, element: str, field: str) -> list[Authority]:
    steps = [
        step
        for step in desk.context.definition.tasks.values()
        if step.holder is not None and (element, field) in step.holder.paths
    ]
    if not steps:
        return _everybody(desk)
    fitting = [_fitting(desk, step) for step in steps]
    kept = set.intersection(*({held.person for held in group} for group in fitting))
    return [held for held in fitting[0] if held.person in kept]


def _fitting(desk: Desk, step: UserTask) -> list[Authority]:
    duty = desk.context.definition.lanes[step.lane].duty
    return [
        held
        for held in _once(desk.directory.holders(duty, desk.directory.units, desk.at))
        if held.on_behalf_of is None and not kept_apart(desk, step, held.person)
    ]


def _everybody(desk: Desk) -> list[Authority]:
    posts = (post for post in desk.directory.posts.values() if valid(post, desk.at))
    return _once(Authority(post.person, post.id, post.unit, post.title, "") for post in posts)


def _units(desk: Desk, element: str, field: str) -> list[str]:
    duties = lane_duties(desk.context.definition, element, field)
    people = desk.directory
    if not duties:
        kinds = ("community", "department", "company")
        return [u.id for u in people.units.values() if u.kind in kinds and valid(u, desk.at)]
    held = (post for post in people.posts.values() if valid(post, desk.at))
    return sorted({post.unit for post in held if post.duties & duties})


def lane_duties(definition: Definition, element: str, field: str) -> frozenset[str]:
    """The duties of the lanes whose unit this field of this element decides."""
    return frozenset(
        lane.duty
        for lane in definition.lanes.values()
        if lane.unit is not None and (element, field) in lane.unit.paths
    )


def _once(held: Iterable[Authority]) -> list[Authority]:
    """Each person once, by their first post."""
    found: dict[str, Authority] = {}
    for one in held:
        found.setdefault(one.person, one)
    return list(found.values())
