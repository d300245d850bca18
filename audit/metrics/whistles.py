"""Departments that were called: whether they signed in, called back and came, and how soon."""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Final

from audit.metrics.facts import CaseFacts, Step
from audit.metrics.formulas import Roles
from audit.metrics.marks import OPENING, Mark, Seen, counted, excluded, minutes

WHISTLE: Final = "whistle"
RESPONSE: Final = "response"


def _called(seen: Seen) -> Iterator[CaseFacts]:
    return (case for case in seen.of(RESPONSE) if seen.period.has(case.opened))


def _let_go(case: CaseFacts, roles: Roles) -> tuple[str, int]:
    """Why nobody had to come any more, and by which entry; "" for whoever had to."""
    for reason in ("released", "withdrawn"):
        end = case.first_passed(roles[reason])
        if end is not None:
            return reason, end.seq
    return "", 0


def _arrival(case: CaseFacts, roles: Roles) -> Step | None:
    return next((one for one in case.of(roles["arrive"]) if one.done()), None)


def _in_time(step: Step) -> bool:
    due = step.lawful_due
    return step.done() and (due is None or (step.closed is not None and step.closed <= due))


def _missed(steps: Iterable[Step], end: datetime) -> list[int]:
    """By which entries the limits were set that passed without the step having been done."""
    return [
        step.lawful.seq
        for step in steps
        if not step.done() and step.lawful and step.lawful.due < (step.closed or end)
    ]


def _first_contact(case: CaseFacts, roles: Roles) -> Step | None:
    """The step by which they first were in touch: a call, or coming without one."""
    calls = (one for one in case.of(roles["contact"]) if one.done())
    return next(calls, None) or _arrival(case, roles)


def _coming_due(case: CaseFacts, roles: Roles) -> datetime | None:
    """The last limit for coming that was set, which is the one for calling, too."""
    due = [one.lawful_due for one in case.of(roles["arrive"]) if one.lawful_due]
    return due[-1] if due else None


def _within(case: CaseFacts, roles: Roles, step: Step) -> bool:
    due = _coming_due(case, roles)
    return due is None or (step.closed is not None and step.closed <= due)


def _answered(
    seen: Seen, first: Callable[[CaseFacts, Roles], Step | None], *, signing: bool
) -> Iterator[Mark]:
    """Of each department called, whether what `first` finds was done in time."""
    roles = seen.roles(RESPONSE)
    for case in _called(seen):
        signed, coming = case.of(roles["sign_in"]), case.of(roles["arrive"])
        done, (gone, by) = first(case, roles), _let_go(case, roles)
        late = [one.closed_seq for one in signed if signing and one.done() and not _in_time(one)]
        failed = [*late, *_missed([*signed, *coming], seen.period.until)]
        if gone:
            yield excluded(case, case.opened, case.party, gone, by)
        elif done is not None:
            hit, entry = _within(case, roles, done) and not late, [*late, done.closed_seq][0]
            yield counted(case, case.opened, case.party, hit, entry=entry)
        elif failed:
            yield counted(case, case.opened, case.party, False, entry=failed[0])
        else:
            over = [one.closed_seq for one in (*signed, *coming) if one.how == "cancelled"]
            reason, entry = ("finished", over[0] or OPENING) if over else ("pending", OPENING)
            yield excluded(case, case.opened, case.party, reason, entry)


def responded(seen: Seen) -> Iterator[Mark]:
    """响应率: of the departments called in the period, signed in and were in touch in time.

    In touch: called whoever blew, or came, within the limit for coming.
    """
    return _answered(seen, _first_contact, signing=True)


def arrived_in_time(seen: Seen) -> Iterator[Mark]:
    """准时报到率: of the departments called, came in time; unanswered ones did not."""
    return _answered(seen, _arrival, signing=False)


def first_contact(seen: Seen) -> Iterator[Mark]:
    """首次联系时长: from being called until first in touch, of each department called."""
    return _took(seen, _first_contact)


def until_arrival(seen: Seen) -> Iterator[Mark]:
    """到场时长: from being called until arrived, of each department called in the period."""
    return _took(seen, _arrival)


def _took(seen: Seen, first: Callable[[CaseFacts, Roles], Step | None]) -> Iterator[Mark]:
    roles = seen.roles(RESPONSE)
    for case in _called(seen):
        (gone, by), done = _let_go(case, roles), first(case, roles)
        if gone:
            yield excluded(case, case.opened, case.party, gone, by)
        else:
            end = done.closed if done else None
            took = None if end is None else minutes(case.opened, end)
            entry, due = done.closed_seq if done else OPENING, _coming_due(case, roles)
            allowed = minutes(case.opened, due) if due else None
            yield Mark(
                case, case.opened, case.party, of=1, minutes=took, entry=entry, allowed=allowed
            )


def evaluated(seen: Seen) -> Iterator[Mark]:
    """吹哨方评价: of the evaluations of departments opened in the period, those `satisfied`.

    An evaluation is sealed until both sides have written, or their time is over; it counts when it
    is opened.
    """
    for case in seen.of(RESPONSE):
        for act in case.acted("answers.revealed"):
            if seen.period.has(act.at):
                apart = "mostly" if act.said == "fair" else ""
                hit = act.said == "satisfied"
                yield counted(case, act.at, case.party, hit, apart, act.seq)


def first_arrival(seen: Seen) -> Iterator[Mark]:
    """首发响应时长: from calling the departments until the first of them was there."""
    roles, of_children = seen.roles(WHISTLE), seen.roles(RESPONSE)
    for case in seen.of(WHISTLE):
        sent = [act for act in case.acted("message.sent") if act.said in roles["called"]]
        call = min(sent, key=lambda act: act.at, default=None)
        if call is None or not seen.period.has(call.at):
            continue
        children = [one for one in seen.of(RESPONSE) if one.parent == case.case]
        came = [_arrival(one, of_children) for one in children]
        ends = [one.closed for one in came if one is not None and one.closed]
        back = case.first_passed(roles["withdrawn"])
        if not ends and back is not None:
            yield excluded(case, call.at, case.path[0], "withdrawn", back.seq)
        else:
            took = minutes(call.at, min(ends)) if ends else None
            yield Mark(case, call.at, case.path[0], of=1, minutes=took, entry=call.seq)
