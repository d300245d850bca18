"""Departments that were called: whether they signed in and came, and how long that took."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final

from audit.metrics.facts import CaseFacts, Step
from audit.metrics.formulas import Roles
from audit.metrics.marks import Mark, Seen, counted, excluded, minutes

WHISTLE: Final = "whistle"
RESPONSE: Final = "response"


def _called(seen: Seen) -> Iterator[CaseFacts]:
    return (case for case in seen.of(RESPONSE) if seen.period.has(case.opened))


def _let_go(case: CaseFacts, roles: Roles) -> str:
    return next((one for one in ("released", "withdrawn") if case.reached(roles[one])), "")


def _arrival(case: CaseFacts, roles: Roles) -> Step | None:
    return next((one for one in case.of(roles["arrive"]) if one.done()), None)


def _in_time(step: Step) -> bool:
    due = step.lawful_due
    return step.done() and (due is None or (step.closed is not None and step.closed <= due))


def _missed(steps: Iterable[Step], end: datetime) -> bool:
    """Whether a limit passed without the step having been done."""
    return any(
        step.lawful_due is not None and step.lawful_due < (step.closed or end)
        for step in steps
        if not step.done()
    )


def _came(seen: Seen, *, signing: bool) -> Iterator[Mark]:
    roles = seen.roles(RESPONSE)
    for case in _called(seen):
        signed, coming = case.of(roles["sign_in"]), case.of(roles["arrive"])
        arrived, gone = _arrival(case, roles), _let_go(case, roles)
        late = signing and any(one.done() and not _in_time(one) for one in signed)
        if gone:
            yield excluded(case, case.opened, case.party, gone)
        elif arrived is not None:
            yield counted(case, case.opened, case.party, _in_time(arrived) and not late)
        elif late or _missed([*signed, *coming], seen.period.until):
            yield counted(case, case.opened, case.party, False)
        else:
            over = any(one.how == "cancelled" for one in (*signed, *coming))
            yield excluded(case, case.opened, case.party, "finished" if over else "pending")


def responded(seen: Seen) -> Iterator[Mark]:
    """响应率: of the departments called in the period, signed in and came within the limits."""
    return _came(seen, signing=True)


def arrived_in_time(seen: Seen) -> Iterator[Mark]:
    """准时报到率: of the departments called, came in time; unanswered ones did not."""
    return _came(seen, signing=False)


def until_arrival(seen: Seen) -> Iterator[Mark]:
    """到场时长: from being called until arrived, of each department called in the period."""
    roles = seen.roles(RESPONSE)
    for case in _called(seen):
        gone, arrived = _let_go(case, roles), _arrival(case, roles)
        if gone:
            yield excluded(case, case.opened, case.party, gone)
        else:
            end = arrived.closed if arrived else None
            took = None if end is None else minutes(case.opened, end)
            yield Mark(case, case.opened, case.party, of=1, minutes=took)


def first_arrival(seen: Seen) -> Iterator[Mark]:
    """首发响应时长: from calling the departments until the first of them was there."""
    roles, of_children = seen.roles(WHISTLE), seen.roles(RESPONSE)
    for case in seen.of(WHISTLE):
        sent = [act.at for act in case.acted("message.sent") if act.said in roles["called"]]
        if not sent or not seen.period.has(min(sent)):
            continue
        children = [one for one in seen.of(RESPONSE) if one.parent == case.case]
        came = [_arrival(one, of_children) for one in children]
        ends = [one.closed for one in came if one is not None and one.closed]
        if not ends and case.reached(roles["withdrawn"]):
            yield excluded(case, min(sent), case.path[0], "withdrawn")
        else:
            took = minutes(min(sent), min(ends)) if ends else None
            yield Mark(case, min(sent), case.path[0], of=1, minutes=took)
