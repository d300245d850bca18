"""请人看一眼: a signal as a card: a question, how it may be nothing, the entries, who judged."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from flask import url_for
from markupsafe import Markup
from sqlalchemy import Connection

from audit.reports.facts import TimelineRow
from audit.signals.brief import JUDGEMENTS
from engine.casework import read_cases
from engine.directory import Directory
from engine.rights import may_see
from engine.signal_queue import signals_for
from engine.signals import Found
from web.frame import moment
from web.records import CaseFile, names, read_files
from web.sentences import markup, timeline_sentence
from web.signal_rules import signal_rules
from web.texts import either, language, say
from web.visit import at, by
from web.wording import Names

# So many entries of one case, and of others, are written out; the case has all of them.
TOLD = 8


@dataclass(frozen=True, slots=True)
class Told:
    """An entry as a sentence; address "": of a case that whoever looks may not see."""

    when: str
    said: Markup | str
    number: str
    address: str


@dataclass(frozen=True, slots=True)
class SignalCard:
    """A signal to look at.

    mine: about what whoever looks did, so that somebody else judges it. closed: what it rests on
    is not told here.
    """

    rule: str
    name: str
    asks: str
    innocent: str
    says: str
    state: str
    case: str
    entry: int
    number: str
    title: str
    place: str
    address: str
    told: tuple[Told, ...]
    others: tuple[Told, ...]
    more: int
    judged: tuple[Told, ...]
    mine: bool
    closed: bool = False


def signal_cards(conn: Connection, found: Sequence[Found], people: Directory) -> list[SignalCard]:
    """These signals as cards, in their order; of a confidential case only that there is one.

    What its entries say is read on its page, where reading leaves a trace.
    """
    own = read_cases(conn, {one.signal.case for one in found})
    made = _cards(conn, found, people)
    return [
        replace(one, told=(), others=(), more=0, judged=(), closed=True)
        if own[one.case].confidential
        else one
        for one in made
    ]


@dataclass(frozen=True, slots=True)
class Read:
    """What signals speak of: the files one may see by case, which others are closed, the names."""

    files: dict[str, CaseFile]
    closed: Collection[str]
    called: Names


def read_for(conn: Connection, found: Sequence[Found], people: Directory) -> Read:
    """Read what these signals speak of, of other cases only what whoever looks may see."""
    other = {case for one in found for case, _ in one.signal.others[:TOLD]}
    states = read_cases(conn, other)
    seen = {case for case, state in states.items() if may_see(state, people, by(), at())}
    files = read_files(conn, seen | {one.signal.case for one in found})
    closed = {case for case, state in states.items() if state.confidential}
    return Read(files, closed, names(people))


def judgements(found: Found, file: CaseFile) -> Iterable[TimelineRow]:
    """What people found of a signal: entries of its case."""
    one = found.signal
    return [
        row
        for row in file.record.timeline
        if row.type in JUDGEMENTS
        and (row.data["rule"], row.data["entry"]) == (one.rule, one.events[0])
    ]


def _cards(conn: Connection, found: Sequence[Found], people: Directory) -> list[SignalCard]:
    read = read_for(conn, found, people)
    return [_card(one, read, people) for one in found]


def signals_of(conn: Connection, case: str, people: Directory) -> list[SignalCard]:
    """What was found in one case, for whoever may look into it."""
    return _cards(conn, signals_for(conn, people, by(), at(), case=case), people)


def _card(found: Found, read: Read, people: Directory) -> SignalCard:
    one, rule = found.signal, signal_rules()[found.signal.rule]
    file, called = read.files[one.case], read.called
    record = file.record
    rows = [record.timeline[seq - 1] for seq in one.events]
    others = tuple(_other(case, seq, read) for case, seq in one.others[:TOLD])
    return SignalCard(
        rule=rule.id,
        name=either(rule.name, rule.name_en),
        asks=either(rule.asks, rule.asks_en),
        innocent=either(rule.innocent, rule.innocent_en),
        says=either(rule.says, rule.says_en),
        state=found.state,
        case=one.case,
        entry=one.events[0],
        number=record.number,
        title=record.title,
        place=record.address or people.unit(record.unit).name,
        address=url_for("cases.page", case_id=one.case),
        told=tuple(_told(file, row, called) for row in rows[:TOLD]),
        others=others,
        more=len(rows[TOLD:]) + len(one.others[TOLD:]),
        judged=tuple(_told(file, row, called) for row in judgements(found, file)),
        mine=any(row.actor.doer.person == by().person for row in rows),
    )


def _told(file: CaseFile, row: TimelineRow, called: Names) -> Told:
    said = markup(timeline_sentence(file.record, row, called, language()))
    address = url_for("cases.page", case_id=file.record.case, _anchor=f"e{row.seq}")
    return Told(moment(row.at), said, f"#{row.seq}", address)


def _other(case: str, seq: int, read: Read) -> Told:
    """An entry of another case; of a confidential one only where it is: a look leaves a trace."""
    if case not in read.files:
        return Told("", "", "", "")
    file = read.files[case]
    told = _told(file, file.record.timeline[seq - 1], read.called)
    closed = case in read.closed
    said = say("保密的案件：打开案件看依据，看了会留下记录。") if closed else told.said
    return Told(told.when, said, f"{file.record.number} #{seq}", told.address)
