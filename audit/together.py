"""Groups told together until each is large enough; a blank would be found again by subtracting."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

Item = TypeVar("Item")
Group = tuple[tuple[str, ...], list[Item]]


def together(
    groups: Mapping[str, Sequence[Item]], fit: Callable[[Sequence[Item]], bool]
) -> list[Group[Item]]:
    """Merge groups, small ones with small ones, until each fits or one is left; sorted by names."""
    told: list[Group[Item]] = [((name,), list(items)) for name, items in groups.items()]

    def size(group: Group[Item]) -> tuple[int, tuple[str, ...]]:
        return len(group[1]), group[0]

    while len(told) > 1:
        told.sort(key=size)
        unfit = next((group for group in told if not fit(group[1])), None)
        if unfit is None:
            break
        told.remove(unfit)
        other = told.pop(0)
        told.append((tuple(sorted((*unfit[0], *other[0]))), [*unfit[1], *other[1]]))
    return sorted(told, key=lambda group: group[0])
