"""Which entries show what was planted among whistles and complaints: for the truth, no page."""

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import Connection, select

from audit import log
from audit.entries import Entry
from web.demo.complaints import Marked, linked_complaints, marked_complaints
from web.demo.hotline import complainant
from web.demo.plan import all_stories
from web.demo.town import Size, town
from web.demo.whistles import blown_whistles

Row = tuple[str, str, str, int]


def planted_beside(conn: Connection, size: Size) -> Iterator[Row]:
    """(behaviour, key of what was planned, case, number of the entry) for what came about."""
    street = town(size)
    by_title, by_person = _opened(conn)
    for one in blown_whistles(street, size):
        near = by_title.get((one.title, one.address), {})
        if one.behaviour and near:
            yield one.behaviour, one.key, min(near, key=lambda at: abs(near[at] - one.at)), 1
    yield from _told(conn)
    linked = linked_complaints(all_stories(street, size), size)
    told = [one.marked for one in linked]
    told += [Marked(one.plot, "B12") for one in told if one.plot.demand == "upheld"]
    for marked in (*marked_complaints(size), *told):
        case = by_person.get(complainant(marked.plot.key))
        if marked.behaviour and case:
            for seq in _shown(log.read(conn, case), marked):
                yield marked.behaviour, marked.plot.key, case, seq


def _told(conn: Connection) -> Iterator[Row]:
    """Of the whistles that are told of: an objection refused; an arrival said to be earlier."""
    for case in log.streams(conn):
        if not case.startswith("response-"):
            continue
        raised: int | None = None
        for entry in log.read(conn, case):
            form = entry.data.get("form", {})
            if entry.type == "objection.raised":
                raised = entry.seq
            elif raised and form.get("ruling") == "rejected":
                yield "B2", "market", case, raised
            elif form.get("arrived_at"):
                yield "B6", "smell", case, entry.seq


Blown = dict[tuple[str, str], dict[str, datetime]]


def _opened(conn: Connection) -> tuple[Blown, dict[str, str]]:
    """Whistles by title and address with when they were blown, complaints by who made them."""
    table = log.event_table.c
    query = select(table.stream).where(table.type == "case.opened").order_by(table.stream)
    by_title: Blown = {}
    by_person: dict[str, str] = {}
    for case in conn.execute(query).scalars():
        if case.startswith(("whistle-", "hotline-")):
            first = log.read(conn, case)[0]
            if case.startswith("whistle-"):
                what = first.data["title"], first.data["place"]["address"]
                by_title.setdefault(what, {})[case] = first.at
            else:
                by_person[first.actor["person"]] = case
    return by_title, by_person


def _shown(entries: list[Entry], marked: Marked) -> Iterator[int]:
    """The entry by which it shows: the opening, the first reading, or the revisit."""
    rule = marked.behaviour.removeprefix("decoy ")
    if rule == "B13":
        yield 1
        return
    for entry in entries:
        task = str(entry.data.get("task", ""))
        read = entry.type == "content.read" and entry.actor.get("capacity") == "investigate"
        asked = entry.type == "task.completed" and task == "revisit#1"
        if (rule == "B12" and read) or (rule == "B15" and asked):
            yield entry.seq
            return
