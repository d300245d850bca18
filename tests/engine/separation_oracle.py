"""Who did what in spite of whom: judged from the log alone, by other code than the engine's.

It knows the drawings (`separateFrom`, `separateUnitFrom`, `exclude`) and the recorded forms; it
asks neither the engine's state nor its register of people.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from audit.entries import Entry
from engine.definitions import OPENING_FORM, Definition
from engine.forms import Form


@dataclass
class Judge:
    """One case read from its first entry on; `units` = parent of each unit, from @units."""

    definition: Definition
    units: dict[str, str | None]
    variables: dict[str, dict[str, Any]] = field(default_factory=dict)
    doers: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def violations(self, entries: Sequence[Entry]) -> Iterator[str]:
        """A sentence for each act by somebody the drawing keeps from it."""
        for entry in entries:
            if "person" in entry.actor and entry.seq > 1:
                yield from self._excluded(entry)
            if entry.type in ("task.completed", "task.claimed"):
                yield from self._not_separated(entry)
            self._remember(entry)

    def _not_separated(self, entry: Entry) -> Iterator[str]:
        element = entry.data["task"].partition("#")[0]
        drawn = self.definition.tasks[element]
        who = _persons(entry.actor)
        named = drawn.separate_from.evaluate(self.variables) if drawn.separate_from else ()
        for other in named or ():
            if any(who & _persons(done) for done in self.doers.get(other, ())):
                yield f"{entry.stream} #{entry.seq}: {element} by somebody who did {other}"
        apart = drawn.separate_unit_from
        for other in (apart.evaluate(self.variables) if apart else ()) or ():
            units = {done.get("unit") for done in self.doers.get(other, ())}
            if entry.actor.get("unit") in units - {None}:
                yield f"{entry.stream} #{entry.seq}: {element} by the unit that did {other}"

    def _excluded(self, entry: Entry) -> Iterator[str]:
        out: set[str] = set()
        for expression in self.definition.excluded:
            value = expression.evaluate(self.variables)
            out |= set(value) if isinstance(value, list) else {value} if value else set()
        above = set(self._chain(entry.actor.get("unit")))
        if out & (_persons(entry.actor) | above):
            yield f"{entry.stream} #{entry.seq}: {entry.type} by somebody the case is about"

    def _chain(self, unit: str | None) -> Iterator[str]:
        while unit is not None:
            yield unit
            unit = self.units.get(unit)

    def _remember(self, entry: Entry) -> None:
        data = entry.data
        if entry.type == "case.opened":
            form = _routing(self.definition.forms[OPENING_FORM], data["form"])
            place = data["place"]
            told = {"party": data.get("party"), "place": place["unit"], "street": place["path"][-1],
                    "source": data["source"], "category": data["category"]}  # fmt: skip
            self.variables["case"] = form | told
            self._did("report", entry)
        elif entry.type == "task.completed":
            element = data["task"].partition("#")[0]
            form = self.definition.forms[self.definition.tasks[element].form]
            by = {"by": entry.actor.get("informant", entry.actor)["person"]}
            self.variables[element] = _routing(form, data["form"]) | by
            self._did(element, entry)
        elif entry.type == "case.advanced":
            for rule in data.get("rules", ()):
                self.variables[rule["rule"]] = rule["outputs"]
        else:
            self._hear(entry)

    def _hear(self, entry: Entry) -> None:
        key = str(entry.data.get("key") or entry.data.get("message") or "")
        message = self.definition.messages.get(key.partition("#")[0])
        if message is not None and "#" in key:
            form = self.definition.forms[message.form] if message.form else None
            told = _routing(form, entry.data.get("form", {})) if form else {}
            self.variables[message.id] = told | {"by": entry.actor.get("person")}

    def _did(self, element: str, entry: Entry) -> None:
        if "person" in entry.actor:
            said = entry.actor.get("informant")
            self.doers.setdefault(element, []).extend([entry.actor, *([said] if said else [])])


def _persons(actor: dict[str, Any]) -> set[str]:
    if "person" not in actor:
        return set()
    said = actor.get("informant", {}).get("person")
    return {actor["person"], actor.get("on_behalf_of"), said} - {None}


def _routing(form: Form, values: dict[str, Any]) -> dict[str, Any]:
    return {one.name: values[one.name] for one in form.fields if one.routing and one.name in values}
