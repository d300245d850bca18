"""The hazard as something to be put right by a limit: what was due, submitted, accepted, undone."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from audit.metrics.facts import CaseFacts, Step
from audit.metrics.formulas import Roles
from audit.metrics.inspections import PATROL
from audit.metrics.marks import (
    OPENING,
    Mark,
    Seen,
    counted,
    ended_otherwise,
    excluded,
    minutes,
)

HAZARD: Final = "hazard"
SUPPRESSED: Final = "B7"
DAY: Final = timedelta(days=1)
# Beyond the number of every entry.
LAST: Final = 1 << 53


@dataclass(frozen=True, slots=True)
class Duty:
    """To put one hazard right once: from its first rectification until the closing holds or not.

    The limit is that of the first rectification; that rework has days of its own makes nobody in
    time. passed: when what was accepted in the end had been submitted. accepted: when everybody who
    had to accept had. Both None if that came undone. by: the entries that say so, by field.
    """

    unit: str
    original: datetime | None
    lawful: datetime | None
    passed: datetime | None
    accepted: datetime | None
    stands_still: bool
    extended: bool
    by: Mapping[str, int]

    def entry(self, *fields: str) -> int:
        """The entry behind the first of these that there is."""
        return next((self.by[one] for one in fields if self.by[one]), 0)


@dataclass(slots=True)
class _Round:
    rectified: list[Step] = field(default_factory=list)
    closing: Step | None = None
    undone: bool = False


def confirmed_at(case: CaseFacts, roles: Roles) -> datetime | None:
    """When it was found to be a hazard: its first assignment was opened by that."""
    return next((step.opened for step in case.of(roles["confirmed"])), None)


def _confirmed_by(case: CaseFacts, roles: Roles) -> int:
    return next((step.opened_seq for step in case.of(roles["confirmed"])), 0)


def duties(case: CaseFacts, roles: Roles) -> list[Duty]:
    """Each time the hazard had to be put right: once, and again after a closing came undone."""
    rounds, rectify, close = list[_Round](), roles["rectify"], roles["close"]
    begins = rectify | roles["confirmed"]
    for step in case.steps:
        if step.element in rectify:
            if not rounds or _is_closed(rounds[-1]):
                rounds.append(_Round())
            rounds[-1].rectified.append(step)
        if rounds and step.element in close:
            rounds[-1].closing = step
        elif rounds and step.element in begins:
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
    tasks = {one.task for one in told.rectified}
    granted = [act for act in case.acted("extension.granted") if act.task in tasks]
    paused = [act for act in case.acted("pause.granted") if act.task in tasks]
    return Duty(
        unit=next(iter(first.units), ""),
        original=first.first_due,
        lawful=first.lawful_due,
        passed=before[-1].closed if before else None,
        accepted=holds.opened if holds else None,
        stands_still=any(case.stands_still(one.task) for one in told.rectified if not one.closed),
        extended=bool(granted),
        by={
            "original": first.settings[0].seq if first.settings else 0,
            "lawful": first.lawful.seq if first.lawful else 0,
            "passed": before[-1].closed_seq if before else 0,
            "accepted": holds.opened_seq if holds else 0,
            "extended": granted[-1].seq if granted else 0,
            "paused": paused[-1].seq if paused else 0,
        },
    )


def _all_duties(seen: Seen) -> Iterator[tuple[CaseFacts, Duty, Duty]]:
    """Every duty, and the last of its hazard, which says whether it has been accepted."""
    for case, told in _duties_of_each(seen):
        for one in told:
            yield case, one, told[-1]


def _duties_of_each(seen: Seen) -> Sequence[tuple[CaseFacts, list[Duty]]]:
    """Every hazard with its duties: seven metrics rest on them."""
    roles = seen.roles(HAZARD)
    return seen.once("duties", lambda: [(one, duties(one, roles)) for one in seen.of(HAZARD)])


# --- rates ----------------------------------------------------------------------------------------


def rectified_of_due(seen: Seen) -> Iterator[Mark]:
    """隐患整改率（应整改口径）: of what was due in the period, accepted by its end."""
    yield from ended_otherwise(seen, HAZARD)
    for case, duty, last in _all_duties(seen):
        if seen.period.has(duty.lawful):
            hit = last.accepted is not None
            entry = last.entry("accepted") if hit else duty.entry("lawful")
            yield _due(case, duty, duty.lawful, hit, entry)


def _due(case: CaseFacts, duty: Duty, due: datetime, hit: bool, entry: int) -> Mark:
    """A clock that stands still is not due; the date it had is not the date it will have."""
    if duty.stands_still and not hit:
        return excluded(case, due, duty.unit, "paused", duty.entry("paused"))
    return counted(case, due, duty.unit, hit, entry=entry)


def rectified_of_found(seen: Seen) -> Iterator[Mark]:
    """隐患整改率（发现口径）: of what was confirmed in the period, accepted by its end."""
    roles = seen.roles(HAZARD)
    yield from ended_otherwise(seen, HAZARD)
    for case, told in _duties_of_each(seen):
        at = confirmed_at(case, roles)
        if not seen.period.has(at) or case.reached(roles["void"] | roles["merged"]):
            continue
        unit = told[-1].unit if told else case.path[0]
        hit = bool(told) and told[-1].accepted is not None
        entry = told[-1].entry("accepted") if hit else _confirmed_by(case, roles)
        yield counted(case, at, unit, hit, entry=entry)


def in_time(seen: Seen) -> Iterator[Mark]:
    """按期整改率 by the lawful limit: submitted by then, and that submission passed."""
    yield from ended_otherwise(seen, HAZARD)
    for case, duty, _ in _all_duties(seen):
        if seen.period.has(duty.lawful):
            hit = duty.passed is not None and duty.passed <= duty.lawful
            yield _due(case, duty, duty.lawful, hit, duty.entry("passed", "lawful"))


def in_original_time(seen: Seen) -> Iterator[Mark]:
    """按期整改率 by the limit as it was first set, whatever extended or stopped it."""
    yield from ended_otherwise(seen, HAZARD)
    for case, duty, _ in _all_duties(seen):
        if seen.period.has(duty.original):
            hit = duty.passed is not None and duty.passed <= duty.original
            entry = duty.entry("passed", "original")
            yield counted(case, duty.original, duty.unit, hit, entry=entry)


def extended(seen: Seen) -> Iterator[Mark]:
    """延期率: of what was due in the period by its original limit, given more days."""
    for case, duty, _ in _all_duties(seen):
        if seen.period.has(duty.original):
            entry = duty.entry("extended", "original")
            yield counted(case, duty.original, duty.unit, duty.extended, entry=entry)


def found_by_others(seen: Seen) -> Iterator[Mark]:
    """自检外发现率: of the hazards confirmed in the period, found by others than the block's own.

    Own: people of the place's community or of a grid in it, whoever typed it for them.
    """
    roles = seen.roles(HAZARD)
    for case in seen.of(HAZARD):
        at = confirmed_at(case, roles)
        if seen.period.has(at):
            if case.imported:
                yield excluded(case, at, case.path[0], "imported", OPENING)
            else:
                own = case.opener in seen.places.block(case.path)
                staff = case.told_by in ("", *roles["staff"])
                yield counted(case, at, case.path[0], not (own and staff), entry=OPENING)


def second_looks(seen: Seen) -> Iterator[Mark]:
    """复核改判率: of the verdicts looked at again in the period, those that were changed."""
    for case in seen.of(HAZARD):
        for step in case.of(seen.roles(HAZARD)["second_look"]):
            if step.done() and seen.period.has(step.closed):
                changed = step.said("decision") == "override"
                yield counted(case, step.closed, step.whose, changed, entry=step.closed_seq)


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
            against = [one for one in looks if one.said("result") in ("fail", "present")]
            unit, entry = _rectifier(case, roles, closing), (against or looks)[0].closed_seq
            yield counted(case, looks[0].closed, unit, bool(against), entry=entry)


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
                hits = [seq for seq in undone if closing.closed_seq < seq < end]
                unit, entry = _rectifier(case, roles, closing), [*hits, closing.closed_seq][0]
                yield counted(case, closing.closed, unit, bool(hits), entry=entry)


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
            ratings = [act for act in told if closing.closed_seq < act.seq < end]
            unit = _rectifier(case, roles, closing)
            if ratings:
                said, seq = ratings[-1].said, ratings[-1].seq
                apart = "mostly" if said == "mostly" else ""
                yield counted(case, closing.closed, unit, said == "satisfied", apart, seq)
            elif case.source == "resident":
                yield excluded(case, closing.closed, unit, "not_rated", closing.closed_seq)


def suppressed(seen: Seen) -> Iterator[Mark]:
    """瞒报属实数: hazards said to be none, where signal B7 was found to hold in the period.

    Also nil reports of patrols. Each counts once, and is told of the block's own people, if one of
    them said so.
    """
    for case in (*seen.of(HAZARD), *seen.of(PATROL)):
        said = {step.closed_seq: step.unit for step in case.steps if step.closed_seq}
        found = [
            (said[act.of], act) for act in case.acted("signal.confirmed")
            if act.said == SUPPRESSED and act.of in said and seen.period.has(act.at)
        ]  # fmt: skip
        block = seen.places.block(case.path)
        own = [one for one in found if one[0] in block]
        for unit, act in [*own, *found][:1]:
            yield Mark(case, act.at, unit, hits=1, of=1, entry=act.seq)


# --- durations and stocks -------------------------------------------------------------------------


def until_accepted(seen: Seen) -> Iterator[Mark]:
    """整改时长: from being confirmed until accepted; open ones are censored at the end."""
    roles = seen.roles(HAZARD)
    for case, told in _duties_of_each(seen):
        at = confirmed_at(case, roles)
        if not seen.period.has(at) or case.reached(roles["void"] | roles["merged"]):
            continue
        unit = told[-1].unit if told else case.path[0]
        end = told[-1].accepted if told else None
        took = None if end is None else minutes(at, end)
        entry = _confirmed_by(case, roles) if end is None else told[-1].entry("accepted")
        yield Mark(case, at, unit, of=1, minutes=took, entry=entry)


def overdue(seen: Seen) -> Iterator[Mark]:
    """超期存量 at the end of the period: of = whole days overdue x weight of the level."""
    for case, told in _duties_of_each(seen):
        for duty in told[-1:]:
            late = duty.lawful is not None and duty.lawful < seen.period.until
            if late and duty.lawful and duty.accepted is None and not duty.stands_still:
                days = (seen.period.until - duty.lawful) // DAY
                weight = seen.formulas.levels.get(case.level, 1)
                entry = duty.entry("lawful")
                yield Mark(case, duty.lawful, duty.unit, hits=1, of=days * weight, entry=entry)
