"""Signals: those of one's places, and those of a case, as the page tells them."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from pydantic import Field
from sqlalchemy import Connection

from audit.reports.facts import TimelineRow
from engine.casework import read_cases
from engine.directory import Directory
from engine.people import directory
from engine.signal_queue import SignalPlace, signals_for
from engine.signals import OPEN, Found
from web.api import telling
from web.api.actors import sentence
from web.api.operations import shows, subject
from web.api.shapes import Bilingual, CasePath, Named, Paging, Told
from web.desk import desk_of
from web.records import CaseFile
from web.signal_queue import check_judges
from web.signal_rows import TOLD, Read, judgements, read_for
from web.signal_rules import signal_rules
from web.texts import later
from web.visit import at, by, reads

operations = subject("signals", later("线索"))
SCOPE = "cases:read"


class SignalPaging(Paging):
    """state: whether somebody has judged it, "" for all. rule: B1 …, "" for all."""

    state: Literal["", "open", "confirmed", "dismissed"] = OPEN
    rule: str = Field(default="", max_length=10)


class SignalEntry(Told):
    """An entry that a signal rests on; sentence null: of a confidential case, read it there."""

    case: str
    href: str
    number: str
    seq: int
    at: datetime
    sentence: Bilingual | None


class SignalTold(Told):
    """What a rule found: no verdict, a question with a way out.

    entry: with case and rule its address for judging. others: entries of other cases, unseen: how
    many more that are not told here. own: this person did part of it, so somebody else judges it.
    closed: the case is confidential; its entries are told with the case, where a look leaves a
    trace.
    """

    rule: str
    name: Bilingual
    says: Bilingual
    asks: Bilingual
    innocent: Bilingual
    state: str
    case: str
    href: str
    entry: int
    number: str
    title: str
    unit: Named
    address: str
    entries: list[SignalEntry]
    others: list[SignalEntry]
    unseen: int
    judged: list[SignalEntry]
    own: bool
    closed: bool


class SignalPage(Told):
    """Signals, newest cases first; rules: version of the file of rules, sha256: its digest."""

    items: list[SignalTold]
    rules: int
    sha256: str
    next: str | None


@dataclass(frozen=True, slots=True)
class _Telling:
    """What the telling of several signals shares; closed: cases of which only that is told."""

    read: Read
    people: Directory
    closed: Collection[str]


@shows(operations, "/signals", later("线索：规则找到的、请人看一眼的"), SignalPage, SCOPE)
def signals(query: SignalPaging) -> SignalPage:
    """What was found in the places this person judges."""
    with reads() as conn:
        people = directory(conn)
        check_judges(people)
        found = signals_for(
            conn, people, by(), at(), rule=query.rule, state=query.state,
            limit=query.limit + 1, after=_place(query.after),
        )  # fmt: skip
        shown = found[: query.limit]
        own = read_cases(conn, {one.signal.case for one in shown})
        closed = {case for case, state in own.items() if state.confidential}
        items = _told(conn, shown, people, closed)
    after = _key(shown[-1]) if len(found) > len(shown) else None
    return _page(items, telling.next_href(after))


@shows(
    operations, "/cases/<case_id>/signals", later("一个案件里的线索"), SignalPage, SCOPE
)  # fmt: skip
def of_case(path: CasePath) -> SignalPage:
    """What was found in a case, for whoever may judge it; nothing for anybody else."""
    with reads() as conn:
        desk = desk_of(conn, path.case_id)
        found = signals_for(conn, desk.directory, by(), at(), case=path.case_id)
        return _page(_told(conn, found, desk.directory, ()), None)


# --- telling --------------------------------------------------------------------------------------


def _page(items: list[SignalTold], further: str | None) -> SignalPage:
    rules = signal_rules()
    return SignalPage(items=items, rules=rules.version, sha256=rules.sha256, next=further)


def _key(found: Found) -> str:
    one = found.signal
    return f"{one.case}~{one.events[0]}~{one.rule}"


def _place(after: str | None) -> SignalPlace | None:
    """Where the page before ended; an unreadable place begins anew, as in every list."""
    case, entry, rule = [*(after or "").split("~"), "", "", ""][:3]
    return (case, int(entry), rule) if case and entry.isdecimal() and len(entry) < 10 else None


def _told(
    conn: Connection, found: Sequence[Found], people: Directory, closed: Collection[str]
) -> list[SignalTold]:
    with_ = _Telling(read_for(conn, found, people), people, closed)
    return [_signal(one, with_) for one in found]


def _signal(found: Found, with_: _Telling) -> SignalTold:
    one, rule, read = found.signal, signal_rules()[found.signal.rule], with_.read
    file = read.files[one.case]
    record, closed = file.record, one.case in with_.closed
    rows = [record.timeline[seq - 1] for seq in one.events]
    entries = [] if closed else rows[:TOLD]
    others = [] if closed else list(_others(one.others[:TOLD], read))
    judged = [] if closed else judgements(found, file)
    return SignalTold(
        rule=rule.id,
        name=Bilingual(zh=rule.name, en=rule.name_en),
        says=Bilingual(zh=rule.says, en=rule.says_en),
        asks=Bilingual(zh=rule.asks, en=rule.asks_en),
        innocent=Bilingual(zh=rule.innocent, en=rule.innocent_en),
        state=found.state,
        case=one.case,
        href=telling.case_href(one.case),
        entry=one.events[0],
        number=record.number,
        title=record.title,
        unit=telling.unit(with_.people, record.unit),
        address=record.address,
        entries=[_entry(file, row, read) for row in entries],
        others=others,
        unseen=len(rows) - len(entries) + len(one.others) - len(others),
        judged=[_entry(file, row, read) for row in judged],
        own=any(row.actor.doer.person == by().person for row in rows),
        closed=closed,
    )


def _others(places: Sequence[tuple[str, int]], read: Read) -> Iterator[SignalEntry]:
    for case, seq in places:
        if case in read.files:
            file = read.files[case]
            told = _entry(file, file.record.timeline[seq - 1], read)
            yield told.model_copy(update={"sentence": None}) if case in read.closed else told


def _entry(file: CaseFile, row: TimelineRow, read: Read) -> SignalEntry:
    record, called = file.record, read.called
    return SignalEntry(
        case=record.case,
        href=telling.case_href(record.case),
        number=record.number,
        seq=row.seq,
        at=row.at,
        sentence=sentence(record, row, called),
    )
