"""A sequencer to be killed: dead before the n-th thing it asks of the database.

    python -m tests.engine.crash_sequencer <database url> <n>

What counts: each statement and each COMMIT. Killed without any clean-up, as by a power cut. Exit
status 9 if killed, 0 if done.
"""

import os
import sys
from typing import Any

from sqlalchemy import event

from engine.database import open_database
from engine.sequencer import run_sequencer
from tests.conftest import NOON, ORIGIN
from tests.witnessing import signer

KILLED = 9


def main(url: str, n: str) -> None:
    database, left = open_database(url), int(n)

    def tick(*_: Any) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os._exit(KILLED)

    event.listen(database, "before_cursor_execute", tick)
    event.listen(database, "commit", tick)
    run_sequencer(database, [signer(ORIGIN)], at=NOON)


if __name__ == "__main__":
    main(*sys.argv[1:])
