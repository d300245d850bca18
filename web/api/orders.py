"""督办: the orders under way that this person gave or may answer."""

from collections.abc import Mapping
from datetime import datetime

from audit.encoding import timestamp
from engine.calendar import Calendar
from engine.calendar_versions import calendar
from engine.directory import Directory
from engine.inbox import InboxRow
from engine.oversight import OpenOrder, orders_for
from engine.people import directory
from web.api import telling
from web.api.inbox import NO_LIMIT
from web.api.operations import shows, subject
from web.api.shapes import ClockTold, Named, Paging, Told
from web.order_rows import most_pressing, wanted
from web.records import CaseFile, read_files
from web.texts import later
from web.visit import at, by, reads

operations = subject("orders", later("督办"))
SCOPE = "tasks:read"


class OrderTold(Told):
    """An order under way; text: what was wanted. given: by this person.

    answers: this person may answer it, at `answer`. due, clock: of the most pressing open step of
    its case.
    """

    case: str
    href: str
    number: str
    title: str
    unit: Named
    address: str
    order: int
    text: str
    given_at: datetime
    given: bool
    answers: bool
    answer: str | None
    due: datetime | None
    clock: ClockTold | None


class OrderPage(Told):
    """Orders, those first whose case has to be done first."""

    items: list[OrderTold]
    next: str | None


@shows(operations, "/inbox/orders", later("在办的督办：我提出的，等我答复的"), OrderPage, SCOPE)
def orders(query: Paging) -> OrderPage:
    """The orders under way, by key as every list."""
    with reads() as conn:
        standing = orders_for(conn, by=by(), at=at())
        steps = most_pressing(conn, standing)
        keyed = {_key(one, steps): one for one in standing}
        behind = [(key, keyed[key]) for key in sorted(keyed) if key > (query.after or "")]
        shown = behind[: query.limit]
        files = read_files(conn, {one.case for _, one in shown})
        people, cal = directory(conn), calendar(conn)
    after = shown[-1][0] if len(behind) > len(shown) else None
    return OrderPage(
        items=[_order(one, files[one.case], steps.get(one.case), people, cal) for _, one in shown],
        next=telling.next_href(after),
    )


def _key(order: OpenOrder, steps: Mapping[str, InboxRow]) -> str:
    step = steps.get(order.case)
    due = timestamp(step.due) if step is not None and step.due else NO_LIMIT
    return f"{due} {order.case} {order.order:09}"


def _order(
    order: OpenOrder, file: CaseFile, step: InboxRow | None, people: Directory, cal: Calendar
) -> OrderTold:
    record = file.record
    href = telling.case_href(order.case)
    given = record.timeline[order.order - 1]
    return OrderTold(
        case=order.case,
        href=href,
        number=record.number,
        title=record.title,
        unit=telling.unit(people, record.unit),
        address=record.address,
        order=order.order,
        text=wanted(given),
        given_at=given.at,
        given=order.given,
        answers=order.answers,
        answer=f"{href}/answers" if order.answers else None,
        due=step.due if step else None,
        clock=telling.clock(step, cal) if step else None,
    )
