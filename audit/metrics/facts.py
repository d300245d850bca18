"""What is left of one case for the metrics: its steps, limits and dated acts, and nobody's words.

Everything bears its instant, so that a case can be seen as it stood at any earlier one: what a
month's figures are does not change because somebody acted later.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from operator import is_
from typing import Any, Final, TypeVar

from audit.publication import Change

NOBODY: Final = ""


@dataclass(frozen=True, slots=True)
class Setting:
    """A limit as it was set; why: type of the entry that caused it; seq: the entry that set it."""

    at: datetime
    due: datetime
    why: str
    seq: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """One activation of a step. how: `open`, `completed`, `cancelled`, or type of the turn.

    units: to which it was open. unit: of whoever ended it. *_seq: by which entries.
    """

    task: str
    element: str
    opened: datetime
    opened_seq: int
    units: tuple[str, ...]
    settings: tuple[Setting, ...]
    closed: datetime | None = None
    closed_seq: int = 0
    how: str = "open"
    unit: str = NOBODY
    answers: Mapping[str, Any] | None = None

    @property
    def first_due(self) -> datetime | None:
        """The limit as it was first set."""
        return self.settings[0].due if self.settings else None

    @property
    def lawful(self) -> Setting | None:
        """The limit with extensions, pauses and orders; the standing list moves none."""
        moved = [one for one in self.settings if one.why != "standing.listed"]
        return moved[-1] if moved else None

    @property
    def lawful_due(self) -> datetime | None:
        """When that is."""
        return self.lawful.due if self.lawful else None

    @property
    def whose(self) -> str:
        """The unit whose step it is: of whoever ended it, else the first it was open to."""
        return self.unit or next(iter(self.units), NOBODY)

    def done(self) -> bool:
        """Whether somebody completed it."""
        return self.how == "completed"

    def said(self, field: str) -> Any:
        """An answer of its form, None where there is none."""
        return (self.answers or {}).get(field)


@dataclass(frozen=True, slots=True)
class Act:
    """A dated act: number and type of its entry, its step, and one word of it.

    said: of a rating the answer, of a judged signal its rule, of a message its name, of an
    opened evaluation its result.
    of: of an answer to an order the order's number, of a judged signal its first entry.
    """

    seq: int
    at: datetime
    type: str
    task: str = ""
    said: str = ""
    of: int = 0


@dataclass(frozen=True, slots=True)
class Passed:
    """An element the case passed, or an end it reached; seq: of the entry."""

    at: datetime
    element: str
    seq: int = 0


@dataclass(frozen=True, slots=True)
class Since:
    """A category or level that counts from an instant on."""

    at: datetime
    value: str


@dataclass(frozen=True, slots=True)
class CaseFacts:
    """One case as the metrics need it; changes only when the case does.

    path: its place, from the smallest unit up. opener: unit of whoever reported it. parent: the
    case that opened it. told_by: `resident` where a resident found it, though another typed it.
    """

    case: str
    number: str
    process: str
    path: tuple[str, ...]
    address: str
    opened: datetime
    opener: str
    source: str
    told_by: str
    parent: str
    party: str
    imported: bool
    class_: str
    linked: str
    categories: tuple[Since, ...]
    levels: tuple[Since, ...]
    steps: tuple[Step, ...]
    acts: tuple[Act, ...]
    passed: tuple[Passed, ...]
    counted: tuple[Change, ...]

    @property
    def category(self) -> str:
        """Of which class it is: its kind where its process has kinds, else its category now."""
        return self.class_ or self.categories[-1].value

    @property
    def level(self) -> str:
        """How grave it is now, "" where nobody has said."""
        return self.levels[-1].value if self.levels else ""

    def of(self, elements: Iterable[str]) -> list[Step]:
        """Its steps of these elements, as they were opened."""
        wanted = frozenset(elements)
        return [step for step in self.steps if step.element in wanted]

    def first_passed(self, elements: frozenset[str]) -> Passed | None:
        """The first of these elements that it passed."""
        return next((one for one in self.passed if one.element in elements), None)

    def reached(self, elements: frozenset[str]) -> datetime | None:
        """When it first passed one of these elements."""
        found = self.first_passed(elements)
        return found.at if found else None

    def acted(self, type_: str) -> list[Act]:
        """Its acts of one type."""
        return [act for act in self.acts if act.type == type_]

    def stands_still(self, task: str) -> bool:
        """Whether the clock of a step is stopped."""
        told = [act.type for act in self.acts if act.task == task and act.type in _STOPPING]
        return bool(told) and told[-1] == "pause.granted"


_STOPPING: Final = ("pause.granted", "clock.resumed")


def as_of(case: CaseFacts, until: datetime) -> CaseFacts | None:
    """The case as its entries before an instant tell it; None if it was opened later."""
    if case.opened >= until:
        return None
    steps = [_step(one, until) for one in case.steps if one.opened < until]
    acts, passed = _before(case.acts, until), _before(case.passed, until)
    categories, levels = _before(case.categories, until), _before(case.levels, until)
    counted = _before(case.counted, until)
    before = (*case.steps, case.acts, case.passed, case.categories, case.levels, case.counted)
    now = (*steps, acts, passed, categories, levels, counted)
    if len(now) == len(before) and all(map(is_, now, before)):
        return case  # as most are, of a month long past
    return replace(
        case, categories=categories, levels=levels, steps=tuple(steps), acts=acts, passed=passed,
        counted=counted,
    )  # fmt: skip


Dated = TypeVar("Dated", Since, Act, Passed, Change)


def _before(told: tuple[Dated, ...], until: datetime) -> tuple[Dated, ...]:
    kept = [one for one in told if one.at < until]
    return told if len(kept) == len(told) else tuple(kept)


def _step(step: Step, until: datetime) -> Step:
    settings = step.settings
    if any(one.at >= until for one in settings):
        settings = tuple(one for one in settings if one.at < until)
    if step.closed is None or step.closed < until:
        return step if settings is step.settings else replace(step, settings=settings)
    return Step(step.task, step.element, step.opened, step.opened_seq, step.units, settings)
