"""Canonical bytes, against the published vectors of RFC 8785 and another implementation of it."""

import json
import unicodedata
from datetime import UTC, datetime, timedelta, timezone
from enum import IntEnum, StrEnum
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from audit.encoding import DEEPEST, NotCanonical, canonical, decode, instant, timestamp
from tests.vectors import published

# Why the profile refuses a published vector; what is not named here has to come out as published.
OUTSIDE = {
    "french": "not ASCII",  # keys
    "unicode": "NFC",
    "values": "float",
    "weird": "not ASCII",  # keys
}
INSIDE = ("arrays", "structures")

ASCII = st.text(st.characters(max_codepoint=127), max_size=8)
NFC = st.text(st.characters(exclude_categories=["Cs"]), max_size=12).map(
    lambda text: unicodedata.normalize("NFC", text)
)
INTEGERS = st.integers(-(2**53) + 1, 2**53 - 1)
IN_PROFILE = st.recursive(
    st.none() | st.booleans() | INTEGERS | NFC,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ASCII, inner, max_size=4),
    max_leaves=25,
)


def whole(text: str) -> float:
    """56.0 is 56 in JCS; the profile has no other way to say it than 56."""
    value = float(text)
    return int(value) if value.is_integer() and abs(value) < 2**53 else value


@pytest.mark.parametrize("name", INSIDE)
def test_published_vectors_inside_the_profile_come_out_as_published(name: str) -> None:
    given_ = json.loads(published(f"jcs/input/{name}.json").read_text(), parse_float=whole)
    wanted = published(f"jcs/output/{name}.json").read_bytes()
    assert canonical(given_) == wanted
    assert canonical(given_).hex() == "".join(
        published(f"jcs/outhex/{name}.txt").read_text().split()
    )
    assert decode(wanted) == given_


@pytest.mark.parametrize("name", OUTSIDE)
def test_published_vectors_outside_the_profile_are_refused_not_written_otherwise(name: str) -> None:
    value = json.loads(published(f"jcs/input/{name}.json").read_text())
    with pytest.raises(NotCanonical, match=OUTSIDE[name]):
        canonical(value)
    with pytest.raises(NotCanonical):
        decode(published(f"jcs/output/{name}.json").read_bytes())


def test_every_published_vector_is_accounted_for() -> None:
    names = {path.stem for path in published("jcs/input").glob("*.json")}
    assert names == {*INSIDE, *OUTSIDE}


@given(IN_PROFILE)
def test_inside_the_profile_the_bytes_are_those_of_another_encoder(value: Any) -> None:
    body = canonical(value)
    assert body == rfc8785.dumps(value)
    assert decode(body) == value


@given(st.dictionaries(ASCII, INTEGERS, max_size=6), st.randoms())
def test_the_order_in_which_keys_were_written_makes_no_difference(
    value: dict[str, int], chance: Any
) -> None:
    keys = list(value)
    chance.shuffle(keys)
    assert canonical({key: value[key] for key in keys}) == canonical(value)


class Level(IntEnum):
    HIGH = 1


class Word(StrEnum):
    YES = "yes"


DEEP: Any = []
for _ in range(DEEPEST + 1):
    DEEP = [DEEP]

FOREIGN = {
    "float": 1.0,
    "negative zero": -0.0,
    "not a number": float("nan"),
    "infinity": float("inf"),
    "2^53": 2**53,
    "-2^53": -(2**53),
    "beyond 64 bits": 2**70,
    "decomposed letter": "A\u030a",
    "lone surrogate": "\ud800",
    "lone low surrogate": "a\udfffb",
    "bytes": b"x",
    "set": {1},
    "time": datetime(2026, 3, 1, tzinfo=UTC),
    "complex": 1j,
    "enum of integers": Level.HIGH,
    "enum of strings": Word.YES,
    "nested too deeply": DEEP,
    "object": object(),
}


@pytest.mark.parametrize("name", FOREIGN)
@pytest.mark.parametrize("where", ["alone", "in a list", "in an object", "in a tuple"])
def test_what_is_outside_the_profile_is_refused_wherever_it_stands(name: str, where: str) -> None:
    value = FOREIGN[name]
    wrapped = {"alone": value, "in a list": [1, value], "in an object": {"a": {"b": value}},
               "in a tuple": (value,)}[where]  # fmt: skip
    with pytest.raises(NotCanonical):
        canonical(wrapped)


@pytest.mark.parametrize("key", ["é", "\U0001f602", 1, None, True, b"a", 1.5, Word.YES])
def test_a_key_that_is_not_an_ascii_string_is_refused(key: Any) -> None:
    with pytest.raises(NotCanonical, match="key"):
        canonical({key: 1})


def test_a_refusal_names_the_place() -> None:
    with pytest.raises(NotCanonical, match=r"\$\.data\.list\.1\.b"):
        canonical({"data": {"list": [1, {"b": 0.5}]}})


@given(st.floats())
def test_no_float_ever_enters_the_log(value: float) -> None:
    with pytest.raises(NotCanonical, match="float"):
        canonical({"a": [value]})


@pytest.mark.parametrize(
    "body",
    [
        b"", b" ", b"{", b"nul", b'{"a":1} ', b' {"a":1}', b'{"a": 1}', b'{"b":1,"a":2}',
        b'{"a":1,"a":1}', b'{"a":1.0}', b'{"a":1e0}', b'{"a":-0}', b'{"a":01}', b'"\\u0061"',
        b'"\\/"', b'"A\xcc\x8a"', b'"\xff"', b'{"a":9007199254740992}',
        b'{"a":123456789012345678901234567890}', b"\xef\xbb\xbf{}", b'"\\ud800"', b"NaN", b"{}\n",
        b'"\\u00e9"', b'"\x7f\x01"', b'"\\u000A"',
    ],
)  # fmt: skip
def test_bytes_that_are_nobodys_canonical_form_are_refused(body: bytes) -> None:
    with pytest.raises(NotCanonical):
        decode(body)


@given(st.binary(max_size=40) | st.text(max_size=40).map(str.encode))
def test_whatever_decodes_is_its_own_canonical_form(body: bytes) -> None:
    try:
        value = decode(body)
    except NotCanonical:
        return
    assert canonical(value) == body == rfc8785.dumps(value)


@given(IN_PROFILE, st.randoms())
def test_one_value_has_one_encoding(value: Any, chance: Any) -> None:
    # Pretty, escaped or spaced forms of the same value are not accepted as its bytes.
    other = chance.choice(
        [json.dumps(value).encode(), orjson.dumps(value, option=orjson.OPT_INDENT_2)]
    )
    if other != canonical(value):
        with pytest.raises(NotCanonical):
            decode(other)


# --- times --------------------------------------------------------------------------------------


@given(
    st.datetimes(
        datetime(1000, 1, 2),  # noqa: DTZ001 - the zone comes from `timezones`
        datetime(9998, 1, 1),  # noqa: DTZ001
        timezones=st.timezones() | st.just(UTC),
        allow_imaginary=False,
    )
)
def test_a_time_is_written_in_utc_to_the_millisecond_and_read_back(at: datetime) -> None:
    text = timestamp(at)
    assert text == at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3].zfill(23) + "Z"
    assert instant(text) == at.astimezone(UTC).replace(microsecond=at.microsecond // 1000 * 1000)


def test_the_hour_that_comes_twice_in_autumn_is_two_times() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    first = datetime(2026, 10, 25, 2, 30, tzinfo=berlin)
    assert timestamp(first) == "2026-10-25T00:30:00.000Z"
    assert timestamp(first.replace(fold=1)) == "2026-10-25T01:30:00.000Z"


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="zone"):
        timestamp(datetime(2026, 3, 1))  # noqa: DTZ001 - the point


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-01T01:02:03Z", "2026-03-01T01:02:03.456+00:00", "2026-03-01T01:02:03.4567Z",
        "2026-03-01 01:02:03.456Z", "2026-03-01T09:02:03.456+08:00", "2026-03-01T01:02:03.456",
        "2026-3-1T01:02:03.456Z", "20260301T010203.456Z", "", "now", "2026-03-01",
        "2026-02-30T01:02:03.456Z", "2026-03-01T24:02:03.456Z", "2026-03-01T01:02:03.456z",
    ],
)  # fmt: skip
def test_a_time_in_any_other_form_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        instant(text)


def test_recorded_times_sort_as_they_happened() -> None:
    shanghai = timezone(timedelta(hours=8))
    times = [datetime(2026, 1, 1, 7, tzinfo=shanghai), datetime(2025, 12, 31, 23, 30, tzinfo=UTC)]
    assert sorted(times) == sorted(times, key=timestamp)
