"""PostgreSQL dies under load, or gives way to a standby: what is lost is known, or nothing is."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import text

from audit import sequence
from audit.note import Note
from audit.policy import Policy
from audit.steps import Outcome
from audit.trust import Trust
from engine.database import open_database
from engine.log_findings import check_outside
from engine.schema import create_schema
from engine.sequencer import run_sequencer
from tests.conftest import NOON, ORIGIN, Street, found_street, known_people
from tests.engine.tampering import forget_live_states
from tests.faults.clusters import Cluster, cluster, standby
from tests.faults.nursery import Nursery, acknowledged, nursery
from tests.faults.test_kills import check_everything, kept, seeded, start, wait_for
from tests.witnessing import signer

pytestmark = pytest.mark.postgres


@pytest.fixture
def primary() -> Iterator[Cluster]:
    """A server of its own with a founded street."""
    with cluster() as made:
        database = open_database(made.url())
        create_schema(database)
        found_street(database)
        database.dispose()
        yield made


@contextmanager
def street_on(server: Cluster) -> Iterator[Street]:
    database = open_database(server.url())
    yield Street(database, person=known_people(database))
    database.dispose()


@pytest.fixture(scope="module")
def workers() -> Iterator[Nursery]:
    with nursery() as made:
        yield made


@contextmanager
def load(workers: Nursery, server: Cluster, acks: Path, chance: Random) -> Iterator[None]:
    """Two workers at their steps and a sequencer, who try again when the server is away."""
    for n in range(3):
        start(workers, server.url(), n, acks, chance)
    yield
    for one in list(workers.born):
        workers.kill(one)


@pytest.mark.parametrize("crashes", [3, pytest.param(100, marks=pytest.mark.long)])
def test_nothing_acknowledged_is_lost_however_often_the_server_dies(
    primary: Cluster, workers: Nursery, tmp_path: Path, crashes: int
) -> None:
    chance, acks = seeded(), tmp_path / "acks"
    with load(workers, primary, acks, chance):
        for n in range(crashes):
            wait_for(acks, 2 + chance.randrange(12))
            time.sleep(chance.uniform(0, 0.05))
            (primary.kill if n % 2 else primary.crash)()
            primary.start()
        wait_for(acks, 5)
    told = set(acknowledged(acks))
    assert len(told) > crashes
    print(f"{crashes} crashes, {len(told)} acknowledged steps")
    with street_on(primary) as street:
        check_everything(street, told)
        street.complete(street.report(), "prepare#1", "head", {"kind": "wood", "pieces": 3})


def test_after_a_failover_what_did_not_arrive_is_missing_and_a_checkpoint_outside_says_so(
    primary: Cluster, workers: Nursery, tmp_path: Path
) -> None:
    chance, acks = seeded(), tmp_path / "acks"
    with ExitStack() as stack:
        second = stack.enter_context(standby(primary))
        with load(workers, primary, acks, chance):
            wait_for(acks, 10)
            until_followed(primary)
            cut_off(second)
            wait_for(acks, 15)
        told, outside = set(acknowledged(acks)), signed(primary)
        primary.kill()
        second.promote()
        with street_on(second) as street:
            lost = told - kept(street)
            assert lost
            # What is there is whole, and says itself of nothing that is missing …
            forget_live_states()
            street.check()
            with street.database.begin() as conn:
                size = sequence.tree_size(conn)
                step = check_outside(conn, Trust(Policy((signer(ORIGIN).key,)), (outside,)))
            # … the checkpoint that left the house tells from which leaf on.
            assert step.outcome is Outcome.FAILS
            assert f"there are {size} here" in step.english, step
            print(f"{len(told)} acknowledged, {len(lost)} lost; {step.english}")
            check_everything(street, told - lost)
            street.report()


def signed(server: Cluster) -> Note:
    """The checkpoint over everything so far, as somebody outside keeps it."""
    with street_on(server) as street:
        run_sequencer(street.database, [signer(ORIGIN)], at=NOON)
        with street.database.begin() as conn:
            last = sequence.latest(conn)
    assert last
    return last.note


def until_followed(server: Cluster) -> None:
    """Wait until the standby has everything there is at this moment."""
    asked = text("SELECT pg_current_wal_lsn()")
    seen = text("SELECT flush_lsn >= CAST(:l AS pg_lsn) FROM pg_stat_replication")
    database = open_database(server.url())
    with database.connect() as conn:
        here = conn.execute(asked).scalar()
        for _ in range(1000):
            if conn.execute(seen, {"l": here}).scalar():
                break
            conn.rollback()
            time.sleep(0.01)
        else:
            raise AssertionError("the standby does not follow")
    database.dispose()


def cut_off(second: Cluster) -> None:
    """Let the standby hear of nothing more, as when the line between them is cut."""
    with (second.data / "postgresql.auto.conf").open("a") as conf:
        conf.write("primary_conninfo = ''\n")
    second.run("pg_ctl", "reload", "-D", str(second.data), "-s")
    time.sleep(0.3)


def test_with_a_synchronous_standby_nothing_acknowledged_is_lost(
    primary: Cluster, workers: Nursery, tmp_path: Path
) -> None:
    chance, acks = seeded(), tmp_path / "acks"
    with ExitStack() as stack:
        second = stack.enter_context(standby(primary))
        with (primary.data / "postgresql.auto.conf").open("a") as conf:
            conf.write("synchronous_standby_names = '*'\n")
        primary.run("pg_ctl", "reload", "-D", str(primary.data), "-s")
        time.sleep(0.3)
        with load(workers, primary, acks, chance):
            wait_for(acks, 20 + chance.randrange(10))
            primary.kill()
        told = set(acknowledged(acks))
        second.promote()
        with (second.data / "postgresql.auto.conf").open("a") as conf:
            conf.write("synchronous_standby_names = ''\n")
        second.run("pg_ctl", "reload", "-D", str(second.data), "-s")
        with street_on(second) as street:
            check_everything(street, told)
            street.report()
        print(f"{len(told)} acknowledged, none lost")
