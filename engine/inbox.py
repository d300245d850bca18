"""Who has what to do now. A projection: it can be thrown away and rebuilt (engine.rebuild)."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    bindparam,
    case,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from audit.encoding import instant
from audit.log import metadata
from audit.statements import Statement
from engine.definition_sets import guarding_duties
from engine.definitions import Definition
from engine.directory import ABOVE_COMMUNITIES, Directory
from engine.exclusion import answering_units, is_excluded
from engine.register import GUARDED, RUNNING, register_table
from engine.rights import ALL_DECIDING, deciding_duty
from engine.state import CaseState, OpenTask, from_json

# Where more cases than these have not ended, their steps are found among all open ones.
MANY: Final = 12_000

open_task_table = Table(
    "open_task",
    metadata,
    Column("case", Text, ForeignKey("case_register.case"), primary_key=True),
    Column("task", Text, primary_key=True),
    Column("element", Text, nullable=False),
    Column("duty", Text, nullable=False),
    # The narrowest unit that answers for it, and all that do, narrowest first, as |a|b|.
    Column("unit", Text, nullable=False),
    Column("units", Text, nullable=False),
    Column("holder", Text),
    Column("opened_at", Text, nullable=False),
    Column("due", Text),
    Column("clock", Text),
    Column("deadline_class", Text),
    Column("allowed", Integer),
    Column("used", Integer),
    Column("started", Text),
    Column("paused_until", Text),
    Column("paused_for", Text),
    Column("paused_used", Integer),
    Column("request", Text),
    Column("standing", Integer, nullable=False),
    Index("open_task_by_holder", "holder", "due"),
    Index("open_task_by_duty", "duty", "unit", "due"),
)

_INSERT = Statement(insert(open_task_table))
_DELETE = Statement(
    delete(open_task_table).where(
        open_task_table.c.case == bindparam("c"), open_task_table.c.task == bindparam("k")
    )
)
_CHANGING = (
    "holder",
    "due",
    "clock",
    "deadline_class",
    "allowed",
    "used",
    "started",
    "paused_until",
    "paused_for",
    "paused_used",
    "request",
    "standing",
)
_UPDATE = Statement(
    update(open_task_table)
    .where(open_task_table.c.case == bindparam("c"), open_task_table.c.task == bindparam("k"))
    .values({name: bindparam(f"v_{name}") for name in _CHANGING})
)


@dataclass(frozen=True, slots=True)
class InboxRow:
    """One open step as its worker sees it; times are aware instants, minutes of its own clock.

    unit: where the case is. units: those that answer for the step, narrowest first. guarded: who
    may know of it is not told by its place alone: it is confidential, or somebody is kept out.
    """

    case: str
    task: str
    element: str
    number: str
    title: str
    address: str
    unit: str
    level: str | None
    process: str
    status: str
    duty: str
    holder: str | None
    opened_at: datetime
    due: datetime | None
    clock: str | None
    deadline_class: str | None
    allowed: int | None
    used: int | None
    started: datetime | None
    paused_until: datetime | None
    paused_for: str | None
    paused_used: int | None
    request: str | None
    standing: bool
    units: tuple[str, ...] = ()
    confidential: bool = False
    guarded: bool = False


def project(
    conn: Connection, before: CaseState | None, after: CaseState, definition: Definition
) -> None:
    """Bring the open steps of a case up to date: gone, new and changed ones."""
    old = before.tasks if before else {}
    gone = [{"c": after.case, "k": key} for key in old if key not in after.tasks]
    new = [row_of(after, task) for key, task in after.tasks.items() if key not in old]
    moved = [
        _moved(after, task) for key, task in after.tasks.items() if key in old and old[key] != task
    ]
    if gone:
        _DELETE.run_all(conn, gone)
    if new:
        _INSERT.run_all(conn, new)
    if moved:
        _UPDATE.run_all(conn, moved)


def held_by(conn: Connection, person: str, *, limit: int = 200) -> list[InboxRow]:
    """The steps this person holds, nearest to or furthest past its limit first."""
    return _rows(conn, open_task_table.c.holder == person, limit)


def steps_held(conn: Connection, persons: Collection[str], *, limit: int = 2000) -> list[InboxRow]:
    """The steps that any of these persons holds, most pressing first."""
    return _rows(conn, open_task_table.c.holder.in_(persons), limit)


def claimable_by(
    conn: Connection, directory: Directory, person: str, at: datetime, *, limit: int = 200
) -> list[InboxRow]:
    """The steps nobody holds that one of this person's posts answers for, most pressing first.

    Nobody is offered a step of a case they are kept out of.
    """
    task = open_task_table.c
    duties = duties_of(directory, person, at)
    choices = [_answered(directory, duty, units) for duty, units in duties.items()]
    if not choices:
        return []
    free = _rows(conn, task.holder.is_(None) & or_(*choices), limit)
    # Of a guarded case others may answer than its step names: asked of each below.
    if asked := sorted(duties.keys() & guarding_duties(conn)):
        guarded = task.holder.is_(None) & task.duty.in_(asked) & GUARDED
        free = _pressing([*free, *_rows(conn, guarded, limit)], limit)
    states = _states(conn, {row.case for row in free if row.guarded})
    return [
        row
        for row in free
        if not row.guarded or _may_answer(states[row.case], row, directory, person, at)
    ]


def _answered(directory: Directory, duty: str, units: Collection[str]) -> Any:
    """The steps of a duty that one of these units answers for.

    Which of a step's units come first is the narrowest: one of these, or below it up to its street.
    That is said as well, since there is an index by it.
    """
    task = open_task_table.c
    first = {near for unit in units for near in _near(directory, unit)}
    within = (task.units.contains(f"|{unit}|", autoescape=True) for unit in units)
    return (task.duty == duty) & task.unit.in_(sorted(first)) & or_(*within)


def _near(directory: Directory, unit: str) -> Collection[str]:
    above = directory.unit(unit).kind in ABOVE_COMMUNITIES
    return {unit} if above else directory.subtree(unit)


def _pressing(rows: Iterable[InboxRow], limit: int) -> list[InboxRow]:
    """Each step once, in the order of `_rows`."""
    found = {(row.case, row.task): row for row in rows}.values()
    return sorted(found, key=lambda row: (row.due is None, row.due or row.opened_at,
                                          row.case, row.task))[:limit]  # fmt: skip


def requests_for(
    conn: Connection, directory: Directory, person: str, at: datetime, *, limit: int = 200
) -> list[InboxRow]:
    """The steps for which more time or a stop is asked, and this person may decide; not their own.

    Whoever acts for the asker does not decide either: the command says so.
    """
    if not any(held.duty in ALL_DECIDING for held in directory.capacities(person, at)):
        return []
    asked = _rows(conn, open_task_table.c.request.is_not(None), limit)
    return [row for row in asked if row.holder != person and _decides(directory, row, person, at)]


def _decides(directory: Directory, row: InboxRow, person: str, at: datetime) -> bool:
    over = directory.offices_over(directory.path(row.unit))
    duty = deciding_duty(str(row.request), confidential=row.confidential)
    return directory.authority(person, duty, over, at) is not None


def steps_of(conn: Connection, units: Collection[str], *, limit: int = 500) -> list[InboxRow]:
    """The open steps one of these units answers for before any other, most pressing first."""
    return _rows(conn, open_task_table.c.unit.in_(units), limit)


def steps_in(
    conn: Connection, processes: Collection[str], units: Collection[str], *, limit: int = 2000
) -> list[InboxRow]:
    """The open steps of cases of these processes that are in one of these units."""
    file = register_table.c
    return _rows(conn, file.process.in_(processes) & file.unit.in_(units), limit)


# A condition by so many holders at most; of more all are read and looked through.
MOST_HOLDERS: Final = 500


def steps_of_duties(
    conn: Connection,
    duties: Collection[str],
    holders: Collection[str],
    units: Collection[str],
    *,
    limit: int = 2000,
) -> list[InboxRow]:
    """The open steps for these duties that one of these persons holds, most pressing first.

    units: where their cases are, by which they are found where the persons are many.
    """
    task = open_task_table.c
    few = len(holders) <= MOST_HOLDERS
    whose = task.holder.in_(sorted(holders)) if few else register_table.c.unit.in_(sorted(units))
    rows = _rows(conn, task.duty.in_(sorted(duties)) & whose, limit) if holders else []
    return [row for row in rows if row.holder in holders]


def steps_within(conn: Connection, units: Collection[str], *, limit: int = 2000) -> list[InboxRow]:
    """The open steps of cases that are in one of these units, most pressing first."""
    file = register_table.c
    # What has an open step has not ended: an index knows these cases, where they are not too many.
    there: ColumnElement[bool] = file.unit.in_(units) & (file.status == RUNNING)
    some = select(file.case).where(there).limit(MANY + 1).subquery()
    if conn.execute(select(func.count()).select_from(some)).scalar_one() > MANY:
        # As no index has it: then the open steps are gone through, and their cases looked up.
        there = func.coalesce(file.unit, "").in_(units)
    return _rows(conn, there, limit)


def steps_for(
    conn: Connection, duties: Mapping[str, Collection[str]], *, limit: int = 500
) -> list[InboxRow]:
    """The open steps that wait for these duties, each in one of its units; held ones too."""
    task = open_task_table.c
    choices = [
        (task.duty == duty) & or_(*(task.units.contains(f"|{unit}|", autoescape=True)
                                    for unit in sorted(units)))
        for duty, units in duties.items()
        if units
    ]  # fmt: skip
    return _rows(conn, or_(*choices), limit) if choices else []


def open_steps(conn: Connection, cases: Collection[str]) -> list[InboxRow]:
    """The open steps of these cases, most pressing first."""
    return _rows(conn, open_task_table.c.case.in_(cases), 10_000)


def overdue_steps(
    conn: Connection, at: str, units: Collection[str], person: str, *, limit: int = 500
) -> list[InboxRow]:
    """The steps whose limit has passed at a recorded instant, furthest past first.

    Of cases in these units, and those this person holds.
    """
    task = open_task_table.c
    late = (task.due < at) & task.paused_until.is_(None)
    theirs = register_table.c.unit.in_(units) | (task.holder == person)
    return _rows(conn, late & theirs, limit)


def duties_of(directory: Directory, person: str, at: datetime) -> dict[str, set[str]]:
    """The duties a person has at an instant, own and acted for, with the units of those posts."""
    duties: dict[str, set[str]] = {}
    for held in directory.capacities(person, at):
        unit = directory.unit(held.unit)
        units = duties.setdefault(held.duty, set())
        units.add(unit.id)
        if unit.kind == "department" and unit.parent:
            units.add(unit.parent)  # an office of the street acts for the street
    return duties


def _rows(conn: Connection, condition: Any, limit: int) -> list[InboxRow]:
    task = open_task_table.c
    query = (
        select(*_SHOWN)
        .join(register_table, register_table.c.case == task.case)
        .where(condition)
        .order_by(case((task.due.is_(None), 1), else_=0), task.due, task.case, task.task)
        .limit(limit)
    )
    return [_read(*row) for row in conn.execute(query).all()]


# As `_read` takes them: by place, since a board reads a thousand.
_SHOWN: Final = (
    *(open_task_table.c[name] for name in (
        "case", "task", "element", "duty", "holder", "opened_at", "due", "clock", "deadline_class",
        "allowed", "used", "started", "paused_until", "paused_for", "paused_used", "request",
        "standing", "units",
    )),
    *(register_table.c[name] for name in (
        "number", "title", "address", "unit", "level", "process", "status", "confidential",
    )),
    GUARDED,
)  # fmt: skip


def _read(
    case: str, task: str, element: str, duty: str, holder: str | None, opened_at: str,
    due: str | None, clock: str | None, deadline_class: str | None, allowed: int | None,
    used: int | None, started: str | None, paused_until: str | None, paused_for: str | None,
    paused_used: int | None, request: str | None, standing: int, units: str,
    number: str, title: str, address: str, place: str, level: str | None, process: str,
    status: str, confidential: int, guarded: int,
) -> InboxRow:  # fmt: skip
    return InboxRow(
        case, task, element, number, title, address, place, level, process, status, duty,
        holder, instant(opened_at), _at(due), clock, deadline_class, allowed,
        used, _at(started), _at(paused_until), paused_for, paused_used, request,
        bool(standing), tuple(units.strip("|").split("|")), bool(confidential), bool(guarded),
    )  # fmt: skip


def _states(conn: Connection, cases: Collection[str]) -> dict[str, CaseState]:
    file = register_table.c
    if not cases:
        return {}
    rows = conn.execute(select(file.case, file.state).where(file.case.in_(cases)))
    return {row.case: from_json(bytes(row.state)) for row in rows}


def _may_answer(
    state: CaseState, row: InboxRow, directory: Directory, person: str, at: datetime
) -> bool:
    """Whether a step of a guarded case is for this person, who is not kept out of it."""
    units = answering_units(state, directory, state.tasks[row.task], at)
    held = directory.authority(person, row.duty, units, at)
    return held is not None and not is_excluded(state, directory, person, at)


def _at(text: str | None) -> datetime | None:
    return None if text is None else instant(text)


def row_of(case: CaseState, task: OpenTask) -> dict[str, Any]:
    """What the inbox shows of an open step."""
    fixed = {
        "case": case.case,
        "task": task.key,
        "element": task.element,
        "duty": task.duty,
        "unit": task.units[0],
        "units": f"|{'|'.join(task.units)}|",
        "opened_at": task.opened,
    }
    return fixed | _changing(task)


def _moved(case: CaseState, task: OpenTask) -> dict[str, Any]:
    changing = {f"v_{name}": value for name, value in _changing(task).items()}
    return {"c": case.case, "k": task.key} | changing


def _changing(task: OpenTask) -> dict[str, Any]:
    clock, pause = task.clock, task.pause
    return {
        "holder": task.holder,
        "due": clock.due if clock else None,
        "clock": clock.kind if clock else None,
        "deadline_class": clock.deadline_class if clock else None,
        "allowed": clock.allowed if clock else None,
        "used": clock.used if clock else None,
        "started": clock.start if clock else None,
        "paused_until": pause.resume_by if pause else None,
        "paused_for": pause.counterparty if pause else None,
        "paused_used": pause.used if pause else None,
        "request": task.request.kind if task.request else None,
        "standing": int(task.standing),
    }
