"""Facts and contributions as JSON, for whoever keeps them: equal ones give equal bytes."""

from collections.abc import Iterable
from dataclasses import fields
from datetime import datetime
from operator import attrgetter
from typing import Any, Final

import orjson

from audit.metrics.contributions import Contribution
from audit.metrics.facts import Act, CaseFacts, Passed, Setting, Since, Step
from audit.publication import Change

# Raised when what is kept is folded or written otherwise than before.
KEPT: Final = 2

_LISTS: Final = ("path", "categories", "levels", "steps", "acts", "passed", "counted")


_in_order: Final = attrgetter(*(one.name for one in fields(Contribution)))


def facts_to_json(case: CaseFacts) -> bytes:
    """Write the facts of a case."""
    return orjson.dumps(case, option=orjson.OPT_SORT_KEYS)


def facts_from_json(data: bytes) -> CaseFacts:
    """Read what `facts_to_json` wrote."""
    told = orjson.loads(data)
    plain = {name: value for name, value in told.items() if name not in _LISTS}
    return CaseFacts(
        **plain | {"opened": _at(told["opened"])},
        path=tuple(told["path"]),
        categories=tuple(Since(_at(one["at"]), one["value"]) for one in told["categories"]),
        levels=tuple(Since(_at(one["at"]), one["value"]) for one in told["levels"]),
        steps=tuple(_step(one) for one in told["steps"]),
        acts=tuple(Act(**one | {"at": _at(one["at"])}) for one in told["acts"]),
        passed=tuple(Passed(**one | {"at": _at(one["at"])}) for one in told["passed"]),
        counted=tuple(_change(one) for one in told["counted"]),
    )


def _step(told: dict[str, Any]) -> Step:
    closed, settings = told["closed"], told["settings"]
    return Step(
        **told
        | {
            "opened": _at(told["opened"]),
            "closed": closed and _at(closed),
            "units": tuple(told["units"]),
            "settings": tuple(map(_setting, settings)),
        }
    )


def _setting(told: dict[str, Any]) -> Setting:
    return Setting(_at(told["at"]), _at(told["due"]), told["why"], told["seq"])


def _change(told: dict[str, Any]) -> Change:
    since = told["since"]
    return Change(**told | {"at": _at(told["at"]), "since": since and _at(since)})


def rows_to_json(told: Iterable[Contribution]) -> bytes:
    """Write what was contributed to one metric."""
    return orjson.dumps(list(map(_in_order, told)))


def rows_from_json(data: bytes) -> list[Contribution]:
    """Read what `rows_to_json` wrote."""
    return [
        Contribution(case, tuple(path), category, tuple(had), _at(at), *rest)
        for case, path, category, had, at, *rest in orjson.loads(data)
    ]


def cases_to_json(told: Iterable[Contribution]) -> bytes:
    """Write which cases contributed anything, by where it happened."""
    cases: dict[tuple[str, ...], set[str]] = {}
    for one in told:
        cases.setdefault(one.path, set()).add(one.case)
    return orjson.dumps([(path, sorted(cases[path])) for path in sorted(cases)])


def cases_from_json(data: bytes, place: str) -> frozenset[str]:
    """Of what `cases_to_json` wrote the cases in a unit or below it."""
    here = (cases for path, cases in orjson.loads(data) if place in path)
    return frozenset(case for cases in here for case in cases)


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)
