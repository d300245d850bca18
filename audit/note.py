"""Signed notes (C2SP signed-note v1.0.0): a text, and lines by which keys have signed it.

Of the types of keys there are, Ed25519 is known here: 0x01 signs the text, 0x04 is a witness's
cosignature with a time (audit.checkpoint). Lines of other keys are kept and mean nothing.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

ED25519: Final = 0x01
COSIGNATURE: Final = 0x04
SIGNATURE_BYTES: Final = 64
KEY_BYTES: Final = 32
LARGEST_NOTE: Final = 1024 * 1024
MOST_SIGNATURES: Final = 100

_LINE: Final = re.compile(r"— (\S+) ([A-Za-z0-9+/]+=*)")
_VKEY: Final = re.compile(r"([^+\s]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]+=*)")


class NotANote(ValueError):
    """The bytes are not a signed note, or the text not a key."""


class BadSignature(ValueError):
    """A key that is known is named on a signature that is not its own."""


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key under its name: type (ED25519 or COSIGNATURE) and 32 bytes of key."""

    name: str
    type: int
    key: bytes

    @property
    def id(self) -> bytes:
        """SHA-256(name || LF || type || key), the first 4 bytes."""
        told = self.name.encode() + b"\n" + bytes([self.type]) + self.key
        return hashlib.sha256(told).digest()[:4]

    @property
    def vkey(self) -> str:
        """The key as text: `name+id+base64(type || key)`."""
        told = base64.b64encode(bytes([self.type]) + self.key).decode()
        return f"{self.name}+{self.id.hex()}+{told}"

    def holds(self, signature: bytes, message: bytes) -> bool:
        """Whether these 64 bytes are this key's Ed25519 signature over the message."""
        try:
            Ed25519PublicKey.from_public_bytes(self.key).verify(signature, message)
        except InvalidSignature:
            return False
        return True


class Signer(Protocol):
    """Whoever holds a private key: a file, or a device that never gives it out."""

    @property
    def key(self) -> VerifierKey: ...

    def sign(self, message: bytes) -> bytes:
        """The 64 bytes of the key's Ed25519 signature over the message."""
        ...


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line: whose it says it is, and the bytes behind the key's id."""

    name: str
    id: bytes
    signature: bytes

    @property
    def line(self) -> str:
        """The line as it stands in a note, with its LF."""
        return f"— {self.name} {base64.b64encode(self.id + self.signature).decode()}\n"


@dataclass(frozen=True, slots=True)
class Note:
    """A text (ends with LF) and who is said to have signed it."""

    text: str
    signatures: tuple[Signature, ...] = ()

    @property
    def data(self) -> bytes:
        """The whole note."""
        return f"{self.text}\n{''.join(one.line for one in self.signatures)}".encode()

    def signed(self, *more: Signature) -> "Note":
        """The same note with more signatures; one that is there already is not added again."""
        new = [one for one in dict.fromkeys(more) if one not in self.signatures]
        return replace(self, signatures=(*self.signatures, *new))


def is_key_name(name: str) -> bool:
    """Whether a note may have a key of this name: not empty, no white space, no plus sign."""
    return bool(name) and "+" not in name and not any(c.isspace() or c < " " for c in name)


def read_vkey(text: str) -> VerifierKey:
    """Read a key's text form; raises NotANote for another type, a wrong id or a wrong length."""
    found = _VKEY.fullmatch(text)
    if found is None:
        raise NotANote("a key is written name+id+base64")
    name, id_, told = found.groups()
    data = _decoded(told)
    key = VerifierKey(name, data[0] if data else 0, data[1:])
    if key.type not in (ED25519, COSIGNATURE) or len(key.key) != KEY_BYTES:
        raise NotANote("only Ed25519 keys (types 0x01 and 0x04) are known here")
    if key.id.hex() != id_ or not is_key_name(name):
        raise NotANote("the id of the key is not that of its name and bytes")
    return key


def read_note(data: bytes) -> Note:
    """Read a note without believing any signature; raises NotANote."""
    if len(data) > LARGEST_NOTE:
        raise NotANote("too large for a note")
    try:
        told = data.decode()
    except UnicodeDecodeError:
        raise NotANote("a note is UTF-8") from None
    if any(c < " " and c != "\n" for c in told):
        raise NotANote("a note has no control characters but LF")
    text, blank, lines = told.rpartition("\n\n")
    if not blank or not lines.endswith("\n"):
        raise NotANote("a note ends in a blank line and signature lines")
    signatures = [_signature(line) for line in lines[:-1].split("\n")]
    if len(signatures) > MOST_SIGNATURES:
        raise NotANote("too many signatures")
    return Note(text + "\n", tuple(signatures))


def read_signatures(data: bytes) -> tuple[Signature, ...]:
    """Read signature lines without their note, as a witness answers them; raises NotANote."""
    return read_note(b"-\n\n" + data).signatures


def sign_note(text: str, signer: Signer) -> Signature:
    """Sign a text that ends with LF, with a key of type ED25519."""
    if signer.key.type != ED25519 or not text.endswith("\n"):
        raise ValueError("a note is signed by an Ed25519 key, and its text ends with LF")
    return Signature(signer.key.name, signer.key.id, signer.sign(text.encode()))


def check_note(note: Note, keys: Iterable[VerifierKey]) -> list[VerifierKey]:
    """Those of these keys (type ED25519) that have signed the note, in their order.

    A line of a key not among them is passed over. Raises BadSignature for a line that bears the
    name and id of one of them and is not its signature.
    """
    # Every line is looked at, not the first only: a second one under the same name may be forged.
    return [
        key for key in keys
        if key.type == ED25519 and [one for one in of_key(note, key) if _holds(key, one, note.text)]
    ]  # fmt: skip


def of_key(note: Note, key: VerifierKey) -> Sequence[Signature]:
    """The lines that bear this key's name and id."""
    return [one for one in note.signatures if (one.name, one.id) == (key.name, key.id)]


def _holds(key: VerifierKey, one: Signature, text: str) -> bool:
    if not key.holds(one.signature, text.encode()):
        raise BadSignature(f"the signature of {key.name} is not its own")
    return True


def _signature(line: str) -> Signature:
    found = _LINE.fullmatch(line)
    if found is None:
        raise NotANote("a signature line is: dash, name, base64")
    data = _decoded(found[2])
    if len(data) < 5 or not is_key_name(found[1]):
        raise NotANote("a signature is four bytes of key id and more")
    return Signature(found[1], data[:4], data[4:])


def _decoded(text: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error:
        raise NotANote("not base64") from None
    if base64.b64encode(data).decode() != text:
        raise NotANote("not the one base64 form of these bytes")
    return data
