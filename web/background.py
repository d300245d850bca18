"""The worker's loop: rings what is due, delivers what cases told each other, destroys what is due.

What is kept long enough is looked for once an hour: it may take long, and an hour is soon enough.
"""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Event, Thread

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from engine.delivery import deliver
from engine.errors import Refusal
from engine.retention import destroy_due
from engine.sealed_answers import sweep_unnamed
from engine.vault import Vault
from engine.worker import ring_due

EVERY_SECONDS = 5.0
RETENTION_EVERY = timedelta(hours=1)

logger = logging.getLogger("shaoji.worker")


def run_worker(
    engine: Engine,
    stop: Event,
    *,
    clock: Callable[[], datetime],
    vault: Vault | None = None,
    retention: timedelta | None = None,
    tell: Callable[[str], None] = logger.info,
) -> None:
    """Do what is due until `stop` is set; retention: how long what is sealed outlives its case.

    A database that cannot be reached now is tried again: due clocks wait for it, recorded late but
    with the instant at which they were due.
    """
    looked: datetime | None = None
    while not stop.is_set():
        if vault and retention and (looked is None or clock() >= looked + RETENTION_EVERY):
            looked = clock()
            _retire(engine, vault, looked, retention, tell)
        try:
            recorded, refused = ring_due(engine, at=clock())
            delivered, stuck = deliver(engine, at=clock(), vault=vault)
            refused += stuck
        except SQLAlchemyError:
            logger.exception("the database cannot be worked on now; trying again")
            recorded, delivered, refused = 0, 0, []
        for sentence in refused:
            logger.warning(sentence)
        if recorded:
            tell(f"{recorded} 个时钟到时，已记录 / {recorded} clocks recorded")
        if delivered:
            tell(f"{delivered} 条案件间消息已送达 / {delivered} messages delivered")
        if not recorded and not delivered:
            stop.wait(EVERY_SECONDS)


def _retire(
    engine: Engine, vault: Vault, at: datetime, retention: timedelta, tell: Callable[[str], None]
) -> None:
    try:
        gone = destroy_due(engine, vault, at=at, after=retention)
        with engine.begin() as conn:
            sweep_unnamed(conn, vault, at=at)
    except (SQLAlchemyError, Refusal):
        logger.exception("what is sealed cannot be looked through now; trying again in an hour")
        return
    if gone:
        tell(f"{gone} 份密封内容保存期满，已销毁 / {gone} sealed contents destroyed")


def start_worker(
    engine: Engine,
    clock: Callable[[], datetime],
    vault: Vault | None = None,
    retention: timedelta | None = None,
) -> Event:
    """Run the worker in a thread of this process; set the event returned to stop it."""
    stop = Event()
    told = {"clock": clock, "vault": vault, "retention": retention}
    Thread(
        target=run_worker, args=(engine, stop), kwargs=told, name="shaoji-worker", daemon=True
    ).start()
    return stop
