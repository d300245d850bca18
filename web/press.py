"""The process in which reports are set, one at a time: its fonts stay warm, its memory is bounded.

Nothing of it is in the process that serves pages: setting takes a whole core for a second, and
hundreds of megabytes for a long report. What is lost when it dies: engine.report_jobs.
"""

import gc
import logging
import secrets
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection as Pipe
from multiprocessing.context import SpawnProcess
from pathlib import Path
from threading import Event, Thread
from typing import Final

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from engine import report_jobs
from engine.batches import BATCH
from engine.casework import look
from engine.database import open_database, reading
from engine.errors import Refusal
from engine.exports import exporter
from engine.keys import policy_of
from engine.report_files import drop_old, keep_report
from engine.report_jobs import MOST_ATTEMPTS, GivenUp, Job, LeaseLost
from engine.special_reports import SPECIAL
from web import logs, telemetry
from web.anchors import anchors
from web.batching import make_batch
from web.conducting import CONDUCT, make_conduct
from web.config import Settings
from web.demonstration import clock_of
from web.exporting import Means, make_case_report
from web.replica import Replica, open_replica
from web.shared_counts import Counts
from web.spans import Spans
from web.special_making import make_special
from web.visit import utc_now

# WeasyPrint and Pango give back less than they take: after so many reports a new process begins.
MOST_REPORTS: Final = 50
IDLE_SECONDS: Final = 600.0
LOOK_SECONDS: Final = 0.5
STOP_SECONDS: Final = 10.0
SWEEP_EVERY: Final = timedelta(hours=1)

logger = logging.getLogger("shaoji.press")

Clock = Callable[[], datetime]


def means(settings: Settings, replica: Replica | None = None) -> Means:
    """What this installation makes its reports with."""
    return Means(
        settings.keys,
        settings.tsa_url,
        settings.seal_revocation,
        lambda: anchors(settings, policy_of(settings.keys)),
        replica,
    )


@contextmanager
def _means_here(engine: Engine, settings: Settings) -> Iterator[Means]:
    replica = open_replica(settings, engine, Counts())
    try:
        yield means(settings, replica)
    finally:
        if replica:
            replica.engine.dispose()


def work_off_one(engine: Engine, folder: Path, with_: Means, *, worker: str, clock: Clock) -> bool:
    """Make the oldest report that waits; False if none does. What goes wrong ends up in the job.

    Raises SQLAlchemyError where the database is not there; the job is then taken up again later.
    """
    with engine.begin() as conn:
        job = report_jobs.claim(conn, worker, at=clock())
    if job is None:
        return False
    try:
        _make(engine, job, folder, with_, worker, clock)
    except LeaseLost:
        logger.warning("report %s was taken over by another worker", job.id)
    except Refusal as refusal:
        _refuse(engine, job, worker, refusal, clock)
    except SQLAlchemyError:
        raise
    except Exception:
        # A fault of ours: tried again, so many times.
        logger.exception("report %s cannot be made", job.id)
        with engine.begin() as conn:
            report_jobs.release(conn, worker)
    return True


def _make(engine: Engine, job: Job, folder: Path, with_: Means, worker: str, clock: Clock) -> None:
    if job.kind == BATCH:
        make_batch(engine, job, folder, with_, worker=worker, clock=clock)
        return
    if job.attempts > MOST_ATTEMPTS:
        raise GivenUp

    def tell(stage: str) -> None:
        with engine.begin() as conn:
            report_jobs.tell_stage(conn, job, worker, stage, at=clock())

    if job.kind == SPECIAL:
        make_special(engine, job, folder, with_, worker=worker, clock=clock, tell=tell)
        return
    if job.kind == CONDUCT:
        make_conduct(engine, job, folder, with_, worker=worker, clock=clock, tell=tell)
        return
    with reading(engine).begin() as conn:
        exporter(look(conn, job.case, clock()), job.by)
    report = make_case_report(
        engine, job.case, by=job.by, at=clock(), purpose=job.purpose, locale=job.locale,
        means=with_, tell=tell, format_=job.format,
    )  # fmt: skip
    keep_report(folder, report.content)
    with engine.begin() as conn:
        report_jobs.finish(conn, job, worker, report.made, at=clock())


def _refuse(engine: Engine, job: Job, worker: str, refusal: Refusal, clock: Clock) -> None:
    try:
        with engine.begin() as conn:
            report_jobs.refuse(conn, job, worker, refusal, at=clock())
    except LeaseLost:
        logger.warning("report %s was taken over by another worker", job.id)


def sweep(engine: Engine, settings: Settings, *, at: datetime) -> int:
    """Delete the files of reports that were kept long enough; returns how many."""
    since = at - timedelta(days=settings.reports_days)
    with reading(engine).begin() as conn:
        offered = report_jobs.files_offered(conn, since)
    return drop_old(settings.reports, offered, before=since)


def make_waiting(engine: Engine, settings: Settings, *, clock: Clock) -> int:
    """Make every report that waits, in this process; returns how many were worked on."""
    worker, made = f"once-{secrets.token_hex(6)}", 0
    with _means_here(engine, settings) as with_:
        while work_off_one(engine, settings.reports, with_, worker=worker, clock=clock):
            made += 1
    sweep(engine, settings, at=clock())
    return made


# --- the process ----------------------------------------------------------------------------------


def run_press(settings: Settings, calls: Pipe, worker: str) -> None:
    """Work off what waits, at each call; end after MOST_REPORTS, when idle, or with the caller."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is for the caller, who then hangs up
    logs.set_up(settings.log)
    spans = telemetry.begin(settings)
    engine = open_database(settings.database_url)
    clock = clock_of(engine, utc_now)
    made = 0
    with _means_here(engine, settings) as with_:
        work = partial(work_off_one, engine, settings.reports, with_, worker=worker, clock=clock)
        while made < MOST_REPORTS and calls.poll(IDLE_SECONDS):
            try:
                calls.recv_bytes()
            except EOFError:
                break
            while made < MOST_REPORTS and _undisturbed(work, spans):
                made += 1
    engine.dispose()
    spans.stop()


def _undisturbed(work: Callable[[], bool], spans: Spans) -> bool:
    """One report without a search for garbage in the middle: that costs a tenth of it."""
    gc.disable()
    try:
        with spans.round("press") as told:
            made = work()
            told.done["reports"] = int(made)
            return made
    except SQLAlchemyError:
        logger.exception("the database cannot be worked on now; trying again")
        return False
    finally:
        gc.enable()
        gc.collect()


class Press:
    """The caller's end: a process that is there when it is needed, and gone when it is not."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._process: SpawnProcess | None = None
        self._calls: Pipe | None = None
        self.worker = ""

    @property
    def pid(self) -> int | None:
        """The process, while there is one."""
        return self._process.pid if self._process and self._process.is_alive() else None

    def call(self) -> None:
        """Have the process look for work, starting it if there is none."""
        if self.pid is None:
            self._start()
        try:
            if self._calls is not None:
                self._calls.send_bytes(b"look")
        except OSError:
            logger.warning("the press has just ended; another one will be started")

    def buried(self) -> str | None:
        """The name of the worker whose process has ended since this was asked last."""
        if self._process is None or self._process.is_alive():
            return None
        name, self.worker = self.worker, ""
        self._clear()
        return name

    def close(self) -> None:
        """Let it finish what it has in hand, for a while; what it does not, the next one does."""
        if self._process is None:
            return
        if self._calls is not None:
            self._calls.close()
        self._process.join(STOP_SECONDS)
        if self._process.is_alive():
            self._process.terminate()
            self._process.join()
        self._clear()

    def _start(self) -> None:
        self._clear()
        self.worker = f"press-{secrets.token_hex(6)}"
        # Spawned, not forked: the pages run in threads, and a fork would inherit their locks.
        context = get_context("spawn")
        theirs, self._calls = context.Pipe(duplex=False)
        self._process = context.Process(
            target=run_press, args=(self._settings, theirs, self.worker), daemon=True
        )
        self._process.start()
        theirs.close()

    def _clear(self) -> None:
        if self._calls is not None:
            self._calls.close()
        if self._process is not None and not self._process.is_alive():
            self._process.close()
        self._process = self._calls = None


# --- calling it -----------------------------------------------------------------------------------


def run_reports(engine: Engine, stop: Event, *, settings: Settings, clock: Clock) -> None:
    """Call the press whenever a report waits, until `stop` is set."""
    press = Press(settings)
    swept: datetime | None = None
    while not stop.is_set():
        try:
            if swept is None or clock() >= swept + SWEEP_EVERY:
                swept = clock()
                sweep(engine, settings, at=swept)
            if attend(engine, press, at=clock()):
                press.call()
        except SQLAlchemyError:
            logger.exception("the database cannot be worked on now; trying again")
        stop.wait(LOOK_SECONDS)
    press.close()


def attend(engine: Engine, press: Press, *, at: datetime) -> bool:
    """Whether a report waits, once what a dead press had in hand is given back."""
    if dead := press.buried():
        with engine.begin() as conn:
            report_jobs.release(conn, dead)
    with reading(engine).begin() as conn:
        return report_jobs.is_work(conn, at)


def start_reports(engine: Engine, stop: Event, *, settings: Settings, clock: Clock) -> Thread:
    """Attend to reports in a thread until `stop` is set; join it, and the press ends cleanly."""
    told = {"settings": settings, "clock": clock}
    thread = Thread(
        target=run_reports, args=(engine, stop), kwargs=told, name="shaoji-reports", daemon=True
    )
    thread.start()
    return thread
