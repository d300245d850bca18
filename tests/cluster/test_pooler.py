"""Through a pooler of transactions: nothing of ours outlives one, and the driver keeps nothing."""

import ast
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import Barrier, Thread

import pytest
from sqlalchemy import Engine, text

from audit.sequence import SequencedElsewhere
from engine.database import POOLER, PREPARES, open_database, through_pooler
from engine.leases import is_ours
from engine.node_checks import Pooler, check_pooler, read_pooler
from engine.sequencer import take_in
from tests.cluster.machines import POOL, pooler, version_of_pooler
from tests.conftest import NOON, ROOT, Street

pytestmark = pytest.mark.postgres
KEEPS = (1, 21)
# What would stay on a connection that belongs to somebody else after COMMIT.
STAYS = re.compile(
    r"\bLISTEN\b|\bNOTIFY\b|\bCREATE TEMP|\bSET SESSION\b|\bSET TIME ZONE\b|\bDISCARD\b"
    r"|pg_(?:try_)?advisory_(?:lock|unlock)|WITH HOLD|\bPREPARE\b"
)


@pytest.fixture
def pooled(postgres_street: Street) -> Iterator[Street]:
    """The street, reached through PgBouncer with a pool of four."""
    with pooled_database(postgres_street, {}, {}) as database:
        yield Street(database, person=postgres_street.person)


@contextmanager
def pooled_database(
    street: Street, settings: Mapping[str, str], query: Mapping[str, str]
) -> Iterator[Engine]:
    """The street's database through PgBouncer with these settings; query: of its address."""
    direct = street.database.url
    with pooler(direct, {"shaoji": "shaoji_test"}, settings) as port:
        here = direct.set(host="127.0.0.1", port=port, database="shaoji", query=query)
        database = open_database(here.render_as_string(hide_password=False))
        yield database
        database.dispose()


def threshold(database: Engine) -> tuple[bool, object]:
    with database.connect() as conn:
        driver = conn.connection.driver_connection
        assert driver is not None
        return through_pooler(driver), driver.prepare_threshold


def test_a_pooler_is_noticed_and_nothing_is_prepared_on_its_connections(
    pooled: Street, postgres_url: str
) -> None:
    assert threshold(pooled.database) == (True, None)
    straight = open_database(postgres_url)
    is_pooled, prepares_after = threshold(straight)
    straight.dispose()
    assert not is_pooled
    assert prepares_after is not None


def test_what_a_pooler_does_not_keep_is_found_before_steps_fail(postgres_street: Street) -> None:
    straight = read_pooler(postgres_street.database)
    assert straight == Pooler(pooled=False, prepares=True, keeps=True)
    nothing = {"max_prepared_statements": "0"} if version_of_pooler() >= KEEPS else {}
    with pooled_database(postgres_street, nothing, {}) as database:
        assert check_pooler(read_pooler(database)).outcome == "holds"
    with pooled_database(postgres_street, nothing, {POOLER: PREPARES}) as database:
        found = read_pooler(database)
    assert found == Pooler(pooled=True, prepares=True, keeps=False)
    assert check_pooler(found).outcome == "fails"


def test_through_a_pooler_that_keeps_them_statements_are_prepared_and_all_steps_done(
    postgres_street: Street,
) -> None:
    if version_of_pooler() < KEEPS:
        pytest.skip("PgBouncer keeps what its clients prepare from 1.21 on")
    kept = {"max_prepared_statements": "200"}
    with pooled_database(postgres_street, kept, {POOLER: PREPARES}) as database:
        assert read_pooler(database) == Pooler(pooled=True, prepares=True, keeps=True)
        all_do_their_steps(Street(database, person=postgres_street.person))
        with database.connect() as conn:
            prepared = conn.execute(text("SELECT count(*) FROM pg_prepared_statements"))
            assert prepared.scalar_one() > 0


def test_more_hands_than_the_pool_has_connections_do_all_their_steps_once(pooled: Street) -> None:
    all_do_their_steps(pooled)


def all_do_their_steps(pooled: Street) -> None:
    """Three times as many at once as the pool has connections, each once."""
    hands, each, start = 3 * POOL, 3, Barrier(3 * POOL)
    failed: list[BaseException] = []

    def work() -> None:
        try:
            start.wait()
            for _ in range(each):
                case = pooled.report()
                pooled.complete(case, "prepare#1", "head", {"kind": "wood", "pieces": 3})
                take_in_or_leave(pooled.database)
                is_ours(pooled.database, "sequencer", "one", at=NOON)
        except BaseException as error:
            failed.append(error)

    threads = [Thread(target=work) for _ in range(hands)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    take_in(pooled.database)
    with pooled.database.begin() as conn:
        opened = conn.execute(text("SELECT count(*) FROM event WHERE type = 'case.opened'"))
        assert opened.scalar() == hands * each
        assert (
            conn.execute(text("SELECT count(*) FROM leaf")).scalar()
            == conn.execute(text("SELECT count(*) FROM event")).scalar()
        )
    pooled.check()


def take_in_or_leave(database: Engine) -> None:
    try:
        take_in(database)
    except SequencedElsewhere:
        return


def test_no_statement_of_ours_leaves_something_on_a_connection() -> None:
    said = [
        f"{path}: {text_}"
        for room in ("audit", "engine", "web")
        for path in sorted((ROOT / room).rglob("*.py"))
        for text_ in texts(ast.parse(path.read_text(encoding="utf-8")))
        if STAYS.search(text_)
    ]
    assert said == []


def test_a_statement_that_would_is_found() -> None:
    source = 'def f(conn):\n    "LISTEN is not used."\n    conn.execute(f"""LISTEN {name}""")'
    assert [one for one in texts(ast.parse(source)) if STAYS.search(one)] == ["LISTEN "]


def texts(tree: ast.Module) -> list[str]:
    """All texts of a program that are no docstrings."""
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs
    ]
