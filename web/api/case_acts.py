"""Every act on a case as a whole, as on its page."""

from typing import Any

from pydantic import Field
from sqlalchemy import Connection

from engine import disavowals, oversight, parties, site_codes, turns
from engine.signals import confirm, dismiss
from web.api.cases import CASE, SiteCode
from web.api.operations import Command, acts, subject
from web.api.shapes import Acting, Asked, CasePath, Word, Words
from web.api.step_acts import Reason, checked
from web.case_acts import waiting_message
from web.desk import desk_of
from web.drawn import form_of
from web.signal_rules import signal_rules
from web.texts import later
from web.visit import at, by, reads

operations = subject("case-acts", later("案件操作"))
SCOPE = "cases:act"
SIGNAL = f"{CASE}/signals/<rule>/<int:entry>"


class Text(Asked):
    """What is said."""

    text: Words


class Order(Text):
    """task, deadline_class: the step whose deadline is set anew, and by which class."""

    legal_basis: Words = ""
    task: Word | None = None
    deadline_class: Word | None = None


class OrderAnswer(Text):
    """order: number of the order."""

    order: int = Field(ge=1, le=999_999_999)


class Disavowal(Reason):
    """entry: number of the event that was typed as one's own word."""

    entry: int = Field(ge=1, le=999_999_999)


class Dispute(Asked):
    """form: the answers to the form the process has drawn for it."""

    form: dict[str, Any]


class Addition(Reason):
    """group: the send that asked the others. to: a unit or a person."""

    group: Word
    to: Word


class Removal(Reason):
    """child: the number told with each party."""

    child: int = Field(ge=1, le=999_999_999)


class SignalPath(CasePath):
    """rule: B1 …; entry: the first entry the signal rests on."""

    rule: Word
    entry: int = Field(ge=1, le=999_999_999)


@acts(operations, f"{CASE}/urges", later("催办"), SCOPE)
def urge(path: CasePath, header: Acting, body: Text) -> Command:
    """催办."""
    return lambda conn, key: oversight.urge(
        conn, path.case_id, body.text, by=by(), at=at(), key=key
    )


@acts(operations, f"{CASE}/supervisions", later("督办"), SCOPE)
def supervise(path: CasePath, header: Acting, body: Order) -> Command:
    """督办."""
    return lambda conn, key: oversight.supervise(
        conn, path.case_id, body.text, legal_basis=body.legal_basis, task=body.task,
        deadline_class=body.deadline_class, by=by(), at=at(), key=key,
    )  # fmt: skip


@acts(operations, f"{CASE}/answers", later("答复督办"), SCOPE)
def answer(path: CasePath, header: Acting, body: OrderAnswer) -> Command:
    """Answer an order."""
    return lambda conn, key: oversight.answer_supervision(
        conn, path.case_id, body.order, body.text, by=by(), at=at(), key=key
    )


@acts(operations, f"{CASE}/disavowals", later("说明一条代录不是自己说的"), SCOPE)
def disavow(path: CasePath, header: Acting, body: Disavowal) -> Command:
    """不认可代录."""
    return lambda conn, key: disavowals.disavow(
        conn, path.case_id, body.entry, body.reason, by=by(), at=at(), key=key
    )


@acts(operations, f"{SIGNAL}/confirmation", later("核实线索：属实"), SCOPE)
def confirm_signal(path: SignalPath, header: Acting, body: Reason) -> Command:
    """属实."""
    return lambda conn, key: confirm(
        conn, path.case_id, path.rule, path.entry, body.reason, rules=signal_rules(),
        by=by(), at=at(), key=key,
    )  # fmt: skip


@acts(operations, f"{SIGNAL}/dismissal", later("核实线索：说得通"), SCOPE)
def dismiss_signal(path: SignalPath, header: Acting, body: Reason) -> Command:
    """说得通."""
    return lambda conn, key: dismiss(
        conn, path.case_id, path.rule, path.entry, body.reason, rules=signal_rules(),
        by=by(), at=at(), key=key,
    )  # fmt: skip


@acts(operations, f"{CASE}/reopening", later("重开"), SCOPE)
def reopen(path: CasePath, header: Acting, body: Reason) -> Command:
    """重开."""
    return lambda conn, key: turns.reopen(
        conn, path.case_id, body.reason, by=by(), at=at(), key=key
    )


@acts(operations, f"{CASE}/recall", later("撤销"), SCOPE)
def recall(path: CasePath, header: Acting, body: Reason) -> Command:
    """撤销."""
    return lambda conn, key: turns.recall(
        conn, path.case_id, body.reason, by=by(), at=at(), key=key
    )


@acts(operations, f"{CASE}/dispute", later("对结果提出异议"), SCOPE)
def dispute(path: CasePath, header: Acting, body: Dispute) -> Command:
    """The reporter does not accept the result."""
    with reads() as conn:
        desk = desk_of(conn, path.case_id)
    message = waiting_message(desk, "dispute")
    if message is None:
        raise turns.NotDrawn(
            "现在不在可以对结果提出异议的期限内。", "The result cannot be disputed now."
        )
    values = checked(body.form, form_of(desk, message))
    return lambda conn, key: turns.dispute_result(
        conn, path.case_id, values, by=by(), at=at(), key=key
    )


@acts(operations, f"{CASE}/parties", later("加签"), SCOPE)
def add_party(path: CasePath, header: Acting, body: Addition) -> Command:
    """加签."""
    return lambda conn, key: parties.add_party(
        conn, path.case_id, body.group, body.to, body.reason, by=by(), at=at(), key=key
    )


@acts(operations, f"{CASE}/parties/removal", later("减签"), SCOPE)
def remove_party(path: CasePath, header: Acting, body: Removal) -> Command:
    """减签."""
    return lambda conn, key: parties.remove_party(
        conn, path.case_id, body.child, body.reason, by=by(), at=at(), key=key
    )


@acts(operations, f"{CASE}/site-codes", later("出示新的现场码"), SCOPE, answer=SiteCode, status=201)
def show_site_code(path: CasePath, header: Acting) -> Command:
    """Show a new code; the last one lapses."""

    def show(conn: Connection, _key: str) -> SiteCode:
        site_codes.show(conn, path.case_id, by=by(), at=at())
        found = site_codes.shown(conn, desk_of(conn, path.case_id), by=by())
        code, until = (found.code, found.until) if found else (None, None)
        return SiteCode(code=code, until=until)

    return show
