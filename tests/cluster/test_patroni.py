"""The primary loses its power in the midst of work; Patroni leads on, and it comes back."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
from sqlalchemy import Engine, text

from engine.database import open_database
from tests.cluster.load import Client
from tests.cluster.machines import Machine, balancer, free_port, machine, pooling, wait_for
from tests.cluster.patroni import PASSWORD, Patroni, patroni, superuser, wait_for_leader
from tests.cluster.test_cluster import (
    acknowledged,
    acknowledged_beyond,
    ask,
    settings,
    street_with_tokens,
    working,
)

# Some seventy seconds, most of them waiting for those that died to be given up.
pytestmark = [pytest.mark.postgres, pytest.mark.long]
CLIENTS = 4
ROLES = ("shaoji_owner", "shaoji_app", "shaoji_vault")
# docs/operating.md, "Two roles on PostgreSQL", and docs/cluster.md, "Setting up".
OWNED = (
    "CREATE DATABASE shaoji OWNER shaoji_owner",
    "GRANT CREATE ON DATABASE shaoji TO shaoji_vault",
)
APPENDED = "event, log_origin, leaf, checkpoint, cosignature, timestamp_token"
GRANTED = (
    "GRANT USAGE ON SCHEMA public TO shaoji_app",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO shaoji_app",
    f"REVOKE UPDATE, DELETE ON {APPENDED} FROM shaoji_app",
    "REVOKE INSERT, UPDATE, DELETE ON alembic_version, table_floor FROM shaoji_app",
)
LAST = "SELECT count(*), max(at) FROM event"


@pytest.fixture
def machines() -> Iterator[Patroni]:
    with patroni() as made:
        leader = wait_for_leader(made)
        wait_for(lambda: made.role("sync_standby"), "a copy that is waited for", 60)
        made.sql(leader, *(f"CREATE ROLE {one} LOGIN PASSWORD '{PASSWORD}'" for one in ROLES))
        made.sql(leader, *OWNED)
        yield made


def test_another_leads_and_then_that_one_dies_and_nothing_acknowledged_is_lost(
    machines: Patroni,
) -> None:
    street, tokens = street_with_tokens(open_database(url(machines.primary, "shaoji_owner")))
    database = street.database
    with database.begin() as conn:
        for one in GRANTED:
            conn.execute(text(one))
    with nodes(machines) as (front, node):
        clients = [Client(f"c{n}", front, tokens) for n in range(CLIENTS)]
        with working(clients):
            acknowledged_beyond(clients, 0)
            first = wait_for_leader(machines)
            machines.hand_over(first)
            acknowledged_beyond(clients, acknowledged(clients))
            told(clients, "handed over")
            dead = wait_for_leader(machines, but=first)
            wait_for(lambda: machines.role("sync_standby"), "a copy that is waited for", 60)
            machines.kill(dead)
            before = acknowledged(clients)
            wait_for_leader(machines, but=dead)
            acknowledged_beyond(clients, before)
            told(clients, "died")
        assert [one.refused for one in clients] == [[]] * CLIENTS
        database.dispose()
        check_acts(database, clients)
        # Once it has power again it takes back what nobody else had, and follows.
        machines.start(dead)
        wait_for(lambda: dead in machines.following(), f"{dead} to follow", 90)
        wait_for(lambda: copied(machines, dead) == ask(database, LAST), "all to be there, too")
        verified = node.run("verify", "--without", "outside", "--without", "witnesses",
                            "--without", "timestamp")  # fmt: skip
        assert verified.returncode == 0, verified.stdout + verified.stderr
    database.dispose()


@contextmanager
def nodes(machines: Patroni) -> Iterator[tuple[int, Machine]]:
    """Two nodes and a worker as the application, through a pool; gives their balancer's port."""
    primary = f"host=127.0.0.1 port={machines.primary} dbname=shaoji"
    names = dict.fromkeys(("shaoji", "shaoji_vault"), primary)
    ports = [free_port(), free_port()]
    with ExitStack() as stack:
        passwords = dict.fromkeys(ROLES, PASSWORD)
        pool = stack.enter_context(pooling(names, passwords, superuser()))
        as_application = {
            "SHAOJI_DATABASE_URL": url(pool, "shaoji_app"),
            "SHAOJI_VAULT_URL": url(pool, "shaoji_vault", "shaoji_vault"),
        }
        node = stack.enter_context(machine(settings(pool) | as_application))
        made = node.run(
            "init",
            SHAOJI_DATABASE_URL=url(machines.primary, "shaoji_owner"),
            SHAOJI_VAULT_URL=url(machines.primary, "shaoji_vault"),
        )
        assert made.returncode == 0, made.stderr
        node.start("worker", "worker")
        for n, one in enumerate(ports, 1):
            node.start(f"web{n}", "serve", "--no-worker", "--processes", "1", "--port", str(one))
        front, states = stack.enter_context(balancer(ports))
        wait_for(lambda: set(states().values()) == {"UP"}, "both nodes to be up")
        yield front, node


def url(port: int, user: str, database: str = "shaoji") -> str:
    return f"postgresql+psycopg://{user}:{PASSWORD}@127.0.0.1:{port}/{database}"


def told(clients: list[Client], what: str) -> None:
    """Print how long somebody waited (`pytest -s`); from then on it is counted anew."""
    print(f"{what}: longest wait {max(one.slowest for one in clients):.1f} s, "
          f"{sum(one.again for one in clients)} sent again")  # fmt: skip
    for one in clients:
        one.slowest, one.again = 0.0, 0


def check_acts(database: Engine, clients: list[Client]) -> None:
    """Every act that was acknowledged is on the record once."""
    done = [one for client in clients for one in client.acknowledged]
    assert len(set(done)) == len(done)
    for act, event in (("report", "case.opened"), ("confirm", "task.completed")):
        rows = ask(database, f"SELECT stream FROM event WHERE type = '{event}'")
        recorded = [case for (case,) in rows]
        assert len(set(recorded)) == len(recorded)
        assert {case for case, what in done if what == act} <= set(recorded)


def copied(machines: Patroni, name: str) -> object:
    """What a replica has, asked of itself."""
    where = machines.settings[name]["postgresql"]["connect_address"]
    replica = open_database(f"postgresql+psycopg://shaoji_app:{PASSWORD}@{where}/shaoji")
    try:
        return ask(replica, LAST)
    finally:
        replica.dispose()
