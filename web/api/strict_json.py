"""JSON as the log knows it: what it could not record is refused before anybody reads it.

No key twice, no fraction, no number beyond 2**53, nothing deeper than the log goes, no character
that a database cannot keep. Text is brought into NFC.
"""

import json
import re
import unicodedata
from collections.abc import Iterable
from typing import Any, Final

from flask import Request

from audit.encoding import DEEPEST, LARGEST_INTEGER
from engine.errors import BadInput

# What may follow a backslash inside a string is not looked at: brackets count outside strings only.
_STRUCTURE: Final = re.compile(r'"(?:[^"\\]|\\.)*"?|[\[\]{}]', re.DOTALL)
_UNFIT: Final = re.compile("[\x00\ud800-\udfff]")


class BadJSON(BadInput):
    """What was sent is no JSON that could be recorded."""

    def __init__(self, chinese: str, english: str) -> None:
        super().__init__(f"请求内容不是可用的 JSON：{chinese}。", f"No usable JSON: {english}.")


class Strict:
    """Takes the place of Flask's JSON for what comes in."""

    @staticmethod
    def loads(data: str | bytes, **_kwargs: Any) -> dict[str, Any]:
        """The text of an object as its values; raises BadJSON."""
        return read(data)


class StrictRequest(Request):
    """A request whose JSON is read strictly."""

    @property  # type: ignore[override]  # Flask sets it as an attribute
    def json_module(self) -> type[Strict]:
        """Whatever the application says it should be."""
        return Strict

    @json_module.setter
    def json_module(self, _given: object) -> None:
        """Flask gives every request the JSON it writes answers with."""


def read(data: str | bytes) -> dict[str, Any]:
    """The text (UTF-8) of an object as its values; raises BadJSON."""
    try:
        text = data.decode("utf-8") if isinstance(data, bytes) else data
        _check_depth(text)
        told = json.loads(
            text,
            object_pairs_hook=_object,
            parse_int=_integer,
            parse_float=_refused_number,
            parse_constant=_refused_number,
        )
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise BadJSON("写法有误，或不是 UTF-8", f"malformed, or not UTF-8 ({error})") from None
    if not isinstance(told, dict):
        raise BadJSON("应是一个对象", "it has to be an object")
    return {name: _fit(value) for name, value in told.items()}


def _check_depth(text: str) -> None:
    depth = 0
    for found in _STRUCTURE.finditer(text):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(found[0], 0)
        if depth > DEEPEST:
            raise BadJSON(f"嵌套超过 {DEEPEST} 层", f"nested deeper than {DEEPEST}")


def _object(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for name, value in pairs:
        key = _text(name)
        if key in told:
            raise BadJSON(f"“{key[:40]}”写了两次", f"the key {key[:40]!r} is there twice")
        told[key] = value
    return told


def _fit(value: Any) -> Any:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, dict):
        return {name: _fit(one) for name, one in value.items()}
    return [_fit(one) for one in value] if isinstance(value, list) else value


def _text(text: str) -> str:
    if _UNFIT.search(text):
        raise BadJSON("文字里有空字符或不完整的字符", "text with NUL or half a character")
    return unicodedata.normalize("NFC", text)


def _integer(digits: str) -> int:
    # Thousands of digits would cost a square of that to read.
    if len(digits) > 17 or abs(int(digits)) > LARGEST_INTEGER:
        raise BadJSON("数字太大", "a number beyond 2**53")
    return int(digits)


def _refused_number(text: str) -> Any:
    raise BadJSON(f"只收整数，不收 {text[:20]}", f"whole numbers only, not {text[:20]}")
