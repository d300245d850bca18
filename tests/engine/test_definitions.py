"""A definition set is read into facts, and named by a hash that anybody can recompute."""

import dataclasses
import shutil
import subprocess
from pathlib import Path

import pytest

from audit.pinned import listing_digest, sha256
from engine.deadline_classes import BadDeadlines, Span, read_deadlines
from engine.definitions import (
    BadDefinition,
    digest,
    hardened_xml,
    parse,
    read_folder,
)
from engine.errors import BadInput
from engine.hardened import MAX_BYTES, BadXml

GOLDEN = Path(__file__).parents[1] / "golden" / "bpmn"
WORKSHOP = read_folder(GOLDEN / "workshop")


@pytest.fixture(scope="module")
def workshop():
    return parse(WORKSHOP)


# --- what is drawn --------------------------------------------------------------------------------


def test_the_process_is_known_by_its_key_and_titles(workshop):
    assert (workshop.key, workshop.title, workshop.title_en) == (
        "workshop", "工坊演练", "Workshop drill",
    )  # fmt: skip
    assert workshop.number_label == "坊"
    assert workshop.start == "start"
    assert workshop.ends == ("reminded", "done")


def test_a_user_task_has_everything_the_engine_asks(workshop):
    task = workshop.tasks["recheck"]
    assert (task.verb, task.verb_en, task.form, task.capacity) == (
        "抽查", "Check again", "check", "reinspect",
    )  # fmt: skip
    assert task.lane == "lane_checker"
    assert task.deadline is None
    assert task.holder.evaluate({"prepare": {"rechecker": "p-0031"}}) == "p-0031"
    assert task.separate_from.evaluate({}) == ["make", "check_size", "check_look"]
    assert task.separate_unit_from.evaluate({}) == ["make"]
    assert workshop.tasks["make"].deadline.evaluate({"grade": {"big": True}}) == "WD5"
    assert workshop.tasks["make"].duty5 == "rectify"


def test_lanes_say_which_duty_in_which_units(workshop):
    lane = workshop.lanes["lane_checker"]
    assert (lane.name, lane.duty, lane.scope, lane.unit) == ("检查人", "accept", "street", None)
    drawing = WORKSHOP["workshop.bpmn"].replace(
        b'value="street"', b'value="unit:prepare.rechecker"'
    )
    files = {**WORKSHOP, "workshop.bpmn": drawing}
    lane = parse(files).lanes["lane_checker"]
    assert lane.unit.evaluate({"prepare": {"rechecker": "u-1"}}) == "u-1"


def test_events_know_what_they_wait_for(workshop):
    overdue, rest = workshop.timers["make_overdue"], workshop.timers["rest"]
    assert (overdue.attached_to, overdue.interrupting, overdue.expression) == ("make", False, None)
    assert rest.attached_to is None
    assert rest.expression.evaluate({}) == "D1"
    withdraw = workshop.messages["make_withdrawn"]
    assert (withdraw.message, withdraw.by, withdraw.interrupting) == ("withdraw", "prepare", True)


def test_gateways_rules_and_lots_can_be_asked(workshop):
    gateway = workshop.gateways["is_passed"]
    assert gateway.default == "flow_rework"
    passed, rework = gateway.flows
    assert passed.target == "draw"
    assert rework.condition is None
    checked = {"check_size": {"passed": True}, "check_look": {"passed": False}}
    assert not passed.condition.holds(checked)
    assert workshop.rules["grade"].id == "grade"
    assert workshop.lots["draw"].evaluate({"grade": {"big": False}}) == 500


def test_elements_know_their_place(workshop):
    fork = workshop.elements["fork"]
    assert (fork.kind, fork.parent, fork.lane) == ("parallelGateway", "checks", "lane_checker")
    assert fork.outgoing == ("flow_fork_check_size", "flow_fork_check_look")
    assert workshop.elements["make_overdue"].event == "timer"
    assert workshop.flows["flow_join_checks_end"].target == "checks_end"


def test_a_definition_cannot_be_changed(workshop):
    with pytest.raises(dataclasses.FrozenInstanceError):
        workshop.key = "other"
    for mapping in (workshop.tasks, workshop.files, workshop.forms, workshop.rules):
        with pytest.raises(TypeError):
            mapping["new"] = None


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("workshop.bpmn", b'value="check.json"', b'value="nothing.json"'),
        ("workshop.bpmn", b">grade<", b">nothing<"),
        ("workshop.bpmn", b'value="draw_lot"', b'value="http"'),
        ("workshop.bpmn", b">overdue<", b"><"),
        ("workshop.bpmn", b"<bpmn:flowNodeRef>make</bpmn:flowNodeRef>", b""),
        ("workshop.bpmn", b"prepare.rechecker", b"exit()"),
        ("workshop.bpmn", b"startEvent", b"endEvent"),
        ("deadlines.toml", b"version = 1", b"version = 9"),
        ("forms/check.json", b"boolean", b"object"),
        ("grade.dmn", b"UNIQUE", b"RULE ORDER"),
    ],
)
def test_what_leaves_nothing_to_run_is_refused(name, old, new):
    assert old in WORKSHOP[name]
    with pytest.raises(BadInput):
        parse({**WORKSHOP, name: WORKSHOP[name].replace(old, new)})


def test_a_set_has_one_drawing():
    with pytest.raises(BadDefinition):
        parse({**WORKSHOP, "second.bpmn": WORKSHOP["workshop.bpmn"]})
    with pytest.raises(BadDefinition):
        parse({"deadlines.toml": b"version = 1"})


# --- files and their digest -----------------------------------------------------------------------


def test_a_folder_is_read_without_what_is_no_part_of_it(tmp_path):
    shutil.copytree(GOLDEN / "workshop", tmp_path / "w")
    (tmp_path / "w" / "README.md").write_text("for people")
    (tmp_path / "w" / "forms" / "old.json~").write_text("{")
    assert read_folder(tmp_path / "w") == WORKSHOP
    assert "forms/check.json" in WORKSHOP


def test_the_digest_is_what_sha256sum_prints():
    command = shutil.which("sha256sum")
    if command is None:
        pytest.skip("no sha256sum on this system")
    names = sorted(WORKSHOP, key=lambda name: name.encode())
    listing = subprocess.run(
        [command, *names], cwd=GOLDEN / "workshop", capture_output=True, check=True
    ).stdout
    assert digest(WORKSHOP) == sha256(listing)


def test_the_digest_tells_every_change_of_content_or_name():
    known = digest(WORKSHOP)
    assert digest(dict(reversed(WORKSHOP.items()))) == known
    assert digest({**WORKSHOP, "texts.toml": b""}) != known
    assert digest({**WORKSHOP, "deadlines.toml": b"version = 1"}) != known
    renamed = {name.replace("check", "cheque"): data for name, data in WORKSHOP.items()}
    assert digest(renamed) != known
    assert listing_digest({name: sha256(data) for name, data in WORKSHOP.items()}) == known


# --- hardened XML ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"<a>",
        b"<a/><b/>",
        b"<!DOCTYPE a><a/>",
        b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
        b'<!DOCTYPE a SYSTEM "http://evil.example/a.dtd"><a/>',
        b"<a>&b;</a>",
        b"<a><?php system('id') ?></a>",
        b"<?xml version='1.0' encoding='GBK'?><a/>",
        b"<?xml version='1.0' encoding='UTF-7'?><a/>",
        b"<?xml version='1.0'?><?xml version='1.0'?><a/>",
        "<a/>".encode("utf-16"),
        "<a>中</a>".encode("gbk"),
        b"<a>\x00</a>",
        b"<a>" * 41 + b"</a>" * 41,
        b"<a>" + b"<b/>" * 50_000 + b"</a>",
        b"<a>" + b" " * MAX_BYTES + b"</a>",
        b"<x:a/>",
    ],
    ids=lambda document: repr(document[:40]),
)
def test_xml_that_could_reach_out_or_blow_up_is_refused(document):
    with pytest.raises(BadXml) as refused:
        hardened_xml(document)
    assert refused.value.chinese.endswith("。")


def test_plain_xml_is_read():
    root = hardened_xml(
        b"\xef\xbb\xbf<?xml version='1.0' encoding='utf-8'?><!-- x --><a>\xe4\xb8\xad</a>"
    )
    assert (root.tag, root.text, len(root)) == ("a", "中", 0)


# --- deadline classes -----------------------------------------------------------------------------


def test_deadline_classes_are_read():
    classes = read_deadlines(WORKSHOP["deadlines.toml"])
    wd5 = classes["WD5"]
    assert (wd5.id, wd5.title, wd5.clock, wd5.amount, wd5.unit) == (
        "WD5", "5 个工作日", "working", 5, "days",
    )  # fmt: skip
    assert wd5.warn == (50, 80)
    assert wd5.grace == Span("working", 4, "hours")
    assert wd5.escalate_duty == "supervise"


@pytest.mark.parametrize(
    "document",
    [
        b"\xff",
        b"version = ",
        b"",
        b"version = 1\nclasses = 3",
        b"version = 1\n[classes]\nA = 3",
        b"version = 1\n[other]",
        b"version = 1\n[classes.A]\ntitle = 'x'",
    ],
)
def test_unreadable_deadline_files_are_refused(document):
    with pytest.raises(BadDeadlines):
        read_deadlines(document)
