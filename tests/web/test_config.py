"""Settings: documented defaults, nothing misspelt goes unnoticed, the secret stays a secret."""

import stat
from pathlib import Path

import pytest

from web.config import BadSettings, Settings, kept_secret, read_settings

KEY = "k" * 40


def test_without_any_variable_the_documented_defaults_hold(tmp_path: Path) -> None:
    settings = read_settings({}, var=tmp_path)
    assert settings == Settings(secret_key=settings.secret_key)
    assert settings.database_url == "sqlite:///var/shaoji.db"
    assert settings.cookie_secure


def test_every_setting_can_be_told(tmp_path: Path) -> None:
    settings = read_settings(
        {
            "SHAOJI_DATABASE_URL": "postgresql+psycopg://shaoji@db/shaoji",
            "SHAOJI_EVIDENCE_DIR": "/srv/evidence",
            "SHAOJI_SECRET_KEY": KEY,
            "SHAOJI_ORIGIN": "shaoji.example/tinglan",
            "SHAOJI_COOKIE_SECURE": "no",
            "SHAOJI_PROXIES": "1",
            "SHAOJI_DEMO": "yes",
            "HOME": "/somewhere",
        },
        var=tmp_path,
    )
    assert settings == Settings(
        KEY,
        "postgresql+psycopg://shaoji@db/shaoji",
        Path("/srv/evidence"),
        "shaoji.example/tinglan",
        cookie_secure=False,
        proxies=1,
        demo=True,
    )
    assert not (tmp_path / "secret").exists()


def test_an_unknown_variable_is_refused_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match="SHAOJI_DATABASE_URI"):
        read_settings({"SHAOJI_DATABASE_URI": "sqlite://"}, var=tmp_path)


def test_an_address_may_say_that_the_pooler_keeps_what_clients_prepare(tmp_path: Path) -> None:
    told = "postgresql+psycopg://shaoji@127.0.0.1:6432/shaoji?pooler=prepares"
    environ = {"SHAOJI_DATABASE_URL": told, "SHAOJI_SECRET_KEY": "k" * 48}
    assert read_settings(environ, var=tmp_path).database_url == told


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("COOKIE_SECURE", "maybe"),
        ("PROXIES", "-1"),
        ("PROCESSES", "0"),
        ("PROCESSES", "65"),
        ("PROCESSES", "two"),
        ("SECRET_KEY", "short"),
        ("DATABASE_URL", ""),
        ("DATABASE_URL", "postgresql+psycopg://shaoji@127.0.0.1:6432/shaoji?pooler=yes"),
    ],
)
def test_a_value_that_cannot_be_used_is_refused(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(BadSettings, match=name):
        read_settings(
            {f"SHAOJI_{name}": value, "SHAOJI_SECRET_KEY": KEY} | {f"SHAOJI_{name}": value}
        )


def test_the_secret_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "var" / "secret"
    first = kept_secret(path)
    assert kept_secret(path) == first
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(first) >= 48


def test_a_secret_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    kept_secret(path)
    path.chmod(0o644)
    with pytest.raises(BadSettings, match="chmod 600"):
        kept_secret(path)
