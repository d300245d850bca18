"""Reports that were asked for and are made by a worker: asked, claimed, told how far, ended once.

    requested → rendering (reading, setting, sealing) → done | refused

Crash order. A worker claims a job for a while (its lease), makes the report without holding
anything, and writes the file durably under its hash. Only then, in one transaction, the export is
put on the log and the job is marked done with that hash. So whenever a worker dies, either nothing
is on the record and the next one makes the report anew once the lease is over (a file left behind
is one that nobody is offered, and is swept away), or it is on the record and the file is there.
Never two records for one job: whoever has lost its lease is turned away under the lock of the row,
and the log itself answers the key of a job only once.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import orjson
from sqlalchemy import Column, Connection, Index, Integer, Table, Text, and_, insert, or_, select
from sqlalchemy import update as update_

from audit.encoding import instant, timestamp
from audit.log import metadata
from engine.casework import Desk
from engine.errors import BadInput, Conflict, NotFound, Refusal
from engine.exports import FORMATS, PDF, Content, exporter, record_export
from engine.people import By
from engine.reasons import reasoned

# Longer than any one stage takes; each stage begins it anew.
LEASE: Final = timedelta(minutes=2)
MOST_ATTEMPTS: Final = 3
CASE_REPORT: Final = "case_report"

job_table = Table(
    "report_job",
    metadata,
    Column("id", Text, primary_key=True),
    Column("key", Text, nullable=False, unique=True),
    Column("case", Text, nullable=False),
    Column("person", Text, nullable=False),
    Column("on_behalf_of", Text),
    Column("channel", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("locale", Text, nullable=False),
    Column("requested_at", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("stage", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("worker", Text),
    Column("lease_until", Text),
    Column("ended_at", Text),
    Column("sha256", Text),
    Column("pages", Integer),
    Column("chinese", Text),
    Column("english", Text),
    Column("kind", Text, nullable=False, server_default="case_report"),
    Column("told", Text, nullable=False, server_default="{}"),
    Column("done", Integer, nullable=False, server_default="0"),
    Column("total", Integer, nullable=False, server_default="0"),
    Index("report_job_by_state", "state", "requested_at"),
    Index("report_job_by_case", "case", "person"),
)


class NoSuchJob(NotFound):
    """There is no such job, or it is not for this person to know of."""

    def __init__(self) -> None:
        super().__init__(
            "没有找到这份报告。只有申请的人看得到自己申请的报告，请到案件页重新申请。",
            "There is no such report. Only whoever asked for one sees it; ask anew on the page of "
            "the case.",
        )


class NoSuchFormat(BadInput):
    """Reports are made as PDF and as Excel."""

    def __init__(self) -> None:
        super().__init__(
            "报告只能做成 PDF 或 Excel，请选一种。", "Reports are PDF or Excel; choose one of them."
        )


class LeaseLost(Conflict):
    """Another worker has taken the job over."""

    def __init__(self) -> None:
        super().__init__(
            "这份报告已由另一个后台进程接手。", "Another worker has taken this report over."
        )


class GivenUp(Refusal):
    """The report could not be made, again and again."""

    def __init__(self) -> None:
        super().__init__(
            f"试了 {MOST_ATTEMPTS} 次都没有做成，没有导出。请把案件号告诉管理员，查看服务器日志。",
            f"Tried {MOST_ATTEMPTS} times in vain; nothing was exported. Tell the administrator "
            "the number of the case; the server's log says more.",
        )


@dataclass(frozen=True, slots=True)
class Job:
    """A report somebody asked for.

    kind: case_report, conduct (engine.conduct), special (engine.special_reports) or batch
    (engine.batches), `told` what it is about beside a case; case: "" where it is not about one.
    done, total: cases of a batch. state: requested, rendering, done or refused. stage: reading,
    setting or sealing, while it is rendered. sha256, pages: of the file on the record. chinese,
    english: why it was refused.
    """

    id: str
    case: str
    by: By
    purpose: str
    locale: str
    requested_at: datetime
    state: str
    stage: str = ""
    attempts: int = 0
    ended_at: datetime | None = None
    sha256: str | None = None
    pages: int | None = None
    chinese: str | None = None
    english: str | None = None
    kind: str = CASE_REPORT
    told: Mapping[str, Any] = field(default_factory=dict)
    done: int = 0
    total: int = 0

    @property
    def format(self) -> str:
        """pdf or xlsx."""
        return str(self.told.get("format", PDF))


@dataclass(frozen=True, slots=True)
class Made:
    """A report as it is to be recorded: hash of the file, pages, head it rests on (both hex)."""

    sha256: str
    pages: int
    head: str
    content: Content | None = None
    format: str = PDF


def request(
    conn: Connection,
    desk: Desk,
    *,
    purpose: str,
    locale: str,
    by: By,
    key: str,
    format_: str = PDF,
) -> Job:
    """Ask for the report of a case; the same key again gives the same job.

    Raises MayNotExport, NoReason, NoSuchFormat.
    """
    exporter(desk, by)
    told = orjson.dumps(format_asked(format_)).decode()
    about = {"case": desk.case.case, "kind": CASE_REPORT, "told": told}
    return enter(conn, about, purpose=purpose, locale=locale, by=by, at=desk.at, key=key)


def enter(
    conn: Connection,
    about: Mapping[str, Any],
    *,
    purpose: str,
    locale: str,
    by: By,
    at: datetime,
    key: str,
) -> Job:
    """Put a job in; whether this person may ask for it was asked before.

    about: its columns `case`, `kind`, `told` (JSON) and `total`. Raises NoReason.
    """
    told = reasoned(purpose, what="用途", english="a purpose")
    before = known(conn, key)
    if before is not None:
        return before
    row = {
        "case": "",
        **about,
        "id": secrets.token_urlsafe(12),
        "key": key,
        "person": by.person,
        "on_behalf_of": by.on_behalf_of,
        "channel": by.channel,
        "purpose": told,
        "locale": locale,
        "requested_at": timestamp(at),
        "state": "requested",
        "stage": "",
        "attempts": 0,
    }
    conn.execute(insert(job_table), row)
    return read_job(conn, row["id"])


def format_asked(format_: str) -> dict[str, str]:
    """The format as a job has it. Raises NoSuchFormat."""
    if format_ not in FORMATS:
        raise NoSuchFormat
    return {"format": format_}


def read_job(conn: Connection, job: Any) -> Job:
    """A job as it stands. Raises NoSuchJob."""
    row = conn.execute(select(job_table).where(job_table.c.id == job)).first()
    if row is None:
        raise NoSuchJob
    return _job(row)


def known(conn: Connection, key: str) -> Job | None:
    """The job this key has asked for before, or None."""
    row = conn.execute(select(job_table).where(job_table.c.key == key)).first()
    return None if row is None else _job(row)


def own_jobs(conn: Connection, case: str, person: str, *, limit: int = 5) -> Sequence[Job]:
    """What this person asked for about a case, newest first."""
    query = (
        select(job_table)
        .where(job_table.c.case == case, job_table.c.person == person)
        .order_by(job_table.c.requested_at.desc(), job_table.c.id)
        .limit(limit)
    )
    return [_job(row) for row in conn.execute(query)]


def jobs_of(conn: Connection, person: str, kind: str, *, limit: int = 10) -> Sequence[Job]:
    """What this person asked for of this kind, newest first."""
    query = (
        select(job_table)
        .where(job_table.c.person == person, job_table.c.kind == kind)
        .order_by(job_table.c.requested_at.desc(), job_table.c.id)
        .limit(limit)
    )
    return [_job(row) for row in conn.execute(query)]


# --- the worker's side ----------------------------------------------------------------------------


def is_work(conn: Connection, at: datetime) -> bool:
    """Whether a job waits for a worker."""
    return conn.execute(select(job_table.c.id).where(_claimable(at)).limit(1)).first() is not None


def claim(conn: Connection, worker: str, *, at: datetime) -> Job | None:
    """Take the oldest job that waits, or whose worker has not been heard of for a lease."""
    query = (
        select(job_table)
        .where(_claimable(at))
        .order_by(job_table.c.requested_at, job_table.c.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    row = conn.execute(query).first()
    if row is None:
        return None
    changed = {"state": "rendering", "stage": "reading", "attempts": row.attempts + 1}
    _update(conn, row.id, changed | {"worker": worker, "lease_until": _lease(at)})
    return read_job(conn, row.id)


def tell_stage(conn: Connection, job: Job, worker: str, stage: str, *, at: datetime) -> None:
    """Say how far the job has come, which begins the lease anew. Raises LeaseLost."""
    hold(conn, job, worker)
    _update(conn, job.id, {"stage": stage, "lease_until": _lease(at)})


def finish(conn: Connection, job: Job, worker: str, made: Made, *, at: datetime) -> None:
    """Put the export on the record and the file on offer, in one transaction.

    Raises LeaseLost, and what `record_export` refuses: the right to export is asked for again.
    """
    hold(conn, job, worker)
    record_export(
        conn, job.case, kind="case_report", sha256=made.sha256, head=made.head,
        purpose=job.purpose, pages=made.pages, content=made.content, format_=made.format, by=job.by,
        at=at, key=f"report:{job.id}",
    )  # fmt: skip
    offer(conn, job, made.sha256, made.pages, at=at)


def offer(conn: Connection, job: Job, sha256: str, pages: int, *, at: datetime) -> None:
    """End a job whose file is on the record, and offer it; `hold` it before, in one transaction."""
    ended = {"state": "done", "stage": "", "ended_at": timestamp(at), "lease_until": None}
    _update(conn, job.id, ended | {"sha256": sha256, "pages": pages})


def advance(conn: Connection, job: Job, done: int, *, at: datetime) -> None:
    """Say how many cases of a batch are done, which begins the lease anew; `hold` it before."""
    # It came on: what made an earlier worker fail was not this.
    changed = {"done": done, "lease_until": _lease(at), "attempts": 1}
    _update(conn, job.id, changed)


def refuse(conn: Connection, job: Job, worker: str, refusal: Refusal, *, at: datetime) -> None:
    """End the job without a report. Raises LeaseLost."""
    hold(conn, job, worker)
    ended = {"state": "refused", "stage": "", "ended_at": timestamp(at), "lease_until": None}
    _update(conn, job.id, ended | {"chinese": refusal.chinese, "english": refusal.english})


def release(conn: Connection, worker: str) -> int:
    """Give back at once what a worker had that is known to be dead; returns how many."""
    held = and_(job_table.c.state == "rendering", job_table.c.worker == worker)
    changed = {"state": "requested", "stage": "", "worker": None, "lease_until": None}
    return conn.execute(update_(job_table).where(held).values(changed)).rowcount


def files_offered(conn: Connection, since: datetime) -> set[str]:
    """Hashes of the reports that were recorded since then."""
    recent = job_table.c.ended_at >= timestamp(since)
    return set(
        conn.execute(
            select(job_table.c.sha256).where(recent, job_table.c.state == "done")
        ).scalars()
    )


def _claimable(at: datetime) -> Any:
    lapsed = and_(job_table.c.state == "rendering", job_table.c.lease_until < timestamp(at))
    return or_(job_table.c.state == "requested", lapsed)


def hold(conn: Connection, job: Job, worker: str) -> None:
    """Lock the row and make sure that it is still this worker's. Raises LeaseLost."""
    query = (
        select(job_table.c.state, job_table.c.worker)
        .where(job_table.c.id == job.id)
        .with_for_update()
    )
    row = conn.execute(query).first()
    if row is None or (row.state, row.worker) != ("rendering", worker):
        raise LeaseLost


def _lease(at: datetime) -> str:
    return timestamp(at + LEASE)


def _update(conn: Connection, job: str, changed: dict[str, Any]) -> None:
    conn.execute(update_(job_table).where(job_table.c.id == job).values(changed))


def _job(row: Any) -> Job:
    return Job(
        id=row.id,
        case=row.case,
        by=By(row.person, row.channel, row.on_behalf_of),
        purpose=row.purpose,
        locale=row.locale,
        requested_at=instant(row.requested_at),
        state=row.state,
        stage=row.stage,
        attempts=row.attempts,
        ended_at=instant(row.ended_at) if row.ended_at else None,
        sha256=row.sha256,
        pages=row.pages,
        chinese=row.chinese,
        english=row.english,
        kind=row.kind,
        told=orjson.loads(row.told),
        done=row.done,
        total=row.total,
    )
