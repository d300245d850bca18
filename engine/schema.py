"""Makes and upgrades the tables, with the triggers that keep the log append-only."""

from sqlalchemy import Engine, text

from audit.guard import POSTGRESQL, SQLITE
from audit.log import metadata
from engine import (  # noqa: F401 - each brings its tables
    accounts,
    calendar_versions,
    cases,
    casework,
    definition_sets,
    inbox,
    register,
    roster,
)


def create_schema(engine: Engine) -> None:
    """Bring an empty or older database to the tables of this release."""
    with engine.begin() as conn:
        metadata.create_all(conn)
        triggers = SQLITE if conn.dialect.name == "sqlite" else POSTGRESQL
        for statement in triggers:
            conn.execute(text(statement))
