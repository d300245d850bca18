"""Definition sets: all that a process is made of, pinned by one hash, read without running it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from audit.pinned import listing_digest, sha256
from engine.deadline_classes import DeadlineClass as DeadlineClass
from engine.deadline_classes import read_deadlines, read_toml
from engine.decisions import Decision, read_decision
from engine.diagram import Arrow, Band, Diagram, Node, read_diagram
from engine.errors import BadInput
from engine.expressions import Expression, compile_expression
from engine.forms import Form, read_form
from engine.hardened import hardened_xml as hardened_xml

ALIKE_DAYS = 30  # processes.md H1: a hazard open or closed within 30 days may be the same one
BY_CASES = "case"  # openedBy of a process that people do not begin
OPENING_FORM = "report"  # what is asked when a case is opened; its routing fields read as case.…

# What a case may tell itself: machine work that looks outside it, and what the payload must say.
REVEAL_ANSWERS, ATTACH_EXTRACT = "reveal.answers", "extract.attached"
TOLD_ITSELF = MappingProxyType({REVEAL_ANSWERS: "of", ATTACH_EXTRACT: "case"})

T = TypeVar("T", bound=Any)


class BadDefinition(BadInput):
    """The files do not make a process that could be run."""


@dataclass(frozen=True, slots=True)
class Lane:
    """Who does what is in it: a duty, held in a unit of the scope.

    scope: `place`, `street`, `lot`, `opener` (the unit of whoever opened the case), or
    `unit:<expression>` with the expression in `unit`.
    """

    id: str
    name: str
    name_en: str
    duty: str
    scope: str
    unit: Expression | None


@dataclass(frozen=True, slots=True)
class Element:
    """A node as drawn; kind = its BPMN name, event = timer, message, terminate or None.

    parent: the sub-process around it. incoming, outgoing: ids of sequence flows.
    """

    id: str
    kind: str
    name: str
    name_en: str
    lane: str | None
    parent: str | None
    attached_to: str | None
    interrupting: bool
    event: str | None
    incoming: tuple[str, ...]
    outgoing: tuple[str, ...]
    properties: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Flow:
    """A sequence flow; the default flow of a gateway has no condition."""

    id: str
    name: str
    source: str
    target: str
    condition: Expression | None


@dataclass(frozen=True, slots=True)
class Gateway:
    """An exclusive gateway: the first flow whose condition holds, else the default (a flow id)."""

    id: str
    name: str
    default: str | None
    flows: tuple[Flow, ...]


@dataclass(frozen=True, slots=True)
class UserTask:
    """A step that a person does; `form` is a key of the definition's forms.

    proof: `site_code` where completing it takes the code shown on the spot, `handed_over` where
    what its form says has to have been handed over. reads: whoever holds it may read what is sealed
    as content. extensions, extension_days: how often and by how much at most its time may be
    extended, where that is less than usual. same_as: only whoever last completed that element may
    do it, in person. proxy: it may be typed for a colleague who says it (代录).
    """

    id: str
    name: str
    name_en: str
    verb: str
    verb_en: str
    form: str
    capacity: str
    lane: str
    deadline: Expression | None
    holder: Expression | None
    separate_from: Expression | None
    separate_unit_from: Expression | None
    duty5: str | None
    proof: str | None = None
    reads: bool = False
    same_as: str | None = None
    proxy: bool = False
    extensions: int | None = None
    extension_days: int | None = None


@dataclass(frozen=True, slots=True)
class Timer:
    """A clock as drawn; `expression` gives a deadline class, None = the host task is overdue."""

    id: str
    name: str
    attached_to: str | None
    interrupting: bool
    expression: Expression | None


@dataclass(frozen=True, slots=True)
class Message:
    """A verb the process waits for; `message` is the command's name, or has a dot in it.

    One with a dot comes from another case. by: element whose last completer may send it. window:
    deadline class, from the task's opening. join: the send whose children have all to have ended.
    """

    id: str
    name: str
    message: str
    attached_to: str | None
    interrupting: bool
    by: str | None
    window: str | None
    form: str | None
    join: str | None = None


@dataclass(frozen=True, slots=True)
class Send:
    """A machine step that tells other cases something, or opens them.

    to: `opens:<process>`, `parent`, `children:<send>`, `case` (with `case` giving its id), `self`.
    each: gives the parties, one child for each. payload: what is told, by name. joinable: the duty
    by which parties are added and removed while some are open.
    """

    id: str
    name: str
    message: str
    to: str
    case: Expression | None
    each: Expression | None
    payload: Mapping[str, Expression]
    joinable: str | None

    @property
    def opens(self) -> str | None:
        """The process of which this opens cases, or None."""
        return self.to.removeprefix("opens:") if self.to.startswith("opens:") else None


@dataclass(frozen=True, slots=True)
class Definition:
    """Everything the engine needs to know of a process; all mappings are by id."""

    key: str
    title: str
    title_en: str
    number_label: str
    digest: str
    start: str
    ends: tuple[str, ...]
    lanes: Mapping[str, Lane]
    elements: Mapping[str, Element]
    flows: Mapping[str, Flow]
    tasks: Mapping[str, UserTask]
    timers: Mapping[str, Timer]
    messages: Mapping[str, Message]
    gateways: Mapping[str, Gateway]
    rules: Mapping[str, Decision]
    lots: Mapping[str, Expression]
    sends: Mapping[str, Send]
    classes: Mapping[str, DeadlineClass]
    forms: Mapping[str, Form]
    texts: Mapping[str, Mapping[str, str]]
    properties: Mapping[str, str]
    bpmn: bytes
    files: Mapping[str, bytes]

    @property
    def confidential(self) -> bool:
        """Whether only those named on a case see it."""
        return self.properties.get("confidential") == "true"

    @property
    def proxy(self) -> bool:
        """Whether a case may be opened for a colleague who says it and does not type (代录)."""
        return self.properties.get("proxy") == "true"

    @property
    def started_by_complainant(self) -> bool:
        """Whether cases are opened by people who are nobody on the register, and no others."""
        return self.properties.get("startedBy") == "complainant"

    @property
    def started_by_resident(self) -> bool:
        """Whether a resident may open a case too, by a code they scanned."""
        return self.properties.get("startedBy") == "resident"

    @property
    def alike_days(self) -> int:
        """For how long after its end a case may still be about the same thing as a new one."""
        return _whole(self.properties.get("alikeDays")) or ALIKE_DAYS

    @property
    def opened_by(self) -> str | None:
        """The duty it takes to open a case, or None: any post. `case`: only other cases open it."""
        return self.properties.get("openedBy")

    @property
    def excluded(self) -> tuple[Expression, ...]:
        """What names the units and persons kept out of a case."""
        return tuple(map(compile_expression, self.properties.get("exclude", "").split()))


# --- files ------------------------------------------------------------------------------------


def read_folder(folder: Path) -> dict[str, bytes]:
    """Read a process folder into file name -> bytes; what is no part of a definition is left out.

    Parts are *.bpmn, *.dmn, deadlines.toml, texts.toml and forms/*.json; names use `/` everywhere.
    """
    found = [p for pattern in ("*.bpmn", "*.dmn", "deadlines.toml", "texts.toml", "forms/*.json")
             for p in sorted(folder.glob(pattern))]  # fmt: skip
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def digest(files: Mapping[str, bytes]) -> str:
    """The SHA-256 (hex) of a definition set: over one line `<sha256 hex>  <name>` LF per file.

    Lines are sorted by the UTF-8 bytes of the name, so it is what
    `sha256sum <names, sorted in the C locale> | sha256sum` prints.
    """
    return listing_digest({name: sha256(data) for name, data in files.items()})


def process_file(files: Mapping[str, bytes]) -> str:
    """The name of the one BPMN file of a set; raises BadDefinition."""
    names = [name for name in files if name.endswith(".bpmn")]
    if len(names) != 1:
        raise BadDefinition(
            "一套流程定义应恰有一个 .bpmn 文件。", "A set must hold exactly one .bpmn file."
        )
    return names[0]


# --- parsing ----------------------------------------------------------------------------------


def parse(files: Mapping[str, bytes]) -> Definition:
    """Read a set into a Definition; raises BadDefinition, or the BadInput of the file at fault.

    It stops at the first fault that leaves nothing to run; `engine.lint` finds them all, and what
    would run but lie. Sets from a database have passed it.
    """
    bpmn = files[process_file(files)]
    diagram = read_diagram(bpmn)
    decisions = read_decisions(files)
    forms = read_forms(files)
    return Definition(
        key=diagram.key,
        title=diagram.properties.get("title", diagram.name),
        title_en=diagram.properties.get("titleEn", ""),
        number_label=diagram.properties.get("numberLabel", ""),
        digest=digest(files),
        start=_start(diagram),
        ends=tuple(n.id for n in diagram.nodes if n.kind == "endEvent" and n.parent is None),
        lanes=_by_id(_lane(band) for band in diagram.lanes),
        elements=_by_id(_element(node, diagram.arrows) for node in diagram.nodes),
        flows=_by_id(map(_flow, diagram.arrows)),
        tasks=_by_id(_task(n, forms) for n in diagram.nodes if n.kind == "userTask"),
        timers=_by_id(_timer(n) for n in diagram.nodes if n.event == "timer"),
        messages=_by_id(_message(n, forms) for n in diagram.nodes if n.event == "message"),
        gateways=_by_id(
            _gateway(n, diagram.arrows) for n in diagram.nodes if n.kind == "exclusiveGateway"
        ),
        rules=MappingProxyType(_rules(diagram, decisions)),
        lots=MappingProxyType(_lots(diagram)),
        sends=_by_id(_send(n) for n in diagram.nodes if n.kind == "sendTask"),
        classes=MappingProxyType(read_deadlines(files.get("deadlines.toml", b"version = 1"))),
        forms=MappingProxyType(forms),
        texts=MappingProxyType(read_texts(files)),
        properties=MappingProxyType(dict(diagram.properties)),
        bpmn=bpmn,
        files=MappingProxyType(dict(files)),
    )


def read_forms(files: Mapping[str, bytes]) -> dict[str, Form]:
    """The forms of a set by name without folder and ending; raises BadForm."""
    names = [name for name in files if name.startswith("forms/") and name.endswith(".json")]
    return {form_key(name): read_form(files[name]) for name in sorted(names)}


def form_key(name: str) -> str:
    """The name of a form: `forms/confirm.json` and `confirm.json` are `confirm`."""
    return name.removeprefix("forms/").removesuffix(".json")


def read_decisions(files: Mapping[str, bytes]) -> dict[str, Decision]:
    """The decision tables of a set by decision id; raises BadDecision, BadXml."""
    read = [read_decision(files[name]) for name in sorted(files) if name.endswith(".dmn")]
    return {decision.id: decision for decision in read}


def read_texts(files: Mapping[str, bytes]) -> dict[str, Mapping[str, str]]:
    """The sentences of texts.toml: key -> {zh, en}; raises BadDefinition."""
    table = read_toml(files.get("texts.toml", b""))
    if table is None:
        raise BadDefinition("texts.toml 写法有误。", "texts.toml is not well formed.")
    texts = table.get("texts", {})
    if not isinstance(texts, dict) or not all(map(_is_text, texts.values())):
        raise BadDefinition(
            "texts.toml 的每条文字应有 zh 和 en。", "Each text of texts.toml needs zh and en."
        )
    return {key: MappingProxyType(value) for key, value in texts.items()}


def _is_text(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and set(value) == {"zh", "en"}
        and all(isinstance(words, str) for words in value.values())
    )


def _by_id(things: Iterable[T]) -> Mapping[str, T]:
    return MappingProxyType({thing.id: thing for thing in things})


def _start(diagram: Diagram) -> str:
    starts = [n.id for n in diagram.nodes if n.kind == "startEvent" and n.parent is None]
    if len(starts) != 1:
        raise BadDefinition("流程应恰有一个开始事件。", "A process needs exactly one start event.")
    return starts[0]


def _compiled(text: str | None) -> Expression | None:
    return compile_expression(text) if text else None


def _lane(band: Band) -> Lane:
    scope = band.properties.get("scope", "")
    return Lane(
        id=band.id,
        name=band.name,
        name_en=band.properties.get("nameEn", ""),
        duty=band.properties.get("duty", ""),
        scope=scope,
        unit=compile_expression(scope.removeprefix("unit:")) if scope.startswith("unit:") else None,
    )


def _element(node: Node, arrows: tuple[Arrow, ...]) -> Element:
    return Element(
        id=node.id,
        kind=node.kind,
        name=node.name,
        name_en=node.properties.get("nameEn", ""),
        lane=node.lane,
        parent=node.parent,
        attached_to=node.attached_to,
        interrupting=node.interrupting,
        event=node.event,
        incoming=tuple(arrow.id for arrow in arrows if arrow.target == node.id),
        outgoing=tuple(arrow.id for arrow in arrows if arrow.source == node.id),
        properties=MappingProxyType(dict(node.properties)),
    )


def _flow(arrow: Arrow) -> Flow:
    return Flow(arrow.id, arrow.name, arrow.source, arrow.target, _compiled(arrow.condition))


def _gateway(node: Node, arrows: tuple[Arrow, ...]) -> Gateway:
    flows = tuple(_flow(arrow) for arrow in arrows if arrow.source == node.id)
    return Gateway(node.id, node.name, node.default, flows)


def _task(node: Node, forms: Mapping[str, Form]) -> UserTask:
    told = node.properties
    if node.lane is None:
        raise BadDefinition(f"{node.id} 不在任何泳道里。", f"{node.id} is in no lane.")
    return UserTask(
        id=node.id,
        name=node.name,
        name_en=told.get("nameEn", ""),
        verb=told.get("verb", node.name),
        verb_en=told.get("verbEn", ""),
        form=_form(node, forms),
        capacity=told.get("capacity", ""),
        lane=node.lane,
        deadline=_compiled(told.get("deadline")),
        holder=_compiled(told.get("holder")),
        separate_from=_compiled(told.get("separateFrom")),
        separate_unit_from=_compiled(told.get("separateUnitFrom")),
        duty5=told.get("duty5"),
        proof=told.get("proof"),
        reads=told.get("reads") == "true",
        same_as=told.get("sameAs"),
        proxy=told.get("proxy") == "true",
        extensions=_whole(told.get("extensions")),
        extension_days=_whole(told.get("extensionDays")),
    )


def _whole(text: str | None) -> int | None:
    return int(text) if text and text.isdecimal() else None


def _form(node: Node, forms: Mapping[str, Form]) -> str:
    key = form_key(node.properties.get("formJsonSchemaFilename", ""))
    if key not in forms:
        raise BadDefinition(f"{node.id} 的表单“{key}”不存在。", f"{node.id} has no form “{key}”.")
    return key


def _timer(node: Node) -> Timer:
    if len(node.times) != 1 or node.times[0][0] != "timeDuration":
        raise BadDefinition(f"{node.id} 的计时写法有误。", f"{node.id} has no readable time.")
    text = node.times[0][1]
    expression = None if text == "overdue" else compile_expression(text)
    return Timer(node.id, node.name, node.attached_to, node.interrupting, expression)


def _message(node: Node, forms: Mapping[str, Form]) -> Message:
    told = node.properties
    return Message(
        id=node.id,
        name=node.name,
        message=node.message or "",
        attached_to=node.attached_to,
        interrupting=node.interrupting,
        by=told.get("by"),
        window=told.get("window"),
        form=_form(node, forms) if "formJsonSchemaFilename" in told else None,
        join=told.get("join"),
    )


def _send(node: Node) -> Send:
    told = node.properties
    to, _, case = told.get("to", "").partition("case:")
    return Send(
        id=node.id,
        name=node.name,
        message=told.get("message", ""),
        to=to or "case",
        case=_compiled(case),
        each=_compiled(told.get("each")),
        payload=MappingProxyType(
            {name: compile_expression(text) for name, text in read_payload(told)}
        ),
        joinable=told.get("joinable"),
    )


def read_payload(properties: Mapping[str, str]) -> list[tuple[str, str]]:
    """The `payload` of a send, `name = expression; …`, as pairs; a part without `=` is unnamed."""
    parts = filter(None, map(str.strip, properties.get("payload", "").split(";")))
    pairs = (part.partition("=") for part in parts)
    return [(name.strip(), text.strip()) for name, _, text in pairs]


def _rules(diagram: Diagram, decisions: Mapping[str, Decision]) -> dict[str, Decision]:
    called = {n.id: n.decision or "" for n in diagram.nodes if n.kind == "businessRuleTask"}
    for element, decision in called.items():
        if decision not in decisions:
            raise BadDefinition(
                f"{element} 所用的规则表“{decision}”不存在。",
                f"{element} calls the decision “{decision}”, which does not exist.",
            )
    return {element: decisions[decision] for element, decision in called.items()}


def _lots(diagram: Diagram) -> dict[str, Expression]:
    drawn = [n for n in diagram.nodes if n.kind == "serviceTask"]
    if any(n.properties.get("operation") != "draw_lot" for n in drawn):
        raise BadDefinition("服务任务只能用于抽签。", "A service task can only draw lots.")
    return {n.id: compile_expression(n.properties.get("perMille", "")) for n in drawn}
