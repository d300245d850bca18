"""A suffix index of what cases are searched by; the worker takes in the cases there are."""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
# An older program enters cases without it: their texts_listed stays 0, until the worker comes.
SIDE_BY_SIDE = True


def upgrade() -> None:
    op.create_table(
        "case_text",
        sa.Column("day", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("beginning", sa.LargeBinary(), nullable=False),
        sa.Column("case", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("day", "beginning", "case"),
        sqlite_with_rowid=False,
    )
    op.add_column(
        "case_register",
        sa.Column("texts_listed", sa.Integer(), nullable=False, server_default="0"),
    )
    unlisted = sa.text("texts_listed = 0")
    op.create_index(
        "case_register_unlisted", "case_register", ["texts_listed", "case"], unique=False,
        sqlite_where=unlisted, postgresql_where=unlisted,
    )  # fmt: skip
