"""Cases alike at the same address, and cases closed to some, are found by indexes."""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
SIDE_BY_SIDE = True


def upgrade() -> None:
    columns = ["address", "category", "community", "opened_at"]
    op.create_index("case_register_alike_there", "case_register", columns, unique=False)
    guarded = sa.text("confidential = 1 OR kept_out > 0")
    op.create_index(
        "case_register_guarded", "case_register", ["case"], unique=False,
        sqlite_where=guarded, postgresql_where=guarded,
    )  # fmt: skip
