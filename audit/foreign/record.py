"""A foreign case as the record that the rules of audit.signals look at. Pure.

Numbers of entries are numbers of happenings in their case, from 1. What a foreign log cannot tell
(who asked for more time, evidence, orders) is left empty: audit.foreign.rule_needs says which rules
are refused for that.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import zip_longest
from types import MappingProxyType
from typing import Any, Final

from audit.foreign.activations import Activation, Put, put_together
from audit.foreign.facts import ACTS
from audit.foreign.happenings import REPORT, ForeignCase, Happening
from audit.reports.facts import (
    Actor,
    CaseRecord,
    ClockHistory,
    DeadlineSet,
    Decided,
    Extension,
    Hand,
    How,
    Pause,
    Responsibility,
    RiskSpan,
    Separation,
    TimelineRow,
    Timing,
)

_HOW: Final[Mapping[str, How]] = {
    "completed": "completed", "task.withdrawn": "withdrawn", "cancelled": "cancelled",
    "task.returned": "returned", "objection.raised": "objected", "open": "open",
}  # fmt: skip
# Whoever has a step hands it on; a log seldom says who did, so each hand-over counts as one.
_HANDS: Final = {
    "schedule": "opened", "assign": "opened", "start": "claimed", "reassign": "delegated",
}  # fmt: skip
_EMPTY: Final[Mapping[str, Any]] = MappingProxyType({})


def record_of(case: ForeignCase, last: datetime) -> CaseRecord:
    """What is known of a case, in the shape of what our log says of one.

    last: up to when the log tells of any case: until then a step without an end is open.
    """
    put, first = put_together(case), case.happenings[0]
    lines = tuple(_lines(put, last))
    return CaseRecord(
        log="", case=case.id, process=case.process, kernel=None, definition=_EMPTY,
        number=case.number, title=case.title, category=case.category, level=case.level or None,
        unit=case.path[0], path=case.path, address=case.address, source=case.source,
        spoken_by=None, reporter=_actor(first.person, first.unit), receipt=None, opened=first.at,
        last=last, ended=None, ended_seq=None, ended_at=None, responsibility=lines,
        now=tuple(line for line in lines if line.how == "open"), waiting=(), five=(), kept=(),
        missed=(), clocks=tuple(_clocks(case, put, last)), orders=(), evidence=(),
        timeline=tuple(_timeline(case, put)), separation=Separation(0, (), ()), tally=_EMPTY,
        risk=RiskSpan(first.at, None, None), count=len(case.happenings), head="", elements=_EMPTY,
    )  # fmt: skip


def _actor(person: str, unit: str) -> Actor:
    return Actor(person=person or None, unit=unit or None)


def _lines(put: Put, last: datetime) -> Iterator[Responsibility]:
    """In the order of the table of our own record: element by element as they began."""
    began, rounds = dict[str, int](), Counter(one.element for one in put.steps)
    for one in put.steps:
        began.setdefault(one.element, one.opened_seq)
    ordered = sorted(put.steps, key=lambda one: (began[one.element], one.element, one.opened_seq))
    return (_line(one, rounds[one.element], last) for one in ordered)


def _line(one: Activation, rounds: int, last: datetime) -> Responsibility:
    done = one.how not in ("open", "cancelled")
    holder = one.hands[-1].person if one.hands else ""
    who = _actor(one.person, one.unit) if done else _actor(holder, "") if holder else None
    return Responsibility(
        duty5=None, element=one.element, task=one.task, round=int(one.task.rpartition("#")[2]),
        rounds=rounds, how=_HOW[one.how], who=who, units=one.units, opened=one.opened,
        opened_seq=one.opened_seq, closed=one.closed, seq=one.closed_seq if done else None,
        outcome=dict(one.said), asked=one.element, reason=None, note=None, timing=Timing(),
        was_late=_was_late(one, last), hands=tuple(_hands(one)), evidence=0,
    )  # fmt: skip


def _was_late(one: Activation, last: datetime) -> bool:
    """Whether some limit ran out while it was in force, whichever came after it."""
    ends = [*(setting.at for setting in one.settings[1:]), one.closed or last]
    return any(setting.due < end for setting, end in zip(one.settings, ends, strict=False))


def _hands(one: Activation) -> Iterator[Hand]:
    untils = [hand.at for hand in one.hands[1:]] + [one.closed]
    for hand, until in zip(one.hands, untils, strict=False):
        yield Hand(hand.person or None, hand.at, until, _HANDS[hand.how], hand.seq)


# --- clocks ---------------------------------------------------------------------------------------


def _clocks(case: ForeignCase, put: Put, last: datetime) -> Iterator[ClockHistory]:
    for one in put.steps:
        if not one.settings:
            continue
        # Our log has an entry for a limit that ran out; here the opening has to stand for it.
        undone = one.how in ("open", "cancelled") and _was_late(one, last)
        overdue = (one.opened_seq,) if undone else ()
        yield ClockHistory(
            task=one.task, element=one.element, round=int(one.task.rpartition("#")[2]),
            settings=tuple(_set(one)), extensions=tuple(_extensions(case, put, one)),
            pauses=tuple(_pauses(case, put, one)), warned=(), overdue=overdue, escalated=(),
        )  # fmt: skip


def _set(one: Activation) -> Iterator[DeadlineSet]:
    for setting in one.settings:
        yield DeadlineSet(
            one.opened_seq, setting.at, "extended" if setting.why else "opened", "", "natural", 0,
            0, one.opened, setting.due, 0, False, None, None, None,
        )  # fmt: skip


def _about(
    case: ForeignCase, put: Put, one: Activation, *whats: str
) -> Iterator[tuple[int, Happening]]:
    for seq, happening in enumerate(case.happenings, 1):
        if happening.what in whats and put.about.get(seq) is one:
            yield seq, happening


def _granted(seq: int, it: Happening) -> Decided:
    return Decided("granted", seq, it.at, _actor(it.person, it.unit), "")


def _extensions(case: ForeignCase, put: Put, one: Activation) -> Iterator[Extension]:
    for seq, it in _about(case, put, one, "extend"):
        who = _actor(it.person, it.unit)
        yield Extension(seq, it.at, who, 0, "", "", _granted(seq, it))


def _pauses(case: ForeignCase, put: Put, one: Activation) -> Iterator[Pause]:
    told = [*_about(case, put, one, "suspend", "resume")]
    for (seq, it), after in zip_longest(told, told[1:]):
        if it.what == "suspend":
            ran_on = after if after is not None and after[1].what == "resume" else None
            number, by = ran_on or (None, None)
            yield Pause(
                seq, it.at, _actor(it.person, it.unit), "", it.at, "", 0, _granted(seq, it),
                number, by.at if by else None, _actor(by.person, by.unit) if by else None,
            )  # fmt: skip


# --- what was done, as rows -----------------------------------------------------------------------


def _timeline(case: ForeignCase, put: Put) -> Iterator[TimelineRow]:
    for seq, one in enumerate(case.happenings, 1):
        type_ = "task.completed" if one.what == "complete" else ACTS.get(one.what)
        if type_ is None or one.element == REPORT:
            continue
        about = put.about.get(seq)
        yield TimelineRow(
            seq=seq, at=one.at, kind="act", type=type_, actor=_actor(one.person, one.unit),
            element=one.element or None, task=about.task if about else None, round=1, rounds=1,
            data={"form": dict(one.said)}, refers=None, timing=None, holder=None, units=(),
            evidence=(), cause=None, claimed_at=None,
        )  # fmt: skip
