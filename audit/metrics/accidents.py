"""Accidents: how many were determined, and for which a community is answerable."""

from collections.abc import Iterator
from typing import Final

from audit.metrics.marks import Mark, Seen

ACCIDENT: Final = "accident"
# How grave an accident is, from the least on.
LEVELS: Final = ("general", "larger", "major", "extreme")
_ANSWERABLE: Final = "_answerable"


def accidents(seen: Seen) -> Iterator[Mark]:
    """事故件数: accidents determined in the period; those a community is answerable for, by level.

    The last determination counts, from when it was made.
    """
    roles = seen.roles(ACCIDENT)
    for case in seen.of(ACCIDENT):
        graded = [one for one in case.of(roles["verify"]) if one.done()]
        determined = [one for one in case.of(roles["determine"]) if one.done()]
        for last in determined[-1:]:
            if last.closed and seen.period.has(last.closed):
                own = last.said("answerable") == "answerable"
                apart = f"{graded[-1].said('level')}{_ANSWERABLE}" if own and graded else ""
                yield Mark(case, last.closed, case.path[0], 1, 1, apart=apart,
                           entry=last.closed_seq)  # fmt: skip


def level_of(apart: str) -> str:
    """The level of an accident a community is answerable for, "" of any other."""
    level = apart.removesuffix(_ANSWERABLE)
    return level if level in LEVELS and level != apart else ""
