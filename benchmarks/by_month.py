"""What a log kept by month costs beside one in one table, and what dividing one keeps people from.

Both are filled before, alike, with `million.py --postgres URL [--by-month]`. In turn, three rounds:
human steps, reading single cases and several, what the sequencer takes for an event (few wait, then
thousands), the export's reading of leaves; medians. Then, if asked, a third log is divided while a
client opens cases: how long it took, and the longest that the client waited.

    python benchmarks/by_month.py URL URL-BY-MONTH [--divide URL] [--rounds 3] [--json]

Addresses as postgresql+psycopg://…; --divide: of one in one table, which is not after that.
"""

import argparse
import json
import random
import statistics
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from sqlalchemy import Connection

from audit import log, sequence
from benchmarks import steps
from benchmarks.million import OnPostgres
from engine.database import open_database, reading
from engine.log_export import _bodies
from engine.partitions import keep_by_month
from engine.sequencer import take_in

TIMES = 100
FEW, MANY = 40, 3000


def main() -> None:
    """Measure in turn, divide if asked, print."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("whole")
    asked.add_argument("months")
    asked.add_argument("--divide")
    asked.add_argument("--rounds", type=int, default=3)
    asked.add_argument("--json", action="store_true")
    told = asked.parse_args()
    both = {"one table": _found(told.whole), "by month": _found(told.months)}
    spent: dict[str, list[float]] = {}
    for number in range(told.rounds):
        for name, bench in both.items():
            for what, cost in _costs(bench, number).items():
                spent.setdefault(f"{name}: {what}", []).append(cost)
    rows = {what: round(statistics.median(costs), 3) for what, costs in spent.items()}
    if told.divide:
        rows |= _divided(_found(told.divide))
    print(json.dumps(rows, indent=1) if told.json else "\n".join(
        f"{what:<48}{cost:>10}" for what, cost in rows.items()))  # fmt: skip


def _found(url: str) -> OnPostgres:
    engine = open_database(url)
    return OnPostgres(engine, *steps.left(engine))


def _costs(bench: OnPostgres, number: int) -> dict[str, float]:
    told = {"step, ms": _steps(bench)}
    for what, cases in (("few", FEW), ("thousands", MANY)):
        take_in(bench.engine)
        for _ in range(cases):
            bench.open()
        began = time.perf_counter()
        taken = take_in(bench.engine)
        told[f"tree, µs an event, {what} wait"] = (time.perf_counter() - began) * 1e6 / taken
    with reading(bench.engine).begin() as conn:
        return told | _reads(conn, number)


def _steps(bench: OnPostgres) -> float:
    spent = []
    for _ in range(10):
        case = bench.open()
        spent += [bench.step(case, task, who, form, *purposes)
                  for task, who, form, purposes in steps.steps_of_a_case(bench)]  # fmt: skip
    return statistics.median(spent)


def _reads(conn: Connection, number: int) -> dict[str, float]:
    chance = random.Random(number)
    names = [one for one in log.lengths(conn, "hazard-") if len(one) > len("hazard-2026-00000")]
    size = sequence.tree_size(conn)
    return {
        "a case, ms": _median(lambda: log.read(conn, chance.choice(names))),
        "twenty cases, ms": _median(lambda: log.read_each(conn, chance.sample(names, 20))),
        "256 leaves for an export, ms": _median(lambda: _bodies(conn, size - 256, 256)),
    }


def _median(ask: Callable[[], object]) -> float:
    spent = []
    for _ in range(TIMES):
        began = time.perf_counter()
        ask()
        spent.append((time.perf_counter() - began) * 1000)
    return statistics.median(spent)


def _divided(bench: OnPostgres) -> dict[str, float]:
    waits: list[float] = []
    done = threading.Event()

    def work() -> None:
        while not done.is_set():
            began = time.perf_counter()
            bench.open()
            waits.append((time.perf_counter() - began) * 1000)

    client = threading.Thread(target=work)
    client.start()
    try:
        time.sleep(2)
        before = statistics.median(waits)
        waits.clear()
        began = time.perf_counter()
        # A pool of its own, as the command has.
        keep_by_month(
            open_database(bench.engine.url.render_as_string(hide_password=False)),
            ahead=24,
            at=bench.at,
        )
        took = time.perf_counter() - began
    finally:
        done.set()
        client.join()
    return {
        "dividing, s": round(took, 2),
        "cases opened meanwhile": len(waits),
        "median wait before, ms": round(before, 2),
        "longest wait meanwhile, ms": round(max(waits), 2),
    }


if __name__ == "__main__":
    main()
