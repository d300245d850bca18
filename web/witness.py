"""The pages of a witness: where logs ask for cosignatures, and what it has seen, for people.

An application of its own, run by another office than the one whose log it watches. It knows nobody
and keeps no session: whoever can reach it may read everything.
"""

import hashlib
import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from flask import Flask, Response, abort, render_template, request
from sqlalchemy import Connection, Engine

from audit.note import Note, Signer, VerifierKey
from audit.witness import LARGEST_REQUEST, TEXT_TYPE, NotWitnessed
from engine.database import reading
from engine.witnessed import Evidence, Kept, days, evidence, latest, witness
from web import moments
from web.headers import ALWAYS
from web.quantities import ZONE
from web.texts import language, say

# The newest are on the page; all of them have an address.
DAYS_SHOWN: Final = 31

logger = logging.getLogger("shaoji.witness")


@dataclass(frozen=True, slots=True)
class Watched:
    """A log as the page shows it. id: in addresses. keys: those believed for it."""

    id: str
    origin: str
    keys: tuple[VerifierKey, ...]
    last: Kept | None
    days: tuple[tuple[str, Kept], ...]
    forks: tuple[Evidence, ...]
    owed: tuple[Evidence, ...]


def create_witness(
    store: Engine,
    signer: Signer,
    keys: Collection[VerifierKey],
    clock: Callable[[], datetime],
) -> Flask:
    """The application of a witness that cosigns with this key for these logs."""
    app = Flask("web")
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_REQUEST
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.globals.update(_=say)
    reader = reading(store)

    @app.post("/add-checkpoint")
    def add_checkpoint() -> Response:
        try:
            line = witness(store, request.get_data(), signer=signer, keys=keys, now=clock)
        except NotWitnessed as refused:
            logger.warning("%s: %s", refused.status, refused)
            return Response(refused.body, refused.status, content_type=refused.kind)
        return Response(line.line, content_type=TEXT_TYPE)

    @app.get("/")
    def page() -> str:
        with reader.begin() as conn:
            logs = [watched(conn, origin, keys) for origin in sorted({key.name for key in keys})]
        return render_template(
            "witness.html", key=signer.key, logs=logs, moment=_moment(clock()), language=language()
        )

    @app.get("/logs/<log>/<name>.checkpoint")
    def checkpoint(log: str, name: str) -> Response:
        with reader.begin() as conn:
            found = _find(conn, {log_id(key.name): key.name for key in keys}.get(log), name)
        if found is None:
            abort(404)
        return _file(found.note, f"{name}.checkpoint")

    @app.after_request
    def add_headers(response: Response) -> Response:
        for name, value in ALWAYS.items():
            response.headers.setdefault(name, value)
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    return app


def watched(conn: Connection, origin: str, keys: Collection[VerifierKey]) -> Watched:
    """What this witness has to say of a log."""
    found = evidence(conn, origin)
    return Watched(
        log_id(origin),
        origin,
        tuple(key for key in keys if key.name == origin),
        latest(conn, origin),
        tuple(days(conn, origin))[:DAYS_SHOWN],
        tuple(one for one in found if one.fork),
        tuple(one for one in found if not one.fork and one.settled_at is None),
    )


def log_id(origin: str) -> str:
    """A log in addresses: an origin may hold anything."""
    return hashlib.sha256(origin.encode()).hexdigest()[:16]


def _find(conn: Connection, origin: str | None, name: str) -> Kept | None:
    if origin is None:
        return None
    return latest(conn, origin) if name == "latest" else dict(days(conn, origin)).get(name)


def _file(note: Note, name: str) -> Response:
    told = Response(note.data, content_type=TEXT_TYPE)
    told.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return told


def _moment(now: datetime) -> Callable[[int], str]:
    """How the page says POSIX seconds."""
    return lambda at: moments.moment(datetime.fromtimestamp(at, UTC), ZONE, now, language())
