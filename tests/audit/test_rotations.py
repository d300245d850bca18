"""A new key is believed because the old one says so, in the log, and for no other reason."""

from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit.checkpoint import Checkpoint, sign_checkpoint
from audit.entries import ENGINE, Draft, Entry, seal
from audit.merkle import ProofFailed, levels, prove_inclusion, root
from audit.note import COSIGNATURE, ED25519, BadSignature, Note, Signature, VerifierKey
from audit.rotations import Rotation, by_proof, by_tree, extend, read_rotation
from audit.tlog_proof import Proof
from engine.key_files import FileSigner

ORIGIN = "log.tinglan.example"
AT = datetime(2026, 3, 2, 1, tzinfo=UTC)


def key(n: int, name: str = ORIGIN, kind: int = ED25519) -> FileSigner:
    private = Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32)
    return FileSigner(VerifierKey(name, kind, private.public_key().public_bytes_raw()), private)


ONE, TWO, THREE, STRANGER = key(1), key(2), key(3), key(9)


def rotated(old: FileSigner, new: FileSigner, **more: str) -> Entry:
    data = {"old_vkey": old.key.vkey, "new_vkey": new.key.vkey, "reason": "例行"} | more
    return seal(
        Draft("log.key_rotated", data, ENGINE, AT), log=ORIGIN, stream="@log", seq=1, prev=""
    )


def signed(*signers: FileSigner, size: int = 5, origin: str = ORIGIN) -> Note:
    return sign_checkpoint(Checkpoint(origin, size, bytes(32)), *signers)


def test_a_new_key_is_believed_when_a_believed_key_has_signed_a_tree_that_says_so() -> None:
    told = [(rotated(ONE, TWO), signed(ONE, TWO))]
    assert extend([ONE.key], told) == (ONE.key, TWO.key)
    assert extend([ONE.key], [(rotated(ONE, TWO), signed(ONE))]) == (ONE.key, TWO.key)


def test_keys_are_believed_one_after_another_in_whatever_order_they_are_told() -> None:
    told = [(rotated(TWO, THREE), signed(TWO, THREE)), (rotated(ONE, TWO), signed(ONE, TWO))]
    assert extend([ONE.key], told) == (ONE.key, TWO.key, THREE.key)
    assert extend([ONE.key], told[:1]) == (ONE.key,)


def test_a_tree_that_only_the_new_key_has_signed_vouches_for_nothing() -> None:
    assert extend([ONE.key], [(rotated(ONE, TWO), signed(TWO))]) == (ONE.key,)


def test_two_keys_on_one_checkpoint_vouch_for_nothing_without_the_event() -> None:
    # Anybody can add their line to a checkpoint that is public.
    assert extend([ONE.key], [(rotated(TWO, THREE), signed(ONE, STRANGER))]) == (ONE.key,)


def test_a_new_key_does_not_vouch_for_the_one_before_it() -> None:
    assert extend([TWO.key], [(rotated(ONE, TWO), signed(ONE, TWO))]) == (TWO.key,)


def test_nobody_vouches_for_a_key_whose_predecessor_is_unknown() -> None:
    assert extend([ONE.key], [(rotated(STRANGER, TWO), signed(ONE))]) == (ONE.key,)


def test_a_checkpoint_of_another_log_vouches_for_nothing() -> None:
    other = signed(key(1, "other.example"), origin="other.example")
    assert extend([ONE.key], [(rotated(ONE, TWO), other)]) == (ONE.key,)
    assert extend([ONE.key], [(rotated(ONE, TWO), Note("no checkpoint\n"))]) == (ONE.key,)


def test_a_forged_line_of_a_believed_key_is_not_passed_over() -> None:
    forged = Signature(ORIGIN, ONE.key.id, bytes(64))
    with pytest.raises(BadSignature):
        extend([ONE.key], [(rotated(ONE, TWO), signed(TWO).signed(forged))])


def test_what_names_no_two_keys_of_this_log_is_no_rotation() -> None:
    assert read_rotation(rotated(ONE, TWO)) == Rotation(ONE.key, TWO.key)
    assert read_rotation(rotated(ONE, ONE)) is None
    assert read_rotation(rotated(ONE, key(2, "other.example"))) is None
    assert read_rotation(rotated(ONE, key(2, kind=COSIGNATURE))) is None
    assert read_rotation(rotated(ONE, TWO, new_vkey="nonsense")) is None


def test_an_event_of_another_type_or_stream_is_no_rotation() -> None:
    data = rotated(ONE, TWO).data
    for type_, stream in (("log.key_rotated", "c-1"), ("case.urged", "@log")):
        other = seal(Draft(type_, data, ENGINE, AT), log=ORIGIN, stream=stream, seq=1, prev="")
        assert read_rotation(other) is None


def test_an_event_travels_with_its_proof() -> None:
    event = rotated(ONE, TWO)
    leaves = levels([*(bytes([n]) * 32 for n in range(4)), event.hash])

    def read(level: int, index: int) -> bytes:
        return leaves[level][index]

    note = sign_checkpoint(Checkpoint(ORIGIN, 5, root(read, 5)), ONE, TWO)
    proof = Proof(4, tuple(prove_inclusion(read, 4, 5)), note)
    assert extend([ONE.key], [by_proof(event.body, proof)]) == (ONE.key, TWO.key)
    with pytest.raises(ProofFailed):
        by_proof(rotated(ONE, STRANGER).body, proof)


def test_only_a_tree_that_is_large_enough_covers_an_event() -> None:
    event, small, large = rotated(ONE, TWO), signed(ONE, size=4), signed(TWO, size=5)
    assert list(by_tree([(event, 4)], [small, large])) == [(event, large)]
