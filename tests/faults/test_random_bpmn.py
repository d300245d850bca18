"""Random BPMN through the whole engine: after every step the log replays to what is stored."""

import shutil
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from audit import log
from engine.casework import read_case
from engine.database import open_database
from engine.definition_sets import deploy
from engine.lint import lint
from engine.replay import library, replay
from engine.timekeeping import ring
from tests.conftest import Street, known_people
from tests.engine.tampering import forget_live_states
from tests.engine.test_random_processes import BLOCKS, definition_of
from tests.faults.trying import check_rebuilt

Block = tuple[Any, ...]


def play(street: Street, block: Block, chance: Random, moves: int) -> int:
    """Deploy it, open a case, and go on by steps and clocks; returns how many steps were done."""
    files, _ = definition_of(block)
    if lint(files):
        return 0  # what may not run is refused at deployment
    street.later(minutes=1)
    street.do(deploy, files, by=None)
    case = street.report("minimal")
    for done in range(moves):
        check_replayed(street, case)
        with street.database.begin() as conn:
            state = read_case(conn, case)
        if state.ended:
            return done
        tasks = sorted(state.tasks)
        if tasks and chance.random() < 0.7:
            street.later(minutes=7)
            answer = {"yes": chance.random() < 0.6}
            street.complete(case, chance.choice(tasks), "grid", answer)
        else:
            street.later(days=2)
            street.do(ring, case)
    return moves


def check_replayed(street: Street, case: str) -> None:
    """What the engine stored, and what it remembers, is what its entries replay to."""
    with street.database.begin() as conn:
        forgotten(conn, case)


def forgotten(conn: Connection, case: str) -> None:
    again = replay(log.read(conn, case), library(conn))
    assert read_case(conn, case) == again
    forget_live_states()
    assert read_case(conn, case) == again


def run(template: Path, folder: Path, block: Block, seed: int, moves: int) -> int:
    shutil.copy(template, folder / "street.db")
    database = open_database(f"sqlite:///{folder}/street.db")
    street = Street(database, person=known_people(database))
    try:
        done = play(street, block, Random(seed), moves)
        street.check()
        check_rebuilt(street)
    finally:
        database.dispose()
    return done


@pytest.mark.parametrize(
    ("examples", "moves"), [(20, 12), pytest.param(400, 40, marks=pytest.mark.long)]
)
def test_random_processes_replay_after_every_step(
    sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory, examples: int, moves: int
) -> None:
    steps: list[int] = []

    @settings(max_examples=examples, database=None)
    @given(BLOCKS, st.integers(0, 2**32))
    def one(block: Block, seed: int) -> None:
        folder = tmp_path_factory.mktemp("random")
        steps.append(run(sqlite_template, folder, block, seed, moves))
        shutil.rmtree(folder)

    one()
    assert sum(steps) > examples
    print(f"{sum(map(bool, steps))} processes ran, {sum(steps)} steps")
