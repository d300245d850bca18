"""Whole numbers of a file of rules, formulas or weights, from 0 on."""

from collections.abc import Mapping
from typing import Any


def whole(told: Mapping[str, Any], name: str) -> int:
    """The whole number of this name; raises KeyError, and ValueError for anything else."""
    value = told[name]
    if type(value) is not int or value < 0:
        raise ValueError(f"{name} = {value!r} is no whole number")
    return value


def wholes(told: Mapping[str, Any]) -> dict[str, int]:
    """A table of nothing but whole numbers; raises ValueError."""
    return {name: whole(told, name) for name in told}
