"""Traces as OCEL 2.0 (JSON): events that belong to cases, persons, units and files at once.

Events are written as they come; of objects only names and kinds are kept until the end.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import IO, Any, Final

from audit.encoding import canonical, timestamp
from audit.mining.events import REPORT, MiningEvent, Trace
from audit.mining.xes import attributes

_EVENT: Final = {
    "element": "string", "instance": "string", "name": "string", "name_en": "string",
    "transition": "string", "role": "string", "post": "string", "round": "integer",
    "on_behalf_of": "string", "seq": "integer", "entry_hash": "string", "clock": "string",
    "due": "time", "allowed": "integer", "used": "integer", "late": "integer",
}  # fmt: skip
_CASE: Final = {
    "process": "string", "definition_version": "integer", "definition_sha256": "string",
    "category": "string", "level": "string", "end": "string", "ended": "time",
    "imported": "boolean",
}  # fmt: skip
_OBJECTS: Final[dict[str, dict[str, str]]] = {
    "case": _CASE, "person": {}, "unit": {}, "place": {}, "evidence": {},
}  # fmt: skip
# In OCEL these are relationships, or the event's own fields.
_ELSEWHERE: Final = {"org:resource", "org:group", "time:timestamp"}
_RENAMED: Final = {
    "concept:name": "name", "concept:instance": "instance", "org:role": "role",
    "lifecycle:transition": "transition",
}  # fmt: skip


@dataclass(slots=True)
class _Seen:
    """What is told when all events are written."""

    activities: set[str] = field(default_factory=set)
    cases: dict[str, dict[str, Any]] = field(default_factory=dict)
    others: dict[str, str] = field(default_factory=dict)

    def other(self, kind: str, id_: str, qualifier: str) -> dict[str, str]:
        name = f"{kind}:{id_}"
        self.others[name] = kind
        return {"objectId": name, "qualifier": qualifier}


def write_ocel(traces: Iterable[Trace], out: IO[str]) -> tuple[int, int]:
    """Write the traces as one OCEL 2.0 JSON object; returns how many cases and events."""
    seen, events = _Seen(), 0
    out.write('{"events":[')
    for one in traces:
        seen.cases[one.case] = _case(one, seen)
        for n, event in enumerate(one.events):
            out.write(("," if events else "") + "\n" + _json(_event(one, n, event, seen)))
            events += 1
    out.write('\n],"objects":[')
    for n, told in enumerate(_objects(seen)):
        out.write(("," if n else "") + "\n" + _json(told))
    out.write('\n],"eventTypes":')
    out.write(_json([_type(name, _EVENT) for name in sorted(seen.activities)]))
    out.write(',"objectTypes":')
    out.write(_json([_type(name, fields) for name, fields in _OBJECTS.items()]) + "}\n")
    return len(seen.cases), events


def _json(value: Any) -> str:
    return canonical(value).decode()


def _type(name: str, fields: dict[str, str]) -> dict[str, Any]:
    told = [{"name": one, "type": kind} for one, kind in fields.items()]
    return {"name": name, "attributes": told}


def _case(one: Trace, seen: _Seen) -> dict[str, Any]:
    told = {
        "process": one.process, "definition_version": one.version,
        "definition_sha256": one.sha256, "category": one.category, "level": one.level,
        "end": one.end, "ended": one.ended, "imported": one.imported,
    }  # fmt: skip
    fixed = [
        {"name": key, "time": timestamp(one.opened), "value": _plain(value)}
        for key, value in told.items() if value is not None
    ]  # fmt: skip
    relationships = [seen.other("place", one.place, "place")]
    if one.parent:
        relationships.append({"objectId": one.parent, "qualifier": "parent"})
    return {"id": one.case, "type": "case", "attributes": fixed, "relationships": relationships}


def _event(one: Trace, n: int, event: MiningEvent, seen: _Seen) -> dict[str, Any]:
    # What the process calls a step may be the same word in two processes and mean two steps.
    type_ = f"{one.process}:{event.element}:{event.transition}"
    seen.activities.add(type_)
    fields = [
        {"name": _RENAMED.get(key, key), "value": _plain(value)}
        for key, value in attributes(event).items()
        if value is not None and key not in _ELSEWHERE
    ]
    return {
        "id": f"{one.case}#{n + 1}", "type": type_, "time": timestamp(event.at),
        "attributes": fields, "relationships": list(_related(one, event, seen)),
    }  # fmt: skip


def _related(one: Trace, event: MiningEvent, seen: _Seen) -> Iterator[dict[str, str]]:
    yield {"objectId": one.case, "qualifier": "case"}
    if event.element == REPORT:
        yield seen.other("place", one.place, "place")
    if event.person:
        yield seen.other("person", event.person, "resource")
    if event.on_behalf_of:
        yield seen.other("person", event.on_behalf_of, "on behalf of")
    if event.unit:
        yield seen.other("unit", event.unit, "group")
    for sha256 in dict.fromkeys(event.evidence):
        yield seen.other("evidence", sha256, "evidence")


def _objects(seen: _Seen) -> Iterator[dict[str, Any]]:
    for told in seen.cases.values():
        # A parent outside the selection is no object of this file.
        inside = [
            one for one in told["relationships"]
            if one["objectId"] in seen.cases or one["objectId"] in seen.others
        ]  # fmt: skip
        yield told | {"relationships": inside}
    for name, kind in sorted(seen.others.items()):
        yield {"id": name, "type": kind, "attributes": [], "relationships": []}


def _plain(value: Any) -> Any:
    return timestamp(value) if isinstance(value, datetime) else value
