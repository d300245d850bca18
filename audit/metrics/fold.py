"""One case, folded once into what the metrics need of it. Pure."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from audit.encoding import instant
from audit.entries import Entry
from audit.metrics.facts import Act, CaseFacts, Passed, Setting, Since, Step
from audit.metrics.formulas import NO_ROLES, Formulas, Roles
from audit.publication import changes

TURNS: Final = ("task.returned", "task.withdrawn", "objection.raised")
# Types of entries that are kept as they are dated, and the field that holds their one word.
_ACTS: Final[Mapping[str, str]] = {
    "objection.raised": "", "pause.granted": "", "clock.resumed": "", "extension.granted": "",
    "standing.listed": "", "case.supervised": "", "supervision.answered": "", "case.reopened": "",
    "result.rated": "answer", "signal.confirmed": "rule", "message.sent": "message",
}  # fmt: skip


def case_facts(entries: Iterable[Entry], formulas: Formulas) -> CaseFacts:
    """Fold the entries of one case, in order from its case.opened; ValueError for others."""
    fold = Fold(formulas)
    for entry in entries:
        fold.take(entry)
    return fold.facts()


@dataclass(slots=True)
class Fold:
    """One case while its entries go by, each given to `take`; `facts` tells what they come to."""

    formulas: Formulas
    first: Entry | None = None
    roles: Roles = NO_ROLES
    # Type and step of each entry so far, and of a confidential case the entries themselves.
    types: list[str] = field(default_factory=list)
    tasks: list[Any] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    steps: dict[str, Step] = field(default_factory=dict)
    settings: dict[str, list[Setting]] = field(default_factory=dict)
    units: dict[int, str] = field(default_factory=dict)
    forms: dict[int, Mapping[str, Any]] = field(default_factory=dict)
    categories: list[Since] = field(default_factory=list)
    levels: list[Since] = field(default_factory=list)
    acts: list[Act] = field(default_factory=list)
    passed: list[Passed] = field(default_factory=list)

    def take(self, entry: Entry) -> None:
        """Take the next entry; raises ValueError if the first is no case.opened."""
        if self.first is None:
            self._begin(entry)
        if self.roles.confidential:
            self.entries.append(entry)
        self.types.append(entry.type)
        self.tasks.append(entry.data.get("task"))
        handler = _HANDLERS.get(entry.type)
        if handler is not None:
            handler(self, entry)
        word = _ACTS.get(entry.type)
        if word is not None:
            self._dated(entry, word)

    def _begin(self, entry: Entry) -> None:
        if entry.type != "case.opened":
            raise ValueError("the entries of a case begin with case.opened")
        self.first, self.roles = entry, self.formulas.of(entry.data["process"])
        self.categories.append(Since(entry.at, entry.data["category"]))

    def moved(self, entry: Entry) -> None:
        data = entry.data
        for row in data.get("closed", ()):
            self._close(row, entry)
        for row in data.get("opened", ()):
            self._open(row, entry)
        for rule in data.get("rules", ()):
            self._graded(rule["outputs"], entry.at)
        ends = (*data["path"], *data.get("ends", ()), *filter(None, [data.get("ended")]))
        for element in dict.fromkeys(ends):
            if element in self.roles.marks:
                self.passed.append(Passed(entry.at, element, entry.seq))

    def _open(self, row: Mapping[str, Any], entry: Entry) -> None:
        self.steps[row["task"]] = Step(
            row["task"], row["element"], entry.at, entry.seq, tuple(row["units"]), ()
        )

    def _close(self, row: Mapping[str, Any], entry: Entry) -> None:
        task, cause = row["task"], entry.cause or 0
        how = row["how"]
        turned = self.types[cause - 1] if cause else ""
        if how != "completed" and turned in TURNS and self._of(cause) == task:
            how = turned
        self.steps[task] = replace(
            self.steps[task],
            closed=entry.at,
            closed_seq=cause,
            how=how,
            unit="" if how == "cancelled" else self.units.get(cause, ""),
            answers=self.forms.get(cause),
        )

    def _of(self, seq: int) -> str | None:
        found = self.tasks[seq - 1]
        return None if found is None else str(found)

    def did(self, entry: Entry) -> None:
        self.units[entry.seq] = unit_of(entry)

    def completed(self, entry: Entry) -> None:
        form = entry.data["form"]
        kept = {name: form[name] for name in self.roles.answers if name in form}
        self.did(entry)
        self.forms[entry.seq] = kept
        element = entry.data["task"].partition("#")[0]
        if element in self.roles["classify"] and type(form.get("category")) is str:
            self.categories.append(Since(entry.at, form["category"]))
        self._graded(form, entry.at)

    def _graded(self, told: Mapping[str, Any], at: datetime) -> None:
        level = told.get("level")
        if type(level) is str and level:
            self.levels.append(Since(at, level))

    def revealed(self, entry: Entry) -> None:
        """What was sealed at a step counts from when it was opened, not when it was written."""
        task, result = entry.data["task"], entry.data["form"].get("result")
        if task.partition("#")[0] in self.roles["evaluate"] and type(result) is str:
            self.acts.append(Act(entry.seq, entry.at, entry.type, task, result))

    def set(self, entry: Entry) -> None:
        data, why = entry.data, self.types[(entry.cause or 1) - 1]
        told = Setting(entry.at, instant(data["due"]), why, entry.seq)
        self.settings.setdefault(data["task"], []).append(told)

    def _dated(self, entry: Entry, word: str) -> None:
        data = entry.data
        of = data.get("order") or data.get("entry") or 0
        said = str(data[word]) if word else ""
        self.acts.append(Act(entry.seq, entry.at, entry.type, data.get("task", ""), said, of))

    def facts(self) -> CaseFacts:
        """What the entries so far come to; raises ValueError if there was none."""
        first = self.first
        if first is None:
            raise ValueError("a case has entries")
        data = first.data
        place, form = data["place"], data["form"]
        linked = form.get("linked")
        return CaseFacts(
            case=first.stream,
            number=data["number"],
            process=data["process"],
            path=tuple(place.get("path", (place["unit"],))),
            address=place.get("address", ""),
            opened=first.at,
            opener=unit_of(first),
            source=data["source"],
            told_by=data.get("spoken_by", ""),
            parent=data.get("origin", {}).get("case", ""),
            party=data.get("party", ""),
            imported="imported" in data,
            class_=str(form.get(self.roles.class_, "")) if self.roles.class_ else "",
            linked=linked if type(linked) is str else "",
            categories=tuple(self.categories),
            levels=tuple(self.levels),
            steps=tuple(self._with_limits()),
            acts=tuple(self.acts),
            passed=tuple(self.passed),
            counted=tuple(changes(self.entries)),
        )

    def _with_limits(self) -> Iterable[Step]:
        for task, step in self.steps.items():
            told = self.settings.get(task)
            yield replace(step, settings=tuple(told)) if told else step


def unit_of(entry: Entry) -> str:
    """The unit whose act an entry is: of the colleague who said it, else of the doer."""
    who = entry.actor.get("informant") or entry.actor
    return str(who.get("unit", ""))


_HANDLERS: Final[Mapping[str, Callable[[Fold, Entry], None]]] = {
    "case.advanced": Fold.moved,
    "task.completed": Fold.completed,
    "objection.raised": Fold.did,
    "task.returned": Fold.did,
    "task.withdrawn": Fold.did,
    "deadline.set": Fold.set,
    "answers.revealed": Fold.revealed,
}
