"""The formulas' file: which elements play which part, weights and numbers, under one version.

Its SHA-256 stands beside everything that was computed by it (workflows/metrics/formulas.toml).
"""

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from audit.whole_numbers import whole, wholes


class BadFormulas(ValueError):
    """The file of formulas cannot be read, or lacks something."""


@dataclass(frozen=True, slots=True)
class Roles:
    """Of one process: role -> its elements, and what of a case is kept.

    answers: fields of forms. marks: elements whose being passed is kept. class_: the field of the
    opening form that says of which class a case is; "" = its category. confidential: its figures
    are told only where none of them is small.
    """

    roles: Mapping[str, frozenset[str]]
    answers: frozenset[str]
    marks: frozenset[str]
    class_: str
    confidential: bool

    def __getitem__(self, role: str) -> frozenset[str]:
        return self.roles.get(role, frozenset())


NO_ROLES: Final = Roles({}, frozenset(), frozenset(), "", False)


@dataclass(frozen=True, slots=True)
class Formulas:
    """All of one version. sha256: of the file, hex. levels: what a day overdue weighs."""

    version: int
    sha256: str
    weights: Mapping[str, int]
    levels: Mapping[str, int]
    numbers: Mapping[str, int]
    processes: Mapping[str, Roles]

    def of(self, process: str) -> Roles:
        """The roles of a process; none for one the formulas do not know."""
        return self.processes.get(process, NO_ROLES)


def read_formulas(toml: bytes) -> Formulas:
    """Read the file (workflows/metrics/formulas.toml shows the format). Raises BadFormulas."""
    try:
        told = tomllib.loads(toml.decode())
        return Formulas(
            whole(told, "version"),
            hashlib.sha256(toml).hexdigest(),
            wholes(told["weights"]),
            wholes(told["levels"]),
            wholes(told["numbers"]),
            {process: _roles(one) for process, one in told["processes"].items()},
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadFormulas(f"the file of formulas is wrong: {error}") from None


def _roles(told: Mapping[str, Any]) -> Roles:
    return Roles(
        {role: _names(elements) for role, elements in told["roles"].items()},
        _names(told["answers"]),
        _names(told["marks"]),
        str(told.get("class", "")),
        told.get("confidential", False) is True,
    )


def _names(told: Any) -> frozenset[str]:
    if type(told) is not list or not all(type(one) is str for one in told):
        raise ValueError(f"{told!r} is no list of names")
    return frozenset(told)
