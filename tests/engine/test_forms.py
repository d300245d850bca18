"""A form takes what it asks for, says in Chinese what is wrong, and records nothing else."""

import json
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from werkzeug.datastructures import MultiDict

from engine import forms
from engine.forms import (
    BadForm,
    EvidenceRule,
    FormRefused,
    clean,
    evidence_rules,
    parse_posted,
    read_form,
    routing,
    shown_fields,
    validate,
)

GOLDEN = Path(__file__).parents[1] / "golden" / "bpmn"

CONFIRM = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "确认",
    "x-en": "Confirm",
    "type": "object",
    "additionalProperties": False,
    "required": ["verdict"],
    "x-required-when-shown": ["reason", "people"],
    "x-evidence": [
        {"purpose": "site", "min": 1, "when": 'verdict == "not_hazard"'},
        {"purpose": "before", "min": 2, "when": "people > 10"},
        {"purpose": "doc"},
    ],
    "properties": {
        "verdict": {
            "type": "string",
            "title": "结论",
            "x-en": "Verdict",
            "x-routing": True,
            "x-widget": "radio",
            "oneOf": [
                {"const": "hazard", "title": "是隐患", "x-en": "A hazard"},
                {"const": "not_hazard", "title": "不是隐患", "x-en": "Not a hazard"},
            ],
        },
        "reason": {
            "type": "string",
            "title": "理由",
            "x-widget": "textarea",
            "minLength": 2,
            "maxLength": 20,
            "x-when": 'verdict == "not_hazard"',
        },
        "people": {
            "type": "integer",
            "title": "人数",
            "x-routing": True,
            "minimum": 0,
            "maximum": 100,
            "x-when": 'verdict == "hazard"',
        },
        "danger": {"type": "boolean", "title": "现在有危险", "x-routing": True},
        "seen": {"type": "boolean", "title": "到过现场", "x-widget": "radio"},
        "kinds": {
            "type": "array",
            "title": "种类",
            "items": {"type": "string", "enum": ["gas", "fire", "water"]},
            "maxItems": 2,
        },
        "on": {"type": "string", "title": "日期", "x-widget": "date"},
        "at": {"type": "string", "title": "时刻", "format": "date-time"},
        "plate": {"type": "string", "title": "门牌", "pattern": "^[0-9]{1,4}号$", "maxLength": 10},
        "note": {"type": "string", "title": "说明"},
    },
}


def form(**changes):
    return read_form(json.dumps({**CONFIRM, **changes}).encode())


def field(name="x", /, **words):
    return form(
        properties={name: {"title": "项", **words}},
        required=[],
        **{"x-required-when-shown": [], "x-evidence": []},
    )


HAZARD = {"verdict": "hazard", "people": 3}


def wrong(values, form=form()):  # noqa: B008  (read once; a Form is frozen)
    return {error.field: error.chinese for error in validate(form, values)}


# --- answers ------------------------------


def test_good_answers_are_accepted_and_kept_as_they_are():
    values = {
        **HAZARD,
        "danger": False,
        "kinds": ["gas"],
        "on": "2026-03-01",
        "at": "2026-03-01T09:30:00+08:00",
        "plate": "12号",
        "note": "楼道堆物",
    }
    assert validate(form(), values) == []
    assert clean(form(), values) == values


@pytest.mark.parametrize(
    ("values", "field", "sentence"),
    [
        ({}, "verdict", "“结论”必须填写。"),
        ({"verdict": "maybe"}, "verdict", "“结论”应从所列选项中选择。"),
        ({"verdict": 3}, "verdict", "“结论”应填写文字。"),
        ({"verdict": "not_hazard"}, "reason", "“理由”必须填写。"),
        ({"verdict": "not_hazard", "reason": "无"}, "reason", "“理由”至少写 2 个字。"),
        ({"verdict": "not_hazard", "reason": "无" * 21}, "reason", "“理由”最多写 20 个字。"),
        ({"verdict": "hazard"}, "people", "“人数”必须填写。"),
        ({"verdict": "hazard", "people": -1}, "people", "“人数”不能小于 0。"),
        ({"verdict": "hazard", "people": 101}, "people", "“人数”不能大于 100。"),
        ({"verdict": "hazard", "people": "3"}, "people", "“人数”应填写整数。"),
        ({"verdict": "hazard", "people": 3.0}, "people", "“人数”应填写整数。"),
        ({"verdict": "hazard", "people": True}, "people", "“人数”应填写整数。"),
        ({**HAZARD, "danger": 1}, "danger", "“现在有危险”应选是或否。"),
        ({**HAZARD, "kinds": "gas"}, "kinds", "“种类”应是若干选项。"),
        ({**HAZARD, "kinds": [1]}, "kinds", "“种类”应是若干选项。"),
        ({**HAZARD, "kinds": ["smoke"]}, "kinds", "“种类”应从所列选项中选择。"),
        ({**HAZARD, "kinds": ["gas", "gas"]}, "kinds", "“种类”有重复的选项。"),
        ({**HAZARD, "kinds": ["gas", "fire", "water"]}, "kinds", "“种类”最多选 2 项。"),
        ({**HAZARD, "on": "2026-02-29"}, "on", "“日期”应写成日期，如 2026-03-01。"),
        ({**HAZARD, "on": "20260301"}, "on", "“日期”应写成日期，如 2026-03-01。"),
        ({**HAZARD, "at": "2026-03-01T09:30"}, "at", None),
        ({**HAZARD, "at": "2026-03-01T25:30:00Z"}, "at", None),
        ({**HAZARD, "plate": "12"}, "plate", "“门牌”的格式不对。"),
        ({**HAZARD, "color": "red"}, "color", "表单里没有“color”这一项。"),
    ],
)
def test_each_fault_is_told_in_a_sentence(values, field, sentence):
    found = wrong(values)
    assert list(found) == [field]
    assert sentence is None or found[field] == sentence


def test_text_is_trimmed_and_brought_into_one_normal_form():
    cleaned = clean(form(), {**HAZARD, "note": "  cafe\u0301\t\n "})
    assert cleaned["note"] == "caf\u00e9"


@pytest.mark.parametrize("blank", ["", "   ", "\r\n", None])
def test_blank_is_not_an_answer(blank):
    assert "note" not in clean(form(), {**HAZARD, "note": blank})
    assert wrong({"verdict": blank}) == {"verdict": "“结论”必须填写。"}


@pytest.mark.parametrize(
    "text",
    [
        "a\x00b",
        "a\x1bb",
        "a\nb",
        "a\u2028b",
        "\ud800x",
        "x\udfff",
        "\u202ecba",
        "a\ufffeb",
        "a\x85b",
    ],
)
def test_characters_that_do_not_belong_in_a_record_are_refused(text):
    assert "控制字符" in wrong({**HAZARD, "note": text})["note"]


def test_only_a_text_area_has_lines():
    values = {"verdict": "not_hazard", "reason": "一\r\n二\r三"}
    assert clean(form(), values)["reason"] == "一\n二\n三"


def test_no_character_that_is_refused_is_printable():
    # So a text that is printable throughout need not be looked through.
    refused = [chr(code) for code in range(0x110000) if forms._is_refused(chr(code))]
    assert len(refused) > 2000
    assert not any(character.isprintable() for character in refused)


def test_a_very_long_text_is_refused_even_where_the_form_sets_no_limit():
    assert wrong({**HAZARD, "note": "长" * 4001}) == {"note": "“说明”最多写 4000 个字。"}
    assert wrong({**HAZARD, "note": "长" * 4000}) == {}


def test_a_field_that_is_not_shown_is_dropped():
    values = {"verdict": "hazard", "people": 3, "reason": "填过又改了主意"}
    assert clean(form(), values) == HAZARD
    assert [f.name for f in shown_fields(form(), values)][:2] == ["verdict", "people"]


def test_what_is_not_shown_cannot_show_something_else():
    chained = form(
        properties={
            "a": {"type": "boolean", "title": "甲"},
            "b": {"type": "boolean", "title": "乙", "x-when": "a"},
            "c": {"type": "string", "title": "丙", "x-when": "b"},
        },
        required=["c"],
        **{"x-required-when-shown": [], "x-evidence": []},
    )
    assert clean(chained, {"a": False, "b": True, "c": "x"}) == {"a": False}
    assert wrong({"a": True, "b": True}, chained) == {"c": "“丙”必须填写。"}


def test_answers_that_break_a_rule_are_refused_with_all_their_sentences():
    with pytest.raises(FormRefused) as refused:
        clean(form(), {"danger": "x", "color": "red"})
    assert [error.field for error in refused.value.errors] == ["verdict", "danger", "color"]
    assert "“结论”必须填写。" in refused.value.chinese


def test_only_routing_fields_steer_the_process():
    assert routing(form(), {**HAZARD, "note": "x", "danger": True}) == {**HAZARD, "danger": True}


def test_evidence_is_asked_for_only_where_the_answers_call_for_it():
    assert evidence_rules(form(), HAZARD) == [EvidenceRule("doc", 1)]
    crowd = evidence_rules(form(), {"verdict": "hazard", "people": 11})
    assert crowd == [EvidenceRule("before", 2), EvidenceRule("doc", 1)]
    assert evidence_rules(form(), {"verdict": "not_hazard"})[0] == EvidenceRule("site", 1)


# --- posted by a browser ------------------------------


def test_a_posted_form_becomes_typed_values():
    posted = MultiDict(
        [
            ("csrf_token", "t"),
            ("verdict", "hazard"),
            ("people", " １２ "),
            ("danger", "on"),
            ("seen", "false"),
            ("kinds", "gas"),
            ("kinds", "fire"),
            ("note", ""),
        ]
    )
    assert parse_posted(form(), posted) == {
        "verdict": "hazard",
        "people": 12,
        "danger": True,
        "seen": False,
        "kinds": ["gas", "fire"],
    }


def test_a_checkbox_left_alone_says_no_and_a_radio_says_nothing():
    parsed = parse_posted(form(), MultiDict())
    assert parsed == {"danger": False, "kinds": []}


@pytest.mark.parametrize("text", ["3.5", "三", "1e3", "9" * 30, "--1"])
def test_a_number_that_cannot_be_read_is_told_to_the_person(text):
    parsed = parse_posted(form(), MultiDict({"verdict": "hazard", "people": text}))
    assert wrong(parsed) == {"people": "“人数”应填写整数。"}


# --- the form itself ------------------------------


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*/forms/*.json")), ids=lambda p: p.stem)
def test_golden_forms_are_read(path):
    assert read_form(path.read_bytes()).fields


@pytest.mark.parametrize(
    "changes",
    [
        {"$schema": "http://json-schema.org/draft-07/schema#"},
        {"type": "array"},
        {"additionalProperties": True},
        {"title": ""},
        {"required": ["nothing"]},
        {"required": "verdict"},
        {"x-required-when-shown": ["nothing"]},
        {"$ref": "https://evil.example/schema.json"},
        {"allOf": []},
        {"x-script": "alert(1)"},
        {"x-evidence": [{"purpose": "selfie"}]},
        {"x-evidence": [{"purpose": "doc", "min": 0}]},
        {"x-evidence": [{"purpose": "doc", "when": "no_such_field"}]},
        {"x-evidence": ["doc"]},
        {"properties": []},
    ],
)
def test_a_form_that_says_what_we_do_not_read_is_refused(changes):
    with pytest.raises(BadForm):
        form(**changes)


@pytest.mark.parametrize(
    "words",
    [
        {"type": "number"},
        {"type": "object"},
        {"type": ["string", "null"]},
        {},
        {"type": "string", "$ref": "#/$defs/a"},
        {"type": "string", "$ref": "file:///etc/passwd"},
        {"type": "string", "x-widget": "iframe"},
        {"type": "string", "format": "regex"},
        {"type": "string", "title": ""},
        {"type": "string", "minimum": 3},
        {"type": "integer", "maxLength": 3},
        {"type": "integer", "minimum": 1.5},
        {"type": "string", "minLength": -1},
        {"type": "string", "enum": [1]},
        {"type": "string", "enum": ["a", "a"]},
        {"type": "string", "oneOf": [{"const": "a"}, {"const": "a"}]},
        {"type": "string", "oneOf": [{"pattern": "a"}]},
        {"type": "string", "x-routing": "yes"},
        {"type": "string", "x-when": "__class__"},
        {"type": "string", "x-when": "later == 1"},
        {"type": "string", "x-when": "x == 1"},
        {"type": "string", "x-when": True},
        {"type": "string", "maxLength": 50, "pattern": "(a+)+$"},
        {"type": "string", "maxLength": 50, "pattern": "(a|a)*$"},
        {"type": "string", "maxLength": 50, "pattern": "a*a*a*a*b"},
        {"type": "string", "maxLength": 50, "pattern": "(?=a)"},
        {"type": "string", "maxLength": 50, "pattern": "(a)\\1"},
        {"type": "string", "maxLength": 50, "pattern": "["},
        {"type": "string", "pattern": "^a+$"},
        {"type": "array"},
        {"type": "array", "items": {"type": "integer"}},
        {"type": "array", "items": {"type": "string", "pattern": "a"}},
        {"type": "string", "enum": ["a"], "default": "b"},
        {"type": "array", "items": {"type": "string"}, "x-among": "later"},
        {"type": "array", "items": {"type": "string"}, "x-among": "x"},
        {"type": "array", "items": {"type": "string"}, "x-among": ["x"]},
    ],
)
def test_a_field_that_cannot_be_shown_and_checked_is_refused(words):
    with pytest.raises(BadForm):
        field(**words)


@pytest.mark.parametrize("name", ["Verdict", "_x", "判", "a-b", "a b", "x" * 41, ""])
def test_field_names_are_lower_case_english(name):
    with pytest.raises(BadForm):
        field(name, type="string")


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"[]",
        b"\xff\xfe",
        b'{"type": "object", "type": "object"}',
        b'{"title": NaN}',
        b"[" * 100_000,
        b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
        b" " * 200_001,
    ],
    ids=["empty", "list", "not utf-8", "key twice", "nan", "deep", "deep object", "large"],
)
def test_what_is_not_a_form_at_all_is_refused(document):
    with pytest.raises(BadForm):
        read_form(document)


# --- against another validator ------------------------------

SIMPLE = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "表",
    "type": "object",
    "additionalProperties": False,
    "required": ["s"],
    "properties": {
        "s": {
            "type": "string",
            "title": "文",
            "minLength": 2,
            "maxLength": 4,
            "pattern": "^[a-c]*$",
        },
        "i": {"type": "integer", "title": "数", "minimum": -3, "maximum": 5},
        "b": {"type": "boolean", "title": "是否"},
        "e": {"type": "string", "title": "选", "oneOf": [{"const": "a"}, {"const": "b"}]},
        "l": {
            "type": "array",
            "title": "列",
            "items": {"type": "string", "enum": ["a", "b", "c"]},
            "minItems": 1,
            "maxItems": 2,
            "uniqueItems": True,
        },
    },
}
JUNK = st.one_of(
    st.text("abcd", max_size=5),
    st.integers(-9, 9),
    st.booleans(),
    st.lists(st.sampled_from(["a", "b", "c", "d"]), max_size=3),
)


@given(st.dictionaries(st.sampled_from(["s", "i", "b", "e", "l", "z"]), JUNK))
def test_it_agrees_with_jsonschema_on_answers_that_are_not_blank(values):
    values = {name: value for name, value in values.items() if value not in ("", [])}
    simple = read_form(json.dumps(SIMPLE).encode())
    assert (validate(simple, values) == []) == Draft202012Validator(SIMPLE).is_valid(values)


@given(
    st.dictionaries(st.sampled_from(["verdict", "note", "kinds", "reason"]), st.text(max_size=30))
)
def test_what_is_accepted_is_clean_and_stays_clean(values):
    try:
        cleaned = clean(form(), {**HAZARD, **values})
    except FormRefused:
        return
    assert clean(form(), cleaned) == cleaned
    for value in cleaned.values():
        if isinstance(value, str):
            assert unicodedata.is_normalized("NFC", value)
            assert value == value.strip()
            value.encode()


SOME = {"type": "array", "items": {"type": "string", "enum": ["gas", "fire", "water"]}}
AMONG = form(
    properties={
        "seen": {**SOME, "title": "看过的"},
        "wrong": {**SOME, "title": "不对的", "x-among": "seen"},
    },
    required=[],
    **{"x-required-when-shown": [], "x-evidence": []},
)


def test_what_must_be_among_an_earlier_list_is_chosen_from_what_was_chosen_there():
    assert wrong({"seen": ["gas", "fire"], "wrong": ["fire"]}, AMONG) == {}
    assert wrong({"seen": ["gas"]}, AMONG) == {}
    refused = {"wrong": "“不对的”只能从“看过的”里勾过的选。"}
    assert wrong({"seen": ["gas"], "wrong": ["gas", "fire"]}, AMONG) == refused
    assert wrong({"wrong": ["gas"]}, AMONG) == refused


@pytest.mark.parametrize("of", [{"type": "string"}, {"type": "integer"}])
def test_only_a_list_can_be_among_a_list(of):
    for properties in (
        {"seen": {**of, "title": "一"}, "wrong": {**SOME, "title": "二", "x-among": "seen"}},
        {"seen": {**SOME, "title": "一"}, "wrong": {**of, "title": "二", "x-among": "seen"}},
    ):
        with pytest.raises(BadForm):
            form(
                properties=properties,
                required=[],
                **{"x-required-when-shown": [], "x-evidence": []},
            )
