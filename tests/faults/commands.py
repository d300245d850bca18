"""Which functions are commands: found in the source, so that a new one cannot be forgotten.

A command is a public function of `engine` that takes a connection and an instant and reaches, by
whatever calls, the one statement that writes to the log. What takes the end of a stream that its
caller holds is a piece of one.

    python -m tests.faults.commands        lists them
"""

import ast
import inspect
from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module
from typing import Any

from audit.log import Head
from tests.conftest import ROOT

# The statement by which events enter the log: whatever function sends it, by whatever name.
WRITER = "audit.log._INSERT_EVENT"
# What every command is made of is not a command of its own.
MACHINERY = {"engine.casework.change", "engine.casework.begin"}


@cache
def commands() -> dict[str, Callable[..., Any]]:
    """Name -> function of every command, `module.function` without the room, sorted."""
    found = {}
    for name in sorted(_reaching()):
        module, _, function = name.rpartition(".")
        of_a_class = module.count(".") > 1
        if of_a_class or not name.startswith("engine.") or name in MACHINERY:
            continue
        made = getattr(import_module(module), function, None)
        if not inspect.isfunction(made) or function.startswith("_"):
            continue
        asked = inspect.signature(made).parameters
        held = any(one.annotation is Head for one in asked.values())
        if {"conn", "at"} <= asked.keys() and not held:
            found[name.removeprefix("engine.")] = made
    return found


def keyed(command: Callable[..., Any]) -> bool:
    """Whether a command takes an idempotency key."""
    asked = inspect.signature(command).parameters.get("key")
    return asked is not None and asked.kind is inspect.Parameter.KEYWORD_ONLY


def _reaching() -> set[str]:
    """Every function from which the writer is reached."""
    calls = _calls()
    reaching = {WRITER}
    while True:
        more = {name for name, called in calls.items() if called & reaching} | reaching
        if more == reaching:
            return reaching
        reaching = more


def _calls() -> dict[str, set[str]]:
    """What each function of `audit` and `engine` mentions, by full names."""
    found: dict[str, set[str]] = {}
    for path in [*sorted((ROOT / "audit").glob("*.py")), *sorted((ROOT / "engine").glob("*.py"))]:
        module = f"{path.parent.name}.{path.stem}"
        tree = ast.parse(path.read_text())
        known = _known(module, tree)
        for name, function in _functions(tree):
            found[f"{module}.{name}"] = set(_mentioned(function, known))
        for one in tree.body:
            # Whoever makes an object of a class may call what it can do.
            if isinstance(one, ast.ClassDef):
                methods = {f"{module}.{one.name}.{f.name}" for _, f in _functions(one)}
                found[f"{module}.{one.name}"] = methods
    return found


def _functions(tree: ast.AST) -> Iterator[tuple[str, ast.FunctionDef]]:
    for one in ast.iter_child_nodes(tree):
        if isinstance(one, ast.FunctionDef):
            yield one.name, one
        elif isinstance(one, ast.ClassDef):
            for name, function in _functions(one):
                yield f"{one.name}.{name}", function


def _known(module: str, tree: ast.Module) -> dict[str, str]:
    """What a name of a module stands for."""
    known = {}
    for one in ast.walk(tree):
        if isinstance(one, ast.ImportFrom) and one.module:
            known |= {a.asname or a.name: f"{one.module}.{a.name}" for a in one.names}
    for top in tree.body:
        if isinstance(top, ast.FunctionDef | ast.ClassDef):
            known[top.name] = f"{module}.{top.name}"
        elif isinstance(top, ast.Assign) and isinstance(top.targets[0], ast.Name):
            known[top.targets[0].id] = f"{module}.{top.targets[0].id}"
    return known


def _mentioned(function: ast.FunctionDef, known: dict[str, str]) -> Iterator[str]:
    for one in ast.walk(function):
        if isinstance(one, ast.Name) and one.id in known:
            yield known[one.id]
        elif isinstance(one, ast.Attribute) and isinstance(one.value, ast.Name):
            yield f"{known.get(one.value.id, one.value.id)}.{one.attr}"


if __name__ == "__main__":
    for told in commands():
        print(told, "(key)" if keyed(commands()[told]) else "")
