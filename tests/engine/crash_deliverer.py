"""A caller and a deliverer to be killed: one opens cases that ask others, one carries the messages.

    python -m tests.engine.crash_deliverer <database url> call|deliver

The caller says `case` after each case that is committed; a deliverer says how many it delivered.
"""

import sys
from datetime import timedelta
from itertools import count

from engine.database import open_database
from engine.delivery import deliver
from tests.conftest import NOON, Street, known_people

FORM = {"title": "停气", "parties": ["u-heat", "u-gas"]}


def main(url: str, what: str) -> None:
    database = open_database(url)
    street = Street(database, person=known_people(database))
    for n in count():
        street.at = NOON + timedelta(minutes=n)
        if what == "call":
            print(street.report("calling", "dispatch", form=FORM), flush=True)
        else:
            # Its own clock may stand before what the caller recorded: that is told, not lost.
            print(deliver(database, at=NOON + timedelta(days=1))[0], flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
