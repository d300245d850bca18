"""Months, quarters and years in words, and the ways from one to another."""

from collections.abc import Sequence
from typing import Final

from engine.metric_periods import Counted
from engine.periods import KINDS, Kind, begin_of, kind_of
from web.moments import MONTHS_EN
from web.quantities import ZONE
from web.texts import either, later, say

WORDS: Final = {"month": later("月"), "quarter": later("季度"), "year": later("年")}
QUARTERS: Final = "一二三四"


def period_words(key: str) -> str:
    """2026年3月, 2026年第一季度, 2026年."""
    year, _, rest = key.partition("-")
    if not rest:
        return either(f"{year}年", year)
    if rest.startswith("Q"):
        return either(f"{year}年第{QUARTERS[int(rest[1:]) - 1]}季度", f"{rest} {year}")
    return either(f"{year}年{int(rest)}月", f"{MONTHS_EN[int(rest) - 1]} {year}")


def beside(known: Sequence[Counted], asked: Counted, step: int) -> str | None:
    """The period before (-1) or after (1) this one, of its kind."""
    alike = [one.key for one in known if kind_of(one.key) == kind_of(asked.key)]
    index = alike.index(asked.key) + step
    return alike[index] if 0 <= index < len(alike) else None


def kinds(known: Sequence[Counted], asked: Counted) -> list[tuple[str, str, bool]]:
    """Month, quarter and year: how each is called, the key to go to, whether it is the one asked.

    One goes to the last of another kind that begins before this one ends, if it is counted.
    """
    ways = ((kind, _of_kind(known, asked, kind)) for kind in KINDS)
    return [(say(WORDS[kind]), key, key == asked.key) for kind, key in ways if key]


def _of_kind(known: Sequence[Counted], asked: Counted, kind: Kind) -> str:
    if kind == kind_of(asked.key):
        return asked.key
    of_kind = (one.key for one in known if kind_of(one.key) == kind)
    return max((key for key in of_kind if begin_of(key, ZONE) < asked.until), default="")
