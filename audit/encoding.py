"""Canonical bytes: RFC 8785 (JCS) in a restricted profile, so that one value has one encoding.

The profile: ASCII keys, no floats, |integer| < 2**53, strings in Unicode NFC without lone
surrogates, times as UTC RFC 3339 strings with milliseconds. Within it orjson with sorted keys
writes the same bytes as an RFC 8785 encoder; outside it they differ, so what is outside is refused.
"""

import unicodedata
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import orjson

LARGEST_INTEGER = 2**53 - 1
DEEPEST = 32


class NotCanonical(ValueError):
    """The value lies outside the restricted profile, or the bytes are not its canonical form."""


def canonical(value: Any) -> bytes:
    """Encode a JSON value as its one canonical byte string (RFC 8785, restricted profile).

    Raises NotCanonical naming the path of the first value outside the profile.
    """
    _check(value, "$", 0)
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def decode(body: bytes) -> Any:
    """Decode canonical bytes; raises NotCanonical if they are the canonical form of nothing."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise NotCanonical(f"not JSON: {error}") from None
    if canonical(value) != body:
        raise NotCanonical("bytes differ from the canonical form of their content")
    return value


def timestamp(at: datetime) -> str:
    """Write an aware instant as `2026-03-01T01:02:03.456Z`; a naive one is a ValueError."""
    if at.tzinfo is None:
        raise ValueError("a time without a zone cannot be recorded")
    return _written(at if at.tzinfo is UTC else at.astimezone(UTC))


# One command writes the same few instants many times over. Only instants in UTC may be looked up:
# in another zone the two times of the hour that comes twice in autumn are equal keys.
@lru_cache(maxsize=1024)
def _written(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


@lru_cache(maxsize=1024)
def instant(text: str) -> datetime:
    """Read what `timestamp` wrote; raises ValueError for any other form."""
    at = datetime.fromisoformat(text)
    if at.tzinfo is None or timestamp(at) != text:
        raise ValueError(f"not a canonical time: {text}")
    return at


def _check(value: Any, path: str, depth: int) -> None:
    kind = type(value)
    if kind is dict:
        for key, item in value.items():
            # JCS sorts keys by UTF-16 units and orjson by UTF-8 bytes: they agree on ASCII only.
            if type(key) is not str or not key.isascii():
                raise NotCanonical(f"{path}: key {key!r} is not ASCII")
            # Most items are plain words; they are let through without another call.
            if type(item) is not str or not item.isascii():
                _check_item(item, path, key, depth)
    elif kind is list or kind is tuple:
        for index, item in enumerate(value):
            if type(item) is not str or not item.isascii():
                _check_item(item, path, index, depth)
    else:
        _check_item(value, path, "", depth)


def _check_item(item: Any, path: str, key: str | int, depth: int) -> None:
    kind = type(item)
    if kind is str:
        if not item.isascii():
            _check_text(item, f"{path}.{key}")
    elif kind is int:
        if not -LARGEST_INTEGER <= item <= LARGEST_INTEGER:
            raise NotCanonical(f"{path}.{key}: integer beyond 2^53 - 1")
    elif kind is dict or kind is list or kind is tuple:
        if depth >= DEEPEST:
            raise NotCanonical(f"{path}.{key}: nested deeper than {DEEPEST}")
        _check(item, f"{path}.{key}", depth + 1)
    elif item is not None and kind is not bool:
        raise NotCanonical(f"{path}.{key}: {kind.__name__} has no place in the log")


def _check_text(text: str, path: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise NotCanonical(f"{path}: lone surrogate") from None
    if not unicodedata.is_normalized("NFC", text):
        raise NotCanonical(f"{path}: text is not in Unicode NFC")
