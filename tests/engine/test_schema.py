"""The tables that migrations make are those the program believes in; no others are used."""

import json
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Engine, MetaData, inspect, select, text

from audit.log import metadata
from engine import report_jobs, schema
from engine.database import open_database
from engine.metric_periods import periods
from engine.schema import TABLES, SchemaMismatch, check_schema, create_schema
from engine.special_reports import SPECIAL
from tests.conftest import Street

ROOT = Path(__file__).parents[2]


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """A database without any table."""
    if request.param == "sqlite":
        database = open_database(f"sqlite:///{tmp_path}/empty.db")
    else:
        database = _empty_postgres(request.getfixturevalue("postgres_url"))
    yield database
    database.dispose()


def _empty_postgres(url: str) -> Engine:
    server = open_database(url)
    with server.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        conn.execute(text("DROP DATABASE IF EXISTS shaoji_empty WITH (FORCE)"))
        conn.execute(text("CREATE DATABASE shaoji_empty TEMPLATE template0"))
    url = server.url.set(database="shaoji_empty").render_as_string(hide_password=False)
    server.dispose()
    return open_database(url)


def drawn(database: Engine) -> dict[str, Any]:
    """Everything the database says of its tables."""
    look = inspect(database)
    return {
        name: {
            "columns": [
                (c["name"], str(c["type"]), c["nullable"], c["default"], c.get("identity"))
                for c in look.get_columns(name)
            ],
            "key": look.get_pk_constraint(name)["constrained_columns"],
            "indexes": sorted(
                (str(i["name"]), i["column_names"], bool(i["unique"]))
                for i in look.get_indexes(name)
            ),
            "unique": sorted(u["column_names"] for u in look.get_unique_constraints(name)),
            "foreign": sorted(
                (f["constrained_columns"], f["referred_table"], f["referred_columns"])
                for f in look.get_foreign_keys(name)
            ),
            "checks": sorted(c["sqltext"] for c in look.get_check_constraints(name)),
        }
        for name in look.get_table_names()
        if name != "alembic_version"
    }


def test_migrations_make_the_tables_the_modules_describe(
    empty: Engine, request: pytest.FixtureRequest
) -> None:
    kind = {"sqlite": "sqlite_street", "postgresql": "postgres_street"}[empty.dialect.name]
    street: Street = request.getfixturevalue(kind)
    metadata.create_all(empty)
    migrated, described = drawn(street.database), drawn(empty)
    assert migrated.keys() == described.keys()
    for name, table in described.items():
        assert migrated[name] == table, name


def test_every_module_with_tables_is_known_to_the_schema() -> None:
    # The vault is a database of its own, with tables of its own, and so is what a witness has seen.
    apart = {"engine.vault", "engine.witnessed"}
    known = {module.__name__ for module in TABLES} | {"audit.log"} | apart
    with_tables = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for room in ("audit", "engine", "web")
        for path in (ROOT / room).rglob("*.py")
        if "migrations" not in path.parts and " = Table(" in path.read_text()
    }
    assert with_tables == known


def test_there_is_one_metadata_for_all_tables() -> None:
    found = {
        value.metadata
        for module in TABLES
        for value in vars(module).values()
        if isinstance(getattr(value, "metadata", None), MetaData)
    }
    assert found == {metadata}


@pytest.mark.parametrize("times", [1, 3])
def test_bringing_a_database_up_again_changes_nothing(empty: Engine, times: int) -> None:
    create_schema(empty)
    before = drawn(empty)
    for _ in range(times):
        create_schema(empty)
    assert drawn(empty) == before
    check_schema(empty)


APPEND_ONLY = ("checkpoint", "cosignature", "event", "leaf", "log_origin", "timestamp_token")


def test_the_append_only_triggers_are_there_on_sqlite(sqlite_street: Street) -> None:
    with sqlite_street.database.begin() as conn:
        found = conn.execute(text("SELECT name, tbl_name FROM sqlite_master WHERE type='trigger'"))
        assert sorted(map(tuple, found)) == [
            (f"{table}_no_{verb}", table)
            for table in APPEND_ONLY
            for verb in ("delete", "replace", "update")
        ]


@pytest.mark.postgres
def test_the_append_only_triggers_hold_always_on_postgresql(postgres_street: Street) -> None:
    with postgres_street.database.begin() as conn:
        found = conn.execute(
            text(
                "SELECT tgname, relname, tgenabled FROM pg_trigger JOIN pg_class c ON c.oid ="
                " tgrelid WHERE NOT tgisinternal"
            )
        )
        rows = sorted(tuple(row) for row in found)
    # A = ALWAYS: fires under session_replication_role = replica as well.
    assert rows == [
        (f"{table}_no_{verb}", table, "A")
        for table in APPEND_ONLY
        for verb in ("change", "truncate")
    ]


def test_every_transaction_of_ours_keeps_its_promise_on_sqlite(sqlite_street: Street) -> None:
    with sqlite_street.database.begin() as conn:
        asked = ("journal_mode", "synchronous", "foreign_keys", "recursive_triggers")
        told = [conn.exec_driver_sql(f"PRAGMA {name}").scalar() for name in asked]
    assert told == ["wal", 2, 1, 1]  # 2 = FULL


# --- refusals -------------------------------------------------------------------------------


def test_an_empty_database_is_refused_in_words(empty: Engine) -> None:
    with pytest.raises(SchemaMismatch, match="shaoji init") as refused:
        check_schema(empty)
    assert "空" in refused.value.chinese
    assert "nothing" in refused.value.english
    assert inspect(empty).get_table_names() == []


def test_a_database_of_another_release_is_refused_in_words(street: Street) -> None:
    with street.database.begin() as conn:
        conn.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        conn.execute(text("UPDATE table_floor SET oldest = '9999'"))
    with pytest.raises(SchemaMismatch, match="9999"):
        check_schema(street.database)
    with pytest.raises(SchemaMismatch, match="9999"):
        create_schema(street.database)


FOREIGN = {
    "tables of our names": "CREATE TABLE event (id INTEGER, name TEXT)",
    "tables of other names": "CREATE TABLE guestbook (id INTEGER)",
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_a_database_of_another_program_is_refused_in_words_and_left_alone(
    empty: Engine, kind: str
) -> None:
    with empty.begin() as conn:
        conn.execute(text(FOREIGN[kind]))
    before = inspect(empty).get_table_names()
    with pytest.raises(SchemaMismatch):
        check_schema(empty)
    with pytest.raises(SchemaMismatch, match="别的程序") as refused:
        create_schema(empty)
    assert "another program" in refused.value.english
    assert inspect(empty).get_table_names() == before


def test_a_migration_that_fails_half_way_leaves_nothing(
    empty: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    from alembic import command

    upgrade = command.upgrade

    def failing(config: Any, revision: str) -> None:
        upgrade(config, revision)
        raise RuntimeError("power cut")

    monkeypatch.setattr(schema.command, "upgrade", failing)
    with pytest.raises(RuntimeError, match="power cut"):
        create_schema(empty)
    assert inspect(empty).get_table_names() == []


# --- upgrading ------------------------------------------------------------------------------


# The tables of releases 0003 to 0005.
SIGNING_IN = ("second_factor", "recovery_code", "pending_sign_in", "sign_in_attempt")
PROVIDER = ("provider_link", "provider_answer")
EVIDENCE = ("leaf", "tile", "checkpoint", "cosignature", "timestamp_token", "anchor", "report_job")
# Those of 0013, 0020 and 0021.
RESIDENTS = ("place_code", "resident_flow")
WORKER = ("draft", "look")
# Those of notices.
NOTICES = (
    "case_news", "notice", "notice_choice", "notice_address", "notice_message", "notice_in_message",
    "calendar_feed",
)  # fmt: skip
SEARCHED = ("act", "part")
ADMINISTRATION = ("awaiting_file",)
# Those of the interface.
INTERFACE = ("api_token", "api_answer")
OFFICER = ("viewing", "report_part")
FILTERS = ("saved_filter",)
SIGNALS = ("signal_brief", "signal", "photo_print", "photo_without_print", "photo_pair")
METRICS = ("metric_case", "metric_basis", "metric_period", "metric_list", "metric_figures")
INDEX = ("index_weights", "index_edition")
CLUSTER = ("lease", "node", "table_floor")
FLOWS = ("flow_month",)
PUBLISHED = ("published_hazards",)
TEXTS = ("case_text",)


def test_a_report_asked_for_of_a_month_is_after_0028_one_of_a_period(street: Street) -> None:
    asked = {
        "kind": SPECIAL,
        "told": json.dumps({"report": "month", "month": "2026-03", "unit": "u"}),
    }
    other = {"kind": SPECIAL, "told": json.dumps({"report": "risk", "case": "c"})}
    entered = {"purpose": "例会", "locale": "zh", "by": street.by("watch"), "at": street.at}
    with street.database.begin() as conn:
        for number, about in enumerate((asked, other)):
            report_jobs.enter(conn, about, key=f"k{number}", **entered)
        for table in ("metric_period", "metric_list", "metric_figures"):
            conn.execute(text(f"ALTER TABLE {table} RENAME COLUMN period TO month"))
        conn.execute(text("ALTER TABLE metric_period RENAME TO metric_month"))
        with Operations.context(MigrationContext.configure(conn)):
            import_module("engine.migrations.versions.0028_metric_periods").upgrade()
        jobs = conn.execute(
            select(report_jobs.job_table.c.told).order_by(report_jobs.job_table.c.key)
        )
        assert [json.loads(told) for told in jobs.scalars()] == [
            {"report": "period", "period": "2026-03", "unit": "u"},
            {"report": "risk", "case": "c"},
        ]
        assert periods(conn) == []


def test_a_street_of_the_first_release_is_brought_up_and_its_states_made_again(
    street: Street,
) -> None:
    case = street.report()
    with street.database.begin() as conn:
        later = (*EVIDENCE, *RESIDENTS, *WORKER, *NOTICES, *SEARCHED, *ADMINISTRATION, *INTERFACE)
        later = (*later, *OFFICER, *SIGNING_IN, *PROVIDER, *FILTERS, *SIGNALS, *METRICS, *INDEX)
        later = (*later, *CLUSTER, *FLOWS, *TEXTS, *PUBLISHED)
        for table in ("case_message", "case_link", "site_code", *later):
            conn.execute(text(f"DROP TABLE {table}"))
        for index in (
            "ordered",
            "unlisted",
            "guarded",
            "alike_there",
            "by_process",
            "by_level",
            "by_unit",
        ):
            conn.execute(text(f"DROP INDEX case_register_{index}"))
        for column in ("confidential", "orders", "kept_out", "texts_listed"):
            conn.execute(text(f"ALTER TABLE case_register DROP COLUMN {column}"))
        for column in ("confirmed_at", "link"):
            conn.execute(text(f"ALTER TABLE session DROP COLUMN {column}"))
        for table, column in (("stream_head", "began"), ("outbox", "month")):
            conn.execute(text(f"ALTER TABLE {table} DROP COLUMN {column}"))
        conn.execute(text("UPDATE case_register SET state = :s"), {"s": b"of the first release"})
        conn.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    create_schema(street.database)
    street.complete(case, "prepare#1", "head", {"kind": "wood", "pieces": 3})
    street.check()
