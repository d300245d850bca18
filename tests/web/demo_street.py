"""The demonstration street, small, built once for all tests of a run; read it, do not change it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import Engine

from engine.database import open_database
from engine.schema import create_schema
from engine.vault import Vault, close_vault
from engine.vault_key import open_kept
from web.demo import ORIGIN, StreetBuilt, build_street
from web.demo.town import SIZES


@dataclass
class Built:
    """A street that was built for tests, and what its building told."""

    database: Engine
    files: Path
    told: StreetBuilt
    vault: Vault
    progress: list[tuple[int, int, str]]


def build(folder: Path, url: str = "") -> Built:
    database = open_database(url or f"sqlite:///{folder}/street.db")
    create_schema(database)
    progress: list[tuple[int, int, str]] = []
    vault = open_kept(f"sqlite:///{folder}/vault.db", folder / "vault.key")
    told = build_street(
        database,
        folder / "evidence",
        size=SIZES["small"],
        origin=ORIGIN,
        progress=lambda done, total, what: progress.append((done, total, what)),
        vault=vault,
    )
    return Built(database, folder / "evidence", told, vault, progress)


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    street = build(tmp_path_factory.mktemp("demo"))
    yield street
    street.database.dispose()
    close_vault(street.vault)
