"""Workers to be killed, forked from one process that has everything imported already.

    python -m tests.faults.nursery

Reads lines `kind url name acks seed`, answers each with the number of the new process. A `steps`
worker does steps as random as its seed and appends `case seq hash` of each to the file `acks` after
its COMMIT: whoever reads a whole line there has been told that it is so. `rings` records what has
run out, over and over; `sequences` takes events into the tree and signs it; `delivers` carries what
cases tell each other. They end when they are killed.
"""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from itertools import count
from pathlib import Path
from random import Random
from subprocess import PIPE, Popen

from sqlalchemy.exc import DBAPIError

from audit.sequence import SequencedElsewhere
from engine.casework import Done
from engine.database import open_database
from engine.delivery import deliver
from engine.holding import claim_task, release_task
from engine.oversight import urge
from engine.sequencer import run_sequencer
from engine.worker import ring_due
from tests.conftest import NOON, ORIGIN, ROOT, Street, known_people, photo
from tests.witnessing import signer

PREPARED = {"kind": "wood", "pieces": 3}
# When everything that was opened at NOON has run out.
MUCH_LATER = NOON + timedelta(days=20)


# --- in the worker --------------------------------------------------------------------------------


def arrive(url: str) -> Street:
    """Come to a street; while its database is away, try again."""
    database = open_database(url)
    while True:
        try:
            return Street(database, person=known_people(database))
        except DBAPIError:
            time.sleep(0.02)


def steps(url: str, name: str, acks: str, seed: str) -> None:
    street, chance = arrive(url), Random(seed)
    said = os.open(acks, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def told(done: Done) -> None:
        os.write(said, f"{done.case} {done.seq} {done.entries[-1].hash.hex()}\n".encode())

    def one_case(n: int) -> None:
        case = street.report(title=f"{name} {n}")
        last = street.entries(case)[-1]
        os.write(said, f"{case} {last.seq} {last.hash.hex()}\n".encode())
        for _ in range(chance.randrange(3)):
            told(street.do(urge, case, "请抓紧", by=street.by("watch")))
        if chance.random() < 0.5:
            told(street.do(claim_task, case, "prepare#1", by=street.by("head")))
            told(street.do(release_task, case, "prepare#1", "轮休", by=street.by("head")))
        told(street.complete(case, "prepare#1", "head", PREPARED))
        told(street.complete(case, "make#1", "grid", {"what": "拆除"}, evidence=[photo()]))
        told(street.complete(case, "check_size#1", "accept", {"passed": True}, key=f"{name} {n}"))

    for n in count():
        street.at = NOON + timedelta(minutes=n)
        try:
            one_case(n)
        except DBAPIError:
            time.sleep(0.02)  # the database is away: that case stays as it is


def urges(url: str, case: str, acks: str, *_: str) -> None:
    """Do one keyed step after the other on a case; say of each whether it was answered."""
    street = arrive(url)
    said = os.open(acks, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for n in count():
        key, begun = f"{case}-{n}", time.monotonic()
        try:
            street.at = NOON + timedelta(seconds=n)
            street.do(urge, case, "请抓紧", by=street.by("watch"), key=key)
            answer = "done"
        except DBAPIError:
            answer = "lost"
        os.write(said, f"{case} {key} {answer} {time.monotonic() - begun:.3f}\n".encode())


def rings(url: str, *_: str) -> None:
    database = open_database(url)
    while True:
        ring_due(database, at=MUCH_LATER, limit=3)
        time.sleep(0.001)


def sequences(url: str, *_: str) -> None:
    database = open_database(url)
    while True:
        try:
            run_sequencer(database, [signer(ORIGIN)], at=NOON)
        except (SequencedElsewhere, DBAPIError):
            time.sleep(0.01)


def delivers(url: str, *_: str) -> None:
    database = open_database(url)
    while True:
        deliver(database, at=MUCH_LATER)
        time.sleep(0.001)


KINDS: dict[str, Callable[..., None]] = {
    "steps": steps, "urges": urges, "rings": rings, "sequences": sequences, "delivers": delivers,
}  # fmt: skip


def main() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the dead
    for line in sys.stdin:
        kind, *told = line.split()
        child = os.fork()
        if child == 0:
            os.close(0)
            KINDS[kind](*told)
        print(child, flush=True)


# --- in the test ----------------------------------------------------------------------------------


class Nursery:
    """Where a test gets its workers from."""

    def __init__(self, process: "Popen[str]") -> None:
        self.process = process
        self.born: list[int] = []

    def fork(self, kind: str, url: str, name: str = "-", acks: str = "-", seed: str = "-") -> int:
        """Start a worker; returns the number of its process."""
        assert self.process.stdin
        assert self.process.stdout
        print(kind, url, name, acks, seed, file=self.process.stdin, flush=True)
        self.born.append(int(self.process.stdout.readline()))
        return self.born[-1]

    def kill(self, worker: int) -> None:
        """Kill a worker as a power cut does, and wait until it is gone."""
        self.born.remove(worker)  # first: one that died of itself fails one test, not all after it
        os.kill(worker, signal.SIGKILL)
        while Path(f"/proc/{worker}").exists():
            time.sleep(0.001)


@contextmanager
def nursery(within: Sequence[str] = ()) -> Iterator[Nursery]:
    """A nursery; whoever is left alive in it at the end is killed.

    within: what to put before its command.
    """
    command = [*within, sys.executable, "-m", "tests.faults.nursery"]
    with Popen(command, cwd=ROOT, stdin=PIPE, stdout=PIPE, text=True) as process:
        found = Nursery(process)
        yield found
        for worker in list(found.born):
            found.kill(worker)
        assert process.stdin
        process.stdin.close()


def acknowledged(acks: Path) -> list[tuple[str, int, str]]:
    """What workers have been told was done. A torn last line acknowledged nothing."""
    if not acks.exists():
        return []
    lines = acks.read_text().splitlines(keepends=True)
    whole = [line.split() for line in lines if line.endswith("\n")]
    return [(case, int(seq), hash_) for case, seq, hash_ in whole]


if __name__ == "__main__":
    main()
