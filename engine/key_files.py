"""One private key in one file: made whole, read by its owner alone, used as a signer of notes.

PKCS#8 in PEM, Ed25519, without a passphrase: the server must start by itself. In its place a file
may hold one line, the `pkcs11:` address of a key in a device, which then can be replaced as files
are.
"""

import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from audit.note import ED25519, Signer, VerifierKey
from engine.errors import NotFound, Refusal
from engine.pkcs11_keys import device_signer
from engine.seal_key import SCHEME

PRIVATE: Final = 0o600
PUBLIC: Final = 0o644
_OTHERS: Final = 0o077


class NoKey(NotFound):
    """There is no such key here, or this process may not read it."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"没有密钥文件 {path}，或者无权读取。还没有建过就执行 shaoji keys init；"
            "建过的请从备份放回。",
            f"There is no key {path}, or it may not be read. If it was never made, run "
            "`shaoji keys init`; if it was, put it back from the backup.",
        )


class KeyUnfit(Refusal):
    """The file can be read by others, or does not hold what it should."""

    def __init__(self, path: Path, chinese: str, english: str) -> None:
        super().__init__(
            f"密钥文件 {path} {chinese}。请从备份放回原来的文件。",
            f"The key {path} {english}. Put back the file from the backup.",
        )


class KeyOpen(KeyUnfit):
    """Others than the owner may read the file of a private key."""

    def __init__(self, path: Path) -> None:
        Refusal.__init__(
            self,
            f"密钥文件 {path} 别人也能读。请先执行 chmod 600 {path}；可能已被读过的，请换钥。",
            f"Others may read the key {path}. Run `chmod 600 {path}` first; if somebody may have "
            "read it, replace it.",
        )


@dataclass(frozen=True, slots=True)
class FileSigner:
    """A key that was read from a file into memory."""

    key: VerifierKey
    private: Ed25519PrivateKey = field(repr=False)

    def sign(self, message: bytes) -> bytes:
        """The key's Ed25519 signature over the message."""
        return self.private.sign(message)


def signer(place: str | Path, name: str, kind: int = ED25519) -> Signer:
    """The key in this file, or at this `pkcs11:` address, as the signer of that name and type.

    Raises NoKey, KeyUnfit, DeviceUnfit.
    """
    if is_device(place):
        return device_signer(str(place), name, kind)
    path = Path(place)
    data = read_private(path)
    if data.startswith(SCHEME.encode()):
        return device_signer(data.decode(errors="replace").strip(), name, kind)
    private = _private_key(path, data)
    return FileSigner(VerifierKey(name, kind, private.public_key().public_bytes_raw()), private)


def is_device(place: str | Path) -> bool:
    """Whether a key is named by the address of a device and not by a file."""
    return str(place).startswith(SCHEME)


def new_private() -> bytes:
    """A new Ed25519 key, as its file."""
    return Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )


def read_private(path: Path) -> bytes:
    """The bytes of a file that its owner alone may read; raises NoKey, KeyUnfit.

    Asked of the open file, not of its name: nobody can exchange it between the two.
    """
    try:
        with path.open("rb") as file:
            if os.name != "nt" and os.fstat(file.fileno()).st_mode & _OTHERS:
                raise KeyOpen(path)
            return file.read()
    except (FileNotFoundError, PermissionError):
        raise NoKey(path) from None
    except OSError:
        raise KeyUnfit(path, "读不出来", "cannot be read") from None


def write_once(path: Path, data: bytes, mode: int) -> bool:
    """Make a file, whole or not at all, never over another; returns whether it was made now."""
    part = _part(path, data, mode)
    try:
        os.link(part, path)
    except FileExistsError:
        return False
    finally:
        part.unlink()
        sync(path.parent)
    return True


def write_over(path: Path, data: bytes, mode: int) -> None:
    """Put other content in the place of a file, at once and whole."""
    _part(path, data, mode).replace(path)
    sync(path.parent)


def sync(folder: Path) -> None:
    """Let names made or changed in this folder outlive a power cut."""
    if os.name == "nt":
        return  # a folder cannot be opened there
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _part(path: Path, data: bytes, mode: int) -> Path:
    # A run killed here leaves a file nobody reads: `shaoji keys show` names it.
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    return part


def _private_key(path: Path, data: bytes) -> Ed25519PrivateKey:
    try:
        private = load_pem_private_key(data, password=None)
    except TypeError:
        raise KeyUnfit(path, "设了口令", "is locked with a passphrase") from None
    except ValueError:
        raise KeyUnfit(path, "不是私钥或已损坏", "is damaged or no private key") from None
    if not isinstance(private, Ed25519PrivateKey):
        raise KeyUnfit(path, "不是 Ed25519 私钥", "is no Ed25519 key")
    return private
