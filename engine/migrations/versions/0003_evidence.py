"""The tree of the log: leaves, tiles, checkpoints, what witnesses and time stampers say of them."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

# Cosignatures and tokens of a checkpoint arrive later, as rows of their own: nothing here changes.
APPEND_ONLY = {
    "leaf": "leaf_index = NEW.leaf_index OR hash = NEW.hash",
    "checkpoint": "size = NEW.size",
    "cosignature": "size = NEW.size AND line = NEW.line",
    "timestamp_token": "size = NEW.size AND authority = NEW.authority",
}


def upgrade() -> None:
    _create_tables()
    sqlite = op.get_bind().dialect.name == "sqlite"
    for table, same in APPEND_ONLY.items():
        for statement in _sqlite(table, same) if sqlite else _postgresql(table):
            op.execute(sa.text(statement))


def _create_tables() -> None:
    op.create_table(
        "leaf",
        sa.Column("leaf_index", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("leaf_index"),
        sa.UniqueConstraint("hash", name="leaf_hash_once"),
    )
    op.create_table(
        "tile",
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("hashes", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("level", "number"),
    )
    op.create_table(
        "checkpoint",
        sa.Column("size", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("note", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("size"),
    )
    op.create_table(
        "cosignature",
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("line", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("size", "line"),
    )
    op.create_table(
        "timestamp_token",
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("authority", sa.Text(), nullable=False),
        sa.Column("token", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("size", "authority"),
    )


def _sqlite(table: str, same: str) -> list[str]:
    told = f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
    # INSERT OR REPLACE fires no delete trigger on a connection without recursive_triggers.
    there = f"WHEN EXISTS (SELECT 1 FROM {table} WHERE {same})"  # noqa: S608 - names of our own
    return [
        f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} {told}",
        f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} {told}",
        f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} {there} {told}",
    ]


def _postgresql(table: str) -> list[str]:
    run = "EXECUTE FUNCTION shaoji_append_only()"
    change, truncate = f"{table}_no_change", f"{table}_no_truncate"
    return [
        f"CREATE TRIGGER {change} BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW {run}",
        f"CREATE TRIGGER {truncate} BEFORE TRUNCATE ON {table} FOR EACH STATEMENT {run}",
        f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {change}",
        f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {truncate}",
    ]
