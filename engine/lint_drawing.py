"""What is drawn: constructs, ids, lanes, tasks, events, and the picture itself."""

import keyword
import re
from collections import Counter
from collections.abc import Iterator
from typing import Final

from engine.definitions import TOLD_ITSELF, read_payload
from engine.diagram import Node
from engine.directory import ANY_POST, DUTIES
from engine.findings import Finding
from engine.lint_facts import Facts, finding, form_of

MAX_NODES: Final = 300
ID: Final = re.compile(r"[a-z][a-z0-9_]{0,59}")
ISO_DURATION: Final = re.compile(r"$|[-+]?P[0-9T]")  # BPMN's own way, or nothing at all
RESERVED: Final = frozenset({"case", "lot"})  # roots of expressions that are no elements
DUTIES_OF_FIVE: Final = frozenset({"report", "confirm", "assign", "rectify", "accept"})
MESSAGES: Final = frozenset(
    {"return", "withdraw", "object", "reopen", "dispute", "recall", "recusal", "retaliation"}
)
# What another case tells: a word, a dot, a word. The second one passes when all children ended.
TOLD: Final = re.compile(r"[a-z][a-z_]{0,29}\.[a-z][a-z_]{0,29}")
ALL_ENDED: Final = "children.ended"
PROOFS: Final = ("site_code", "handed_over")
ADDRESS: Final = re.compile(
    r"parent|self|case:.+|children:[a-z][a-z0-9_]{0,59}|opens:[a-z][a-z0-9_]{0,59}"
)

PROPERTIES: Final = {
    "userTask": {
        "nameEn",
        "formJsonSchemaFilename",
        "verb",
        "verbEn",
        "capacity",
        "deadline",
        "holder",
        "separateFrom",
        "separateUnitFrom",
        "duty5",
        "proof",
        "reads",
        "sameAs",
        "proxy",
        "extensions",
        "extensionDays",
    },
    "sendTask": {"nameEn", "message", "to", "each", "payload", "joinable"},
    "serviceTask": {"nameEn", "operation", "perMille"},
    "endEvent": {"nameEn", "outcome"},
    "boundaryEvent": {"nameEn", "by", "window", "formJsonSchemaFilename"},
    "intermediateCatchEvent": {"nameEn", "by", "window", "formJsonSchemaFilename", "join"},
}

PROCESS_PROPERTIES: Final = {
    "title",
    "titleEn",
    "numberLabel",
    "openedBy",
    "startedBy",
    "confidential",
    "proxy",
    "exclude",
    "alikeDays",
}

WORDS: Final = {
    "inclusiveGateway": "包容网关",
    "eventBasedGateway": "事件网关",
    "complexGateway": "复杂网关",
    "multiInstanceLoopCharacteristics": "多实例",
    "standardLoopCharacteristics": "标准循环",
    "callActivity": "调用活动",
    "@triggeredByEvent": "事件子流程",
    "signalEventDefinition": "信号事件",
    "errorEventDefinition": "错误事件",
    "escalationEventDefinition": "升级事件",
    "compensateEventDefinition": "补偿事件",
    "conditionalEventDefinition": "条件事件",
    "linkEventDefinition": "链接事件",
    "cancelEventDefinition": "取消事件",
    "@isForCompensation": "补偿",
    "dataObject": "数据对象",
    "dataObjectReference": "数据对象",
    "dataStoreReference": "数据存储",
    "dataInputAssociation": "数据关联",
    "dataOutputAssociation": "数据关联",
    "ioSpecification": "数据输入输出",
    "transaction": "事务子流程",
    "adHocSubProcess": "自由子流程",
    "intermediateThrowEvent": "抛出事件",
    "manualTask": "手工任务（请用用户任务）",
    "receiveTask": "接收任务",
    "task": "未定类型的任务（请用用户任务）",
    "messageFlow": "消息流",
    "childLaneSet": "嵌套泳道",
    "signal": "信号",
    "error": "错误",
    "import": "引入外部文件",
}


def constructs(facts: Facts) -> Iterator[Finding]:
    """Nothing that would run code, nothing that is not built."""
    scripts = {script.element: script.what for script in reversed(facts.diagram.scripts)}
    for element, what in reversed(scripts.items()):
        yield finding(
            element,
            "script",
            f"含有脚本或代码（{what}），不予部署，请改用规则表或安全表达式",
            f"holds a script or code ({what}); use a decision table or a safe expression",
        )
    for strange in facts.diagram.strange:
        word = WORDS.get(strange.what, strange.what)
        yield finding(
            strange.element,
            "not_built",
            f"用了还不支持的画法：{word}",
            f"uses what is not built yet: {strange.what.removeprefix('@')}",
        )


def process(facts: Facts) -> Iterator[Finding]:
    """The process says what it is called, and is not larger than can be run."""
    drawn = facts.diagram
    if not facts.alone and drawn.key != facts.stem:
        yield finding(
            drawn.key,
            "process_key",
            f"流程 id 应与文件名 {facts.stem} 相同",
            f"the process id must be the file name {facts.stem}",
        )
    if not drawn.executable:
        yield finding(drawn.key, "process_key", "应设 isExecutable", "must be executable")
    for name in ("title", "titleEn", "numberLabel"):
        if not drawn.properties.get(name):
            yield finding(
                drawn.key, "process_title", f"缺少属性 {name}", f"lacks the property {name}"
            )
    if not 0 < len(drawn.properties.get("numberLabel", "-")) <= 4:
        yield finding(
            drawn.key, "process_title", "编号字样过长", "has a number label over 4 letters"
        )
    if len(drawn.nodes) > MAX_NODES:
        yield finding(
            drawn.key,
            "too_many_nodes",
            f"有 {len(drawn.nodes)} 个节点，超过 {MAX_NODES}，请拆分流程",
            f"has {len(drawn.nodes)} nodes, more than {MAX_NODES}; split the process",
        )


def ids(facts: Facts) -> Iterator[Finding]:
    """Ids are words that a reader of the log understands, and each is used once."""
    for id_, count in Counter(facts.diagram.ids).items():
        if count > 1:
            yield finding(id_, "duplicate_id", f"这个 id 用了 {count} 次", f"is used {count} times")
    drawn = facts.diagram
    for id_ in [drawn.key, *_things(facts)]:
        if not ID.fullmatch(id_):
            yield finding(
                id_,
                "bad_id",
                "id 应为小写英文、数字和下划线，以字母开头，至多 60 字",
                "ids are lower-case letters, digits and _, beginning with a letter, 60 at most",
            )
        elif id_ in RESERVED or keyword.iskeyword(id_):
            yield finding(id_, "bad_id", "这个词另有用处，请换一个 id", "is a reserved word")


def _things(facts: Facts) -> Iterator[str]:
    yield from (lane.id for lane in facts.diagram.lanes)
    yield from (node.id for node in facts.diagram.nodes)
    yield from (arrow.id for arrow in facts.diagram.arrows)


def lanes(facts: Facts) -> Iterator[Finding]:
    """A lane names a duty and says in which unit it is held."""
    for lane in facts.diagram.lanes:
        duty, scope = lane.properties.get("duty"), lane.properties.get("scope", "")
        if not duty:
            yield finding(lane.id, "lane_duty", "泳道没有写明职责 duty", "the lane has no duty")
        elif duty not in (*DUTIES, ANY_POST):
            yield finding(
                lane.id, "lane_duty", f"职责 {duty} 不认识", f"has an unknown duty {duty}"
            )
        if scope not in ("place", "street", "lot", "opener") and not scope.startswith("unit:"):
            yield finding(
                lane.id,
                "lane_scope",
                "范围 scope 应为 place、street、lot、opener 或 unit:表达式",
                "needs a scope: place, street, lot, opener, or unit: with an expression",
            )
        if not lane.name:
            yield finding(lane.id, "no_name", "泳道没有名称", "the lane has no name")
        yield from _members(facts, lane.members, lane.id)
    yield from _lane_of_each(facts)


def _members(facts: Facts, members: tuple[str, ...], lane: str) -> Iterator[Finding]:
    for member in members:
        if facts.node(member) is None:
            yield finding(
                lane, "lane_member", f"列有不存在的 {member}", f"lists {member}, not drawn"
            )


def _lane_of_each(facts: Facts) -> Iterator[Finding]:
    held = Counter(member for lane in facts.diagram.lanes for member in lane.members)
    for node in facts.nodes("userTask"):
        if node.lane is None:
            yield finding(node, "no_lane", "用户任务不在任何泳道里", "the task is in no lane")
    for id_, count in held.items():
        if count > 1:
            yield finding(id_, "lane_member", "同时在几条泳道里", "is in more than one lane")


def tasks(facts: Facts) -> Iterator[Finding]:
    """A step has a name, a form, a verb, and a capacity in which it is done."""
    for node in facts.nodes("userTask"):
        told = node.properties
        for name in ("verb", "capacity"):
            if not told.get(name):
                yield finding(node, "task_facts", f"缺少属性 {name}", f"lacks the property {name}")
        if told.get("capacity") and not ID.fullmatch(told["capacity"]):
            yield finding(node, "task_facts", "capacity 应为小写英文", "has an unreadable capacity")
        if "duty5" in told and told["duty5"] not in DUTIES_OF_FIVE:
            yield finding(node, "task_facts", "五责 duty5 不认识", "has an unknown duty5")
        if told.get("proof", "site_code") not in PROOFS or told.get("reads", "true") != "true":
            yield finding(
                node, "task_facts", "proof 只能是 site_code 或 handed_over，reads 只能是 true",
                "proof can only be site_code or handed_over, reads only true",
            )  # fmt: skip
        for name in ("extensions", "extensionDays"):
            if not told.get(name, "1").isdecimal():
                yield finding(node, "task_facts", f"{name} 应是整数", f"{name} must be a number")
        same = facts.node(told.get("sameAs"))
        if "sameAs" in told and (same is None or same.kind != "userTask"):
            yield finding(node, "task_facts", "sameAs 应是用户任务", "sameAs names no user task")
        if "proxy" in told and (told["proxy"] != "true" or {"proof", "sameAs", "reads"} & {*told}):
            yield finding(
                node, "task_facts", "proxy 只能是 true，且不能与 proof、sameAs、reads 同用",
                "proxy can only be true, and not beside proof, sameAs or reads",
            )  # fmt: skip
        if not form_of(node):
            yield finding(node, "no_form", "用户任务没有表单", "the task has no form")
        yield from form_exists(facts, node)


def form_exists(facts: Facts, node: Node) -> Iterator[Finding]:
    """A form that is named is there."""
    form = form_of(node)
    if form and not facts.alone and form not in facts.forms:
        yield finding(
            node, "no_form", f"表单 forms/{form}.json 不存在", f"forms/{form}.json does not exist"
        )


def names(facts: Facts) -> Iterator[Finding]:
    """What a person is shown has a name."""
    shown = (
        "userTask",
        "businessRuleTask",
        "serviceTask",
        "sendTask",
        "boundaryEvent",
        "intermediateCatchEvent",
    )
    for node in facts.nodes(*shown):
        if not node.name.strip():
            yield finding(node, "no_name", "没有名称", "has no name")


def properties(facts: Facts) -> Iterator[Finding]:
    """A property nobody reads is a misspelt one."""
    holders = [
        (n.id, n.properties, PROPERTIES.get(n.kind, {"nameEn"})) for n in facts.diagram.nodes
    ]
    holders += [(n.id, n.properties, {"nameEn", "duty", "scope"}) for n in facts.diagram.lanes]
    drawn = facts.diagram
    holders.append((drawn.key, drawn.properties, PROCESS_PROPERTIES))
    for id_, told, allowed in holders:
        for name in sorted(set(told) - allowed):
            yield finding(
                id_, "unknown_property", f"属性 {name} 不认识", f"has an unknown property {name}"
            )


def services(facts: Facts) -> Iterator[Finding]:
    """The only thing a service task does is draw lots."""
    for node in facts.nodes("serviceTask"):
        if node.properties.get("operation") != "draw_lot":
            yield finding(
                node,
                "service",
                "服务任务只能用于抽签：operation=draw_lot",
                "a service task can only draw lots: operation=draw_lot",
            )
        elif not node.properties.get("perMille"):
            yield finding(node, "service", "抽签没有写千分比 perMille", "the lot lacks perMille")


def sends(facts: Facts) -> Iterator[Finding]:
    """What is told has a name and an address, and only what opens cases has parties."""
    for node in facts.nodes("sendTask"):
        told = node.properties
        to = told.get("to", "")
        if not TOLD.fullmatch(told.get("message", "")):
            yield finding(
                node, "send", "消息名应写成 词.词", "needs a message of the form word.word"
            )
        if not ADDRESS.fullmatch(to):
            yield finding(node, "send", f"消息的去处 {to} 不认识", f"has an unknown address {to}")
        yield from _parties(facts, node, to)
        if to == "self":
            yield from _told_itself(node)
        for name, text in read_payload(told):
            if not ID.fullmatch(name) or not text:
                yield finding(
                    node, "send", f"payload 里的 {name} 应写成 名 = 表达式",
                    f"has a payload part {name} that is not name = expression",
                )  # fmt: skip


def _told_itself(node: Node) -> Iterator[Finding]:
    message = node.properties.get("message", "")
    needed = TOLD_ITSELF.get(message)
    if needed is None:
        yield finding(
            node, "send", f"案件对自己只能说 {'、'.join(TOLD_ITSELF)}",
            f"tells itself something other than {', '.join(TOLD_ITSELF)}",
        )  # fmt: skip
    elif needed not in dict(read_payload(node.properties)):
        yield finding(
            node, "send", f"payload 里缺少 {needed}", f"has no {needed} in its payload"
        )  # fmt: skip


def _parties(facts: Facts, node: Node, to: str) -> Iterator[Finding]:
    told = node.properties
    if not to.startswith("opens:") and {"each", "joinable"} & set(told):
        yield finding(
            node, "send", "只有开案的发送才有 each 和 joinable",
            "only a send that opens cases has each and joinable",
        )  # fmt: skip
    if told.get("joinable", "report") not in DUTIES:
        yield finding(node, "send", "joinable 的职责不认识", "joinable names an unknown duty")
    if to.startswith("children:") and not _opens(facts, to.removeprefix("children:")):
        yield finding(
            node, "send", "children 应指向开案的发送", "children names no send that opens"
        )


def _opens(facts: Facts, id_: str | None) -> bool:
    node = facts.node(id_)
    return node is not None and node.properties.get("to", "").startswith("opens:")


def events(facts: Facts) -> Iterator[Finding]:
    """Starts and ends are plain, boundary and catch events wait for a timer or a message."""
    allowed = {
        "startEvent": (None,),
        "endEvent": (None, "terminate"),
        "boundaryEvent": ("timer", "message"),
        "intermediateCatchEvent": ("timer", "message"),
    }
    for node in facts.nodes(*allowed):
        if node.event not in allowed[node.kind]:
            yield finding(
                node,
                "not_built",
                f"还不支持这种事件（{node.event}）",
                f"no such event: {node.event}",
            )
    for node in facts.nodes("boundaryEvent"):
        yield from _attached(facts, node)
    for node in facts.diagram.nodes:
        if node.event == "timer":
            yield from _time(facts, node)
        if node.event == "message":
            yield from _message(facts, node)


def _attached(facts: Facts, node: Node) -> Iterator[Finding]:
    host = facts.node(node.attached_to)
    if host is None or host.kind not in ("userTask", "subProcess") or host.parent != node.parent:
        yield finding(
            node,
            "boundary",
            "边界事件应附在同一层的用户任务或子流程上",
            "a boundary event must sit on a user task or sub-process of its level",
        )


def _time(facts: Facts, node: Node) -> Iterator[Finding]:
    host = facts.node(node.attached_to)
    kinds = [time for time, _ in node.times]
    if kinds != ["timeDuration"] or ISO_DURATION.match(node.times[0][1]):
        yield finding(
            node,
            "timer",
            "计时只能写一个 timeDuration：期限类别的表达式，或 overdue",
            "a timer has one timeDuration: an expression of a deadline class, or overdue",
        )
    elif node.times[0][1] == "overdue" and (host is None or "deadline" not in host.properties):
        yield finding(
            node,
            "timer",
            "overdue 只能附在有期限的用户任务上",
            "overdue needs a host task that has a deadline",
        )


def _message(facts: Facts, node: Node) -> Iterator[Finding]:
    by = facts.node(node.properties.get("by"))
    if node.message not in MESSAGES and not TOLD.fullmatch(node.message or ""):
        yield finding(
            node,
            "message",
            f"消息名应为 {'、'.join(sorted(MESSAGES))} 之一，或另一案件所发的 词.词",
            f"waits for a message other than {', '.join(sorted(MESSAGES))} or word.word",
        )
    elif (node.message == ALL_ENDED) is not ("join" in node.properties):
        yield finding(
            node, "message", f"join 与 {ALL_ENDED} 须同时写", f"{ALL_ENDED} goes with join"
        )
    elif "join" in node.properties and not _opens(facts, node.properties["join"]):
        yield finding(node, "message", "join 应指向开案的发送", "join names no send that opens")
    elif node.message == "withdraw" and (by is None or by.kind != "userTask"):
        yield finding(
            node,
            "message",
            "撤回应以 by 写明由哪一步的办理人撤回",
            "a withdrawal names in `by` the task whose completer may withdraw",
        )
    elif node.message != "withdraw" and "by" in node.properties:
        yield finding(node, "message", "只有撤回才写 by", "only a withdrawal has `by`")
    window = node.properties.get("window")
    if window is not None and not facts.alone and window not in facts.classes:
        yield finding(
            node, "deadline_class", f"期限类别 {window} 不存在", f"has no deadline class {window}"
        )
    yield from form_exists(facts, node)


def picture(facts: Facts) -> Iterator[Finding]:
    """Everything is in the drawing, so that a person sees what the engine runs."""
    for id_ in _things(facts):
        if id_ not in facts.diagram.drawn:
            yield finding(
                id_,
                "not_drawn",
                "图上没有画出（缺少 BPMN DI）",
                "is not in the picture (its BPMN DI is missing)",
            )
