"""A case of another system: what is said to have happened to it, in our words."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

# Words for what happens to a step: the life-cycle of XES (IEEE 1849-2016), and four of our own.
OPENING: Final = ("schedule", "assign", "reassign", "start")
CLOSING: Final = ("complete", "withdraw", "ate_abort", "return", "object")
OF_A_STEP: Final = (*OPENING, *CLOSING, "suspend", "resume", "extend", "list")
# Of the case as a whole; `end` with the end event it reached.
OF_A_CASE: Final = ("end", "reopen", "rate", "order", "answer")
WORDS: Final = (*OF_A_STEP, *OF_A_CASE)
REPORT: Final = "report"


@dataclass(frozen=True, slots=True)
class Happening:
    """One thing another system says. line: of its file, from 1. at: aware, UTC.

    what: one of WORDS. element: the step (or end event) of our process it stands for. instance:
    which activation, where the log tells them apart. person, unit: names as they came. due: the
    limit told with it. said: answers of the step's form; of a rating `answer`.
    """

    line: int
    at: datetime
    what: str
    element: str = ""
    instance: str = ""
    person: str = ""
    unit: str = ""
    due: datetime | None = None
    said: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ForeignCase:
    """One case; happenings in the order of their instants, at least one.

    areas: (kind of unit or "", name) of its place, from the smallest up. category, level: in our
    words where the map has them. number: by which other cases name it. source: who reported it,
    `resident` or otherwise; "" where the map does not say.
    """

    id: str
    number: str
    process: str
    areas: tuple[tuple[str, str], ...]
    address: str
    title: str
    category: str
    level: str
    source: str
    happenings: tuple[Happening, ...]

    @property
    def path(self) -> tuple[str, ...]:
        """The names of its areas; one without a name where nothing is told."""
        return tuple(name for _, name in self.areas) or ("",)
