"""What is computed: expressions, the names they read, deadline classes, decision tables, forms."""

from collections.abc import Iterator
from typing import Any, Final

from engine.decisions import Cell, Decision, check_table
from engine.definitions import BY_CASES, OPENING_FORM
from engine.diagram import Node
from engine.directory import DUTIES
from engine.expressions import BadExpression, Expression, Read, Scalar, compile_expression
from engine.findings import Finding
from engine.lint_facts import (
    EACH,
    Facts,
    Known,
    Written,
    compiled,
    finding,
    known,
    written,
)

USES: Final = {
    "deadline": "期限",
    "holder": "承办人",
    "separateFrom": "回避",
    "separateUnitFrom": "单位回避",
    "perMille": "抽签千分比",
    "unit": "泳道单位",
    "timer": "计时",
    "condition": "条件",
    "each": "各方",
    "payload": "消息内容",
}


def expressions(facts: Facts) -> Iterator[Finding]:
    """Every expression is in the safe language."""
    for one in written(facts):
        try:
            compile_expression(one.text)
        except BadExpression as refused:
            use = USES[one.use]
            yield finding(
                one.element,
                "timer" if one.use == "timer" else "expression",
                f"{use}的{refused.chinese.rstrip('。')}",
                f"{one.use}: {refused.english.rstrip('.')}",
            )


def names(facts: Facts) -> Iterator[Finding]:
    """What an expression reads is written by somebody, and may steer the process."""
    for one in written(facts):
        expression = compiled(one.text)
        if expression is not None:
            yield from _names(facts, one.element, expression)
    for node in facts.nodes("businessRuleTask"):
        decision = facts.decisions.get(node.decision or "")
        for column in decision.inputs if decision else ():
            yield from _names(facts, node.id, column.expression)


def _names(facts: Facts, element: str, expression: Expression) -> Iterator[Finding]:
    for path in sorted(expression.paths):
        shown = ".".join(path)
        if facts.alone:
            if path[0] not in ("case", *EACH) and facts.node(path[0]) is None:
                yield _unknown(element, shown)
            continue
        found = known(facts, path)
        if found is None:
            yield _unknown(element, shown)
        elif not found.routing:
            yield finding(
                element,
                "not_routing",
                f"{shown} 没有在表单里标为 x-routing，流程不能据此走向",
                f"reads {shown}, which its form does not mark x-routing",
            )
    if not facts.alone:
        yield from _comparisons(facts, element, expression)


def _unknown(element: str, shown: str) -> Finding:
    return finding(
        element,
        "unknown_name",
        f"{shown} 没有任何步骤或表单会写入",
        f"reads {shown}, which no step or form provides",
    )


def _comparisons(facts: Facts, element: str, expression: Expression) -> Iterator[Finding]:
    for path, literal in expression.comparisons:
        found = known(facts, path)
        if found is not None and not _possible(found, literal):
            shown = ".".join(path)
            yield finding(
                element,
                "impossible_value",
                f"{shown} 不会等于 {literal!r}，这个条件恒定不变",
                f"compares {shown} with {literal!r}, which it never is",
            )


def _possible(found: Known, literal: Scalar) -> bool:
    if literal is None:
        return True
    types: dict[str, type] = {"string": str, "integer": int, "boolean": bool, "array": str}
    return type(literal) is types[found.type] and (found.values is None or literal in found.values)


# --- deadline classes, persons, lots ------------------------------


def outcomes(facts: Facts) -> Iterator[Finding]:
    """What an expression yields is what its place can use."""
    checks: dict[str, Any] = {
        "deadline": _deadline,
        "timer": _deadline,
        "holder": _word,
        "unit": _word,
        "perMille": _per_mille,
        "each": _many,
        "separateFrom": _elements,
        "separateUnitFrom": _elements,
    }
    for one in written(facts):
        expression = compiled(one.text)
        if expression is not None and one.use in checks:
            yield from checks[one.use](facts, one, expression)


def _deadline(facts: Facts, one: Written, expression: Expression) -> Iterator[Finding]:
    if expression.outcomes is None:
        yield finding(
            one.element,
            "deadline_class",
            '期限应直接写类别，如 "WD1" if … else "WD5"',
            'a deadline names classes, as in "WD1" if … else "WD5"',
        )
        return
    if facts.alone:
        return
    for outcome in expression.outcomes:
        for value in _values(facts, outcome):
            if value is None and outcome is None and one.use == "deadline":
                continue
            if value not in facts.classes:
                yield finding(
                    one.element,
                    "deadline_class",
                    f"期限类别 {_shown(value, outcome)} 不存在",
                    f"may yield {_shown(value, outcome)}, which is no deadline class",
                )


def _values(facts: Facts, outcome: Any) -> list[Any]:
    """What an outcome may be; [None] where that cannot be told or may be missing."""
    if not isinstance(outcome, Read):
        return [None if isinstance(outcome, list) else outcome]
    found = known(facts, outcome.path)
    if found is None or not found.certain or found.values is None:
        return [None]
    return [value for value in found.values if value not in outcome.never]


def _shown(value: Any, outcome: Any) -> str:
    at = ".".join(outcome.path) if isinstance(outcome, Read) else ""
    return " ".join(filter(None, (at, "（可能没有值）" if value is None else str(value))))


def _word(facts: Facts, one: Written, expression: Expression) -> Iterator[Finding]:
    for outcome in expression.outcomes or (0,):
        found = known(facts, outcome.path) if isinstance(outcome, Read) else None
        fits = outcome is None or (
            isinstance(outcome, Read) and (found is None or found.type == "string")
        )
        if not fits:
            use = USES[one.use]
            yield finding(
                one.element,
                "outcome",
                f"{use}应取自某一步所填的人员或单位",
                f"{one.use} must be a person or unit that some step names",
            )
            return


def _many(facts: Facts, one: Written, expression: Expression) -> Iterator[Finding]:
    for outcome in expression.outcomes or (0,):
        found = known(facts, outcome.path) if isinstance(outcome, Read) else None
        if not isinstance(outcome, Read) or (found is not None and found.type != "array"):
            yield finding(
                one.element, "outcome", "each 应取自某一步所填的名单",
                "each must be a list that some step names",
            )  # fmt: skip
            return


def _per_mille(facts: Facts, one: Written, expression: Expression) -> Iterator[Finding]:
    for outcome in expression.outcomes or (-1,):
        for value in _values(facts, outcome):
            if type(value) is not int or not 0 <= value <= 1000:
                yield finding(
                    one.element,
                    "outcome",
                    "抽签千分比应是 0 到 1000 的整数",
                    "perMille must be a whole number from 0 to 1000",
                )
                return


def _elements(facts: Facts, one: Written, expression: Expression) -> Iterator[Finding]:
    doers = {node.id for node in facts.nodes("userTask")} | {"report"}
    for outcome in expression.outcomes or (0,):
        named = outcome if isinstance(outcome, list) else [outcome]
        for name in named:
            if name not in doers:
                yield finding(
                    one.element,
                    "separation",
                    f"{USES[one.use]}里的 {name} 不是用户任务",
                    f"{one.use} names {name}, which is no user task",
                )


def confidentiality(facts: Facts) -> Iterator[Finding]:
    """Who may open a case has a duty that exists, and exclusions are read from what is written."""
    told = facts.diagram.properties
    if told.get("openedBy", "report") not in (*DUTIES, BY_CASES):
        yield finding(
            facts.diagram.key, "process_duty", "openedBy 的职责不认识", "openedBy names no duty"
        )
    if not told.get("alikeDays", "30").isdecimal():
        yield finding(
            facts.diagram.key, "process_duty", "alikeDays 应是天数", "alikeDays must be a number"
        )
    words = {
        "startedBy": ("complainant", "resident"), "confidential": ("true",), "proxy": ("true",),
    }  # fmt: skip
    for name, fitting in words.items():
        if told.get(name, fitting[0]) not in fitting:
            key, only, or_ = facts.diagram.key, " 或 ".join(fitting), " or ".join(fitting)
            yield finding(key, "process_duty", f"{name} 只能是 {only}", f"{name} can only be {or_}")
    if "proxy" in told and "confidential" in told:
        yield finding(
            facts.diagram.key, "process_duty", "保密的流程不能写 proxy",
            "a confidential process cannot be proxy",
        )  # fmt: skip
    for text in told.get("exclude", "").split():
        expression = compiled(text)
        path = tuple(text.split("."))
        if expression is None or len(path) != 2 or expression.paths != {path}:
            yield finding(
                facts.diagram.key, "exclude", f"exclude 里的 {text} 应是 步骤.项",
                f"exclude needs step.field, not {text}",
            )  # fmt: skip
        else:
            yield from _names(facts, facts.diagram.key, expression)


# --- files ------------------------------


def deadlines(facts: Facts) -> Iterator[Finding]:
    """Whoever hears of a late step has a duty that exists."""
    for one in facts.classes.values():
        if one.escalate_duty is not None and one.escalate_duty not in DUTIES:
            yield finding(
                one.id,
                "deadline_class",
                f"升级职责 {one.escalate_duty} 不认识",
                f"escalates to an unknown duty {one.escalate_duty}",
            )


def opening_form(facts: Facts) -> Iterator[Finding]:
    """There is a form to open a case with."""
    if not facts.alone and OPENING_FORM not in facts.forms:
        yield finding(
            facts.diagram.key,
            "no_form",
            f"缺少上报表单 forms/{OPENING_FORM}.json",
            f"lacks the opening form forms/{OPENING_FORM}.json",
        )


def decisions(facts: Facts) -> Iterator[Finding]:
    """Every decision called is there, complete, free of overlap, and meant for what it is given."""
    for node in facts.nodes("businessRuleTask"):
        if not node.decision:
            yield finding(node, "no_decision", "没有写明规则表", "names no decision")
        elif not facts.alone and node.decision not in facts.decisions:
            yield finding(
                node,
                "no_decision",
                f"规则表 {node.decision} 不存在",
                f"calls the decision {node.decision}, which does not exist",
            )
    for table in facts.decisions.values():
        yield from check_table(table)
    for node in facts.nodes("businessRuleTask"):
        decision = facts.decisions.get(node.decision or "")
        if decision is not None:
            yield from _inputs(facts, node, decision)


def _inputs(facts: Facts, node: Node, decision: Decision) -> Iterator[Finding]:
    for column in decision.inputs:
        for outcome in column.expression.outcomes or ():
            found = known(facts, outcome.path) if isinstance(outcome, Read) else None
            if found is None:
                continue
            if found.type != column.type:
                yield finding(
                    node,
                    "rule_input",
                    f"“{column.label}”是 {found.type}，规则表要 {column.type}",
                    f"gives {found.type} to the {column.type} input {column.expression.text}",
                )
            elif column.allowed and found.values:
                yield from _uncovered(node, column.label, column.allowed, found.values)


def _uncovered(node: Node, label: str, allowed: Cell, values: tuple[Any, ...]) -> Iterator[Finding]:
    left = [value for value in values if (value in allowed.values) is allowed.negated]
    if left and not allowed.intervals:
        shown = "、".join(map(str, left))
        yield finding(
            node,
            "rule_input",
            f"规则表没有考虑“{label}”的选项 {shown}",
            f"may be given {shown}, which the table does not list",
        )
