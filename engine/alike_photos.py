"""Which photos among the evidence of all cases are copies of each other, to the byte or by looks.

Nothing of it is kept: whoever has the files can compute it again, so it is no business of the log.
Confidential cases are left out.
"""

from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, Literal

from sqlalchemy import Connection

from audit import log
from audit.alike import Fingerprint, fingerprint
from audit.alike_pairs import Pair, alike_pairs, groups
from audit.laid_upon import Likeness
from engine import evidence
from engine.mining import open_cases
from engine.photos import upright_picture
from engine.uploads import PHOTOS, UnfitFile, media_of

# Well above what a fingerprint looks at, so that the decoder may leave out what is finer.
_SIDE: Final = 512

Why = Literal["missing", "damaged", "unreadable", "undecodable"]


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where the log names a photo."""

    case: str
    seq: int


@dataclass(frozen=True, slots=True)
class Prints:
    """Fingerprints by SHA-256 (hex) of the file, and why others have none."""

    found: dict[str, Fingerprint]
    left_out: dict[str, Why]


@dataclass(frozen=True, slots=True)
class Resemblance:
    """Two files that look alike; one is `mirrored` where its likeness says so."""

    first: str
    second: str
    likeness: Likeness


@dataclass(frozen=True, slots=True)
class Group:
    """Files (SHA-256, hex) that hang together by resemblances."""

    files: tuple[str, ...]
    pairs: tuple[Resemblance, ...]


def photos_named(conn: Connection) -> dict[str, tuple[Place, ...]]:
    """Each photo of all cases but confidential ones, by SHA-256, and every event that names it."""
    named: dict[str, set[Place]] = {}
    for case in open_cases(conn):
        for entry in log.read(conn, case):
            for item in entry.evidence:
                if item["media"] in PHOTOS:
                    named.setdefault(item["sha256"], set()).add(Place(case, entry.seq))
    return {sha256: tuple(sorted(places)) for sha256, places in named.items()}


def fingerprints(
    root: Path, sha256s: Collection[str], *, seen: Callable[[str], None] | None = None
) -> Prints:
    """The fingerprints of these files of an evidence store; `seen` is told each as it is done.

    A file that is not there any more, is not what it was or cannot be decoded is left out.
    """
    found: dict[str, Fingerprint] = {}
    left_out: dict[str, Why] = {}
    with ProcessPoolExecutor() as pool:
        made = pool.map(partial(fingerprint_of, root), sha256s, chunksize=8)
        for sha256, one in zip(sha256s, made, strict=True):
            if isinstance(one, Fingerprint):
                found[sha256] = one
            else:
                left_out[sha256] = one
            if seen:
                seen(sha256)
    return Prints(found, left_out)


def alike_groups(prints: Mapping[str, Fingerprint]) -> list[Group]:
    """Files that look alike, in groups: in the order given, as are the files of each.

    Compared by a process for each processor, which get nothing but fingerprints.
    """
    names = list(prints)
    with ProcessPoolExecutor() as pool:
        each = partial(pool.map, chunksize=64)
        pairs = alike_pairs([prints[name] for name in names], each)
    return [_group(names, members, pairs) for members in groups(len(names), pairs)]


def _group(names: list[str], members: list[int], pairs: list[Pair]) -> Group:
    within = set(members)
    return Group(
        tuple(names[number] for number in members),
        tuple(
            Resemblance(names[pair.first], names[pair.second], pair.likeness)
            for pair in pairs
            if pair.first in within
        ),
    )


def fingerprint_of(root: Path, sha256: str) -> Fingerprint | Why:
    """The fingerprint of a file of an evidence store, or why it has none."""
    try:
        data = evidence.original(root, sha256)
        media = media_of(data, name=sha256)
        if media not in PHOTOS:
            return "undecodable"
        return fingerprint(upright_picture(data, media, side=_SIDE, name=sha256))
    except evidence.EvidenceMissing:
        return "missing"
    except evidence.EvidenceDamaged:
        return "damaged"
    except UnfitFile:
        return "undecodable"
    except OSError:
        return "unreadable"
