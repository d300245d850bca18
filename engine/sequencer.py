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
    with engine.begin() as conn:
        origin = log.origin(conn)
    # Opened anew each time: a rotation, or a key that was put back, must not wait for a restart.
    done = run_sequencer(engine, open_keys(places, origin).checkpoint_signers, at=at, pace=pace)
    if done.published is not None:
        with engine.begin() as conn:
            finish_rotation(conn, places, done.published)
    return done


def run_sequencer(
    engine: Engine, signers: Sequence[Signer], *, at: datetime, pace: Pace = AT_ONCE
) -> Sequenced:
    """Take in everything that waits, a batch a transaction; sign if it is time to.

    signers: the log's key, or both while one takes over; without any the tree grows unsigned.
    Raises SequencedElsewhere where another sequencer works at the same moment (nothing is lost;
    run again), TreeDiffers where the tree was tampered with (nothing is signed any more).
    """
    integrated = 0
    while moved := _integrate(engine):
        integrated += moved
    with engine.begin() as conn:
        due = bool(signers) and _is_due(sequence.latest(conn), sequence.tree_size(conn), at, pace)
        note = sequence.publish(conn, signers, at=at) if due else None
    return Sequenced(integrated, note)


def _integrate(engine: Engine) -> int:
    with engine.begin() as conn:
        return sequence.integrate(conn)


def _is_due(last: sequence.Stored | None, size: int, at: datetime, pace: Pace) -> bool:
    if last is None:
        return size > 0
    new = size - last.checkpoint.size
    if new < 0:
        return True  # leaves were taken out: `publish` refuses, and says so
    # A clock that was set back must not stop the signing.
    waited = abs(at - instant(last.at))
    return new >= pace.events or (new > 0 and waited >= pace.every)
