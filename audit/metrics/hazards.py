"""The hazard as something to be put right by a limit: what was due, submitted, accepted, undone."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from audit.metrics.facts import CaseFacts, Step
from audit.metrics.formulas import Roles
from audit.metrics.marks import Mark, Seen, counted, ended_otherwise, excluded, minutes

HAZARD: Final = "hazard"
DAY: Final = timedelta(days=1)
# Beyond the number of every entry.
LAST: Final = 1 << 53


@dataclass(frozen=True, slots=True)
class Duty:
    """To put one hazard right once: from its first rectification until the closing holds or not.

    The limit is that of the first rectification; that rework has days of its own makes nobody in
    time. passed: when what was accepted in the end had been submitted. accepted: when everybody who
    had to accept had. Both None if that came undone.
    """

    unit: str
    original: datetime | None
    lawful: datetime | None
    passed: datetime | None
    accepted: datetime | None
    stands_still: bool
    extended: bool


@dataclass(slots=True)
class _Round:
    rectified: list[Step] = field(default_factory=list)
    closing: Step | None = None
    undone: bool = False


def confirmed_at(case: CaseFacts, roles: Roles) -> datetime | None:
    """When it was found to be a hazard: its first assignment was opened by that."""
    return next((step.opened for step in case.of(roles["confirmed"])), None)


def duties(case: CaseFacts, roles: Roles) -> list[Duty]:
    """Each time the hazard had to be put right: once, and again after a closing came undone."""
    rounds = list[_Round]()
    for step in case.steps:
        if step.element in roles["rectify"]:
            if not rounds or _is_closed(rounds[-1]):
                rounds.append(_Round())
            rounds[-1].rectified.append(step)
        if rounds and step.element in roles["close"]:
            rounds[-1].closing = step
        elif rounds and step.element in roles["rectify"] | roles["confirmed"]:
            rounds[-1].undone |= rounds[-1].closing is not None
    return [_duty(case, one) for one in rounds]


def _is_closed(one: _Round) -> bool:
    return one.closing is not None and one.closing.done()


def _duty(case: CaseFacts, told: _Round) -> Duty:
    first = told.rectified[0]
    holds = told.closing if told.closing and not told.undone else None
    if holds is not None and holds.how not in ("open", "completed"):
        holds = None
    done = [one for one in told.rectified if one.done()]
    before = [one for one in done if holds and one.closed and one.closed <= holds.opened]
    return Duty(
        unit=next(iter(first.units), ""),
        original=first.first_due,
        lawful=first.lawful_due,
        passed=before[-1].closed if before else None,
        accepted=holds.opened if holds else None,
        stands_still=any(case.stands_still(one.task) for one in told.rectified if not one.closed),
        extended=any(act.task in {one.task for one in told.rectified}
                     for act in case.acted("extension.granted")),
    )  # fmt: skip


def _all_duties(seen: Seen) -> Iterator[tuple[CaseFacts, Duty, bool]]:
    """Every duty, and whether its hazard has been accepted by the end of the period."""
    roles = seen.roles(HAZARD)
    for case in seen.of(HAZARD):
        told = duties(case, roles)
        for one in told:
            yield case, one, told[-1].accepted is not None


# --- rates ----------------------------------------------------------------------------------------


def rectified_of_due(seen: Seen) -> Iterator[Mark]:
    """隐患整改率（应整改口径）: of what was due in the period, accepted by its end."""
    yield from ended_otherwise(seen, HAZARD)
    for case, duty, accepted in _all_duties(seen):
        if seen.period.has(duty.lawful):
            yield _due(case, duty, duty.lawful, accepted)


def _due(case: CaseFacts, duty: Duty, due: datetime, hit: bool) -> Mark:
    """A clock that stands still is not due; the date it had is not the date it will have."""
    if duty.stands_still and not hit:
        return excluded(case, due, duty.unit, "paused")
    return counted(case, due, duty.unit, hit)


def rectified_of_found(seen: Seen) -> Iterator[Mark]:
    """隐患整改率（发现口径）: of what was confirmed in the period, accepted by its end."""
    roles = seen.roles(HAZARD)
    yield from ended_otherwise(seen, HAZARD)
    for case in seen.of(HAZARD):
        at = confirmed_at(case, roles)
        if not seen.period.has(at) or case.reached(roles["void"] | roles["merged"]):
            continue
        told = duties(case, roles)
        unit = told[-1].unit if told else case.path[0]
        yield counted(case, at, unit, bool(told) and told[-1].accepted is not None)


def in_time(seen: Seen) -> Iterator[Mark]:
    """按期整改率 by the lawful limit: submitted by then, and that submission passed."""
    yield from ended_otherwise(seen, HAZARD)
    for case, duty, _ in _all_duties(seen):
        if seen.period.has(duty.lawful):
            hit = duty.passed is not None and duty.passed <= duty.lawful
            yield _due(case, duty, duty.lawful, hit)


def in_original_time(seen: Seen) -> Iterator[Mark]:
    """按期整改率 by the limit as it was first set, whatever extended or stopped it."""
    yield from ended_otherwise(seen, HAZARD)
    for case, duty, _ in _all_duties(seen):
        if seen.period.has(duty.original):
            hit = duty.passed is not None and duty.passed <= duty.original
            yield counted(case, duty.original, duty.unit, hit)


def extended(seen: Seen) -> Iterator[Mark]:
    """延期率: of what was due in the period by its original limit, given more days."""
    for case, duty, _ in _all_duties(seen):
        if seen.period.has(duty.original):
            yield counted(case, duty.original, duty.unit, duty.extended)


def found_by_others(seen: Seen) -> Iterator[Mark]:
    """自检外发现率: of the hazards confirmed in the period, found by others than the block's own.

    Own: people of the place's community or of a grid in it, whoever typed it for them.
    """
    roles = seen.roles(HAZARD)
    for case in seen.of(HAZARD):
        at = confirmed_at(case, roles)
        if seen.period.has(at):
            if case.imported:
                yield excluded(case, at, case.path[0], "imported")
            else:
                own = case.opener in seen.places.block(case.path)
                staff = case.told_by in ("", *roles["staff"])
                yield counted(case, at, case.path[0], not (own and staff))


def second_looks(seen: Seen) -> Iterator[Mark]:
    """复核改判率: of the verdicts looked at again in the period, those that were changed."""
    for case in seen.of(HAZARD):
        for step in case.of(seen.roles(HAZARD)["second_look"]):
            if step.done() and seen.period.has(step.closed):
                changed = step.said("decision") == "override"
                yield counted(case, step.closed, step.whose, changed)


# --- closings that did not hold -------------------------------------------------------------------


def _closings(case: CaseFacts, roles: Roles) -> Iterator[tuple[Step, int]]:
    """Each closing, and the number of the entry of the next one."""
    done = [step for step in case.of(roles["close"]) if step.done()]
    for index, one in enumerate(done):
        yield one, done[index + 1].closed_seq if index + 1 < len(done) else LAST


def _checks(case: CaseFacts, roles: Roles, elements: frozenset[str]) -> Iterator[Mark]:
    """Of each closing that somebody else looked at: whether it held. at: of the first look."""
    for closing, end in _closings(case, roles):
        looks = [
            one for one in case.of(elements)
            if one.done() and one.closed and closing.closed_seq < one.closed_seq < end
        ]  # fmt: skip
        if looks and looks[0].closed:
            refuted = any(one.said("result") in ("fail", "present") for one in looks)
            yield counted(case, looks[0].closed, _rectifier(case, roles, closing), refuted)


def _rectifier(case: CaseFacts, roles: Roles, closing: Step) -> str:
    before = [s for s in case.of(roles["rectify"]) if s.opened_seq < closing.opened_seq]
    return next(iter(before[-1].units), "") if before else ""


def refuted(seen: Seen) -> Iterator[Mark]:
    """虚假办结率, all checks: by lot, of every major hazard, and where the reporter disputed."""
    roles = seen.roles(HAZARD)
    return _checked(seen, roles["reinspect"] | roles["accept_again"])


def refuted_by_lot(seen: Seen) -> Iterator[Mark]:
    """虚假办结率, re-inspections alone: drawn by lot, and every major hazard."""
    return _checked(seen, seen.roles(HAZARD)["reinspect"])


def _checked(seen: Seen, elements: frozenset[str]) -> Iterator[Mark]:
    for case in seen.of(HAZARD):
        for mark in _checks(case, seen.roles(HAZARD), elements):
            if seen.period.has(mark.at):
                yield mark


def reopened(seen: Seen) -> Iterator[Mark]:
    """重开率: of the closings in the period, those a supervisor undid by its end."""
    roles = seen.roles(HAZARD)
    for case in seen.of(HAZARD):
        undone = [act.seq for act in case.acted("case.reopened")]
        for closing, end in _closings(case, roles):
            if seen.period.has(closing.closed):
                hit = any(closing.closed_seq < seq < end for seq in undone)
                yield counted(case, closing.closed, _rectifier(case, roles, closing), hit)


def rated(seen: Seen) -> Iterator[Mark]:
    """满意率 of hazards: of closings in the period that the reporter rated, rated `satisfied`.

    Residents' reports that nobody rated are excluded, and count in the lower bound.
    """
    roles = seen.roles(HAZARD)
    for case in seen.of(HAZARD):
        told = case.acted("result.rated")
        for closing, end in _closings(case, roles):
            if not seen.period.has(closing.closed):
                continue
            said = [act.said for act in told if closing.closed_seq < act.seq < end]
            unit = _rectifier(case, roles, closing)
            if said:
                apart = "mostly" if said[-1] == "mostly" else ""
                yield counted(case, closing.closed, unit, said[-1] == "satisfied", apart)
            elif case.source == "resident":
                yield excluded(case, closing.closed, unit, "not_rated")


# --- durations and stocks -------------------------------------------------------------------------


def until_accepted(seen: Seen) -> Iterator[Mark]:
    """整改时长: from being confirmed until accepted; open ones are censored at the end."""
    roles = seen.roles(HAZARD)
    for case in seen.of(HAZARD):
        at = confirmed_at(case, roles)
        if not seen.period.has(at) or case.reached(roles["void"] | roles["merged"]):
            continue
        told = duties(case, roles)
        unit = told[-1].unit if told else case.path[0]
        end = told[-1].accepted if told else None
        yield Mark(case, at, unit, of=1, minutes=None if end is None else minutes(at, end))


def overdue(seen: Seen) -> Iterator[Mark]:
    """超期存量 at the end of the period: of = whole days overdue x weight of the level."""
    roles = seen.roles(HAZARD)
    for case in seen.of(HAZARD):
        for duty in duties(case, roles)[-1:]:
            late = duty.lawful is not None and duty.lawful < seen.period.until
            if late and duty.lawful and duty.accepted is None and not duty.stands_still:
                days = (seen.period.until - duty.lawful) // DAY
                weight = seen.formulas.levels.get(case.level, 1)
                yield Mark(case, duty.lawful, duty.unit, hits=1, of=days * weight)
