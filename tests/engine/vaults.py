"""Vaults for tests: beside the street's database, on SQLite a file, on PostgreSQL a schema."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from engine import vault_key
from engine.vault import Vault, close_vault, open_vault

KEY = bytes(range(32))
OTHER_KEY = bytes(range(1, 33))


def url_beside(database: Engine, folder: Path) -> str:
    """Where a vault for this database lies."""
    if database.dialect.name == "sqlite":
        return f"sqlite:///{folder / 'vault' / 'vault.db'}"
    return database.url.render_as_string(hide_password=False)


def vault_beside(database: Engine, folder: Path) -> Vault:
    return open_vault(url_beside(database, folder), KEY)


def raw(vault: Vault) -> bytes:
    """All of the vault as whoever stole it has it: the bytes of its files, or of its tables."""
    if vault.engine.dialect.name == "sqlite":
        close_vault(vault)
        folder = Path(vault.engine.url.database or "").parent
        return b"".join(path.read_bytes() for path in folder.iterdir())
    with vault.engine.begin() as conn:
        tables = conn.execute(
            text("SELECT tablename FROM pg_tables WHERE schemaname = 'sealed'")
        ).scalars()
        rows = [conn.execute(text(f"SELECT * FROM sealed.{name}")).all() for name in tables]
    cells = (cell for found in rows for row in found for cell in row)
    return b"\n".join(c if isinstance(c, bytes) else str(c).encode() for c in map(_plain, cells))


def _plain(cell: object) -> object:
    return bytes(cell) if isinstance(cell, memoryview) else cell


@pytest.fixture
def opening() -> Iterator[Callable[..., Vault]]:
    """Opens vaults, by their key or by a key file, and closes them when the test is over."""
    open_ = []

    def open_one(url: str, key: bytes | Path = KEY) -> Vault:
        vault = vault_key.open_kept(url, key) if isinstance(key, Path) else open_vault(url, key)
        open_.append(vault)
        return vault

    yield open_one
    for vault in open_:
        close_vault(vault)
