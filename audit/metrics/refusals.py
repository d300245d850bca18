"""Work that was sent on: objections and rulings, dodges; orders and the standing list."""

from collections.abc import Iterator
from typing import Final

from audit.metrics.facts import Act, CaseFacts, Step
from audit.metrics.marks import Mark, Seen, counted, excluded

# In these a unit is given work and may object.
DISPATCHING: Final = ("hazard", "response")
DODGE: Final = "B2"
LAST: Final = 1 << 53


def _dispatches(seen: Seen) -> Iterator[tuple[CaseFacts, Step, int]]:
    """Each dispatch in the period, and the number of the entry by which the next one began."""
    for process in DISPATCHING:
        for case in seen.of(process):
            told = case.of(seen.roles(process)["dispatched"])
            for index, step in enumerate(told):
                if seen.period.has(step.opened):
                    end = told[index + 1].opened_seq if index + 1 < len(told) else LAST
                    yield case, step, end


def _whose(case: CaseFacts, step: Step) -> str:
    return case.party or next(iter(step.units), "")


def objected(seen: Seen) -> Iterator[Mark]:
    """退单率: of the dispatches in the period, objected to by its end."""
    for case, step, _ in _dispatches(seen):
        raised = [act.seq for act in case.acted("objection.raised") if act.task == step.task]
        entry = [*raised, step.opened_seq][0]
        yield counted(case, step.opened, _whose(case, step), bool(raised), entry=entry)


def upheld(seen: Seen) -> Iterator[Mark]:
    """退单成立率: of the objections raised in the period, ruled to be right by its end."""
    for process in DISPATCHING:
        rule = seen.roles(process)["rule"]
        for case in seen.of(process):
            for act in case.acted("objection.raised"):
                if seen.period.has(act.at):
                    after = [one for one in case.of(rule) if one.opened_seq > act.seq]
                    yield _ruled(case, act, after)


def _ruled(case: CaseFacts, act: Act, after: list[Step]) -> Mark:
    unit = next((_whose(case, one) for one in case.steps if one.task == act.task), case.party)
    if after and after[0].done():
        right, entry = after[0].said("ruling") == "upheld", after[0].closed_seq
        return counted(case, act.at, unit, right, entry=entry)
    if after and after[0].how == "cancelled":
        return excluded(case, act.at, unit, "overtaken", after[0].closed_seq or act.seq)
    return excluded(case, act.at, unit, "pending", act.seq)


def dodged(seen: Seen) -> Iterator[Mark]:
    """推诿率: of the dispatches in the period, with a signal B2 that a person found to hold."""
    for case, step, end in _dispatches(seen):
        told = [act for act in case.acted("signal.confirmed") if act.said == DODGE]
        held = [act.seq for act in told if step.opened_seq <= act.of < end]
        entry = [*held, step.opened_seq][0]
        yield counted(case, step.opened, _whose(case, step), bool(held), entry=entry)


def ordered(seen: Seen) -> Iterator[Mark]:
    """督办件数: orders given in the period; answered ones apart. Of no confidential case."""
    for case in _open(seen):
        answered = {act.of for act in case.acted("supervision.answered")}
        for act in case.acted("case.supervised"):
            if seen.period.has(act.at):
                apart = "answered" if act.seq in answered else "unanswered"
                yield Mark(case, act.at, case.path[0], 1, 1, apart=apart, entry=act.seq)


def listed(seen: Seen) -> Iterator[Mark]:
    """挂账存量: steps on the standing list that are open at the end of the period."""
    for case in _open(seen):
        for step in case.steps:
            told = [act for act in case.acted("standing.listed") if act.task == step.task]
            if told and step.closed is None:
                yield Mark(case, told[0].at, step.whose, 1, 1, entry=told[0].seq)


def _open(seen: Seen) -> Iterator[CaseFacts]:
    for process, cases in seen.cases.items():
        if not seen.roles(process).confidential:
            yield from cases
