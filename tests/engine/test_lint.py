"""Golden bad files are refused, each for its own fault; what passes the lint can be read."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.definitions import parse, read_folder
from engine.lint import lint, not_checked
from engine.lint_drawing import MAX_NODES
from engine.process import Run

GOLDEN = Path(__file__).parents[1] / "golden" / "bpmn"
MINIMAL = read_folder(GOLDEN / "minimal")
WORKSHOP = read_folder(GOLDEN / "workshop")

# File name without ending -> the rules it breaks, all of them.
BAD = {
    "external_entity": "xml_file",
    "external_dtd": "xml_file",
    "billion_laughs": "xml_file",
    "processing_instruction": "xml_file",
    "declared_utf_7": "xml_file",
    "utf_16": "xml_file",
    "nested_too_deeply": "xml_file",
    "cut_off": "xml_file",
    "not_bpmn": "diagram_file",
    "two_processes": "diagram_file",
    "includes_another_file": "not_built",
    "script_reads_passwd": "script",
    "pre_script": "script",
    "post_script": "script",
    "camunda_listener": "script",
    "camunda_delegate": "script",
    "service_task_calls_http": "service",
    "service_task_operator": "not_built",
    "condition_escapes_the_sandbox": "expression",
    "condition_calls_a_function": "expression",
    "condition_in_another_language": "not_built",
    "deadline_runs_code": "expression",
    "timer_does_not_parse": "timer",
    "timer_without_a_time": "timer",
    "timer_in_iso_8601": "timer unknown_name deadline_class",
    "timer_cycle": "timer",
    "timer_date": "timer",
    "timer_of_unknown_class": "deadline_class",
    "overdue_of_nothing": "timer",
    "name_nobody_writes": "unknown_name",
    "field_no_form_has": "unknown_name",
    "field_not_for_routing": "not_routing",
    "value_no_choice_has": "impossible_value",
    "deadline_of_unknown_class": "deadline_class",
    "deadline_that_may_be_missing": "deadline_class",
    "deadline_computed": "deadline_class",
    "send_without_an_address": "send",
    "send_to_strangers": "send",
    "send_to_itself_of_nothing_it_can_do": "send",
    "send_to_itself_of_answers_unnamed": "send",
    "send_to_many_that_opens_nothing": "send outcome",
    "send_of_unreadable_payload": "send",
    "send_to_each_of_no_list": "outcome",
    "send_joined_by_unknown_duty": "send",
    "excludes_what_is_computed": "exclude",
    "opened_by_unknown_duty": "process_duty",
    "alike_for_some_time": "process_duty",
    "extended_several_times": "task_facts",
    "same_person_as_nobody": "task_facts",
    "proof_of_nothing": "task_facts",
    "proxy_for_whoever_is_there": "task_facts",
    "proxy_in_confidence": "process_duty",
    "separate_from_nobody": "separation",
    "holder_is_a_word": "outcome",
    "lot_beyond_certainty": "outcome",
    "decision_missing": "no_decision",
    "parallel_blocks_unwrapped": "parallel_unwrapped",
    "join_without_fork": "parallel_join",
    "branch_ends_before_its_join": "parallel_join",
    "branch_turns_back_before_its_fork": "parallel_join parallel_merge",
    "branches_meet_without_a_join": "parallel_merge",
    "gateway_that_joins_and_forks": "parallel_gateway",
    "branch_enters_its_join_twice": "parallel_join",
    "join_entered_from_outside": "parallel_join",
    "parallel_block_too_wide": "prediction",
    "escalation_comes_back": "escalation_merges",
    "lane_without_duty": "lane_duty",
    "lane_of_unknown_duty": "lane_duty",
    "lane_of_unknown_scope": "lane_scope",
    "lane_unit_runs_code": "expression",
    "task_outside_lanes": "no_lane",
    "lane_lists_a_stranger": "lane_member",
    "task_in_two_lanes": "lane_member",
    "task_without_form": "no_form unknown_name",
    "task_with_missing_form": "no_form unknown_name",
    "task_without_capacity": "task_facts",
    "task_without_name": "no_name",
    "misspelt_property": "unknown_property",
    "property_said_twice": "not_built",
    "gateway_without_default": "gateway_default gateway_condition",
    "gateway_without_condition": "gateway_condition",
    "default_flow_with_condition": "gateway_condition",
    "condition_after_a_task": "condition_elsewhere",
    "task_with_two_ways_out": "implicit_fork",
    "two_flows_to_one_place": "gateway_same_target",
    "task_nobody_reaches": "unreachable",
    "dead_end": "dead_end",
    "end_never_reached": "end_unreachable",
    "no_end": "no_end",
    "two_starts": "start",
    "loop_that_waits_for_nobody": "automatic_loop",
    "flow_to_nowhere": "flow_ends",
    "flow_into_a_sub_process": "flow_ends start no_end",
    "inclusive_gateway": "not_built",
    "event_based_gateway": "not_built",
    "complex_gateway": "not_built",
    "call_activity": "not_built",
    "manual_task": "not_built",
    "receive_task": "not_built",
    "abstract_task": "not_built",
    "ad_hoc_sub_process": "not_built",
    "transaction": "not_built",
    "throw_event": "not_built",
    "signal_event": "not_built",
    "error_event": "not_built",
    "escalation_event": "not_built",
    "compensate_event": "not_built",
    "conditional_event": "not_built",
    "link_event": "not_built",
    "cancel_event": "not_built",
    "standard_loop": "not_built",
    "multi_instance": "not_built",
    "data_association": "not_built",
    "data_object": "not_built",
    "compensation_task": "not_built",
    "message_flow": "not_built",
    "imports_a_file": "not_built",
    "event_sub_process": "not_built",
    "start_by_timer": "not_built",
    "message_nobody_sends": "message",
    "withdraw_by_nobody": "message",
    "window_of_unknown_class": "deadline_class",
    "boundary_on_a_gateway": "boundary",
    "id_used_twice": "duplicate_id",
    "id_in_capitals": "bad_id",
    "id_is_a_keyword": "bad_id",
    "id_missing": "bad_id",
    "shape_missing": "not_drawn",
    "edge_missing": "not_drawn",
    "picture_missing": "not_drawn",
    "process_of_another_name": "process_key",
    "not_executable": "process_key",
    "process_without_title": "process_title",
}


def rules(files):
    return {finding.rule for finding in lint(files)}


def bad(name):
    return {**MINIMAL, "minimal.bpmn": (GOLDEN / "bad" / f"{name}.bpmn").read_bytes()}


def changed(files, name, old, new):
    assert old.encode() in files[name]
    return {**files, name: files[name].replace(old.encode(), new.encode(), 1)}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_process_is_refused_for_its_fault(name):
    findings = lint(bad(name))
    assert {finding.rule for finding in findings} == set(BAD[name].split())
    for finding in findings:
        assert finding.chinese.endswith("。")
        assert finding.english.endswith(".")
        assert not finding.english.isspace()


def test_every_bad_file_is_expected_to_be_bad():
    assert {path.stem for path in (GOLDEN / "bad").iterdir()} == set(BAD)


@pytest.mark.parametrize("files", [MINIMAL, WORKSHOP], ids=["minimal", "workshop"])
def test_good_processes_pass(files):
    assert lint(files) == []
    assert parse(files).digest


def test_a_finding_names_the_element_at_fault():
    (finding,) = lint(bad("script_reads_passwd"))
    assert finding.element == "read"
    assert finding.chinese.startswith("read：含有脚本")
    (finding,) = lint(bad("dead_end"))
    assert finding.element == "stuck"


# --- a drawing judged alone ------------------------------


def test_a_drawing_alone_is_judged_as_far_as_it_goes():
    alone = {"workshop.bpmn": WORKSHOP["workshop.bpmn"]}
    assert lint(alone) == []
    notes = {finding.element for finding in not_checked(alone)}
    assert {"make", "grade", "rest"} <= notes
    assert {finding.rule for finding in not_checked(alone)} == {"not_checked"}
    assert not_checked(WORKSHOP) == []


@pytest.mark.parametrize(
    "name", ["external_entity", "script_reads_passwd", "no_end", "name_nobody_writes"]
)
def test_a_bad_drawing_alone_is_refused_too(name):
    path = GOLDEN / "bad" / f"{name}.bpmn"
    assert rules({path.name: path.read_bytes()}) == {BAD[name]}


# --- faults in the other files ------------------------------


@pytest.mark.parametrize(
    ("name", "old", "new", "expected"),
    [
        ("grade.dmn", "&lt; 10", "&lt; 9", "rule_table_incomplete"),
        ("grade.dmn", "&lt; 10", "&lt; 11", "rule_table_overlap"),
        ("grade.dmn", "prepare.kind", "prepare.color", "unknown_name"),
        ("grade.dmn", "prepare.kind", "prepare.note", "not_routing"),
        ("grade.dmn", "prepare.kind", "__class__", "decision_file"),
        ("grade.dmn", 'hitPolicy="UNIQUE"', 'hitPolicy="ANY"', "decision_file"),
        ("grade.dmn", '<decision id="grade"', '<decision id="other"', "no_decision unknown_name"),
        ("grade.dmn", 'name="big"', 'name="large"', "unknown_name"),
        ("grade.dmn", "<definitions", "<!DOCTYPE x><definitions", "xml_file"),
        ("forms/prepare.json", '"const": "metal"', '"const": "steel"', "rule_input"),
        ("forms/prepare.json", '"type": "integer"', '"type": "boolean"', "form_file"),
        ("forms/prepare.json", '"x-routing": true', '"x-routing": false', "not_routing"),
        ("forms/check.json", '"x-when": "not passed"', '"x-when": "exit()"', "form_file"),
        ("forms/check.json", '"passed"', '"pass_ed"', "form_file"),
        ("deadlines.toml", "[classes.WD1]", "[classes.WD2]", "deadline_class"),
        ("deadlines.toml", "amount = 1", "amount = 0", "deadlines_file"),
        ("deadlines.toml", "amount = 1", "amount = 1.5", "deadlines_file"),
        ("deadlines.toml", 'clock = "working"', 'clock = "lunar"', "deadlines_file"),
        ("deadlines.toml", "[50, 80]", "[80, 50]", "deadlines_file"),
        ("deadlines.toml", "version = 1", "version = 2", "deadlines_file"),
        ("deadlines.toml", 'escalate_duty = "supervise"', 'escalate_duty = "x"', "deadline_class"),
        ("deadlines.toml", 'source = "configuration of this test"\n', "", "deadlines_file"),
    ],
)
def test_faults_of_the_other_files_are_found(name, old, new, expected):
    assert rules(changed(WORKSHOP, name, old, new)) == set(expected.split())


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("forms/check.json", "no_form unknown_name"),
        ("forms/report.json", "no_form"),
        ("grade.dmn", "no_decision unknown_name"),
        ("deadlines.toml", "deadline_class"),
        ("workshop.bpmn", "definition_file"),
    ],
)
def test_a_missing_file_is_found(name, expected):
    assert rules({n: data for n, data in WORKSHOP.items() if n != name}) == set(expected.split())


@pytest.mark.parametrize(
    "name",
    [
        "run.py",
        "forms/x.html",
        "forms/../x.json",
        "../x.dmn",
        "a.bpmn.bak",
        "x\n.dmn",
        "config.toml",
    ],
)
def test_files_that_are_no_part_of_a_definition_are_refused(name):
    assert "unknown_file" in rules({**MINIMAL, name: b""})


def test_two_decisions_of_one_id_are_refused():
    assert rules({**WORKSHOP, "second.dmn": WORKSHOP["grade.dmn"]}) == {"duplicate_id"}


@pytest.mark.parametrize("name", ["deadlines.toml", "texts.toml"])
@pytest.mark.parametrize("text", [b"a = " + b"[" * 50_000, b"#" * 200_001, b"\xff"])
def test_files_that_would_exhaust_the_reader_are_refused(name, text):
    assert len(rules({**MINIMAL, name: text})) == 1


def test_a_broken_text_file_is_found():
    assert rules({**MINIMAL, "texts.toml": b"[texts]\na = 1\n"}) == {"definition_file"}


def test_a_process_of_too_many_nodes_is_refused():
    ends = "".join(f'<bpmn:endEvent id="e_{n}" name="e" />' for n in range(MAX_NODES))
    files = changed(MINIMAL, "minimal.bpmn", "</bpmn:process>", f"{ends}</bpmn:process>")
    assert rules(files) == {"too_many_nodes"}


REMARKS = """
    <bpmn:textAnnotation id="remark"><bpmn:text>依据：条例第三条</bpmn:text></bpmn:textAnnotation>
    <bpmn:association id="to_remark" sourceRef="decide" targetRef="remark" />
  </bpmn:process>"""


def test_remarks_are_welcome_and_change_nothing():
    files = changed(MINIMAL, "minimal.bpmn", "</bpmn:process>", REMARKS)
    start = '<bpmn:startEvent id="start" name="开始">'
    said = f"{start}<bpmn:documentation>从这里开始</bpmn:documentation>"
    files = changed(files, "minimal.bpmn", start, said)
    assert lint(files) == []
    assert [waiting.key for waiting in _begun(files)] == ["decide#1"]


def _begun(files):
    run = Run(parse(files), None)
    run.begin({"case": {}}, seed=b"")
    return run.waiting()


def test_no_other_expression_language_can_be_named():
    tag = "<bpmn:definitions "
    files = changed(MINIMAL, "minimal.bpmn", tag, f'{tag}expressionLanguage="groovy" ')
    assert rules(files) == {"not_built"}


# --- drawings changed at random ------------------------------

LINES = WORKSHOP["workshop.bpmn"].decode().splitlines(keepends=True)
WORDS = [*'"<>=', "decide", "make", "checks", "parallelGateway", "exclusiveGateway", "userTask",
         "endEvent", "", "overdue", "join", "fork", "subProcess", "boundaryEvent"]  # fmt: skip


@settings(max_examples=150)
@given(st.sets(st.integers(0, len(LINES) - 1), max_size=3))
def test_a_drawing_with_lines_missing_is_refused_or_can_be_read(missing):
    document = "".join(line for at, line in enumerate(LINES) if at not in missing).encode()
    files = {**WORKSHOP, "workshop.bpmn": document}
    if not lint(files):
        parse(files)


@settings(max_examples=150)
@given(st.integers(5, len(LINES) - 1), st.sampled_from(WORDS), st.sampled_from(WORDS))
def test_a_drawing_with_words_swapped_is_refused_or_can_be_read(at, old, new):
    lines = [*LINES]
    lines[at] = lines[at].replace(old, new) if old else lines[at] + new
    files = {**WORKSHOP, "workshop.bpmn": "".join(lines).encode()}
    if not lint(files):
        parse(files)
