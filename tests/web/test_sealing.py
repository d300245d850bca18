"""A report is sealed as one revision that certifies, stays PDF/A-3, and others find it valid."""

import asyncio
import io
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pikepdf
import pytest
from asn1crypto import core
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import async_validate_pdf_signature
from pyhanko.sign.validation.dss import DocumentSecurityStore
from pyhanko.sign.validation.status import PdfSignatureStatus
from pyhanko_certvalidator import ValidationContext

from audit.sealed_pdf import check_seal, open_pdf
from audit.steps import Outcome
from engine.pkcs11_keys import DeviceUnfit
from engine.seal_key import (
    DeviceKey,
    SealKey,
    SealUnsafe,
    make_seal_key,
    read_pkcs11_uri,
    read_seal_key,
    seal_key_from_pkcs11,
)
from tests.softhsm import PIN, Token
from tests.tsa import Authority, make_authority, served
from web.printing import File, print_pdf
from web.sealing import (
    NotSealed,
    Revocation,
    StampingAuthority,
    read_revocation,
    seal_pdf,
)

AT = datetime(2026, 3, 4, 10, tzinfo=UTC)
OFFICE = "听澜街道办事处（演示）"
HTML = """<html lang="zh"><head><title>报告</title>
<meta name="dcterms.created" content="2026-03-04T10:00:00+00:00"></head>
<body><p>1 step late</p></body></html>"""
EVIDENCE = b'{"format": "shaoji-evidence/2"}'


@pytest.fixture(scope="module")
def report() -> bytes:
    attached = File("evidence.json", "本案全部记录", EVIDENCE)
    return print_pdf(HTML, "report.css", made_at=AT, attach=[attached]).data


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return kept(tmp_path_factory.mktemp("seal"))


@pytest.fixture(scope="module")
def key(pair: tuple[Path, Path]) -> SealKey:
    return read_seal_key(*pair)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    assert shutil.which("openssl"), "the authority of these tests is made of openssl"
    return make_authority(tmp_path_factory.mktemp("tsa"))


@pytest.fixture
def tsa(authority: Authority) -> Iterator[StampingAuthority]:
    with served(authority) as url:
        yield StampingAuthority(url)


def kept(folder: Path, organisation: str = OFFICE) -> tuple[Path, Path]:
    """A new seal in files, valid long before and after these tests."""
    told = make_seal_key(organisation, at=datetime(2025, 1, 1, tzinfo=UTC), years=50)
    paths = folder / "seal.key", folder / "seal.pem"
    for path, data in zip(paths, told, strict=True):
        path.write_bytes(data)
        path.chmod(0o600)
    return paths


def tool(*command: str | Path) -> str:
    assert shutil.which(command[0]), "poppler is missing: bin/setup --tests installs it"
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def pyhanko_says(pdf: bytes, **context: object) -> PdfSignatureStatus:
    """What pyHanko's validator finds, with these certificates as roots."""
    reader = PdfFileReader(io.BytesIO(pdf))
    (seal,) = reader.embedded_signatures
    known = ValidationContext(allow_fetching=False, **context)  # type: ignore[arg-type]
    return asyncio.run(async_validate_pdf_signature(seal, known, skip_diff=True))


def assert_sealed(pdf: bytes, folder: Path, key: SealKey) -> None:
    """Poppler, pyHanko and we find one valid seal over the whole file."""
    path = folder / "sealed.pdf"
    path.write_bytes(pdf)
    told = tool("pdfsig", path)
    assert told.count("Signature #") == 1
    assert "Signature Validation: Signature is Valid." in told
    assert "- Total document signed" in told
    assert "Signature Type: ETSI.CAdES.detached" in told
    assert "Signing Hash Algorithm: SHA-256" in told
    certificate = asn1_x509.Certificate.load(key.certificate)
    assert pyhanko_says(pdf, trust_roots=[certificate]).intact
    (step, *_) = check_seal(pdf, trusted=[certificate.sha256.hex()])
    assert step.outcome is Outcome.HOLDS
    assert pdf.count(b"startxref") == pdf.count(b"%%EOF") == 1


def assert_pdf_a(pdf: bytes) -> None:
    """What of PDF/A-3u can be seen without a validator (ISO 19005-3, by clause)."""
    assert re.match(rb"%PDF-1\.[0-7]\n%[\x80-\xff]{4}", pdf)  # 6.1.2
    assert pdf.endswith(b"%%EOF\n")
    with pikepdf.open(io.BytesIO(pdf)) as opened:
        root = opened.Root
        assert not opened.is_encrypted
        assert len(opened.trailer.ID) == 2  # 6.1.3
        with opened.open_metadata() as metadata:  # 6.6.4
            assert (metadata["pdfaid:part"], metadata["pdfaid:conformance"]) == ("3", "U")
        assert "/Filter" not in root.Metadata or root.Metadata.Filter == "/FlateDecode"  # 6.1.7.2
        assert [one.S for one in root.OutputIntents] == ["/GTS_PDFA1"]  # 6.2.3
        assert all(one.AFRelationship == "/Data" for one in root.AF)  # 6.8
        for file in root.AF:
            assert file.F == file.UF
            assert file.EF.F.Subtype == "/application/json"
        (field,) = root.AcroForm.Fields
        assert set(root.AcroForm.keys()) == {"/Fields", "/SigFlags"}  # 6.4.1: no NeedAppearances
        # 6.3.2: printed, never hidden; 6.3.3: no appearance needed where there is no area.
        assert field.F == 4 + 128
        assert [int(side) for side in field.Rect] == [0, 0, 0, 0]
        assert "/A" not in field
        assert "/AA" not in field
        assert set(root.Perms.keys()) == {"/DocMDP"}  # 6.1.12
        (reference,) = field.V.Reference
        assert not {"/DigestMethod", "/DigestValue", "/DigestLocation"} & set(reference.keys())
        assert int(reference.TransformParams.P) == 1
        assert not {"/OpenAction", "/AA"} & set(root.keys())


# --- B-B, B-T, B-LT ------------------------------------------------------------------------------


def test_a_sealed_report_is_found_valid_by_everybody(
    report: bytes, key: SealKey, tmp_path: Path
) -> None:
    pdf = seal_pdf(report, key, at=AT, reason="出具报告", location="听澜街道")
    assert_sealed(pdf, tmp_path, key)
    assert_pdf_a(pdf)
    assert OFFICE in tool("pdfsig", tmp_path / "sealed.pdf")
    with pikepdf.open(io.BytesIO(pdf)) as opened:
        assert str(opened.Root.AcroForm.Fields[0].V.Reason) == "出具报告"


def test_sealing_changes_nothing_of_what_is_sealed(
    report: bytes, key: SealKey, tmp_path: Path
) -> None:
    pdf = seal_pdf(report, key, at=AT)
    assert open_pdf(pdf).attachments == {"evidence.json": EVIDENCE}
    with pikepdf.open(io.BytesIO(report)) as before, pikepdf.open(io.BytesIO(pdf)) as after:
        assert after.Root.Metadata.read_bytes() == before.Root.Metadata.read_bytes()
        assert dict(after.docinfo) == dict(before.docinfo)
        assert after.pages[0].Contents.read_bytes() == before.pages[0].Contents.read_bytes()
    # Nor does the machine's clock get in: the only time is the one that was given.
    today = datetime.now(UTC)
    assert f"{today:%Y%m%d}".encode() not in pdf
    assert f"{today:%Y-%m-%d}".encode() not in pdf


def test_a_stamped_report_is_found_valid_by_everybody(
    report: bytes, key: SealKey, tsa: StampingAuthority, authority: Authority, tmp_path: Path
) -> None:
    pdf = seal_pdf(report, key, at=datetime.now(UTC), tsa=tsa)
    assert_sealed(pdf, tmp_path, key)
    assert_pdf_a(pdf)
    certificate = x509.load_der_x509_certificate(key.certificate)
    whose, stamped = check_seal(pdf, trusted=[certificate], authorities=[authority.root])
    assert (whose.outcome, stamped.outcome) == (Outcome.HOLDS, Outcome.HOLDS)
    roots = [authority.root.public_bytes(Encoding.DER), key.certificate]
    found = pyhanko_says(pdf, trust_roots=[asn1_x509.Certificate.load(one) for one in roots])
    assert found.timestamp_validity is not None
    assert found.timestamp_validity.trusted
    assert found.bottom_line


def test_what_proves_that_nothing_was_revoked_lies_in_the_same_revision(
    report: bytes, tsa: StampingAuthority, authority: Authority, tmp_path: Path
) -> None:
    """PAdES B-LT: found valid from the file and the roots alone, revocation asked for."""
    key, root, crl = certified()
    stamper = x509.load_pem_x509_certificate((authority.folder / "tsa.pem").read_bytes())
    kept = tmp_path / "revocation"
    kept.mkdir()
    pem = b"".join(one.public_bytes(Encoding.PEM) for one in (root, stamper))
    (kept / "roots.pem").write_bytes(pem)
    (kept / "authority.crl").write_bytes(crl)
    proof = read_revocation(kept)
    roots = tuple(one.public_bytes(Encoding.DER) for one in (root, stamper))
    assert proof == Revocation(roots, (crl,))
    pdf = seal_pdf(report, key, at=datetime.now(UTC), tsa=tsa, revocation=proof)
    assert_sealed(pdf, tmp_path, key)
    assert_pdf_a(pdf)
    store = DocumentSecurityStore.read_dss(PdfFileReader(io.BytesIO(pdf)))
    known = store.as_validation_context({
        "trust_roots": [asn1_x509.Certificate.load(one) for one in roots],
        "revocation_mode": "require", "allow_fetching": False,
    })  # fmt: skip
    (seal,) = PdfFileReader(io.BytesIO(pdf)).embedded_signatures
    assert asyncio.run(async_validate_pdf_signature(seal, known, skip_diff=True)).bottom_line


@pytest.mark.parametrize("content", [None, b"no certificate"])
def test_a_folder_without_a_root_proves_nothing_and_is_refused(
    content: bytes | None, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / "roots.pem").write_bytes(content)
    with pytest.raises(NotSealed, match="盖章失败"):
        read_revocation(tmp_path)


def test_without_proof_for_each_certificate_there_is_no_seal(report: bytes) -> None:
    key, root, _ = certified()
    proof = Revocation((root.public_bytes(Encoding.DER),))
    with pytest.raises(NotSealed, match="盖章失败"):
        seal_pdf(report, key, at=datetime.now(UTC), revocation=proof)


def test_a_seal_that_nobody_would_believe_is_not_given_out(report: bytes, key: SealKey) -> None:
    other = make_seal_key(OFFICE, at=AT)[0]
    private = load_pem_private_key(other, None).private_bytes(
        Encoding.DER, PrivateFormat.PKCS8, NoEncryption()
    )
    with pytest.raises(NotSealed, match="不是其证书的密钥"):
        seal_pdf(report, SealKey(key.certificate, (), private), at=AT)
    with pytest.raises(NotSealed, match="有效期"):
        seal_pdf(report, key, at=AT + timedelta(days=365 * 60))


def certified() -> tuple[SealKey, x509.Certificate, bytes]:
    """A seal certified by an authority, its root, and its list of revoked certificates (DER)."""
    now, name = datetime.now(UTC), lambda told: x509.Name([x509.NameAttribute(CN, told)])
    top, mine = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))

    def certificate(
        subject: str, public: ec.EllipticCurvePublicKey, usage: set[str], *, ca: bool
    ) -> x509.Certificate:
        used = {one: one in usage for one in USES}
        return (
            x509.CertificateBuilder()
            .subject_name(name(subject))
            .issuer_name(name("根证书（测试）"))
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=30))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(x509.KeyUsage(**used), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(top.public_key()), critical=False
            )
            .sign(top, hashes.SHA256())
        )

    root = certificate("根证书（测试）", top.public_key(), {"key_cert_sign", "crl_sign"}, ca=True)
    leaf = certificate(OFFICE, mine.public_key(), {"content_commitment"}, ca=False)
    crl = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(root.subject)
        .last_update(now - timedelta(hours=1))
        .next_update(now + timedelta(days=7))
        .add_extension(x509.CRLNumber(1), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(top.public_key()), critical=False
        )
        .sign(top, hashes.SHA256())
    )
    private = mine.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    der = [one.public_bytes(Encoding.DER) for one in (leaf, root)]
    return SealKey(der[0], (der[1],), private), root, crl.public_bytes(Encoding.DER)


CN = NameOID.COMMON_NAME
USES = (
    "digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
    "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
)  # fmt: skip


# --- the authority that stamps fails -------------------------------------------------------------


def test_an_authority_that_cannot_be_reached_is_told(report: bytes, key: SealKey) -> None:
    with served_bytes(b"") as url:
        gone = url
    with pytest.raises(NotSealed, match="时间戳机构没有给出时间戳"):
        seal_pdf(report, key, at=AT, tsa=StampingAuthority(gone, timeout=2))


@pytest.mark.parametrize(
    "answer",
    [b"", b"<html>busy</html>", b"\x30\x80", bytes.fromhex("30053003020102")],
    ids=["nothing", "a page", "a torn one", "a refusal"],
)
def test_an_authority_that_does_not_stamp_is_told(
    report: bytes, key: SealKey, answer: bytes
) -> None:
    with served_bytes(answer) as url, pytest.raises(NotSealed, match="时间戳机构没有给出时间戳"):
        seal_pdf(report, key, at=AT, tsa=StampingAuthority(url, timeout=2))


def test_an_authority_is_asked_by_http_only() -> None:
    with pytest.raises(ValueError, match="http"):
        StampingAuthority("file:///etc/passwd")


class served_bytes:  # noqa: N801 - read as a function, as tests.tsa.served
    """A server on 127.0.0.1 that answers everything with these bytes."""

    def __init__(self, answer: bytes) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(200)
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.thread = Thread(target=self.server.serve_forever, daemon=True)

    def __enter__(self) -> str:
        self.thread.start()
        return f"http://127.0.0.1:{self.server.server_address[1]}/"

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


# --- keys ----------------------------------------------------------------------------------------


def test_a_seal_names_its_office_and_may_do_nothing_but_sign(pair: tuple[Path, Path]) -> None:
    certificate = x509.load_pem_x509_certificate(pair[1].read_bytes())
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    basic = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    assert (usage.digital_signature, usage.content_commitment, usage.key_cert_sign) == (1, 1, 0)
    assert not basic.ca
    assert certificate.subject.get_attributes_for_oid(CN)[0].value == OFFICE


def test_an_office_with_a_long_name_has_it_whole_in_its_seal(tmp_path: Path) -> None:
    name = "某某自治区某某市某某旗某某镇人民政府安全生产监督管理办公室（演示）"
    _, path = kept(tmp_path, name)
    subject = x509.load_pem_x509_certificate(path.read_bytes()).subject
    assert subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)[0].value == name
    assert name.startswith(str(subject.get_attributes_for_oid(CN)[0].value))


def test_a_private_key_is_not_told_by_its_seal(key: SealKey) -> None:
    assert isinstance(key.private, bytes)
    assert key.private.hex()[-40:] not in repr(key)
    assert "private" not in repr(key)


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    paths = kept(tmp_path)
    paths[0].chmod(0o640)
    with pytest.raises(SealUnsafe, match="chmod 600"):
        read_seal_key(*paths)


def spoil_key(folder: Path, told: bytes) -> tuple[Path, Path]:
    key, certificate = kept(folder)
    key.write_bytes(told)
    return key, certificate


def pem(private: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: b"junk", "没有印章密钥|里不是印章密钥"),
        (lambda: pem(ec.generate_private_key(ec.SECP384R1())), "里不是印章密钥"),
        (lambda: pem(rsa.generate_private_key(65537, 2048)), "里不是印章密钥"),
        (lambda: pem(ec.generate_private_key(ec.SECP256R1())), "不是密钥"),
    ],
    ids=["junk", "another curve", "RSA", "another key"],
)
def test_what_is_not_the_key_of_the_certificate_is_refused(
    tmp_path: Path, make: Callable[[], bytes], told: str
) -> None:
    with pytest.raises(SealUnsafe, match=told):
        read_seal_key(*spoil_key(tmp_path, make()))


def test_a_file_without_a_certificate_is_refused(tmp_path: Path) -> None:
    key, certificate = kept(tmp_path)
    certificate.write_bytes(b"")
    with pytest.raises(SealUnsafe, match="没有证书"):
        read_seal_key(key, certificate)


def test_a_pkcs11_address_is_read() -> None:
    told = "pkcs11:token=%E5%8D%B0;object=seal;id=%01%ff?module-path=/m.so&pin-source=file:/p"
    assert read_pkcs11_uri(told) == DeviceKey("/m.so", "印", None, "seal", b"\1\xff", Path("/p"))


@pytest.mark.parametrize(
    "told",
    [
        "pkcs11:object=seal",  # no module
        "pkcs11:token=t?module-path=/m.so",  # no key
        "pkcs11:object=seal?module-path=/m.so&pin-value=1234",  # a PIN that settings would show
        "file:object=seal?module-path=/m.so",
        "pkcs11:object=seal;model=x?module-path=/m.so",  # restricts what we would not look at
    ],
)
def test_a_pkcs11_address_that_cannot_be_used_is_refused_without_its_pin(told: str) -> None:
    with pytest.raises(SealUnsafe) as refused:
        read_pkcs11_uri(told)
    assert "1234" not in str(refused.value)


def test_a_device_that_is_not_there_is_told(report: bytes, pair: tuple[Path, Path]) -> None:
    key = seal_key_from_pkcs11("pkcs11:object=seal?module-path=/no/such.so", pair[1])
    with pytest.raises(DeviceUnfit):
        seal_pdf(report, key, at=AT)


def test_a_key_that_never_leaves_its_device_seals(
    report: bytes, tmp_path: Path, softhsm: Token
) -> None:
    private, certificate = kept(tmp_path)
    tool(
        "softhsm2-util", "--import", private, "--token", softhsm.label, "--label", "office seal",
        "--id", "5ea1", "--pin", PIN,
    )  # fmt: skip
    key = seal_key_from_pkcs11(softhsm.uri("office seal"), certificate)
    assert_sealed(seal_pdf(report, key, at=AT), tmp_path, key)


# --- what is mended in asn1crypto ----------------------------------------------------------------


def test_a_length_that_ends_in_80_is_not_taken_for_the_indefinite_one() -> None:
    """Else each look at what is inside encodes it anew: seals that take half a minute."""
    # The first string is not written as DER would: encoded anew, it would change.
    told = b"\x30\x81\x80" + b"\x04\x81\x03abc" + b"\x04\x78" + bytes(0x78)
    value = core.SequenceOf.load(told, spec=core.OctetString)
    assert [len(one.native) for one in value] == [3, 0x78]
    assert value.dump() == told


def test_an_indefinite_length_is_still_made_definite() -> None:
    value = core.SequenceOf.load(b"\x30\x80\x04\x03abc\x00\x00", spec=core.OctetString)
    assert value.dump() == b"\x30\x05\x04\x03abc"
