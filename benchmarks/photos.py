"""What near-duplicate photos cost: a fingerprint of a telephone's photo, and pairs among many.

The many are made-up photos, each drawn anew; some are copies cropped by a tenth, and have to be
found. Drawing them takes most of the time and is not measured.

    python benchmarks/photos.py [--photos 10000] [--copies 50] [--json]
"""

import argparse
import json
import random
import resource
import statistics
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from audit.alike import Fingerprint, fingerprint
from audit.alike_pairs import alike_pairs
from engine.photos import upright_picture
from engine.uploads import JPEG
from tests.pictures import cropped, jpeg, scaled, scene


def main() -> None:
    """Measure, and print milliseconds, seconds and megabytes."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--photos", type=int, default=10_000)
    asked.add_argument("--copies", type=int, default=50)
    asked.add_argument("--json", action="store_true")
    told = asked.parse_args()
    found = _one() | _many(told.photos, told.copies)
    if told.json:
        print(json.dumps(found))
        return
    for name, value in found.items():
        print(f"{name:24} {value}")


def _one() -> dict[str, Any]:
    """A photo of twelve megapixels, from its bytes to the fingerprint."""
    data = jpeg(scaled(scene("benchmark 0"), 400), 85)
    whole, looks = [], []
    for _ in range(9):
        begun = time.perf_counter()
        picture = upright_picture(data, JPEG, side=512, name="p.jpg")
        decoded = time.perf_counter()
        fingerprint(picture)
        looks.append(time.perf_counter() - decoded)
        whole.append(time.perf_counter() - begun)
    return {
        "photo_ms": round(statistics.median(whole) * 1000, 1),
        "of_it_fingerprint_ms": round(statistics.median(looks) * 1000, 1),
    }


def _many(photos: int, copies: int) -> dict[str, Any]:
    names = range(photos)
    with ProcessPoolExecutor() as pool:
        prints = list(pool.map(_print, names, chunksize=20))
        prints += pool.map(_cropped_print, names[:copies], chunksize=5)
    begun = time.perf_counter()
    with ProcessPoolExecutor() as pool:
        pairs = alike_pairs(prints, partial(pool.map, chunksize=64))
    taken = time.perf_counter() - begun
    wanted = {(number, photos + number) for number in range(copies)}
    told = {(pair.first, pair.second) for pair in pairs}
    assert len(told & wanted) >= 0.9 * copies
    return {
        "photos": len(prints),
        "pairs_s": round(taken, 1),
        "copies_found": f"{len(told & wanted)}/{copies}",
        "pairs_that_are_none": len(told - wanted),
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def _print(number: int) -> Fingerprint:
    return fingerprint(scene(f"benchmark {number}"))


def _cropped_print(number: int) -> Fingerprint:
    sides = [random.Random(number).randrange(11) for _ in range(4)]
    return fingerprint(cropped(scene(f"benchmark {number}"), *sides))


if __name__ == "__main__":
    main()
