"""The cable between node and database is cut: a step is acknowledged, or can be asked for again."""

import time
from pathlib import Path
from typing import Final

import pytest

from engine.database import open_database
from engine.oversight import urge
from engine.schema import create_schema
from tests.conftest import Street, found_street, known_people
from tests.engine.tampering import forget_live_states
from tests.faults.cables import DATABASE, cable
from tests.faults.clusters import cluster
from tests.faults.nursery import nursery
from tests.faults.test_kills import seeded

pytestmark = pytest.mark.postgres

# What the test has patience for; `engine.database` has more of it by default.
LOST: Final = None  # cut until every worker was told that its step is lost
PATIENCE = "connect_timeout=2&tcp_user_timeout=1500&keepalives_idle=1&keepalives_interval=1"


@pytest.mark.parametrize("cuts", [3, pytest.param(40, marks=pytest.mark.long)])
def test_a_cut_cable_loses_nothing_acknowledged_and_nobody_waits_for_ever(
    tmp_path: Path, cuts: int
) -> None:
    cut_often(tmp_path / "acks", PATIENCE, [LOST, 0.3] * (cuts // 2) + [LOST])


@pytest.mark.long
def test_who_asks_for_no_patience_is_answered_while_the_cable_is_still_cut(tmp_path: Path) -> None:
    cut_often(tmp_path / "acks", "", [LOST])


def test_a_connection_has_a_bounded_patience_unless_its_address_says_otherwise(
    postgres_url: str,
) -> None:
    for more, wanted in (("", "20000"), ("tcp_user_timeout=7", "7")):
        database = open_database(f"{postgres_url}{'&' if '?' in postgres_url else '?'}{more}")
        with database.connect() as conn:
            told = conn.connection.driver_connection.info.get_parameters()
        database.dispose()
        assert (told["tcp_user_timeout"], told["connect_timeout"]) == (wanted, "10")


def cut_often(acks: Path, patience: str, cuts: list[float | None]) -> None:
    """Cut the cable for so many seconds each, or until all lost a step, while three work."""
    chance = seeded()
    with cable() as there, cluster(there.within(there.database), DATABASE) as server:
        database = open_database(server.url())  # by its socket, which no network is needed for
        create_schema(database)
        found_street(database)
        street = Street(database, person=known_people(database))
        cases = [street.report() for _ in range(3)]
        url = f"postgresql+psycopg://postgres@{DATABASE}/postgres?{patience}"
        with nursery(there.within(there.node)) as workers:
            for case in cases:
                workers.fork("urges", url, case, str(acks))
            for seconds in cuts:
                wait_for_each(acks, cases, "done")
                time.sleep(chance.uniform(0, 0.05))
                there.cut()
                if seconds is LOST:
                    wait_for_each(acks, cases, "lost")
                else:
                    time.sleep(seconds)
                there.mend()
            wait_for_each(acks, cases, "done")
        check(street, acks, cases)
        database.dispose()


def answers(acks: Path) -> list[tuple[str, str, str, float]]:
    """Case, key, `done` or `lost`, and how long it took to say so, of every step that was sent."""
    if not acks.exists():
        return []
    whole = [line for line in acks.read_text().splitlines(keepends=True) if line.endswith("\n")]
    told = [line.split() for line in whole]
    return [(case, key, answer, float(took)) for case, key, answer, took in told]


def wait_for_each(acks: Path, cases: list[str], wanted: str) -> None:
    """Wait until a further step of each case was answered so."""
    before, until = len(answers(acks)), time.monotonic() + 120
    while {case for case, _, answer, _ in answers(acks)[before:] if answer == wanted} < set(cases):
        assert time.monotonic() < until, f"not every worker is told that a step is {wanted}"
        time.sleep(0.02)


def check(street: Street, acks: Path, cases: list[str]) -> None:
    """Each step is there once: what was done already, what was lost after it is sent again."""
    told = answers(acks)
    lost = [(case, key) for case, key, answer, _ in told if answer == "lost"]
    assert lost
    there = 0
    for case, key in lost:
        again = street.do(
            urge, case, "请抓紧", by=street.by("watch"), at=street.entries(case)[-1].at, key=key
        )
        there += again.repeated
    urged = sum(street.types(case).count("case.urged") for case in cases)
    # Of a worker that was killed at the end, the last step may be there unanswered.
    assert len(told) <= urged <= len(told) + len(cases)
    slowest = max(took for *_, took in told)
    print(
        f"{len(told)} steps, {len(lost)} without an answer, of which {there} had been recorded;"
        f" the longest wait was {slowest:.1f} s"
    )
    forget_live_states()
    street.check()
