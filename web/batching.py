"""Works off a batch: one report after the other, each recorded as it is made, then the ZIP."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from sqlalchemy import Engine

from audit import log
from engine import batches
from engine.database import reading
from engine.errors import Refusal
from engine.report_files import keep_report, read_report
from engine.report_jobs import MOST_ATTEMPTS, GivenUp, Job, LeaseLost, Made, read_job
from web.exporting import Means, make_case_report

Clock = Callable[[], datetime]


def make_batch(
    engine: Engine, job: Job, folder: Path, means: Means, *, worker: str, clock: Clock
) -> None:
    """Make what is left of a batch, and put it on offer. Raises LeaseLost, StorageFull."""
    while (case := _next(engine, job)) is not None:
        try:
            if job.attempts > MOST_ATTEMPTS:
                raise GivenUp
            made = _one(engine, job, case, folder, means, clock())
            with engine.begin() as conn:
                batches.keep_part(conn, job, case, worker, made, at=clock())
        except LeaseLost:
            raise
        except Refusal as refusal:
            with engine.begin() as conn:
                batches.refuse_part(conn, job, case, worker, refusal, at=clock())
        with reading(engine).begin() as conn:
            job = read_job(conn, job.id)
    _bind(engine, job, folder, worker, clock)


def _next(engine: Engine, job: Job) -> str | None:
    with reading(engine).begin() as conn:
        return batches.next_case(conn, job)


def _one(engine: Engine, job: Job, case: str, folder: Path, means: Means, at: datetime) -> Made:
    with reading(engine).begin() as conn:
        batches.may_export(conn, case, by=job.by, at=at)
    report = make_case_report(
        engine, case, by=job.by, at=at, purpose=job.purpose, locale=job.locale, means=means
    )
    keep_report(folder, report.content)
    return report.made


def _bind(engine: Engine, job: Job, folder: Path, worker: str, clock: Clock) -> None:
    with reading(engine).begin() as conn:
        parts, origin = batches.parts_of(conn, job), log.origin(conn)
    if not any(part.sha256 for part in parts):
        raise NothingMade
    at = clock()
    data = batches.write_zip(job, parts, origin, lambda name: read_report(folder, name), at=at)
    sha256 = keep_report(folder, data)
    with engine.begin() as conn:
        batches.finish_batch(conn, job, worker, sha256, at=at)


class NothingMade(Refusal):
    """Not one of the cases could be exported."""

    def __init__(self) -> None:
        super().__init__(
            "选的案件一件也没有导出，原因逐件列在下面。",
            "None of the cases chosen was exported; why, is told for each below.",
        )
