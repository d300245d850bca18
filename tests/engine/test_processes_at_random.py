"""All processes in random hands: what is accepted replays, and breaks no rule of separation."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from audit import log
from engine.database import open_database
from engine.definition_sets import load
from engine.rebuild import rebuild
from engine.vault import close_vault, open_vault
from tests.conftest import Street, known_people
from tests.engine.any_street import Somebody, found
from tests.engine.separation_oracle import Judge
from tests.engine.tampering import forget_live_states


@pytest.fixture(scope="session")
def everything(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed street on which every process runs: each example works on a copy."""
    path = tmp_path_factory.mktemp("everything") / "template.db"
    shutil.copy(sqlite_template, path)
    database = open_database(f"sqlite:///{path}")
    found(Street(database, person=known_people(database)))
    database.dispose()
    return path


def violations(conn: Connection) -> Iterator[str]:
    parents = {
        entry.data["unit"]: entry.data.get("parent")
        for entry in log.read(conn, "@units")
        if entry.type == "unit.created"
    }
    for name in log.streams(conn):
        if not name.startswith("@"):
            entries = log.read(conn, name)
            definition = load(conn, entries[0].data["definition"]["sha256"])
            yield from Judge(definition, parents).violations(entries)


def everything_holds(template: Path, folder: Path, seed: int, moves: int) -> Somebody:
    shutil.copy(template, folder / "street.db")
    database = open_database(f"sqlite:///{folder}/street.db")
    vault = open_vault(f"sqlite:///{folder}/vault.db", bytes(range(32)))
    street = Street(database, person=known_people(database), vault=vault)
    somebody = Somebody(street, Random(seed))
    try:
        somebody.play(moves)
        forget_live_states()
        street.check()
        with database.begin() as conn:
            assert list(violations(conn)) == []
            rebuild(conn)
        street.check()
    finally:
        database.dispose()
        close_vault(vault)
    return somebody


@settings(
    max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)
@given(seed=st.integers(0, 2**32))
def test_whatever_is_done_to_all_processes_replays_and_keeps_people_apart(
    everything: Path, tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    somebody = everything_holds(everything, tmp_path_factory.mktemp("play"), seed, 200)
    assert sum(n for name, n in somebody.done.items() if not name.endswith("refused")) > 30


@pytest.mark.long
@pytest.mark.parametrize("seed", range(1000, 1040))
def test_whatever_is_done_to_all_processes_for_long_replays_and_keeps_people_apart(
    everything: Path, tmp_path: Path, seed: int
) -> None:
    everything_holds(everything, tmp_path, seed, 800)


def test_the_judge_notices_who_was_not_kept_apart(everything: Path, tmp_path: Path) -> None:
    """The same log, read as if everything were done by one person, breaks rules."""
    from dataclasses import replace

    shutil.copy(everything, tmp_path / "street.db")
    database = open_database(f"sqlite:///{tmp_path}/street.db")
    vault = open_vault(f"sqlite:///{tmp_path}/vault.db", bytes(range(32)))
    somebody = Somebody(Street(database, person=known_people(database), vault=vault), Random(7))
    somebody.play(250)
    found_ = []
    with database.begin() as conn:
        for case in somebody.cases:
            entries = log.read(conn, case)
            definition = load(conn, entries[0].data["definition"]["sha256"])
            alone = [
                replace(entry, actor=entry.actor | {"person": "p-one"})
                if "person" in entry.actor
                else entry
                for entry in entries
            ]
            found_ += list(Judge(definition, {}).violations(alone))
    database.dispose()
    close_vault(vault)
    assert found_
