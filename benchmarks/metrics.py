"""How long the metrics of a street take from its log: folding on all cores, then all figures.

    python benchmarks/metrics.py (--database URL | --export FOLDER --policy FILE) [--json]

Of a database everything in the tree is folded, signed or not. The figures are those of a year by
community. Memory is the peak of this process, which holds all cases at the end.
"""

import argparse
import json
import os
import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from audit import sequence
from audit.metrics.facts import CaseFacts
from audit.metrics.marks import Period
from audit.metrics.places import Places, places
from audit.metrics.results import results
from audit.trust import Trust
from engine.database import open_database
from engine.metrics import basis_of_export, fold_all
from web.formulas import formulas
from web.quantities import ZONE
from web.trusting import policy_file


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
    row = {
        "cases": len(cases), "events": events, "workers": told.workers,
        "fold_s": round(folded - began, 1), "figures_s": round(ended - folded, 1),
        "events_per_s": round(events / (ended - began)),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }  # fmt: skip
    print(json.dumps(row) if told.json else row)


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
