"""The cases a case has to do with: the tree they form, how far the parties are, who came first."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from flask import url_for
from sqlalchemy import Connection, or_, select

from audit import log
from audit.reports.facts import CaseRecord
from engine import outbox
from engine.calendar_versions import calendar
from engine.casework import Desk, UnknownCase, read_case, read_cases
from engine.directory import Directory
from engine.inbox import open_steps
from engine.people import directory
from engine.register import register_table
from engine.rights import may_see
from engine.state import CaseState
from web.case_rows import standing
from web.clock import clock_view
from web.frame import moment
from web.records import names, read_file
from web.rows import ToldClock, told_clock
from web.texts import either, say
from web.visit import at, by, reads
from web.wording import Names, party_name

ARRIVED: Final = "response.arrived"
# Of more children than this the ended ones are counted, but for the last.
MANY: Final = 24
FEW: Final = 6


@dataclass(frozen=True, slots=True)
class Relative:
    """One case of the tree; address: "" for one this person may not see, of which nothing is told.

    same: its title is that of the case above. here: the case the page is about. first: it was the
    first to arrive. left_out: children that are counted and not listed.
    """

    address: str
    number: str = ""
    title: str = ""
    same: bool = False
    kind: str = ""
    opened: str = ""
    party: str = ""
    standing: str = ""
    late: bool = False
    ended: bool = False
    clock: ToldClock | None = None
    here: bool = False
    first: bool = False
    below: tuple["Relative", ...] = ()
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class Party:
    """One of those asked, and the number by which they are taken off; removable: still at work."""

    child: int
    name: str
    removable: bool


@dataclass(frozen=True, slots=True)
class Group:
    """Those asked by one step of the process, and how far they are."""

    id: str
    name: str
    words: str
    parties: tuple[Party, ...]


def find_case(typed: str) -> str | None:
    """The id of the case with this number, id or receipt, if this person may see it."""
    told, file = typed.strip(), register_table.c
    alike = or_(file.number == told, file.case == told, file.receipt == told.upper())
    with reads() as conn:
        found = conn.execute(select(file.case).where(alike)).scalar()
        return found if found and _visible(conn, found, directory(conn)) else None


def family(conn: Connection, desk: Desk) -> Relative | None:
    """The tree of related cases as far as this person may see it; None for a case without any."""
    top, hidden = desk.case.case, False
    while above := outbox.parent_of(conn, top):
        if not _visible(conn, above[0], desk.directory):
            hidden = True
            break
        top = above[0]
    if top == desk.case.case and not hidden and not outbox.children_of(conn, [top]):
        return None
    tree = _relative(conn, desk, top)
    return Relative("", below=(tree,)) if hidden else tree


def _relative(
    conn: Connection, desk: Desk, case: str, first: str | None = None, above: str = ""
) -> Relative:
    people = desk.directory
    if not _visible(conn, case, people):
        return Relative("")
    file, called = read_file(conn, case), names(people)
    record = file.record
    children = [child for _, _, child in outbox.children_of(conn, [case])]
    listed = _listed(conn, children, desk.case.case)
    came = first_to_arrive(conn, record, children)
    return Relative(
        address=url_for("cases.page", case_id=case),
        number=record.number,
        title=record.title,
        same=record.title == above,
        kind=either(file.definition.title, file.definition.title_en),
        opened=moment(record.opened),
        party=party_name(record.timeline[0].data.get("party"), called),
        standing=standing(record, called),
        late=any(line.timing.state == "overdue" for line in record.now),
        ended=record.ended is not None,
        clock=_clock(conn, case),
        here=case == desk.case.case,
        first=case == first,
        below=tuple(_relative(conn, desk, child, came, record.title) for child in listed),
        left_out=len(children) - len(listed),
    )


def _listed(conn: Connection, children: Sequence[str], here: str) -> list[str]:
    """Of many children the open ones, the last ones, and the one the page is about."""
    if len(children) <= MANY:
        return list(children)
    file = register_table.c
    query = select(file.case).where(file.case.in_(children), file.ended_at.is_(None))
    kept = {*conn.execute(query).scalars(), *children[-FEW:], here}
    return [child for child in children if child in kept]


def _visible(conn: Connection, case: str, people: Directory) -> bool:
    try:
        return may_see(read_case(conn, case), people, by(), at())
    except UnknownCase:
        return False


def _clock(conn: Connection, case: str) -> ToldClock | None:
    cal = calendar(conn)
    views = (clock_view(row, cal, at()) for row in open_steps(conn, [case]))
    view = next((view for view in views if view is not None), None)
    return told_clock(view) if view else None


def linked_case(record: CaseRecord) -> str | None:
    """The case somebody named as linked when this one was begun."""
    told = record.timeline[0].data["form"].get("linked_case")
    return told if isinstance(told, str) else None


# --- parties ------------------------------------------------------------------------------------


def first_to_arrive(conn: Connection, record: CaseRecord, children: Sequence[str]) -> str | None:
    """首发响应: of the cases a whistle opened, the one that told first that somebody has come.

    By the sender's clock: the order of delivery says nothing.
    """
    if not any(_tells(row.data, row.type, ARRIVED) for row in record.timeline):
        return None
    told = [
        (entry.at, child)
        for child in children
        for entry in log.read(conn, child)
        if entry.type == "message.sent" and entry.data["message"] == ARRIVED
    ]
    return min(told)[1] if told else None


def is_first(conn: Connection, case: str) -> bool:
    """Whether this case is the one that arrived first."""
    above = outbox.parent_of(conn, case)
    if above is None:
        return False
    children = [child for _, _, child in outbox.children_of(conn, [above[0]])]
    return first_to_arrive(conn, read_file(conn, above[0]).record, children) == case


def groups(desk: Desk, record: CaseRecord, called: Names) -> list[Group]:
    """Those this case has asked, step by step of the process, and how far they are."""
    found: dict[str, list[int]] = {}
    for seq, child in desk.case.children.items():
        if child.party:
            found.setdefault(child.group, []).append(int(seq))
    return [_group(desk, record, called, id_, sorted(seqs)) for id_, seqs in found.items()]


def _group(desk: Desk, record: CaseRecord, called: Names, id_: str, seqs: Sequence[int]) -> Group:
    children = {seq: desk.case.children[str(seq)] for seq in seqs}
    drawn = desk.context.definition.elements[id_]
    arrived = {row.data.get("child") for row in record.timeline
               if _tells(row.data, row.type, ARRIVED)}  # fmt: skip
    removed = sum(1 for child in children.values() if child.removed)
    ended = sum(1 for child in children.values() if not child.open and not child.removed)
    units = all(child.party in called.units for child in children.values())
    told = {"count": len(seqs) - removed, "ended": ended, "came": len(arrived & set(seqs))}
    words = _progress(desk.context.definition.sends[id_].to, units, told)
    parties = tuple(
        Party(seq, party_name(child.party, called), child.open and not child.removed)
        for seq, child in children.items()
    )
    return Group(id_, either(drawn.name, drawn.name_en), words, parties)


def _progress(to: str, units: bool, told: Mapping[str, int]) -> str:
    if to == "opens:response":
        return say("{count} 家里 {came} 家已到场，{ended} 家已办结", **told)
    if units:
        return say("{count} 家里 {ended} 家已办结", count=told["count"], ended=told["ended"])
    return say("{count} 人里 {ended} 人已办结", count=told["count"], ended=told["ended"])


def _tells(data: Mapping[str, Any], type_: str, message: str) -> bool:
    return type_ == "message.received" and data.get("message") == message


# --- names for sentences ------------------------------------------------------------------------


def with_cases(
    conn: Connection,
    called: Names,
    record: CaseRecord,
    people: Directory,
    *,
    sees: Callable[[CaseState], bool] | None = None,
) -> Names:
    """The names, and those of the cases this record speaks of, as far as the reader may see them.

    A case they may not see is named by nothing. sees: whether they may; by default, whoever asks.
    """
    sees = sees or partial(_sees, people)
    (told,) = with_cases_each(conn, called, [record], sees)
    return told


def with_cases_each(
    conn: Connection,
    called: Names,
    records: Sequence[CaseRecord],
    sees: Callable[[CaseState], bool],
) -> list[Names]:
    """The same for each of these records, in as many questions as for one."""
    sent = _addressed(conn, records)
    spoken = [{*sent[one.case].values(), *_spoken_of(one)} for one in records]
    states = read_cases(conn, {case for cases in spoken for case in cases})
    numbers = {case: state.number if sees(state) else "" for case, state in states.items()}
    return [
        replace(called, cases={case: numbers.get(case, "") for case in sorted(cases)},
                sent=sent[record.case])
        for record, cases in zip(records, spoken, strict=True)
    ]  # fmt: skip


def _sees(people: Directory, state: CaseState) -> bool:
    return may_see(state, people, by(), at())


def _addressed(conn: Connection, records: Sequence[CaseRecord]) -> dict[str, dict[int, str]]:
    """By case: numbers of its message.sent, and the cases they are for."""
    sending = {one.case for one in records
               if any(row.type == "message.sent" for row in one.timeline)}  # fmt: skip
    if not sending:
        return {one.case: {} for one in records}
    children: dict[str, dict[int, str]] = {}
    for parent, seq, child in outbox.children_of(conn, sending):
        children.setdefault(parent, {})[seq] = child
    above = outbox.parents_of(conn, sending)
    return {
        one.case: dict(_addresses(one, children.get(one.case, {}), above.get(one.case)))
        for one in records
    }


def _addresses(
    record: CaseRecord, children: Mapping[int, str], above: str | None
) -> Iterator[tuple[int, str]]:
    for row in record.timeline:
        kind, _, which = row.data["to"].partition(":") if row.type == "message.sent" else ("",) * 3
        found = {
            "opens": children.get(row.seq),
            "child": children.get(int(which)) if which.isdecimal() else None,
            "parent": above,
            "case": which,
        }.get(kind)
        if found:
            yield row.seq, found


def _spoken_of(record: CaseRecord) -> Iterator[str]:
    for row in record.timeline:
        told = (row.data.get("origin") or {}).get("case")
        told = told or (row.data.get("case") if row.type == "extract.attached" else None)
        if isinstance(told, str):
            yield told
        linked = (row.data.get("form") or {}).get("linked_case")
        if isinstance(linked, str):
            yield linked
