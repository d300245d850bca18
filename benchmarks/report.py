"""What it costs to set the pages of a real case: 2, about 12, about 100 and more, in one process.

Cases of as many rounds of rework as it takes are made through the public commands, then their
reports are set again and again in one warm process: the record in words (HTML) alone, and the whole
report without seal. Medians by the clock on the wall and of the processor, which is what other work
on the machine leaves alone; what a page costs; the peak of memory so far.

    python benchmarks/report.py [--rounds 0 34 340 900] [--times 5] [--keep FOLDER] [--json]
"""

import argparse
import gc
import json
import platform
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

sys.path.insert(0, str(Path(__file__).parents[1]))

from audit import log
from audit.evidence_file import EvidenceFile
from audit.reports.case import case_record
from audit.reports.facts import CaseRecord
from benchmarks.steps import POSTS, ROOT, START, UNITS, photo, steps_of_a_case
from engine.calendar_versions import publish_calendar
from engine.case_evidence import case_evidence
from engine.cases import Place, Report, complete_task, open_case
from engine.database import open_database
from engine.definition_sets import deploy, load
from engine.definitions import read_folder
from engine.exports import element_facts
from engine.people import By, create_unit, directory, grant_post, register_person
from engine.schema import create_schema
from web.pdf import Issue, case_report_html, render_case_report
from web.printing import Printed
from web.records import names
from web.wording import Names


@dataclass(slots=True)
class Office:
    """A street with one person a duty, and its clock."""

    engine: Engine
    person: dict[str, str]
    at: Any = START

    def case_of(self, rounds: int) -> str:
        """A closed case: confirmed, assigned, so many rounds sent back, accepted, closed."""
        form = {"title": "车棚飞线充电", "category": "charging", "address": "3 幢",
                "description": "有人从楼上拉线充电"}  # fmt: skip
        report = Report("hazard", "charging", "车棚飞线充电", Place("u-grid", "3 幢"), form)
        with self.engine.begin() as conn:
            case = open_case(conn, report, by=By(self.person["report"]), at=self._later()).case
        first, rectify, failed, passed, last = self._steps()
        for step in first:
            self._do(case, *step)
        for n in range(1, rounds + 1):
            self._do(case, f"rectify#{n}", *rectify[1:])
            self._do(case, f"accept#{n}", *failed[1:])
        self._do(case, f"rectify#{rounds + 1}", *rectify[1:])
        self._do(case, f"accept#{rounds + 1}", *passed[1:])
        self._do(case, *last)
        return case

    def _steps(self) -> Any:
        told = steps_of_a_case(self)  # type: ignore[arg-type]
        return told[:3], told[3], told[4], told[8], told[9]

    def _later(self) -> Any:
        self.at += timedelta(minutes=7)
        return self.at

    def _do(self, case: str, task: str, who: str, form: Any, purposes: tuple[str, ...]) -> None:
        evidence = [photo(purpose) for purpose in purposes]
        with self.engine.begin() as conn:
            complete_task(
                conn, case, task, form, by=By(self.person[who]), at=self._later(),
                evidence=evidence,
            )  # fmt: skip


def found(folder: Path) -> Office:
    """A street in a database of its own."""
    engine = open_database(f"sqlite:///{folder / 'street.db'}")
    create_schema(engine)
    person = {}
    with engine.begin() as conn:
        log.found(conn, "log.bench.example")
        calendar = (ROOT / "workflows/calendar/cn.toml").read_bytes()
        publish_calendar(conn, calendar, by=None, at=START)
        deploy(conn, read_folder(ROOT / "workflows/hazard"), by=None, at=START)
        for unit, kind, name, parent in UNITS:
            create_unit(conn, unit, kind=kind, name=name, parent=parent, by=None, at=START)
        for duty, unit in POSTS.items():
            person[duty] = register_person(conn, f"{duty}演示", by=None, at=START)
            grant_post(conn, person[duty], unit, duty, [duty], reason="到任", by=None, at=START)
    return Office(engine, person)


@dataclass(slots=True)
class Told:
    """A case as its report needs it."""

    evidence: EvidenceFile
    record: CaseRecord
    names: Names


def read(engine: Engine, case: str) -> Told:
    """What `web.exporting` reads."""
    with engine.begin() as conn:
        entries = log.read(conn, case)
        facts = element_facts(load(conn, entries[0].data["definition"]["sha256"]))
        return Told(case_evidence(conn, case), case_record(entries, facts), names(directory(conn)))


def issue(told: Told) -> Issue:
    """The same every time."""
    return Issue(told.record.last, "督查演示（演示街道·督查）", "量一量", "演示街道")


def words(told: Told) -> None:
    """The record in words, as HTML."""
    case_report_html(told.record, issue(told), names=told.names, locale="zh")


def report(told: Told) -> Printed:
    """The whole report."""
    return render_case_report(
        told.record, issue(told), names=told.names, evidence=told.evidence, locale="zh"
    )


def seconds(work: Callable[[Told], Any], told: Told, times: int) -> tuple[float, float]:
    """The medians of so many runs: by the clock on the wall, and of the processor."""
    wall, processor = [], []
    for _ in range(times):
        gc.collect()
        begun, worked = time.perf_counter(), time.process_time()
        work(told)
        wall.append(time.perf_counter() - begun)
        processor.append(time.process_time() - worked)
    return statistics.median(wall), statistics.median(processor)


def measure_case(told: Told, times: int, keep: Path | None) -> dict[str, Any]:
    """Medians over so many reports of one case, after one that is not counted."""
    printed = report(told)
    if keep:
        (keep / f"{told.record.count}-entries.pdf").write_bytes(printed.data)
    (spent, worked), pages = seconds(report, told, times), printed.pages
    return {
        "entries": told.record.count,
        "pages": pages,
        "words_s": round(seconds(words, told, times)[0], 3),
        "report_s": round(spent, 3),
        "cpu_s": round(worked, 3),
        "cpu_ms_page": round(worked / pages * 1000, 1),
        "kilobytes": len(printed.data) // 1000,
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def measure(folder: Path, rounds: list[int], times: int, keep: Path | None) -> dict[str, Any]:
    """All figures of one run."""
    office = found(folder)
    cases = [office.case_of(n) for n in rounds]
    told = [read(office.engine, case) for case in cases]
    begun = time.perf_counter()
    report(told[0])
    cold = time.perf_counter() - begun
    gc.freeze()
    gc.disable()  # as web.press does while a report is set
    return {
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
        "first_report_s": round(cold, 3),
        "reports": [measure_case(one, times, keep) for one in told],
    }


def main() -> None:
    """Measure, print a table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, nargs="+", default=[0, 34, 340, 900])
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--keep", type=Path, help="leave the PDFs there")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        told = measure(Path(folder), chosen.rounds, chosen.times, chosen.keep)
    if chosen.json:
        print(json.dumps(told, indent=1))
        return
    print(f"{told['machine']}; the first report of a process: {told['first_report_s']} s")
    print("  ".join(f"{name:>11}" for name in told["reports"][0]))
    for row in told["reports"]:
        print("  ".join(f"{value:>11}" for value in row.values()))


if __name__ == "__main__":
    main()
