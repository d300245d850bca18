"""The key that locks what the main database keeps of second factors: in a file of its own.

A copy of the database alone then gives no code. Lost: nobody's app is accepted any more, everybody
with a second factor has it reset (`shaoji user reset-second-factor`) and enrols again.
"""

import secrets
from pathlib import Path
from typing import Final

from engine.key_files import PRIVATE, KeyUnfit, read_private, write_once

KEY_BYTES: Final = 32


def kept_field_key(path: Path) -> bytes:
    """The key in this file, made on the first start; only its owner may read it.

    Raises KeyOpen if somebody else may read it too, KeyUnfit if it is none, NoKey.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_once(path, f"{secrets.token_hex(KEY_BYTES)}\n".encode("ascii"), PRIVATE)
    return held_field_key(path)


def held_field_key(path: Path) -> bytes:
    """The key in this file; makes none. Raises KeyOpen, KeyUnfit, NoKey."""
    try:
        key = bytes.fromhex(read_private(path).decode("ascii").strip())
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise KeyUnfit(path, "里不是字段加密的密钥", "holds no key for fields")
    return key
