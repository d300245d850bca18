"""What a definition's diagram leads to, from step to step, for holding foreign paths against it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Final

from sqlalchemy import Connection

from audit.foreign.fit import NONE, Alternatives, Drawing, Fit, fit
from audit.foreign.happenings import ForeignCase
from engine.definition_sets import UnknownDefinition, latest
from engine.definitions import Definition, Element

NOTHING: Final[Alternatives] = frozenset({frozenset[str]()})


@dataclass(frozen=True, slots=True)
class Held:
    """The cases of a process held against its newest diagram; fit None = it was never deployed.

    names: of its elements as drawn, by id.
    """

    process: str
    cases: int
    fit: Fit | None
    names: Mapping[str, str]


def held(conn: Connection, cases: Iterable[ForeignCase]) -> list[Held]:
    """Hold foreign cases against the diagrams in force, one row a process."""
    by_process = dict[str, list[ForeignCase]]()
    for case in cases:
        by_process.setdefault(case.process, []).append(case)
    return [_held(conn, process, told) for process, told in sorted(by_process.items())]


def _held(conn: Connection, process: str, cases: list[ForeignCase]) -> Held:
    try:
        definition = latest(conn, process)
    except UnknownDefinition:
        return Held(process, len(cases), None, {})
    names = {one.id: one.name for one in definition.elements.values()}
    return Held(process, len(cases), fit(process, cases, drawing(definition)), names)


def drawing(definition: Definition) -> Drawing:
    """Which steps and ends follow which: through gateways, events, machine work, sub-processes."""
    walk = _Walk(definition.elements, {flow.id: flow.target for flow in definition.flows.values()})
    tasks = definition.tasks
    return Drawing(
        walk.inside(None),
        {task: walk.after(task) | walk.around(task) for task in tasks},
        {task: walk.attached(task, frozenset()) | walk.around(task) for task in tasks},
        {task: walk.beside(task) for task in tasks},
    )


@dataclass(frozen=True, slots=True)
class _Walk:
    elements: Mapping[str, Element]
    targets: Mapping[str, str]

    def inside(self, scope: str | None) -> Alternatives:
        """From the start of the process, or of a sub-process."""
        starts = [e for e in self.elements.values() if e.kind == "startEvent" and e.parent == scope]
        return _any(self._from(start, frozenset()) for start in starts)

    def after(self, element: str) -> Alternatives:
        """From the flows that leave an element."""
        return self._from(self.elements[element], frozenset())

    def attached(self, element: str, passed: frozenset[str]) -> Alternatives:
        """From the events on the edge of an element."""
        return _any(self._from(one, passed) for one in self._edge(element))

    def around(self, element: str) -> Alternatives:
        """From the events on the edges of the sub-processes around an element."""
        found, scope = NONE, self.elements[element].parent
        while scope is not None:
            found |= self.attached(scope, frozenset())
            scope = self.elements[scope].parent
        return found

    def beside(self, element: str) -> frozenset[str]:
        """What events that interrupt nothing may open while an element, or one around it, is."""
        scopes, scope = [element], self.elements[element].parent
        while scope is not None:
            scopes.append(scope)
            scope = self.elements[scope].parent
        told = [
            self._from(one, frozenset())
            for scope in scopes
            for one in self._edge(scope)
            if not one.interrupting
        ]
        return frozenset(name for some in told for one in some for name in one)

    def _edge(self, element: str) -> list[Element]:
        return [e for e in self.elements.values() if e.attached_to == element]

    def _from(self, element: Element, passed: frozenset[str]) -> Alternatives:
        reached = [self._at(self.targets[flow], passed) for flow in element.outgoing]
        if element.kind == "exclusiveGateway":
            return _any(reached)
        return _all(reached)

    def _at(self, id_: str, passed: frozenset[str]) -> Alternatives:
        """What is reached by arriving at an element."""
        element = self.elements[id_]
        if id_ in passed:
            # Round and round without a step: as if it only waited there.
            return NOTHING
        if element.kind == "userTask" or (element.kind == "endEvent" and element.parent is None):
            return frozenset({frozenset({id_})})
        passed |= {id_}
        if element.kind == "endEvent":
            # Others may still be under way in the sub-process: then nothing follows yet.
            around = self.elements[element.parent or ""]
            return NOTHING | self._from(around, passed)
        if element.kind == "subProcess":
            return self._into(id_, passed)
        onward = self._from(element, passed) | self.attached(id_, passed)
        is_join = element.kind == "parallelGateway" and len(element.incoming) > 1
        return onward | NOTHING if is_join else onward

    def _into(self, scope: str, passed: frozenset[str]) -> Alternatives:
        starts = [e for e in self.elements.values() if e.kind == "startEvent" and e.parent == scope]
        return _any(self._from(start, passed) for start in starts) | self.attached(scope, passed)


def _any(told: Iterable[Alternatives]) -> Alternatives:
    return frozenset(one for some in told for one in some)


def _all(told: Iterable[Alternatives]) -> Alternatives:
    return frozenset(frozenset().union(*together) for together in product(*told))
