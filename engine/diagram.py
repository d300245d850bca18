"""A BPMN file as plain facts: what is drawn, with every expression still as text.

Reading never judges: what the product does not build is listed in `strange`, what would run code in
`scripts`, and `engine.lint` has the words for both. Element names are those of BPMN 2.0.2
(OMG formal/2013-12-09); properties are SpiffWorkflow's `spiffworkflow:properties` extension.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from lxml import etree

from engine.errors import BadInput
from engine.hardened import hardened_xml

BPMN = "http://www.omg.org/spec/BPMN/20100524/MODEL"
DI = "http://www.omg.org/spec/BPMN/20100524/DI"
SPIFF = "http://spiffworkflow.org/bpmn/schema/1.0/core"
XSI = "http://www.w3.org/2001/XMLSchema-instance"

NODES = frozenset(
    {
        "startEvent",
        "endEvent",
        "intermediateCatchEvent",
        "boundaryEvent",
        "userTask",
        "businessRuleTask",
        "serviceTask",
        "sendTask",
        "exclusiveGateway",
        "parallelGateway",
        "subProcess",
    }
)
EVENTS = {
    "timerEventDefinition": "timer",
    "messageEventDefinition": "message",
    "terminateEventDefinition": "terminate",
}
TIMES = frozenset({"timeDuration", "timeDate", "timeCycle"})

# Everything else that may stand in a file: structure, references and remarks.
PARTS = frozenset(
    {
        "definitions",
        "collaboration",
        "participant",
        "process",
        "message",
        "laneSet",
        "lane",
        "flowNodeRef",
        "sequenceFlow",
        "conditionExpression",
        "incoming",
        "outgoing",
        "extensionElements",
        "documentation",
        "textAnnotation",
        "text",
        "association",
    }
)
KNOWN = NODES | PARTS | TIMES | frozenset(EVENTS)
EXTENSIONS = frozenset({"properties", "property", "calledDecisionId"})
SCRIPTS = frozenset({"scriptTask", "script", "preScript", "postScript"})
SCRIPT_WORDS = ("listener", "script", "expression", "class", "delegate", "inputoutput", "connector")

# Attributes that mean something to us, then those that may stand as long as they say the default.
ATTRIBUTES = frozenset(
    {
        "id",
        "name",
        "sourceRef",
        "targetRef",
        "default",
        "attachedToRef",
        "cancelActivity",
        "messageRef",
        "processRef",
        "isExecutable",
        "gatewayDirection",
        "processType",
        "textFormat",
        "associationDirection",
        f"{{{XSI}}}type",
    }
)
DEFAULTS = {
    "isForCompensation": "false",
    "startQuantity": "1",
    "completionQuantity": "1",
    "triggeredByEvent": "false",
    "parallelMultiple": "false",
    "isInterrupting": "true",
    "isClosed": "false",
    "implementation": "##unspecified",
}


class BadDiagram(BadInput):
    """The file is XML, but not one BPMN process."""


@dataclass(frozen=True, slots=True)
class Node:
    """A task, event, gateway or sub-process; `parent` is the sub-process around it.

    event: timer, message, terminate, several, or None. times: (element name, text) of its clock.
    """

    id: str
    kind: str
    name: str
    parent: str | None
    lane: str | None
    properties: Mapping[str, str]
    event: str | None
    times: tuple[tuple[str, str], ...]
    message: str | None
    attached_to: str | None
    interrupting: bool
    default: str | None
    decision: str | None


@dataclass(frozen=True, slots=True)
class Arrow:
    """A sequence flow; `condition` is the text of its expression."""

    id: str
    name: str
    parent: str | None
    source: str
    target: str
    condition: str | None


@dataclass(frozen=True, slots=True)
class Band:
    """A lane as drawn; `members` are the ids its flowNodeRefs name."""

    id: str
    name: str
    properties: Mapping[str, str]
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Strange:
    """Something not read: where it stands (the nearest id) and the word for it."""

    element: str
    what: str


@dataclass(frozen=True, slots=True)
class Diagram:
    """One process as drawn; `ids` has every id of the process part, in document order."""

    key: str
    name: str
    executable: bool
    properties: Mapping[str, str]
    lanes: tuple[Band, ...]
    nodes: tuple[Node, ...]
    arrows: tuple[Arrow, ...]
    strange: tuple[Strange, ...]
    scripts: tuple[Strange, ...]
    ids: tuple[str, ...]
    drawn: frozenset[str]


def read_diagram(document: bytes) -> Diagram:
    """Read a BPMN file holding one process; raises BadXml, BadDiagram."""
    root = hardened_xml(document)
    if root.tag != f"{{{BPMN}}}definitions":
        raise BadDiagram("这不是 BPMN 2.0 文件。", "This is not a BPMN 2.0 file.")
    processes = root.findall(f"{{{BPMN}}}process")
    if len(processes) != 1:
        raise BadDiagram("一个文件应恰有一个流程。", "A file must hold exactly one process.")
    return _diagram(root, processes[0])


def _diagram(root: etree._Element, process: etree._Element) -> Diagram:
    model = list(_model(root))
    messages = {e.get("id"): e.get("name", "") for e in root.findall(f"{{{BPMN}}}message")}
    lanes = [e for e in model if _is(e, "lane")]
    bands = tuple(map(_band, lanes))
    lane_of = {member: band.id for band in bands for member in band.members}
    return Diagram(
        key=process.get("id", ""),
        name=process.get("name", ""),
        executable=process.get("isExecutable") == "true",
        properties=_properties(process),
        lanes=bands,
        nodes=tuple(_node(e, lane_of, messages) for e in model if _local(e) in NODES),
        arrows=tuple(_arrow(e) for e in model if _is(e, "sequenceFlow")),
        strange=tuple(_strange(model)),
        scripts=tuple(_scripts(model)),
        ids=tuple(e.get("id", "") for e in model if e.get("id") is not None),
        drawn=frozenset(_drawn(root)),
    )


def _model(root: etree._Element) -> Iterator[etree._Element]:
    """Every element but those of the picture."""
    yield root
    for child in root:
        if _namespace(child) != DI:
            yield from child.iter()


def _band(element: etree._Element) -> Band:
    members = tuple(_text(ref) for ref in element if _is(ref, "flowNodeRef"))
    return Band(element.get("id", ""), element.get("name", ""), _properties(element), members)


def _node(
    element: etree._Element, lane_of: Mapping[str, str], messages: Mapping[str | None, str]
) -> Node:
    definitions = [child for child in element if _local(child) in EVENTS]
    definition = definitions[0] if definitions else None
    parent = _parent(element)
    return Node(
        id=element.get("id", ""),
        kind=_local(element),
        name=element.get("name", ""),
        parent=parent,
        # What is drawn inside a sub-process stands in the sub-process's lane unless it says other.
        lane=lane_of.get(element.get("id", "")) or lane_of.get(parent or ""),
        properties=_properties(element),
        event=_event(definitions),
        times=() if definition is None else tuple((_local(t), _text(t)) for t in definition),
        message=None if definition is None else messages.get(definition.get("messageRef")),
        attached_to=element.get("attachedToRef"),
        interrupting=element.get("cancelActivity") != "false",
        default=element.get("default"),
        decision=_decision(element),
    )


def _event(definitions: list[etree._Element]) -> str | None:
    if len(definitions) > 1:
        return "several"
    return EVENTS[_local(definitions[0])] if definitions else None


def _arrow(element: etree._Element) -> Arrow:
    condition = element.find(f"{{{BPMN}}}conditionExpression")
    return Arrow(
        id=element.get("id", ""),
        name=element.get("name", ""),
        parent=_parent(element),
        source=element.get("sourceRef", ""),
        target=element.get("targetRef", ""),
        condition=None if condition is None else _text(condition),
    )


def _parent(element: etree._Element) -> str | None:
    parent = element.getparent()
    return parent.get("id", "") if parent is not None and _is(parent, "subProcess") else None


def _properties(element: etree._Element) -> dict[str, str]:
    path = f"{{{BPMN}}}extensionElements/{{{SPIFF}}}properties/{{{SPIFF}}}property"
    # A name that stands twice is told by _strange; here the first counts.
    found = reversed(element.findall(path))
    return {p.get("name", ""): p.get("value", "").strip() for p in found}


def _decision(element: etree._Element) -> str | None:
    called = element.find(f"{{{BPMN}}}extensionElements/{{{SPIFF}}}calledDecisionId")
    return None if called is None else _text(called)


def _drawn(root: etree._Element) -> Iterator[str]:
    """Ids with a shape that has bounds, or an edge that has two way points."""
    for element in root.iter(f"{{{DI}}}BPMNShape", f"{{{DI}}}BPMNEdge"):
        parts = [_local(child) for child in element]
        if "Bounds" in parts or parts.count("waypoint") >= 2:
            yield element.get("bpmnElement", "")


# --- what is not read ---------------------------------------------------------------------------


def _strange(model: list[etree._Element]) -> Iterator[Strange]:
    for element in model:
        if _is_script(element):
            continue
        if not _is_known(element):
            yield Strange(_nearest_id(element), _local(element))
            continue
        yield from _twice(element)
        for name, value in element.attrib.items():
            if not _is_script_attribute(str(name)) and not _is_plain(
                element, str(name), str(value)
            ):
                yield Strange(_nearest_id(element), f"@{etree.QName(name).localname}")


def _twice(element: etree._Element) -> Iterator[Strange]:
    """Two properties of one name, two documents to two readers."""
    if _local(element) == "properties":
        names = [child.get("name", "") for child in element]
        for name in sorted({name for name in names if names.count(name) > 1}):
            yield Strange(_nearest_id(element), f"property {name} ×{names.count(name)}")


def _is_known(element: etree._Element) -> bool:
    if _namespace(element) == SPIFF:
        return _local(element) in EXTENSIONS
    return _is_bpmn(element) and _local(element) in KNOWN


def _is_plain(element: etree._Element, name: str, value: str) -> bool:
    if _namespace(element) == SPIFF or _is(element, "definitions"):
        own = not name.startswith("{") or name.startswith(f"{{{XSI}}}")
        return own and name != "expressionLanguage"
    return name in ATTRIBUTES or DEFAULTS.get(name) == value


def _scripts(model: list[etree._Element]) -> Iterator[Strange]:
    for element in model:
        if _is_script(element):
            yield Strange(_nearest_id(element), _local(element))
        for name in element.attrib:
            if _is_script_attribute(str(name)):
                yield Strange(_nearest_id(element), f"@{etree.QName(name).localname}")


def _is_script(element: etree._Element) -> bool:
    if _local(element) in SCRIPTS:
        return True
    foreign = _namespace(element) not in (BPMN, DI)
    return foreign and _speaks_of_scripts(_local(element))


def _is_script_attribute(name: str) -> bool:
    # camunda:class, camunda:expression, camunda:delegateExpression, activiti:… and scriptFormat
    return name == "scriptFormat" or (
        name.startswith("{")
        and not name.startswith(f"{{{XSI}}}")
        and _speaks_of_scripts(str(etree.QName(name).localname))
    )


def _speaks_of_scripts(local: str) -> bool:
    return any(word in local.lower() for word in SCRIPT_WORDS)


def _nearest_id(element: etree._Element) -> str:
    at: etree._Element | None = element
    while at is not None and at.get("id") is None:
        at = at.getparent()
    return "" if at is None else at.get("id", "")


# --- small readings of lxml ---------------------------------------------------------------------


def _local(element: etree._Element) -> str:
    return str(etree.QName(element).localname)


def _namespace(element: etree._Element) -> str:
    return str(etree.QName(element).namespace or "")


def _is_bpmn(element: etree._Element) -> bool:
    return _namespace(element) == BPMN


def _is(element: etree._Element, local: str) -> bool:
    return bool(element.tag == f"{{{BPMN}}}{local}")


def _text(element: etree._Element) -> str:
    return (element.text or "").strip()
