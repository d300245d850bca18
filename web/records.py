"""A case read for a page: its record, its definition, and the names behind the pseudonyms."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from markupsafe import Markup
from sqlalchemy import Connection

from audit import log
from audit.entries import Entry
from audit.reports.case import case_record
from audit.reports.facts import CaseRecord, Responsibility, TimelineRow
from engine.casework import UnknownCase, read_cases
from engine.definition_sets import load
from engine.definitions import Definition
from engine.directory import Directory
from engine.exports import element_facts
from engine.state import CaseState
from web import moments
from web.quantities import ZONE
from web.texts import either, language, say, say_html
from web.visit import at
from web.wording import MARKS, NOUNS, Names, five_words, person_words


@dataclass(frozen=True, slots=True)
class CaseFile:
    """What the log says of a case, and the definition it is pinned to."""

    record: CaseRecord
    definition: Definition


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of 五责格: its character, state (done, now, todo), tone (near, late or "")."""

    mark: str
    state: str
    tone: str
    was_late: bool
    words: str


def read_file(conn: Connection, case_id: str, *, up_to: int | None = None) -> CaseFile:
    """The record of a case as of its last event, or of its first `up_to`, read from its bytes now.

    Raises UnknownCase.
    """
    if up_to is None:
        told = _read_files(conn, [case_id] if not case_id.startswith("@") else [])
        if case_id not in told:
            raise UnknownCase(case_id)
        return told[case_id]
    entries = log.read(conn, case_id)[:up_to]
    # Registers (@people, @accounts, …) are streams too, but no cases.
    if not entries or case_id.startswith("@"):
        raise UnknownCase(case_id)
    return _folded(conn, entries)


# Records lately read, by the hash of their last event: immutable, and true wherever that hash is
# the head. A list of an inbox is opened again and again, and mostly nothing of it has moved; the
# page of a case reads what is stored.
MOST_KEPT: Final = 400
# Of all of them together, since a case may have thousands: a row takes some two kilobytes.
MOST_ROWS: Final = 10_000
_kept: dict[bytes, CaseFile] = {}


def read_files(conn: Connection, cases: Collection[str]) -> dict[str, CaseFile]:
    """The records of these cases as of their last events, in as many questions as for one.

    Raises UnknownCase.
    """
    heads = log.heads(conn, [case for case in cases if not case.startswith("@")])
    for case in cases:
        if case not in heads:
            raise UnknownCase(case)
    # Asked once each: another request may drop a record between two questions.
    looked = {case: _kept.get(hash_) for case, hash_ in heads.items()}
    found = {case: file for case, file in looked.items() if file is not None}
    fresh = _read_files(conn, [case for case in heads if case not in found])
    _keep({heads[case]: file for case, file in fresh.items()})
    told = found | fresh
    return {case: told[case] for case in cases}


def _read_files(conn: Connection, cases: Sequence[str]) -> dict[str, CaseFile]:
    told = log.read_each(conn, cases)
    files = {case: _folded(conn, entries) for case, entries in told.items()}
    waiting = read_cases(conn, [case for case, file in files.items() if file.record.waiting])
    still = {case: _still_waiting(files[case].record, state) for case, state in waiting.items()}
    return files | {case: replace(files[case], record=record) for case, record in still.items()}


def _folded(conn: Connection, entries: Sequence[Entry]) -> CaseFile:
    definition = load(conn, entries[0].data["definition"]["sha256"])
    return CaseFile(case_record(entries, element_facts(definition)), definition)


def _keep(files: Mapping[bytes, CaseFile]) -> None:
    _kept.update(files)
    known = list(_kept.items())
    count, rows = len(known), sum(len(file.record.timeline) for _, file in known)
    for hash_, file in known:
        if count <= MOST_KEPT and rows <= MOST_ROWS:
            break
        _kept.pop(hash_, None)
        count, rows = count - 1, rows - len(file.record.timeline)


def _still_waiting(record: CaseRecord, state: CaseState) -> CaseRecord:
    """The record without timers drawn on what is over: no entry says that they are gone."""
    live = state.timers
    return replace(record, waiting=tuple(rest for rest in record.waiting if rest.timer in live))


# The register stays one object until it changes (engine.people.directory), and with it its names:
# of a city's people they would take longer to gather for each page than all else.
_named: list[tuple[Directory, Names]] = []


def names(people: Directory) -> Names:
    """The names of everybody and everything, for sentences."""
    for register, known in _named:
        if register is people:
            return known
    told = Names(
        people.names,
        {unit.id: unit.name for unit in people.units.values()},
        {post.id: post.title for post in people.posts.values()},
    )
    _named[:] = [(people, told)]
    return told


def five_cells(record: CaseRecord, tone: str = "") -> tuple[Cell, ...]:
    """The five duties of a case, none where its process has no such duties.

    tone: how the clock of the step at hand stands.
    """
    if not any(facts.duty5 for facts in record.elements.values()):
        return ()
    return tuple(_cell(duty.duty5, duty.state, duty.was_late, tone) for duty in record.five)


def _cell(duty5: str, state: str, was_late: bool, tone: str) -> Cell:
    locale = language()
    tone = tone if state == "now" and tone in ("near", "late") else ""
    # What is overdue now is not "was overdue" beside it.
    before = was_late and tone != "late"
    told = five_words(state, before, locale)
    told += {"near": say("，快到时限"), "late": say("，已逾期"), "": ""}[tone]
    words = f"{either(*NOUNS[duty5])}{say('：')}{told}"
    return Cell(MARKS[duty5], state, tone, before, words)


def line_of(record: CaseRecord, task: str) -> Responsibility | None:
    """The line of the responsibility table for one step."""
    return next((line for line in record.responsibility if line.task == task), None)


def handed_over(record: CaseRecord, task: str, called: Names) -> Markup | str:
    """Who put this step into its hands, and when: 李演示（听澜街道·应急办）指派，11月21日 09:02."""
    line = line_of(record, task)
    if line is None:
        return ""
    last = line.hands[-1] if line.hands else None
    if last and last.how in ("delegated", "reassigned"):
        return _act(record, record.timeline[last.seq - 1], say("转交"), called)
    opened = record.timeline[line.opened_seq - 1]
    cause = record.timeline[opened.cause - 1] if opened.cause else opened
    return _act(record, cause, _verb(record, cause), called)


def _act(record: CaseRecord, row: TimelineRow, verb: str, called: Names) -> Markup:
    when = moments.moment(row.at, ZONE, at(), language())
    if row.actor.person is None and record.source != "resident":
        return say_html("{verb}，<span class=num>{when}</span>", verb=verb, when=when)
    source = record.source if row.type == "case.opened" else ""
    person, where = person_words(row.actor, called, language(), source=source)
    place = say("（{where}）", where=where) if where else ""
    return say_html(
        "{person}{place}{verb}，<span class=num>{when}</span>",
        person=person, place=place, verb=verb, when=when,
    )  # fmt: skip


def _verb(record: CaseRecord, row: TimelineRow) -> str:
    turned = {
        "task.returned": say("退回"),
        "task.withdrawn": say("撤回"),
        "objection.raised": say("提出异议"),
        "result.disputed": say("不认可结果"),
        "case.reopened": say("重开"),
        "party.added": say("加签"),
        "message.received": say("来消息"),
        "timer.fired": say("到期"),
    }
    if row.type in turned:
        return turned[row.type]
    if row.type == "case.opened":
        begun = record.elements["report"]
        if begun.duty5 is None:
            return either(begun.name, begun.name_en)
        return say("代录上报") if record.source == "proxy" else say("上报")
    facts = record.elements.get(row.element or "")
    return either(facts.verb, facts.verb_en) if facts else ""
