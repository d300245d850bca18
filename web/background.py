"""The worker's loops: clocks, messages between cases, the tree; beside it, what leaves the house.

What is kept long enough is looked for once an hour: it may take long, and an hour is soon enough.
Whoever is asked outside the house is asked in a loop of its own, so that no clock waits for them:
witnesses and authorities in one, each channel of notices in another. So is what goes through the
whole log: signals, metrics, and what is published.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event, Thread

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from audit.sequence import SequencedElsewhere, TreeDiffers
from engine import notice_board
from engine.anchoring import Anchors, anchor
from engine.database import reading
from engine.delivery import deliver
from engine.drafts import sweep_drafts
from engine.early_warning import raise_warnings
from engine.errors import Refusal
from engine.flow_months import keep_flows
from engine.keys import Places
from engine.metric_periods import basis, keep_figures
from engine.photo_copies import is_fresh, make_copies
from engine.retention import destroy_due
from engine.sealed_answers import sweep_unnamed
from engine.sequencer import Pace, sequence_log
from engine.signals import look_at_photos, refresh
from engine.text_search import list_some
from engine.vault import Vault
from engine.worker import ring_due
from web import hazard_publication
from web.channels import Channels
from web.config import BadSettings
from web.formulas import formulas
from web.heartbeat import Turns
from web.notifying import send_waiting
from web.quantities import ZONE
from web.signal_rules import signal_rules
from web.spans import SILENT, Round, Spans
from web.visit import utc_now
from web.warning_thresholds import thresholds

EVERY_SECONDS = 5.0
# So soon somebody else's work is taken over once its lease is over.
TURN_SECONDS = 5.0
RETENTION_EVERY = timedelta(hours=1)
LISTED_AT_ONCE = 200

logger = logging.getLogger("shaoji.worker")


@dataclass(frozen=True, slots=True)
class Chores:
    """What a worker does beside ringing clocks and delivering messages.

    vault, retention: what is sealed, and how long it outlives its case. keys: what signs the tree;
    without them it grows unsigned elsewhere. anchors: where heads go, asked anew each time.
    channels: by which notices leave the house; without any, people see them on their own page.
    photos: the store of evidence; without it no copies are made and near-duplicates not looked for.
    turns: how this process and other workers take turns; without, it does what they do, too. spans:
    where it tells of its rounds.
    """

    vault: Vault | None = None
    retention: timedelta | None = None
    keys: Places | None = None
    anchors: Callable[[], Anchors] | None = None
    channels: Channels = field(default_factory=Channels)
    photos: Path | None = None
    turns: Turns | None = None
    spans: Spans = SILENT


def run_worker(
    engine: Engine,
    stop: Event,
    *,
    clock: Callable[[], datetime],
    chores: Chores,
    tell: Callable[[str], None] = logger.info,
) -> None:
    """Do what is due until `stop` is set.

    A database that cannot be reached now is tried again: due clocks wait for it, recorded late but
    with the instant at which they were due.
    """
    looked: datetime | None = None
    while not stop.is_set():
        with chores.spans.round("worker") as told:
            hour_is_over = looked is None or clock() >= looked + RETENTION_EVERY
            if hour_is_over and _ours(chores.turns, "retention"):
                looked = clock()
                _forget_drafts(engine, looked)
                told.done["destroyed"] = _retire(engine, chores, looked, tell)
            moved = _move_on(engine, chores, told, clock=clock, tell=tell)
            if _ours(chores.turns, "sequencer"):
                told.done["integrated"] = _sequence(engine, chores, clock(), tell)
        if not moved:
            stop.wait(EVERY_SECONDS)


def _move_on(
    engine: Engine,
    chores: Chores,
    told: Round,
    *,
    clock: Callable[[], datetime],
    tell: Callable[[str], None],
) -> bool:
    """Ring what is due, deliver what is under way, list some older texts; whether any was."""
    try:
        recorded, refused = ring_due(engine, at=clock())
        delivered, stuck = deliver(engine, at=clock(), vault=chores.vault)
        refused += stuck
    except SQLAlchemyError as error:
        logger.exception("the database cannot be worked on now; trying again")
        told.fault = type(error).__name__
        recorded, delivered, refused = 0, 0, []
    listed = _list_texts(engine)
    for sentence in refused:
        logger.warning(sentence)
    if recorded:
        tell(f"{recorded} 个时钟到时，已记录 / {recorded} clocks recorded")
    if delivered:
        tell(f"{delivered} 条案件间消息已送达 / {delivered} messages delivered")
    told.done |= {"clocks": recorded, "messages": delivered, "listed": listed}
    return bool(recorded or delivered or listed)


def _list_texts(engine: Engine) -> int:
    """Some of the cases an older release entered, made to be found; few, as others wait to write.

    Returns how many; there may be more.
    """
    try:
        return list_some(engine, LISTED_AT_ONCE)
    except SQLAlchemyError:
        logger.exception("cases of an older release cannot be listed now; trying again")
        return 0


def _ours(turns: Turns | None, work: str) -> bool:
    return turns is None or turns.ours(work)


def run_anchors(
    engine: Engine,
    stop: Event,
    *,
    clock: Callable[[], datetime],
    anchors: Callable[[], Anchors],
    turns: Turns | None = None,
    spans: Spans = SILENT,
) -> None:
    """Take the last checkpoint to whoever keeps it, until `stop` is set."""
    while not stop.is_set():
        try:
            if _ours(turns, "anchors"):
                with spans.round("anchors") as told:
                    told.done["failed"] = len(anchor(engine, anchors(), at=clock()))
        except (SQLAlchemyError, Refusal, BadSettings):
            logger.exception("heads cannot leave the house now; trying again")
        stop.wait(EVERY_SECONDS)


def run_notices(
    engine: Engine,
    stop: Event,
    *,
    clock: Callable[[], datetime],
    channels: Channels,
    spans: Spans = SILENT,
) -> None:
    """Work out who is to be told what, until `stop` is set."""
    swept: datetime | None = None
    while not stop.is_set():
        try:
            with spans.round("notices") as told:
                made, stuck = notice_board.tell(engine, channels.outlets, at=clock())
                told.done["notices"] = made
            for sentence in stuck:
                logger.warning(sentence)
            if swept is None or clock() >= swept + RETENTION_EVERY:
                swept = clock()
                with engine.begin() as conn:
                    notice_board.sweep(conn, at=swept)
        except SQLAlchemyError:
            logger.exception("notices cannot be worked out now; trying again")
        stop.wait(EVERY_SECONDS)


def run_copies(stop: Event, photos: Path, spans: Spans = SILENT) -> None:
    """Make the copies of photos that came in, until `stop` is set."""
    while not stop.is_set():
        try:
            if is_fresh(photos):
                with spans.round("copies") as told:
                    told.done["photos"] = make_copies(photos, stopped=stop.is_set)
        except OSError:
            logger.exception("the store of evidence cannot be read now; trying again")
        stop.wait(EVERY_SECONDS)


def run_signals(
    engine: Engine,
    stop: Event,
    photos: Path | None = None,
    turns: Turns | None = None,
    spans: Spans = SILENT,
) -> None:
    """Look for signals once an hour, until `stop` is set: a large street's first time is long.

    photos: the store of evidence, looked at last, as opening and comparing pictures takes longest.
    """

    def look(told: Round) -> None:
        told.done["cases"] = refresh(engine, signal_rules(), lambda _: None)
        if photos is not None:
            look_at_photos(engine, photos, signal_rules(), stopped=stop.is_set)

    _hourly(
        stop,
        spans,
        "signals",
        look,
        "signals cannot be looked for now; trying again in an hour",
        lambda: _ours(turns, "signals"),
    )


def run_flows(
    engine: Engine,
    stop: Event,
    *,
    clock: Callable[[], datetime],
    turns: Turns | None = None,
    spans: Spans = SILENT,
) -> None:
    """Keep how the cases of each month went, once an hour, until `stop` is set."""

    def keep(told: Round) -> None:
        made = keep_flows(engine, zone=ZONE, at=clock(), stopped=stop.is_set)
        told.done["months"] = made

    _hourly(
        stop,
        spans,
        "flows",
        keep,
        "how cases went cannot be worked out now; trying again in an hour",
        lambda: _ours(turns, "flows"),
    )


def run_publication(
    engine: Engine,
    stop: Event,
    *,
    clock: Callable[[], datetime],
    turns: Turns | None = None,
    spans: Spans = SILENT,
) -> None:
    """Keep what is published of the last months, once a month, until `stop` is set."""

    def keep(told: Round) -> None:
        told.done["months"] = int(hazard_publication.keep(engine, clock(), stop.is_set))

    _hourly(
        stop,
        spans,
        "publication",
        keep,
        "what is published cannot be worked out now; trying again in an hour",
        lambda: _ours(turns, "publication"),
    )


def _hourly(
    stop: Event,
    spans: Spans,
    loop: str,
    work: Callable[[Round], None],
    failed: str,
    ours: Callable[[], bool] = lambda: True,
) -> None:
    while not stop.is_set():
        if not ours():
            stop.wait(TURN_SECONDS)
            continue
        try:
            with spans.round(loop) as told:
                work(told)
        except (SQLAlchemyError, LookupError, ValueError):
            logger.exception(failed)
        stop.wait(RETENTION_EVERY.total_seconds())


def run_figures(
    engine: Engine,
    stop: Event,
    *,
    clock: Callable[[], datetime],
    channels: Channels,
    turns: Turns | None = None,
    spans: Spans = SILENT,
) -> None:
    """Bring the metrics to the last checkpoint once an hour, until `stop` is set; warn by them.

    Before the first checkpoint it is looked for again soon.
    """
    while not stop.is_set():
        if not _ours(turns, "figures"):
            stop.wait(TURN_SECONDS)
            continue
        try:
            with spans.round("figures") as told:
                told.done["periods"] = keep_figures(engine, formulas(), zone=ZONE)
                raised = raise_warnings(
                    engine, thresholds(), formulas(), channels.outlets, at=clock()
                )
                told.done["warnings"] = raised
            with reading(engine).begin() as conn:
                found = basis(conn) is not None
        except (SQLAlchemyError, ValueError):
            logger.exception("the metrics cannot be counted now; trying again in an hour")
            found = True
        stop.wait(RETENTION_EVERY.total_seconds() if found else EVERY_SECONDS)


def run_channel(
    engine: Engine,
    stop: Event,
    *,
    clock: Callable[[], datetime],
    channels: Channels,
    channel: str,
    spans: Spans = SILENT,
) -> None:
    """Send what is due on one channel, until `stop` is set."""
    while not stop.is_set():
        try:
            with spans.round(channel) as told:
                told.done["sent"] = send_waiting(engine, channels, channel, clock=clock)
        except SQLAlchemyError:
            logger.exception("notices cannot be sent now; trying again")
        stop.wait(EVERY_SECONDS)


def _sequence(engine: Engine, chores: Chores, at: datetime, tell: Callable[[str], None]) -> int:
    """Take in what waits, and sign if it is time to. What cannot be done now is tried again.

    Returns how many entries were taken in.
    """
    if chores.keys is None:
        return 0
    try:
        done = sequence_log(engine, chores.keys, at=at, pace=Pace())
    except SequencedElsewhere:
        return 0
    except TreeDiffers:
        logger.exception("the tree was changed; nothing is signed. Run shaoji verify")
        return 0
    except (SQLAlchemyError, Refusal):
        logger.exception("the tree cannot be extended now; trying again")
        return 0
    if done.published is not None:
        size = done.published.text.split("\n")[1]
        tell(f"检查点 {size} / checkpoint {size}")
    return done.integrated


def _forget_drafts(engine: Engine, at: datetime) -> None:
    try:
        with engine.begin() as conn:
            sweep_drafts(conn, at=at)
    except SQLAlchemyError:
        logger.exception("old drafts cannot be looked through now; trying again in an hour")


def _retire(engine: Engine, chores: Chores, at: datetime, tell: Callable[[str], None]) -> int:
    if chores.vault is None or chores.retention is None:
        return 0
    try:
        gone = destroy_due(engine, chores.vault, at=at, after=chores.retention)
        with engine.begin() as conn:
            sweep_unnamed(conn, chores.vault, at=at)
    except (SQLAlchemyError, Refusal):
        logger.exception("what is sealed cannot be looked through now; trying again in an hour")
        return 0
    if gone:
        tell(f"{gone} 份密封内容保存期满，已销毁 / {gone} sealed contents destroyed")
    return gone


def start_worker(
    engine: Engine, stop: Event, clock: Callable[[], datetime], chores: Chores
) -> None:
    """Run the worker in threads of this process, until `stop` is set."""
    told = {"clock": clock, "chores": chores}
    _start(run_worker, (engine, stop), told, "shaoji-worker")
    start_beside(engine, stop, clock, chores)


def start_beside(
    engine: Engine, stop: Event, clock: Callable[[], datetime], chores: Chores
) -> None:
    """Start every loop of a worker but its first (`run_worker`), each in a thread of its own."""
    start_anchors(engine, stop, chores)
    start_notices(engine, stop, clock, chores.channels, chores.spans)
    start_copies(stop, chores.photos, chores.spans)
    start_signals(engine, stop, chores.photos, chores.turns, chores.spans)
    start_publication(engine, stop, clock, chores.turns, chores.spans)
    start_figures(engine, stop, clock, chores.channels, chores.turns, chores.spans)
    start_flows(engine, stop, clock, chores.turns, chores.spans)


def start_notices(
    engine: Engine,
    stop: Event,
    clock: Callable[[], datetime],
    channels: Channels,
    spans: Spans,
) -> None:
    """Work notices out in a thread, and serve each channel in another, until `stop` is set."""
    told: dict[str, object] = {"clock": clock, "channels": channels, "spans": spans}
    _start(run_notices, (engine, stop), told, "shaoji-notices")
    for channel in channels.senders:
        own = told | {"channel": channel}
        _start(run_channel, (engine, stop), own, f"shaoji-{channel}")


def start_signals(
    engine: Engine, stop: Event, photos: Path | None, turns: Turns | None, spans: Spans
) -> None:
    """Look for signals in a thread of its own, until `stop` is set."""
    _start(run_signals, (engine, stop, photos, turns, spans), {}, "shaoji-signals")


def start_flows(
    engine: Engine,
    stop: Event,
    clock: Callable[[], datetime],
    turns: Turns | None,
    spans: Spans,
) -> None:
    """Keep how cases went in a thread of its own, until `stop` is set."""
    told: dict[str, object] = {"clock": clock, "turns": turns, "spans": spans}
    _start(run_flows, (engine, stop), told, "shaoji-flows")


def start_publication(
    engine: Engine,
    stop: Event,
    clock: Callable[[], datetime],
    turns: Turns | None,
    spans: Spans,
) -> None:
    """Keep what is published in a thread of its own, until `stop` is set."""
    told: dict[str, object] = {"clock": clock, "turns": turns, "spans": spans}
    _start(run_publication, (engine, stop), told, "shaoji-publication")


def start_figures(
    engine: Engine,
    stop: Event,
    clock: Callable[[], datetime],
    channels: Channels,
    turns: Turns | None,
    spans: Spans,
) -> None:
    """Count the metrics in a thread of its own, until `stop` is set."""
    told = {"clock": clock, "channels": channels, "turns": turns, "spans": spans}
    _start(run_figures, (engine, stop), told, "shaoji-figures")


def start_copies(stop: Event, photos: Path | None, spans: Spans) -> None:
    """Make copies of photos in a thread of its own, until `stop` is set."""
    if photos is not None:
        _start(run_copies, (stop, photos, spans), {}, "shaoji-copies")


def start_anchors(engine: Engine, stop: Event, chores: Chores) -> None:
    """Take heads out of the house in a thread of its own, until `stop` is set.

    By the wall clock, also where the log is the demonstration's: whoever is outside goes by it.
    """
    if chores.anchors is not None:
        told = {
            "clock": utc_now, "anchors": chores.anchors, "turns": chores.turns,
            "spans": chores.spans,
        }  # fmt: skip
        _start(run_anchors, (engine, stop), told, "shaoji-anchors")


def _start(
    run: Callable[..., None], given: tuple[object, ...], told: Mapping[str, object], name: str
) -> None:
    Thread(target=run, args=given, kwargs=told, name=name, daemon=True).start()
