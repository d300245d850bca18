"""How many orders wait on a case and how many are kept out of it; an index of steps with limits.

engine.schema rebuilds the projections after upgrading.
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    for name in ("orders", "kept_out"):
        op.add_column(
            "case_register", sa.Column(name, sa.Integer(), nullable=False, server_default="0")
        )
    measured = sa.text("type = 'task.completed' AND allowed > 0")
    op.create_index(
        "act_by_limit", "act", ["at", "unit", "used", "allowed", "case"], unique=False,
        sqlite_where=measured, postgresql_where=measured,
    )  # fmt: skip
    ordered = sa.text("orders > 0")
    op.create_index(
        "case_register_ordered", "case_register", ["case"], unique=False,
        sqlite_where=ordered, postgresql_where=ordered,
    )  # fmt: skip
