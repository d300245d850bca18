"""Forms as pages show them: what was typed stays, what depends on an answer is marked for it."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from werkzeug.datastructures import MultiDict

from engine.forms import FieldError, Form, read_form
from web.forms import MOST_GROUPS, MOST_OPTIONS, Question, questions, read_answers

NOW = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
ROOT = Path(__file__).parents[2]


@pytest.fixture
def page(app: Flask) -> Iterator[None]:
    with app.test_request_context(headers={"Accept-Language": "zh"}):
        yield


def form(properties: dict[str, Any], required: tuple[str, ...] = (), **more: Any) -> Form:
    fields = {name: {"title": name, **words} for name, words in properties.items()}
    return read_form(
        json.dumps(
            {"title": "表", "type": "object", "properties": fields, "required": list(required)}
            | more
        ).encode()
    )


def asked(asked_form: Form, posted: dict[str, Any] | None = None, **more: Any) -> list[Question]:
    told = None if posted is None else MultiDict(posted)
    errors = more.pop("errors", ())
    return questions(asked_form, told, errors, choosing=lambda _: [], now=NOW)


TEXT = {"type": "string"}
CHOICE = {
    "type": "string",
    "x-widget": "radio",
    "oneOf": [{"const": "a", "title": "甲：好"}, {"const": "b", "title": "乙"}],
}


@pytest.mark.usefixtures("page")
def test_what_was_typed_stands_in_the_field_again() -> None:
    told = asked(form({"what": TEXT, "which": CHOICE}), {"what": "有人", "which": "b"})
    assert told[0].text == "有人"
    assert [one.chosen for one in told[1].groups[0][1]] == [False, True]


@pytest.mark.usefixtures("page")
def test_a_default_stands_there_only_the_first_time() -> None:
    preset = form({"what": {**TEXT, "default": "照旧"}})
    assert asked(preset)[0].text == "照旧"
    assert asked(preset, {"what": ""})[0].text == ""


@pytest.mark.usefixtures("page")
def test_a_choice_with_a_colon_has_a_head_and_a_tail() -> None:
    one = asked(form({"which": CHOICE}))[0].groups[0][1][0]
    assert (one.head, one.tail) == ("甲", "好")


@pytest.mark.usefixtures("page")
def test_an_error_stands_under_its_field() -> None:
    told = asked(form({"what": TEXT}), {}, errors=[FieldError("what", "必须填写。", "Needed.")])
    assert told[0].error == "必须填写。"


@pytest.mark.usefixtures("page")
@pytest.mark.parametrize(
    ("condition", "marks"),
    [
        ('which == "a"', "when g1o1"),
        ('which != "a"', "when g1o0 g1o2"),
        ('which in ["a", "b"]', "when g1o1 g1o2"),
        ("which == None", "when g1o0"),
    ],
)
def test_a_question_is_marked_with_the_answers_it_depends_on(condition: str, marks: str) -> None:
    told = asked(form({"which": CHOICE, "why": {**TEXT, "x-when": condition}}))
    assert told[1].when == marks
    assert [one.marks for one in told[0].groups[0][1]] == ["g1 g1o1", "g1 g1o2"]


@pytest.mark.usefixtures("page")
def test_a_question_may_depend_on_a_tick() -> None:
    tick = {"type": "boolean"}
    told = asked(
        form({"ill": tick, "why": {**TEXT, "x-when": "ill"}, "ok": {**TEXT, "x-when": "not ill"}})
    )
    assert [question.when for question in told] == ["", "when g1o1", "when g1o0"]


@pytest.mark.usefixtures("page")
def test_a_condition_on_two_answers_hides_nothing() -> None:
    both = {**TEXT, "x-when": 'which == "a" and other == "b"'}
    told = asked(form({"which": CHOICE, "other": CHOICE, "why": both}))
    assert told[2].when == ""


@pytest.mark.usefixtures("page")
def test_a_question_nobody_must_answer_says_so() -> None:
    told = asked(form({"must": TEXT, "may": TEXT, "tick": {"type": "boolean"}}, ("must",)))
    assert [question.optional for question in told] == [False, True, False]


MOMENT = {"type": "string", "format": "date-time"}


@pytest.mark.usefixtures("page")
def test_a_moment_is_asked_as_day_and_time_with_today_filled_in() -> None:
    question = asked(form({"done_at": MOMENT}))[0]
    assert (question.widget, question.text, question.time) == ("moment", "3月2日", "")


@pytest.mark.parametrize(
    ("day", "time", "told"),
    [
        ("3月2日", "11:00", "2026-03-02T03:00:00.000Z"),
        ("昨天", "8点半", None),
        ("昨天", "8点30", "2026-03-01T00:30:00.000Z"),
        ("", "11:00", None),
        ("3月2日", "23:00", None),
    ],
)
def test_a_moment_is_read_as_people_write_it(day: str, time: str, told: str | None) -> None:
    values, errors = read_answers(
        form({"done_at": MOMENT}, ("done_at",)),
        MultiDict({"done_at.day": day, "done_at.time": time}),
        now=NOW,
    )
    assert values.get("done_at") == told
    assert [error.field for error in errors] == ([] if told else ["done_at"])


def test_a_day_alone_leaves_an_optional_moment_unanswered() -> None:
    values, errors = read_answers(
        form({"done_at": MOMENT}), MultiDict({"done_at.day": "3月2日"}), now=NOW
    )
    assert (values, errors) == ({}, [])


def test_a_date_may_lie_ahead_and_be_written_in_chinese() -> None:
    dated = form({"on": {"type": "string", "format": "date"}})
    values, errors = read_answers(dated, MultiDict({"on": "4月1日"}), now=NOW)
    assert (values, errors) == ({"on": "2026-04-01"}, [])
    _, errors = read_answers(dated, MultiDict({"on": "四月"}), now=NOW)
    assert [error.field for error in errors] == ["on"]


def test_faults_are_told_in_the_order_of_the_form() -> None:
    told = form({"first": TEXT, "at": MOMENT, "last": TEXT}, ("first", "last"))
    _, errors = read_answers(told, MultiDict({"at.day": "x", "at.time": "y"}), now=NOW)
    assert [error.field for error in errors] == ["first", "at", "last"]


def forms_of_the_house() -> list[Path]:
    return sorted((ROOT / "workflows").glob("*/forms/*.json"))


@pytest.mark.usefixtures("page")
@pytest.mark.parametrize("path", forms_of_the_house(), ids=lambda path: path.stem)
def test_every_form_of_the_house_can_be_shown(path: Path) -> None:
    shown = read_form(path.read_bytes())
    told = questions(shown, None, (), choosing=lambda _: [], now=NOW)
    assert [question.name for question in told] == [
        field.name for field in shown.fields if not field.machine
    ]
    used = {mark for q in told for mark in q.when.split() if mark != "when"}
    rules = (ROOT / "web/static/when.css").read_text(encoding="utf-8")
    assert all(f".when.{mark} " in rules or f".when.{mark}," in rules for mark in used)


def test_the_style_sheet_has_a_rule_for_every_mark() -> None:
    rules = (ROOT / "web/static/when.css").read_text(encoding="utf-8")
    for group in range(1, MOST_GROUPS + 1):
        assert f"form:not(:has(.g{group}:checked)) .when.g{group}o0" in rules
        for option in range(1, MOST_OPTIONS + 1):
            assert f"form:has(.g{group}o{option}:checked) .when.g{group}o{option}" in rules
