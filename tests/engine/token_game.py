"""BPMN's token rules, naively: the judge of the engine. It shares no code and no idea with it.

A level is the process or one run of a sub-process. Tokens rest at activities and catch events, or
wait at joins; a level is over when it holds none. OMG BPMN 2.0.2, chapter 13.
"""

import hashlib
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

Variables = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Condition:
    """`element.name` equals (or differs from) a value; what nobody said yet equals nothing."""

    element: str
    name: str
    value: Any
    equal: bool = True

    @property
    def text(self) -> str:
        return f"{self.element}.{self.name} {'==' if self.equal else '!='} {self.value!r}"

    def holds(self, variables: Variables) -> bool:
        return (variables.get(self.element, {}).get(self.name) == self.value) is self.equal


@dataclass(frozen=True)
class Node:
    """kind: start end terminate task sub catch boundary choice parallel lot; scope: its sub."""

    id: str
    kind: str
    scope: str | None
    host: str | None = None
    interrupting: bool = True


@dataclass(frozen=True)
class Arrow:
    """A sequence flow. default: taken by a choice when no condition holds."""

    id: str
    source: str
    target: str
    condition: Condition | None = None
    default: bool = False


@dataclass
class Graph:
    nodes: dict[str, Node] = field(default_factory=dict)
    arrows: list[Arrow] = field(default_factory=list)
    lots: dict[str, int] = field(default_factory=dict)

    def leaving(self, node: str) -> list[Arrow]:
        return [arrow for arrow in self.arrows if arrow.source == node]

    def entering(self, node: str) -> list[Arrow]:
        return [arrow for arrow in self.arrows if arrow.target == node]


@dataclass(eq=False)
class Wait:
    """Something somebody or some clock can make happen."""

    node: Node
    level: "Level"
    activity: "Activity | None" = None
    key: str = ""


@dataclass(eq=False)
class Activity:
    """A task or sub-process at work, with the events that may still happen to it."""

    node: Node
    level: "Level"
    task: Wait | None = None
    inside: "Level | None" = None
    events: list[Wait] = field(default_factory=list)


@dataclass(eq=False)
class Level:
    scope: str | None
    around: Activity | None
    resting: list[Activity | Wait] = field(default_factory=list)
    arrived: Counter[str] = field(default_factory=Counter)  # arrows whose token waits at a join

    def empty(self) -> bool:
        return not self.resting and not +self.arrived

    def below(self) -> Iterator["Level"]:
        yield self
        for thing in self.resting:
            if isinstance(thing, Activity) and thing.inside:
                yield from thing.inside.below()


class Game:
    """One case played by the rules; after each move, `waiting` is what can happen next."""

    def __init__(self, graph: Graph, variables: Variables, seed: bytes) -> None:
        self.graph = graph
        self.variables = dict(variables)
        self.seed = seed
        self.counts: Counter[str] = Counter()
        self.finished = False
        self.top = Level(None, None)
        self.moves: deque[tuple[Level, Arrow]] = deque()
        self._clear()
        self._begin(self.top)
        self._play()

    @property
    def waiting(self) -> dict[str, Wait]:
        return {wait.key: wait for wait in self._waits()}

    def complete(self, key: str, outcome: dict[str, Any]) -> None:
        wait = self.waiting[key]
        assert wait.activity
        self.variables[wait.node.id] = dict(outcome)
        wait.level.resting.remove(wait.activity)
        self._go_on(wait.level, wait.node)

    def fire(self, key: str) -> None:
        wait = self.waiting[key]
        if wait.activity is None:
            wait.level.resting.remove(wait)
        elif wait.node.interrupting:
            wait.level.resting.remove(wait.activity)
        else:
            # An event that does not interrupt happens once in each activation of its host.
            wait.activity.events.remove(wait)
        self._go_on(wait.level, wait.node)

    def shape(self) -> str:
        """Where the tokens are, whatever happened before."""
        return _shape(self.top)

    def _clear(self) -> None:
        self.passed: list[str] = []
        self.gateways: list[tuple[str, str]] = []
        self.ends: list[str] = []
        self.terminated = False

    def _go_on(self, level: Level, node: Node) -> None:
        self._clear()
        self._leave(level, node)
        self._play()

    def _play(self) -> None:
        while not self.finished:
            while self.moves:
                level, arrow = self.moves.popleft()
                self._arrive(level, arrow)
            over = next((level for level in self.top.below() if level.empty()), None)
            if over is None:
                break
            self._over(over)
        for wait in self._waits():
            if not wait.key:
                self.counts[wait.node.id] += 1
                wait.key = f"{wait.node.id}#{self.counts[wait.node.id]}"

    def _over(self, level: Level) -> None:
        if level.around is None:
            self.finished = True
            return
        level.around.level.resting.remove(level.around)
        self._leave(level.around.level, level.around.node)

    def _waits(self) -> Iterator[Wait]:
        for level in self.top.below():
            for thing in level.resting:
                if isinstance(thing, Wait):
                    yield thing
                else:
                    yield from [thing.task] if thing.task else []
                    yield from thing.events

    def _begin(self, level: Level) -> None:
        starts = (n for n in self.graph.nodes.values() if n.kind == "start")
        self._leave(level, next(node for node in starts if node.scope == level.scope))

    def _leave(self, level: Level, node: Node) -> None:
        self.passed.append(node.id)
        self.moves.extend((level, arrow) for arrow in self.graph.leaving(node.id))

    def _arrive(self, level: Level, arrow: Arrow) -> None:
        node = self.graph.nodes[arrow.target]
        match node.kind:
            case "task" | "sub":
                self._start_activity(level, node)
            case "catch":
                level.resting.append(Wait(node, level))
            case "choice":
                self._choose(level, node)
            case "parallel":
                self._meet(level, node, arrow)
            case "lot":
                self._draw(node)
                self._leave(level, node)
            case "end" | "terminate":
                self._end(level, node)

    def _start_activity(self, level: Level, node: Node) -> None:
        activity = Activity(node, level)
        level.resting.append(activity)
        hosted = [n for n in self.graph.nodes.values() if n.host == node.id]
        activity.events = [Wait(event, level, activity) for event in hosted]
        if node.kind == "task":
            activity.task = Wait(node, level, activity)
        else:
            activity.inside = Level(node.id, activity)
            self._begin(activity.inside)

    def _choose(self, level: Level, node: Node) -> None:
        ways = self.graph.leaving(node.id)
        true = [way for way in ways if way.condition and way.condition.holds(self.variables)]
        way = (true or [way for way in ways if way.default or len(ways) == 1])[0]
        self.passed.append(node.id)
        self.gateways.append((node.id, way.id))
        self.moves.append((level, way))

    def _meet(self, level: Level, node: Node, arrow: Arrow) -> None:
        entering = self.graph.entering(node.id)
        level.arrived[arrow.id] += 1
        if all(level.arrived[way.id] for way in entering):
            level.arrived.subtract(way.id for way in entering)
            self._leave(level, node)

    def _draw(self, node: Node) -> None:
        digest = hashlib.sha256(self.seed + node.id.encode()).digest()
        drawn = int.from_bytes(digest[:8], "big") % 1000 < self.graph.lots[node.id]
        self.variables[node.id] = {"drawn": drawn}

    def _end(self, level: Level, node: Node) -> None:
        self.passed.append(node.id)
        if level is self.top:
            self.ends.append(node.id)
        if node.kind == "terminate":
            self.terminated = True
            gone = set(level.below())
            self.moves = deque(move for move in self.moves if move[0] not in gone)
            level.resting.clear()
            level.arrived.clear()


def _shape(level: Level) -> str:
    things = []
    for thing in level.resting:
        if isinstance(thing, Wait):
            things.append(thing.node.id)
            continue
        events = sorted(event.node.id for event in thing.events)
        things.append(f"{thing.node.id}{events}{_shape(thing.inside) if thing.inside else ''}")
    return f"({sorted(things)} {sorted((+level.arrived).items())})"
