"""The inbox: what waits for whom, most pressing first."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from flask import Blueprint, redirect, render_template, request, url_for
from flask_login import current_user, login_required
from markupsafe import Markup
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from audit.encoding import timestamp
from engine.calendar_versions import calendar
from engine.casework import read_cases
from engine.directory import Directory
from engine.inbox import InboxRow, claimable_by, held_by, overdue_steps, requests_for
from engine.oversight import OpenOrder, orders_for
from engine.people import By, directory
from engine.rights import may_see, places_seen
from engine.running import State
from engine.search import Page, count_done_by, count_reported_by, done_by, reported_by
from web.case_rows import CaseRow, case_rows
from web.clock import clock_view, tally
from web.duty_record import DutyRecord, LateStep, OwnAct, duty_record
from web.inbox_filters import facets, narrow, sort
from web.offline import keep
from web.order_rows import order_rows
from web.posts import boarded
from web.quantities import duration
from web.records import names, read_files
from web.rows import TaskRow, task_rows
from web.saved_filters import kept_filters
from web.sentences import markup, timeline_sentence
from web.texts import language, later, say
from web.visit import at, by, reads
from web.wording import Names, element_name

pages = Blueprint("inbox", __name__)

SHOWN = 60


@dataclass(frozen=True, slots=True)
class Tab:
    """One of the lists of an inbox."""

    address: str
    label: str
    count: int
    current: bool


@dataclass(frozen=True, slots=True)
class Lists:
    """The steps and cases that concern a person, as far as counting needs them."""

    mine: tuple[InboxRow, ...]
    claimable: tuple[InboxRow, ...]
    overdue: tuple[InboxRow, ...]
    requests: tuple[InboxRow, ...]
    orders: tuple[OpenOrder, ...]
    started: int
    done: int


@pages.get("/")
def home() -> Response:
    """Where one begins."""
    here = "inbox.mine" if current_user.is_authenticated else "signin.form"
    return redirect(url_for(here), 303)


@pages.get("/inbox")
@login_required  # type: ignore[untyped-decorator]
def mine() -> str:
    """The steps this person holds, and those of people they stand in for."""
    with reads() as conn:
        people, lists = lists_of(conn)
        return _tasks(conn, people, lists, lists.mine, "inbox.mine")


@pages.get("/inbox/claimable")
@login_required  # type: ignore[untyped-decorator]
def claimable() -> str:
    """The steps nobody holds that one of this person's posts answers for."""
    with reads() as conn:
        people, lists = lists_of(conn)
        return _tasks(conn, people, lists, lists.claimable, "inbox.claimable")


@pages.get("/inbox/overdue")
@login_required  # type: ignore[untyped-decorator]
def overdue() -> str:
    """The overdue steps of the places this person sees, and their own."""
    with reads() as conn:
        people, lists = lists_of(conn)
        return _tasks(conn, people, lists, lists.overdue, "inbox.overdue")


@pages.get("/inbox/requests")
@login_required  # type: ignore[untyped-decorator]
def requests() -> str:
    """The requests for more time, or to stop a clock, that this person may decide."""
    with reads() as conn:
        people, lists = lists_of(conn)
        return _tasks(conn, people, lists, lists.requests, "inbox.requests")


@pages.get("/inbox/orders")
@login_required  # type: ignore[untyped-decorator]
def orders() -> str:
    """督办: the orders under way that this person gave or has to answer."""
    with reads() as conn:
        people, lists = lists_of(conn)
        rows = order_rows(conn, lists.orders, people, calendar(conn), at(), SHOWN)
    return render_template(
        "inbox_orders.html",
        rows=rows,
        tabs=_tabs(lists, "inbox.orders"),
        heading=_heading("inbox.orders", len(lists.orders)),
        shown=len(rows) if len(rows) < len(lists.orders) else 0,
    )


@pages.get("/inbox/started")
@login_required  # type: ignore[untyped-decorator]
def started() -> str:
    """The cases this person reported."""
    with reads() as conn:
        people, lists = lists_of(conn)
        page = reported_by(conn, by().person, after=request.args.get("after"))
        return _cases(conn, people, lists, page, "inbox.started", None)


@pages.get("/inbox/done")
@login_required  # type: ignore[untyped-decorator]
def done() -> str:
    """The cases in which this person did something, and how in time they were."""
    with reads() as conn:
        people, lists = lists_of(conn)
        page = done_by(conn, by().person, after=request.args.get("after"))
        files = read_files(conn, [found.case for found in page.cases])
        records = [file.record for file in files.values()]
        return _cases(conn, people, lists, page, "inbox.done", duty_record(records, by().person))


def lists_of(conn: Connection) -> tuple[Directory, Lists]:
    """What waits for this person, and how much they began and did."""
    people, who = directory(conn), by()
    places = places_seen(people, who, at())
    late = overdue_steps(conn, timestamp(at()), places, who.person)
    return people, Lists(
        mine=tuple(_held(conn, people, who)),
        claimable=tuple(claimable_by(conn, people, who.person, at())),
        overdue=tuple(_may_know(conn, people, late)),
        requests=tuple(_may_know(conn, people, requests_for(conn, people, who.person, at()))),
        orders=tuple(orders_for(conn, by=who, at=at())),
        started=count_reported_by(conn, who.person),
        done=count_done_by(conn, who.person),
    )


def _may_know(conn: Connection, people: Directory, steps: Sequence[InboxRow]) -> list[InboxRow]:
    """The steps that may be listed: those of guarded cases only for those who may see them."""
    return known_steps(conn, people, steps, {step.unit for step in steps})


def known_steps(
    conn: Connection, people: Directory, steps: Sequence[InboxRow], places: Collection[str]
) -> list[InboxRow]:
    """The steps of cases this person may see.

    places: whose cases are theirs to see by a post (engine.rights.places_seen), or by what was
    asked; what lies elsewhere or is guarded is looked at case by case.
    """
    asked = {step.case for step in steps if step.guarded or step.unit not in places}
    states = read_cases(conn, asked)
    hidden = {case for case in asked if not may_see(states[case], people, by(), at())}
    return [step for step in steps if step.case not in hidden]


def _held(conn: Connection, people: Directory, who: By) -> Sequence[InboxRow]:
    """What this person holds, and what absent people hold for whom they stand in now."""
    held = list(held_by(conn, who.person))
    for absent in sorted({lent.on_behalf_of for lent in people.capacities(who.person, at())
                          if lent.on_behalf_of}):  # fmt: skip
        duties = {lent.duty for lent in people.capacities(who.person, at())
                  if lent.on_behalf_of == absent}  # fmt: skip
        held += [step for step in held_by(conn, absent) if step.duty in duties]
    held = _may_know(conn, people, held)
    return sorted(held, key=lambda step: (step.due is None, step.due or step.opened_at, step.case))


def _tasks(
    conn: Connection,
    people: Directory,
    lists: Lists,
    steps: Sequence[InboxRow],
    endpoint: str,
) -> str:
    cal = calendar(conn)
    asked = request.args.to_dict()
    found = sort(steps, [clock_view(step, cal, at()) for step in steps], people)
    narrowed = [one.step for one in narrow(found, asked)]
    shown = narrowed[:SHOWN]
    keep(shown)
    rows = task_rows(conn, shown, people, cal, at())
    rows = [_for_whom(row, step, people) for row, step in zip(rows, shown, strict=True)]
    return render_template(
        "inbox.html",
        rows=rows,
        count=len(narrowed),
        facets=facets(found, asked, endpoint, people),
        own_filters=kept_filters(conn, endpoint),
        tallied=_tallied(rows),
        tabs=_tabs(lists, endpoint),
        endpoint=endpoint,
        heading=_heading(endpoint, len(steps)),
        shown=len(shown),
        board=boarded(people, by().person, at()),
    )


def _for_whom(row: TaskRow, step: InboxRow, people: Directory) -> TaskRow:
    """Whose step it is, where it is somebody else's."""
    if step.holder in (None, by().person):
        return row
    stands_in = any(
        lent.on_behalf_of == step.holder for lent in people.capacities(by().person, at())
    )
    name = people.name(step.holder or "")
    note = say("代{name}", name=name) if stands_in else say("在{name}手里", name=name)
    return replace(row, notes=(note, *row.notes))


def _cases(
    conn: Connection,
    people: Directory,
    lists: Lists,
    page: Page,
    endpoint: str,
    record: DutyRecord | None,
) -> str:
    rows: list[CaseRow] = case_rows(conn, page.cases, people)
    return render_template(
        "inbox_cases.html",
        rows=rows,
        after=page.after,
        tabs=_tabs(lists, endpoint),
        endpoint=endpoint,
        heading=_heading(endpoint, lists.started if endpoint == "inbox.started" else lists.done),
        record=record,
        late=[_late(step) for step in record.late] if record else [],
        acts=_acts(record.acts, names(people)) if record else [],
    )


def _acts(acts: Sequence[OwnAct], called: Names) -> list[tuple[OwnAct, Markup]]:
    """What this person did, each in a sentence that need not introduce them."""
    locale = language()
    told = (
        timeline_sentence(one.record, one.row, called, locale, known=(by().person,)) for one in acts
    )
    return [(one, markup(sentence)) for one, sentence in zip(acts, told, strict=True)]


def _late(step: LateStep) -> str:
    """逾期：听澜-隐-2026-00001“签收”，超 21 分钟。本人说明：“……”."""
    locale, line = language(), step.line
    named = {"number": step.number, "step": element_name(step.record, line.element, locale)}
    if line.timing.late:
        late = duration(line.timing.late, line.timing.clock, locale)
        told = say("逾期：{number}“{step}”，超 {late}。", late=late, **named)
    else:
        told = say("逾期：{number}“{step}”，曾超过原定时限。", **named)
    return told + (say("本人说明：“{note}”", note=line.note) if line.note else "")


def _tallied(rows: Sequence[TaskRow]) -> list[tuple[State, str]]:
    return tallied_words(tally([row.clock.view if row.clock else None for row in rows]))


def tallied_words(counted: Mapping[State, int]) -> list[tuple[State, str]]:
    """How many clocks stand how, in words, most pressing first."""
    words = {
        "late": later("{count} 件已逾期"),
        "near": later("{count} 件快到时限"),
        "ok": later("{count} 件在时限内"),
        "paused": later("{count} 件已暂停"),
    }
    return [(state, say(words[state], count=count)) for state, count in counted.items()]


def _heading(endpoint: str, count: int) -> str:
    headings = {
        "inbox.mine": later("要您办的有 {count} 件") if count else later("没有要您办的事"),
        "inbox.claimable": later("可认领 {count} 件"),
        "inbox.overdue": later("已逾期 {count} 件"),
        "inbox.requests": later("待您审批 {count} 件") if count else later("没有待您审批的申请"),
        "inbox.orders": later("督办 {count} 件还没有答复") if count else later("没有等答复的督办"),
        "inbox.started": later("您上报过 {count} 件"),
        "inbox.done": later("您经办过 {count} 件"),
    }
    return say(headings[endpoint], count=count)


def _tabs(lists: Lists, endpoint: str) -> list[Tab]:
    told = [
        ("inbox.mine", say("我的待办"), len(lists.mine)),
        ("inbox.claimable", say("可认领"), len(lists.claimable)),
        ("inbox.overdue", say("已逾期"), len(lists.overdue)),
        ("inbox.orders", say("督办"), len(lists.orders)),
        *([("inbox.requests", say("待审批"), len(lists.requests))] if lists.requests else []),
        ("inbox.started", say("我发起"), lists.started),
        ("inbox.done", say("我经办过"), lists.done),
    ]
    return [Tab(url_for(name), label, count, name == endpoint) for name, label, count in told]
