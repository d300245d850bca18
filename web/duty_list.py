"""职责清单: which department answers for what, read from workflows/duty_list. Configuration."""

import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple


class Matter(NamedTuple):
    """What a department answers for: in words, and the categories it fits."""

    words: str
    chinese: str
    english: str
    categories: tuple[str, ...]


def matters_of(name: str) -> list[Matter]:
    """What the department of this name answers for, as far as the list says so."""
    return [matter for matter in duty_list() if matter.words in name]


@cache
def duty_list() -> tuple[Matter, ...]:
    """The list as shipped or replaced by the street."""
    text = files("workflows").joinpath("duty_list", "departments.toml").read_text(encoding="utf-8")
    return tuple(_matters(tomllib.loads(text)))


def _matters(table: dict[str, Any]) -> Iterator[Matter]:
    for row in table["rows"]:
        yield Matter(row["words"], row["matter"], row["matter_en"], tuple(row["categories"]))
