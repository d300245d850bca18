"""Append-only, enforced by the database: the triggers that refuse change, on both databases.

They stop the application and its SQL; they do not stop whoever owns the database or its file.
Against those there is verification only (docs/audit-format.md says which adversary is met by what).
"""

from typing import Final

_APPEND_ONLY: Final = ("event", "log_origin")

# INSERT OR REPLACE deletes the old row without firing delete triggers unless a connection has set
# recursive_triggers, and any connection may not have: hence the insert trigger for existing keys.
SQLITE: Final[tuple[str, ...]] = (
    *(
        f"CREATE TRIGGER {table}_no_{verb} BEFORE {verb.upper()} ON {table} "
        f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        for table in _APPEND_ONLY
        for verb in ("update", "delete")
    ),
    "CREATE TRIGGER event_no_replace BEFORE INSERT ON event WHEN EXISTS "
    "(SELECT 1 FROM event WHERE (stream = NEW.stream AND seq = NEW.seq) OR hash = NEW.hash) "
    "BEGIN SELECT RAISE(ABORT, 'event is append-only'); END",
    "CREATE TRIGGER log_origin_no_replace BEFORE INSERT ON log_origin "
    "WHEN EXISTS (SELECT 1 FROM log_origin) "
    "BEGIN SELECT RAISE(ABORT, 'log_origin is append-only'); END",
)

# ENABLE ALWAYS: an ordinary trigger is skipped under session_replication_role = replica.
POSTGRESQL: Final[tuple[str, ...]] = (
    "CREATE FUNCTION shaoji_append_only() RETURNS trigger LANGUAGE plpgsql AS "
    "$$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$",
    *(
        statement
        for table in _APPEND_ONLY
        for statement in (
            f"CREATE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION shaoji_append_only()",
            f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION shaoji_append_only()",
            f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {table}_no_change",
            f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {table}_no_truncate",
        )
    ),
)
