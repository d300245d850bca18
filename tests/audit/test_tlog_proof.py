"""Proofs that travel: written and read in one form, and no changed one proves anything."""

import base64
import hashlib
from collections.abc import Callable
from dataclasses import replace

import pytest

from audit.merkle import ProofFailed, levels
from audit.note import Note
from audit.tlog_proof import FIRST_LINE, NotAProof, check, prove, read_proof
from tests.witnessing import Grown

SIZE, INDEX = 70, 41
LEAVES = [hashlib.sha256(f"{n}".encode()).digest() for n in range(SIZE)]
ROWS = levels(LEAVES)
NOTE = Grown().note(SIZE)
PROOF = prove(lambda level, at: ROWS[level][at], INDEX, NOTE)
TEXT = PROOF.data.decode()


def test_a_proof_is_what_the_specification_says_and_is_read_as_it_was_written() -> None:
    head, _, note = TEXT.partition("\n\n")
    first, index, *path = head.split("\n")
    assert (first, index) == ("c2sp.org/tlog-proof@v1", f"index {INDEX}")
    assert [base64.b64decode(line) for line in path] == list(PROOF.path)
    assert note.encode() == NOTE.data
    assert read_proof(PROOF.data) == PROOF
    check(PROOF, LEAVES[INDEX])


@pytest.mark.parametrize("size", [1, 2, 69, 70])
def test_every_leaf_of_a_tree_is_proven_and_no_other(size: int) -> None:
    rows, note = levels(LEAVES[:size]), Grown().note(size)
    for index in range(size):
        proof = read_proof(prove(lambda k, n: rows[k][n], index, note).data)
        check(proof, LEAVES[index])
        with pytest.raises(ProofFailed):
            check(proof, LEAVES[index - 1] if size > 1 else bytes(32))


def test_what_travels_beside_is_kept_and_is_no_part_of_the_proof() -> None:
    more = replace(PROOF, extra="回执".encode())
    assert read_proof(more.data) == more
    assert more.data.split(b"\n")[1] == b"extra " + base64.b64encode(more.extra)
    check(more, LEAVES[INDEX])


def test_a_changed_proof_proves_nothing() -> None:
    path = PROOF.path
    other = replace(PROOF, note=Grown(history="forged ", fork=3).note(SIZE))
    for bad in (
        replace(PROOF, index=INDEX - 1),
        replace(PROOF, index=SIZE),
        replace(PROOF, path=path[:-1]),
        replace(PROOF, path=(*path, bytes(32))),
        replace(PROOF, path=(path[1], path[0], *path[2:])),
        replace(PROOF, note=Grown().note(SIZE + 1)),
        other,
    ):
        with pytest.raises(ProofFailed):
            check(bad, LEAVES[INDEX])


LINES = TEXT.split("\n")
MALFORMED: dict[str, Callable[[], str]] = {
    "nothing": lambda: "",
    "another first line": lambda: TEXT.replace("@v1", "@v2"),
    "a carriage return": lambda: TEXT.replace("\n", "\r\n"),
    "a space behind the first line": lambda: TEXT.replace(FIRST_LINE, FIRST_LINE + " "),
    "no index": lambda: "\n".join([LINES[0], *LINES[2:]]),
    "an index with a zero before": lambda: TEXT.replace("index 41", "index 041"),
    "an index below nothing": lambda: TEXT.replace("index 41", "index -41"),
    "an index of twenty digits": lambda: TEXT.replace("index 41", f"index {10**19}"),
    "an index in another script": lambda: TEXT.replace("index 41", "index ４１"),
    "two indexes": lambda: TEXT.replace("index 41\n", "index 41\nindex 41\n"),
    "extra behind the index": lambda: TEXT.replace("index 41\n", "index 41\nextra AAAA\n"),
    "extra twice": lambda: TEXT.replace("index 41\n", "extra AAAA\nextra AAAA\nindex 41\n"),
    "extra of nothing": lambda: TEXT.replace("index 41\n", "extra \nindex 41\n"),
    "extra not in base64": lambda: TEXT.replace("index 41\n", "extra AA\nindex 41\n"),
    "a hash that is short": lambda: TEXT.replace(LINES[2], "AAAA"),
    "a hash not in base64": lambda: TEXT.replace(LINES[2], "*" + LINES[2][1:]),
    "a hash with other last bits": lambda: TEXT.replace(LINES[2], LINES[2][:-2] + "B="),
    "a path that is too long": lambda: TEXT.replace("41\n", "41\n" + f"{LINES[2]}\n" * 60),
    "no blank line": lambda: TEXT.replace("\n\n", "\n", 1),
    "no checkpoint": lambda: TEXT.partition("\n\n")[0] + "\n\n",
    "a note that is no checkpoint": lambda: TEXT.replace(f"\n{SIZE}\n", "\nmany\n"),
    "a checkpoint without signatures": lambda: TEXT.rpartition("\n\n")[0] + "\n\n",
}  # fmt: skip


@pytest.mark.parametrize("what", MALFORMED)
def test_what_is_not_in_the_form_of_a_proof_is_none(what: str) -> None:
    bad = MALFORMED[what]()
    assert bad != TEXT
    with pytest.raises(NotAProof):
        read_proof(bad.encode())


def test_a_proof_is_made_of_a_leaf_in_the_tree_only() -> None:
    with pytest.raises(ValueError, match="is not in a tree"):
        prove(lambda level, at: ROWS[level][at], SIZE, NOTE)


def test_no_flipped_bit_leaves_a_proof_that_says_the_same() -> None:
    """Whatever is still read differs in what it says, or in who is said to have signed it."""
    for at in range(len(PROOF.data)):
        data = bytearray(PROOF.data)
        data[at] ^= 1 << at % 8
        try:
            told = read_proof(bytes(data))
        except NotAProof:
            continue
        assert told != PROOF
        assert told.data == bytes(data)


def test_a_proof_holds_a_note_of_its_own() -> None:
    assert isinstance(read_proof(PROOF.data).note, Note)
    assert read_proof(PROOF.data).checkpoint.size == SIZE
