"""A city's people on one server: 176,000 accounts, and 2,000 of them looking at their inboxes.

A street is founded, and people, posts and accounts are written into its register by SQL, as many in
each of a hundred communities; so are open cases, 500 in each, which whoever has the duty may take.
Then: how long reading the whole register takes, as each process does once after each change of it;
and the real server, asked for the inbox by 2,000 who are signed in, over sixteen connections that
are kept alive: what it takes, what the server's processes take of the processor for each, the
worker's share with it, and what their memory came to.

    python benchmarks/people.py [--people 176000] [--looking 2000] [--asks 6000] [--json]
"""

import argparse
import json
import random
import sqlite3
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from sqlalchemy import select

from audit import log
from benchmarks import million, serving
from benchmarks.watching import look, processor_s, together
from engine.access_log import ACCESS
from engine.accounts import account_table, open_session
from engine.database import open_database
from engine.people import By, create_unit
from engine.roster import read_directory
from web.app import create_app
from web.config import read_settings
from web.founding import STREET

CASES = 50_000
CONNECTIONS = 16
# One of so many may take the steps that wait in the community; the others report.
CONFIRMS = 10


def main() -> None:
    """Found, fill, ask, print."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--people", type=int, default=176_000)
    asked.add_argument("--looking", type=int, default=2_000)
    asked.add_argument("--asks", type=int, default=6_000)
    asked.add_argument("--json", action="store_true")
    told = asked.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = _measure(Path(folder), told)
    if told.json:
        print(json.dumps(rows))
        return
    for name, value in rows.items():
        print(f"{name:<28}{value:>14,}")


def _measure(folder: Path, told: Any) -> dict[str, Any]:
    house = serving.settle(folder, million.LIVED + len(million.OPEN_STEPS))
    engine = open_database(house.url)
    with engine.begin() as conn:
        for unit in million.PLACES:
            create_unit(conn, unit, kind="community", name=f"社区 {unit[-3:]}", parent=STREET,
                        by=By("p-0001"), at=datetime.now(UTC))  # fmt: skip
    _fill(folder / "street.db", told.people)
    engine.dispose()  # the journal is set aside for what follows: nobody else may be there
    million.write_again(folder / "street.db", CASES)
    began = time.perf_counter()
    with engine.connect() as conn:
        people = read_directory(conn)
    rows: dict[str, Any] = {
        "people": len(people.posts), "register read_s": round(time.perf_counter() - began, 2),
    }  # fmt: skip
    cookies = _sessions(house, told.people, told.looking)
    engine.dispose()
    server = serving.serve(house, None)
    try:
        # The register is read once in each process; what follows is what inboxes cost.
        _ask(house, cookies, CONNECTIONS * 4)
        used = processor_s(server.pid)
        rows |= _ask(house, cookies, told.asks)
        used = processor_s(server.pid) - used
        rows["processor_ms_an_inbox"] = round(1000 * used / rows["inboxes"], 1)
        (held,) = together(look(server.pid, 0))
        rows |= {"server_rss_mb": round(held.rss_mb), "server_pss_mb": round(held.pss_mb)}
        rows["server_processes"] = len(look(server.pid, 0))
    finally:
        server.terminate()
        server.wait()
    return rows


def _fill(path: Path, people: int) -> None:
    """Persons with a name, a post and an account each, beside those who are there."""
    with closing(sqlite3.connect(path, timeout=60, isolation_level=None)) as raw:
        hashed, locale = raw.execute("SELECT password_hash, locale FROM account").fetchone()
        since = "2026-01-01T00:00:00.000Z"
        raw.execute("BEGIN")
        for n in range(people):
            duties = ["confirm", "report"] if n % CONFIRMS == 0 else ["report"]
            person, unit = f"p-x{n:06d}", million.PLACES[n % len(million.PLACES)]
            raw.execute("INSERT INTO person VALUES (?, ?, ?)", (person, since, "0" * 64))
            raw.execute("INSERT INTO person_name VALUES (?, ?, ?)", (person, f"演示{n}", b"s" * 16))
            raw.execute(
                "INSERT INTO post VALUES (?, ?, ?, '网格员', ?, ?, NULL)",
                (f"k-x{n:06d}", person, unit, json.dumps(duties), since),
            )
            raw.execute(
                "INSERT INTO account (id, name, person, password_hash, locale, failed_count) "
                "VALUES (?, ?, ?, ?, ?, 0)",
                (f"a-x{n:06d}", f"x{n:06d}", person, hashed, locale),
            )
        raw.execute("COMMIT")


def _sessions(house: serving.House, people: int, looking: int) -> list[str]:
    """So many people signed in, as their cookies; one of ten of them may take what waits."""
    app = create_app(replace(read_settings(house.env), cookie_secure=False))
    database = app.extensions["shaoji"].database
    at, cookies = datetime.now(UTC), []
    chosen = random.Random(7).sample(range(people), looking)
    with database.begin() as conn:
        for n in chosen:
            query = select(account_table).where(account_table.c.id == f"a-x{n:06d}")
            account = conn.execute(query).one()
            token = open_session(conn, log.take(conn, ACCESS), account, at, "web").token
            client = app.test_client()
            with client.session_transaction() as session:
                session["_user_id"] = token
            cookie = client.get_cookie("shaoji")
            assert cookie
            cookies.append(cookie.value)
    database.dispose()
    return cookies


def _ask(house: serving.House, cookies: list[str], asks: int) -> dict[str, Any]:
    """Everybody's inbox in turn, until so many were asked for; per second, and ms of each."""
    spent, faults = list[float](), list[BaseException]()

    def run(which: int) -> None:
        try:
            client = serving.Client(house.port)
            for n in range(which, asks, CONNECTIONS):
                client.cookies = {"shaoji": cookies[n % len(cookies)]}
                begun = time.perf_counter()
                page = client.get("/inbox")
                spent.append(1000 * (time.perf_counter() - begun))
                assert "mast__who" in page
        except BaseException as fault:
            faults.append(fault)
            raise

    threads = [Thread(target=run, args=(n,)) for n in range(CONNECTIONS)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults, faults
    spent.sort()
    return {
        "looking": len(cookies), "inboxes": len(spent),
        "inboxes_per_s": round(len(spent) / (time.perf_counter() - began), 1),
        "median_ms": round(spent[len(spent) // 2], 1),
        "p95_ms": round(spent[int(len(spent) * 0.95)], 1),
    }  # fmt: skip


if __name__ == "__main__":
    main()
