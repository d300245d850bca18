"""Every command sent twice at once and once more: with one key it is done once."""

from pathlib import Path

import pytest

from engine import receipt_codes
from engine.vault import close_vault
from tests.conftest import Street
from tests.engine.tampering import forget_live_states
from tests.engine.vaults import vault_beside
from tests.faults.commands import commands, keyed
from tests.faults.stories import STORIES
from tests.faults.trying import Trying, sent_twice

TRIED: dict[str, int] = {}
TOLD: set[tuple[str, str]] = set()


@pytest.fixture(autouse=True)
def _cheap_receipts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receipt_codes, "MEMORY_KIB", 64)  # test_receipt_codes looks at the cost


@pytest.mark.parametrize("story", STORIES)
def test_what_is_sent_twice_with_one_key_is_done_once(
    street: Street, tmp_path: Path, story: str
) -> None:
    vault = vault_beside(street.database, tmp_path)
    trying = Trying(street.database, person=street.person, vault=vault, trial=sent_twice)
    STORIES[story](trying, vault, tmp_path)
    close_vault(vault)
    forget_live_states()
    trying.check()
    TRIED.update(trying.tried)
    TOLD.add((street.database.dialect.name, story))


def test_every_command_with_a_key_was_sent_twice() -> None:
    if len(TOLD) < len(STORIES):
        pytest.skip("only where all stories have been told before")
    with_key = {name for name, command in commands().items() if keyed(command)}
    assert with_key - TRIED.keys() == set(), "tell a story with these commands in it"
