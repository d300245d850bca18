"""Time stamps (RFC 3161): an authority outside the house says that it has seen these bytes then.

Pure: the query and the reply are bytes that somebody else carries. What is kept is the token, a
CMS SignedData; over a checkpoint it covers SHA-256 of the note's text, without signature lines.
Certificates are judged as of the time that the token says: they expire long before the record does.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from cryptography import x509
from rfc3161_client import (
    HashAlgorithm,
    TimeStampRequest,
    TimestampRequestBuilder,
    TimeStampResponse,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)

from audit.token_form import check_form

QUERY_TYPE: Final = "application/timestamp-query"
REPLY_TYPE: Final = "application/timestamp-reply"
LARGEST_REPLY: Final = 64 * 1024
# PKIStatus granted and grantedWithMods: with both a token is there.
_GRANTED: Final = (0, 1)
# What reading a damaged certificate may raise.
_BROKEN: Final = (ValueError, TypeError, KeyError, x509.InvalidVersion)
# PKIStatusInfo { status granted }, in DER.
_STATUS: Final = bytes.fromhex("3003020100")


class NotStamped(ValueError):
    """The token does not show what it is said to show, or is none."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a token says: when (UTC), its serial number, and who signed it (name in RFC 4514)."""

    at: datetime
    serial: int
    authority: str


def write_query(data: bytes) -> TimeStampRequest:
    """A query for a token over SHA-256 of these bytes, with a random nonce; send its as_bytes()."""
    builder = TimestampRequestBuilder().data(data).hash_algorithm(HashAlgorithm.SHA256)
    return builder.nonce(nonce=True).cert_request(cert_request=True).build()


def read_reply(reply: bytes, query: TimeStampRequest) -> bytes:
    """The token (DER) in the reply to this query, believing nobody yet.

    Raises NotStamped for a refusal, another nonce, or a token over something else.
    """
    told = _decoded(reply)
    if told.status not in _GRANTED:
        why = "".join(c for c in "; ".join(told.status_string)[:200] if c.isprintable())
        raise NotStamped(f"the authority refuses (status {told.status}) {why}".rstrip())
    info = told.tst_info
    if info.nonce != query.nonce:
        raise NotStamped("the reply is to another query")
    asked, given = query.message_imprint, info.message_imprint
    if (given.hash_algorithm, given.message) != (asked.hash_algorithm, asked.message):
        raise NotStamped("the token is over something else")
    return told.time_stamp_token()


def read_stamp(token: bytes) -> Stamp:
    """What a token says, believing nobody; raises NotStamped if it is none."""
    told = _wrapped(token)
    try:
        authority = _name(told)
    except _BROKEN as error:
        raise NotStamped(f"not a time stamp: {error}") from None
    return Stamp(told.tst_info.gen_time.astimezone(UTC), told.tst_info.serial_number, authority)


def check_imprint(token: bytes, data: bytes) -> Stamp:
    """Check that a token says it is over these bytes, believing nobody; raises NotStamped."""
    stamp, told = read_stamp(token), _wrapped(token).tst_info.message_imprint
    name = _IMPRINTS.get(told.hash_algorithm.dotted_string)
    if name is None or hashlib.new(name, data).digest() != told.message:
        raise NotStamped("the token is over something else")
    return stamp


_IMPRINTS: Final = {
    "2.16.840.1.101.3.4.2.1": "sha256",
    "2.16.840.1.101.3.4.2.2": "sha384",
    "2.16.840.1.101.3.4.2.3": "sha512",
}


def check_stamp(token: bytes, data: bytes, roots: Sequence[x509.Certificate]) -> Stamp:
    """Check that an authority under one of these roots has stamped these bytes, and say when.

    The signature, the chain up to a root as of the time of the token, the authority's purpose
    (critical, time stamping), and the hash of the bytes (SHA-256, 384 or 512); and that there is
    nothing else in the token (audit.token_form). Whether a certificate was revoked is not looked
    up. Raises NotStamped; ValueError without a root.
    """
    if not roots:
        raise ValueError("without a root nothing can be checked")
    stamp, verifier = read_stamp(token), VerifierBuilder(roots=list(roots)).build()
    try:
        verifier.verify_message(_wrapped(token), data)
        check_form(token, roots)
    except (VerificationError, IndexError, *_BROKEN) as error:
        raise NotStamped(str(error)) from None
    return stamp


def read_roots(pem: bytes) -> list[x509.Certificate]:
    """Certificates to believe, from a PEM file; raises ValueError if there is none in it."""
    return x509.load_pem_x509_certificates(pem)


def _wrapped(token: bytes) -> TimeStampResponse:
    """The token as the reply it came in: SEQUENCE { status granted, token }."""
    content = _STATUS + token
    return _decoded(b"\x30" + _length(len(content)) + content)


def _decoded(reply: bytes) -> TimeStampResponse:
    if len(reply) > LARGEST_REPLY:
        raise NotStamped("too large for a token")
    try:
        told = decode_timestamp_response(_in_order(reply))
        if told.status in _GRANTED:
            _ = told.tst_info, told.signed_data
    except _BROKEN as error:
        raise NotStamped(f"not a time stamp: {error}") from None
    return told


def _in_order(reply: bytes) -> bytes:
    """The reply with its certificates in the order that DER gives to a SET.

    OpenSSL writes them as they come, and no signature covers their order; our parser insists on it.
    What cannot be read is given back as it is.
    """
    try:
        start, end = _certificates(reply)
        found, at = [], start
        while at < end:
            found.append(reply[at : (at := _spans(reply, at)[1])])
    except IndexError:
        return reply
    return reply[:start] + b"".join(sorted(found)) + reply[start:][sum(map(len, found)) :]


def _certificates(reply: bytes) -> tuple[int, int]:
    """Where the certificates of a reply begin and end (RFC 3161 §2.4.2, RFC 5652 §5.1)."""
    at = _after(reply, _inside(reply, 0))  # TimeStampResp: past the status
    at = _after(reply, _inside(reply, at))  # the token: past its type
    at = _inside(reply, _inside(reply, at))  # [0], SignedData
    for _ in ("version", "digestAlgorithms", "encapContentInfo"):
        at = _after(reply, at)
    return _spans(reply, at) if reply[at] == 0xA0 else (at, at)


def _inside(data: bytes, at: int) -> int:
    return _spans(data, at)[0]


def _after(data: bytes, at: int) -> int:
    return _spans(data, at)[1]


def _spans(data: bytes, at: int) -> tuple[int, int]:
    """Where the content of the DER element at `at` begins and ends; raises IndexError."""
    first, start = data[at + 1], at + 2
    if first < 0x80:
        return start, start + first
    count = first & 0x7F
    if count == 0:
        raise IndexError("an indefinite length is not DER")
    return start + count, start + count + int.from_bytes(data[start : start + count])


def _length(count: int) -> bytes:
    """A length in DER."""
    if count < 0x80:
        return bytes([count])
    told = count.to_bytes((count.bit_length() + 7) // 8)
    return bytes([0x80 | len(told)]) + told


def _name(told: TimeStampResponse) -> str:
    """The subject of the certificate that signed; its issuer and number where it is not there."""
    signer = next(iter(told.signed_data.signer_infos))
    for der in told.signed_data.certificates:
        one = x509.load_der_x509_certificate(der)
        if (one.issuer, one.serial_number) == (signer.issuer, signer.serial_number):
            return one.subject.rfc4514_string()
    return f"{signer.serial_number:x} {signer.issuer.rfc4514_string()}"
