"""Random processes under random hands: the engine against BPMN's own token rules.

The judge is tests.engine.token_game, which knows nothing of SpiffWorkflow: plain SpiffWorkflow is
known to be wrong in joins inside loops, so it cannot judge itself.
"""

import random
from dataclasses import asdict
from functools import partial
from typing import Any

import orjson
import pytest

from engine import moves
from engine.definitions import Definition
from engine.process import Marking, Run, Step
from tests.engine.random_process import ANSWERS, definition_of, random_graph
from tests.engine.token_game import Arrow, Condition, Game, Graph, Node

SEED = b"the hash of the cause"
MOVES = 60


class Match:
    """One random process moved by random choices: the live run, one restored a step, the judge."""

    def __init__(self, seed: int, size: int = 9) -> None:
        self.seed = seed
        self.chance = random.Random(f"moves {seed}")
        self.graph: Graph = random_graph(seed, size)
        self.definition: Definition = definition_of(self.graph)
        self.live = Run(self.definition, None)
        self.step: Step = self.live.begin({"case": {}}, seed=SEED)
        self.game = Game(self.graph, {"case": {}}, SEED)
        self.sizes: dict[str, int] = {}
        self.story: list[str] = []

    def play(self, most: int = MOVES) -> None:
        self.compare([])
        for _ in range(most):
            if self.game.finished:
                return
            before = list(self.game.waiting)
            key = self.chance.choice(sorted(before))
            self.story.append(key)
            self.move(key)
            self.compare(before, key)

    def move(self, key: str) -> None:
        restored = Run(self.definition, stored(self.step.marking))
        assert restored.waiting() == self.live.waiting(), self.told()
        variables, marking = self.step.variables, self.step.marking
        if key.startswith("task"):
            outcome = {"x": self.chance.choice(ANSWERS)}
            self.step = self.live.complete(key, dict(outcome), variables, seed=SEED)
            same = restored.complete(key, dict(outcome), variables, seed=SEED)
            known = partial(moves.complete, self.definition, marking, key, outcome)
            self.game.complete(key, outcome)
        else:
            self.step = self.live.fire(key, variables, seed=SEED)
            same = restored.fire(key, variables, seed=SEED)
            known = partial(moves.fire, self.definition, marking, key)
            self.game.fire(key)
        assert same == self.step, f"restored and live differ: {self.told()}"
        for _ in range(2):  # the second time at the latest SpiffWorkflow is not asked
            remembered = known(variables, seed=SEED)
            assert remembered == self.step, f"remembered and live differ: {self.told()}"
            assert orjson.dumps(remembered.marking) == orjson.dumps(self.step.marking)

    def compare(self, before: list[str], key: str | None = None) -> None:
        step, game, told = self.step, self.game, self.told()
        waiting = self.live.waiting()
        assert sorted(wait.key for wait in waiting) == sorted(game.waiting), told
        # Never a lost token: a case is over when nothing is open, and not before.
        assert step.finished is game.finished is (not waiting), told
        assert step.variables == game.variables, told
        assert sorted(wait.key for wait in step.opened) == sorted(set(game.waiting) - {*before})
        closed = {*before} - {*game.waiting}
        assert set(step.closed) == closed, told
        assert step.closed[:1] == ([key] if key else [])
        if not game.terminated:
            # What runs side by side has no order; where one side ends all, it decides who ran.
            assert sorted(step.path) == sorted(game.passed), told
            assert sorted(step.ends) == sorted(game.ends), told
            taken = [(row["gateway"], row["flow"]) for row in step.gateways]
            assert sorted(taken) == sorted(game.gateways), told
        self.bounded()

    def bounded(self) -> None:
        """Where the tokens are decides how much is remembered, however they came there."""
        flows = self.step.marking.flows
        # Whether some branch has ended already: one row a level, and no more.
        size = sum(not name.endswith(".EndJoin") for _, _, tasks in flows for name, *_ in tasks)
        first = self.sizes.setdefault(self.game.shape(), size)
        assert size == first, f"{first} -> {size}: {self.told()}"
        ended = [name for _, _, tasks in flows for name, *_ in tasks if name.endswith(".EndJoin")]
        assert len(ended) <= len(flows), self.told()

    def told(self) -> str:
        return f"seed {self.seed}: {self.story}"


def stored(marking: Marking) -> Marking:
    """A marking as the database gives it back."""
    raw: dict[str, Any] = orjson.loads(orjson.dumps(asdict(marking)))
    return Marking(**raw)


@pytest.mark.parametrize("part", range(8))
def test_random_processes_move_as_bpmn_says_live_and_restored(part: int) -> None:
    for seed in range(part * 40, part * 40 + 40):
        Match(seed).play()


@pytest.mark.long
@pytest.mark.parametrize("part", range(40))
def test_thousands_of_random_processes_move_as_bpmn_says(part: int) -> None:
    for seed in range(10_000 + part * 250, 10_000 + part * 250 + 250):
        Match(seed, size=4 + seed % 14).play(120)


def test_a_join_does_not_count_who_came_in_the_round_before() -> None:
    # Three branches, one of which waits for nobody: in round 2 it stands at the join at once, and
    # SpiffWorkflow's own join then takes last round's arrivals for this round's.
    graph = Graph()
    kinds = {
        "start": "start", "sub": "sub", "end": "end", "begin": "start", "fork": "parallel",
        "pass": "choice", "b": "task", "c": "task", "join": "parallel", "again": "task",
        "round": "choice", "merge": "choice", "over": "end",
    }  # fmt: skip
    for id_, kind in kinds.items():
        graph.nodes[id_] = Node(id_, kind, None if id_ in ("start", "sub", "end") else "sub")
    ways = [
        "start sub", "sub end", "begin merge", "merge fork", "fork pass", "fork b", "fork c",
        "pass join", "b join", "c join", "join again", "again round", "round over",
    ]  # fmt: skip
    graph.arrows = [Arrow(f"flow_{n}", *way.split()) for n, way in enumerate(ways)]
    graph.arrows[-1] = Arrow("flow_out", "round", "over", Condition("again", "x", 2))
    graph.arrows.append(Arrow("flow_back", "round", "merge", default=True))
    run = Run(definition_of(graph), None)
    step = run.begin({"case": {}}, seed=SEED)
    first, last, sizes = "b", "c", set()
    for n in (1, 2, 3, 4):
        for task in (first, last):
            assert f"again#{n}" not in {waiting.key for waiting in run.waiting()}
            step = run.complete(f"{task}#{n}", {}, step.variables, seed=SEED)
        step = run.complete(f"again#{n}", {"x": 1}, step.variables, seed=SEED)
        sizes.add(sum(len(tasks) for _, _, tasks in step.marking.flows))
        first, last = last, first
    assert len(sizes) == 1
