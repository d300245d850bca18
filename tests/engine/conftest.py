"""A database with our tables and a log, nothing registered yet: on SQLite and on PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.engine import make_url

from audit import log
from engine.database import open_database
from engine.schema import create_schema

ORIGIN = "log.tinglan.example"


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def bare(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """An empty log of the origin `log.tinglan.example`."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/bare.db"
        _found(url)
    else:
        url = _copy(request.getfixturevalue("bare_template"), "shaoji_bare")
    database = open_database(url)
    yield database
    database.dispose()


@pytest.fixture(scope="session")
def bare_template(postgres_url: str) -> str:
    """The database that PostgreSQL copies for each test: quicker than making the tables anew."""
    url = _copy(postgres_url, "shaoji_bare_template", template="template0")
    _found(url)
    return url


def _found(url: str) -> None:
    database = open_database(url)
    create_schema(database)
    with database.begin() as conn:
        log.found(conn, ORIGIN)
    database.dispose()


def _copy(url: str, name: str, *, template: str = "shaoji_bare_template") -> str:
    server = open_database(_sibling(url, "postgres"))
    with server.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        conn.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
        conn.execute(text(f"CREATE DATABASE {name} TEMPLATE {template}"))
    server.dispose()
    return _sibling(url, name)


def _sibling(url: str, name: str) -> str:
    return make_url(url).set(database=name).render_as_string(hide_password=False)
