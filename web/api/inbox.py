"""The lists of an inbox: the same steps and cases as on the page."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from audit.encoding import timestamp
from engine.calendar import Calendar
from engine.calendar_versions import calendar
from engine.casework import read_cases
from engine.definition_sets import load
from engine.definitions import Definition
from engine.directory import Directory
from engine.inbox import InboxRow
from engine.people import directory
from engine.search import Page, done_by, reported_by
from web.api import telling
from web.api.operations import shows, subject
from web.api.shapes import Bilingual, CasePage, ClockTold, Named, Paging, Told
from web.inbox import lists_of
from web.texts import later
from web.visit import by, reads

operations = subject("inbox", later("待办"))
SCOPE = "tasks:read"
# What has no limit comes last.
NO_LIMIT = "~"


class StepRow(Told):
    """An open step. request: extension or pause, while one waits to be decided."""

    case: str
    task: str
    href: str
    number: str
    title: str
    process: str
    element: str
    name: Bilingual
    duty: str
    place: Named
    address: str
    units: list[Named]
    holder: Named | None
    opened_at: datetime
    due: datetime | None
    clock: ClockTold | None
    request: str | None
    standing: bool


class StepPage(Told):
    """Steps, most pressing first; next: the address of the page behind this one."""

    items: list[StepRow]
    next: str | None


class Counts(Told):
    """How much stands in each list."""

    mine: int
    claimable: int
    overdue: int
    requests: int
    orders: int
    started: int
    done: int


@shows(operations, "/inbox", later("各个待办列表里有多少件"), Counts, SCOPE)
def counts() -> Counts:
    """How much waits."""
    with reads() as conn:
        _, lists = lists_of(conn)
    return Counts(
        mine=len(lists.mine),
        claimable=len(lists.claimable),
        overdue=len(lists.overdue),
        requests=len(lists.requests),
        orders=len(lists.orders),
        started=lists.started,
        done=lists.done,
    )


@shows(operations, "/inbox/mine", later("在我手里的步骤，含我代理的"), StepPage, SCOPE)
def mine(query: Paging) -> StepPage:
    """What this person holds, or stands in for."""
    with reads() as conn:
        people, lists = lists_of(conn)
        return _steps(conn, people, lists.mine, query)


@shows(operations, "/inbox/claimable", later("我可以认领的步骤"), StepPage, SCOPE)
def claimable(query: Paging) -> StepPage:
    """What nobody holds and this person may."""
    with reads() as conn:
        people, lists = lists_of(conn)
        return _steps(conn, people, lists.claimable, query)


@shows(operations, "/inbox/overdue", later("我看得到的逾期步骤"), StepPage, SCOPE)
def overdue(query: Paging) -> StepPage:
    """What is late where this person watches."""
    with reads() as conn:
        people, lists = lists_of(conn)
        return _steps(conn, people, lists.overdue, query)


@shows(operations, "/inbox/requests", later("等我审批的延期和暂停申请"), StepPage, SCOPE)
def requests(query: Paging) -> StepPage:
    """Steps for which something waits to be decided by this person."""
    with reads() as conn:
        people, lists = lists_of(conn)
        return _steps(conn, people, lists.requests, query)


@shows(operations, "/inbox/started", later("我发起的案件"), CasePage, SCOPE)
def started(query: Paging) -> CasePage:
    """Cases this person reported."""
    with reads() as conn:
        found = reported_by(conn, by().person, after=query.after, limit=query.limit)
        return cases(found, directory(conn))


@shows(operations, "/inbox/done", later("我经办过的案件"), CasePage, SCOPE)
def done(query: Paging) -> CasePage:
    """Cases this person did something in."""
    with reads() as conn:
        found = done_by(conn, by().person, after=query.after, limit=query.limit)
        return cases(found, directory(conn))


def cases(found: Page, people: Directory) -> CasePage:
    """A page of cases, with the address of the next one."""
    return CasePage(
        items=[telling.found_case(one, people) for one in found.cases],
        next=telling.next_href(found.after),
    )


def _steps(
    conn: Connection, people: Directory, steps: Sequence[InboxRow], query: Paging
) -> StepPage:
    """By key, not by offset: what is done meanwhile shifts nothing."""
    behind = sorted((s for s in steps if query.after is None or _key(s) > query.after), key=_key)
    shown = behind[: query.limit]
    after = _key(shown[-1]) if len(behind) > len(shown) else None
    states, cal = read_cases(conn, {step.case for step in shown}), calendar(conn)
    rows = [_row(step, load(conn, states[step.case].definition), people, cal) for step in shown]
    return StepPage(items=rows, next=telling.next_href(after))


def _key(step: InboxRow) -> str:
    return f"{timestamp(step.due) if step.due else NO_LIMIT} {step.case} {step.task}"


def _row(step: InboxRow, definition: Definition, people: Directory, cal: Calendar) -> StepRow:
    drawn = definition.tasks[step.element]
    return StepRow(
        case=step.case,
        task=step.task,
        href=telling.step_href(step.case, step.task),
        number=step.number,
        title=step.title,
        process=step.process,
        element=step.element,
        name=Bilingual(zh=drawn.name, en=drawn.name_en or drawn.name),
        duty=step.duty,
        place=telling.unit(people, step.unit),
        address=step.address,
        units=[telling.unit(people, one) for one in step.units],
        holder=telling.person(people, step.holder) if step.holder else None,
        opened_at=step.opened_at,
        due=step.due,
        clock=telling.clock(step, cal),
        request=step.request,
        standing=step.standing,
    )
