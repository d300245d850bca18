"""A stranger's generator (schemathesis) sends what the OpenAPI document allows, and what not.

It reads nothing but the served document. Whatever it makes up, no answer is a failure of ours,
and each has a status, a media type and a shape that the document tells of.
"""

from itertools import count
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from schemathesis import APIOperation, Case, GenerationMode, openapi
from schemathesis.checks import load_all_checks, not_a_server_error
from schemathesis.specs.openapi import checks

from tests.conftest import Street
from tests.web.api_client import ROOT, program
from tests.web.paths import signed_for

load_all_checks()
PROMISES = [
    not_a_server_error, checks.status_code_conformance, checks.content_type_conformance,
    checks.response_schema_conformance,
]  # fmt: skip
KEYS = count(1)
MODES = [GenerationMode.POSITIVE, GenerationMode.NEGATIVE]


@pytest.fixture
def operations(app: Flask) -> list[APIOperation[Any, Any, Any, Any]]:
    schema = openapi.from_wsgi(f"{ROOT}/openapi.json", app)
    return [found.ok() for found in schema.get_all_operations()]


@pytest.mark.parametrize("mode", MODES, ids=["allowed", "forbidden"])
@pytest.mark.parametrize(
    "examples", [8, pytest.param(200, marks=pytest.mark.long)], ids=["short", "long"]
)
def test_nothing_made_up_from_the_document_is_answered_otherwise_than_it_says(
    app: Flask, web_street: Street, operations: list[APIOperation[Any, Any, Any, Any]],
    mode: GenerationMode, examples: int,
) -> None:  # fmt: skip
    case_id = signed_for(web_street)
    token = program(app, web_street, "fixer").token
    there = {"case_id": case_id, "task": "rectify#1", "process": "hazard", "seq": 1}
    assert len(operations) > 50
    for operation in operations:

        @settings(
            max_examples=examples, deadline=None, database=None, derandomize=True,
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(case=operation.as_strategy(generation_mode=mode))
        def ask(case: Case) -> None:
            known = case.path_parameters.keys() & there.keys()
            if mode is GenerationMode.POSITIVE:
                case.path_parameters.update({name: there[name] for name in known})
            key = {"Idempotency-Key": f"k-{next(KEYS)}", "Authorization": f"Bearer {token}"}
            case.call_and_validate(headers=key, checks=PROMISES)

        ask()
    web_street.check()
