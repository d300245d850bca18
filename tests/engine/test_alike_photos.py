"""A property firm hands in one after-photo for two cases, and is found by it."""

from pathlib import Path

import pytest
from PIL import Image

from engine import evidence
from engine.alike_photos import Place, alike_groups, fingerprints, photos_named
from engine.evidence import Evidence
from engine.photos import BrokenPhoto, TooManyPixels, upright_picture
from engine.uploads import JPEG, PNG
from engine.vault import Vault
from tests.conftest import NOON, Street, photo
from tests.engine.hotline_street import hotline
from tests.engine.test_photos import photo as photo_bytes
from tests.pictures import cropped, jpeg, scene


def kept(root: Path, data: bytes) -> Evidence:
    return evidence.keep(root, data, name="p.jpg", purpose="after", declared_type=None, at=NOON)


def made(street: Street, given: Evidence) -> Place:
    """A case in which this was handed in, and the event that names it."""
    case = street.report()
    street.later(minutes=5)
    street.complete(case, "prepare#1", "head", {"kind": "wood", "pieces": 3})
    street.complete(case, "make#1", "grid", {"what": "拆除"}, evidence=[given])
    seq = next(entry.seq for entry in street.entries(case) if entry.evidence)
    return Place(case, seq)


def test_one_photo_cropped_for_another_case_is_found_with_both_events(
    street: Street, tmp_path: Path
) -> None:
    after = scene("after")
    whole = kept(tmp_path, jpeg(after))
    part = kept(tmp_path, jpeg(cropped(after, 10, 4, 7, 12), 60))
    honest = kept(tmp_path, jpeg(scene("elsewhere")))
    places = [made(street, one) for one in (whole, part, honest, whole)]
    with street.database.begin() as conn:
        named = photos_named(conn)
    assert named[whole.sha256] == tuple(sorted((places[0], places[3])))
    assert named[part.sha256] == (places[1],)
    (group,) = alike_groups(fingerprints(tmp_path, named).found)
    assert set(group.files) == {whole.sha256, part.sha256}
    (pair,) = group.pairs
    assert pair.likeness.alike
    assert not pair.likeness.mirrored
    street.check()


def test_a_confidential_case_is_not_looked_into(street: Street, vault: Vault) -> None:
    desk = hotline(street, vault).report()
    with street.database.begin() as conn:
        named = photos_named(conn)
    assert desk.case not in {place.case for places in named.values() for place in places}
    street.check()


def test_what_has_no_fingerprint_is_told_with_the_reason(tmp_path: Path) -> None:
    good = kept(tmp_path, jpeg(scene("good")))
    damaged = kept(tmp_path, jpeg(scene("damaged")))
    path = tmp_path / damaged.sha256[:2] / damaged.sha256[2:4] / damaged.sha256
    path.chmod(0o640)
    path.write_bytes(b"\xff\xd8\xff other bytes")
    torn = Evidence(put(tmp_path, jpeg(scene("torn"))[:300]), 300, JPEG, "after", "", None, NOON)  # type: ignore[arg-type]
    text = put(tmp_path, b"%PDF-1.4\n")
    missing = photo().sha256
    asked = [good.sha256, damaged.sha256, torn.sha256, text, missing]
    told: list[str] = []
    prints = fingerprints(tmp_path, asked, seen=told.append)
    assert list(prints.found) == [good.sha256]
    assert prints.left_out == {
        damaged.sha256: "damaged",
        torn.sha256: "undecodable",
        text: "undecodable",
        missing: "missing",
    }
    assert told == asked


def put(root: Path, data: bytes) -> str:
    """Bytes in the store that it would never have taken."""
    import hashlib

    sha256 = hashlib.sha256(data).hexdigest()
    path = root / sha256[:2] / sha256[2:4] / sha256
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return sha256


def test_a_picture_is_decoded_upright_small_and_never_beyond_the_limit() -> None:
    turned = photo_bytes("JPEG", main={0x0112: 6}, size=(800, 400))
    assert upright_picture(turned, JPEG, side=100, name="a.jpg").size == (50, 100)
    with pytest.raises(BrokenPhoto):
        upright_picture(turned[:200], JPEG, side=100, name="a.jpg")
    bomb = photo_bytes("PNG", size=(1, 1)).replace(
        (1).to_bytes(4, "big") * 2, (20_000).to_bytes(4, "big") * 2, 1
    )
    with pytest.raises((TooManyPixels, BrokenPhoto)):
        upright_picture(bomb, PNG, side=100, name="a.png")
    assert Image.MAX_IMAGE_PIXELS
