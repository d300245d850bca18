"""The test street behind its pages: the hazard process, accounts, and a browser of one's own."""

import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image
from sqlalchemy import select
from werkzeug.test import TestResponse

from engine.accounts import create_account, hash_password
from engine.database import open_database
from engine.definition_sets import deploy
from engine.definitions import read_folder
from engine.people import grant_post, register_person
from engine.roster import person_name_table
from tests.conftest import NOON, ROOT, Street, known_people
from tests.web.demo_street import built as built
from tests.web.second_factors import codes_on, device_at, phone, secret_on
from web.app import create_app
from web.config import Settings

PASSWORD = "correct horse battery"
KEY = "k" * 48


@dataclass
class Visitor:
    """A browser with the habits of a person: follows forms with their tokens."""

    client: FlaskClient

    def get(self, path: str, **kwargs: Any) -> TestResponse:
        return self.client.get(path, **kwargs)

    def text(self, path: str) -> str:
        answer = self.get(path, follow_redirects=True)
        assert answer.status_code == 200, answer.text
        return answer.text

    def token(self) -> str:
        found = re.search(r'name="csrf_token" value="([^"]+)"', self.get("/receipt").text)
        assert found
        return found[1]

    def post(self, path: str, data: dict[str, Any] | None = None, **kwargs: Any) -> TestResponse:
        """Send a form as a page would, with its token; `key` unless told otherwise is fresh."""
        told = {"csrf_token": self.token(), **(data or {})}
        return self.client.post(path, data=told, **kwargs)

    def sign_in(self, name: str, password: str = PASSWORD, **kwargs: Any) -> TestResponse:
        """Sign in as somebody, with a second factor where they have to: enrolled on first use."""
        answer = self.post("/sign-in", {"name": name, "password": password}, **kwargs)
        if (answer.location or "").startswith("/second-factor"):
            return self.second_step(name, answer.location or "")
        return answer

    def second_step(self, name: str, path: str) -> TestResponse:
        """Give a code of this person's app; the first time, enrol it and note recovery codes."""
        app = self.client.application
        held, asked = phone(app, name), self.text(path)
        if 'class="secret"' not in asked:
            return self.post(path, {"code": held.code(device_at(app))})
        held.secret, held.used = secret_on(asked), 0
        path = path.replace("/second-factor", "/second-factor/enrolment")
        told = self.post(path, {"code": held.code(device_at(app))})
        held.codes = codes_on(told.text)
        return self.get("/sign-in")


def photo(colour: str = "grey", *, size: tuple[int, int] = (640, 480)) -> bytes:
    out = BytesIO()
    Image.new("RGB", size, colour).save(out, "JPEG")
    return out.getvalue()


@pytest.fixture(scope="session")
def web_template(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The founded street with the hazard process and an account for everybody, closed."""
    path = tmp_path_factory.mktemp("web") / "template.db"
    shutil.copy(sqlite_template, path)
    database = open_database(f"sqlite:///{path}")
    at = NOON - timedelta(days=29)
    hashed = hash_password(PASSWORD)
    with database.begin() as conn:
        deploy(conn, read_folder(ROOT / "workflows" / "hazard"), by=None, at=at)
        admin = register_person(conn, "admin演示", by=None, at=at)
        people = {
            row.name.removesuffix("演示"): row.person
            for row in conn.execute(select(person_name_table))
        }
        from engine.people import By

        first, *others = people.items()
        create_account(conn, first[0], first[1], hashed, by=None, at=at)
        grant_post(
            conn, admin, "u-street", "系统管理员", ["administer"], reason="建库", by=None, at=at
        )
        for name, person in others:
            create_account(conn, name, person, hashed, by=By(admin), at=at)
    database.dispose()
    return path


@pytest.fixture
def web_street(web_template: Path, tmp_path: Path) -> Iterator[Street]:
    path = tmp_path / "street.db"
    shutil.copy(web_template, path)
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
    )


@pytest.fixture
def app(web_street: Street, settings: Settings) -> Iterator[Flask]:
    made = create_app(settings, clock=lambda: web_street.at)
    made.testing = True
    yield made
    made.extensions["shaoji"].database.dispose()


@pytest.fixture
def visitor(app: Flask) -> Visitor:
    """Somebody who has not signed in."""
    return Visitor(app.test_client())


@pytest.fixture
def signed_in(app: Flask) -> Callable[[str], Visitor]:
    """Sign in as one of the street's people: `signed_in("head")`."""

    def enter(name: str) -> Visitor:
        who = Visitor(app.test_client())
        answer = who.sign_in(name)
        assert answer.status_code == 303, answer.text
        return who

    return enter
