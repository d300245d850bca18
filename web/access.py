"""Who looked at a case, who was kept out of it, which reports of it left, and whether those hold.

In sentences; whoever may not see the case reads nothing of what is in it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Final

from flask import Blueprint, render_template, request
from flask_login import login_required
from markupsafe import Markup
from sqlalchemy import Connection

from audit.entries import Entry
from audit.reports.case import actor_of
from audit.reports.facts import Actor, TimelineRow
from engine.casework import look
from engine.errors import BadInput
from engine.export_checks import Rechecked, exports_of, recheck
from engine.rights import check_may_see_looks, may_see
from engine.viewings import Look, looks_at
from web.frame import day, moment, time_of_day
from web.quantities import ZONE
from web.records import CaseFile, names, read_file
from web.sentences import Names, markup, timeline_sentence
from web.texts import either, language, say, say_html
from web.visit import at, by, reads
from web.wording import SIGHTS, element_name, person_words

pages = Blueprint("access", __name__)

# Answers of this name say who is to be kept out (forms of a process drawn with `exclude`).
RECUSED: Final = "recused"
BADGES: Final = {"holds": "ok", "fails": "bad", "unknown": "none"}


@dataclass(frozen=True, slots=True)
class Told:
    """A sentence, when it was, and the number of the entry that says so; None where none does."""

    time: str
    said: Markup
    seq: int | None


@dataclass(frozen=True, slots=True)
class Export:
    """A report that left the house; checked: what came out when it was computed again."""

    seq: int
    said: Markup
    purpose: str
    sha256: str
    digest: str
    size: int | None
    badge: str
    verdict: tuple[str, ...]


@pages.get("/cases/<case_id>/access")
@login_required  # type: ignore[untyped-decorator]
def page(case_id: str) -> str:
    """Who looked, who was kept out, what left the house."""
    with reads() as conn:
        desk = look(conn, case_id, at())
        people = desk.directory
        check_may_see_looks(desk.case, people, by(), at())
        sees = may_see(desk.case, people, by(), at())
        called, file = names(people), read_file(conn, case_id)
        looks, exports = looks_at(conn, case_id), exports_of(conn, case_id)
        checked = _checked(conn, case_id)
    return render_template(
        "access.html",
        case=desk.case,
        sees=sees,
        days=_days(looks, called),
        persons=len({one.person for one in looks}),
        recusals=[_recusal(file, row, called, sees=sees) for row in _recusals(file)],
        exports=[_export(one, called, checked.get(one.seq)) for one in exports],
    )


def _checked(conn: Connection, case_id: str) -> dict[int, Rechecked]:
    """What was asked to be computed again: one report, by the number of its record."""
    asked = request.args.get("check", "")
    if not asked:
        return {}
    if not asked.isdecimal():
        raise BadInput("请从列出的导出里选一次来核对。", "Choose one of the exports listed.")
    seq = int(asked[:9])
    return {seq: recheck(conn, case_id, seq)}


# --- looks ----------------------------------------------------------------------------------------


def _days(looks: Sequence[Look], called: Names) -> list[tuple[str, list[Told]]]:
    grouped = groupby(looks, key=lambda one: one.at.astimezone(ZONE).date())
    return [(day(on), [_look(one, called) for one in group]) for on, group in grouped]


def _look(one: Look, called: Names) -> Told:
    actor = Actor(one.person, one.post, one.unit, None, one.on_behalf_of)
    said = say_html("<b>{who}</b>看了{what}。", who=_who(actor, called), what=_what(one))
    return Told(_span(one.at, one.until), said, one.seq)


def _span(first: datetime, last: datetime) -> str:
    start, end = time_of_day(first), time_of_day(last)
    return start if start == end else f"{start}–{end}"


def _what(one: Look) -> str:
    """案件页、证据照片 2 张: each kind once, files counted."""
    counted: dict[str, int] = {}
    for sight in one.sights:
        counted[sight.what] = counted.get(sight.what, 0) + 1
    return say("、").join(_counted(what, count) for what, count in counted.items())


def _counted(what: str, count: int) -> str:
    words = either(*SIGHTS.get(what, (what, what)))
    return say("{what} {count} 份", what=words, count=count) if count > 1 else words


def _who(actor: Actor, called: Names) -> str:
    person, where = person_words(actor, called, language())
    return say("{person}（{where}）", person=person, where=where) if where else person


# --- recusals -------------------------------------------------------------------------------------


def _recusals(file: CaseFile) -> Iterator[TimelineRow]:
    """What was said about who is kept out: declared, demanded, ruled."""
    asked = {id_ for id_, facts in file.record.elements.items() if RECUSED in facts.fields}
    for row in file.record.timeline:
        demanded = row.type == "recusal.demanded"
        if demanded or (row.type == "task.completed" and row.element in asked):
            yield row


def _recusal(file: CaseFile, row: TimelineRow, called: Names, *, sees: bool) -> Told:
    if sees:
        said = markup(timeline_sentence(file.record, row, called, language()))
    else:
        # Whoever may not see the case is told that it was said, and by whom: not what.
        step = element_name(file.record, row.element, language())
        said = say_html("<b>{who}</b>：{step}。", who=_who(row.actor, called), step=step)
    return Told(moment(row.at), said, row.seq)


# --- exports --------------------------------------------------------------------------------------


def _export(entry: Entry, called: Names, found: Rechecked | None) -> Export:
    told = entry.data
    actor = actor_of(entry)
    who = _who(actor, called) if actor.person else say("服务器管理者")
    return Export(
        entry.seq,
        say_html(
            "<b>{who}</b>导出责任报告，{pages} 页，<span class=num>{when}</span>。",
            who=who, pages=told["pages"], when=moment(entry.at),
        ),
        told["purpose"],
        told["sha256"],
        told.get("digest", ""),
        told.get("size"),
        BADGES[found.outcome] if found else "none",
        tuple(_verdict(found, entry)) if found else (),
    )  # fmt: skip


def _verdict(found: Rechecked, entry: Entry) -> Iterator[str]:
    """What was compared and what came out, a sentence each."""
    if found.problem is not None:
        yield say("第 {seq} 条记录本身就核对不符：{what}。", seq=found.problem.seq,
                  what=found.problem.what)  # fmt: skip
    elif found.at is None:
        yield say("报告所依据的末条记录，本案里已经没有。")
    elif found.content == "holds":
        yield say("用前 {count} 条记录重算，内容摘要与导出时一样。", count=found.at)
    elif found.content == "fails":
        yield say("用前 {count} 条记录重算，内容摘要是 {digest}，与导出时不一样。",
                  count=found.at, digest=found.digest)  # fmt: skip
    else:
        yield say(
            "导出时没有记内容摘要，或当时的算法与现在不同，不能直接比。"
            "今天重算是 {digest}，请与报告末页印的核对。", digest=found.digest,
        )  # fmt: skip
    size = entry.data.get("size")
    if found.tree == "holds":
        yield say("报告上的检查点（{size} 条）与今天的见证树一致。", size=size)
    elif found.tree == "fails":
        yield say("报告上的检查点（{size} 条）与今天的见证树不一致。", size=size)
    else:
        yield say("导出时报告上还没有检查点，这一项没有可比的。")
    if found.outcome == "fails":
        yield say("请保存那份报告，不要再改动服务器，告诉管理员和见证单位。")
