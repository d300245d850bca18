"""谁做了什么: acts on cases as sentences, each linked to its record, as far as one may see them.

A search by person is sent as a form and recorded first; its number then stands in the address, so
that a link alone makes nobody look anybody up.
"""

import csv
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import StringIO
from typing import Any, Final

from flask import Blueprint, Response, render_template, request, url_for
from flask_login import login_required
from markupsafe import Markup
from sqlalchemy import Connection
from werkzeug.wrappers import Response as AnyResponse

from audit.reports.facts import Timing
from engine.act_search import PAGE, ActQuery, ActsPage, search_acts
from engine.directory import Directory
from engine.errors import BadInput
from engine.inquiries import record_acts_export, record_search, searched
from engine.people import directory
from engine.rights import places_seen, watches
from web.act_kinds import Kind, kind_of, offered, processes
from web.acts_found import IN_TIME, Act, act_query, acts_found
from web.confirming import confirmed
from web.desk import unit_groups, unit_name
from web.frame import moment
from web.quantities import ZONE
from web.sentences import markup, plain, timeline_sentence
from web.texts import language, later, say
from web.visit import at, by, reads, see_other, surveys, writes
from web.wording import Segment, over

pages = Blueprint("act_search", __name__)

# What narrows a search, in the order in which the chips say it.
FILTERS: Final = ("unit", "title", "place", "kind", "process", "late", "since", "until")
MOST_ROWS: Final = 2000
PLACES: Final = frozenset({"community", "general_grid", "micro_grid", "exclusive_grid"})


class TooManyActs(BadInput):
    """More was found than one file may hold."""

    def __init__(self) -> None:
        super().__init__(
            f"查到的超过 {MOST_ROWS} 条，没有导出。请缩小范围，比如只选一个月。",
            f"More than {MOST_ROWS} acts were found; nothing was exported. Narrow the search, to "
            "one month for instance.",
        )


@dataclass(frozen=True, slots=True)
class Asked:
    """What this request asks for: who, by the number of a recorded search, and what narrows it."""

    search: str
    person: str
    told: dict[str, str]
    kind: Kind | None
    query: ActQuery


@dataclass(frozen=True, slots=True)
class ActRow:
    """One act that was found; state, words: in time or late, "" for what had no clock."""

    when: str
    said: Markup
    title: str
    number: str
    address: str
    seq: int
    state: str
    words: str


@dataclass(frozen=True, slots=True)
class Chip:
    """One condition in words, and the address without it."""

    words: str
    address: str


@pages.get("/acts")
@login_required  # type: ignore[untyped-decorator]
def page() -> str:
    """What was done, newest first."""
    with surveys() as conn:
        people = directory(conn)
        asked = _asked(conn, people)
        found = _found(conn, people, asked.query, request.args.get("after"), PAGE)
        rows = [_row(act) for act in acts_found(conn, people, found)]
        return _shown(conn, people, asked, rows, found.after)


@pages.post("/acts")
@login_required  # type: ignore[untyped-decorator]
def ask() -> Any:
    """Ask: a person is looked up only after that is on the record."""
    wanted = request.form.get("who", "").strip()[:50]
    with reads() as conn:
        people = directory(conn)
        before = _searched(conn, request.form.get("search", ""))
        meant = [request.form["person"]] if "person" in request.form else _named(people, wanted)
        if wanted and len(meant) != 1:
            asked = _asked(conn, people, told=request.form)
            return _shown(conn, people, asked, None, None, wanted, meant), 422
    told = {name: value for name in FILTERS if (value := request.form.get(name, "").strip())}
    if not meant:
        return see_other("act_search.page", **told)
    if meant[0] == before:
        return see_other("act_search.page", search=request.form["search"], **told)
    with writes() as conn:
        number = record_search(conn, meant[0], by=by(), at=at())
    return see_other("act_search.page", search=number, **told)


@pages.post("/acts/export")
@login_required  # type: ignore[untyped-decorator]
@confirmed(later("导出查询结果"))
def export() -> AnyResponse:
    """What was found as a file, once that it leaves is on the record."""
    with reads() as conn:
        people = directory(conn)
        asked = _asked(conn, people, told=request.form)
        found = _found(conn, people, asked.query, None, MOST_ROWS)
        if found.after:
            raise TooManyActs
        acts = acts_found(conn, people, found)
        content = "\ufeff" + _as_csv(acts, people)
    sent = content.encode()
    with writes() as conn:
        record_acts_export(
            conn, rows=len(acts), sha256=hashlib.sha256(sent).hexdigest(),
            purpose=request.form.get("purpose", ""), person=asked.person or None,
            by=by(), at=at(),
        )  # fmt: skip
    response = Response(sent, mimetype="text/csv")
    name = f"acts-{at().astimezone(ZONE):%Y%m%d-%H%M}.csv"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


# --- what is asked --------------------------------------------------------------------------------


def _asked(conn: Connection, people: Directory, told: Any = None) -> Asked:
    given = request.args if told is None else told
    kept = {name: value for name in FILTERS if (value := given.get(name, "").strip()[:100])}
    search = given.get("search", "")
    person = _searched(conn, search) or ""
    kind = kind_of(conn, kept["kind"]) if "kind" in kept else None
    return Asked(
        search if person else "", person, kept, kind, act_query(people, person, kept, kind)
    )


def _searched(conn: Connection, number: str) -> str | None:
    if not number:
        return None
    return searched(conn, int(number[:12]) if number.isdecimal() else 0, by=by(), at=at())


def _named(people: Directory, wanted: str) -> list[str]:
    """Who is called so; where nobody is exactly, whose name holds it."""
    if not wanted:
        return []
    exact = [person for person, name in people.names.items() if name == wanted]
    return exact or [person for person, name in people.names.items() if wanted in name]


# --- what is found --------------------------------------------------------------------------------


def _found(
    conn: Connection, people: Directory, query: ActQuery, after: str | None, limit: int
) -> ActsPage:
    return search_acts(conn, query, people, by=by(), at=at(), after=after, limit=limit)


def _row(act: Act) -> ActRow:
    state, words = _state(act.row.timing)
    return ActRow(
        when=moment(act.row.at),
        said=markup(_sentence(act), link=lambda case: url_for("cases.page", case_id=case)),
        title=act.record.title,
        number=act.record.number,
        address=f"{url_for('cases.page', case_id=act.record.case)}#e{act.row.seq}",
        seq=act.row.seq,
        state=state,
        words=words,
    )


def _sentence(act: Act) -> list[Segment]:
    return timeline_sentence(act.record, act.row, act.called, language())


def _state(timing: Timing | None) -> tuple[str, str]:
    if timing is None or timing.state not in ("in_time", "late"):
        return "", ""
    if timing.state == "in_time":
        return "ok", say("按时")
    return "late", over(timing, language()) if timing.late else say("曾逾期")


# --- the page -------------------------------------------------------------------------------------


def _shown(
    conn: Connection,
    people: Directory,
    asked: Asked,
    rows: Sequence[ActRow] | None,
    after: str | None,
    wanted: str = "",
    meant: Sequence[str] = (),
) -> str:
    places = [unit for unit in places_seen(people, by(), at())
              if people.unit(unit).kind in PLACES]  # fmt: skip
    return render_template(
        "acts.html",
        asked=asked,
        who=wanted or (people.name(asked.person) if asked.person else ""),
        rows=rows,
        next=_address(asked, after=after) if after else None,
        chips=list(_chips(conn, people, asked)),
        wanted=wanted,
        meant=[(person, _introduced(people, person)) for person in meant[:20]],
        units=unit_groups(people, people.units),
        places=unit_groups(people, places),
        titles=[(title, title) for title in sorted({p.title for p in people.posts.values()})],
        kinds=offered(conn),
        processes=processes(conn),
        watches=watches(people, by(), at()),
    )


def _introduced(people: Directory, person: str) -> str:
    """王演示（听涛社区·一般网格长）: with the post they hold now, to tell namesakes apart."""
    posts = [f"{people.unit(post.unit).name}·{post.title}"
             for post in people.posts_of(person, at())[:1]]  # fmt: skip
    where = posts[0] if posts else say("现在没有岗位")
    return say("{person}（{where}）", person=people.name(person), where=where)


def _chips(conn: Connection, people: Directory, asked: Asked) -> Iterator[Chip]:
    if asked.person:
        words = say("谁：{name}", name=people.name(asked.person))
        yield Chip(words, url_for("act_search.page", **_told(asked.told)))
    for name, value in asked.told.items():
        words = _chip_words(conn, people, asked, name, value)
        yield Chip(words, _address(asked, leave_out=name))


def _chip_words(conn: Connection, people: Directory, asked: Asked, name: str, value: str) -> str:
    unit = unit_name(people, value) if value in people.units else value
    match name:
        case "unit":
            return say("单位：{unit}", unit=unit)
        case "place":
            return say("地点：{unit}", unit=unit)
        case "kind":
            return say("做了：{kind}", kind=asked.kind.words if asked.kind else value)
        case "process":
            return say("流程：{title}", title=dict(processes(conn)).get(value, value))
        case "title":
            return say("岗位：{title}", title=value)
        case "late":
            return say("按时办完的") if value == IN_TIME else say("超时办完的")
        case "since":
            return say("从 {day}", day=value)
        case _:
            return say("到 {day}", day=value)


def _address(asked: Asked, *, leave_out: str = "", after: str | None = None) -> str:
    told = {name: value for name, value in asked.told.items() if name != leave_out}
    return url_for("act_search.page", **_told(told, search=asked.search, after=after or ""))


def _told(told: dict[str, str], **more: str) -> dict[str, Any]:
    return {name: value for name, value in {**more, **told}.items() if value}


# --- the file -------------------------------------------------------------------------------------


def _as_csv(acts: Sequence[Act], people: Directory) -> str:
    out = StringIO()
    lines = csv.writer(out, lineterminator="\r\n")
    lines.writerow([
        say("时间"), say("案件号"), say("记录"), say("案件"), say("谁"), say("单位"), say("岗位"),
        say("代谁"), say("经过"), say("时钟"), say("用时（分钟）"), say("时限（分钟）"),
        say("超（分钟）"),
    ])  # fmt: skip
    lines.writerows([formula_safe(cell) for cell in _cells(act, people)] for act in acts)
    return out.getvalue()


def _cells(act: Act, people: Directory) -> list[str]:
    actor, timing = act.row.actor, act.row.timing
    measured = timing if timing and timing.state in ("in_time", "late") else Timing()
    clocks = {"natural": say("自然时间"), "working": say("工作时间")}
    absent = act.called.person(actor.on_behalf_of, language()) if actor.on_behalf_of else ""
    return [
        f"{act.row.at.astimezone(ZONE):%Y-%m-%d %H:%M:%S}",
        act.record.number,
        f"#{act.row.seq}",
        act.record.title,
        act.called.person(actor.person, language()),
        act.called.unit(actor.unit),
        act.called.post(actor.post),
        absent,
        plain(_sentence(act)),
        clocks.get(measured.clock or "", ""),
        *("" if value is None else str(value) for value in (measured.used, measured.allowed)),
        str(measured.late) if measured.clock else "",
    ]


def formula_safe(cell: str) -> str:
    """A cell no spreadsheet takes for a formula: what people wrote stays text."""
    return f"'{cell}" if cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) else cell
