"""What every release wrote is replayed by this one, and comes out as it stood."""

import re
import zipfile
from functools import cache
from pathlib import Path

import orjson
import pytest

from audit import vocabulary
from audit.bundle import check_bundle
from audit.chain import Problem
from audit.entries import Entry
from engine.calendar import Calendar, read_calendar
from engine.definitions import Definition, parse
from engine.replay import Library, RecordDiffers, replay
from tests.conftest import ROOT

HISTORIES = sorted((ROOT / "tests/golden/histories").glob("*.zip"))


def test_every_release_has_its_history() -> None:
    told = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    released = set(re.findall(r"^## \[(\d+\.\d+\.\d+)\]", told, re.MULTILINE))
    assert released <= {path.stem for path in HISTORIES}
    assert HISTORIES


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.stem)
def test_a_history_comes_out_as_it_stood(path: Path) -> None:
    with zipfile.ZipFile(path) as history:
        books, expected = library(history), orjson.loads(history.read("expected.json"))
        found = {}
        for case in expected:
            state = replay(read(history, case), books)
            found[case] = {"tasks": sorted(state.tasks), "ended": state.ended}
    assert found == expected


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.stem)
def test_a_history_under_another_definition_does_not_pass(path: Path) -> None:
    """Replay really looks: what a hazard wrote is not what a whistle would have."""
    with zipfile.ZipFile(path) as history:
        books, expected = library(history), orjson.loads(history.read("expected.json"))
        cases = [case for case in expected if case.startswith("hazard-")]
        entries = read(history, cases[0])
        whistle = next(read(history, case)[0] for case in expected if case.startswith("whistle-"))
        other = books.definition(whistle.data["definition"]["sha256"])
    with pytest.raises((RecordDiffers, LookupError, ValueError)):
        replay(entries, Library(lambda _: other, books.calendar))


def library(history: zipfile.ZipFile) -> Library:
    """The definitions and calendars of a history."""

    @cache
    def definition(digest: str) -> Definition:
        folder = f"definitions/{digest}/"
        names = [name for name in history.namelist() if name.startswith(folder)]
        found = parse({name.removeprefix(folder): history.read(name) for name in names})
        assert found.digest == digest
        return found

    @cache
    def calendar(version: int) -> Calendar:
        return read_calendar(history.read(f"calendars/{version}.toml"), version=version)

    return Library(definition, calendar)


def read(history: zipfile.ZipFile, case: str) -> list[Entry]:
    """The entries of a case, each checked: bytes, hashes, links, words."""
    entries = []
    for found in check_bundle(history.read(f"cases/{case}.json")):
        assert not isinstance(found, Problem), found
        assert not vocabulary.check(found), (case, found.seq)
        entries.append(found)
    return entries
