"""The Merkle tree of RFC 6962 §2.1: its root, and proofs about it, made and checked side by side.

Pure: where hashes are kept is somebody else's business, who hands in one function. Proofs are made
by `prove_…` and checked by `check_…`, which returns or raises ProofFailed and nothing else.
"""

import hashlib
from collections.abc import Callable, Sequence
from typing import Final

# (level, index) -> root of the complete subtree over leaves index * 2**level … + 2**level - 1.
ReadHash = Callable[[int, int], bytes]

HASH_BYTES: Final = 32
BLOCK_LEVEL: Final = 8
BLOCK: Final = 1 << BLOCK_LEVEL
EMPTY_ROOT: Final = hashlib.sha256(b"").digest()


class ProofFailed(ValueError):
    """The proof does not show what it claims to show."""


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash two subtrees into one: SHA-256(0x01 || left || right), RFC 6962 §2.1."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root(read: ReadHash, size: int) -> bytes:
    """The root of the tree over the first `size` leaves; reads at most log2(size) + 1 hashes."""
    return EMPTY_ROOT if size == 0 else _subtree(read, 0, size)


def prove_inclusion(read: ReadHash, index: int, size: int) -> list[bytes]:
    """The audit path of leaf `index` (from 0) in the tree of `size` leaves, its sibling first.

    RFC 6962 §2.1.1. Raises ValueError for a leaf outside the tree.
    """
    if not 0 <= index < size:
        raise ValueError(f"leaf {index} is not in a tree of {size}")
    low, high, path = 0, size, []
    while high - low > 1:
        middle = low + _split(high - low)
        if index < middle:
            path.append(_subtree(read, middle, high))
            high = middle
        else:
            path.append(_subtree(read, low, middle))
            low = middle
    return path[::-1]


def check_inclusion(
    proof: Sequence[bytes], index: int, size: int, leaf: bytes, root_hash: bytes
) -> None:
    """Check that the leaf with this hash stands at `index` of the tree with this size and root.

    The algorithm of RFC 9162 §2.1.3.2. Raises ProofFailed.
    """
    if not 0 <= index < size:
        raise ProofFailed(f"leaf {index} is not in a tree of {size}")
    _check_hashes(leaf, root_hash, *proof)
    at, last, told = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise ProofFailed("the path is too long")
        if at & 1 or at == last:
            told = node_hash(sibling, told)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            told = node_hash(told, sibling)
        at, last = at >> 1, last >> 1
    if last != 0:
        raise ProofFailed("the path is too short")
    if told != root_hash:
        raise ProofFailed("the path leads to another root")


def prove_consistency(read: ReadHash, old: int, new: int) -> list[bytes]:
    """The proof that the tree of `new` leaves begins with the tree of `old`; RFC 6962 §2.1.2.

    Empty for old = 0 and old = new, where there is nothing to prove. Raises ValueError for
    old > new.
    """
    if not 0 <= old <= new:
        raise ValueError(f"{old} leaves are not the beginning of {new}")
    if old in (0, new):
        return []
    low, high, proof = 0, new, []
    while old != high:
        middle = low + _split(high - low)
        if old <= middle:
            proof.append(_subtree(read, middle, high))
            high = middle
        else:
            proof.append(_subtree(read, low, middle))
            low = middle
    # The old tree ends in a subtree of its own: its root is known to the checker only if it is
    # the whole old tree.
    return [*([_subtree(read, low, high)] if low else []), *proof[::-1]]


def check_consistency(
    proof: Sequence[bytes], old: int, new: int, old_root: bytes, new_root: bytes
) -> None:
    """Check that the tree of `new` leaves begins with the tree of `old`.

    The algorithm of RFC 9162 §2.1.4.2. An empty tree is the beginning of every tree, shown by an
    empty proof, as C2SP tlog-witness has it; its root must still be that of nothing. Raises
    ProofFailed.
    """
    if not 0 <= old <= new:
        raise ProofFailed(f"{old} leaves are not the beginning of {new}")
    if old == new and old_root != new_root:
        raise ProofFailed("two roots for one size")
    if old == 0 and old_root != EMPTY_ROOT:
        raise ProofFailed("the root of nothing is another")
    if old in (0, new):
        if proof:
            raise ProofFailed("there is nothing to prove, and a proof is there")
        return
    _check_hashes(old_root, new_root, *proof)
    _walk_consistency(list(proof), old, new, old_root, new_root)


def _walk_consistency(
    proof: list[bytes], old: int, new: int, old_root: bytes, new_root: bytes
) -> None:
    if old & (old - 1) == 0:
        proof.insert(0, old_root)
    if not proof:
        raise ProofFailed("the proof is too short")
    at, last = old - 1, new - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    told_old = told_new = proof[0]
    for sibling in proof[1:]:
        if last == 0:
            raise ProofFailed("the proof is too long")
        if at & 1 or at == last:
            told_old, told_new = node_hash(sibling, told_old), node_hash(sibling, told_new)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            told_new = node_hash(told_new, sibling)
        at, last = at >> 1, last >> 1
    if last != 0:
        raise ProofFailed("the proof is too short")
    if told_old != old_root:
        raise ProofFailed("the proof leads to another old root")
    if told_new != new_root:
        raise ProofFailed("the proof leads to another new root")


class Frontier:
    """The right edge of a growing tree: enough to add leaves and to tell the root.

    Keeps one hash a level (a compact range from 0); a whole log is folded through it once.
    """

    __slots__ = ("_edge", "size")

    def __init__(self) -> None:
        self.size = 0
        # The complete subtrees of the tree so far, largest first.
        self._edge: list[bytes] = []

    def add(self, leaf: bytes) -> None:
        """Add one leaf hash."""
        self._join(leaf, 0)

    def extend(self, leaves: Sequence[bytes]) -> None:
        """Add leaf hashes in order; whole aligned blocks cost half of what single leaves do."""
        at, end = 0, len(leaves)
        while at < end:
            if self.size % BLOCK or end - at < BLOCK:
                self._join(leaves[at], 0)
                at += 1
            else:
                self._join(levels(leaves[at : at + BLOCK])[-1][0], BLOCK_LEVEL)
                at += BLOCK

    def _join(self, subtree: bytes, level: int) -> None:
        """Put a complete subtree of 2**level leaves behind what is there, which it must fit."""
        edge, above = self._edge, self.size >> level
        while above & 1:
            subtree = node_hash(edge.pop(), subtree)
            above >>= 1
        edge.append(subtree)
        self.size += 1 << level

    def root(self) -> bytes:
        """The root of the leaves so far."""
        if not self._edge:
            return EMPTY_ROOT
        told = self._edge[-1]
        for left in self._edge[-2::-1]:
            told = node_hash(left, told)
        return told


def levels(leaves: Sequence[bytes]) -> list[list[bytes]]:
    """All complete subtrees over these leaves, level by level: `levels(x)[k][i]` reads (k, i)."""
    found = [list(leaves)]
    while len(found[-1]) > 1:
        below = found[-1]
        found.append([
            hashlib.sha256(b"\x01" + below[n] + below[n + 1]).digest()
            for n in range(0, len(below) - 1, 2)
        ])  # fmt: skip
    return found


def _check_hashes(*hashes: bytes) -> None:
    if any(len(one) != HASH_BYTES for one in hashes):
        raise ProofFailed("a hash has 32 bytes")


def _split(size: int) -> int:
    """The largest power of two below `size` (at least 2)."""
    return 1 << (size - 1).bit_length() - 1


def _subtree(read: ReadHash, low: int, high: int) -> bytes:
    """The root over leaves low … high - 1, where `low` is where such a subtree begins."""
    parts = []
    while low < high:
        level = (high - low).bit_length() - 1
        parts.append(read(level, low >> level))
        low += 1 << level
    told = parts.pop()
    while parts:
        told = node_hash(parts.pop(), told)
    return told
