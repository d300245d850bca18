"""How long everything takes anew from an exported log: the check, all cases, what rests on them.

    python benchmarks/recompute.py --export FOLDER --policy FILE [--workers N] [--json]

Once through the export: hashes, links, root and signature are checked, and every case is folded for
metrics and for signals. Then, the months shared out among the workers: the figures of each of the
twelve months before the last entry for the whole and by community, unit and class, and the lines
each month crosses; meanwhile all signals. Seconds, what all processors worked, and the memory that
this process and the largest of its children took at most.
"""

import argparse
import gc
import json
import os
import resource
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from audit.early_warning.crossed import crossed
from audit.entries import Entry
from audit.metrics.contributions import contributions
from audit.metrics.facts import CaseFacts
from audit.metrics.fold import case_facts
from audit.metrics.formulas import Formulas
from audit.metrics.marks import Period, seen
from audit.metrics.places import Places, places
from audit.metrics.results import figures
from audit.signals.brief import brief
from audit.signals.facts import Brief
from audit.signals.offices import offices
from audit.signals.rules import Rules
from audit.trust import Trust
from engine.exported_cases import ExportedCases, fold_export
from engine.signals import standing
from web.formulas import formulas
from web.quantities import ZONE
from web.signal_rules import signal_rules
from web.trusting import policy_file
from web.warning_thresholds import thresholds

MONTHS = 12
BY = ("", "community", "unit", "class")


def main() -> None:
    """Fold, count, find, print."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--export", type=Path, required=True)
    asked.add_argument("--policy", type=Path, required=True)
    asked.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    asked.add_argument("--json", action="store_true")
    told = asked.parse_args()
    spent: dict[str, float] = {}
    with _timed(spent, "all"):
        with _timed(spent, "check and fold"):
            fold = partial(_both, formulas=formulas(), rules=signal_rules())
            trust = Trust(policy=policy_file(told.policy))
            export = fold_export(told.export, trust, fold, workers=told.workers)
        cases = [facts for facts, _ in export.cases]
        # What is there stays to the end: nobody need look through it for what could go.
        gc.freeze()
        with (
            _timed(spent, "metrics and signals"),
            _months_pool(cases, export, told.workers) as pool,
        ):
            parts = pool.map(_count, _shares(cases, told.workers))
            with _timed(spent, "of these signals"):
                known = offices(export.registers["@units"], export.registers["@people"])
                found = standing([one for _, one in export.cases], signal_rules(), (), known)
            counted = sum(parts)
    rows: dict[str, object] = {
        "entries": export.tree.size, "cases": len(cases), "figures": counted, "signals": len(found),
        "workers": told.workers, **{f"{name}_s": round(s, 1) for name, s in spent.items()},
        "processors_s": _processors(),
        "memory_mb": _peak(resource.RUSAGE_SELF), "worker_mb": _peak(resource.RUSAGE_CHILDREN),
    }  # fmt: skip
    if told.json:
        print(json.dumps(rows))
        return
    for name, value in rows.items():
        print(f"{name:<20}{value:>14,}")


def _both(entries: Sequence[Entry], *, formulas: Formulas, rules: Rules) -> tuple[CaseFacts, Brief]:
    return case_facts(entries, formulas), brief(entries, rules)


# Of each worker: what it was forked with. Sent to it, all cases would take as long as a month.
_given: list[tuple[list[CaseFacts], Places]] = []


def _months_pool(
    cases: list[CaseFacts], export: ExportedCases[tuple[CaseFacts, Brief]], workers: int
) -> ProcessPoolExecutor:
    given = cases, places(export.units)
    return ProcessPoolExecutor(workers, get_context("fork"), _given.append, (given,))


def _shares(cases: list[CaseFacts], workers: int) -> list[list[Period]]:
    """The months in so many parts of about equal work, each with the one before its first.

    The later a month, the more cases there are to be looked at: the n-th takes n times the first.
    """
    months = _months(max(step.opened for case in cases for step in case.steps))
    whole = MONTHS * (MONTHS + 1)
    cuts = [next(n for n in range(MONTHS + 1) if n * (n + 1) * workers >= part * whole)
            for part in range(workers + 1)]  # fmt: skip
    return [months[start : end + 1] for start, end in pairwise(cuts) if start < end]


def _count(months: list[Period]) -> int:
    """All figures and lines of these months but the first; how many figures."""
    ((cases, kinds),) = _given
    count = 0
    before = contributions(seen(cases, formulas(), kinds, months[0]))
    for month in months[1:]:
        told = contributions(seen(cases, formulas(), kinds, month))
        for by in BY:
            count += len(figures(told, formulas(), kinds, by=by, zone=ZONE))
        crossed(told, before, thresholds(), formulas(), kinds)
        before = told
    return count


def _months(last: datetime) -> list[Period]:
    """Twelve months up to the one of the last step, and the one before them."""
    local = last.astimezone(ZONE)
    first = local.year * 12 + local.month - 1 - MONTHS
    begins = [datetime(n // 12, n % 12 + 1, 1, tzinfo=ZONE) for n in range(first, first + 14)]
    return [Period(*pair) for pair in pairwise(begins)]


@contextmanager
def _timed(spent: dict[str, float], name: str) -> Iterator[None]:
    began = time.perf_counter()
    yield
    spent[name] = time.perf_counter() - began


def _processors() -> float:
    """What all processors together have worked: the same however many others want them."""
    told = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return round(sum(one.ru_utime + one.ru_stime for one in told), 1)


def _peak(whose: int) -> int:
    return resource.getrusage(whose).ru_maxrss // 1024


if __name__ == "__main__":
    main()
