"""Of what kind each unit is and how it is called, from the entries of `@units`. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from audit.entries import Entry

UNITS: Final = "@units"


@dataclass(frozen=True, slots=True)
class Places:
    """kinds, names, parents: by id of the unit; the name is the last it was given."""

    kinds: Mapping[str, str]
    names: Mapping[str, str]
    parents: Mapping[str, str]

    def path(self, unit: str) -> tuple[str, ...]:
        """A unit and those above it."""
        told = [unit]
        while above := self.parents.get(told[-1], ""):
            told.append(above)
        return tuple(told)

    def community(self, path: Iterable[str]) -> str:
        """The community of a place, told from the smallest unit up; "" where there is none."""
        return next((unit for unit in path if self.kinds.get(unit) == "community"), "")

    def grid(self, path: Iterable[str]) -> str:
        """The general or exclusive grid of a place; "" where there is none."""
        grids = ("general_grid", "exclusive_grid")
        return next((unit for unit in path if self.kinds.get(unit) in grids), "")

    def block(self, path: Iterable[str]) -> frozenset[str]:
        """Of a place's units the community and what is below it."""
        return frozenset(
            unit
            for unit in path
            if self.kinds.get(unit, "") == "community" or self.kinds.get(unit, "").endswith("_grid")
        )


def places(entries: Iterable[Entry]) -> Places:
    """Fold the entries of `@units`, in order."""
    kinds, names, parents = dict[str, str](), dict[str, str](), dict[str, str]()
    for entry in entries:
        if entry.type == "unit.created":
            kinds[entry.data["unit"]] = entry.data["kind"]
            parents[entry.data["unit"]] = entry.data.get("parent", "")
        if entry.type in ("unit.created", "unit.renamed"):
            names[entry.data["unit"]] = entry.data["name"]
    return Places(kinds, names, parents)
