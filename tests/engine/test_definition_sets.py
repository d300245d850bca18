"""A deployed set is on the record, never changes, and is refused if it would fail or lie."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import delete, update

from audit import log
from audit.pinned import sha256
from engine import definition_sets
from engine.definition_sets import (
    STREAM,
    DefinitionDamaged,
    DefinitionRefused,
    UnknownDefinition,
    deploy,
    file_table,
    latest,
    load,
    set_table,
)
from engine.definitions import digest, read_folder

GOLDEN = Path(__file__).parents[1] / "golden" / "bpmn"
MINIMAL = read_folder(GOLDEN / "minimal")
CHANGED = {**MINIMAL, "texts.toml": b'version = 1\n[texts]\nx = { zh = "x", en = "x" }\n'}
AT = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def fresh_cache(monkeypatch):
    monkeypatch.setattr(definition_sets, "_parsed", {})


@pytest.fixture
def conn(bare):
    with bare.begin() as connection:
        yield connection


def test_deploying_is_on_the_record(conn):
    deployed = deploy(conn, MINIMAL, by=None, at=AT)
    assert (deployed.key, deployed.version, deployed.new) == ("minimal", 1, True)
    assert deployed.digest == digest(MINIMAL)
    (entry,) = log.read(conn, STREAM)
    assert entry.type == "definition.deployed"
    assert entry.data["sha256"] == deployed.digest
    assert {f["name"]: f["sha256"] for f in entry.data["files"]} == {
        name: sha256(data) for name, data in MINIMAL.items()
    }


def test_deploying_the_same_content_again_changes_nothing(conn):
    first = deploy(conn, MINIMAL, by=None, at=AT)
    again = deploy(conn, dict(reversed(MINIMAL.items())), by=None, at=AT)
    assert (again.version, again.digest, again.new) == (1, first.digest, False)
    assert len(log.read(conn, STREAM)) == 1


def test_a_new_version_leaves_the_old_one_as_it_was(conn):
    first = deploy(conn, MINIMAL, by=None, at=AT)
    second = deploy(conn, CHANGED, by=None, at=AT)
    assert second.version == 2
    assert latest(conn, "minimal").digest == second.digest
    assert load(conn, first.digest).files == MINIMAL
    assert load(conn, second.digest).texts["x"] == {"zh": "x", "en": "x"}


def test_what_is_stored_is_read_back_whole(conn):
    deploy(conn, MINIMAL, by=None, at=AT)
    loaded = load(conn, digest(MINIMAL))
    assert loaded.files == MINIMAL
    assert list(loaded.tasks) == ["decide"]
    assert load(conn, digest(MINIMAL)) is loaded


def test_a_bad_definition_is_refused_with_its_findings_and_leaves_no_trace(conn):
    bad = (GOLDEN / "bad" / "script_reads_passwd.bpmn").read_bytes()
    with pytest.raises(DefinitionRefused) as refused:
        deploy(conn, {**MINIMAL, "minimal.bpmn": bad}, by=None, at=AT)
    assert [finding.rule for finding in refused.value.findings] == ["script"]
    assert "含有脚本" in refused.value.chinese
    assert log.read(conn, STREAM) == []
    with pytest.raises(UnknownDefinition):
        latest(conn, "minimal")


def test_an_unknown_digest_is_refused(conn):
    with pytest.raises(UnknownDefinition):
        load(conn, "0" * 64)


@pytest.mark.parametrize(
    "tamper",
    [
        update(file_table)
        .where(file_table.c.sha256 == sha256(MINIMAL["deadlines.toml"]))
        .values(bytes=b"version = 1"),
        delete(file_table).where(file_table.c.sha256 == sha256(MINIMAL["minimal.bpmn"])),
        update(set_table).values(files='{"minimal.bpmn": "' + "0" * 64 + '"}'),
    ],
    ids=["content changed", "file gone", "listing changed"],
)
def test_a_stored_definition_that_was_changed_is_refused_loudly(conn, tamper):
    deploy(conn, MINIMAL, by=None, at=AT)
    try:
        conn.execute(tamper)
    except Exception:
        pytest.skip("the database itself refuses the change")
    with pytest.raises(DefinitionDamaged):
        load(conn, digest(MINIMAL))
