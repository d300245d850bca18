"""The evidence file carries entries verbatim, and every change to it is noticed."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from audit.bundle import NotABundle, check_bundle, write_bundle
from audit.chain import Problem
from tests.golden.cases.sample import two_rounds

ENTRIES = two_rounds().entries
BUNDLE = write_bundle(ENTRIES[0].log, ENTRIES[0].stream, [entry.body for entry in ENTRIES])


def problems(told: dict[str, Any]) -> list[str]:
    found = check_bundle(json.dumps(told).encode())
    return [one.what for one in found if isinstance(one, Problem)]


def test_what_is_packed_comes_out_byte_for_byte() -> None:
    assert list(check_bundle(BUNDLE)) == ENTRIES


def test_equal_entries_give_an_equal_file() -> None:
    assert write_bundle(ENTRIES[0].log, ENTRIES[0].stream, (e.body for e in ENTRIES)) == BUNDLE


CHANGES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "hash": lambda told: told["events"][3].update(hash="0" * 64),
    "gap": lambda told: told["events"].pop(3),
    "count and head": lambda told: told["events"].pop(),
    "chain broken": lambda told: told["events"].__setitem__(3, {**told["events"][4], "seq": 4}),
    "name another log": lambda told: told.update(log="log.other.example"),
    "stored hash": lambda told: told["events"][3].update(
        body=told["events"][3]["body"].replace("shaoji", "shaoj1")
    ),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_changed_file_is_noticed(what: str) -> None:
    told = json.loads(BUNDLE)
    CHANGES[what](told)
    assert problems(told)


def test_an_empty_case_has_no_head() -> None:
    assert list(check_bundle(write_bundle("log.test", "c-1", []))) == []


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"format": "shaoji-events/2"}', b"\xff"])
def test_what_is_no_evidence_file_says_so(data: bytes) -> None:
    with pytest.raises(NotABundle):
        list(check_bundle(data))
