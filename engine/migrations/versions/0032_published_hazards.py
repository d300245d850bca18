"""What is published of hazards is kept by the worker, once a month, for every process."""

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"
SIDE_BY_SIDE = True


def upgrade() -> None:
    op.create_table(
        "published_hazards",
        sa.Column("until", sa.Text, primary_key=True),
        sa.Column("at", sa.Text, nullable=False),
        sa.Column("told", sa.LargeBinary, nullable=False),
    )
