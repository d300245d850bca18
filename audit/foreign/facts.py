"""A foreign case as the facts that audit.metrics computes of. Pure."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from audit.foreign.activations import Activation, Put, put_together
from audit.foreign.happenings import ForeignCase, Happening
from audit.metrics.facts import Act, CaseFacts, Passed, Since, Step
from audit.metrics.formulas import Formulas, Roles
from audit.metrics.places import Places

# What is kept as a dated act: the word of the happening -> the type of our entry for the same.
ACTS: Final = {
    "suspend": "pause.granted", "resume": "clock.resumed", "extend": "extension.granted",
    "object": "objection.raised", "list": "standing.listed", "reopen": "case.reopened",
    "rate": "result.rated", "order": "case.supervised", "answer": "supervision.answered",
}  # fmt: skip


def facts_of(case: ForeignCase, formulas: Formulas) -> CaseFacts:
    """What is left of a case for the metrics, as audit.metrics.fold makes it of entries."""
    roles, put = formulas.of(case.process), put_together(case)
    first = case.happenings[0]
    return CaseFacts(
        case=case.id,
        number=case.number,
        process=case.process,
        path=case.path,
        address=case.address,
        opened=first.at,
        opener=first.unit,
        source=case.source,
        told_by="",
        parent="",
        party=_party(put),
        imported=True,
        class_="",
        linked="",
        categories=(Since(first.at, case.category),),
        levels=tuple(_levels(case, put)),
        steps=tuple(_step(one, roles) for one in put.steps),
        acts=tuple(_acts(case, put)),
        passed=tuple(_passed(case, roles)),
        counted=(),
    )


def _party(put: Put) -> str:
    """Of a department's own case the department: the first that was given a step of it."""
    return next((unit for one in put.steps for unit in one.units), "")


def _levels(case: ForeignCase, put: Put) -> Iterator[Since]:
    if case.level:
        yield Since(case.happenings[0].at, case.level)
    for one in sorted(put.steps, key=lambda step: step.closed_seq):
        if one.how == "completed" and one.closed and one.said.get("level"):
            yield Since(one.closed, one.said["level"])


def _step(one: Activation, roles: Roles) -> Step:
    kept: dict[str, Any] = {name: one.said[name] for name in roles.answers if name in one.said}
    return Step(
        one.task, one.element, one.opened, one.opened_seq, one.units, tuple(one.settings),
        one.closed, one.closed_seq, one.how, one.unit, kept if one.how == "completed" else None,
    )  # fmt: skip


def _acts(case: ForeignCase, put: Put) -> Iterator[Act]:
    order = 0
    for seq, one in enumerate(case.happenings, 1):
        type_ = ACTS.get(one.what)
        if type_ is None:
            continue
        order = seq if one.what == "order" else order
        about = put.about.get(seq)
        of = order if one.what == "answer" else 0
        yield Act(seq, one.at, type_, about.task if about else "", _word(one), of)


def _word(one: Happening) -> str:
    return str(one.said.get("answer", "")) if one.what == "rate" else ""


def _passed(case: ForeignCase, roles: Roles) -> Iterator[Passed]:
    for one in case.happenings:
        if one.what == "end" and one.element in roles.marks:
            yield Passed(one.at, one.element)


def places_of(cases: Iterable[ForeignCase]) -> Places:
    """Of what kind each area is; the log's own words are the names."""
    kinds = {name: kind for case in cases for kind, name in case.areas if kind}
    return Places(kinds, {}, {})
