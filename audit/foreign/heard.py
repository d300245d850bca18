"""What a foreign log tells at all, so that what it does not tell is never taken for zero."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from audit.foreign.activations import put_together
from audit.foreign.facts import ACTS
from audit.foreign.happenings import REPORT, ForeignCase


@dataclass(slots=True)
class Heard:
    """Of one process: which elements were opened and done at all, with limits, by somebody …

    rounds, unlimited: how many steps there are of an element, and of how many no limit was told
    before they ended. answers: (element, field) told at least once. acts: types as in
    audit.foreign.facts. ends: end events. described: place, title and kind of a case are told;
    sourced: who reported it. inferred, steps: of how many of all steps the opening is inferred.
    """

    opened: set[str] = field(default_factory=set)
    done: set[str] = field(default_factory=set)
    limited: set[str] = field(default_factory=set)
    rounds: Counter[str] = field(default_factory=Counter)
    unlimited: Counter[str] = field(default_factory=Counter)
    by_person: set[str] = field(default_factory=set)
    by_unit: set[str] = field(default_factory=set)
    handed: set[str] = field(default_factory=set)
    answers: set[tuple[str, str]] = field(default_factory=set)
    acts: set[str] = field(default_factory=set)
    ends: set[str] = field(default_factory=set)
    described: bool = False
    sourced: bool = False
    inferred: int = 0
    steps: int = 0

    def take(self, case: ForeignCase) -> None:
        """Hear one case of the process."""
        self.described |= bool(case.areas and case.address and case.title and case.category)
        self.sourced |= bool(case.source)
        first = case.happenings[0]
        if first.element == REPORT and first.unit:
            self.by_unit.add(REPORT)
        for one in case.happenings:
            self.acts |= {ACTS[one.what]} if one.what in ACTS else set()
            self.ends |= {one.element} if one.what == "end" else set()
        for step in put_together(case).steps:
            self.steps += 1
            self.inferred += not step.told
            self.opened.add(step.element)
            self.rounds[step.element] += 1
            if step.limited:
                self.limited.add(step.element)
            else:
                self.unlimited[step.element] += 1
            if any(hand.person and hand.how == "reassign" for hand in step.hands):
                self.handed.add(step.element)
            if step.how == "completed":
                self.done.add(step.element)
                self.by_person |= {step.element} if step.person else set()
                self.by_unit |= {step.element} if step.unit else set()
                self.answers |= {(step.element, name) for name in step.said}


def heard(cases: Iterable[ForeignCase]) -> dict[str, Heard]:
    """What a log tells, by process."""
    told = dict[str, Heard]()
    for case in cases:
        told.setdefault(case.process, Heard()).take(case)
    return told
