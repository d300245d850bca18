"""What keeps the log append-only in its database: triggers on both, and on PostgreSQL rights.

Read as they are, and compared with what the migrations made. Against whoever owns the tables or the
file neither helps: there verification does (docs/operating.md).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, bindparam, text

from engine.checkup import Finding, fails, holds, look

# Table -> which rows a new one may not stand for, as the triggers on SQLite ask it.
LOG_TABLES: Final[Mapping[str, str]] = {
    "event": "(stream = NEW.stream AND seq = NEW.seq) OR hash = NEW.hash",
    "log_origin": "",
    "leaf": "leaf_index = NEW.leaf_index OR hash = NEW.hash",
    "checkpoint": "size = NEW.size",
    "cosignature": "size = NEW.size AND line = NEW.line",
    "timestamp_token": "size = NEW.size AND authority = NEW.authority",
}
FUNCTION: Final = "shaoji_append_only"
_BODY: Final = "BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END"
# pg_trigger.tgtype: row 1, before 2, delete 8, update 16, truncate 32. Enabled: A, always.
_CHANGE: Final = 1 | 2 | 8 | 16
_TRUNCATE: Final = 2 | 32

_SQLITE: Final = text(
    "SELECT tbl_name, name, sql AS told FROM sqlite_master"
    " WHERE type = 'trigger' AND tbl_name IN :tables"
).bindparams(bindparam("tables", expanding=True))
_POSTGRESQL: Final = text(
    """
    SELECT c.relname AS tbl_name, t.tgname AS name,
           concat_ws(' ', t.tgtype, t.tgenabled, t.tgattr::text, t.tgqual::text, p.prosrc) AS told
    FROM pg_trigger t
    JOIN pg_class c ON c.oid = t.tgrelid
    JOIN pg_proc p ON p.oid = t.tgfoid
    WHERE NOT t.tgisinternal AND c.relname IN :tables
      AND c.relnamespace = current_schema()::regnamespace
    """
).bindparams(bindparam("tables", expanding=True))
_OWNED: Final = text(
    """
    SELECT 'table ' || relname FROM pg_class
    WHERE relname IN :tables AND relnamespace = current_schema()::regnamespace
      AND pg_has_role(relowner, 'USAGE')
    UNION ALL
    SELECT 'schema ' || nspname FROM pg_namespace
    WHERE nspname = current_schema() AND pg_has_role(nspowner, 'USAGE')
    UNION ALL
    SELECT 'function ' || proname FROM pg_proc
    WHERE proname = :function AND pronamespace = current_schema()::regnamespace
      AND pg_has_role(proowner, 'USAGE')
    ORDER BY 1
    """
).bindparams(bindparam("tables", expanding=True))
_RIGHTS: Final = text(
    """
    SELECT c.relname || ' ' || wanted.what
    FROM pg_class c,
         unnest(ARRAY['UPDATE', 'DELETE', 'TRUNCATE', 'TRIGGER']) AS wanted(what)
    WHERE c.relname IN :tables AND c.relnamespace = current_schema()::regnamespace
      AND (has_table_privilege(c.oid, wanted.what)
           OR (wanted.what = 'UPDATE' AND has_any_column_privilege(c.oid, 'UPDATE')))
    ORDER BY 1
    """
).bindparams(bindparam("tables", expanding=True))
Triggers = Mapping[tuple[str, str], str]


@dataclass(frozen=True, slots=True)
class Role:
    """As whom this program is at PostgreSQL, and what that role may do to the log.

    owns: tables of the log, their schema, the function of the triggers. may: `event DELETE`, ….
    """

    name: str
    superuser: bool
    owns: tuple[str, ...]
    may: tuple[str, ...]


def read_triggers(conn: Connection, parts: Sequence[str] = ()) -> dict[tuple[str, str], str]:
    """The triggers on the log's tables: (table, name) -> what it says, in one spelling.

    parts: tables `event` consists of (engine.partitions).
    """
    asked = _SQLITE if conn.dialect.name == "sqlite" else _POSTGRESQL
    rows = conn.execute(asked, {"tables": [*LOG_TABLES, *parts]})
    return {(row.tbl_name, row.name): _plain(row.told) for row in rows}


def read_role(conn: Connection, parts: Sequence[str] = ()) -> Role:
    """As whom this connection is there, and what it may do to the log's tables; PostgreSQL alone.

    parts: tables `event` consists of (engine.partitions).
    """
    told = conn.execute(
        text("SELECT rolname, rolsuper FROM pg_roles WHERE rolname = current_user")
    ).one()
    asked = {"tables": [*LOG_TABLES, *parts]}
    owns = conn.execute(_OWNED, asked | {"function": FUNCTION}).scalars()
    may = conn.execute(_RIGHTS, asked).scalars()
    return Role(told.rolname, told.rolsuper, tuple(owns), tuple(may))


def wanted_triggers(dialect: str, parts: Sequence[str] = ()) -> dict[tuple[str, str], str]:
    """The triggers there have to be, as `read_triggers` reads them."""
    make = _wanted_sqlite if dialect == "sqlite" else _wanted_postgresql
    wanted = {
        (table, name): _plain(told)
        for table, same in LOG_TABLES.items()
        for name, told in make(table, same)
    }
    # A part has those of the whole, under their names.
    return wanted | {(part, name): told for part in parts
                     for (table, name), told in wanted.items() if table == "event"}  # fmt: skip


def check_triggers(found: Triggers, wanted: Triggers) -> Finding:
    """Whether every trigger is there and says what it should."""
    missing = sorted(name for table, name in wanted.keys() - found.keys())
    other = sorted(
        name for (table, name), told in wanted.items() if found.get((table, name), told) != told
    )
    unknown = sorted(name for table, name in found.keys() - wanted.keys())
    if missing or other:
        gone, changed = "、".join(missing) or "无", "、".join(other) or "无"
        return fails(
            "triggers",
            (
                f"只许追加的触发器：缺 {gone}；被改过 {changed}",
                (
                    "triggers that keep the log append-only: "
                    f"missing {', '.join(missing) or 'none'}; "
                    f"changed or switched off {', '.join(other) or 'none'}"
                ),
            ),
            (
                (
                    "记录可能已被改过：先执行 shaoji verify 并核对外面的检查点，查明是谁动的，"
                    "再从备份恢复，或照 engine/migrations 里的原文把触发器建回去。"
                ),
                (
                    "Entries may have been changed: run `shaoji verify` against checkpoints from "
                    "outside and find out who did it; then restore a backup, or make the triggers "
                    "again as engine/migrations has them."
                ),
            ),
        )
    if unknown:
        return look(
            "triggers",
            (
                f"{len(wanted)} 个触发器都在；日志表上另有 {'、'.join(unknown)}",
                (
                    f"all {len(wanted)} triggers are there; the log's tables have others: "
                    f"{', '.join(unknown)}"
                ),
            ),
            (
                "程序没有建过这些触发器，请查明用途，不需要的删掉。",
                "Not made by this program: find out what they are for, drop what is not needed.",
            ),
        )
    return holds(
        "triggers",
        (
            f"{len(wanted)} 个只许追加的触发器都在，内容一致",
            f"all {len(wanted)} triggers that keep the log append-only are there, as made",
        ),
    )


def check_role(role: Role) -> Finding:
    """Whether the program's role could go round the triggers."""
    apart = (
        "要让应用越不过触发器，请照 docs/operating.md 分成两个角色：一个建表，一个只追加。",
        (
            "To let the application not go round the triggers, make two roles as docs/operating.md "
            "says: one that owns the tables, one that only appends."
        ),
    )
    if role.superuser or role.owns:
        why = (
            ("是超级用户", "is a superuser")
            if role.superuser
            else (f"拥有 {'、'.join(role.owns)}", f"owns {', '.join(role.owns)}")
        )
        return look(
            "roles",
            (
                f"应用的数据库角色 {role.name} {why[0]}：能拆掉触发器",
                f"the application's role {role.name} {why[1]}: it could take the triggers off",
            ),
            apart,
        )
    if role.may:
        return fails(
            "roles",
            (
                f"应用的数据库角色 {role.name} 不拥有日志表，却有权 {'、'.join(role.may)}",
                (
                    f"the application's role {role.name} does not own the log's tables and still "
                    f"may: {', '.join(role.may)}"
                ),
            ),
            (
                f"请收回：{_revoke(role)}",
                f"Take it back: {_revoke(role)}",
            ),
        )
    return holds(
        "roles",
        (
            f"应用的数据库角色 {role.name} 对日志表只能查、只能追加",
            f"the application's role {role.name} may only read and append to the log's tables",
        ),
    )


def _revoke(role: Role) -> str:
    tables = dict.fromkeys((*LOG_TABLES, *(one.split()[0] for one in role.may)))
    return f"REVOKE UPDATE, DELETE, TRUNCATE, TRIGGER ON {', '.join(tables)} FROM {role.name};"


def _wanted_sqlite(table: str, same: str) -> list[tuple[str, str]]:
    told = f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
    # Compared with what the database says of itself, never run.
    there = f"WHEN EXISTS (SELECT 1 FROM {table}{f' WHERE {same}' if same else ''})"  # noqa: S608
    return [
        (f"{table}_no_update", f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} {told}"),
        (f"{table}_no_delete", f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} {told}"),
        (
            f"{table}_no_replace",
            f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} {there} {told}",
        ),
    ]


def _wanted_postgresql(table: str, _same: str) -> list[tuple[str, str]]:
    return [
        (f"{table}_no_change", f"{_CHANGE} A {_BODY}"),
        (f"{table}_no_truncate", f"{_TRUNCATE} A {_BODY}"),
    ]


def _plain(told: str) -> str:
    spaced = re.sub(r"\s+", " ", told).strip()
    return spaced.replace("( ", "(").replace(" )", ")")
