"""What an entry is: its bytes, its hash, its limits."""

import hashlib
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from audit.encoding import NotCanonical, canonical
from audit.entries import LARGEST_BODY, BodyTooLarge, Draft, Entry, leaf_hash, seal, unseal

AT = datetime(2026, 3, 2, 1, 2, 3, 456_789, tzinfo=UTC)
ACTOR = {"person": "p-0001", "capacity": "report", "channel": "web"}
DRAFT = Draft("case.urged", {"text": "请抓紧"}, ACTOR, AT)
FULL = replace(
    DRAFT, evidence=({"sha256": "ab" * 32, "bytes": 3},), cause=1,
    claimed_at=datetime(2026, 3, 1, tzinfo=UTC),
)  # fmt: skip


def sealed(draft: Draft = DRAFT, **more: Any) -> Entry:
    place = {"log": "log.example", "stream": "hazard-2026-00001", "seq": 2, "prev": "00" * 32}
    return seal(draft, **(place | more))


def changed(entry: Entry, **content: Any) -> bytes:
    """The entry's body with other content; None takes a field out."""
    told = {**orjson.loads(entry.body), **content}
    return canonical({key: value for key, value in told.items() if value != "gone"})


@pytest.mark.parametrize("draft", [DRAFT, FULL])
def test_an_entry_is_read_back_from_its_bytes_as_it_was_sealed(draft: Draft) -> None:
    entry = sealed(draft)
    assert unseal(entry.body) == entry


def test_the_hash_covers_the_exact_bytes_with_the_leaf_prefix() -> None:
    entry = sealed()
    assert entry.hash == hashlib.sha256(b"\x00" + entry.body).digest() == leaf_hash(entry.body)


def test_log_stream_number_and_predecessor_are_inside_the_hashed_bytes() -> None:
    entry = sealed()
    told = orjson.loads(entry.body)
    assert told["log"] == "log.example"
    assert told["case"] == "hazard-2026-00001"
    assert told["seq"] == 2
    assert told["prev"] == "00" * 32
    others = [sealed(log="log.other"), sealed(stream="x"), sealed(seq=3), sealed(prev="11" * 32)]
    assert len({entry.hash, *(other.hash for other in others)}) == 5


def test_every_part_of_a_draft_is_in_the_bytes() -> None:
    told = orjson.loads(sealed(FULL).body)
    assert told["actor"] == ACTOR
    assert told["data"] == {"text": "请抓紧"}
    assert told["evidence"] == [{"sha256": "ab" * 32, "bytes": 3}]
    assert told["cause"] == 1
    assert told["claimed_at"] == "2026-03-01T00:00:00.000Z"
    assert told["at"] == "2026-03-02T01:02:03.456Z"
    assert told["v"] == 1


def test_what_was_not_said_is_not_written() -> None:
    assert not {"evidence", "cause", "claimed_at"} & set(orjson.loads(sealed().body))


def test_an_entry_of_32_kib_is_kept_and_one_byte_more_is_refused() -> None:
    room = LARGEST_BODY - len(sealed(replace(DRAFT, data={"text": ""})).body)
    fits = replace(DRAFT, data={"text": "a" * room})
    assert len(sealed(fits).body) == LARGEST_BODY
    with pytest.raises(BodyTooLarge, match=r"case\.urged"):
        sealed(replace(DRAFT, data={"text": "a" * (room + 1)}))


def test_the_limit_counts_bytes_not_letters() -> None:
    with pytest.raises(BodyTooLarge):
        sealed(replace(DRAFT, data={"text": "隐" * (LARGEST_BODY // 3)}))


@pytest.mark.parametrize("data", [{"a": 0.5}, {"é": 1}, {"a": "A\u030a"}, {"a": 2**53}])
def test_content_outside_the_profile_is_refused(data: dict[str, Any]) -> None:
    with pytest.raises(NotCanonical):
        sealed(replace(DRAFT, data=data))


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="zone"):
        sealed(replace(DRAFT, at=datetime(2026, 3, 1)))  # noqa: DTZ001 - the point


FAULTS: dict[str, dict[str, Any]] = {
    "unknown format": {"v": 2},
    "format as a word": {"v": "1"},
    "format as a truth": {"v": True},
    "no actor": {"actor": "gone"},
    "no data": {"data": "gone"},
    "no time": {"at": "gone"},
    "time of another form": {"at": "2026-03-02T01:02:03Z"},
    "time as a number": {"at": 1772413323},
    "number as a word": {"seq": "2"},
    "number as a truth": {"seq": True},
    "actor as a word": {"actor": "p-0001"},
    "data as a list": {"data": []},
    "log as a number": {"log": 1},
    "type as a list": {"type": ["case.urged"]},
    "predecessor as nothing": {"prev": None},
    "cause as a word": {"cause": "1"},
    "cause as a truth": {"cause": True},
    "cause as nothing": {"cause": None},
    "evidence as an object": {"evidence": {"a": 1}},
    "evidence as a word": {"evidence": "abc"},
    "evidence as nothing": {"evidence": None},
    "evidence that is empty": {"evidence": []},
    "claimed time as nothing": {"claimed_at": None},
    "claimed time of another form": {"claimed_at": "yesterday"},
    "a field nobody knows": {"hidden": "for another reader"},
}


@pytest.mark.parametrize("fault", FAULTS)
def test_canonical_bytes_that_are_no_entry_are_refused(fault: str) -> None:
    body = changed(sealed(), **FAULTS[fault])
    with pytest.raises(NotCanonical):
        unseal(body)


@pytest.mark.parametrize("body", [b"[]", b"null", b"1", b'"entry"', b"{}", b"not json", b""])
def test_other_bytes_are_refused(body: bytes) -> None:
    with pytest.raises(NotCanonical):
        unseal(body)
