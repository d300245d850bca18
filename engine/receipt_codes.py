"""Receipt codes: what a complainant comes back with, and all that opens their mailbox to them.

Sixteen digits look like a telephone number, can be read out and written down. The vault keeps what
Argon2id makes of them: one derivation to find the case by, another, with another salt, to unwrap
the key of its content. Both salts are secret, so that a stolen vault cannot even be guessed at.
"""

import hmac
import re
import secrets
import unicodedata
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from argon2.low_level import Type, hash_secret_raw
from sqlalchemy import insert, select

from engine import vault as store
from engine.errors import BadInput, NotFound
from engine.sealed_answers import subject_of
from engine.vault import KEY_BYTES, Vault, code_table

DIGITS: Final = 16
# RFC 9106 section 4, the second recommended option: for where 2 GiB per guess are too much. With
# 10^16 codes that is what a guess costs, and there are 53 bits of them.
PASSES: Final = 3
MEMORY_KIB: Final = 64 * 1024
LANES: Final = 4


class BadCode(BadInput):
    """These are not sixteen digits."""


class UnknownCode(NotFound):
    """No case has this code; the sentence does not say how near it was."""

    def __init__(self) -> None:
        super().__init__(
            "没有找到这个回执码，请核对 16 位数字。回执码只在提交时给出一次，别处没有留存。",
            "There is no such code; check the 16 digits. It was given once and is kept nowhere.",
        )


@dataclass(frozen=True, slots=True)
class Found:
    """What a code opens: the case, as whom, and the key of its content.

    key: None once the content has been destroyed or handed over; the case can still be followed.
    """

    case: str
    complainant: str
    subject: str
    key: bytes | None = field(repr=False)


def following(vault: Vault, found: Found, case: str, *, at: datetime) -> Found:
    """What the same code opens of a case that followed from the complaint: retaliation for it.

    Its mailbox has a key of its own, which the vault keeps; whoever typed the code has shown that
    it is theirs. key: None once it is destroyed.
    """
    subject = subject_of(case, "content")
    key = None if store.destroyed(vault, subject) else store.subject_key(vault, subject, at=at)
    return replace(found, case=case, subject=subject, key=key)


def new_code() -> str:
    """A code as it is shown and read out: `1234-5678-9012-3456`."""
    return _grouped(secrets.randbelow(10**DIGITS))


def code_of(secret: bytes) -> str:
    """The code that belongs to a secret nobody else has: the same whenever it is asked for.

    A form that carries such a secret can be sent twice, and both are answered with one code.
    """
    drawn = hmac.digest(secret, b"shaoji receipt code", "sha256")
    return _grouped(int.from_bytes(drawn) % 10**DIGITS)


def _grouped(number: int) -> str:
    digits = f"{number:0{DIGITS}d}"
    return "-".join(digits[start : start + 4] for start in range(0, DIGITS, 4))


def new_complainant() -> str:
    """Who a complainant is in the log: drawn anew for each case, so that nothing links two."""
    return f"complainant:{secrets.token_hex(8)}"


def digits_of(code: str) -> str:
    """The sixteen digits somebody typed, whatever spaces, dashes or full-width digits they used.

    Raises BadCode.
    """
    told = re.sub(r"[\s\-‐-―−－]", "", unicodedata.normalize("NFKC", code[:100]))
    if not re.fullmatch(rf"[0-9]{{{DIGITS}}}", told):
        raise BadCode(
            f"回执码是 {DIGITS} 位数字，请核对。", f"The code has {DIGITS} digits; check it."
        )
    return told


@dataclass(frozen=True, slots=True)
class Prepared:
    """What is kept of a code: where it is found, and the key it stands for."""

    lookup: str
    key: bytes = field(repr=False)


def prepare(vault: Vault, code: str) -> Prepared:
    """What Argon2id makes of a code, a fifth of a second: before the transaction begins.

    Neither half tells anything of the other. Raises BadCode.
    """
    digits = digits_of(code)
    lookup_salt, key_salt = vault.salts[:KEY_BYTES], vault.salts[KEY_BYTES:]
    return Prepared(_argon2id(digits, lookup_salt).hex(), _argon2id(digits, key_salt))


def register(
    vault: Vault, code: Prepared, subject: str, case: str, *, complainant: str, at: datetime
) -> None:
    """Let a code open a case and the subject of its content; in the transaction that opens it.

    Raises SealDestroyed.
    """
    inner = store.subject_key(vault, subject, at=at)
    wrapped = store.lock(code.key, inner, ["code", code.lookup, subject, case, complainant])
    row = {"lookup": code.lookup, "case": case, "complainant": complainant, "subject": subject}
    with store.transaction(vault) as conn:
        conn.execute(insert(code_table), row | {"wrapped": wrapped})


def find(vault: Vault, code: str) -> Found:
    """What a code opens. Raises BadCode, UnknownCode, SealDamaged; ask `Attempts` before."""
    told = prepare(vault, code)
    with store.transaction(vault) as conn:
        row = conn.execute(select(code_table).where(code_table.c.lookup == told.lookup)).first()
    if row is None:
        raise UnknownCode
    place = ["code", told.lookup, row.subject, row.case, row.complainant]
    key = None if row.wrapped is None else store.unlock(told.key, bytes(row.wrapped), place)
    return Found(row.case, row.complainant, row.subject, key)


def _argon2id(digits: str, salt: bytes) -> bytes:
    return hash_secret_raw(
        digits.encode(), salt, time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=LANES,
        hash_len=KEY_BYTES, type=Type.ID,
    )  # fmt: skip
