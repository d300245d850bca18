"""What one human step costs, against the floor: the same rows written without an engine.

Ours and the floor run in turn, step by step, in one process on one machine, SQLite with
synchronous=FULL on both sides. The floor replays, through plain sqlite3, exactly the INSERT, UPDATE
and DELETE statements our step sends, one transaction a step, into a copy of the same database. To
learn them the same step is done once more, unmeasured, on a second copy that is listened to.

    python benchmarks/steps.py [--cases 60] [--rounds 750] [--json]
"""

import argparse
import gc
import json
import platform
import shutil
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import Engine, event, func, select

sys.path.insert(0, str(Path(__file__).parents[1]))

from audit import log
from audit.encoding import instant
from engine.calendar_versions import publish_calendar
from engine.cases import Place, Report, complete_task, open_case
from engine.database import open_database, reading
from engine.definition_sets import deploy
from engine.definitions import read_folder
from engine.evidence import Evidence
from engine.people import By, create_unit, directory, grant_post, register_person
from engine.photos import Declared
from engine.register import register_table
from engine.schema import create_schema
from engine.verification import verify

ROOT = Path(__file__).parents[1]
START = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
UNITS = (
    ("u-street", "street", "演示街道", None),
    ("u-emergency", "department", "应急办", "u-street"),
    ("u-safety", "department", "平安办", "u-street"),
    ("u-one", "community", "一社区", "u-street"),
    ("u-two", "community", "二社区", "u-street"),
    ("u-grid", "general_grid", "一网格", "u-one"),
    ("u-firm", "company", "演示物业", "u-street"),
)
POSTS = {
    "report": "u-grid",
    "confirm": "u-one",
    "dispatch": "u-emergency",
    "rectify": "u-firm",
    "accept": "u-safety",
    "close": "u-street",
    "approve": "u-street",
}


class HasPeople(Protocol):
    """Whoever knows which person has which duty."""

    person: dict[str, str]


@dataclass(slots=True)
class Bench:
    """A street to measure on: our database, the floor's copy of it, and what ours wrote last."""

    engine: Engine
    heard: Engine
    floor: sqlite3.Connection
    person: dict[str, str]
    at: datetime = START
    written: list[tuple[str, Any, bool]] = field(default_factory=list)

    def step(self, case: str, task: str, who: str, form: dict[str, Any], *purposes: str) -> float:
        """One human step of ours, in ms, and then the same rows on the floor: (see `floor_ms`)."""
        self.at += timedelta(seconds=1)
        self.written.clear()
        by = By(self.person[who])
        spent = complete(self.engine, case, task, form, purposes, by, self.at)
        complete(self.heard, case, task, form, purposes, by, self.at)
        return spent

    def floor_ms(self) -> float:
        """Write the rows of our last transaction without an engine, in ms."""
        begun = time.perf_counter()
        cursor = self.floor.cursor()
        cursor.execute("BEGIN IMMEDIATE")
        for statement, parameters, many in self.written:
            if many:
                cursor.executemany(statement, parameters)
            else:
                cursor.execute(statement, parameters)
        cursor.execute("COMMIT")
        return (time.perf_counter() - begun) * 1000

    def open(self) -> str:
        """Open a case and write the same rows on the floor."""
        self.at += timedelta(seconds=1)
        self.written.clear()
        for engine in (self.engine, self.heard):
            case = report(engine, By(self.person["report"]), self.at)
        self.floor_ms()
        return case


def complete(
    engine: Engine,
    case: str,
    task: str,
    form: dict[str, Any],
    purposes: Sequence[str],
    by: By,
    at: datetime,
) -> float:
    """One human step in a transaction of its own, in ms."""
    evidence = [photo(purpose) for purpose in purposes]
    begun = time.perf_counter()
    with engine.begin() as conn:
        complete_task(
            conn, case, task, form, by=by, at=at, evidence=evidence, key=f"{case} {task}"
        )  # fmt: skip
    return (time.perf_counter() - begun) * 1000


def report(engine: Engine, by: By, at: datetime) -> str:
    """Open a case; returns its name."""
    form = {"title": "车棚飞线充电", "category": "charging", "address": "3 幢",
            "description": "有人从楼上拉线充电"}  # fmt: skip
    told = Report("hazard", "charging", "车棚飞线充电", Place("u-grid", "3 幢"), form)
    with engine.begin() as conn:
        return open_case(conn, told, by=by, at=at).case


def photo(purpose: str) -> Evidence:
    return Evidence("ab" * 32, 1000, "image/jpeg", purpose, "p.jpg", Declared(), START)


def steps_of_a_case(bench: HasPeople) -> list[tuple[str, str, dict[str, Any], tuple[str, ...]]]:
    """Ten human steps: confirm, assign, sign-in, three rounds of rectify and accept, close."""
    acceptor, fixer = bench.person["accept"], bench.person["rectify"]
    accepted = {"visited_at": "2026-03-02T09:30:00+08:00", "checks": ["visited", "gone", "as_told"]}
    failed = accepted | {"result": "fail", "left": "东侧还有一处"}
    passed = accepted | {"result": "pass"}
    rectified = {"done": "拆除私拉电线 6 处", "done_at": "2026-03-02T10:00:00+08:00"}
    rounds = [
        step
        for n in (1, 2, 3)
        for step in (
            (f"rectify#{n}", "rectify", rectified, ("before", "after")),
            (f"accept#{n}", "accept", failed if n < 3 else passed, ("site",)),
        )
    ]
    assigned = {
        "unit": "u-firm", "person": fixer, "acceptor": acceptor, "term": "graded",
        "legal_basis": "演示依据",
    }  # fmt: skip
    confirmed = {
        "verdict": "hazard", "level": "general", "category": "charging", "danger_now": False,
        "object": "3 幢车棚", "reason": "属实",
    }  # fmt: skip
    return [
        ("confirm#1", "confirm", confirmed, ()),
        ("assign#1", "dispatch", assigned, ()),
        ("sign_in#1", "rectify", {"in_charge": "工程主管"}, ()),
        *rounds,
        ("close#1", "close", {"verified": ["report", "acceptance"], "summary": "已消除"}, ()),
    ]


def found(folder: Path) -> Bench:
    """Three equal databases: ours, the one that is listened to, and the floor's."""
    ours = folder / "ours.db"
    engine = open_database(f"sqlite:///{ours}")
    create_schema(engine)
    person = settle(engine)
    engine.dispose()
    shutil.copy(ours, folder / "heard.db")
    shutil.copy(ours, folder / "floor.db")
    return _bench(folder, person, START)


def found_again(folder: Path) -> Bench:
    """The three databases as they were left, brought to the tables of this release."""
    for name in ("ours.db", "heard.db", "floor.db"):
        engine = open_database(f"sqlite:///{folder / name}")
        create_schema(engine)
        engine.dispose()
    engine = open_database(f"sqlite:///{folder / 'heard.db'}")
    person, last = left(engine)
    engine.dispose()
    return _bench(folder, person, last)


def left(engine: Engine) -> tuple[dict[str, str], datetime]:
    """Who was the first to have each duty in a street, and when something was last done."""
    with reading(engine).begin() as conn:
        posts = sorted(directory(conn).posts.values(), key=lambda post: post.id)
        last = conn.execute(select(func.max(register_table.c.last_at))).scalar_one()
    first = {duty: post.person for post in reversed(posts) for duty in post.duties}
    return first, instant(last)


def _bench(folder: Path, person: dict[str, str], at: datetime) -> Bench:
    ours = folder / "ours.db"
    floor = sqlite3.connect(folder / "floor.db", isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "recursive_triggers=ON"):
        floor.execute(f"PRAGMA {pragma}")
    heard = open_database(f"sqlite:///{folder / 'heard.db'}")
    bench = Bench(open_database(f"sqlite:///{ours}"), heard, floor, person, at)
    event.listen(heard, "before_cursor_execute", _remember(bench))
    return bench


def settle(engine: Engine) -> dict[str, str]:
    """Found a log with calendar, process, units and people; whom each duty has."""
    person: dict[str, str] = {}
    with engine.begin() as conn:
        log.found(conn, "log.bench.example")
        calendar = (ROOT / "workflows/calendar/cn.toml").read_bytes()
        publish_calendar(conn, calendar, by=None, at=START)
        deploy(conn, read_folder(ROOT / "workflows/hazard"), by=None, at=START)
        for unit, kind, name, parent in UNITS:
            create_unit(conn, unit, kind=kind, name=name, parent=parent, by=None, at=START)
        for duty, unit in POSTS.items():
            person[duty] = register_person(conn, f"{duty}演示", by=None, at=START)
            grant_post(conn, person[duty], unit, duty, [duty], reason="到任", by=None, at=START)
    return person


def _remember(bench: Bench) -> Any:
    def hook(conn: Any, cursor: Any, sql: str, parameters: Any, context: Any, many: bool) -> None:
        if sql.startswith(("INSERT", "UPDATE", "DELETE")):
            bench.written.append((sql, parameters, many))

    return hook


def measure_steps(bench: Bench, cases: int) -> tuple[list[float], list[float]]:
    """Every human step of so many cases, ours and floor in turn, in ms."""
    ours, floor = [], []
    for _ in range(cases):
        case = bench.open()
        for task, who, form, purposes in steps_of_a_case(bench):
            ours.append(bench.step(case, task, who, form, *purposes))
            floor.append(bench.floor_ms())
    return ours, floor


def measure_rework(bench: Bench, rounds: int) -> tuple[float, float, list[int]]:
    """Median ms of the steps about number 15 and about the last, and the bytes of each round."""
    case = bench.open()
    steps = steps_of_a_case(bench)
    for task, who, form, purposes in steps[:3]:
        bench.step(case, task, who, form, *purposes)
    rectified, failed = steps[3], steps[4]
    spent, written = [], []
    for n in range(1, rounds + 1):
        size = 0
        for task, who, form, purposes in (
            (f"rectify#{n}", "rectify", rectified[2], ("before", "after")),
            (f"accept#{n}", "accept", failed[2], ("site",)),
        ):
            spent.append(bench.step(case, task, who, form, *purposes))
            size += sum(_bytes(parameters) for _, parameters, _ in bench.written)
        written.append(size)
    return statistics.median(spent[2:28]), statistics.median(spent[-26:]), written


def _bytes(parameters: Any) -> int:
    if isinstance(parameters, (list, tuple)):
        return sum(_bytes(item) for item in parameters)
    return len(parameters) if isinstance(parameters, (str, bytes)) else 8


def measure_replay(bench: Bench) -> tuple[int, float]:
    """How many ten-step cases one core verifies in a second, reading included."""
    with reading(bench.engine).begin() as conn:
        begun = time.perf_counter()
        verdict = verify(conn)
        spent = time.perf_counter() - begun
    assert verdict.ok, verdict.problems
    return verdict.cases, verdict.cases / spent


def state_bytes(bench: Bench) -> int:
    """Median size of a stored case state."""
    with bench.engine.begin() as conn:
        states = [len(row.state) for row in conn.execute(register_table.select())]
    return int(statistics.median(states))


def main() -> None:
    """Measure, print a table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=750, help="two human steps each")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        told = measure(Path(folder), chosen.cases, chosen.rounds)
    if chosen.json:
        print(json.dumps(told, indent=1))
        return
    for name, value in told.items():
        print(f"{name:24} {value}")


def measure(folder: Path, cases: int, rounds: int) -> dict[str, Any]:
    """All figures of one run."""
    bench = found(folder)
    measure_steps(bench, 3)  # caches and pages warm on both sides
    gc.freeze()  # as `shaoji serve` does: the program itself is not searched for garbage
    ours, floor = measure_steps(bench, cases)
    verified, per_second = measure_replay(bench)
    early, late, written = measure_rework(bench, rounds)
    ratio = statistics.median(ours) / statistics.median(floor)
    return {
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
        "sqlite": sqlite3.sqlite_version,
        "steps": len(ours),
        "step_ms": round(statistics.median(ours), 3),
        "step_p95_ms": round(sorted(ours)[int(len(ours) * 0.95)], 3),
        "floor_ms": round(statistics.median(floor), 3),
        "step_ratio_to_floor": round(ratio, 2),
        "rework_early_ms": round(early, 3),
        "rework_late_ms": round(late, 3),
        "rework_ratio": round(late / early, 2),
        "bytes_round_2": written[1] if rounds > 1 else written[0],
        "bytes_last_round": written[-1],
        "state_bytes": state_bytes(bench),
        "replay_cases": verified,
        "replay_cases_per_s": round(per_second, 1),
    }


if __name__ == "__main__":
    main()
