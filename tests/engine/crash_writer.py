"""A writer to be killed: does steps in a loop and says so only after each is committed.

    python -m tests.engine.crash_writer <database url> <name>

Every line is `case seq hash` of a step's last event; whoever reads it has been told that it is so.
"""

import sys
from datetime import datetime, timedelta
from itertools import count

from engine.casework import Done
from engine.database import open_database
from tests.conftest import NOON, Street, known_people, photo


def main(url: str, name: str) -> None:
    database = open_database(url)
    street = Street(database, person=known_people(database))
    for n in count():
        street.at = NOON + timedelta(minutes=n)
        case = street.report(title=f"{name} {n}")
        say(street, case)
        told(street.complete(case, "prepare#1", "head", {"kind": "wood", "pieces": 3}))
        told(street.complete(case, "make#1", "grid", {"what": "拆除"}, evidence=[photo()]))
        told(street.complete(case, "check_size#1", "accept", {"passed": True}, key=f"{name} {n}"))


def told(done: Done) -> None:
    print(done.case, done.seq, done.entries[-1].hash.hex(), flush=True)


def say(street: Street, case: str) -> None:
    last = street.entries(case)[-1]
    print(case, last.seq, last.hash.hex(), flush=True)


if __name__ == "__main__":
    assert isinstance(NOON, datetime)
    main(*sys.argv[1:])
