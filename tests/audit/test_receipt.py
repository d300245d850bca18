"""Receipts: five lines in one form, signed by a key of their own and no other."""

import base64
from collections.abc import Callable
from dataclasses import replace

import pytest

from audit.note import BadSignature, NotANote, Note, Signature, sign_note
from audit.receipt import (
    NotAReceipt,
    NotSignedByLog,
    Receipt,
    check_receipt,
    give_receipt,
    read_receipt,
)
from tests.witnessing import ORIGIN, signer

KEY = signer(f"{ORIGIN}/receipt")
RECEIPT = Receipt(ORIGIN, "hazard-2026-00001", 4, bytes(range(32)), "2026-03-02T01:00:00.000Z")
NOTE = give_receipt(RECEIPT, KEY)
LINES = RECEIPT.text.split("\n")


def test_a_receipt_is_read_back_as_it_was_given_and_names_who_gave_it() -> None:
    note, receipt = read_receipt(NOTE.data)
    assert (note, receipt) == (NOTE, RECEIPT)
    assert check_receipt(note, receipt, [signer("other").key, KEY.key]) == KEY.key


def test_a_receipt_of_a_confidential_case_tells_the_day_only() -> None:
    told = replace(RECEIPT, at="2026-03-02")
    assert read_receipt(give_receipt(told, KEY).data)[1] == told


def test_the_log_s_own_key_gives_no_receipts() -> None:
    with pytest.raises(ValueError, match="origin"):
        give_receipt(RECEIPT, signer(ORIGIN))


def test_a_receipt_that_nobody_known_has_signed_proves_nothing() -> None:
    for keys in ([], [signer(ORIGIN).key], [signer(f"{ORIGIN}/receipt", seed="other").key]):
        with pytest.raises(NotSignedByLog):
            check_receipt(NOTE, RECEIPT, keys)
    # The receipt key of another log is none of this one's.
    other = signer("log.yanhe.example/receipt")
    foreign = Note(RECEIPT.text).signed(sign_note(RECEIPT.text, other))
    with pytest.raises(NotSignedByLog):
        check_receipt(foreign, RECEIPT, [other.key, KEY.key])


def test_a_receipt_with_a_changed_word_is_forged() -> None:
    changed = replace(RECEIPT, seq=5)
    with pytest.raises(BadSignature):
        check_receipt(Note(changed.text, NOTE.signatures), changed, [KEY.key])
    forged = Signature(KEY.key.name, KEY.key.id, bytes(64))
    with pytest.raises(BadSignature):
        check_receipt(NOTE.signed(forged), RECEIPT, [KEY.key])


def line(number: int, told: str) -> str:
    return "\n".join([*LINES[:number], told, *LINES[number + 1 :]])


MALFORMED: dict[str, Callable[[], str]] = {
    "another first line": lambda: line(0, "shaoji-receipt/v2"),
    "a line less": lambda: "\n".join([*LINES[:4], ""]),
    "a line more": lambda: RECEIPT.text + "more\n",
    "no number": lambda: line(2, "hazard-2026-00001"),
    "number nothing": lambda: line(2, "hazard-2026-00001 0"),
    "a number with a zero before": lambda: line(2, "hazard-2026-00001 04"),
    "a number in another script": lambda: line(2, "hazard-2026-00001 ４"),
    "a stream with a space": lambda: line(2, "hazard 2026 4"),
    "a short hash": lambda: line(3, base64.b64encode(bytes(31)).decode()),
    "a hash in hex": lambda: line(3, RECEIPT.hash.hex()),
    "a hash that is not ASCII": lambda: line(3, "摘" + LINES[3][1:]),
    "a hash with other last bits": lambda: line(3, LINES[3][:-2] + "9="),
    "no time": lambda: line(4, ""),
    "a time with a zone": lambda: line(4, "2026-03-02T09:00:00.000+08:00"),
    "a time without milliseconds": lambda: line(4, "2026-03-02T01:00:00Z"),
    "a month": lambda: line(4, "2026-03"),
}


@pytest.mark.parametrize("what", MALFORMED)
def test_what_is_not_in_the_form_of_a_receipt_is_none_whoever_signed_it(what: str) -> None:
    bad = MALFORMED[what]()
    signed = Note(bad).signed(sign_note(bad, KEY))
    with pytest.raises(NotAReceipt):
        read_receipt(signed.data)


def test_what_is_no_note_is_no_receipt() -> None:
    with pytest.raises(NotANote):
        read_receipt(RECEIPT.text.encode())
