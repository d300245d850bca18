"""All pairs of near-duplicates among many photos, without comparing each with each.

Points whose words share 30 bits are brought together by sorting (locality-sensitive hashing by
bands: Indyk and Motwani, 1998). Only photos that meet five times are laid upon each other.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from audit.alike import Fingerprint, mirrored_word, words_of
from audit.laid_upon import Likeness, mirrored_likeness, straight_likeness

_MEETINGS: Final = 5
# A key that many photos have tells nothing of any of them, unless they are all copies: then each
# still meets its next two, and the copies hang together like a chain.
_CROWD: Final = 9
_NEXT: Final = 2

# An entry is a key and the number of a photo in one whole number: tuples would fill the memory.
_NUMBER: Final = 24
_ALL: Final = (1 << _NUMBER) - 1

Key = Callable[[int], int]
Both = tuple[int, int]  # numbers of two photos, the lower first


@dataclass(frozen=True, slots=True)
class Pair:
    """Two photos that are alike, by their places in what was given; first < second."""

    first: int
    second: int
    likeness: Likeness


def alike_pairs(
    prints: Sequence[Fingerprint],
    each: Callable[..., Iterable[Likeness]] = map,
    *,
    since: int = 0,
) -> list[Pair]:
    """Pairs of near-duplicates, by their places.

    since: of two photos before this place it is known already. Of more than nine copies of one
    photo not every pair need be told, but each copy is in one, and `groups` puts them together.
    `each` does what `map` does, on several cores if it can.
    """
    found: dict[Both, Likeness] = {}
    for compare, mirror in ((mirrored_likeness, True), (straight_likeness, False)):
        met = [both for both in _met(prints, mirror) if both[1] >= since]
        likenesses = each(compare, *_sides(prints, met))
        found |= {both: told for both, told in zip(met, likenesses, strict=True) if told.alike}
    return [Pair(*both, likeness=found[both]) for both in sorted(found)]


def _sides(
    prints: Sequence[Fingerprint], met: Sequence[Both]
) -> tuple[Iterator[Fingerprint], Iterator[Fingerprint]]:
    return (prints[first] for first, _ in met), (prints[second] for _, second in met)


def groups(count: int, pairs: Sequence[Pair]) -> list[list[int]]:
    """Which of `count` photos hang together by pairs: groups of two and more, in order."""
    leads = list(range(count))
    for pair in pairs:
        first, second = sorted((_lead(leads, pair.first), _lead(leads, pair.second)))
        leads[second] = first
    together: dict[int, list[int]] = {}
    for number in range(count):
        together.setdefault(_lead(leads, number), []).append(number)
    return [group for group in together.values() if len(group) > 1]


def _lead(leads: list[int], number: int) -> int:
    while leads[number] != number:
        leads[number] = leads[leads[number]]
        number = leads[number]
    return number


def _met(prints: Sequence[Fingerprint], mirror: bool) -> list[Both]:
    """Pairs that share enough keys, the second of them mirrored or not."""
    words = [words_of(one) for one in prints]
    images = [[mirrored_word(word) for word in some] for some in words] if mirror else []
    meetings: Counter[Both] = Counter()
    for key in _KEYS:
        entries = _entries(words, key)
        meetings.update(_across(entries, _entries(images, key)) if mirror else _within(entries))
    return sorted(both for both, times in meetings.items() if times >= _MEETINGS)


def _entries(words: Sequence[Sequence[int]], key: Key) -> list[int]:
    """Each key that a photo has, once, before the number of the photo; in order."""
    return sorted({key(word) << _NUMBER | at for at, some in enumerate(words) for word in some})


def _within(entries: Sequence[int]) -> Iterator[Both]:
    for numbers in _by_key(entries).values():
        for at, first in enumerate(numbers):
            yield from ((first, second) for second in numbers[at + 1 : at + 1 + _reach(numbers)])


def _across(entries: Sequence[int], turned: Sequence[int]) -> Iterator[Both]:
    """Photos that meet the mirror images of later ones."""
    images = _by_key(turned)
    for entry in entries:
        first = entry & _ALL
        numbers = images.get(entry >> _NUMBER, [])
        at = bisect_right(numbers, first)
        yield from ((first, second) for second in numbers[at : at + _reach(numbers)])


def _by_key(entries: Sequence[int]) -> dict[int, list[int]]:
    """The numbers of the photos that have each key, in order."""
    found: dict[int, list[int]] = {}
    for entry in entries:
        found.setdefault(entry >> _NUMBER, []).append(entry & _ALL)
    return found


def _reach(numbers: Sequence[int]) -> int:
    return len(numbers) if len(numbers) <= _CROWD else _NEXT


# Half a word and ten steps of the other half around the middle.
def _first(word: int) -> int:
    return (word & 0xFFFFF) << 10 | (word >> 25 & 0x3FF)


def _second(word: int) -> int:
    return (word >> 20) << 10 | (word >> 5 & 0x3FF)


_KEYS: Final = (_first, _second)
