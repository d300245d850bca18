"""What a step and a look cost in a log of a million cases, beside one of ten thousand.

A street lives some cases by its commands (SQLite, `synchronous=FULL`). Then they are written again
and again by SQL, under further numbers, for a hundred communities and for ten thousand holders of
steps: entries, heads, register, acts, parts, open steps. Their hashes are drawn, no tree is grown:
it is a log to read and to act in, none to verify. Measured in it at both sizes: human steps of new
cases, and what inbox, case page and searches ask of the database, each for people and words drawn
from a seed; milliseconds of the whole call, by the clock and of the processor.

    python benchmarks/million.py [--folder DIR] [--small 10000] [--cases 1000000] [--json]
"""

import argparse
import json
import platform
import random
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from sqlalchemy import Connection, func, select

from audit import log
from audit.reports.case import case_record
from benchmarks import steps
from engine.act_search import ActQuery, search_acts
from engine.casework import read_case
from engine.database import reading
from engine.directory import Directory
from engine.inbox import claimable_by, held_by, steps_within
from engine.pace import paces
from engine.people import By, create_unit, directory
from engine.register import list_texts, register_table
from engine.search import Query, search

COMMUNITIES = 100
HOLDERS = 10_000
LIVED = 190
# Of so many cases one waits for somebody: lived up to the step that is to be done next.
OPEN_STEPS = (0, 3, 3, 3, 3, 4, 4, 4, 5, 5)
TIMES = 200
AT_ONCE = 2000
PLACES = [f"u-c{n:03d}" for n in range(COMMUNITIES)]

Ask = Callable[[Connection, random.Random], object]
Places = Callable[[random.Random], Sequence[str]]


def main() -> None:
    """Live, write again, measure at both sizes, print."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--folder", type=Path, help="where to keep it; else nothing is kept")
    asked.add_argument("--small", type=int, default=10_000)
    asked.add_argument("--cases", type=int, default=1_000_000)
    asked.add_argument("--json", action="store_true")
    told = asked.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = told.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        rows = _measure(folder, (told.small, told.cases))
    rows |= {"machine": f"{platform.machine()}, Python {platform.python_version()}"}
    if told.json:
        print(json.dumps(rows, indent=1))
        return
    for name, value in rows.items():
        print(f"{name:<44}{value}")


def _measure(folder: Path, sizes: Sequence[int]) -> dict[str, Any]:
    bench = steps.found_again(folder) if (folder / "ours.db").exists() else _founded(folder)
    rows: dict[str, Any] = {}
    for size in sizes:
        if size < _there(folder / "ours.db"):
            continue
        began = time.perf_counter()
        # Whoever writes without a journal is alone.
        bench.engine.dispose()
        write_again(folder / "ours.db", size)
        rows[f"{size} loaded_s"] = round(time.perf_counter() - began)
        began = time.perf_counter()
        _list_all(bench)
        rows[f"{size} texts_listed_s"] = round(time.perf_counter() - began)
        rows |= {f"{size} {name}": value for name, value in _costs(bench).items()}
    return rows


def _founded(folder: Path) -> steps.Bench:
    bench = steps.found(folder)
    with bench.engine.begin() as conn:
        for unit in PLACES:
            create_unit(conn, unit, kind="community", name=f"社区 {unit[-3:]}", parent="u-street",
                        by=None, at=bench.at)  # fmt: skip
    _live(bench)
    return bench


def _there(path: Path) -> int:
    """How many cases were written again or lived to be; not those of steps measured since."""
    with closing(sqlite3.connect(path)) as raw:
        (last,) = raw.execute(
            'SELECT max("case") FROM case_register WHERE "case" GLOB \'hazard-2026-????????\''
        ).fetchone()
    return int(last.rpartition("-")[2]) + 1 if last else 0


def _live(bench: steps.Bench) -> None:
    """Cases of six steps each, and one of twenty left open at some step."""
    whole = steps.steps_of_a_case(bench)
    accepted = ("accept#1", *whole[-2][1:])
    six = [*whole[:4], accepted, whole[-1]]
    for number in range(LIVED + len(OPEN_STEPS)):
        case = bench.open()
        upto = OPEN_STEPS[number // 20] if number % 20 == 0 else len(six)
        for task, who, form, purposes in six[:upto]:
            bench.step(case, task, who, form, *purposes)


# --- written again --------------------------------------------------------------------------------

_EARLIER = "'-' || (c.serial % 365) || ' days'"
_PLACE = "printf('u-c%03d', c.serial % 100)"
_HOLDER = "printf('p-x%05d', c.serial % 10000)"

# What titles and addresses are made of: some words of them every tenth case has, their combinations
# few, a number one in five thousand.
_NAMES = ("锦绣", "阳光", "翠湖", "和平", "滨江", "金桂", "银杏", "紫荆", "听涛", "望山")
_KINDS = ("花园", "家园", "新村", "苑", "小区")
_SPOTS = (
    "车棚", "楼道", "地下室", "天台", "消防通道", "配电间", "电梯厅", "沿街商铺", "垃圾房",
    "架空层",
)  # fmt: skip
_FAULTS = ("飞线充电", "堆放杂物", "灭火器过期", "线路老化", "通道被占", "防火门损坏", "违规住人")


def _one_of(words: Sequence[str], serial: str) -> str:
    told = json.dumps(words, ensure_ascii=False)
    return f"json_extract('{told}', '$[' || (({serial}) % {len(words)}) || ']')"


_ESTATE = f"{_one_of(_NAMES, 'c.serial / 100')} || {_one_of(_KINDS, 'c.serial / 1000')}"
_SPOT = _one_of(_SPOTS, "c.serial * 7919 / 13")
_FAULT = _one_of(_FAULTS, "c.serial * 104729 / 17")


def _renamed(column: str) -> str:
    return f"cast(replace(cast(t.{column} AS TEXT), c.old, c.new) AS BLOB)"


def _dated(column: str) -> str:
    return f"strftime('%Y-%m-%dT%H:%M:%S.000Z', t.{column}, {_EARLIER})"


# The tables of a case, and how its columns are told again; what is not named is as it was. c.old,
# c.new: its names; c.serial: how many cases there were before it.
TOLD: dict[str, dict[str, str]] = {
    "event": {
        "stream": "c.new", "body": _renamed("body"),
        "hash": "cast(printf('%s#%08d', c.new, t.seq) AS BLOB)",
    },
    "stream_head": {"stream": "c.new"},
    "case_register": {
        "case": "c.new", "number": "c.new", "receipt": "c.new", "state": _renamed("state"),
        "title": f"{_ESTATE} || {_SPOT} || {_FAULT} || ' ' || (c.serial % 5000) || ' 号'",
        "address": f"{_ESTATE} || (c.serial % 40 + 1) || ' 幢 ' || (c.serial % 6 + 1) || ' 单元'",
        "unit": _PLACE, "community": _PLACE, "opened_at": _dated("opened_at"),
        "texts_listed": "0",
    },
    "act": {"case": "c.new", "person": _HOLDER, "at": _dated("at"), "place": _PLACE},
    "part": {"case": "c.new", "person": "t.person || '-' || (c.serial % 10000)"},
    "open_task": {
        "case": "c.new", "unit": _PLACE, "units": f"'|' || {_PLACE} || '|'",
        "holder": f"CASE WHEN t.holder IS NULL THEN NULL ELSE {_HOLDER} END",
    },
}  # fmt: skip
NAMED = {"event": "stream", "stream_head": "stream"}


def write_again(path: Path, size: int) -> None:
    """All lived cases again until there are so many."""
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        for pragma in (
            "journal_mode=OFF", "synchronous=OFF", "cache_size=-2000000", "temp_store=MEMORY",
        ):  # fmt: skip
            raw.execute(f"PRAGMA {pragma}")
        there = _there(path) or LIVED + len(OPEN_STEPS)
        lived = LIVED + len(OPEN_STEPS)
        raw.execute("CREATE TEMP TABLE c (old TEXT PRIMARY KEY, new TEXT, serial INTEGER)")
        # The guards of the log stand aside meanwhile: of what is only added they ask twice as much.
        # So do indexes: sorted once they are made in a fraction of the time.
        aside = raw.execute(
            "SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL AND (type = 'trigger' "
            "OR type = 'index' AND tbl_name IN (SELECT value FROM json_each(?)))",
            (json.dumps([*TOLD]),),
        ).fetchall()
        for kind, name, _ in aside:
            raw.execute(f"DROP {kind} {name}")
        raw.execute("BEGIN")
        for serial in range(there, size, lived):
            raw.execute("DELETE FROM c")
            raw.execute(
                "INSERT INTO c SELECT old, printf('hazard-2026-%08d', serial), serial FROM (SELECT "
                '"case" AS old, ? + row_number() OVER (ORDER BY "case") - 1 AS serial FROM '
                """case_register WHERE "case" NOT GLOB 'hazard-2026-????????' ORDER BY "case" """
                "LIMIT ?)",
                (serial, min(lived, size - serial)),
            )  # fmt: skip
            for table, told in TOLD.items():
                raw.execute(_again(raw, table, told))
        raw.execute("COMMIT")
        for _, _, sql in aside:
            raw.execute(sql)
        raw.execute("PRAGMA journal_mode=WAL")


def _again(raw: sqlite3.Connection, table: str, told: dict[str, str]) -> str:
    columns = [row[1] for row in raw.execute(f"PRAGMA table_info({table})")]
    values = ", ".join(told.get(one, f't."{one}"') for one in columns)
    name = NAMED.get(table, "case")
    # Names and expressions stand above, in this file. CROSS: c first, and not all of the table.
    return f'INSERT INTO {table} SELECT {values} FROM c CROSS JOIN {table} t ON t."{name}" = c.old'  # noqa: S608


def _list_all(bench: steps.Bench) -> None:
    """What the worker does with cases of an older release."""
    listed = AT_ONCE
    while listed == AT_ONCE:
        with bench.engine.begin() as conn:
            listed = list_texts(conn, AT_ONCE)


# --- measured -------------------------------------------------------------------------------------


def _costs(bench: steps.Bench) -> dict[str, Any]:
    spent, _ = steps.measure_steps(bench, 30)
    told: dict[str, Any] = {"step_ms": _median(spent)}
    with reading(bench.engine).begin() as conn:
        told["cases"] = conn.execute(select(func.count()).select_from(register_table)).scalar_one()
        told["events"] = conn.execute(
            select(func.count()).select_from(log.event_table)
        ).scalar_one()
        for name, ask in _asked(conn, bench).items():
            for clock, times in _times(conn, ask).items():
                told[f"{name} {clock}_p50_ms"] = _median(times)
                told[f"{name} {clock}_p95_ms"] = _p95(times)
    return told


def _asked(conn: Connection, bench: steps.Bench) -> dict[str, Ask]:
    names = sorted(conn.execute(select(register_table.c.case)).scalars())
    return _looks(directory(conn), names, bench) | _searches(names, bench)


def _looks(people: Directory, names: Sequence[str], bench: steps.Bench) -> dict[str, Ask]:
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
    }  # fmt: skip


def _searches(names: Sequence[str], bench: steps.Bench) -> dict[str, Ask]:
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


def _times(conn: Connection, ask: Ask) -> dict[str, list[float]]:
    """Milliseconds of each question: of the processor, and by the clock."""
    chance = random.Random(7)
    told: dict[str, list[float]] = {"cpu": [], "wall": []}
    for _ in range(TIMES):
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
