"""How much of what was planted in a lived year the rules find, how much else, and the cost.

Lives a year drawn from a seed in a folder of its own, unless it is there, finds, and prints recall
and precision per rule, with the seconds that folding and finding took on one core. Without --photos
by the entries alone: what is to be found only by how photos look is not.

    python benchmarks/signals.py --folder var/scenario --seed TEXT [--scale N | --small]
        [--photos] [--json]
"""

import argparse
import json
import sys
import time
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from sqlalchemy import func, select

from audit import log
from audit.signals.among_cases import signals
from audit.signals.brief import brief
from audit.signals.facts import Signal
from benchmarks.year import settings_of
from engine.database import open_database
from engine.photo_prints import pairs, print_table
from engine.signals import look_at_photos, offices_of, refresh
from web import demonstration
from web.config import Settings
from web.demo.scenario import size_of, truth_of
from web.signal_rules import signal_rules


@dataclass(frozen=True)
class Score:
    """Of one rule: what there was, what was found, what of it was right."""

    rule: str
    planted: int
    found: int
    hit: int
    right: int

    @property
    def recall(self) -> float:
        return self.hit / self.planted if self.planted else 1.0

    @property
    def precision(self) -> float:
        return self.right / self.found if self.found else 1.0


def main() -> None:
    """Live, find, compare, print."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--folder", type=Path, default=Path("var/scenario"))
    asked.add_argument("--seed", required=True)
    asked.add_argument("--scale", type=int, default=1)
    asked.add_argument("--small", action="store_true")
    asked.add_argument("--photos", action="store_true", help="look at all photos: B5 by looks too")
    asked.add_argument("--json", action="store_true")
    told = asked.parse_args()
    size = size_of(told.scale, small=told.small)
    settings, truth = settings_of(told.folder), told.folder / "truth.json"
    began = time.perf_counter()
    if not truth.exists():
        told.folder.mkdir(parents=True, exist_ok=True)
        demonstration.live(settings, size=size, seed=told.seed, progress=_silently)
        engine = open_database(settings.database_url)
        truth.write_text(json.dumps(truth_of(engine, told.seed, size)), encoding="utf-8")
        engine.dispose()
    lived = time.perf_counter() - began
    found, costs = _find(settings, photos=told.photos)
    scores = score(found, json.loads(truth.read_bytes()))
    if told.json:
        rows = [asdict(one) | {"recall": one.recall, "precision": one.precision} for one in scores]
        print(json.dumps({"seed": told.seed, "lived_s": round(lived), **costs, "rules": rows}))
        return
    print(f"seed {told.seed}: {costs}, lived in {lived:.0f} s")
    print(f"{'rule':<6}{'planted':>8}{'found':>7}{'recall':>8}{'precision':>11}")
    for one in scores:
        print(
            f"{one.rule:<6}{one.planted:>8}{one.found:>7}{one.recall:>8.3f}{one.precision:>11.3f}"
        )


def _find(settings: Settings, *, photos: bool) -> tuple[list[Signal], dict[str, float]]:
    engine, rules = open_database(settings.database_url), signal_rules()
    looked = time.perf_counter()
    if photos:
        refresh(engine, rules, seen=lambda _: None)
        look_at_photos(engine, settings.evidence_dir, rules)
    with engine.connect() as conn:
        alike = pairs(conn)
        names = [name for name in log.streams(conn) if not name.startswith("@")]
        files = conn.execute(select(func.count()).select_from(print_table)).scalar_one()
        began, events, briefs = time.perf_counter(), 0, []
        for name in names:
            entries = log.read(conn, name)
            events += len(entries)
            briefs.append(brief(entries, rules))
        folded = time.perf_counter()
        found = signals(briefs, rules, alike, offices_of(conn))
        ended = time.perf_counter()
    costs = {
        "cases": len(names), "events": events, "photos": files, "alike": len(alike),
        "look_s": round(began - looked, 1), "fold_s": round(folded - began, 1),
        "find_s": round(ended - folded, 2),
    }  # fmt: skip
    return found, costs


def score(found: list[Signal], planted: list[dict[str, Any]]) -> list[Score]:
    """A planted entry is hit by a signal of its rule that rests on it; such a signal is right."""
    told: dict[str, list[Signal]] = defaultdict(list)
    wanted: dict[str, set[tuple[str, int]]] = defaultdict(set)
    for one in found:
        told[one.rule].append(one)
    for row in planted:
        wanted[row["rule"]].add((row["case"], row["seq"]))
    scores = []
    for rule in sorted(told.keys() | wanted.keys(), key=lambda name: int(name[1:])):
        rests = {(one.case, seq) for one in told[rule] for seq in one.events}
        right = [one for one in told[rule] if {(one.case, s) for s in one.events} & wanted[rule]]
        hit = len(wanted[rule] & rests)
        scores.append(Score(rule, len(wanted[rule]), len(told[rule]), hit, len(right)))
    return scores


@contextmanager
def _silently(_total: int) -> Any:
    yield lambda _done: None


if __name__ == "__main__":
    main()
