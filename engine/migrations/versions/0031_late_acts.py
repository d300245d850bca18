"""What was done late is found by an index, where there is little of it."""

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"
SIDE_BY_SIDE = True

LATE = sa.text("late > 0")


def upgrade() -> None:
    op.create_index(
        "act_by_lateness", "act", ["at", "case", "seq"], unique=False,
        sqlite_where=LATE, postgresql_where=LATE,
    )  # fmt: skip
