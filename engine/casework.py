"""The write path of every command: take, ring what is due, decide, append, project.

All in one transaction.

Crash order: nothing is visible before COMMIT; after it the events, the head, the outbox, the
state and the projections are there together. A command that was acknowledged is therefore whole,
and one that was not can be sent again with the same key.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Connection, Integer, Table, Text, bindparam, insert, select

from audit import log
from audit.encoding import instant, timestamp
from audit.entries import LARGEST_BODY, BodyTooLarge, Draft, Entry
from audit.log import Head, metadata
from audit.statements import Statement, sent_together
from engine import acts, inbox, news, outbox, register, taking_part
from engine.advance import Context, Effect, advance, open_case
from engine.alarms import alarm_draft, first_due, joins_met
from engine.calendar_versions import calendar
from engine.definition_sets import load
from engine.definitions import Definition
from engine.directory import Directory
from engine.errors import Conflict, NotFound, Refusal
from engine.forms import FieldError, FormRefused
from engine.people import directory
from engine.process import KERNEL
from engine.register import register_table
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


def _column(register: str) -> str:
    """The name of the column of `_STATE` that tells how far a register goes."""
    return f"head_of_{register.removeprefix('@')}"


# The stored state of a case, what a key was answered if it is known, and whether a register moved.
_STATE = Statement(
    select(
        register_table.c.seq,
        register_table.c.kernel,
        register_table.c.state,
        answer_table.c.case.label("answered"),
        answer_table.c.seq.label("answer_seq"),
        *(log.head_of(stream).label(_column(stream)) for stream in log.REGISTERS),
    )
    .join(answer_table, answer_table.c.key == bindparam("k"), isouter=True)
    .where(register_table.c.case == bindparam("c"))
)
_STATES = (
    select(
        log.head_table.c.stream,
        log.head_table.c.seq.label("last"),
        register_table.c.seq,
        register_table.c.kernel,
        register_table.c.state,
    )
    .join(register_table, register_table.c.case == log.head_table.c.stream, isouter=True)
    .where(log.head_table.c.stream.in_(bindparam("cases", expanding=True)))
    .order_by(log.head_table.c.stream)
)
_ANSWER = Statement(
    select(answer_table.c.case, answer_table.c.seq).where(answer_table.c.key == bindparam("k"))
)
_INSERT_ANSWER = Statement(insert(answer_table))

# A command that would ring more clocks than this is caught in one that sets itself again.
MOST_ALARMS = 200


class ClockSetBack(Refusal):
    """The act is of an instant before the last event of the case; last: that event's.

    The server's clock has been set back, or somebody who began later was recorded first.
    """

    def __init__(self, last: str) -> None:
        super().__init__(
            f"服务器时钟早于本案最后一条记录（{last}），没有生效。请管理员先校准服务器时间。",
            f"The server's clock is before the last record of this case ({last}); nothing was "
            "done. Ask the administrator to set it right.",
        )
        self.last = instant(last)


class UnknownCase(NotFound):
    """There is no such case."""

    def __init__(self, case: str) -> None:
        super().__init__(
            f"没有找到案件 {case}。请核对案件号。", f"There is no case {case}. Check the number."
        )


class TooMuchText(FormRefused):
    """One record has room for 32 KiB; what does not fit belongs into a file."""

    def __init__(self, draft: Draft) -> None:
        form = draft.data.get("form", {})
        # The longest answer is the one that can be shortened.
        field = max(form, key=lambda name: len(str(form[name])), default="")
        kib = LARGEST_BODY // 1024
        super().__init__([
            FieldError(
                field,
                f"这次填写的内容太多（一条记录最多 {kib} KB），没有生效。"
                "请删减最长的一栏，长文请作为附件上传。",
                f"This is too much for one record (at most {kib} KB); nothing was done. Shorten "
                "the longest answer, and attach long texts as a file.",
            )
        ])  # fmt: skip


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


def look(conn: Connection, case_id: str, at: datetime) -> Desk:
    """A case as whoever decides now would find it, reading only. Raises UnknownCase.

    Clocks that are due and have not rung yet have not rung here either.
    """
    return desk_for(conn, read_case(conn, case_id), at)


def desk_for(conn: Connection, case: CaseState, at: datetime) -> Desk:
    """The same for a case that was read before in this transaction."""
    heads = log.register_heads(conn)
    context = context_for(conn, load(conn, case.definition), case.place[-1], at, heads)
    return Desk(case, context, directory(conn, heads), at)


def look_at(conn: Connection, case_ids: Collection[str], at: datetime) -> list[Desk]:
    """Cases as whoever decides now would find them, by their ids; unknown ones are left out."""
    heads = log.register_heads(conn)
    people = directory(conn, heads)
    return [
        Desk(
            case,
            context_for(conn, load(conn, case.definition), case.place[-1], at, heads),
            people,
            at,
        )
        for case in read_cases(conn, case_ids).values()
    ]


def change(
    conn: Connection, case_id: str, decide: Decide, *, at: datetime, key: str | None = None
) -> Done:
    """Run one command on a case.

    decide: pure; looks at the desk and returns the acts to record, or raises a Refusal.
    key: idempotency key; a key seen before is answered as it was then, and nothing is written.
    Raises UnknownCase, ClockSetBack and whatever `decide` or the process refuses; then roll back.
    """
    work = Work.take(conn, case_id, at, key)
    if work.answer:
        return work.answer
    work.ring()
    for draft in decide(work.desk()):
        work.record(draft)
    work.ring_if_joined()
    work.finish(key)
    return Done(case_id, work.case.seq, tuple(work.entries))


def begin(
    conn: Connection,
    case_id: str,
    draft: Draft,
    context: Context,
    people: Directory,
    *,
    key: str | None = None,
) -> Done:
    """Begin a case with its case.opened draft."""
    entry, head = _place(Head(log.origin(conn), case_id, 0, b"", ""), draft)
    effect = open_case(entry, context)
    start = Head(head.log, case_id, 0, b"", "")
    work = Work(conn, start, draft.at, None, context, people)
    work.entries, work.end = [entry], head
    work.take_facts(effect)
    work.ring_if_joined()
    with sent_together(conn):
        log.write(conn, work.head, work.entries)
        outbox.keep(conn, work.entries)
        news.keep(conn, work.entries)
        register.enter(conn, work.case, work.entries)
        inbox.project(conn, None, work.case, context.definition)
        acts.keep(conn, work.case, work.entries)
        taking_part.enter(conn, work.case, work.entries[0].at)
        _remember(conn, key, work)
    return Done(case_id, work.case.seq, tuple(work.entries))


def read_case(conn: Connection, case_id: str) -> CaseState:
    """The state of a case as of its last event: the stored one if current, else by replay."""
    head = log.peek_hash(conn, case_id)
    if head is None or case_id.startswith("@"):
        raise UnknownCase(case_id)
    seq, hash_ = head
    known = _live.get(hash_)
    if known is not None:
        return known
    case = _current(conn, case_id, seq, _STATE.first(conn, {"c": case_id, "k": None}))
    # Who looks at a case may be about to act on it, if only to be told that somebody else has.
    # Between both questions another may have acted, where each sees what is committed by then.
    if case.seq == seq:
        _keep_live(hash_, case)
    return case


def read_cases(conn: Connection, case_ids: Collection[str]) -> dict[str, CaseState]:
    """The states of these cases as of their last events, in one question; unknown ones left out."""
    asked = [name for name in case_ids if not name.startswith("@")]
    if not asked:
        return {}
    rows = conn.execute(_STATES, {"cases": asked}).all()
    return {row.stream: _current(conn, row.stream, row.last, row) for row in rows}


def _heads(conn: Connection, stored: Any) -> Mapping[str, bytes]:
    if stored is None:
        return log.register_heads(conn)
    heads = {name: getattr(stored, _column(name)) for name in log.REGISTERS}
    return {name: bytes(head) for name, head in heads.items() if head is not None}


def _current(conn: Connection, case_id: str, seq: int, stored: Any) -> CaseState:
    if stored and (stored.seq, stored.kernel) == (seq, KERNEL):
        return from_json(bytes(stored.state))
    return replayed(conn, case_id)


# States of cases lately worked on, by the hash of their last event: immutable, and true wherever
# that hash is the head. One of a transaction that was rolled back is simply never asked for.
MOST_LIVE = 4096
_live: dict[bytes, CaseState] = {}


def _keep_live(head: bytes, case: CaseState) -> None:
    _live[head] = case
    if len(_live) > MOST_LIVE:
        for old in list(_live)[: MOST_LIVE // 4]:
            _live.pop(old, None)


class Work:
    """One command being carried out on one case: what has been placed, and the state after it."""

    def __init__(
        self,
        conn: Connection,
        head: Head,
        at: datetime,
        case: CaseState | None,
        context: Context,
        people: Directory,
    ) -> None:
        self.conn = conn
        self.head = self.end = head
        self.at = at
        self.before = case
        self._case = case
        self.context = context
        self.people = people
        self.answer: Done | None = None
        self.entries: list[Entry] = []

    @classmethod
    def take(cls, conn: Connection, case_id: str, at: datetime, key: str | None = None) -> "Work":
        """Lock the case and read its state; raises UnknownCase, ClockSetBack.

        The key is looked up behind the lock, so that of two equal requests one waits for the other.
        """
        head = log.take(conn, case_id)
        if head.seq == 0 or case_id.startswith("@"):
            raise UnknownCase(case_id)
        stored = _STATE.first(conn, {"c": case_id, "k": key})
        if timestamp(at) < head.at and not (stored and stored.answered):
            raise ClockSetBack(head.at)
        case = _live.get(head.hash) or _current(conn, case_id, head.seq, stored)
        heads = _heads(conn, stored)
        people = directory(conn, heads)
        context = context_for(conn, load(conn, case.definition), case.place[-1], at, heads)
        work = cls(conn, head, at, case, context, people)
        if stored and stored.answered:
            work.answer = Done(stored.answered, stored.answer_seq, repeated=True)
        return work

    @property
    def case(self) -> CaseState:
        """The case after everything recorded so far."""
        assert self._case is not None  # noqa: S101 - set by take, or by the first effect
        return self._case

    def desk(self) -> Desk:
        """What the decision may look at, after the due clocks have rung."""
        return Desk(self.case, self.context, self.people, self.at)

    def ring(self) -> int:
        """Record every clock that has run out by now, oldest first; returns how many."""
        rung = 0
        while alarm := first_due(self.case, self.at):
            self.record(alarm_draft(self.case, self.context.definition, alarm, self.at))
            rung += 1
            if rung > MOST_ALARMS:
                raise Conflict(
                    "这件案子的时钟不断重新触发，没有生效。请让管理员检查流程定义。",
                    "The clocks of this case keep setting themselves; nothing was done.",
                )
        return rung

    def ring_if_joined(self) -> None:
        """What waited for children of whom none runs goes on within the same command."""
        if joins_met(self.case):
            self.ring()

    def record(self, draft: Draft) -> None:
        """Place an act behind what is there, and the facts that follow from it."""
        entry, self.end = _place(self.end, draft)
        self.entries.append(entry)
        self.take_facts(advance(self.case, entry, self.context))

    def take_facts(self, effect: Effect) -> None:
        """Place the facts of an effect; its case is the case from here on."""
        for fact in effect.facts:
            entry, self.end = _place(self.end, fact)
            self.entries.append(entry)
        self._case = effect.case

    def finish(self, key: str | None = None) -> None:
        """Write what was placed: log, state, projections, and what the key was answered."""
        if not self.entries:
            _remember(self.conn, key, self)
            return
        with sent_together(self.conn):
            log.put(self.conn, self.entries)
            outbox.keep(self.conn, self.entries)
            news.keep(self.conn, self.entries)
            register.refresh(self.conn, self.case)
            inbox.project(self.conn, self.before, self.case, self.context.definition)
            acts.keep(self.conn, self.case, self.entries)
            taking_part.project(self.conn, self.before, self.case)
            _remember(self.conn, key, self)
            # Last, as whether the head was where it was taken has to be known.
            log.move(self.conn, self.head, self.entries)
        _live.pop(self.head.hash, None)
        _keep_live(self.end.hash, self.case)


def _place(end: Head, draft: Draft) -> tuple[Entry, Head]:
    try:
        return log.place(end, draft)
    except BodyTooLarge:
        raise TooMuchText(draft) from None


def context_for(
    conn: Connection,
    definition: Definition,
    street: str,
    at: datetime,
    heads: Mapping[str, bytes] | None = None,
) -> Context:
    """What a case of this definition on this street is judged with: today's calendar and units."""
    heads = log.register_heads(conn) if heads is None else heads
    people = directory(conn, heads)
    return Context(
        definition,
        calendar(conn, heads.get("@calendar")),
        lambda: people.communities(street, at),
    )


def answered(conn: Connection, key: str | None) -> Done | None:
    """What a command with this key was answered before, or None."""
    row = _ANSWER.first(conn, {"k": key}) if key else None
    return None if row is None else Done(row.case, row.seq, repeated=True)


def _remember(conn: Connection, key: str | None, work: Work) -> None:
    if key is not None:
        row = {
            "key": key,
            "case": work.case.case,
            "seq": work.case.seq,
            "at": timestamp(work.at),
        }
        _INSERT_ANSWER.run_all(conn, [row])
