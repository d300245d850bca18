"""Reads much from a replica, if it is as fresh as the request; else from the primary.

What may be seen is decided on what is read, so a replica that lags would let somebody see what was
closed to them a moment ago. It is therefore asked first whether it has all that the primary had
when the request began; if not soon, the primary is read.
"""

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, TypeVar

from flask import Flask, Response, g
from sqlalchemy import Connection, Engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from engine.database import open_postgresql, reading
from engine.replica import PATIENCE, NotAReplica, has_all, written
from web.config import BadSettings, Settings
from web.exposition import Family, Sample
from web.shared_counts import Counts
from web.tallies import OF_PROCESS

HEADER: Final = "Shaoji-Read-From"
LOOK_SECONDS: Final = 0.01
CONNECT_SECONDS: Final = 2
# One that cannot be reached is left alone for a while: each try would cost a request its patience.
REST_SECONDS: Final = 10.0

Found = TypeVar("Found")

logger = logging.getLogger("shaoji.replica")


@dataclass(slots=True)
class Replica:
    """The replica of a process, and how often it or the primary was read instead, and why.

    kept: those counts, of all processes of a server if it was made before them.
    """

    primary: Engine
    engine: Engine
    kept: Counts = field(default_factory=Counts)
    rests_until: float = 0.0

    @property
    def counts(self) -> dict[tuple[str, str], int]:
        """How often, by what was read and why it was not the replica."""
        return {(source, why): int(n) for (source, why), (n,) in self.kept.all().items()}

    def caught_up(self) -> Connection | None:
        """A connection to the replica with all that was committed before; None: read the primary.

        To be closed by whoever asked.
        """
        if time.monotonic() < self.rests_until:
            self._instead("down")
            return None
        conn = None
        try:
            with self.primary.connect() as asked:
                wanted = written(asked)
            conn = self.engine.connect()
            if self._waited(conn, wanted):
                # What is read begins now: a transaction reads as of its first question.
                conn.rollback()
                self._count("replica", "")
                return conn
            self._close(conn)
            self._instead("behind")
            return None
        except NotAReplica:
            self._close(conn)
            self._rest("it follows no other database")
            self._instead("no replica")
            return None
        except SQLAlchemyError as error:
            self._close(conn)
            self._rest(type(error).__name__)
            self._instead("down")
            return None

    def cut(self, error: SQLAlchemyError) -> None:
        """Note that a reading broke off: what was replayed took away what it was reading, say."""
        logger.warning("reading the replica broke off (%s); read again", type(error).__name__)
        self._count("primary", "cut")

    def families(self) -> list[Family]:
        """What was counted so far."""
        samples = tuple(
            Sample(n, {"source": source, "why": why} | OF_PROCESS)
            for (source, why), n in sorted(self.counts.items())
        )
        name, told = "shaoji_replica_reads_total", "Where much was read, and why not the replica."
        return [Family(name, "counter", told, samples)]

    def _waited(self, conn: Connection, wanted: str) -> bool:
        end = time.monotonic() + PATIENCE.total_seconds()
        while not has_all(conn, wanted):
            if time.monotonic() >= end:
                return False
            time.sleep(LOOK_SECONDS)
        return True

    def _close(self, conn: Connection | None) -> None:
        if conn is not None:
            with suppress(SQLAlchemyError):
                conn.close()

    def _rest(self, why: str) -> None:
        logger.warning("the replica cannot be read (%s); the primary is read instead", why)
        self.rests_until = time.monotonic() + REST_SECONDS

    def _instead(self, why: str) -> None:
        if why == "behind":
            logger.warning("the replica is behind; the primary is read instead")
        self._count("primary", why)

    def _count(self, source: str, why: str) -> None:
        self.kept.add(((source, why), 1, {0: 1.0}))


def read_much(
    engine: Engine, replica: Replica | None, read: Callable[[Connection], Found]
) -> Found:
    """What `read` finds, as of one moment: at the replica if it has all that is there, else here.

    What breaks off at the replica is read again here.
    """
    conn = replica.caught_up() if replica else None
    if replica and conn:
        try:
            with conn:
                return read(conn)
        except SQLAlchemyError as error:
            replica.cut(error)
    with reading(engine).begin() as conn:
        return read(conn)


def open_replica(settings: Settings, primary: Engine, kept: Counts) -> Replica | None:
    """The replica of these settings, if there is one. Raises BadSettings."""
    if not settings.replica_url:
        return None
    check_usable(settings, primary)
    address = make_url(settings.replica_url)
    told = {"connect_timeout": CONNECT_SECONDS}
    engine = open_postgresql(address, pool_size=10, max_overflow=20, connect_args=told)
    return Replica(primary, reading(engine), kept)


def check_usable(settings: Settings, primary: Engine) -> None:
    """Raise BadSettings for a replica of what has none."""
    if not settings.replica_url:
        return
    kinds = {make_url(settings.replica_url).get_backend_name(), primary.dialect.name}
    if kinds != {"postgresql"}:
        raise BadSettings(
            "SHAOJI_REPLICA_URL 只用于 PostgreSQL 的流复制备库，SQLite 没有，请去掉。"
            " / SHAOJI_REPLICA_URL is for a streaming replica of PostgreSQL; leave it out."
        )


def init_app(app: Flask) -> None:
    """Tell in every answer that was read from the replica that it was, and up to where."""
    app.after_request(_tell)
    app.jinja_env.globals["read_from_replica"] = position


def position() -> int | None:
    """The size of the tree in the replica this answer was read from; None: from the primary."""
    found: int | None = g.get("replica_position")
    return found


def _tell(response: Response) -> Response:
    found = position()
    if found is not None:
        response.headers[HEADER] = f"replica; size={found}"
    return response
