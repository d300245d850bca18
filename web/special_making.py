"""A report on a risk, a period, or what is published leaves the house: read, laid out, recorded."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine

from audit.encoding import instant, timestamp
from audit.reports.periodic import PERIOD_VERSION
from audit.reports.risk import RISK_VERSION
from engine import report_jobs
from engine.casework import look
from engine.conduct import reporting_post
from engine.directory import Authority, Directory
from engine.exports import XLSX, Content
from engine.people import By, directory
from engine.period_reports import Wanted as PeriodWanted
from engine.period_reports import may_report_period, read_whole_period
from engine.periods import begin_of
from engine.report_files import keep_report
from engine.report_jobs import Job
from engine.rights import NotYoursToReport
from engine.risk_reports import read_risk, tracer
from engine.special_reports import PERIOD, PUBLICATION, RISK, Left, record_special_export
from web.conducting import office
from web.exporting import Means, anchored_over, made_by, sealed, sequenced
from web.metrics_page import group_names
from web.pdf import Anchored, Issue
from web.period_text import PeriodText, period_files
from web.publication_text import PUBLICATION_VERSION, SheetText, read_sheet
from web.quantities import ZONE
from web.records import names
from web.replica import read_much
from web.risk_text import RiskText
from web.texts import spoken
from web.told_book import told_book
from web.told_pdf import told_pdf
from web.told_report import ToldReport

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Ready:
    """A report that is read. heads: hashes of the last entries it rests on; else as in Left."""

    told: ToldReport
    heads: tuple[bytes, ...]
    cases: int
    about: Mapping[str, Any]
    left_out: int
    version: int
    formulas: str | None = None


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of report: what is read for a job, and by which post somebody may have it.

    may: of what a job tells; raises what refuses it. Asked at once, and again before the export is
    recorded.
    """

    read: Callable[[Connection, Job, datetime], Ready]
    may: Callable[[Connection, Mapping[str, Any], By, datetime], Authority]


def make_special(
    engine: Engine,
    job: Job,
    folder: Path,
    means: Means,
    *,
    worker: str,
    clock: Clock,
    tell: Callable[[str], None],
) -> None:
    """Make the report a job asks for, and put it on offer.

    Raises LeaseLost, StorageFull, and what reading and printing refuse.
    """
    at, kind = clock(), KINDS[job.told["report"]]
    tell("reading")
    keys = sequenced(engine, means, at)

    def read(conn: Connection) -> tuple[Ready, Directory, Anchored | None]:
        kind.may(conn, job.told, job.by, at)
        found = kind.read(conn, job, at)
        return found, directory(conn), anchored_over(conn, found.heads, keys.policy)

    ready, people, anchored = read_much(engine, means.replica, read)
    issue = Issue(
        at, made_by(people, job.by, at, job.locale), job.purpose, sealed=keys.seal is not None,
        organisation=office(people),
    )  # fmt: skip
    tell("setting")
    if job.format == XLSX:
        printed = told_book(ready.told, issue, anchored)
        sha256 = keep_report(folder, printed.data)
    else:
        printed = told_pdf(ready.told, issue, anchored)
        tell("sealing")
        sha256 = keep_report(folder, sealed(printed.data, keys, at, means))
    left = Left(
        job.told["report"], ready.about, ready.cases, ready.left_out,
        _says(ready, anchored), sha256, printed.pages, job.format, ready.formulas,
    )  # fmt: skip
    with engine.begin() as conn:
        report_jobs.hold(conn, job, worker)
        held = kind.may(conn, job.told, job.by, clock())
        record_special_export(conn, left, purpose=job.purpose, held=held, by=job.by, at=clock())
        report_jobs.offer(conn, job, sha256, printed.pages, at=clock())


def _says(ready: Ready, anchored: Anchored | None) -> Content:
    tree = anchored.checkpoint if anchored else None
    size, root = (tree.size, tree.root.hex()) if tree else (None, None)
    return Content(ready.told.digest, ready.version, size, root)


# --- the kinds ------------------------------------------------------------------------------------


def _read_risk(conn: Connection, job: Job, at: datetime) -> Ready:
    case, until = job.told["case"], instant(job.told["until"])
    traced = read_risk(conn, case, until, by=job.by, at=at)
    told = RiskText(traced.content, traced.records, names(directory(conn)), job.locale).told()
    heads = tuple(bytes.fromhex(ref.head) for ref in traced.content.cases)
    about = {"case": case, "until": timestamp(until)}
    return Ready(told, heads, len(heads), about, traced.content.left_out, RISK_VERSION)


def _may_trace(conn: Connection, told: Mapping[str, Any], by: By, at: datetime) -> Authority:
    return tracer(look(conn, told["case"], at), by)


def _read_period(conn: Connection, job: Job, at: datetime) -> Ready:
    wanted = PeriodWanted(job.told["period"], job.told["unit"])
    whole = read_whole_period(conn, wanted, period_files(), by=job.by, at=at)
    content = whole.report
    with spoken("en" if job.locale == "en" else "zh"):
        text = PeriodText(content, group_names(conn, directory(conn)), job.locale)
        told = text.whole(whole.behind)
    about = {"unit": wanted.unit, "since": timestamp(begin_of(content.period, ZONE)),
             "until": timestamp(content.until)}  # fmt: skip
    return Ready(told, (), content.cases, about, content.left_out, PERIOD_VERSION, content.formulas)


def _may_period(conn: Connection, told: Mapping[str, Any], by: By, at: datetime) -> Authority:
    return may_report_period(directory(conn), PeriodWanted(told["period"], told["unit"]), by, at)


def may_publish(people: Directory, by: By, at: datetime) -> Authority:
    """The post by which somebody may have the sheet of what is published.

    Raises NotYoursToReport.
    """
    held = reporting_post(people, by, at)
    if held is None:
        raise NotYoursToReport
    return held


def _may_publish(conn: Connection, told: Mapping[str, Any], by: By, at: datetime) -> Authority:
    return may_publish(directory(conn), by, at)


def _read_publication(conn: Connection, job: Job, at: datetime) -> Ready:
    # As of when it was asked for: a job that waits over the end of a month tells no other month.
    sheet = read_sheet(conn, job.requested_at)
    with spoken("en" if job.locale == "en" else "zh"):
        told = SheetText(sheet, job.locale).told()
    about = {"until": timestamp(sheet.hazards.position.until)}
    return Ready(told, (), sheet.cases, about, 0, PUBLICATION_VERSION)


KINDS: Final[Mapping[str, Kind]] = {
    RISK: Kind(_read_risk, _may_trace),
    PERIOD: Kind(_read_period, _may_period),
    PUBLICATION: Kind(_read_publication, _may_publish),
}
