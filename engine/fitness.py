"""Who is fit for a step: what keeps a person from it, and whether those named may do theirs."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from audit.encoding import timestamp
from engine import forms
from engine.casework import Desk
from engine.definitions import OPENING_FORM, Definition, UserTask
from engine.directory import Directory
from engine.exclusion import is_excluded
from engine.expressions import Path
from engine.forms import Field, FieldError, FormRefused
from engine.separation import barred_by
from engine.state import Doer

# The newest definition of a process; when a case ended: "" while it is open, None if there is none.
Latest = Callable[[str], Definition]
Ended = Callable[[str], str | None]
PARTY: Path = ("case", "party")


def kept_apart(
    desk: Desk, step: UserTask, person: str, on_behalf_of: str | None = None
) -> str | None:
    """The element that keeps this person from a step: they did it, or somebody of a unit of theirs.

    Asked of the real person and of whom they act for, with all their posts.
    """
    units = _units_of(desk, person) | (_units_of(desk, on_behalf_of) if on_behalf_of else set())
    return barred_by(desk.case, step, Doer(person, on_behalf_of, None), units)


def check_named(
    desk: Desk, task: UserTask, values: Mapping[str, Any], latest: Latest, ended: Ended
) -> None:
    """What a step's form names exists, and persons and units may do what they are named for.

    Raises FormRefused.
    """
    definition, people = desk.context.definition, desk.directory
    form = definition.forms[task.form]
    errors = [*_unknown(form, values, people, desk.at), *_no_cases(form, values, ended, desk.at)]
    for field, person in _named(form, values, "person"):
        errors += _unfit(desk, task, field, person, values)
    errors += _unfit_parties(definition, task.id, form, values, people, desk.at, latest)
    _raise_first_of_each(errors)


def check_named_at_opening(
    definition: Definition,
    people: Directory,
    values: Mapping[str, Any],
    at: datetime,
    latest: Latest,
    ended: Ended,
) -> None:
    """The same for the form a case is opened with; raises FormRefused."""
    form = definition.forms[OPENING_FORM]
    errors = [*_unknown(form, values, people, at), *_no_cases(form, values, ended, at)]
    for field, person in _named(form, values, "person"):
        for step in _steps_of(definition, ("case", field.name)):
            duty = definition.lanes[step.lane].duty
            if people.authority(person, duty, None, at) is None:
                errors.append(_no_post(field, people.name(person), step))
    errors += _unfit_parties(definition, "case", form, values, people, at, latest)
    _raise_first_of_each(errors)


def parties_of(
    definition: Definition, element: str, field: str, latest: Latest
) -> tuple[Definition, frozenset[str]] | None:
    """The process this field names parties for, and the duties a party needs there, or None.

    element: a task, or `case` for the opening form.
    """
    for send in definition.sends.values():
        if send.each and send.opens and (element, field) in send.each.paths:
            child = latest(send.opens)
            lanes = [
                lane for lane in child.lanes.values() if lane.unit and PARTY in lane.unit.paths
            ]
            held = [child.lanes[step.lane] for step in _steps_of(child, PARTY)]
            used = {step.lane for step in child.tasks.values()}
            duties = {lane.duty for lane in (*lanes, *held) if lane.id in used}
            # What a unit's leader is called in for is not what the unit is asked for.
            return child, frozenset(duties - {"approve"} or duties)
    return None


def _raise_first_of_each(errors: list[FieldError]) -> None:
    if errors:
        raise FormRefused(list({error.field: error for error in reversed(errors)}.values())[::-1])


def _steps_of(definition: Definition, path: Path) -> list[UserTask]:
    """The steps whose holder is read at this path."""
    return [step for step in definition.tasks.values() if step.holder and path in step.holder.paths]


def _named(
    form: forms.Form, values: Mapping[str, Any], *widgets: str
) -> Iterator[tuple[Field, str]]:
    for field in form.fields:
        value = values.get(field.name)
        if field.widget in widgets and value is not None:
            for one in value if isinstance(value, list) else [value]:
                yield field, str(one)


def _unknown(
    form: forms.Form, values: Mapping[str, Any], people: Directory, at: datetime
) -> Iterator[FieldError]:
    for field, unit in _named(form, values, "unit", "units"):
        if unit not in people.units:
            yield FieldError(field.name, "没有这个单位，请重新选。", "No such unit; choose again.")
    for field, person in _named(form, values, "person", "persons"):
        if not people.posts_of(person, at):
            name = people.name(person)
            yield FieldError(field.name, f"{name}现在没有岗位。", f"{name} holds no post now.")


def _no_cases(
    form: forms.Form, values: Mapping[str, Any], ended: Ended, at: datetime
) -> Iterator[FieldError]:
    """Cases named that are not there, or that ended too long ago for what they are named for."""
    for field, case in _named(form, values, "case"):
        when = None if case.startswith("@") else ended(case)
        if when is None:
            yield FieldError(
                field.name,
                f"没有编号为 {case} 的案件，请核对。",
                f"There is no case {case}; check the number.",
            )
        elif when and field.within and when < timestamp(at - timedelta(days=field.within)):
            yield FieldError(
                field.name,
                f"{case} 办结已超过 {field.within} 天，不能这样用，请另立。",
                f"{case} ended more than {field.within} days ago and cannot be named here.",
            )


def _unfit_parties(
    definition: Definition,
    element: str,
    form: forms.Form,
    values: Mapping[str, Any],
    people: Directory,
    at: datetime,
    latest: Latest,
) -> Iterator[FieldError]:
    """Units and persons that would get a case of their own and have nobody who could work on it."""
    for field, party in _named(form, values, "units", "persons"):
        found = parties_of(definition, element, field.name, latest)
        if found is None or _can_work(people, party, found[1], at):
            continue
        name = people.units[party].name if party in people.units else people.name(party)
        yield FieldError(
            field.name,
            f"{name}没有办理“{found[0].title}”的岗位，请另选。",
            f"{name} has no post for “{found[0].title_en}”; choose somebody else.",
        )


def _can_work(people: Directory, party: str, duties: frozenset[str], at: datetime) -> bool:
    if not duties:
        return True
    if party in people.units:
        units = people.offices((party,))
        return any(people.holders(duty, units, at) for duty in duties)
    return any(people.authority(party, duty, None, at) for duty in duties)


def _unfit(
    desk: Desk, task: UserTask, field: Field, person: str, values: Mapping[str, Any]
) -> Iterator[FieldError]:
    """Why the person a form names may not do the steps that will be theirs by it."""
    people, definition = desk.directory, desk.context.definition
    known = {**desk.case.variables, task.id: forms.routing(definition.forms[task.form], values)}
    for step in _steps_of(definition, (task.id, field.name)):
        lane = definition.lanes[step.lane]
        unit = lane.unit.evaluate(known) if lane.unit else None
        within = people.subtree(unit) if isinstance(unit, str) and unit in people.units else None
        name, english = people.name(person), step.name_en or step.name
        if people.authority(person, lane.duty, within, desk.at) is None:
            yield _no_post(field, name, step)
            continue
        out = is_excluded(desk.case, people, person, desk.at)
        if out or kept_apart(desk, step, person) or _will_be_apart(desk, step, person, known):
            yield FieldError(
                field.name,
                f"{name}办过本案须与“{step.name}”分开的步骤，或属于其承办单位，请另选。",
                f"{name} did a step that must be kept apart from “{english}”, or belongs to the "
                "unit that does it.",
            )


def _no_post(field: Field, name: str, step: UserTask) -> FieldError:
    return FieldError(
        field.name,
        f"{name}现在没有“{step.name}”的岗位，请另选。",
        f"{name} holds no post for “{step.name_en or step.name}”; choose somebody else.",
    )


def _will_be_apart(desk: Desk, step: UserTask, person: str, known: Mapping[str, Any]) -> bool:
    """Whether a unit of theirs is given, by these answers, what has to be kept from the step."""
    definition = desk.context.definition
    apart = step.separate_unit_from.evaluate(known) if step.separate_unit_from else ()
    tasks = [definition.tasks[element] for element in apart or () if element in definition.tasks]
    lanes = [definition.lanes[drawn.lane] for drawn in tasks]
    given = {lane.unit.evaluate(known) for lane in lanes if lane.unit}
    return bool(given & _units_of(desk, person))


def _units_of(desk: Desk, person: str) -> set[str]:
    return {post.unit for post in desk.directory.posts_of(person, desk.at)}
