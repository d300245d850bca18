"""The rules that one case meets or not by itself: its record in, numbers of entries out. Pure.

Every instant is the recorded one; what somebody claims is only compared with it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise, zip_longest
from typing import Final, TypeVar

from audit.reports.facts import (
    CaseRecord,
    ClockHistory,
    Decided,
    Extension,
    Hand,
    Pause,
    Responsibility,
)
from audit.signals.ratings import rated_oddly
from audit.signals.rules import Rule, Steps

Found = Iterator[tuple[int, ...]]
MINUTE: Final = timedelta(minutes=1)


def late(record: CaseRecord, steps: Steps, rule: Rule) -> Found:
    """B1: a step that ended, or still is, beyond its last limit, or beyond its first by leave."""
    clocks = {clock.task: clock for clock in record.clocks}
    for line in record.responsibility:
        clock = clocks.get(line.task)
        if clock is None:
            continue
        granted = [one.seq for _, one in _granted(clock.extensions)]
        stood = any(_granted(clock.pauses))
        ended = line.closed or record.last
        if line.was_late or (granted and not stood and ended > clock.settings[0].due):
            yield _numbers(*clock.overdue, *granted, line.seq)


Asked = TypeVar("Asked", Extension, Pause)


def _granted(asked: Iterable[Asked]) -> Iterator[tuple[Asked, Decided]]:
    """The requests that were granted, each with the decision."""
    for one in asked:
        if one.decided and one.decided.outcome == "granted":
            yield one, one.decided


def dodged(record: CaseRecord, steps: Steps, rule: Rule) -> Found:
    """B2: an objection that was refused, hands that only pass on, no sign-in until escalation."""
    yield from _refused_objections(record, steps)
    for line in record.responsibility:
        passed = [hand for hand in line.hands if hand.how == "delegated"]
        if len(passed) >= rule["hands"] or _came_back(line.hands):
            yield _numbers(*(hand.seq for hand in reversed(passed)))
    for clock in record.clocks:
        if clock.escalated and steps.plays(clock.element, "sign_in"):
            yield clock.escalated


def _refused_objections(record: CaseRecord, steps: Steps) -> Found:
    raised: int | None = None
    for row in record.timeline:
        if row.type == "objection.raised":
            raised = row.seq
        elif raised and row.type == "task.completed" and steps.plays(row.element or "", "rule"):
            if row.data["form"].get("ruling") == "rejected":
                yield raised, row.seq
            raised = None


def _came_back(hands: Sequence[Hand]) -> bool:
    """Whether a step was handed on and came back to somebody who had had it."""
    held = [hand.person for hand in hands if hand.person]
    return any(
        hand.how == "delegated" and hand.person in held[: max(0, index - 1)]
        for index, hand in enumerate(one for one in hands if one.person)
    )


def closed_falsely(record: CaseRecord, steps: Steps, rule: Rule) -> Found:
    """B3: a closing after which it was found, within so many days, that it did not hold."""
    refuted = refutations(record, steps)
    closings = [line for line in record.responsibility if _done(line, steps, "close")]
    for line, following in zip_longest(closings, closings[1:]):
        end = line.closed + timedelta(days=rule["days"]) if line.closed else record.last
        until = min(end, following.closed) if following and following.closed else end
        found = [seq for seq, at in refuted if line.closed and line.closed < at <= until]
        if found:
            yield _numbers(line.seq, found[0])


def refutations(record: CaseRecord, steps: Steps) -> list[tuple[int, datetime]]:
    """What showed that a closing did not hold: reopened, failed again, found again."""
    found = [(row.seq, row.at) for row in record.timeline if row.type == "case.reopened"]
    for line in record.responsibility:
        failed = _done(line, steps, "accept_again") and line.outcome.get("result") == "fail"
        there = _done(line, steps, "reinspect") and line.outcome.get("result") == "present"
        if (failed or there) and line.seq and line.closed:
            found.append((line.seq, line.closed))
    return sorted(found)


def accepted_own(record: CaseRecord, steps: Steps, rule: Rule) -> Found:
    """B4: somebody accepted what they had done themselves, or somebody else for them."""
    did: set[str] = set()
    for line in record.responsibility:
        if line.who is None or line.seq is None:
            continue
        people = {name for name in (line.who.person, line.who.on_behalf_of) if name}
        if _done(line, steps, "rectify"):
            did |= people
        elif _done(line, steps, "accept") and people & did:
            yield (line.seq,)


def backdated(record: CaseRecord, steps: Steps, rule: Rule) -> Found:
    """B6: said to have happened long before it was recorded."""
    for line in record.responsibility:
        if line.seq is None or line.closed is None or line.how != "completed":
            continue
        for name, minutes in steps.claims.items():
            claimed = _moment(line.outcome.get(name))
            if claimed is None:
                continue
            # A form that waited for a network says when it was filled: until then it is no delay.
            filled = _filled(record, line.seq) or line.closed
            if filled - claimed > minutes * MINUTE:
                yield (line.seq,)
                break


def _filled(record: CaseRecord, seq: int) -> datetime | None:
    return next((row.claimed_at for row in record.timeline if row.seq == seq), None)


def suppressed(record: CaseRecord, steps: Steps, rule: Rule) -> Found:
    """B7: said to be none, then found to be one after whoever reported insisted.

    Or nothing was reported of a walk, and who looked again by lot would have (the last such look).
    """
    walks = [line for line in record.responsibility if _done(line, steps, "walk")]
    again = [line for line in record.responsibility if _done(line, steps, "recheck")]
    for walk, look in zip(walks[-1:], again[-1:], strict=False):
        if walk.outcome.get("result") == "nil" and look.outcome.get("result") == "changed":
            yield _numbers(walk.seq, look.seq)
    looks = [line for line in record.responsibility if _done(line, steps, "second_look")]
    for earlier, later in pairwise(looks):
        if later.outcome.get("verdict") == "hazard" and earlier.outcome.get("decision") == "agree":
            yield _numbers(earlier.seq, later.seq)


def downgraded(record: CaseRecord, steps: Steps, rule: Rule) -> Found:
    """B8: suspected to be major, then made less by one person."""
    suspected: Responsibility | None = None
    for line in record.responsibility:
        if _done(line, steps, "confirm"):
            suspected = line if line.outcome.get("level") == "major" else None
        elif suspected and _done(line, steps, "second_look"):
            if line.outcome.get("level") not in (None, "major"):
                yield _numbers(line.seq, suspected.seq)
            suspected = None


def deadline_moved(record: CaseRecord, steps: Steps, rule: Rule) -> Found:
    """B9: given more time too often, asked for when it was late, or given by one's own unit."""
    for clock in record.clocks:
        for count, (one, decided) in enumerate(_granted(clock.extensions), 1):
            own = decided.who.unit is not None and decided.who.unit == one.who.unit
            if count > rule["times"] or own or one.at > _due_at(clock, one.at):
                yield decided.seq, one.seq


def _due_at(clock: ClockHistory, at: datetime) -> datetime:
    """The limit in force at an instant."""
    return [one.due for one in clock.settings if one.at <= at][-1]


def paused_falsely(record: CaseRecord, steps: Steps, rule: Rule) -> Found:
    """B10: a clock stopped and set going by the same person, or stopped on nobody's evidence."""
    for clock in record.clocks:
        for pause, decided in _granted(clock.pauses):
            same = pause.resumed_by is not None and pause.resumed_by.person == pause.who.person
            if same or not pause.evidence:
                yield _numbers(pause.resumed_seq, pause.seq, decided.seq)


def _done(line: Responsibility, steps: Steps, role: str) -> bool:
    return line.how == "completed" and steps.plays(line.element, role)


def _numbers(*seqs: int | None) -> tuple[int, ...]:
    return tuple(seq for seq in seqs if seq is not None)


def _moment(told: object) -> datetime | None:
    """A moment of a form: RFC 3339 with offset."""
    if not isinstance(told, str):
        return None
    try:
        at = datetime.fromisoformat(told)
    except ValueError:
        return None
    return at if at.tzinfo else None


ALONE: Final[Mapping[str, Callable[[CaseRecord, Steps, Rule], Found]]] = {
    "B1": late,
    "B2": dodged,
    "B3": closed_falsely,
    "B4": accepted_own,
    "B6": backdated,
    "B7": suppressed,
    "B8": downgraded,
    "B9": deadline_moved,
    "B10": paused_falsely,
    "B15": rated_oddly,
}
