"""What traces tell without any discovery: variants, hand-overs, and where the time goes.

Nobody is ranked: hand-overs are counted between units, and within a unit between posts.
"""

import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from audit.mining.events import MiningEvent, Trace
from audit.ranks import nearest_rank

# Fewer say more about single cases than about the step.
ENOUGH: Final = 10


@dataclass(frozen=True, slots=True)
class Spread:
    """Of n durations in whole minutes: median, P90 by nearest rank; None under ENOUGH of them."""

    n: int
    median: int | None
    p90: int | None


@dataclass(frozen=True, slots=True)
class Variant:
    """One sequence of completed steps (element ids), in how many ended cases, and how long.

    share: of all ended cases of the process, per mille.
    """

    process: str
    steps: tuple[str, ...]
    cases: int
    share: int
    minutes: Spread


@dataclass(frozen=True, slots=True)
class Handover:
    """How often a step done in one place was followed by one done in the other.

    kind: `units` (ids of units) or `posts` (ids of posts of one unit, whose id `within` is).
    """

    kind: str
    giver: str
    taker: str
    count: int
    within: str | None = None


@dataclass(frozen=True, slots=True)
class Bottleneck:
    """Where the time of a step goes in a unit; minutes.

    waiting: from opened until taken, where it was free to take; working: from taken, or given at
    opening, until done; used: of the step's own clock.
    """

    process: str
    element: str
    name: str
    unit: str | None
    waiting: Spread
    working: Spread
    used: Spread


def spread(minutes: Sequence[int]) -> Spread:
    """Median and P90 of durations, kept back where they are too few."""
    if len(minutes) < ENOUGH:
        return Spread(len(minutes), None, None)
    ordered = sorted(minutes)
    return Spread(len(ordered), round(statistics.median(ordered)), nearest_rank(ordered, 90))


def variants(traces: Iterable[Trace]) -> list[Variant]:
    """The sequences of completed steps of ended cases, by process, most frequent first."""
    found: dict[tuple[str, tuple[str, ...]], list[int]] = defaultdict(list)
    for one in traces:
        if one.end is not None:
            found[one.process, _completed(one)].append(_minutes(one.opened, one.events[-1].at))
    ended = Counter[str]()
    for (process, _), durations in found.items():
        ended[process] += len(durations)
    rows = (
        Variant(process, steps, len(one), len(one) * 1000 // ended[process], spread(one))
        for (process, steps), one in found.items()
    )
    return sorted(rows, key=lambda row: (row.process, -row.cases, row.steps))


def _completed(one: Trace) -> tuple[str, ...]:
    return tuple(event.element for event in _done(one))


def _done(one: Trace) -> Iterator[MiningEvent]:
    return (event for event in one.events if event.transition == "complete")


def handovers(traces: Iterable[Trace]) -> list[Handover]:
    """Who handed to whom: between units, and within each between posts; most frequent first."""
    units, posts = Counter[tuple[str, str]](), Counter[tuple[str, str, str]]()
    for one in traces:
        for giver, taker in _pairs(one):
            if giver.unit is None or taker.unit is None:
                continue
            units[giver.unit, taker.unit] += 1
            if giver.unit == taker.unit and giver.post and taker.post:
                posts[giver.unit, giver.post, taker.post] += 1
    rows = [Handover("units", a, b, n) for (a, b), n in units.items()]
    rows += [Handover("posts", a, b, n, unit) for (unit, a, b), n in posts.items()]
    return sorted(rows, key=lambda row: (row.kind != "units", -row.count, row.giver, row.taker))


def _pairs(one: Trace) -> Iterator[tuple[MiningEvent, MiningEvent]]:
    """Each completed step with the one whose completion, by its number, opened it."""
    opened: dict[str, MiningEvent] = {}
    last: MiningEvent | None = None
    for event in one.events:
        if event.transition == "schedule" and last is not None:
            opened.setdefault(event.task, last)
        elif event.transition == "complete":
            if event.task in opened:
                yield opened[event.task], event
            last = event


def step_times(traces: Iterable[Trace]) -> list[Bottleneck]:
    """Times per process and step, whichever unit did it (unit None); by process and step."""
    return _bottlenecks(traces, lambda done: None)


def bottlenecks(traces: Iterable[Trace]) -> list[Bottleneck]:
    """Times per process, step and the unit that did it; by process, step, unit."""
    return _bottlenecks(traces, lambda done: done.unit)


def _bottlenecks(
    traces: Iterable[Trace], whose: Callable[[MiningEvent], str | None]
) -> list[Bottleneck]:
    found: dict[tuple[str, str, str | None], _Times] = defaultdict(_new_times)
    names: dict[tuple[str, str], str] = {}
    for one in traces:
        for start, taken, done in _steps(one):
            times = found[one.process, done.element, whose(done)]
            _note(times, start, taken, done)
            names[one.process, done.element] = done.name
    return [
        Bottleneck(
            process, element, names[process, element], unit, spread(times[0]), spread(times[1]),
            spread(times[2]),
        )
        for (process, element, unit), times in sorted(
            found.items(), key=lambda row: (row[0][0], row[0][1], row[0][2] or "")
        )
    ]  # fmt: skip


_Times = tuple[list[int], list[int], list[int]]


def _new_times() -> _Times:
    return [], [], []


def _note(times: _Times, start: MiningEvent, taken: MiningEvent | None, done: MiningEvent) -> None:
    waiting, working, used = times
    if taken is not None and taken.transition == "start":
        waiting.append(_minutes(start.at, taken.at))
    if taken is not None:
        working.append(_minutes(taken.at, done.at))
    if done.measured:
        used.append(done.measured.used)


def _steps(one: Trace) -> Iterator[tuple[MiningEvent, MiningEvent | None, MiningEvent]]:
    """Each completed step: when it opened, when somebody first had it, when it was done."""
    opened: dict[str, MiningEvent] = {}
    taken: dict[str, MiningEvent] = {}
    for event in one.events:
        if event.transition == "schedule":
            opened.setdefault(event.task, event)
        elif event.transition in ("assign", "start", "reassign"):
            taken.setdefault(event.task, event)
        elif event.transition == "complete" and event.task in opened:
            yield opened[event.task], taken.get(event.task), event


def _minutes(since: datetime, until: datetime) -> int:
    return int((until - since).total_seconds() // 60)
