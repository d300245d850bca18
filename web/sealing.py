"""The seal on a report: PAdES over the whole file, which is written anew as a single revision.

The seal certifies (DocMDP: no changes). What a reader shows of it is then plain: "the total
document is signed", and whatever is added later breaks it.
"""

import asyncio
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from urllib.request import Request, urlopen

from asn1crypto import cms, core, crl, keys, ocsp, tsp, x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_der_x509_certificate, load_pem_x509_certificates
from pyhanko.pdf_utils.generic import DictionaryObject, PdfObject
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.pdf_utils.writer import BasePdfFileWriter, PdfFileWriter
from pyhanko.sign.fields import MDPPerm, SigFieldSpec, SigSeedSubFilter
from pyhanko.sign.general import SigningError
from pyhanko.sign.signers import PdfSignatureMetadata, PdfSigner, Signer, SimpleSigner
from pyhanko.sign.signers.constants import ESIC_EXTENSION_1
from pyhanko.sign.signers.pdf_cms import PdfCMSSignedAttributes
from pyhanko.sign.signers.pdf_signer import DSSContentSettings, SigDSSPlacementPreference
from pyhanko.sign.timestamps import TimeStamper
from pyhanko.sign.timestamps.common_utils import TimestampRequestError, set_tsp_headers
from pyhanko_certvalidator import ValidationContext
from pyhanko_certvalidator.registry import SimpleCertificateStore

from audit.sealed_pdf import check_seal
from audit.steps import Outcome
from engine.errors import Refusal
from engine.pkcs11_keys import opened
from engine.seal_key import DeviceKey, SealKey

DIGEST: Final = "sha256"
FIELD: Final = "Seal"
SECONDS_TO_WAIT: Final = 10.0
LARGEST_RESPONSE: Final = 64 * 1024


class NotSealed(Refusal):
    """The report could not be sealed; the sentence says what did not answer or fit."""


@dataclass(frozen=True, slots=True)
class Revocation:
    """What proves that no certificate of a seal was revoked when it sealed, all DER.

    authorities: the roots of the seal's and of the time stamp's certificate. Lists and responses
    have to cover every certificate below them.
    """

    authorities: tuple[bytes, ...]
    lists: tuple[bytes, ...] = ()
    responses: tuple[bytes, ...] = ()


def read_revocation(folder: Path) -> Revocation:
    """What lies in a folder: roots in `*.pem`, lists in `*.crl`, OCSP responses in `*.ocsp` (DER).

    Raises NotSealed for a file that cannot be read, or if there is no root.
    """
    try:
        roots = tuple(
            one.public_bytes(Encoding.DER)
            for path in sorted(folder.glob("*.pem"))
            for one in load_pem_x509_certificates(path.read_bytes())
        )
        lists = tuple(path.read_bytes() for path in sorted(folder.glob("*.crl")))
        responses = tuple(path.read_bytes() for path in sorted(folder.glob("*.ocsp")))
    except (OSError, ValueError) as error:
        raise _not_sealed(error) from error
    if not roots:
        raise _not_sealed(ValueError(f"no root certificate (*.pem) in {folder}"))
    return Revocation(roots, lists, responses)


class StampingAuthority(TimeStamper):
    """A time-stamping authority that is asked by HTTP (RFC 3161 §3.4)."""

    def __init__(self, url: str, *, timeout: float = SECONDS_TO_WAIT) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        if not url.startswith(("http://", "https://")):
            raise ValueError("a time-stamping authority is asked by http or https")
        self.url = url
        self.timeout = timeout

    async def async_timestamp(self, message_digest: bytes, md_algorithm: str) -> cms.ContentInfo:
        """A stamp over this digest; raises TimestampRequestError if none comes or it is none."""
        try:
            return await super().async_timestamp(message_digest, md_algorithm)
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise TimestampRequestError(f"{self.url}: {error}") from error

    async def async_request_tsa_response(self, req: tsp.TimeStampReq) -> tsp.TimeStampResp:
        """Ask once."""
        return await asyncio.to_thread(self._ask, req.dump())

    def _ask(self, question: bytes) -> tsp.TimeStampResp:
        request = Request(self.url, data=question, headers=set_tsp_headers({}))  # noqa: S310 - http(s), see above
        with urlopen(request, timeout=self.timeout) as response:  # noqa: S310 - the same
            return tsp.TimeStampResp.load(response.read(LARGEST_RESPONSE), strict=True)


def seal_pdf(
    pdf: bytes,
    key: SealKey,
    *,
    at: datetime,
    tsa: TimeStamper | None = None,
    revocation: Revocation | None = None,
    reason: str = "",
    location: str = "",
) -> bytes:
    """Seal a PDF/A-3 that bears no seal yet; it stays one.

    PAdES B-B; B-T where an authority stamps the time; B-LT where what proves that no certificate
    was revoked is given too. at: the time the seal tells of itself. Holds no connection. Raises
    NotSealed if the authority or the proof of validity fails, DeviceUnfit if the device does.
    """
    writer = _rewritten(pdf)
    try:
        with _signer(key) as signer:
            pdf_signer = _Certifier(
                _said(at, revocation, reason, location),
                signer,
                timestamper=tsa,
                new_field_spec=SigFieldSpec(FIELD),
            )
            sealed = asyncio.run(_seal(pdf_signer, writer, at))
    except (OSError, SigningError, ValueError) as error:
        raise _not_sealed(error) from error
    _check(sealed, key)
    return sealed


async def _seal(signer: PdfSigner, writer: PdfFileWriter, at: datetime) -> bytes:
    session = signer.init_signing_session(writer)
    session.system_time = at
    proof = await session.perform_presign_validation(writer)
    # Asks the authority for a stamp on nothing, once for as long as `tsa` is kept: how long is it?
    size = await session.estimate_signature_container_size(proof)
    document = session.prepare_tbs_document(proof, size)
    digest, output = document.digest_tbs_document()
    await document.perform_signature(digest.document_digest, PdfCMSSignedAttributes())
    output.seek(0)
    sealed: bytes = output.read()
    return sealed


def _check(sealed: bytes, key: SealKey) -> None:
    """A seal that nobody would believe is not given out: of a device that signs by another key, of
    a certificate that has ended, with a stamp over something else."""
    certificate = load_der_x509_certificate(key.certificate)
    for step in check_seal(sealed, trusted=[certificate]):
        if step.outcome is Outcome.FAILS:
            raise _not_sealed(ValueError(f"{step.chinese} / {step.english}"))


def _said(
    at: datetime, revocation: Revocation | None, reason: str, location: str
) -> PdfSignatureMetadata:
    return PdfSignatureMetadata(
        field_name=FIELD,
        md_algorithm=DIGEST,
        reason=reason or None,
        location=location or None,
        certify=True,
        subfilter=SigSeedSubFilter.PADES,
        docmdp_permissions=MDPPerm.NO_CHANGES,
        embed_validation_info=revocation is not None,
        validation_context=_context(revocation, at) if revocation else None,
        # With a later revision readers say "not the total document is signed".
        dss_settings=DSSContentSettings(
            include_vri=False, placement=SigDSSPlacementPreference.TOGETHER_WITH_SIGNATURE
        ),
    )


def _context(given: Revocation, at: datetime) -> ValidationContext:
    return ValidationContext(
        trust_roots=[x509.Certificate.load(one) for one in given.authorities],
        crls=[crl.CertificateList.load(one) for one in given.lists],
        ocsps=[ocsp.OCSPResponse.load(one) for one in given.responses],
        moment=at,
        revocation_mode="require",
    )


class _Certifier(PdfSigner):
    """Announces PAdES and no more: for P-256 it would turn the file into PDF 2.0, and PDF/A-3 is
    PDF 1.7 (ISO 19005-3 §6.1.2)."""

    def register_extensions(self, pdf_out: BasePdfFileWriter, *, md_algorithm: str) -> None:
        pdf_out.register_extension(ESIC_EXTENSION_1)


class _Writer(PdfFileWriter):
    """Leaves the metadata as they are: else they would bear this machine's clock, and differ
    between XMP and the information dictionary."""

    def _update_meta(self) -> None:
        pass


def _rewritten(pdf: bytes) -> PdfFileWriter:
    reader = PdfFileReader(io.BytesIO(pdf))
    writer = _Writer(init_page_tree=False)  # type: ignore[no-untyped-call]
    writer.root.update(_imported(writer, reader.root))
    writer.set_info(_imported(writer, reader.trailer_view["/Info"]))
    return writer


def _imported(writer: PdfFileWriter, part: PdfObject) -> DictionaryObject:
    copy = writer.import_object(part)
    if not isinstance(copy, DictionaryObject):
        raise TypeError("a catalog and an information dictionary are dictionaries")
    return copy


@contextmanager
def _signer(key: SealKey) -> Iterator[Signer]:
    certificate = x509.Certificate.load(key.certificate)
    chain = [x509.Certificate.load(one) for one in key.chain]
    if isinstance(key.private, DeviceKey):
        with _device(key.private, certificate, chain) as signer:
            yield signer
    else:
        private = keys.PrivateKeyInfo.load(key.private)
        above = SimpleCertificateStore.from_certs(chain)  # type: ignore[no-untyped-call]
        yield SimpleSigner(certificate, private, above)


@contextmanager
def _device(
    key: DeviceKey, certificate: x509.Certificate, chain: list[x509.Certificate]
) -> Iterator[Signer]:
    with opened(key) as session:
        from pyhanko.sign.pkcs11 import (
            PKCS11Signer,
        )  # needs the extra, which `opened` has asked for

        # Raw: not every device hashes by itself before it signs.
        yield PKCS11Signer(
            session, signing_cert=certificate, ca_chain=chain, key_label=key.label, key_id=key.id,
            use_raw_mechanism=True,
        )  # fmt: skip


def _not_sealed(error: Exception) -> NotSealed:
    told = f"{type(error).__name__}: {error}"[:300]
    if isinstance(error, TimestampRequestError):
        return NotSealed(
            f"时间戳机构没有给出时间戳（{told}），报告没有盖章，请稍后再试。",
            f"The time-stamping authority gave no stamp ({told}); the report was not sealed. Try "
            "again later.",
        )
    return NotSealed(
        f"盖章失败（{told}），报告没有盖章，请联系管理员。",
        f"Sealing failed ({told}); the report was not sealed. Tell the administrator.",
    )


def _mend(kind: Any) -> None:
    """Let asn1crypto know a definite length that ends in the byte 0x80 (as 0x0580) from the
    indefinite one, which is that byte alone.

    asn1crypto 1.5.1 (its issue 249) else encodes all that is inside anew at every look, and each
    level looks twice or thrice: of fifty seals with a time stamp some took 15 to 27 s, not 0.1.
    """
    as_it_was = kind.dump

    def dump(self: Any, force: bool = False) -> Any:
        header = self._header
        if not force and header and header[-1] == 0x80 and _INDEFINITE.fullmatch(header) is None:
            contents = self.contents  # made anew if something in it was changed: without a header
            if self._header is not None:
                return self._header + contents + self._trailer
        return as_it_was(self, force)

    kind.dump = dump


# Tags, each followed by the indefinite length; of more than one if the tag is explicit.
_INDEFINITE: Final = re.compile(rb"(?:[\x20-\xff]\x80)+", re.DOTALL)

for _kind in (core.Asn1Value, core.Sequence, core.SequenceOf):
    _mend(_kind)
