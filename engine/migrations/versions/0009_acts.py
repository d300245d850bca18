"""Who did what, and who has a part in which case, as rows to search; filled from the log.

engine.schema rebuilds the projections after upgrading.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.create_table(
        "act",
        sa.Column("case", sa.Text(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("at", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("element", sa.Text(), nullable=True),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("on_behalf_of", sa.Text(), nullable=True),
        sa.Column("post", sa.Text(), nullable=True),
        sa.Column("unit", sa.Text(), nullable=True),
        sa.Column("capacity", sa.Text(), nullable=False),
        sa.Column("used", sa.Integer(), nullable=True),
        sa.Column("allowed", sa.Integer(), nullable=True),
        sa.Column("late", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("case", "seq"),
    )
    op.create_index("act_by_time", "act", ["at", "case", "seq"], unique=False)
    op.create_index("act_by_person", "act", ["person", "at"], unique=False)
    op.create_index("act_by_absent", "act", ["on_behalf_of", "at"], unique=False)
    op.create_index("act_by_unit", "act", ["unit", "at"], unique=False)
    op.create_table(
        "part",
        sa.Column("case", sa.Text(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("reported", sa.Integer(), nullable=False),
        sa.Column("did", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("case", "person"),
    )
    op.create_index("part_by_person", "part", ["person", "case"], unique=False)
