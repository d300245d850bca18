"""Two nodes and two workers behind a pooler and a balancer; one of each is killed in the midst."""

import json
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from threading import Event, Thread
from typing import Any

import pytest
from sqlalchemy import Engine, text

from engine.accounts import create_account, hash_password
from engine.api_tokens import SCOPES, create_token
from engine.database import open_database
from engine.definition_sets import deploy
from engine.definitions import read_folder
from engine.people import By, grant_post, register_person
from engine.schema import create_schema
from tests.cluster.load import Client
from tests.cluster.machines import balancer, end, free_port, machine, pooler, wait_for
from tests.conftest import NOON, ORIGIN, ROOT, Street, found_street, known_people

pytestmark = pytest.mark.postgres
CLIENTS = 6
OVERDUE = 40
SEQUENCER = "SELECT holder FROM lease WHERE work = 'sequencer'"
WORKERS = "SELECT count(*) FROM node WHERE kind = 'worker'"
# Cases whose clock has run out, events on their way to the tree, whether all of it is signed.
WAITING = """
    SELECT (SELECT count(*) FROM case_register
            WHERE alarm < to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS')),
           (SELECT count(*) FROM outbox),
           (SELECT max(size) FROM checkpoint) = (SELECT count(*) FROM leaf)
"""


def fresh_database(url: str, name: str) -> Engine:
    plain = open_database(url)
    with plain.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        conn.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
        conn.execute(text(f"CREATE DATABASE {name} TEMPLATE template0"))
    plain.dispose()
    return open_database(plain.url.set(database=name).render_as_string(hide_password=False))


def street_with_tokens(database: Engine) -> tuple[Street, dict[str, str]]:
    """A street of this machine's hour, and tokens of two of its people."""
    create_schema(database)
    found_street(database)
    with database.begin() as conn:
        at = NOON - timedelta(days=29)
        deploy(conn, read_folder(ROOT / "workflows" / "hazard"), by=None, at=at)
    now = datetime.now(UTC)
    street = Street(database, now - timedelta(days=20), known_people(database))
    admin: By | None = None
    hashed = hash_password("correct horse 演示 12")
    tokens = {}
    for name in ("grid", "head"):
        street.do(create_account, name, street.person[name], hashed, by=admin)
        if admin is None:
            admin = By(street.do(register_person, "admin演示", by=None))
            street.do(grant_post, admin.person, "u-street", "系统管理员", ["administer"],
                      reason="建库", by=None)  # fmt: skip
    for name in ("grid", "head"):
        made = street.do(create_token, name, "集群测试", list(SCOPES), by=street.by(name),
                         at=now, expires_at=now + timedelta(days=1))  # fmt: skip
        tokens[name] = made.secret
    return street, tokens


def open_late(street: Street) -> None:
    """Cases of three weeks ago, all of whose clocks ran out while nobody looked."""
    street.at = datetime.now(UTC) - timedelta(days=20)
    for _ in range(OVERDUE):
        street.report()


def ask(database: Engine, query: str) -> list[tuple[Any, ...]]:
    with database.connect() as conn:
        return [tuple(row) for row in conn.execute(text(query))]


@pytest.fixture
def built(postgres_url: str) -> Iterator[tuple[Street, dict[str, str]]]:
    database = fresh_database(postgres_url, "shaoji_cluster")
    try:
        yield street_with_tokens(database)
    finally:
        database.dispose()


def settings(port: int) -> dict[str, str]:
    """What deploy/pgbouncer.ini says of addresses, at another port and for one user."""
    return {
        "SHAOJI_DATABASE_URL": f"postgresql+psycopg://postgres@127.0.0.1:{port}/shaoji",
        "SHAOJI_VAULT_URL": f"postgresql+psycopg://postgres@127.0.0.1:{port}/shaoji_vault",
        "SHAOJI_ORIGIN": ORIGIN,
        "SHAOJI_SECRET_KEY": "k" * 48,
        "SHAOJI_PROXIES": "1",
    }


def test_a_node_and_a_worker_are_killed_under_load_and_nothing_acknowledged_is_lost(
    built: tuple[Street, dict[str, str]],
) -> None:
    street, tokens = built
    database = street.database
    direct = database.url.render_as_string(hide_password=False)
    ports = [free_port(), free_port()]
    with ExitStack() as stack:
        names = {"shaoji": "shaoji_cluster", "shaoji_vault": "shaoji_cluster"}
        nodes = stack.enter_context(
            machine(settings(stack.enter_context(pooler(database.url, names))))
        )
        made = nodes.run("init", SHAOJI_DATABASE_URL=direct, SHAOJI_VAULT_URL=direct)
        assert made.returncode == 0, made.stderr
        nodes.start("worker1", "worker")
        for n, one in enumerate(ports, 1):
            nodes.start(f"web{n}", "serve", "--no-worker", "--processes", "2", "--port", str(one))
        front, states = stack.enter_context(balancer(ports))
        wait_for(lambda: ask(database, SEQUENCER), "a worker to have the tree")
        ((holder,),) = ask(database, SEQUENCER)
        nodes.start("worker2", "worker")
        wait_for(lambda: set(states().values()) == {"UP"}, "both nodes to be up")
        wait_for(lambda: ask(database, WORKERS) == [(2,)], "both workers to be at work")
        clients = [Client(f"c{n}", front, tokens) for n in range(CLIENTS)]
        with working(clients):
            open_late(street)
            acknowledged_beyond(clients, 0)
            end(nodes.started["web1"])
            end(nodes.started["worker1"])
            wait_for(lambda: states()["web1"] == "DOWN", "the balancer to take web1 out")
            # Meanwhile somebody upgrades the tables: the older program goes on.
            expand(database)
            # The other node goes on.
            acknowledged_beyond(clients, acknowledged(clients))
        assert states()["web2"] == "UP"
        assert [one.refused for one in clients] == [[]] * CLIENTS
        check_steps(database, clients)
        wait_for(lambda: ask(database, SEQUENCER) != [(holder,)], "worker2 to take over", 40)
        wait_for(lambda: ask(database, WAITING) == [(0, 0, True)], "clocks and tree to be done")
        check_alarms(database)
        told = nodes.run("verify", "--without", "outside", "--without", "witnesses",
                         "--without", "timestamp")  # fmt: skip
        assert told.returncode == 0, told.stdout + told.stderr
        check_doctor(json.loads(nodes.run("doctor", "--json").stdout)["checks"])
        # One that is told to stop says so, finishes, and takes its leave.
        nodes.started["web2"].send_signal(signal.SIGTERM)
        wait_for(lambda: states()["web2"] == "DOWN", "the balancer to see that web2 ends")
        assert nodes.started["web2"].wait(20) == 0
        assert ask(database, "SELECT count(*) FROM node WHERE kind = 'serve'") == [(2,)]  # web1's


@contextmanager
def working(clients: list[Client]) -> Iterator[None]:
    stop = Event()
    threads = [Thread(target=one.work, args=(stop,)) for one in clients]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def expand(database: Engine) -> None:
    """What the migration of a later release does that lets this one work on."""
    with database.begin() as conn:
        conn.execute(text("CREATE TABLE of_a_later_release (id INTEGER PRIMARY KEY)"))
        conn.execute(text("ALTER TABLE case_register ADD COLUMN of_a_later_release TEXT"))
        conn.execute(text("UPDATE alembic_version SET version_num = '9999'"))


def acknowledged(clients: list[Client]) -> int:
    return sum(len(one.acknowledged) for one in clients)


def acknowledged_beyond(clients: list[Client], count: int) -> None:
    """Wait until so many acts and fifty more were acknowledged, or one was refused."""
    wait_for(
        lambda: acknowledged(clients) >= count + 50 or any(one.refused for one in clients),
        "more acts to be acknowledged", 60,
    )  # fmt: skip


def check_steps(database: Engine, clients: list[Client]) -> None:
    """Every act that was acknowledged is on the record once, and nothing nobody asked for."""
    told = [one for client in clients for one in client.acknowledged]
    assert len(set(told)) == len(told)
    reports = {case for case, act in told if act == "report"}
    confirmed = {case for case, act in told if act == "confirm"}
    opened = ask(database, "SELECT stream FROM event WHERE type = 'case.opened'")
    assert len(opened) == len(reports) + OVERDUE
    assert reports <= {case for (case,) in opened}
    done = ask(database, "SELECT stream FROM event WHERE type = 'task.completed'")
    assert sorted(case for (case,) in done) == sorted(confirmed)


def check_alarms(database: Engine) -> None:
    """Each clock of the cases that ran out rang once: half, four fifths, overdue, escalated."""
    query = (
        "SELECT type, count(*), count(DISTINCT stream) FROM event WHERE type IN "
        "('deadline.warned', 'overdue.opened', 'deadline.escalated') GROUP BY type ORDER BY type"
    )
    assert ask(database, query) == [
        ("deadline.escalated", OVERDUE, OVERDUE),
        ("deadline.warned", 2 * OVERDUE, OVERDUE),
        ("overdue.opened", OVERDUE, OVERDUE),
    ]


def check_doctor(checks: list[dict[str, Any]]) -> None:
    """What died is told, what is shared is shared, and the pooler was noticed."""
    found = {one["check"]: one for one in checks}
    assert found["nodes"]["outcome"] == "look"
    assert found["schema"]["outcome"] == "look"
    for name in ("shared-keys", "shared-evidence", "shared-reports"):
        assert found[name]["outcome"] == "holds", found[name]
    assert "连接池" in found["pooler"]["found"]["chinese"]
