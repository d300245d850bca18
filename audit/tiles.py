"""The tree in tiles (C2SP tlog-tiles): their names, their hashes, and the entries beside them.

A tile holds up to 256 hashes of one level; at level L each is the root over 256**L leaves. What
lies between two levels is computed when a tile is read.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Final

from audit.merkle import HASH_BYTES, ReadHash, levels

HEIGHT: Final = 8
WIDTH: Final = 1 << HEIGHT
TILE_BYTES: Final = WIDTH * HASH_BYTES
LARGEST_ENTRY: Final = 0xFFFF
# Some 40 kB each with what lies between: a street's whole year stays in memory.
MOST_TILES_KEPT: Final = 1024

# (level, number) -> the hashes of that tile, one after the other; at the right edge fewer than 256.
ReadTile = Callable[[int, int], bytes]


class NotATile(ValueError):
    """The bytes are not a tile or a bundle of entries, or not the whole of it."""


def tile_path(level: int | str, number: int, width: int = WIDTH) -> str:
    """`tile/<level>/<number>`, with `.p/<width>` if it is not full; level `entries` for entries."""
    parts = [f"{number % 1000:03d}"]
    while number := number // 1000:
        parts.insert(0, f"x{number % 1000:03d}")
    partial = "" if width == WIDTH else f".p/{width}"
    return f"tile/{level}/{'/'.join(parts)}{partial}"


def tiles_of(size: int) -> Iterator[tuple[int, int, int]]:
    """Every tile of the tree of `size` leaves: (level, number, width), level by level."""
    level = 0
    while size:
        for number in range(size // WIDTH):
            yield level, number, WIDTH
        if size % WIDTH:
            yield level, size // WIDTH, size % WIDTH
        size //= WIDTH
        level += 1


def read_hashes(read_tile: ReadTile, *, keep: int = MOST_TILES_KEPT) -> ReadHash:
    """The hashes of a tree read from its tiles; the last `keep` tiles stay in memory.

    For one size of the tree: a tile at its right edge is not read again when it has grown.
    """

    @lru_cache(maxsize=keep)
    def expanded(level: int, number: int) -> list[list[bytes]]:
        return levels(split_tile(read_tile(level, number)))

    def read(level: int, index: int) -> bytes:
        tile, inner = divmod(level, HEIGHT)
        number, at = divmod(index, WIDTH >> inner)
        return expanded(tile, number)[inner][at]

    return read


def split_tile(tile: bytes) -> list[bytes]:
    """The hashes of a tile; raises NotATile."""
    if not tile or len(tile) % HASH_BYTES or len(tile) > TILE_BYTES:
        raise NotATile(f"{len(tile)} bytes are not a tile")
    return [tile[n : n + HASH_BYTES] for n in range(0, len(tile), HASH_BYTES)]


def write_entries(bodies: Sequence[bytes]) -> bytes:
    """A bundle of entries: each behind its length in two bytes, big endian."""
    return b"".join(len(body).to_bytes(2) + body for body in bodies)


def split_entries(bundle: bytes) -> list[bytes]:
    """The entries of a bundle; raises NotATile if it ends within one or holds more than 256."""
    found: list[bytes] = []
    at = 0
    while at < len(bundle):
        end = at + 2 + int.from_bytes(bundle[at : at + 2])
        if end > len(bundle) or at + 2 > len(bundle) or len(found) == WIDTH:
            raise NotATile("the bundle of entries is cut short or too long")
        found.append(bundle[at + 2 : end])
        at = end
    return found
