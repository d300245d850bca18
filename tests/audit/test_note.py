"""Signed notes: read in their one form or not at all; a known name must have signed itself."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.note import (
    COSIGNATURE,
    ED25519,
    LARGEST_NOTE,
    MOST_SIGNATURES,
    BadSignature,
    NotANote,
    Note,
    Signature,
    VerifierKey,
    check_note,
    is_key_name,
    read_note,
    read_signatures,
    read_vkey,
    sign_note,
)
from tests.vectors import published
from tests.witnessing import signer

TEXT = "听澜街道\n第二行\n"
OURS, OTHER = signer("log.tinglan.example"), signer("log.tinglan.example", seed="other")
SIGNED = Note(TEXT).signed(sign_note(TEXT, OURS))


@pytest.fixture(scope="module")
def answers() -> Any:
    return json.loads(published("known-answers.json").read_text())


def test_the_published_note_is_read_and_its_signature_holds(answers: Any) -> None:
    [told] = answers["signed_note"]
    key, note = read_vkey(told["vkey"]), read_note(told["note"].encode())
    assert check_note(note, [key]) == [key]
    assert note.data == told["note"].encode()
    assert key.vkey == told["vkey"]
    forged = read_note(told["note"].replace("an example", "no example").encode())
    with pytest.raises(BadSignature):
        check_note(forged, [key])


def test_published_keys_are_read_if_good_and_refused_if_bad(answers: Any) -> None:
    assert [read_vkey(one).vkey for one in answers["vkeys"]["good"]] == answers["vkeys"]["good"]
    assert len(answers["vkeys"]["bad"]) == 2
    for bad in answers["vkeys"]["bad"]:
        with pytest.raises(NotANote):
            read_vkey(bad)


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc"])), st.integers(1, 5))
def test_a_note_that_was_written_is_read_as_it_was(line: str, count: int) -> None:
    text = f"{line}\n"
    note = Note(text).signed(*(sign_note(text, signer(f"key{n}")) for n in range(count)))
    assert read_note(note.data) == note
    assert len(check_note(note, [signer(f"key{n}").key for n in range(count)])) == count


def test_a_text_with_blank_lines_ends_at_the_last_one() -> None:
    text = "一\n\n— somebody AAAAAAAA\n\n二\n"
    note = Note(text).signed(sign_note(text, OURS))
    assert read_note(note.data) == note


LINE = SIGNED.data.decode().split("\n\n")[1]
TOLD = LINE.split(" ")[2].strip()
MALFORMED: dict[str, str] = {
    "nothing": "",
    "no signature": TEXT,
    "no signature behind the blank line": f"{TEXT}\n",
    "no blank line": f"{TEXT}{LINE}",
    "no line feed at the end": f"{TEXT}\n{LINE[:-1]}",
    "a blank line at the end": f"{TEXT}\n{LINE}\n",
    "a tab": f"一\t二\n\n{LINE}",
    "a carriage return": f"一\r\n\n{LINE}",
    "a null": f"一\0\n\n{LINE}",
    "an escape": f"\x1b[31m一\n\n{LINE}",
    "a hyphen for the dash": f"{TEXT}\n{LINE.replace('—', '-')}",
    "a second space": f"{TEXT}\n{LINE.replace(' log', '  log')}",
    "a space at the end": f"{TEXT}\n{LINE[:-1]} \n",
    "a name with a plus": f"{TEXT}\n{LINE.replace('log.', 'log+')}",
    "a name with a space": f"{TEXT}\n{LINE.replace('log.', 'log ')}",
    "a name with a wide space": f"{TEXT}\n{LINE.replace('log.', 'log　')}",
    "no name": f"{TEXT}\n— {TOLD}\n",
    "something that is no line": f"{TEXT}\n{LINE}verified\n",
    "no padding": f"{TEXT}\n{LINE.replace('=', '')}",
    "padding in the middle": f"{TEXT}\n— k AAA=AAAA\n",
    "another alphabet": f"{TEXT}\n— k {'-_' * 8}\n",
    "bits behind the last byte": f"{TEXT}\n— k AAAAAAB=\n",
    "a key id and nothing": f"{TEXT}\n— k AAAAAA==\n",
    "less than a key id": f"{TEXT}\n— k AAAA\n",
    "too many signatures": f"{TEXT}\n{LINE * (MOST_SIGNATURES + 1)}",
    "too much": f"{'一' * (LARGEST_NOTE // 3)}\n\n{LINE}",
}  # fmt: skip


@pytest.mark.parametrize("what", MALFORMED)
def test_what_is_not_in_the_form_of_a_note_is_none(what: str) -> None:
    assert TOLD.endswith("=")
    with pytest.raises(NotANote):
        read_note(MALFORMED[what].encode())


def test_bytes_that_are_not_utf_8_are_no_note() -> None:
    with pytest.raises(NotANote):
        read_note(SIGNED.data.replace("听".encode(), b"\xff\xff\xff"))


def test_the_line_of_a_key_that_is_not_known_is_kept_and_means_nothing() -> None:
    note = SIGNED.signed(Signature("elsewhere", b"abcd", b"anything at all"))
    assert check_note(read_note(note.data), [OURS.key]) == [OURS.key]
    assert check_note(note, [OTHER.key]) == []
    assert check_note(note, []) == []


def test_a_line_under_a_known_name_and_id_that_is_not_its_signature_is_forged() -> None:
    [own] = SIGNED.signatures
    for bytes_ in (bytes(64), own.signature[:-1], own.signature + b"\0", b"x"):
        forged = Signature(own.name, own.id, bytes_)
        with pytest.raises(BadSignature):
            check_note(Note(TEXT, (forged,)), [OURS.key])
        # It is no excuse that a true one stands there too, before it or behind it.
        for both in ((own, forged), (forged, own)):
            with pytest.raises(BadSignature):
                check_note(Note(TEXT, both), [OURS.key])


def test_another_key_of_the_same_name_is_another_key() -> None:
    assert OTHER.key.id != OURS.key.id
    both = SIGNED.signed(sign_note(TEXT, OTHER))
    assert check_note(both, [OTHER.key, OURS.key]) == [OTHER.key, OURS.key]


def test_a_witness_key_signs_no_note_and_checks_none() -> None:
    witness = signer("witness", COSIGNATURE)
    with pytest.raises(ValueError, match="Ed25519"):
        sign_note(TEXT, witness)
    assert check_note(SIGNED, [witness.key]) == []
    with pytest.raises(ValueError, match="ends with LF"):
        sign_note("no line feed", OURS)


def test_a_signature_that_is_there_is_not_added_twice() -> None:
    again = sign_note(TEXT, OURS)
    assert SIGNED.signed(again, again) == SIGNED


def test_signature_lines_by_themselves_are_read_as_in_a_note() -> None:
    lines = "".join(one.line for one in SIGNED.signatures).encode()
    assert read_signatures(lines) == SIGNED.signatures
    with pytest.raises(NotANote):
        read_signatures(b"x\n\n" + lines[:-1])


# --- keys -----------------------------------------------------------------------------------------


def test_a_key_name_is_not_empty_and_has_no_white_space_and_no_plus() -> None:
    assert all(map(is_key_name, ("a", "log.tinglan.example/receipt", "听澜")))
    assert not any(map(is_key_name, ("", "a b", "a+b", "a\tb", "a\nb", "a　b", "a\xa0b", "a\0")))


def spoil(change: Callable[[str, str, bytes], str]) -> str:
    name, id_, told = OURS.key.vkey.split("+", 2)
    return change(name, id_, base64.b64decode(told))


def text(name: str, id_: str, data: bytes) -> str:
    return f"{name}+{id_}+{base64.b64encode(data).decode()}"


BAD_KEYS = {
    "nothing": "",
    "a name": OURS.key.name,
    "another name": spoil(lambda name, id_, data: text("log.yanhe.example", id_, data)),
    "another id": spoil(lambda name, id_, data: text(name, "00000000", data)),
    "an id in capitals": spoil(lambda name, id_, data: text(name, id_.upper(), data)),
    "a short id": spoil(lambda name, id_, data: text(name, id_[:-1], data)),
    "another key": spoil(lambda name, id_, data: text(name, id_, data[:-1] + b"\0")),
    "another type": spoil(lambda name, id_, data: text(name, id_, b"\x04" + data[1:])),
    "padding that is not needed": OURS.key.vkey + "=",
    "a space behind": OURS.key.vkey + " ",
    "a line feed behind": OURS.key.vkey + "\n",
    "a short key": VerifierKey("k", ED25519, bytes(31)).vkey,
    "a long key": VerifierKey("k", ED25519, bytes(33)).vkey,
    "a key of no bytes": VerifierKey("k", ED25519, b"").vkey,
    "a type nobody knows": VerifierKey("k", 0x02, bytes(32)).vkey,
    "a name with a space": VerifierKey("k k", ED25519, bytes(32)).vkey,
    "a name with a plus": VerifierKey("k+k", ED25519, bytes(32)).vkey,
    "no name": VerifierKey("", ED25519, bytes(32)).vkey,
}  # fmt: skip


@pytest.mark.parametrize("what", BAD_KEYS)
def test_what_is_not_the_text_of_a_key_is_none(what: str) -> None:
    assert OURS.key.id.hex() != OURS.key.id.hex().upper()
    with pytest.raises(NotANote):
        read_vkey(BAD_KEYS[what])


@pytest.mark.parametrize("type_", [ED25519, COSIGNATURE])
def test_a_key_is_read_back_from_its_text(type_: int) -> None:
    key = signer("witness.nanyu.example", type_).key
    assert read_vkey(key.vkey) == key


def test_bytes_that_are_no_point_of_the_curve_hold_no_signature() -> None:
    for told in (b"\xff" * 32, bytes(32)):
        assert not VerifierKey("k", ED25519, told).holds(b"\x01" * 64, b"message")
    assert not OURS.key.holds(b"", b"message")
