"""Whether a server answers and may be sent work: asked by anybody, told without a secret."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import text

from engine.keys import make_keys
from tests.conftest import ORIGIN, Street
from tests.engine.vaults import url_beside
from tests.web.conftest import KEY
from web import health
from web.app import create_app
from web.config import Settings


@pytest.fixture
def settings(street: Street, tmp_path: Path) -> Settings:
    return Settings(
        secret_key=KEY, origin=ORIGIN, cookie_secure=False,
        database_url=street.database.url.render_as_string(hide_password=False),
        vault_url=url_beside(street.database, tmp_path), vault_key=tmp_path / "vault.key",
        field_key=tmp_path / "field.key", keys_dir=tmp_path / "keys",
        evidence_dir=tmp_path / "evidence",
    )  # fmt: skip


@pytest.fixture
def app(street: Street, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flask]:
    monkeypatch.setattr(health, "FRESH_SECONDS", 0.0)
    make_keys(settings.keys, ORIGIN, "听澜街道（演示）", at=street.at)
    made = create_app(settings, clock=lambda: street.at)
    made.testing = True
    yield made
    made.extensions["shaoji"].database.dispose()
    made.extensions["shaoji"].vault.engine.dispose()


def ready(app: Flask) -> tuple[int, str]:
    answer = app.test_client().get("/readyz")
    assert "Set-Cookie" not in answer.headers
    assert answer.headers["Cache-Control"] == "no-store"
    return answer.status_code, answer.text.strip()


def take_away(app: Flask, street: Street) -> None:
    """Really: the file is moved, or the database renamed while nobody is in it."""
    street.database.dispose()
    app.extensions["shaoji"].database.dispose()
    app.extensions["shaoji"].vault.engine.dispose()
    if street.database.dialect.name == "sqlite":
        Path(str(street.database.url.database)).rename(f"{street.database.url.database}.away")
    else:
        _on_server(street, "ALTER DATABASE shaoji_test RENAME TO shaoji_away")


def bring_back(street: Street) -> None:
    if street.database.dialect.name == "sqlite":
        Path(f"{street.database.url.database}.away").rename(str(street.database.url.database))
    else:
        _on_server(street, "ALTER DATABASE shaoji_away RENAME TO shaoji_test")


def _on_server(street: Street, statement: str) -> None:
    from engine.database import open_database

    server = open_database(
        street.database.url.set(database="postgres").render_as_string(hide_password=False)
    )
    with server.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        conn.execute(text(statement))
    server.dispose()


def test_it_answers_without_a_database_and_is_ready_only_with_one(
    app: Flask, street: Street
) -> None:
    assert ready(app) == (200, "ready")
    take_away(app, street)
    try:
        assert ready(app) == (503, "数据库没有应答 / the database does not answer")
        assert not Path(str(street.database.url.database)).exists()
        alive = app.test_client().get("/healthz")
        assert (alive.status_code, alive.text) == (200, "ok\n")
        assert "Set-Cookie" not in alive.headers
    finally:
        bring_back(street)
    assert ready(app) == (200, "ready")


def test_tables_of_another_release_are_not_ready(app: Flask, street: Street) -> None:
    with street.database.begin() as conn:
        conn.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    assert ready(app) == (503, "数据库是另一个版本的 / the database is of another release")


def test_without_a_key_pages_need_it_is_not_ready_and_names_no_path(
    app: Flask, settings: Settings, tmp_path: Path
) -> None:
    needed = (Path(settings.keys.receipt), settings.field, settings.vault[1])
    for path in needed:
        away = path.with_suffix(".away")
        path.rename(away)
        code, told = ready(app)
        assert (code, told) == (503, "缺密钥 / a key is missing"), path
        assert str(tmp_path) not in told
        away.rename(path)
    # Pages sign no checkpoints: that key may be kept from them.
    Path(settings.keys.checkpoint).unlink()
    assert ready(app) == (200, "ready")


def test_a_flood_of_questions_asks_the_database_once_a_second(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "FRESH_SECONDS", 60.0)
    found, asked = app.extensions[health.EXTENSION], []
    find = found.find
    found.find = lambda: asked.append(1) or find()
    assert [ready(app)[0] for _ in range(20)] == [200] * 20
    assert len(asked) <= 1
