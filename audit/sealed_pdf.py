"""A report as a PDF: what it has attached, and whether its seal holds. Offline, without a database.

A seal holds if it covers every byte of the file but its own place, if in that place there is
nothing else, and if its certificate is one that came from elsewhere. A certificate that came along
in the report says only what whoever made the report wants it to say.

    file ─┬─ bytes 0 … a            signed
          ├─ < hexadecimal CMS 00… >  the seal itself: no other byte may differ
          └─ bytes b … end          signed

The file is believed to be hostile: it is of one revision, is not encrypted, has one signature field
and what is unpacked has a limit.
"""

import asyncio
import hashlib
import io
import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from asn1crypto import parser, x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import Certificate, load_pem_x509_certificates
from pyhanko.pdf_utils.decode_limits import (
    DecodeLimits,
    DocumentDecodeBudget,
    StreamDecodeLimits,
)
from pyhanko.pdf_utils.generic import (
    ArrayObject,
    DictionaryObject,
    IndirectObject,
    PdfObject,
    StreamObject,
    TextStringObject,
    parse_pdf_date,
)
from pyhanko.pdf_utils.misc import PdfDecodeLimitError
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.fields import MDPPerm, SigSeedSubFilter
from pyhanko.sign.validation import async_validate_pdf_signature
from pyhanko.sign.validation.pdf_embedded import EmbeddedPdfSignature
from pyhanko.sign.validation.settings import KeyUsageConstraints
from pyhanko.sign.validation.status import PdfSignatureStatus, TimestampSignatureStatus
from pyhanko_certvalidator import ValidationContext

from audit.steps import Step, failed, held, unchecked
from audit.timestamp import NotStamped, check_stamp

SEAL: Final = "seal"
FIELD: Final = "Seal"
MEBIBYTE: Final = 1024 * 1024
LARGEST_FILE: Final = 256 * MEBIBYTE
LARGEST_STREAM: Final = 64 * MEBIBYTE
MOST_ATTACHMENTS: Final = 1000
DEEPEST_TREE: Final = 16
LONGEST_NAME: Final = 200

# What a hostile file makes pyHanko warn of is no news; the step says what is wrong.
logging.getLogger("pyhanko").addHandler(logging.NullHandler())
logging.getLogger("pyhanko_certvalidator").addHandler(logging.NullHandler())


class PdfRefused(ValueError):
    """The file is no PDF that can be read safely, or its seal is none: Chinese, English."""

    def __init__(self, chinese: str, english: str) -> None:
        super().__init__(english)
        self.chinese = chinese
        self.english = english


@dataclass(frozen=True, slots=True)
class SealedPdf:
    """What a report carries: attached files by name."""

    attachments: Mapping[str, bytes]


def open_pdf(data: bytes) -> SealedPdf:
    """Take out what is attached; says nothing of the seal. Raises PdfRefused."""
    try:
        return SealedPdf(dict(_attachments(_open(data).root)))
    except PdfRefused:
        raise
    except Exception as error:
        raise _unreadable(error) from error


def read_trusted(told: bytes) -> frozenset[str]:
    """SHA-256 fingerprints (hex) of the certificates in a PEM file, or those written in a text.

    Raises ValueError for what is neither.
    """
    if b"-----BEGIN" in told:
        return frozenset(_mark(one) for one in load_pem_x509_certificates(told))
    digests = {bytes.fromhex(word).hex() for word in told.decode().replace(":", "").split()}
    if not digests or any(len(one) != 2 * hashlib.sha256().digest_size for one in digests):
        raise ValueError("neither a certificate nor a SHA-256 fingerprint")
    return frozenset(digests)


def check_seal(
    data: bytes,
    *,
    trusted: Collection[Certificate | str],
    authorities: Sequence[Certificate] = (),
) -> list[Step]:
    """Check a report's seal: one step or, where its time is stamped, two.

    trusted: the certificates that may have sealed it, or their fingerprints, from outside. Where
    none is given, whose seal it is stays unchecked. authorities: roots of time-stamping
    authorities, from outside. A certificate is believed as such: whether it was revoked is for
    whoever gives it to know.
    """
    try:
        return list(_checked(data, {_mark(one) for one in trusted}, authorities))
    except PdfRefused as refused:
        return [failed(SEAL, refused.chinese, refused.english)]
    except Exception as error:
        told = _unreadable(error)
        return [failed(SEAL, told.chinese, told.english)]


# --- the seal ------------------------------------------------------------------------------------


def _checked(
    data: bytes, trusted: Collection[str], authorities: Sequence[Certificate]
) -> Iterator[Step]:
    reader = _open(data)
    # 1  one seal, over the whole file, with nothing else in its place
    seal = _seal_of(reader)
    _check_place(data, seal)
    # 2  it forbids every change
    _check_permission(reader, seal)
    # 3  it is what its certificate's key has signed, and the certificate may
    certificate = seal.signer_cert
    status = _validated(seal)
    _check_signature(status)
    # 4  the time: as an authority has stamped it, else as the seal says
    stamp = status.timestamp_validity
    if stamp is not None:
        _check_stamp(stamp)
    told = stamp.timestamp if stamp is not None else _claimed(seal)
    _check_period(certificate, told)
    # 5  the certificate is one that came from elsewhere
    yield _whose(certificate, trusted, _sealed_at(told, stamped=stamp is not None))
    if stamp is not None:
        yield _stamped(seal, stamp, authorities)


def _seal_of(reader: PdfFileReader) -> EmbeddedPdfSignature:
    """The only signature field there is. Looked for by hand: a tree of fields may be endless."""
    fields = _at(_at(reader.root, "/AcroForm"), "/Fields")
    if not isinstance(fields, ArrayObject) or not fields:
        raise PdfRefused(
            "PDF 上没有印章：可能是被去掉了", "the PDF bears no seal; it may have been stripped"
        )
    field = _direct(fields[0])
    if len(fields) != 1 or not isinstance(field, DictionaryObject) or "/Kids" in field:
        raise PdfRefused("PDF 上不只一个表单域", "the PDF has more than one form field")
    value = _at(field, "/V")
    if _at(field, "/FT") != "/Sig" or not isinstance(value, DictionaryObject):
        raise PdfRefused("PDF 上的印章是空的", "the field of the seal is empty")
    if _at(value, "/SubFilter") != SigSeedSubFilter.PADES.value or _at(value, "/Type") != "/Sig":
        raise PdfRefused("PDF 上的印章不是 PAdES 印章", "the seal is not a PAdES signature")
    return EmbeddedPdfSignature(reader, field, FIELD)


def _check_place(data: bytes, seal: EmbeddedPdfSignature) -> None:
    """Every byte is signed but those of the seal, and these are all its own.

    A signature that lies elsewhere than in the gap would leave the gap to whoever fills it; so
    would padding that is not zero, or digits that can be written in two ways.
    """
    numbers = [int(number) for number in seal.byte_range]
    content: bytes = seal.pkcs7_content
    gap = b"<" + content.hex().upper().encode() + b">"
    if len(numbers) != 4 or numbers[0] != 0 or numbers[2] + numbers[3] != len(data):
        raise PdfRefused(
            "印章没有盖住整个文件：盖章之后文件被添加过内容",
            "the seal does not cover the whole file: something was added after it",
        )
    if data[numbers[1] : numbers[2]] != gap:
        raise PdfRefused("印章的位置里有别的内容", "there is something else in the seal's place")
    outer = parser.parse(content)
    kind = parser.peek(outer[4])
    # CMS is a sequence of two; a length that is too long would take padding in.
    end = len(outer[3]) + kind + parser.peek(outer[4][kind:])
    if end != parser.peek(content) or any(content[end:]):
        raise PdfRefused("印章后面的填充不是零", "the padding after the seal is not zero")


def _check_permission(reader: PdfFileReader, seal: EmbeddedPdfSignature) -> None:
    certified = _at(_at(reader.root, "/Perms"), "/DocMDP")
    if certified is not seal.sig_object or seal.docmdp_level != MDPPerm.NO_CHANGES:
        raise PdfRefused("印章没有禁止修改", "the seal does not forbid changes")


def _validated(seal: EmbeddedPdfSignature) -> PdfSignatureStatus:
    """What pyHanko finds. The seal's certificate is its own root: whose it is, is step 5."""
    _check_form(seal)
    root = ValidationContext(trust_roots=[seal.signer_cert], allow_fetching=False)
    usage = KeyUsageConstraints(key_usage={"non_repudiation"})
    return asyncio.run(
        async_validate_pdf_signature(seal, root, key_usage_settings=usage, skip_diff=True)
    )


def _check_form(seal: EmbeddedPdfSignature) -> None:
    """The unsigned parts of the CMS say nothing but what they have to (RFC 5652 §5.1, §5.3)."""
    signed = seal.signed_data
    digest = seal.signer_info["digest_algorithm"].dump()
    attributes = list(seal.signer_info["unsigned_attrs"])
    if (
        signed["version"].native != "v1"
        or seal.signer_info["version"].native != "v1"
        or [one.dump() for one in signed["digest_algorithms"]] != [digest]
        or len(signed["crls"])
        or [one["type"].native for one in attributes] not in ([], ["signature_time_stamp_token"])
        or any(len(one["values"]) != 1 for one in attributes)
        or not _whole(seal.signer_info)
        or not all(map(_exact, _stamping(attributes)))
    ):
        raise PdfRefused("印章里有多余的内容", "the seal says more than a seal has to")


def _whole(part: Any) -> bool:
    """Whether its fields are all there is: asn1crypto passes over what it knows no field for."""
    return len(part.contents) == sum(len(part[name].dump()) for name, *_ in part._fields)


def _stamping(attributes: Sequence[Any]) -> Iterator[Any]:
    """The certificates that come along with a time stamp."""
    for one in attributes:
        yield from (given.chosen for given in one["values"][0]["content"]["certificates"])


def _exact(certificate: Any) -> bool:
    """Whether its signature is whole bytes: readers take a last bit that is not used either way."""
    return not certificate["signature_value"].unused_bits


def _check_signature(status: PdfSignatureStatus) -> None:
    if not status.intact:
        raise PdfRefused("盖章之后文件被改过", "the file was changed after it was sealed")
    if not status.valid:
        raise PdfRefused("印章不是其证书的密钥盖的", "the seal is not by its certificate's key")
    if not status.trusted:
        raise PdfRefused("印章的证书不能用来盖章", "the seal's certificate may not seal")


def _check_stamp(stamp: TimestampSignatureStatus) -> None:
    if not (stamp.intact and stamp.valid):
        raise PdfRefused("时间戳不是盖在这枚印章上的", "the time stamp is not over this seal")


def _claimed(seal: EmbeddedPdfSignature) -> datetime:
    return parse_pdf_date(seal.sig_object["/M"], strict=True)


def _check_period(certificate: x509.Certificate, at: datetime) -> None:
    if not certificate.not_valid_before <= at <= certificate.not_valid_after:
        raise PdfRefused(
            f"盖章时间 {_written(at)} 不在证书有效期内",
            f"the certificate was not valid when it sealed, {_written(at)}",
        )


def _sealed_at(at: datetime, *, stamped: bool) -> tuple[str, str]:
    """When it was sealed, and whose word for it that is: a stamp taken off must not go unsaid."""
    if stamped:
        return _written(at), _written(at)
    return (
        f"{_written(at)}（没有时间戳，印章自己说的时间）",
        f"{_written(at)} (no stamp; as the seal says itself)",
    )


def _whose(
    certificate: x509.Certificate, trusted: Collection[str] | None, at: tuple[str, str]
) -> Step:
    mark = _mark(certificate.dump())
    subject = certificate.subject.native
    name = subject.get("organization_name") or subject.get("common_name", "")
    told = f"「{name}」，证书 SHA-256 {mark}", f'"{name}", certificate SHA-256 {mark}'
    if not trusted:
        return unchecked(
            SEAL,
            f"文件未改，但印章证书是谁的没有核对：没有另外给出证书。{told[0]}",
            "the file is unchanged, but whose certificate it is was not checked: none was given "
            f"from outside. {told[1]}",
        )
    if mark not in trusted:
        return failed(
            SEAL, f"印章证书不是给出的证书：{told[0]}", f"not a certificate given: {told[1]}"
        )
    return held(SEAL, f"{told[0]}，{at[0]}", f"{told[1]}, {at[1]}")


def _stamped(
    seal: EmbeddedPdfSignature,
    stamp: TimestampSignatureStatus,
    authorities: Sequence[Certificate],
) -> Step:
    at = _written(stamp.timestamp)
    if not authorities:
        return unchecked(
            SEAL,
            f"盖章时间 {at} 有时间戳，但没有给出时间戳机构的根证书",
            f"its time {at} is stamped, but no root certificate of the authority was given",
        )
    token = seal.signer_info["unsigned_attrs"][0]["values"][0].dump()
    try:
        found = check_stamp(token, seal.signer_info["signature"].native, authorities)
    except NotStamped as error:
        return failed(SEAL, f"时间戳不成立：{error}", f"the time stamp fails: {error}")
    return held(
        SEAL,
        f"盖章时间 {at} 由 {found.authority} 证明",
        f"its time {at} is stamped by {found.authority}",
    )


def _written(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds")


def _mark(certificate: Certificate | bytes | str) -> str:
    """SHA-256 over a certificate (DER), as hex."""
    if isinstance(certificate, str):
        return certificate.replace(":", "").lower()
    der = certificate if isinstance(certificate, bytes) else certificate.public_bytes(Encoding.DER)
    return hashlib.sha256(der).hexdigest()


# --- the file ------------------------------------------------------------------------------------


def _open(data: bytes) -> PdfFileReader:
    if len(data) > LARGEST_FILE:
        raise PdfRefused("文件太大", "the file is too large")
    limits = DecodeLimits(
        per_stream=StreamDecodeLimits(max_output_size=LARGEST_STREAM),
        document_budget=DocumentDecodeBudget(2 * LARGEST_STREAM, max_ratio=1),
    )
    reader = PdfFileReader(io.BytesIO(data), decode_limits=limits)
    if reader.encrypted:
        raise PdfRefused("PDF 加了密", "the PDF is encrypted")
    if reader.total_revisions != 1:
        raise PdfRefused(
            "PDF 不只一个版本：生成之后被添加过内容",
            "the PDF has more than one revision: something was added after it was made",
        )
    return reader


def _attachments(root: DictionaryObject) -> Iterator[tuple[str, bytes]]:
    seen: set[str] = set()
    for file in _embedded(root):
        name = _name(file)
        if name in seen or len(seen) == MOST_ATTACHMENTS:
            raise PdfRefused(
                f"有两个附件都叫 {name}，或附件太多",
                f"two attachments are called {name}, or too many",
            )
        seen.add(name)
        yield name, _content(file)


def _embedded(root: DictionaryObject) -> Iterator[DictionaryObject]:
    tree = _at(_at(root, "/Names"), "/EmbeddedFiles")
    if tree is not None:
        yield from _leaves(tree, set(), 0)


def _leaves(node: PdfObject, seen: set[int], depth: int) -> Iterator[DictionaryObject]:
    """The values of a name tree; each node once, so that no tree is endless or wide."""
    if not isinstance(node, DictionaryObject) or depth > DEEPEST_TREE or id(node) in seen:
        raise _broken_tree()
    seen.add(id(node))
    for value in _array(node, "/Names")[1::2]:
        if not isinstance(value, DictionaryObject):
            raise _broken_tree()
        yield value
    for kid in _array(node, "/Kids"):
        yield from _leaves(kid, seen, depth + 1)


def _array(node: DictionaryObject, key: str) -> list[Any]:
    found = _at(node, key)
    if found is None:
        return []
    if not isinstance(found, ArrayObject) or len(found) > 2 * MOST_ATTACHMENTS:
        raise _broken_tree()
    return [_direct(one) for one in found]


def _name(file: DictionaryObject) -> str:
    """Its name, if all that name it agree and it is a plain one that cannot lead elsewhere."""
    names = [_at(file, key) for key in ("/F", "/UF") if key in file]
    name = str(names[0]) if len(set(names)) == 1 and isinstance(names[0], TextStringObject) else ""
    if not name.isprintable() or not 0 < len(name) <= LONGEST_NAME or name.strip(". ") != name:
        raise PdfRefused("附件名不能用", "the name of an attachment cannot be used")
    if any(c in name for c in '/\\:<>|"?*'):
        raise PdfRefused("附件名不能用", "the name of an attachment cannot be used")
    return name


def _content(file: DictionaryObject) -> bytes:
    stream = _at(_at(file, "/EF"), "/F")
    if not isinstance(stream, StreamObject):
        raise PdfRefused("附件没有内容", "an attachment has no content")
    return stream.data


def _at(node: object, key: str) -> Any:
    """What a dictionary holds there, references followed; None where there is none."""
    return node[key] if isinstance(node, DictionaryObject) and key in node else None


def _direct(part: Any) -> Any:
    return part.get_object() if isinstance(part, IndirectObject) else part  # type: ignore[no-untyped-call]


def _broken_tree() -> PdfRefused:
    return PdfRefused("附件目录有错", "the tree of attachments is broken")


def _unreadable(error: Exception) -> PdfRefused:
    if isinstance(error, PdfDecodeLimitError):
        return PdfRefused(
            "PDF 里有展开后过大的内容", "the PDF unpacks to more than may be unpacked"
        )
    kind = type(error).__name__
    return PdfRefused(
        f"PDF 读不懂（{kind}）", f"the PDF cannot be read ({kind}: {str(error)[:120]})"
    )
