"""Patrols: planned and walked, what was looked at, what was found, what a second look changed."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from audit.metrics.facts import CaseFacts, Step
from audit.metrics.marks import Mark, Seen, counted, excluded

PATROL: Final = "patrol"


def walked(seen: Seen) -> Iterator[Mark]:
    """巡查完成率: of the patrols due in the period, walked by its end."""
    for case in seen.of(PATROL):
        walks = case.of(seen.roles(PATROL)["walk"])
        for step in walks[:1]:
            limit = step.lawful
            if limit is not None and seen.period.has(limit.due):
                done = [one.closed_seq for one in walks if one.done()]
                entry = [*done, limit.seq][0]
                yield counted(case, limit.due, step.whose, bool(done), entry=entry)


def objects(seen: Seen) -> Iterator[Mark]:
    """检查覆盖率: of the distinct places that were due in the period, inspected at least once."""
    told = dict[tuple[str, str], Mark]()
    for mark in sorted(walked(seen), key=lambda one: (one.at, one.case.case)):
        place = mark.case.path[0], mark.case.address
        before = told.get(place)
        if before is None:
            told[place] = mark
        elif mark.hits > before.hits:
            told[place] = replace(mark, at=before.at)
    yield from told.values()


def _walks(seen: Seen) -> Iterator[tuple[CaseFacts, Step]]:
    for case in seen.of(PATROL):
        for step in case.of(seen.roles(PATROL)["walk"]):
            if step.done() and seen.period.has(step.closed):
                yield case, step


def found(seen: Seen) -> Iterator[Mark]:
    """检出率: of the patrols walked in the period, those that found something."""
    for case, step in _walks(seen):
        if step.closed:
            hit = step.said("result") == "found"
            yield counted(case, step.closed, step.whose, hit, entry=step.closed_seq)


def conforming(seen: Seen) -> Iterator[Mark]:
    """检查符合率: of the items looked at, those of which nothing wrong was entered.

    What was not ticked is not applicable. A walk whose finds are not all entered is excluded.
    """
    for case, step in _walks(seen):
        items = [one for one in case.of(seen.roles(PATROL)["item"]) if one.done()]
        told = [one for one in items if one.opened_seq > step.closed_seq]
        if step.closed is None:
            continue
        if len(told) < (step.said("count") or 0):
            yield excluded(case, step.closed, step.whose, "not_all_entered", step.closed_seq)
            continue
        wrong = {str(one.said("category")) for one in told}
        looked = _looked_at(step) | wrong
        counts, entry = (len(looked - wrong), len(looked)), step.closed_seq
        yield Mark(case, step.closed, step.whose, *counts, entry=entry)


def _looked_at(step: Step) -> set[str]:
    return set(step.said("checked") or ())


def rechecked(seen: Seen) -> Iterator[Mark]:
    """检查表复核改判率: of the items looked at again in the period, those whose verdict changed.

    Whose figure it is: the patrol's. The last second look counts, if it was corrected. An item that
    the patrol said nothing of has no verdict to change.
    """
    roles = seen.roles(PATROL)
    for case in seen.of(PATROL):
        looks = [one for one in case.of(roles["recheck"]) if one.done()]
        walks = [one for one in case.of(roles["walk"]) if one.done()]
        if not looks or not walks or not seen.period.has(looks[-1].closed):
            continue
        look, walk = looks[-1], walks[-1]
        items = [one for one in case.of(roles["item"]) if one.done()]
        judged = _looked_at(walk) | {str(one.said("category")) for one in items}
        again, changed = set(look.said("looked_again") or ()), set(look.said("changed") or ())
        if look.closed:
            entry, counts = look.closed_seq, (len(again & judged & changed), len(again & judged))
            yield Mark(case, look.closed, walk.whose, *counts, entry=entry)
            for _ in again - judged:
                yield excluded(case, look.closed, walk.whose, "no_verdict", entry)
