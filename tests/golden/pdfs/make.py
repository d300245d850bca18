"""Makes the PDFs of this folder: good ones, the others named by their single fault.

Run it again from the root of the repository after the seal or tests/golden/evidence has changed:
`python -m tests.golden.pdfs.make`. Each run makes other keys and so other bytes.

Beside the PDFs lies what somebody outside would have: `seal.pem` (whose seal to believe) and
`tsa.pem` (the root of the authority that stamps), and `expected.json`: what the step "seal" must
say of each fault to whoever has been given both, or, for those that cannot be opened, what opening
them must say.
"""

import asyncio
import io
import json
import re
import tempfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pikepdf
from asn1crypto import cms, parser
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509 import load_der_x509_certificate, load_pem_x509_certificate
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.writer import BasePdfFileWriter
from pyhanko.sign.fields import MDPPerm, SigFieldSpec, SigSeedSubFilter
from pyhanko.sign.signers import PdfSignatureMetadata, PdfSigner

from engine.seal_key import SealKey, make_seal_key
from tests.tsa import make_authority, served
from web.printing import File, print_pdf
from web.sealing import StampingAuthority, _rewritten, _seal, _signer, seal_pdf

HERE = Path(__file__).parent
EVIDENCE = HERE.parent / "evidence" / "early.json"
AT = datetime(2026, 3, 4, 10, tzinfo=UTC)
OFFICE = "听澜街道办事处（演示）"
HTML = """<html lang="zh"><head><title>报告</title>
<meta name="dcterms.created" content="2026-03-04T10:00:00+00:00"></head>
<body><p>1 step late</p></body></html>"""
PLACE = re.compile(rb"/ByteRange \[0 (\d+) (\d+) (\d+)\]")


def new_key(organisation: str = OFFICE) -> SealKey:
    """A seal of this office that nobody knows yet."""
    key, certificate = make_seal_key(organisation, at=AT - timedelta(days=1))
    private = load_pem_private_key(key, None).private_bytes(
        Encoding.DER, PrivateFormat.PKCS8, NoEncryption()
    )
    return SealKey(load_pem_x509_certificate(certificate).public_bytes(Encoding.DER), (), private)


def report(evidence: bytes = b"") -> bytes:
    """A page that says who was late, as the report does, with the evidence attached."""
    attached = File("evidence.json", "本案全部记录", evidence or EVIDENCE.read_bytes())
    return print_pdf(HTML, "report.css", made_at=AT, attach=[attached]).data


def place(pdf: bytes) -> tuple[int, int]:
    """Where the signature begins and ends, angle brackets included."""
    found = PLACE.search(pdf)
    assert found is not None
    return int(found[1]), int(found[2])


def content(pdf: bytes) -> bytes:
    """The CMS with its padding."""
    start, end = place(pdf)
    return bytes.fromhex(pdf[start + 1 : end - 1].decode())


def with_content(pdf: bytes, cms_: bytes) -> bytes:
    """The same file with another CMS, padded to the same length."""
    start, end = place(pdf)
    digits = cms_.ljust(len(content(pdf)), b"\0").hex().upper().encode()
    assert len(digits) == end - start - 2
    return pdf[: start + 1] + digits + pdf[end - 1 :]


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def stream_after(data: bytes, mark: bytes) -> int:
    return data.index(b"stream\n", data.index(mark))


# --- faults: what is good goes in, a bad file comes out -------------------------------------------


@dataclass(frozen=True)
class Made:
    """A sealed report, the seal, and two reports sealed with a time stamp."""

    pdf: bytes
    key: SealKey
    stamped: bytes
    other: bytes


Fault = Callable[[Made], bytes]
FAULTS: dict[str, tuple[Fault, str]] = {}


def fault(expected: str) -> Callable[[Fault], Fault]:
    def known(make: Fault) -> Fault:
        FAULTS[make.__name__] = make, expected
        return make

    return known


@fault("the file was changed after it was sealed")
def changed_byte_of_a_page(made: Made) -> bytes:
    return flipped(made.pdf, stream_after(made.pdf, b"/Type /Page\n") + 60)


@fault("the file was changed after it was sealed")
def changed_byte_of_the_attachment(made: Made) -> bytes:
    return flipped(made.pdf, stream_after(made.pdf, b"/Type /EmbeddedFile\n") + 500)


@fault("the seal is not by its certificate's key")
def changed_byte_of_the_seal(made: Made) -> bytes:
    told = content(made.pdf)
    length = parser.peek(told)
    return with_content(made.pdf, flipped(told, length - 1))


@fault("the padding after the seal is not zero")
def filled_padding(made: Made) -> bytes:
    return with_content(made.pdf, flipped(content(made.pdf), -1 % len(content(made.pdf))))


@fault("there is something else in the seal's place")
def seal_in_other_digits(made: Made) -> bytes:
    start, end = place(made.pdf)
    return made.pdf[:start] + made.pdf[start:end].lower() + made.pdf[end:]


@fault("something was added after it was made")
def edited_page(made: Made) -> bytes:
    """As an editor does it: the new page is appended, the sealed bytes stay."""
    writer = IncrementalPdfFileWriter(io.BytesIO(made.pdf))
    page = writer.root["/Pages"]["/Kids"][0]
    page["/Contents"]._data = page["/Contents"].data.replace(b"0 0 1", b"0 1 0")
    page["/Contents"]._encoded_data = None
    writer.update_container(page["/Contents"])
    return saved(writer)


@fault("something was added after it")
def bytes_appended(made: Made) -> bytes:
    return made.pdf + b"% 0 steps late\n"


@fault("the seal does not cover the whole file")
def swapped_attachment(made: Made) -> bytes:
    """Written anew by another tool, the old signature carried over."""
    with pikepdf.open(io.BytesIO(made.pdf)) as opened:
        file = opened.Root.Names.EmbeddedFiles.Names[1]
        file.EF.F.write(file.EF.F.read_bytes().replace(b"workshop", b"workshed"))
        return rewritten(opened)


@fault("the PDF bears no seal; it may have been stripped")
def stripped_seal(made: Made) -> bytes:
    with pikepdf.open(io.BytesIO(made.pdf)) as opened:
        del opened.Root.AcroForm, opened.Root.Perms, opened.pages[0].Annots
        return rewritten(opened)


@fault("the field of the seal is empty")
def emptied_seal(made: Made) -> bytes:
    with pikepdf.open(io.BytesIO(made.pdf)) as opened:
        del opened.Root.AcroForm.Fields[0].V, opened.Root.Perms
        return rewritten(opened)


@fault("not a certificate given")
def seal_of_somebody_else(made: Made) -> bytes:
    return seal_pdf(report(), new_key("某某公司"), at=AT)


@fault("not a certificate given")
def resealed_under_the_same_name(made: Made) -> bytes:
    return seal_pdf(report(b'{"steps late": 0}'), new_key(), at=AT)


@fault("the seal is not by its certificate's key")
def certificate_of_the_office_with_another_key(made: Made) -> bytes:
    return otherwise(SealKey(made.key.certificate, (), new_key().private))


@fault("the certificate was not valid when it sealed")
def sealed_after_the_certificate_ended(made: Made) -> bytes:
    return otherwise(made.key, at=AT + timedelta(days=365 * 11))


@fault("the seal does not forbid changes")
def changes_allowed(made: Made) -> bytes:
    return otherwise(made.key, docmdp_permissions=MDPPerm.FILL_FORMS)


@fault("the seal does not forbid changes")
def approved_but_not_certified(made: Made) -> bytes:
    return otherwise(made.key, certify=False)


@fault("the seal is not a PAdES signature")
def not_pades(made: Made) -> bytes:
    return otherwise(made.key, subfilter=SigSeedSubFilter.ADOBE_PKCS7_DETACHED)


@fault("something was added after it was made")
def sealed_over_a_first_revision(made: Made) -> bytes:
    """The seal covers the whole file; yet part of it was there before, and hidden."""
    writer = IncrementalPdfFileWriter(io.BytesIO(report()))
    return signed(writer, made.key)


@fault("something was added after it was made")
def second_seal(made: Made) -> bytes:
    with pikepdf.open(io.BytesIO(made.pdf)) as opened:
        del opened.Root.Perms
        approved = rewritten(opened)
    return signed(
        IncrementalPdfFileWriter(io.BytesIO(approved)),
        new_key("某某公司"),
        field="2",
        certify=False,
    )


@fault("the time stamp is not over this seal")
def time_stamp_of_another_seal(made: Made) -> bytes:
    told, other = (cms.ContentInfo.load(content(one)) for one in (made.stamped, made.other))
    info = told["content"]["signer_infos"][0]
    info["unsigned_attrs"] = other["content"]["signer_infos"][0]["unsigned_attrs"]
    return with_content(made.stamped, told.dump())


@fault("the seal says more than a seal has to")
def unsigned_words_in_the_seal(made: Made) -> bytes:
    told = cms.ContentInfo.load(content(made.pdf))
    words = {"type": "signing_time", "values": [cms.Time({"utc_time": AT})]}
    told["content"]["signer_infos"][0]["unsigned_attrs"] = [words]
    return with_content(made.pdf, told.dump())


@fault("the PDF is encrypted")
def encrypted(made: Made) -> bytes:
    with pikepdf.open(io.BytesIO(made.pdf)) as opened:
        out = io.BytesIO()
        opened.save(out, encryption=pikepdf.Encryption(owner="a", user=""))
        return out.getvalue()


@fault("the PDF cannot be read")
def broken_xref(made: Made) -> bytes:
    before, _, after = made.pdf.rpartition(b"startxref\n")
    return before + b"startxref\n9" + after


@fault("the PDF cannot be read")
def truncated(made: Made) -> bytes:
    return made.pdf[: len(made.pdf) // 2]


# --- files that cannot be opened, whatever their seal says ---------------------------------------

Hostile = Callable[[pikepdf.Pdf], None]
HOSTILE: dict[str, tuple[Hostile, str]] = {}


def hostile(expected: str) -> Callable[[Hostile], Hostile]:
    def known(make: Hostile) -> Hostile:
        HOSTILE[make.__name__] = make, expected
        return make

    return known


@hostile("two attachments are called evidence.json")
def two_attachments_of_one_name(opened: pikepdf.Pdf) -> None:
    names = opened.Root.Names.EmbeddedFiles.Names
    other = pikepdf.Dictionary(names[1])
    other.EF = pikepdf.Dictionary(F=opened.make_stream(b"{}"))
    names.extend(["zz", opened.make_indirect(other)])


@hostile("the name of an attachment cannot be used")
def attachment_that_climbs(opened: pikepdf.Pdf) -> None:
    file = opened.Root.Names.EmbeddedFiles.Names[1]
    file.F = file.UF = "../evidence.json"


@hostile("the name of an attachment cannot be used")
def attachment_of_two_names(opened: pikepdf.Pdf) -> None:
    opened.Root.Names.EmbeddedFiles.Names[1].F = "other.json"


@hostile("the tree of attachments is broken")
def tree_without_end(opened: pikepdf.Pdf) -> None:
    tree = opened.make_indirect(pikepdf.Dictionary())
    tree.Kids = pikepdf.Array([tree])
    opened.Root.Names.EmbeddedFiles = tree


@hostile("the PDF unpacks to more than may be unpacked")
def attachment_that_unpacks_without_end(opened: pikepdf.Pdf) -> None:
    packed = zlib.compress(zlib.compress(bytes(70 * 1024 * 1024), 9), 9)
    stream = pikepdf.Stream(opened, packed)
    stream.Filter = pikepdf.Array([pikepdf.Name.FlateDecode, pikepdf.Name.FlateDecode])
    opened.Root.Names.EmbeddedFiles.Names[1].EF.F = opened.make_indirect(stream)


# --- tools ---------------------------------------------------------------------------------------


def rewritten(opened: pikepdf.Pdf) -> bytes:
    out = io.BytesIO()
    opened.save(out, deterministic_id=True)
    return out.getvalue()


def saved(writer: IncrementalPdfFileWriter) -> bytes:
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def signed(
    writer: BasePdfFileWriter,
    key: SealKey,
    *,
    field: str = "Seal",
    at: datetime = AT,
    **otherwise: object,
) -> bytes:
    """Sealed as our seals are but for what is said otherwise, and without looking at the result."""
    said = {
        "certify": True, "docmdp_permissions": MDPPerm.NO_CHANGES,
        "subfilter": SigSeedSubFilter.PADES,
    }  # fmt: skip
    meta = PdfSignatureMetadata(field_name=field, md_algorithm="sha256", **(said | otherwise))
    with _signer(key) as signer:
        pdf_signer = PdfSigner(meta, signer, new_field_spec=SigFieldSpec(field))
        return asyncio.run(_seal(pdf_signer, writer, at))


def otherwise(key: SealKey, **said: object) -> bytes:
    """A single revision, sealed in another way."""
    return signed(_rewritten(report()), key, **said)


def main() -> None:
    """Write every file anew."""
    key = new_key()
    with tempfile.TemporaryDirectory() as folder:
        authority = make_authority(Path(folder))
        with served(authority) as url:
            tsa, now = StampingAuthority(url), datetime.now(UTC)
            stamped, other = (seal_pdf(report(), key, at=now, tsa=tsa) for _ in range(2))
        (HERE / "tsa.pem").write_bytes(authority.roots.read_bytes())
    made = Made(seal_pdf(report(), key, at=AT, reason="出具报告"), key, stamped, other)
    write("good", made.pdf)
    write("good_stamped", made.stamped)
    for name, (make, _) in FAULTS.items():
        write(f"bad_{name}", make(made))
    for name, (spoil, _) in HOSTILE.items():
        write(f"hostile_{name}", spoiled(spoil))
    expected = {f"bad_{name}": told for name, (_, told) in FAULTS.items()}
    expected |= {f"hostile_{name}": told for name, (_, told) in HOSTILE.items()}
    told = json.dumps(expected, indent=1) + "\n"
    (HERE / "expected.json").write_text(told, encoding="utf-8")
    (HERE / "seal.pem").write_text(pem(key), encoding="ascii")


def spoiled(spoil: Hostile) -> bytes:
    with pikepdf.open(io.BytesIO(report())) as opened:
        spoil(opened)
        return rewritten(opened)


def pem(key: SealKey) -> str:
    return load_der_x509_certificate(key.certificate).public_bytes(Encoding.PEM).decode()


def write(name: str, data: bytes) -> None:
    (HERE / f"{name}.pdf").write_bytes(data)


if __name__ == "__main__":
    main()
