"""What a witness has seen: it never goes back, of two requests one wins, forks are kept."""

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError

from audit.checkpoint import check_cosignatures
from audit.note import Note, Signature
from audit.policy import Policy
from audit.witness import (
    NotConsistent,
    NotWitnessed,
    OtherRoot,
    OtherSize,
    UnknownKey,
    UnknownLog,
    fork_evidence,
    write_request,
)
from engine.witnessed import (
    FILE,
    MOST_EVIDENCE,
    days,
    evidence,
    latest,
    open_store,
    origins,
    witness,
)
from tests.witnessing import ORIGIN, Grown, signer, witness_signer

NOON = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
LOG = Grown()
FORGED = Grown(history="forged ", fork=2)
WITNESS = witness_signer()
KEYS = [LOG.key.key]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Engine]:
    opened = open_store(tmp_path / "witness")
    yield opened
    opened.dispose()


def ask(store: Engine, data: bytes, at: datetime = NOON) -> Signature:
    return witness(store, data, signer=WITNESS, keys=KEYS, now=lambda: at)


def size(store: Engine) -> int:
    with store.begin() as conn:
        found = latest(conn, ORIGIN)
    return found.checkpoint.size if found else 0


def test_a_growing_log_is_cosigned_and_the_cosignature_holds(store: Engine) -> None:
    for old, new in [(0, 3), (3, 3), (3, 8), (8, 300)]:
        line = ask(store, LOG.request(old, new))
        note = LOG.note(new).signed(line)
        assert check_cosignatures(note, [WITNESS.key]) == {WITNESS.key: int(NOON.timestamp())}
        assert size(store) == new
    with store.begin() as conn:
        assert origins(conn) == [ORIGIN]
        assert evidence(conn, ORIGIN) == []


def test_what_is_refused_changes_nothing_and_strangers_leave_no_trace(store: Engine) -> None:
    ask(store, LOG.request(0, 5))
    stranger = Grown(origin="elsewhere.example", key=signer("elsewhere.example"))
    impostor = Grown(history="forged ", key=signer(ORIGIN, seed="impostor"))
    for refusal, data in [
        (UnknownLog, stranger.request(0, 9)),
        (UnknownKey, impostor.request(5, 5)),
        (OtherSize, LOG.request(3, 9)),
        (NotConsistent, write_request(5, [bytes(32)], LOG.note(9))),
    ]:
        with pytest.raises(refusal):
            ask(store, data)
    assert size(store) == 5
    with store.begin() as conn:
        assert origins(conn) == [ORIGIN]
        assert [one.fork for one in evidence(conn, ORIGIN)] == [False]


def test_the_witness_remembers_after_it_was_closed_and_opened(tmp_path: Path) -> None:
    for old, new in [(0, 4), (4, 9)]:
        store = open_store(tmp_path)
        ask(store, LOG.request(old, new))
        store.dispose()
    store = open_store(tmp_path)
    with pytest.raises(OtherSize) as other:
        ask(store, LOG.request(4, 9))
    assert other.value.size == 9
    store.dispose()


def test_of_many_requests_from_one_size_exactly_one_wins(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    ask(store, LOG.request(0, 4))
    barrier = Barrier(8)

    def race(new: int) -> bool:
        barrier.wait()
        try:
            ask(store, LOG.request(4, new))
        except OtherSize:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(race, range(5, 13)))
    assert won.count(True) == 1
    assert size(store) == 5 + won.index(True)
    store.dispose()


def test_the_race_of_the_specification_cannot_roll_back(tmp_path: Path) -> None:
    """Request A (size N) is checked before, and written after, request B (size N + K)."""
    store = open_store(tmp_path)
    ask(store, LOG.request(0, 4))
    rival = sqlite3.connect(tmp_path / FILE, timeout=0)

    def asked_while_locked() -> datetime:
        # B is being decided: A, in whatever process, can be neither decided nor written.
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            rival.execute("BEGIN IMMEDIATE")
        return NOON

    line = witness(store, LOG.request(4, 10), signer=WITNESS, keys=KEYS, now=asked_while_locked)
    assert check_cosignatures(LOG.note(10).signed(line), [WITNESS.key])
    with pytest.raises(OtherSize) as late:
        ask(store, LOG.request(4, 7))
    assert late.value.size == 10
    rival.close()
    store.dispose()


def test_times_never_run_against_sizes(tmp_path: Path) -> None:
    """The time is read under the lock: whoever waited does not say an older one."""
    store, ticks = open_store(tmp_path), iter(range(1000))
    told: list[tuple[int, int]] = []

    def grow(_: int) -> None:
        known = size(store)
        try:
            line = witness(
                store, LOG.request(known, known + 1), signer=WITNESS, keys=KEYS,
                now=lambda: NOON + timedelta(seconds=next(ticks)),
            )  # fmt: skip
        except OtherSize:
            return
        note = LOG.note(known + 1).signed(line)
        told.append((known + 1, check_cosignatures(note, [WITNESS.key])[WITNESS.key]))

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(grow, range(30)))
    times = [at for _, at in sorted(told)]
    assert times == sorted(times)
    assert len(set(times)) == len(times)
    store.dispose()


class Broken:
    """A signing device that has just been pulled out."""

    key = WITNESS.key

    def sign(self, message: bytes) -> bytes:
        raise OSError("no device")


def test_without_a_signature_nothing_is_written_down(store: Engine) -> None:
    with pytest.raises(OSError, match="device"):
        witness(store, LOG.request(0, 4), signer=Broken(), keys=KEYS, now=lambda: NOON)
    assert size(store) == 0
    ask(store, LOG.request(0, 4))


def test_a_log_that_did_not_hear_the_answer_asks_again_and_gets_it(store: Engine) -> None:
    ask(store, LOG.request(0, 4))  # the answer was lost
    with pytest.raises(OtherSize) as other:
        ask(store, LOG.request(0, 4))
    assert other.value.size == 4
    assert ask(store, LOG.request(4, 4))


def test_the_tables_themselves_do_not_go_back(store: Engine) -> None:
    ask(store, LOG.request(0, 4))
    with pytest.raises(OtherRoot):
        ask(store, FORGED.request(4, 4))
    for statement in (
        "UPDATE head SET size = 3",
        "DELETE FROM head",
        "INSERT OR REPLACE INTO head SELECT origin, 3, root, note, at FROM head",
        "DELETE FROM evidence",
    ):
        with pytest.raises(IntegrityError), store.begin() as conn:
            conn.execute(text(statement))
    assert size(store) == 4


# --- two histories --------------------------------------------------------------------------------


@pytest.mark.parametrize("old", [0, 3, 6])
def test_a_second_root_for_a_size_is_kept_as_proof_however_it_was_asked(
    store: Engine, old: int
) -> None:
    ask(store, LOG.request(0, 6))
    with pytest.raises(NotWitnessed) as refused:
        ask(store, FORGED.request(old, 6))
    assert refused.value.status == 409
    with store.begin() as conn:
        (found,) = evidence(conn, ORIGIN)
    assert found.fork
    # Whoever is handed the two notes and the key of the log finds the same.
    assert fork_evidence(found.known, found.told, Policy(tuple(KEYS)))
    assert check_cosignatures(found.known, [WITNESS.key])
    assert size(store) == 6


def test_a_second_root_for_the_size_of_an_earlier_day_is_proof(store: Engine) -> None:
    ask(store, LOG.request(0, 6))
    ask(store, LOG.request(6, 11), NOON + timedelta(days=1))
    with pytest.raises(OtherSize):
        ask(store, FORGED.request(0, 6), NOON + timedelta(days=2))
    with store.begin() as conn:
        assert [one.fork for one in evidence(conn, ORIGIN)] == [True]


def test_a_larger_forged_history_is_refused_and_held_against_the_log(store: Engine) -> None:
    ask(store, LOG.request(0, 6))
    with pytest.raises(NotConsistent):
        ask(store, FORGED.request(6, 9))
    with store.begin() as conn:
        (found,) = evidence(conn, ORIGIN)
    assert not found.fork
    assert found.told.text == FORGED.note(9).text
    ask(store, LOG.request(6, 9))
    with pytest.raises(OtherRoot):
        ask(store, FORGED.request(9, 9))
    with store.begin() as conn:
        (found,) = evidence(conn, ORIGIN)
    assert found.fork, "what was owed a proof has turned out to be a fork"


def test_a_mistake_that_is_put_right_is_settled_and_stays_readable(store: Engine) -> None:
    ask(store, LOG.request(0, 6))
    with pytest.raises(NotConsistent):
        ask(store, write_request(6, [], LOG.note(9)))
    later = NOON + timedelta(minutes=1)
    ask(store, LOG.request(6, 9), later)
    with store.begin() as conn:
        (found,) = evidence(conn, ORIGIN)
    assert (found.fork, found.settled_at) == (False, int(later.timestamp()))


def test_the_known_checkpoint_with_a_proof_too_many_is_no_contradiction(store: Engine) -> None:
    ask(store, LOG.request(0, 6))
    with pytest.raises(NotConsistent):
        ask(store, write_request(6, [bytes(32)], LOG.note(6)))
    with store.begin() as conn:
        assert evidence(conn, ORIGIN) == []


def test_the_same_contradiction_is_kept_once_and_none_fill_the_disk(store: Engine) -> None:
    ask(store, LOG.request(0, 6))
    for n in range(MOST_EVIDENCE + 5):
        for _ in range(2 if n < 3 else 1):
            with pytest.raises(NotConsistent):
                ask(store, write_request(6, [], LOG.note(7 + n)))
    with pytest.raises(OtherRoot):
        ask(store, FORGED.request(6, 6))
    with store.begin() as conn:
        found = evidence(conn, ORIGIN)
    assert len(found) == MOST_EVIDENCE + 1
    assert sum(one.fork for one in found) == 1, "what is owed leaves room for what is proved"


def test_signature_lines_of_strangers_are_not_kept(store: Engine) -> None:
    """A hundred lines under a note are allowed: with ours they would be one too many to read."""
    note = LOG.note(6)
    noise = [Signature(f"noise{n}.example", bytes(4), bytes([n])) for n in range(99)]
    ask(store, write_request(0, [], Note(note.text, (*note.signatures, *noise))))
    with store.begin() as conn:
        found = latest(conn, ORIGIN)
    assert found
    assert [one.name for one in found.note.signatures] == [ORIGIN, WITNESS.key.name]
    ask(store, LOG.request(6, 8))


def test_the_last_checkpoint_of_each_day_is_kept(store: Engine) -> None:
    midnight = datetime(2026, 3, 2, 16, 0, tzinfo=UTC)  # in Shanghai
    known = 0
    for new, at in [(2, NOON), (5, midnight - timedelta(seconds=1)), (6, midnight)]:
        ask(store, LOG.request(known, new), at)
        known = new
    with store.begin() as conn:
        kept = [(day, one.checkpoint.size) for day, one in days(conn, ORIGIN)]
        assert all(check_cosignatures(one.note, [WITNESS.key]) for _, one in days(conn, ORIGIN))
    assert kept == [("2026-03-03", 6), ("2026-03-02", 5)]
