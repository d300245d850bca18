"""What a definition set says, file by file and with every fault kept, for `engine.lint`."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from engine.deadline_classes import DeadlineClass, read_deadlines
from engine.decisions import Decision, read_decision
from engine.definitions import OPENING_FORM, form_key, process_file, read_payload, read_texts
from engine.diagram import Arrow, Diagram, Node, read_diagram
from engine.errors import BadInput
from engine.expressions import BadExpression, Expression, Path, compile_expression
from engine.findings import Finding
from engine.forms import Form, read_form

# What is known of a case besides the routing fields of its opening form.
CASE_FACTS: Final = {
    "source": "string",
    "category": "string",
    "concluded": "boolean",
    "party": "string",
    "opener": "string",
    "street": "string",
    "district": "string",
    "place": "string",
}
EACH: Final = ("each",)  # in a send to many, what each is sent for
COUNTS: Final = frozenset({"count", "open"})  # what is known of the children a send has opened


FILE_NAME: Final = re.compile(
    r"[a-z0-9_]{1,60}\.(?:bpmn|dmn)|deadlines\.toml|texts\.toml|forms/[a-z0-9_]{1,60}\.json"
)


@dataclass(frozen=True, slots=True)
class Facts:
    """A set as read. alone = only the .bpmn was given, so what others say is not known."""

    diagram: Diagram
    alone: bool
    stem: str
    forms: Mapping[str, Form]
    decisions: Mapping[str, Decision]
    classes: Mapping[str, DeadlineClass]

    def nodes(self, *kinds: str) -> Iterator[Node]:
        """The nodes of some kinds, in document order."""
        return (node for node in self.diagram.nodes if node.kind in kinds)

    def node(self, id_: str | None) -> Node | None:
        """The node of this id, or None."""
        return next((node for node in self.diagram.nodes if node.id == id_), None)


@dataclass(frozen=True, slots=True)
class Written:
    """An expression of the drawing, where it stands (an id) and what it is for."""

    element: str
    use: str
    text: str


@dataclass(frozen=True, slots=True)
class Known:
    """What an expression can read at a path: its type, and its values if they are listed.

    certain = there is a value whenever the element has been done. routing = may be read at all.
    """

    type: str
    values: tuple[Any, ...] | None
    certain: bool
    routing: bool


def read_facts(files: Mapping[str, bytes]) -> tuple[Facts | None, list[Finding]]:
    """Read a set; the facts are None if there is no diagram to speak of."""
    findings: list[Finding] = []
    read = partial(_read, findings)
    name = read("", process_file, files)
    diagram = read(name, read_diagram, files[name]) if name else None
    forms = {form_key(n): read(n, read_form, files[n]) for n in _named(files, ".json")}
    tables = [read(n, read_decision, files[n]) for n in _named(files, ".dmn")]
    classes = read("deadlines.toml", read_deadlines, files.get("deadlines.toml", b"version = 1"))
    read("texts.toml", read_texts, files)
    findings.extend(_unknown_files(files))
    findings.extend(_decision_ids(tables))
    if diagram is None or findings:
        return None, findings
    return Facts(
        diagram=diagram,
        alone=len(files) == 1,
        stem=name.removesuffix(".bpmn"),
        forms=forms,
        decisions={table.id: table for table in tables},
        classes=classes,
    ), findings


def _read(findings: list[Finding], name: str, reader: Any, content: Any) -> Any:
    try:
        return reader(content)
    except BadInput as refused:
        rule = f"{type(refused).__name__.removeprefix('Bad').lower()}_file"
        findings.append(Finding(name, rule, refused.chinese, refused.english))
        return None


def _named(files: Mapping[str, bytes], ending: str) -> list[str]:
    return sorted(name for name in files if name.endswith(ending))


def _unknown_files(files: Mapping[str, bytes]) -> Iterator[Finding]:
    for name in sorted(files):
        if not FILE_NAME.fullmatch(name):
            shown = "".join(c if c.isprintable() else "�" for c in name[:60])
            yield Finding(
                shown,
                "unknown_file",
                f"流程定义里不应有文件 {shown}。",
                f"The file {shown} is no part of a definition.",
            )


def _decision_ids(tables: list[Decision | None]) -> Iterator[Finding]:
    for id_, count in Counter(table.id for table in tables if table).items():
        if count > 1:
            yield finding(
                id_, "duplicate_id", "有两张规则表用了这个 id", "is the id of two decisions"
            )


# --- expressions ------------------------------

EXPRESSION_PROPERTIES: Final = {
    "deadline": "userTask",
    "holder": "userTask",
    "separateFrom": "userTask",
    "separateUnitFrom": "userTask",
    "perMille": "serviceTask",
    "each": "sendTask",
}


def written(facts: Facts) -> Iterator[Written]:
    """Every expression of the drawing, in document order."""
    for lane in facts.diagram.lanes:
        scope = lane.properties.get("scope", "")
        if scope.startswith("unit:"):
            yield Written(lane.id, "unit", scope.removeprefix("unit:"))
    for node in facts.diagram.nodes:
        for name, kind in EXPRESSION_PROPERTIES.items():
            if node.kind == kind and name in node.properties:
                yield Written(node.id, name, node.properties[name])
        if node.kind == "sendTask":
            _, _, case = node.properties.get("to", "").partition("case:")
            texts = [text for _, text in read_payload(node.properties)]
            yield from (Written(node.id, "payload", text) for text in filter(None, [case, *texts]))
        for time, text in node.times:
            if time == "timeDuration" and text != "overdue":
                yield Written(node.id, "timer", text)
    for arrow in facts.diagram.arrows:
        if arrow.condition is not None:
            yield Written(arrow.id, "condition", arrow.condition)


def compiled(text: str) -> Expression | None:
    """The expression, or None where it is not one (which has a finding of its own)."""
    try:
        return compile_expression(text)
    except BadExpression:
        return None


def known(facts: Facts, path: Path) -> Known | None:
    """What stands at `element.name`, or None if nothing ever does."""
    if path == EACH:
        return Known("string", None, True, True)
    if len(path) != 2:
        return None
    owner, name = path
    if owner == "case":
        return _known_case(facts, name)
    node = facts.node(owner)
    if node is None:
        return None
    if node.kind == "businessRuleTask":
        return _known_output(facts.decisions.get(node.decision or ""), name)
    if node.kind == "serviceTask":
        return Known("boolean", None, True, True) if name == "drawn" else None
    if node.kind == "sendTask":
        return Known("integer", None, False, True) if name in COUNTS else None
    if node.kind == "userTask" or node.event == "message":
        return _known_answer(facts, node, name)
    return None


def _known_case(facts: Facts, name: str) -> Known | None:
    if name in CASE_FACTS:
        return Known(CASE_FACTS[name], None, True, True)
    return _known_field(facts.forms.get(OPENING_FORM), name)


def _known_answer(facts: Facts, node: Node, name: str) -> Known | None:
    if name == "by":
        return Known("string", None, True, True)
    return _known_field(facts.forms.get(form_of(node)), name)


def form_of(node: Node) -> str:
    """The key of the form a node names, or an empty string."""
    return form_key(node.properties.get("formJsonSchemaFilename", ""))


def _known_field(form: Form | None, name: str) -> Known | None:
    field = form.field(name) if form else None
    if field is None:
        return None
    values = tuple(choice.value for choice in field.choices) or None
    return Known(field.type, values, field.required or field.required_when_shown, field.routing)


def _known_output(decision: Decision | None, name: str) -> Known | None:
    for at, output in enumerate(decision.outputs if decision else ()):
        if output.name == name and decision:
            values = tuple(dict.fromkeys(rule.results[at] for rule in decision.rules))
            return Known(output.type, values, True, True)
    return None


def finding(element: Node | Arrow | str, rule: str, chinese: str, english: str) -> Finding:
    """A finding about an element; the sentences begin with its id."""
    id_ = element if isinstance(element, str) else element.id
    shown = id_ or "（无 id）"
    return Finding(id_, rule, f"{shown}：{chinese}。", f"{shown}: {english}.")
