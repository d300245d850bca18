"""The sequencer's run: what waits goes into the tree, and now and then the tree is signed.

One of it works on a log. A second one is not a danger (audit.sequence), only of no use: it finds
nothing to do, or fails and tries again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Engine

from audit import log, sequence
from audit.encoding import instant
from audit.note import Note, Signer
from engine.database import reading
from engine.key_rotation import finish_rotation
from engine.keys import Places, open_keys


@dataclass(frozen=True, slots=True)
class Pace:
    """A checkpoint is signed so many events or so long after the last one, whichever is first."""

    events: int = 256
    every: timedelta = timedelta(seconds=10)


# Sign whatever is new, now: for reports, exports and whoever asks at the command line.
AT_ONCE = Pace(events=1, every=timedelta())


@dataclass(frozen=True, slots=True)
class Sequenced:
    """What a run did: how many events went into the tree, and the checkpoint signed, if one was."""

    integrated: int
    published: Note | None


def sequence_log(
    engine: Engine, places: Places, *, at: datetime, pace: Pace = AT_ONCE
) -> Sequenced:
    """Take in what waits and sign with the keys that are in `places`, ending a rotation if one is.

    Where the checkpoint key is not, the tree grows unsigned. Raises what `run_sequencer` and
    `open_keys` raise.
    """
    integrated = take_in(engine)
    if not _is_due(engine, at, pace):
        return Sequenced(integrated, None)
    with reading(engine).begin() as conn:
        origin = log.origin(conn)
    # Opened anew each time: a rotation, or a key that was put back, must not wait for a restart.
    note = _publish(engine, open_keys(places, origin).checkpoint_signers, at)
    if note is not None:
        with engine.begin() as conn:
            finish_rotation(conn, places, note)
    return Sequenced(integrated, note)


def run_sequencer(
    engine: Engine, signers: Sequence[Signer], *, at: datetime, pace: Pace = AT_ONCE
) -> Sequenced:
    """Take in everything that waits, a batch a transaction; sign if it is time to.

    signers: the log's key, or both while one takes over; without any the tree grows unsigned.
    Raises SequencedElsewhere where another sequencer works at the same moment (nothing is lost;
    run again), TreeDiffers where the tree was tampered with (nothing is signed any more).
    """
    integrated = take_in(engine)
    due = _is_due(engine, at, pace)
    return Sequenced(integrated, _publish(engine, signers, at) if due else None)


def take_in(engine: Engine) -> int:
    """Take everything that waits into the tree, a batch a transaction; returns how many events."""
    integrated = 0
    while moved := _integrate(engine):
        integrated += moved
    return integrated


def _publish(engine: Engine, signers: Sequence[Signer], at: datetime) -> Note | None:
    if not signers:
        return None
    with engine.begin() as conn:
        return sequence.publish(conn, signers, at=at)


def _integrate(engine: Engine) -> int:
    with engine.begin() as conn:
        return sequence.integrate(conn)


def _is_due(engine: Engine, at: datetime, pace: Pace) -> bool:
    # Asked without the one writer's lock: mostly the answer is no.
    with reading(engine).begin() as conn:
        last, size = sequence.latest(conn), sequence.tree_size(conn)
    if last is None:
        return size > 0
    new = size - last.checkpoint.size
    if new < 0:
        return True  # leaves were taken out: `publish` refuses, and says so
    # A clock that was set back must not stop the signing.
    waited = abs(at - instant(last.at))
    return new >= pace.events or (new > 0 and waited >= pace.every)
