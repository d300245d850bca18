"""A resident at a browser: scans a code, reports, and comes back with their receipt code."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from engine import receipt_codes
from engine.guessing import Attempts
from engine.place_codes import issue
from tests.conftest import Street
from tests.web.conftest import Visitor, photo

TOLD = {"category": "charging", "words": "有人从楼上拉线充电", "where": "3 幢车棚"}


@dataclass
class Scanner:
    """Somebody with a telephone in front of a door."""

    visitor: Visitor
    door: str
    code: str = ""

    @property
    def path(self) -> str:
        return f"/q/{self.door}"

    def form(self, **told: Any) -> dict[str, Any]:
        token = re.search(r'name="token" value="([^"]+)"', self.visitor.text(self.path))
        assert token
        return {**TOLD, "token": token[1], **told}

    def send(self, data: dict[str, Any]) -> TestResponse:
        answer = self.visitor.client.post(self.path, data=data)
        found = re.findall(r'<span class="num">(\d{4})</span>', answer.text)
        self.code = "-".join(found) if len(found) == 4 else self.code
        return answer

    def report(self, *photos: bytes, **told: Any) -> TestResponse:
        files = [(BytesIO(data), "p.jpg", "image/jpeg") for data in photos]
        return self.send(self.form(**told, **({"evidence_before": files} if files else {})))

    def follow(self, act: str = "", **told: Any) -> TestResponse:
        return self.visitor.client.post("/my-report", data={"code": self.code, "act": act, **told})


@pytest.fixture(autouse=True)
def cheap_codes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real function with little memory: what it costs is no business of the pages."""
    monkeypatch.setattr(receipt_codes, "MEMORY_KIB", 64)
    monkeypatch.setattr(receipt_codes, "PASSES", 1)


@pytest.fixture
def door(web_street: Street) -> str:
    return str(web_street.do(issue, "u-micro-1", by=web_street.by("head")).code)


@pytest.fixture
def scanner(app: Flask, door: str) -> Scanner:
    return Scanner(Visitor(app.test_client()), door)


def cases(street: Street) -> list[str]:
    from audit import log

    with street.database.begin() as conn:
        return [name for name in log.streams(conn) if name.startswith("hazard-")]


def known(app: Flask) -> Iterator[Attempts]:
    """What the application counts of where requests come from."""
    found = app.extensions["shaoji.anonymous"]
    yield from (found.codes, found.complaints, found.numbers, found.places)


def through(street: Street, case: str) -> None:
    """From confirming to closing, by those whose turn it is."""
    from tests.conftest import photo as evidence
    from tests.web.paths import CONFIRMED

    person = street.person
    done = {"visited_at": "2026-03-02T11:00:00+08:00", "checks": ["visited", "gone", "as_told"]}
    steps: list[tuple[str, str, dict[str, Any], tuple[str, ...]]] = [
        ("confirm#1", "head", CONFIRMED, ()),
        ("assign#1", "dispatch", {"unit": "u-property", "person": person["fixer"],
         "acceptor": person["accept"], "term": "graded", "legal_basis": "充电停放规定"}, ()),
        ("sign_in#1", "fixer", {"in_charge": "工程主管"}, ()),
        ("rectify#1", "fixer", {"done": "拆除 6 处飞线", "done_at": done["visited_at"]},
         ("before", "after")),
        ("accept#1", "accept", {**done, "result": "pass"}, ("site",)),
        ("close#1", "close", {"verified": ["report", "acceptance"], "summary": "已消除"}, ()),
    ]  # fmt: skip
    for task, by, form, purposes in steps:
        street.later(minutes=20)
        street.complete(case, task, by, form, evidence=[evidence(one) for one in purposes])


JPEG = photo
