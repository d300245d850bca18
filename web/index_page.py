"""管控指数: the table of a month, its editions and what differs; objections, publication."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import Blueprint, flash, render_template, request, url_for
from flask_login import login_required
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from audit.risk_index.differences import differences
from audit.risk_index.weights import Weights, read_weights
from engine.directory import Directory
from engine.errors import Refusal
from engine.index_editions import Trial, compute_edition, edition_figures, keeper, trial
from engine.index_objections import (
    answer_objection,
    heads_of,
    hindrances,
    object_to,
    publish_edition,
)
from engine.index_register import Edition, IndexRegister, Objection
from engine.index_weights import read_register, weights_file
from engine.metric_periods import months
from engine.people import directory
from web.formulas import formulas
from web.index_rows import (
    Telling,
    UnitRow,
    band_marks,
    difference_rows,
    unit_rows,
)
from web.index_seeing import check_may_see_edition, may_see_edition, overlooks_all
from web.index_weights import index_weights, weights_or_shipped
from web.index_words import NO_ACCIDENTS
from web.periods import period_words
from web.quantities import ZONE
from web.texts import either, refusal, say
from web.visit import at, by, reads, see_other, writes

pages = Blueprint("risk_index", __name__, url_prefix="/index")


@dataclass(frozen=True, slots=True)
class TableRows:
    """Both parts of a table; marks: where the bands begin, on the bar."""

    blocks: Sequence[UnitRow]
    lines: Sequence[UnitRow]
    marks: str
    weights: Weights


@dataclass(frozen=True, slots=True)
class EditionLine:
    """An edition in a list."""

    edition: Edition
    month: str
    state: str
    shape: str
    address: str


def table_rows(
    table: Mapping[str, Any], weights: Weights, people: Directory, month: str
) -> TableRows:
    """A table as it is shown; month: of the lists behind its numbers, "" for none."""
    names = {unit.id: unit.name for unit in people.units.values()}
    telling = Telling(names, month)
    return TableRows(
        unit_rows(table, "communities", telling),
        unit_rows(table, "departments", telling),
        band_marks(weights.bands),
        weights,
    )


# --- a month --------------------------------------------------------------------------------------


@pages.get("")
@login_required  # type: ignore[untyped-decorator]
def page() -> str:
    """The editions of a month and, for who supervises all of it, the table as it would be now."""
    with reads() as conn:
        people, register = directory(conn), read_register(conn)
        overseen = _counted(conn, people)
        seen = editions_seen(conn, people, register)
        months_ = sorted({*overseen, *(one.month for one in seen)})
        month = _month(months_)
        found = _trial(conn, month) if month in overseen else None
        weights = weights_or_shipped(conn, month) if month else None
        told = (
            table_rows(found.table, found.weights, people, month)
            if found and isinstance(found, Trial)
            else None
        )
        keeps = weights is not None and keeper(people, by(), at(), weights.communities) is not None
        in_force = register.in_force(month) if month else None
    of_month = [one for one in seen if one.month == month]
    return render_template(
        "index.html",
        month=month,
        words=period_words(month) if month else "",
        before=_beside(months_, month, -1),
        after=_beside(months_, month, 1),
        lines=[edition_line(one) for one in reversed(of_month)],
        trial=found if isinstance(found, Trial) else None,
        refused=refusal(found) if isinstance(found, Refusal) else "",
        told=told,
        keeps=keeps,
        in_force=in_force,
        known=len(register.of(month)),
        overtaken=[edition_line(one) for one in register.overtaken() if keeps],
        standing=edition_line(register_published) if (
            register_published := register.published(month)) else None,
        no_accidents=say(NO_ACCIDENTS),
    )  # fmt: skip


def _counted(conn: Connection, people: Directory) -> list[str]:
    """The months of which this person may see the table before it is one: all that are counted."""
    known = [one.key for one in months(conn)]
    weights = weights_or_shipped(conn, known[-1]) if known else None
    if weights is None or not overlooks_all(people, by(), at(), weights.communities):
        return []
    return known


def editions_seen(conn: Connection, people: Directory, register: IndexRegister) -> list[Edition]:
    """Of those that were overtaken before they were published only who supervises all is told."""
    whole = overlooks_all(people, by(), at(), shipped_or_last(conn, register).communities)
    return [
        one
        for one in register.editions.values()
        if whole or one.published or (not one.followed and _may_see(conn, people, one))
    ]


def shipped_or_last(conn: Connection, register: IndexRegister) -> Weights:
    """The weights adopted last, or those shipped: which communities there are."""
    if not register.adopted:
        return index_weights()
    last = register.adopted[-1]
    return read_weights(weights_file(conn, last.version, last.sha256))


def _may_see(conn: Connection, people: Directory, edition: Edition) -> bool:
    return may_see_edition(people, by(), at(), edition, edition_figures(conn, edition))


def _month(known: Sequence[str]) -> str:
    asked = request.args.get("month", "")
    return asked if asked in known else (known[-1] if known else "")


def _trial(conn: Connection, month: str) -> Trial | Refusal:
    try:
        weights = weights_or_shipped(conn, month)
        return trial(conn, month, weights, formulas(), zone=ZONE)
    except Refusal as refused:
        return refused


def _beside(known: Sequence[str], month: str, step: int) -> tuple[str, str] | None:
    index = known.index(month) + step if month else -1
    if not 0 <= index < len(known):
        return None
    other = known[index]
    return period_words(other), url_for("risk_index.page", month=other)


def edition_line(edition: Edition) -> EditionLine:
    """An edition as it stands now."""
    state, shape = _state(edition)
    return EditionLine(
        edition, period_words(edition.month), state, shape,
        url_for("risk_index.edition_page", seq=edition.seq),
    )  # fmt: skip


def _state(edition: Edition) -> tuple[str, str]:
    if edition.published:
        return say("已发布"), "ok"
    if edition.followed:
        return say("没有发布，后来另算了一期"), "dash"
    if at() < edition.until:
        return say("异议期"), "ring"
    if any(one.upheld for one in edition.objections):
        return say("有异议成立，要另算一期"), "near"
    return (say("等答复异议"), "near") if edition.waiting else (say("等发布"), "ring")


# --- an edition -----------------------------------------------------------------------------------


@pages.get("/editions/<int:seq>")
@login_required  # type: ignore[untyped-decorator]
def edition_page(seq: int) -> str:
    """One edition: its table, its objections, what differs from the one before, and its basis."""
    with reads() as conn:
        people, register = directory(conn), read_register(conn)
        edition = register.edition(seq)
        table = edition_figures(conn, edition)
        check_may_see_edition(people, by(), at(), edition, table)
        weights = weights_of(conn, edition)
        lists = overlooks_all(people, by(), at(), weights.communities)
        told = table_rows(table, weights, people, edition.month if lists else "")
        before = _before(register, edition)
        changed = differences(edition_figures(conn, before), table) if before else []
    names = {unit.id: unit.name for unit in people.units.values()}
    keeps = keeper(people, by(), at(), weights.communities) is not None
    return render_template(
        "index_edition.html",
        edition=edition,
        line=edition_line(edition),
        words=period_words(edition.month),
        told=told,
        before=edition_line(before) if before else None,
        changed=difference_rows(changed, names),
        causes=_causes(before, edition) if before else [],
        editions=[edition_line(one) for one in register.of(edition.month)],
        computed_by=people.name(edition.entry.actor["person"]),
        objections=[_objection(one, people, names) for one in edition.objections],
        units=[(unit, names.get(unit, unit)) for unit in _objecting(people, edition, table)],
        keeps=keeps,
        hindered=[either(*one) for one in hindrances(edition, at())][:1],
        no_accidents=say(NO_ACCIDENTS),
    )  # fmt: skip


@pages.get("/editions/<int:seq>/weights.toml")
@login_required  # type: ignore[untyped-decorator]
def edition_weights(seq: int) -> Response:
    """The file of weights by which it was computed."""
    with reads() as conn:
        edition = read_register(conn).edition(seq)
        check_may_see_edition(
            directory(conn), by(), at(), edition, edition_figures(conn, edition)
        )  # fmt: skip
        told = edition.told
        data = weights_file(conn, told["weights"], told["weights_sha256"])
    response = Response(data, mimetype="application/toml")
    name = f"weights-{told['weights']}.toml"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def weights_of(conn: Connection, edition: Edition) -> Weights:
    """The weights by which an edition was computed; raises WeightsDamaged."""
    told = edition.told
    return read_weights(weights_file(conn, told["weights"], told["weights_sha256"]))


def _before(register: IndexRegister, edition: Edition) -> Edition | None:
    earlier = [one for one in register.of(edition.month) if one.number < edition.number]
    return earlier[-1] if earlier else None


def _causes(before: Edition, edition: Edition) -> list[str]:
    """What the two editions rest on otherwise."""
    old, new = before.told, edition.told
    told = []
    if old["weights_sha256"] != new["weights_sha256"]:
        told.append(say("权重从第 {old} 版到第 {new} 版", old=old["weights"], new=new["weights"]))
    if old["formulas_sha256"] != new["formulas_sha256"]:
        told.append(say("口径从第 {old} 版到第 {new} 版", old=old["formulas"], new=new["formulas"]))
    if old["size"] != new["size"]:
        told.append(say("日志从 {old} 条到 {new} 条", old=old["size"], new=new["size"]))
    return told or [say("依据没有变")]


@dataclass(frozen=True, slots=True)
class ObjectionRow:
    """An objection in words; mine: whoever looks raised it, so others answer."""

    seq: int
    unit: str
    who: str
    when: datetime
    reason: str
    answer: str
    answered: str
    upheld: bool
    mine: bool


def _objection(one: Objection, people: Directory, names: Mapping[str, str]) -> ObjectionRow:
    answer = one.answer
    return ObjectionRow(
        seq=one.entry.seq,
        unit=names.get(one.unit, one.unit),
        who=people.name(one.entry.actor["person"]),
        when=one.entry.at,
        reason=one.entry.data["reason"],
        answer=answer.data["reason"] if answer else "",
        answered=people.name(answer.actor["person"]) if answer else "",
        upheld=one.upheld,
        mine=one.entry.actor["person"] == by().person,
    )


def _objecting(people: Directory, edition: Edition, table: Mapping[str, Any]) -> list[str]:
    """For which units this person may object to it now."""
    if not edition.open(at()):
        return []
    waiting = {one.unit for one in edition.waiting}
    return sorted(unit for unit in heads_of(people, table, by(), at()) if unit not in waiting)


# --- acts -----------------------------------------------------------------------------------------


@pages.post("/editions")
@login_required  # type: ignore[untyped-decorator]
def compute() -> Response:
    """计算一期."""
    known = request.form.get("known", "")
    with writes() as conn:
        entry = compute_edition(
            conn, request.form.get("month", ""), formulas(), request.form.get("reason", ""),
            known=int(known) if known.isdecimal() and len(known) < 6 else -1,
            zone=ZONE, by=by(), at=at(),
        )  # fmt: skip
    flash(say("已算出第 {number} 期，异议期开始", number=entry.data["edition"]))
    return see_other("risk_index.edition_page", seq=entry.seq)


@pages.post("/editions/<int:seq>/objections")
@login_required  # type: ignore[untyped-decorator]
def object_(seq: int) -> Response:
    """提出异议."""
    with writes() as conn:
        object_to(
            conn, seq, request.form.get("unit", ""), request.form.get("reason", ""),
            by=by(), at=at(),
        )  # fmt: skip
    flash(say("异议已记下，等督查岗位答复"))
    return see_other("risk_index.edition_page", seq=seq)


@pages.post("/objections/<int:seq>/answer")
@login_required  # type: ignore[untyped-decorator]
def answer(seq: int) -> Response:
    """答复异议."""
    with writes() as conn:
        entry = answer_objection(
            conn, seq, request.form.get("ruling", ""), request.form.get("reason", ""),
            by=by(), at=at(),
        )  # fmt: skip
        edition = next(
            one.seq for one in read_register(conn).editions.values()
            if any(o.entry.seq == entry.data["objected"] for o in one.objections)
        )  # fmt: skip
    flash(say("已答复"))
    return see_other("risk_index.edition_page", seq=edition)


@pages.post("/editions/<int:seq>/publication")
@login_required  # type: ignore[untyped-decorator]
def publish(seq: int) -> Response:
    """发布."""
    with writes() as conn:
        publish_edition(conn, seq, by=by(), at=at())
    flash(say("已发布"))
    return see_other("risk_index.edition_page", seq=seq)
