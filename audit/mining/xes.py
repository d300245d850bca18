"""Traces as XES (IEEE 1849-2016, XML serialisation), written as they come."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import IO, Final
from xml.sax.saxutils import quoteattr

from audit.encoding import timestamp
from audit.mining.events import MiningEvent, Trace

# name, prefix, URI: as the standard's own extensions are registered.
_EXTENSIONS: Final = (
    ("Concept", "concept", "http://www.xes-standard.org/concept.xesext"),
    ("Lifecycle", "lifecycle", "http://www.xes-standard.org/lifecycle.xesext"),
    ("Time", "time", "http://www.xes-standard.org/time.xesext"),
    ("Organizational", "org", "http://www.xes-standard.org/org.xesext"),
)
_CLASSIFIERS: Final = (
    ("Activity", "concept:name"),
    ("Activity and transition", "concept:name lifecycle:transition"),
    ("Element", "element"),
)
_EPOCH: Final = "1970-01-01T00:00:00.000Z"
_HEAD: Final = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<log xes.version="1849-2016" xes.features="" xmlns="http://www.xes-standard.org/">\n'
)
# What every trace and every event has, with the value a reader takes where it is missing.
_GLOBALS: Final = (
    '<global scope="trace">\n<string key="concept:name" value="UNKNOWN"/>\n</global>\n'
    '<global scope="event">\n<string key="concept:name" value="UNKNOWN"/>\n'
    '<string key="lifecycle:transition" value="complete"/>\n'
    f'<date key="time:timestamp" value="{_EPOCH}"/>\n'
    '<string key="element" value="UNKNOWN"/>\n</global>\n'
)
Value = str | int | bool | datetime | None


def write_xes(traces: Iterable[Trace], out: IO[str]) -> tuple[int, int]:
    """Write the traces as one XES log; returns how many traces and events there were."""
    cases = events = 0
    out.write(_HEAD)
    out.writelines(_declarations())
    for one in traces:
        out.writelines(_trace(one))
        cases, events = cases + 1, events + len(one.events)
    out.write("</log>\n")
    return cases, events


def _declarations() -> Iterator[str]:
    for name, prefix, uri in _EXTENSIONS:
        yield f'<extension name="{name}" prefix="{prefix}" uri="{uri}"/>\n'
    yield _GLOBALS
    for name, keys in _CLASSIFIERS:
        yield f'<classifier name="{name}" keys="{keys}"/>\n'
    yield '<string key="lifecycle:model" value="standard"/>\n'


def _trace(one: Trace) -> Iterator[str]:
    yield "<trace>\n"
    yield from _attributes({
        "concept:name": one.case, "process": one.process, "definition_version": one.version,
        "definition_sha256": one.sha256, "category": one.category, "level": one.level,
        "place": one.place, "end": one.end, "ended": one.ended, "imported": one.imported,
        "parent": one.parent, "log": one.log,
    })  # fmt: skip
    for event in one.events:
        yield "<event>\n"
        yield from _attributes(attributes(event))
        yield "</event>\n"
    yield "</trace>\n"


def attributes(event: MiningEvent) -> dict[str, Value]:
    """The attributes of an event by their keys; None where it has nothing to say."""
    told: dict[str, Value] = {
        "concept:name": event.name, "concept:instance": event.task,
        "lifecycle:transition": event.transition, "time:timestamp": event.at,
        "org:resource": event.person, "org:role": event.capacity, "org:group": event.unit,
        "element": event.element, "name_en": event.name_en, "round": event.round,
        "on_behalf_of": event.on_behalf_of, "post": event.post, "seq": event.seq,
        "entry_hash": event.hash,
    }  # fmt: skip
    if event.measured:
        limit = event.measured
        told |= {"clock": limit.clock, "due": limit.due, "allowed": limit.allowed,
                 "used": limit.used, "late": limit.late}  # fmt: skip
    return told


def _attributes(told: dict[str, Value]) -> Iterator[str]:
    for key, value in told.items():
        if value is not None:
            kind, text = _typed(value)
            yield f'<{kind} key="{key}" value={quoteattr(_legal(text))}/>\n'


def _typed(value: Value) -> tuple[str, str]:
    if isinstance(value, bool):
        return "boolean", str(value).lower()
    if isinstance(value, int):
        return "int", str(value)
    if isinstance(value, datetime):
        return "date", timestamp(value)
    return "string", str(value)


def _legal(text: str) -> str:
    """Without the characters that XML 1.0 §2.2 cannot carry at all."""
    return "".join(one if one >= " " or one in "\t\n\r" else "\ufffd" for one in text)
