"""The file with the key of the vault: made once, read by its owner alone, replaced without loss.

It belongs into another backup than the vault: whoever has both can read everything.
"""

import os
import secrets
from pathlib import Path

from engine.errors import Refusal
from engine.key_files import PRIVATE, sync, write_once
from engine.vault import KEY_BYTES, Vault, WrongKey, open_vault, rotate


class KeyUnsafe(Refusal):
    """The key file can be read by others, or holds no key."""


def kept_key(path: Path) -> bytes:
    """The key in this file, made on the first start; only its owner may read it.

    Raises KeyUnsafe if somebody else may read it too, or if it is none.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(path, secrets.token_bytes(KEY_BYTES))
    return _read(path)


def open_kept(url: str, path: Path) -> Vault:
    """The vault locked with the key in this file; finishes a replacement that was cut short.

    Raises KeyUnsafe, WrongKey.
    """
    try:
        return open_vault(url, kept_key(path))
    except WrongKey:
        if not _next(path).exists():
            raise
    vault = open_vault(url, _read(_next(path)))
    _put(path)
    return vault


def held_keys(path: Path) -> list[bytes]:
    """The key in this file, and the one that takes over where a replacement was cut short.

    Empty where there is no file: makes none, unlike `kept_key`. Raises KeyUnsafe.
    """
    return [_read(one) for one in (path, _next(path)) if one.exists()]


def replace_key(vault: Vault, path: Path) -> Vault:
    """Lock the vault with a new key and keep that in the file.

    Crash order: the new key is on disk beside the old one before the vault is locked with it, and
    takes its place after; whichever fits is found by `open_kept`. Raises WrongKey if the file does
    not hold what the vault is locked with.
    """
    if _read(path) != vault.key:
        raise WrongKey
    _next(path).unlink(missing_ok=True)
    _write(_next(path), secrets.token_bytes(KEY_BYTES))
    vault = rotate(vault, _read(_next(path)))
    _put(path)
    return vault


def _next(path: Path) -> Path:
    return path.with_name(path.name + ".next")


def _put(path: Path) -> None:
    _next(path).replace(path)
    sync(path.parent)


def _write(path: Path, key: bytes) -> None:
    write_once(path, f"{key.hex()}\n".encode("ascii"), PRIVATE)


def _read(path: Path) -> bytes:
    if os.name != "nt" and path.stat().st_mode & 0o077:
        raise KeyUnsafe(
            f"密封库的密钥文件 {path} 别人也能读，请先执行 chmod 600 {path}。",
            f"Others may read the key of the vault {path}; chmod 600 it first.",
        )
    try:
        key = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise KeyUnsafe(
            f"{path} 里不是密封库的密钥，请从备份放回。",
            f"{path} holds no key of the vault; put it back from the backup.",
        )
    return key
