"""Copies of photos are made before somebody looks, and nothing rests on it."""

import logging
from pathlib import Path

import pytest

from engine import evidence
from engine.backup_files import files_below
from engine.photo_copies import is_fresh, make_copies
from tests.engine.test_evidence import PDF, keep, path_of, photo


def copies(root: Path) -> list[str]:
    return sorted(path.name for path in (root / "served").rglob("*.jpg"))


def test_both_copies_of_a_photo_are_there_before_somebody_looks(tmp_path: Path) -> None:
    kept = keep(tmp_path, photo())
    assert is_fresh(tmp_path)
    assert make_copies(tmp_path) == 1
    assert copies(tmp_path) == [f"{kept.sha256}-1600.jpg", f"{kept.sha256}-320.jpg"]
    assert not is_fresh(tmp_path)
    assert make_copies(tmp_path) == 0


def test_what_nobody_made_yet_is_made_for_who_looks_first(tmp_path: Path) -> None:
    kept = keep(tmp_path, photo())
    served = evidence.served_copy(tmp_path, kept.sha256, width=evidence.THUMBNAIL)
    assert copies(tmp_path) == [f"{kept.sha256}-320.jpg"]
    assert make_copies(tmp_path) == 1
    assert evidence.served_copy(tmp_path, kept.sha256, width=evidence.THUMBNAIL) == served


def test_of_a_pdf_no_copy_is_made(tmp_path: Path) -> None:
    keep(tmp_path, PDF, "方案.pdf")
    assert not is_fresh(tmp_path)


def test_a_photo_that_is_damaged_stops_no_other_and_is_refused_to_who_looks(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    damaged, whole = keep(tmp_path, photo("navy")), keep(tmp_path, photo("teal"))
    path_of(tmp_path, damaged).chmod(0o640)
    path_of(tmp_path, damaged).write_bytes(photo("red"))
    with caplog.at_level(logging.ERROR):
        assert make_copies(tmp_path) == 1
    assert damaged.sha256[:12] in caplog.text
    assert copies(tmp_path) == [f"{whole.sha256}-1600.jpg", f"{whole.sha256}-320.jpg"]
    assert not is_fresh(tmp_path)
    with pytest.raises(evidence.EvidenceDamaged):
        evidence.served_copy(tmp_path, damaged.sha256, width=evidence.THUMBNAIL)


def test_told_to_stop_it_leaves_the_rest_for_the_next_time(tmp_path: Path) -> None:
    for colour in ("navy", "teal", "olive"):
        keep(tmp_path, photo(colour))
    asked = iter([False, True])
    assert make_copies(tmp_path, stopped=lambda: next(asked)) == 1
    assert make_copies(tmp_path) == 2


def test_a_photo_is_kept_where_no_note_of_it_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "fresh").write_text("no folder", encoding="ascii")
    kept = keep(tmp_path, photo())
    assert evidence.is_there(tmp_path, kept.sha256)


def test_a_backup_takes_neither_copies_nor_notes_of_what_is_to_be_copied(tmp_path: Path) -> None:
    first = keep(tmp_path, photo("navy"))
    make_copies(tmp_path)
    second = keep(tmp_path, photo("teal"))
    assert sorted(path.name for path in files_below(tmp_path)) == sorted(
        (first.sha256, second.sha256)
    )
