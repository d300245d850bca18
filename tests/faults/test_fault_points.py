"""Every command, cut before and after every statement it sends: all of it is there, or nothing."""

import os
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import pytest

from engine import receipt_codes
from engine.vault import close_vault
from tests.conftest import Street
from tests.engine.tampering import forget_live_states
from tests.engine.vaults import vault_beside
from tests.faults.commands import commands
from tests.faults.stories import STORIES
from tests.faults.trying import (
    Trial,
    Trying,
    at_every_point,
    check_rebuilt,
    rehearsed_at_every_point,
)


@pytest.fixture(autouse=True)
def _cheap_receipts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receipt_codes, "MEMORY_KIB", 64)  # test_receipt_codes looks at the cost


TRIED: dict[str, int] = {}
POINTS: dict[str, int] = {}


@pytest.mark.parametrize("story", STORIES)
def test_what_is_cut_at_any_point_is_whole_or_not_at_all(
    sqlite_street: Street, tmp_path: Path, story: str
) -> None:
    street = told(sqlite_street, tmp_path, story, tried=TRIED)
    POINTS[story] = street.points


def test_every_command_there_is_was_cut() -> None:
    if POINTS.keys() != STORIES.keys():
        pytest.skip("only where all stories have been told before")
    print(f"{len(TRIED)} commands cut at {sum(POINTS.values())} points")
    assert commands().keys() - TRIED.keys() == set(), "tell a story with these commands in it"


@pytest.mark.parametrize("story", STORIES)
@pytest.mark.parametrize(
    "share", [10, pytest.param(1, marks=pytest.mark.long)], ids=["sample", "all"]
)
def test_what_was_decided_without_the_lock_is_whole_or_not_at_all(
    sqlite_street: Street, tmp_path: Path, story: str, share: int
) -> None:
    trial = rehearsed_at_every_point
    street = told(sqlite_street, tmp_path, story, trial=trial, share=share, chance=today())
    print(f"{len(street.rehearsed)} of {len(street.tried)} commands, {street.points} points")


@pytest.mark.postgres
@pytest.mark.parametrize("story", STORIES)
@pytest.mark.parametrize(
    "share", [40, pytest.param(1, marks=pytest.mark.long)], ids=["sample", "all"]
)
def test_what_is_cut_on_postgresql_is_whole_or_not_at_all(
    postgres_street: Street, tmp_path: Path, story: str, share: int
) -> None:
    told(postgres_street, tmp_path, story, share=share, chance=today())


def today() -> Random:
    """Other points each day; the day stands in the name of the seed, so a run can be repeated."""
    seed = os.environ.get("SHAOJI_TEST_SEED", datetime.now(tz=UTC).date().isoformat())
    print(f"SHAOJI_TEST_SEED={seed}")
    return Random(seed)


def told(
    plain: Street, folder: Path, story: str, trial: Trial = at_every_point, **more: Any
) -> Trying:
    """Tell a story with every command cut; then verify the whole log."""
    vault = vault_beside(plain.database, folder)
    street = Trying(plain.database, person=plain.person, vault=vault, trial=trial, **more)
    STORIES[story](street, vault, folder)
    check_rebuilt(street)
    close_vault(vault)
    forget_live_states()
    street.check()
    return street
