"""Process definitions: what is deployed, how it is drawn, how long steps may take; and new ones.

What is sent is checked before anything is stored: a faulty or hostile one is shown its faults.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from flask import flash, render_template, request, url_for
from sqlalchemy import Connection, Row, select

from audit.encoding import instant
from audit.pinned import sha256
from engine.awaiting import drop
from engine.deadline_classes import DeadlineClass, Span
from engine.definition_sets import UnknownDefinition, deploy, files_of, latest, load, set_table
from engine.definition_uploads import pack, unpack
from engine.definitions import Definition, digest, parse
from engine.directory import DUTIES
from engine.errors import BadInput, Refusal
from engine.findings import Finding
from engine.lint import lint
from web.admin_pages import clerk, pages
from web.quantities import limit
from web.registers import history_of
from web.sent_files import keep_file, kept_file, sent_files
from web.texts import either, language, say
from web.visit import at, reads, see_other, writes

PURPOSE: Final = "definition"
MOST_FINDINGS: Final = 50
MINUTES: Final = {"minutes": 1, "hours": 60}


@dataclass(frozen=True, slots=True)
class Limit:
    """A deadline class in words."""

    id: str
    title: str
    allowed: str
    warnings: str
    then: str
    source: str


@dataclass(frozen=True, slots=True)
class Compared:
    """A file of a set beside the version before: its name and 新增, 有改动 or 删去."""

    name: str
    how: str


@pages.get("/definitions")
def definitions() -> str:
    """All processes with their versions, and where a new one is sent."""
    with reads() as conn:
        sets = _sets(conn)
        drawn = {key: latest(conn, key) for key in dict.fromkeys(row.key for row in sets)}
        told = history_of(conn, ("definitions",), drawn)
    return render_template(
        "admin_definitions.html",
        processes=[(one, [row for row in sets if row.key == key]) for key, one in drawn.items()],
        instant=instant,
        history=told,
        findings=None,
    )


@pages.get("/definitions/<key>/<int:version>")
def definition(key: str, version: int) -> str:
    """One version: its drawing, its steps, its files, and what was changed in it."""
    with reads() as conn:
        found = _version(conn, key, version)
        one = load(conn, found.digest)
        before = files_of(conn, _version(conn, key, version - 1).digest) if version > 1 else {}
    return render_template(
        "admin_definition.html",
        row=found,
        definition=one,
        steps=[(either(t.name, t.name_en), _lane(one, t.lane)) for t in one.tasks.values()],
        files=sorted(one.files),
        compared=compared(before, one.files) if before else [],
        diagram=_diagram(one),
    )


@pages.get("/deadlines")
def deadlines() -> str:
    """The deadline classes of a process in one of its versions, the newest unless asked."""
    asked = request.args.get("set", "")
    with reads() as conn:
        sets = [row for row in _sets(conn) if load(conn, row.digest).classes]
        chosen = next((row for row in sets if row.digest == asked), sets[0] if sets else None)
        one = load(conn, chosen.digest) if chosen else None
        titles = {row.digest: load(conn, row.digest) for row in sets}
    return render_template(
        "admin_deadlines.html",
        sets=[
            (
                row.digest,
                say(
                    "{title}　第 {version} 版",
                    title=either(titles[row.digest].title, titles[row.digest].title_en),
                    version=row.version,
                ),
            )
            for row in sets
        ],
        chosen=chosen,
        definition=one,
        limits=[_limit(c) for c in one.classes.values()] if one else [],
    )


@pages.post("/definitions/files")
def send_definition() -> Any:
    """Check what was sent; without faults it waits for its confirmation."""
    sent = sent_files()
    if not sent:
        raise BadInput("请选 ZIP 或流程文件夹里的文件。", "Choose a ZIP or the files of a folder.")
    files = unpack(sent)
    found = _judged(files)
    if found:
        return render_template(
            "admin_refused.html",
            findings=found[:MOST_FINDINGS],
            count=len(found),
            names=sorted(files),
            language=language(),
        ), 422
    return see_other("admin.next_definition", file=keep_file(PURPOSE, "", pack(files)))


@pages.get("/definitions/next/<file>")
def next_definition(file: str) -> str:
    """What would be deployed, beside the version that holds now."""
    files = unpack([("kept.zip", kept_file(PURPOSE, file).data)])
    one = parse(files)
    with reads() as conn:
        rows = [row for row in _sets(conn) if row.key == one.key]
        same = next((row.version for row in rows if row.digest == digest(files)), None)
        before = files_of(conn, rows[0].digest) if rows else {}
    return render_template(
        "admin_definition_next.html",
        file=file,
        definition=one,
        version=rows[0].version + 1 if rows else 1,
        same=same,
        compared=compared(before, files),
        limits=[_limit(c) for c in one.classes.values()],
    )


@pages.post("/definitions/next/<file>")
def deploy_definition(file: str) -> Any:
    """部署."""
    files = unpack([("kept.zip", kept_file(PURPOSE, file).data)])
    with writes() as conn:
        done = deploy(conn, files, by=clerk(), at=at())
        drop(conn, file)
    flash(
        say("已部署第 {version} 版", version=done.version)
        if done.new
        else say("这套内容就是第 {version} 版，没有变化", version=done.version)
    )
    return see_other("admin.definition", key=done.key, version=done.version)


def compared(before: Mapping[str, bytes], now: Mapping[str, bytes]) -> list[Compared]:
    """The files in which two sets differ."""
    told = []
    for name in sorted(before.keys() | now.keys()):
        if name not in before:
            told.append(Compared(name, say("新增")))
        elif name not in now:
            told.append(Compared(name, say("删去")))
        elif sha256(before[name]) != sha256(now[name]):
            told.append(Compared(name, say("有改动")))
    return told


def _judged(files: Mapping[str, bytes]) -> list[Finding]:
    """The faults of a set; one that cannot even be read has one."""
    found = lint(files)
    if found:
        return found
    try:
        parse(files)
    except Refusal as refused:
        return [Finding("", "unreadable", refused.chinese, refused.english)]
    return []


def _sets(conn: Connection) -> Sequence[Row[Any]]:
    """All deployed sets, by process, newest version first."""
    query = select(set_table).order_by(set_table.c.key, set_table.c.version.desc())
    return conn.execute(query).all()


def _version(conn: Connection, key: str, version: int) -> Row[Any]:
    query = select(set_table).where(set_table.c.key == key, set_table.c.version == version)
    row = conn.execute(query).first()
    if row is None:
        raise UnknownDefinition(
            f"流程 {key} 没有第 {version} 版。", f"There is no version {version} of {key}."
        )
    return row


def _lane(one: Definition, lane: str) -> str:
    drawn = one.lanes[lane]
    duty = either(*DUTIES[drawn.duty]) if drawn.duty in DUTIES else say("任何岗位")
    return say("{lane}（职责：{duty}）", lane=either(drawn.name, drawn.name_en), duty=duty)


def _diagram(one: Definition) -> dict[str, Any]:
    return {
        "source": url_for("cases.diagram", digest=one.digest),
        "done": [], "now": [], "overdue": [], "flags": {},
    }  # fmt: skip


def _limit(one: DeadlineClass) -> Limit:
    then = ""
    if one.grace is not None:
        duty = one.escalate_duty or "supervise"
        then = say(
            "再过{grace}还没办，告知{duty}岗位",
            grace=_span(one.grace),
            duty=either(*DUTIES[duty]),
        )
    return Limit(
        one.id,
        either(one.title, one.title_en),
        _span(Span(one.clock, one.amount, one.unit)),
        say("、").join(f"{percent}%" for percent in one.warn),
        then,
        one.source,
    )


def _span(span: Span) -> str:
    if span.unit in MINUTES:
        return limit(span.amount * MINUTES[span.unit], span.clock, language())
    if language() == "zh":
        words = "个工作日" if span.clock == "working" else "个自然日"
        return f"{span.amount} {words}"
    return f"{span.amount} {'working' if span.clock == 'working' else 'calendar'} days"
