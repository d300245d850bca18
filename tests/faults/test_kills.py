"""Killed at random: no step that was acknowledged is lost, and what comes after goes on."""

import os
import time
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import text

from audit import sequence
from audit.merkle import check_inclusion, prove_inclusion
from engine.sequencer import run_sequencer
from tests.conftest import ORIGIN, Street
from tests.engine.tampering import forget_live_states
from tests.faults.nursery import NOON, Nursery, acknowledged, nursery
from tests.faults.trying import check_rebuilt
from tests.witnessing import signer

Acks = set[tuple[str, int, str]]


def seeded() -> Random:
    """What a run draws from; SHAOJI_TEST_SEED repeats one."""
    seed = os.environ.get("SHAOJI_TEST_SEED") or str(time.time_ns())
    print(f"SHAOJI_TEST_SEED={seed}")
    return Random(seed)


def kept(street: Street) -> Acks:
    with street.database.begin() as conn:
        rows = conn.execute(text("SELECT stream, seq, hash FROM event"))
        return {(row.stream, row.seq, bytes(row.hash).hex()) for row in rows}


def check_everything(street: Street, told: Acks) -> None:
    """All that was acknowledged is there and in the signed tree; all cases verify and rebuild."""
    lost = told - kept(street)
    assert not lost, lost
    forget_live_states()
    street.check()
    check_rebuilt(street)
    run_sequencer(street.database, [signer(ORIGIN)], at=NOON)
    with street.database.begin() as conn:
        assert list(sequence.check(conn)) == []
        last = sequence.latest(conn)
        assert last
        tree, read = last.checkpoint, sequence.read_hashes(conn)
        for _, _, hash_ in sorted(told):
            index = sequence.leaf_index(conn, bytes.fromhex(hash_))
            assert index is not None
            path = prove_inclusion(read, index, tree.size)
            check_inclusion(path, index, tree.size, bytes.fromhex(hash_), tree.root)


def kill_at_random(street: Street, kills: int, folder: Path, chance: Random) -> Acks:
    """Keep two workers and a sequencer at work and kill one after the other.

    Returns what they were told.
    """
    url = street.database.url.render_as_string(hide_password=False)
    acks = folder / "acks"
    with nursery() as workers:
        alive = [start(workers, url, n, acks, chance) for n in range(3)]
        for n in range(kills):
            wait_for(acks, chance.randrange(8))
            time.sleep(chance.uniform(0, 0.03))
            workers.kill(alive.pop(chance.randrange(len(alive))))
            alive.append(start(workers, url, n + 3, acks, chance))
    return set(acknowledged(acks))


def wait_for(acks: Path, more: int) -> None:
    """Wait until so many more steps were acknowledged; not for ever, as nobody may be at work."""
    wanted, until = len(acknowledged(acks)) + more, time.monotonic() + 2
    while len(acknowledged(acks)) < wanted and time.monotonic() < until:
        time.sleep(0.003)


def start(workers: Nursery, url: str, n: int, acks: Path, chance: Random) -> int:
    kind = "sequences" if n % 3 == 2 else "steps"
    return workers.fork(kind, url, f"w{n}", str(acks), str(chance.random()))


@pytest.mark.parametrize("kills", [15, pytest.param(500, marks=pytest.mark.long)])
def test_nothing_acknowledged_is_lost_however_often_workers_are_killed(
    street: Street, tmp_path: Path, kills: int
) -> None:
    told = kill_at_random(street, kills, tmp_path, seeded())
    assert len(told) > kills
    check_everything(street, told)
    # Those who come after go on from there: no lock is left, no number is lost or given twice.
    case = street.report()
    street.complete(case, "prepare#1", "head", {"kind": "wood", "pieces": 3})
    numbers = sorted(int(case[-5:]) for case, seq, _ in kept(street) if seq == 1 and case[0] != "@")
    assert numbers == list(range(1, len(numbers) + 1))
    print(f"{kills} kills, {len(told)} acknowledged steps, {len(numbers)} cases")
    street.check()
