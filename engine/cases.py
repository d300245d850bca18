"""Opening a case and doing its steps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Column, Connection, Integer, Table, Text, bindparam, select, text, update

from audit import log
from audit.entries import ENGINE, Draft
from audit.log import metadata
from audit.rehearsal import behind_lock
from audit.statements import Statement, sent_together
from engine import forms, informants, register, site_codes
from engine.calendar_versions import calendar
from engine.casework import Desk, Done, answered, begin, change, context_for
from engine.definition_sets import latest
from engine.definitions import BY_CASES, OPENING_FORM, Definition, UserTask
from engine.directory import DUTIES, Authority, Directory
from engine.errors import Conflict, NotAllowed
from engine.evidence import Evidence
from engine.exclusion import answering_units, check_not_excluded
from engine.fitness import check_named, check_named_at_opening, kept_apart
from engine.forms import FormRefused
from engine.people import By, actor, directory
from engine.process import KERNEL, StepNotOpen
from engine.rights import check_may_see
from engine.sealed_answers import clear_failed_opening, sealed
from engine.state import OpenTask
from engine.vault import Vault

# The numbers given out so far, one row per process and year.
number_table = Table(
    "case_number",
    metadata,
    Column("process", Text, primary_key=True),
    Column("year", Integer, primary_key=True),
    Column("last", Integer, nullable=False),
)

# The question of an opening form that says which colleague's word it is.
INFORMANT = "informant"
# What the `proof` of a step may ask for.
SITE_CODE, HANDED_OVER = "site_code", "handed_over"

_PURPOSES = {
    "before": ("处理前的照片", "photos from before"),
    "during": ("处理中的照片", "photos from during the work"),
    "after": ("处理后的照片", "photos from after"),
    "doc": ("文件", "documents"),
    "call": ("通话或来往记录", "records of the contact"),
    "site": ("现场照片", "photos of the site"),
}

_LAST = Statement(
    select(number_table.c.last)
    .where(number_table.c.process == bindparam("p"), number_table.c.year == bindparam("y"))
    .with_for_update()
)
_TAKE = Statement(
    update(number_table)
    .where(number_table.c.process == bindparam("p"), number_table.c.year == bindparam("y"))
    .values(last=bindparam("n"))
)
_FIRST = text(
    "INSERT INTO case_number (process, year, last) VALUES (:p, :y, 0) ON CONFLICT DO NOTHING"
)


class NotYourTask(NotAllowed):
    """Somebody else holds this step, or it belongs to another post."""


class NotHandedOver(Conflict):
    """The step says that something was handed over which was not."""


class Separated(NotAllowed):
    """Whoever did the other step may not do this one."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a hazard is: the id of a unit (grid or community), and the address in words."""

    unit: str
    address: str


@dataclass(frozen=True, slots=True)
class Report:
    """What somebody reports. source: staff, proxy (代录), resident, import or case.

    spoken_by: for a proxy entry, in whose words, as a kind of person; informant: which colleague,
    by their id, where it was one and the form has no `informant` of its own. claimed_at: when they
    say they found it. origin: the message of another case that this follows from, party: for whom.
    actor: who reports, where that is nobody on the register: a complainant, a resident, or whoever
    caused the message.
    resident: for a proxy entry, who the resident is in this case, so that their code counts.
    """

    process: str
    category: str
    title: str
    place: Place
    form: Mapping[str, Any]
    source: str = "staff"
    spoken_by: str | None = None
    informant: str | None = None
    claimed_at: datetime | None = None
    evidence: Sequence[Evidence] = ()
    imported: Mapping[str, Any] | None = None
    origin: Mapping[str, Any] | None = None
    party: str | None = None
    actor: Mapping[str, Any] | None = None
    resident: str | None = None


def open_case(
    conn: Connection,
    report: Report,
    *,
    by: By | None,
    at: datetime,
    vault: Vault | None = None,
    key: str | None = None,
) -> Done:
    """Open a case from a report; returns it with its first events.

    by: None for imports, which whoever operates the server may bring in, for complainants and
    residents, and for what another case opens. Raises FormRefused, UnknownUnit, NoVault, NotAllowed
    for a person without a post, or without the one it takes.
    """
    year, last = _lock_numbers(conn, report.process, at)
    # Behind the lock: of two equal reports sent at once one waits here for the other's answer.
    known = answered(conn, key)
    if known:
        return known
    definition = latest(conn, report.process)
    heads = log.register_heads(conn)
    people = directory(conn, heads)
    path = people.path(report.place.unit)
    values = _checked(definition, OPENING_FORM, report.form, report.evidence)
    books = partial(latest, conn), partial(register.ended_at, conn)
    check_named_at_opening(definition, people, values, at, *books)
    report = replace(report, informant=values.get(INFORMANT, report.informant))
    who = _reporter(people, by, report, definition, at)
    number = f"{year}-{last + 1:05d}"
    street = people.unit(path[-1])
    case_id = f"{definition.key}-{number}"
    if vault is not None and any(f.seal for form in definition.forms.values() for f in form.fields):
        clear_failed_opening(conn, vault, case_id)
    values = sealed(conn, definition.forms[OPENING_FORM], values, case_id, vault, at=at)
    data = _opening(report, definition, values, people) | {
        "number": f"{_short(street.name)}-{definition.number_label}-{number}",
        "similar": register.alike(
            conn,
            definition.key,
            report.category,
            path,
            report.place.address,
            at - timedelta(days=definition.alike_days),
        ),
    }
    draft = Draft(
        "case.opened", data, who, at, _items(report.evidence), claimed_at=report.claimed_at
    )
    context = context_for(conn, definition, path[-1], at, heads)
    with sent_together(conn):
        _TAKE.run_all(conn, [{"p": definition.key, "y": year, "n": last + 1}])
        return begin(conn, case_id, draft, context, people, key=key)


def _opening(
    report: Report, definition: Definition, values: dict[str, Any], people: Directory
) -> dict[str, Any]:
    """What `case.opened` takes over from the report."""
    data: dict[str, Any] = {
        "process": definition.key,
        "kernel": KERNEL,
        "title": report.title,
        "category": report.category,
        "place": _place(report.place, people),
        "form": values,
        "source": report.source,
        "definition": {"key": definition.key, "sha256": definition.digest},
    }
    if report.spoken_by:
        data["spoken_by"] = report.spoken_by
    if report.resident:
        data["resident"] = report.resident
    told = {"imported": report.imported, "origin": report.origin}
    data |= {name: dict(value) for name, value in told.items() if value}
    return data | ({"party": report.party} if report.party else {})


def _place(place: Place, people: Directory) -> dict[str, Any]:
    """The place with the units above it up to its street, and the district above that, if any."""
    path = people.path(place.unit)
    above = people.ancestors(path[-1])
    told = {"unit": place.unit, "path": list(path), "address": place.address}
    return told | ({"district": above[0]} if above else {})


def complete_task(
    conn: Connection,
    case_id: str,
    task: str,
    form: Mapping[str, Any],
    *,
    by: By,
    at: datetime,
    evidence: Sequence[Evidence] = (),
    note: str = "",
    code: str = "",
    vault: Vault | None = None,
    key: str | None = None,
    claimed_at: datetime | None = None,
    informant: str | None = None,
) -> Done:
    """Complete an open step with its form; a free step is claimed by doing it.

    code: what was shown on the spot, for a step that takes such a proof. claimed_at: when it was
    filled in by their account, where it arrived later; clocks run by `at` all the same. informant:
    the colleague who did it and says so, where `by` only types (代录). Raises StepNotOpen,
    NotYourTask, Separated, FormRefused, WrongCode, NoVault, the refusals of engine.informants and
    what the process refuses.
    """

    def decide(desk: Desk) -> list[Draft]:
        open_ = open_task(desk, task)
        drawn = desk.context.definition.tasks[open_.element]
        who = _doing(desk, open_, by, informant)
        values = _checked(desk.context.definition, drawn.form, form, evidence)
        check_named(desk, drawn, values, partial(latest, conn), partial(register.ended_at, conn))
        drafts = []
        if open_.holder is None:
            drafts.append(Draft("task.claimed", {"task": task}, who, at))
        proof = None
        if drawn.proof == SITE_CODE:
            proof = site_codes.proven(conn, case_id, code, at=at)
        elif drawn.proof == HANDED_OVER:
            check_handed_over(conn, case_id, values)
        # Last of all checks: the vault commits for itself.
        asked = desk.context.definition.forms[drawn.form]
        values = sealed(conn, asked, values, case_id, vault, at=at)
        data: dict[str, Any] = {"task": task, "form": values}
        data |= {"note": note} if note else {}
        data |= {"proof": proof} if proof else {}
        done = Draft("task.completed", data, who, at, _items(evidence), claimed_at=claimed_at)
        return [*drafts, done]

    return change(conn, case_id, decide, at=at, key=key)


def _doing(desk: Desk, task: OpenTask, by: By, informant: str | None) -> dict[str, Any]:
    """The actor who completes an open step; on a colleague's word, with that colleague in it."""
    if informant is None:
        return actor(may_do(desk, task, by), task.capacity, channel=by.channel)
    return on_word_of(desk, task, by, informant)


def on_word_of(desk: Desk, task: OpenTask, by: By, informant: str) -> dict[str, Any]:
    """The actor of an open step that a colleague did and `by` types for them.

    Raises NoColleague, NotOnWord, NotTheirs, OwnWord, NotYourColleague, and NotYoursToSee or
    Separated for whoever types.
    """
    drawn, people = desk.context.definition.tasks[task.element], desk.directory
    informants.check_drawn(desk.context.definition, drawn)
    informants.check_in_office(people, informant, desk.at)
    check_may_see(desk.case, people, by, desk.at)
    barred = kept_apart(desk, drawn, by.person)
    if barred:
        raise separated(desk, drawn, barred)
    try:
        said = may_do(desk, task, By(informant))
    except NotAllowed as refused:
        raise informants.NotTheirs(people.name(informant)) from refused
    return informants.on_word(people, by, said, task.capacity, desk.at)


def open_task(desk: Desk, task: str) -> OpenTask:
    """The open step with this key; raises StepNotOpen."""
    found = desk.case.tasks.get(task)
    if found is None:
        raise StepNotOpen(
            f"步骤 {task} 现在不在等待办理，可能刚被别人办完。请刷新后再看。",
            f"Step {task} is not waiting to be done; somebody may just have done it. Reload.",
        )
    return found


def may_do(desk: Desk, task: OpenTask, by: By) -> Authority:
    """The post by which this person may do an open step now.

    Whoever holds the step, or substitutes for its holder; if nobody holds it, whoever has its duty
    in one of its units. Raises NotYourTask, Separated.
    """
    authority = _authority(desk, task, by)
    check_not_excluded(desk.case, desk.directory, by.person, desk.at)
    drawn = desk.context.definition.tasks[task.element]
    check_same(desk, drawn, authority)
    barred = kept_apart(desk, drawn, authority.person, authority.on_behalf_of)
    if barred:
        raise separated(desk, drawn, barred)
    return authority


def _authority(desk: Desk, task: OpenTask, by: By) -> Authority:
    people = desk.directory
    units = answering_units(desk.case, people, task, desk.at)
    if task.holder is None:
        found = people.authority(by.person, task.duty, units, desk.at, by.on_behalf_of)
        if found is None:
            raise NotYourTask(
                f"这一步属于{_where(people, task)}的岗位，您现在没有这个岗位，也不在代理期内。",
                "This step belongs to a post you do not hold now, nor stand in for.",
            )
        return found
    absent = None if by.person == task.holder else task.holder
    found = people.authority(by.person, task.duty, units, desk.at, absent)
    if found is None:
        # Given by name to somebody whose post sits elsewhere (an acceptor lent by the district):
        # they may do it, and so may whoever stands in for them.
        found = people.authority(by.person, task.duty, None, desk.at, absent or by.on_behalf_of)
    if found is None or (absent and found.on_behalf_of != absent):
        name = people.name(task.holder)
        raise NotYourTask(
            f"这一步现在由{name}办理。如需代办，请先登记代理，或请{name}转交。",
            f"{name} holds this step. Register a substitution first, or ask them to hand it over.",
        )
    return found


def check_same(desk: Desk, step: UserTask, authority: Authority) -> None:
    """A step that only whoever did another may do is theirs alone: no substitute, no colleague."""
    if step.same_as is None:
        return
    last = desk.case.last.get(step.same_as)
    if last is None or authority.on_behalf_of or last.person != authority.person:
        name = desk.context.definition.tasks[step.same_as].name
        raise NotYourTask(
            f"这一步只能由办过“{name}”的本人办理，不能代办。",
            f"Only whoever did “{name}” may do this step, in person.",
        )


def check_handed_over(conn: Connection, case_id: str, values: Mapping[str, Any]) -> None:
    """A form that names the body something went to is taken only after it went there."""
    body = values.get("body")
    entries = log.read(conn, case_id) if body else []
    gone = [entry.data["body"] for entry in entries if entry.type == "accusation.handed_over"]
    if body and body not in gone:
        raise NotHandedOver(
            f"还没有把内容密封移交给{body}。请先移交，再办完这一步。",
            f"Nothing has been handed over to {body} yet. Do that first.",
        )


def _where(people: Directory, task: OpenTask) -> str:
    return "、".join(people.unit(unit).name for unit in task.units if unit in people.units)


def separated(desk: Desk, task: UserTask, barred: str) -> Separated:
    """The refusal for somebody who did a step that bars them from this one."""
    elements = desk.context.definition.elements
    name = "上报" if barred == "report" else elements[barred].name
    return Separated(
        f"不能由您{task.verb}：您（或您代理的人）办过本案的“{name}”。请由别人办理。",
        f"You cannot do this step: you, or the person you stand in for, did “{barred}” in this "
        "case. Somebody else has to do it.",
    )


def _checked(
    definition: Definition,
    form_name: str,
    values: Mapping[str, Any],
    evidence: Sequence[Evidence],
) -> dict[str, Any]:
    form = definition.forms[form_name]
    cleaned = forms.clean(form, values)
    errors = []
    for rule in forms.evidence_rules(form, cleaned):
        given = sum(1 for item in evidence if item.purpose == rule.purpose)
        if given < rule.minimum:
            errors.append(_missing_evidence(rule, given))
    if errors:
        raise FormRefused(errors)
    return cleaned


def _missing_evidence(rule: forms.EvidenceRule, given: int) -> forms.FieldError:
    chinese, english = _PURPOSES[rule.purpose]
    return forms.FieldError(
        f"evidence_{rule.purpose}",
        f"还缺{chinese}：至少 {rule.minimum} 份，现有 {given} 份。",
        f"{english} missing: at least {rule.minimum}, {given} given.",
    )


def _reporter(
    people: Directory, by: By | None, report: Report, definition: Definition, at: datetime
) -> dict[str, Any]:
    if report.informant is not None:
        informants.check_drawn(definition)
    if by is None and report.imported:
        return dict(ENGINE)
    nobody = definition.started_by_complainant or (
        definition.started_by_resident and report.source == "resident"
    )
    if report.actor and (report.origin or nobody):
        return dict(report.actor)
    if by is None:
        raise NotAllowed("上报须有上报人。", "A report needs somebody who reports.")
    if report.informant is not None:
        return _told_by(people, by, report.informant, definition, at)
    return actor(_opener(people, by, definition, at), "report", channel=by.channel)


def _told_by(
    people: Directory, by: By, informant: str, definition: Definition, at: datetime
) -> dict[str, Any]:
    """The actor of a report that a colleague makes and `by` types."""
    informants.check_in_office(people, informant, at)
    try:
        said = _opener(people, By(informant), definition, at)
    except NotAllowed as refused:
        raise informants.NotTheirs(people.name(informant)) from refused
    return informants.on_word(people, by, said, "report", at)


def _opener(people: Directory, by: By, definition: Definition, at: datetime) -> Authority:
    held = people.capacities(by.person, at)
    if not held:
        raise NotAllowed(
            "您现在没有任何岗位，不能上报。请联系管理员。",
            "You hold no post now and cannot report. Ask the administrator.",
        )
    if definition.opened_by:
        return _with_duty(people, by, definition.opened_by, at)
    own = next((authority for authority in held if authority.on_behalf_of is None), held[0])
    return replace(own, duty="report")


def _with_duty(people: Directory, by: By, duty: str, at: datetime) -> Authority:
    if duty == BY_CASES:
        raise NotAllowed(
            "这类案件只由别的案件带出，不能直接发起。",
            "Cases of this kind are opened by other cases, never by themselves.",
        )
    found = people.authority(by.person, duty, None, at, by.on_behalf_of)
    if found is None:
        chinese, english = DUTIES[duty]
        raise NotAllowed(
            f"只有“{chinese}”岗位可以发起，您现在没有这个岗位。",
            f"It takes a post with the duty “{english}” to begin this; you hold none now.",
        )
    return found


def _items(evidence: Sequence[Evidence]) -> tuple[dict[str, Any], ...]:
    return tuple(item.item() for item in evidence)


def _short(name: str) -> str:
    return name.removesuffix("街道")


def _lock_numbers(conn: Connection, process: str, at: datetime) -> tuple[int, int]:
    """The year and the last number given out in it, held until the transaction ends."""
    behind_lock(conn)
    known = calendar(conn, log.register_heads(conn).get("@calendar"))
    year = at.astimezone(ZoneInfo(known.zone)).year
    asked = {"p": process, "y": year}
    row = _LAST.first(conn, asked)
    if row is None:
        # The first of a year: of two at once one makes the row and the other waits for it.
        conn.execute(_FIRST, asked)
        row = _LAST.first(conn, asked)
    return year, row.last
