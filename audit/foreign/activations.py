"""The happenings of a case put together into activations of steps. Pure.

Where a log tells of a step only that it was done, it is taken to have been opened when the step
before it was; whoever prints figures says how often that was so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from audit.foreign.happenings import CLOSING, OF_A_STEP, OPENING, REPORT, ForeignCase, Happening
from audit.metrics.facts import Setting

# How a step closed, in the words of the log of ours.
HOW: Final = {
    "complete": "completed", "withdraw": "task.withdrawn", "ate_abort": "cancelled",
    "return": "task.returned", "object": "objection.raised",
}  # fmt: skip
_WHY: Final = {"extend": "extension.granted", "list": "standing.listed"}


@dataclass(frozen=True, slots=True)
class Held:
    """Somebody was given a step, or took it; how: the word of the happening."""

    person: str
    at: datetime
    how: str
    seq: int


@dataclass(slots=True)
class Activation:
    """A step opened once. task: `<element>#<n>`. told: the log says itself when it was opened.

    *_seq: the happening's number in its case, from 1. settings: limits as they were told. after:
    the element whose end opened it, where nothing else is known; "" for the beginning.
    """

    task: str
    element: str
    instance: str
    opened: datetime
    opened_seq: int
    told: bool
    after: str
    units: tuple[str, ...] = ()
    hands: list[Held] = field(default_factory=list)
    settings: list[Setting] = field(default_factory=list)
    closed: datetime | None = None
    closed_seq: int = 0
    how: str = "open"
    person: str = ""
    unit: str = ""
    said: dict[str, Any] = field(default_factory=dict)
    line: int = 0

    @property
    def limited(self) -> bool:
        """Whether a limit was told before it ended; one told afterwards says nothing of others."""
        return any(self.closed is None or one.at < self.closed for one in self.settings)


@dataclass(slots=True)
class _Walk:
    happenings: Sequence[Happening]
    found: list[Activation] = field(default_factory=list)
    # Which activation each happening was about.
    about: dict[int, Activation] = field(default_factory=dict)
    rounds: dict[str, int] = field(default_factory=dict)
    # The last step that ended: its number, instant and element.
    last: tuple[int, datetime, str] | None = None

    def take(self, seq: int, one: Happening) -> None:
        now = self._open_one(one)
        if one.what in OPENING:
            now = now or self._opened(seq, one, told=True)
            now.hands.append(Held(one.person, one.at, one.what, seq))
        elif one.what in CLOSING:
            now = now or self._opened(seq, one, told=False)
            self._close(now, seq, one)
        if now is not None:
            self.about[seq] = now
            if one.due is not None:
                why = _WHY.get(one.what, "")
                now.settings.append(Setting(one.at, one.due, why))

    def _open_one(self, one: Happening) -> Activation | None:
        fitting = [a for a in self.found if a.element == one.element and a.closed is None]
        if one.instance:
            fitting = [a for a in fitting if a.instance == one.instance]
        return fitting[-1] if fitting else None

    def _opened(self, seq: int, one: Happening, *, told: bool) -> Activation:
        n = self.rounds[one.element] = self.rounds.get(one.element, 0) + 1
        first = self.happenings[0]
        before = self.last or (1, first.at, "")
        at, number = (one.at, seq) if told else (before[1], before[0])
        units = (one.unit,) if one.unit else ()
        task = f"{one.element}#{n}"
        made = Activation(task, one.element, one.instance, at, number, told, before[2], units)
        self.found.append(made)
        return made

    def _close(self, now: Activation, seq: int, one: Happening) -> None:
        now.closed, now.closed_seq, now.how, now.line = one.at, seq, HOW[one.what], one.line
        now.person = one.person
        now.unit = "" if one.what == "ate_abort" else one.unit
        now.said.update(one.said)
        self.last = (seq, one.at, one.element)


@dataclass(frozen=True, slots=True)
class Put:
    """A case put together. steps: in the order in which they were opened; about: by happening."""

    steps: tuple[Activation, ...]
    about: Mapping[int, Activation]


def put_together(case: ForeignCase) -> Put:
    """Every activation of a step in a case."""
    walk = _Walk(case.happenings)
    for seq, one in enumerate(case.happenings, 1):
        if one.element == REPORT:
            walk.last = (seq, one.at, REPORT)
        elif one.element and one.what in OF_A_STEP:
            walk.take(seq, one)
    return Put(tuple(sorted(walk.found, key=lambda one: one.opened_seq)), walk.about)
