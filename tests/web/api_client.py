"""A program with a token: every answer it gets is held against the served OpenAPI document."""

import re
from itertools import count
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012
from werkzeug.test import TestResponse

from engine.api_tokens import SCOPES, create_token
from tests.conftest import Street

ROOT = "/api/v1"
_KEYS = count(1)
# Operations that were exercised in this run: (method, path of the document, status).
SEEN: set[tuple[str, str, int]] = set()


class Program:
    """Sends requests as a person and checks what comes back."""

    def __init__(
        self,
        client: FlaskClient,
        document: dict[str, Any],
        token: str = "",
        headers: dict[str, str] | None = None,
    ) -> None:
        self.client = client
        self.document = document
        self.token = token
        self.headers = headers or {}

    def get(self, path: str, **more: Any) -> TestResponse:
        return self.send("GET", path, **more)

    def read(self, path: str, **more: Any) -> Any:
        answer = self.get(path, **more)
        assert answer.status_code == 200, answer.text
        return answer.json

    def act(self, path: str, told: Any = None, *, key: str = "", **more: Any) -> TestResponse:
        """Send an act with a key of its own unless one is given."""
        headers = {"Idempotency-Key": key or f"k-{next(_KEYS)}"} | more.pop("headers", {})
        if told is not None:
            more["json"] = told
        return self.send("POST", path, headers=headers, **more)

    def do(self, path: str, told: Any = None, **more: Any) -> Any:
        answer = self.act(path, told, **more)
        assert answer.status_code < 300, answer.text
        return answer.json

    def send(self, method: str, path: str, **more: Any) -> TestResponse:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        headers |= self.headers | more.pop("headers", {})
        address = path if path.startswith(ROOT) else ROOT + path
        answer = self.client.open(address, method=method, headers=headers, **more)
        check(self.document, method, address, answer)
        return answer


def program(app: Flask, street: Street, name: str, *scopes: str) -> Program:
    """A program of this person with a token for these scopes, or for all."""
    made = street.do(
        create_token, name, "测试", scopes or list(SCOPES), by=street.by(name),
        expires_at=street.at.replace(year=street.at.year + 1),
    )  # fmt: skip
    return Program(app.test_client(), document_of(app), made.secret)


def document_of(app: Flask) -> dict[str, Any]:
    """The document as it is served, to everybody."""
    answer = app.test_client().get(f"{ROOT}/openapi.json")
    assert answer.status_code == 200
    told: dict[str, Any] = answer.json
    return told


def check(document: dict[str, Any], method: str, address: str, answer: TestResponse) -> None:
    """The answer is one that the document promises for this operation, in its shape."""
    found = operation(document, method, address)
    if found is None:
        assert answer.status_code in (404, 405, 400), answer.text
        assert answer.mimetype == "application/problem+json", answer.text
        return
    path, told = found
    SEEN.add((method.lower(), path, answer.status_code))
    assert answer.status_code < 500, answer.text
    if answer.status_code == 304:
        return
    promised = told["responses"].get(str(answer.status_code)) or told["responses"]["default"]
    assert answer.mimetype in promised["content"] or answer.status_code == 200, answer.mimetype
    schema = promised["content"].get(answer.mimetype, {}).get("schema", {})
    if answer.mimetype.endswith("json") and schema.get("format") != "binary":
        validator(document, schema).validate(answer.json)
    if answer.status_code >= 400:
        assert answer.json["status"] == answer.status_code
        assert answer.json["detail_zh"] != answer.json["detail_en"]


def operation(
    document: dict[str, Any], method: str, address: str
) -> tuple[str, dict[str, Any]] | None:
    """The operation of the document that this address is for: plain paths before patterns."""
    plain = address.partition("?")[0]
    for path in sorted(document["paths"], key=lambda path: path.count("{")):
        pattern = re.sub(r"\\{\w+\\}", "[^/]*", re.escape(path))
        told = document["paths"][path].get(method.lower())
        if told is not None and re.fullmatch(pattern, plain):
            return path, told
    return None


def validator(document: dict[str, Any], schema: dict[str, Any]) -> Draft202012Validator:
    """A validator for a schema that may refer to the components of the document."""
    whole = Resource(contents=document, specification=DRAFT202012)
    registry = Registry().with_resource("urn:document", whole)
    return Draft202012Validator(_absolute(schema), registry=registry)


def _absolute(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {
            name: f"urn:document{value}" if name == "$ref" else _absolute(value)
            for name, value in schema.items()
        }
    return [_absolute(one) for one in schema] if isinstance(schema, list) else schema
