"""The bodies an accusation may be handed over to: a folder of public keys, one file each.

`<name>.pub` holds an X25519 public key as 64 hexadecimal digits; the name of the file is the name
of the body, as it will be recorded. The private key never comes here: the body makes the pair
itself with `shaoji receivers keygen`, and keeps it.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from engine.errors import BadInput, Conflict

PUBLIC, PRIVATE = ".pub", ".key"
KEY_BYTES: Final = 32


class NoSuchReceiver(BadInput):
    """No public key is kept under this name."""

    def __init__(self) -> None:
        super().__init__(
            "没有登记这个接收机关的公钥。请管理员把对方的公钥文件放进接收机关目录。",
            "No public key of this body is registered. Let the administrator put its file into "
            "the folder of receivers.",
        )


class KeyThere(Conflict):
    """A key of this name exists; it is not overwritten."""


@dataclass(frozen=True, slots=True)
class Receiver:
    """A body with its public key."""

    name: str
    key: bytes


def receivers(folder: Path) -> tuple[Receiver, ...]:
    """The bodies in this folder, by name; files that hold no key are left out."""
    read = (_read(path) for path in sorted(folder.glob(f"*{PUBLIC}")))
    return tuple(one for one in read if one is not None)


def receiver(folder: Path, name: str) -> Receiver:
    """The body of this name; raises NoSuchReceiver."""
    found = next((one for one in receivers(folder) if one.name == name), None)
    if found is None:
        raise NoSuchReceiver
    return found


def make_keys(folder: Path, name: str) -> tuple[Path, Path]:
    """Make a pair of keys for a body: returns the public and the private file.

    The private one is readable by its owner alone. Raises KeyThere.
    """
    public, private = folder / f"{name}{PUBLIC}", folder / f"{name}{PRIVATE}"
    for path in (public, private):
        if path.exists():
            raise KeyThere(
                f"{path} 已经存在，没有覆盖。", f"{path} exists already and was not overwritten."
            )
    folder.mkdir(parents=True, exist_ok=True)
    key = X25519PrivateKey.generate()
    handle = os.open(private, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(key.private_bytes_raw().hex() + "\n")
    public.write_text(key.public_key().public_bytes_raw().hex() + "\n", encoding="ascii")
    return public, private


def private_key(path: Path) -> bytes:
    """The private key in this file; raises BadInput."""
    key = _hex(path)
    if key is None:
        raise BadInput(f"{path} 里不是私钥。", f"{path} holds no private key.")
    return key


def _read(path: Path) -> Receiver | None:
    key = _hex(path)
    return None if key is None else Receiver(path.name.removesuffix(PUBLIC), key)


def _hex(path: Path) -> bytes | None:
    try:
        key = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except (ValueError, OSError):
        return None
    return key if len(key) == KEY_BYTES else None
