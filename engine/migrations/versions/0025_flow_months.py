"""How the cases of each process and month went, kept for a page."""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
SIDE_BY_SIDE = True


def upgrade() -> None:
    op.create_table(
        "flow_month",
        sa.Column("process", sa.Text(), nullable=False),
        sa.Column("month", sa.Text(), nullable=False),
        sa.Column("cases", sa.Integer(), nullable=False),
        sa.Column("entries", sa.Integer(), nullable=False),
        sa.Column("at", sa.Text(), nullable=False),
        sa.Column("told", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("process", "month"),
    )
