"""Which keys to believe after a log has replaced its own: the old key vouches for the new one.

A log that replaces its checkpoint key records `log.key_rotated`. Whoever believes the old key
believes the new one once a checkpoint signed by a believed key covers that event: then it was the
holder of the old key who said so. That two keys have signed one checkpoint says nothing: anybody
can add a line to a checkpoint that is public. Nor does a new key vouch for the one before it.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from audit.checkpoint import NotACheckpoint, read_checkpoint
from audit.entries import Entry, leaf_hash, unseal
from audit.note import ED25519, NotANote, Note, VerifierKey, check_note, read_vkey
from audit.tlog_proof import Proof, check

STREAM: Final = "@log"
TYPE: Final = "log.key_rotated"


@dataclass(frozen=True, slots=True)
class Rotation:
    """Which key of a log takes over from which."""

    old: VerifierKey
    new: VerifierKey


def read_rotation(entry: Entry) -> Rotation | None:
    """What an event says of the keys of its log; None if it is another, or names no such keys."""
    if (entry.stream, entry.type) != (STREAM, TYPE):
        return None
    try:
        keys = [read_vkey(entry.data[name]) for name in ("old_vkey", "new_vkey")]
    except (NotANote, KeyError, TypeError):
        return None
    fit = all((key.name, key.type) == (entry.log, ED25519) for key in keys)
    return Rotation(*keys) if fit and keys[0] != keys[1] else None


def extend(
    keys: Iterable[VerifierKey], covered: Iterable[tuple[Entry, Note]]
) -> tuple[VerifierKey, ...]:
    """The keys to believe, by what a log has recorded of its own: these, and those they vouch for.

    covered: events, each with a checkpoint of whose tree it is known to be a leaf (`by_proof`,
    `by_tree`); in any order. Raises BadSignature for a checkpoint on which the line of a believed
    key is not its own.
    """
    believed = tuple(dict.fromkeys(keys))
    told = [(rotation, note) for entry, note in covered if (rotation := read_rotation(entry))]
    while new := next(_vouched(believed, told), None):
        believed = (*believed, new)
    return believed


def by_proof(body: bytes, proof: Proof) -> tuple[Entry, Note]:
    """An event and the checkpoint that covers it, from the event's bytes and its proof.

    Raises NotCanonical, NotANote, merkle.ProofFailed.
    """
    check(proof, leaf_hash(body))
    return unseal(body), proof.note


def by_tree(
    events: Iterable[tuple[Entry, int]], notes: Sequence[Note]
) -> Iterator[tuple[Entry, Note]]:
    """Events with every checkpoint that covers them, from their places in a tree.

    events: entries of `@log` with their leaf index. notes: checkpoints of that same tree, which is
    for the caller to have checked.
    """
    for entry, index in events:
        yield from ((entry, note) for note in notes if index < read_checkpoint(note).size)


def _vouched(
    believed: tuple[VerifierKey, ...], told: list[tuple[Rotation, Note]]
) -> Iterator[VerifierKey]:
    for rotation, note in told:
        if rotation.old in believed and rotation.new not in believed:
            known = [key for key in believed if key.name == _origin(note) == rotation.new.name]
            if check_note(note, known):
                yield rotation.new


def _origin(note: Note) -> str:
    try:
        return read_checkpoint(note).origin
    except NotACheckpoint:
        return ""
