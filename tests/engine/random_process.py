"""Random processes made of blocks, as a graph for the judge and as BPMN for the engine."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from engine.definitions import Definition, parse
from tests.engine.token_game import Arrow, Condition, Graph, Node

DEEPEST = 3
ANSWERS = (1, 2, 3)
FORM = b'{"title": "t", "type": "object", "additionalProperties": false, "properties": {}}'


@dataclass(frozen=True)
class Place:
    """Where a block is drawn. joined: on a branch that has to reach its join."""

    scope: str | None
    depth: int = 0
    joined: bool = False
    back: str | None = None  # an earlier step of the same branch, to be sent back to


@dataclass
class Drawing:
    """A process in the making; every block gives its first and last node (no last: it ended)."""

    chance: random.Random
    budget: int
    graph: Graph = field(default_factory=Graph)
    parallel: bool = True
    asked: list[str] = field(default_factory=list)

    def node(self, kind: str, scope: str | None, host: str | None = None, **more: bool) -> str:
        id_ = f"{kind}_{len(self.graph.nodes)}"
        self.graph.nodes[id_] = Node(id_, kind, scope, host, **more)
        return id_

    def arrow(
        self, source: str, target: str, condition: Condition | None = None, default: bool = False
    ) -> None:
        id_ = f"flow_{len(self.graph.arrows)}"
        self.graph.arrows.append(Arrow(id_, source, target, condition, default))

    def likely(self, percent: int) -> bool:
        return self.chance.randrange(100) < percent

    def sequence(self, place: Place, least: int = 1) -> tuple[str, str | None]:
        first, last, back = "", None, place.back
        for _ in range(self.chance.randint(least, 3)):
            entry, exit_ = self.block(Place(place.scope, place.depth, place.joined, back))
            if first:
                assert last
                self.arrow(last, entry)
            first, last = first or entry, exit_
            if exit_ is None:
                break
            back = entry
        return first, last

    def block(self, place: Place) -> tuple[str, str | None]:
        self.budget -= 1
        if self.budget < 0 or place.depth > 5:
            return self.task(place)
        kinds: list[tuple[int, Callable[[Place], tuple[str, str | None]]]] = [
            (8, self.task), (2, self.catch), (4, self.choice), (3, self.loop), (1, self.lot),
        ]  # fmt: skip
        if place.depth < DEEPEST:
            kinds += [(2, self.sub), (4, self.parallel_sub)]
        if not place.joined:
            kinds.append((1, self.spawn))
        weights = [weight for weight, _ in kinds]
        return self.chance.choices([draw for _, draw in kinds], weights)[0](place)

    # --- blocks -------------------------------------------------------------------------------

    def task(self, place: Place) -> tuple[str, str]:
        task = self.node("task", place.scope)
        self.asked.append(task)
        return task, self.events(task, place, 45)

    def catch(self, place: Place) -> tuple[str, str]:
        catch = self.node("catch", place.scope)
        return catch, catch

    def lot(self, place: Place) -> tuple[str, str | None]:
        lot = self.node("lot", place.scope)
        self.graph.lots[lot] = self.chance.choice((0, 500, 1000))
        entry, exit_ = self.choice(place, Condition(lot, "drawn", True))
        self.arrow(lot, entry)
        return lot, exit_

    def choice(self, place: Place, first: Condition | None = None) -> tuple[str, str | None]:
        gate, after = self.node("choice", place.scope), self.node("choice", place.scope)
        ways = self.chance.randint(2, 3)
        default = self.chance.randrange(ways)
        inner = Place(place.scope, place.depth + 1, place.joined)
        reached = False
        for way in range(ways):
            condition = None if way == default else (first or self.condition())
            first = None if condition else first
            if way == 0:
                entry, exit_ = self.sequence(inner)
            elif way == 1 and self.likely(40):
                entry, exit_ = after, after
            else:
                entry, exit_ = self.ending(inner) if self.likely(30) else self.sequence(inner)
            self.arrow(gate, entry, condition, way == default)
            if exit_ is not None:
                reached = True
                if exit_ != after:
                    self.arrow(exit_, after)
        if not reached:
            del self.graph.nodes[after]
        return gate, after if reached else None

    def condition(self) -> Condition:
        asked = self.chance.choice(self.asked[-3:] or ["case"])
        return Condition(asked, "x", self.chance.choice(ANSWERS), self.likely(75))

    def ending(self, place: Place) -> tuple[str, str | None]:
        entry, exit_ = self.task(place)
        self.arrow(exit_, self.end(place))
        return entry, None

    def end(self, place: Place) -> str:
        return self.node("terminate" if place.joined or self.likely(30) else "end", place.scope)

    def loop(self, place: Place) -> tuple[str, str | None]:
        # The first step waits for somebody, so no round turns by itself.
        inner = Place(place.scope, place.depth + 1, place.joined)
        begin, task_last = self.task(inner)
        last: str | None = task_last
        if self.likely(70):
            entry, last = self.sequence(inner)
            self.arrow(task_last, entry)
        if self.likely(30):
            merge = self.node("choice", place.scope)
            self.arrow(merge, begin)
            begin = merge
        if last is None:
            return begin, None
        gate = self.node("choice", place.scope)
        self.arrow(last, gate)
        # Drawn back by condition or by default; the other way leads out.
        after = self.node("choice", place.scope)
        back_by_default = self.likely(50)
        condition = self.condition()
        self.arrow(gate, begin, None if back_by_default else condition, back_by_default)
        self.arrow(gate, after, condition if back_by_default else None, not back_by_default)
        return begin, after

    def sub(self, place: Place) -> tuple[str, str]:
        sub = self.node("sub", place.scope)
        start = self.node("start", sub)
        entry, exit_ = self.sequence(Place(sub, place.depth + 1))
        self.arrow(start, entry)
        if exit_ is not None:
            self.arrow(exit_, self.end(Place(sub)))
        return sub, self.events(sub, place, 60)

    def parallel_sub(self, place: Place) -> tuple[str, str]:
        """A parallel block in a sub-process of its own, with a loop around it now and then."""
        sub = self.node("sub", place.scope)
        start, fork = self.node("start", sub), self.node("parallel", sub)
        join = self.node("parallel", sub)
        for _ in range(self.chance.randint(2, 3)):
            self.branch(fork, join, Place(sub, place.depth + 1, joined=True))
        # A fork with two ways in would be a join as well: rounds meet in a gateway before it.
        begin, gate, last = (self.node("choice", sub) for _ in range(3))
        self.arrow(start, begin)
        self.arrow(begin, fork)
        self.arrow(join, gate)
        if self.likely(50):
            # Through a step, so that a round in which every branch passes does not turn for ever.
            again, exit_ = self.task(Place(sub, place.depth + 1, joined=True))
            self.arrow(gate, again, self.condition())
            self.arrow(exit_, begin)
        self.arrow(gate, last, default=True)
        self.arrow(last, self.node("end", sub))
        return sub, self.events(sub, place, 50)

    def branch(self, fork: str, join: str, place: Place) -> None:
        """One way from a fork to its join; now and then it passes without waiting for anybody."""
        entry, exit_ = self.sequence(place)
        if self.likely(30):
            gate, after = self.node("choice", place.scope), self.node("choice", place.scope)
            self.arrow(gate, entry, self.condition())
            self.arrow(gate, after, default=True)
            entry = gate
            if exit_:
                self.arrow(exit_, after)
            exit_ = after
        assert exit_
        self.arrow(fork, entry)
        self.arrow(exit_, join)

    def spawn(self, place: Place) -> tuple[str, str | None]:
        """A fork without a join: a side branch goes its own way to an end."""
        begin, fork = self.node("choice", place.scope), self.node("parallel", place.scope)
        self.arrow(begin, fork)
        entry, _ = self.ending(Place(place.scope, place.depth + 1))
        self.arrow(fork, entry)
        entry, exit_ = self.sequence(Place(place.scope, place.depth + 1))
        self.arrow(fork, entry)
        return begin, exit_

    def events(self, host: str, place: Place, percent: int) -> str:
        """Put boundary events on a host; returns the node from which the way goes on."""
        exit_ = host
        while self.likely(percent):
            percent //= 3
            if self.likely(50):
                event = self.node("boundary", place.scope, host, interrupting=False)
                entry, _ = self.ending(Place(place.scope, place.depth + 1))
                self.arrow(event, entry)
                continue
            event = self.node("boundary", place.scope, host)
            exit_ = self.interrupted(event, host, exit_, place)
        return exit_

    def interrupted(self, event: str, host: str, exit_: str, place: Place) -> str:
        if self.likely(40):
            self.arrow(event, self.chance.choice([host, place.back or host]))
        elif self.likely(50):
            entry, _ = self.ending(Place(place.scope, place.depth + 1, place.joined))
            self.arrow(event, entry)
        else:
            after = self.node("choice", place.scope)
            self.arrow(exit_, after)
            exit_ = after
            if self.likely(60):
                entry, last = self.task(Place(place.scope, place.depth + 1, place.joined))
                self.arrow(event, entry)
                self.arrow(last, after)
            else:
                self.arrow(event, after)
        return exit_


def random_graph(seed: int, size: int = 9) -> Graph:
    """A process of about so many blocks, the same for the same seed."""
    drawing = Drawing(random.Random(seed), size)
    start = drawing.node("start", None)
    entry, exit_ = drawing.sequence(Place(None), least=2)
    drawing.arrow(start, entry)
    if exit_ is not None:
        drawing.arrow(exit_, drawing.node("end", None))
    return drawing.graph


# --- as BPMN ------------------------------------------------------------------------------------

_TIMER = '<timerEventDefinition><timeDuration>"WD1"</timeDuration></timerEventDefinition>'
_MESSAGE = '<messageEventDefinition messageRef="message_withdraw"/>'
_TAGS = {
    "start": "startEvent", "end": "endEvent", "terminate": "endEvent", "task": "userTask",
    "sub": "subProcess", "catch": "intermediateCatchEvent", "boundary": "boundaryEvent",
    "choice": "exclusiveGateway", "parallel": "parallelGateway", "lot": "serviceTask",
}  # fmt: skip


def definition_of(graph: Graph) -> Definition:
    """The graph as the engine reads it; never linted, never deployed."""
    return parse({"random.bpmn": bpmn(graph), "forms/f.json": FORM})


def bpmn(graph: Graph) -> bytes:
    tasks = [node.id for node in graph.nodes.values() if node.kind == "task"]
    refs = "".join(f"<flowNodeRef>{id_}</flowNodeRef>" for id_ in tasks)
    lane = _properties(duty="rectify", scope="place")
    return (
        '<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" '
        'xmlns:s="http://spiffworkflow.org/bpmn/schema/1.0/core" id="d" targetNamespace="t">'
        '<message id="message_withdraw" name="withdraw"/><process id="random" isExecutable="true">'
        f'<laneSet id="lanes"><lane id="lane">{lane}{refs}</lane></laneSet>'
        f"{_level(graph, None)}</process></definitions>"
    ).encode()


def _level(graph: Graph, scope: str | None) -> str:
    nodes = [node for node in graph.nodes.values() if node.scope == scope]
    inside = {node.id for node in nodes}
    arrows = [arrow for arrow in graph.arrows if arrow.source in inside]
    return "".join([*(_node(graph, node) for node in nodes), *map(_arrow, arrows)])


def _node(graph: Graph, node: Node) -> str:
    attributes = {"id": node.id, "name": node.id}
    if node.host:
        attributes |= {
            "attachedToRef": node.host,
            "cancelActivity": str(node.interrupting).lower(),
        }
    for arrow in graph.leaving(node.id):
        if arrow.default:
            attributes["default"] = arrow.id
    told = "".join(f' {name}="{value}"' for name, value in attributes.items())
    return f"<{_TAGS[node.kind]}{told}>{_content(graph, node)}</{_TAGS[node.kind]}>"


def _content(graph: Graph, node: Node) -> str:
    match node.kind:
        case "task":
            return _properties(formJsonSchemaFilename="f.json")
        case "lot":
            return _properties(operation="draw_lot", perMille=str(graph.lots[node.id]))
        case "sub":
            return _level(graph, node.id)
        case "terminate":
            return "<terminateEventDefinition/>"
        case "catch" | "boundary":
            return _TIMER if len(node.id) % 2 else _MESSAGE
    return ""


def _arrow(arrow: Arrow) -> str:
    inner = arrow.condition.text if arrow.condition else ""
    inner = f"<conditionExpression>{inner}</conditionExpression>" if inner else ""
    ends = f'sourceRef="{arrow.source}" targetRef="{arrow.target}"'
    return f'<sequenceFlow id="{arrow.id}" {ends}>{inner}</sequenceFlow>'


def _properties(**told: str) -> str:
    rows = "".join(f'<s:property name="{name}" value="{value}"/>' for name, value in told.items())
    return f"<extensionElements><s:properties>{rows}</s:properties></extensionElements>"
