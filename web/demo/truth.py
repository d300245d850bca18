"""What was planted in the demonstration year: for tests and docs/demo.md; no page ever reads it.

Names B1 to B17 are the detectors of the design's process reference; `decoy …` is honest work that
looks like the behaviour named.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from audit import log
from audit.entries import Entry
from web.demo.arcs import PARTNER, RECYCLER
from web.demo.incidental import incidental
from web.demo.plan import all_stories
from web.demo.planted import planted_beside
from web.demo.story import Story, case_ids
from web.demo.town import Size, town


@dataclass(frozen=True, slots=True)
class Planted:
    """One planted behaviour: the case and the event that shows it. story: as docs/demo.md says."""

    behaviour: str
    story: str
    case: str
    seq: int


@dataclass(frozen=True, slots=True)
class _Mark:
    """An event to be found in the log: its type, its step if it has one, and which of several.

    acted: a person has to have done it. only_with: words of a later entry without which it has not
    come about yet.
    """

    behaviour: str
    type: str
    task: str = ""
    nth: int = 0
    acted: bool = False
    only_with: str = ""


def planted(conn: Connection, size: Size) -> tuple[Planted, ...]:
    """What was planted in a street built with this size: hazards in their order, then the others.

    A behaviour that never came about (a case that ended before its late step) is left out.
    """
    stories = all_stories(town(size), size)
    ids = case_ids(stories)
    found = [row for story in stories for row in _found(conn, story, ids[story.key])]
    return (*found, *(Planted(*row) for row in planted_beside(conn, size)))


def truth(conn: Connection, size: Size) -> list[dict[str, Any]]:
    """What detectors should find in a street built with this size: {rule, case, seq} each.

    What was planted, and what came about beside it by the same rules: a street whose people have
    too much to do is late also where nobody meant it. Read off the entries one by one, without any
    of the code that the product finds it with.
    """
    told = {
        (row.behaviour.removesuffix(" disguised"), row.case, row.seq)
        for row in planted(conn, size)
        if not row.behaviour.startswith("decoy")
    }
    told |= set(incidental(conn))
    return [{"rule": rule, "case": case, "seq": seq} for rule, case, seq in sorted(told)]


def told_cases(size: Size) -> dict[str, str]:
    """Key of each story told in docs/demo.md (`shed|1`, `monthend|3` …) -> id of its case."""
    ids = case_ids(all_stories(town(size), size))
    return {key: case for key, case in ids.items() if not key.startswith(("ordinary|", "open|"))}


def _found(conn: Connection, story: Story, case: str) -> Iterator[Planted]:
    marks = tuple(_marks(story))
    entries = log.read(conn, case) if marks else []
    for mark in marks:
        fitting = [entry for entry in entries if _fits(entry, mark)]
        if len(fitting) > mark.nth and _came_about(entries, mark, fitting[mark.nth].seq):
            yield Planted(mark.behaviour, story.key, case, fitting[mark.nth].seq)


def _came_about(entries: list[Entry], mark: _Mark, seq: int) -> bool:
    later = (entry for entry in entries if entry.seq > seq)
    return not mark.only_with or any(_says(entry, mark.only_with) for entry in later)


def _says(entry: Entry, words: str) -> bool:
    form = entry.data.get("form", {})
    return words in (entry.type, *(form.get(name) for name in ("ruling", "result", "decision")))


def _fits(entry: Entry, mark: _Mark) -> bool:
    acted = not mark.acted or "person" in entry.actor
    return entry.type == mark.type and acted and mark.task in ("", entry.data.get("task"))


def _marks(story: Story) -> Iterator[_Mark]:
    for element, pace in story.paces.items():
        if pace > 1000 and not (element == "rectify" and story.extension):
            yield _Mark("B1", "overdue.opened", f"{element}#1")
    yield from _marks_of_time(story)
    yield from _marks_of_acceptance(story)
    if story.disputes_verdict:
        yield _Mark("B7", "task.completed", "second_look#1", only_with="override")
    if story.key == "shed|2":
        yield _Mark("B7", "task.completed", "second_look#1")
    if story.override == "general":
        yield _Mark("B8", "task.completed", "second_look#1")
    if story.key == "shed|3":
        yield _Mark("B11", "task.completed", "confirm#1")


def _marks_of_time(story: Story) -> Iterator[_Mark]:
    if story.objection == "rejected":
        yield _Mark("B2", "objection.raised", only_with="rejected")
    if story.passed_on >= 3:
        yield _Mark("B2", "task.delegated", nth=2)
    if story.extension in ("granted", "twice"):
        yield _Mark("B1 disguised", "extension.granted")
    if story.extension == "twice":
        yield _Mark("B9", "extension.granted", nth=1)
    if story.pause == "self":
        # One that ran out on its date before they came back to it was nobody's.
        yield _Mark("B10", "clock.resumed", acted=True)
    if story.backdated:
        yield _Mark("B6", "task.completed", "rectify#1")


def _marks_of_acceptance(story: Story) -> Iterator[_Mark]:
    kind = story.key.partition("|")[0]
    if story.disputes_result == "fail":
        yield _Mark("B3", "task.completed", "close#1", only_with="fail")
    if story.reopened:
        yield _Mark("B3", "task.completed", "close#1", only_with="case.reopened")
    if story.acceptor in (f"engineer {PARTNER}", f"engineer {RECYCLER}"):
        yield _Mark("B4", "task.completed", "accept#1")
    if story.recycled or story.retouched:
        behaviour = "decoy B5" if kind == "wall" else "B5"
        yield _Mark(behaviour, "task.completed", "rectify#1")
    if kind == "monthend":
        yield _Mark("B16", "task.completed", "accept#1")
        yield _Mark("B17", "task.completed", "close#1")
    if kind == "storm":
        yield _Mark("decoy B17", "task.completed", "close#1")
