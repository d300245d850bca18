"""Which unit stands above which, and which posts approve: what rules need to know. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from audit.entries import Entry

# Whose duty it is to answer for a unit from above.
APPROVE: Final = "approve"


@dataclass(frozen=True, slots=True)
class Offices:
    """parents: unit -> the one above it. approving: posts whose duties include approving."""

    parents: Mapping[str, str]
    approving: frozenset[str]

    def line_of(self, unit: str) -> frozenset[str]:
        """The unit itself and everything above it."""
        found = [unit]
        while (above := self.parents.get(found[-1])) and above not in found:
            found.append(above)
        return frozenset(found)


NOBODY: Final = Offices({}, frozenset())


def offices(units: Iterable[Entry], people: Iterable[Entry]) -> Offices:
    """Fold the entries of `@units` and `@people`.

    Every post that ever approved counts: a signal says what was done, whoever holds it now.
    """
    parents = {
        entry.data["unit"]: entry.data["parent"]
        for entry in units
        if entry.type == "unit.created" and entry.data.get("parent")
    }
    approving = {
        entry.data["post"]
        for entry in people
        if entry.type == "post.granted" and APPROVE in entry.data["duties"]
    }
    return Offices(parents, frozenset(approving))
