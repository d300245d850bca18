"""Cases as process mining sees them: events lead back to the log, nobody's words leave."""

import io
import json
from dataclasses import replace
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest

from audit.mining.events import Trace, trace_of
from audit.mining.ocel import write_ocel
from audit.mining.views import bottlenecks, handovers, spread, variants
from audit.mining.xes import write_xes
from tests.golden.cases.sample import two_rounds

XES = "{http://www.xes-standard.org/}"


@pytest.fixture
def sample() -> Trace:
    told = two_rounds()
    return trace_of(told.entries, told.elements)


def xes(*traces: Trace) -> ET.Element:
    out = io.StringIO()
    write_xes(traces, out)
    return ET.fromstring(out.getvalue())  # noqa: S314 - just written here


def test_every_event_leads_back_to_its_entry(sample: Trace) -> None:
    entries = {one.seq: one for one in two_rounds().entries}
    assert sample.events
    for event in sample.events:
        assert entries[event.seq].hash.hex() == event.hash
        assert entries[event.seq].at == event.at
    assert all(a.seq <= b.seq for a, b in pairwise(sample.events))


def test_a_second_round_is_another_activation(sample: Trace) -> None:
    done = [e.task for e in sample.events if e.transition == "complete"]
    assert done == [
        "report#1", "confirm#1", "assign#1", "sign_in#1", "rectify#1", "accept#1", "rectify#2",
        "accept#2", "close#1",
    ]  # fmt: skip
    paused = [e.transition for e in sample.events if e.task == "rectify#2"]
    assert paused == ["schedule", "assign", "suspend", "resume", "complete"]


def test_entries_that_begin_otherwise_are_no_case() -> None:
    with pytest.raises(ValueError, match=r"case\.opened"):
        trace_of(two_rounds().entries[1:], {})


def test_xes_has_every_event_once_with_declared_prefixes(sample: Trace) -> None:
    log = xes(sample, sample)
    assert len(log.findall(f"{XES}trace")) == 2
    events = log.findall(f"{XES}trace/{XES}event")
    assert len(events) == 2 * len(sample.events)
    prefixes = {one.get("prefix") for one in log.findall(f"{XES}extension")}
    keys = {one.get("key", "") for event in events for one in event}
    assert {key.partition(":")[0] for key in keys if ":" in key} <= prefixes
    for event in events:
        told = {one.get("key") for one in event}
        assert {"concept:name", "lifecycle:transition", "time:timestamp", "element"} <= told
        assert len(told) == len(event)


def test_xes_escapes_what_xml_means_something_by(sample: Trace) -> None:
    name = "<a> & \"b\" 'c'\n\x01"
    first = replace(sample.events[0], name=name)
    event = xes(replace(sample, events=(first,))).find(f"{XES}trace/{XES}event")
    assert event is not None
    assert event[0].get("value") == name.replace("\x01", "\ufffd")


def test_ocel_relates_only_to_objects_it_declares(sample: Trace) -> None:
    out = io.StringIO()
    assert write_ocel([sample], out) == (1, len(sample.events))
    told = json.loads(out.getvalue())
    types = {one["name"]: {a["name"] for a in one["attributes"]} for one in told["eventTypes"]}
    kinds = {one["name"] for one in told["objectTypes"]}
    objects = {one["id"]: one["type"] for one in told["objects"]}
    assert set(objects.values()) == kinds == {"case", "person", "unit", "place", "evidence"}
    for event in told["events"]:
        assert {one["name"] for one in event["attributes"]} <= types[event["type"]]
        assert all(one["objectId"] in objects for one in event["relationships"])
    assert len({event["id"] for event in told["events"]}) == len(sample.events)


def test_a_parent_outside_the_file_is_not_pointed_to(sample: Trace) -> None:
    child = replace(sample, case="c-child", parent=sample.case)
    for traces, expected in (([child], []), ([sample, child], [sample.case])):
        out = io.StringIO()
        write_ocel(traces, out)
        objects = {one["id"]: one for one in json.loads(out.getvalue())["objects"]}
        related = objects["c-child"]["relationships"]
        assert [r["objectId"] for r in related if r["qualifier"] == "parent"] == expected


def test_no_words_of_people_leave(sample: Trace) -> None:
    told = two_rounds()
    out = io.StringIO()
    write_xes([sample], out)
    write_ocel([sample], out)
    opened = told.entries[0].data
    words = {opened["title"], opened["place"]["address"]}
    said = (one.data.get(key) for one in told.entries for key in ("reason", "note"))
    words |= {one for one in said if one}
    assert len(words) > 3
    assert not [one for one in words if one and one in out.getvalue()]


def test_variants_count_ended_cases_only(sample: Trace) -> None:
    ended = replace(sample, end="closed")
    short = replace(ended, events=sample.events[:1])
    first, second = variants([ended] * 10 + [short, replace(sample, end=None)])
    assert (first.cases, first.share, second.steps) == (10, 909, ("report",))
    assert first.minutes.n == 10
    assert first.minutes.median == first.minutes.p90
    assert second.minutes.median is None


def test_hand_overs_are_between_units_and_posts(sample: Trace) -> None:
    rows = handovers([sample])
    units = {(row.giver, row.taker): row.count for row in rows if row.kind == "units"}
    assert units["u-street", "u-lanan"] == 2
    assert sum(units.values()) == 8
    assert all(row.within for row in rows if row.kind == "posts")
    persons = {event.person for event in sample.events}
    assert not persons & {name for row in rows for name in (row.giver, row.taker)}


def test_bottlenecks_tell_waiting_only_of_what_was_free_to_take(sample: Trace) -> None:
    rows = {(row.element, row.unit): row for row in bottlenecks([sample] * 10)}
    assert rows["confirm", "u-tingtao"].waiting.median == 22
    assert rows["confirm", "u-tingtao"].working.median == 0
    assert rows["sign_in", "u-lanan"].waiting.n == 0
    assert rows["sign_in", "u-lanan"].used.median == 81
    assert rows["rectify", "u-lanan"].used.n == 20
    assert bottlenecks([sample])[0].working.median is None


def test_ninety_percent_is_the_nearest_rank() -> None:
    assert (spread(range(1, 11)).median, spread(range(1, 11)).p90) == (6, 9)
    assert spread(range(9)).p90 is None
