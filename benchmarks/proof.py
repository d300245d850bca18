"""What proof costs: a step with and without the tree, verifying a whole log, proofs at a million.

The step runs in turn on two equal streets, SQLite with synchronous=FULL on both: on one the events
go into the outbox, and after every 256 of them the sequencer takes them in and signs (the worker
runs every five seconds, on a busy street for more of them at once, and cheaper); on the other the
row of the outbox is left out and nothing is sequenced. What the sequencer spends is shared out over
the steps it was run for. The log that is verified is made here, of entries like those of a street;
the tree of a million leaves lies in memory.

    python benchmarks/proof.py [--cases 40] [--events 200000] [--leaves 1000000] [--json]
"""

import argparse
import gc
import hashlib
import json
import platform
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))

from steps import START, Bench, found, steps_of_a_case

from audit import log, sequence
from audit.checkpoint import Checkpoint, sign_checkpoint
from audit.entries import Draft, seal
from audit.exported import fold
from audit.links import check_links
from audit.merkle import (
    check_consistency,
    check_inclusion,
    levels,
    prove_consistency,
    prove_inclusion,
    root,
)
from audit.note import ED25519, VerifierKey
from audit.tiles import TILE_BYTES, WIDTH, read_hashes
from engine.sequencer import run_sequencer

ORIGIN = "log.bench.example"
# A case of ten steps is some 37 events: so many give the 256 after which a checkpoint is due.
CASES_A_RUN = 7
WANTED = "wanted: append_overhead ≤ 0.25, links ≥ 250,000/s, prove ≤ 50 µs, check ≤ 20 µs"


class Key:
    """A checkpoint key in memory."""

    def __init__(self) -> None:
        self._private = Ed25519PrivateKey.generate()
        public = self._private.public_key().public_bytes_raw()
        self.key = VerifierKey(ORIGIN, ED25519, public)

    def sign(self, message: bytes) -> bytes:
        return self._private.sign(message)


# --- a step with and without ----------------------------------------------------------------------


@contextmanager
def no_outbox() -> Iterator[None]:
    """Record events without the row by which the sequencer would find them."""
    kept = log._INSERT_OUTBOX

    class Nothing:
        def run_all(self, *_: Any) -> None:
            return

    log._INSERT_OUTBOX = Nothing()  # type: ignore[assignment]
    try:
        yield
    finally:
        log._INSERT_OUTBOX = kept


def measure_steps(folder: Path, cases: int) -> dict[str, float]:
    """Medians in ms of the same human step: with outbox and tree, and without."""
    (folder / "with").mkdir()
    (folder / "without").mkdir()
    told, key = {"with": found(folder / "with"), "without": found(folder / "without")}, Key()
    spent: dict[str, list[float]] = {"with": [], "without": []}
    sequenced, events = 0.0, 0
    run_sequencer(told["with"].engine, [key], at=told["with"].at)
    for number in range(cases):
        # In turn, and each first in every other case: whoever goes second finds warmer caches.
        order = ("with", "without") if number % 2 else ("without", "with")
        for name in order:
            if name == "with":
                spent[name] += _case(told[name])
            else:
                with no_outbox():
                    spent[name] += _case(told[name])
        if number % CASES_A_RUN and number < cases - 1:
            continue
        begun = time.perf_counter()
        done = run_sequencer(told["with"].engine, [key], at=told["with"].at)
        sequenced += (time.perf_counter() - begun) * 1000
        events += done.integrated
    share = sequenced / len(spent["with"])
    step, bare = statistics.median(spent["with"]), statistics.median(spent["without"])
    with told["with"].engine.begin() as conn:
        assert not list(sequence.check(conn))
    return {
        "step_ms": step, "step_without_ms": bare, "sequencer_ms_a_step": share,
        "sequencer_us_an_event": sequenced * 1000 / events,
        "append_overhead": (step + share) / bare - 1,
    }  # fmt: skip


def _case(bench: Bench) -> list[float]:
    case, spent = bench.open(), []
    for task, who, form, purposes in steps_of_a_case(bench):
        spent.append(bench.step(case, task, who, form, *purposes))
    return spent


# --- a whole log ----------------------------------------------------------------------------------


def bodies(count: int) -> list[bytes]:
    """Entries of a log like a street's, about 900 bytes each, streams woven into each other."""
    chance, heads = random.Random(2026), dict[str, tuple[int, str]]()
    actor = {"person": "p-0031", "post": "q-0007", "unit": "u-grid-1", "capacity": "confirm",
             "channel": "web"}  # fmt: skip
    form = {"words": "消防通道被占，已当场劝离" * 6, "grade": "general", "kinds": ["fire", "road"]}
    told = []
    for _ in range(count):
        stream = f"hazard-2026-{chance.randrange(1, count // 30 + 2):05d}"
        seq, prev = heads.get(stream, (0, ""))
        data = {
            "task": f"confirm#{seq + 1}",
            "form": form,
            "note": "x" * chance.randrange(200, 500),
        }
        draft = Draft("task.completed", data, actor, START)
        entry = seal(draft, log=ORIGIN, stream=stream, seq=seq + 1, prev=prev)
        heads[stream] = (seq + 1, entry.hash.hex())
        told.append(entry.body)
    return told


def measure_log(count: int) -> dict[str, float]:
    """Events a second on one core, and the bytes of one."""
    told = bodies(count)
    links = _best(lambda: check_links(ORIGIN, told))
    whole = _best(lambda: fold(ORIGIN, told), times=1)
    hashed = _best(lambda: [hashlib.sha256(b"\0" + body).digest() for body in told])
    quick, full = check_links(ORIGIN, told), fold(ORIGIN, told)
    assert quick.problem is None
    assert full.problem is None
    assert quick.tree.root() == full.tree.root()
    return {
        "bytes_an_event": sum(map(len, told)) / count,
        "links_events_per_s": count / links, "whole_events_per_s": count / whole,
        "bare_sha256_per_s": count / hashed, "links_share_of_bare": hashed / links,
    }  # fmt: skip


def _best(work: Callable[[], object], times: int = 3) -> float:
    """The median of some runs, in seconds."""
    spent = []
    for _ in range(times):
        gc.collect()
        begun = time.perf_counter()
        work()
        spent.append(time.perf_counter() - begun)
    return statistics.median(spent)


# --- proofs ---------------------------------------------------------------------------------------


def measure_proofs(count: int, times: int = 2000) -> dict[str, float]:
    """Medians in µs at so many leaves: made from hashes at hand, from tiles, and checked."""
    rows = levels([hashlib.sha256(n.to_bytes(8)).digest() for n in range(count)])

    def at_hand(level: int, index: int) -> bytes:
        return rows[level][index]

    def tile(level: int, number: int) -> bytes:
        row = rows[level * 8][number * WIDTH : (number + 1) * WIDTH]
        return b"".join(row)[:TILE_BYTES]

    chance, size = random.Random(7), count
    indexes = [chance.randrange(size) for _ in range(times)]
    olds = [chance.randrange(1, size) for _ in range(times)]
    top = root(at_hand, size)
    tiled = read_hashes(tile, keep=count // WIDTH + 64)
    for number in range(count // WIDTH):
        tiled(0, number * WIDTH)
    cold = read_hashes(tile, keep=8)
    proofs = [prove_inclusion(at_hand, index, size) for index in indexes]
    grown = [prove_consistency(at_hand, old, size) for old in olds]
    roots = [root(at_hand, old) for old in olds]
    leaves = [rows[0][index] for index in indexes]
    key, text = Key(), Checkpoint(ORIGIN, size, top)
    return {
        "prove_us": _each(lambda n: prove_inclusion(at_hand, indexes[n], size), times),
        "prove_tiles_warm_us": _each(lambda n: prove_inclusion(tiled, indexes[n], size), times),
        "prove_tiles_cold_us": _each(lambda n: prove_inclusion(cold, indexes[n], size), 300),
        "check_us": _each(
            lambda n: check_inclusion(proofs[n], indexes[n], size, leaves[n], top), times
        ),
        "prove_consistency_us": _each(lambda n: prove_consistency(at_hand, olds[n], size), times),
        "check_consistency_us": _each(
            lambda n: check_consistency(grown[n], olds[n], size, roots[n], top), times
        ),
        "sign_us": _each(lambda n: sign_checkpoint(text, key), 500),
    }  # fmt: skip


def _each(work: Callable[[int], object], times: int) -> float:
    spent = []
    for n in range(times):
        begun = time.perf_counter()
        work(n)
        spent.append(time.perf_counter() - begun)
    return statistics.median(spent) * 1e6


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=40)
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--leaves", type=int, default=1_000_000)
    parser.add_argument("--json", action="store_true")
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        found_ = measure_steps(Path(name), told.cases)
    found_ |= measure_log(told.events) | measure_proofs(told.leaves)
    if told.json:
        print(json.dumps(found_))
        return
    print(f"{platform.machine()}, Python {platform.python_version()}")
    for key, value in found_.items():
        print(f"{key:24}{value:14.3f}" if value < 1000 else f"{key:24}{value:14,.0f}")
    print(
        "wanted: append_overhead ≤ 0.25, links_events_per_s ≥ 250,000, prove_us ≤ 50, check_us ≤ 20"
    )


if __name__ == "__main__":
    main()
