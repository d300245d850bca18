"""Narrowing a list of steps: by process, level, place and how the clock stands, with counts.

Links alone, so that a narrowed list can be kept, sent and opened without a script.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from flask import url_for

from engine.directory import Directory
from engine.inbox import InboxRow
from web.clock import ClockView
from web.texts import either, later, say
from web.wording import LEVELS, PROCESSES

NAMES: Final[Mapping[str, str]] = {
    "process": later("哪一类"),
    "level": later("等级"),
    "place": later("地方"),
    "state": later("时限"),
}
STATES: Final[Mapping[str, str]] = {
    "late": later("已逾期"),
    "near": later("快到时限"),
    "ok": later("在时限内"),
    "paused": later("已暂停"),
}


@dataclass(frozen=True, slots=True)
class Choice:
    """One link: what it shows, and how many."""

    address: str
    words: str
    count: int
    current: bool


@dataclass(frozen=True, slots=True)
class Facet:
    """One way to narrow the list; its first choice is all of it."""

    label: str
    choices: tuple[Choice, ...]


@dataclass(frozen=True, slots=True)
class Sorted:
    """A step with what it can be found by: name -> value, "" where it has none."""

    step: InboxRow
    values: Mapping[str, str]


def sort(
    steps: Sequence[InboxRow], views: Sequence[ClockView | None], people: Directory
) -> list[Sorted]:
    """These steps with what they can be found by, in their order."""
    return [
        Sorted(
            step,
            {
                "process": step.process,
                "level": step.level or "",
                "place": _community(people, step.unit),
                "state": view.state if view else "",
            },
        )
        for step, view in zip(steps, views, strict=True)
    ]


def narrow(found: Sequence[Sorted], asked: Mapping[str, str]) -> list[Sorted]:
    """Those that are all that is asked; "" asks for nothing."""
    wanted = {name: value for name, value in asked.items() if name in NAMES and value}
    return [
        one for one in found if all(one.values[name] == value for name, value in wanted.items())
    ]


def facets(
    found: Sequence[Sorted], asked: Mapping[str, str], endpoint: str, people: Directory
) -> list[Facet]:
    """The ways to narrow this list further, or less; none where it would make no difference."""
    kept = {name: value for name, value in asked.items() if name in NAMES and value}
    return [
        facet
        for name in NAMES
        if (facet := _facet(name, found, kept, endpoint, people)) is not None
    ]


def _facet(
    name: str,
    found: Sequence[Sorted],
    asked: Mapping[str, str],
    endpoint: str,
    people: Directory,
) -> Facet | None:
    others = {other: value for other, value in asked.items() if other != name}
    among = narrow(found, others)
    counted = Counter(one.values[name] for one in among)
    if len(counted) < 2 and name not in asked:
        return None
    values = [value for value in _order(name, counted) if value]
    choices = [
        Choice(
            url_for(endpoint, **{**others, name: value}),  # type: ignore[arg-type]
            _words(name, value, people),
            counted[value],
            asked.get(name) == value,
        )
        for value in values
    ]
    everything = url_for(endpoint, **others)  # type: ignore[arg-type]
    first = Choice(everything, say("全部"), len(among), name not in asked)
    return Facet(say(NAMES[name]), (first, *choices))


def _order(name: str, counted: Counter[str]) -> list[str]:
    known = {"level": LEVELS, "state": STATES}.get(name)
    if known is None:
        return sorted(counted)
    return [value for value in known if value in counted] + sorted(set(counted) - set(known))


def _words(name: str, value: str, people: Directory) -> str:
    if name == "place":
        return people.unit(value).name
    if name == "state":
        return say(STATES[value])
    known = LEVELS if name == "level" else PROCESSES
    return either(*known[value]) if value in known else value


def _community(people: Directory, unit: str) -> str:
    path = people.path(unit)
    return next((one for one in path if people.unit(one).kind == "community"), path[-1])
