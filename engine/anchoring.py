"""Heads that leave the house: cosignatures of witnesses, time stamps, a file of each day.

Evidence begins here: whoever can rewrite the database can rewrite all of it, but not what others
hold. Nobody outside can stop the log: each is asked within a short time, no transaction is open
meanwhile, a failure is told and tried again, and what comes back is checked before it is kept.

Crash order: a cosignature that was given and not stored is given again when the log next asks.
"""

import logging
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from cryptography.x509 import Certificate
from sqlalchemy import Column, Connection, Engine, Integer, Table, Text, delete, insert, select
from sqlalchemy.exc import IntegrityError

from audit import sequence
from audit.encoding import instant, timestamp
from audit.log import metadata
from audit.merkle import prove_consistency, root
from audit.note import Signature, of_key
from audit.policy import Policy, Witness
from audit.sequence import Stored
from audit.timestamp import (
    LARGEST_REPLY,
    QUERY_TYPE,
    NotStamped,
    Stamp,
    check_stamp,
    read_reply,
    read_stamp,
    write_query,
)
from audit.witness import (
    LARGEST_ANSWER,
    BadAnswer,
    NotConsistent,
    NotWitnessed,
    OtherRoot,
    OtherSize,
    UnknownKey,
    UnknownLog,
    read_answer,
    write_request,
)
from engine.checkpoint_files import Contradicted, Larger, NotKept, keep_daily
from engine.database import reading
from engine.errors import Refusal
from engine.outgoing import NoAnswer, Reply, post

FIRST_WAIT: Final = timedelta(seconds=5)
LONGEST_WAIT: Final = timedelta(minutes=10)
SHANGHAI: Final = ZoneInfo("Asia/Shanghai")

logger = logging.getLogger("shaoji.anchors")

# How it stands with each place a head goes to. Of no importance to the record: lost, everybody is
# asked anew. size: the largest tree of ours that the place is known to hold.
anchor_table = Table(
    "anchor",
    metadata,
    Column("place", Text, primary_key=True),
    Column("size", Integer, nullable=False),
    Column("reached_at", Text),
    Column("tried_at", Text, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("grave", Integer, nullable=False),
    Column("chinese", Text, nullable=False),
    Column("english", Text, nullable=False),
)


class NotAnchored(Refusal):
    """A head did not reach a place; it is tried again.

    grave: somebody holds a history that is not ours, which trying again does not heal.
    """

    def __init__(
        self, chinese: str, english: str, *, grave: bool = False, known: int | None = None
    ) -> None:
        super().__init__(chinese, english)
        self.grave = grave
        self.known = known


@dataclass(frozen=True, slots=True)
class Anchors:
    """Where heads go.

    witnesses: those with an address are asked. roots: whom a time stamp must come from; without
    any it is kept unchecked. folder: for the file of each day. timeout: seconds for each answer.
    stamp_every: no more time stamps than that; authorities charge for them or count.
    """

    witnesses: tuple[Witness, ...] = ()
    tsa_url: str = ""
    roots: tuple[Certificate, ...] = ()
    folder: Path | None = None
    timeout: float = 5.0
    stamp_every: timedelta = timedelta(minutes=10)
    zone: tzinfo = SHANGHAI


@dataclass(frozen=True, slots=True)
class State:
    """How it stands with one place.

    size: the largest tree of ours it is known to hold; reached_at: when it last took one. failures:
    in a row since then, the last with this reason. grave: it holds a history that is not ours.
    """

    size: int = 0
    reached_at: datetime | None = None
    tried_at: datetime | None = None
    failures: int = 0
    grave: bool = False
    chinese: str = ""
    english: str = ""

    def waits(self, at: datetime) -> bool:
        """Whether the last failure is too recent to try again; twice as long after each."""
        if not self.failures or self.tried_at is None:
            return False
        wait: timedelta = min(FIRST_WAIT * 2 ** min(self.failures - 1, 20), LONGEST_WAIT)
        # A clock that was set back must not stop the trying.
        return abs(at - self.tried_at) < wait


@dataclass(frozen=True, slots=True)
class _Reached:
    """What a place gave: how to keep it."""

    size: int
    keep: Callable[[Connection], None]


@dataclass(frozen=True, slots=True)
class _Errand:
    """One place to go to with a head."""

    place: str
    name: str
    go: Callable[[], _Reached]


def anchors_of(policy: Policy, **more: Any) -> Anchors:
    """Where heads go by this policy: its witnesses that have an address."""
    return Anchors(tuple(one for one in policy.witnesses if one.url), **more)


def anchor(engine: Engine, anchors: Anchors, *, at: datetime) -> list[NotAnchored]:
    """Take the last checkpoint wherever it has not been yet; returns what failed now.

    Everybody is asked at the same time. Takes at most about three times the timeout; to be run
    where nothing waits for it.
    """
    with reading(engine).begin() as conn:
        last = sequence.latest(conn)
        known = states(conn)
        stamped = bool(last and sequence.timestamps(conn, last.checkpoint.size))
    if last is None:
        return []
    errands = [
        *_to_witnesses(engine, anchors, last, known, at),
        *([] if stamped else _to_authority(anchors, last, known, at)),
    ]
    with ThreadPoolExecutor(max(len(errands), 1), thread_name_prefix="anchor") as pool:
        outcomes = list(pool.map(_try, errands))
    failed = [
        _record(engine, errand, outcome, known.get(errand.place, State()), at)
        for errand, outcome in zip(errands, outcomes, strict=True)
    ]
    # Last, so that the file of the day bears the cosignatures that have just come.
    failed += [
        _record(engine, errand, _try(errand), known.get(errand.place, State()), at)
        for errand in _to_folder(engine, anchors, known, at)
    ]
    return [one for one in failed if one is not None]


def states(conn: Connection) -> dict[str, State]:
    """How it stands with each place: name as of `witness_place`, `authority_place`, … -> state."""
    return {
        row.place: State(
            row.size,
            instant(row.reached_at) if row.reached_at else None,
            instant(row.tried_at),
            row.failures,
            bool(row.grave),
            row.chinese,
            row.english,
        )
        for row in conn.execute(select(anchor_table))
    }


def witness_place(witness: Witness) -> str:
    """A witness as a place: by its key, whatever the policy calls it."""
    return f"witness {witness.key.vkey}"


def authority_place(url: str) -> str:
    """An authority as a place: host and path, without what may be secret in the address."""
    where = urlsplit(url)
    return f"tsa {where.hostname or ''}{where.path}"


FOLDER_PLACE: Final = "folder"


# --- going there ----------------------------------------------------------------------------------


def _to_witnesses(
    engine: Engine, anchors: Anchors, last: Stored, known: dict[str, State], at: datetime
) -> Iterable[_Errand]:
    for one in anchors.witnesses:
        state = known.get(witness_place(one), State())
        if not of_key(last.note, one.key) and not state.waits(at):
            asked = _Asked(engine, one, last, anchors.timeout, at)
            yield _Errand(witness_place(one), one.name, partial(asked.go, state.size))


@dataclass(frozen=True, slots=True)
class _Asked:
    """A witness to be asked for a cosignature over a checkpoint."""

    engine: Engine
    witness: Witness
    last: Stored
    timeout: float
    at: datetime

    def go(self, known: int) -> _Reached:
        """Ask from the size it is known to hold; if it tells another, once more from there."""
        try:
            line = self._ask(min(known, self.last.checkpoint.size))
        except OtherSize as other:
            if _signed_since(self.engine, self.last, other.size):
                return _Reached(other.size, lambda conn: None)
            line = self._ask_again(other.size)
        except NotWitnessed as refused:
            raise _refused(refused) from None
        size = self.last.checkpoint.size
        return _Reached(size, lambda conn: sequence.add_cosignatures(conn, size, [line]))

    def _ask_again(self, known: int) -> Signature:
        size = self.last.checkpoint.size
        if known > size:
            raise NotAnchored(
                f"见证方见过 {known} 条的树，本库的检查点只有 {size} 条：本库是不是从备份恢复的，"
                "或者另有一台服务器在用同一把密钥？",
                f"The witness has seen a tree of {known}, our checkpoint has only {size}: was the "
                "database restored from a backup, or does another server use the same key?",
                grave=True,
                known=known,
            )
        try:
            return self._ask(known)
        except NotWitnessed as refused:
            raise _refused(refused, known) from None

    def _ask(self, old: int) -> Signature:
        with reading(self.engine).begin() as conn:
            proof = prove_consistency(sequence.read_hashes(conn), old, self.last.checkpoint.size)
        # The connection is given back here: while a stranger takes its time, nobody waits for us.
        told = self._post(write_request(old, proof, self.last.note))
        line, _ = read_answer(
            told.status, told.kind, told.body, self.last.note, self.witness.key,
            at=int(self.at.timestamp()),
        )  # fmt: skip
        return line

    def _post(self, body: bytes) -> Reply:
        url = self.witness.url.rstrip("/") + "/add-checkpoint"
        return post(url, body, "text/plain", timeout=self.timeout, largest=LARGEST_ANSWER)


def _refused(refused: NotWitnessed, known: int | None = None) -> NotAnchored:
    english = f"The witness answers {refused.status}: {refused}"
    match refused:
        case OtherRoot() | NotConsistent():
            return NotAnchored(
                f"见证方拒绝（{refused.status}）：它见过的树和本库对不上，两边有一边不是原来的历史。"
                "请先停止发布，核对备份和检查点文件。",
                f"{english}. The tree it has seen is not the beginning of ours.",
                grave=True,
                known=known,
            )
        case UnknownLog() | UnknownKey():
            chinese = (
                f"见证方还不认识本日志或现用的公钥（{refused.status}），请把公钥交给对方登记。"
            )
        case OtherSize():
            chinese = f"见证方两次说的条数不一样（{refused.size}），下次再问。"
        case _:
            chinese = f"见证方说请求不合格式（{refused.status}）。"
    return NotAnchored(chinese, english, known=known)


def _to_authority(
    anchors: Anchors, last: Stored, known: dict[str, State], at: datetime
) -> Iterable[_Errand]:
    if not anchors.tsa_url:
        return
    place = authority_place(anchors.tsa_url)
    state = known.get(place, State())
    recent = state.reached_at is not None and abs(at - state.reached_at) < anchors.stamp_every
    if not recent and not state.waits(at):
        yield _Errand(place, place, lambda: _stamped(anchors, last, at))


def _stamped(anchors: Anchors, last: Stored, at: datetime) -> _Reached:
    """A token over SHA-256 of the checkpoint's text: signature lines arrive at any time."""
    data = last.note.text.encode()
    query = write_query(data)
    told = post(
        anchors.tsa_url, query.as_bytes(), QUERY_TYPE,
        timeout=anchors.timeout, largest=LARGEST_REPLY,
    )  # fmt: skip
    if told.status != 200:
        raise NotStamped(f"it answers with status {told.status}")
    token = read_reply(told.body, query)
    stamp = _checked(token, data, anchors)
    size, who = last.checkpoint.size, stamp.authority
    return _Reached(size, lambda conn: sequence.add_timestamp(conn, size, who, token, at=at))


def _checked(token: bytes, data: bytes, anchors: Anchors) -> Stamp:
    return check_stamp(token, data, anchors.roots) if anchors.roots else read_stamp(token)


def _to_folder(
    engine: Engine, anchors: Anchors, known: dict[str, State], at: datetime
) -> Iterable[_Errand]:
    if anchors.folder is None or known.get(FOLDER_PLACE, State()).waits(at):
        return
    with reading(engine).begin() as conn:
        last = sequence.latest(conn)
    if last is not None:
        go = partial(_filed, engine, anchors.folder, last, at.astimezone(anchors.zone).date())
        yield _Errand(FOLDER_PLACE, str(anchors.folder), go)


def _filed(engine: Engine, folder: Path, last: Stored, day: date) -> _Reached:
    def root_of(size: int) -> bytes:
        with reading(engine).begin() as conn:
            return root(sequence.read_hashes(conn), size)

    try:
        keep_daily(folder, last.note, last.checkpoint, root_of, day=day)
    except Larger as larger:
        if not _signed_since(engine, last, larger.size):
            raise
        return _Reached(larger.size, lambda conn: None)
    return _Reached(last.checkpoint.size, lambda conn: None)


def _signed_since(engine: Engine, last: Stored, size: int) -> bool:
    """Whether a later checkpoint, of at least this size, was signed here in the meantime.

    Then another process of this log has been there with it, and nothing was restored.
    """
    with reading(engine).begin() as conn:
        now = sequence.latest(conn)
    return now is not None and last.checkpoint.size < size <= now.checkpoint.size


# --- what came of it ------------------------------------------------------------------------------


def _try(errand: _Errand) -> _Reached | NotAnchored:
    """Go, and come back with a sentence whatever happens there."""
    try:
        return errand.go()
    except NotAnchored as failed:
        return failed
    except NotKept as failed:
        return NotAnchored(failed.chinese, failed.english, grave=isinstance(failed, Contradicted))
    except NoAnswer as failed:
        return NotAnchored(f"连不上或没有回音（{failed}）。", f"No answer ({failed}).")
    except (BadAnswer, NotStamped) as failed:
        return NotAnchored(f"回答不能用：{failed}。", f"The answer cannot be used: {failed}.")
    except Exception as failed:
        # Whatever a stranger's bytes make one of our libraries do, the others are still served.
        logger.exception("a head did not reach %s", errand.name)
        return NotAnchored(f"出了意外：{failed!r}。", f"Unexpected: {failed!r}.")


def _record(
    engine: Engine, errand: _Errand, outcome: _Reached | NotAnchored, before: State, at: datetime
) -> NotAnchored | None:
    """Keep what was given and how it stands now; returns what failed."""
    if isinstance(outcome, _Reached):
        now = State(size=outcome.size, reached_at=at, tried_at=at)
        _write(engine, outcome.keep)
        # A file that is as it was is no news.
        if before.failures or before.size != outcome.size:
            _write(engine, lambda conn: _put(conn, errand.place, now))
        return None
    logger.log(
        logging.ERROR if outcome.grave else logging.WARNING,
        "%s: %s / %s", errand.name, outcome.chinese, outcome.english,
    )  # fmt: skip
    now = State(
        before.size if outcome.known is None else outcome.known,
        before.reached_at,
        at,
        before.failures + 1,
        outcome.grave,
        outcome.chinese,
        outcome.english,
    )
    _write(engine, lambda conn: _put(conn, errand.place, now))
    return outcome


def _write(engine: Engine, keep: Callable[[Connection], None]) -> None:
    try:
        with engine.begin() as conn:
            keep(conn)
    except IntegrityError:
        # Another process has come back from there at the same moment and has kept the same.
        logger.info("what was to be kept is there already")


def _put(conn: Connection, place: str, state: State) -> None:
    row = {
        "place": place,
        "size": state.size,
        "reached_at": timestamp(state.reached_at) if state.reached_at else None,
        "tried_at": timestamp(state.tried_at) if state.tried_at else None,
        "failures": state.failures,
        "grave": int(state.grave),
        "chinese": state.chinese,
        "english": state.english,
    }
    conn.execute(delete(anchor_table).where(anchor_table.c.place == place))
    conn.execute(insert(anchor_table), row)
