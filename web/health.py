"""Whether this process answers, and whether work may be sent to it: for whoever watches servers.

Everybody may ask, so nothing is told but yes, or which kind of thing is missing: no path, no name,
no version. What exactly is wrong, `shaoji doctor` says to whoever runs the server.
"""

import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from typing import Final
from urllib.parse import quote

from flask import Blueprint, Flask, Response, current_app
from sqlalchemy import Engine, create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from audit.receipt import KEY_SUFFIX
from engine.database import open_postgresql
from engine.errors import Refusal
from engine.field_key import held_field_key
from engine.key_files import is_device, signer
from engine.schema import fits
from engine.vault_key import held_keys
from web.anonymous import guard
from web.config import Settings

EXTENSION: Final = "shaoji.health"
# Asked more often, the last answer is given again: a flood of questions opens no connections.
FRESH_SECONDS: Final = 1.0
PATIENCE_SECONDS: Final = 2

pages = Blueprint("health", __name__)
guard(pages)


@dataclass(slots=True)
class Readiness:
    """The last answer of this process, and when it was found, by its own clock.

    ends: it has been told to stop; it answers what still comes, and wants no more.
    """

    find: Callable[[], str]
    why: str = ""
    found_at: float | None = None
    ends: bool = False
    lock: Lock = field(default_factory=Lock)

    def now(self) -> str:
        """Why no work may be sent here; "" where it may."""
        if self.ends:
            return "就要停止 / about to stop"
        with self.lock:
            if self.found_at is None or time.monotonic() >= self.found_at + FRESH_SECONDS:
                self.why, self.found_at = self.find(), time.monotonic()
            return self.why


def init_app(app: Flask, settings: Settings) -> None:
    """Answer for this application. A connection of its own each time: none of those in use."""
    engine = _probe(settings.database_url)
    app.extensions[EXTENSION] = Readiness(lambda: _missing(settings, engine))


@pages.get("/healthz")
def alive() -> Response:
    """This process answers; nothing else is asked."""
    return Response("ok\n", mimetype="text/plain")


@pages.get("/readyz")
def ready() -> Response:
    """Whether database, tables and keys are there; 503 and the kind of thing that is not."""
    found: Readiness = current_app.extensions[EXTENSION]
    why = found.now()
    return Response(f"{why or 'ready'}\n", 503 if why else 200, mimetype="text/plain")


def _missing(settings: Settings, engine: Engine) -> str:
    try:
        with engine.connect() as conn:
            fit = fits(conn)
    except SQLAlchemyError:
        return "数据库没有应答 / the database does not answer"
    if not fit:
        return "数据库是另一个版本的 / the database is of another release"
    return "" if _keys_there(settings) else "缺密钥 / a key is missing"


def _keys_there(settings: Settings) -> bool:
    """The keys that pages need; the one that signs checkpoints may be the worker's alone."""
    places = settings.keys
    try:
        # A device is not logged in to at each question.
        if not is_device(places.receipt):
            signer(places.receipt, settings.origin + KEY_SUFFIX)
        return bool(held_field_key(settings.field)) and bool(held_keys(settings.vault[1]))
    except Refusal:
        return False


def _probe(url: str) -> Engine:
    address = make_url(url)
    if address.get_backend_name() != "sqlite":
        patience = {"connect_timeout": PATIENCE_SECONDS}
        return open_postgresql(address, poolclass=NullPool, connect_args=patience)
    # rw: a file that was taken away is missed, and not made anew as an empty one.
    path = f"file:{quote(str(address.database))}?mode=rw"

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(path, uri=True, timeout=PATIENCE_SECONDS)

    return create_engine("sqlite://", creator=connect, poolclass=NullPool)
