"""An open step: what it asks, who may do it, what else may be done with it now."""

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import Connection

from audit import log
from engine.calendar_versions import calendar
from engine.cases import open_task
from engine.casework import Desk
from engine.definitions import Message
from engine.holding import fit_for
from engine.state import OpenTask
from web.acts import Acts, acts_on
from web.advice import advised_on_handing, advising
from web.api import telling
from web.api.operations import shows, subject
from web.api.shapes import (
    AskedForm,
    Bilingual,
    ClockTold,
    Named,
    Offered,
    StepPath,
    Told,
    Why,
)
from web.desk import choosing, desk_of, inbox_row
from web.drawn import PLAIN_SCHEMA, form_of
from web.forms import not_advised
from web.informants import for_step
from web.sealed_view import prefilled, sealed_card
from web.texts import later
from web.uploads import asked_purposes
from web.visit import by, reads

operations = subject("steps", later("步骤"))
PATH = "/cases/<case_id>/tasks/<task>"


class RequestTold(Told):
    """A request that waits: extension or pause; may_decide: whether this person decides it."""

    kind: str
    person: Named
    may_decide: bool


class Step(Told):
    """An open step.

    why_not: why this person may not do it, null if they may. acts: what else would not be refused.
    proof: site_code or handed_over, where doing it takes one. head: hash of the last event.
    """

    case: str
    task: str
    element: str
    name: Bilingual
    duty: str
    units: list[Named]
    holder: Named | None
    opened_at: datetime
    clock: ClockTold | None
    request: RequestTold | None
    proof: str | None
    form: AskedForm
    why_not: Why | None
    acts: list[Offered]
    head: str


@shows(
    operations, PATH, later("一个步骤：表单、已填的值、现在可以做的操作"), Step, "tasks:read"
)  # fmt: skip
def step(path: StepPath) -> Step:
    """A step with its form as JSON Schema."""
    with reads() as conn:
        desk = desk_of(conn, path.case_id)
        return _step(conn, desk, open_task(desk, path.task))


def _step(conn: Connection, desk: Desk, task: OpenTask) -> Step:
    entries = log.read(conn, desk.case.case)
    drawn, people = desk.context.definition.tasks[task.element], desk.directory
    row, acts = inbox_row(conn, desk.case.case, task.key), acts_on(desk, task, by())
    given = prefilled(sealed_card(desk, task, entries, by()))
    form = desk.context.definition.forms[drawn.form]
    return Step(
        case=desk.case.case,
        task=task.key,
        element=task.element,
        name=Bilingual(zh=drawn.name, en=drawn.name_en or drawn.name),
        duty=task.duty,
        units=[telling.unit(people, one) for one in task.units],
        holder=telling.person(people, task.holder) if task.holder else None,
        opened_at=datetime.fromisoformat(task.opened),
        clock=telling.clock(row, calendar(conn)) if row else None,
        request=_request(desk, task, acts),
        proof=drawn.proof,
        form=telling.asked_form(
            conn,
            desk.case.definition,
            drawn.form,
            form,
            choosing=choosing(desk, task.element),
            values=given.to_dict() if given else None,
            purposes=asked_purposes(form),
            advising=not_advised if acts.why_not else advising(desk, task.element),
        ),
        why_not=telling.why(acts.why_not),
        acts=list(_offered(conn, desk, task, acts)),
        head=entries[-1].hash.hex(),
    )


def _request(desk: Desk, task: OpenTask, acts: Acts) -> RequestTold | None:
    if task.request is None:
        return None
    asked = telling.person(desk.directory, task.request.person)
    return RequestTold(kind=task.request.kind, person=asked, may_decide=acts.decides is not None)


def _offered(conn: Connection, desk: Desk, task: OpenTask, acts: Acts) -> Iterator[Offered]:
    base = telling.step_href(desk.case.case, task.key)
    plain = {
        "completion": acts.why_not is None,
        "claim": acts.claim,
        "release": acts.held,
        "return": acts.returning,
        "withdrawal": acts.withdrawal,
        "extension": acts.extension,
        "pause": acts.pause,
        "resumption": acts.resumption,
    }
    yield from (telling.offer(base, act) for act, offered in plain.items() if offered)
    told_by = for_step(desk, task)
    if acts.why_not is not None and told_by:
        # Not for oneself: only typed for one of these, who is then named as its `informant`.
        yield telling.offer(base, "completion", groups=told_by)
    for act, groups in (("delegation", acts.delegation), ("reassignment", acts.reassignment)):
        if groups:
            fit, before = fit_for(desk, task), act == "reassignment"
            advised = advised_on_handing(conn, desk, task, fit, before=before)
            yield telling.offer(base, act, groups=groups, advised=advised)
    if acts.decides is not None:
        yield telling.offer(base, "decision", f"{acts.decides.kind}/decision")
    if acts.classes:
        classes = [("", [(one.id, one.title) for one in acts.classes])]
        yield telling.offer(base, "standing", groups=classes)
    if acts.objection is not None:
        yield Offered(
            act="objection",
            href=f"{base}/objection",
            choices=[],
            form=message_form(conn, desk, acts.objection),
        )


def message_form(conn: Connection, desk: Desk, message: Message) -> AskedForm:
    """What a drawn act asks: the form of the process, else a reason."""
    form, offered = form_of(desk, message), choosing(desk, message.id)
    if message.form is None:
        return telling.told_form(form, PLAIN_SCHEMA, offered)
    return telling.asked_form(
        conn, desk.case.definition, message.form, form, choosing=offered, purposes=[]
    )
