"""A node under a mixed load for an hour: does what it holds in memory stay what it was?

The small demonstration street, lived anew or copied, served by `shaoji serve` as on a street's own
machine: as many processes, the worker, and the process that sets reports. Four browsers do what
people do (benchmarks/soaking.py): inboxes, cases, steps with photos, reports of hazards, searches,
figures, signing in and out, sealed reports, and what goes wrong. Every 15 s memory, open files and
threads of each process are noted, and the size of database and WAL. Afterwards the whole log is
verified and every acknowledged step, case and report is looked for in it.

    python benchmarks/soak.py [--minutes 60] [--pace 8] [--street FOLDER] [--samples FILE] [--json]

The criterion, written down before the first run. Of the last two thirds of the run, for the
resident memory of the server's processes together: the slope by least squares, its 95 % interval
widened by how much each sample resembles the one before (benchmarks/flatness.py). **Flat** is a
slope whose interval reaches no further up than 5 % of the median in an hour, with the median of the
last tenth at most 5 % of it above that of the first tenth; and neither open files nor threads more
than two above what they were. The process that sets reports is told, not judged: it is replaced
after so many.
A run of less than thirty minutes is measured and not judged. Exit status 1: not flat, a surprise
among the answers, a log that does not verify, or something acknowledged that is not in it.
"""

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from sqlalchemy import select

from audit import log
from benchmarks.flatness import SHORTEST_MINUTES, Slope, slope
from benchmarks.serving import House, free_port, serve
from benchmarks.soaking import TAKES, Browser, Day
from benchmarks.watching import Sample, look, sizes, together
from engine.accounts import find_account
from engine.database import open_database, reading
from engine.register import register_table
from engine.verification import verify
from web.config import read_settings
from web.demonstration import clock_of, prepare
from web.shell import progress_bar
from web.visit import utc_now

BROWSERS = 4
EVERY_SECONDS = 15.0
# What may come and go: a connection of a thread that was not there before.
MOST_MORE = 2


def main() -> None:
    """Build or copy the street, soak, verify, print; exit status 1 if it is not well."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--minutes", type=float, default=60)
    asked.add_argument("--pace", type=float, default=8, help="requests a second at most")
    asked.add_argument("--street", type=Path, help="a folder of `shaoji demo` to copy")
    asked.add_argument("--samples", type=Path, help="write every sample here, a line of JSON each")
    asked.add_argument("--every", type=float, default=EVERY_SECONDS)
    asked.add_argument("--json", action="store_true")
    told = asked.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows, well = _soak(Path(folder), told)
    if told.json:
        print(json.dumps(rows, ensure_ascii=False))
    else:
        for name, value in rows.items():
            print(f"{name:<26}{value}")
    sys.exit(0 if well else 1)


def _soak(folder: Path, told: Any) -> tuple[dict[str, Any], bool]:
    house = _settle(folder, told.street)
    day = _day(house, told.pace)
    server = serve(house, None)
    threads = [
        threading.Thread(target=Browser(day, n).run, name=f"browser {n}") for n in range(BROWSERS)
    ]
    samples: list[Sample] = []
    files: list[dict[str, float]] = []
    try:
        for thread in threads:
            thread.start()
        _watch(server.pid, folder / "street.db", told, samples, files)
    finally:
        day.stop.set()
        for thread in threads:
            if thread.ident:
                thread.join()
        server.terminate()
        server.wait()
    missing, problems = _verify(house, day)
    rows = _of_load(day, told.minutes) | _of_processes(samples) | _of_files(files)
    verdict, flat = _judge(samples, told.minutes)
    rows |= verdict | {"not in the log": missing, "problems of the log": problems}
    return rows, flat and not missing and not problems and not day.surprises


def _settle(folder: Path, street: Path | None) -> House:
    env = {
        "SHAOJI_SECRET_KEY": "benchmark" * 8,
        "SHAOJI_DATABASE_URL": f"sqlite:///{folder}/street.db",
        "SHAOJI_EVIDENCE_DIR": str(folder / "evidence"),
        "SHAOJI_RECEIVERS_DIR": str(folder / "receivers"),
        "SHAOJI_COOKIE_SECURE": "no",
    }
    if street:
        shutil.copytree(street, folder, dirs_exist_ok=True)
    settings, _ = prepare(read_settings(env), size="small", progress=progress_bar("street"))
    return House(env | {"SHAOJI_ORIGIN": settings.origin}, free_port(), [])


def _day(house: House, pace: float) -> Day:
    engine = open_database(house.url)
    with reading(engine).begin() as conn:
        person = {duty: find_account(conn, account).person for duty, account in TAKES.items()}
        open_to_all = register_table.c.confidential == 0
        known = list(conn.execute(select(register_table.c.case).where(open_to_all)).scalars())
    clock = clock_of(engine, utc_now)
    engine.dispose()
    day = Day(house.port, person, clock, BROWSERS / pace, known)
    day.draw_photos()
    return day


def _watch(pid: int, database: Path, told: Any, samples: list[Sample], files: list[Any]) -> None:
    """Note what is held, so often and so long."""
    began = time.monotonic()
    line = told.samples.open("w", encoding="utf-8") if told.samples else None
    number = 0
    while (minute := (time.monotonic() - began) / 60) < told.minutes:
        found, size = look(pid, minute), sizes(database)
        samples += found
        files.append(size)
        if line:
            told_now = {"minute": round(minute, 2), "load": os.getloadavg()[0], **size}
            line.write(json.dumps(told_now | {"of": [asdict(one) for one in found]}) + "\n")
            line.flush()
        number += 1
        time.sleep(max(0.0, began + number * told.every - time.monotonic()))
    if line:
        line.close()


# --- afterwards -----------------------------------------------------------------------------------


def _verify(house: House, day: Day) -> tuple[list[str], list[str]]:
    """What was acknowledged and is not in the log; and what is wrong with the log."""
    engine = open_database(house.url)
    try:
        with reading(engine).begin() as conn:
            verdict = verify(conn)
            told = {case: log.read(conn, case) for case in {*day.opened, *day.reports}}
    finally:
        engine.dispose()
    done = {
        (case, entry.data["task"])
        for case, entries in told.items() for entry in entries if entry.type == "task.completed"
    }  # fmt: skip
    exported = Counter(
        case for case, entries in told.items()
        for entry in entries if entry.type == "report.exported"
    )  # fmt: skip
    missing = [f"{case} {task}" for case, task in day.steps if (case, task) not in done]
    missing += [case for case in day.opened if not told[case]]
    missing += [f"report of {case}" for case in Counter(day.reports) - exported]
    return missing, [] if verdict.ok else [str(one) for one in verdict.problems]


def _of_load(day: Day, minutes: float) -> dict[str, Any]:
    spent = sorted(day.spent)
    return {
        "minutes": minutes,
        "requests": len(spent),
        "requests_per_s": round(len(spent) / minutes / 60, 1),
        "median_ms": round(statistics.median(spent), 1),
        "p95_ms": round(spent[int(len(spent) * 0.95)], 1),
        "longest_ms": round(spent[-1]),
        "cases_opened": len(day.opened),
        "steps": len(day.steps),
        "reports": len(day.reports),
        "surprises": day.surprises[:20],
        "asked": dict(sorted(day.asked.items())),
    }


def _of_processes(samples: list[Sample]) -> dict[str, Any]:
    """What the processes of each kind held together, and how many of it there were in all."""
    rows: dict[str, Any] = {}
    for role in sorted({one.role for one in samples}):
        held = together(samples, role)
        rows[f"{role} processes"] = len({one.pid for one in samples if one.role == role})
        rows[f"{role}_mb_most"] = round(max(one.rss_mb for one in held), 1)
        rows[f"{role}_mb_last"] = round(held[-1].rss_mb, 1)
        rows[f"{role}_pss_mb_last"] = round(held[-1].pss_mb, 1)
    return rows


def _of_files(files: list[dict[str, float]]) -> dict[str, Any]:
    return {
        "database_mb": (files[0]["database_mb"], files[-1]["database_mb"]),
        "wal_mb_most": max(one["wal_mb"] for one in files),
    }


def _judge(samples: list[Sample], minutes: float) -> tuple[dict[str, Any], bool]:
    """What the server's memory does, and whether it is flat; too short a run is not judged."""
    server = together(samples)
    at = [one.minute for one in server]
    memory = slope(at, [one.rss_mb for one in server])
    more = {
        name: slope(at, [float(getattr(one, name)) for one in server])
        for name in ("files", "threads")
    }
    flat = memory.flat and all(one.last - one.first <= MOST_MORE for one in more.values())
    judged = minutes >= SHORTEST_MINUTES
    rows = {
        "mb_an_hour": round(memory.an_hour, 2),
        "interval": (round(memory.low, 2), round(memory.high, 2)),
        "median_mb": round(memory.median, 1),
        **_tenths("mb", memory),
        **{key: value for name, one in more.items() for key, value in _tenths(name, one).items()},
        "verdict": ("flat" if flat else "not flat") if judged else "too short to be judged",
    }
    return rows, flat or not judged


def _tenths(name: str, told: Slope) -> dict[str, Any]:
    return {f"{name} first, last tenth": (round(told.first, 1), round(told.last, 1))}


if __name__ == "__main__":
    main()
