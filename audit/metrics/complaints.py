"""Complaints: asked again, solved or not, repeated, taken up anew, found true. All confidential."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from audit.metrics.facts import CaseFacts, Step
from audit.metrics.marks import Mark, Seen, counted, excluded

HOTLINE: Final = "hotline"
LAST: Final = 1 << 53


def _revisits(seen: Seen) -> Iterator[tuple[CaseFacts, Step, Step | None]]:
    """Each time a complainant is to be asked, and the step at which they were reached."""
    roles = seen.roles(HOTLINE)
    for case in seen.of(HOTLINE):
        firsts = case.of(roles["first_revisit"])
        for index, first in enumerate(firsts):
            if not seen.period.has(first.opened):
                continue
            end = firsts[index + 1].opened_seq if index + 1 < len(firsts) else LAST
            asked = [
                one for one in case.of(roles["revisit"])
                if first.opened_seq <= one.opened_seq < end and one.done()
            ]  # fmt: skip
            reached = (one for one in asked if one.said("reached") == "reached")
            yield case, first, next(reached, None)


def _handler(seen: Seen, case: CaseFacts, before: int) -> str:
    """The unit that was given the complaint last."""
    told = [
        one for one in case.of(seen.roles(HOTLINE)["dispatch"])
        if one.done() and one.closed_seq < before
    ]  # fmt: skip
    return str(told[-1].said("unit") or "") if told else ""


def _answered(seen: Seen, field: str) -> Iterator[Mark]:
    for case, first, reached in _revisits(seen):
        unit = _handler(seen, case, first.opened_seq)
        said = reached.said(field) if reached is not None else None
        if said is None:
            yield excluded(case, first.opened, unit, "not_reached")
        else:
            apart = "partly" if said == "partly" else ""
            yield counted(case, first.opened, unit, said == "yes", apart)


def solved(seen: Seen) -> Iterator[Mark]:
    """解决率: of the complainants to be asked in the period and reached, said it is solved."""
    return _answered(seen, "solved")


def satisfied(seen: Seen) -> Iterator[Mark]:
    """满意率: of the same, said they are satisfied; 基本满意 apart."""
    return _answered(seen, "satisfied")


def reached(seen: Seen) -> Iterator[Mark]:
    """回访有效率: of the complainants to be asked in the period, reached by its end."""
    for case, first, step in _revisits(seen):
        unit = _handler(seen, case, first.opened_seq)
        yield counted(case, first.opened, unit, step is not None)


def repeated(seen: Seen) -> Iterator[Mark]:
    """重复投诉率: of the complaints accepted in the period, about one that was closed before.

    One that was merged into a closed complaint counts too; merged into an open one is excluded.
    """
    roles = seen.roles(HOTLINE)
    within = timedelta(days=seen.formulas.numbers["repeat_days"])
    for case in seen.of(HOTLINE):
        for step in case.of(roles["accept"] | roles["second_look"]):
            if not step.done() or not seen.period.has(step.closed):
                continue
            name = step.said("merged_into") or step.said("linked") or case.linked
            other = seen.named.get(str(name))
            ended = other.reached(roles["closed"]) if other else None
            again = ended is not None and timedelta() <= step.closed - ended <= within
            # Merging takes a second look; the first decision alone does nothing.
            merged = step.said("verdict") == "merge"
            if "accept" in (step.said("verdict"), step.said("decision")) or (merged and again):
                yield counted(case, step.closed, case.path[0], again)
            elif merged:
                yield excluded(case, step.closed, case.path[0], "merged")


def reopened(seen: Seen) -> Iterator[Mark]:
    """重开率（投诉）: of the replies in the period, taken up again by its end."""
    roles = seen.roles(HOTLINE)
    for case in seen.of(HOTLINE):
        replies = [one for one in case.of(roles["reply"]) if one.done()]
        again = [one.opened_seq for one in case.of(roles["reopen"])]
        for index, step in enumerate(replies):
            if seen.period.has(step.closed):
                end = replies[index + 1].closed_seq if index + 1 < len(replies) else LAST
                hit = any(step.closed_seq < seq < end for seq in again)
                yield counted(case, step.closed, _handler(seen, case, step.opened_seq), hit)


def found_true(seen: Seen) -> Iterator[Mark]:
    """受理并核实数: complaints that began to count in the period; those taken back in it apart."""
    for case in seen.of(HOTLINE):
        for change in case.counted:
            if seen.period.has(change.at):
                path = seen.places.path(change.unit)
                n, apart = (0, "corrected") if change.corrected else (1, "")
                yield Mark(case, change.at, change.unit, n, n, apart=apart, path=path)
