"""The write path of every command: take, ring what is due, decide, append, project.

All in one transaction.

Crash order: nothing is visible before COMMIT; after it the events, the head, the outbox, the
state and the projections are there together. A command that was acknowledged is therefore whole,
and one that was not can be sent again with the same key.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Connection, Integer, Table, Text, bindparam, insert, select

from audit import log
from audit.encoding import timestamp
from audit.entries import Draft, Entry
from audit.log import Head, metadata
from engine import inbox, register
from engine.advance import Context, Effect, advance, open_case
from engine.alarms import alarm_draft, first_due
from engine.calendar_versions import calendar
from engine.definition_sets import load
from engine.directory import Directory
from engine.errors import Conflict, NotFound, Refusal
from engine.people import directory
from engine.process import KERNEL
from engine.replay import replayed
from engine.state import CaseState, from_json

answer_table = Table(
    "answered",
    metadata,
    Column("key", Text, primary_key=True),
    Column("case", Text, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("at", Text, nullable=False),
)

_ANSWER = select(answer_table.c.case, answer_table.c.seq).where(
    answer_table.c.key == bindparam("k")
)
_INSERT_ANSWER = insert(answer_table)

# A command that would ring more clocks than this is caught in one that sets itself again.
MOST_ALARMS = 200


class ClockSetBack(Refusal):
    """The server's clock stands before the last record of the case."""


class UnknownCase(NotFound):
    """There is no such case."""

    def __init__(self, case: str) -> None:
        super().__init__(
            f"没有找到案件 {case}。请核对案件号。", f"There is no case {case}. Check the number."
        )


@dataclass(frozen=True, slots=True)
class Done:
    """What a command did: the case, the number of its last event, and the events it wrote.

    repeated: the key was known; nothing was written, and this is what was answered before.
    """

    case: str
    seq: int
    entries: tuple[Entry, ...] = ()
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class Desk:
    """What a decision may look at: the case as it stands now, its definition, who is who."""

    case: CaseState
    context: Context
    directory: Directory
    at: datetime


Decide = Callable[[Desk], Sequence[Draft]]


def change(
    conn: Connection, case_id: str, decide: Decide, *, at: datetime, key: str | None = None
) -> Done:
    """Run one command on a case.

    decide: pure; looks at the desk and returns the acts to record, or raises a Refusal.
    key: idempotency key; a key seen before is answered as it was then, and nothing is written.
    Raises UnknownCase, ClockSetBack and whatever `decide` or the process refuses; then roll back.
    """
    known = _answered(conn, key)
    if known:
        return known
    work = Work.take(conn, case_id, at)
    work.ring()
    for draft in decide(work.desk()):
        work.record(draft)
    work.finish()
    _remember(conn, key, work)
    return Done(case_id, work.case.seq, tuple(work.entries))


def begin(
    conn: Connection, case_id: str, draft: Draft, context: Context, *, key: str | None = None
) -> Done:
    """Begin a case with its case.opened draft."""
    entry, head = log.place(Head(log.origin(conn), case_id, 0, b"", ""), draft)
    effect = open_case(entry, context)
    work = Work(conn, Head(head.log, case_id, 0, b"", ""), draft.at, None, context)
    work.entries, work.end = [entry], head
    work.take_facts(effect)
    log.write(conn, work.head, work.entries)
    register.enter(conn, work.case, work.entries)
    inbox.project(conn, None, work.case, context.definition)
    _remember(conn, key, work)
    return Done(case_id, work.case.seq, tuple(work.entries))


def read_case(conn: Connection, case_id: str) -> CaseState:
    """The state of a case as of its last event: the stored one if current, else by replay."""
    stored = register.stored_state(conn, case_id)
    head = log.peek(conn, case_id)
    if head is None:
        raise UnknownCase(case_id)
    if stored and stored[:2] == (head, KERNEL):
        return from_json(stored[2])
    return replayed(conn, case_id)


class Work:
    """One command being carried out on one case: what has been placed, and the state after it."""

    def __init__(
        self,
        conn: Connection,
        head: Head,
        at: datetime,
        case: CaseState | None,
        context: Context,
    ) -> None:
        self.conn = conn
        self.head = self.end = head
        self.at = at
        self.before = case
        self._case = case
        self.context = context
        self.entries: list[Entry] = []

    @classmethod
    def take(cls, conn: Connection, case_id: str, at: datetime) -> "Work":
        """Lock the case and read its state; raises UnknownCase, ClockSetBack."""
        head = log.take(conn, case_id)
        if head.seq == 0 or case_id.startswith("@"):
            raise UnknownCase(case_id)
        if timestamp(at) < head.at:
            raise clock_set_back(head.at)
        case = read_case(conn, case_id)
        return cls(conn, head, at, case, context_of(conn, case, at))

    @property
    def case(self) -> CaseState:
        """The case after everything recorded so far."""
        assert self._case is not None  # noqa: S101 - set by take, or by the first effect
        return self._case

    def desk(self) -> Desk:
        """What the decision may look at, after the due clocks have rung."""
        return Desk(self.case, self.context, directory(self.conn), self.at)

    def ring(self) -> int:
        """Record every clock that has run out by now, oldest first; returns how many."""
        rung = 0
        while alarm := first_due(self.case, self.at):
            self.record(alarm_draft(self.case, alarm, self.at))
            rung += 1
            if rung > MOST_ALARMS:
                raise Conflict(
                    "这件案子的时钟不断重新触发，没有生效。请让管理员检查流程定义。",
                    "The clocks of this case keep setting themselves; nothing was done.",
                )
        return rung

    def record(self, draft: Draft) -> None:
        """Place an act behind what is there, and the facts that follow from it."""
        entry, self.end = log.place(self.end, draft)
        self.entries.append(entry)
        self.take_facts(advance(self.case, entry, self.context))

    def take_facts(self, effect: Effect) -> None:
        """Place the facts of an effect; its case is the case from here on."""
        for fact in effect.facts:
            entry, self.end = log.place(self.end, fact)
            self.entries.append(entry)
        self._case = effect.case

    def finish(self) -> None:
        """Write what was placed: log, state, projections."""
        if not self.entries:
            return
        log.write(self.conn, self.head, self.entries)
        register.refresh(self.conn, self.case)
        inbox.project(self.conn, self.before, self.case, self.context.definition)


def context_of(conn: Connection, case: CaseState, at: datetime) -> Context:
    """What a case is judged with now: its pinned definition, today's calendar, the communities."""
    definition = load(conn, case.definition)
    return context_for(conn, definition, case.place[-1], at)


def context_for(conn: Connection, definition: Any, street: str, at: datetime) -> Context:
    """The context of a case of this definition on this street."""
    return Context(definition, calendar(conn), directory(conn).communities(street, at))


def clock_set_back(last: str) -> ClockSetBack:
    """The refusal for a server clock that stands before the last record."""
    return ClockSetBack(
        f"服务器时钟早于本案最后一条记录（{last}），没有生效。请管理员先校准服务器时间。",
        f"The server's clock is before the last record of this case ({last}); nothing was done. "
        "Ask the administrator to set it right.",
    )


def answered(conn: Connection, key: str | None) -> Done | None:
    """What a command with this key was answered before, or None."""
    return _answered(conn, key)


def _answered(conn: Connection, key: str | None) -> Done | None:
    row = conn.execute(_ANSWER, {"k": key}).first() if key else None
    return None if row is None else Done(row.case, row.seq, repeated=True)


def _remember(conn: Connection, key: str | None, work: Work) -> None:
    if key is not None:
        row = {
            "key": key,
            "case": work.case.case,
            "seq": work.case.seq,
            "at": timestamp(work.at),
        }
        conn.execute(_INSERT_ANSWER, row)
