"""Leases: one process at a time, another takes over, no clock stops it for good."""

from datetime import timedelta
from threading import Barrier, Thread

from sqlalchemy import Engine, select, text

from engine.leases import LEASE, give_back, is_ours, lease_table, renew, take
from tests.conftest import NOON, Street

MOMENT = timedelta(seconds=1)


def test_one_process_has_a_lease_until_15_seconds_after_it_was_last_heard_of(
    street: Street,
) -> None:
    database = street.database
    assert is_ours(database, "sequencer", "a", at=NOON)
    assert not is_ours(database, "sequencer", "b", at=NOON + LEASE - MOMENT)
    assert is_ours(database, "anchors", "b", at=NOON)  # each piece of work has its own
    with database.begin() as conn:
        renew(conn, "a", at=NOON + LEASE - MOMENT)
    assert not is_ours(database, "sequencer", "b", at=NOON + LEASE + MOMENT)
    assert is_ours(database, "sequencer", "b", at=NOON + 2 * LEASE)
    # Whoever comes back late finds that it has lost it, and renews nothing of the other's.
    with database.begin() as conn:
        renew(conn, "a", at=NOON + 2 * LEASE)
    assert not is_ours(database, "sequencer", "a", at=NOON + 2 * LEASE)


def test_what_is_given_back_another_has_at_once(street: Street) -> None:
    assert is_ours(street.database, "sequencer", "a", at=NOON)
    with street.database.begin() as conn:
        give_back(conn, "a")
    assert is_ours(street.database, "sequencer", "b", at=NOON)


def test_a_clock_that_was_set_back_waits_for_no_lease_of_the_future(street: Street) -> None:
    assert is_ours(street.database, "sequencer", "a", at=NOON + timedelta(days=1))
    assert is_ours(street.database, "sequencer", "b", at=NOON)


def test_of_many_who_want_a_lease_at_once_one_gets_it(street: Street) -> None:
    for at in (NOON, NOON + 3 * LEASE):  # nobody has had it; its holder has died
        got = _at_once(street.database, at)
        with street.database.begin() as conn:
            holder = conn.execute(select(lease_table.c.holder)).scalar_one()
        assert got == [holder]


def test_whoever_is_just_taking_a_lease_is_waited_for_by_nobody(postgres_street: Street) -> None:
    database = postgres_street.database
    assert is_ours(database, "sequencer", "a", at=NOON)
    later = NOON + 2 * LEASE
    with database.begin() as one, database.begin() as other:
        assert take(one, "sequencer", "b", at=later)
        other.execute(text("SET LOCAL statement_timeout = 2000"))
        assert not take(other, "sequencer", "c", at=later)


def _at_once(database: Engine, at: object) -> list[str]:
    got, start = list[str](), Barrier(6)

    def want(name: str) -> None:
        start.wait()
        if is_ours(database, "sequencer", name, at=at):  # type: ignore[arg-type]
            got.append(name)

    threads = [Thread(target=want, args=(f"{at}-{n}",)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return got
