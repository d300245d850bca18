"""Logs in files, each with one fault and named by it: found without any database."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import orjson
import pytest

from audit import vocabulary
from audit.chain import Problem, check_stream
from engine.calendar import read_calendar
from engine.definitions import parse, read_folder
from engine.replay import Library, RecordDiffers, replay
from tests.conftest import ORIGIN

LOGS = Path(__file__).parents[1] / "golden" / "logs"
WORKSHOP = parse(read_folder(LOGS.parent / "bpmn" / "workshop"))
CALENDAR = read_calendar((LOGS / "calendar.toml").read_bytes(), version=1)
BOOKS = Library({WORKSHOP.digest: WORKSHOP}.__getitem__, {CALENDAR.version: CALENDAR}.__getitem__)
CASE = "workshop-2026-00001"

# What each is told by: the number of the event, and words of the problem.
BAD = {
    "byte_changed": (3, "stored hash is not the hash"),
    "hash_of_another_event": (3, "stored hash is not the hash"),
    "changed_with_its_hash": (4, "chain broken"),
    "event_left_out": (3, "gap: expected event 3, found 4"),
    "event_put_in_twice": (4, "gap: expected event 4, found 3"),
    "events_swapped": (3, "gap: expected event 3, found 4"),
    "body_with_a_space": (3, "not canonical"),
    "type_of_the_column_is_another": (3, "type than the columns"),
    "earlier_than_the_one_before": (5, "recorded earlier"),
    "deadline_changed": (3, "deadline.set.due: recorded '2026-04-01"),
    "receipt_changed": (4, "receipt.issued.receipt: recorded 'R-AAAA-AAAA'"),
    "title_changed": (4, "receipt.issued.receipt: recorded"),
    "rule_result_changed": (8, "case.advanced.rules: recorded"),
    "gateway_changed": (20, "case.advanced.gateways: recorded"),
    "answer_changed": (20, "case.advanced.gateways: recorded"),
    "alarm_left_out": (5, "deadline.warned of prepare#1 was due and not recorded"),
    "alarm_invented": (6, "a clock is recorded as run out that was not due"),
    "fact_left_out": (3, "recorded receipt.issued, replay gives deadline.set"),
    "type_nobody_knows": (6, "unknown type case.forgotten"),
    "field_nobody_knows": (6, "not known ['hidden']"),
}


@dataclass(frozen=True)
class Row:
    stream: str
    seq: int
    type: str
    body: bytes
    hash: bytes


def rows(name: str) -> Iterator[Row]:
    for line in (LOGS / f"{name}.jsonl").read_bytes().splitlines():
        told = orjson.loads(line)
        body, hash_ = told["body"].encode(), bytes.fromhex(told["hash"])
        yield Row(CASE, told["seq"], told["type"], body, hash_)


def problem(name: str) -> Problem | None:
    """The first thing wrong with a log: its chain, its words, or what replay makes of it."""
    entries = []
    for found in check_stream(ORIGIN, CASE, rows(name)):
        if isinstance(found, Problem):
            return found
        what = vocabulary.check(found)
        if what:
            return Problem(CASE, found.seq, what)
        entries.append(found)
    try:
        replay(entries, BOOKS)
    except RecordDiffers as difference:
        return difference.problem
    return None


def test_the_good_log_replays_to_its_last_event() -> None:
    assert problem("good") is None
    entries = list(check_stream(ORIGIN, CASE, rows("good")))
    case = replay([e for e in entries if not isinstance(e, Problem)], BOOKS)
    assert case.seq == len(entries)
    assert list(case.tasks) == ["make#2"]


@pytest.mark.parametrize("fault", BAD)
def test_a_bad_log_is_told_by_its_fault(fault: str) -> None:
    found = problem(f"bad_{fault}")
    assert found
    seq, what = BAD[fault]
    assert (found.case, found.seq) == (CASE, seq)
    assert what in found.what


def test_every_bad_log_is_tried() -> None:
    assert {path.stem.removeprefix("bad_") for path in LOGS.glob("bad_*.jsonl")} == set(BAD)
