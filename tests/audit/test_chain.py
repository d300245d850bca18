"""What the chain notices, and – said just as plainly – what it cannot notice by itself."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from audit.chain import Problem, check_stream, link
from audit.encoding import canonical
from audit.entries import Draft, Entry, leaf_hash, seal

LOG, CASE = "log.example", "hazard-2026-00001"
START = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
ACTOR = {"person": "p-0001", "capacity": "report", "channel": "web"}


@dataclass(frozen=True)
class Row:
    """An entry as a table stores it."""

    stream: str
    seq: int
    type: str
    body: bytes
    hash: bytes


def rows_of(texts: Sequence[str]) -> list[Row]:
    rows: list[Row] = []
    prev = ""
    for seq, text in enumerate(texts, 1):
        draft = Draft("case.urged", {"text": text}, ACTOR, START + timedelta(minutes=seq // 2))
        entry = seal(draft, log=LOG, stream=CASE, seq=seq, prev=prev)
        rows.append(Row(CASE, seq, entry.type, entry.body, entry.hash))
        prev = link(entry.hash)
    return rows


def rewritten(row: Row, **content: Any) -> Row:
    """The row with other content, and its hash computed again, as a forger would."""
    body = canonical({**orjson.loads(row.body), **content})
    return replace(row, body=body, hash=leaf_hash(body))


def rechained(rows: list[Row], first: int) -> list[Row]:
    """All links and hashes from row `first` on computed again."""
    done = rows[:first]
    for row in rows[first:]:
        done.append(rewritten(row, prev=link(done[-1].hash) if done else ""))
    return done


def problem(rows: Sequence[Row]) -> Problem | None:
    found = [f for f in check_stream(LOG, CASE, rows) if isinstance(f, Problem)]
    assert len(found) <= 1
    return found[0] if found else None


STREAMS = st.lists(st.text(st.characters(codec="ascii"), max_size=6), min_size=2, max_size=7).map(
    rows_of
)


def a_row(data: st.DataObject, rows: Sequence[Row], last: int = 0) -> int:
    return data.draw(st.integers(0, len(rows) - 1 + last), label="row")


@given(STREAMS)
def test_an_untouched_stream_is_read_back_whole(rows: list[Row]) -> None:
    read = list(check_stream(LOG, CASE, rows))
    assert [entry.body for entry in read if isinstance(entry, Entry)] == [row.body for row in rows]


def test_an_empty_stream_has_nothing_wrong() -> None:
    assert list(check_stream(LOG, CASE, [])) == []


@given(STREAMS, st.data())
def test_any_changed_byte_of_a_body_is_noticed_at_its_event(
    rows: list[Row], data: st.DataObject
) -> None:
    at = a_row(data, rows)
    body = bytearray(rows[at].body)
    place = data.draw(st.integers(0, len(body) - 1), label="byte")
    body[place] ^= data.draw(st.integers(1, 255), label="bits")
    rows[at] = replace(rows[at], body=bytes(body))
    found = problem(rows)
    assert found
    assert found.seq == at + 1
    assert "not the hash" in found.what


@given(STREAMS, st.data())
def test_any_changed_byte_of_a_stored_hash_is_noticed(rows: list[Row], data: st.DataObject) -> None:
    at = a_row(data, rows)
    hash_ = bytearray(rows[at].hash)
    hash_[data.draw(st.integers(0, 31))] ^= data.draw(st.integers(1, 255))
    rows[at] = replace(rows[at], hash=bytes(hash_))
    found = problem(rows)
    assert found
    assert found.seq == at + 1


@given(STREAMS, st.data())
def test_any_byte_put_in_or_taken_out_is_noticed(rows: list[Row], data: st.DataObject) -> None:
    at = a_row(data, rows)
    body = rows[at].body
    place = data.draw(st.integers(0, len(body) - 1))
    put_in = data.draw(st.binary(max_size=3))
    other = body[:place] + put_in + body[place + (not put_in) :]
    assume(other != body)
    rows[at] = replace(rows[at], body=other)
    assert problem(rows)


@given(STREAMS, st.data())
def test_two_events_swapped_are_noticed(rows: list[Row], data: st.DataObject) -> None:
    one, other = sorted({a_row(data, rows), a_row(data, rows)} | {0, 1})[:2]
    rows[one], rows[other] = rows[other], rows[one]
    assert problem(rows)
    # With their numbers swapped in the columns too.
    rows[one], rows[other] = (
        replace(rows[one], seq=one + 1), replace(rows[other], seq=other + 1),
    )  # fmt: skip
    assert problem(rows)


@given(STREAMS, st.data())
def test_an_event_left_out_before_the_last_is_noticed(rows: list[Row], data: st.DataObject) -> None:
    at = a_row(data, rows, last=-1)
    del rows[at]
    found = problem(rows)
    assert found
    assert found.what.startswith("gap")
    renumbered = [replace(row, seq=seq) for seq, row in enumerate(rows, 1)]
    assert problem(renumbered)


@given(STREAMS, st.data())
def test_an_event_put_in_twice_is_noticed(rows: list[Row], data: st.DataObject) -> None:
    at = a_row(data, rows)
    rows.insert(data.draw(st.integers(0, len(rows))), rows[at])
    assert problem(rows)
    assert problem([replace(row, seq=seq) for seq, row in enumerate(rows, 1)])


@given(STREAMS, st.data())
def test_an_event_rewritten_with_its_hash_is_noticed_at_the_next(
    rows: list[Row], data: st.DataObject
) -> None:
    at = a_row(data, rows, last=-1)
    rows[at] = rewritten(rows[at], data={"text": "never said"})
    found = problem(rows)
    assert found
    assert found.seq == at + 2
    assert "chain broken" in found.what


# --- what the chain alone cannot know -------------------------------------------------------------


@given(STREAMS)
def test_changing_the_last_event_and_its_hash_is_not_noticed_by_the_chain_alone(
    rows: list[Row],
) -> None:
    # Nothing in the stream points at its end: that takes a head kept elsewhere.
    rows[-1] = rewritten(rows[-1], data={"text": "never said"})
    assert problem(rows) is None


@given(STREAMS)
def test_leaving_out_the_last_event_is_not_noticed_by_the_chain_alone(rows: list[Row]) -> None:
    assert problem(rows[:-1]) is None


@given(STREAMS, st.data())
def test_rewriting_an_event_and_every_link_after_it_is_not_noticed_by_the_chain_alone(
    rows: list[Row], data: st.DataObject
) -> None:
    at = a_row(data, rows)
    rows[at] = rewritten(rows[at], data={"text": "never said"})
    assert problem(rechained(rows, at)) is None


# --- single faults, by name -----------------------------------------------------------------------

THREE = rows_of(["one", "two", "three"])


def at_two(**content: Any) -> list[Row]:
    """Three events, the second rewritten and everything after it linked again."""
    rows = [THREE[0], rewritten(THREE[1], **content), THREE[2]]
    return rechained(rows, 1)


FAULTS = {
    "another log": (at_two(log="log.other"), "another log"),
    "another case": (at_two(case="hazard-2026-00002"), "another log, case"),
    "another number": (at_two(seq=7), "another log, case, number"),
    "another type than its column": (at_two(type="case.opened"), "type than the columns"),
    "earlier than the one before": (at_two(at="2020-01-01T00:00:00.000Z"), "earlier"),
    "a cause that is itself": (at_two(cause=2), "cause"),
    "a cause still to come": (at_two(cause=3), "cause"),
    "a cause before the first": (at_two(cause=0), "cause"),
    "a negative cause": (at_two(cause=-1), "cause"),
    "a cause that is a word": (at_two(cause="1"), "not canonical"),
    "another format": (at_two(v=2), "not canonical"),
    "a number that is a word": (at_two(seq="2"), "not canonical"),
    "a first event that has a predecessor": (
        [rewritten(THREE[0], prev="00" * 32), *THREE[1:]], "chain broken",
    ),
    "a predecessor in capitals": (
        [THREE[0], rewritten(THREE[1], prev=link(THREE[0].hash).upper()), THREE[2]], "chain broken",
    ),
    "a second event without a predecessor": (
        [THREE[0], rewritten(THREE[1], prev=""), THREE[2]], "chain broken",
    ),
    "a number from nought": ([replace(row, seq=row.seq - 1) for row in THREE], "gap"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named_with_case_and_number(fault: str) -> None:
    rows, what = FAULTS[fault]
    found = problem(rows)
    assert found
    assert found.case == CASE
    assert found.seq in (1, 2)
    assert what in found.what


@pytest.mark.parametrize(
    "form",
    [
        lambda body: body + b" ",
        lambda body: body.replace(b",", b", ", 1),
        lambda body: orjson.dumps(dict(reversed(orjson.loads(body).items()))),
        lambda body: orjson.dumps(orjson.loads(body), option=orjson.OPT_INDENT_2),
        lambda body: body.replace(b'"v":1', b'"v":1.0'),
        lambda body: body.replace(b'"v":1', b'"v":1,"v":1'),
        lambda body: body.replace(b"two", b"\\u0074wo"),
        lambda body: b"",
    ],
)
def test_the_same_content_in_other_bytes_is_no_entry_even_with_its_hash(form: Any) -> None:
    body = form(THREE[1].body)
    assert body != THREE[1].body
    rows = [THREE[0], replace(THREE[1], body=body, hash=leaf_hash(body)), THREE[2]]
    found = problem(rows)
    assert found == Problem(CASE, 2, found.what if found else "", "bytes")
    assert found.what.startswith("not canonical")


def test_equal_times_are_in_order() -> None:
    rows = rows_of(["a", "b", "c"])  # the second and third are of one minute
    assert problem(rows) is None


def test_after_the_first_problem_nothing_more_is_said() -> None:
    rows = [replace(row, hash=b"\x00" * 32) for row in THREE]
    assert len(list(check_stream(LOG, CASE, rows))) == 1


def test_a_body_put_in_as_text_is_a_problem_and_no_crash() -> None:
    row = type("Row", (), {"stream": "s", "seq": 1, "type": "t", "body": "text", "hash": b"h"})
    found = list(check_stream("log", "s", [row()]))
    assert [problem.what for problem in found if isinstance(problem, Problem)] == [
        "the stored body or hash is not bytes"
    ]
