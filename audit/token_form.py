"""The form of a time-stamp token (RFC 3161, CMS SignedData): no byte that nothing vouches for.

The authority's signature covers the signed attributes, and these the content and the hash of the
signing certificate (RFC 5816). CMS has room for more that no signature covers, and whoever passes
a token on could write there: further certificates, unsigned attributes, revocation lists, names of
versions and algorithms that OpenSSL does not read. Of all these one form is accepted here.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding

_INTEGER, _OCTETS, _OID, _SEQUENCE, _SET, _OPTION_0 = 0x02, 0x04, 0x06, 0x30, 0x31, 0xA0
_SIGNED_DATA: Final = (_INTEGER, _SET, _SEQUENCE, _OPTION_0, _SET)
_SIGNER: Final = (_INTEGER, _SEQUENCE, _SEQUENCE, _OPTION_0, _SEQUENCE, _OCTETS)
_SHA: Final = "6086480165030402"  # 2.16.840.1.101.3.4.2
_HASHES: Final = {bytes.fromhex(f"{_SHA}0{n}"): bits for n, bits in ((1, 256), (2, 384), (3, 512))}
# Signature algorithms by the bits of their hash: ECDSA, RSA with the hash named, RSA without.
_ALGORITHMS: Final = {
    bits: {bytes.fromhex(told) for told in (ecdsa, rsa, "2a864886f70d010101")}
    for bits, ecdsa, rsa in (
        (256, "2a8648ce3d040302", "2a864886f70d01010b"),
        (384, "2a8648ce3d040303", "2a864886f70d01010c"),
        (512, "2a8648ce3d040304", "2a864886f70d01010d"),
    )
}
# The attribute that names the signing certificate: SHA-1 (RFC 2634), any hash (RFC 5035).
_CERTIFICATE_SHA1: Final = bytes.fromhex("2a864886f70d010910020c")
_CERTIFICATE: Final = bytes.fromhex("2a864886f70d010910022f")
_NO_PARAMETERS: Final = (b"", b"\x05\x00")


class LooseForm(ValueError):
    """The token has, or could have, bytes in it that nothing vouches for."""


@dataclass(frozen=True, slots=True)
class _Element:
    """One DER element: its tag, what is inside, and all of it."""

    tag: int
    content: bytes
    whole: bytes


def check_form(token: bytes, roots: Sequence[x509.Certificate]) -> None:
    """Check that everything in a token is covered by a signature, or can only be as it is.

    Of a token whose signature is checked elsewhere. Certificates beside that of the signer must be
    roots, or issued, at whatever distance, by one of them. Raises LooseForm; ValueError for what
    cannot be read.
    """
    version, digests, _, certificates, signers = _signed_data(token)
    [signer] = _parts(signers.content) if len(_parts(signers.content)) == 1 else [None]
    if version.content != b"\x03" or signer is None:
        raise LooseForm("a token is SignedData of version 3, with one signer")
    told = _parts(signer.content)
    if tuple(one.tag for one in told) != _SIGNER or told[0].content != b"\x01":
        raise LooseForm("the signer has other parts than a token needs")
    _check_algorithms(digests, told[2], told[4])
    _check_certificates(_parts(certificates.content), told[3], roots)


def _signed_data(token: bytes) -> list[_Element]:
    [info] = _parts(token)
    _, wrapped = _parts(info.content)
    [signed] = _parts(wrapped.content)
    parts = _parts(signed.content)
    if tuple(one.tag for one in parts) != _SIGNED_DATA:
        raise LooseForm("the token has other parts than a token needs")
    return parts


def _check_algorithms(digests: _Element, digest: _Element, signature: _Element) -> None:
    oid, parameters = _algorithm(digest)
    [listed] = _parts(digests.content)
    if _algorithm(listed)[0] != oid or parameters not in _NO_PARAMETERS:
        raise LooseForm("the token lists another hash than the signer's")
    name, more = _algorithm(signature)
    if name not in _ALGORITHMS.get(_HASHES.get(oid, 0), ()) or more not in _NO_PARAMETERS:
        raise LooseForm("the signature's algorithm is not known here, or not of that hash")


def _check_certificates(
    there: list[_Element], attributes: _Element, roots: Sequence[x509.Certificate]
) -> None:
    bits, named = _named_certificate(attributes)
    own = {root.public_bytes(Encoding.DER) for root in roots}
    own |= {one.whole for one in there if hashlib.new(bits, one.whole).digest() == named}
    if not any(one.whole in own for one in there):
        raise LooseForm("the certificate of the signer is not the one that was signed for")
    rest = [one.whole for one in there if one.whole not in own]
    issuers = list(roots)
    while rest:
        vouched = [one for one in rest if _is_issued(one, issuers)]
        if not vouched:
            raise LooseForm("a certificate comes along that no root vouches for")
        issuers += map(x509.load_der_x509_certificate, vouched)
        rest = [one for one in rest if one not in vouched]


def _is_issued(der: bytes, issuers: Sequence[x509.Certificate]) -> bool:
    signature = _parts(_parts(der)[0].content)[2]
    if signature.content[:1] != b"\x00":
        # A BIT STRING says how many bits at its end are unused. Readers pass over that number.
        raise LooseForm("the signature of a certificate is not whole bytes")
    certificate = x509.load_der_x509_certificate(der)
    for issuer in issuers:
        try:
            certificate.verify_directly_issued_by(issuer)
        except (ValueError, TypeError, InvalidSignature):
            continue
        return True
    return False


def _named_certificate(attributes: _Element) -> tuple[str, bytes]:
    """Hash and value by which the signed attributes name the signer's certificate."""
    for attribute in _parts(attributes.content):
        oid, values = _parts(attribute.content)
        if oid.content in (_CERTIFICATE, _CERTIFICATE_SHA1):
            [value] = _parts(values.content)
            first = _parts(_parts(_parts(value.content)[0].content)[0].content)
            if oid.content == _CERTIFICATE_SHA1:
                return "sha1", first[0].content
            if first[0].tag == _OCTETS:
                return "sha256", first[0].content
            return f"sha{_HASHES.get(_algorithm(first[0])[0], 256)}", first[1].content
    raise LooseForm("the signature does not say by which certificate it was made")


def _algorithm(element: _Element) -> tuple[bytes, bytes]:
    """The name of an algorithm (content of its OID) and its parameters as they stand."""
    parts = _parts(element.content)
    return parts[0].content, b"".join(one.whole for one in parts[1:])


def _parts(data: bytes) -> list[_Element]:
    """The DER elements that follow one another in these bytes; raises LooseForm."""
    found, at = [], 0
    while at < len(data):
        start = at + 2
        if start > len(data):
            raise LooseForm("not DER")
        length = data[at + 1]
        if length >= 0x80:
            start += length & 0x7F
            length = int.from_bytes(data[at + 2 : start])
        end = start + length
        if end > len(data) or data[at + 1] == 0x80:
            raise LooseForm("not DER")
        found.append(_Element(data[at], data[start:end], data[at:end]))
        at = end
    return found
