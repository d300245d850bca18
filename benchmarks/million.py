"""What a step and a look cost in a log of a million cases, beside one of ten thousand.

A street lives some cases by its commands (SQLite, `synchronous=FULL`, or PostgreSQL). Then they are
written again and again by SQL (`written_again.py`), for a hundred communities and for ten thousand
holders of steps. Measured in it at both sizes: human steps of new cases, and what inbox, case page
and searches ask of the database, each for people and words drawn from a seed; milliseconds of the
whole call, by the clock and of the processor of this program.

    python benchmarks/million.py [--folder DIR | --postgres URL [--by-month]] [--small 10000]
        [--cases 1000000] [--times 200] [--json]

--postgres: the address of an empty database that may be filled, or of one that was, of a server
that may be set to write without fsync meanwhile: postgresql+psycopg://…
--by-month: its log is kept by month (engine.partitions), with tables for three years, over twelve
months of which the cases are spread.
"""

import argparse
import json
import platform
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from sqlalchemy import Connection, Engine, func, select, text

from audit import log
from audit.reports.case import case_record
from benchmarks import steps
from benchmarks.written_again import (
    HOLDERS,
    LIVED,
    there,
    write_again_in_postgres,
    write_again_in_sqlite,
)
from engine.act_search import ActQuery, search_acts
from engine.casework import read_case
from engine.database import open_database, reading
from engine.directory import Directory
from engine.inbox import claimable_by, held_by, steps_within
from engine.pace import paces
from engine.partitions import keep_by_month
from engine.people import By, create_unit, directory
from engine.register import list_texts, register_table
from engine.schema import create_schema
from engine.search import Query, search

COMMUNITIES = 100
# Of so many cases one waits for somebody: lived up to the step that is to be done next.
OPEN_STEPS = (0, 3, 3, 3, 3, 4, 4, 4, 5, 5)
AT_ONCE = 2000
PLACES = [f"u-c{n:03d}" for n in range(COMMUNITIES)]

Ask = Callable[[Connection, random.Random], object]
Places = Callable[[random.Random], Sequence[str]]


@dataclass
class OnPostgres:
    """A street in a PostgreSQL: what `steps.Bench` is on SQLite, without a floor."""

    engine: Engine
    person: dict[str, str]
    at: datetime = steps.START

    def open(self) -> str:
        self.at += timedelta(seconds=1)
        return steps.report(self.engine, By(self.person["report"]), self.at)

    def step(self, case: str, task: str, who: str, form: dict[str, Any], *purposes: str) -> float:
        self.at += timedelta(seconds=1)
        by = By(self.person[who])
        return steps.complete(self.engine, case, task, form, purposes, by, self.at)


Bench = steps.Bench | OnPostgres


def main() -> None:
    """Live, write again, measure at both sizes, print."""
    asked = argparse.ArgumentParser(description=__doc__)
    where = asked.add_mutually_exclusive_group()
    where.add_argument("--folder", type=Path, help="where to keep it; else nothing is kept")
    where.add_argument("--postgres")
    asked.add_argument("--by-month", action="store_true")
    asked.add_argument("--small", type=int, default=10_000)
    asked.add_argument("--cases", type=int, default=1_000_000)
    asked.add_argument("--times", type=int, default=200, help="how often each question is asked")
    asked.add_argument("--json", action="store_true")
    told = asked.parse_args()
    if told.by_month and not told.postgres:
        asked.error("--by-month is for --postgres")
    with tempfile.TemporaryDirectory() as temporary:
        folder = told.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        if told.by_month:
            _keep_by_month(told.postgres)
        bench = _on_postgres(told.postgres) if told.postgres else _in_folder(folder)
        rows = _measure(bench, folder, (told.small, told.cases), told.times)
    rows |= {"machine": f"{platform.machine()}, Python {platform.python_version()}"}
    if told.json:
        print(json.dumps(rows, indent=1))
        return
    for name, value in rows.items():
        print(f"{name:<44}{value}")


def _measure(bench: Bench, folder: Path, sizes: Sequence[int], times: int) -> dict[str, Any]:
    rows: dict[str, Any] = {}
    for size in sizes:
        with reading(bench.engine).begin() as conn:
            first = there(conn)
        if size < first:
            continue
        began = time.perf_counter()
        # Whoever writes without a journal is alone.
        bench.engine.dispose()
        if isinstance(bench, OnPostgres):
            write_again_in_postgres(bench.engine, first, size)
        else:
            write_again_in_sqlite(folder / "ours.db", first, size)
        rows[f"{size} loaded_s"] = round(time.perf_counter() - began)
        began = time.perf_counter()
        _list_all(bench)
        rows[f"{size} texts_listed_s"] = round(time.perf_counter() - began)
        rows |= {f"{size} {name}": value for name, value in _costs(bench, times).items()}
    return rows


def _in_folder(folder: Path) -> Bench:
    if (folder / "ours.db").exists():
        return steps.found_again(folder)
    return _settled(steps.found(folder))


def _keep_by_month(url: str) -> None:
    engine = open_database(url)
    create_schema(engine)
    keep_by_month(engine, ahead=36, at=steps.START - timedelta(days=400))
    engine.dispose()


def _on_postgres(url: str) -> Bench:
    engine = open_database(url)
    create_schema(engine)
    with engine.begin() as conn:
        lived = conn.execute(select(func.count()).select_from(register_table)).scalar_one()
    if lived:
        return OnPostgres(engine, *steps.left(engine))
    return _settled(OnPostgres(engine, steps.settle(engine)))


def _settled(bench: Bench) -> Bench:
    with bench.engine.begin() as conn:
        for unit in PLACES:
            create_unit(conn, unit, kind="community", name=f"社区 {unit[-3:]}", parent="u-street",
                        by=None, at=bench.at)  # fmt: skip
    _live(bench)
    return bench


def _live(bench: Bench) -> None:
    """Cases of six steps each, and one of twenty left open at some step."""
    whole = steps.steps_of_a_case(bench)
    accepted = ("accept#1", *whole[-2][1:])
    six = [*whole[:4], accepted, whole[-1]]
    for number in range(LIVED):
        case = bench.open()
        upto = OPEN_STEPS[number // 20] if number % 20 == 0 else len(six)
        for task, who, form, purposes in six[:upto]:
            bench.step(case, task, who, form, *purposes)


def _list_all(bench: Bench) -> None:
    """What the workers do with cases of an older release: as many as there are writers."""
    workers = 2 if isinstance(bench, OnPostgres) else 1
    url = bench.engine.url.render_as_string(hide_password=False)
    bench.engine.dispose()
    listing = [get_context("spawn").Process(target=_list, args=(url,)) for _ in range(workers)]
    for process in listing:
        process.start()
    for process in listing:
        process.join()
        assert process.exitcode == 0
    if isinstance(bench, OnPostgres):
        with bench.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as conn:
            conn.execute(text("VACUUM ANALYZE"))


def _list(url: str) -> None:
    engine, listed = open_database(url), AT_ONCE
    while listed == AT_ONCE:
        with engine.begin() as conn:
            listed = list_texts(conn, AT_ONCE)


# --- measured -------------------------------------------------------------------------------------


def _costs(bench: Bench, times: int) -> dict[str, Any]:
    spent = []
    for _ in range(30):
        case = bench.open()
        spent += [bench.step(case, task, who, form, *purposes)
                  for task, who, form, purposes in steps.steps_of_a_case(bench)]  # fmt: skip
    told: dict[str, Any] = {"step_ms": _median(spent)}
    with reading(bench.engine).begin() as conn:
        told["cases"] = conn.execute(select(func.count()).select_from(register_table)).scalar_one()
        told["events"] = conn.execute(
            select(func.count()).select_from(log.event_table)
        ).scalar_one()
        for name, ask in _asked(conn, bench).items():
            for clock, spent in _times(conn, ask, times).items():
                told[f"{name} {clock}_p50_ms"] = _median(spent)
                told[f"{name} {clock}_p95_ms"] = _p95(spent)
    return told


# What a log written again has nothing or little of.
RARE = {
    "acts that were late": ActQuery(late=True),
    "acts of a kind nobody did": ActQuery(types={"case.urged"}),
    "acts of a step nobody did": ActQuery(
        process="hazard", types={"task.completed"}, elements={"standing"}
    ),
    "acts of a process nobody began": ActQuery(process="drill", types={"task.completed"}),
    "acts of a unit that does nothing": ActQuery(units={"u-none"}),
}


def _asked(conn: Connection, bench: Bench) -> dict[str, Ask]:
    names = sorted(conn.execute(select(register_table.c.case)).scalars())
    return _looks(directory(conn), names, bench) | _searches(names, bench)


def _looks(people: Directory, names: Sequence[str], bench: Bench) -> dict[str, Ask]:
    at = bench.at

    def page(conn: Connection, chance: random.Random) -> object:
        case = chance.choice(names)
        return read_case(conn, case), case_record(log.read(conn, case), {})

    return {
        "inbox": lambda conn, chance: held_by(conn, f"p-x{chance.randrange(HOLDERS):05d}"),
        "free to take": lambda conn, chance: claimable_by(
            conn, people, bench.person["confirm"], at
        ),
        "case page": page,
        "open steps of everywhere": lambda conn, chance: steps_within(conn, PLACES),
        "open steps of one community": lambda conn, chance: steps_within(
            conn, [chance.choice(PLACES)]
        ),
        "how fast units were": lambda conn, chance: paces(
            conn, PLACES, at - timedelta(days=30), at
        ),
        "newest acts": lambda conn, chance: search_acts(
            conn, ActQuery(), people, by=By(bench.person["dispatch"]), at=at
        ),
        "acts of one person": lambda conn, chance: search_acts(
            conn, ActQuery(person=f"p-x{chance.randrange(HOLDERS):05d}"), people,
            by=By(bench.person["dispatch"]), at=at,
        ),
        **{
            name: lambda conn, chance, query=query: search_acts(
                conn, query, people, by=By(bench.person["dispatch"]), at=at
            )
            for name, query in RARE.items()
        },
    }  # fmt: skip


def _searches(names: Sequence[str], bench: Bench) -> dict[str, Ask]:
    """What is looked for, by its name; a text may be drawn by chance."""

    def looked_for(
        text: str | Callable[[random.Random], str] = "",
        *,
        seen: Places = _everywhere,
        there: Places | None = None,
        **told: Any,
    ) -> Ask:
        """By somebody who looks over `seen`; there: the places asked for, None for anywhere."""

        def ask(conn: Connection, chance: random.Random) -> object:
            query = Query(
                text=text if isinstance(text, str) else text(chance),
                unit="x" if there else "",
                **told,
            )
            return search(
                conn, query, below=there(chance) if there else (), places=seen(chance),
                person="p-0001", at=bench.at,
            )  # fmt: skip

        return ask

    return {
        "newest cases": looked_for(),
        "a number": looked_for(lambda chance: chance.choice(names)),
        "a word of a title": looked_for(lambda chance: f" {chance.randrange(5000)} 号"),
        "a word nowhere": looked_for("没有这样的地方"),
        "a word of every seventh": looked_for("充电"),
        "a word of one community": looked_for("充电", seen=_one_community),
        "a character all have": looked_for("号"),
        "one digit": looked_for("7"),
        "part of an address": looked_for(
            lambda chance: f"锦绣家园{chance.randrange(1, 41)} 幢"
        ),
        "part of a number": looked_for(lambda chance: f"{chance.randrange(1_000_000):07d}"),
        "a long text of common parts": looked_for(
            lambda chance: f"车棚飞线充电 {chance.randrange(5000)}"
        ),
        "own cases": lambda conn, chance: search(
            conn, Query(), places=[], at=bench.at,
            person=f"{bench.person['confirm']}-{chance.randrange(HOLDERS)}",
        ),
        "overdue cases": looked_for(status="overdue"),
        "closed of one community": looked_for(there=_one_community, status="closed"),
        "a level nobody has": looked_for(level="larger"),
        "closed where none is": looked_for(there=_nowhere, status="closed"),
        "overdue of one community": looked_for(there=_one_community, status="overdue"),
        "newest of one small place": looked_for(seen=_nowhere),
    }  # fmt: skip


def _everywhere(_: random.Random) -> Sequence[str]:
    return PLACES


def _one_community(chance: random.Random) -> Sequence[str]:
    return [chance.choice(PLACES)]


def _nowhere(_: random.Random) -> Sequence[str]:
    return ["u-nowhere"]


def _times(conn: Connection, ask: Ask, times: int) -> dict[str, list[float]]:
    """Milliseconds of each question: of the processor, and by the clock."""
    chance = random.Random(7)
    told: dict[str, list[float]] = {"cpu": [], "wall": []}
    for _ in range(times):
        worked, began = time.process_time(), time.perf_counter()
        ask(conn, chance)
        told["wall"].append((time.perf_counter() - began) * 1000)
        told["cpu"].append((time.process_time() - worked) * 1000)
    return told


def _median(times: Sequence[float]) -> float:
    return round(statistics.median(times), 3)


def _p95(times: Sequence[float]) -> float:
    return round(sorted(times)[int(len(times) * 0.95)], 3)


if __name__ == "__main__":
    main()
