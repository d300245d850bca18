"""The office's seal on reports: a P-256 key, in a file or in a device, with its certificate.

The certificate is what an outsider holds against a report. One that the office has made itself
says no more than that it is this one; so it has to reach whoever checks by another way than the
report, as the impression of a stamp is deposited. One from a certification service works the same.
"""

import os
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from engine.errors import Refusal

DAYS_OF_A_YEAR: Final = 365
LONGEST_COMMON_NAME: Final = 64
SCHEME: Final = "pkcs11:"
# What a URI of RFC 7512 may say here; of more we would not know what it restricts.
_KNOWN: Final = frozenset({"token", "serial", "object", "id", "module-path", "pin-source"})


class SealUnsafe(Refusal):
    """The seal's key can be read by others, is none, or is not that of the certificate."""


@dataclass(frozen=True, slots=True)
class DeviceKey:
    """A key that never leaves its device (PKCS#11).

    module: the maker's library. token, serial: which device. label, id: which key on it.
    pin_source: the file the PIN is in, readable by its owner only; None where none is asked for.
    """

    module: str
    token: str | None = None
    serial: str | None = None
    label: str | None = None
    id: bytes | None = None
    pin_source: Path | None = None

    @property
    def pin(self) -> str | None:
        """The PIN; raises SealUnsafe if others may read its file."""
        return _kept(self.pin_source).decode().strip() if self.pin_source else None


@dataclass(frozen=True, slots=True)
class SealKey:
    """A certificate, those above it, and its key (PKCS#8), all DER; or where the key is."""

    certificate: bytes
    chain: tuple[bytes, ...]
    private: bytes | DeviceKey = field(repr=False)


def make_seal_key(organisation: str, *, at: datetime, years: int = 10) -> tuple[bytes, bytes]:
    """A new key and its own certificate for a seal, both PEM.

    The certificate may sign and be held to it, nothing else: it vouches for no other certificate.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation),
        x509.NameAttribute(NameOID.COMMON_NAME, _common_name(organisation)),
    ])  # fmt: skip
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(at)
        .not_valid_after(at + timedelta(days=DAYS_OF_A_YEAR * years))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return pem, certificate.public_bytes(Encoding.PEM)


def read_seal_key(key_path: Path, certificate_path: Path) -> SealKey:
    """The seal in these files; the certificate's own first, those above it after it.

    Raises SealUnsafe if others may read the key, if it is no P-256 key, or if the certificate is
    that of another key.
    """
    certificates = _certificates(certificate_path)
    try:
        key = load_pem_private_key(_kept(key_path), password=None)
    except (ValueError, TypeError):
        raise _not_a_key(key_path) from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise _not_a_key(key_path)
    if _spki(key.public_key()) != _spki(certificates[0].public_key()):
        raise SealUnsafe(
            f"证书 {certificate_path} 不是密钥 {key_path} 的证书，请放回配套的一对。",
            f"The certificate {certificate_path} is not that of the key {key_path}; put back the "
            "two that belong together.",
        )
    private = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return _seal(certificates, private)


def seal_key_from_pkcs11(uri: str, certificate_path: Path) -> SealKey:
    """The seal whose key is in the device a PKCS#11 URI names; the certificate is in a file.

    Raises SealUnsafe for a URI that cannot be used. The device is asked only when it seals.
    """
    return _seal(_certificates(certificate_path), read_pkcs11_uri(uri))


def read_pkcs11_uri(uri: str) -> DeviceKey:
    """Read `pkcs11:token=…;object=…?module-path=…&pin-source=…` (RFC 7512).

    A PIN in the URI itself is refused: settings are shown and copied, a file of its own is not.
    Raises SealUnsafe.
    """
    path, _, query = uri.removeprefix(SCHEME).partition("?")
    told = _attributes(path, ";") | _attributes(query, "&")
    if not uri.startswith(SCHEME) or not told.keys() <= _KNOWN or "module-path" not in told:
        raise _bad_uri(uri)
    if not told.keys() & {"object", "id"}:
        raise _bad_uri(uri)
    words = {name: value.decode() for name, value in told.items() if name != "id"}
    source = words.get("pin-source")
    return DeviceKey(
        words["module-path"], words.get("token"), words.get("serial"), words.get("object"),
        told.get("id"), Path(source.removeprefix("file:")) if source else None,
    )  # fmt: skip


def _attributes(text: str, separator: str) -> dict[str, bytes]:
    pairs = [one.partition("=") for one in text.split(separator) if one]
    return {name: unquote(value, "latin-1").encode("latin-1") for name, _, value in pairs}


def _common_name(organisation: str) -> str:
    """As much of the name as X.509 and its readers take; the whole of it is the organisation."""
    return organisation.encode()[:LONGEST_COMMON_NAME].decode(errors="ignore")


def _usage() -> x509.KeyUsage:
    no = dict.fromkeys(
        ("key_encipherment", "data_encipherment", "key_agreement", "key_cert_sign", "crl_sign",
         "encipher_only", "decipher_only"),
        False,
    )  # fmt: skip
    return x509.KeyUsage(digital_signature=True, content_commitment=True, **no)


def _seal(certificates: list[x509.Certificate], private: bytes | DeviceKey) -> SealKey:
    first, *chain = (one.public_bytes(Encoding.DER) for one in certificates)
    return SealKey(first, tuple(chain), private)


def _certificates(path: Path) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(path.read_bytes())
    except ValueError:
        raise SealUnsafe(
            f"{path} 里没有证书，请从备份放回。",
            f"{path} holds no certificate; put it back from the backup.",
        ) from None


def _spki(key: object) -> bytes:
    told: bytes = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)  # type: ignore[attr-defined]
    return told


def _kept(path: Path) -> bytes:
    if os.name != "nt" and path.stat().st_mode & 0o077:
        raise SealUnsafe(
            f"印章密钥文件 {path} 别人也能读，请先执行 chmod 600 {path}。",
            f"Others may read the key of the seal {path}; chmod 600 it first.",
        )
    return path.read_bytes()


def _not_a_key(path: Path) -> SealUnsafe:
    return SealUnsafe(
        f"{path} 里不是印章密钥（P-256，PEM），请从备份放回。",
        f"{path} holds no key of a seal (P-256, PEM); put it back from the backup.",
    )


def _bad_uri(uri: str) -> SealUnsafe:
    # Without what follows the question mark: there someone may have put a PIN.
    told = uri.partition("?")[0][:80]
    known = ", ".join(sorted(_KNOWN))
    return SealUnsafe(
        f"{told} 不能用：PKCS#11 地址要写明 module-path 和 object 或 id，PIN 只能放在 pin-source "
        f"指的文件里。可用的项：{known}。",
        f"{told} cannot be used: a PKCS#11 URI names module-path and object or id, and its PIN is "
        f"in the file that pin-source names. Known: {known}.",
    )
