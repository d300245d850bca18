"""What became of a report, told to whoever has its receipt: no names, no words of anybody."""

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from flask import Blueprint, Response, render_template, request
from sqlalchemy import Connection

from audit.reports.facts import FIVE_DUTIES, CaseRecord, Responsibility
from audit.tlog_proof import SUFFIX
from engine.calendar_versions import calendar
from engine.casework import read_case
from engine.errors import NotFound
from engine.guessing import TooManyAttempts
from engine.inbox import open_steps
from engine.people import directory
from engine.receipt_codes import DIGITS
from engine.search import case_of_receipt
from web.anonymous import check, count, doors
from web.case_rows import texts_of
from web.clock import clock_view
from web.frame import moment
from web.kept_receipts import Kept, as_proof, as_text, entry_of, keep
from web.quantities import duration
from web.records import five_cells, read_file
from web.rows import ToldClock, told_clock
from web.texts import language, refusal, say
from web.visit import at, reads
from web.wording import MARKS, category_words

pages = Blueprint("receipts", __name__)
KEPT: Final = "/receipt/kept"


class NoSuchReceipt(NotFound):
    """No report has this number; nor has one of which only those named on it may know."""

    def __init__(self) -> None:
        super().__init__(
            "没有这个回执号。请核对：一共 8 个字母或数字，没有 0、1、O、I。",
            "There is no such receipt. It has 8 letters or digits, and no 0, 1, O or I.",
        )


@dataclass(frozen=True, slots=True)
class Step:
    """One of the five duties in plain words; state: done, now or todo."""

    mark: str
    state: str
    words: str
    more: str


@dataclass(frozen=True, slots=True)
class Status:
    """What a receipt tells."""

    receipt: str
    opened: datetime
    category: str
    community: str
    heading: str
    words: str
    clock: ToldClock | None
    steps: tuple[Step, ...]
    number_of_records: int
    head: str


@pages.get("/receipt")
def ask() -> tuple[str, int] | str:
    """Where a receipt's number is typed in; with one, what became of the report."""
    typed = request.args.get("number", "").strip()
    if not typed:
        return render_template("receipt_ask.html", typed="", told=None)
    try:
        check(doors().numbers)
    except TooManyAttempts as refused:
        return render_template("receipt_ask.html", typed="", told=refusal(refused)), 429
    with reads() as conn:
        case = case_of_receipt(conn, written(typed))
        if case is None:
            count(doors().numbers)
            return render_template("receipt_ask.html", typed=typed, told=_unknown(typed)), 404
        keeping = not read_case(conn, case).confidential
        return render_template("receipt.html", status=status(conn, case), keeping=keeping)


def _unknown(typed: str) -> str:
    if len(re.sub(r"\D", "", typed)) == DIGITS:
        return say("这是 16 位回执码，请填在下面一格，那里不把它放进网址。")
    return say("没有这个回执号。请核对：一共 8 个字母或数字，没有 0、1、O、I。")


@pages.get(KEPT)
def kept() -> str:
    """The receipt of a report, signed, for whoever has its number: of its first record alone."""
    number = written(request.args.get("number", "").strip())
    with reads() as conn:
        return render_template("kept_reported.html", kept=reported(conn, number), number=number)


@pages.get(f"{KEPT}.txt")
def kept_text() -> Response:
    """The same as a file."""
    number = written(request.args.get("number", "").strip())
    with reads() as conn:
        return as_text(reported(conn, number), number)


@pages.get(f"{KEPT}{SUFFIX}")
def kept_proof() -> Response:
    """The proof that the report is in the tree."""
    number = written(request.args.get("number", "").strip())
    with reads() as conn:
        return as_proof(conn, reported(conn, number), number)


def reported(conn: Connection, number: str) -> Kept:
    """The receipt of the record by which a case was opened; raises NoSuchReceipt.

    Not of a confidential case: whoever complained has a code, and this number stands in its record.
    """
    case = case_of_receipt(conn, number)
    state = read_case(conn, case) if case else None
    if state is None or state.confidential:
        raise NoSuchReceipt
    return keep(conn, entry_of(conn, state.case, 1), state)


def written(typed: str) -> str:
    """A receipt's number as it is recorded, from what somebody typed: `r7k3m94qd`, `7K3M-94QD`."""
    plain = re.sub(r"[^0-9A-Z]", "", unicodedata.normalize("NFKC", typed).upper())
    letters = plain.removeprefix("R") if len(plain) == 9 else plain
    return f"R-{letters[:4]}-{letters[4:]}" if len(letters) == 8 else typed[:40]


def status(conn: Connection, case: str) -> Status:
    """What the holder of a receipt may know of a case."""
    file, people = read_file(conn, case), directory(conn)
    record = file.record
    community = next(
        (unit for unit in record.path if people.unit(unit).kind == "community"), record.unit
    )
    return Status(
        receipt=record.receipt or "",
        opened=record.opened,
        category=category_words(record, language()),
        community=people.unit(community).name,
        heading=_heading(record),
        words=texts_of(record, file.definition) or say("正在办理，请耐心等候。"),
        clock=_clock(conn, case),
        steps=tuple(_step(record, duty, state) for duty, state in _states(record))
        if five_cells(record)
        else (),
        number_of_records=record.count,
        head=record.head,
    )


def _heading(record: CaseRecord) -> str:
    if record.ended is not None:
        return say("已经了结")
    now = next((duty.duty5 for duty in record.five if duty.state == "now"), None)
    if now is None and record.waiting and not record.now:
        done = all(duty.state == "done" for duty in record.five)
        return say("已经改好") if done else say("已有结论")
    headings = {
        None: say("正在办理"),
        "report": say("已经收到"),
        "confirm": say("社区正在核实"),
        "assign": say("街道正在指派"),
        "rectify": say("正在整改"),
        "accept": say("正在验收"),
    }
    return headings[now]


def _clock(conn: Connection, case: str) -> ToldClock | None:
    cal = calendar(conn)
    views = (clock_view(row, cal, at()) for row in open_steps(conn, [case]))
    view = next((view for view in views if view is not None), None)
    return told_clock(view) if view else None


def _states(record: CaseRecord) -> list[tuple[str, str]]:
    told = {duty.duty5: duty.state for duty in record.five}
    return [(duty, told[duty]) for duty in FIVE_DUTIES]


def _step(record: CaseRecord, duty: str, state: str) -> Step:
    plain = {
        "report": say("上报"),
        "confirm": say("社区核实是不是隐患"),
        "assign": say("街道派人去改"),
        "rectify": say("整改"),
        "accept": say("换一个人去看改没改好"),
    }
    lines = [line for line in record.responsibility if line.duty5 == duty]
    done = [line for line in lines if line.how in ("completed", "reported")]
    more = [_done(line) for line in done[-1:]]
    rounds = max((line.round for line in lines), default=1)
    if state == "now" and rounds > 1:
        more = [say("第 {round} 次", round=rounds)]
    return Step(MARKS[duty], state, plain[duty], "".join(more) if state != "todo" else "")


def _done(line: Responsibility) -> str:
    when = moment(line.closed or line.opened)
    timing = line.timing
    if timing.state == "late" and timing.late:
        late = duration(timing.late, timing.clock, language())
        return say("{when}，晚了 {late}", when=when, late=late)
    if timing.state == "in_time":
        return say("{when}，按时", when=when)
    return when
