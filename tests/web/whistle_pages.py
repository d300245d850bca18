"""The street with whistles, patrols and directives behind its pages; everybody has an account."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask

from engine.accounts import create_account, hash_password
from engine.database import open_database
from engine.people import By, grant_post, register_person
from tests.conftest import NOON, Street, known_people
from tests.engine.light_street import PROCESSES as LIGHT
from tests.engine.light_street import Light, light
from tests.engine.whistle_street import PROCESSES, Whistle, whistle
from tests.web.conftest import KEY, PASSWORD, Visitor
from web.app import create_app
from web.config import Settings

Enter = Callable[[str], Visitor]
BLOWN = {
    "kind": "daily",
    "title": "外墙砖松动",
    "category": "falling",
    "address": "听涛苑 3 幢",
    "why": "没有执法权，要拆外墙",
    "place_unit": "u-micro-1",
}


@pytest.fixture(scope="session")
def whistle_template(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The street with its departments and desks, closed."""
    path = tmp_path_factory.mktemp("whistle") / "template.db"
    shutil.copy(sqlite_template, path)
    database = open_database(f"sqlite:///{path}")
    street = Street(database, person=known_people(database))
    whistle(street)
    light(street, [process for process in LIGHT if process not in PROCESSES])
    hashed = hash_password(PASSWORD)
    with database.begin() as conn:
        admin = register_person(conn, "admin演示", by=None, at=NOON)
        create_account(conn, "admin", admin, hashed, by=None, at=NOON)
        grant_post(
            conn, admin, "u-street", "系统管理员", ["administer"], reason="建库", by=None, at=NOON
        )
        for name, person in street.person.items():
            create_account(conn, name, person, hashed, by=By(admin), at=NOON)
    database.dispose()
    return path


@pytest.fixture
def web_street(whistle_template: Path, tmp_path: Path) -> Iterator[Street]:
    path = tmp_path / "street.db"
    shutil.copy(whistle_template, path)
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
def w(web_street: Street, app: Flask) -> Whistle:
    """A whistle acted on through the engine, with the vault of the pages."""
    web_street.vault = app.extensions["shaoji"].vault
    return Whistle(web_street)


@pytest.fixture
def lights(web_street: Street, w: Whistle) -> Light:
    """Patrols, directives and drills, acted on through the engine."""
    return Light(web_street)
