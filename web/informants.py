"""代录 on pages: for which colleagues one may type, and the question for whom one does."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from flask import request, url_for
from sqlalchemy import Connection

from engine.cases import on_word_of
from engine.casework import Desk, look_at
from engine.definition_sets import load, sets_in_force
from engine.definitions import OPENING_FORM, Definition
from engine.directory import Authority, Directory, each_once, valid
from engine.errors import Refusal
from engine.exclusion import answering_units
from engine.forms import FieldError
from engine.inbox import InboxRow, steps_of_duties
from engine.informants import colleagues, units_below
from engine.rights import may_see
from engine.state import OpenTask
from web.desk import person_groups
from web.forms import Groups
from web.texts import either
from web.visit import at, by

FIELD: Final = "informant"


@dataclass(frozen=True, slots=True)
class Asked:
    """For whom one may type; needed: what one may not do oneself. chosen: a person's id."""

    groups: Groups
    needed: bool
    chosen: str
    error: str


@dataclass(frozen=True, slots=True)
class Errand:
    """A step of a colleague that one may type."""

    address: str
    words: str
    whose: str


def asked(groups: Groups, errors: Iterable[FieldError], *, needed: bool) -> Asked | None:
    """The question for whom one types; None where one may type for nobody."""
    if not groups:
        return None
    wrong = next((one for one in errors if one.field == FIELD), None)
    only = [value for _, group in groups for value, _ in group]
    # Whoever may only type, and for one colleague alone, has said so by opening the page.
    usual = only[0] if needed and len(only) == 1 else ""
    chosen = request.form.get(FIELD, usual)
    return Asked(groups, needed, chosen, either(wrong.chinese, wrong.english) if wrong else "")


def asks_itself(definition: Definition) -> bool:
    """Whether the opening form asks for the colleague among its own questions."""
    return definition.forms[OPENING_FORM].field(FIELD) is not None


def for_opening(definition: Definition, people: Directory) -> Groups:
    """The colleagues for whom one may type what opens a case of this process."""
    if not definition.proxy or definition.confidential:
        return []
    held = colleagues(people, by(), at())
    duty = definition.opened_by
    return person_groups(people, each_once(one for one in held if duty in (None, one.duty)))


def for_step(desk: Desk, task: OpenTask) -> Groups:
    """The colleagues for whom one may type this step."""
    if not desk.context.definition.tasks[task.element].proxy:
        return []
    own = (one for one in _doers(desk, task) if one.on_behalf_of is None)
    return person_groups(
        desk.directory, each_once(one for one in own if _may_type(desk, task, one.person))
    )


def errands(conn: Connection, people: Directory) -> list[Errand]:
    """The open steps of colleagues that one may type for them."""
    below = units_below(people, by(), at())
    duties = _typed(conn) if below else set()
    posts = (post for duty in duties for post in people.posts_in(below, duty))
    near = {post.person for post in posts if valid(post, at())} - {by().person}
    held = steps_of_duties(conn, duties, near, below)
    desks = {desk.case.case: desk for desk in look_at(conn, {row.case for row in held}, at())}
    return [errand for row in held for errand in _errand(desks[row.case], row)]


def _typed(conn: Connection) -> set[str]:
    """The duties whose steps may be typed for a colleague, as some process has drawn them."""
    known = (load(conn, one.digest) for one in sets_in_force(conn))
    return {one.lanes[step.lane].duty for one in known for step in one.tasks.values() if step.proxy}


def _errand(desk: Desk, row: InboxRow) -> Iterable[Errand]:
    people = desk.directory
    drawn = desk.context.definition.tasks[row.element]
    if not drawn.proxy or row.holder is None or not may_see(desk.case, people, by(), at()):
        return
    if _may_type(desk, desk.case.tasks[row.task], row.holder):
        yield Errand(
            url_for("tasks.page", case_id=row.case, task=row.task),
            f"{either(drawn.verb, drawn.verb_en or drawn.name_en)} · {row.title}",
            people.name(row.holder),
        )


def _doers(desk: Desk, task: OpenTask) -> Sequence[Authority]:
    people = desk.directory
    if task.holder is None:
        return people.holders(task.duty, answering_units(desk.case, people, task, desk.at), desk.at)
    held = people.capacities(task.holder, desk.at)
    return [one for one in held if one.duty == task.duty][:1]


def _may_type(desk: Desk, task: OpenTask, person: str) -> bool:
    try:
        on_word_of(desk, task, by(), person)
    except Refusal:
        return False
    return True
