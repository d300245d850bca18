"""Guessing is limited by source, by all processes of a server together, and nobody is kept."""

from datetime import UTC, datetime, timedelta
from multiprocessing import get_context

import pytest

from engine.guessing import Attempts, TooManyAttempts
from engine.shared_area import Area

AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SOURCE = b"198.51.100.7"


def kept(attempts: Attempts) -> bytes:
    """All that is in memory of who failed."""
    with attempts._area.held() as memory:
        return memory[8:]


def is_stopped(attempts: Attempts, source: bytes = SOURCE, at: datetime = AT) -> bool:
    try:
        attempts.check(source, at)
    except TooManyAttempts:
        return True
    return False


def test_ten_wrong_codes_stop_a_source_for_an_hour_and_no_other() -> None:
    attempts = Attempts()
    for n in range(10):
        attempts.check(SOURCE, AT + timedelta(minutes=n))
        attempts.failed(SOURCE, AT + timedelta(minutes=n))
    with pytest.raises(TooManyAttempts):
        attempts.check(SOURCE, AT + timedelta(minutes=59))
    attempts.check(b"198.51.100.8", AT + timedelta(minutes=59))
    attempts.check(SOURCE, AT + timedelta(minutes=60))


def test_nothing_that_is_kept_tells_who_guessed() -> None:
    attempts, others = Attempts(), Attempts()
    for one in (attempts, others):
        one.failed(SOURCE, AT)
        assert SOURCE not in kept(one)
    assert kept(attempts) != kept(others), "each server has a key of its own"
    attempts.check(b"x", AT + timedelta(hours=2))
    assert not any(kept(attempts)), "and forgets"


def test_many_sources_do_not_fill_the_memory_and_the_last_of_them_are_known() -> None:
    attempts = Attempts(most=1, remember=100)
    size = len(kept(attempts))
    for n in range(1000):
        attempts.failed(str(n).encode(), AT + timedelta(seconds=n / 1000))
    assert len(kept(attempts)) == size
    known = [is_stopped(attempts, str(n).encode(), AT + timedelta(seconds=1)) for n in range(1000)]
    assert known[-1]
    assert sum(known) <= 200
    assert sum(known[-100:]) > sum(known[:100])


def test_processes_count_together_and_what_a_killed_one_counted_stays() -> None:
    attempts = Attempts(most=8)

    def fail() -> None:
        for _ in range(4):
            attempts.failed(SOURCE, AT)

    for count in (1, 2):
        assert not is_stopped(attempts), count
        process = get_context("fork").Process(target=fail)
        process.start()
        process.join()
    assert is_stopped(attempts)


def test_a_process_that_is_killed_gives_the_lock_back() -> None:
    area = Area(8)
    context = get_context("fork")
    mine, theirs = context.Pipe()

    def hold() -> None:
        with area.held() as memory:
            memory[0] = 7
            theirs.send(True)
            theirs.recv()

    process = context.Process(target=hold)
    process.start()
    assert mine.recv()
    process.kill()
    process.join()
    with area.held() as memory:
        assert memory[0] == 7
    for one in (process, mine, theirs):
        one.close()


def test_all_that_several_processes_write_at_once_is_there() -> None:
    area = Area(8)

    def add() -> None:
        for _ in range(2000):
            with area.held() as memory:
                memory[:] = (int.from_bytes(memory[:]) + 1).to_bytes(8)

    processes = [get_context("fork").Process(target=add) for _ in range(3)]
    for one in processes:
        one.start()
    for one in processes:
        one.join()
    with area.held() as memory:
        assert int.from_bytes(memory[:]) == 6000
