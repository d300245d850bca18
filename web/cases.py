"""A case: its page, its record, searching for it, and the acts that concern it as a whole."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask_login import login_required
from sqlalchemy import Connection
from werkzeug.wrappers import Response as AnyResponse

from audit import log
from audit.evidence_file import write_evidence
from audit.reports.facts import CaseRecord
from engine import disavowals, oversight, parties, site_codes, turns
from engine.calendar_versions import calendar
from engine.case_evidence import case_evidence
from engine.casework import Done, read_cases
from engine.definition_sets import categories, load, version_of
from engine.disavowals import deniable
from engine.errors import BadInput
from engine.inbox import open_steps
from engine.people import directory
from engine.report_jobs import own_jobs
from engine.rights import may_see, may_see_looks, places_reported, places_seen
from engine.search import STATUSES, Query, search
from engine.verification import verify
from web.advice import advised_on_steps
from web.case_acts import case_acts, waiting_message, with_suggestions
from web.case_rows import case_rows
from web.case_view import case_link, diagram_facts, folded, steps_of, table_rows, trace_days
from web.confirming import confirmed
from web.desk import desk_of, unit_groups
from web.drawn import fill_in
from web.event_axis import event_axis
from web.moments import read_day, read_moment
from web.quantities import ZONE, when
from web.records import CaseFile, five_cells, names, read_file, read_files
from web.related import family, groups, is_first, linked_case, with_cases
from web.reporting import PROCESS
from web.rows import task_rows
from web.signal_rows import signals_of
from web.texts import either, later, say
from web.tree_standing import believed, standing_of
from web.visit import at, by, done_before, key, local_path, reads, see_other, surveys, writes

pages = Blueprint("cases", __name__)

# So many records of a story stand open; the earlier ones are folded.
LONG_STORY: Final = 40
LEVELS: Final = ("general", "larger", "major")


@pages.get("/cases")
@login_required  # type: ignore[untyped-decorator]
def search_page() -> str:
    """The register searched, within what this person may see."""
    with surveys() as conn:
        people = directory(conn)
        places = places_seen(people, by(), at())
        query = asked_query()
        below = people.subtree(query.unit) if query.unit in people.units else frozenset()
        found = search(
            conn, query, person=by().person, places=places, below=below, at=at(),
            after=request.args.get("after"),
        )  # fmt: skip
        rows = case_rows(conn, found.cases, people)
        categories = _categories(conn)
        exports = bool(places_reported(people, by(), at()))
    communities = [unit for unit in places if people.unit(unit).kind == "community"]
    kept = {name: value for name, value in request.args.items() if name != "after" and value}
    told: dict[str, Any] = {**kept, "after": found.after}
    after = url_for("cases.search_page", **told) if found.after else None
    return render_template(
        "cases.html",
        rows=rows,
        asked=request.args,
        filtered=bool(kept.keys() - {"text"}),
        after=after,
        communities=unit_groups(people, communities),
        categories=categories,
        levels=[(value, _level(value)) for value in LEVELS],
        statuses=_statuses(),
        kept=kept,
        exports=exports,
    )


@pages.get("/cases/<case_id>")
@login_required  # type: ignore[untyped-decorator]
def page(case_id: str) -> str:
    """Everything the log says of a case, and what this person may do about it."""
    with reads() as conn:
        desk = desk_of(conn, case_id)
        now = read_file(conn, case_id)
        shown = _as_of(now.record)
        file = now if shown is None else read_file(conn, case_id, up_to=shown)
        called = with_cases(conn, names(desk.directory), file.record, desk.directory)
        tree = family(conn, desk)
        first = is_first(conn, case_id)
        steps = task_rows(conn, open_steps(conn, [case_id]), desk.directory, calendar(conn), at())
        alike = _alike(conn, file)
        version = version_of(conn, desk.case.definition)
        reports = own_jobs(conn, case_id, by().person)
        verdict = verify(conn, case=case_id) if "verify" in request.args else None
        tree_standing = standing_of(conn, now.record, believed())
        acts = case_acts(desk, by()) if shown is None else None
        advised = advised_on_steps(conn, desk, [key for key, *_ in acts.reassign] if acts else ())
        words = deniable(log.read(conn, case_id), by().person) if shown is None else []
        signals = signals_of(conn, case_id, desk.directory) if shown is None else []
    late = any(line.timing.state == "overdue" for line in file.record.now)
    if acts is not None:
        acts = with_suggestions(acts, advised)
    earlier, days = folded(trace_days(file.record, called), LONG_STORY)
    return render_template(
        "case.html",
        case=desk.case,
        record=file.record,
        called=called,
        cells=five_cells(file.record, "late" if late else ""),
        steps=steps if shown is None else [],
        standing=steps_of(file.record, called),
        table=table_rows(file.record, called),
        earlier=earlier,
        days=days,
        diagram=diagram_facts(file, called),
        machine_rows=sum(row.kind == "machine" for row in file.record.timeline),
        alike=alike,
        tree=tree,
        linked=case_link(called, linked_case(file.record)),
        first=first,
        groups=groups(desk, file.record, called) if shown is None else [],
        process=either(file.definition.title, file.definition.title_en),
        acts=acts,
        advised=advised,
        reports=reports,
        words=words,
        signals=signals,
        version=version,
        verdict=verdict,
        tree_standing=tree_standing,
        shown=shown,
        audits=may_see_looks(desk.case, desk.directory, by(), at()),
        count=now.record.count,
        axis=event_axis(now.record.timeline, shown),
        shown_at=file.record.last,
    )


@pages.get("/cases/<case_id>/record.json")
@login_required  # type: ignore[untyped-decorator]
@confirmed(later("下载证据文件"))
def record(case_id: str) -> Response:
    """The evidence file of a case: every body as text, its hash, its place in the tree."""
    return evidence_of(case_id)


def evidence_of(case_id: str) -> Response:
    """The evidence file for whoever asks and may see the case."""
    with reads() as conn:
        desk_of(conn, case_id)
        told = write_evidence(case_evidence(conn, case_id, believed()))
    response = Response(told, mimetype="application/json")
    response.headers["Content-Disposition"] = f'attachment; filename="{case_id}.json"'
    return response


@pages.get("/definitions/<digest>.bpmn")
@login_required  # type: ignore[untyped-decorator]
def diagram(digest: str) -> Response:
    """The drawing of a process."""
    return drawing_of(digest)


def drawing_of(digest: str) -> Response:
    """The drawing of a process; a digest names one content for ever, so browsers may keep it."""
    with reads() as conn:
        bpmn = load(conn, digest).bpmn
    response = Response(bpmn, mimetype="application/xml")
    response.headers["Cache-Control"] = "private, max-age=86400, immutable"
    return response


# --- acts ---------------------------------------------------------------------------------------


@pages.post("/cases/<case_id>/urges")
@login_required  # type: ignore[untyped-decorator]
def urge(case_id: str) -> AnyResponse:
    """催办."""
    return _act(oversight.urge, case_id, request.form.get("text", ""), told=say("已催办"))


@pages.post("/cases/<case_id>/disavowals")
@login_required  # type: ignore[untyped-decorator]
def disavow(case_id: str) -> AnyResponse:
    """Say that what was typed as one's own word is not."""
    entry = request.form.get("entry", "")
    if not entry.isdecimal() or len(entry) > 9:
        raise BadInput("请从案件页上选是哪一条。", "Choose the entry on the page of the case.")
    reason, told = request.form.get("reason", ""), say("已记下：不是您说的")
    return _act(disavowals.disavow, case_id, int(entry), reason, told=told)


@pages.post("/cases/<case_id>/supervisions")
@login_required  # type: ignore[untyped-decorator]
def supervise(case_id: str) -> AnyResponse:
    """督办, with a new deadline for one step if one is named."""
    told = request.form
    return _act(
        oversight.supervise,
        case_id,
        told.get("text", ""),
        legal_basis=told.get("legal_basis", ""),
        task=told.get("task") or None,
        deadline_class=told.get("deadline_class") or None,
        told=say("已督办，等答复"),
    )


@pages.post("/cases/<case_id>/answers")
@login_required  # type: ignore[untyped-decorator]
def answer(case_id: str) -> AnyResponse:
    """Answer an order."""
    order = request.form.get("order", "")
    if not order.isdecimal():
        raise BadInput("请选择答复哪一条督办。", "Choose which order this answers.")
    text = request.form.get("text", "")
    return _act(oversight.answer_supervision, case_id, int(order), text, told=say("已答复"))


@pages.post("/cases/<case_id>/reopening")
@login_required  # type: ignore[untyped-decorator]
def reopen(case_id: str) -> AnyResponse:
    """重开."""
    return _act(turns.reopen, case_id, request.form.get("reason", ""), told=say("已重开"))


@pages.route("/cases/<case_id>/dispute", methods=["GET", "POST"])
@login_required  # type: ignore[untyped-decorator]
def dispute(case_id: str) -> Any:
    """The reporter does not accept the result, with the form drawn for it."""
    if request.method == "POST" and done_before():
        return see_other("cases.page", case_id=case_id)
    with reads() as conn:
        desk = desk_of(conn, case_id)
    message = waiting_message(desk, "dispute")
    if message is None:
        raise turns.NotDrawn(
            "现在不在可以对结果提出异议的期限内。", "The result cannot be disputed now."
        )

    def disagree(conn: Connection, values: dict[str, Any]) -> Done:
        return turns.dispute_result(conn, case_id, values, by=by(), at=at(), key=key())

    back = url_for("cases.page", case_id=case_id)
    return fill_in(desk, message, disagree, told=say("已提出，会换一个人再看"), back=back)


@pages.post("/cases/<case_id>/recall")
@login_required  # type: ignore[untyped-decorator]
def recall(case_id: str) -> AnyResponse:
    """撤销: take the whole case back."""
    return _act(turns.recall, case_id, request.form.get("reason", ""), told=say("已撤销"))


@pages.post("/cases/<case_id>/parties")
@login_required  # type: ignore[untyped-decorator]
def add_party(case_id: str) -> AnyResponse:
    """加签: ask one more."""
    told = request.form
    party, reason = told.get("to", ""), told.get("reason", "")
    if not party:
        raise BadInput("请选择加请谁。", "Choose whom to ask.")
    return _act(
        parties.add_party, case_id, told.get("group", ""), party, reason, told=say("已加签")
    )


@pages.post("/cases/<case_id>/parties/removal")
@login_required  # type: ignore[untyped-decorator]
def remove_party(case_id: str) -> AnyResponse:
    """减签: take one off."""
    child = request.form.get("child", "")
    if not child.isdecimal():
        raise BadInput("请选择减去哪一方。", "Choose whom to take off.")
    reason = request.form.get("reason", "")
    return _act(parties.remove_party, case_id, int(child[:9]), reason, told=say("已减签"))


@pages.get("/cases/<case_id>/site-codes")
@login_required  # type: ignore[untyped-decorator]
def site_code(case_id: str) -> str:
    """The code to hold up to whoever comes: big digits, and until when they count."""
    with reads() as conn:
        desk = desk_of(conn, case_id)
        found = site_codes.shown(conn, desk, by=by())
    return render_template("site_code.html", case=desk.case, shown=found)


@pages.post("/cases/<case_id>/site-codes")
@login_required  # type: ignore[untyped-decorator]
def show_site_code(case_id: str) -> AnyResponse:
    """Show a new code; the last one lapses."""
    with writes() as conn:
        site_codes.show(conn, case_id, by=by(), at=at())
    return see_other("cases.site_code", case_id=case_id)


def _act(
    command: Callable[..., Done], case_id: str, *args: Any, told: str, **kwargs: Any
) -> AnyResponse:
    with writes() as conn:
        command(conn, case_id, *args, by=by(), at=at(), key=key(), **kwargs)
    flash(told)
    # Back to the list it was done from: the next one is there.
    case = url_for("cases.page", case_id=case_id)
    return redirect(local_path(request.form.get("next"), case), 303)


# --- searching ----------------------------------------------------------------------------------


def asked_query() -> Query:
    """What the address asks to be found."""
    told = request.args
    status = told.get("status", "")
    return Query(
        text=told.get("text", "")[:100],
        status=status if status in STATUSES else "",
        unit=told.get("unit", ""),
        category=told.get("category", ""),
        level=told.get("level", ""),
        since=_midnight(told.get("since", ""), 0),
        until=_midnight(told.get("until", ""), 1),
    )


def _midnight(text: str, days: int) -> datetime | None:
    """The beginning of a typed day, or of the day after it; None if nothing was typed."""
    if not text.strip():
        return None
    on = read_day(text, at().astimezone(ZONE).date())
    if on is None:
        raise BadInput("日期请写成 11月24日 这样。", "Write the day like 2026-11-24.")
    return datetime(on.year, on.month, on.day, tzinfo=ZONE) + timedelta(days)


def _categories(conn: Connection) -> list[tuple[str, str]]:
    """The categories hazards are reported in, in words."""
    return [(value, either(*names)) for value, names in categories(conn, PROCESS).items()]


def _statuses() -> list[tuple[str, str]]:
    words = {"open": say("在办"), "overdue": say("有步骤逾期"), "closed": say("已了结")}
    return [(status, words[status]) for status in STATUSES]


def _level(value: str) -> str:
    return {"general": say("一般"), "larger": say("较大"), "major": say("重大")}[value]


# --- the page -----------------------------------------------------------------------------------


def _as_of(record: CaseRecord) -> int | None:
    """The event the page is asked to stop at, by its number or by an instant; None for now."""
    asked, count = request.args.get("as_of", ""), record.count
    if told := request.args.get("when", "").strip():
        last = _last_before(record, told)
        return last if last < count else None
    if not asked.isdecimal() or not 0 < int(asked[:9]) < count:
        return None
    return int(asked[:9])


def _last_before(record: CaseRecord, told: str) -> int:
    """The number of the last event by a written instant; a day alone means its end."""
    day, _, time_ = told.partition(" ")
    until = read_moment(day, time_.strip() or "23:59", ZONE, at())
    if until is None:
        raise BadInput(
            "时间请写成 11月24日 14:00 这样。", "Write the instant like 2026-11-24 14:00."
        )
    until += timedelta(minutes=1)
    seqs = [row.seq for row in record.timeline if row.at < until]
    if not seqs:
        raise BadInput(
            f"那时还没有这件案子，它从 {when(record.opened, 'zh', year=True)} 开始。",
            f"There was no such case then; it began on {when(record.opened, 'en', year=True)}.",
        )
    return seqs[-1]


def _alike(conn: Connection, file: CaseFile) -> Sequence[CaseRecord]:
    """Cases suggested as similar when this one was opened, as far as this person may see them."""
    people = directory(conn)
    suggested = file.record.timeline[0].data.get("similar", ())
    states = read_cases(conn, suggested)
    seen = [other for other in suggested if may_see(states[other], people, by(), at())]
    return [file.record for file in read_files(conn, seen).values()]
