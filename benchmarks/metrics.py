"""How long the metrics of a street take from its log: folding on all cores, then all figures.

    python benchmarks/metrics.py (--database URL | --export FOLDER --policy FILE) [--json]

Of a database everything in the tree is folded, signed or not. The figures are those of a year by
community. Memory is the peak of this process, which holds all cases at the end. Then the figures of
the fullest month are kept as the worker keeps them, and read as a page reads them: by the whole, by
community and so on; 200 times each.
"""

import argparse
import json
import os
import resource
import sys
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import orjson
from sqlalchemy import Connection, insert

from audit import sequence
from audit.metrics.contributions import contributions
from audit.metrics.facts import CaseFacts
from audit.metrics.marks import Period, seen
from audit.metrics.places import Places, places
from audit.metrics.plain import figures_json
from audit.metrics.results import figures, results
from audit.trust import Trust
from engine.database import open_database, reading
from engine.metric_periods import BY, FAST, figures_table, kept_figures
from engine.metrics import basis_of_export, fold_all
from engine.periods import begin_of, end_of
from engine.schema import create_schema
from web.formulas import formulas
from web.quantities import ZONE
from web.trusting import policy_file

WHOLE = "u-whole"


def main() -> None:
    """Fold, compute, print."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--database")
    asked.add_argument("--export", type=Path)
    asked.add_argument("--policy", type=Path)
    asked.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    asked.add_argument("--json", action="store_true")
    told = asked.parse_args()
    began = time.perf_counter()
    cases, known, events = _export(told) if told.export else _database(told)
    folded = time.perf_counter()
    last = max(case.opened for case in cases).astimezone(ZONE)
    ends = [datetime(year, 1, 1, tzinfo=ZONE) for year in (last.year, last.year + 1)]
    period = Period(ends[0], ends[1])
    found = results(cases, formulas(), known, period, by="community", zone=ZONE)
    ended = time.perf_counter()
    assert found.told
    row: dict[str, Any] = {
        "cases": len(cases), "events": events, "workers": told.workers,
        "fold_s": round(folded - began, 1), "figures_s": round(ended - folded, 1),
        "events_per_s": round(events / (ended - began)),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }  # fmt: skip
    row |= _month(cases, known)
    print(json.dumps(row) if told.json else row)


def _month(cases: list[CaseFacts], known: Places) -> dict[str, Any]:
    """What the figures of the fullest month take, kept and read."""
    opened = Counter(case.opened.astimezone(ZONE).strftime("%Y-%m") for case in cases)
    (key, count), *_ = opened.most_common(1)
    month = Period(begin_of(key, ZONE), end_of(key, ZONE))
    told = contributions(seen(cases, formulas(), known, month))
    row: dict[str, Any] = {"month": key, "month_cases": count}
    with tempfile.TemporaryDirectory() as folder:
        engine = open_database(f"sqlite:///{folder}/kept.db")
        create_schema(engine)
        for by in BY:
            told_by = figures_json(figures(told, formulas(), known, by=by, zone=ZONE))
            kept = zlib.compress(orjson.dumps(told_by), FAST)
            with engine.begin() as conn:
                one = {"period": key, "by": by, "place": WHOLE, "figures": kept}
                conn.execute(insert(figures_table), one)
            with reading(engine).begin() as conn:
                spent = sorted(_read(conn, key, by) for _ in range(200))
            name = f"by_{by or 'whole'}"
            row |= {f"{name}_kb": len(kept) // 1024, f"{name}_p50_ms": round(spent[100], 2),
                    f"{name}_p95_ms": round(spent[190], 2)}  # fmt: skip
        engine.dispose()
    return row


def _read(conn: Connection, period: str, by: str) -> float:
    began = time.perf_counter()
    assert kept_figures(conn, period, by, WHOLE, formulas(), zone=ZONE)
    return 1000 * (time.perf_counter() - began)


def _database(told: argparse.Namespace) -> tuple[list[CaseFacts], Places, int]:
    engine = open_database(told.database)
    with engine.connect() as conn:
        size = sequence.tree_size(conn)
    engine.dispose()
    cases, units = fold_all(
        told.database, formulas(), size=size, workers=told.workers, progress=_silently
    )
    return cases, places(units), size


def _export(told: argparse.Namespace) -> tuple[list[CaseFacts], Places, int]:
    trust = Trust(policy=policy_file(told.policy))
    basis = basis_of_export(told.export, trust, formulas(), workers=told.workers)
    return list(basis.cases), basis.places, basis.tree.size


@contextmanager
def _silently(_total: int) -> Iterator[Callable[[int], None]]:
    yield lambda _done: None


if __name__ == "__main__":
    main()
