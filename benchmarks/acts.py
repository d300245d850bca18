"""What a search for acts costs on a street's own database: the query alone, and the whole page.

Works on a copy, since a search by person is recorded. The old way of finding one's own cases, a
name looked for in the bytes of every stored state, is measured beside the new one.

    python benchmarks/acts.py DATABASE [--account NAME] [--password P] [--times 30] [--json]
"""

import argparse
import json
import re
import shutil
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from audit import log
from engine.accounts import find_account
from engine.act_search import ActQuery, search_acts
from engine.database import open_database
from engine.people import By, directory
from engine.search import count_done_by
from web.app import create_app
from web.config import Settings

OLD_WAY = """SELECT count(*) FROM case_register WHERE instr(state, ?) > 0 OR instr(state, ?) > 0"""


def main() -> None:
    """Measure on the database that is named, and print medians in milliseconds."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("database", type=Path)
    asked.add_argument("--account", default="supervise")
    asked.add_argument("--password", default="tinglan-2026")
    asked.add_argument("--times", type=int, default=30)
    asked.add_argument("--json", action="store_true")
    told = asked.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = measured(_copied(told.database, Path(folder)), told)
    if told.json:
        print(json.dumps(found))
        return
    for name, value in found.items():
        print(f"{name:24} {value}")


def measured(database: Path, told: Any) -> dict[str, Any]:
    """Sizes and medians."""
    engine = open_database(f"sqlite:///{database}")
    with engine.connect() as conn:
        at = log.last_at(conn)
        assert at is not None
        at += timedelta(minutes=1)
        people, by = directory(conn), By(find_account(conn, told.account).person)
        plain = sqlite3.connect(database)
        most = plain.execute(
            "SELECT person FROM act GROUP BY person ORDER BY count(*) DESC LIMIT 1"
        ).fetchone()[0]
        searches = {
            "newest": ActQuery(),
            "person": ActQuery(person=most),
            "late": ActQuery(late=True),
            "month": ActQuery(since=at - timedelta(days=31), types=frozenset({"task.completed"})),
            "nothing": ActQuery(posts=frozenset()),
        }

        def run(query: ActQuery) -> None:
            search_acts(conn, query, people, by=by, at=at)

        found: dict[str, Any] = {
            "cases": plain.execute("SELECT count(*) FROM case_register").fetchone()[0],
            "acts": plain.execute("SELECT count(*) FROM act").fetchone()[0],
        }
        found |= {f"query_{name}_ms": _ms(lambda q=q: run(q), told.times)  # type: ignore[misc]
                  for name, q in searches.items()}  # fmt: skip
        parts = [f'{before}{most}"'.encode() for before in ('{"person":"', '"by":"')]
        found["own_cases_ms"] = _ms(lambda: count_done_by(conn, most), told.times)
        found["own_cases_in_bytes_ms"] = _ms(
            lambda: plain.execute(OLD_WAY, parts).fetchone(), told.times
        )
        plain.close()
    engine.dispose()
    return found | _pages(database, told, at)


def _pages(database: Path, told: Any, at: Any) -> dict[str, float]:
    settings = Settings(
        secret_key="k" * 48, database_url=f"sqlite:///{database}", cookie_secure=False,
        evidence_dir=database.parent / "evidence",
    )  # fmt: skip
    client = create_app(settings, clock=lambda: at).test_client()

    def post(path: str, data: dict[str, str]) -> str:
        token = re.search(r'name="csrf_token" value="([^"]+)"', client.get("/receipt").text)
        assert token
        return client.post(path, data={"csrf_token": token[1], **data}).location or ""

    if "inbox" not in post("/sign-in", {"name": told.account, "password": told.password}):
        raise SystemExit(f"cannot sign in as {told.account}")
    return {
        "page_newest_ms": _ms(lambda: client.get("/acts"), told.times),
        "page_late_ms": _ms(lambda: client.get("/acts?late=1"), told.times),
    }


def _copied(database: Path, folder: Path) -> Path:
    copy = folder / "street.db"
    with sqlite3.connect(database) as source, sqlite3.connect(copy) as target:
        source.backup(target)
    for beside in ("vault.db", "vault.key"):
        if (database.parent / beside).exists():
            shutil.copy(database.parent / beside, folder / beside)
    return copy


def _ms(work: Callable[[], object], times: int) -> float:
    work()
    spans = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        spans.append(time.perf_counter() - start)
    return round(statistics.median(spans) * 1000, 2)


if __name__ == "__main__":
    main()
