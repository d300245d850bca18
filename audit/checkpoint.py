"""Checkpoints (C2SP tlog-checkpoint): what the tree of a log is at one size, signed.

The body has three lines: origin, number of leaves, root in base64; none of the optional further
lines. The log signs with a key that bears its origin as name; witnesses add cosignatures (C2SP
tlog-cosignature, Ed25519), each with the time at which that was the largest tree they knew.
"""

import base64
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from audit.merkle import HASH_BYTES
from audit.note import (
    COSIGNATURE,
    SIGNATURE_BYTES,
    BadSignature,
    NotANote,
    Note,
    Signature,
    Signer,
    VerifierKey,
    of_key,
    read_note,
    sign_note,
)

_SIZE: Final = re.compile(r"0|[1-9][0-9]{0,18}")
_TIME_BYTES: Final = 8


class NotACheckpoint(NotANote):
    """The note is no checkpoint of a form known here."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The tree of a log with `size` leaves: its root hash, 32 bytes."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """The body of the note: what is signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


def read_checkpoint(note: Note) -> Checkpoint:
    """What a note says of a tree, believing nobody yet; raises NotACheckpoint.

    Further lines, which a log of others may have, are passed over.
    """
    lines = note.text.split("\n")
    if len(lines) < 4 or not lines[0] or not _SIZE.fullmatch(lines[1]):
        raise NotACheckpoint("a checkpoint is origin, size and root, a line each")
    if "" in lines[3:-1]:
        raise NotACheckpoint("a further line of a checkpoint is not empty")
    try:
        root = base64.b64decode(lines[2], validate=True)
    except ValueError:  # not base64, or not even ASCII
        root = b""
    if len(root) != HASH_BYTES or base64.b64encode(root).decode() != lines[2]:
        raise NotACheckpoint("the root of a checkpoint is 32 bytes in base64")
    return Checkpoint(lines[0], int(lines[1]), root)


def check_plain(note: Note) -> Checkpoint:
    """What a note of this log says of its tree: three lines, as we write them, and no more.

    Raises NotACheckpoint.
    """
    checkpoint = read_checkpoint(note)
    if checkpoint.text != note.text:
        raise NotACheckpoint("a checkpoint of this log has three lines and no more")
    return checkpoint


def open_checkpoint(data: bytes) -> tuple[Note, Checkpoint]:
    """Read a checkpoint from its bytes, believing nobody yet; raises NotANote."""
    note = read_note(data)
    return note, read_checkpoint(note)


def sign_checkpoint(checkpoint: Checkpoint, *signers: Signer) -> Note:
    """A checkpoint signed by the log: by one key, or while one takes over from another by both.

    Raises ValueError for a key of another name than the origin.
    """
    if any(signer.key.name != checkpoint.origin for signer in signers):
        raise ValueError("a log signs with a key that bears its origin as name")
    return Note(checkpoint.text).signed(*(sign_note(checkpoint.text, one) for one in signers))


def cosign(note: Note, signer: Signer, *, at: int) -> Signature:
    """A witness's line for a checkpoint; at: POSIX seconds. What it has checked is its business."""
    if signer.key.type != COSIGNATURE:
        raise ValueError("a witness signs with a key of type 0x04")
    signature = signer.sign(_cosigned(note.text, at))
    return Signature(signer.key.name, signer.key.id, at.to_bytes(_TIME_BYTES) + signature)


def check_cosignatures(note: Note, keys: Iterable[VerifierKey]) -> dict[VerifierKey, int]:
    """Which of these witnesses (type COSIGNATURE) have cosigned, and when (POSIX seconds).

    Of several lines of one witness the latest counts. Raises BadSignature for a line that bears
    the name and id of one of them and is not its signature.
    """
    found: dict[VerifierKey, int] = {}
    for key in keys:
        for one in of_key(note, key):
            at = _check_cosignature(note, key, one)
            found[key] = max(at, found.get(key, 0))
    return found


def _check_cosignature(note: Note, key: VerifierKey, one: Signature) -> int:
    at = int.from_bytes(one.signature[:_TIME_BYTES])
    signature = one.signature[_TIME_BYTES:]
    fits = len(signature) == SIGNATURE_BYTES and at < 1 << 63
    if not fits or not key.holds(signature, _cosigned(note.text, at)):
        raise BadSignature(f"the cosignature of {key.name} is not its own")
    return at


def _cosigned(text: str, at: int) -> bytes:
    return f"cosignature/v1\ntime {at}\n{text}".encode()
