"""Salted commitments: the log names what lies elsewhere without telling it.

    commitment = HMAC-SHA256( salt, field || 0x00 || canonical JSON of the value )

The salt is 32 random bytes and lies with the value. Without it the commitment says nothing, not
even to somebody who tries every telephone number there is; with it the value cannot be exchanged.
Destroy the salt, and what remains in the log can no longer be told from noise.
"""

import hmac
import secrets
from typing import Any, Final

from audit.encoding import NotCanonical, canonical

SALT_BYTES: Final = 32


def new_salt() -> bytes:
    """A salt for one value; never used for another."""
    return secrets.token_bytes(SALT_BYTES)


def commit(field: str, value: Any, salt: bytes) -> str:
    """The commitment (hex) to this value of this field.

    Raises NotCanonical for a value outside the profile, ValueError for a field or salt that would
    make two meanings possible.
    """
    if not field or "\0" in field or len(salt) != SALT_BYTES:
        raise ValueError("a commitment needs a field without NUL and a salt of 32 bytes")
    return hmac.digest(salt, field.encode() + b"\0" + canonical(value), "sha256").hex()


def opens(commitment: str, field: str, value: Any, salt: bytes) -> bool:
    """Whether this value of this field, with this salt, is what the commitment names."""
    try:
        told = commit(field, value, salt)
    except (NotCanonical, ValueError):
        return False
    return hmac.compare_digest(told.encode(), commitment.encode())


def is_sealed(value: Any) -> bool:
    """Whether a recorded answer is a commitment to what lies elsewhere."""
    return isinstance(value, dict) and value.keys() == {"sealed", "as"}
