"""Eight clients at once: how many human steps a second, and how long the unluckiest waits.

Two processes of four threads each complete the steps of cases of their own, without thinking time,
against the public commands. The floor does the same in turn with ours, by plain drivers: on SQLite
eight clients write the rows of a step of ours each in one durable transaction of its own, BEGIN
IMMEDIATE with SQLite's own waiting; on PostgreSQL three bare statements a transaction (a number is
read and locked, an event of 1 KB inserted, a row of 1 KB updated). Each round is a fresh database.

    python benchmarks/clients.py [--postgres URL] [--seconds 4] [--rounds 3] [--json]

--postgres: the address of an empty database that may be filled, postgresql+psycopg://…
"""

import argparse
import gc
import json
import sqlite3
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing import get_context
from multiprocessing.queues import Queue
from pathlib import Path
from threading import Thread
from typing import Any

from sqlalchemy import text

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import steps
from engine.cases import Place, Report, complete_task, open_case
from engine.database import open_database, reading
from engine.people import By
from engine.schema import create_schema
from engine.together import carried_out, writing
from engine.verification import verify

PROCESSES, THREADS = 2, 4


@dataclass(frozen=True, slots=True)
class Rate:
    """What so many clients did: transactions a second; median, 95th, 99th and longest in ms."""

    per_second: float
    median: float
    p95: float
    p99: float
    longest: float


def rate(spent: list[float], seconds: float) -> Rate:
    ordered = sorted(one * 1000 for one in spent)

    def at(share: float) -> float:
        return round(ordered[min(len(ordered) - 1, int(len(ordered) * share))], 2)

    return Rate(round(len(ordered) / seconds, 1), at(0.5), at(0.95), at(0.99), at(1))


def together(client: Any, seconds: float, *told: Any) -> Rate:
    """Run a client in all threads of all processes for so long; all begin at one moment."""
    context = get_context("spawn")
    results: Queue[list[float]] = context.Queue()
    ready = context.Barrier(PROCESSES)
    processes = [
        context.Process(target=_process, args=(client, seconds, ready, results, number, told))
        for number in range(PROCESSES)
    ]
    for process in processes:
        process.start()
    spent = [one for _ in processes for one in results.get(timeout=seconds + 300)]
    for process in processes:
        process.join()
    return rate(spent, seconds)


def _process(client: Any, seconds: float, ready: Any, results: Any, number: int, told: Any) -> None:
    spent: list[float] = []
    clients = [client(f"{number}{thread}", *told) for thread in range(THREADS)]
    gc.freeze()
    ready.wait(timeout=300)
    until = time.perf_counter() + seconds
    threads = [Thread(target=_client, args=(step, until, spent)) for step in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    results.put(spent)


def _client(step: Any, until: float, spent: list[float]) -> None:
    begun = time.perf_counter()
    while begun < until:
        spent.append(step())
        begun = time.perf_counter()


class Ours:
    """One client of ours: completes the next step of its case, and opens another when it ends."""

    _engines: dict[str, Any] = {}  # noqa: RUF012 - one a process, as the server has one

    def __init__(self, name: str, url: str, person: dict[str, str]) -> None:
        self.engine = self._engines.setdefault(url, open_database(url))
        self.person, self.name, self.at = person, name, steps.START
        self.todo: list[Any] = []
        self.case = ""
        for _ in range(12):
            self()  # caches and connections warm

    def __call__(self) -> float:
        self.at += timedelta(seconds=1)
        if not self.todo:
            self._open()
        task, who, form, purposes = self.todo.pop(0)
        evidence = [steps.photo(purpose) for purpose in purposes]
        begun = time.perf_counter()
        with carried_out(
            self.engine,
            lambda conn: complete_task(
                conn, self.case, task, form, by=By(self.person[who]), at=self.at,
                evidence=evidence, key=f"{self.case} {task}",
            ),
        ):  # fmt: skip
            pass
        return time.perf_counter() - begun

    def _open(self) -> None:
        form = {"title": "车棚飞线充电", "category": "charging", "address": self.name,
                "description": "有人从楼上拉线充电"}  # fmt: skip
        report = Report("hazard", "charging", "车棚飞线充电", Place("u-grid", self.name), form)
        with writing(self.engine) as conn:
            opened = open_case(conn, report, by=By(self.person["report"]), at=self.at)
        self.case, self.todo = opened.case, steps.steps_of_a_case(self)


class SqliteFloor:
    """One bare client: the rows of one step of ours, again and again under other keys."""

    def __init__(self, name: str, path: str, written: list[tuple[str, Any, bool]]) -> None:
        self.file = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        for pragma in ("synchronous=FULL", "busy_timeout=30000", "recursive_triggers=ON"):
            self.file.execute(f"PRAGMA {pragma}")
        self.name, self.count, self.written = name, 0, written

    def __call__(self) -> float:
        self.count += 1
        rows = [_renamed(one, f"{self.name}{self.count}") for one in self.written]
        begun = time.perf_counter()
        self.file.execute("BEGIN IMMEDIATE")
        for sql, parameters, many in rows:
            (self.file.executemany if many else self.file.execute)(sql, parameters)
        self.file.execute("COMMIT")
        return time.perf_counter() - begun


def _renamed(told: tuple[str, Any, bool], name: str) -> tuple[str, Any, bool]:
    """The same rows under the keys of another case: words that name it, and hashes."""
    sql, parameters, many = told

    def other(value: Any) -> Any:
        if isinstance(value, str):
            return value.replace("hazard-2026-00001", f"hazard-{name}")
        if isinstance(value, bytes) and len(value) == 32:
            return bytes(a ^ b for a, b in zip(value, f"{name:>32}".encode()[-32:], strict=True))
        return value

    rows = [tuple(map(other, row)) for row in (parameters if many else [parameters])]
    return sql, rows if many else rows[0], many


class PostgresFloor:
    """One bare client: reads and locks a number, inserts an event, updates a state."""

    def __init__(self, name: str, url: str) -> None:
        import psycopg

        self.conn = psycopg.connect(url.replace("+psycopg", ""))
        self.name, self.body = name, b"x" * 1024
        with self.conn.transaction():
            self.conn.execute("INSERT INTO floor.state VALUES (%s, 0, %s)", (name, self.body))

    def __call__(self) -> float:
        begun = time.perf_counter()
        with self.conn.transaction():
            asked = "SELECT seq FROM floor.state WHERE name = %s FOR UPDATE"
            row = self.conn.execute(asked, (self.name,)).fetchone()
            assert row
            number = row[0] + 1
            self.conn.execute(
                "INSERT INTO floor.event VALUES (%s, %s, %s)", (self.name, number, self.body)
            )
            self.conn.execute(
                "UPDATE floor.state SET seq = %s, body = %s WHERE name = %s",
                (number, self.body, self.name),
            )
        return time.perf_counter() - begun


def on_sqlite(seconds: float) -> tuple[Rate, Rate]:
    """Ours and the floor, each in a fresh file; the log of ours is verified afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        bench = steps.found(Path(folder))
        bench.open()
        bench.written.clear()
        task, who, form, purposes = steps.steps_of_a_case(bench)[0]
        bench.step("hazard-2026-00001", task, who, form, *purposes)
        # Without the rows a floor of one client may write only once.
        written = [one for one in bench.written if one[0].startswith(("INSERT INTO event", "UPD"))]
        floor = together(SqliteFloor, seconds, str(Path(folder) / "floor.db"), written)
        bench.engine.dispose()
        ours = together(Ours, seconds, f"sqlite:///{folder}/ours.db", bench.person)
        _check(f"sqlite:///{folder}/ours.db")
    return ours, floor


def on_postgres(url: str, seconds: float) -> tuple[Rate, Rate]:
    """Ours and the floor, in schemas `public` and `floor` made anew."""
    engine = open_database(url)
    with engine.begin() as conn:
        conn.execute(text("DROP SCHEMA public CASCADE"))
        conn.execute(text("CREATE SCHEMA public"))
        conn.execute(text("DROP SCHEMA IF EXISTS floor CASCADE"))
        conn.execute(text("CREATE SCHEMA floor"))
        made = "name text PRIMARY KEY, seq int, body bytea"
        conn.execute(text(f"CREATE TABLE floor.state ({made})"))
        made = "name text, seq int, body bytea, PRIMARY KEY (name, seq)"
        conn.execute(text(f"CREATE TABLE floor.event ({made})"))
    floor = together(PostgresFloor, seconds, url)
    create_schema(engine)
    person = steps.settle(engine)
    engine.dispose()
    ours = together(Ours, seconds, url, person)
    _check(url)
    return ours, floor


def _check(url: str) -> None:
    engine = open_database(url)
    with reading(engine).begin() as conn:
        verdict = verify(conn)
    engine.dispose()
    assert verdict.ok, verdict.problems


def main() -> None:
    """Measure in turn, print each round and the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--postgres")
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    rounds = [
        on_postgres(chosen.postgres, chosen.seconds)
        if chosen.postgres
        else on_sqlite(chosen.seconds)
        for _ in range(chosen.rounds)
    ]
    told = {
        "steps_per_s": statistics.median(ours.per_second for ours, _ in rounds),
        "floor_per_s": statistics.median(floor.per_second for _, floor in rounds),
        "ratio": statistics.median(ours.per_second / floor.per_second for ours, floor in rounds),
        "median_ms": statistics.median(ours.median for ours, _ in rounds),
        "p95_ms": statistics.median(ours.p95 for ours, _ in rounds),
        "longest_ms": max(ours.longest for ours, _ in rounds),
        "floor_longest_ms": max(floor.longest for _, floor in rounds),
    }
    if chosen.json:
        print(json.dumps(told, indent=1))
        return
    for ours, floor in rounds:
        print("ours ", ours)
        print("floor", floor)
    for name, value in told.items():
        print(f"{name:18} {value:.2f}")


if __name__ == "__main__":
    main()
