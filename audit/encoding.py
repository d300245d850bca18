"""Canonical bytes: RFC 8785 (JCS) in a restricted profile, so that one value has one encoding.

The profile: ASCII keys, no floats, |integer| < 2**53, strings in Unicode NFC without lone
surrogates, times as UTC RFC 3339 strings with milliseconds. Within it orjson with sorted keys
writes the same bytes as an RFC 8785 encoder; outside it they differ, so what is outside is refused.
"""

import unicodedata
from datetime import UTC, datetime
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
    return at.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def instant(text: str) -> datetime:
    """Read what `timestamp` wrote; raises ValueError for any other form."""
    at = datetime.fromisoformat(text)
    if at.tzinfo is None or timestamp(at) != text:
        raise ValueError(f"not a canonical time: {text}")
    return at


def _check(value: Any, path: str, depth: int) -> None:
    if depth > DEEPEST:
        raise NotCanonical(f"{path}: nested deeper than {DEEPEST}")
    if value is None or value is True or value is False:
        return
    kind = type(value)
    if kind is str:
        _check_text(value, path)
    elif kind is int:
        if not -LARGEST_INTEGER <= value <= LARGEST_INTEGER:
            raise NotCanonical(f"{path}: integer beyond 2^53 - 1")
    elif kind is dict:
        for key, item in value.items():
            # JCS sorts keys by UTF-16 units and orjson by UTF-8 bytes: they agree on ASCII only.
            if type(key) is not str or not key.isascii():
                raise NotCanonical(f"{path}: key {key!r} is not ASCII")
            _check(item, f"{path}.{key}", depth + 1)
    elif kind is list or kind is tuple:
        for index, item in enumerate(value):
            _check(item, f"{path}[{index}]", depth + 1)
    else:
        raise NotCanonical(f"{path}: {kind.__name__} has no place in the log")


def _check_text(text: str, path: str) -> None:
    if text.isascii():
        return
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise NotCanonical(f"{path}: lone surrogate")
    if not unicodedata.is_normalized("NFC", text):
        raise NotCanonical(f"{path}: text is not in Unicode NFC")
