"""What may be deployed: every way in which a definition would fail, or lie, at run time.

Checks come in stages; a later stage takes for granted what an earlier one has made sure, so a
definition is judged as far as it can be understood.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from engine import lint_drawing, lint_flow, lint_rules
from engine.findings import Finding as Finding
from engine.lint_facts import Facts, finding, form_of, read_facts

STAGES: Final[tuple[tuple[Callable[[Facts], Iterator[Finding]], ...], ...]] = (
    (lint_drawing.constructs, lint_drawing.ids),
    (lint_drawing.process, lint_flow.arrows, lint_flow.scopes),
    (
        lint_drawing.lanes,
        lint_drawing.tasks,
        lint_drawing.names,
        lint_drawing.properties,
        lint_drawing.services,
        lint_drawing.sends,
        lint_drawing.events,
        lint_drawing.picture,
        lint_flow.gateways,
        lint_flow.reach,
        lint_flow.automatic_loops,
        lint_flow.parallel,
        lint_flow.prediction,
        lint_rules.expressions,
        lint_rules.deadlines,
        lint_rules.opening_form,
        lint_rules.decisions,
        lint_rules.names,
        lint_rules.outcomes,
        lint_rules.confidentiality,
    ),
)


def lint(files: Mapping[str, bytes]) -> list[Finding]:
    """Say what is wrong with a definition set, file name -> bytes; an empty list may be deployed.

    A .bpmn file may be judged alone; `not_checked` tells what that leaves open.
    """
    facts, findings = read_facts(files)
    if facts is None:
        return findings
    for stage in STAGES:
        found = list(dict.fromkeys(one for check in stage for one in check(facts)))
        if found:
            return found
    return []


def not_checked(files: Mapping[str, bytes]) -> list[Finding]:
    """What could not be judged because only the .bpmn file was given."""
    facts, _ = read_facts(files)
    if facts is None or not facts.alone:
        return []
    return list(_not_checked(facts))


def _not_checked(facts: Facts) -> Iterator[Finding]:
    for node in facts.diagram.nodes:
        if form_of(node):
            yield _note(node.id, f"forms/{form_of(node)}.json")
        if node.decision:
            yield _note(node.id, f"{node.decision}.dmn")
        if {"deadline", "window"} & set(node.properties) or node.event == "timer":
            yield _note(node.id, "deadlines.toml")


def _note(element: str, file: str) -> Finding:
    return finding(
        element, "not_checked", f"未检查：没有提供 {file}", f"not checked: {file} was not given"
    )
