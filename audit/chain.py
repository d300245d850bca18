"""Checks a stream from its stored bytes alone: canonical form, leaf hash, order, gaps, links."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from audit.encoding import NotCanonical
from audit.entries import Entry, leaf_hash, unseal


class Row(Protocol):
    """An entry as stored: columns beside the bytes, which must agree with the bytes."""

    @property
    def stream(self) -> str: ...
    @property
    def seq(self) -> int: ...
    @property
    def type(self) -> str: ...
    @property
    def body(self) -> object: ...
    @property
    def hash(self) -> object: ...


@dataclass(frozen=True, slots=True)
class Given:
    """A row that comes from a file and not from a table."""

    stream: str
    seq: int
    type: str
    body: bytes
    hash: bytes


BYTES: Final = (bytes, bytearray, memoryview)


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with one event, in words; `case` is the stream, `seq` its number in it.

    step: which step of a verification found it (audit.steps).
    """

    case: str
    seq: int
    what: str
    step: str = "replay"


def link(hash_: bytes) -> str:
    """The form in which the next body names its predecessor: the leaf hash in lowercase hex."""
    return hash_.hex()


def check_stream(log: str, stream: str, rows: Iterable[Row]) -> Iterator[Entry | Problem]:
    """Yield each row's entry, or the first problem found and then nothing more.

    rows: in order of seq. Steps, in this order for each row: (1) the number follows the last one;
    (2) the stored hash is the leaf hash of the stored bytes; (3) the bytes are canonical and an
    entry; (4) log, case, seq and type inside agree with the columns; (5) `prev` names the hash of
    the entry before; (6) the time is not earlier than the entry before; (7) a cause lies before.
    """
    prev = ""
    last: datetime | None = None
    for seq, row in enumerate(rows, 1):
        found = check_row(log, stream, row, seq, prev, last)
        yield found
        if isinstance(found, Problem):
            return
        prev, last = link(found.hash), found.at


def check_row(
    log: str, stream: str, row: Row, seq: int, prev: str, last: datetime | None
) -> Entry | Problem:
    """One row that should be entry `seq` of a stream, behind an entry of this link and time."""
    step, what, entry = _check_row(log, stream, row, seq, prev)
    if entry is None:
        return Problem(stream, seq, what, step)
    return _check_time(entry, last)


def check_next(
    log: str, entry: Entry, seq: int, prev: str, last: datetime | None
) -> Entry | Problem:
    """The same of an entry that was read from its bytes, with no table that could say otherwise."""
    if entry.seq != seq:
        return Problem(entry.stream, seq, f"gap: expected event {seq}, found {entry.seq}", "chain")
    if entry.log != log:
        return Problem(entry.stream, seq, "the bytes name another log", "chain")
    step, what = _check_link(entry, prev)
    return Problem(entry.stream, seq, what, step) if what else _check_time(entry, last)


def _check_time(entry: Entry, last: datetime | None) -> Entry | Problem:
    if last is not None and entry.at < last:
        what = "recorded earlier than the event before it"
        return Problem(entry.stream, entry.seq, what, "chain")
    return entry


def _check_link(entry: Entry, prev: str) -> tuple[str, str]:
    if entry.prev != prev:
        return "chain", "chain broken: prev is not the hash of the event before"
    if entry.cause is not None and not 0 < entry.cause < entry.seq:
        return "chain", "the cause does not lie before its consequence"
    return "", ""


def _check_row(
    log: str, stream: str, row: Row, seq: int, prev: str
) -> tuple[str, str, Entry | None]:
    """The entry, or the step that failed and what is wrong."""
    if row.seq != seq:
        return "chain", f"gap: expected event {seq}, found {row.seq}", None
    stored, told = row.body, row.hash
    if not isinstance(stored, BYTES) or not isinstance(told, BYTES):
        # SQLite keeps whatever type is put into a column: text here was never written by us.
        return "bytes", "the stored body or hash is not bytes", None
    body = bytes(stored)
    if leaf_hash(body) != bytes(told):
        return "bytes", "stored hash is not the hash of the stored bytes", None
    try:
        entry = unseal(body)
    except NotCanonical as error:
        return "bytes", f"not canonical: {error}", None
    if (entry.log, entry.stream, entry.seq, entry.type) != (log, stream, seq, row.type):
        told_other = "the bytes name another log, case, number or type than the columns"
        return "chain", told_other, None
    step, what = _check_link(entry, prev)
    return step, what, None if what else entry
