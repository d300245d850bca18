"""Decision tables: DMN 1.3 XML, read once, decided without an expression engine of its own.

Format: OMG formal/2021-02-01, the part about decision tables. Of its unary tests these are read:
`-`, literals, lists of them, `< <= > >=` with a whole number, `[a..b]`, and `not(…)` of literals.
Hit policies UNIQUE and FIRST. Rows are counted from 1.
"""

import hashlib
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any, Final

from lxml import etree

from engine.errors import BadInput, Refusal
from engine.expressions import (
    MAX_INTEGER,
    BadExpression,
    Expression,
    compile_expression,
    same,
)
from engine.findings import Finding
from engine.hardened import hardened_xml

DMN: Final = "https://www.omg.org/spec/DMN/20191111/MODEL/"
DMNDI: Final = "https://www.omg.org/spec/DMN/20191111/DMNDI/"
MAX_CELLS: Final = 20_000  # of the product of all inputs, each cut where some rule cuts it
MAX_SHOWN: Final = 5

PARTS: Final = frozenset(
    {
        "definitions",
        "decision",
        "decisionTable",
        "input",
        "inputExpression",
        "inputValues",
        "output",
        "outputValues",
        "rule",
        "description",
        "inputEntry",
        "outputEntry",
        "text",
    }
)
TYPES: Final = ("string", "boolean", "integer")
OUTPUT_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")
INTEGER: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,15})")
COMPARISON: Final = re.compile(r"(<=|>=|<|>)\s*(-?[0-9]{1,16})")
RANGE: Final = re.compile(r"\[\s*(-?[0-9]{1,16})\s*\.\.\s*(-?[0-9]{1,16})\s*\]")
NEGATION: Final = re.compile(r"not\s*\((.*)\)", re.DOTALL)
TEXT: Final = re.compile(r'"[^"\\\x00-\x1f\x7f]*"')
ITEM: Final = re.compile(r'\s*("[^"]*"|[^",]+?)\s*(?:,|$)')

Value = str | int | bool
Interval = tuple[int, int]  # both ends included


class BadDecision(BadInput):
    """The decision table is outside the part of DMN that is read."""


class DecisionFailed(Refusal):
    """No single row of the table applies to these values."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A test of one input: any value, or one of `values`, or within one of `intervals`.

    negated: any value but these; a missing value (None) meets `-` only.
    """

    text: str
    anything: bool
    negated: bool
    values: tuple[Value, ...]
    intervals: tuple[Interval, ...]


@dataclass(frozen=True, slots=True)
class Input:
    """One column of tests; `allowed` says which values the table is meant for, None = any."""

    expression: Expression
    label: str
    type: str
    allowed: Cell | None


@dataclass(frozen=True, slots=True)
class Output:
    """One column of results; `allowed` is empty where any value may stand."""

    name: str
    label: str
    type: str
    allowed: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """One row; `number` counts from 1."""

    number: int
    description: str
    tests: tuple[Cell, ...]
    results: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Decision:
    """A decision table; `sha256` (hex) is of the file it was read from."""

    id: str
    name: str
    hit_policy: str
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    rules: tuple[Rule, ...]
    sha256: str


@dataclass(frozen=True, slots=True)
class Decided:
    """The row that applied (from 1), the inputs by expression text, the outputs by name."""

    row: int
    inputs: dict[str, Any]
    outputs: dict[str, Any]


# --- deciding -------------------------------------------------------------------------------------


def decide(decision: Decision, names: Mapping[str, Any]) -> Decided:
    """Apply the table; raises DecisionFailed if no row applies, two do under UNIQUE, or a value is
    not one the table is meant for; raises ExpressionFailed."""
    values = [column.expression.evaluate(names) for column in decision.inputs]
    for column, value in zip(decision.inputs, values, strict=True):
        _check_input(decision, column, value)
    rows = [rule for rule in decision.rules if _applies(rule, values)]
    if not rows or (decision.hit_policy == "UNIQUE" and len(rows) > 1):
        raise _undecided(decision, values, rows)
    return Decided(
        row=rows[0].number,
        inputs={
            column.expression.text: value
            for column, value in zip(decision.inputs, values, strict=True)
        },
        outputs={
            column.name: result
            for column, result in zip(decision.outputs, rows[0].results, strict=True)
        },
    )


def _applies(rule: Rule, values: list[Any]) -> bool:
    return all(_meets(cell, value) for cell, value in zip(rule.tests, values, strict=True))


def _meets(cell: Cell, value: Any) -> bool:
    if cell.anything:
        return True
    if value is None:
        return False
    met = any(same(value, one) for one in cell.values) or (
        type(value) is int and any(low <= value <= high for low, high in cell.intervals)
    )
    return met is not cell.negated


def _check_input(decision: Decision, column: Input, value: Any) -> None:
    kinds: dict[str, type] = {"string": str, "boolean": bool, "integer": int}
    fits = type(value) is kinds[column.type] and (
        column.allowed is None or _meets(column.allowed, value)
    )
    if value is not None and not fits:
        raise DecisionFailed(
            f"规则表“{decision.name}”不认识“{column.label}”的这个值，没有生效。"
            "请核对表单，或请管理员修订规则表。",
            f"The decision “{decision.name}” is not made for this value of “{column.label}”; "
            "nothing was done. Check the form, or have the table amended.",
        )


def _undecided(decision: Decision, values: list[Any], rows: list[Rule]) -> DecisionFailed:
    missing = "、".join(
        c.label for c, value in zip(decision.inputs, values, strict=True) if value is None
    )
    hint = f"缺少“{missing}”；" if missing else ""
    found = f"第 {'、'.join(str(r.number) for r in rows)} 行同时适用" if rows else "没有一行适用"
    return DecisionFailed(
        f"规则表“{decision.name}”{found}，没有生效。{hint}请补全表单，或请管理员修订规则表。",
        f"In the decision “{decision.name}” {len(rows)} rows apply instead of one; nothing was "
        "done. Complete the form, or have the table amended.",
    )


# --- checking -------------------------------------------------------------------------------------


def check_table(decision: Decision) -> list[Finding]:
    """Prove the table complete over its declared inputs and, if UNIQUE, free of overlap.

    Each input is cut into the pieces that its cells tell apart, one value stands for each piece,
    and every combination must meet exactly one row (UNIQUE) or at least one (FIRST). Also found:
    rows that can never apply, cells that name undeclared values.
    """
    findings = list(_check_columns(decision))
    if findings:
        return findings
    pieces = [_pieces(decision, column) for column in range(len(decision.inputs))]
    size = 1
    for piece in pieces:
        size *= len(piece)
    if size > MAX_CELLS:
        return [
            _finding(
                decision,
                "rule_table_size",
                f"组合多达 {size} 种，无法逐一核对，请拆成几张表",
                f"has {size} combinations, too many to check; split it",
            )
        ]
    return list(_check_combinations(decision, pieces))


def _finding(decision: Decision, rule: str, chinese: str, english: str) -> Finding:
    return Finding(
        decision.id,
        rule,
        f"规则表“{decision.name}”{chinese}。",
        f"Table “{decision.id}” {english}.",
    )


def _check_columns(decision: Decision) -> Iterator[Finding]:
    for at, column in enumerate(decision.inputs):
        if column.type == "string" and (column.allowed is None or column.allowed.negated):
            yield _finding(
                decision,
                "rule_table_values",
                f"的输入“{column.label}”应列出可能的值",
                f"must list the values of its input “{column.label}”",
            )
            continue
        for rule in decision.rules:
            yield from _check_cell(decision, column, rule, rule.tests[at])


def _check_cell(decision: Decision, column: Input, rule: Rule, cell: Cell) -> Iterator[Finding]:
    unknown = [v for v in cell.values if column.allowed and not _meets(column.allowed, v)]
    if unknown:
        yield _finding(
            decision,
            "rule_table_values",
            f"第 {rule.number} 行“{column.label}”写了未列出的值 {_shown(unknown)}",
            f"names undeclared values {_shown(unknown)} in row {rule.number}",
        )


def _pieces(decision: Decision, at: int) -> list[Value]:
    """One value for each piece of an input that the cells of its column tell apart."""
    column = decision.inputs[at]
    if column.type == "boolean":
        return [False, True]
    if column.type == "string":
        return list(column.allowed.values) if column.allowed else []
    cuts = {-MAX_INTEGER}
    cells = [rule.tests[at] for rule in decision.rules]
    for cell in [*cells, *([column.allowed] if column.allowed else [])]:
        for low, high in [*cell.intervals, *((v, v) for v in cell.values if type(v) is int)]:
            cuts |= {low, high + 1}
    inside = [cut for cut in sorted(cuts) if -MAX_INTEGER <= cut <= MAX_INTEGER]
    return [cut for cut in inside if column.allowed is None or _meets(column.allowed, cut)]


def _check_combinations(decision: Decision, pieces: list[list[Value]]) -> Iterator[Finding]:
    gaps: list[tuple[Value, ...]] = []
    overlaps: dict[tuple[int, ...], tuple[Value, ...]] = {}
    used: set[int] = set()
    for values in product(*pieces):
        rows = [rule.number for rule in decision.rules if _applies(rule, list(values))]
        used.update(rows[:1] if decision.hit_policy == "FIRST" else rows)
        if not rows:
            gaps.append(values)
        elif len(rows) > 1 and decision.hit_policy == "UNIQUE":
            overlaps.setdefault(tuple(rows), values)
    yield from _gaps(decision, gaps)
    yield from _overlaps(decision, overlaps)
    for rule in decision.rules:
        if rule.number not in used:
            yield _finding(
                decision,
                "rule_table_dead",
                f"第 {rule.number} 行永远不会适用",
                f"has a row {rule.number} that can never apply",
            )


def _gaps(decision: Decision, gaps: list[tuple[Value, ...]]) -> Iterator[Finding]:
    for values in gaps[:MAX_SHOWN]:
        case = _case(decision, values)
        yield _finding(
            decision,
            "rule_table_incomplete",
            f"没有一行适用于 {case}（共缺 {len(gaps)} 种组合）",
            f"has no row for {case} ({len(gaps)} combinations are missing)",
        )


def _overlaps(
    decision: Decision, overlaps: dict[tuple[int, ...], tuple[Value, ...]]
) -> Iterator[Finding]:
    for rows, values in list(overlaps.items())[:MAX_SHOWN]:
        numbers = "、".join(map(str, rows))
        case = _case(decision, values)
        yield _finding(
            decision,
            "rule_table_overlap",
            f"第 {numbers} 行同时适用于 {case}",
            f"has rows {numbers} that all apply to {case}",
        )


def _case(decision: Decision, values: tuple[Value, ...]) -> str:
    columns = zip(decision.inputs, values, strict=True)
    return ", ".join(f"{column.expression.text} = {_shown([v])}" for column, v in columns)


def _shown(values: list[Value]) -> str:
    return ", ".join(
        str(v).lower() if isinstance(v, bool) else f'"{v}"' if isinstance(v, str) else str(v)
        for v in values
    )


# --- reading --------------------------------------------------------------------------------------


def read_decision(document: bytes) -> Decision:
    """Read a DMN 1.3 file holding one decision table; raises BadXml, BadDecision."""
    root = hardened_xml(document)
    _check_parts(root)
    decisions = root.findall(_tag("decision"))
    if len(decisions) != 1:
        raise _bad("一个文件应恰有一张表", "a file must hold exactly one decision")
    table = decisions[0].find(_tag("decisionTable"))
    if table is None:
        raise _bad("没有决策表", "there is no decision table")
    policy = table.get("hitPolicy", "UNIQUE")
    if policy not in ("UNIQUE", "FIRST") or table.get("aggregation"):
        raise _bad("命中策略只能是 UNIQUE 或 FIRST", "the hit policy must be UNIQUE or FIRST")
    inputs = tuple(_read_input(element) for element in table.findall(_tag("input")))
    outputs = tuple(_read_output(element) for element in table.findall(_tag("output")))
    if not inputs or not outputs or len({o.name for o in outputs}) < len(outputs):
        raise _bad("应有输入，输出名不可重复", "it needs inputs, and outputs of different names")
    rows = enumerate(table.findall(_tag("rule")), start=1)
    id_ = decisions[0].get("id", "")
    return Decision(
        id=id_,
        name=decisions[0].get("name", "") or id_,
        hit_policy=policy,
        inputs=inputs,
        outputs=outputs,
        rules=tuple(_read_rule(number, element, inputs, outputs) for number, element in rows),
        sha256=hashlib.sha256(document).hexdigest(),
    )


def _bad(chinese: str, english: str) -> BadDecision:
    return BadDecision(f"规则表有误：{chinese}。", f"The decision table is wrong: {english}.")


def _tag(local: str) -> str:
    return f"{{{DMN}}}{local}"


def _check_parts(root: etree._Element) -> None:
    if root.tag != _tag("definitions"):
        raise _bad("这不是 DMN 1.3 文件", "this is not a DMN 1.3 file")
    drawings = root.findall(f"{{{DMNDI}}}DMNDI")
    for element in (e for child in root if child not in drawings for e in child.iter()):
        name = etree.QName(element)
        if name.namespace != DMN or name.localname not in PARTS:
            raise _bad(f"不支持 {name.localname}", f"{name.localname} is not supported")
        if element.get("expressionLanguage"):
            raise _bad("不能另指定表达式语言", "no other expression language may be named")


def _entry(element: etree._Element | None) -> str:
    text = None if element is None else element.find(_tag("text"))
    return "" if text is None else (text.text or "").strip()


def _read_input(element: etree._Element) -> Input:
    expression = element.find(_tag("inputExpression"))
    text = _entry(expression)
    type_ = _type("" if expression is None else expression.get("typeRef", ""))
    # The text is the key under which the input is recorded, and keys of the log are ASCII.
    if not text.isascii() or len(text) > 100:
        raise _bad("输入表达式应为 ASCII，至多 100 字", "an input must be ASCII, 100 at most")
    try:
        compiled = compile_expression(text)
    except BadExpression as error:
        raise _bad(error.chinese, error.english) from error
    values = _entry(element.find(_tag("inputValues")))
    allowed = _read_cell(values, type_) if values else None
    return Input(compiled, element.get("label") or text, type_, allowed)


def _type(name: str) -> str:
    if name in TYPES:
        return name
    raise _bad(f"类型只能是 {'、'.join(TYPES)}", f"types are {', '.join(TYPES)}")


def _read_output(element: etree._Element) -> Output:
    name = element.get("name", "")
    if not OUTPUT_NAME.fullmatch(name):
        raise _bad(f"输出名“{name}”应为小写英文", f"the output “{name}” must be lower-case English")
    type_ = _type(element.get("typeRef", ""))
    values = _entry(element.find(_tag("outputValues")))
    allowed = tuple(_literal(text, type_) for text in _items(values)) if values else ()
    return Output(name, element.get("label") or name, type_, allowed)


def _read_rule(
    number: int, element: etree._Element, inputs: tuple[Input, ...], outputs: tuple[Output, ...]
) -> Rule:
    tests = [_entry(cell) for cell in element.findall(_tag("inputEntry"))]
    results = [_entry(cell) for cell in element.findall(_tag("outputEntry"))]
    if len(tests) != len(inputs) or len(results) != len(outputs):
        raise _bad(f"第 {number} 行的格数不对", f"row {number} has a wrong number of cells")
    description = element.find(_tag("description"))
    return Rule(
        number=number,
        description="" if description is None else (description.text or "").strip(),
        tests=tuple(_read_cell(t, i.type) for t, i in zip(tests, inputs, strict=True)),
        results=tuple(_read_result(t, o) for t, o in zip(results, outputs, strict=True)),
    )


def _read_result(text: str, output: Output) -> Value:
    value = _literal(text, output.type)
    if output.allowed and not any(same(value, one) for one in output.allowed):
        raise _bad(f"输出 {text} 不在所列值中", f"the output {text} is not among those listed")
    return value


def _read_cell(text: str, type_: str) -> Cell:
    if text in ("", "-"):
        return Cell(text, True, False, (), ())
    negation = NEGATION.fullmatch(text)
    items = _items(negation.group(1) if negation else text)
    intervals = [_interval(item) for item in items] if type_ == "integer" else []
    ranges = tuple(interval for interval in intervals if interval is not None)
    if negation and ranges:
        raise _bad(f"“{text}”的 not 里只能写值", f"“{text}” may negate values only")
    values = tuple(_literal(item, type_) for item in items if not RANGED.match(item))
    return Cell(text, False, negation is not None, values, ranges)


RANGED: Final = re.compile(r"[<>\[]")


def _items(text: str) -> list[str]:
    """Split at commas outside quotes."""
    items, at = [], 0
    while at < len(text):
        item = ITEM.match(text, at)
        if item is None:
            raise _bad(f"“{text}”写法有误", f"“{text}” is not well formed")
        items.append(item.group(1))
        at = item.end()
    if not items or text.rstrip().endswith(","):
        raise _bad(f"“{text}”写法有误", f"“{text}” is not well formed")
    return items


def _interval(text: str) -> Interval | None:
    if not RANGED.match(text):
        return None
    between = RANGE.fullmatch(text)
    if between:
        low, high = int(between.group(1)), int(between.group(2))
        if low > high:
            raise _bad(f"区间“{text}”是空的", f"the range “{text}” is empty")
        return low, high
    compared = COMPARISON.fullmatch(text)
    if compared is None:
        raise _bad(f"“{text}”写法有误", f"“{text}” is not well formed")
    bound = int(compared.group(2))
    return {
        "<": (-MAX_INTEGER, bound - 1),
        "<=": (-MAX_INTEGER, bound),
        ">": (bound + 1, MAX_INTEGER),
        ">=": (bound, MAX_INTEGER),
    }[compared.group(1)]


def _literal(text: str, type_: str) -> Value:
    if type_ == "string" and TEXT.fullmatch(text) and unicodedata.is_normalized("NFC", text):
        return text[1:-1]
    if type_ == "boolean" and text in ("true", "false"):
        return text == "true"
    if type_ == "integer" and INTEGER.fullmatch(text) and abs(int(text)) <= MAX_INTEGER:
        return int(text)
    raise _bad(f"“{text}”不是 {type_} 的值", f"“{text}” is not a {type_}")
