"""Makes and upgrades the tables, with the triggers that keep the log append-only."""

from collections.abc import Iterator
from functools import cache

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import Script, ScriptDirectory
from sqlalchemy import Connection, Engine, inspect

from audit import sequence
from engine import (
    accounts,
    acts,
    anchoring,
    api_tokens,
    attempts,
    awaiting,
    batches,
    calendar_feeds,
    calendar_versions,
    cases,
    casework,
    definition_sets,
    drafts,
    idempotency,
    imports,
    inbox,
    index_editions,
    index_weights,
    leases,
    looks,
    metric_facts,
    metric_months,
    news,
    nodes,
    notice_board,
    notice_choices,
    notice_queue,
    outbox,
    pending,
    photo_prints,
    place_codes,
    provider_answers,
    provider_links,
    recovery_codes,
    register,
    report_jobs,
    resident_reports,
    roster,
    saved_filters,
    second_factor,
    signals,
    site_codes,
    taking_part,
    viewings,
)
from engine.errors import Refusal
from engine.rebuild import rebuild

# Every module that brings tables: named here so that the schema test sees them all.
TABLES = (
    accounts,
    acts,
    anchoring,
    api_tokens,
    attempts,
    calendar_feeds,
    awaiting,
    batches,
    calendar_versions,
    cases,
    casework,
    definition_sets,
    drafts,
    idempotency,
    imports,
    inbox,
    index_editions,
    index_weights,
    leases,
    looks,
    metric_facts,
    metric_months,
    news,
    notice_board,
    notice_choices,
    nodes,
    notice_queue,
    viewings,
    outbox,
    pending,
    photo_prints,
    place_codes,
    provider_answers,
    provider_links,
    recovery_codes,
    register,
    report_jobs,
    resident_reports,
    roster,
    saved_filters,
    second_factor,
    sequence,
    site_codes,
    taking_part,
    signals,
)


class SchemaMismatch(Refusal):
    """The database is of another release than the program."""


def create_schema(engine: Engine) -> None:
    """Bring an empty or older database to the tables of this release, in one transaction.

    Raises SchemaMismatch for a database of a newer release or of another program; it is left alone.
    """
    config = _config()
    with engine.begin() as conn:
        before = _check_ours(conn)
        config.attributes["connection"] = conn
        command.upgrade(config, "head")
        if before not in (None, _scripts().get_current_head()):
            # Stored states are those of the older release; the log is what they are made from.
            rebuild(conn)


def check_schema(engine: Engine) -> None:
    """Refuse to work on a database that `create_schema` has not brought up to this release."""
    with engine.begin() as conn:
        found = _check_ours(conn)
    wanted = _scripts().get_current_head()
    if found != wanted:
        raise SchemaMismatch(
            f"数据库版本是 {found or '空'}，程序需要 {wanted}。请先运行 shaoji init。",
            f"The database is at {found or 'nothing'}, this program needs {wanted}. "
            "Run shaoji init first.",
        )


@cache
def wanted_release() -> str:
    """The release of the tables this program works on."""
    return str(_scripts().get_current_head())


def found_release(conn: Connection) -> str | None:
    """The release the tables say they are of; None for a database without any."""
    return MigrationContext.configure(conn).get_current_revision()


def _check_ours(conn: Connection) -> str | None:
    """The release the tables are of, or None in an empty database; raises SchemaMismatch."""
    found = MigrationContext.configure(conn).get_current_revision()
    if found is None and inspect(conn).get_table_names():
        raise SchemaMismatch(
            "这个数据库里已有别的程序的表，没有动它。请给哨迹一个空的数据库。",
            "This database holds the tables of another program; nothing was done to it. "
            "Give shaoji an empty one.",
        )
    if found is not None and found not in {script.revision for script in _revisions()}:
        raise SchemaMismatch(
            f"数据库版本 {found} 是这个程序不认识的，没有动它。请使用建立它的（更新的）程序版本。",
            f"This program does not know the database's release {found}; nothing was done to it. "
            "Use the (newer) program that made it.",
        )
    return found


def _revisions() -> Iterator[Script]:
    return _scripts().walk_revisions()


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", "engine:migrations")
    return config
