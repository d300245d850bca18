"""How long a risk was known, and in whose hands: the cases at one place folded into one account.

A fold over the records of hazard cases, and of patrols, as they stood at one instant, so anybody
with their entries gets the same. It counts and names; whether anybody is to blame it does not say.
A risk is there from a report to an acceptance that sent nothing back, or to an end without one; it
is there again with the next report, or with a step that is opened after the acceptance.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from audit.encoding import canonical
from audit.reports.case import plain
from audit.reports.conduct import CaseRef, unit_of_holder
from audit.reports.facts import FIVE_DUTIES, CaseRecord, ClockHistory, Responsibility, TimelineRow
from audit.reports.risk_facts import (
    FirstKnown,
    Holding,
    Kept,
    Mark,
    NilReport,
    Place,
    Risk,
    Share,
    Standing,
    StepShare,
    Stood,
)
from audit.reports.spans import Span, both, minutes, union, without

# To be raised whenever a fold of the same entries gives another digest than before.
RISK_VERSION: Final = 1
FORMAT: Final = "shaoji-risk/1"
ATTACHMENT: Final = "risk.json"
# The verdicts on a report by which it is no case of its own any further.
SAID: Final = frozenset({"not_hazard", "duplicate", "other_authority"})
_AGAIN: Final = frozenset({"case.reopened", "result.disputed"})
_MOVED: Final = frozenset(
    {"task.returned", "task.withdrawn", "objection.raised", "task.reassigned", "task.delegated",
     "task.released"}
)  # fmt: skip
_LIMIT: Final = frozenset(
    {"pause.granted", "pause.refused", "clock.resumed", "extension.granted", "extension.refused",
     "standing.listed", "case.supervised", "supervision.answered", "case.urged"}
)  # fmt: skip


def risk(
    log: str,
    place: Place,
    records: Iterable[CaseRecord],
    patrols: Iterable[CaseRecord],
    until: datetime,
    *,
    left_out: int = 0,
) -> Risk:
    """Fold the records of the cases at a place, each as it stood at `until`, into one account.

    patrols: that ended without a find, where the risk lies in what they walk. Raises ValueError
    without any case.
    """
    told = sorted(records, key=lambda one: (one.opened, one.case))
    if not told:
        raise ValueError("a risk is told by one case at least")
    lives = [_life(one, until) for one in told]
    first = told[0]
    held = [one for life in lives for one in _holdings(life, until)]
    stood = list(_stood(lives, [counted for _, counted, _ in held]))
    on = any(life.spans and life.off is None for life in lives)
    last = max((life.off for life in lives if life.off), key=lambda off: off.at, default=None)
    end = None if on or last is None else last.at
    upto = end or until
    return Risk(
        log=log,
        place=place,
        until=until,
        cases=tuple(CaseRef(r.case, r.number, r.title, r.count, r.head) for r in told),
        left_out=left_out,
        first=_first(first),
        end=end,
        end_by=last.standing if end and last else None,
        minutes=minutes([(first.opened, upto)]),
        kept=tuple(_kept(told, upto)),
        stood=tuple(stood),
        held=tuple(sorted((one for one, _, _ in held), key=lambda one: (one.since, one.case))),
        units=tuple(_shares(held, by_person=False)),
        persons=tuple(_shares(held, by_person=True)),
        steps=tuple(_steps(held)),
        marks=tuple(sorted(_marks(told), key=lambda one: (one.at, one.case, one.seq))),
        nil=tuple(_nil(patrols, first.opened, upto)),
    )


def risk_data(told: Risk) -> bytes:
    """The whole content as canonical JSON: what is attached to a report, and hashed."""
    return canonical({"format": FORMAT, **plain(told)})


def risk_digest(told: Risk) -> str:
    """SHA-256 (hex) over `risk_data`."""
    return hashlib.sha256(risk_data(told)).hexdigest()


def _first(record: CaseRecord) -> FirstKnown:
    row = record.timeline[0]
    return FirstKnown(record.case, row.seq, row.at, row.actor, row.claimed_at)


# --- when the risk was there ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Off:
    """From then on a case no longer holds the risk: by which entry, and how."""

    at: datetime
    seq: int
    standing: Literal["accepted", "dismissed"]


@dataclass(frozen=True, slots=True)
class _Life:
    """When a case held the risk. offs: each end of it; off: the last, None while it does."""

    record: CaseRecord
    spans: tuple[Span, ...]
    offs: tuple[_Off, ...]
    off: _Off | None


def _life(record: CaseRecord, until: datetime) -> _Life:
    spans: list[Span] = []
    offs: list[_Off] = []
    since: datetime | None = record.opened
    for seq, at, off in sorted(_turns(record), key=lambda turn: turn[0]):
        if off is None:
            since = since or at
        elif since is not None:
            spans.append((since, at))
            offs.append(_Off(at, seq, off))
            since = None
    if since is not None:
        spans.append((since, until))
    kept = [off for off in offs if not any(a <= off.at < b for a, b in spans)]
    return _Life(record, tuple(union(spans)), tuple(kept), None if since else kept[-1])


def _turns(
    record: CaseRecord,
) -> Iterator[tuple[int, datetime, Literal["accepted", "dismissed"] | None]]:
    """By which entries the risk is there (None) and by which it is no longer, in any order."""
    of_five = [line for line in record.responsibility if line.duty5 in FIVE_DUTIES]
    for line in of_five:
        yield line.opened_seq, line.opened, None
        done = line.duty5 == "accept" and line.how == "completed"
        alone = done and not any(_is_open_at(other, line) for other in of_five)
        if alone and line.seq and line.closed:
            yield line.seq, line.closed, "accepted"
    if record.ended_at is not None and record.ended_seq is not None:
        yield record.ended_seq, record.ended_at, "dismissed"


def _is_open_at(other: Responsibility, done: Responsibility) -> bool:
    """Whether another step was open when this one was done."""
    if other is done or done.seq is None or done.closed is None or other.opened_seq > done.seq:
        return False
    return other.closed is None or other.closed > done.closed


# --- in whose hands -------------------------------------------------------------------------------

# A holding, when it counts, and when of that beyond its limit.
_Counted = tuple[Holding, list[Span], list[Span]]


def _holdings(life: _Life, until: datetime) -> Iterator[_Counted]:
    record = life.record
    for line in record.responsibility:
        clock = next((one for one in record.clocks if one.task == line.task), None)
        late = _beyond(clock, line.closed or until, until) if clock else []
        for hand in line.hands:
            counted = both([(hand.since, hand.until or until)], life.spans)
            if not counted:
                continue
            over = both(counted, late)
            person = hand.person
            unit = (unit_of_holder(record, line, person) if person else None) or line.units[-1]
            told = Holding(
                record.case, line.task, line.element, unit, person, hand.how, hand.seq,
                hand.since, hand.until, minutes(counted), minutes(over),
            )  # fmt: skip
            yield told, counted, over


def _beyond(clock: ClockHistory, closed: datetime, until: datetime) -> list[Span]:
    """When a step was beyond the limit in force, natural time; while its clock stood it was not."""
    ends = [*(one.at for one in clock.settings[1:]), closed]
    late = [
        (max(one.due, one.at), end)
        for one, end in zip(clock.settings, ends, strict=True)
        if one.due < end
    ]
    paused = [
        (one.decided.at, one.resumed_at or until)
        for one in clock.pauses
        if one.decided and one.decided.outcome == "granted"
    ]
    return without(late, paused)


def _shares(held: Sequence[_Counted], *, by_person: bool) -> Iterator[Share]:
    found: dict[tuple[str, str | None], list[_Counted]] = {}
    for one in held:
        key = (one[0].unit, one[0].person if by_person else None)
        found.setdefault(key, []).append(one)
    for unit, person in sorted(found, key=lambda key: (key[0], key[1] or "")):
        spent, over = _sums(found[unit, person])
        yield Share(unit, person, spent, over)


def _steps(held: Sequence[_Counted]) -> Iterator[StepShare]:
    found: dict[str, list[_Counted]] = {}
    for one in held:
        found.setdefault(one[0].element, []).append(one)
    for element in sorted(found):
        spent, over = _sums(found[element])
        times = len({(one.case, one.task) for one, _, _ in found[element]})
        yield StepShare(element, times, spent, over)


def _sums(told: Iterable[_Counted]) -> tuple[int, int]:
    listed = list(told)
    spent = minutes(span for _, counted, _ in listed for span in counted)
    return spent, minutes(span for _, _, over in listed for span in over)


# --- how it stood ---------------------------------------------------------------------------------


def _stood(lives: Sequence[_Life], held: Sequence[Sequence[Span]]) -> Iterator[Stood]:
    """The time from the first record to the end without a gap, by how it stood."""
    there = union(span for life in lives for span in life.spans)
    hands = union(span for spans in held for span in spans)
    rests = without(there, hands)
    begin, end = there[0][0], there[-1][1]
    found: list[tuple[Span, Standing]] = [(span, "held") for span in both(there, hands)]
    found += [(span, "resting") for span in rests]
    offs = [(off, life.record.case) for life in lives for off in life.offs]
    for span in without([(begin, end)], there):
        off, _ = _off_at(offs, span[0])
        found.append((span, off.standing))
    begun = [(life.record.opened, life.record.case, 1) for life in lives]
    begun += [(off.at, case, off.seq) for off, case in offs]
    for span, standing in sorted(found):
        _, case, seq = max(one for one in begun if one[0] <= span[0])
        yield Stood(standing, span[0], span[1], minutes([span]), case, seq)


def _off_at(offs: Sequence[tuple[_Off, str]], at: datetime) -> tuple[_Off, str]:
    return next(one for one in offs if one[0].at == at)


# --- what was said and done of it -----------------------------------------------------------------


def _kept(records: Iterable[CaseRecord], upto: datetime) -> Iterator[Kept]:
    lines = [
        (line.closed, record.case, line)
        for record in records
        for line in record.kept
        if line.closed and line.seq and line.who and line.closed <= upto
    ]
    for closed, case, line in sorted(lines, key=lambda one: (one[0], one[1], one[2].seq)):
        if line.seq and line.who:
            yield Kept(case, line.task, line.seq, closed, line.who)


def _marks(records: Iterable[CaseRecord]) -> Iterator[Mark]:
    for record in records:
        verdicts = {line.seq for line in record.responsibility if _says(line)}
        for row in record.timeline:
            kind = "said" if row.seq in verdicts else _kind(row)
            if kind is not None:
                yield Mark(kind, record.case, row.seq, row.at)


def _says(line: Responsibility) -> bool:
    """Whether this is a verdict that it is no hazard here, or a second look that keeps to one."""
    if line.duty5 != "confirm" or line.how != "completed":
        return False
    return line.outcome.get("verdict") in SAID or "decision" in line.outcome


def _kind(row: TimelineRow) -> Literal["again", "moved", "limit"] | None:
    kinds: Mapping[Literal["again", "moved", "limit"], frozenset[str]] = {
        "again": _AGAIN, "moved": _MOVED, "limit": _LIMIT,
    }  # fmt: skip
    return next((kind for kind, types in kinds.items() if row.type in types), None)


def _nil(patrols: Iterable[CaseRecord], since: datetime, until: datetime) -> Iterator[NilReport]:
    found = [
        (line.closed, record, line)
        for record in patrols
        for line in record.responsibility
        if line.how == "completed" and line.seq and line.closed and line.who
        if since <= line.closed <= until and line.outcome.get("result") == "nil"
    ]
    for at, record, line in sorted(found, key=lambda one: (one[0], one[1].case)):
        if line.seq and line.who:
            yield NilReport(record.case, record.number, line.seq, at, line.who.doer)
