"""The stories that together do every command, each on a street of its own."""

from collections.abc import Callable
from pathlib import Path

from engine.vault import Vault
from tests.conftest import Street
from tests.faults import hazard_story, house_story, register_story, sealed_story, whistle_story

Story = Callable[[Street, Vault, Path], None]

STORIES: dict[str, Story] = {
    "hazard": lambda street, vault, folder: hazard_story.play(street),
    "registers": lambda street, vault, folder: register_story.play(street, folder),
    "keys": lambda street, vault, folder: register_story.rotated(street, folder),
    "warnings": lambda street, vault, folder: register_story.warned_of(street),
    "accounts": lambda street, vault, folder: house_story.play(street),
    "complaint": lambda street, vault, folder: sealed_story.complain(street, vault),
    "handover": lambda street, vault, folder: sealed_story.give_away(street, vault),
    "hotline": lambda street, vault, folder: sealed_story.object_to_reply(street, vault),
    "resident": lambda street, vault, folder: sealed_story.scan(street, vault),
    "whistle": lambda street, vault, folder: whistle_story.blow(street),
    "directive": lambda street, vault, folder: whistle_story.order(street),
}
