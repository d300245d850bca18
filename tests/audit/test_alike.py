"""Copies of a photo are told from other photos, on pictures drawn anew from a seed."""

import io
import random
import re
from collections import Counter
from datetime import UTC, datetime
from itertools import combinations

import pytest
from PIL import Image, ImageOps

from audit.alike import Fingerprint, fingerprint, mirrored
from audit.alike_pairs import Pair, alike_pairs, groups
from audit.laid_upon import Likeness, likeness
from tests.pictures import CHANGES, changes, cropped, heavily_cropped, jpeg, scene, sent
from web.demo import pictures
from web.demo.pictures import _SUBJECTS, Photo, draw_photo

SEEDS = ("winter", "night", "river")  # nothing was chosen by looking at these


def found(one: Fingerprint, other: Fingerprint) -> bool:
    """Through the search, as it is used: two photos that do not meet there are not compared."""
    return bool(alike_pairs([one, other]))


@pytest.fixture(scope="module")
def scenes() -> list[Image.Image]:
    return [scene(f"{seed} {number}") for seed in SEEDS for number in range(20)]


@pytest.fixture(scope="module")
def prints(scenes: list[Image.Image]) -> list[Fingerprint]:
    return [fingerprint(photo) for photo in scenes]


@pytest.mark.parametrize("every", [16, pytest.param(1, marks=pytest.mark.long)])
def test_copies_of_sixty_photos_are_found_all_but_one_in_fifty(
    scenes: list[Image.Image], prints: list[Fingerprint], every: int
) -> None:
    """Every copy of every photo takes minutes; one of sixteen, another of the next photo."""
    rng = random.Random("copies")
    tried: Counter[str] = Counter()
    missed: Counter[str] = Counter()
    for at, (photo, print_) in enumerate(zip(scenes, prints, strict=True)):
        for name, change in changes(rng)[at % every :: every]:
            kind = re.sub(r" \[.*\]", " at random", name)
            tried[kind] += 1
            missed[kind] += not found(print_, fingerprint(change(photo)))
    told = {kind: f"{tried[kind] - missed[kind]}/{tried[kind]}" for kind in tried}
    print(told)
    assert len(told) == 16
    assert missed.total() <= 0.02 * tried.total(), told
    assert all(missed[kind] <= max(1, 0.05 * tried[kind]) for kind in tried), told


def test_some_copies_cropped_to_half_are_found_though_not_promised(
    scenes: list[Image.Image], prints: list[Fingerprint]
) -> None:
    outcomes = [
        found(print_, fingerprint(copy))
        for photo, print_ in zip(scenes[::3], prints[::3], strict=True)
        for _, copy in heavily_cropped(photo)
    ]
    print(sum(outcomes), "of", len(outcomes))
    assert sum(outcomes) >= 0.3 * len(outcomes)


def test_no_two_of_sixty_photos_are_alike(prints: list[Fingerprint]) -> None:
    every = [likeness(one, other).alike for one, other in combinations(prints, 2)]
    assert len(every) == 60 * 59 // 2
    assert not any(every)
    assert alike_pairs(prints) == []


def drawings(seed: str, category: str, cured: bool, count: int) -> list[Fingerprint]:
    """Of one kind, each of another scene."""
    return [
        fingerprint(Image.open(io.BytesIO(draw_photo(_drawn(seed, category, cured, number)))))
        for number in range(count)
    ]


def _drawn(seed: str, category: str, cured: bool, number: int) -> Photo:
    at = datetime(2026, 1 + number % 9, 2 + number % 25, 8, number, tzinfo=UTC)
    label = f"听澜-隐-2026-0{number}"
    return Photo(f"{seed} {category} {number}", category, cured, False, label, at, "D")


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawings without the wear that tells places apart: the hardest there are."""
    monkeypatch.setattr(pictures, "_wear", lambda draw, chance: None)


def alike_among(prints: list[Fingerprint]) -> list[Likeness]:
    told = [likeness(one, other) for one, other in combinations(prints, 2)]
    assert len(told) == len(prints) * (len(prints) - 1) // 2
    return [one for one in told if one.alike]


@pytest.mark.parametrize("category", ["electricity", "facility"])
def test_no_two_places_with_wear_of_their_own_are_alike(category: str) -> None:
    """Drawn by its window and its box alone, 26 of 79,800 pairs of the first kind were."""
    assert alike_pairs(drawings("worn", category, True, 60)) == []


@pytest.mark.usefixtures("plain")
def test_drawings_of_one_kind_and_one_manner_are_not_alike() -> None:
    kinds = [drawings("kind", category, False, 4) for category in _SUBJECTS]
    assert [alike_among(kind) for kind in kinds] == [[]] * 12
    assert alike_pairs([one for kind in kinds for one in kind]) == []


@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize("seed", ["lane", "court", "quay"])
def test_facades_of_equal_tiles_behind_a_net_are_told_from_each_other(seed: str) -> None:
    """Laid upon each other they are equal but for a window's edge and a few lines on the floor."""
    assert alike_among(drawings(seed, "falling", True, 10)) == []


@pytest.mark.long
@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize("seed", ["snow", "ferry", "market", "bell", "lantern"])
def test_hardly_two_of_many_drawings_of_a_kind_are_alike_and_no_two_facades(seed: str) -> None:
    """A life ring on a post is drawn by two numbers: two of them may be the same to the eye."""
    told = {
        (category, cured): alike_among(drawings(seed, category, cured, 12))
        for category in _SUBJECTS
        for cured in (False, True)
    }
    print({kind: alike for kind, alike in told.items() if alike})
    assert told["falling", True] == told["falling", False] == []
    assert sum(map(len, told.values())) <= 0.002 * 24 * 66


@pytest.mark.usefixtures("plain")
def test_most_drawings_are_found_when_saved_again() -> None:
    """Of a crop of a drawing hardly anything may be left that stands out: that is not promised."""
    told = []
    for category in list(_SUBJECTS)[::3]:
        drawn = Image.open(io.BytesIO(draw_photo(_drawn("again", category, True, 1))))
        print_ = fingerprint(drawn)
        told += [found(print_, fingerprint(CHANGES[name](drawn))) for name in ("JPEG 95", "PNG")]
    print(sum(told), "of", len(told))
    assert sum(told) >= 0.75 * len(told)


def test_equal_pixels_give_equal_fingerprints_and_the_mirror_image_the_mirrored_one() -> None:
    photo = scene("mirror")
    once = fingerprint(photo)
    assert once == fingerprint(photo.copy())
    told = likeness(once, fingerprint(ImageOps.mirror(photo)))
    assert told.alike
    assert told.mirrored
    assert mirrored(mirrored(once)) == once


def test_likeness_is_the_same_whichever_photo_comes_first() -> None:
    photo = scene("either")
    whole, part = fingerprint(photo), fingerprint(sent(cropped(photo, 12, 3, 8, 14)))
    assert likeness(whole, part).alike
    assert likeness(part, whole).alike


@pytest.mark.parametrize("size", [(1, 1), (3000, 2), (40, 30), (192, 20)])
@pytest.mark.parametrize("mode", ["1", "L", "RGB", "CMYK"])
def test_a_picture_without_anything_in_it_is_like_no_other(
    size: tuple[int, int], mode: str
) -> None:
    empty = fingerprint(Image.new(mode, size))
    assert empty.packed == b""
    assert likeness(empty, empty) == likeness(empty, fingerprint(scene("x"))) == Likeness()


def test_twenty_copies_of_one_photo_hang_together() -> None:
    photo = scene("handed in again and again")
    sent_again = [fingerprint(sent(photo, 60 + number)) for number in range(20)]
    others = [fingerprint(scene(f"other {number}")) for number in range(4)]
    mixed = [*others[:2], *sent_again, *others[2:]]
    assert groups(len(mixed), alike_pairs(mixed)) == [list(range(2, 22))]


def test_groups_join_pairs_that_share_a_photo() -> None:
    same = Likeness(1000, 1000)
    pairs = [Pair(0, 4, same), Pair(1, 2, same), Pair(3, 4, same)]
    assert groups(6, pairs) == [[0, 3, 4], [1, 2]]
    assert groups(3, []) == []


def test_a_smaller_jpeg_of_the_same_photo_is_no_other_photo() -> None:
    photo = scene("small")
    assert len(jpeg(photo, 40)) < len(jpeg(photo, 95))
    assert likeness(fingerprint(sent(photo, 40)), fingerprint(sent(photo, 95))).squares == 1000
