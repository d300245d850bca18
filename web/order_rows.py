"""Orders (督办) that wait for an answer, as rows of an inbox: what was wanted, of what, by when."""

from collections.abc import Sequence
from datetime import datetime

from flask import url_for
from sqlalchemy import Connection

from audit.reports.facts import TimelineRow
from engine.calendar import Calendar
from engine.directory import Directory
from engine.inbox import InboxRow, open_steps
from engine.oversight import OpenOrder
from web.case_rows import standing
from web.clock import clock_view
from web.frame import moment
from web.records import CaseFile, five_cells, names, read_files
from web.rows import TaskRow, kind_of, told_clock
from web.texts import language, say
from web.wording import Names, party_name


def most_pressing(conn: Connection, orders: Sequence[OpenOrder]) -> dict[str, InboxRow]:
    """The most pressing open step of each of their cases, the most pressing case first."""
    steps: dict[str, InboxRow] = {}
    for step in open_steps(conn, {order.case for order in orders}):
        steps.setdefault(step.case, step)
    return steps


def order_rows(
    conn: Connection,
    orders: Sequence[OpenOrder],
    people: Directory,
    cal: Calendar,
    at: datetime,
    most: int,
) -> list[TaskRow]:
    """So many of these orders as rows: those whose case has to be done first stand first."""
    steps = most_pressing(conn, orders)
    pressing = list(steps)
    told = sorted(
        orders,
        key=lambda one: (
            pressing.index(one.case) if one.case in steps else len(pressing), one.case, one.order
        ),
    )[:most]  # fmt: skip
    called, files = names(people), read_files(conn, {order.case for order in told})
    return [
        _row(order, files[order.case], steps.get(order.case), called, cal, at) for order in told
    ]


def _row(
    order: OpenOrder,
    file: CaseFile,
    step: InboxRow | None,
    called: Names,
    cal: Calendar,
    at: datetime,
) -> TaskRow:
    record = file.record
    given = next(row for row in record.timeline if row.seq == order.order)
    view = clock_view(step, cal, at) if step else None
    return TaskRow(
        address=url_for("cases.page", case_id=order.case),
        verb=say("督办"),
        title=record.title,
        place=record.address or called.unit(record.unit),
        number=record.number,
        handed=standing(record, called),
        kind=kind_of(file),
        party=party_name(record.timeline[0].data.get("party"), called, language()),
        notes=(_wanted(given), _whose(order)),
        cells=five_cells(record, view.state if view else ""),
        clock=told_clock(view) if view else None,
    )


def wanted(given: TimelineRow) -> str:
    """What an order wants, in the words of whoever gave it."""
    return str(given.data.get("text") or given.data.get("form", {}).get("text", ""))


def _wanted(given: TimelineRow) -> str:
    return say("{moment} 督办：{text}", moment=moment(given.at), text=wanted(given))


def _whose(order: OpenOrder) -> str:
    if order.given and order.answers:
        return say("您提出的，也可以由您答复")
    return say("您提出的，等答复") if order.given else say("等您答复，打开案件就能答复")
