"""Things of the engine as the interface tells them."""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote, urlencode

import orjson
from flask import request
from sqlalchemy import Connection

from engine.calendar import Calendar
from engine.definition_sets import files_of
from engine.definitions import form_key
from engine.directory import Directory
from engine.errors import Refusal
from engine.forms import Form
from engine.inbox import InboxRow
from engine.search import FoundCase
from web.api.operations import ROOT
from web.api.problems import type_of
from web.api.shapes import AskedForm, Choice, ClockTold, FoundCaseTold, Named, Offered, Why
from web.clock import clock_view
from web.desk import unit_name
from web.forms import Advised, Advising, Choosing, Groups, not_advised
from web.visit import at

_NAMING: Final = frozenset({"person", "persons", "unit", "units"})


def case_href(case: str) -> str:
    """Where a case is read."""
    return f"{ROOT}/cases/{quote(case)}"


def step_href(case: str, task: str) -> str:
    """Where an open step is read."""
    return f"{case_href(case)}/tasks/{quote(task, safe='')}"


def next_href(after: str | None) -> str | None:
    """The address of the next page of what is read now; None where there is none."""
    if after is None:
        return None
    told = {**request.args.to_dict(), "after": after}
    return f"{quote(request.path)}?{urlencode(told)}"


def person(people: Directory, id_: str) -> Named:
    """A person by id and name; an erased name leaves the pseudonym."""
    return Named(id=id_, name=people.name(id_))


def unit(people: Directory, id_: str) -> Named:
    """A unit by id and name."""
    return Named(id=id_, name=unit_name(people, id_) if id_ in people.units else id_)


def choices(groups: Groups, advised: Sequence[Advised] = ()) -> list[Choice]:
    """Whom one may choose, with the heading they stand under, and whom the desk suggests."""
    rank = {one.value: number for number, one in enumerate(advised, 1)}
    why = {one.value: one.why for one in advised}
    return [
        Choice(
            id=value,
            name=words,
            group=heading,
            suggested=rank.get(value),
            why=why.get(value, ""),
        )
        for heading, group in groups
        for value, words in group
    ]


def clock(row: InboxRow, cal: Calendar) -> ClockTold | None:
    """The clock of an open step as it stands now."""
    view = clock_view(row, cal, at())
    if view is None:
        return None
    return ClockTold(
        state=view.state,
        kind=str(row.clock),
        deadline_class=view.deadline_class,
        due=view.due,
        allowed=view.allowed,
        used=view.used,
        left=view.left,
        late=view.late,
        paused_for=view.paused_for,
        paused_until=view.paused_until,
    )


def found_case(found: FoundCase, people: Directory) -> FoundCaseTold:
    """A case of the register."""
    return FoundCaseTold(
        case=found.case,
        href=case_href(found.case),
        process=found.process,
        number=found.number,
        title=found.title,
        category=found.category,
        level=found.level,
        unit=unit(people, found.unit),
        address=found.address,
        status=found.status,
        opened_at=found.opened_at,
        ended_at=found.ended_at,
    )


def why(refused: Refusal | None) -> Why | None:
    """A refusal that would be met, as the problem that it would be told as."""
    if refused is None:
        return None
    return Why(type=type_of(type(refused)), detail_zh=refused.chinese, detail_en=refused.english)


def asked_form(
    conn: Connection,
    digest: str,
    name: str,
    form: Form,
    *,
    choosing: Choosing,
    values: Mapping[str, Any] | None = None,
    purposes: list[str],
    advising: Advising = not_advised,
) -> AskedForm:
    """A form of a pinned definition with its schema as deployed; values: beside its defaults."""
    files = files_of(conn, digest)
    schema = next(data for file, data in files.items() if form_key(file) == name)
    return told_form(form, orjson.loads(schema), choosing, values, purposes, advising)


def told_form(
    form: Form,
    schema: dict[str, Any],
    choosing: Choosing,
    values: Mapping[str, Any] | None = None,
    purposes: list[str] | None = None,
    advising: Advising = not_advised,
) -> AskedForm:
    """A form with its schema, its defaults, and who may be named in it."""
    defaults = {one.name: one.default for one in form.fields if one.default is not None}
    naming = [one for one in form.fields if one.widget in _NAMING and not one.machine]
    return AskedForm(
        form_schema=schema,
        values=defaults | dict(values or {}),
        choices={one.name: choices(choosing(one), advising(one)) for one in naming},
        evidence=purposes or [],
    )


def offer(
    base: str,
    act: str,
    path: str = "",
    groups: Groups = (),
    advised: Sequence[Advised] = (),
) -> Offered:
    """An act at an address below `base`."""
    offered = choices(groups, advised)
    return Offered(act=act, href=f"{base}/{path or act}", choices=offered, form=None)
