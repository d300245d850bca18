"""Makes the logs of this folder: one good, the others each named by its single fault.

Run it again from the root of the repository after the format, the workshop process or the words
of an event have changed: `python -m tests.golden.logs.make`. A line is one event as stored:
{"seq", "type", "hash", "body"}, the body verbatim; later events that a fault does not need are left
out.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from audit import log
from audit.chain import link
from audit.encoding import canonical
from audit.entries import leaf_hash
from engine.calendar_versions import publish_calendar
from engine.database import open_database
from engine.definition_sets import deploy
from engine.definitions import read_folder
from engine.people import create_unit, grant_post, register_person
from engine.schema import create_schema
from engine.timekeeping import ring
from tests.conftest import NOON, ORIGIN, PEOPLE, ROOT, UNITS, Street, photo

HERE = Path(__file__).parent
Line = dict[str, Any]


def good() -> list[Line]:
    """A case of the workshop process: an alarm, a rule, a failed check, a passed one, a lot."""
    with tempfile.TemporaryDirectory() as folder:
        database = open_database(f"sqlite:///{folder}/good.db")
        create_schema(database)
        street = Street(database, person=_found(database))
        case = street.report()
        street.later(hours=3)
        street.do(ring, case)
        street.complete(case, "prepare#1", "head", {"kind": "wood", "pieces": 3})
        street.later(hours=3)
        street.complete(case, "make#1", "grid", {"what": "拆除"}, evidence=[photo()])
        street.complete(case, "check_size#1", "accept", {"passed": False, "reason": "偏大"})
        street.complete(case, "check_look#1", "accept2", {"passed": True})
        lines = [_line(entry.body, entry.seq, entry.type) for entry in street.entries(case)]
        database.dispose()
    return lines


def _found(database: Any) -> dict[str, str]:
    person = {}
    with database.begin() as conn:
        log.found(conn, ORIGIN)
        publish_calendar(conn, (HERE / "calendar.toml").read_bytes(), by=None, at=NOON)
        deploy(conn, read_folder(ROOT / "tests/golden/bpmn/workshop"), by=None, at=NOON)
        for unit, kind, name, parent in UNITS:
            create_unit(conn, unit, kind=kind, name=name, parent=parent, by=None, at=NOON)
        for name, (unit, title, duties) in PEOPLE.items():
            person[name] = register_person(conn, name, by=None, at=NOON)
            grant_post(conn, person[name], unit, title, duties, reason="到任", by=None, at=NOON)
    return person


def _line(body: bytes, seq: int, type_: str) -> Line:
    return {"seq": seq, "type": type_, "hash": leaf_hash(body).hex(), "body": body.decode()}


# --- faults ---------------------------------------------------------------------------------------


def byte_changed(lines: list[Line]) -> None:
    lines[2]["body"] = lines[2]["body"].replace('"allowed":240', '"allowed":241')


def hash_of_another_event(lines: list[Line]) -> None:
    lines[2]["hash"] = lines[1]["hash"]


def changed_with_its_hash(lines: list[Line]) -> None:
    body = lines[2]["body"].replace('"allowed":240', '"allowed":241').encode()
    lines[2] = _line(body, 3, lines[2]["type"])


def event_left_out(lines: list[Line]) -> None:
    del lines[2]


def event_put_in_twice(lines: list[Line]) -> None:
    lines.insert(2, lines[2])


def events_swapped(lines: list[Line]) -> None:
    lines[2], lines[3] = lines[3], lines[2]


def body_with_a_space(lines: list[Line]) -> None:
    lines[2] = _line(lines[2]["body"].replace(",", ", ", 1).encode(), 3, lines[2]["type"])


def type_of_the_column_is_another(lines: list[Line]) -> None:
    lines[2]["type"] = "case.urged"


def _told(change: Callable[[list[dict[str, Any]]], None]) -> Callable[[list[Line]], None]:
    """A fault in what the events say, with numbers, links and hashes computed again."""

    def fault(lines: list[Line]) -> None:
        bodies = [orjson.loads(line["body"]) for line in lines]
        change(bodies)
        lines.clear()
        prev = ""
        for seq, content in enumerate(bodies, 1):
            body = canonical({**content, "seq": seq, "prev": prev})
            lines.append(_line(body, seq, content["type"]))
            prev = link(leaf_hash(body))

    return fault


def _first(bodies: list[dict[str, Any]], what: str) -> dict[str, Any]:
    found: dict[str, Any] = next(b for b in bodies if b["type"] == what or what in b["data"])
    return found


def _gateway(bodies: list[dict[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = _first(bodies, "gateways")["data"]["gateways"][0]
    return found


def _earlier(bodies: list[dict[str, Any]]) -> None:
    bodies[4]["at"] = "2020-01-01T00:00:00.000Z"


def _left_out(bodies: list[dict[str, Any]]) -> None:
    place = bodies.index(_first(bodies, "deadline.warned"))
    del bodies[place]
    for body in bodies[place:]:
        if "cause" in body:
            body["cause"] -= 1


def _invented(bodies: list[dict[str, Any]]) -> None:
    place = bodies.index(_first(bodies, "task.claimed"))
    told = {"task": "prepare#1", "due": bodies[place]["at"]}
    alarm = {**_first(bodies, "deadline.warned"), "type": "overdue.opened", "data": told}
    bodies.insert(place, {**alarm, "at": bodies[place]["at"]})


FAULTS: dict[str, tuple[int, Callable[[list[Line]], None]]] = {
    # name: how many events to keep, the fault
    "byte_changed": (4, byte_changed),
    "hash_of_another_event": (4, hash_of_another_event),
    "changed_with_its_hash": (4, changed_with_its_hash),
    "event_left_out": (4, event_left_out),
    "event_put_in_twice": (4, event_put_in_twice),
    "events_swapped": (4, events_swapped),
    "body_with_a_space": (4, body_with_a_space),
    "type_of_the_column_is_another": (4, type_of_the_column_is_another),
    "earlier_than_the_one_before": (6, _told(_earlier)),
    "deadline_changed": (4, _told(lambda b: b[2]["data"].update(due="2026-04-01T00:00:00.000Z"))),
    "receipt_changed": (4, _told(lambda b: b[3]["data"].update(receipt="R-AAAA-AAAA"))),
    "title_changed": (4, _told(lambda b: b[0]["data"].update(title="没有什么事"))),
    "rule_result_changed": (
        12, _told(lambda b: _first(b, "rules")["data"]["rules"][0]["outputs"].update(big=True)),
    ),
    "gateway_changed": (
        40, _told(lambda b: _gateway(b).update(flow="flow_passed")),
    ),
    "answer_changed": (
        40, _told(lambda b: _first([e for e in b if "passed" in e["data"].get("form", {})], "form")
                  ["data"].update(form={"passed": True})),
    ),
    "alarm_left_out": (12, _told(_left_out)),
    "alarm_invented": (12, _told(_invented)),
    "fact_left_out": (4, _told(lambda b: b.pop(2))),
    "type_nobody_knows": (6, _told(lambda b: b[-1].update(type="case.forgotten"))),
    "field_nobody_knows": (6, _told(lambda b: b[-1]["data"].update(hidden="x"))),
}  # fmt: skip


def main() -> None:
    """Write every file anew."""
    lines = good()
    write("good", lines)
    for name, (count, fault) in FAULTS.items():
        bad = [dict(line) for line in lines[:count]]
        fault(bad)
        write(f"bad_{name}", bad)


def write(name: str, lines: list[Line]) -> None:
    data = b"".join(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE) for line in lines)
    (HERE / f"{name}.jsonl").write_bytes(data)


if __name__ == "__main__":
    main()
