"""What passes the lint runs as BPMN says: random processes against a second, naive token game."""

import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.definitions import parse, read_folder
from engine.lint import lint
from engine.process import Marking, Run

MINIMAL = read_folder(Path(__file__).parents[1] / "golden" / "bpmn" / "minimal")
FORM = b"""{"title": "t", "type": "object", "required": ["yes"], "additionalProperties": false,
 "properties": {"yes": {"type": "boolean", "title": "y", "x-routing": true}}}"""
SEED = b"seed"

# A block is a task (plain, with a reminder beside it, or that can be taken back), a pause, or made
# of blocks: ("seq", …), ("choice", a, b), ("loop", a), ("par", a, b, …) in a sub-process, or "bare"
# without one, of which a level may have one; ("held", a) can be cut short.
LEAVES = st.sampled_from([("task",), ("reminded",), ("withdrawn",), ("pause",)])


def grow(blocks):
    return st.one_of(
        st.tuples(st.just("seq"), blocks, blocks),
        st.tuples(st.just("choice"), blocks, blocks),
        st.tuples(st.just("loop"), blocks),
        st.tuples(st.just("par"), blocks, blocks),
        st.tuples(st.just("par"), blocks, blocks, blocks),
        st.tuples(st.just("bare"), blocks, blocks),
        st.tuples(st.just("held"), blocks),
    )


BLOCKS = st.recursive(LEAVES, grow, max_leaves=6)


# --- drawing ------------------------------


@dataclass
class Drawing:
    """BPMN text in the making; `name` counts ids up."""

    nodes: dict[str | None, list[str]] = field(default_factory=dict)
    arrows: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    tasks: list[str] = field(default_factory=list)

    def name(self, word: str) -> str:
        self.ids.append(f"{word}_{len(self.ids)}")
        return self.ids[-1]

    def put(self, scope: str | None, kind: str, id_: str, inner: str = "", more: str = "") -> str:
        self.nodes.setdefault(scope, []).append(
            f'<bpmn:{kind} id="{id_}" name="n" {more}>{inner}</bpmn:{kind}>'
        )
        return id_

    def join(self, scope: str | None, source: str, target: str, condition: str = "") -> str:
        id_ = self.name("flow")
        inner = f"<bpmn:conditionExpression>{condition}</bpmn:conditionExpression>"
        self.nodes.setdefault(scope, []).append(
            f'<bpmn:sequenceFlow id="{id_}" sourceRef="{source}" targetRef="{target}">'
            f"{inner if condition else ''}</bpmn:sequenceFlow>"
        )
        self.arrows.append(id_)
        return id_

    def task(self, scope: str | None) -> str:
        told = {
            "formJsonSchemaFilename": "decide.json",
            "verb": "v",
            "capacity": "rectify",
            "deadline": "&quot;WD1&quot;",
        }
        self.tasks.append(self.name("task"))
        return self.put(scope, "userTask", self.tasks[-1], _properties(told))

    def choice(self, scope: str | None, by: str, yes: str, no: str) -> str:
        gate = self.name("gate")
        default = self.join(scope, gate, no)
        self.join(scope, gate, yes, f"{by}.yes")
        return self.put(scope, "exclusiveGateway", gate, more=f'default="{default}"')

    def gateway(self, scope: str | None, kind: str = "exclusiveGateway") -> str:
        return self.put(scope, kind, self.name("gate"))


def _properties(told: dict[str, str]) -> str:
    rows = "".join(f'<spiffworkflow:property name="{n}" value="{v}"/>' for n, v in told.items())
    return (
        "<bpmn:extensionElements><spiffworkflow:properties>"
        f"{rows}</spiffworkflow:properties></bpmn:extensionElements>"
    )


TIMER = (
    "<bpmn:timerEventDefinition><bpmn:timeDuration>{}</bpmn:timeDuration>"
    "</bpmn:timerEventDefinition>"
)
WITHDRAW = '<bpmn:messageEventDefinition messageRef="message_withdraw"/>'


def draw(block: tuple[Any, ...], to: Drawing, scope: str | None) -> tuple[str, str, "Play"]:
    """Draw a block; returns its first and last node, and how it is played."""
    kind, *parts = block
    return globals()[f"_draw_{kind}"](to, scope, *parts)


def _draw_task(to, scope):
    task = to.task(scope)
    return task, task, lambda game, level, then: game.open(level, task, lambda _: then())


def _draw_pause(to, scope):
    pause = to.put(scope, "intermediateCatchEvent", to.name("pause"), TIMER.format('"WD1"'))
    return pause, pause, lambda game, level, then: game.open(level, pause, lambda _: then())


def _draw_reminded(to, scope):
    task, side, event = to.task(scope), to.task(scope), to.name("event")
    more = f'attachedToRef="{task}" cancelActivity="false"'
    to.put(scope, "boundaryEvent", event, TIMER.format("overdue"), more)
    to.join(scope, event, side)
    to.join(scope, side, to.put(scope, "endEvent", to.name("end")))

    def play(game, level, then):
        def fire(_):
            level.tokens += 1
            game.open(level, side, lambda _: level.left())

        reminder = game.open(level, event, fire)

        def done(_):
            game.waiting.pop(reminder, None)
            then()

        game.open(level, task, done)

    return task, task, play


def _draw_withdrawn(to, scope):
    task, instead, event = to.task(scope), to.task(scope), to.name("event")
    properties = _properties({"by": task})
    to.put(scope, "boundaryEvent", event, properties + WITHDRAW, f'attachedToRef="{task}"')
    to.join(scope, event, instead)
    after = to.gateway(scope)
    to.join(scope, task, after)
    to.join(scope, instead, after)

    def play(game, level, then):
        def done(_):
            game.waiting.pop(event_key)
            then()

        def fire(_):
            game.waiting.pop(task_key)
            game.open(level, instead, lambda _: then())

        event_key, task_key = game.open(level, event, fire), game.open(level, task, done)

    return task, after, play


def _draw_seq(to, scope, first, second):
    begin, middle, play_first = draw(first, to, scope)
    onward, end, play_second = draw(second, to, scope)
    to.join(scope, middle, onward)
    return (
        begin,
        end,
        lambda game, level, then: play_first(game, level, lambda: play_second(game, level, then)),
    )


def _draw_choice(to, scope, yes, no):
    asked = to.task(scope)
    yes_first, yes_last, play_yes = draw(yes, to, scope)
    no_first, no_last, play_no = draw(no, to, scope)
    to.join(scope, asked, to.choice(scope, asked, yes_first, no_first))
    after = to.gateway(scope)
    to.join(scope, yes_last, after)
    to.join(scope, no_last, after)

    def play(game, level, then):
        game.open(level, asked, lambda yes: (play_yes if yes else play_no)(game, level, then))

    return asked, after, play


def _draw_loop(to, scope, body):
    before, asked, after = to.gateway(scope), to.task(scope), to.gateway(scope)
    first, last, play_body = draw(body, to, scope)
    to.join(scope, before, first)
    to.join(scope, last, asked)
    to.join(scope, asked, to.choice(scope, asked, before, after))

    def play(game, level, then):
        def decided(answer):
            play(game, level, then) if answer else then()

        play_body(game, level, lambda: game.open(level, asked, decided))

    return before, after, play


def _draw_par(to, scope, *branches):
    inside = to.name("part")
    fork, join, play_inside = _draw_bare(to, inside, *branches)
    to.join(inside, to.put(inside, "startEvent", to.name("start")), fork)
    to.join(inside, join, to.put(inside, "endEvent", to.name("end")))
    to.put(scope, "subProcess", inside, f"{{{inside}}}")

    def play(game, level, then):
        below = Level(then, level)
        play_inside(game, below, below.left)

    return inside, inside, play


def _draw_held(to, scope, body):
    """A sub-process that a message ends early, as a reopening ends the time of observation."""
    inside, event, instead = to.name("part"), to.name("event"), to.task(scope)
    first, last, play_inside = draw(body, to, inside)
    to.join(inside, to.put(inside, "startEvent", to.name("start")), first)
    to.join(inside, last, to.put(inside, "endEvent", to.name("end")))
    to.put(scope, "subProcess", inside, f"{{{inside}}}")
    properties = _properties({"by": instead})
    to.put(scope, "boundaryEvent", event, properties + WITHDRAW, f'attachedToRef="{inside}"')
    to.join(scope, event, instead)
    after = to.gateway(scope)
    to.join(scope, inside, after)
    to.join(scope, instead, after)

    def play(game, level, then):
        def over():
            game.waiting.pop(event_key)
            then()

        def fire(_):
            game.cancel(below)
            game.open(level, instead, lambda _: then())

        below = Level(over, level)
        event_key = game.open(level, event, fire)
        play_inside(game, below, below.left)

    return inside, after, play


def _draw_bare(to, scope, *branches):
    fork, join = to.gateway(scope, "parallelGateway"), to.gateway(scope, "parallelGateway")
    plays = []
    for branch in branches:
        first, last, play_branch = draw(branch, to, scope)
        to.join(scope, fork, first)
        to.join(scope, last, join)
        plays.append(play_branch)

    def play(game, level, then):
        missing = [len(plays)]

        def arrived():
            missing[0] -= 1
            if not missing[0]:
                then()

        for play_branch in plays:
            play_branch(game, level, arrived)

    return fork, join, play


def definition_of(block: tuple[Any, ...]) -> tuple[dict[str, bytes], "Play"]:
    to = Drawing()
    start, end = to.put(None, "startEvent", to.name("start")), to.name("end")
    first, last, play = draw(block, to, None)
    to.join(None, start, first)
    to.join(None, last, to.put(None, "endEvent", end))
    body = "".join(to.nodes[None])
    while inside := re.search(r"\{(part_\d+)\}", body):
        body = body.replace(inside.group(), "".join(to.nodes[inside.group(1)]))
    return {**MINIMAL, "minimal.bpmn": _document(to, body), "forms/decide.json": FORM}, play


def _document(to: Drawing, body: str) -> bytes:
    head = MINIMAL["minimal.bpmn"].decode().split("    <bpmn:laneSet", 1)[0]
    head = head.replace(
        "  <bpmn:process",
        '  <bpmn:message id="message_withdraw" name="withdraw" />\n  <bpmn:process',
    )
    nodes = [id_ for id_ in to.ids if id_ not in to.arrows]
    refs = "".join(f"<bpmn:flowNodeRef>{id_}</bpmn:flowNodeRef>" for id_ in to.tasks)
    lane = _properties({"duty": "rectify", "scope": "place"})
    shapes = "".join(
        f'<bpmndi:BPMNShape bpmnElement="{id_}"><dc:Bounds /></bpmndi:BPMNShape>'
        for id_ in ["lane", *nodes]
    ) + "".join(
        f'<bpmndi:BPMNEdge bpmnElement="{id_}"><di:waypoint /><di:waypoint /></bpmndi:BPMNEdge>'
        for id_ in to.arrows
    )
    return (
        f'{head}<bpmn:laneSet id="lanes"><bpmn:lane id="lane" name="n">{lane}{refs}</bpmn:lane>'
        f"</bpmn:laneSet>{body}</bpmn:process><bpmndi:BPMNDiagram><bpmndi:BPMNPlane>{shapes}"
        "</bpmndi:BPMNPlane></bpmndi:BPMNDiagram></bpmn:definitions>"
    ).encode()


# --- the second token game ------------------------------


@dataclass
class Level:
    """The process or a sub-process: over when its last token has left."""

    over: Callable[[], Any]
    above: "Level | None" = None
    tokens: int = 1

    def within(self, level: "Level") -> bool:
        return self is level or (self.above is not None and self.above.within(level))

    def left(self) -> None:
        self.tokens -= 1
        if not self.tokens:
            self.over()


@dataclass
class Game:
    """Open steps by key, each with what follows an answer."""

    waiting: dict[str, Callable[[bool], Any]] = field(default_factory=dict)
    levels: dict[str, Level] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    finished: bool = False

    def open(self, level: Level, element: str, then: Callable[[bool], Any]) -> str:
        self.counts[element] = self.counts.get(element, 0) + 1
        key = f"{element}#{self.counts[element]}"
        self.waiting[key] = then
        self.levels[key] = level
        return key

    def cancel(self, level: Level) -> None:
        for key in [key for key in self.waiting if self.levels[key].within(level)]:
            del self.waiting[key]

    def finish(self) -> None:
        self.finished = True


Play = Callable[[Game, Level, Callable[[], Any]], Any]


@settings(max_examples=120)
@given(BLOCKS, st.data())
def test_what_passes_the_lint_runs_as_bpmn_says(block, data):
    files, play = definition_of(block)
    refused = {finding.rule for finding in lint(files)}
    if refused:
        assert refused <= {"parallel_unwrapped"}
        return
    definition = parse(files)
    game = Game()
    level = Level(game.finish)
    play(game, level, level.left)
    run = Run(definition, None)
    step = run.begin({"case": {}}, seed=SEED)
    for _ in range(25):
        assert sorted(waiting.key for waiting in run.waiting()) == sorted(game.waiting)
        assert step.finished is game.finished
        if game.finished:
            return
        key = data.draw(st.sampled_from(sorted(game.waiting)))
        answer = data.draw(st.booleans())
        if data.draw(st.booleans()):
            run = Run(definition, Marking(**orjson.loads(orjson.dumps(asdict(run.marking())))))
        if key.startswith("task"):
            step = run.complete(key, {"yes": answer}, step.variables, seed=SEED)
        else:
            step = run.fire(key, step.variables, seed=SEED)
        game.waiting.pop(key)(answer)
