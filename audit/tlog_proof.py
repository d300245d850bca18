"""Proofs that travel (C2SP tlog-proof@v1): an entry's place in a tree, and the tree's checkpoint.

A text file, complete in itself: whoever knows the hash of the entry and the keys of log and
witnesses checks it with nothing else. `extra` is not covered by any signature of the log; ours, if
any, is a receipt (audit.receipt), which bears its own.
"""

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Final

from audit.checkpoint import Checkpoint, read_checkpoint
from audit.merkle import HASH_BYTES, ReadHash, check_inclusion, prove_inclusion
from audit.note import NotANote, Note, read_note

FIRST_LINE: Final = "c2sp.org/tlog-proof@v1"
SUFFIX: Final = ".tlog-proof"
LONGEST_PATH: Final = 63
_INDEX: Final = re.compile(r"index (0|[1-9][0-9]{0,18})")


class NotAProof(ValueError):
    """The bytes are not a proof in the form of tlog-proof@v1."""


@dataclass(frozen=True, slots=True)
class Proof:
    """The leaf at `index` in the tree of a checkpoint; path: sibling first, 32 bytes each."""

    index: int
    path: tuple[bytes, ...]
    note: Note
    extra: bytes = b""

    @property
    def checkpoint(self) -> Checkpoint:
        """The tree it is about; who has signed it is for audit.policy to say."""
        return read_checkpoint(self.note)

    @property
    def data(self) -> bytes:
        """The file."""
        extra = [f"extra {base64.b64encode(self.extra).decode()}"] if self.extra else []
        path = [base64.b64encode(one).decode() for one in self.path]
        lines = [FIRST_LINE, *extra, f"index {self.index}", *path, "", ""]
        return "\n".join(lines).encode() + self.note.data


def prove(read: ReadHash, index: int, note: Note, *, extra: bytes = b"") -> Proof:
    """Prove that leaf `index` is in the tree of this checkpoint; read: the hashes of the tree."""
    size = read_checkpoint(note).size
    return Proof(index, tuple(prove_inclusion(read, index, size)), note, extra)


def check(proof: Proof, leaf: bytes) -> None:
    """Check that the leaf with this hash is where the proof says; raises merkle.ProofFailed."""
    tree = proof.checkpoint
    check_inclusion(proof.path, proof.index, tree.size, leaf, tree.root)


def read_proof(data: bytes) -> Proof:
    """Read a proof from its bytes, believing nothing yet; raises NotAProof."""
    head, blank, rest = data.partition(b"\n\n")
    try:
        lines = head.decode("ascii").split("\n")
    except UnicodeDecodeError:
        lines = []
    if not blank or not lines or lines.pop(0) != FIRST_LINE:
        raise NotAProof(f"the first line is not {FIRST_LINE}")
    extra = _decoded(lines.pop(0)[6:]) if lines and lines[0].startswith("extra ") else b""
    index = _INDEX.fullmatch(lines.pop(0)) if lines else None
    if index is None:
        raise NotAProof("there is no line that gives the index")
    path = tuple(_decoded(line) for line in lines)
    if len(path) > LONGEST_PATH or any(len(one) != HASH_BYTES for one in path):
        raise NotAProof("a path is at most 63 hashes of 32 bytes")
    try:
        note = read_note(rest)
        read_checkpoint(note)
    except NotANote as error:
        raise NotAProof(f"the checkpoint: {error}") from None
    return Proof(int(index[1]), path, note, extra)


def _decoded(text: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error:
        raise NotAProof("not base64") from None
    if not data or base64.b64encode(data).decode() != text:
        raise NotAProof("not the one base64 form of these bytes")
    return data
