"""Evidence is shown to whoever may see its case, as a copy that says nothing but the picture."""

from collections.abc import Callable
from datetime import timedelta
from io import BytesIO

import pytest
from PIL import Image

from engine import evidence
from tests.conftest import Street
from tests.web.conftest import Visitor
from tests.web.paths import reported, signed_for
from web.config import Settings

Enter = Callable[[str], Visitor]


@pytest.fixture
def shown(web_street: Street, settings: Settings) -> tuple[str, str]:
    """A case with a photo that carries place and device."""
    out = BytesIO()
    exif = Image.Exif()
    exif[271] = "Telltale"
    Image.new("RGB", (2000, 1500), "grey").save(out, "JPEG", exif=exif)
    kept = evidence.keep(
        settings.evidence_dir, out.getvalue(), name="p.jpg", purpose="before",
        declared_type="image/jpeg", at=web_street.at,
    )  # fmt: skip
    return reported(web_street, evidence=[kept]), kept.sha256


def test_a_photo_is_served_small_upright_and_bare(signed_in: Enter, shown: tuple[str, str]) -> None:
    case, sha256 = shown
    for path, longest in (("", 1600), ("/thumbnail", 320)):
        answer = signed_in("watch").get(f"/cases/{case}/evidence/{sha256}{path}")
        assert answer.mimetype == "image/jpeg"
        assert b"Telltale" not in answer.data
        with Image.open(BytesIO(answer.data)) as image:
            assert max(image.size) == longest
        assert answer.headers["Cache-Control"] == "no-store"


def test_whoever_may_not_see_the_case_does_not_see_its_photos(
    signed_in: Enter, visitor: Visitor, shown: tuple[str, str]
) -> None:
    case, sha256 = shown
    assert signed_in("other").get(f"/cases/{case}/evidence/{sha256}").status_code == 403
    assert visitor.get(f"/cases/{case}/evidence/{sha256}").status_code == 303


def test_a_photo_is_not_shown_through_another_case(
    signed_in: Enter, web_street: Street, shown: tuple[str, str]
) -> None:
    other = reported(web_street, by="other")
    answer = signed_in("watch").get(f"/cases/{other}/evidence/{shown[1]}")
    assert answer.status_code == 404


@pytest.mark.parametrize("name", ["0" * 64, "..", "%2e%2e%2fsecret", "abc"])
def test_what_is_no_hash_of_the_case_is_not_found(
    signed_in: Enter, shown: tuple[str, str], name: str
) -> None:
    assert signed_in("watch").get(f"/cases/{shown[0]}/evidence/{name}").status_code == 404


def test_a_file_that_is_gone_or_damaged_is_told(
    signed_in: Enter, shown: tuple[str, str], settings: Settings
) -> None:
    case, sha256 = shown
    path = settings.evidence_dir / sha256[:2] / sha256[2:4] / sha256
    path.chmod(0o640)
    path.write_bytes(b"something else")
    damaged = signed_in("watch").get(f"/cases/{case}/evidence/{sha256}")
    assert damaged.status_code == 409
    assert "与登记的指纹不一致" in damaged.text
    path.unlink()
    assert signed_in("watch").get(f"/cases/{case}/evidence/{sha256}").status_code == 404


def test_a_document_is_saved_and_not_opened_in_our_pages(
    signed_in: Enter, web_street: Street, settings: Settings
) -> None:
    import pikepdf

    out = BytesIO()
    with pikepdf.new() as pdf:
        pdf.add_blank_page()
        pdf.save(out)
    kept = evidence.keep(
        settings.evidence_dir, out.getvalue(), name="函.pdf", purpose="doc",
        declared_type="application/pdf", at=web_street.at,
    )  # fmt: skip
    case = signed_for(web_street)
    from engine.timekeeping import request_pause

    web_street.do(
        request_pause, case, "rectify#1", counterparty="燃气公司", reason="等关阀",
        resume_by=web_street.at + timedelta(days=3), evidence=(kept,), by=web_street.by("fixer"),
    )  # fmt: skip
    answer = signed_in("watch").get(f"/cases/{case}/evidence/{kept.sha256}")
    assert answer.mimetype == "application/pdf"
    assert answer.headers["Content-Disposition"].startswith("attachment")
