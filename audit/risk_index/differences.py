"""What one edition of a table has otherwise than another. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

KINDS: Final = ("communities", "departments")
# Of a unit beside its parts, and of a part.
_OF_UNIT: Final = ("value", "interval", "band", "backed", "suppressed", "accidents", "rank",
                   "stratum")  # fmt: skip
_OF_PART: Final = ("weight", "points", "good", "of", "prior", "amount", "households", "percent")


@dataclass(frozen=True, slots=True)
class Difference:
    """One value that differs: of which unit, of which part of it (""= the whole), old and new.

    old or new None: the unit, the part or the value is not in that edition.
    """

    kind: str
    unit: str
    part: str
    field: str
    old: Any
    new: Any


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Difference]:
    """By kind, unit, part and field; none of two tables that say the same."""
    return [
        one
        for kind in KINDS
        for unit, before, after in _paired(old[kind], new[kind], "unit")
        for one in _of_unit(kind, unit, before, after)
    ]


def _of_unit(
    kind: str, unit: str, old: Mapping[str, Any], new: Mapping[str, Any]
) -> Iterator[Difference]:
    yield from _fields(kind, unit, "", _OF_UNIT, old, new)
    for part, before, after in _paired(old.get("parts", ()), new.get("parts", ()), "name"):
        yield from _fields(kind, unit, part, _OF_PART, before, after)


def _fields(
    kind: str, unit: str, part: str, fields: tuple[str, ...], old: Mapping[str, Any],
    new: Mapping[str, Any],
) -> Iterator[Difference]:  # fmt: skip
    for field in fields:
        if old.get(field) != new.get(field):
            yield Difference(kind, unit, part, field, old.get(field), new.get(field))


def _paired(
    old: Any, new: Any, name: str
) -> Iterator[tuple[str, Mapping[str, Any], Mapping[str, Any]]]:
    before, after = ({one[name]: one for one in rows} for rows in (old, new))
    for key in dict.fromkeys([*before, *after]):
        yield key, before.get(key, {}), after.get(key, {})
