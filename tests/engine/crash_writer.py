"""A writer to be killed: does steps in a loop and says so only after each is committed.

    python -m tests.engine.crash_writer <database url> <name> [<threads>]

Every line is `case seq hash` of a step's last event; whoever reads it has been told that it is so.
Several threads write as the server's do: what they do at once may be committed together.
"""

import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import count
from threading import Lock, Thread
from typing import Any

from sqlalchemy import Engine

from engine.casework import Done
from engine.database import open_database
from engine.together import carried_out
from tests.conftest import NOON, Street, known_people, photo

_one_line = Lock()


class Sharing(Street):
    """A street whose commands may share a transaction with those of other threads."""

    def do(self, command: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        kwargs.setdefault("at", self.at)
        with carried_out(self.database, lambda conn: command(conn, *args, **kwargs)) as (_, told):
            return told


def main(url: str, name: str, threads: str = "1") -> None:
    database = open_database(url)
    names = [f"{name}.{n}" for n in range(int(threads))]
    running = [Thread(target=write, args=(database, one)) for one in names]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()


def write(database: Engine, name: str) -> None:
    street = Sharing(database, person=known_people(database))
    for n in count():
        street.at = NOON + timedelta(minutes=n)
        case = street.report(title=f"{name} {n}")
        say(street, case)
        told(street.complete(case, "prepare#1", "head", {"kind": "wood", "pieces": 3}))
        told(street.complete(case, "make#1", "grid", {"what": "拆除"}, evidence=[photo()]))
        told(street.complete(case, "check_size#1", "accept", {"passed": True}, key=f"{name} {n}"))


def told(done: Done) -> None:
    line(done.case, done.seq, done.entries[-1].hash.hex())


def say(street: Street, case: str) -> None:
    last = street.entries(case)[-1]
    line(case, last.seq, last.hash.hex())


def line(*words: object) -> None:
    with _one_line:
        sys.stdout.write(" ".join(map(str, words)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    assert isinstance(NOON, datetime)
    main(*sys.argv[1:])
