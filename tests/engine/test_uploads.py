import io
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from engine import uploads
from engine.errors import BadInput


def picture(kind: str) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (8, 6), "teal").save(out, kind)
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "media"),
    [
        (picture("JPEG"), uploads.JPEG),
        (picture("PNG"), uploads.PNG),
        (picture("WEBP"), uploads.WEBP),
        (b"%PDF-1.7\n", uploads.PDF),
        (b"%PDF-2.0\n", uploads.PDF),
    ],
)
def test_the_content_says_what_a_file_is(data: bytes, media: str) -> None:
    assert uploads.media_of(data, name="x") == media


@pytest.mark.parametrize(
    ("data", "refusal", "advice"),
    [
        (b"", uploads.EmptyFile, "重新选择"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", uploads.HeicPhoto, "JPEG"),
        (b"\0\0\0\x1cftypavif\0\0\0\0avifmif1", uploads.HeicPhoto, "JPEG"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0", uploads.UnknownFormat, "JPEG"),
        (b"<svg xmlns='http://www.w3.org/2000/svg' onload='x()'/>", uploads.ActiveContent, "网页"),
        (b"\xef\xbb\xbf\n <!DOCTYPE html><script>", uploads.ActiveContent, "网页"),
        (b"PK\x03\x04\x14\0", uploads.UnknownFormat, "PDF"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", uploads.UnknownFormat, "PDF"),
        (b"GIF89a", uploads.UnknownFormat, "JPEG"),
        (b"MZ\x90\0", uploads.UnknownFormat, "JPEG"),
        ("现场情况说明".encode(), uploads.UnknownFormat, "PDF"),
        (b"junk before %PDF-1.7", uploads.UnknownFormat, "PDF"),
    ],
)
def test_other_formats_are_refused_with_advice(
    data: bytes, refusal: type[BadInput], advice: str
) -> None:
    with pytest.raises(refusal, match=advice) as refused:
        uploads.media_of(data, name="现场.jpg")
    assert refused.value.english


@given(st.binary(max_size=64))
def test_any_bytes_are_either_known_or_refused(data: bytes) -> None:
    try:
        assert uploads.media_of(data, name="x") in uploads.LIMITS
    except uploads.UnfitFile as refused:
        assert "x" in str(refused)  # noqa: PT017 - both ways out are right


@pytest.mark.parametrize(
    ("name", "declared"),
    [
        ("a.jpg", "image/jpeg"),
        ("A.JPEG", "image/jpg"),
        ("a.jpg", "IMAGE/JPEG; q=1"),
        ("a", None),
        ("a.jfif", "application/octet-stream"),
        ("照片 2026.03.01.jpg", ""),
    ],
)
def test_a_rightly_labelled_photo_passes(name: str, declared: str | None) -> None:
    uploads.refuse_mislabelled(uploads.JPEG, name=name, declared_type=declared)


@pytest.mark.parametrize(
    ("name", "declared"),
    [
        ("a.png", "image/jpeg"),
        ("a.jpg", "image/png"),
        ("a.pdf", None),
        ("a.exe", None),
        ("a.jpg.html", None),
        ("a.jpg", "text/html"),
    ],
)
def test_a_label_that_differs_from_the_content_is_refused(name: str, declared: str | None) -> None:
    with pytest.raises(uploads.Mislabelled, match="内容却是 JPEG"):
        uploads.refuse_mislabelled(uploads.JPEG, name=name, declared_type=declared)


def test_size_limits_differ_for_photos_and_documents() -> None:
    uploads.refuse_too_large(15 * 1024 * 1024, uploads.JPEG, name="a")
    uploads.refuse_too_large(25 * 1024 * 1024, uploads.PDF, name="a")
    with pytest.raises(uploads.FileTooLarge, match="15 MB"):
        uploads.refuse_too_large(15 * 1024 * 1024 + 1, uploads.PNG, name="a")
    with pytest.raises(uploads.FileTooLarge, match="25 MB"):
        uploads.refuse_too_large(25 * 1024 * 1024 + 1, uploads.PDF, name="a")


def zipped() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("run.bat", "format c:")
    return out.getvalue()


@pytest.mark.parametrize(
    "tail",
    [zipped(), b"<script>x()</script>", b"<!DOCTYPE HTML><p>", b"x" * 5000 + b"<ScRiPt src=//x>"],
)
def test_a_photo_that_is_also_something_else_is_refused(tail: bytes) -> None:
    with pytest.raises(uploads.ActiveContent):
        uploads.refuse_second_face(picture("JPEG") + tail, name="a.jpg")


@pytest.mark.parametrize("comment", [b"%PDF-1.4", b"<html><body>", b"<svg onload=x()>", b"<?php"])
def test_another_format_in_the_first_kilobyte_is_refused(comment: bytes) -> None:
    data = picture("JPEG")
    with pytest.raises(uploads.ActiveContent):
        uploads.refuse_second_face(data[:2] + comment + data[2:], name="a.jpg")


def test_what_phones_append_to_a_photo_is_no_reason_to_refuse_it() -> None:
    motion_photo = picture("JPEG") + b"\0\0\0\x18ftypmp42" + bytes(5000) + b"SEFT"
    uploads.refuse_second_face(motion_photo, name="a.jpg")


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("C:\\Users\\li\\整改后.jpg", "整改后.jpg"),
        ("../../etc/passwd", "passwd"),
        ("a\x00b\r\n.jpg", "ab.jpg"),
        ("fdp.\u202egpj.exe", "fdp.gpj.exe"),
        ("e\u0301.pdf", "é.pdf"),
        ("/", ""),
    ],
)
def test_a_name_is_cleaned_before_anybody_sees_it(sent: str, kept: str) -> None:
    assert uploads.plain_name(sent) == kept


@given(st.text(st.characters(), max_size=300))
def test_a_cleaned_name_is_short_has_no_folder_and_stays_as_it_is(name: str) -> None:
    kept = uploads.plain_name(name)
    assert len(kept) <= 100
    assert "/" not in kept
    assert uploads.plain_name(kept) == kept
    kept.encode()
