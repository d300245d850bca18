"""The tree in tiles: named and laid out as C2SP has it, and the same hashes come out again."""

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.merkle import Frontier, levels, prove_inclusion, root
from audit.tiles import (
    HEIGHT,
    LARGEST_ENTRY,
    WIDTH,
    NotATile,
    read_hashes,
    split_entries,
    split_tile,
    tile_path,
    tiles_of,
    write_entries,
)
from tests.vectors import published

LEAVES = [hashlib.sha256(b"%d" % n).digest() for n in range(70_000)]


def tiles(size: int) -> dict[tuple[int, int], bytes]:
    """All tiles over the first leaves, cut out of the whole tree's levels."""
    rows = levels(LEAVES[:size])
    return {
        (level, number): b"".join(rows[level * HEIGHT][number * WIDTH : number * WIDTH + width])
        for level, number, width in tiles_of(size)
    }


def test_tiles_are_named_as_published() -> None:
    told = json.loads(published("known-answers.json").read_text())["tlog"]["tile_path"]
    assert tile_path(0, told["index"]).endswith(told["ends_with"])


@pytest.mark.parametrize(
    ("level", "number", "width", "path"),
    [
        (0, 0, 256, "tile/0/000"),
        (0, 273, 112, "tile/0/273.p/112"),
        (1, 1, 17, "tile/1/001.p/17"),
        (3, 1000, 256, "tile/3/x001/000"),
        ("entries", 1234067, 256, "tile/entries/x001/x234/067"),
        ("entries", 999999, 1, "tile/entries/x999/999.p/1"),
    ],
)
def test_a_tile_lies_where_tlog_tiles_says(
    level: int | str, number: int, width: int, path: str
) -> None:
    assert tile_path(level, number, width) == path


def test_a_tree_of_70000_has_the_tiles_of_the_specifications_example() -> None:
    found = list(tiles_of(70_000))
    assert len(found) == 274 + 2 + 1
    assert found[272:] == [(0, 272, 256), (0, 273, 112), (1, 0, 256), (1, 1, 17), (2, 0, 1)]
    assert list(tiles_of(0)) == []
    assert list(tiles_of(256)) == [(0, 0, 256), (1, 0, 1)]
    assert list(tiles_of(255)) == [(0, 0, 255)]


@pytest.mark.parametrize("size", [1, 2, 255, 256, 257, 511, 513, 65_536, 70_000])
def test_hashes_read_from_tiles_are_those_of_the_tree(size: int) -> None:
    kept, rows = tiles(size), levels(LEAVES[:size])
    read = read_hashes(lambda level, number: kept[level, number])
    for level, row in enumerate(rows):
        for index in {0, len(row) // 2, len(row) - 1} if row else ():
            assert read(level, index) == row[index]
    tree = Frontier()
    tree.extend(LEAVES[:size])
    assert root(read, size) == tree.root()


@given(st.integers(1, 70_000), st.data())
def test_tiles_prove_what_the_levels_prove_though_few_are_kept(
    size: int, data: st.DataObject
) -> None:
    index = data.draw(st.integers(0, size - 1))
    rows, kept = ALL, KEPT
    read = read_hashes(lambda level, number: kept[level, number], keep=2)
    wanted = prove_inclusion(lambda level, at: rows[level][at], index, size)
    assert prove_inclusion(read, index, size) == wanted


ALL, KEPT = levels(LEAVES), tiles(70_000)


def test_what_has_no_whole_hashes_or_too_many_is_no_tile() -> None:
    assert split_tile(bytes(64)) == [bytes(32)] * 2
    for told in (b"", bytes(31), bytes(33), bytes(32 * 257)):
        with pytest.raises(NotATile):
            split_tile(told)


bodies = st.lists(st.binary(max_size=300), max_size=WIDTH)


@given(bodies)
def test_entries_come_out_of_a_bundle_as_they_went_in(entries: list[bytes]) -> None:
    assert split_entries(write_entries(entries)) == entries


@given(bodies.filter(bool), st.data())
def test_a_bundle_that_is_cut_within_an_entry_is_refused(
    entries: list[bytes], data: st.DataObject
) -> None:
    whole = write_entries(entries)
    ends = {0}
    for entry in entries:
        ends.add(max(ends) + 2 + len(entry))
    cut = data.draw(st.integers(0, len(whole)))
    if cut in ends:
        assert len(split_entries(whole[:cut])) <= len(entries)
    else:
        with pytest.raises(NotATile):
            split_entries(whole[:cut])


def test_the_largest_entry_fits_and_a_larger_one_does_not() -> None:
    assert split_entries(write_entries([bytes(LARGEST_ENTRY)])) == [bytes(LARGEST_ENTRY)]
    with pytest.raises(OverflowError):
        write_entries([bytes(LARGEST_ENTRY + 1)])


def test_a_bundle_holds_at_most_256_entries() -> None:
    assert len(split_entries(bytes(2 * WIDTH))) == WIDTH
    with pytest.raises(NotATile):
        split_entries(bytes(2 * WIDTH + 2))
