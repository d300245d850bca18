"""A seal holds for the file it was put on, by a certificate from outside, and for nothing else."""

import json
import re
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest
from asn1crypto import cms, parser
from cryptography.x509 import load_pem_x509_certificates
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.sealed_pdf import PdfRefused, check_seal, open_pdf, read_trusted
from audit.steps import Outcome, Step
from tests.golden.pdfs.make import content, place, with_content

PDFS = Path(__file__).parents[1] / "golden" / "pdfs"
GOOD = (PDFS / "good.pdf").read_bytes()
STAMPED = (PDFS / "good_stamped.pdf").read_bytes()
SEAL = load_pem_x509_certificates((PDFS / "seal.pem").read_bytes())
TSA = load_pem_x509_certificates((PDFS / "tsa.pem").read_bytes())
EXPECTED: dict[str, str] = json.loads((PDFS / "expected.json").read_text(encoding="utf-8"))


def checked(data: bytes) -> list[Step]:
    return check_seal(data, trusted=SEAL, authorities=TSA)


def holds(data: bytes) -> bool:
    return all(one.outcome is Outcome.HOLDS for one in checked(data))


def pdfsig(path: Path) -> str:
    """What poppler says of the file: another implementation, on another library (NSS)."""
    assert shutil.which("pdfsig"), "the second reader is missing: bin/setup --tests installs it"
    told = subprocess.run(["pdfsig", str(path)], capture_output=True, check=False)
    return told.stdout.decode(errors="replace")


def pdfsig_accepts(path: Path) -> bool:
    told = pdfsig(path)
    valid = "Signature Validation: Signature is Valid." in told
    return valid and "- Total document signed" in told


# --- good ones -----------------------------------------------------------------------------------


def test_a_good_seal_holds_and_says_whose_and_when() -> None:
    (step,) = checked(GOOD)
    assert step.outcome is Outcome.HOLDS
    assert "听澜街道办事处（演示）" in step.chinese
    assert "2026-03-04T10:00:00" in step.chinese


def test_a_stamped_seal_says_who_has_stamped_its_time() -> None:
    whose, stamped = checked(STAMPED)
    assert (whose.outcome, stamped.outcome) == (Outcome.HOLDS, Outcome.HOLDS)
    assert "时间戳（测试）" in stamped.chinese


@pytest.mark.parametrize("name", ["good", "good_stamped"])
def test_poppler_accepts_the_good_ones(name: str) -> None:
    assert pdfsig_accepts(PDFS / f"{name}.pdf")


def test_openssl_accepts_the_signature(tmp_path: Path) -> None:
    """A third implementation: the CMS over the bytes around it."""
    start, end = place(GOOD)
    (tmp_path / "signed").write_bytes(GOOD[:start] + GOOD[end:])
    (tmp_path / "cms").write_bytes(content(GOOD)[: parser.peek(content(GOOD))])
    command = [
        "openssl", "cms", "-verify", "-binary", "-inform", "DER", "-in", "cms", "-content",
        "signed", "-CAfile", str(PDFS / "seal.pem"), "-partial_chain", "-purpose", "any",
        "-attime", "1772618400", "-out", "out",
    ]  # fmt: skip
    told = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr


def test_what_is_attached_comes_out() -> None:
    attached = open_pdf(GOOD).attachments
    assert list(attached) == ["evidence.json"]
    assert json.loads(attached["evidence.json"])["format"].startswith("shaoji-evidence/")
    assert open_pdf(STAMPED).attachments == attached


# --- whose seal it is ----------------------------------------------------------------------------


def test_without_a_certificate_from_outside_it_stays_unchecked_whose_seal_it_is() -> None:
    (step,) = check_seal(GOOD, trusted=())
    assert step.outcome is Outcome.UNCHECKED
    assert "没有核对" in step.chinese
    assert next(iter(read_trusted((PDFS / "seal.pem").read_bytes()))) in step.chinese


def test_without_a_root_it_stays_unchecked_who_has_stamped_the_time() -> None:
    whose, stamped = check_seal(STAMPED, trusted=SEAL)
    assert (whose.outcome, stamped.outcome) == (Outcome.HOLDS, Outcome.UNCHECKED)


def test_a_stamp_by_an_authority_that_is_not_believed_fails() -> None:
    whose, stamped = check_seal(STAMPED, trusted=SEAL, authorities=SEAL)
    assert (whose.outcome, stamped.outcome) == (Outcome.HOLDS, Outcome.FAILS)


def test_an_authority_of_time_may_not_seal() -> None:
    (step,) = check_seal(GOOD, trusted=TSA)
    assert step.outcome is Outcome.FAILS


def test_a_certificate_is_given_as_a_file_or_as_its_fingerprint() -> None:
    (mark,) = read_trusted((PDFS / "seal.pem").read_bytes())
    written = ":".join(re.findall("..", mark.upper()))
    for told in (mark, written):
        assert read_trusted(told.encode()) == {mark}
        (step,) = check_seal(GOOD, trusted=[told])
        assert step.outcome is Outcome.HOLDS
    for junk in (b"", b"seal", b"ab" * 31, "证书".encode()):
        with pytest.raises(ValueError):  # noqa: PT011 - of whatever kind
            read_trusted(junk)


# --- bad ones ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [one for one in EXPECTED if one.startswith("bad_")])
def test_each_bad_one_is_rejected_for_its_own_reason(name: str) -> None:
    (step,) = checked((PDFS / f"{name}.pdf").read_bytes())
    assert step.outcome is Outcome.FAILS
    assert EXPECTED[name] in step.english
    assert step.chinese


@pytest.mark.parametrize("name", [one for one in EXPECTED if one.startswith("hostile_")])
def test_each_hostile_one_is_not_opened(name: str) -> None:
    with pytest.raises(PdfRefused, match=re.escape(EXPECTED[name])) as refused:
        open_pdf((PDFS / f"{name}.pdf").read_bytes())
    assert refused.value.chinese


def test_every_golden_file_is_expected() -> None:
    there = {path.stem for path in PDFS.glob("*.pdf")}
    assert there == EXPECTED.keys() | {"good", "good_stamped"}


@pytest.mark.parametrize(
    "name",
    [
        "changed_byte_of_a_page", "changed_byte_of_the_attachment", "changed_byte_of_the_seal",
        "edited_page", "bytes_appended", "swapped_attachment", "stripped_seal", "emptied_seal",
        "certificate_of_the_office_with_another_key", "truncated",
    ],
)  # fmt: skip
def test_poppler_rejects_what_was_changed(name: str) -> None:
    assert not pdfsig_accepts(PDFS / f"bad_{name}.pdf")


# --- every byte ----------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(at=st.integers(0, len(GOOD) - 1), bit=st.integers(0, 7))
def test_no_flipped_bit_passes_nor_does_poppler_let_one_pass(
    tmp_path_factory: pytest.TempPathFactory, at: int, bit: int
) -> None:
    changed = GOOD[:at] + bytes([GOOD[at] ^ (1 << bit)]) + GOOD[at + 1 :]
    assert not holds(changed)
    start, end = place(GOOD)
    # In the seal's own place poppler looks at the signature only, not at all that stands with it.
    if not start <= at < end:
        path = tmp_path_factory.mktemp("flipped") / "changed.pdf"
        path.write_bytes(changed)
        assert not pdfsig_accepts(path)


@settings(max_examples=60, deadline=None)
@given(data=st.data(), good=st.sampled_from([GOOD, STAMPED]))
def test_no_flipped_bit_inside_the_seal_passes(data: st.DataObject, good: bytes) -> None:
    """Signed and unsigned parts, certificates that come along, padding."""
    told = content(good)
    at, bit = data.draw(st.integers(0, len(told) - 1)), data.draw(st.integers(0, 7))
    changed = told[:at] + bytes([told[at] ^ (1 << bit)]) + told[at + 1 :]
    assert not holds(with_content(good, changed))


@pytest.mark.long
@pytest.mark.parametrize(("good", "bits"), [(GOOD, 8), (STAMPED, 1)], ids=["good", "stamped"])
def test_no_byte_of_the_whole_signature_can_be_changed(good: bytes, bits: int) -> None:
    """Every bit of the bare seal; one bit of every byte of the stamped one."""
    told = content(good)
    places = [(at, 1 << bit) for at in range(parser.peek(told) + 1) for bit in range(bits)]
    passed = [
        (at, bit)
        for at, bit in places
        if holds(with_content(good, told[:at] + bytes([told[at] ^ bit]) + told[at + 1 :]))
    ]
    assert passed == []


def test_a_stamp_can_be_taken_off_and_then_the_time_is_what_the_seal_says() -> None:
    """Nothing signs the stamp into the seal: who wants the time proved keeps the stamped file."""
    told = cms.ContentInfo.load(content(STAMPED))
    info = told["content"]["signer_infos"][0]
    bare = cms.SignerInfo({name: info[name] for name in info.native if name != "unsigned_attrs"})
    told["content"]["signer_infos"] = [bare]
    (step,) = checked(with_content(STAMPED, told.dump()))
    assert step.outcome is Outcome.HOLDS
    assert "没有时间戳，印章自己说的时间" in step.chinese
    assert "印章自己说" not in checked(STAMPED)[0].chinese


# --- hostile bytes -------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_no_file_makes_it_raise(data: st.DataObject) -> None:
    """Cut, doubled, overwritten or made up: always one failed step, never an exception."""
    at = data.draw(st.integers(1, len(GOOD) - 1))
    more = data.draw(st.binary(max_size=40))
    for hostile in (more, GOOD[:at], GOOD[:at] + more + GOOD[at + len(more) + 1 :], GOOD[at:]):
        (step, *_) = checked(hostile)
        assert step.outcome is Outcome.FAILS
        with suppress(PdfRefused):
            open_pdf(hostile)


def test_a_file_too_large_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("audit.sealed_pdf.LARGEST_FILE", len(GOOD) - 1)
    (step,) = checked(GOOD)
    assert "too large" in step.english
