"""Whatever is sent, the answer is a refusal in words: no program can make the server fail."""

from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import Street
from tests.web.api_client import Program, document_of, program
from tests.web.paths import reported
from web.api.strict_json import BadJSON, read

DEEP = b"[" * 5000
WILD = [
    b"",
    b"{",
    b"[]",
    b'"{}"',
    b"null",
    b"1",
    b"\xff\xfe",
    b"{}{}",
    DEEP,
    b'{"a":' * 5000 + b"1",
    b'{"form":{"a":' + DEEP + b"]" * 5000 + b"}}",
    b'{"text":"a","text":"b"}',
    b'{"text":"a","te\\u0078t":"b"}',
    b'{"order":' + b"9" * 5000 + b"}",
    b'{"order":1e999}',
    b'{"order":1.5}',
    b'{"order":-9007199254740993}',
    b'{"order":NaN}',
    b'{"text":"\\u0000"}',
    b'{"text":"\\ud800"}',
    b'{"\\ud800":"x"}',
    b'{"text":"a\x00b"}',
    b'{"form":{"__proto__":{}}}',
    b'{"form":[["verdict","hazard"]]}',
    b'{"form":{"verdict":{"a":["b"]}}}',
    b'{"form":{"level":null,"danger_now":"true","verdict":[]}}',
]


# A slash would begin another segment, and two at once are sent on to one.
SEGMENT = st.text(st.characters(exclude_characters="/", exclude_categories=["Cs"]), min_size=1)


@pytest.fixture
def head(app: Flask, web_street: Street) -> Program:
    reported(web_street)
    return program(app, web_street, "head")


def acts(app: Flask) -> list[str]:
    told = document_of(app)["paths"]
    return [
        path.replace("{case_id}", "hazard-2026-00001").replace("{task}", "confirm%231")
        for path, item in told.items()
        if "post" in item
    ]


def raw(who: Program, path: str, body: bytes, media: str = "application/json") -> int:
    """Send bytes as they are; `Program` holds the answer against the document."""
    headers = {"Idempotency-Key": "k", "Content-Type": media}
    return who.send("POST", path, data=body, headers=headers).status_code


@pytest.mark.parametrize("body", WILD)
def test_wild_json_is_refused_by_every_act_and_writes_nothing(
    app: Flask, head: Program, web_street: Street, body: bytes
) -> None:
    before = web_street.types("hazard-2026-00001")
    for path in acts(app):
        if path.endswith(("/claim", "/site-codes")):
            continue  # they take no body
        assert 400 <= raw(head, path, body) < 500, path
    assert web_street.types("hazard-2026-00001") == before


@pytest.mark.parametrize(
    "body",
    [
        b'{"text":"a","text":"b"}',
        b'{"text":"a","te\\u0078t":"b"}',
        b'{"text":"\\u0000"}',
        b'{"text":"\\ud800"}',
        b'{"text":"a","deep":' + b"[" * 40 + b"]" * 40 + b"}",
        b'{"text":"a","x":1.5}',
        b'{"text":"a","x":-9007199254740993}',
        b'{"text":"a","x":NaN}',
        b'{"text":"a"} {}',
        b'"{\\"text\\":\\"a\\"}"',
    ],
)
def test_what_the_log_could_not_record_is_refused_of_whoever_may_act(
    app: Flask, web_street: Street, body: bytes
) -> None:
    case = reported(web_street)
    watch = program(app, web_street, "watch")
    headers = {"Idempotency-Key": "k", "Content-Type": "application/json"}
    answer = watch.send("POST", f"/cases/{case}/urges", data=body, headers=headers)
    assert (answer.status_code, answer.json["type"][-8:]) == (400, "bad-json")
    assert "case.urged" not in web_street.types(case)
    assert raw(watch, f"/cases/{case}/urges", '{"text":"cafe\u0301"}'.encode()) == 200
    assert web_street.entries(case)[-1].data["text"] == "caf\u00e9"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner),
    max_leaves=12,
)
NAMES = ["form", "evidence", "note", "code", "reason", "to", "days", "interim", "outcome",
         "counterparty", "resume_by", "review_class", "text", "order", "task", "deadline_class",
         "group", "child", "purpose", "language", "process", "place", "verdict", "level",
         "danger_now", "object"]  # fmt: skip


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    told=st.dictionaries(st.sampled_from(NAMES), json_values, max_size=6),
    form=st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=8), json_values, max_size=5),
    number=st.integers(0, 40),
)
def test_values_of_any_type_anywhere_are_refused_or_taken_never_an_error(
    app: Flask, head: Program, told: dict[str, Any], form: dict[str, Any], number: int
) -> None:
    import json

    paths = acts(app)
    path = paths[number % len(paths)]
    body = json.dumps({**told, "form": form} if number % 2 else told, allow_nan=True)
    assert raw(head, path, body.encode("utf-8", "surrogatepass")) < 500


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    name=st.sampled_from(["text", "after", "limit", "unit", "since", "status", "level", "on"]),
    value=st.text(max_size=30),
    path=st.sampled_from(
        ["/cases", "/inbox/mine", "/inbox/started", "/posts", "/cases/hazard-2026-00001/timeline"]
    ),
)
def test_any_question_in_an_address_is_answered_or_refused(
    head: Program, name: str, value: str, path: str
) -> None:
    assert head.get(path, query_string={name: value}).status_code < 500


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(case=SEGMENT, task=SEGMENT)
def test_any_case_and_any_step_in_an_address_are_answered_or_refused(
    head: Program, case: str, task: str
) -> None:
    from urllib.parse import quote

    address = f"/cases/{quote(case, safe='')}/tasks/{quote(task, safe='')}"
    assert 400 <= head.get(address).status_code < 500
    assert head.act(f"{address}/claim").status_code in (400, 403, 404, 405, 409)


@pytest.mark.parametrize("body", WILD)
def test_what_is_read_is_an_object_that_the_log_could_record(body: bytes) -> None:
    from audit.encoding import canonical

    try:
        told = read(body)
    except BadJSON:
        return
    canonical(told)


def test_text_is_read_in_one_form_of_writing() -> None:
    told = read('{"cafe\u0301": "cafe\u0301", "list": ["e\u0301"]}'.encode())
    assert told == {"caf\u00e9": "caf\u00e9", "list": ["\u00e9"]}
