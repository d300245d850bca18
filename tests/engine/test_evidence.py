import errno
import hashlib
import io
import os
import resource
import stat
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image

from engine import evidence, photos, uploads
from engine.errors import NotFound, Refusal

NOON = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
PDF = (
    b"%PDF-1.4\n1 0 obj\n<</Type/Catalog/Pages 2 0 R>>\nendobj\n2 0 obj\n<</Type/Pages/Kids[]"
    b"/Count 0>>\nendobj\ntrailer\n<</Root 1 0 R/Size 3>>\nstartxref\n0\n%%EOF\n"
)


def photo(colour: str = "teal", size: tuple[int, int] = (40, 30)) -> bytes:
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "HUAWEI"
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = "2026:03:01 08:15:00"
    exif.get_ifd(ExifTags.IFD.GPSInfo).update(
        {1: "N", 2: (39.0, 56.0, 26.16), 3: "E", 4: (116.0, 21.0, 18.0)}
    )
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, "JPEG", exif=exif)
    return out.getvalue()


def keep(root: Path, data: bytes, name: str = "整改后.jpg") -> evidence.Evidence:
    return evidence.keep(
        root, io.BytesIO(data), name=name, purpose="after", declared_type=None, at=NOON
    )


def path_of(root: Path, kept: evidence.Evidence) -> Path:
    return root / kept.sha256[:2] / kept.sha256[2:4] / kept.sha256


def files(root: Path) -> Iterator[Path]:
    """All files, but for the empty ones by which a worker knows of what to make copies."""
    return (
        path for path in root.rglob("*") if path.is_file() and path.parent.name != evidence.FRESH
    )


def test_a_kept_photo_is_described_by_its_evidence_item(tmp_path: Path) -> None:
    data = photo()
    assert keep(tmp_path, data).item() == {
        "sha256": hashlib.sha256(data).hexdigest(),
        "bytes": len(data),
        "media": "image/jpeg",
        "purpose": "after",
        "declared": True,
        "taken_at": "2026-03-01T08:15:00",
        "gps": ["39.940600", "116.355000"],
        "device": "HUAWEI",
    }


def test_a_document_keeps_its_name_and_declares_nothing_else(tmp_path: Path) -> None:
    kept = evidence.keep(
        tmp_path,
        PDF,
        name="C:\\检测报告.pdf",
        purpose="doc",
        declared_type="application/pdf",
        at=NOON,
    )
    assert kept.item() == {
        "sha256": hashlib.sha256(PDF).hexdigest(),
        "bytes": len(PDF),
        "media": "application/pdf",
        "purpose": "doc",
        "declared": True,
        "name": "检测报告.pdf",
    }


def test_the_original_is_kept_byte_for_byte_with_its_exif(tmp_path: Path) -> None:
    data = photo()
    kept = keep(tmp_path, data)
    assert path_of(tmp_path, kept).read_bytes() == data
    assert evidence.original(tmp_path, kept.sha256) == data
    evidence.served_copy(tmp_path, kept.sha256, width=evidence.VIEW)
    assert evidence.original(tmp_path, kept.sha256) == data


def test_what_is_served_has_neither_exif_nor_place(tmp_path: Path) -> None:
    kept = keep(tmp_path, photo(size=(4000, 3000)))
    for width in (evidence.THUMBNAIL, evidence.VIEW):
        served = evidence.served_copy(tmp_path, kept.sha256, width=width)
        assert served.media == "image/jpeg"
        with Image.open(io.BytesIO(served.data)) as copy:
            assert copy.width == width
            assert not copy.getexif()
            assert not copy.getexif().get_ifd(ExifTags.IFD.GPSInfo)


def test_a_copy_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = keep(tmp_path, photo())
    first = evidence.served_copy(tmp_path, kept.sha256, width=320)
    monkeypatch.setattr(photos, "upright_copy", None)
    assert evidence.served_copy(tmp_path, kept.sha256, width=320) == first


def test_a_document_is_served_as_it_is(tmp_path: Path) -> None:
    kept = keep(tmp_path, PDF, "a.pdf")
    served = evidence.served_copy(tmp_path, kept.sha256, width=320)
    assert served == evidence.Served(PDF, "application/pdf")
    assert not (tmp_path / "served").exists()


def test_copies_come_in_two_sizes_only(tmp_path: Path) -> None:
    kept = keep(tmp_path, photo())
    with pytest.raises(evidence.UnknownWidth):
        evidence.served_copy(tmp_path, kept.sha256, width=321)


@pytest.mark.parametrize("sha256", ["0" * 64, "", "../../etc/passwd", "A" * 64, "0" * 63 + "\n"])
def test_nothing_but_a_known_hash_opens_a_file(tmp_path: Path, sha256: str) -> None:
    with pytest.raises(evidence.EvidenceMissing):
        evidence.original(tmp_path, sha256)
    with pytest.raises(NotFound):
        evidence.served_copy(tmp_path, sha256, width=320)


def damage(path: Path) -> None:
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[:-1] + b"x")


def test_a_damaged_original_is_never_given_out(tmp_path: Path) -> None:
    kept = keep(tmp_path, photo())
    damage(path_of(tmp_path, kept))
    with pytest.raises(evidence.EvidenceDamaged, match="备份"):
        evidence.original(tmp_path, kept.sha256)
    with pytest.raises(evidence.EvidenceDamaged):
        evidence.served_copy(tmp_path, kept.sha256, width=320)


def test_check_names_what_is_missing_and_what_is_damaged(tmp_path: Path) -> None:
    good, bad, gone = (keep(tmp_path, photo(colour)) for colour in ("red", "green", "blue"))
    damage(path_of(tmp_path, bad))
    path_of(tmp_path, gone).unlink()
    assert evidence.check(tmp_path, [good.sha256, bad.sha256, gone.sha256, "nonsense"]) == [
        evidence.Problem(bad.sha256, "damaged"),
        evidence.Problem(gone.sha256, "missing"),
        evidence.Problem("nonsense", "missing"),
    ]


def test_a_file_that_cannot_be_read_is_a_problem_too(tmp_path: Path) -> None:
    kept = keep(tmp_path, photo())
    path_of(tmp_path, kept).unlink()
    path_of(tmp_path, kept).mkdir()
    assert evidence.check(tmp_path, [kept.sha256]) == [evidence.Problem(kept.sha256, "unreadable")]


def test_keeping_equal_content_again_changes_nothing(tmp_path: Path) -> None:
    first = keep(tmp_path, photo())
    before = path_of(tmp_path, first).stat()
    again = keep(tmp_path, photo(), name="另一个名字.jpeg")
    after = path_of(tmp_path, again).stat()
    assert again.sha256 == first.sha256
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_sending_the_file_again_heals_a_damaged_one(tmp_path: Path) -> None:
    kept = keep(tmp_path, photo())
    damage(path_of(tmp_path, kept))
    keep(tmp_path, photo())
    assert evidence.check(tmp_path, [kept.sha256]) == []


def test_nobody_else_may_read_and_nobody_may_write(tmp_path: Path) -> None:
    root = tmp_path / "evidence"
    path = path_of(root, keep(root, photo()))
    modes = [stat.S_IMODE(place.stat().st_mode) for place in (path, *path.parents[:3])]
    assert [oct(mode & ~0o750) for mode in modes] == ["0o0"] * 4
    assert modes[0] == 0o440


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(st.binary(min_size=1, max_size=300))
def test_whatever_was_kept_comes_back_as_it_was(tmp_path: Path, filling: bytes) -> None:
    data = PDF.replace(b"trailer", b"%" + filling.hex().encode() + b"\ntrailer")
    assert evidence.original(tmp_path, keep(tmp_path, data, "a.pdf").sha256) == data


@pytest.mark.parametrize(
    ("data", "name", "refusal"),
    [
        (b"", "a.jpg", uploads.EmptyFile),
        (photo(), "a.png", uploads.Mislabelled),
        (photo()[:-50], "a.jpg", photos.BrokenPhoto),
        (photo() + b"<script>", "a.jpg", uploads.ActiveContent),
        (b"<svg/>", "a.jpg", uploads.ActiveContent),
        (PDF[:-10], "a.pdf", uploads.UnfitFile),
        (PDF.replace(b"/Catalog", b"/Catalog/Launch 1"), "a.pdf", uploads.ActiveContent),
        (photo() + bytes(15 * 1024 * 1024), "a.jpg", uploads.FileTooLarge),
        (PDF + bytes(25 * 1024 * 1024), "a.pdf", uploads.FileTooLarge),
    ],
)
def test_what_is_refused_leaves_nothing_behind(
    tmp_path: Path, data: bytes, name: str, refusal: type[Refusal]
) -> None:
    with pytest.raises(refusal):
        keep(tmp_path, data, name)
    assert list(tmp_path.iterdir()) == []


def test_an_endless_upload_is_not_read_to_its_end(tmp_path: Path) -> None:
    class Endless(io.RawIOBase):
        given = 0

        def read(self, size: int = -1) -> bytes:
            self.given += size
            return photo()[:3].ljust(size, b"\0")

    endless = Endless()
    with pytest.raises(uploads.FileTooLarge):
        evidence.keep(tmp_path, endless, name="a.jpg", purpose="after", declared_type=None, at=NOON)
    assert endless.given <= uploads.LARGEST + 1


def test_evidence_says_what_it_is_for(tmp_path: Path) -> None:
    with pytest.raises(evidence.UnknownPurpose):
        evidence.keep(
            tmp_path, photo(), name="a.jpg", purpose="because", declared_type=None, at=NOON
        )


def test_an_instant_without_zone_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="aware"):
        evidence.keep(
            tmp_path, photo(), name="a.jpg", purpose="after", declared_type=None,
            at=NOON.replace(tzinfo=None),
        )  # fmt: skip


@pytest.mark.parametrize("act", ["write", "fsync", "replace"])
def test_a_full_disk_is_a_refusal_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, act: str
) -> None:
    before = keep(tmp_path, photo("red"))

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(*((Path, act, full) if act == "replace" else (os, act, full)))
    with pytest.raises(evidence.StorageFull, match="空间已满"):
        keep(tmp_path, photo("blue"))
    assert list(files(tmp_path)) == [path_of(tmp_path, before)]


def test_another_fault_of_the_disk_is_not_called_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(OSError, match="Input/output") as fault:
        keep(tmp_path, photo())
    assert not isinstance(fault.value, Refusal)
    assert list(files(tmp_path)) == []


def test_photos_can_still_be_looked_at_on_a_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = keep(tmp_path, photo())

    def full(*_: object) -> None:
        raise OSError(errno.EDQUOT, "Disk quota exceeded")

    monkeypatch.setattr(os, "write", full)
    assert evidence.served_copy(tmp_path, kept.sha256, width=320).media == "image/jpeg"


def start(tmp_path: Path, program: str, **options: object) -> subprocess.Popen[str]:
    """A process of its own that runs `program` once its standard input is closed."""
    (tmp_path / "photo.jpg").write_bytes(photo())
    head = (
        "import sys; from datetime import datetime, UTC; from pathlib import Path\n"
        "from engine import evidence\n"
        "root, data = Path(sys.argv[1]), Path(sys.argv[2]).read_bytes()\n"
        "def keep(root): return evidence.keep(root, data, name='a.jpg', purpose='after',"
        " declared_type=None, at=datetime(2026, 3, 2, tzinfo=UTC)).sha256\n"
        "sys.stdin.read()\n"
    )
    return subprocess.Popen(
        [sys.executable, "-c", head + program, str(tmp_path / "e"), str(tmp_path / "photo.jpg")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **options,
    )  # fmt: skip


def test_a_limit_set_by_the_system_itself_is_a_refusal(tmp_path: Path) -> None:
    program = "try: keep(root)\nexcept evidence.StorageFull as full: print(full.english)"

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))

    with start(tmp_path, program, preexec_fn=limit) as process:
        assert "disk is full" in process.communicate()[0]
    assert list(files(tmp_path / "e")) == []


def test_processes_keeping_the_same_file_at_once_end_with_one_whole_file(tmp_path: Path) -> None:
    program = "print({keep(root / str(i)) for i in range(100)})"
    racing = [start(tmp_path, program) for _ in range(3)]
    for process in racing:
        assert process.stdin is not None
        process.stdin.close()
    for process in racing:
        with process:
            assert process.stdout is not None
            said = process.stdout.read().strip()
        assert said == repr({hashlib.sha256(photo()).hexdigest()})
    kept = sorted(files(tmp_path / "e"))
    assert len(kept) == 100
    assert {path.read_bytes() for path in kept} == {photo()}


def test_a_process_killed_before_the_rename_leaves_nothing_under_the_hash(tmp_path: Path) -> None:
    program = "import os; os.replace = lambda *_: os._exit(9); keep(root)"
    with start(tmp_path, program) as process:
        process.communicate()
    sha256 = hashlib.sha256(photo()).hexdigest()
    assert process.returncode == 9
    assert evidence.check(tmp_path / "e", [sha256]) == [evidence.Problem(sha256, "missing")]
    keep(tmp_path / "e", photo())
    assert evidence.check(tmp_path / "e", [sha256]) == []
