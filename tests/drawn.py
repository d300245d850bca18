"""Which elements of the shipped drawings the tests reached, and by which test: a pytest plugin.

Whatever log `Street.check` verifies is also looked through for what was passed in it. After a run
of the whole suite an element, or a way out of a gateway, that no test reached fails the run. The
report lies in pytest's cache (`.pytest_cache/d/drawn/report.txt`).
"""

import json
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from audit import log
from audit.entries import Entry
from engine.definitions import Definition, parse, read_folder

ROOT = Path(__file__).parents[1]
# (process, element or flow) -> the first test that reached it
_reached: dict[tuple[str, str], str] = {}
_seen: set[bytes] = set()


@cache
def shipped() -> dict[str, Definition]:
    """The definitions of workflows/ by digest."""
    folders = sorted(path.parent for path in (ROOT / "workflows").glob("*/*.bpmn"))
    parsed = [parse(read_folder(folder)) for folder in folders]
    return {definition.digest: definition for definition in parsed}


def note(conn: Connection) -> None:
    """Remember what the cases of this log passed."""
    test = os.environ.get("PYTEST_CURRENT_TEST", "?").partition(" ")[0]
    for name in log.streams(conn):
        if name.startswith("@"):
            continue
        entries = log.read(conn, name)
        if entries[-1].hash in _seen:
            continue
        _seen.add(entries[-1].hash)
        definition = shipped().get(entries[0].data["definition"]["sha256"])
        if definition:
            for passed in _passed(entries, definition):
                _reached.setdefault((definition.key, passed), test)


def _passed(entries: list[Entry], definition: Definition) -> Iterator[str]:
    """What these entries passed; a user task counts once it was completed."""
    yield definition.start
    for entry in entries:
        data = entry.data
        for element in data.get("path", ()) if entry.type == "case.advanced" else ():
            if element not in definition.tasks:
                yield element
        yield from (gateway["flow"] for gateway in data.get("gateways", ()))
        if entry.type == "task.completed":
            yield data["task"].partition("#")[0]
        # A boundary event is passed when it is taken, and so is the sub-process it sits on.
        for name in ("timer", "join", "key", "message"):
            taken = str(data.get(name, "")).partition("#")[0]
            if taken in definition.elements:
                yield taken


def wanted(definition: Definition) -> list[str]:
    """All of a drawing that a test has to reach: its elements, and the ways out of choices."""
    elements = [id_ for id_, one in definition.elements.items() if one.kind != "subProcess"]
    flows = [flow.id for gateway in definition.gateways.values() for flow in gateway.flows]
    return [*elements, *flows]


# --- the plugin ---------------------------------------------------------------------------------


def _folder(config: pytest.Config) -> Path:
    assert config.cache
    return config.cache.mkdir("drawn")


def pytest_sessionstart(session: pytest.Session) -> None:
    if not hasattr(session.config, "workerinput"):
        for old in _folder(session.config).glob("*.json"):
            old.unlink()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    told = [[*key, test] for key, test in _reached.items()]
    worker = getattr(session.config, "workerinput", {}).get("workerid", "main")
    (_folder(session.config) / f"{worker}.json").write_text(json.dumps(told), encoding="utf-8")
    if worker == "main" and session.config.args_source is not pytest.Config.ArgsSource.ARGS:
        missing = _report(_folder(session.config))
        if missing and not session.config.option.keyword and not session.testsfailed:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _report(folder: Path) -> list[str]:
    reached: dict[tuple[str, str], str] = {}
    for path in sorted(folder.glob("*.json")):
        for process, element, test in json.loads(path.read_text(encoding="utf-8")):
            reached.setdefault((process, element), test)
    lines, missing = [], []
    for definition in shipped().values():
        for element in wanted(definition):
            test = reached.get((definition.key, element))
            lines.append(f"{definition.key}\t{element}\t{test or '-- no test reaches it --'}")
            missing += [] if test else [f"{definition.key}: {element}"]
    (folder / "report.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "missing.txt").write_text("\n".join(missing), encoding="utf-8")
    return missing


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    path = _folder(config) / "missing.txt"
    if config.args_source is pytest.Config.ArgsSource.ARGS or not path.exists():
        return
    missing = path.read_text(encoding="utf-8").splitlines()
    if missing:
        terminalreporter.section("elements of the drawings that no test reached")
        for line in missing:
            terminalreporter.line(line)
