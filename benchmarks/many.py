"""A whistle to many departments, each with three rounds of rework: what it costs as they get more.

Every department has a case of its own, so twelve should cost twelve times what one costs: in
stored bytes, and in nothing else. Runs a whistle to 1, 4 and 12 departments in turn through the
public commands on SQLite (`synchronous=FULL`), verifies each log, and checks that what every
department wrote is there after the join.

    python benchmarks/many.py [--rounds 3] [--json]
"""

import argparse
import json
import platform
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, select

sys.path.insert(0, str(Path(__file__).parents[1]))

from audit import log
from engine import outbox, site_codes
from engine.calendar_versions import publish_calendar
from engine.cases import Place, Report, complete_task, open_case
from engine.casework import read_case
from engine.database import open_database
from engine.definition_sets import deploy
from engine.definitions import read_folder
from engine.delivery import deliver
from engine.people import By, create_unit, grant_post, register_person
from engine.register import register_table
from engine.schema import create_schema
from engine.vault import Vault, close_vault, open_vault
from engine.verification import verify

ROOT = Path(__file__).parents[1]
START = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
PROCESSES = ("hazard", "whistle", "response", "consultation", "opinion")
WIDTHS = (1, 4, 12)


@dataclass
class Street:
    """One street in a folder of its own, acted on step by step; `steps` = seconds of each."""

    database: Engine
    vault: Vault
    at: datetime = START
    person: dict[str, str] = field(default_factory=dict)
    steps: list[float] = field(default_factory=list)
    deliveries: list[float] = field(default_factory=list)

    def found(self, departments: int) -> None:
        create_schema(self.database)
        with self.database.begin() as conn:
            log.found(conn, "benchmark.example")
            calendar = (ROOT / "workflows/calendar/cn.toml").read_bytes()
            publish_calendar(conn, calendar, by=None, at=START)
            for process in PROCESSES:
                deploy(conn, read_folder(ROOT / "workflows" / process), by=None, at=START)
            units = [("u-street", "street", None), ("u-one", "community", "u-street")]
            units += [(f"u-{n}", "department", "u-street") for n in range(departments)]
            for unit, kind, parent in units:
                create_unit(conn, unit, kind, unit, parent=parent, by=None, at=START)
            posts = [("blower", "u-one", "whistle"), ("officer", "u-street", "approve"),
                     ("desk", "u-street", "command"), ("closer", "u-street", "close")]  # fmt: skip
            posts += [(f"d{n}", f"u-{n}", "respond") for n in range(departments)]
            for name, unit, duty in posts:
                who = self.person[name] = register_person(conn, f"{name}演示", by=None, at=START)
                grant_post(conn, who, unit, duty, [duty], reason="任", by=None, at=START)

    def blow(self) -> str:
        form = {"kind": "daily", "title": "外墙砖松动", "category": "falling",
                "address": "3 幢", "why": "没有执法权"}  # fmt: skip
        report = Report("whistle", "falling", "外墙砖松动", Place("u-one", "3 幢"), form)
        with self.database.begin() as conn:
            done = open_case(conn, report, by=By(self.person["blower"]), at=self.at)
        self.deliver()
        return done.case

    def do(self, case: str, element: str, by: str, code: str = "", **form: Any) -> None:
        self.at += timedelta(minutes=1)
        with self.database.begin() as conn:
            keys = [t.key for t in read_case(conn, case).tasks.values() if t.element == element]
        begun = time.perf_counter()
        with self.database.begin() as conn:
            complete_task(
                conn, case, keys[-1], form, by=By(self.person[by]), at=self.at, code=code,
                vault=self.vault,
            )  # fmt: skip
        self.steps.append(time.perf_counter() - begun)
        self.deliver()

    def deliver(self) -> None:
        begun = time.perf_counter()
        count, stuck = deliver(self.database, at=self.at, vault=self.vault)
        assert not stuck, stuck
        if count:
            self.deliveries.append((time.perf_counter() - begun) / count)

    def code(self, case: str) -> str:
        with self.database.begin() as conn:
            return site_codes.show(conn, case, by=By(self.person["blower"]), at=self.at).code

    def parties(self, case: str) -> dict[str, str]:
        with self.database.begin() as conn:
            found = [child for _, _, child in outbox.children_of(conn, [case])]
            return {str(read_case(conn, child).opened["party"]): child for child in found}


def play(street: Street, departments: int, rounds: int) -> str:
    """One whistle from blowing to its join."""
    case = street.blow()
    units = [f"u-{n}" for n in range(departments)]
    street.do(case, "review", "officer")
    street.do(case, "fix_list", "desk", departments=units, lead="u-0")
    children = street.parties(case)
    for n, unit in enumerate(units):
        street.do(children[unit], "sign_in", f"d{n}")
        street.do(children[unit], "arrive", f"d{n}", street.code(case), people=2)
    street.do(case, "joint_record", "d0", result="solved", summary="已清除")
    for n, unit in enumerate(units):
        child = children[unit]
        for turn in range(rounds + 1):
            street.do(child, "do_part", f"d{n}", done=f"{unit} 第 {turn + 1} 次", no_photo="unsafe")
            again = {"decision": "rework", "left": "墙角没清"} if turn < rounds else {}
            step, by = ("release_by_desk", "desk") if n == 0 else ("release_part", "d0")
            street.do(child, step, by, **({"decision": "release"} | again))
        street.do(child, "evaluate", "blower", result="satisfied", effort="full")
        street.do(child, "evaluate_whistle", f"d{n}", justified="yes", complete="yes")
        street.do(child, "defend", f"d{n}", answer="accept")
    return case


def measure(departments: int, rounds: int) -> dict[str, Any]:
    """What a whistle to so many departments cost."""
    with tempfile.TemporaryDirectory() as folder:
        database = open_database(f"sqlite:///{folder}/street.db")
        vault = open_vault(f"sqlite:///{folder}/vault.db", bytes(32))
        street = Street(database, vault)
        street.found(departments)
        case = play(street, departments, rounds)
        told = _read(street, case, departments, rounds)
        database.dispose()
        close_vault(vault)
    return told


def _read(street: Street, case: str, departments: int, rounds: int) -> dict[str, Any]:
    children = street.parties(case)
    with street.database.begin() as conn:
        assert verify(conn).ok
        state = read_case(conn, case)
        assert [task.element for task in state.tasks.values()] == ["close"], "the join is passed"
        bodies = {name: log.read(conn, name) for name in (case, *children.values())}
        rows = conn.execute(select(register_table.c.case, register_table.c.state))
        stored = {row.case: len(row.state) for row in rows}
    for unit, child in children.items():
        done = [e.data["form"]["done"] for e in bodies[child] if "done" in e.data.get("form", {})]
        assert done == [f"{unit} 第 {turn + 1} 次" for turn in range(rounds + 1)], "nothing is lost"
    size = {name: sum(len(entry.body) for entry in entries) for name, entries in bodies.items()}
    tail = max(1, len(street.steps) // 4)
    return {
        "departments": departments,
        "steps": len(street.steps),
        "events": sum(map(len, bodies.values())),
        "step_ms": statistics.median(street.steps) * 1000,
        "last_quarter_step_ms": statistics.median(street.steps[-tail:]) * 1000,
        "delivery_ms": statistics.median(street.deliveries) * 1000,
        "response_log_bytes": statistics.median(size[child] for child in children.values()),
        "response_state_bytes": max(stored[child] for child in children.values()),
        "whistle_log_bytes": size[case],
        "whistle_state_bytes": stored[case],
    }


def main() -> None:
    """Measure and print."""
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("--rounds", type=int, default=3)
    reader.add_argument("--json", action="store_true")
    told = reader.parse_args()
    measure(1, told.rounds)  # what is read and compiled once is no cost of a whistle
    rows = [measure(width, told.rounds) for width in WIDTHS]
    if told.json:
        print(json.dumps(rows, indent=2))
        return
    print(
        f"{platform.machine()}, Python {platform.python_version()}, {told.rounds} rounds of rework"
    )
    for name in rows[0]:
        cells = (f"{row[name]:>12.2f}" if "_ms" in name else f"{row[name]:>12,.0f}" for row in rows)
        print(f"{name:<22}{''.join(cells)}")
    first, last = rows[0], rows[-1]
    print(f"step, 12 : 1 departments    {last['step_ms'] / first['step_ms']:.2f}")
    bytes_ = last["response_log_bytes"] / first["response_log_bytes"]
    print(f"bytes of a response, 12 : 1 {bytes_:.2f}")


if __name__ == "__main__":
    main()
