"""A case as process mining sees it: one row for each thing that happened to a step.

Computed from the entries alone, so it works on an exported log as on the database. No answer of a
form, no title, address or reason is among it: they are words of people.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

from audit.encoding import instant
from audit.entries import Entry
from audit.reports.facts import ElementFacts

REPORT: Final = "report"
# The standard transactional life-cycle of XES has these words among others.
Transition = Literal[
    "schedule", "assign", "reassign", "start", "suspend", "resume", "complete", "withdraw",
    "ate_abort",
]  # fmt: skip
_ACTS: Final[Mapping[str, Transition]] = {
    "task.claimed": "start",
    "task.released": "schedule",
    "task.reassigned": "reassign",
    "task.delegated": "reassign",
    "pause.granted": "suspend",
    "clock.resumed": "resume",
}


@dataclass(frozen=True, slots=True)
class Measured:
    """Of a step that ended with a limit: minutes of its clock; late = beyond the limit."""

    clock: str
    allowed: int
    used: int
    late: int
    due: datetime


@dataclass(frozen=True, slots=True)
class MiningEvent:
    """One thing that happened to one activation of an element; seq and hash lead to the log.

    person: pseudonymous id of who did it or was given it; None = nobody in particular yet. unit:
    whose the step then was: of the doer, else the first it was opened for. at: aware, UTC.
    """

    seq: int
    hash: str
    at: datetime
    element: str
    round: int
    name: str
    name_en: str
    transition: Transition
    person: str | None = None
    on_behalf_of: str | None = None
    post: str | None = None
    unit: str | None = None
    capacity: str | None = None
    measured: Measured | None = None
    evidence: tuple[str, ...] = ()

    @property
    def task(self) -> str:
        """The key of the activation."""
        return f"{self.element}#{self.round}"


@dataclass(frozen=True, slots=True)
class Trace:
    """One case: what it is, and its events in the order of the log.

    place: unit id; level: as last decided, or None; end, ended: the end event that ended it and
    when, or None while it runs; imported: its history was told by another system, not done here.
    parent: the case that opened it, or None.
    """

    log: str
    case: str
    process: str
    version: int | None
    sha256: str
    category: str
    level: str | None
    place: str
    opened: datetime
    end: str | None
    ended: datetime | None
    imported: bool
    parent: str | None
    events: tuple[MiningEvent, ...]


def trace_of(entries: Sequence[Entry], elements: Mapping[str, ElementFacts]) -> Trace:
    """Fold the entries of one case, in order from its case.opened, into its trace.

    elements: words of the pinned definition by element id, `report` for the opening; an element
    that is missing keeps its id as name. Raises ValueError for entries that begin otherwise.
    """
    if not entries or entries[0].type != "case.opened":
        raise ValueError("the entries of a case begin with case.opened")
    fold = _Fold(elements, entries)
    events = tuple(event for entry in entries for event in fold.take(entry))
    data = entries[0].data
    return Trace(
        entries[0].log, entries[0].stream, data["process"], data["definition"].get("version"),
        data["definition"]["sha256"], data["category"], fold.level, data["place"]["unit"],
        entries[0].at, fold.end, fold.ended, "imported" in data, data.get("origin", {}).get("case"),
        events,
    )  # fmt: skip


@dataclass(slots=True)
class _Fold:
    elements: Mapping[str, ElementFacts]
    entries: Sequence[Entry]
    opened: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    level: str | None = None
    end: str | None = None
    ended: datetime | None = None

    def take(self, entry: Entry) -> Iterator[MiningEvent]:
        if entry.type == "case.opened":
            yield self._by_actor(entry, entry, f"{REPORT}#1", "complete")
        elif entry.type == "case.advanced":
            yield from self._moved(entry)
        elif entry.type in _ACTS:
            yield self._handed(entry)

    def _moved(self, entry: Entry) -> Iterator[MiningEvent]:
        for rule in entry.data.get("rules", ()):
            self.level = rule["outputs"].get("level", self.level)
        for row in entry.data.get("closed", ()):
            yield self._closed(row, entry)
        for row in entry.data.get("opened", ()):
            yield from self._opened(row, entry)
        # What another case or a clock brought back runs on: an end is the last word only.
        self.end = entry.data.get("ended")
        self.ended = entry.at if self.end else None

    def _opened(self, row: Mapping[str, Any], entry: Entry) -> Iterator[MiningEvent]:
        self.opened[row["task"]] = row
        yield self._of_step(entry, row["task"], "schedule")
        if "holder" in row:
            yield self._of_step(entry, row["task"], "assign", row["holder"])

    def _closed(self, row: Mapping[str, Any], entry: Entry) -> MiningEvent:
        cause = self.entries[(entry.cause or 1) - 1]
        measured = _measured(row)
        if cause.data.get("task") != row["task"]:
            return self._of_step(entry, row["task"], "ate_abort", measured=measured)
        if row["how"] == "completed":
            self.level = cause.data.get("form", {}).get("level", self.level)
            return self._by_actor(cause, cause, row["task"], "complete", measured)
        how: Transition = "withdraw" if cause.type == "task.withdrawn" else "ate_abort"
        return self._by_actor(cause, entry, row["task"], how, measured)

    def _handed(self, entry: Entry) -> MiningEvent:
        task, how = entry.data["task"], _ACTS[entry.type]
        if how == "reassign":
            return self._of_step(entry, task, how, entry.data["to"])
        if how == "schedule" or "person" not in entry.actor:
            return self._of_step(entry, task, how)
        return self._by_actor(entry, entry, task, how)

    def _of_step(
        self, entry: Entry, task: str, how: Transition, person: str | None = None,
        measured: Measured | None = None,
    ) -> MiningEvent:  # fmt: skip
        row = self.opened[task]
        unit = next(iter(row["units"]), None)
        return self._event(
            entry, task, how, person=person, unit=unit, capacity=row["capacity"], measured=measured
        )

    def _by_actor(
        self, act: Entry, entry: Entry, task: str, how: Transition, measured: Measured | None = None
    ) -> MiningEvent:
        # Whose act it is, whoever typed it.
        doer = act.actor.get("informant", act.actor)
        behalf = None if doer is not act.actor else act.actor.get("on_behalf_of")
        return self._event(
            entry, task, how, person=doer.get("person"), post=doer.get("post"),
            unit=doer.get("unit"), capacity=act.actor.get("capacity"), on_behalf_of=behalf,
            measured=measured, evidence=tuple(one["sha256"] for one in act.evidence),
        )  # fmt: skip

    def _event(self, entry: Entry, task: str, how: Transition, **more: Any) -> MiningEvent:
        element, _, number = task.partition("#")
        words = self.elements.get(element)
        name, english = (words.name, words.name_en) if words else ("", "")
        return MiningEvent(
            entry.seq, entry.hash.hex(), entry.at, element, int(number), name or element,
            english or element, how, **more,
        )  # fmt: skip


def _measured(row: Mapping[str, Any]) -> Measured | None:
    if "used" not in row or "due" not in row:
        return None
    return Measured(row["clock"], row["allowed"], row["used"], row["late"], instant(row["due"]))
