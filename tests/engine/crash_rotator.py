"""A rotation to be killed: begun, signed and ended, and dead before the n-th thing it does on disk.

    python -m tests.engine.crash_rotator <database url> <folder of keys> <n>

What counts: each file of the folder that is opened for writing, renamed, linked or removed, and
each COMMIT. Killed without any clean-up, as by a power cut. Exit status 9 if killed, 0 if done.
"""

import os
import sys
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event

from engine.database import open_database
from engine.key_rotation import finish_rotation, rotate_checkpoint_key
from engine.keys import Places, open_keys
from engine.sequencer import run_sequencer
from tests.conftest import NOON, ORIGIN

KILLED = 9
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def main(url: str, folder: str, n: str) -> None:
    database, places = open_database(url), Places(Path(folder))
    die_before(int(n), database, folder)
    with database.begin() as conn:
        rotate_checkpoint_key(conn, places, reason="例行", by=None, at=NOON)
    go_on(database, places)


def go_on(database: Engine, places: Places) -> None:
    """What the sequencer does, once: sign with whoever is to sign, end the rotation if it can."""
    signers = open_keys(places, ORIGIN).checkpoint_signers
    note = run_sequencer(database, signers, at=NOON).published
    if note is not None:
        with database.begin() as conn:
            finish_rotation(conn, places, note)


def die_before(n: int, database: Engine, folder: str) -> None:
    left = n

    def tick(*_: Any) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os._exit(KILLED)

    def watch(what: str, arguments: tuple[Any, ...]) -> None:
        if what == "open":
            path, _, flags = arguments
            writes = bool(flags & _WRITES) and str(path).startswith(folder)
        else:
            writes = what in ("os.rename", "os.link", "os.remove")
        if writes:
            tick()

    event.listen(database, "commit", tick)
    sys.addaudithook(watch)


if __name__ == "__main__":
    main(*sys.argv[1:])
