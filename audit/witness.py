"""Asking a witness for a cosignature, and answering as one (C2SP tlog-witness, `add-checkpoint`).

A witness holds the largest tree of a log it has seen. It cosigns a larger one only with a proof
that the log has just grown, so that nobody can be shown another history. Both sides of the same
bytes stand here, pure: a refusal is raised by the witness that decides it, told as status and
body, and raised again by the log that reads them.

    old <size the witness knows>
    <hash of the consistency proof, base64>…
    <empty line>
    <checkpoint>
"""

import base64
import binascii
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Final

from audit.checkpoint import Checkpoint, check_cosignatures, open_checkpoint, read_checkpoint
from audit.merkle import EMPTY_ROOT, HASH_BYTES, ProofFailed, check_consistency
from audit.note import (
    BadSignature,
    NotANote,
    Note,
    Signature,
    VerifierKey,
    check_note,
    of_key,
    read_signatures,
)
from audit.policy import Policy

MOST_HASHES: Final = 63
# A proof takes 3 KB; the rest is for signatures of kinds to come (ML-DSA-44: 3.3 KB a line).
LARGEST_REQUEST: Final = 64 * 1024
LARGEST_ANSWER: Final = 64 * 1024
# Sizes are kept as signed 64-bit numbers.
LARGEST_SIZE: Final = (1 << 63) - 1
# A witness's clock may be so far ahead of ours, in seconds, and is believed.
MOST_AHEAD: Final = 300

SIZE_TYPE: Final = "text/x.tlog.size"
TEXT_TYPE: Final = "text/plain; charset=utf-8"

_OLD: Final = re.compile(r"old (0|[1-9][0-9]{0,18})")
_SIZE: Final = re.compile(rb"(0|[1-9][0-9]{0,18})\n")


class NotWitnessed(ValueError):
    """The witness does not cosign; `status` is the answer's, the message says why."""

    status: ClassVar[int]
    # What came back, where it says more than the status does.
    kind: str = TEXT_TYPE

    @property
    def body(self) -> bytes:
        """The body of the answer."""
        return f"{self}\n".encode()


class BadRequest(NotWitnessed):
    """400: the request is not of the form agreed, or its old size above the new one."""

    status = 400


class UnknownKey(NotWitnessed):
    """403: no key that the witness trusts for this log has signed the checkpoint."""

    status = 403


class UnknownLog(NotWitnessed):
    """404: the witness does not know a log of this origin."""

    status = 404


class OtherSize(NotWitnessed):
    """409: the witness has last cosigned another size than the request says: `size`."""

    status = 409
    kind = SIZE_TYPE

    def __init__(self, size: int) -> None:
        super().__init__(f"the size last cosigned here is {size}")
        self.size = size

    @property
    def body(self) -> bytes:
        """The size in decimal, a line."""
        return f"{self.size}\n".encode()


class OtherRoot(NotWitnessed):
    """409: the witness has cosigned another root for the same size. The log has two histories."""

    status = 409


class NotConsistent(NotWitnessed):
    """422: the proof does not show that the log has only grown since the witness saw it last."""

    status = 422


class BadAnswer(ValueError):
    """What a witness answered is no cosignature of its over this checkpoint."""


REFUSALS: Final[tuple[type[NotWitnessed], ...]] = (
    BadRequest, UnknownKey, UnknownLog, OtherRoot, NotConsistent,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Seen:
    """The largest tree of a log that a witness has cosigned; at first that of nothing."""

    size: int = 0
    root: bytes = EMPTY_ROOT


@dataclass(frozen=True, slots=True)
class Request:
    """A request for a cosignature: the size known to the witness, the proof from there, the note.

    checkpoint: what the note says, believing nobody yet.
    """

    old: int
    proof: tuple[bytes, ...]
    note: Note
    checkpoint: Checkpoint


# --- the request --------------------------------------------------------------------------------


def write_request(old: int, proof: Sequence[bytes], note: Note) -> bytes:
    """The body of a request. Raises ValueError for a proof of more than 63 hashes."""
    if len(proof) > MOST_HASHES:
        raise ValueError(f"a consistency proof has at most {MOST_HASHES} hashes")
    lines = "".join(f"{base64.b64encode(one).decode()}\n" for one in proof)
    return f"old {old}\n{lines}\n".encode() + note.data


def read_request(data: bytes) -> Request:
    """Read a request, believing nobody yet; raises BadRequest."""
    head, blank, told = data.partition(b"\n\n")
    if not blank or len(data) > LARGEST_REQUEST:
        raise BadRequest("a request is: old size, proof, empty line, checkpoint")
    try:
        note, checkpoint = open_checkpoint(told)
        first, *proof = head.decode("ascii").split("\n")
    except (NotANote, UnicodeDecodeError) as error:
        raise BadRequest(str(error)) from None
    size = _OLD.fullmatch(first)
    if size is None:
        raise BadRequest("the first line is: old, a space, the size")
    if len(proof) > MOST_HASHES:
        raise BadRequest(f"a consistency proof has at most {MOST_HASHES} hashes")
    if checkpoint.size > LARGEST_SIZE:
        raise BadRequest("no log is that large")
    return Request(int(size[1]), tuple(_hash(line) for line in proof), note, checkpoint)


def _hash(line: str) -> bytes:
    try:
        told = base64.b64decode(line, validate=True)
    except binascii.Error:
        told = b""
    if len(told) != HASH_BYTES or base64.b64encode(told).decode() != line:
        raise BadRequest("a line of the proof is 32 bytes in base64")
    return told


# --- the witness's decision ---------------------------------------------------------------------


def check_signed(request: Request, keys: Collection[VerifierKey]) -> Request:
    """The request with no other signatures than those of trusted keys of the checkpoint's log.

    What strangers have put under it is not to be kept. Raises UnknownLog where no key bears its
    origin as name, UnknownKey where none of those has signed.
    """
    fitting = [key for key in keys if key.name == request.checkpoint.origin]
    if not fitting:
        raise UnknownLog("no log of this origin is known here")
    try:
        signers = check_note(request.note, fitting)
    except BadSignature as error:
        raise UnknownKey(str(error)) from None
    if not signers:
        raise UnknownKey("no trusted key of this log has signed the checkpoint")
    # The first line of each is the one that was checked.
    believed = (of_key(request.note, key)[0] for key in signers)
    return replace(request, note=Note(request.note.text, tuple(believed)))


def check_grown(request: Request, seen: Seen) -> Seen:
    """The tree that the witness has seen once it cosigns this checkpoint, after `seen`.

    In the specification's order. Raises BadRequest, OtherSize, OtherRoot, NotConsistent.
    """
    new = Seen(request.checkpoint.size, request.checkpoint.root)
    if request.old > new.size:
        raise BadRequest("the old size is above that of the checkpoint")
    if request.old != seen.size:
        raise OtherSize(seen.size)
    if new.size == seen.size and new.root != seen.root:
        raise OtherRoot("another root has been cosigned for this size")
    try:
        check_consistency(request.proof, seen.size, new.size, seen.root, new.root)
    except ProofFailed as error:
        raise NotConsistent(str(error)) from None
    return new


# --- the log's reading of the answer ------------------------------------------------------------


def read_answer(
    status: int, kind: str, body: bytes, note: Note, key: VerifierKey, *, at: int
) -> tuple[Signature, int]:
    """The cosignature of this witness over this checkpoint, and its time (POSIX seconds).

    kind: the answer's content type. at: now, POSIX seconds. Raises the NotWitnessed that the
    witness has answered, and BadAnswer for anything else than a cosignature of its key over this
    very text with a time that is not ahead of ours by more than MOST_AHEAD.
    """
    if status != 200:
        raise _refusal(status, kind, body)
    try:
        lines = [one for one in read_signatures(body) if (one.name, one.id) == (key.name, key.id)]
        times = [check_cosignatures(Note(note.text, (one,)), [key])[key] for one in lines]
    except (NotANote, BadSignature) as error:
        raise BadAnswer(str(error)) from None
    if not times:
        raise BadAnswer("no cosignature of this witness is in its answer")
    latest = max(times)
    if latest > at + MOST_AHEAD:
        raise BadAnswer(f"its clock is {latest - at} s ahead of ours")
    return lines[times.index(latest)], latest


def _refusal(status: int, kind: str, body: bytes) -> ValueError:
    if status == OtherSize.status and kind.partition(";")[0].strip().lower() == SIZE_TYPE:
        size = _SIZE.fullmatch(body)
        return OtherSize(int(size[1])) if size else BadAnswer("it tells a size that is none")
    for refusal in REFUSALS:
        if refusal.status == status:
            return refusal(_first_line(body))
    return BadAnswer(f"it answers with status {status}")


def _first_line(body: bytes) -> str:
    """What a stranger wrote, short and without anything that a terminal would obey."""
    line = body[:200].decode(errors="replace").split("\n", 1)[0]
    return "".join(c if c.isprintable() else "?" for c in line)


# --- proof of two histories ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Fork:
    """Two checkpoints of one log and one size with different roots, both signed by `key`.

    Whoever holds the two notes and the public key can show that the log, or whoever has its key,
    keeps two histories; nothing else is needed and nothing explains it away.
    """

    key: VerifierKey
    size: int
    roots: tuple[bytes, bytes]


def fork_evidence(one: Note, other: Note, policy: Policy) -> Fork | None:
    """What these two checkpoints prove against their log; None if nothing.

    Different sizes prove nothing by themselves: the log may be able to show that one grew from the
    other. Raises NotACheckpoint, and BadSignature for a line under the name and id of a trusted
    key that is not its signature.
    """
    first, second = read_checkpoint(one), read_checkpoint(other)
    if (first.origin, first.size) != (second.origin, second.size) or first.root == second.root:
        return None
    keys = [key for key in policy.logs if key.name == first.origin]
    both = [key for key in check_note(one, keys) if key in check_note(other, keys)]
    return Fork(both[0], first.size, (first.root, second.root)) if both else None
