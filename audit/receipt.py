"""Receipts: the log's promise, signed, that an event is recorded and will be in its tree.

Whoever holds one can show later that the event is missing. A receipt is a signed note of five
lines under a key of its own, `<origin>/receipt`, which pages may hold; the checkpoint key stays
with the sequencer. Once the event is in the tree, the receipt travels as the `extra` of its proof.

    shaoji-receipt/v1
    <origin>
    <stream> <seq>
    <leaf hash of the event, base64>
    <when it was recorded: an instant, or of a confidential case the date only, UTC>
"""

import base64
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from audit.merkle import HASH_BYTES
from audit.note import NotANote, Note, Signer, VerifierKey, check_note, read_note, sign_note

FIRST_LINE: Final = "shaoji-receipt/v1"
KEY_SUFFIX: Final = "/receipt"
_PLACE: Final = re.compile(r"(\S+) ([1-9][0-9]{0,9})")
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d(?:T\d\d:\d\d:\d\d\.\d{3}Z)?")


class NotAReceipt(NotANote):
    """The note is no receipt of a form known here."""


class NotSignedByLog(ValueError):
    """No key that is believed has signed the receipt: anybody can have written it."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What is promised: the event `seq` of `stream` with this leaf hash; `at` as told (text)."""

    origin: str
    stream: str
    seq: int
    hash: bytes
    at: str

    @property
    def text(self) -> str:
        """The body of the note."""
        told = base64.b64encode(self.hash).decode()
        return f"{FIRST_LINE}\n{self.origin}\n{self.stream} {self.seq}\n{told}\n{self.at}\n"


def give_receipt(receipt: Receipt, signer: Signer) -> Note:
    """Sign a receipt. Raises ValueError for a key of another name than `<origin>/receipt`."""
    if signer.key.name != receipt.origin + KEY_SUFFIX:
        raise ValueError("receipts are signed by the key <origin>/receipt")
    return Note(receipt.text).signed(sign_note(receipt.text, signer))


def read_receipt(data: bytes) -> tuple[Note, Receipt]:
    """Read a receipt, believing nobody yet; raises NotAReceipt, NotANote."""
    note = read_note(data)
    lines = note.text.split("\n")
    if len(lines) != 6 or lines[0] != FIRST_LINE:
        raise NotAReceipt(f"a receipt has five lines, the first {FIRST_LINE}")
    place = _PLACE.fullmatch(lines[2])
    try:
        hash_ = base64.b64decode(lines[3], validate=True)
    except ValueError:  # not base64, or not even ASCII
        hash_ = b""
    if place is None or len(hash_) != HASH_BYTES or not _DATE.fullmatch(lines[4]):
        raise NotAReceipt("a receipt names stream, number, hash and time")
    told = Receipt(lines[1], place[1], int(place[2]), hash_, lines[4])
    if told.text != note.text:
        raise NotAReceipt("the hash is not in the one base64 form of its bytes")
    return note, told


def check_receipt(note: Note, receipt: Receipt, keys: Iterable[VerifierKey]) -> VerifierKey:
    """Which of these keys has signed the receipt; raises NotSignedByLog, note.BadSignature."""
    fitting = [key for key in keys if key.name == receipt.origin + KEY_SUFFIX]
    signers = check_note(note, fitting)
    if not signers:
        raise NotSignedByLog("no receipt key that is believed has signed this receipt")
    return signers[0]
