"""Cases: searching for them, and one of them as facts, responsibility table, sentences, file."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any, Literal

from flask import Response
from pydantic import Field
from sqlalchemy import Connection

from audit import log
from audit.reports.facts import CaseRecord, Responsibility, TimelineRow
from engine import site_codes
from engine.calendar_versions import calendar
from engine.casework import Desk
from engine.disavowals import deniable
from engine.inbox import InboxRow, open_steps
from engine.people import directory
from engine.rights import places_seen
from engine.search import Query, search
from web import cases as pages
from web.api import telling
from web.api.actors import Who, sentence, who, words
from web.api.inbox import cases as page_of_cases
from web.api.operations import gives, shows, subject
from web.api.shapes import (
    AskedForm,
    Bilingual,
    CasePage,
    CasePath,
    Choice,
    ClockTold,
    Named,
    Offered,
    Paging,
    Told,
    Wanted,
)
from web.api.steps import message_form
from web.case_acts import CaseActs, case_acts, waiting_message
from web.desk import desk_of
from web.quantities import ZONE
from web.records import CaseFile, names, read_file
from web.related import groups, with_cases
from web.sentences import outcome, result
from web.texts import later
from web.visit import at, by, reads, surveys
from web.wording import Names, duty_name, element_name

operations = subject("cases", later("案件"))
SCOPE = "cases:read"
CASE = "/cases/<case_id>"


class Search(Paging):
    """text: part of number, title or address, or a whole receipt. since, until: days of opening."""

    text: str = Field(default="", max_length=100)
    status: Literal["", "open", "overdue", "closed"] = ""
    unit: str = Field(default="", max_length=100)
    process: str = Field(default="", max_length=100)
    category: str = Field(default="", max_length=100)
    level: str = Field(default="", max_length=100)
    since: date | None = Field(default=None, le=date(2100, 1, 1), ge=date(1900, 1, 1))
    until: date | None = Field(default=None, le=date(2100, 1, 1), ge=date(1900, 1, 1))


class AsOf(Wanted):
    """after: number of an event; those behind it are told. limit: how many."""

    after: int = Field(default=0, ge=0, le=999_999_999)
    limit: int = Field(default=50, ge=1, le=200)


class Duty(Told):
    """One of the five duties; state: done, now or todo."""

    duty: str
    state: str
    was_late: bool


class OpenStep(Told):
    """A step that is open now."""

    task: str
    href: str
    element: str
    name: Bilingual
    holder: Named | None
    units: list[Named]
    due: datetime | None
    clock: ClockTold | None


class Waits(Told):
    """A timer that a case without open steps rests on."""

    timer: str
    name: Bilingual
    due: datetime


class Opened(Told):
    """A case opened for somebody by this one; child: the number by which they are taken off."""

    child: int
    group: str
    party: str
    name: str
    removable: bool


class Case(Told):
    """A case as of its last event. head: its hash; count: how many events there are.

    acts: what this person would not be refused about the case as a whole.
    """

    case: str
    number: str
    process: str
    definition: str
    title: str
    category: str
    level: str | None
    unit: Named
    path: list[Named]
    address: str
    source: str
    receipt: str | None
    confidential: bool
    opened_at: datetime
    ended: str | None
    ended_at: datetime | None
    reporter: Who
    five: list[Duty]
    tasks: list[OpenStep]
    waiting: list[Waits]
    parties: list[Opened]
    orders: list[int]
    acts: list[Offered]
    count: int
    head: str


class Line(Told):
    """One line of the table: one act on one step in one round; task null: the report itself."""

    duty5: str | None
    element: str
    name: Bilingual
    task: str | None
    round: int
    rounds: int
    how: str
    who: Who | None
    opened_at: datetime
    closed_at: datetime | None
    seq: int | None
    answers: dict[str, Any]
    outcome: Bilingual
    reason: str | None
    note: str | None
    state: str
    result: Bilingual
    allowed: int | None
    used: int | None
    late: int
    due: datetime | None
    was_late: bool
    evidence: int


class Table(Told):
    """The responsibility table, in the order of the work."""

    items: list[Line]
    head: str


class FileTold(Told):
    """A file that an event names."""

    sha256: str
    bytes: int
    media: str
    purpose: str
    name: str | None


class Event(Told):
    """An event as it is recorded, and in a sentence. kind: act, machine, late or turn."""

    seq: int
    at: datetime
    type: str
    kind: str
    actor: Who
    element: str | None
    task: str | None
    data: dict[str, Any]
    sentence: Bilingual
    evidence: list[FileTold]
    cause: int | None
    claimed_at: datetime | None


class Timeline(Told):
    """Events of a case, oldest first; next: the address of those behind them."""

    items: list[Event]
    next: str | None
    head: str


class SiteCode(Told):
    """The code that counts on the spot now; null where none is shown."""

    code: str | None
    until: datetime | None


class Parties(Told):
    """Those that were asked, and whom one may ask besides (id: unit or person, group: the send)."""

    items: list[Opened]
    may_be_added: list[Choice]


@shows(operations, "/cases", later("搜索我看得到的案件"), CasePage, SCOPE)
def search_cases(query: Search) -> CasePage:
    """The register searched, within what this person may see."""
    with surveys() as conn:
        people = directory(conn)
        asked = Query(
            text=query.text, status=query.status, unit=query.unit, process=query.process,
            category=query.category, level=query.level,
            since=_midnight(query.since, 0), until=_midnight(query.until, 1),
        )  # fmt: skip
        below = people.subtree(query.unit) if query.unit in people.units else frozenset()
        found = search(
            conn, asked, person=by().person, places=places_seen(people, by(), at()), below=below,
            at=at(), after=query.after, limit=query.limit,
        )  # fmt: skip
        return page_of_cases(found, people)


@shows(operations, CASE, later("一个案件：事实、在办步骤、我可以做的操作"), Case, SCOPE)
def case(path: CasePath) -> Case:
    """What the log says of a case."""
    with reads() as conn:
        desk, file, called = _read(conn, path.case_id)
        steps = open_steps(conn, [path.case_id])
        return _case(conn, desk, file, called, steps)


@shows(operations, f"{CASE}/responsibility", later("责任表：谁办了哪一步，用了多久"), Table, SCOPE)
def responsibility(path: CasePath) -> Table:
    """The responsibility table."""
    with reads() as conn:
        _, file, called = _read(conn, path.case_id)
    record = file.record
    return Table(
        items=[_line(record, one, called) for one in record.responsibility], head=record.head
    )


@shows(operations, f"{CASE}/timeline", later("记录：原样的数据和中英文句子"), Timeline, SCOPE)
def timeline(path: CasePath, query: AsOf) -> Timeline:
    """The events, as data and as sentences."""
    with reads() as conn:
        _, file, called = _read(conn, path.case_id)
    record = file.record
    behind = [row for row in record.timeline if row.seq > query.after]
    shown = behind[: query.limit]
    after = str(shown[-1].seq) if len(behind) > len(shown) else None
    return Timeline(
        items=[_event(record, row, called) for row in shown],
        next=telling.next_href(after),
        head=record.head,
    )


@gives(
    operations, f"{CASE}/record.json", later("证据文件：可离线核验的全部原文"), "application/json",
    SCOPE,
)  # fmt: skip
def record(path: CasePath) -> Response:
    """The evidence file, to be checked without this server."""
    return pages.evidence_of(path.case_id)


@shows(operations, f"{CASE}/parties", later("请了哪些单位和人，还可以加请谁"), Parties, SCOPE)
def parties(path: CasePath) -> Parties:
    """Those asked by this case."""
    with reads() as conn:
        desk, file, called = _read(conn, path.case_id)
        acts = case_acts(desk, by())
    more = [
        Choice(id=value, name=words, group=group)
        for group, offered in acts.parties
        for _, members in offered
        for value, words in members
    ]
    return Parties(items=list(_parties(desk, file.record, called)), may_be_added=more)


@shows(operations, f"{CASE}/site-codes", later("现在有效的现场码"), SiteCode, SCOPE)
def site_code(path: CasePath) -> SiteCode:
    """The code to show to whoever comes."""
    with reads() as conn:
        found = site_codes.shown(conn, desk_of(conn, path.case_id), by=by())
    return SiteCode(code=found.code if found else None, until=found.until if found else None)


# --- telling --------------------------------------------------------------------------------------


def _read(conn: Connection, case_id: str) -> tuple[Desk, CaseFile, Names]:
    desk = desk_of(conn, case_id)
    file = read_file(conn, case_id)
    return desk, file, with_cases(conn, names(desk.directory), file.record, desk.directory)


def _midnight(day: date | None, days: int) -> datetime | None:
    return None if day is None else datetime.combine(day, time(), ZONE) + timedelta(days)


def _case(
    conn: Connection, desk: Desk, file: CaseFile, called: Names, steps: Sequence[InboxRow]
) -> Case:
    told, people = file.record, desk.directory
    return Case(
        case=told.case,
        number=told.number,
        process=told.process,
        definition=desk.case.definition,
        title=told.title,
        category=told.category,
        level=told.level,
        unit=telling.unit(people, told.unit),
        path=[telling.unit(people, one) for one in told.path],
        address=told.address,
        source=told.source,
        receipt=told.receipt,
        confidential=desk.case.confidential,
        opened_at=told.opened,
        ended=told.ended,
        ended_at=told.ended_at,
        reporter=who(told.reporter, called),
        five=[Duty(duty=one.duty5, state=one.state, was_late=one.was_late) for one in told.five],
        tasks=[_step(conn, desk, told, one) for one in steps],
        waiting=[
            Waits(timer=one.timer, name=_name(told, one.element), due=one.due)
            for one in told.waiting
        ],
        parties=list(_parties(desk, told, called)),
        orders=[int(order) for order in desk.case.orders],
        acts=list(_offered(conn, desk, case_acts(desk, by()))),
        count=told.count,
        head=told.head,
    )


def _step(conn: Connection, desk: Desk, told: CaseRecord, step: InboxRow) -> OpenStep:
    people = desk.directory
    return OpenStep(
        task=step.task,
        href=telling.step_href(step.case, step.task),
        element=step.element,
        name=_name(told, step.element),
        holder=telling.person(people, step.holder) if step.holder else None,
        units=[telling.unit(people, one) for one in step.units],
        due=step.due,
        clock=telling.clock(step, calendar(conn)),
    )


def _parties(desk: Desk, told: CaseRecord, called: Names) -> Iterator[Opened]:
    for group in groups(desk, told, called):
        for one in group.parties:
            party = desk.case.children[str(one.child)].party or ""
            yield Opened(
                child=one.child, group=group.id, party=party, name=one.name,
                removable=one.removable,
            )  # fmt: skip


def _offered(conn: Connection, desk: Desk, acts: CaseActs) -> Iterator[Offered]:
    base = telling.case_href(desk.case.case)
    plain = {
        "urges": acts.urge,
        "supervisions": acts.supervise,
        "answers": acts.orders,
        "reopening": acts.reopen,
        "recall": acts.recall,
        "exports": acts.export,
        "site-codes": acts.site_code,
        "parties": acts.parties,
    }
    plain["disavowals"] = bool(deniable(log.read(conn, desk.case.case), by().person))
    yield from (telling.offer(base, act) for act, offered in plain.items() if offered)
    message = waiting_message(desk, "dispute")
    if acts.dispute and message is not None:
        form: AskedForm = message_form(conn, desk, message)
        yield Offered(act="dispute", href=f"{base}/dispute", choices=[], form=form)


def _name(told: CaseRecord, element: str) -> Bilingual:
    return Bilingual(zh=element_name(told, element, "zh"), en=element_name(told, element, "en"))


def _line(told: CaseRecord, line: Responsibility, called: Names) -> Line:
    timing = line.timing
    return Line(
        duty5=line.duty5,
        element=line.element,
        name=Bilingual(zh=duty_name(told, line, "zh"), en=duty_name(told, line, "en")),
        task=line.task or None,
        round=line.round,
        rounds=line.rounds,
        how=line.how,
        who=who(line.who, called) if line.who else None,
        opened_at=line.opened,
        closed_at=line.closed,
        seq=line.seq,
        answers=dict(line.outcome),
        outcome=Bilingual(
            zh=words(outcome(told, line, called, "zh")),
            en=words(outcome(told, line, called, "en")),
        ),
        reason=line.reason,
        note=line.note,
        state=timing.state,
        result=Bilingual(zh=result(line, "zh").text, en=result(line, "en").text),
        allowed=timing.allowed,
        used=timing.used,
        late=timing.late,
        due=timing.due,
        was_late=line.was_late,
        evidence=line.evidence,
    )


def _event(told: CaseRecord, row: TimelineRow, called: Names) -> Event:
    return Event(
        seq=row.seq,
        at=row.at,
        type=row.type,
        kind=row.kind,
        actor=who(row.actor, called),
        element=row.element,
        task=row.task,
        data=dict(row.data),
        sentence=sentence(told, row, called),
        evidence=[
            FileTold(
                sha256=one.sha256, bytes=one.bytes, media=one.media, purpose=one.purpose,
                name=one.name,
            )
            for one in row.evidence
        ],
        cause=row.cause,
        claimed_at=row.claimed_at,
    )  # fmt: skip
