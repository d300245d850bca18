"""Which process does what one at a time should do, which processes there are, and which may be."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0022"
# Programs before this one do not ask which of them may work on newer tables.
SIDE_BY_SIDE = False


def upgrade() -> None:
    op.create_table(
        "table_floor",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("oldest", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.CheckConstraint("id = 1"),
    )
    op.create_table(
        "lease",
        sa.Column("work", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("until", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("work"),
    )
    op.create_table(
        "node",
        sa.Column("node", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("release", sa.Text(), nullable=False),
        sa.Column("started_at", sa.Text(), nullable=False),
        sa.Column("seen_at", sa.Text(), nullable=False),
        sa.Column("shared", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("node"),
    )
