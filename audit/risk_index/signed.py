"""A file of weights as it was adopted: a signed note that names version, month and SHA-256.

Signed by the key that signs receipts, `<origin>/receipt`, which pages hold. Whoever has the file
and the note knows without the log that this street adopted it.

    shaoji-index-weights/v1
    <origin>
    <version> <first month it is in force, 2026-03>
    <SHA-256 of the file, base64>
"""

import base64
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from audit.note import NotANote, Note, Signer, VerifierKey, check_note, read_note, sign_note
from audit.receipt import KEY_SUFFIX

FIRST_LINE: Final = "shaoji-index-weights/v1"
MONTH: Final = re.compile(r"[12]\d{3}-(?:0[1-9]|1[0-2])")
_IN_FORCE: Final = re.compile(rf"([1-9][0-9]{{0,8}}) ({MONTH.pattern})")


class NotAdopted(NotANote):
    """The note tells of no adopted file of weights, or nobody believed has signed it."""


@dataclass(frozen=True, slots=True)
class Adoption:
    """What was adopted: in which log, which version, from which month on, sha256 in hex."""

    origin: str
    version: int
    month: str
    sha256: str

    @property
    def text(self) -> str:
        """The body of the note."""
        told = base64.b64encode(bytes.fromhex(self.sha256)).decode()
        return f"{FIRST_LINE}\n{self.origin}\n{self.version} {self.month}\n{told}\n"


def sign_adoption(told: Adoption, signer: Signer) -> Note:
    """Sign it. Raises ValueError for a key of another name than `<origin>/receipt`."""
    if signer.key.name != told.origin + KEY_SUFFIX:
        raise ValueError("adopted weights are signed by the key <origin>/receipt")
    return Note(told.text).signed(sign_note(told.text, signer))


def read_adoption(data: bytes) -> tuple[Note, Adoption]:
    """Read the note, believing nobody yet; raises NotAdopted, NotANote."""
    note = read_note(data)
    lines = note.text.split("\n")
    found = _IN_FORCE.fullmatch(lines[2]) if len(lines) == 5 else None
    if found is None or lines[0] != FIRST_LINE:
        raise NotAdopted(f"adopted weights are told in four lines, the first {FIRST_LINE}")
    try:
        hash_ = base64.b64decode(lines[3], validate=True)
    except ValueError:  # not base64, or not even ASCII
        hash_ = b""
    told = Adoption(lines[1], int(found[1]), found[2], hash_.hex())
    if len(hash_) != 32 or told.text != note.text:
        raise NotAdopted("the hash is not in the one base64 form of its 32 bytes")
    return note, told


def check_adoption(note: Note, told: Adoption, keys: Iterable[VerifierKey]) -> VerifierKey:
    """Which of these keys has signed it; raises NotAdopted, note.BadSignature."""
    fitting = [key for key in keys if key.name == told.origin + KEY_SUFFIX]
    signers = check_note(note, fitting)
    if not signers:
        raise NotAdopted("no key that is believed has signed this adoption")
    return signers[0]
