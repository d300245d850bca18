"""Checkpoints: three lines in one form, signed by the log, cosigned by witnesses with a time."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.checkpoint import (
    Checkpoint,
    NotACheckpoint,
    check_cosignatures,
    cosign,
    open_checkpoint,
    read_checkpoint,
    sign_checkpoint,
)
from audit.note import BadSignature, NotANote, Note, Signature, check_note
from tests.witnessing import ORIGIN, signer, witness_signer

LOG, WITNESS, ARCHIVE = signer(ORIGIN), witness_signer(), witness_signer("archive.example")
TREE = Checkpoint(ORIGIN, 1237, bytes(range(32)))
NOTE = sign_checkpoint(TREE, LOG)
AT = 1772618400


@given(st.integers(0, 2**62), st.binary(min_size=32, max_size=32))
def test_a_checkpoint_is_read_back_as_it_was_signed(size: int, root: bytes) -> None:
    tree = Checkpoint(ORIGIN, size, root)
    note = sign_checkpoint(tree, LOG)
    assert open_checkpoint(note.data) == (note, tree)
    assert check_note(note, [LOG.key]) == [LOG.key]
    assert tree.text == f"{ORIGIN}\n{size}\n{base64.b64encode(root).decode()}\n"


def test_a_log_signs_with_its_own_name_and_while_keys_change_with_both() -> None:
    new = signer(ORIGIN, seed="new")
    both = sign_checkpoint(TREE, LOG, new)
    assert check_note(both, [LOG.key, new.key]) == [LOG.key, new.key]
    with pytest.raises(ValueError, match="bears its origin"):
        sign_checkpoint(TREE, LOG, signer("log.yanhe.example"))


ROOT = base64.b64encode(bytes(range(32))).decode()
BAD_TEXTS = {
    "no lines": "x\n",
    "two lines": f"{ORIGIN}\n1237\n",
    "no origin": f"\n1237\n{ROOT}\n",
    "a size with a zero before": f"{ORIGIN}\n01237\n{ROOT}\n",
    "a size below nothing": f"{ORIGIN}\n-1\n{ROOT}\n",
    "a size with a plus": f"{ORIGIN}\n+1\n{ROOT}\n",
    "a size in another script": f"{ORIGIN}\n１２\n{ROOT}\n",
    "a size with a space": f"{ORIGIN}\n1237 \n{ROOT}\n",
    "a size of twenty digits": f"{ORIGIN}\n{10**19}\n{ROOT}\n",
    "no root": f"{ORIGIN}\n1237\n\n",
    "a short root": f"{ORIGIN}\n1237\n{base64.b64encode(bytes(31)).decode()}\n",
    "a long root": f"{ORIGIN}\n1237\n{base64.b64encode(bytes(33)).decode()}\n",
    "a root in hex": f"{ORIGIN}\n1237\n{bytes(32).hex()}\n",
    "a root that is not ASCII": f"{ORIGIN}\n1237\n根{ROOT[1:]}\n",
    "a root without padding": f"{ORIGIN}\n1237\n{ROOT[:-1]}\n",
    "a root with other last bits": f"{ORIGIN}\n1237\n{ROOT[:-2]}9=\n",
}


@pytest.mark.parametrize("what", BAD_TEXTS)
def test_what_is_not_three_lines_of_that_form_is_no_checkpoint(what: str) -> None:
    with pytest.raises(NotACheckpoint):
        read_checkpoint(Note(BAD_TEXTS[what]))


def test_further_lines_of_another_log_are_passed_over_and_are_signed_too() -> None:
    text = TREE.text + "something more\n"
    assert read_checkpoint(Note(text)) == TREE
    moved = Note(text, NOTE.signatures)
    with pytest.raises(BadSignature):
        check_note(moved, [LOG.key])


def test_what_is_no_note_is_no_checkpoint() -> None:
    with pytest.raises(NotANote):
        open_checkpoint(TREE.text.encode())


def test_a_witness_says_when_and_the_latest_of_its_lines_counts() -> None:
    note = NOTE.signed(*(cosign(NOTE, WITNESS, at=AT + n) for n in (0, 60, 30)))
    note = note.signed(cosign(NOTE, ARCHIVE, at=AT))
    keys = [WITNESS.key, ARCHIVE.key]
    assert check_cosignatures(note, keys) == {WITNESS.key: AT + 60, ARCHIVE.key: AT}
    assert check_cosignatures(NOTE, keys) == {}
    assert check_note(note, [LOG.key]) == [LOG.key]


def test_a_witness_signs_the_words_that_c2sp_gives() -> None:
    line = cosign(NOTE, WITNESS, at=AT)
    assert line.signature[:8] == AT.to_bytes(8)
    message = f"cosignature/v1\ntime {AT}\n{TREE.text}".encode()
    assert WITNESS.key.holds(line.signature[8:], message)


def test_a_cosignature_of_another_time_text_or_length_is_forged_wherever_it_stands() -> None:
    true = cosign(NOTE, WITNESS, at=AT)
    other = sign_checkpoint(Checkpoint(ORIGIN, 1238, bytes(32)), LOG)
    forged = [
        (AT + 1).to_bytes(8) + true.signature[8:],
        cosign(other, WITNESS, at=AT).signature,
        true.signature[:-1],
        true.signature + b"\0",
        true.signature[8:],
        true.signature[:8],
        ((1 << 63) + AT).to_bytes(8) + true.signature[8:],
    ]
    for signature in forged:
        line = Signature(true.name, true.id, signature)
        for lines in ([line], [true, line], [line, true]):
            with pytest.raises(BadSignature):
                check_cosignatures(NOTE.signed(*lines), [WITNESS.key])
        assert check_cosignatures(NOTE.signed(line), [ARCHIVE.key]) == {}


def test_only_a_witness_cosigns() -> None:
    with pytest.raises(ValueError, match="0x04"):
        cosign(NOTE, LOG, at=AT)
