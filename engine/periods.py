"""Months, quarters and years of the street's calendar, by the keys they are kept under.

`2026-03`, `2026-Q1`, `2026`: among those of one kind, earlier ones sort before later ones.
"""

from datetime import datetime, tzinfo
from typing import Final, Literal

from audit.metrics.marks import Period

Kind = Literal["month", "quarter", "year"]
KINDS: Final[tuple[Kind, ...]] = ("month", "quarter", "year")
_MONTHS: Final[dict[Kind, int]] = {"month": 1, "quarter": 3, "year": 12}


def kind_of(key: str) -> Kind:
    """Whether a key names a month, a quarter or a year."""
    if len(key) == len("2026"):
        return "year"
    return "quarter" if "Q" in key else "month"


def begin_of(key: str, zone: tzinfo) -> datetime:
    """When a period begins."""
    return _first_day(*_place(key), zone)


def end_of(key: str, zone: tzinfo) -> datetime:
    """When a period ends, which is when the next of its kind begins."""
    year, month = _place(key)
    return _first_day(year, month + _MONTHS[kind_of(key)], zone)


def key_at(kind: Kind, at: datetime, zone: tzinfo) -> str:
    """The period of a kind in which an instant lies."""
    local = at.astimezone(zone)
    if kind == "year":
        return f"{local:%Y}"
    return f"{local:%Y}-Q{(local.month + 2) // 3}" if kind == "quarter" else f"{local:%Y-%m}"


def between(first: datetime, last: datetime, zone: tzinfo) -> dict[str, Period]:
    """The periods of every kind from one instant to another, the last of each up to there."""
    found = {}
    for kind in KINDS:
        key = key_at(kind, first, zone)
        while key not in found:
            begin, end = begin_of(key, zone), end_of(key, zone)
            found[key] = Period(begin, min(end, last))
            key = key_at(kind, end, zone) if end < last else key
    return found


def _place(key: str) -> tuple[int, int]:
    """Year and first month."""
    year, _, rest = key.partition("-")
    if rest.startswith("Q"):
        return int(year), 3 * int(rest[1:]) - 2
    return int(year), int(rest or 1)


def _first_day(year: int, month: int, zone: tzinfo) -> datetime:
    more, month = divmod(month - 1, 12)
    return datetime(year + more, month + 1, 1, tzinfo=zone)
