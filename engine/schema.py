"""Makes and upgrades the tables, with the triggers that keep the log append-only."""

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine

from engine import (
    accounts,
    calendar_versions,
    cases,
    casework,
    definition_sets,
    imports,
    inbox,
    register,
    roster,
)
from engine.errors import Refusal

# Every module that brings tables: named here so that the schema test sees them all.
TABLES = (
    accounts,
    calendar_versions,
    cases,
    casework,
    definition_sets,
    imports,
    inbox,
    register,
    roster,
)


class SchemaMismatch(Refusal):
    """The database is of another release than the program."""


def create_schema(engine: Engine) -> None:
    """Bring an empty or older database to the tables of this release, in one transaction."""
    config = _config()
    with engine.begin() as conn:
        config.attributes["connection"] = conn
        command.upgrade(config, "head")


def check_schema(engine: Engine) -> None:
    """Refuse to work on a database that `create_schema` has not brought up to this release."""
    with engine.begin() as conn:
        found = MigrationContext.configure(conn).get_current_revision()
    wanted = ScriptDirectory.from_config(_config()).get_current_head()
    if found != wanted:
        raise SchemaMismatch(
            f"数据库版本是 {found or '空'}，程序需要 {wanted}。请先运行 shaoji init。",
            f"The database is at {found or 'nothing'}, this program needs {wanted}. "
            "Run shaoji init first.",
        )


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", "engine:migrations")
    return config
