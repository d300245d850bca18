"""The rules as they are written down: names, words, numbers, and which steps they mean.

One versioned file (workflows/signals/rules.toml); its hash stands beside everything found by it.
"""

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from audit.whole_numbers import whole, wholes

# Of each rule: what it must say of itself; everything else is a number.
_WORDS: Final = (
    "name", "name_en", "says", "says_en", "asks", "asks_en", "innocent", "innocent_en",
)  # fmt: skip


class BadRules(ValueError):
    """The file of rules cannot be read, or lacks something."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: `B1` …; `says` with its numbers filled in; numbers: whole, by name.

    asks: what whoever looks into a signal is asked. innocent: how it may well be nothing. lists:
    words that are meant, by name (categories, processes).
    """

    id: str
    name: str
    name_en: str
    says: str
    says_en: str
    asks: str
    asks_en: str
    innocent: str
    innocent_en: str
    numbers: Mapping[str, int]
    lists: Mapping[str, frozenset[str]]

    def __getitem__(self, name: str) -> int:
        return self.numbers[name]


@dataclass(frozen=True, slots=True)
class Steps:
    """Which elements of one process play which role: `confirm`, `rectify`, `accept` …

    claims: fields of forms in which somebody says when something happened -> by how many minutes
    that may precede the record. names: elements (`report` is the opening) -> fields of their forms
    that name units and persons the case is about.
    """

    roles: Mapping[str, frozenset[str]]
    claims: Mapping[str, int]
    names: Mapping[str, tuple[str, ...]]

    def plays(self, element: str, role: str) -> bool:
        """Whether an element has this role."""
        return element in self.roles.get(role, frozenset())


NO_STEPS: Final = Steps({}, {}, {})


@dataclass(frozen=True, slots=True)
class Rules:
    """All rules of one version, by id; steps by process. sha256: of the file, hex."""

    version: int
    sha256: str
    rules: Mapping[str, Rule]
    steps: Mapping[str, Steps]

    def __getitem__(self, rule: str) -> Rule:
        return self.rules[rule]

    def of(self, process: str) -> Steps:
        """The steps of a process; none for one the rules do not know."""
        return self.steps.get(process, NO_STEPS)


def read_rules(toml: bytes) -> Rules:
    """Read a file of rules (workflows/signals/rules.toml shows the format). Raises BadRules."""
    try:
        told = tomllib.loads(toml.decode())
        return Rules(
            whole(told, "version"),
            hashlib.sha256(toml).hexdigest(),
            {name: _rule(name, one) for name, one in told["rules"].items()},
            {process: _steps(one) for process, one in told["steps"].items()},
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadRules(f"the file of rules is wrong: {error}") from None


def _rule(name: str, told: Mapping[str, Any]) -> Rule:
    lists = {key: frozenset(map(str, one)) for key, one in told.items() if isinstance(one, list)}
    numbers = {key: whole(told, key) for key in told if key not in _WORDS and key not in lists}
    words = {word: str(told[word]).format(**numbers) for word in _WORDS}
    return Rule(id=name, numbers=numbers, lists=lists, **words)


def _steps(told: Mapping[str, Any]) -> Steps:
    apart = ("claims", "names")
    roles = {role: frozenset(ids) for role, ids in told.items() if role not in apart}
    names = {str(element): tuple(fields) for element, fields in told.get("names", {}).items()}
    return Steps(roles, wholes(told.get("claims", {})), names)
