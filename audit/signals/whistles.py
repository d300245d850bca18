"""B14: whistles that need not have been blown, were blown unfinished, or all at once. Pure."""

from calendar import monthrange
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Final

from audit.signals.facts import Brief, Signal
from audit.signals.offices import Offices
from audit.signals.rules import Rule

NAMED: Final = 20


def own_matter(briefs: Sequence[Brief], rule: Rule) -> Iterator[Signal]:
    """A whistle of an everyday kind about what is the community's own to put right."""
    for one in briefs:
        everyday = one.whistle is not None and one.whistle.kind in rule.lists["own_kinds"]
        if everyday and one.thing[1] in rule.lists["own"]:
            yield Signal("B14", one.case, (1,))


def already_planned(briefs: Sequence[Brief], rule: Rule, known: Offices) -> Iterator[Signal]:
    """A whistle for a place where an inspection stood planned; in an emergency nobody waits."""
    plans: dict[str, list[Brief]] = {}
    for one in briefs:
        if one.plans and one.thing[2]:
            plans.setdefault(one.thing[2], []).append(one)
    for one in briefs:
        if one.whistle is None or one.whistle.kind not in rule.lists["planned_kinds"]:
            continue
        at = one.begun.at
        standing = [plan for plan in plans.get(one.thing[2], ())
                    if plan.begun.at < at and not (plan.begun.ended and plan.begun.ended <= at)
                    and (plan.thing[0] in known.line_of(one.thing[0])
                         or one.thing[0] in known.line_of(plan.thing[0]))]  # fmt: skip
        if standing:
            yield Signal("B14", one.case, (1,), tuple((plan.case, 1) for plan in standing[:NAMED]))


def sent_back_often(briefs: Sequence[Brief], rule: Rule, zone: tzinfo) -> Iterator[Signal]:
    """Of the whistles a community blew in a quarter so many were sent back as incomplete."""
    blown: dict[tuple[str, int, int], list[Brief]] = {}
    for one in briefs:
        if one.whistle and one.whistle.unit:
            day = one.begun.at.astimezone(zone)
            key = one.whistle.unit, day.year, (day.month - 1) // 3
            blown.setdefault(key, []).append(one)
    for group in blown.values():
        back = [
            (one, one.whistle.returned) for one in group if one.whistle and one.whistle.returned
        ]
        if len(group) >= rule["least"] and 100 * len(back) >= rule["percent"] * len(group):
            for one, returned in back:
                others = tuple((o.case, seqs[0]) for o, seqs in back if o is not one)
                yield Signal("B14", one.case, returned, others[:NAMED])


def burst(briefs: Sequence[Brief], rule: Rule, zone: tzinfo) -> Iterator[Signal]:
    """Many whistles of one community in the last days of a month."""
    blown: dict[tuple[str, int, int], list[Brief]] = {}
    for one in briefs:
        day = one.begun.at.astimezone(zone)
        if one.whistle and one.whistle.unit and _days_left(day) < rule["days"]:
            blown.setdefault((one.whistle.unit, day.year, day.month), []).append(one)
    for group in blown.values():
        if len(group) >= rule["times"]:
            for one in group:
                others = tuple((other.case, 1) for other in group if other is not one)
                yield Signal("B14", one.case, (1,), others[:NAMED])


def _days_left(day: datetime) -> int:
    return monthrange(day.year, day.month)[1] - day.day


def whistled(briefs: Sequence[Brief], rule: Rule, known: Offices, zone: tzinfo) -> Iterator[Signal]:
    """B14: everything this file finds; of one whistle, what rests on its opening is one signal."""
    told: dict[str, list[Signal]] = {}
    for found in (
        own_matter(briefs, rule), already_planned(briefs, rule, known), burst(briefs, rule, zone),
    ):  # fmt: skip
        for one in found:
            told.setdefault(one.case, []).append(one)
    for case, signals in told.items():
        others: Mapping[tuple[str, int], None] = {o: None for one in signals for o in one.others}
        yield Signal("B14", case, (1,), tuple(others)[:NAMED])
    yield from sent_back_often(briefs, rule, zone)
