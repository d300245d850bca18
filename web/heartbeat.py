"""A process tells every few seconds that it is at work, and keeps what it has taken on.

What it shares with the others is told once, as fingerprints: `shaoji doctor` compares them.
"""

import logging
import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from threading import Event, Thread
from typing import Final

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from engine import leases, nodes
from engine.nodes import Node
from engine.schema import wanted_release
from web.config import Settings

BEAT_SECONDS: Final = 4.0

logger = logging.getLogger("shaoji.node")


@dataclass(frozen=True, slots=True)
class Turns:
    """How this process takes turns with others; all of them go by the same clock."""

    engine: Engine
    node: str
    clock: Callable[[], datetime]

    def ours(self, work: str) -> bool:
        """Whether this process is the one to do it now; not while nobody can be asked."""
        try:
            return leases.is_ours(self.engine, work, self.node, at=self.clock())
        except SQLAlchemyError:
            logger.exception("whose turn it is cannot be asked now; trying again")
            return False


def new_node(settings: Settings, kind: str, at: datetime) -> Node:
    """This process, as it tells of itself. kind: serve or worker."""
    name = f"{kind}-{secrets.token_hex(6)}"
    release = f"{version('shaoji')} ({wanted_release()})"
    return Node(name, kind, socket.gethostname(), release, at, at, fingerprints(settings))


def fingerprints(settings: Settings) -> dict[str, str]:
    """What the secrets and keys that all nodes share are known by; one not held here is left out.

    A key in a device is known by its address.
    """
    told = {"SHAOJI_SECRET_KEY": settings.secret_key.encode()}
    places = settings.keys
    files = {
        "field.key": settings.field,
        "vault.key": settings.vault[1],
        "receipt.key": places.receipt,
        "seal.key": places.seal,
    }
    for name, place in files.items():
        try:
            path = Path(str(place))
            told[name] = path.read_bytes() if path.is_file() else b""
        except OSError:
            continue  # not for this user: only the worker reads some of them
    return {name: nodes.known_by(name, secret) for name, secret in told.items() if secret}


def shared_folders(settings: Settings) -> dict[str, Path]:
    """The folders that all nodes see the same files in, by the setting that names them."""
    return {
        "SHAOJI_EVIDENCE_DIR": settings.evidence_dir,
        "SHAOJI_REPORTS_DIR": settings.reports,
    }


def start_heartbeat(
    engine: Engine,
    stop: Event,
    settings: Settings,
    *,
    kind: str,
    clock: Callable[[], datetime],
) -> tuple[Turns, Thread]:
    """Tell of this process in a thread until `stop` is set, and take turns under its name.

    Join the thread, and what this process had taken on is given back.
    """
    node = new_node(settings, kind, clock())
    told = {"settings": settings, "clock": clock}
    thread = Thread(
        target=run_heartbeat, args=(engine, stop, node), kwargs=told, name="shaoji-node",
        daemon=True,
    )  # fmt: skip
    thread.start()
    return Turns(engine, node.node, clock), thread


def run_heartbeat(
    engine: Engine,
    stop: Event,
    node: Node,
    *,
    settings: Settings,
    clock: Callable[[], datetime],
) -> None:
    """Tell of this process until `stop` is set, then that it has ended."""
    folders = list(shared_folders(settings).values())
    while True:
        try:
            _beat(engine, node, folders, clock())
        except (SQLAlchemyError, OSError):
            logger.exception("this process cannot tell of itself now; trying again")
        if stop.wait(BEAT_SECONDS):
            break
    try:
        with engine.begin() as conn:
            leases.give_back(conn, node.node)
            nodes.leave(conn, node.node)
        for folder in folders:
            nodes.unmark(folder, [node.node])
    except (SQLAlchemyError, OSError):
        logger.exception("this process could not take its leave; others go on in 15 seconds")


def _beat(engine: Engine, node: Node, folders: list[Path], at: datetime) -> None:
    with engine.begin() as conn:
        leases.renew(conn, node.node, at=at)
        is_new = not nodes.tell(conn, node.node, at=at)
        gone = nodes.forget(conn, at=at) if is_new else ()
        if is_new:
            nodes.enter(conn, node)
            # At once known as alive, however long ago this process began.
            nodes.tell(conn, node.node, at=at)
    if is_new:
        for folder in folders:
            nodes.mark(folder, node.node)
            nodes.unmark(folder, gone)
