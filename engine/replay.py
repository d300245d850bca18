"""Replay: folds a case's log through its pinned definition, comparing every recorded fact.

It trusts neither side: a fact that differs from what the definition gives, is missing, or has
nothing to follow from, is a problem, named by its event.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from sqlalchemy import Connection

from audit import log
from audit.chain import Problem
from audit.entries import ENGINE, Draft, Entry
from engine.advance import FACTS, Context, Effect, advance, open_case
from engine.alarms import ALARMS, alarm_draft, first_due
from engine.calendar import Calendar
from engine.calendar_versions import calendar_version
from engine.definition_sets import load
from engine.definitions import Definition
from engine.errors import Refusal
from engine.process import KERNEL
from engine.state import CaseState


class RecordDiffers(Exception):
    """A recorded fact is not what replay computes; carries the problem."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(f"{problem.case} #{problem.seq}: {problem.what}")
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Library:
    """Where replay finds what a case was pinned to. Raises Refusal or LookupError if it is gone."""

    definition: Callable[[str], Definition]
    calendar: Callable[[int], Calendar]


def library(conn: Connection) -> Library:
    """The definitions and calendars stored in this database, each read once."""
    return Library(
        cache(lambda digest: load(conn, digest)),
        cache(lambda version: calendar_version(conn, version)),
    )


def replayed(conn: Connection, case_id: str) -> CaseState:
    """The state of a case computed from its events alone; raises RecordDiffers."""
    return replay(log.read(conn, case_id), library(conn))


def replay(entries: Sequence[Entry], books: Library) -> CaseState:
    """Fold a case's events; raises RecordDiffers at the first that is not what it should be."""
    case: CaseState | None = None
    for case in states(entries, books):  # noqa: B007 - the last state is the answer
        pass
    if case is None:
        raise LookupError("no events to replay")
    return case


def states(entries: Sequence[Entry], books: Library) -> Iterator[CaseState]:
    """The case after each cause with its facts, in order; raises RecordDiffers."""
    case: CaseState | None = None
    calendar: Calendar | None = None
    index = 0
    while index < len(entries):
        cause = entries[index]
        facts = _facts_after(entries, index)
        if cause.type in FACTS:
            raise _differs(cause, "a machine fact that follows from nothing")
        if case is not None:
            _check_alarm(case, cause, books)
        calendar = _named_calendar(cause, facts, books) or calendar
        effect = _effect(case, cause, facts, books, calendar)
        _compare(cause, effect.facts, facts)
        case = effect.case
        yield case
        index += 1 + len(facts)


def _check_alarm(case: CaseState, cause: Entry, books: Library) -> None:
    """Clocks are recorded when they are due, oldest first, before any act that comes later."""
    alarm = first_due(case, cause.at)
    if alarm is None:
        if cause.type in ALARMS and cause.actor == ENGINE:
            raise _differs(cause, "a clock is recorded as run out that was not due")
        return
    expected = alarm_draft(case, books.definition(case.definition), alarm, cause.at)
    if (cause.type, cause.data, cause.actor) != (expected.type, expected.data, ENGINE):
        raise _differs(cause, f"{expected.type} of {alarm.key} was due and not recorded")


def _facts_after(entries: Sequence[Entry], index: int) -> list[Entry]:
    end = index + 1
    while end < len(entries) and entries[end].type in FACTS:
        end += 1
    return list(entries[index + 1 : end])


def _effect(
    case: CaseState | None,
    cause: Entry,
    facts: list[Entry],
    books: Library,
    calendar: Calendar | None,
) -> Effect:
    if calendar is None:
        raise _differs(cause, "no fact after it names the calendar it was judged by")
    try:
        definition = books.definition(case.definition if case else _pinned(cause))
        context = Context(definition, calendar, lambda: _candidates(facts))
        return advance(case, cause, context) if case else open_case(cause, context)
    except (Refusal, LookupError, TypeError, ValueError, AssertionError) as error:
        # Whatever a forged or damaged act makes the engine trip over: it could not have happened.
        raise _differs(cause, f"cannot be replayed: {type(error).__name__}: {error}") from error


def _pinned(cause: Entry) -> str:
    if cause.type != "case.opened":
        raise ValueError("the first event does not open the case")
    if cause.data.get("kernel") != KERNEL:
        raise ValueError(f"kernel {cause.data.get('kernel')} is not known here")
    return str(cause.data["definition"]["sha256"])


def _named_calendar(cause: Entry, facts: list[Entry], books: Library) -> Calendar | None:
    """The calendar an act, or the facts after it, were computed with; most acts need none."""
    naming = (entry.data["calendar"] for entry in (cause, *facts) if "calendar" in entry.data)
    named = next(naming, None)
    if named is None:
        return None
    try:
        calendar = books.calendar(named["version"])
    except (Refusal, LookupError) as error:
        raise _differs(cause, f"calendar {named['version']} is gone: {error}") from error
    if calendar.sha256 != named["sha256"]:
        told = f"calendar {named['version']} has another content than was recorded"
        raise _differs(cause, told)
    return calendar


def _candidates(facts: list[Entry]) -> tuple[str, ...]:
    """Among whom the recorded lot was drawn; that it fell as it did is computed again."""
    lots = [lot for fact in facts for lot in fact.data.get("lots", ())]
    return tuple(next((lot["candidates"] for lot in lots if "candidates" in lot), ()))


def _compare(cause: Entry, computed: Sequence[Draft], recorded: Sequence[Entry]) -> None:
    for fact, entry in zip(computed, recorded, strict=False):
        if entry.cause != cause.seq or entry.actor != ENGINE or entry.at != cause.at:
            raise _differs(entry, "recorded with another cause, actor or time than its act")
        if entry.type != fact.type:
            raise _differs(entry, f"recorded {entry.type}, replay gives {fact.type}")
        if entry.data != fact.data:
            raise _differs(entry, _difference(entry, fact))
    if len(computed) != len(recorded):
        extra = recorded[len(computed) :]
        where = extra[0] if extra else cause
        told = "a fact too many" if extra else "a fact that should follow is missing"
        raise _differs(where, told)


def _difference(entry: Entry, fact: Draft) -> str:
    names = sorted(
        name
        for name in entry.data.keys() | fact.data.keys()
        if entry.data.get(name) != fact.data.get(name)
    )
    first = names[0]
    return (
        f"{entry.type}.{first}: recorded {entry.data.get(first)!r}, "
        f"replay gives {fact.data.get(first)!r}"
    )


def _differs(entry: Entry, what: str) -> RecordDiffers:
    return RecordDiffers(Problem(entry.stream, entry.seq, what))
