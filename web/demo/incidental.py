"""What came about in the demonstration year beside what was planted, by the same rules.

For the truth that detectors are measured against: a plain reading of the entries, on purpose
without the code that the product finds things with.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from audit import log
from audit.entries import Entry
from web.demo.arcs import PARTNER, RECYCLER
from web.demo.town import MUTUAL, ZONE

Row = tuple[str, str, int]
AGAIN = timedelta(days=45)
# A hazard said to be gone, or to be none, comes again at the same door under the same words.
SOON = {"B3": timedelta(days=30), "B7": timedelta(days=90)}


def incidental(conn: Connection) -> Iterator[Row]:
    """(rule, case, number of the entry) for everything late, escalated, refuted or merged."""
    cases = {name: log.read(conn, name) for name in log.streams(conn) if not name.startswith("@")}
    for case, entries in cases.items():
        yield from ((rule, case, seq) for rule, seq in _alone(entries))
    yield from _merged(cases)
    yield from _come_again(cases)
    yield from _in_one_second(cases)
    yield from _blown(cases)


def _come_again(cases: Mapping[str, Sequence[Entry]]) -> Iterator[Row]:
    """Closed, or said to be none, and soon confirmed at the same door under the same words.

    The street draws its hazards from a short list: that happens by chance.
    """
    doors: dict[tuple[str, ...], list[str]] = {}
    for case, entries in cases.items():
        begun, place = entries[0].data, entries[0].data.get("place", {})
        if begun["process"] == "hazard" and place.get("address"):
            what = place["unit"], place["address"], str(begun.get("category")), begun["title"]
            doors.setdefault(what, []).append(case)
    for same in doors.values():
        for case in same if len(same) > 1 else ():
            others = [entry.at for one in same if one != case for entry in _confirmed(cases[one])]
            for rule, entry in _said_over(cases[case]):
                if any(entry.at < at <= entry.at + SOON[rule] for at in others):
                    yield rule, case, entry.seq


def _blown(cases: Mapping[str, Sequence[Entry]]) -> Iterator[Row]:
    """Whistles of one community: five in the last three days of a month; a third sent back."""
    opened = [(case, entries[0]) for case, entries in cases.items()
              if entries[0].data["process"] == "whistle"]  # fmt: skip
    for case, first in opened:
        day, whose = first.at.astimezone(ZONE), first.actor.get("unit")
        ours = [(name, other) for name, other in opened if other.actor.get("unit") == whose]
        near = [other.at.astimezone(ZONE) for _, other in ours]
        same_month = [at for at in near if (at.year, at.month) == (day.year, day.month)]
        if _last_three(day) and sum(map(_last_three, same_month)) >= 5:
            yield "B14", case, 1
        quarter = [name for name, other in ours if _quarter(other.at) == _quarter(first.at)]
        back = [name for name in quarter if _sent_back(cases[name])]
        if case in back and len(quarter) >= 5 and len(back) / len(quarter) >= 0.3:
            yield "B14", case, _sent_back(cases[case])[0]


def _last_three(day: datetime) -> bool:
    return (day + timedelta(days=3)).month != day.month


def _quarter(at: datetime) -> tuple[int, int]:
    day = at.astimezone(ZONE)
    return day.year, (day.month + 2) // 3


def _sent_back(entries: Sequence[Entry]) -> list[int]:
    return [entry.seq for entry in entries if entry.type == "task.returned"
            and str(entry.data["task"]).startswith("review#")]  # fmt: skip


def _in_one_second(cases: Mapping[str, Sequence[Entry]]) -> Iterator[Row]:
    """Photos for two doors, by one person's telephone, said to be taken in one second."""
    taken: dict[tuple[str, ...], set[tuple[str, str, int]]] = {}
    for case, entries in cases.items():
        door = str(entries[0].data.get("place", {}).get("address"))
        for entry in entries:
            for photo in (
                entry.evidence if _did(entry, "rectify#") or _did(entry, "accept#") else ()
            ):
                if photo.get("device") and photo.get("taken_at"):
                    mark = entry.actor["person"], photo["device"], photo["taken_at"]
                    taken.setdefault(mark, set()).add((door, case, entry.seq))
    for same in taken.values():
        if len({door for door, _, _ in same}) > 1:
            yield from (("B5", case, seq) for _, case, seq in same)


def _confirmed(entries: Sequence[Entry]) -> Iterator[Entry]:
    for entry in entries:
        looked = _did(entry, "confirm#") or _did(entry, "second_look#")
        if looked and _form(entry).get("verdict") == "hazard":
            yield entry


def _said_over(entries: Sequence[Entry]) -> Iterator[tuple[str, Entry]]:
    yield from (("B3", entry) for entry in entries if _did(entry, "close#"))
    looks = [one for one in entries if _did(one, "confirm#") or _did(one, "second_look#")]
    said = [_form(one).get("verdict") or _form(one).get("decision") for one in looks[-2:]]
    if said == ["not_hazard", "agree"]:
        yield "B7", looks[-1]


def _did(entry: Entry, step: str) -> bool:
    return entry.type == "task.completed" and str(entry.data.get("task", "")).startswith(step)


def _alone(entries: Sequence[Entry]) -> Iterator[tuple[str, int]]:
    steps = {one["task"] for entry in entries for one in entry.data.get("opened", ())}
    for entry in entries:
        task = str(entry.data.get("task", ""))
        if entry.type == "overdue.opened" and task in steps:
            yield "B1", entry.seq
        if entry.type == "deadline.escalated" and task.startswith("sign_in"):
            yield "B2", entry.seq
    yield from (("B4", seq) for seq in _for_each_other(entries))
    yield from (("B3", seq) for seq in _refuted(entries))
    if entries[0].data["process"] == "patrol":
        yield from (("B7", seq) for seq in _not_nil(entries))


def _not_nil(entries: Sequence[Entry]) -> Iterator[int]:
    """A nil report of which another community, looking again, changed a verdict."""
    nil = [one.seq for one in entries if _did(one, "walk#") and _form(one)["result"] == "nil"]
    if any(_did(one, "recheck#") and "changed" in _form(one) for one in entries):
        yield from nil[-1:]


def _for_each_other(entries: Sequence[Entry]) -> Iterator[int]:
    """What one of the two firms did, accepted in the group in which each lends the other posts."""
    did = ""
    for entry in entries:
        task = str(entry.data.get("task", ""))
        if entry.type == "task.completed" and task.startswith("rectify#"):
            did = entry.actor["unit"]
        passed = "accept#" in task and _form(entry).get("result") == "pass"
        if passed and did in (PARTNER, RECYCLER) and entry.actor["unit"] == MUTUAL:
            yield entry.seq


def _refuted(entries: Sequence[Entry]) -> Iterator[int]:
    """The last closing before each entry that shows within weeks that it did not hold."""
    closing: Entry | None = None
    for entry in entries:
        task, form = str(entry.data.get("task", "")), entry.data.get("form", {})
        if entry.type == "task.completed" and task.startswith("close#"):
            closing = entry
        failed = task.startswith("re_accept#") and form.get("result") == "fail"
        there = task.startswith("reinspect#") and form.get("result") == "present"
        if closing and (failed or there or entry.type == "case.reopened"):
            if entry.at - closing.at <= AGAIN:
                yield closing.seq
            closing = None


def _merged(cases: Mapping[str, Sequence[Entry]]) -> Iterator[Row]:
    """Called a duplicate of a case that was closed, and stayed so, when that was said."""
    numbers = {entries[0].data["number"]: case for case, entries in cases.items()}
    for case, entries in cases.items():
        for entry in entries:
            of = numbers.get(_form(entry).get("duplicate_of", ""))
            if of and entry.type == "task.completed" and _is_closed(cases[of], entry.at):
                yield "B11", case, entry.seq


def _is_closed(entries: Sequence[Entry], at: datetime) -> bool:
    shut = False
    for entry in entries:
        if entry.at <= at:
            shut = shut or (
                str(entry.data.get("task", "")).startswith("close#")
                and (entry.type == "task.completed")
            )
            shut = shut and entry.type != "case.reopened"
    return shut


def _form(entry: Entry) -> dict[str, Any]:
    form = entry.data.get("form")
    return form if isinstance(form, dict) else {}
