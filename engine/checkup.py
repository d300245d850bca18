"""What a check of the installation found: whether it holds, what was looked at, what to do."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

HOLDS: Final = "holds"
LOOK: Final = "look"
FAILS: Final = "fails"

_WORSE: Final = (HOLDS, LOOK, FAILS)
Words = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: its name, its outcome, what was looked at and found, and what to do about it.

    outcome: holds, look (somebody should) or fails. found, do: Chinese and English; do is empty
    where nothing is to be done.
    """

    check: str
    outcome: str
    found: Words
    do: Words = ("", "")


def holds(check: str, found: Words) -> Finding:
    """All is as it should be."""
    return Finding(check, HOLDS, found)


def look(check: str, found: Words, do: Words) -> Finding:
    """It works; somebody should look at it."""
    return Finding(check, LOOK, found, do)


def fails(check: str, found: Words, do: Words) -> Finding:
    """It does not work, or does not protect what it should."""
    return Finding(check, FAILS, found, do)


def worst(findings: Iterable[Finding]) -> str:
    """The worst outcome among them; holds where there are none."""
    return max((one.outcome for one in findings), key=_WORSE.index, default=HOLDS)


def lasting(span: timedelta) -> Words:
    """How long, in the two largest units anybody needs: (3 小时, 3 h)."""
    seconds = int(span.total_seconds())
    for size, chinese, english in (
        (86_400, "天", "days"),
        (3_600, "小时", "h"),
        (60, "分钟", "min"),
    ):
        if seconds >= 2 * size:
            return f"{seconds // size} {chinese}", f"{seconds // size} {english}"
    return f"{seconds} 秒", f"{seconds} s"
