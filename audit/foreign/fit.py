"""Whether the recorded path of a case is one its diagram draws: step by step, by what may follow.

Each end of a step offers what the diagram leads to from there, as alternatives of steps that are
opened together. A step that opens takes its place in an offer; one that no offer has is a
deviation, and the path goes on from there. Gateways' conditions are not judged: the answers they
ask for are not in a foreign log.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from audit.foreign.activations import Activation, put_together
from audit.foreign.happenings import ForeignCase

# Each inner set: steps and ends that are reached together.
Alternatives = frozenset[frozenset[str]]
NONE: Final[Alternatives] = frozenset()
EXAMPLES: Final = 5


@dataclass(frozen=True, slots=True)
class Drawing:
    """What a diagram leads to. begins: from its start; done: after a step was completed; broken:
    after it ended otherwise; beside: what may open at any time once a step was open.
    """

    begins: Alternatives
    done: Mapping[str, Alternatives]
    broken: Mapping[str, Alternatives]
    beside: Mapping[str, frozenset[str]]


@dataclass(frozen=True, slots=True)
class Deviation:
    """A step that opened after another (`""` = at the beginning) where nothing leads to it.

    element: the step, or end event. examples: ids of some of the cases, first ones first.
    """

    after: str
    element: str
    count: int
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Fit:
    """Of the cases of a process: how many, and how many of their steps, are as drawn.

    silent: steps of the diagram that the log never tells.
    """

    process: str
    cases: int
    fitting: int
    steps: int
    fitting_steps: int
    silent: tuple[str, ...]
    deviations: tuple[Deviation, ...]

    @property
    def share(self) -> int:
        """Of all cases, per mille."""
        return self.fitting * 1000 // self.cases


def fit(process: str, cases: Iterable[ForeignCase], drawing: Drawing) -> Fit:
    """Hold every case of a process against its drawing."""
    found = dict[tuple[str, str], list[str]]()
    told, steps, wrong, whole = 0, 0, 0, 0
    opened = set[str]()
    for case in cases:
        path = list(_path(case))
        deviations = list(_deviations(path, drawing))
        for pair in deviations:
            found.setdefault(pair, []).append(case.id)
        told, whole = told + 1, whole + (not deviations)
        wrong += len(deviations)
        steps += sum(one.opens for one in path)
        opened |= {one.element for one in path}
    rows = (
        Deviation(after, element, len(ids), tuple(dict.fromkeys(ids))[:EXAMPLES])
        for (after, element), ids in found.items()
    )
    return Fit(
        process, told, whole, steps, steps - wrong, tuple(sorted(drawing.done.keys() - opened)),
        tuple(sorted(rows, key=lambda one: (-one.count, one.after, one.element))),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Move:
    """A step (or an end) opens, or a step closes: completed or otherwise."""

    element: str
    opens: bool
    completed: bool = False


def _path(case: ForeignCase) -> Iterator[_Move]:
    """Openings and closings in order; what is opened by an end stands behind it."""
    moves = list[tuple[int, int, _Move]]()
    for one in put_together(case).steps:
        moves.append((one.opened_seq, 1, _Move(one.element, opens=True)))
        if one.closed is not None:
            moves.append((one.closed_seq, 0, _closing(one)))
    for seq, happening in enumerate(case.happenings, 1):
        if happening.what == "end":
            moves.append((seq, 2, _Move(happening.element, opens=True)))
    return (move for _, _, move in sorted(moves, key=lambda told: told[:2]))


def _closing(one: Activation) -> _Move:
    return _Move(one.element, opens=False, completed=one.how == "completed")


@dataclass(slots=True)
class _Offers:
    open: list[Alternatives] = field(default_factory=list)
    beside: set[str] = field(default_factory=set)

    def add(self, told: Alternatives) -> None:
        self.open.append(told)

    def take(self, element: str) -> bool:
        """Take a place in the latest offer that has it; what was the choice there is made."""
        for index in range(len(self.open) - 1, -1, -1):
            left = frozenset(one - {element} for one in self.open[index] if element in one)
            if left:
                self.open[index] = left
                return True
        return element in self.beside


def _deviations(path: Iterable[_Move], drawing: Drawing) -> Iterator[tuple[str, str]]:
    offers, last = _Offers([drawing.begins]), ""
    for move in path:
        if move.opens:
            if not offers.take(move.element):
                yield last, move.element
            offers.beside |= drawing.beside.get(move.element, frozenset())
        else:
            last = move.element
            after = drawing.done if move.completed else drawing.broken
            offers.add(after.get(move.element, NONE))
