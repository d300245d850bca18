"""Files of maps, TOML held against a schema: how other systems' files are to be read."""

import tomllib
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from jsonschema import Draft202012Validator

from engine.errors import BadInput

# What refuses a map: the place in it, and what is wrong there in Chinese and English.
Refused = Callable[[str, str, str], BadInput]


def closed(needed: str, **properties: Any) -> dict[str, Any]:
    """The JSON Schema of a table with these entries and no others. needed: names, by spaces."""
    return {
        "type": "object",
        "properties": properties,
        "required": needed.split(),
        "additionalProperties": False,
    }


def read_toml(data: bytes, schema: Mapping[str, Any], refused: Refused) -> dict[str, Any]:
    """The file, as the schema has it; raises `refused` for the first place that is wrong."""
    try:
        told = tomllib.loads(data.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise refused("TOML", "不是有效的 TOML", f"not TOML: {error}") from None
    for fault in Draft202012Validator(schema).iter_errors(told):
        where = ".".join(map(str, fault.absolute_path)) or "TOML"
        raise refused(where, "缺项、多项或写法不符", fault.message)
    return told


def wanted_cells(told: Mapping[str, str | Sequence[str]]) -> dict[str, frozenset[str]]:
    """By column the cells a rule is for, told as one or as several."""
    return {
        column: frozenset([values] if isinstance(values, str) else values)
        for column, values in told.items()
    }


def zone_named(name: str, where: str, refused: Refused) -> ZoneInfo:
    """The time zone of this name; raises `refused`."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise refused(where, "没有这个时区", "no such time zone") from None
