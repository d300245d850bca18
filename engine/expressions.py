"""The safe expression language of gateways, deadlines, holders, forms and decision tables.

A subset of Python's expression syntax, parsed by `ast` and turned into closures; nothing is ever
handed to `eval`, `exec` or `compile`. What is in it: string, integer, bool and None literals, lists
of literals, names, `a.b` as a look-up in a mapping, comparisons, `and`/`or`/`not`, `x if c else y`,
and `+ - *` on integers. Everything else is refused when the text is compiled.
"""

import ast
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from engine.errors import BadInput, Refusal

MAX_LENGTH = 500
MAX_DEPTH = 20
MAX_INTEGER = 2**53 - 1  # what the log can record; RFC 8785 numbers are IEEE doubles

type_of_value = (str, int, bool, type(None))

Names = Mapping[str, Any]
Scalar = str | int | bool | None
Path = tuple[str, ...]
Run = Callable[[Names], Any]
Excluded = tuple[tuple[Path, Scalar], ...]

# Judged before `ast` sees the text: outside string literals there is nothing but ASCII names,
# decimal integers and these operators. So no escapes, prefixes (f"", b""), homoglyphs that NFKC
# would turn into other names, `1if x`, or strings joined by a forgotten comma.
TOKENS = re.compile(
    r"""(?:\ +
    |"[^"\\]*+"(?!\ *["']) | '[^'\\]*+'(?!\ *["'])
    |[A-Za-z_][A-Za-z0-9_]*+(?!["'])
    |(?:0|[1-9][0-9]*+)(?![A-Za-z0-9_.])
    |[=!<>]=|[<>+\-*.,()\[\]]
    )*+""",
    re.VERBOSE,
)


class BadExpression(BadInput):
    """The text is not in the safe expression language."""


class ExpressionFailed(Refusal):
    """The expression is well formed, but not for the values it met."""


@dataclass(frozen=True, slots=True)
class Read:
    """What stands at a path, as an outcome; `never`: literals excluded by the conditions before."""

    path: Path
    never: tuple[Scalar, ...] = ()


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled expression, and what can be said of it without running it.

    names: root names read. paths: each name with its attributes, `grade.level` as
    ("grade", "level"). outcomes: what it may yield – literals, lists of literals, or a Read – or
    None if it may yield anything else.
    comparisons: pairs of a path and a literal it is compared with by == != in, not in.
    """

    text: str
    names: frozenset[str] = field(compare=False)
    paths: frozenset[Path] = field(compare=False)
    outcomes: tuple[Any, ...] | None = field(compare=False)
    comparisons: tuple[tuple[Path, Scalar], ...] = field(compare=False)
    run: Run = field(compare=False, repr=False)

    def evaluate(self, names: Names) -> Any:
        """Return the value for these names; raises ExpressionFailed.

        A name or key that is missing reads as None, and so does any attribute of None.
        """
        return self.run(names)

    def holds(self, names: Names) -> bool:
        """Return whether the condition is met; None is not met, other than bool raises."""
        value = self.run(names)
        if value is None or isinstance(value, bool):
            return value is True
        raise _failed(f"“{self.text}”应得出是或否", f"“{self.text}” must give true or false")


@lru_cache(maxsize=8192)
def compile_expression(text: str) -> Expression:
    """Compile a text of at most 500 characters on one line; raises BadExpression."""
    root = _parse(_checked(text))
    _check_depth(root, text)
    run = _compile(root, text)
    nodes = list(ast.walk(root))
    paths = frozenset(_paths(root))
    return Expression(
        text=text,
        names=frozenset(path[0] for path in paths),
        paths=paths,
        outcomes=_outcomes(root),
        comparisons=tuple(_comparisons(nodes)),
        run=run,
    )


def same(left: Any, right: Any) -> bool:
    """Return whether two values are equal and of one type: True is not 1, lists go item by item."""
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_same_scalar, left, right))
    return _same_scalar(left, right)


def _same_scalar(left: Any, right: Any) -> bool:
    return type(left) is type(right) and isinstance(left, type_of_value) and bool(left == right)


def _failed(chinese: str, english: str) -> ExpressionFailed:
    return ExpressionFailed(
        f"流程规则无法计算：{chinese}。请告知管理员检查流程定义。",
        f"A rule of the process cannot be computed: {english}. "
        "Tell the administrator to check the definition.",
    )


def _bad(text: str, chinese: str, english: str) -> BadExpression:
    shown = text if len(text) <= 60 else text[:60] + "…"
    shown = "".join(c if c.isprintable() else "�" for c in shown)
    return BadExpression(f"表达式“{shown}”{chinese}。", f"Expression “{shown}” {english}.")


# --- reading ---------------------------------------------------------------------------------


def _checked(text: str) -> str:
    if len(text) > MAX_LENGTH:
        raise _bad(text, f"超过 {MAX_LENGTH} 字", f"is longer than {MAX_LENGTH} characters")
    if not text.strip():
        raise _bad(text, "是空的", "is empty")
    if any(unicodedata.category(c) in {"Cc", "Cs"} for c in text):
        raise _bad(text, "含有换行或控制字符", "contains a line break or control character")
    if not unicodedata.is_normalized("NFC", text):
        raise _bad(text, "不是 NFC 规范形式", "is not in Unicode normal form C")
    if not TOKENS.fullmatch(text):
        raise _bad(text, "含有规则语言之外的符号", "has symbols outside the safe language")
    return text.strip()


def _parse(text: str) -> ast.expr:
    try:
        return ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise _bad(text, "写法有误", "is not well formed") from error


def _check_depth(root: ast.expr, text: str) -> None:
    # Level by level, because a recursive walk could itself run out of stack.
    level: list[ast.AST] = [root]
    for _ in range(MAX_DEPTH):
        level = [
            child
            for node in level
            for child in ast.iter_child_nodes(node)
            if isinstance(child, ast.expr)
        ]
        if not level:
            return
    raise _bad(text, f"嵌套超过 {MAX_DEPTH} 层", f"is nested deeper than {MAX_DEPTH} levels")


# --- what it reads and yields, without running it ----------------------------------------------


def _paths(node: ast.AST) -> Iterator[Path]:
    path = _path(node)
    if path:
        yield path
        return
    for child in ast.iter_child_nodes(node):
        yield from _paths(child)


def _path(node: ast.AST) -> Path | None:
    if isinstance(node, ast.Name):
        return (node.id,)
    if isinstance(node, ast.Attribute):
        owner = _path(node.value)
        return (*owner, node.attr) if owner else None
    return None


def _outcomes(node: ast.expr, never: Excluded = ()) -> tuple[Any, ...] | None:
    if isinstance(node, ast.IfExp):
        yes = _outcomes(node.body, never + _excluded(node.test, ast.NotEq, ast.NotIn))
        no = _outcomes(node.orelse, never + _excluded(node.test, ast.Eq, ast.In))
        return None if yes is None or no is None else yes + no
    if isinstance(node, ast.List):
        return ([_literal(item) for item in node.elts],)
    path = _path(node)
    if path:
        return (Read(path, tuple(value for other, value in never if other == path)),)
    return (_literal(node),) if _is_literal(node) else None


def _excluded(test: ast.expr, *operators: type[ast.cmpop]) -> Excluded:
    """What `a.b == "x"` rules out for a.b where it does not hold."""
    if isinstance(test, ast.Compare) and len(test.ops) == 1 and isinstance(test.ops[0], operators):
        return tuple(_compared(test.left, test.comparators[0]))
    return ()


def _comparisons(nodes: list[ast.AST]) -> Iterator[tuple[Path, Scalar]]:
    for node in nodes:
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            for operator, left, right in zip(node.ops, sides, sides[1:], strict=False):
                if isinstance(operator, ast.Eq | ast.NotEq | ast.In | ast.NotIn):
                    yield from _compared(left, right)
                    yield from _compared(right, left)


def _compared(side: ast.expr, other: ast.expr) -> Iterator[tuple[Path, Scalar]]:
    path = _path(side)
    if path and _is_literal(other):
        yield path, _literal(other)
    if path and isinstance(other, ast.List):
        yield from ((path, _literal(item)) for item in other.elts)


# --- compiling to closures -----------------------------------------------------------------------


def _compile(node: ast.expr, text: str) -> Run:
    compiler = COMPILERS.get(type(node))
    if compiler is None:
        raise _bad(text, "用了规则语言没有的写法", "uses what the safe language does not have")
    return compiler(node, text)


def _is_literal(node: ast.expr) -> bool:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        node = node.operand
        return isinstance(node, ast.Constant) and type(node.value) is int
    return isinstance(node, ast.Constant) and isinstance(node.value, type_of_value)


def _literal(node: ast.expr) -> Scalar:
    if isinstance(node, ast.UnaryOp):
        return -_integer(_literal(node.operand))
    assert isinstance(node, ast.Constant)  # noqa: S101  (told by _is_literal, for the type checker)
    value: Scalar = node.value  # type: ignore[assignment]
    return value


def _compile_constant(node: ast.Constant, text: str) -> Run:
    value = node.value
    if not isinstance(value, type_of_value):
        raise _bad(text, "只能写文字、整数、True、False、None", "has a literal of another kind")
    if type(value) is int and value > MAX_INTEGER:
        raise _bad(text, "中的整数太大", "has an integer that is too large")
    return lambda names: value


def _compile_list(node: ast.List, text: str) -> Run:
    if not all(map(_is_literal, node.elts)):
        raise _bad(text, "的列表里只能写文字、整数等常量", "has a list of other than literals")
    for item in node.elts:
        _compile(item, text)
    values = [_literal(item) for item in node.elts]
    return lambda names: list(values)


def _check_name(name: str, text: str) -> None:
    if name.startswith("_"):
        raise _bad(text, "中的名称不能以下划线开头", "has a name that begins with an underscore")


def _compile_name(node: ast.Name, text: str) -> Run:
    name = node.id
    _check_name(name, text)
    return lambda names: names.get(name)


def _compile_attribute(node: ast.Attribute, text: str) -> Run:
    key = node.attr
    _check_name(key, text)
    if _path(node) is None:
        raise _bad(text, "只能在名称之后用点号", "uses a dot after something that is not a name")
    owner = _compile(node.value, text)
    return lambda names: _look_up(owner(names), key)


def _look_up(owner: Any, key: str) -> Any:
    if owner is None:
        return None
    if isinstance(owner, Mapping):
        return owner.get(key)
    raise _failed(f"取不到“{key}”", f"there is no “{key}” in what is not a record")


def _compile_compare(node: ast.Compare, text: str) -> Run:
    first = _compile(node.left, text)
    rest = [
        (_comparison(operator, side, text), _compile(side, text))
        for operator, side in zip(node.ops, node.comparators, strict=True)
    ]

    def run(names: Names) -> bool:
        left = first(names)
        for compare, side in rest:
            right = side(names)
            if not compare(left, right):
                return False
            left = right
        return True

    return run


def _comparison(operator: ast.cmpop, side: ast.expr, text: str) -> Callable[[Any, Any], bool]:
    if type(operator) not in COMPARISONS:
        raise _bad(text, "不能用 is 比较", "compares with “is”")
    if isinstance(operator, ast.In | ast.NotIn) and _is_literal(side):
        raise _bad(text, "的 in 后面应是列表", "has something other than a list after “in”")
    return COMPARISONS[type(operator)]


def _contains(item: Any, items: Any) -> bool:
    if items is None:
        return False
    if isinstance(items, list | tuple):
        return any(same(item, other) for other in items)
    raise _failed("in 后面不是列表", "what follows “in” is not a list")


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def run(left: Any, right: Any) -> bool:
        if type(left) is type(right) and type(left) in (int, str):
            return compare(left, right)
        raise _failed("大小比较的两边不是同一种值", "what is compared is not of one kind")

    return run


def _compile_bool(node: ast.BoolOp, text: str) -> Run:
    parts = [_compile(value, text) for value in node.values]
    stop = isinstance(node.op, ast.Or)

    def run(names: Names) -> Any:
        value = None
        for part in parts:
            value = part(names)
            if bool(value) is stop:
                break
        return value

    return run


def _compile_unary(node: ast.UnaryOp, text: str) -> Run:
    operand = _compile(node.operand, text)
    if isinstance(node.op, ast.Not):
        return lambda names: not operand(names)
    if isinstance(node.op, ast.USub):
        return lambda names: -_integer(operand(names))
    raise _bad(text, "用了规则语言没有的运算", "uses an operator the safe language does not have")


def _compile_conditional(node: ast.IfExp, text: str) -> Run:
    test, yes, no = (_compile(part, text) for part in (node.test, node.body, node.orelse))
    return lambda names: yes(names) if test(names) else no(names)


def _compile_arithmetic(node: ast.BinOp, text: str) -> Run:
    compute = ARITHMETIC.get(type(node.op))
    if compute is None:
        raise _bad(text, "只能用加、减、乘", "uses arithmetic other than + - *")
    left, right = _compile(node.left, text), _compile(node.right, text)
    return lambda names: _bounded(compute(_integer(left(names)), _integer(right(names))))


def _integer(value: Any) -> int:
    if type(value) is int:
        return _bounded(value)
    raise _failed("加减乘只能用于整数", "arithmetic is for integers only")


def _bounded(value: int) -> int:
    if abs(value) <= MAX_INTEGER:
        return value
    raise _failed("数值太大", "a number is too large")


COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: same,
    ast.NotEq: lambda left, right: not same(left, right),
    ast.Lt: _ordered(lambda left, right: left < right),
    ast.LtE: _ordered(lambda left, right: left <= right),
    ast.Gt: _ordered(lambda left, right: left > right),
    ast.GtE: _ordered(lambda left, right: left >= right),
    ast.In: _contains,
    ast.NotIn: lambda item, items: not _contains(item, items),
}

ARITHMETIC: dict[type[ast.operator], Callable[[int, int], int]] = {
    ast.Add: lambda left, right: left + right,
    ast.Sub: lambda left, right: left - right,
    ast.Mult: lambda left, right: left * right,
}

COMPILERS: dict[type[ast.expr], Callable[[Any, str], Run]] = {
    ast.Constant: _compile_constant,
    ast.List: _compile_list,
    ast.Name: _compile_name,
    ast.Attribute: _compile_attribute,
    ast.Compare: _compile_compare,
    ast.BoolOp: _compile_bool,
    ast.UnaryOp: _compile_unary,
    ast.IfExp: _compile_conditional,
    ast.BinOp: _compile_arithmetic,
}
