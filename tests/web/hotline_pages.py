"""The hotline behind its pages: people with accounts, and a complainant at a browser."""

import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from engine import receipt_codes
from engine.accounts import create_account, hash_password
from engine.database import open_database
from engine.people import By, grant_post, register_person
from engine.vault import Vault
from tests.conftest import NOON, Street, known_people
from tests.engine.hotline_street import Hotline, hotline
from tests.web.conftest import KEY, PASSWORD, Visitor
from web.app import create_app
from web.config import Settings

TOLD = {
    "category": "service",
    "text": "报修三次都说修好了，其实没有修。",
    "place": "u-tingtao",
    "unit": "u-heat-office",
    "person_words": "供热站站长",
    "identity": "anonymous",
}


@dataclass
class Resident:
    """Somebody at a browser of their own who complains, and comes back with their code."""

    visitor: Visitor
    code: str = ""

    def form(self, **told: Any) -> dict[str, Any]:
        page = self.visitor.text("/complain")
        token = re.search(r'name="token" value="([^"]+)"', page)
        assert token
        given = {**TOLD, **told, "token": token[1]}
        return {name: value for name, value in given.items() if value is not None}

    def complain(self, **told: Any) -> TestResponse:
        answer = self.visitor.client.post("/complain", data=self.form(**told))
        self.code = code_in(answer.text)
        return answer

    def mailbox(self, act: str = "", **told: Any) -> TestResponse:
        data = {"code": self.code, "act": act, **told}
        return self.visitor.client.post("/mailbox", data=data)


def code_in(page: str) -> str:
    """The code on a page that gives one; empty if it gives none."""
    shown = page.partition('class="code16"')[2].partition("</p>")[0]
    return "-".join(re.findall(r"\d{4}", shown))


@pytest.fixture(autouse=True)
def cheap_codes(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a guess costs is looked at by tests/engine/test_receipt_codes.py."""
    monkeypatch.setattr(receipt_codes, "MEMORY_KIB", 64)


@pytest.fixture(scope="session")
def hotline_template(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The street with its hotline, everybody of it with an account, closed."""
    path = tmp_path_factory.mktemp("hotline") / "template.db"
    shutil.copy(sqlite_template, path)
    database = open_database(f"sqlite:///{path}")
    street = Street(database, person=known_people(database))
    hotline(street, None)  # type: ignore[arg-type]
    at, hashed = NOON - timedelta(days=1), hash_password(PASSWORD)
    with database.begin() as conn:
        admin = street.person["admin"] = register_person(conn, "admin演示", by=None, at=at)
        create_account(conn, "admin", admin, hashed, by=None, at=at)
        grant_post(
            conn, admin, "u-street", "系统管理员", ["administer"], reason="建库", by=None, at=at
        )
        for name in street.person.keys() - {"admin"}:
            create_account(conn, name, street.person[name], hashed, by=By(admin), at=at)
    database.dispose()
    return path


@pytest.fixture
def web_street(hotline_template: Path, tmp_path: Path) -> Iterator[Street]:
    path = tmp_path / "street.db"
    shutil.copy(hotline_template, path)
    database = open_database(f"sqlite:///{path}")
    yield Street(database, person=known_people(database))
    database.dispose()


@pytest.fixture
def settings(web_street: Street, tmp_path: Path) -> Settings:
    return Settings(
        secret_key=KEY,
        database_url=str(web_street.database.url),
        evidence_dir=tmp_path / "evidence",
        cookie_secure=False,
        receivers_dir=tmp_path / "var" / "receivers",
    )


@pytest.fixture
def app(web_street: Street, settings: Settings) -> Iterator[Flask]:
    made = create_app(settings, clock=lambda: web_street.at)
    made.testing = True
    yield made
    made.extensions["shaoji"].database.dispose()


@pytest.fixture
def vault(app: Flask) -> Vault:
    found: Vault = app.extensions["shaoji"].vault
    return found


@pytest.fixture
def h(web_street: Street, vault: Vault) -> Hotline:
    """The case of whoever complains next, acted on through the engine."""
    web_street.vault = vault
    return Hotline(web_street, vault, case="hotline-2026-00001", cases=["hotline-2026-00001"])


@pytest.fixture
def resident(app: Flask) -> Resident:
    return Resident(Visitor(app.test_client()))


Enter = Callable[[str], Visitor]
