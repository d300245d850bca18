"""No change passes: every byte of an export and of an evidence file, every field of every event.

What is believed is what somebody outside has: a policy with a quorum of witnesses, a checkpoint
kept elsewhere, the root of the time-stamping authority. A run that takes seconds tries a part, the
same one each time; `bin/test --long` tries everything.
"""

import random
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson
import pytest

from audit.encoding import NotCanonical, canonical
from audit.entries import leaf_hash
from audit.evidence_file import verify_evidence
from audit.exported import verify_export
from tests.audit import test_evidence_file as evidence
from tests.audit import test_exported as exported
from tests.golden.exports import make

# A certificate in a token may get a serial number that is none; the library warns, then refuses.
pytestmark = pytest.mark.filterwarnings("ignore:Parsed a serial number")
GOOD = exported.GOOD
EDGE = 6


def flipped(data: bytes, at: int, bit: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]


def some(data: bytes, count: int) -> list[int]:
    """Both ends, and so many places between."""
    ends = {*range(min(EDGE, len(data))), *range(max(0, len(data) - EDGE), len(data))}
    chance = random.Random(len(data))
    return sorted(ends | {chance.randrange(len(data)) for _ in range(count)})


# --- bytes ----------------------------------------------------------------------------------------


def survivors(folder: Path, path: str, places: list[int]) -> list[int]:
    """Where a flipped bit in this file of the export went unnoticed."""
    make.write(folder, GOOD)
    found = []
    for at in places:
        (folder / path).write_bytes(flipped(GOOD[path], at, at % 8))
        if verify_export(folder, exported.TRUST).ok:
            found.append(at)
    return found


@pytest.mark.parametrize("path", GOOD)
def test_no_byte_of_an_export_can_be_changed(path: str, tmp_path: Path) -> None:
    assert survivors(tmp_path / "export", path, some(GOOD[path], 25)) == []


@pytest.mark.long
@pytest.mark.parametrize("path", GOOD)
def test_no_byte_at_all_of_an_export_can_be_changed(path: str, tmp_path: Path) -> None:
    assert survivors(tmp_path / "export", path, list(range(len(GOOD[path])))) == []


def test_no_file_of_an_export_can_be_cut_or_continued(tmp_path: Path) -> None:
    for path, data in GOOD.items():
        for other in (data[:-1], data[1:], data + b"\n", data + b"\0", b"", data * 2):
            folder = make.write(tmp_path / "export", {**GOOD, path: other})
            assert not verify_export(folder, exported.TRUST).ok, path


def test_no_two_files_of_an_export_can_change_places(tmp_path: Path) -> None:
    names = sorted(GOOD)
    for one, other in pairwise(names):
        if GOOD[one] != GOOD[other]:
            swapped = {**GOOD, one: GOOD[other], other: GOOD[one]}
            folder = make.write(tmp_path / "export", swapped)
            assert not verify_export(folder, exported.TRUST).ok, (one, other)


def unnoticed(places: list[int]) -> list[int]:
    """Where a flipped bit of the evidence file went unnoticed."""
    whole = evidence.EARLY
    return [at for at in places if verify_evidence(flipped(whole, at, at % 8), evidence.TRUST).ok]


def test_no_byte_of_an_evidence_file_can_be_changed() -> None:
    assert verify_evidence(evidence.EARLY, evidence.TRUST).ok
    assert unnoticed(some(evidence.EARLY, 1500)) == []


@pytest.mark.long
def test_no_byte_at_all_of_an_evidence_file_can_be_changed() -> None:
    assert unnoticed(list(range(len(evidence.EARLY)))) == []


# --- fields ---------------------------------------------------------------------------------------


def other_value(value: Any) -> Any:
    """Another value of the same kind."""
    match value:
        case bool():
            return not value
        case int():
            return value + 1
        case str():
            return value[:-1] + ("1" if value[-1:] != "1" else "2") if value else "0" * 64
        case None:
            return "x"
        case list():
            return [*value, value[-1]] if value else ["x"]
    return {**value, "x": "x"}


def without_value(value: Any) -> Any:
    return {} if isinstance(value, dict) else [] if isinstance(value, list) else None


def changes(told: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Every place in a JSON value, with what is to stand there instead; also nothing."""
    inside = (
        told.items() if isinstance(told, dict) else enumerate(told) if type(told) is list else ()
    )
    if above:
        yield above, other_value(told)
        yield above, without_value(told)
    for key, value in inside:
        yield from changes(value, (*above, key))


def put(body: bytes, path: tuple[Any, ...], value: Any) -> bytes:
    told = orjson.loads(body)
    place = told
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    try:
        return canonical(told)
    except NotCanonical:
        return orjson.dumps(told, option=orjson.OPT_SORT_KEYS)


def linked(bodies: list[bytes], at: int) -> list[bytes]:
    """The later entries of the stream of entry `at`, linked anew to what now stands there."""
    told = list(bodies)
    stream, prev = orjson.loads(bodies[at]).get("case"), leaf_hash(bodies[at]).hex()
    for n in range(at + 1, len(told)):
        body = orjson.loads(told[n])
        if body["case"] == stream:
            told[n] = canonical(body | {"prev": prev})
            prev = leaf_hash(told[n]).hex()
    return told


def left(files: make.Files, bodies: list[bytes], at: int) -> None:
    """Nothing is computed anew: whoever did it has a text editor."""
    make.put_entries(files, bodies)


def rehashed(files: make.Files, bodies: list[bytes], at: int) -> None:
    """The leaf is that of the changed event."""
    make.rebuild(files, bodies)


def rechained(files: make.Files, bodies: list[bytes], at: int) -> None:
    """Every later link and every leaf is computed anew: whoever did it has the database."""
    make.rebuild(files, linked(bodies, at))


def resigned(files: make.Files, bodies: list[bytes], at: int) -> None:
    """… and the log's key. What the witnesses and others have seen is out of reach."""
    make.rebuild(files, linked(bodies, at))
    for size in make.sizes(files)[:-1]:
        tree = exported.make_checkpoint([leaf_hash(one) for one in linked(bodies, at)][:size])
        files[f"checkpoints/{size}"] = tree.data
        files.pop(f"timestamps/{size}.1", None)
    make.lie(files)


WAYS: tuple[Callable[[make.Files, list[bytes], int], None], ...] = (
    left,
    rehashed,
    rechained,
    resigned,
)


def passing(folder: Path, part: int, parts: int) -> Iterator[Any]:
    """The changes of fields that go unnoticed, of every so-and-so-many-th one."""
    bodies, number = make.entries(GOOD), 0
    for at, body in enumerate(bodies):
        for path, value in changes(orjson.loads(body)):
            changed = [*bodies[:at], put(body, path, value), *bodies[at + 1 :]]
            if changed == bodies:
                continue
            for way in WAYS:
                number += 1
                if number % parts != part:
                    continue
                files = dict(GOOD)
                try:
                    way(files, changed, at)
                except (KeyError, ValueError, AttributeError):
                    continue  # no longer an entry that could be linked: `left` tries it
                if verify_export(make.write(folder, files), exported.TRUST).ok:
                    yield at, path, value, way.__name__


def test_no_field_of_an_event_can_be_changed(tmp_path: Path) -> None:
    assert list(passing(tmp_path / "export", 7, 19)) == []


@pytest.mark.long
def test_no_field_at_all_of_an_event_can_be_changed(tmp_path: Path) -> None:
    assert list(passing(tmp_path / "export", 0, 1)) == []


def test_the_way_through_all_hashes_and_the_key_is_stopped_by_what_left_the_house_alone(
    tmp_path: Path,
) -> None:
    """So that the tests above do not pass for another reason than the one they are about."""
    bodies = make.entries(GOOD)
    at = next(n for n, body in enumerate(bodies) if b'"title":"' in body)
    body = orjson.loads(bodies[at])
    changed = [*bodies[:at], canonical(body | {"data": body["data"] | {"title": "没有事"}})]
    files = dict(GOOD)
    resigned(files, [*changed, *bodies[at + 1 :]], at)
    found = verify_export(make.write(tmp_path / "export", files), exported.TRUST)
    fails = exported.ended(found, exported.Outcome.FAILS)
    assert fails == {"witnesses", "outside"}, found
