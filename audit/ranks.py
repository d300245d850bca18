"""Medians and percentiles that are values somebody had, never ones in between."""

from collections.abc import Sequence


def nearest_rank(ordered: Sequence[int], percent: int) -> int:
    """The smallest value that so many per cent of these do not exceed; `ordered` rises."""
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]
