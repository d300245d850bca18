"""Logs and witnesses in memory: signers from seeds, trees that grow, requests over them."""

import hashlib
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit.checkpoint import Checkpoint, sign_checkpoint
from audit.merkle import levels, prove_consistency, root
from audit.note import COSIGNATURE, ED25519, Note, Signer, VerifierKey
from audit.witness import write_request

ORIGIN = "log.tinglan.example"


@dataclass(frozen=True)
class Kept:
    """A private key in memory."""

    key: VerifierKey
    private: Ed25519PrivateKey

    def sign(self, message: bytes) -> bytes:
        return self.private.sign(message)


def signer(name: str, type_: int = ED25519, *, seed: str = "") -> Signer:
    """A key that is the same in every run: made of seed, name and type."""
    private = Ed25519PrivateKey.from_private_bytes(
        hashlib.sha256(f"{seed} {name} {type_}".encode()).digest()
    )
    return Kept(VerifierKey(name, type_, private.public_key().public_bytes_raw()), private)


def witness_signer(name: str = "witness.example/district") -> Signer:
    """The key of a witness."""
    return signer(name, COSIGNATURE)


@dataclass
class Grown:
    """A log of as many leaves as asked for; another `history` has other leaves from `fork` on."""

    origin: str = ORIGIN
    history: str = ""
    fork: int = 0
    key: Signer = field(default_factory=lambda: signer(ORIGIN))

    def _read(self, size: int) -> list[list[bytes]]:
        told = (self.history if n >= self.fork else "" for n in range(size))
        return levels([hashlib.sha256(f"{one}{n}".encode()).digest() for n, one in enumerate(told)])

    def note(self, size: int) -> Note:
        rows = self._read(size)
        told = root(lambda level, index: rows[level][index], size)
        return sign_checkpoint(Checkpoint(self.origin, size, told), self.key)

    def proof(self, old: int, size: int) -> list[bytes]:
        rows = self._read(size)
        return prove_consistency(lambda level, index: rows[level][index], old, size)

    def request(self, old: int, size: int) -> bytes:
        proof = self.proof(old, size) if old <= size else []
        return write_request(old, proof, self.note(size))
