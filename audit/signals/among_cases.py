"""The rules that need more than one case: briefs in, signals out, in the order of the cases. Pure.

Each case that has a part in it gets a signal of its own, which names the others.
"""

from bisect import bisect_left
from calendar import monthrange
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Final
from zoneinfo import ZoneInfo

from audit.signals.complaints import concerned_looked, concerned_took_part, inspected_after
from audit.signals.facts import Acceptance, Brief, Deed, Photo, Signal
from audit.signals.offices import NOBODY, Offices
from audit.signals.ratings import called_again
from audit.signals.rules import Rule, Rules
from audit.signals.whistles import whistled

ZONE: Final = ZoneInfo("Asia/Shanghai")
# A signal names so many entries of other cases; who looks at it sees what kind of thing it is.
NAMED: Final = 20


def signals(
    briefs: Iterable[Brief],
    rules: Rules,
    alike: Collection[tuple[str, str]] = (),
    known: Offices = NOBODY,
) -> list[Signal]:
    """Everything the rules find in these cases, by case, number of the first entry, and rule.

    alike: SHA-256 of photos that look alike. They are told by the files: where there are only
    entries, there are none, and near-duplicates were not looked for. known: which unit stands above
    which, from the registers of the same log; without it a unit is only itself.
    """
    told = sorted(briefs, key=lambda one: one.case)
    found = [signal for one in told for signal in one.alone]
    for name, rule in AMONG.items():
        found += rule(told, rules[name])
    found += used_again(told, alike)
    found += concerned_took_part(told, rules["B12"], known)
    found += concerned_looked(told, rules["B13"], known)
    found += inspected_after(told, rules["B13"], known)
    found += whistled(told, rules["B14"], known, ZONE)
    found += called_again(told, rules["B15"])
    return sorted(_each_once(found), key=lambda one: (one.case, one.events[0], one.rule))


def _each_once(found: Iterable[Signal]) -> Iterator[Signal]:
    """Of signals of one rule that rest on the same first entry the first."""
    known: set[tuple[str, str, int]] = set()
    for one in found:
        key = one.rule, one.case, one.events[0]
        if key not in known:
            known.add(key)
            yield one


def confirmed_again(briefs: Sequence[Brief], rule: Rule) -> Iterator[Signal]:
    """B3: closed, and soon after the same thing is confirmed to be a hazard in another case."""
    for one, closing, later, again in _alike(
        briefs, lambda one: one.closed, rule["again_days"], rule["alike"]
    ):
        yield Signal("B3", one.case, (closing.seq,), ((later.case, again.seq),))


def dismissed_before(briefs: Sequence[Brief], rule: Rule) -> Iterator[Signal]:
    """B7: said to be no hazard, and the same thing is confirmed in another case later."""
    for one, said, later, again in _alike(
        briefs, lambda one: one.dismissed, rule["days"], rule["alike"]
    ):
        yield Signal("B7", one.case, (said.seq,), ((later.case, again.seq),))


def _alike(
    briefs: Sequence[Brief], first: Callable[[Brief], Sequence[Deed]], days: int, percent: int
) -> Iterator[tuple[Brief, Deed, Brief, Deed]]:
    """A deed in one case, and that soon after it another about the same thing was confirmed.

    The same thing: place, kind, and what their titles say. Only of cases in which something was
    confirmed, dismissed or closed: a year of patrols of one place is alike, and there is nothing to
    compare in it.
    """
    things: dict[tuple[str, str, str], list[Brief]] = {}
    for one in briefs:
        if one.thing[2] and (one.confirmed or one.dismissed or one.closed):
            things.setdefault(one.thing, []).append(one)
    for group in things.values():
        confirmed = [one for one in group if one.confirmed]
        pairs = {title: _pairs(title) for title in {one.title for one in group}}
        for one in group:
            # Times before titles: to compare two instants costs a hundredth of comparing two texts.
            for later in confirmed if first(one) else ():
                soon = () if later is one else tuple(_soon_after(first(one), later.confirmed, days))
                if soon and _likeness(pairs[one.title], pairs[later.title]) >= percent:
                    yield from ((one, deed, later, again) for deed, again in soon)


def _likeness(pairs: Counter[str], others: Counter[str]) -> int:
    """How alike two titles are, in per cent: Dice's coefficient of their pairs of signs."""
    both = (pairs & others).total()
    return 200 * both // max(1, pairs.total() + others.total())


def _pairs(text: str) -> Counter[str]:
    signs = "".join(text.split())
    return Counter(signs[index : index + 2] for index in range(len(signs) - 1))


def _soon_after(
    first: Sequence[Deed], then: Sequence[Deed], days: int
) -> Iterator[tuple[Deed, Deed]]:
    for one in first:
        for other in then:
            if one.at < other.at <= one.at + timedelta(days=days):
                yield one, other
                break


def each_other(briefs: Sequence[Brief], rule: Rule) -> Iterator[Signal]:
    """B4: what one unit did another accepts, and the other way round, again and again."""
    pairs = [(one.case, pair) for one in briefs for pair in one.pairs]
    units: dict[str, set[str]] = {}
    for _, pair in pairs:
        units.setdefault(pair.done.person, set()).add(pair.done.unit)
    told: dict[tuple[str, str], list[tuple[str, Acceptance]]] = {}
    for case, pair in pairs:
        for unit in units.get(pair.accepted.person, ()):
            if unit != pair.done.unit:
                told.setdefault((pair.done.unit, unit), []).append((case, pair))
    for (one, other), found in told.items():
        back = told.get((other, one), [])
        if min(len(found), len(back)) >= rule["times"]:
            others = tuple((case, pair.seq) for case, pair in back[:NAMED])
            yield from (Signal("B4", case, (pair.seq,), others) for case, pair in found)


def used_again(briefs: Sequence[Brief], alike: Collection[tuple[str, str]]) -> Iterator[Signal]:
    """B5: one photo for different places, or one file by whoever did it and whoever accepted it."""
    uses: dict[object, list[Use]] = {}
    for one in briefs:
        for photo in one.photos:
            for mark in {photo.sha256, photo.taken} - {None}:
                uses.setdefault(mark, []).append((one, photo))
    found: Reused = {}
    for shared in uses.values():
        _note_shared(shared, found)
    for first, second in alike:
        _note_alike(uses.get(first, []), uses.get(second, []), found)
    for case, by_act in found.items():
        others = tuple(sorted({one for told in by_act.values() for one in told})[:NAMED])
        yield Signal("B5", case, tuple(sorted(by_act)), others)


Use = tuple[Brief, Photo]
Reused = dict[str, dict[int, list[tuple[str, int]]]]  # case -> number -> entries elsewhere


def _note_shared(shared: Sequence[Use], found: Reused) -> None:
    places = {one.thing[2] for one, _ in shared}
    roles: dict[str, set[str]] = {}
    for one, photo in shared:
        roles.setdefault(one.case, set()).add(photo.role)
    for one, photo in shared:
        if len(places) > 1 or roles[one.case] == {"rectify", "accept"}:
            elsewhere = found.setdefault(one.case, {}).setdefault(photo.seq, [])
            elsewhere += [(o.case, p.seq) for o, p in shared[:NAMED] if o is not one]


def _note_alike(some: Sequence[Use], others: Sequence[Use], found: Reused) -> None:
    """Only of different places: of one, two people may well take the same view."""
    for these, those in ((some, others), (others, some)):
        for one, photo in these:
            elsewhere = [(o.case, p.seq) for o, p in those if o.thing[2] != one.thing[2]]
            if elsewhere:
                found.setdefault(one.case, {}).setdefault(photo.seq, []).extend(elsewhere[:NAMED])


def merged_into_closed(briefs: Sequence[Brief], rule: Rule) -> Iterator[Signal]:
    """B11: called a duplicate of a case that was closed at that time."""
    by_number = {one.number: one for one in briefs}
    for one in briefs:
        master = by_number.get(one.merge.of) if one.merge else None
        if one.merge and master and _is_closed(master, one.merge.at):
            closing = [deed for deed in master.closed if deed.at <= one.merge.at][-1]
            yield Signal("B11", one.case, (one.merge.seq,), ((master.case, closing.seq),))


def _is_closed(one: Brief, at: datetime) -> bool:
    closings = [deed.at for deed in one.closed if deed.at <= at]
    return bool(closings) and not any(closings[-1] < when <= at for _, when in one.refuted)


def stamped(briefs: Sequence[Brief], rule: Rule) -> Iterator[Signal]:
    """B16: many confirmed, or many accepted, by one person within minutes."""
    span = timedelta(minutes=rule["minutes"])
    for of in (lambda one: one.confirmed, lambda one: one.accepted):
        yield from _runs("B16", briefs, of, span, rule["times"])


def closed_in_bulk(briefs: Sequence[Brief], rule: Rule) -> Iterator[Signal]:
    """B17: many closed by one person within an hour, in the last days of a month."""

    def at_the_end(one: Brief) -> Sequence[Deed]:
        return [deed for deed in one.closed if _days_left(deed.at) < rule["days"]]

    yield from _runs("B17", briefs, at_the_end, timedelta(hours=1), rule["times"])


def _days_left(at: datetime) -> int:
    day = at.astimezone(ZONE)
    return monthrange(day.year, day.month)[1] - day.day


def _runs(
    rule: str,
    briefs: Sequence[Brief],
    of: Callable[[Brief], Sequence[Deed]],
    span: timedelta,
    times: int,
) -> Iterator[Signal]:
    """A signal for each deed that lies in some span with so many of one person."""
    by_person: dict[str, list[tuple[datetime, str, int]]] = {}
    for one in briefs:
        for deed in of(one):
            by_person.setdefault(deed.person, []).append((deed.at, one.case, deed.seq))
    for deeds in by_person.values():
        ordered = sorted(deeds)
        for start, end in _dense(ordered, span, times):
            instants = [at for at, _, _ in ordered[start:end]]
            for at, case, seq in ordered[start:end]:
                near = start + bisect_left(instants, at - span)
                others = (
                    (c, s) for a, c, s in ordered[near : min(end, near + NAMED + 1)]
                    if (c, s) != (case, seq) and a <= at + span
                )  # fmt: skip
                yield Signal(rule, case, (seq,), tuple(islice(others, NAMED)))


def _dense(
    ordered: Sequence[tuple[datetime, str, int]], span: timedelta, times: int
) -> Iterator[tuple[int, int]]:
    """The longest stretches in which every deed lies in a span with so many of them."""
    instants = [at for at, _, _ in ordered]
    start = end = 0
    for index, at in enumerate(instants):
        until = bisect_left(instants, at + span, lo=index)
        if until - index < times:
            continue
        if index >= end and end > start:
            yield start, end
            start = index
        elif end == start:
            start = index
        end = max(end, until)
    if end > start:
        yield start, end


AMONG: Final[Mapping[str, Callable[[Sequence[Brief], Rule], Iterator[Signal]]]] = {
    "B3": confirmed_again,
    "B4": each_other,
    "B7": dismissed_before,
    "B11": merged_into_closed,
    "B16": stamped,
    "B17": closed_in_bulk,
}
