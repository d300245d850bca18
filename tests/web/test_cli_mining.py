"""Process mining at the command line: what leaves, what is told, and what is refused."""

import errno
import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from engine.errors import Refusal
from tests.web.test_cli import IMPORT, Shaoji, founded, shaoji, told
from web.shell import NotWritten, new_file

__all__ = ["founded", "shaoji"]  # fixtures
VIEWS = ("variants", "handovers", "bottlenecks", "conformance")


def test_cases_leave_and_are_told(founded: Shaoji) -> None:
    founded(*IMPORT)
    left = told(founded("mining", "xes", "-o", "a.xes", "--json"))
    assert left["cases"] == 2
    root = ET.parse("a.xes").getroot()  # noqa: S314 - just written here
    traces = root.findall("{*}trace")
    assert sum(len(one.findall("{*}event")) for one in traces) == left["events"] > 2
    founded("mining", "ocel", "-o", "a.json")
    assert len(json.loads(Path("a.json").read_text(encoding="utf-8"))["events"]) == left["events"]
    (row,) = told(founded("mining", "conformance", "--json"))
    assert (row["share"], row["cases"], row["imported"], row["differing"]) == (1000, 2, 2, [])
    for view in VIEWS:
        founded("mining", view)
    assert "imported" in founded("mining", "conformance").output
    none = told(founded("mining", "conformance", "--to", "2001-01-01", "--json"))
    assert none == []

    again = founded("mining", "xes", "-o", "a.xes", code=1)
    assert "已存在" in again.output
    for view in VIEWS:
        assert "没有部署过流程" in founded("mining", view, "--process", "nope", code=1).output
        assert "2026-03-01" in founded("mining", view, "--from", "March", code=1).output
    late = ("--from", "2026-03-02", "--to", "2026-03-01")
    assert "早于" in founded("mining", "ocel", "-o", "b.json", *late, code=1).output
    assert "写不进" in founded("mining", "ocel", "-o", "nowhere/b.json", code=1).output
    assert not list(Path().glob("b.json*"))


def test_a_full_disk_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(NotWritten) as refused:
        _fill(tmp_path / "a.xes")
    assert isinstance(refused.value, Refusal)
    assert not list(tmp_path.iterdir())


def _fill(path: Path) -> None:
    with new_file(path) as out:
        out.write("<log>")
        raise OSError(errno.ENOSPC, "No space left on device")
