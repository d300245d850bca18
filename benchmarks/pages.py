"""What each page costs the server on a street with a year's data: a million events, as its people.

The time of a request from the test client's call to the whole answer, statements and bytes with it;
no network, no TLS, no worker beside it. The street is made once (benchmarks/year.py) and kept.

    python benchmarks/pages.py [--folder var/year] [--cases 30200] [--times 15] [--json]
                               [--lived DATABASE | --size full]
"""

import argparse
import json
import platform
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import pyotp
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Connection, Engine, event, func, select

from audit import log, sequence
from benchmarks import year
from engine.access_log import ACCESS
from engine.accounts import account_table, find_account, open_session
from engine.acts import act_table
from engine.flow_months import keep_flows
from engine.inbox import open_task_table
from engine.metric_periods import keep_figures, months
from engine.people import directory
from engine.register import register_table
from engine.second_factor import enrol, is_enrolled, obliged
from engine.sequencer import run_sequencer
from tests.witnessing import signer
from web.app import create_app
from web.demo import END
from web.formulas import formulas
from web.quantities import ZONE

GOAL_MS = 100
NOBODY = ""
ADMIN = ("", "units", "people", "accounts", "duties", "deadlines", "calendars", "definitions")
# Whose page, and where; {case}, {task}, {closed} and {person} are found in the database.
PAGES = (
    *(("grid", f"/inbox{one}") for one in ("", "/claimable", "/overdue", "/started", "/done")),
    ("grid", "/me"),
    ("grid", "/reports"),
    ("grid", "/cases"),
    *(("community", f"/inbox{one}") for one in ("", "/claimable", "/overdue", "/done")),
    ("property", "/inbox"),
    ("property", "/cases/{case}/tasks/{task}"),
    *(("dispatch", f"/inbox{one}") for one in ("", "/claimable", "/requests", "/orders", "/done")),
    ("accept", "/inbox"),
    ("leader", "/board"),
    *(("supervise", f"/inbox{one}") for one in ("", "/overdue", "/orders")),
    ("supervise", "/board"),
    ("supervise", "/board?state=late"),
    ("supervise", "/cases"),
    ("supervise", "/cases?text=7 幢"),
    ("supervise", "/cases?text=没有这样的地方"),
    ("supervise", "/cases?status=overdue"),
    ("supervise", "/cases?status=closed&category=gas&unit=u-yanhe"),
    ("supervise", "/cases/{case}"),
    ("supervise", "/cases/{closed}"),
    ("supervise", "/acts"),
    ("supervise", "/acts?late=1"),
    ("supervise", "/acts?kind=returned"),
    ("supervise", "/acts?kind=hazard.accept&place=u-yanhe&since=2026-03-01"),
    ("supervise", "/people"),
    ("supervise", "/metrics?period={month}"),
    *(
        ("supervise", f"/metrics?period={{month}}&by={one}")
        for one in ("community", "unit", "grid")
    ),
    ("supervise", "/metrics?period={year}&by=community"),
    ("supervise", "/metrics/rectified_of_due?period={month}"),
    *(
        ("supervise", one)
        for one in ("/period", "/period?period={year}", "/index", "/flow", "/warnings")
    ),
    ("supervise", "/publication-sheet"),
    ("supervise", "/cases/{closed}/risk"),
    ("discipline", "/cases/{closed}/access"),
    ("discipline", "/conduct"),
    *(("admin", f"/admin/{one}") for one in ADMIN),
    ("admin", "/admin/people/{person}"),
    *((NOBODY, one) for one in ("/public", "/public/hazards", "/receipt", "/complain")),
)


@dataclass
class Cost:
    """What a page cost; medians, but first_ms: the first time in this process.

    cpu_ms: of the processor, in this process; what is more in median_ms, others had.
    """

    who: str
    page: str
    median_ms: float
    cpu_ms: float
    p90_ms: float
    first_ms: float
    statements: int
    kib: float


def main() -> None:
    """Make the street if it is not there, measure every page, print."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--folder", type=Path, default=Path("var/year"))
    asked.add_argument("--cases", type=int, default=30_200)
    asked.add_argument("--lived", type=Path)
    asked.add_argument("--size", default="full")
    asked.add_argument("--times", type=int, default=15)
    asked.add_argument("--only", default="")
    asked.add_argument("--json", action="store_true")
    told = asked.parse_args()
    year.make(told.folder, told.cases, lived=told.lived, size=told.size)
    app = create_app(year.settings_of(told.folder), clock=lambda: END)
    database = app.extensions["shaoji"].database
    found = year.contents(database)
    _count_metrics(database)
    costs = [one for one in _measured(app, database, told) if told.only in one.page]
    if told.json:
        print(json.dumps(found | {"pages": [asdict(one) for one in costs]}, ensure_ascii=False))
        return
    _print(found, costs)


def _count_metrics(database: Engine) -> None:
    """What the worker keeps, as of a checkpoint, signed by a key of the tests if there is none."""
    with database.begin() as conn:
        origin, last = log.origin(conn), sequence.latest(conn)
    if last is None:
        run_sequencer(database, [signer(origin)], at=END)
    keep_figures(database, formulas(), zone=ZONE)
    keep_flows(database, zone=ZONE, at=END)


def _measured(app: Flask, database: Engine, told: Any) -> Iterator[Cost]:
    with database.connect() as conn:
        known = _known(conn)
    clients = {name: _signed_in(app, database, name) for name in {who for who, _ in PAGES}}
    for who, page in PAGES:
        if told.only in page:
            path = page.format(**known).replace("#", "%23")
            yield _cost(database, clients[who], who, page, path, told.times)


def _cost(
    database: Engine, client: FlaskClient, who: str, page: str, path: str, times: int
) -> Cost:
    count = 0

    def counted(*_: object) -> None:
        nonlocal count
        count += 1

    spans, cpu = [], []
    for number in range(times + 1):
        if number == times:
            event.listen(database, "before_cursor_execute", counted)
        begun, used = time.perf_counter(), time.process_time()
        answer = client.get(path)
        body = answer.data
        spans.append((time.perf_counter() - begun) * 1000)
        cpu.append((time.process_time() - used) * 1000)
        if answer.status_code != 200:
            raise SystemExit(f"{who} {path}: {answer.status_code} {answer.location}")
    event.remove(database, "before_cursor_execute", counted)
    later = sorted(spans[1:])
    p90 = later[min(len(later) - 1, -(-len(later) * 9 // 10) - 1)]
    median, busy = statistics.median(later), statistics.median(cpu[1:])
    told = (round(value, 1) for value in (median, busy, p90, spans[0]))
    return Cost(who, page, *told, count, round(len(body) / 1024, 1))


def _known(conn: Connection) -> dict[str, str]:
    """A step of the property firm, its case, a closed case with many events, and a busy person.

    And the last month that has ended.
    """
    step, case = open_task_table.c, register_table.c
    firm = find_account(conn, "property").person
    held = conn.execute(
        select(step.case, step.task).where(step.holder == firm).order_by(step.due.desc())
    ).first()
    closed = select(case.case).where(case.process == year.PROCESS, case.ended_at.is_not(None))
    busy = select(act_table.c.person).group_by(act_table.c.person).order_by(func.count().desc())
    last = [one.key for one in months(conn)][-2:][0]
    return {
        "month": last,
        "year": last[:4],
        "case": held.case,
        "task": held.task,
        "closed": conn.execute(closed.order_by(case.seq.desc())).scalars().first(),
        "person": conn.execute(busy).scalars().first(),
    }


def _signed_in(app: Flask, database: Engine, name: str) -> FlaskClient:
    """A browser with a session of this account; how long signing in takes is not asked here."""
    client = app.test_client()
    if name == NOBODY:
        return client
    with database.begin() as conn:
        account = conn.execute(
            select(account_table).where(account_table.c.id == find_account(conn, name).id)
        ).one()
        must = obliged(directory(conn), account.person, END)
        if must and not is_enrolled(conn, account.id):
            secret = pyotp.random_base32()
            key, code = app.extensions["shaoji"].field_key, pyotp.TOTP(secret).at(END)
            enrol(conn, key, account.id, secret, code, at=END, device_at=END)
        opened = open_session(conn, log.take(conn, ACCESS), account, END, "web")
    with client.session_transaction() as cookie:
        cookie["_user_id"] = opened.token
    return client


def _print(found: dict[str, int], costs: list[Cost]) -> None:
    counts = ", ".join(f"{value:,} {name.replace('_', ' ')}" for name, value in found.items())
    print(f"{platform.machine()}, Python {platform.python_version()}: {counts}")
    print(
        f"{'who':<11}{'page':<58}{'median':>8}{'CPU':>8}{'p90':>8}{'first':>9}{'SQL':>5}{'KiB':>7}"
    )
    for one in costs:
        mark = " *" if one.median_ms > GOAL_MS else ""
        print(
            f"{one.who or '-':<11}{one.page:<58}{one.median_ms:>8.1f}{one.cpu_ms:>8.1f}"
            f"{one.p90_ms:>8.1f}{one.first_ms:>9.1f}{one.statements:>5}{one.kib:>7.1f}{mark}"
        )


if __name__ == "__main__":
    main()
