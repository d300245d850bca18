"""The tree against published vectors, against RFC 6962's own recursive words, and tampered with."""

import base64
import hashlib
import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.merkle import (
    EMPTY_ROOT,
    Frontier,
    ProofFailed,
    ReadHash,
    check_consistency,
    check_inclusion,
    levels,
    node_hash,
    prove_consistency,
    prove_inclusion,
    root,
)
from tests.vectors import published

SMALL = range(71)
LEAVES = [hashlib.sha256(b"\x00%d" % n).digest() for n in range(5000)]
sizes = st.integers(1, len(LEAVES))


def split(size: int) -> int:
    k = 1
    while k * 2 < size:
        k *= 2
    return k


def naive_root(leaves: Sequence[bytes]) -> bytes:
    """MTH of RFC 6962 §2.1, word for word, from leaf hashes."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = split(len(leaves))
    return hashlib.sha256(b"\x01" + naive_root(leaves[:k]) + naive_root(leaves[k:])).digest()


def naive_path(m: int, leaves: Sequence[bytes]) -> list[bytes]:
    """PATH(m, D[n]) of RFC 6962 §2.1.1."""
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    if m < k:
        return [*naive_path(m, leaves[:k]), naive_root(leaves[k:])]
    return [*naive_path(m - k, leaves[k:]), naive_root(leaves[:k])]


def naive_proof(m: int, leaves: Sequence[bytes], *, whole: bool = True) -> list[bytes]:
    """SUBPROOF(m, D[n], b) of RFC 6962 §2.1.2."""
    if m == len(leaves):
        return [] if whole else [naive_root(leaves)]
    k = split(len(leaves))
    if m <= k:
        return [*naive_proof(m, leaves[:k], whole=whole), naive_root(leaves[k:])]
    return [*naive_proof(m - k, leaves[k:], whole=False), naive_root(leaves[:k])]


def reading(size: int) -> ReadHash:
    rows = levels(LEAVES[:size])
    return lambda level, index: rows[level][index]


# --- what others have published -------------------------------------------------------------------


def vectors(kind: str) -> list[Any]:
    folder: Path = published(f"merkle/{kind}")
    return [json.loads(path.read_text()) for path in sorted(folder.rglob("*.json"))]


def decoded(text: str | None) -> bytes:
    return base64.b64decode(text or "")


def hashes(told: list[str] | None) -> list[bytes]:
    return [decoded(one) for one in told or []]


def test_inclusion_is_judged_as_the_published_vectors_say() -> None:
    told = vectors("inclusion")
    assert len(told) == 98
    for one in told:
        place, hash_, root_ = (one["leafIdx"], one["treeSize"]), one["leafHash"], one["root"]
        accepted = holds(
            check_inclusion, hashes(one["proof"]), *place, decoded(hash_), decoded(root_)
        )
        assert accepted is not one["wantErr"], one["desc"]


def test_consistency_is_judged_as_the_published_vectors_say_but_for_one_of_policy() -> None:
    told, odd = vectors("consistency"), []
    assert len(told) == 98
    for one in told:
        roots = decoded(one["root1"]), decoded(one["root2"])
        accepted = holds(
            check_consistency, hashes(one["proof"]), one["size1"], one["size2"], *roots
        )
        if accepted is one["wantErr"]:
            odd.append(one)
    # From nothing to something with an empty proof: the vectors refuse it as pointless, C2SP
    # tlog-witness has a witness accept it (old size 0), and so do we. There is nothing to prove.
    [one] = odd
    assert (one["size1"], one["proof"] or [], one["wantErr"]) == (0, [], True)
    assert one["size2"] > 0
    assert decoded(one["root1"]) == EMPTY_ROOT


def test_roots_are_those_published_with_certificate_transparency() -> None:
    known = json.loads(published("known-answers.json").read_text())["rfc6962"]
    assert EMPTY_ROOT.hex() == known["empty_root"]
    tree = Frontier()
    for leaf, wanted in zip(known["leaves_hex"], known["roots_hex"], strict=True):
        tree.add(hashlib.sha256(b"\x00" + bytes.fromhex(leaf)).digest())
        assert tree.root().hex() == wanted
    node = known["node_hash"]
    assert node_hash(node["left"].encode(), node["right"].encode()).hex() == node["hash"]


# --- against the words of the RFC -----------------------------------------------------------------


def test_roots_of_all_small_trees_are_those_of_the_definition() -> None:
    tree = Frontier()
    for size in SMALL:
        wanted = naive_root(LEAVES[:size])
        assert tree.root() == wanted
        assert root(reading(size), size) == wanted
        assert tree.size == size
        tree.add(LEAVES[size])


def test_paths_in_all_small_trees_are_those_of_the_definition_and_hold() -> None:
    for size in SMALL[1:]:
        read, wanted = reading(size), naive_root(LEAVES[:size])
        for index in range(size):
            proof = prove_inclusion(read, index, size)
            assert proof == naive_path(index, LEAVES[:size])
            check_inclusion(proof, index, size, LEAVES[index], wanted)


def test_proofs_between_all_small_trees_are_those_of_the_definition_and_hold() -> None:
    roots = [naive_root(LEAVES[:size]) for size in SMALL]
    for new in SMALL:
        read = reading(new)
        for old in range(new + 1):
            proof = prove_consistency(read, old, new)
            assert proof == (naive_proof(old, LEAVES[:new]) if old else [])
            check_consistency(proof, old, new, roots[old], roots[new])


@given(st.data())
def test_a_bigger_tree_proves_every_leaf_and_every_beginning(data: st.DataObject) -> None:
    new = data.draw(sizes)
    index, old = data.draw(st.integers(0, new - 1)), data.draw(st.integers(1, new))
    read, tree = reading(new), Frontier()
    tree.extend(LEAVES[:old])
    old_root = tree.root()
    tree.extend(LEAVES[old:new])
    # One larger read of the stored levels gives the roots of all smaller trees.
    assert (root(read, old), root(read, new)) == (old_root, tree.root())
    check_inclusion(prove_inclusion(read, index, new), index, new, LEAVES[index], tree.root())
    check_consistency(prove_consistency(read, old, new), old, new, old_root, tree.root())


# --- tampered with --------------------------------------------------------------------------------


def holds(check: Any, *told: Any) -> bool:
    try:
        check(*told)
    except ProofFailed:
        return False
    return True


def flipped(hash_: bytes, bit: int) -> bytes:
    return (int.from_bytes(hash_) ^ (1 << bit)).to_bytes(32)


def spoilt(proof: list[bytes], chance: random.Random) -> list[list[bytes]]:
    """A proof with each of its hashes changed, left out, doubled, and two neighbours swapped."""
    bit = chance.randrange(256)
    found = [[*proof, bytes(32)], [bytes(32), *proof]]
    for n, one in enumerate(proof):
        before, after = proof[:n], proof[n + 1 :]
        found += [
            [*before, flipped(one, bit), *after],
            [*before, *after],
            [*before, one, *proof[n:]],
        ]
        found += [[*before, one[:-1], *after], [*before, one + b"\x00", *after]]
        if after:
            found.append([*before, after[0], one, *after[1:]])
    return found


def test_no_changed_inclusion_proof_holds() -> None:
    chance = random.Random(6962)
    for size in (1, 2, 3, 7, 8, 9, 31, 64, 70, 257):
        read, told = reading(size), naive_root(LEAVES[:size])
        for index in {0, size // 2, size - 1, chance.randrange(size)}:
            proof, leaf = prove_inclusion(read, index, size), LEAVES[index]
            for other in spoilt(proof, chance):
                assert not holds(check_inclusion, other, index, size, leaf, told)
            for other_index in {*range(-1, size + 2)} - {index}:
                assert not holds(check_inclusion, proof, other_index, size, leaf, told)
            assert not holds(check_inclusion, proof, index, size, flipped(leaf, 9), told)
            assert not holds(check_inclusion, proof, index, size, leaf, flipped(told, 9))


def test_no_changed_consistency_proof_holds() -> None:
    chance = random.Random(9162)
    for new in (2, 3, 7, 8, 9, 31, 64, 70):
        read, new_root = reading(new), naive_root(LEAVES[:new])
        for old in range(1, new):
            proof, old_root = prove_consistency(read, old, new), naive_root(LEAVES[:old])
            for other in spoilt(proof, chance):
                assert not holds(check_consistency, other, old, new, old_root, new_root)
            assert not holds(check_consistency, proof, old, new, flipped(old_root, 3), new_root)
            assert not holds(check_consistency, proof, old, new, old_root, flipped(new_root, 3))
            assert not holds(check_consistency, proof, new, old, new_root, old_root)


def test_an_inclusion_proof_can_fit_another_size_only_where_the_tree_is_the_same_to_it() -> None:
    """The size is signed beside the root: a proof says nothing of it where the path is alike."""
    size, index = 70, 3
    proof, told = prove_inclusion(reading(size), index, size), naive_root(LEAVES[:size])
    fitting = {
        other
        for other in range(200)
        if holds(check_inclusion, proof, index, other, LEAVES[3], told)
    }
    assert fitting == set(range(65, 129))


def test_what_is_no_size_or_no_beginning_is_refused() -> None:
    read, told = reading(8), naive_root(LEAVES[:8])
    for index, size in ((8, 8), (-1, 8), (0, 0)):
        with pytest.raises(ValueError, match="is not in a tree"):
            prove_inclusion(read, index, size)
        assert not holds(check_inclusion, [], index, size, LEAVES[0], told)
    for old, new in ((9, 8), (-1, 8)):
        with pytest.raises(ValueError, match="are not the beginning"):
            prove_consistency(read, old, new)
        assert not holds(check_consistency, [], old, new, told, told)
    assert not holds(check_consistency, [], 8, 8, told, flipped(told, 1))
    assert not holds(check_consistency, [told], 8, 8, told, told)
    assert not holds(check_consistency, [], 0, 8, told, told)
    assert not holds(check_consistency, [told], 0, 8, EMPTY_ROOT, told)
