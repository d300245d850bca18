"""What one request knows: its instant, its person, the settings, and its one transaction."""

import logging
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar
from urllib.parse import quote, urlsplit

from flask import current_app, g, redirect, request, url_for
from flask_login import current_user
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.wrappers import Response

from audit.log import ClockBehind
from audit.sequence import tree_size
from engine import outbox
from engine.casework import ClockSetBack, answered
from engine.database import reading
from engine.delivery import deliver
from engine.people import By
from engine.together import carried_out, writing
from engine.vault import Vault
from web.config import Settings
from web.replica import Replica

T = TypeVar("T")
EXTENSION: Final = "shaoji"

logger = logging.getLogger("shaoji.pages")


@dataclass(frozen=True, slots=True)
class House:
    """What all requests of one application share.

    device_clock: the wall clock, which telephones go by. field_key: locks second factors. replica:
    where much is read (web.replica).
    """

    settings: Settings
    database: Engine
    clock: Callable[[], datetime]
    vault: Vault
    device_clock: Callable[[], datetime]
    field_key: bytes = field(repr=False)
    replica: Replica | None = None
    reader: Engine = field(init=False)

    def __post_init__(self) -> None:
        """The database for those who only read, made once: each one made costs 60 µs."""
        object.__setattr__(self, "reader", reading(self.database))


def utc_now() -> datetime:
    """The wall clock; asked here and nowhere else in the pages."""
    return datetime.now(UTC)


def house() -> House:
    """The shared things of the application that serves this request."""
    found: House = current_app.extensions[EXTENSION]
    return found


def settings() -> Settings:
    """The settings of this server."""
    return house().settings


def vault() -> Vault:
    """The store of what is sealed."""
    return house().vault


def at() -> datetime:
    """The instant of this request: read once, so that everything in it happens at one time."""
    if "at" not in g:
        g.at = house().clock()
    instant: datetime = g.at
    return instant


def device_at() -> datetime:
    """The instant on people's telephones: the wall clock's, even where another year is played."""
    return house().device_clock()


def by() -> By:
    """Whoever acts; call it only behind `login_required`, or where a token was asked for."""
    acts: By = g.bearer.by if "bearer" in g else current_user.by
    return acts


def known() -> By | None:
    """Whoever is behind this request, by a token or signed in; None for nobody we know."""
    return by() if "bearer" in g or current_user.is_authenticated else None


@contextmanager
def reads() -> Iterator[Connection]:
    """A transaction that only reads: it waits for no writer.

    It goes on with what was read to know who asks and what they may see, if nothing was written
    since; within another one it is that one.
    """
    with _reading() as conn:
        yield conn
    if "reading" not in g:
        put_down()


@contextmanager
def first_reads() -> Iterator[Connection]:
    """The same for what is asked before a page is: whatever reads next goes on in it."""
    with _reading() as conn:
        yield conn


@contextmanager
def _reading() -> Iterator[Connection]:
    if "reading" in g:
        yield g.reading
        return
    conn: Connection = g.pop("begun", None) or _begin()
    g.reading = conn
    try:
        yield conn
    except BaseException:
        conn.close()
        raise
    else:
        g.begun = conn
    finally:
        del g.reading


def _begin() -> Connection:
    conn = house().reader.connect()
    try:
        conn.begin()
    except BaseException:
        conn.close()
        raise
    return conn


def put_down(_failed: BaseException | None = None) -> None:
    """End what was begun to be read: nobody holds a connection while they wait for another."""
    conn: Connection | None = g.pop("begun", None)
    if conn is not None:
        conn.close()


def database() -> Engine:
    """The database, for what opens transactions of its own."""
    put_down()
    return house().database


@contextmanager
def surveys() -> Iterator[Connection]:
    """A transaction for reading much, from a replica if it is as fresh as this request.

    Never for deciding on an act: a replica may be behind a moment later.
    """
    put_down()
    replica = house().replica
    conn = replica.caught_up() if replica else None
    if conn is None:
        with reads() as primary:
            yield primary
        return
    with conn:
        g.replica_position = tree_size(conn)
        yield conn


@contextmanager
def writes() -> Iterator[Connection]:
    """The one writing transaction of a POST: committed at its end, rolled back by any refusal.

    Of POSTs that come at once several may be committed together, each behind a savepoint.

    What the act told other cases is delivered right after, each message in a transaction of its
    own, so that whoever acted sees it there; what is left over, the worker delivers.
    """
    with writing(database()) as conn:
        yield conn
        told = outbox.waits(conn)
    if told:
        _deliver()


def was_overtaken(error: ClockBehind | ClockSetBack) -> bool:
    """Whether this act began before one that was recorded first, and no clock is wrong."""
    return house().clock() >= error.last


@contextmanager
def carries_out(command: Callable[[Connection], T]) -> Iterator[tuple[Connection, T]]:
    """The same for a command that many give at once; the block is given what it answered.

    It may be decided while others write, and is then called again (engine.together.carried_out).
    """

    def of_now(conn: Connection) -> T:
        try:
            return command(conn)
        except ClockSetBack as error:
            if not was_overtaken(error):
                raise
            # Nothing was written, and the case is locked: whoever began later has been recorded.
            g.pop("at", None)
            return command(conn)

    with carried_out(database(), of_now) as (conn, done):
        yield conn, done
        told = outbox.waits(conn)
    if told:
        _deliver()


def _deliver() -> None:
    """Deliver what is on its way. The act is committed: no fault here may make it look undone."""
    try:
        _, stuck = deliver(house().database, at=at(), vault=house().vault)
    except SQLAlchemyError:
        logger.exception("messages between cases could not be delivered now; the worker will")
        return
    for sentence in stuck:
        logger.warning(sentence)


def fresh_key() -> str:
    """A random idempotency key for a form about to be shown."""
    return secrets.token_urlsafe(18)


def key() -> str:
    """The idempotency key sent with this form; one is made up for a form that has none."""
    sent = request.form.get("key", "").strip()
    # Keys of different persons never meet: what one was answered is not told to another.
    return f"{by().person}:{sent[:100] or fresh_key()}"


def done_before() -> bool:
    """Whether the act of this very form was done already: sent twice, it is answered once more."""
    with reads() as conn:
        return answered(conn, key()) is not None


def see_other(endpoint: str, **values: Any) -> Response:
    """Send the browser to a page after an act, so that reloading does not repeat it."""
    return redirect(url_for(endpoint, **values), 303)


def here() -> str:
    """The address of this page on this server, quoted: the # of a step's key is no fragment."""
    query = request.query_string.decode("ascii", "replace")
    return quote(request.path) + (f"?{query}" if query else "")


def local_path(target: str | None, default: str) -> str:
    """A path on this server taken from a request, or the default: never another server."""
    parts = urlsplit(target or "")
    plain = target and target.startswith("/") and not target.startswith(("//", "/\\"))
    if not plain or parts.scheme or parts.netloc or any(ord(c) < 32 for c in target or ""):
        return default
    return target or default


# How long a browser keeps its choices; how long a session lasts is decided by the server.
COOKIE_LENGTH: Final = timedelta(days=180)
