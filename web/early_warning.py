"""预警: which figures crossed a line; whoever supervises or disciplines says what comes of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_login import login_required
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from audit.early_warning.record import EarlyWarning
from audit.early_warning.thresholds import STREET
from audit.encoding import timestamp
from audit.metrics.catalogue import METRICS
from engine.directory import Directory
from engine.early_warning import answer_warning, warning_of, warnings_for
from engine.people import directory
from web.formulas import formulas
from web.frame import moment
from web.periods import period_words
from web.records import names
from web.texts import language, later, say
from web.visit import at, by, reads, writes
from web.warning_thresholds import thresholds
from web.warning_words import asks_of, name_of, says_of
from web.wording import Names

pages = Blueprint("early_warning", __name__)

LISTED: Final = 20
OPEN: Final = "open"
STATES: Final = {OPEN: later("待答复"), "answered": later("已答复"), "all": later("全部")}


@dataclass(frozen=True, slots=True)
class AnswerRow:
    """What somebody said comes of a warning."""

    number: str
    when: str
    who: str
    text: str


@dataclass(frozen=True, slots=True)
class WarningRow:
    """A warning as a card. figures: address of the figure that crossed the line, as it is now."""

    seq: int
    name: str
    unit: str
    month: str
    says: str
    asks: str
    when: str
    until: str
    address: str
    figures: str
    answers: tuple[AnswerRow, ...]
    size: int
    root: str
    thresholds: str
    formulas: str
    command: str


@pages.get("/warnings")
@login_required  # type: ignore[untyped-decorator]
def page() -> str:
    """The warnings about what one looks over: those without an answer, unless others are asked."""
    state = request.args.get("state", OPEN)
    state = state if state in STATES else OPEN
    first = LISTED * (max(request.args.get("page", 1, int), 1) - 1)
    with reads() as conn:
        people = directory(conn)
        told = warnings_for(conn, people, by(), at())
        found = [one for one in told if is_in(one, state)]
        rows = rows_of(conn, found[first : first + LISTED], people)
    return render_template(
        "warnings.html",
        rows=rows,
        states=[
            (f"{say(words)} {sum(is_in(one, name) for one in told)}", _address(name), name == state)
            for name, words in STATES.items()
        ],
        first=first,
        count=len(found),
        further=_address(state, first // LISTED + 2),
        back=_address(state, first // LISTED) if first else "",
        version=thresholds().version,
    )


@pages.get("/warnings/<int:seq>")
@login_required  # type: ignore[untyped-decorator]
def one(seq: int) -> str:
    """One warning, what it rests on, and what was said of it."""
    with reads() as conn:
        people = directory(conn)
        (row,) = rows_of(conn, [warning_of(conn, seq, people, by(), at())], people)
    return render_template("warning.html", one=row)


@pages.post("/warnings/<int:seq>/answers")
@login_required  # type: ignore[untyped-decorator]
def answer(seq: int) -> Response:
    """Say what comes of it."""
    with writes() as conn:
        answer_warning(conn, seq, request.form.get("text", ""), by=by(), at=at())
    flash(say("已记下您的答复"))
    return redirect(url_for("early_warning.one", seq=seq), 303)


def is_in(told: EarlyWarning, state: str) -> bool:
    """Whether a warning is in one of STATES."""
    return state == "all" or bool(told.answers) == (state == "answered")


def _address(state: str, number: int = 1) -> str:
    told: dict[str, Any] = {"state": state} | ({"page": number} if number > 1 else {})
    return url_for("early_warning.page", **told)


def rows_of(conn: Connection, told: list[EarlyWarning], people: Directory) -> list[WarningRow]:
    """These warnings as cards, in their order."""
    called = names(people)
    return [_row(one, people, called) for one in told]


def _row(told: EarlyWarning, people: Directory, called: Names) -> WarningRow:
    return WarningRow(
        seq=told.seq,
        name=name_of(told, language()),
        unit=people.unit(told.unit).name,
        month=period_words(told.month),
        says=says_of(told, language()),
        asks=asks_of(told, language()),
        when=moment(told.at),
        until=moment(told.until),
        address=url_for("early_warning.one", seq=told.seq),
        figures=_figures(told),
        answers=tuple(
            AnswerRow(f"#{one.seq}", moment(one.at), called.person(one.person), one.text)
            for one in told.answers
        ),
        size=told.size,
        root=told.root,
        thresholds=_pinned(told.thresholds),
        formulas=_pinned(told.formulas),
        command=f"shaoji warnings check --month {told.month} --to {timestamp(told.until)}",
    )


def _figures(told: EarlyWarning) -> str:
    """The cases behind the figure; of a confidential one the page that tells it."""
    if formulas().of(METRICS[told.metric].process).confidential:
        return url_for("metrics.page", period=told.month)
    if told.by == STREET:
        return url_for("metrics.listed", metric=told.metric, period=told.month, place=told.unit)
    return url_for(
        "metrics.listed", metric=told.metric, period=told.month, by=told.by, group=told.unit
    )


def _pinned(told: Mapping[str, Any]) -> str:
    return say("第 {version} 版 {digest}", version=told["version"], digest=told["sha256"])
