"""The metrics of the demonstration street, computed twice, and at the command line."""

import json
import sqlite3
from collections import Counter, defaultdict
from contextlib import closing
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from threading import Event, Thread
from time import sleep

import pytest

from audit import log
from audit.encoding import timestamp
from audit.metrics.catalogue import METRICS
from audit.metrics.figures import Count, Rate, Spread
from audit.metrics.fold import case_facts
from audit.metrics.marks import Period, seen
from audit.metrics.places import places
from audit.metrics.plain import listed
from audit.metrics.results import of, results
from engine import metric_periods
from engine.database import open_database, reading
from engine.metric_periods import basis, kept_figures
from engine.periods import begin_of, kind_of
from engine.sequencer import run_sequencer
from tests.metrics_again import Again
from tests.metrics_again_acts import Acts
from tests.web.demo_street import Built
from tests.web.test_cli import IMPORT, Shaoji, founded, shaoji, told
from tests.witnessing import signer
from web.background import run_figures
from web.channels import Channels
from web.demo import ORIGIN
from web.formulas import formulas
from web.quantities import ZONE

__all__ = ["founded", "shaoji"]  # fixtures
EXCLUDING = ("rectified_of_due", "rectified_of_found", "in_time", "in_original_time")
COMPARED = (
    *EXCLUDING, "second_looks", "extended", "refuted", "refuted_by_lot", "reopened",
    "found_by_others", "conforming", "walked", "found", "rechecked_items", "responded",
    "arrived_in_time", "objected", "upheld", "solved", "satisfied", "reached",
    "reopened_complaints",
)  # fmt: skip
ACTS = (
    "rated_satisfied", "suppressed", "objects", "evaluated", "dodged", "ordered", "listed",
    "repeated", "found_true", "accidents",
)  # fmt: skip
DURATIONS = ("until_accepted", "first_arrival", "until_arrival", "first_contact")
PERIOD = ("--from", "2026-01-01", "--to", "2027-01-01")


def months() -> list[Period]:
    ends = [datetime(2025 + n // 12, n % 12 + 1, 1, tzinfo=ZONE) for n in range(10, 24)]
    return [*(Period(*pair) for pair in pairwise(ends)), Period(ends[0], ends[-1])]


def test_the_metrics_of_a_street_are_the_same_computed_by_other_means(built: Built) -> None:
    with built.database.connect() as conn:
        names = log.streams(conn)
        entries = {name: log.read(conn, name) for name in names}
    cases = [case_facts(entries[name], formulas()) for name in names if name[0] != "@"]
    known = places(entries["@units"])
    bodies = [one.body for stream in entries.values() for one in stream]
    compared = Counter[str]()
    for period in months():
        again = Again(bodies, timestamp(period.since), timestamp(period.until))
        found = results(cases, formulas(), known, period, by="community", zone=ZONE)
        whole = results(cases, formulas(), known, period, zone=ZONE)
        all_ = seen(cases, formulas(), known, period)
        acts = Acts(again)
        rates = again.rates | acts.rates
        for metric in (*COMPARED, *ACTS):
            mine = defaultdict[str, list[int]](lambda: [0, 0])
            for mark in METRICS[metric].marks(all_):
                cell = mine[known.community(mark.case.path)]
                cell[0] += mark.hits
                cell[1] += mark.of
            assert {k: v for k, v in mine.items() if v[1]} == rates[metric], (metric, period)
            compared[metric] += sum(cell[1] for cell in mine.values())
            for groups, one in of(found, metric).items():
                if isinstance(one, Rate) and len(groups) == 1:
                    cell = mine[groups[0]]
                    assert [one.proportion.numerator, one.proportion.denominator] == cell
            for one in of(whole, metric).values():
                if isinstance(one, Rate) and metric in EXCLUDING:
                    out = {reason: n for reason, n in again.out[metric].items() if n}
                    assert one.proportion.excluded == out, (metric, period)
                if isinstance(one, Rate) and metric in ("rated_satisfied", "repeated"):
                    out = {reason: n for reason, n in acts.out[metric].items() if n}
                    assert one.proportion.excluded == out, (metric, period)
        took = acts.minutes | {"until_accepted": again.minutes}
        for metric in DURATIONS:
            assert len(of(whole, metric)) == bool(took.get(metric)), (metric, period)
            for one in of(whole, metric).values():
                assert isinstance(one, Spread)
                assert (one.n, one.censored) == (len(took[metric]), took[metric].count(None)), (
                    metric
                )
                ended = sorted(n for n in took[metric] if n is not None)
                for found_, per_ten in ((one.median, 5), (one.p90, 9)):
                    rank = -(-one.n * per_ten // 10)
                    assert found_ == (ended[rank - 1] if rank <= len(ended) else None), metric
                compared[metric] += one.n
        late = of(whole, "overdue").values()
        assert [(one.count, one.sum) for one in late if isinstance(one, Count)] == (
            [(len(again.overdue_days), sum(again.overdue_days))] if again.overdue_days else []
        )
    assert set(METRICS) == {*compared, "overdue"}, compared
    # Nobody rated there, nothing was suppressed: tests/engine compares these on other streets.
    assert {metric for metric, of_ in compared.items() if not of_} == {
        "rated_satisfied", "suppressed",
    }  # fmt: skip


def test_the_tables_and_an_export_give_the_same_figures(founded: Shaoji) -> None:
    founded(*IMPORT)
    founded("export", "log", "out")
    from_export = told(founded("metrics", *PERIOD, "--export", "out", "--json"))
    assert from_export["position"]["size"] > 0
    shown = founded("metrics", *PERIOD, "--by", "community").output
    assert "隐患整改率" in shown
    assert "检查点" in shown
    # The record of the export itself came after its checkpoint.
    assert told(founded("metrics", *PERIOD, "--json")) == from_export
    Path("out/checkpoint").write_text("?", encoding="utf-8")
    assert "没有计算" in founded("metrics", *PERIOD, "--export", "out", code=1).output


def test_the_worker_keeps_the_figures_that_the_command_computes(
    built: Built, shaoji: Shaoji, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(sqlite3.connect("street.db")) as target, built.database.connect() as conn:
        conn.connection.driver_connection.backup(target)
    database, stop = open_database("sqlite:///street.db"), Event()
    monkeypatch.setenv("SHAOJI_DATABASE_URL", "sqlite:///street.db")
    with database.begin() as conn:
        run_at = log.last_at(conn)
    run_sequencer(database, [signer(ORIGIN)], at=run_at)
    told_to = {"clock": lambda: run_at, "channels": Channels()}
    thread = Thread(target=run_figures, args=(database, stop), kwargs=told_to)
    thread.start()
    try:
        for _ in range(900):
            with reading(database).begin() as conn:
                found = basis(conn)
            if found:
                break
            sleep(0.1)
    finally:
        stop.set()
        thread.join()
    assert found
    with reading(database).begin() as conn:
        known = metric_periods.months(conn)
        units = places(log.read(conn, "@units"))
        of_all = metric_periods.periods(conn)
        year, quarter = (
            [one for one in of_all if kind_of(one.key) == kind][-1] for kind in ("year", "quarter")
        )
        for one, by in (
            (known[-1], ""), (known[-1], "community"), (known[-2], "class"), (quarter, "unit"),
            (year, "community"),
        ):  # fmt: skip
            since = f"{begin_of(one.key, ZONE):%Y-%m-%d}"
            period = ("--from", since, "--to", timestamp(one.until))
            report = told(shaoji("metrics", *period, *(("--by", by) if by else ()), "--json"))
            kept = kept_figures(conn, one.key, by, "u-tinglan", formulas(), zone=ZONE)
            assert listed(kept, units.names) == report["metrics"]
            assert report["cases"] == one.cases
            assert report["position"] == {"log": found.log, "size": found.size, "root": found.root}
            assert report["formulas"] == {"version": found.version, "sha256": found.formulas}
            assert sum(bool(metric["figures"]) for metric in report["metrics"]) > 20
    # What was warned of is what the log alone says crosses a line, and nothing else is.
    raised = told(shaoji("warnings", "--json"))
    crossed = [
        one | {"month": month.key}
        for month in known[-2:]
        for one in told(
            shaoji("warnings", "check", "--month", month.key, "--to", timestamp(month.until),
                   "--json")
        )["crossed"]
    ]  # fmt: skip
    assert crossed
    fields = set(crossed[0]) | {"numerator", "denominator", "count", "minutes", "n"}
    assert [{k: v for k, v in one.items() if k in fields} for one in raised] == crossed
    assert {(one["size"], one["root"]) for one in raised} == {(found.size, found.root)}
    assert f"{len(raised)} 条预警" in shaoji("warnings").output
    assert "条线越过" in shaoji("warnings", "check", "--month", known[-1].key).output
    database.dispose()


def test_an_export_that_was_changed_or_nobody_signed_is_refused(founded: Shaoji) -> None:
    founded("export", "log", "out")
    Path("nobody.policy").write_text("quorum none\n", encoding="utf-8")
    other = ("--export", "out", "--policy", "nobody.policy")
    assert "--policy" in founded("metrics", *PERIOD, *other, code=1).output
    (tile,) = Path("out/tile/entries").rglob("*.p/*")
    whole = tile.read_bytes()
    tile.write_bytes(whole.replace(b'"unit.created"', b'"unit.renamed"', 1))
    assert "没有计算" in founded("metrics", *PERIOD, "--export", "out", code=1).output
    tile.write_bytes(whole[:-9])
    assert "没有计算" in founded("metrics", *PERIOD, "--export", "out", code=1).output


@pytest.mark.parametrize(
    ("since", "until", "says"),
    [
        ("2026-03-01", "2026-03-01", "晚于"),
        ("March", "2026-03-01", "2026-03-01 这样"),
        ("2026-03-01", "2026-03-02T25:00Z", "2026-03-01 这样"),
    ],
)
def test_a_period_without_days_is_refused(
    founded: Shaoji, since: str, until: str, says: str
) -> None:
    assert says in founded("metrics", "--from", since, "--to", until, code=1).output


def test_an_unknown_grouping_is_refused(founded: Shaoji) -> None:
    assert "--by" in founded("metrics", *PERIOD, "--by", "person", code=2).output


def test_figures_rest_on_a_checkpoint_or_are_not_told(
    founded: Shaoji, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.metrics.sequence.latest", lambda conn: None)
    assert "shaoji checkpoint" in founded("metrics", *PERIOD, code=1).output


def test_the_report_is_json_of_counts(founded: Shaoji) -> None:
    report = json.loads(founded("metrics", *PERIOD, "--json").stdout)
    assert report["formulas"]["sha256"] == formulas().sha256
    assert report["period"]["from"] == "2025-12-31T16:00:00.000Z"
