"""The worker's loop: rings what is due and delivers what cases told each other."""

import logging
from collections.abc import Callable
from datetime import datetime
from threading import Event, Thread

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from engine.delivery import deliver
from engine.vault import Vault
from engine.worker import ring_due

EVERY_SECONDS = 5.0

logger = logging.getLogger("shaoji.worker")


def run_worker(
    engine: Engine,
    stop: Event,
    *,
    clock: Callable[[], datetime],
    vault: Vault | None = None,
    tell: Callable[[str], None] = logger.info,
) -> None:
    """Ring what is due and deliver what cases told each other, until `stop` is set.

    A database that cannot be reached now is tried again: due clocks wait for it, recorded late but
    with the instant at which they were due.
    """
    while not stop.is_set():
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


def start_worker(
    engine: Engine, clock: Callable[[], datetime], vault: Vault | None = None
) -> Event:
    """Run the worker in a thread of this process; set the event returned to stop it."""
    stop = Event()
    told = {"clock": clock, "vault": vault}
    Thread(
        target=run_worker, args=(engine, stop), kwargs=told, name="shaoji-worker", daemon=True
    ).start()
    return stop
